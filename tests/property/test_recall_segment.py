"""Catching up equals loading afresh, whatever was added, changed and removed, by whom, and in which order."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, given, settings

import engrain
from engrain.recall.postings import Postings
from engrain.testing import SimulatedWorld

WORDS = ["upload", "timeout", "cache", "proxy", "login", "retry", "page", "blue"]
CONTENT = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
STEP = st.one_of(
    st.tuples(
        st.just("add"),
        st.integers(0, 2),
        CONTENT,
        st.sampled_from(["private", "team", "public"]),
        st.sampled_from([None, "s", "t"]),
        st.sampled_from([None, 2, 5]),
    ),
    st.tuples(st.just("update"), st.integers(0, 30), CONTENT, st.sampled_from(["private", "public"])),
    st.tuples(st.just("forget"), st.integers(0, 30)),
    st.tuples(st.just("advance"), st.integers(1, 3)),
    st.tuples(st.just("ask"), st.integers(0, 2), CONTENT),
)
SCOPES = [("one", "red"), ("two", "red"), ("three", "blue")]


def asked(memory: engrain.Memory, scope: int, query: str) -> list[tuple[Any, ...]]:
    name, team = SCOPES[scope]
    hits = memory.agent(name, team=team).recall(query, limit=50, min_score=0.0)
    return [(hit.item.id, hit.score, hit.why) for hit in hits]


@dataclass
class Run:
    """One memory that is kept open through all steps, and the same home opened afresh to compare it with."""

    home: str
    world: SimulatedWorld = field(default_factory=SimulatedWorld)
    items: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.memory = self.open()

    def open(self) -> engrain.Memory:
        return engrain.open(self.home, embedder="hash", world=self.world, synchronous="NORMAL", echo_minutes=0.0)

    def agent(self, number: int) -> engrain.Agent:
        return self.memory.agent(SCOPES[number][0], team=SCOPES[number][1])

    def take(self, step: tuple[Any, ...]) -> None:
        verb, *rest = step
        if verb == "add":
            number, content, visibility, session, days = rest
            item = self.agent(number).remember(
                content, visibility=visibility, session=session, expires_in=f"{days}d" if days else None
            )
            self.items.append((number, item.id))
        elif verb == "advance":
            self.world.advance(days=rest[0])
        elif verb == "ask":
            with self.open() as fresh:
                assert asked(self.memory, *rest) == asked(fresh, *rest)
        elif self.items:
            number, id_ = self.items[rest[0] % len(self.items)]
            if self.agent(number).get(id_) is None:
                return
            if verb == "update":
                self.agent(number).update(id_, content=rest[1], visibility=rest[2])
            else:
                self.agent(number).forget(id_)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEP, max_size=25), CONTENT)
def test_catching_up_equals_loading_afresh(steps: list[tuple[Any, ...]], query: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        run = Run(home)
        for step in steps:
            run.take(step)
        for number in range(3):
            run.take(("ask", number, query))
        run.memory.close()


@given(
    st.lists(st.lists(st.integers(0, 9), unique=True, max_size=6), max_size=40),
    st.integers(1, 20),
)
def test_postings_are_those_of_a_dictionary_at_every_moment(passages: list[list[int]], tail: int) -> None:
    import engrain.recall.postings as module

    before, module._TAIL = module._TAIL, tail
    try:
        postings, kept = Postings(), []
        expected: dict[int, list[tuple[int, int]]] = {term: [] for term in range(10)}
        for row, terms in enumerate(passages):
            count = np.arange(1, len(terms) + 1, dtype=np.uint16)
            postings.add(np.array(terms, np.uint32), np.full(len(terms), row, np.int32), count)
            for term, number in zip(terms, count.tolist(), strict=True):
                expected[term].append((row, number))
            kept.append((postings.snapshot(), {term: list(held) for term, held in expected.items()}))
        for snapshot, then in kept:  # also those taken earlier, after others were added
            for term, held in then.items():
                rows, counts = snapshot.of(term)
                assert list(zip(rows.tolist(), counts.tolist(), strict=True)) == held
    finally:
        module._TAIL = before
