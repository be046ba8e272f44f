"""An agent's archived items as recall searches them, whether they wait in the store or lie in the cold tables."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from engrain.archive.hot import HotTier, pieces, whose
from engrain.archive.reading import columns_of, lists
from engrain.model.scope import Scope
from engrain.store.port import Row, Store

if TYPE_CHECKING:
    import pyarrow as pa

    from engrain.archive.tables import Tables

MEMORIES = "memories"
_HEAD = ("id", "agent", "visibility", "kind", "tags", "session", "role", "told_importance", "told_at", "occurred_at")
_PASSAGE = ("length", "terms", "vector", "scale", "embedder", "analyzer")


class Shelf:
    """Archived items of one home. An item on its way from the store to the tables is in one of them at every moment.
    Threads may share it. ``most``: rows of the tables that are kept in memory, so that hits are not read from there
    again and again."""

    def __init__(self, store: Store, tables: Callable[[], Tables | None], most: int) -> None:
        self._store, self._tables, self._most = store, tables, most
        self._hot = HotTier(store)
        self._lock = threading.Lock()
        self._kept: OrderedDict[Scope, tuple[tuple[int, ...], pa.Table | None]] = OrderedDict()

    def stamp(self, scope: Scope) -> tuple[int, ...]:
        """What is another one when other items are archived than before. One small read of the store."""
        return tuple(self._store.read("archived_standing", whose(scope))[0])

    def there(self, scope: Scope) -> dict[str, int]:
        """When each item was archived (µs UTC), by id. Raises ArchiveUnavailable when some cannot be reached."""
        found = {row["id"]: int(row["archived_at"]) for row in self._store.read("archived_ids", whose(scope))}
        for ids, times in self._cold(scope, ("id", "archived_at")):
            found |= dict(zip(ids, times, strict=True))
        return found

    def rows(self, scope: Scope, ids: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of ``archived_passages`` of these items, in pieces; the passages of one item follow each other."""
        left = set(ids)
        for some in pieces(ids):
            if rows := [tuple(row) for row in self._store.read("archived_passages", {**whose(scope), "ids": some})]:
                left.difference_update(row[0] for row in rows)
                yield rows
        if left:
            columns = (*_HEAD, *_PASSAGE, "passages", "content")
            for piece in self._cold(scope, columns, sorted(left)):
                yield _passages(piece)

    def many(self, scope: Scope, ids: Sequence[str]) -> list[Row]:
        """``{item}, echoes`` of those of these items that are archived."""
        found = self._hot.many(scope, ids)
        left = sorted(set(ids) - {row["id"] for row in found})
        if left:
            from engrain.archive.frozen import ColdRow

            found += [ColdRow(told) for told in self._items(scope, left)]
        return found

    def _items(self, scope: Scope, ids: list[str]) -> list[dict[str, Any]]:
        """Cold rows without their words and vectors."""
        standing = self.stamp(scope)[3:]
        with self._lock:
            before, kept = self._kept.get(scope, ((), None))
        if before != standing:
            kept = self._keep(scope, standing)
        return kept

    def _cold(self, scope: Scope, columns: Sequence[str], ids: list[str] | None = None) -> Iterator[list[list[Any]]]:
        found = columns_of(self._store, self._tables, MEMORIES, columns, {**whose(scope), "id": ids})
        return (lists(piece) for piece in found)
