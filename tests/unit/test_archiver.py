"""What was archived leaves the store, whole, once, and nobody misses it or meets it again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

import engrain
from engrain import Agent, Outcome
from engrain.archive.gist import MOST, gist
from engrain.archive.port import KINDS
from engrain.archive.rows import thaw
from engrain.errors import ArchiveUnavailable, StoreCorrupt
from engrain.memory import Memory
from engrain.store.changes import agent_scope, bump
from engrain.testing import SimulatedWorld
from tests.life import sweep
from tests.postgres import Place

LONG = "A paragraph about the weather in the mountains. " * 400
PLAIN = "plain words that are said more than once"
SHOWN = ("seq", "shared_seq", "state", "archived_at", "archived_reason", "last_decay_at", "echoes")


def move(memory: Memory, **how: Any) -> dict[str, int]:
    """Run the archiver to its end; what it counted."""
    assert memory.archiver is not None
    found = memory.archiver.run(**how)
    assert found.whole
    return dict(found.counts)


def cold(memory: Memory, kind: Any = "memories") -> list[dict[str, Any]]:
    """The rows that count, by their place."""
    assert memory.tables is not None
    return list(memory.tables.read(kind).sort_by("place").to_pylist())


def tell(agent: Agent) -> list[str]:
    """Items of every kind, all of which expire in a day; their ids."""
    told: list[dict[str, Any]] = [
        {"content": PLAIN},
        {"content": "Größe 你好 🎉\nsecond line", "tags": ["a", "b"], "source": "here", "importance": 9.5},
        {"content": "a file", "metadata": {"file_path": "src/x.py", "project_id": 7, "event_type": None, "n": [1]}},
        {"content": LONG, "session": "s1", "role": "user", "occurred_at": datetime(2025, 6, 1, tzinfo=UTC)},
        {"content": "for all", "visibility": "public", "decay_rate": 0.5},
        {"content": "old", "kind": "fact", "key": "k"},
        {"content": "new", "kind": "fact", "key": "k"},
    ]
    ids = [agent.remember(**row, expires_in="1d").id for row in told]
    agent.recall(PLAIN, min_score=0.0)
    agent.remember(PLAIN, session="again")  # an echo
    agent.helpful(ids[1])
    agent.helpful(ids[2], helpful=False)
    agent.applied(ids[1])
    return ids


def test_a_row_leaves_whole_and_comes_back_whole(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    ids = tell(agent)
    world.advance(days=100)
    sweep(memory, "expire", "archive")
    gone = [one.id for one in agent.archived()]
    assert set(ids) == set(gone)
    mine = {"tenant": "acme", "agent": "ann"}
    before = {id_: _values(memory, "archived_many", {**mine, "ids": [id_]}) for id_ in ids}
    beside = {name: [tuple(row) for row in memory.store.read(name, {"ids": ids})] for name in BESIDE}
    assert all(beside.values())
    assert move(memory) == {"memories": len(ids)}
    assert agent.list() == []
    assert memory.store.read("cold_there_memories", {"ids": ids}) == []
    assert {one.id for one in agent.archived()} == set(ids)
    assert not any(memory.store.read(name, {"ids": ids}) for name in BESIDE)
    rows = {row["id"]: row for row in cold(memory)}
    assert rows.keys() == before.keys()
    for id_, row in rows.items():
        assert row["importance"] == before[id_]["importance"]
        assert (row["tenant"], row["agent"], row["decay_reason"]) == ("acme", "ann", before[id_]["archived_reason"])
        with memory.store.transaction("acme") as tx:
            seq = bump(tx, "acme", agent_scope("ann"))
            state = "superseded" if row["superseded_by"] else "active"
            thaw(tx, row, {"state": state, "seq": seq, "shared_seq": None})
    after = {id_: _values(memory, "memory_own", {**mine, "id": id_}) for id_ in ids}
    for id_ in ids:
        assert {**after[id_], **dict.fromkeys(SHOWN)} == {**before[id_], **dict.fromkeys(SHOWN)}
    assert {name: [tuple(row) for row in memory.store.read(name, {"ids": ids})] for name in BESIDE} == beside
    assert {check.name for check in memory.doctor().checks if not check.ok} <= {"background work"}


BESIDE = ("cold_passages", "cold_echoes")


def _values(memory: Memory, statement: str, asked: dict[str, Any]) -> dict[str, Any]:
    (row,) = memory.store.read(statement, asked)
    found = dict(zip(row.keys(), row, strict=True))
    return found | {name: found[name] or 0 for name in ("shown", "read", "applied", "helpful", "unhelpful")}


def test_columns_that_are_derived(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    tell(agent)
    world.advance(days=2)
    sweep(memory, "expire")
    move(memory)
    rows = {row["content"]: row for row in cold(memory)}
    file = rows["a file"]
    assert (file["file_path"], file["project_id"], file["event_type"]) == ("src/x.py", "7", None)
    assert [rows[name]["outcome"] for name in ("a file", PLAIN, "Größe 你好 🎉\nsecond line")] == [-1, None, 1]
    assert rows["Größe 你好 🎉\nsecond line"]["access_count"] == 2
    assert rows["Größe 你好 🎉\nsecond line"]["gist"] == "Größe 你好 🎉 second line"
    assert (file["year"], file["month"]) == (2026, 1)
    assert [one["session"] for one in rows[PLAIN]["echoes"]] == ["again"]
    assert len(rows[LONG]["passages"]) > 5


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("short", "short"),
        ("two\n\n  lines", "two lines"),
        ("One. Two! " + "x" * 200, "One. Two!"),
        ("Is it? " + "so " * 100, "Is it?"),
        ("word " * 100, ("word " * 31).strip() + "…"),
        ("x" * 1000, "x" * (MOST - 1) + "…"),
    ],
)
def test_a_gist_is_how_it_begins(content: str, expected: str) -> None:
    assert gist(content) == expected
    assert len(gist(content)) <= MOST


def test_what_was_settled_leaves_with_its_decision(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    first = agent.advise("build", state={"lang": "c"}, options=["make", "ninja"])
    agent.observe(first, Outcome(success=True))
    agent.observe_step("build", state={"lang": "c"}, action="make", outcome=Outcome(success=False))
    agent.advise("build", options=["make"])  # nobody has said what came of it
    world.advance(days=29)
    assert move(memory) == {}
    late = agent.observe_step("build", state={"lang": "c"}, action="make", outcome=Outcome(success=True))
    world.advance(days=2)
    assert move(memory) == {"experiences": 2}
    assert [one.id for one in agent.experiences()] == [late.id]
    rows = {row["decision_id"]: row for row in cold(memory, "experiences")}
    assert rows.keys() == {first.decision_id, None}
    row = rows[first.decision_id]
    assert (row["options"], row["advised_action"], row["mode"]) == ('["make", "ninja"]', first.action, "explored")
    assert row["distribution"] == '{"make": 0.5, "ninja": 0.5}'
    assert rows[None]["options"] is None
    assert int(memory.store.read("stat_decisions")[0]["n"]) == 1
    learned = agent.q_values()
    assert memory.rebuild()["tenants"] == 1
    assert agent.q_values() == learned, "what was archived still counts"
    assert memory.doctor().ok


def test_what_was_changed_meanwhile_stays(place: Place, world: SimulatedWorld) -> None:
    """Between being read and leaving: one is restored, one forgotten, one found helpful after all."""
    memory = place.open(world=world)
    agent = memory.agent("ann", tenant="acme")
    back, gone, used, rest = (agent.remember(f"note {n}", expires_in="1d").id for n in range(4))
    world.advance(days=2)
    sweep(memory, "expire")

    def step(name: str) -> None:
        if name == "appended":
            agent.restore(back)
            agent.forget(gone)  # whoever moves its copy erases it afterwards
            memory.signals.used("acme", used, helpful=True)
            memory.signals.flush()

    assert memory.archiver is not None
    memory.archiver._step = step
    assert move(memory) == {"memories": 1}
    assert [row["id"] for row in cold(memory)] == [rest]
    assert {row["id"]: row["reason"] for row in memory.store.read("gone_list", {"kind": "memories"})} == {
        back: "restored", gone: "forgotten", used: "restored"}  # fmt: skip
    assert [one.id for one in agent.list()] == [back]
    assert {one.id for one in agent.archived()} == {used, rest}
    memory.archiver._step = lambda _: None
    assert move(memory) == {"memories": 1}
    assert [(row["id"], row["helpful"]) for row in cold(memory)] == [(rest, 0), (used, 1)]


def test_links_tell_what_goes_with_what(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    old = agent.remember("wrong", kind="fact", key="k", expires_in="1d")
    new = agent.remember("right", kind="fact", key="k", expires_in="1d")
    lesson = agent.remember("lesson", kind="learning", importance=9.9, expires_in="400d")
    agent.promote(lesson.id)
    (copy,) = agent.list(kind="knowledge")
    world.advance(days=401)
    sweep(memory, "expire", "archive")
    assert move(memory) == {"memories": 3}

    def links(id_: str) -> list[str]:
        return [row["id"] for row in memory.store.read("link_list", {"tenant": "acme", "agent": "ann", "ids": [id_]})]

    assert links(new.id) == [old.id]
    assert links(lesson.id) == [copy.id]
    assert links(old.id) == []


def test_recall_elsewhere_misses_nothing_and_meets_no_ghost(place: Place, world: SimulatedWorld) -> None:
    """A process whose caches are from before never hears of the archival: the rows are gone when it looks."""
    memory, other = place.open(world=world), place.open(world=world)
    agent, reader = memory.agent("ann", tenant="acme"), other.agent("ann", tenant="acme")
    agent.remember_many([{"content": f"the pump of unit {n} leaks", "importance": 1.0} for n in range(60)])
    kept = {agent.remember(f"the pump of hall {n} leaks", pinned=True).id for n in range(10)}
    assert len(reader.recall("which pump leaks?", limit=100, min_score=0.0)) == 70
    with memory.store.transaction("acme") as tx:
        seq = bump(tx, "acme", agent_scope("ann"))
        some = [(one.id, "ann", "faded", seq, None) for one in agent.list(limit=100) if one.id not in kept]
        memory.tiers.put(tx, "acme", some, world.now())
    assert move(memory) == {"memories": 60}
    assert {hit.item.id for hit in reader.recall("which pump of a unit leaks?", limit=10, min_score=0.0)} == kept


def test_two_archivers_at_once(place: Place, world: SimulatedWorld) -> None:
    memory, other = place.open(world=world), place.open(world=world)
    agent = memory.agent("ann")
    agent.remember_many([{"content": f"note {n}", "expires_in": "1d"} for n in range(10)])
    world.advance(days=2)
    sweep(memory, "expire")
    assert memory.archiver is not None
    seen = []
    memory.archiver._step = lambda name: seen.append((name, move(other)))
    assert move(memory) == {"memories": 10}
    assert {counts == {} for _, counts in seen} == {True}
    assert len(cold(other)) == 10


def test_the_role_moves_what_the_sweep_has_archived(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world)
    agent = memory.agent("ann")
    agent.remember_many([{"content": f"note {n}", "expires_in": "1d"} for n in range(10)])
    world.advance(days=2)
    memory.tick(["expire"])
    (dry,) = memory.tick(["archive"], dry_run=True)
    assert dry.findings["moved"] == 10
    assert len(agent.archived()) == 10
    seen: list[str] = []
    assert memory.archiver is not None
    memory.archiver._step = seen.append
    (stopped,) = memory.supervisor.tick(["archive"], stop=lambda: "read back" in seen)
    assert stopped.state == "interrupted"
    (run,) = memory.tick(["archive"])
    assert (run.state, run.findings["moved"]) == ("done", 10)
    assert len(cold(memory)) == 10
    (again,) = memory.tick(["archive"])
    assert "moved" not in again.findings


def test_a_home_without_a_cold_archive_keeps_everything(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world, archive="none")
    agent = memory.agent("ann")
    agent.remember("note", expires_in="1d")
    world.advance(days=2)
    memory.tick(["expire"])
    (run,) = memory.tick(["archive"])
    assert (run.state, memory.archiver) == ("done", None)
    assert len(agent.archived()) == 1


def test_a_row_that_cannot_be_right_is_named_and_nothing_leaves(tmp_path: Any, world: SimulatedWorld) -> None:
    import sqlite3

    with engrain.open(tmp_path, embedder="hash", world=world) as memory:
        memory.agent("ann").remember("note", expires_in="1d")
        world.advance(days=2)
        sweep(memory, "expire")
        path = memory.store.describe()["location"]
        with sqlite3.connect(path) as damaged:
            damaged.execute("update memories set repeats = 'many'")
        damaged.close()
        with pytest.raises(StoreCorrupt, match="cannot be right"):
            move(memory)
        assert len(memory.agent("ann").archived()) in (0, 1)
        assert cold(memory) == []


def test_a_table_that_is_gone_or_of_another_home_is_said(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world)
    agent = memory.agent("ann")
    agent.remember("note", expires_in="1d")
    world.advance(days=2)
    sweep(memory, "expire")
    move(memory)
    assert memory.tables is not None
    home = place.home / "archive"
    home.rename(place.home / "elsewhere")
    with pytest.raises(ArchiveUnavailable, match="1 rows were archived"):
        cold(memory)
    agent.remember("another", expires_in="1d")
    world.advance(days=2)
    sweep(memory, "expire")
    with pytest.raises(ArchiveUnavailable, match="1 rows were archived"):
        move(memory)
    (place.home / "elsewhere").rename(home)
    assert move(memory) == {"memories": 1}
    assert len(cold(memory)) == 2
    assert set(KINDS) == {"memories", "experiences"}
