"""The life of a memory where something odd happens: a clock that was years ahead, a lifecycle that was off for a while,
old versions in the archive, quotas on the ways back, ids that others have taken."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engrain import Agent
from engrain.errors import InvalidInput, QuotaExceeded, StoreCorrupt
from engrain.exchange.files import LINE
from engrain.exchange.rows import derived_id
from engrain.lifecycle.sweep import Sweeps
from engrain.memory import Memory
from engrain.store.transitions import log
from engrain.testing import SimulatedWorld
from tests.life import sweep
from tests.postgres import Place


def told(*rows: dict[str, Any]) -> list[bytes]:
    return [json.dumps(row).encode() + b"\n" for row in rows]


def test_a_clock_that_was_years_ahead_for_a_while_fades_nothing_that_is_told_later(
    place: Place, memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    old = agent.remember("a fact", importance=6.0)
    ahead = place.open(world=SimulatedWorld("2096-01-01T00:00:00Z", seed=5))
    sweep(ahead, "decay")
    assert {item.importance for item in agent.list()} == {1.0}
    world.advance(days=1)
    sweep(memory, "decay")
    new = agent.remember("a fresh fact", importance=9.0)
    assert {item.id: item.importance for item in agent.list()} == {old.id: 6.0, new.id: 9.0}


def test_the_time_for_which_the_lifecycle_was_off_does_not_count(
    place: Place, memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    agent.remember("a fact", importance=6.0)
    memory.lifecycle(False)
    world.advance(days=400)
    memory.lifecycle(True)
    sweep(memory)
    (item,) = place.open(world=world).agent("ann", tenant="acme").list()
    assert (item.importance, item.state) == (6.0, "active")
    world.advance(days=20)
    memory.lifecycle(True)  # it is on: nothing begins anew
    sweep(memory)
    assert agent.list()[0].importance == pytest.approx(6.0 - 1.3)


def test_a_sweep_that_was_stopped_is_gone_on_with_from_the_store(
    place: Place, memory: Memory, world: SimulatedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it stopped is kept between runs, whatever the engine and the name."""
    names = ["plain", "with\nline", 'with "quotes"', "ünïcode ☃"]
    for name in names:
        memory.agent(name, tenant='odd\t"tenant"').remember("a trifle", importance=1.0)
    world.advance(days=91)
    monkeypatch.setattr("engrain.lifecycle.sweep.AGENTS", 1)
    run = Sweeps.run
    monkeypatch.setattr(Sweeps, "run", lambda self, name, **how: run(self, name, **{**how, "stop": lambda: True}))
    for role in ("expire", "decay", "archive", "prune"):
        assert memory.tick([role])[0].state in ("done", "interrupted"), role
    asked = iter([False] * 2)
    monkeypatch.setattr(
        Sweeps, "run", lambda self, name, **how: run(self, name, **{**how, "stop": lambda: next(asked, True)})
    )
    assert memory.tick(["decay"])[0].state == "interrupted"
    monkeypatch.setattr(Sweeps, "run", run)
    assert place.open(world=world).tick(["decay"])[0].state == "done"
    states = {name: memory.agent(name, tenant='odd\t"tenant"').list()[0].state for name in names}
    assert states == dict.fromkeys(names, "pending_decay")


