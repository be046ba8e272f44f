"""What tests of a memory's life share: a home whose time they make pass, and sweeps."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from engrain import Agent
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from engrain.world import from_micros
from tests.postgres import Place

__all__ = ["agent", "days", "events", "freeze", "looked_at", "memory", "sweep", "world", "world_time"]
NAMES = ("expire", "decay", "archive", "promote", "prune")
START = "2026-01-01T00:00:00Z"


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld(START, seed=7)


@pytest.fixture
def memory(place: Place, world: SimulatedWorld) -> Memory:
    return place.open(world=world)


@pytest.fixture
def agent(memory: Memory) -> Agent:
    return memory.agent("ann", tenant="acme")


def sweep(memory: Memory, *names: str, **how: Any) -> dict[str, int]:
    """Run sweeps, all of them when none is named; what they counted, but for zeros."""
    memory.signals.flush()
    counts: dict[str, int] = {}
    for name in names or NAMES:
        found = memory.sweeps.run(name, **how)
        assert found.checkpoint is None
        counts |= {key: n for key, n in found.counts.items() if n and key != "fading"}
    return counts


def freeze(memory: Memory) -> dict[str, int]:
    """What is archived leaves the store for the cold tables; how much."""
    assert memory.archiver is not None
    moved = memory.archiver.run()
    assert moved.whole
    return dict(moved.counts)


def looked_at(agent: Agent, id_: str) -> str:
    """The state, without using the item."""
    there = {one.id: one.state for one in (*agent.list(), *agent.archived())}
    return there.get(id_, "gone")


def events(agent: Agent, id_: str | None = None) -> list[str]:
    return [one.event.removeprefix("memory:") for one in agent.transitions(id_)]


def days(memory: Memory, world: SimulatedWorld, n: int, *names: str) -> None:
    """Days with a sweep each."""
    for _ in range(n):
        world.advance(days=1)
        sweep(memory, *names)


def world_time(world: SimulatedWorld) -> datetime:
    """Now, as items tell it."""
    return from_micros(world.now())
