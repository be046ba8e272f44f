"""The archive's two tiers are one to whoever asks, on both engines: listed, restored, forgotten, pruned, exported."""

from __future__ import annotations

import json
import shutil
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from engrain import Agent
from engrain.errors import ArchiveUnavailable, InvalidField, UnknownItem
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from engrain.world import from_micros
from tests.life import events, freeze, sweep
from tests.postgres import Place
from tests.tiers import counted, told, words_in_files


def test_both_tiers_are_listed_as_one_page_by_page(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    ids = told(agent, memory, world, "one", "two", "three")
    freeze(memory)
    ids += told(agent, memory, world, "four", "five")
    freeze(memory)
    ids += told(agent, memory, world, "six")
    assert [one.id for one in agent.archived()] == ids[::-1]
    paged, after = [], None
    while page := agent.archived(limit=2, after=after):
        paged += [one.id for one in page]
        after = page[-1].id
    assert paged == ids[::-1]
    assert agent.archived(reason="superseded") == []
    assert (agent.list(), agent.count(), agent.recall("one two three")) == ([], 0, [])
    assert all(agent.get(id_) is None for id_ in ids)
    assert memory.agent("bob", tenant="acme").archived() == []
    assert memory.agent("ann", tenant="other").archived() == []
    assert counted(memory) == (5, 5, 0)


def test_an_item_is_the_same_in_either_tier(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    row = {"kind": "fact", "importance": 7.0, "tags": ["a", "ü"], "metadata": {"x": [1, None, "é"]}, "session": "s"}
    row |= {"role": "user", "occurred_at": from_micros(world.now()), "visibility": "team", "pinned": True}
    item = agent.remember("the whole of it " * 400, expires_in="1d", source="x", **row)  # type: ignore[arg-type]
    again = agent.remember("faded and used", importance=6.0, expires_in="80d")
    agent.get(item.id)
    agent.helpful(item.id)
    memory.signals.flush()
    world.advance(days=81)
    sweep(memory, "decay", "expire")
    before = agent.archived()
    assert {one.id for one in before} == {item.id, again.id}
    freeze(memory)
    assert memory.store.read("exchange_count", {"tenant": "acme", "agent": "ann"})[0]["n"] == 0
    after = agent.archived()
    assert [(one, two) for one, two in zip(after, before, strict=True) if one != two] == []
    back = agent.restore(item.id)
    assert (back.content, back.tags, dict(back.metadata)) == (item.content, item.tags, dict(item.metadata))
    assert (back.read, back.helpful, back.session, back.visibility) == (2, 1, "s", "team")
    assert events(agent, item.id) == ["expired", "archived", "restored"]
    assert [hit.item.id for hit in agent.recall("the whole of it")] == [item.id]


def test_what_was_restored_and_archived_again_is_there_once(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    (id_,) = told(agent, memory, world, "comes and goes")
    for _ in range(3):
        freeze(memory)
        assert [one.id for one in agent.archived()] == [id_]
        assert agent.restore(id_, expires_in="1d").id == id_
        assert agent.archived() == []
        with pytest.raises(UnknownItem):
            agent.restore(id_)
        world.advance(days=2)
        sweep(memory, "expire")
    freeze(memory)
    assert counted(memory) == (4, 4, 3)
    assert memory.compactor is not None
    memory.compactor.compact()
    assert counted(memory)[0] >= 3, "a backup from before may be put back, and know of no other copy"
    world.advance(days=8)
    memory.compactor.compact()
    assert counted(memory)[0] == 1
    assert [one.id for one in agent.archived()] == [id_]
    # readers may still need the old files, in which the three are that are gone
    assert memory.tables is not None
    assert memory.tables.standing("memories").rows == memory.stats()["archive"]["memories"] == 1


def test_of_two_who_restore_at_once_one_does(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world)
    ids = told(memory.agent("ann"), memory, world, *(f"note {n}" for n in range(8)))
    freeze(memory)
    seen: Counter[str] = Counter()
    gate = threading.Barrier(2)

    def restoring() -> None:
        agent = memory.agent("ann")
        for id_ in ids:
            gate.wait()
            try:
                agent.restore(id_)
                seen[id_] += 1
            except UnknownItem:
                pass

    threads = [threading.Thread(target=restoring) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert seen == dict.fromkeys(ids, 1)
    assert {one.id for one in memory.agent("ann").list()} == set(ids)


def test_many_are_restored_by_time_reason_kind_and_words(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    start = from_micros(world.now())
    ids = told(agent, memory, world, "the red door", "the blue window", kind="fact")
    freeze(memory)
    ids += told(agent, memory, world, "the green roof", "a red barn")
    with pytest.raises(InvalidField, match="at least one"):
        agent.restore_where()
    week = {"since": start + timedelta(days=1), "until": start + timedelta(days=3)}
    would = agent.restore_where(**week, dry_run=True)  # type: ignore[arg-type]
    assert [one.id for one in would] == [ids[2], ids[1]]
    assert len(agent.archived()) == 4
    assert [one.id for one in agent.restore_where(kinds=["fact"], dry_run=True)] == [ids[1], ids[0]]
    assert [one.id for one in agent.restore_where(reason="expired", limit=1, dry_run=True)] == [ids[3]]
    assert [one.id for one in agent.restore_where("blue window", limit=1)] == [ids[1]]
    assert [one.id for one in agent.restore_where(**week)] == [ids[2]]  # type: ignore[arg-type]
    assert {one.id for one in agent.archived()} == {ids[0], ids[3]}
    assert {one.id for one in agent.list()} == {ids[1], ids[2]}
    assert agent.restore_where(since=start + timedelta(days=50)) == []


def test_a_dry_run_leaves_out_what_would_stay(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    told(agent, memory, world, "the port is 80", kind="fact", key="port")
    freeze(memory)
    agent.remember("the port is 81", kind="fact", key="port")
    assert agent.restore_where(kinds=["fact"], dry_run=True) == []
    assert agent.restore_where(kinds=["fact"]) == []
    assert len(agent.restore_where(kinds=["fact"], on_conflict="overwrite", dry_run=True)) == 1
    assert [one.content for one in agent.restore_where(kinds=["fact"], on_conflict="overwrite")] == ["the port is 80"]


# -- pruning ----------------------------------------------------------------------------------------------------------


def test_pruning_is_the_same_in_either_tier(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world, keep_cap=2)
    agent = memory.agent("ann")
    told(agent, memory, world, *(f"trifle {n}" for n in range(5)), importance=3.0)
    vital = told(agent, memory, world, *(f"vital {n}" for n in range(4)), importance=10.0)
    freeze(memory)
    late = told(agent, memory, world, "told late", importance=3.0)
    world.advance(days=100)
    late += told(agent, memory, world, "told last", importance=3.0)
    dry = memory.prune(dry_run=True)
    assert dry == {"pruned": 8, "kept": 2, "capped": 1}
    assert len(agent.archived()) == 11
    assert memory.prune() == dry
    assert {one.id for one in agent.archived()} == {*vital[2:], late[1]}
    assert words_in_files(memory, "trifle") == []
    assert counted(memory) == (2, 2, 0)
    assert Counter(events(agent))["pruned"] == 8
    assert memory.prune() == {"pruned": 0, "kept": 2, "capped": 0}


def test_older_versions_of_what_was_pruned_belong_to_what_replaced_it(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    agent.remember("version 0", kind="fact", key="k", importance=9.0)
    world.advance(days=50)
    agent.remember("version 1", kind="fact", key="k", importance=2.0)
    agent.remember("version 2", kind="fact", key="k", importance=2.0, pinned=True)
    world.advance(days=95)
    sweep(memory, "archive")
    freeze(memory)
    world.advance(days=95)
    assert memory.prune()["pruned"] == 1
    assert [one.content for one in agent.archived()] == ["version 0"]
    current = agent.lookup("fact", "k")
    assert current is not None
    assert agent.forget(current.id)
    assert agent.archived() == []


# -- leaving and coming back ------------------------------------------------------------------------------------------


def test_an_export_has_what_is_cold_and_an_import_knows_it(
    memory: Memory, agent: Agent, world: SimulatedWorld, tmp_path: Path
) -> None:
    ids = told(agent, memory, world, "one", "two")
    agent.remember("here")
    freeze(memory)
    assert agent.export_to(tmp_path / "all.json").archived == 2
    found = agent.import_from(tmp_path / "all.json")
    assert (found.skipped, found.imported) == (3, 0)
    assert [one.id for one in agent.archived()] == ids[::-1]
    bob = memory.agent("bob", tenant="acme")
    assert bob.import_from(tmp_path / "all.json").imported == 3
    assert [one.content for one in bob.archived()] == ["two", "one"]
    newer = json.loads((tmp_path / "all.json").read_text())
    for item in newer["items"]:
        if item["id"] == ids[0]:
            item |= {"state": "active", "updated_at": from_micros(world.now()).isoformat(), "expires_at": None}
            item.pop("archived_at")
    (tmp_path / "newer.json").write_text(json.dumps(newer))
    assert agent.import_from(tmp_path / "newer.json").overwritten == 1
    assert {one.content for one in agent.list()} == {"one", "here"}
    assert [one.id for one in agent.archived()] == ids[1:]


# -- the doctor -------------------------------------------------------------------------------------------------------


def doctor(memory: Memory) -> tuple[bool | None, str]:
    (found,) = [check for check in memory.doctor().checks if check.name == "archive"]
    return found.ok, found.detail


def test_the_doctor_looks_at_the_archive(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    assert doctor(memory) == (True, "nothing has left the store")
    ids = told(agent, memory, world, "one", "two", "three")
    freeze(memory)
    assert doctor(memory)[0]
    assert "3 memories and 0 experiences" in doctor(memory)[1]
    agent.restore(ids[0])
    assert "2 memories" in doctor(memory)[1]
    world.advance(days=17)
    ok, why = doctor(memory)
    assert not ok
    assert "erased long ago: run engrain tick --role compact" in why
    memory.tick(["compact"])
    world.advance(days=10)
    memory.tick(["compact"])
    memory.store.write([("batch_recount", {"kind": "memories", "number": 1, "n": 7})])
    assert "4 of the memories are missing" in doctor(memory)[1]
    (memory.home / "archive").rename(memory.home / "away")
    ok, why = doctor(memory)
    assert not ok
    assert "no table at" in why


def test_files_that_are_older_than_the_store_are_told_of(
    memory: Memory, agent: Agent, world: SimulatedWorld, tmp_path: Path
) -> None:
    told(agent, memory, world, "one")
    freeze(memory)
    shutil.copytree(memory.home / "archive", tmp_path / "copy")
    told(agent, memory, world, "two")
    freeze(memory)
    shutil.rmtree(memory.home / "archive")
    shutil.copytree(tmp_path / "copy", memory.home / "archive")
    assert "older than the store: put back the latest copy" in doctor(memory)[1]
    assert memory.compactor is not None
    with pytest.raises(ArchiveUnavailable, match="older than the store"):
        memory.compactor.compact()
