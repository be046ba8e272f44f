"""The port of the hot store: what every engine must do, and the promises behind it.

Promises (proved for each engine by ``engrain.testing.store_contract``):

- A statement is named; its text lives in ``statements/*.sql`` and is the same for every engine, but for a named twin.
- ``write`` and ``transaction`` are atomic and durable: after they return, a crash of the process or the machine loses
  nothing; after they raise, nothing of them is visible.
- Write transactions of one scope are serialised: the row of ``scopes`` that a transaction bumps is locked until its
  end, so change numbers become visible in the order in which they were given.
- Reads never wait for writers and see only committed transactions.
- Every error is of ``engrain.errors.StoreError``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

Params = Mapping[str, Any]
Many = Sequence[Params] | Sequence[Sequence[Any]]
"""Parameters by name, or values in the order in which the statement names them."""


class Row(Protocol):
    """A result row: by position or by column name; iterating gives the values."""

    def __getitem__(self, key: int | str | slice, /) -> Any: ...
    def __iter__(self) -> Any: ...
    def __len__(self) -> int: ...
    def keys(self) -> Any: ...


class Transaction(Protocol):
    """Statements inside one write transaction."""

    def read(self, name: str, params: Params = {}) -> list[Row]: ...  # noqa: B006 (a Protocol's default is never shared)
    def run(self, name: str, params: Params = {}) -> int:  # noqa: B006
        """Execute a statement; the number of rows it changed."""
        ...

    def run_many(self, name: str, many: Many) -> None: ...


class Store(Protocol):
    """The hot store of one home or server."""

    def read(self, name: str, params: Params = {}) -> list[Row]:  # noqa: B006
        """Rows of a read statement. A list or tuple among the parameters is unrolled for ``in (:ids)``."""
        ...

    def write(self, statements: Sequence[tuple[str, Params]]) -> list[int]:
        """Run statements in one transaction; the rows that each changed."""
        ...

    def transaction(self, tenant: str, reading: bool = False) -> AbstractContextManager[Transaction]:
        """One write transaction for statements of one tenant ("*" for administration). With ``reading`` it writes
        nothing and waits for nobody: all that is read is as of one moment, however much is written meanwhile."""
        ...

    def migrate(self, target: int | None = None) -> list[int]:
        """Bring the schema up (or down) to ``target``; the versions that were applied, in order."""
        ...

    def schema(self) -> tuple[int, int]:
        """(version of the store, version that this engrain needs)."""
        ...

    def explain(self, name: str) -> str:
        """The engine's plan of a statement. Raises when the statement does not fit the schema."""
        ...

    def check(self) -> list[str]:
        """What is damaged, in words; empty when the engine finds nothing."""
        ...

    def backup(self, path: Path) -> None:
        """A consistent copy, made while others work."""
        ...

    def scrub(self) -> None:
        """After a forget: leave no copy of deleted rows in the engine's own logs, as far as the engine can."""
        ...

    def in_place(self) -> bool:
        """Whether what was opened is still what is found at its location; a server's always is."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Facts for people: engine, location, bytes."""
        ...

    def close(self) -> None: ...
