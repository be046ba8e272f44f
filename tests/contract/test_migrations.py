"""Migrations among processes: once, whole, and backed up first where the engine can."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

import engrain
from engrain.errors import SchemaTooNew, StoreBusy
from engrain.store import statements
from engrain.testing import SimulatedWorld
from tests import children
from tests.postgres import Place, Server

OPEN = """
from engrain.store import open_store
from engrain.config import Config
from pathlib import Path
store = open_store(given["location"], Config(), None if "home" in given else Path(given["location"]))
"""


def test_of_eight_processes_that_start_together_one_runs_each_migration(make_place: Callable[..., Place]) -> None:
    place = make_place(empty=True)
    code = OPEN + "sys.stdin.readline()\nsay(store.migrate())"
    starting = [children.spawn(code, place.arguments) for _ in range(8)]
    for process in starting:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ran = Counter(version for process in starting for versions in children.said(process) for version in versions)
    assert ran == Counter(range(1, len(statements.migrations("sqlite")) + 1))


def test_eight_processes_open_a_new_home_together(make_place: Callable[..., Place]) -> None:
    place = make_place(empty=True)
    code = """
    import engrain
    with engrain.open(**given, embedder="hash") as memory:
        memory.agent("a").kv().set(str(os.getpid()), 1)
    """
    starting = [children.spawn(code, place.arguments) for _ in range(8)]
    for process in starting:
        children.said(process)
    memory = place.open()
    assert len(memory.agent("a").kv().search()) == 8
    facts = {name: memory.store.read("home_get", {"name": name}) for name in ("created_at", "lifecycle", "embedder")}
    assert facts["lifecycle"][0]["value"] == "on"
    assert all(facts.values())


def test_a_process_killed_in_the_middle_of_a_migration_leaves_the_store_as_it_was(
    make_place: Callable[..., Place],
) -> None:
    place = make_place(empty=True)
    code = """
    import engrain
    from engrain.store import base
    whole = base.BaseStore._step
    count = 0
    def slow(self, steps, goal, first):
        global count
        count += 1
        if count == 2:
            record = type(self)._record
            type(self)._record = lambda self: (say("in the middle"), time.sleep(60), record(self))[2]
        return whole(self, steps, goal, first)
    base.BaseStore._step = slow
    engrain.open(**given, embedder="hash")
    """
    process = children.spawn(code, place.arguments)
    assert children.hear(process) == "in the middle"
    children.kill(process)
    assert place.store().schema()[0] == 1, "the second migration must not be seen, the first must"
    with place.open() as memory:
        assert memory.agent("a").remember("it works afterwards").content == "it works afterwards"
        assert memory.doctor().ok
        assert memory.store.read("home_get", {"name": "lifecycle"})[0]["value"] == "on"


def test_a_populated_file_is_copied_before_it_is_changed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with engrain.open(home, embedder="hash") as memory:
        item = memory.agent("a").remember("what was there before the upgrade")
        memory.store.migrate(1)
        assert len(list((home / "backups").iterdir())) == 1, "going down is a change too"
    assert sorted(path.name[:22] for path in (home / "backups").iterdir()) == ["before-migration-from-"]
    before = {path.name for path in (home / "backups").iterdir()}
    with engrain.open(home, embedder="hash") as memory:
        assert memory.agent("a").get(item.id) is not None
    (made,) = {path.name for path in (home / "backups").iterdir()} - before
    assert made.startswith("before-migration-from-1-")
    with sqlite3.connect(home / "backups" / made) as copy:
        assert copy.execute("select content from memories").fetchall() == [("what was there before the upgrade",)]
        assert copy.execute("select max(version) from schema_migrations").fetchall() == [(1,)]
    copy.close()


def test_what_is_archived_comes_back_when_the_schema_goes_down(place: Place) -> None:
    """And nothing else does: a corrected error, or a value that was replaced, stays an older version."""
    world = SimulatedWorld("2026-01-01T00:00:00Z")
    with place.open(world=world, archive="none") as memory:
        agent = memory.agent("a")
        plain = agent.remember("told once", expires_in="1d")
        corrected = agent.remember("an error")
        agent.update(corrected.id, content="the correction")
        keyed = agent.remember("the old value", key="k", expires_in="1d")
        world.advance(days=2)
        memory.tick(["expire"])
        agent.remember("the new value", key="k")
        world.advance(days=91)
        memory.tick(["archive"])
        assert {item.content for item in agent.archived()} == {"told once", "an error", "the old value"}
        memory.store.migrate(4)
    with place.open(world=world) as memory:
        agent = memory.agent("a")
        assert memory.lifecycle() is False, "a home that is upgraded has it off until asked"
        found = {item.id: item.content for item in agent.list()} | {item.id: "" for item in agent.archived()}
        assert "an error" not in found.values()
        assert corrected.id in found
        assert [item.content for item in agent.history("context", "k")] == ["the new value", "the old value"]
        assert keyed.id not in found
        assert plain.id not in found, "it is there, and past its expiry"


def test_opening_a_home_of_a_newer_schema_says_so_and_changes_nothing(place: Place) -> None:
    with place.open(world=SimulatedWorld()) as memory:
        memory.agent("a").remember("from the future")
    store = place.store()
    text = "insert into schema_migrations (version, name, checksum, applied_at) values (999, 'later', 'x', 'now')"
    with store._schema_transaction() as execute:  # type: ignore[attr-defined]
        execute(text, ())
    for _ in range(2):
        with pytest.raises(SchemaTooNew, match="upgrade engrain"):
            place.open()


@pytest.mark.postgres
def test_a_process_goes_on_when_another_changes_the_tables_under_it(server: Server, tmp_path: Path) -> None:
    place = Place(tmp_path / "home", server.url(server.fresh(server.migrated())))
    memory = place.open(echo_minutes=0)
    agent = memory.agent("a")
    item = agent.remember("told before the change", key="k")
    for _ in range(10):  # often enough for the driver to prepare the statements
        agent.get(item.id)
        agent.update(item.id, importance=2.0)
    assert place.url is not None
    with psycopg.connect(place.url, autocommit=True) as other:
        other.execute("alter table memories add column later text")
    assert [agent.get(item.id) is not None for _ in range(10)] == [True] * 10
    refused = 0
    for _ in range(10):
        try:
            agent.update(item.id, importance=3.0)
        except StoreBusy:
            refused += 1
    assert refused <= 1
    found = agent.get(item.id)
    assert found is not None
    assert found.importance == 3.0
    memory.close()
