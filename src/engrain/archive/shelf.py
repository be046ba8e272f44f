"""An agent's archived items as recall searches them, whether they wait in the store or lie in the cold tables."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from engrain.archive.hot import HotTier, pieces, whose
from engrain.archive.reading import counted
from engrain.archive.reading import pieces as plain_pieces
from engrain.model.scope import Scope
from engrain.store.port import Row, Store

if TYPE_CHECKING:
    import pyarrow as pa

    from engrain.archive.tables import Tables

_HEAD = ("id", "agent", "visibility", "kind", "tags", "session", "role", "told_importance", "told_at", "occurred_at")
_PASSAGE = ("length", "terms", "vector", "scale", "embedder", "analyzer")


class Shelf:
    """Archived items of one home. An item on its way from the store to the tables is in one of them at every moment.
    Threads may share it. ``most``: rows of the tables, without their words and vectors, that are kept in memory."""

    def __init__(self, store: Store, tables: Callable[[], Tables | None], most: int) -> None:
        self._store, self._tables, self._most = store, tables, most
        self._hot, self._lock = HotTier(store), threading.Lock()
        self._kept: OrderedDict[tuple[str, str], tuple[tuple[int, ...], pa.Table | None]] = OrderedDict()

    def stamp(self, scope: Scope) -> tuple[int, ...]:
        """What is another one when other items are archived than before. One small read of the store."""
        return tuple(self._store.read("archived_standing", whose(scope))[0])

    def there(self, scope: Scope) -> dict[str, int]:
        """When each item was archived (µs UTC), by id. Raises ArchiveUnavailable when some cannot be reached."""
        found = {row["id"]: int(row["archived_at"]) for row in self._store.read("archived_ids", whose(scope))}
        for ids, times in plain_pieces(self._cold(scope, ("id", "archived_at"))):
            found |= dict(zip(ids, times, strict=True))
        return found

    def rows(self, scope: Scope, ids: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of ``archived_passages`` of these items, in pieces; the passages of one item follow each other."""
        left, waiting = set(ids), self.stamp(scope)[0]
        for some in pieces(ids) if waiting else ():
            if rows := [tuple(row) for row in self._store.read("archived_passages", {**whose(scope), "ids": some})]:
                left.difference_update(row[0] for row in rows)
                yield rows
        if left:
            found = self._cold(scope, (*_HEAD, *_PASSAGE, "passages", "content"), sorted(left))
            yield from map(_passages, plain_pieces(found))

    def many(self, scope: Scope, ids: Sequence[str]) -> list[Row]:
        """``{item}, echoes`` of those of these items that are archived."""
        found = self._hot.many(scope, ids)
        if left := sorted(set(ids) - {row["id"] for row in found}):
            found += self._items(scope, left)
        return found

    def _items(self, scope: Scope, ids: list[str]) -> list[Row]:
        """Cold rows, from memory where they are kept: to read twenty takes nearly as long as to read all."""
        key, standing = (scope.tenant, scope.agent), self.stamp(scope)[3:]  # without what waits in the store
        if not standing[0]:
            return []
        from engrain.archive.frozen import ITEM, ColdRow, of_ids

        before, table = self._kept.get(key, ((), None))
        if before != standing and (table := self._cold(scope, ITEM)) is not None and len(table) > self._most:
            table = None  # then some are read at a time
        with self._lock:
            self._kept[key] = standing, table
            self._kept.move_to_end(key)
            while sum(len(one) for _, one in self._kept.values() if one is not None) > self._most:
                self._kept.popitem(last=False)
        found = self._cold(scope, ITEM, ids) if table is None else of_ids(table, ids)
        return [] if found is None else [ColdRow(told) for told in found.to_pylist()]

    def _cold(self, scope: Scope, columns: Sequence[str], ids: list[str] | None = None) -> pa.Table | None:
        return counted(self._store, self._tables, "memories", columns, {**whose(scope), "id": ids})


def _passages(piece: list[list[Any]]) -> list[tuple[Any, ...]]:
    """Rows of the table, by columns, as those of ``archived_passages``."""
    ids, agents, *heads = piece[: len(_HEAD)]
    *single, several, contents = piece[len(_HEAD) :]
    asks = [content.rstrip(" ").endswith("?") for content in contents]
    before = (ids, agents, repeat("active"), *heads, repeat(None), repeat(1))
    rows = list(zip(*before, repeat(None), *single, asks, strict=False))
    if not any(several):
        return rows
    at = len(before)
    inner = ([(one["number"], *(one[name] for name in _PASSAGE)) for one in many or ()] for many in several)
    return list(
        chain.from_iterable(
            [(*row[:at], *one, row[-1]) for one in sorted(made)] if made else [row]
            for row, made in zip(rows, inner, strict=True)
        )
    )
