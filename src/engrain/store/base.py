"""What both engines share: statements by name, migrations with checksums."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from engrain.errors import MigrationError, SchemaTooNew, StoreError
from engrain.store.port import Params, Row, Transaction
from engrain.store.statements import Engine, Migration, Statement, catalogue, migrations

_CREATE = """create table if not exists schema_migrations (
    version integer not null primary key, name text not null, checksum text not null, applied_at text not null)"""


class BaseStore:
    """The engine-independent half of a store; see ``port.Store`` for the promises."""

    engine: ClassVar[Engine]

    def __init__(self) -> None:
        self._catalogue: Mapping[str, Statement] = catalogue(self.engine)

    def _statement(self, name: str) -> Statement:
        try:
            return self._catalogue[name]
        except KeyError:
            raise StoreError(f"there is no statement called {name}.") from None

    @abstractmethod
    def read(self, name: str, params: Params = {}) -> list[Row]: ...  # noqa: B006

    @abstractmethod
    def transaction(self, tenant: str, reading: bool = False) -> AbstractContextManager[Transaction]: ...

    @abstractmethod
    def _before_migration(self, version: int) -> None:
        """Called before a populated store is changed (the file engine makes a backup)."""

    @abstractmethod
    def _schema_transaction(self) -> AbstractContextManager[Any]:
        """A transaction that only one process can hold, giving ``execute(text, params) -> rows``."""

    @abstractmethod
    def _has_schema(self) -> bool: ...

    @abstractmethod
    def _raw(self, text: str) -> list[Row]: ...

    def write(self, statements: Sequence[tuple[str, Params]]) -> list[int]:
        tenants = {str(params.get("tenant", "*")) for _, params in statements}
        with self.transaction(tenants.pop() if len(tenants) == 1 else "*") as tx:
            return [tx.run(name, params) for name, params in statements]

    def in_place(self) -> bool:
        return True

    def schema(self) -> tuple[int, int]:
        needed = migrations(self.engine)[-1].version
        if not self._has_schema():
            return 0, needed
        rows = self._raw("select version, name, checksum from schema_migrations order by version")
        verify(self.engine, [(int(row["version"]), row["name"], row["checksum"]) for row in rows])
        return len(rows), needed

    def migrate(self, target: int | None = None) -> list[int]:
        steps = migrations(self.engine)
        goal = len(steps) if target is None else target
        if not 0 <= goal <= len(steps):
            raise MigrationError(f"There is no schema {goal}; this engrain knows 0 to {len(steps)}.")
        current, _ = self.schema()
        if current == goal:
            return []
        if current > goal and target is None:
            return []
        done: list[int] = []
        while True:
            applied = self._step(steps, goal, first=not done)
            if applied is None:
                return done
            done.append(applied)

    def _step(self, steps: Sequence[Migration], goal: int, first: bool) -> int | None:
        """One migration in one transaction; None when the goal is reached (perhaps by another process)."""
        with self._schema_transaction() as execute:
            execute(_CREATE, ())
            applied = [
                (int(row["version"]), row["name"], row["checksum"])
                for row in execute("select version, name, checksum from schema_migrations order by version", ())
            ]
            verify(self.engine, applied)
            current = len(applied)
            if current == goal:
                return None
            if first and current:
                self._before_migration(current)  # under the lock: one backup, and of what is about to be changed
            step = steps[current] if current < goal else steps[current - 1]
            for text in step.up if current < goal else step.down:
                execute(text, ())
            if current < goal:
                execute(self._record(), (step.version, step.name, step.checksum))
            else:
                execute(self._unrecord(), (step.version,))
            return step.version

    @abstractmethod
    def _record(self) -> str: ...

    @abstractmethod
    def _unrecord(self) -> str: ...


def verify(engine: Engine, applied: Sequence[tuple[int, str, str]]) -> None:
    """Raise SchemaTooNew or MigrationError when migrations were applied (version, name, checksum) that are not ours."""
    steps = migrations(engine)
    if len(applied) > len(steps):
        raise SchemaTooNew(f"It has schema {len(applied)}, this engrain knows {len(steps)}.")
    for step, (version, name, checksum) in zip(steps, applied, strict=False):
        if (step.version, step.checksum) != (version, checksum):
            raise MigrationError(
                f"Migration {version} ({name}) was applied with another text than this engrain's {step.name}: "
                "a migration file was edited. Restore the file or the store's backup."
            )
