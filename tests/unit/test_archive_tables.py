"""The tables themselves: whose they are, older and newer ones, and a store that was put back to an earlier day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake.schema import Schema

import engrain
from engrain import Outcome
from engrain.archive.layout import SCHEMAS, digest
from engrain.errors import ArchiveUnavailable, ConfigError
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests import children
from tests.cold import freeze
from tests.life import sweep
from tests.postgres import Place


def tell(memory: Memory, world: SimulatedWorld, *names: str) -> None:
    """Memories that wait to be archived."""
    memory.agent("ann").remember_many([{"content": name, "expires_in": "1d"} for name in names])
    world.advance(days=2)
    sweep(memory, "expire")


def move(memory: Memory) -> dict[str, int]:
    assert memory.archiver is not None
    return dict(memory.archiver.run().counts)


def cold(memory: Memory) -> list[str]:
    assert memory.tables is not None
    return sorted(memory.tables.read("memories", ["content"])["content"].to_pylist())


def test_a_table_of_an_older_layout_gets_the_columns_that_were_added(
    place: Place, world: SimulatedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = place.open(world=world)
    old = pa.schema(
        [field for field in SCHEMAS["memories"] if field.name not in ("gist", "passages", "echoes", "month")]
    )
    old = old.append(SCHEMAS["memories"].field("month"))
    with monkeypatch.context() as patch:
        patch.setitem(SCHEMAS, "memories", old)
        tell(memory, world, "from before")
        assert move(memory) == {"memories": 1}
    assert memory.tables is not None
    (row,) = memory.tables.read("memories").to_pylist()
    assert (row["content"], row["gist"], row["passages"]) == ("from before", None, None)
    tell(memory, world, "from now on")
    assert move(memory) == {"memories": 1}
    rows = memory.tables.read("memories").sort_by("place").to_pylist()
    assert [row["gist"] for row in rows] == [None, "from now on"]


def test_a_table_of_a_newer_engrain_is_read_but_not_written(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world)
    tell(memory, world, "one")
    move(memory)
    assert memory.tables is not None
    table = memory.tables.table("memories")
    assert table is not None
    table.alter.add_columns(Schema.from_arrow(pa.schema([("mood", pa.string())])).fields)
    assert cold(memory) == ["one"]
    tell(memory, world, "two")
    with pytest.raises(ArchiveUnavailable, match=r"mood.*upgrade engrain"):
        move(memory)
    assert cold(memory) == ["one"]
    assert next(item.content for item in memory.agent("ann").archived()) == "two"


def test_tables_of_another_home_are_left_alone(tmp_path: Path, world: SimulatedWorld) -> None:
    shared = str(tmp_path / "shared")
    with engrain.open(tmp_path / "a", archive=shared, embedder="hash", world=world) as memory:
        tell(memory, world, "mine")
        move(memory)
    with engrain.open(tmp_path / "b", archive=shared, embedder="hash", world=world) as memory:
        tell(memory, world, "theirs")
        with pytest.raises(ArchiveUnavailable, match="its own place"):
            move(memory)
        assert len(memory.agent("ann").archived()) == 1


def test_a_store_that_was_restored_from_a_backup_meets_a_newer_archive(tmp_path: Path, world: SimulatedWorld) -> None:
    """What was archived since the backup is in the store again; what was told since is in the archive alone."""
    home = tmp_path / "home"
    with engrain.open(home, embedder="hash", world=world) as memory:
        tell(memory, world, "first")
        move(memory)
        tell(memory, world, "waits")
        memory.agent("ann").observe_step("t", state=None, action="a", outcome=Outcome(success=True))
        memory.backup(tmp_path / "copy.db")
        world.advance(days=40)
        assert move(memory) == {"memories": 1, "experiences": 1}
        tell(memory, world, "told since")
        move(memory)
        assert cold(memory) == ["first", "told since", "waits"]
    engrain.restore_backup(tmp_path / "copy.db", home, force=True)
    with engrain.open(home, embedder="hash", world=world) as memory:
        assert cold(memory) == ["first"], "what the store does not know of does not count"
        assert move(memory) == {"memories": 1, "experiences": 1, "adopted": 3}
        assert cold(memory) == ["first", "told since", "waits"]
        assert move(memory) == {}
    found = children.run(READ, {"home": str(home)})
    assert found == [["first", "told since", "waits"], ["a"], []]


READ = """
import engrain
with engrain.open(given["home"], embedder="hash") as memory:
    say(sorted(memory.tables.read("memories", ["content"])["content"].to_pylist()))
    say(memory.tables.read("experiences", ["action"])["action"].to_pylist())
    say([item.content for item in memory.agent("ann").list()])
