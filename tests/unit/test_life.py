"""The life of a memory through the public surface, on both engines, months in seconds."""

from __future__ import annotations

from typing import Any

import pytest

from engrain import Agent, MemoryItem
from engrain.errors import InvalidField, UnknownItem
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests import children
from tests.life import START, days, events, looked_at, sweep, world_time
from tests.postgres import Place


def test_what_is_never_used_fades_is_announced_archived_and_deleted(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    item = agent.remember("a note that nobody needs", importance=2.0)
    lives = {}
    for day in range(0, 260, 4):
        lives[day] = looked_at(agent, item.id)
        world.advance(days=4)
        sweep(memory)
    # Faded by 1.0 after 7 + 10 days, 90 more at the floor, 14 announced, 90 archived.
    assert [lives[day] for day in (104, 112, 120, 128, 212, 228)] == [
        "active", "pending_decay", "pending_decay", "archived", "archived", "gone",
    ]  # fmt: skip
    assert events(agent) == ["decayed", "archived", "pruned"]
    assert [one.actor for one in agent.transitions()] == ["role:decay", "role:archive", "role:prune"]
    assert memory.stats()["memories"]["characters"] == 0


def test_missed_sweeps_change_nothing_but_the_moment(place: Place, memory: Memory, world: SimulatedWorld) -> None:
    daily, rarely = memory.agent("daily"), memory.agent("rarely", tenant="other")
    ids = [who.remember("a fact", importance=9.0, decay_rate=0.05).id for who in (daily, rarely)]
    for _ in range(40):
        world.advance(days=1)
        with memory.store.transaction("default") as tx:  # as a sweep that only looks after one agent
            tx.run("agent_decay", {"tenant": "default", "agent": "daily", "now": world.now()})
    sweep(memory)
    seen = [who.list()[0].importance for who in (daily, rarely)]
    assert seen[0] == pytest.approx(seen[1])
    assert seen[0] == pytest.approx(9.0 - 0.05 * (23 + 2 * 10))
    assert ids


def test_a_use_revives_what_was_announced(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    item = agent.remember("a note about parsers", importance=1.0)
    world.advance(days=91)
    assert sweep(memory) == {"decayed": 1}
    assert [hit.item.state for hit in agent.recall("parsers")] == ["pending_decay"], "still found: that is its chance"
    assert agent.count() == 1
    assert agent.get(item.id)
    memory.signals.flush()
    assert looked_at(agent, item.id) == "active"
    assert events(agent) == ["decayed", "revived"]
    world.advance(days=15)
    assert sweep(memory) == {}


def test_whoever_changes_or_pins_what_was_announced_keeps_it(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    ids = [agent.remember(f"trifle {n}", importance=1.0).id for n in range(2)]
    world.advance(days=91)
    sweep(memory)
    agent.pin(ids[0])
    agent.update(ids[1], importance=7.0)
    assert [looked_at(agent, id_) for id_ in ids] == ["active", "active"]
    assert events(agent, ids[0]) == ["decayed", "pinned", "revived"]
    assert events(agent, ids[1]) == ["decayed", "revived"]
    world.advance(days=15)
    assert sweep(memory) == {}


def test_what_is_pinned_neither_fades_nor_loses_it_when_it_is_let_go(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    item = agent.remember("the constitution", importance=6.0)
    world.advance(days=17)
    sweep(memory)
    assert agent.list()[0].importance == pytest.approx(5.0)
    assert agent.pin(item.id).importance == pytest.approx(5.0)
    days(memory, world, 3, "decay")
    world.advance(days=300)
    sweep(memory)
    assert agent.list()[0].importance == pytest.approx(5.0)
    assert agent.pin(item.id, False).importance == pytest.approx(5.0)
    world.advance(days=5)
    sweep(memory)
    assert agent.list()[0].importance == pytest.approx(4.0), "long unused: it fades by 0.2 a day from here on"
    assert events(agent) == ["pinned", "unpinned"]


def test_what_expires_is_invisible_at_once_and_archived_by_the_sweep(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    item = agent.remember("the server is down today", key="server", expires_in="1d", pinned=True, visibility="public")
    world.advance(days=2)
    assert (agent.get(item.id), agent.count(), agent.archived()) == (None, 0, [])
    assert sweep(memory, "expire") == {"expired": 1}
    assert [(one.id, one.state, one.archived_reason) for one in agent.archived()] == [(item.id, "archived", "expired")]
    assert agent.lookup("context", "server") is None
    assert agent.history("context", "server") == []
    assert [(one.event, one.old, one.new) for one in agent.transitions(item.id)] == [
        ("memory:expired", "active", "expired"), ("memory:archived", "expired", "archived"),
    ]  # fmt: skip
    with pytest.raises(UnknownItem):
        agent.helpful(item.id)
    with pytest.raises(UnknownItem):
        agent.update(item.id, importance=9.0)


@pytest.mark.parametrize("by", ["use", "votes", "hand"])
def test_promotion_leaves_the_original_and_adds_knowledge(
    memory: Memory, agent: Agent, world: SimulatedWorld, by: str
) -> None:
    long = " ".join(f"step{n} of the recipe" for n in range(200))
    item = agent.remember(long, kind="learning", importance=9.5, tags=["t"], metadata={"m": 1}, visibility="team")
    for _ in range(0 if by == "hand" else 5 if by == "use" else 10):
        world.advance(hours=2)
        if by == "use":
            agent.get(item.id)
        else:
            agent.helpful(item.id)
    world.advance(days=14)
    if by == "hand":
        assert agent.promote(item.id).promoted_at == world_time(world)
        assert agent.promote(item.id).promoted_at == world_time(world)
    else:
        assert sweep(memory, dry=True) == {"promoted": 1}
        assert sweep(memory) == {"promoted": 1}
    assert sweep(memory) == {}
    (known,) = agent.list(kind="knowledge")
    assert (known.content, known.tags, dict(known.metadata), known.visibility) == (long, ("t",), {"m": 1}, "team")
    assert (known.source, known.key, known.expires_at) == (f"promoted:{item.id}", None, None)
    (old,) = agent.list(kind="learning")
    assert (old.state, old.promoted_at) == ("active", world_time(world))
    assert events(agent) == ["promoted"]
    assert {hit.item.id for hit in agent.recall("step7 of the recipe")} == {known.id, item.id}
    assert memory.doctor().ok
    with pytest.raises(UnknownItem):
        memory.agent("bob", tenant="acme").promote(item.id)


def test_pruning_keeps_what_is_important_up_to_a_cap(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world, keep_cap=2)
    ann, bob = memory.agent("ann"), memory.agent("bob")
    ids = [ann.remember(f"vital {n}", importance=8.0 + n / 2, expires_in="1d").id for n in range(4)]
    low = ann.remember("a trifle", expires_in="1d").id
    kept = bob.remember("vital for bob", importance=10.0, expires_in="1d").id
    world.advance(days=1, seconds=1)
    sweep(memory)
    assert memory.prune(dry_run=True) == {"pruned": 0, "kept": 0, "capped": 0}
    world.advance(days=90)
    dry = memory.prune(dry_run=True)
    assert dry == {"pruned": 3, "kept": 3, "capped": 1}
    assert len(ann.archived()) == 5
    assert memory.prune() == dry
    assert {one.id for one in ann.archived()} == {ids[2], ids[3]}
    assert [one.id for one in bob.archived()] == [kept]
    assert {one.memory_id: one.reason for one in ann.transitions() if one.event == "memory:pruned"} == {
        low: "archived for 90 days", ids[0]: "beyond the cap", ids[1]: "beyond the cap",
    }  # fmt: skip


def test_forgetting_reaches_the_archive(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    ids = [agent.remember(f"secret plan {n}", kind="fact", tags=["x"], expires_in="1d").id for n in range(3)]
    agent.remember("an open plan", kind="fact")
    world.advance(days=2)
    sweep(memory)
    assert agent.forget(ids[0]) is True
    assert agent.forget(ids[0]) is False
    assert agent.forget_where(tags=["x"]) == 2
    assert (agent.archived(), agent.count()) == ([], 1)
    assert events(agent, ids[0]) == ["expired", "archived", "forgotten"]
    told = [(one.old, one.new, one.reason, one.before, one.after) for one in agent.transitions(ids[1])][-1]
    assert told == ("archived", "purged", "asked", {}, {})


def test_pages_of_the_archive_and_of_events(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    ids = [agent.remember(f"note {n}", expires_in="1d").id for n in range(7)]
    world.advance(days=2)
    sweep(memory)
    pages: list[MemoryItem] = []
    while page := agent.archived(limit=3, after=pages[-1] if pages else None):
        pages += page
    assert [one.id for one in pages] == sorted(ids, reverse=True)
    assert [one.id for one in agent.archived(limit=2, after=ids[2])] == [ids[1], ids[0]]
    seen = agent.transitions(limit=5)
    seen += agent.transitions(after=seen[-1].id)
    assert len({one.id for one in seen}) == 14
    for bad in ("x", "1-", "-1-2", "٣-1", 5):
        with pytest.raises(InvalidField):
            agent.transitions(after=bad)  # type: ignore[arg-type]
    with pytest.raises(UnknownItem):
        agent.archived(after="nothing")
    with pytest.raises(InvalidField):
        agent.archived(after=agent.remember("active"))
    with pytest.raises(InvalidField):
        agent.restore(ids[0], on_conflict="newest")


def test_nobody_else_sees_restores_or_forgets_what_is_archived(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    item = agent.remember("shared with all", visibility="public", expires_in="1d")
    bob, stranger = memory.agent("bob", tenant="acme"), memory.agent("ann", tenant="other")
    theirs = stranger.remember("of another tenant", expires_in="10d")
    assert [hit.item.id for hit in bob.recall("shared with all")] == [item.id]
    world.advance(days=2)
    sweep(memory)
    for one in (bob, stranger):
        assert (one.recall("shared with all"), one.archived(), one.get(item.id)) == (
            stranger.recall("shared with all") if one is stranger else [], [], None,
        )  # fmt: skip
        assert one.forget(item.id) is False
        with pytest.raises(UnknownItem):
            one.restore(item.id)
    assert [one.id for one in stranger.list()] == [theirs.id]
    assert stranger.transitions() == []
    agent.restore(item.id)
    assert [hit.item.id for hit in bob.recall("shared with all")] == [item.id]


def test_a_clock_put_back_undoes_nothing(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world)
    agent = memory.agent("ann", tenant="acme")
    item = agent.remember("a fact", importance=6.0)
    world.advance(days=60)
    sweep(memory)
    faded = agent.list()[0].importance
    past = SimulatedWorld(START, seed=8)
    past.advance(days=59.5)
    earlier = place.open(world=past)
    assert sweep(earlier) == {}
    assert earlier.agent("ann", tenant="acme").list()[0].importance == pytest.approx(faded)
    assert looked_at(agent, item.id) == "active"


def test_nothing_fades_while_the_lifecycle_is_off(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    memory.store.write([("home_set", {"name": "lifecycle", "value": "off"})])
    agent.remember("a trifle", importance=1.0)
    world.advance(days=400)
    assert sweep(memory, "decay") == {}
    assert agent.list()[0].state == "active"


def test_other_processes_hear_of_it_at_once(place: Place, memory: Memory, world: SimulatedWorld) -> None:
    """Another process has recalled before: what is archived leaves its memory, what is restored comes back."""
    agent = memory.agent("ann", tenant="acme")
    gone = agent.remember("the upload is retried twice on 503", importance=1.0)
    agent.remember("the upload goes to the archive")
    process = children.spawn(
        """
        import engrain
        agent = engrain.open(**given, embedder="hash").agent("ann", tenant="acme")
        for line in sys.stdin:
            say(sorted(hit.item.content for hit in agent.recall("upload")))
        """,
        place.arguments,
    )
    assert process.stdin is not None

    def heard() -> Any:
        process.stdin.write("?\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
        return children.hear(process)

    both = ["the upload goes to the archive", "the upload is retried twice on 503"]
    assert heard() == both
    world.advance(days=91)
    sweep(memory)
    world.advance(days=14)
    sweep(memory)
    assert heard() == both[:1]
    agent.restore(gone.id)
    assert heard() == both
    children.kill(process)
