"""Every part of a score has words, and the table of them adds up."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from engrain.memory import Memory
from engrain.model.explain import PARTS, explain, shares
from engrain.model.item import Hit, MemoryItem
from engrain.shells.screen import BAR
from tests.postgres import Place

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ITEM = MemoryItem("id", "default", "a", "fact", "text", NOW, NOW, NOW)
QUESTION = "What did Ann tell me yesterday about the price and the colour of my tent?"


def fill(memory: Memory) -> None:
    """Things for which every part of a score occurs."""
    agent = memory.agent("default")
    said = [("Ann", "My tent is green."), ("user", "My tent stands beside the lake."), ("Ann", "Is the tent wet?")]
    items = agent.remember_many([{"content": text, "role": role, "session": "trip"} for role, text in said])
    for text in ("The colour of the tent is red", "The colour of the tent is blue"):
        agent.remember(text, kind="fact", importance=8.0)
    agent.remember("Blue paint that keeps its colour is sold in Turin", kind="fact")
    for session in ("a", "b"):
        agent.remember("Ann and I bought the tent in a shop in Turin", session=session)
    agent.remember("A tent needs air", role="assistant", session="advice")
    agent.helpful(items[1].id, True)


def test_every_part_that_occurs_is_explained_and_every_explanation_occurs(place: Place) -> None:
    memory = place.open(embedder="static")
    fill(memory)
    memory.close()
    agent = place.open(embedder="static").agent("default")
    agent.remember("A storm tore the tent", occurred_at=datetime(2025, 3, 10, tzinfo=UTC))
    hits = [
        hit
        for question in (QUESTION, "What did you say about my tent?", "What did the storm do to my tent in March 2025?")
        for hit in agent.recall(question)
    ]
    assert {name for hit in hits for name, _ in hit.why} | {"asked", "learned"} == set(PARTS)  # those: test_adapt
    lines = explain(hits[0])
    assert len(lines) == len(hits[0].why)
    assert abs(sum(float(line.split()[0]) for line in lines) - hits[0].score) < 0.001 * len(lines)


@given(st.dictionaries(st.sampled_from(list(PARTS)), st.floats(-1, 1).map(lambda value: round(value, 6)), min_size=1))
def test_the_parts_that_are_shown_add_up_to_the_score(parts: dict[str, float]) -> None:
    score = round(sum(parts.values()), 6)
    shown, total = shares(Hit(ITEM, score, tuple(parts.items())))
    assert {name for name, _ in shown} == set(parts)
    assert all(abs(part - parts[name]) < 0.001 + 1e-9 for name, part in shown)
    assert abs(total - score) <= 0.0005 + 1e-9
    assert round(sum(part for _, part in shown) * 1000) == round(total * 1000)


def test_what_a_part_means_takes_one_line() -> None:
    beside = len("    +0.123  ") + BAR + 2 + max(map(len, PARTS)) + 2
    assert max(map(len, PARTS.values())) <= 80 - beside


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_of_parts_fits_the_screen_and_adds_up(tmp_path: Path, width: int) -> None:
    with Place(tmp_path).open(embedder="static") as memory:
        fill(memory)
        memory.agent("default").remember(
            "The tent: " + "テントの色は緑です。湖のそばに立っています。" * 40, tags=["色"]
        )
        memory.agent("default").remember("A story of the tent of Ann. " * 300)
    command = [sys.executable, "-m", "engrain", "recall", QUESTION, "--explain", "--home", str(tmp_path)]
    environ = {**os.environ, "COLUMNS": str(width), "ENGRAIN_EMBEDDER": "static"}
    told = subprocess.run(command, env=environ, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    assert max(cell_len(row) for row in told.splitlines()) <= width
    assert all(row == row.rstrip() for row in told.splitlines())
    tables = told.split("score       the sum of these")[:-1]
    assert len(tables) >= 7
    for one in tables:
        *parts, total = re.findall(r"^ +([+-]\d\.\d{3}|\d\.\d{3}\b)(?= |$)", one, re.MULTILINE)
        assert len(parts) >= 3
        assert round(sum(map(float, parts)) * 1000) == round(float(total) * 1000)
    assert tables[0].count("█") > 20
