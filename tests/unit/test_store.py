"""The parts of the store that need no engine, and what only the engine in a file promises."""

from __future__ import annotations

import copy
import pickle
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain.config import Config
from engrain.errors import ConfigError, MigrationError, StoreCorrupt, StoreError, StoreUnavailable
from engrain.model.item import MemoryItem
from engrain.recall.index import Passage
from engrain.store import is_server, open_store, statements
from engrain.store.filesystem import refuse_network_folder
from engrain.store.rows import INSERT, item_from_row
from engrain.store.statements import Statement, catalogue, migrations
from engrain.testing.contract_rows import memory_row
from engrain.testing.schema_contract import copied, with_folder
from engrain.world import from_micros


@pytest.fixture(autouse=True)
def fresh_migrations() -> Iterator[None]:
    yield
    migrations.cache_clear()
    catalogue.cache_clear()


def test_parameters_are_spelled_for_each_engine() -> None:
    text = "select x::text, a from t where a = :a and b in (:ids) and c in (:ids) and ab = :ab and a < :a"
    one = Statement("s", text, False, ("a", "ids", "ab"))
    spelled, named = one.named({"a": 1, "ids": [7, 8], "ab": None, "other": 3})
    assert "a = %(a)s and b in (%(ids_0)s, %(ids_1)s) and c in (%(ids_0)s, %(ids_1)s) and ab = %(ab)s" in spelled
    assert "x::text" in spelled
    assert named == {"a": 1, "ab": None, "ids_0": 7, "ids_1": 8}
    spelled, values = one.placed({"a": 1, "ids": [7, 8], "ab": 2, "other": 3})
    assert "a = ? and b in (?, ?) and c in (?, ?) and ab = ? and a < ?" in spelled
    assert "x::text" in spelled
    assert list(values) == [1, 7, 8, 7, 8, 2, 1]
    assert "in (null) and c in (null) and ab = ?" in one.placed({"a": 1, "ids": (), "ab": 2})[0]
    plain = Statement("p", "select :a, :b, :a", False, ("a", "b"))
    assert [list(row) for row in plain.rows([(1, 2)])] == [list(row) for row in plain.rows([{"b": 2, "a": 1}])]
    assert list(plain.rows([(1, 2)])[0]) == [1, 2, 1]
    assert "in (null)" in one.named({"a": 1, "ids": (), "ab": 2})[0]
    for spell in (one.named, one.placed):
        with pytest.raises(StoreError, match="no 'ab'"):
            spell({"a": 1, "ids": []})


def test_both_engines_have_the_same_statements_with_the_same_parameters() -> None:
    one, other = catalogue("sqlite"), catalogue("postgres")
    assert set(one) == set(other)
    assert {name: set(one[name].parameters) for name in one} == {name: set(other[name].parameters) for name in other}
    assert {name: one[name].admin for name in one} == {name: other[name].admin for name in other}


def test_what_is_given_by_position_is_in_the_order_of_its_statement() -> None:
    statements = catalogue("sqlite")
    assert statements["memory_insert"].parameters == INSERT
    assert statements["passage_insert"].parameters == ("memory_id", "tenant", "agent", *Passage._fields)


def test_one_name_is_one_statement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "statements").mkdir()
    (tmp_path / "statements" / "a.sql").write_text("-- name: x\nselect 1;\n-- name: x\nselect 2;\n", encoding="utf-8")
    monkeypatch.setattr(statements, "FOLDER", tmp_path)
    catalogue.cache_clear()
    with pytest.raises(StoreError, match="two statements are called x"):
        catalogue("sqlite")


def test_migrations_have_no_gap_and_a_checksum_over_every_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    before = [step.checksum for step in migrations("sqlite")]
    assert before == [step.checksum for step in migrations("postgres")], "one checksum for every engine"
    names = sorted(path.name for path in (statements.FOLDER / "migrations").glob("*.sql"))
    for number, name in enumerate(names):
        with monkeypatch.context() as patched:
            with_folder(patched, copied(tmp_path / str(number), {name: lambda text: text + " "}))
            assert [step.checksum for step in migrations("sqlite")] != before, name
    gap = {"0099-late.up.sql": "select 1;", "0099-late.down.sql": "select 1;"}
    with_folder(monkeypatch, copied(tmp_path / "gap", {}, gap))
    with pytest.raises(MigrationError, match="without a gap"):
        migrations("sqlite")


def test_every_step_up_has_its_step_down() -> None:
    for engine in ("sqlite", "postgres"):
        for step in migrations(engine):
            assert bool(step.up) == bool(step.down), f"{step.name} on {engine}"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("postgresql://h/d", True),
        ("postgres://h/d", True),
        ("/a/folder", False),
        ("C:\\x", False),
        ("https://x", False),
    ],
)
def test_what_is_a_server(url: str, server: bool) -> None:
    assert is_server(url) is server


