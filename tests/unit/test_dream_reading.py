"""A dream reads what is archived once for a tenant and all of its agents, and each experience once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from engrain import Agent, Outcome
from engrain.learn.log import Counts, Log
from engrain.memory import Memory
from engrain.model.steps import Columns
from engrain.testing import SimulatedWorld
from tests.dreams import TASK, fill, rows, stepping
from tests.life import freeze


def equal(one: Counts | Log, other: Counts | Log) -> bool:
    for field in fields(one):
        mine, its = getattr(one, field.name), getattr(other, field.name)
        if not (np.array_equal(mine, its, equal_nan=mine.dtype.kind == "f") if hasattr(mine, "dtype") else mine == its):
            return False
    return True


def decide(agent: Agent, count: int, world: SimulatedWorld) -> None:
    """Decisions in episodes of four, the last ones without an outcome."""
    for step in range(count):
        world.advance(seconds=7)
        advice = agent.advise(TASK, state={"size": step % 3}, options=["a", "b"], episode=f"e{step // 4}")
        if step < count - 1:
            agent.observe(advice, Outcome(success=step % 2 == 0, evidence=("claimed", "executed")[step % 2]))


@pytest.fixture
def archived(memory: Memory, world: SimulatedWorld) -> Memory:
    """Three agents, most of whose outcomes are archived."""
    for part in range(2):
        for name in ("ann", "bob", "eve"):
            agent = memory.agent(name, tenant="acme")
            decide(agent, 30, world)
            fill(agent, 40, seed=part, flip=name == "bob")
        if not part:
            world.advance(days=40)
            assert freeze(memory)["experiences"] > 0
    return memory


def test_what_is_archived_is_read_once_for_all_owners(archived: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    cold, read = archived.logged._cold, list[str | None]()
    plain = cold.steps

    def steps(tenant: str, task_type: str, agent: str | None, since: int) -> Columns:
        read.append(agent)
        return plain(tenant, task_type, agent, since)

    monkeypatch.setattr(cold, "steps", steps)
    dream = archived.dream()
    assert [one["agent"] for one in dream.findings["findings"]] == [None, "ann", "bob", "eve"]
    assert read == [None]


@pytest.mark.parametrize("agent", [None, "ann", "bob", "eve", "nobody"])
def test_an_agents_part_is_what_would_be_read_of_it_alone(archived: Memory, agent: str | None) -> None:
    reading = archived.logged.reading("acme", TASK)
    mine, alone = reading.both(agent), archived.logged.both("acme", TASK, agent)
    assert equal(mine[0], alone[0])
    assert equal(mine[1], alone[1])
    middle = int(np.median(archived.logged.log("acme", TASK).at))
    assert equal(reading.log(agent, middle), archived.logged.log("acme", TASK, agent, since=middle))


def test_of_what_was_forgotten_meanwhile_nothing_is_learned(memory: Memory, world: SimulatedWorld) -> None:
    for name in ("ann", "bob"):
        fill(memory.agent(name, tenant="acme"), 100)
    world.advance(days=40)
    assert freeze(memory)["experiences"] == 200
    fill(memory.agent("ann", tenant="acme"), 10)

    def forgets(phase: str) -> None:
        if phase == "report":  # the tenant's policy is through
            stepping(memory, lambda _: None)
            memory.agent("bob", tenant="acme").forget(everything=True)

    stepping(memory, forgets)
    told = {one["agent"]: one for one in memory.dream().findings["findings"]}
    assert (told[None]["rows"], told["ann"]["rows"], told["bob"]["rows"]) == (210, 110, 0)
    assert told["bob"]["outcome"] == "skipped"


def test_what_leaves_the_store_while_it_is_read_counts_once(
    memory: Memory, agent: Agent, world: SimulatedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(agent, 20, world)
    world.advance(days=40)
    freeze(memory)
    decide(agent, 20, world)
    agent.observe_many(rows(5))
    counts, log = memory.logged.both("acme", TASK)
    world.advance(days=40)
    plain: Callable[..., Any] = memory.store.read

    def read(statement: str, *asked: Any) -> Any:
        found = plain(statement, *asked)
        if statement == "step_list":
            monkeypatch.undo()
            assert freeze(memory)["experiences"] > 0
        return found

    monkeypatch.setattr(memory.store, "read", read)
    now, then = memory.logged.both("acme", TASK)
    assert (now.n.sum(), len(then)) == (counts.n.sum(), len(log)) == (43, 43)
    assert equal(now, counts)


def test_what_is_observed_all_the_time_is_read_as_of_one_moment(
    memory: Memory, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.observe_many(rows(5))
    plain: Callable[..., Any] = memory.store.transaction

    class Between:
        """A transaction after each of whose readings somebody observes."""

        def __init__(self, tx: Any) -> None:
            self._tx = tx

        def read(self, *asked: Any) -> Any:
            found = self._tx.read(*asked)
            agent.observe_many(rows(3))
            return found

    @contextmanager
    def watched(tenant: str, reading: bool = False) -> Iterator[Any]:
        with plain(tenant, reading) as tx:
            yield Between(tx) if reading else tx

    monkeypatch.setattr(memory.store, "transaction", watched)
    for times in range(3):
        counts, log = memory.logged.both("acme", TASK)
        assert counts.data == log.data
        assert counts.n.sum() == len(log) == 5 + 6 * times
    assert memory.dream(tenant="acme").state == "completed"