"""


def test_a_backup_from_the_middle_of_a_run(tmp_path: Path, world: SimulatedWorld) -> None:
    """Its open batches are closed, or dropped when the archive never heard of them."""
    home = tmp_path / "home"
    for step in ("opened", "appended", "closed"):
        with engrain.open(home / step, embedder="hash", world=world) as memory:
            tell(memory, world, *(f"note {n}" for n in range(50)))
            assert memory.archiver is not None
            memory.archiver._size = 20
            seen: list[str] = []

            def at(name: str, step: str = step, memory: Memory = memory, seen: list[str] = seen) -> None:
                if name == step and not seen:
                    seen.append(name)
                    memory.backup(tmp_path / f"{step}.db")

            memory.archiver._step = at
            move(memory)
        engrain.restore_backup(tmp_path / f"{step}.db", home / step, force=True)
        world.advance(minutes=20)
        with engrain.open(home / step, embedder="hash", world=world) as memory:
            assert len(memory.agent("ann").archived(limit=100)) >= 30
            move(memory)
            assert cold(memory) == sorted(f"note {n}" for n in range(50))
            assert move(memory) == {}


def test_a_digest_is_of_the_values_and_nothing_else() -> None:
    values: dict[str, list[Any]] = {
        "a": [1, None, 3, 0],
        "b": ["x", "", None, "yz"],
        "c": [True, None, False, True],
        "d": [[{"n": 1, "t": "q"}], None, [], [{"n": None, "t": ""}, {"n": 2, "t": "r"}]],
        "e": [None] * 4,
    }
    kinds = [
        pa.int64(),
        pa.string(),
        pa.bool_(),
        pa.list_(pa.struct([("n", pa.int64()), ("t", pa.string())])),
        pa.binary(),
    ]
    schema = pa.schema(list(zip(values, kinds, strict=True)))
    table = pa.table(values, schema=schema)
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1, 2), table.slice(3)])
    later = pa.concat_tables([table, table]).slice(4, 4)
    assert digest(table) == digest(chunked) == digest(later)
    seen = {digest(table)}
    for name, column in values.items():
        for place in range(4):
            other = [*column]
            turned = True if column[place] is None else None
            other[place] = {"a": 7, "b": "w", "c": turned, "d": [{"n": 9, "t": ""}], "e": b""}[name]
            seen.add(digest(pa.table({**values, name: other}, schema=schema)))
    assert len(seen) == 21


def test_without_the_libraries_it_is_said_what_to_install(place: Place, world: SimulatedWorld) -> None:
    """The role fails when something waits, and not before."""
    code = """
    import sys
    sys.modules["pyarrow"] = sys.modules["deltalake"] = None
    import engrain
    from engrain.testing import SimulatedWorld
    world = SimulatedWorld("2026-01-01T00:00:00Z")
    with engrain.open(**given, embedder="hash", world=world) as memory:
        say([run.state for run in memory.tick(["archive"])])
        memory.agent("ann").remember("note", expires_in="1d")
        world.advance(days=2)
        say([(run.state, run.error) for run in memory.tick(["expire", "archive"])])
        say(len(memory.agent("ann").archived()))
    """
    first, second, left = children.run(code, place.arguments)
    assert first == ["done"]
    assert [state for state, _ in second] == ["done", "failed"]
    assert "pip install 'engrain[archive]'" in second[1][1]
    assert left == 1
    assert ConfigError.__name__ in second[1][1]


def test_without_the_libraries_whatever_asks_for_cold_rows_says_what_to_install(place: Place) -> None:
    with place.open() as memory:
        freeze(memory, [{"id": "old", "agent": "ann"}])
        freeze(memory, [{"agent": "ann"}], "experiences")
    code = """
    import sys
    sys.modules["pyarrow"] = sys.modules["deltalake"] = None
    import engrain
    with engrain.open(**given, embedder="hash") as memory:
        agent = memory.agent("ann")
        asks = [lambda: agent.recall("x", include_archived=True), lambda: agent.search_archive("x"), agent.archived,
                lambda: agent.experiences(archived=True), memory.archive.stats, lambda: agent.forget("old")]
        said = []
        for ask in asks:
            try:
                said.append(repr(ask()))
            except engrain.errors.ConfigError as error:
                said.append(str(error))
        say([said, agent.recall("x")])
    """
    said, found = children.run(code, place.arguments)[0]
    assert all("pip install 'engrain[archive]'" in one for one in said), said
    assert found == []
