"""Whatever is archived, in whatever pieces: a search of it gives what recall gives where nothing was archived."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engrain
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests.life import START, sweep

WORDS = "upload page blue retry timeout cat Ann minute tuesday 2026-01-02 build red ü 日本 ?"
WORD = st.sampled_from(WORDS.split(" "))

TEXT = st.lists(WORD, min_size=1, max_size=12).map(" ".join) | st.lists(WORD, min_size=210, max_size=230).map(" ".join)
ROW = st.fixed_dictionaries(
    {"content": TEXT},
    optional={
        "session": st.sampled_from(["s1", "s2"]),
        "role": st.sampled_from(["user", "assistant", "Ann"]),
        "importance": st.floats(1, 10),
        "kind": st.sampled_from(["fact", "context"]),
        "tags": st.lists(st.sampled_from(["a", "b"]), max_size=2, unique=True),
    },
)
PLACES = st.lists(
    st.tuples(ROW, st.sampled_from(["cold", "colder", "waiting"])),
    min_size=1,
    max_size=14,
    unique_by=lambda one: one[0]["content"],  # told again, it would be the same item in one home and not in the other
)
AGENTS = itertools.count()


@pytest.fixture(scope="module")
def homes() -> Iterator[tuple[Memory, Memory]]:
    """One in which things expire and are archived, and its twin, in which they stay."""
    with tempfile.TemporaryDirectory() as folder:
        opened = [
            engrain.open(Path(folder) / name, embedder="hash", world=SimulatedWorld(START), synchronous="NORMAL")
            for name in ("one", "twin")
        ]
        yield opened[0], opened[1]
        for memory in opened:
            memory.close()


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(told=PLACES, asked=st.lists(TEXT, min_size=1, max_size=3), least=st.none() | st.just(0.0))
def test_the_archive_answers_as_memory_does(
    homes: tuple[Memory, Memory], told: list[tuple[dict[str, Any], str]], asked: list[str], least: float | None
) -> None:
    name = f"agent {next(AGENTS)}"
    memory, twin = homes
    agent, other = memory.agent(name), twin.agent(name)
    for stage in ("cold", "colder", "waiting"):
        rows = [row for row, where in told if where == stage]
        other.remember_many(rows)
        agent.remember_many([{**row, "expires_in": "1d"} for row in rows])
        for home in homes:
            home.world.advance(days=2)  # type: ignore[attr-defined]
        sweep(memory, "expire")
        if stage != "waiting":
            assert memory.archiver is not None
            memory.archiver.run()
    for query in asked:
        expected = found(other.recall(query, limit=50, min_score=least))
        assert found(agent.search_archive(query, limit=50, min_score=least)) == expected
        assert found(agent.recall(query, limit=50, min_score=least, include_archived=True)) == expected


def found(hits: list[engrain.Hit]) -> list[Any]:
    return [(hit.item.content, hit.score, hit.why) for hit in hits]