def test_forgetting_reaches_older_versions_whose_successor_was_deleted(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    agent.remember("the first version", kind="fact", key="k", importance=9.5, decay_rate=0.0)
    agent.remember("the second version", kind="fact", key="k", importance=2.0)
    third = agent.remember("the third version", kind="fact", key="k", importance=9.0, pinned=True)
    for _ in range(20):
        world.advance(days=14)
        sweep(memory)
    assert [item.content for item in agent.archived()] == ["the first version"]  # important, so it is not pruned
    agent.forget(third.id)
    assert agent.archived() == []


def test_a_later_export_tells_what_was_archived_or_promoted_since(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    agent.remember("true for a day", expires_in="1d")
    promoted = agent.remember("a lesson", kind="learning")
    before = b"".join(agent.export_data())
    world.advance(days=2)
    sweep(memory, "expire")
    agent.promote(promoted.id)
    after = b"".join(agent.export_data())
    other = memory.agent("bob", tenant="acme")
    other.import_data([before])
    other.import_data([after])
    assert [item.content for item in other.archived()] == ["true for a day"]
    assert [item.promoted_at is None for item in other.list("learning")] == [False]


def test_what_was_archived_elsewhere_does_not_take_the_place_of_what_was_changed_here(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    agent.remember("as it was", kind="fact", expires_in="1d")
    other = memory.agent("bob", tenant="acme")
    other.import_data([b"".join(agent.export_data())])
    world.advance(hours=1)
    other.update(other.list()[0].id, content="as it is now", expires_in=None)
    world.advance(days=2)
    sweep(memory, "expire")
    other.import_data([b"".join(agent.export_data())])
    assert [item.content for item in other.list()] == ["as it is now"]


def test_a_quota_holds_for_what_is_imported(make_place: Callable[..., Place], world: SimulatedWorld) -> None:
    agent = make_place().open(world=world, quota_agent_items=300).agent("ann")
    agent.import_data(told(*({"content": f"row {n}"} for n in range(90))), format="jsonl")
    rows = [{"content": f"row {n}"} for n in range(400)]
    with pytest.raises(QuotaExceeded, match=r"rows before these were imported"):
        agent.import_data(told(*rows), format="jsonl")
    assert agent.count() <= 300
    agent.forget_where(before=None, kind="context")
    agent.import_data(told(*rows[:300]), format="jsonl")
    assert agent.count() == 300
    agent.import_data(told(*({**row, "id": f"old-{n}", "state": "archived"} for n, row in enumerate(rows))))
    with pytest.raises(QuotaExceeded):
        agent.remember("one more")


def test_a_quota_holds_for_what_is_restored(make_place: Callable[..., Place], world: SimulatedWorld) -> None:
    memory = make_place().open(world=world, quota_agent_items=1)
    agent = memory.agent("ann")
    old = agent.remember("the old value", kind="fact", key="k", expires_in="1d")
    world.advance(days=2)
    sweep(memory, "expire")
    other = agent.remember("something else")
    with pytest.raises(QuotaExceeded):
        agent.restore(old.id)
    assert [item.id for item in agent.archived()] == [old.id]
    agent.forget(other.id)
    agent.remember("the new value", kind="fact", key="k")
    agent.restore(old.id, on_conflict="overwrite")  # takes the place of one
    assert [item.content for item in agent.list()] == ["the old value"]


def test_whoever_takes_ids_beforehand_keeps_no_row_out(place: Place, memory: Memory, agent: Agent) -> None:
    """The id that a row gets when its own is taken can be computed, and so be taken too."""
    taken = "01kdtaken00000000000000000"
    thief = memory.agent("thief", tenant="other")
    both = (taken, derived_id("acme", "ann", taken))
    thief.import_data(told(*({"id": id_, "content": f"not yours {id_}"} for id_ in both)), format="jsonl")
    row = told({"id": taken, "content": "the harbour master is called Ann"})
    assert agent.import_data(row, format="jsonl").imported == 1
    assert agent.import_data(row, format="jsonl").imported == 0
    assert [hit.item.content for hit in agent.recall("harbour master")] == ["the harbour master is called Ann"]
    assert sorted(item.id for item in thief.list()) == sorted(both)


@pytest.mark.parametrize("start", [b"content\nshort\n", b'content\nshort\n"'])
def test_a_table_whose_line_or_cell_has_no_end_is_not_held(agent: Agent, start: bytes) -> None:
    asked = 0

    def pieces() -> Iterator[bytes]:
        nonlocal asked
        yield start
        for _ in range((LINE >> 20) + 4):
            asked += 1
            yield b"a" * ((1 << 20) - 1) + (b"\n" if start.endswith(b'"') else b"a")

    with pytest.raises(InvalidInput, match=r"line has more than|larger than field limit"):
        agent.import_data(pieces(), format="csv")
    assert agent.count() == 0
    assert asked > 16


def test_an_export_is_not_written_through_a_link(agent: Agent, tmp_path: Path) -> None:
    agent.remember("a fact")
    other = tmp_path / "somebody's file"
    other.write_text("as it was")
    target = tmp_path / "out.jsonl"
    target.with_name(f".out.jsonl.{os.getpid()}.part").symlink_to(other)
    assert agent.export_to(target).active == 1
    assert other.read_text() == "as it was"
    assert sorted(path.name for path in tmp_path.glob("*out*")) == ["out.jsonl"]


def test_counts_that_no_store_can_add_up_are_refused(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    """One agent's file must not keep the whole home from being measured."""
    with pytest.raises(InvalidInput, match="read must lie in"):
        agent.import_data(told({"content": "read often", "read": 2**62}))
    most = 10**12
    agent.import_data(told(*({"content": f"used {n}", "read": most, "applied": most} for n in range(5))))
    world.advance(days=1)
    assert memory.tick(["metrics"])[0].state == "done"
    assert memory.metrics()["totals"]["uses"] == 10 * most


@pytest.mark.parametrize("name", ["id", "superseded_by", "redacted"])
def test_no_secret_comes_in_as_a_name(agent: Agent, name: str) -> None:
    key = "AKIA" + "IOSFODNN7EXAMPLE"
    row = {"id": "one", "content": "harmless", "state": "superseded", name: [key] if name == "redacted" else key}
    with pytest.raises(InvalidInput, match="secret"):
        agent.import_data(told(row))


def test_a_role_gets_over_a_place_that_is_damaged(place: Place, memory: Memory, agent: Agent) -> None:
    agent.remember("a fact")
    memory.tick(["decay"])
    broken = {"name": "decay", "due_at": 0, "failures": 0, "checkpoint": "neither here nor there"}
    memory.store.write([("role_end", broken)])
    assert [one.tick(["decay"])[0].state for one in (memory, place.open(world=memory.world))] == ["failed", "done"]


def test_a_run_that_is_damaged_is_an_error_of_the_tree(memory: Memory, world: SimulatedWorld) -> None:
    (run,) = memory.tick(["decay"])
    row = {"id": "damaged", "role": "decay", "dry": 0, "holder": "x", "token": 99}
    row |= {"started_at": world.now(), "ends_by": world.now()}
    end = {"id": "damaged", "token": 99, "state": "done", "now": world.now(), "findings": "{", "error": None}
    memory.store.write([("run_begin", row), ("run_end", end)])
    with pytest.raises(StoreCorrupt, match="damaged"):
        memory.runs()
    assert run.state == "done"


def test_forgetting_reaches_the_copy_that_promotion_made(memory: Memory, agent: Agent) -> None:
    lesson = agent.remember("the harbour master is called Ann", kind="learning")
    agent.promote(lesson.id)
    told_too = agent.remember("the harbour master is called Ann", kind="fact")
    assert [item.source for item in agent.list("knowledge")] == [f"promoted:{lesson.id}"]
    assert agent.forget(lesson.id)
    assert [item.id for item in agent.list()] == [told_too.id]


def test_what_two_use_at_once_is_revived_once(
    place: Place, memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    item = agent.remember("a trifle", importance=1.0)
    world.advance(days=91)
    sweep(memory, "decay")
    other = place.open(world=world)
    assert other.agent("ann", tenant="acme").get(item.id) is not None
    assert agent.get(item.id) is not None
    with memory.store.transaction("acme") as tx:
        _, revived = memory.signals.drain("acme", tx)
        second = threading.Thread(target=other.signals.flush)
        second.start()
        time.sleep(0.3)  # it waits for the row
        log(tx, "acme", world.now(), revived)
    second.join()
    assert [one.event for one in agent.transitions(item.id)] == ["memory:decayed", "memory:revived"]
    assert agent.list()[0].state == "active"
