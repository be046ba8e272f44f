"""How sweeps work: in pieces, to be stopped and gone on with, and the same when dry."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain.lifecycle import sweep
from engrain.lifecycle.acts import Acts
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests.postgres import Place

START = "2026-01-01T00:00:00Z"


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld(START, seed=3)


def filled(place: Place, world: SimulatedWorld, agents: int, each: int, **row: Any) -> Memory:
    memory = place.open(world=world)
    for n in range(agents):
        rows = [{"content": f"note {i} of {n}", **row} for i in range(each)]
        memory.agent(f"agent{n:02d}", tenant=f"t{n % 2}").remember_many(rows)
    return memory


def changed(memory: Memory) -> list[dict[str, Any]]:
    """Everything that a sweep could change."""
    names = [("t0", f"agent{n:02d}") for n in range(4)] + [("t1", f"agent{n:02d}") for n in range(4)]
    found: list[Any] = []
    for tenant, name in names:
        whose = {"tenant": tenant, "agent": name}
        found += memory.store.read("segment_changes", {**whose, "seq": 0, "last": "", "settled": 0, "limit": 9999})
        found += memory.store.read("archived_old", {**whose, "before": 2**62, "now": 0})
        found += memory.agent(name, tenant=tenant).transitions(limit=9999)
    found += [list(row) for row in memory.store.read("life_agents", {"after_tenant": "", "after_name": "", "limit": 9})]
    return [repr(one if not hasattr(one, "keys") else [one[name] for name in one.keys()]) for one in found]  # type: ignore[misc] # noqa: SIM118


@pytest.mark.parametrize(
    ("row", "day", "names"),
    [
        ({"expires_in": "1d"}, 2, ["expire"]),
        ({"importance": 1.0}, 91, ["decay"]),
        ({"importance": 1.0}, 106, ["archive"]),
        ({"expires_in": "1d", "importance": 2.0}, 100, ["prune"]),
    ],
)
def test_a_dry_run_counts_the_same_and_changes_nothing(
    place: Place, world: SimulatedWorld, row: dict[str, Any], day: int, names: list[str]
) -> None:
    memory = filled(place, world, 4, 30, **row)
    world.advance(days=91 if names == ["archive"] else 2)
    memory.sweeps.run("decay" if names == ["archive"] else "expire", dry=names == ["expire"])
    world.advance(days=day - (91 if names == ["archive"] else 2))
    before = changed(memory)
    dry = memory.sweeps.run(names[0], dry=True).counts
    assert changed(memory) == before
    wet = memory.sweeps.run(names[0]).counts
    assert wet == dry
    assert max(wet.values()) == 120
    assert changed(memory) != before
    assert not any(n for name, n in memory.sweeps.run(names[0]).counts.items() if name != "fading")


@pytest.mark.parametrize("name", ["expire", "decay"])
def test_a_sweep_can_be_stopped_anywhere_and_gone_on_with(
    place: Place, world: SimulatedWorld, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "AGENTS", 2)
    monkeypatch.setattr(sweep, "LEAST", 1)
    monkeypatch.setattr(sweep, "LARGEST", 8)
    memory = filled(place, world, 6, 40, expires_in="200d" if name == "decay" else "1d", importance=1.0)
    world.advance(days=91)
    total, checkpoint, runs = 0, None, 0
    while True:
        asked = iter([False, False, False])
        found = memory.sweeps.run(name, checkpoint=checkpoint, stop=lambda: next(asked, True))  # noqa: B023
        total += found.counts.get("expired", 0) + found.counts.get("decayed", 0)
        checkpoint, runs = found.checkpoint, runs + 1
        if checkpoint is None:
            break
        assert runs < 40
    assert total == 240
    assert runs > 3


def test_a_budget_ends_it(place: Place, world: SimulatedWorld) -> None:
    memory = filled(place, world, 2, 200, expires_in="1d")
    world.advance(days=2)
    found = memory.sweeps.run("expire", budget=0.0)
    assert found.counts == {}
    assert found.checkpoint is not None
    assert memory.sweeps.run("expire", budget=60.0, checkpoint=found.checkpoint).counts == {"expired": 400}


def test_what_was_used_while_it_was_decided_stays(
    place: Place, world: SimulatedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the decision and the lock somebody uses one item and forgets another."""
    memory = filled(place, world, 1, 3, importance=1.0)
    agent = memory.agent("agent00", tenant="t0")
    world.advance(days=91)
    memory.sweeps.run("decay")
    world.advance(days=14)
    used, gone, left = (item.id for item in agent.list())
    decide = Acts.decided

    def late(self: Any, *given: Any) -> Any:
        found = decide(self, *given)
        agent.get(used)
        agent.forget(gone)
        memory.signals.flush()
        return found

    monkeypatch.setattr(Acts, "decided", late)
    assert memory.sweeps.run("archive").counts == {"archived": 1}
    assert [item.id for item in agent.archived()] == [left]
    assert [(item.id, item.state) for item in agent.list()] == [(used, "active")]


def test_old_events_are_trimmed_when_pruning(place: Place, world: SimulatedWorld) -> None:
    memory = filled(place, world, 2, 20, expires_in="1d")
    world.advance(days=2)
    memory.sweeps.run("expire")
    world.advance(days=100)
    memory.prune()
    agent = memory.agent("agent00", tenant="t0")
    assert len(agent.transitions()) == 60
    world.advance(days=310)
    memory.prune()
    assert {one.event for one in agent.transitions()} == {"memory:pruned"}
    world.advance(days=100)
    memory.prune()
    assert agent.transitions() == []


def test_the_write_lock_is_never_held_for_long(tmp_path: Path, world: SimulatedWorld) -> None:
    """Somebody else asks for the lock of the file all the time: what matters is how long it is refused."""
    with engrain.open(tmp_path, embedder="hash", world=world) as memory:
        rows = [{"content": f"note {n} about nothing", "expires_in": "1d"} for n in range(4000)]
        memory.agent("ann").remember_many(rows)
        world.advance(days=2)
        waits, stop = [0.0], threading.Event()

        def ask() -> None:
            connection = sqlite3.connect(tmp_path / "engrain.db", timeout=0, isolation_level=None)
            free = time.perf_counter()
            while not stop.is_set():
                try:
                    connection.execute("begin immediate")
                    connection.execute("rollback")
                    waits.append(time.perf_counter() - free)
                    free = time.perf_counter()
                except sqlite3.OperationalError:
                    pass
                time.sleep(0.0005)
            connection.close()

        thread = threading.Thread(target=ask)
        thread.start()
        found = memory.sweeps.run("expire")
        stop.set()
        thread.join()
        assert found.counts == {"expired": 4000}
        waits.sort()
        assert waits[-len(waits) // 100 - 1] < 0.05, "all but the few that a busy machine has put off"
