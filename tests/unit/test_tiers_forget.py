"""What is forgotten leaves both tiers of the archive, and every file, on both engines."""

from __future__ import annotations

import pytest

from engrain import Agent, Outcome
from engrain.archive.hold import held
from engrain.errors import ArchiveUnavailable
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from engrain.world import from_micros
from tests.life import events, freeze, sweep
from tests.postgres import Place
from tests.tiers import counted, told, words_in_files


def test_what_is_forgotten_is_in_no_file(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    ids = told(agent, memory, world, "quokka one", "wombat two", metadata={"file_path": "quokka.py"})
    freeze(memory)
    assert words_in_files(memory, "quokka")
    assert agent.forget(ids[0])
    assert words_in_files(memory, "quokka one") == []
    assert words_in_files(memory, "wombat two")
    assert [one.id for one in agent.archived()] == ids[1:]
    assert counted(memory) == (1, 1, 0)
    assert events(agent, ids[0])[-1] == "forgotten"
    assert not agent.forget(ids[0])
    assert agent.forget_where(before=from_micros(world.now())) == 1
    assert words_in_files(memory, "quokka") == []
    assert agent.archived() == []


def test_the_old_copy_of_what_was_restored_goes_with_it(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    (id_,) = told(agent, memory, world, "quokka")
    freeze(memory)
    agent.restore(id_)
    assert words_in_files(memory, "quokka")
    assert agent.forget(id_)
    assert words_in_files(memory, "quokka") == []
    assert counted(memory) == (0, 0, 0)


def test_older_versions_and_what_promotion_made_go_along(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    for n in range(3):
        agent.remember(f"quokka version {n}", kind="fact", key="k", expires_in="200d" if n == 2 else None)
        world.advance(days=1)
    world.advance(days=95)
    sweep(memory, "archive")
    assert freeze(memory) == {"memories": 2}
    current = agent.lookup("fact", "k")
    assert current is not None
    copy = agent.promote(current.id)
    world.advance(days=150)
    sweep(memory, "expire")
    freeze(memory)
    assert len(agent.archived()) == 3
    knowledge = agent.list(kind="knowledge")
    assert [one.source for one in knowledge] == [f"promoted:{copy.id}"]
    assert agent.forget(current.id)
    assert (agent.archived(), agent.list()) == ([], [])
    assert words_in_files(memory, "quokka") == []


def test_a_copy_that_is_cold_goes_with_what_it_was_made_of(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    item = agent.remember("quokka fact", kind="learning", pinned=True)
    agent.promote(item.id)
    (copy,) = agent.list(kind="knowledge")
    agent.update(copy.id, expires_in="1d")
    world.advance(days=2)
    sweep(memory, "expire")
    freeze(memory)
    assert [one.id for one in agent.archived()] == [copy.id]
    assert agent.forget(item.id)
    assert agent.archived() == []
    assert words_in_files(memory, "quokka") == []


def test_everything_of_an_agent_goes_from_the_files(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    bob = memory.agent("bob", tenant="acme")
    told(agent, memory, world, *(f"quokka {n}" for n in range(5)))
    kept = told(bob, memory, world, "wombat")
    for one in (agent, bob):
        word = "quokka" if one is agent else "wombat"
        one.observe_step(f"{word}-task", {f"{word}_state": 1.0}, f"{word}-action", Outcome(success=True))
    freeze(memory)
    agent.restore(agent.archived()[0].id)
    world.advance(days=31)
    assert freeze(memory)["experiences"] == 2
    assert agent.forget(everything=True)
    assert words_in_files(memory, "quokka") == []
    assert [one.id for one in bob.archived()] == kept
    assert memory.tables is not None
    assert memory.tables.read("experiences", ["agent"])["agent"].to_pylist() == ["bob"]
    assert memory.tables.standing("experiences").gone == ()


def test_the_files_are_out_of_reach(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    ids = told(agent, memory, world, "quokka one", "quokka two")
    freeze(memory)
    away = memory.home / "elsewhere"
    (memory.home / "archive").rename(away)
    for act in (agent.archived, lambda: agent.restore(ids[0]), lambda: agent.forget(ids[0])):
        with pytest.raises(ArchiveUnavailable):
            act()
    assert agent.recall("quokka") == []
    agent.remember("goes on")
    away.rename(memory.home / "archive")
    assert len(agent.archived()) == 2


def test_forgetting_while_somebody_works_on_the_archive_hides_at_once(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world, busy_seconds=0.2)
    agent = memory.agent("ann")
    ids = told(agent, memory, world, "quokka one", "wombat two")
    freeze(memory)
    with held(memory.store, world), pytest.raises(ArchiveUnavailable, match="hidden already"):
        agent.forget(ids[0])
    assert [one.id for one in agent.archived()] == ids[1:]
    assert words_in_files(memory, "quokka")
    (run,) = memory.tick(["compact"])
    assert (run.state, run.findings["erased"]) == ("done", 1)
    assert words_in_files(memory, "quokka") == []
    assert counted(memory) == (1, 1, 0)


def test_what_is_forgotten_on_its_way_is_erased_by_whoever_moves_it(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    ids = told(agent, memory, world, "quokka one", "wombat two")

    def forgets(name: str) -> None:
        if name == "appended":
            assert words_in_files(memory, "quokka")
            assert agent.forget(ids[0])

    assert memory.archiver is not None
    memory.archiver._step = forgets
    (run,) = memory.tick(["archive"])
    assert (run.state, run.findings["moved"]) == ("done", 1)
    assert [one.id for one in agent.archived()] == ids[1:]
    assert words_in_files(memory, "quokka") == []
    assert counted(memory) == (1, 1, 0)


def test_an_older_version_goes_from_the_files_in_which_it_was_the_item_itself(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    ids = told(agent, memory, world, "zebra one", "zebra two")
    freeze(memory)
    for id_, content in zip(ids, ("horse one", "horse two"), strict=True):
        agent.restore(id_, expires_in="300d")
        agent.update(id_, content=content)
    assert words_in_files(memory, "zebra two")
    query = {"tenant": "acme", "agent": "ann", "ids": ids}
    older = [row["id"] for row in memory.store.read("memory_chain", query) if row["id"] not in ids]
    assert agent.forget(older[0])  # it is in the store
    world.advance(days=100)
    sweep(memory, "archive")
    freeze(memory)
    assert agent.forget(older[1])  # it is cold
    assert not words_in_files(memory, "zebra")
    assert {one.content for one in agent.list()} == {"horse one", "horse two"}


def test_what_the_store_has_is_forgotten_though_the_files_are_out_of_reach(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    cold, *_ = told(agent, memory, world, "long gone")
    freeze(memory)
    item = agent.remember("still here")
    (memory.home / "archive").rename(memory.home / "elsewhere")
    assert agent.forget(item.id)
    assert agent.list() == []
    with pytest.raises(ArchiveUnavailable):
        agent.forget(cold)
    (memory.home / "elsewhere").rename(memory.home / "archive")
    assert agent.forget(cold)


def test_what_promotion_made_stays_when_it_was_changed(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    ids = [agent.remember(f"a long lesson {n}", expires_in="30d").id for n in range(2)]
    copies = []
    for id_ in ids:
        agent.promote(id_)
        copies.append(next(one.id for one in agent.list() if one.source == f"promoted:{id_}"))
    world.advance(days=31)
    sweep(memory, "expire")
    freeze(memory)
    agent.update(copies[0], content="what I make of it")
    agent.update(copies[1], content="and of that", expires_in="1d")
    world.advance(days=2)
    sweep(memory, "expire")
    freeze(memory)
    for id_ in ids:
        assert agent.forget(id_)
    assert [one.content for one in (*agent.list(), *agent.archived())] == ["what I make of it", "and of that"]
