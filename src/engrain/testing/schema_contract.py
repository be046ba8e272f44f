"""What every engine must do with the schema: up, down, once, refused when edited or newer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from engrain.errors import MigrationError, SchemaTooNew, StoreError
from engrain.store import statements
from engrain.store.port import Store
from engrain.store.rows import INDEX
from engrain.testing.contract_rows import INDEXED, kv_keys, kv_row, memory_row, passage_row, run_together


class SchemaContract:
    """The part of ``StoreContract`` that is about migrations."""

    def test_the_schema_goes_up_down_and_up_with_rows_in_it(self, store: Store) -> None:
        version, needed = store.schema()
        assert version == needed > 1
        m1 = memory_row("m1", visibility="public", shared_seq=1)
        items = [("memory_insert", row) for row in (m1 | INDEXED, memory_row("m2"), memory_row("m3"))]
        passages = [("passage_insert", passage_row("m2", number=number)) for number in (0, 1)]
        store.write([*items, *passages, ("kv_set", kv_row("k"))])
        query = ("segment_changes", {"tenant": "t", "agent": "a", "seq": 0, "last": "", "settled": 0, "limit": 9})
        before = [tuple(row) for row in store.read(*query)]
        assert [(row["id"], row["number"], row["scale"]) for row in store.read(*query)] == [
            ("m1", None, 0.5), ("m2", 0, 0.5), ("m2", 1, 0.5), ("m3", None, None),
        ]  # fmt: skip
        for target in range(needed - 1, 0, -1):
            assert store.migrate(target) == [target + 1]
        assert store.migrate() == list(range(2, needed + 1))
        assert kv_keys(store) == ["k"]
        found = store.read("memory_own", {"tenant": "t", "agent": "a", "id": "m1"})[0]
        assert {name: found[name] for name in m1 if name not in INDEX} | dict.fromkeys(INDEX) == m1
        assert [tuple(row) for row in store.read(*query)] == before
        assert store.migrate(0) == list(range(needed, 0, -1))
        assert store.schema() == (0, needed)
        assert store.migrate() == list(range(1, needed + 1))
        assert kv_keys(store) == []
        assert self.unfit(store) == {}

    def test_migrating_twice_does_nothing_and_no_such_schema_is_an_error(self, store: Store) -> None:
        assert store.migrate() == []
        with pytest.raises(MigrationError, match="no schema 99"):
            store.migrate(99)
        with pytest.raises(MigrationError):
            store.migrate(-1)

    def test_of_eight_that_start_together_each_migration_is_run_by_one(self, connect: Callable[[], Store]) -> None:
        done: list[list[int]] = []
        errors: list[BaseException] = []

        def start() -> None:
            try:
                mine = connect()
                done.append(mine.migrate())
                mine.close()
            except BaseException as error:  # noqa: BLE001 (shown by the assertion below)
                errors.append(error)

        run_together([start] * 8)
        assert errors == []
        last = connect()
        assert sorted(version for each in done for version in each) == list(range(1, last.schema()[1] + 1))
        last.close()

    def test_an_edited_migration_is_refused(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connect: Callable[[], Store]
    ) -> None:
        folder = copied(tmp_path / "edited", {"0001-start.up.sql": lambda text: text + "\n-- just a comment\n"})
        with_folder(monkeypatch, folder)
        other = connect()
        with pytest.raises(MigrationError, match="edited"):
            other.schema()
        with pytest.raises(MigrationError, match="edited"):
            other.migrate()
        other.close()

    def test_a_newer_schema_is_refused_and_left_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connect: Callable[[], Store]
    ) -> None:
        number = statements.migrations(self.engine_of(connect()))[-1].version + 1
        folder = copied(tmp_path / "newer", {}, {
            f"{number:04}-later.up.sql": "create table later (x bigint);",
            f"{number:04}-later.down.sql": "drop table later;",
        })  # fmt: skip
        with monkeypatch.context() as patched:
            with_folder(patched, folder)
            newer = connect()
            assert newer.migrate()[-1] == number
            newer.close()
        statements.migrations.cache_clear()
        older = connect()
        with pytest.raises(SchemaTooNew, match=f"schema {number}"):
            older.schema()
        with pytest.raises(SchemaTooNew):
            older.migrate()
        older.close()

    def test_a_migration_that_fails_leaves_nothing_behind(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store, connect: Callable[[], Store]
    ) -> None:
        store.write([("kv_set", kv_row("k"))])
        version = store.schema()[0]
        broken = "create table half (x bigint); insert into half values (1); insert into nowhere values (1);"
        folder = copied(tmp_path / "broken", {}, {
            f"{version + 1:04}-broken.up.sql": broken,
            f"{version + 1:04}-broken.down.sql": "drop table half;",
        })  # fmt: skip
        with monkeypatch.context() as patched:
            with_folder(patched, folder)
            other = connect()
            with pytest.raises(StoreError):
                other.migrate()
            assert other.schema() == (version, version + 1)
            mended = {f"{version + 1:04}-broken.up.sql": lambda text: str(text).split(" insert into nowhere")[0]}
            with_folder(patched, copied(folder, mended))
            assert other.migrate() == [version + 1], "a table of the failed attempt was left behind"
            other.close()
        statements.migrations.cache_clear()
        assert kv_keys(store) == ["k"]

    def unfit(self, store: Store) -> dict[str, str]:
        """Statements that the engine cannot plan on its present schema, and why."""
        found: dict[str, str] = {}
        names = sorted(statements.catalogue(self.engine_of(store)))
        assert len(names) > 50
        for name in names:
            try:
                store.explain(name)
            except StoreError as error:
                found[name] = str(error)
        return found

    @staticmethod
    def engine_of(store: Store) -> Any:
        """The name under which the engine's twins of statements are found."""
        return type(store).engine  # type: ignore[attr-defined]


def copied(
    folder: Path, changes: Mapping[str, Callable[[str], str]], additions: Mapping[str, str] | None = None
) -> Path:
    """The package's migrations in another folder, some changed, some added."""
    target = folder / "migrations"
    known = target if target.exists() else statements.FOLDER / "migrations"
    texts = {path.name: path.read_text(encoding="utf-8") for path in known.glob("*.sql")} | dict(additions or {})
    target.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (target / name).write_text(changes[name](text) if name in changes else text, encoding="utf-8")
    return folder


def with_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the store read its migrations from another folder."""
    monkeypatch.setattr(statements, "FOLDER", folder)
    statements.migrations.cache_clear()