def test_other_urls_and_servers_that_are_not_there_are_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mysql"):
        open_store("mysql://host/x", Config())
    for url in ("postgresql://plain@127.0.0.1:1/x?connect_timeout=2", "postgresql:///x?host=" + str(tmp_path)):
        with pytest.raises(StoreUnavailable):
            engrain.open(url, home=tmp_path, embedder="hash")
    with pytest.raises(StoreUnavailable):
        engrain.open("postgresql://host:notaport/x", home=tmp_path, embedder="hash")


@pytest.mark.parametrize(("kind", "refused"), [("nfs4", True), ("cifs", True), ("ext4", False), ("tmpfs", False)])
def test_network_folders_are_refused(tmp_path: Path, kind: str, refused: bool) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nhost:/x /mnt/with\\040space {kind} rw 0 0\nbroken", encoding="utf-8")
    folder, said = Path("/mnt/with space/home"), ""
    try:
        refuse_network_folder(folder, mounts)
    except StoreUnavailable as error:
        said = str(error)
    assert (kind in said) is refused
    refuse_network_folder(Path("/mnt/with space2/home"), mounts)
    refuse_network_folder(Path("/mnt"), mounts)
    refuse_network_folder(folder, tmp_path / "no such file")


def test_a_home_is_for_its_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    with engrain.open(home, embedder="hash") as memory:
        memory.agent("a").remember("private words")
        memory.backup(tmp_path / "copy.db")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert sorted(path.name for path in home.iterdir()) == ["engrain.db"], "nothing is left lying about"


def test_the_file_is_durable_and_in_wal_mode(tmp_path: Path) -> None:
    store = open_store(tmp_path, Config())
    values = {
        name: store._raw(f"pragma {name}")[0][0]  # type: ignore[attr-defined]
        for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
    }
    assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    store.close()


def test_a_transaction_inside_a_transaction_is_an_error_and_harms_nothing(tmp_path: Path) -> None:
    store = open_store(tmp_path, Config())
    store.migrate()
    with pytest.raises(StoreError), store.transaction("t"), store.transaction("t"):
        pass
    assert store.write([("home_set", {"name": "a", "value": "b"})]) == [1]
    store.close()


def test_json_that_is_damaged_is_damage(tmp_path: Path) -> None:
    with engrain.open(tmp_path, embedder="hash") as memory:
        item = memory.agent("a").remember("words of it", metadata={"a": 1})
        with sqlite3.connect(tmp_path / "engrain.db") as raw:
            raw.execute("update memories set metadata = '{broken'")
        raw.close()
        with pytest.raises(StoreCorrupt, match=item.id):
            memory.agent("a").get(item.id)


def test_a_row_is_an_item_to_the_last_field(tmp_path: Path) -> None:
    columns: dict[str, Any] = {
        "importance": 2.5, "tags": '["x"]', "metadata": '{"a":[1]}', "session": "s", "role": "r", "occurred_at": -1,
        "created_at": 1, "told_at": 2, "updated_at": 3, "expires_at": 2**50, "decay_rate": 0.5, "visibility": "team",
        "pinned": 1, "source": "f", "superseded_by": "n", "superseded_at": 4, "redacted": '["r"]', "repeats": 6,
    }  # fmt: skip
    counts = {"shown": 7, "read": 8, "applied": 9, "helpful": 10, "unhelpful": 11, "last_used_at": 5}
    store = open_store(tmp_path, Config())
    store.migrate()
    store.write([("memory_insert", memory_row("m", key="k", **columns))])
    store.write([("signal_add", {"tenant": "t", "id": "m", **counts, "last_shown_at": 5})])
    store.write([("echo_insert", {"tenant": "t", "id": "m", "agent": "a", "session": None, "now": 1})])
    item = item_from_row(store.read("memory_get", {"tenant": "t", "agent": "a", "id": "m", "now": 1})[0])
    store.close()
    times = {name: from_micros(value) for name, value in {**columns, **counts}.items() if name.endswith("_at")}
    said = {"tags": ("x",), "metadata": {"a": [1]}, "redacted": ("r",), "pinned": True, "echoes": 1, "state": "active"}
    never = dict.fromkeys(("archived_at", "archived_reason", "promoted_at", "last_decay_at"))
    fixed = {"id": "m", "tenant": "t", "agent": "a", "kind": "fact", "key": "k", "content": "content of m"}
    assert asdict(item) == columns | counts | times | said | never | fixed
    assert type(item) is MemoryItem
    assert item == MemoryItem(**{one.name: getattr(item, one.name) for one in fields(item)})
    assert pickle.loads(pickle.dumps(item)) == copy.copy(item) == replace(item) == item
    assert repr(item).startswith("MemoryItem(id='m', tenant='t'")
    with pytest.raises(FrozenInstanceError):
        item.id = "other"  # type: ignore[misc]
