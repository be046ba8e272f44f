"""Export: everything that an agent remembers, page by page, in memory that does not grow with it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engrain.errors import StoreError
from engrain.exchange.files import VERSION, WRITERS, Statistics
from engrain.exchange.rows import written
from engrain.model.exchange import Exported
from engrain.model.scope import Scope
from engrain.store.changes import agent_scope
from engrain.store.port import Row, Store
from engrain.world import World, from_micros

if TYPE_CHECKING:
    from engrain.archive.port import Archive

PAGE = 1000  # items of one read


class Export:
    """One export of one agent's scope."""

    def __init__(self, store: Store, world: World, scope: Scope, archive: Archive) -> None:
        self._store, self._scope, self._archive = store, scope, archive
        self._base = {"tenant": scope.tenant, "agent": scope.agent}
        self._at = from_micros(world.now()).isoformat()
        self.counts = Statistics()

    def text(self, format_: str) -> Iterator[str]:
        """The whole file, in pieces."""
        header = {"version": VERSION, "exported_at": self._at, **self._base}
        return WRITERS[format_](header, self._items(), self.counts)

    def save(self, path: Path, format_: str, progress: Callable[[int, int], Any] | None) -> Exported:
        """Write a draft beside ``path``, which gets the name when it is whole and on the disk. Raises StoreError."""
        total = int(self._store.read("exchange_count", self._base)[0]["n"])
        draft = path.with_name(f".{path.name}.{os.getpid()}.part")
        told = 0
        try:
            try:
                draft.unlink(missing_ok=True)  # what lies there is not written through, be it a link to another file
                with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
                    for piece in self.text(format_):
                        file.write(piece.encode())
                        done = self.counts.states.total()
                        if progress is not None and done - told >= PAGE:
                            progress(told := done, total)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
                _settle(path.parent)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"The export cannot be written: {path}: {error.strerror}.") from error
        return Exported(str(path), **self.counts.states)

    def _items(self) -> Iterator[Mapping[str, Any]]:
        """Every item: the cold ones, those of a state by their age; then what was changed or became cold while they
        were read, so that nothing that changed its state meanwhile is missing. Such an item stands twice, and the later
        line holds."""
        marks = self._store.read("scope_state", {"tenant": self._scope.tenant, "name": agent_scope(self._scope.agent)})
        seq = int(marks[0]["seq"]) if marks else 0
        last = yield from self._cold(0)
        after: dict[str, Any] = {"after_state": "", "after_at": 0, "after_id": ""}
        while rows := self._store.read("exchange_all", {**self._base, **after, "limit": PAGE}):
            yield from self._written(rows)
            end = rows[-1]
            after = {"after_state": end["state"], "after_at": end["created_at"], "after_id": end["id"]}
        after = {"seq": seq + 1, "after_id": ""}
        while rows := self._store.read("exchange_changes", {**self._base, **after, "limit": PAGE}):
            yield from self._written(rows)
            after = {"seq": rows[-1]["seq"], "after_id": rows[-1]["id"]}
        yield from self._cold(last)

    def _cold(self, after: int) -> Generator[dict[str, Any], None, int]:
        """What lies in the cold tables since a batch; the number of the last."""
        number = self._archive.number()
        for rows in self._archive.leaving(self._scope, after):
            for row in rows:
                told = row.stored()
                yield written(told, told["echoes"])
        return number

    def _written(self, rows: list[Row]) -> Iterator[dict[str, Any]]:
        echoes: dict[str, list[Row]] = defaultdict(list)
        repeated = [row["id"] for row in rows if row["repeats"]]
        for echo in self._store.read("exchange_echoes", {**self._base, "ids": repeated}) if repeated else ():
            echoes[echo["memory_id"]].append(echo)
        for row in rows:
            yield written(row, echoes.get(row["id"], ()))


def _settle(folder: Path) -> None:
    """Make a rename last through a crash of the machine, where the system lets a folder be synced."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
