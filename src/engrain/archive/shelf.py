"""An agent's archived items as recall searches them, whether they wait in the store or lie in the cold tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from engrain.archive.reading import Columns, pieces
from engrain.model.scope import Scope
from engrain.store.port import Row, Store

if TYPE_CHECKING:
    from engrain.archive.tables import Tables

AT_ONCE = 500  # ids in one statement
_HEAD = ("id", "agent", "visibility", "kind", "tags", "session", "role", "told_importance", "told_at", "occurred_at")
_PASSAGE = ("length", "terms", "vector", "scale", "embedder", "analyzer")

# The columns of {item}, by the names that they have in the table; what a table does not tell is told by _item.
_ITEM = (
    "id", "tenant", "agent", "kind", "content", "created_at", "told_at", "updated_at", "key", "importance", "tags",
    "metadata", "session", "role", "occurred_at", "expires_at", "decay_rate", "visibility", "pinned", "source",
    "superseded_by", "superseded_at", "redacted", "repeats", "shown", "read", "applied", "helpful", "unhelpful",
    "last_used_at", "archived_at", "decay_reason", "promoted_at",
)  # fmt: skip
_MORE = ("archived_reason", "promoted_at", "last_decay_at", "echoes")
_NAMES = {name: place for place, name in enumerate((*_ITEM[:20], "state", *_ITEM[20:-2], *_MORE))}


class Item(tuple[Any, ...]):
    """A cold row as ``{item}, echoes``: a ``port.Row``."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(_NAMES[key] if isinstance(key, str) else key)

    def keys(self) -> Any:
        return _NAMES.keys()


class Shelf:
    """Archived items of one home. An item on its way from the store to the tables is in one of them at every moment."""

    def __init__(self, store: Store, tables: Callable[[], Tables | None]) -> None:
        self._store, self._tables = store, tables

    def stamp(self, scope: Scope) -> tuple[int, ...]:
        """What is another one when other items are archived than before. One small read of the store."""
        return tuple(self._store.read("archived_standing", _whose(scope))[0])

    def there(self, scope: Scope) -> dict[str, int]:
        """When each item was archived (µs UTC), by id. Raises ArchiveUnavailable when some cannot be reached."""
        found = {row["id"]: int(row["archived_at"]) for row in self._store.read("archived_ids", _whose(scope))}
        for piece in self._cold(scope, ("id", "archived_at")):
            found |= dict(zip(piece[0], piece[1], strict=True))
        return found

    def rows(self, scope: Scope, ids: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of ``archived_passages`` of these items, in pieces; the passages of one item follow each other."""
        left = set(ids)
        for start in range(0, len(ids), AT_ONCE):
            asked = {**_whose(scope), "ids": ids[start : start + AT_ONCE]}
            if rows := [tuple(row) for row in self._store.read("archived_passages", asked)]:
                left.difference_update(row[0] for row in rows)
                yield rows
        if left:
            columns = (*_HEAD, *_PASSAGE, "passages", "content")
            for piece in self._cold(scope, columns, sorted(left)):
                yield list(chain.from_iterable(map(_passages, zip(*piece, strict=True))))

    def many(self, scope: Scope, ids: Sequence[str]) -> list[Row]:
        """``{item}, echoes`` of those of these items that are archived."""
        found: list[Row] = []
        for start in range(0, len(ids), AT_ONCE):
            found += self._store.read("archived_many", {**_whose(scope), "ids": ids[start : start + AT_ONCE]})
        left = sorted(set(ids) - {row["id"] for row in found})
        if left:
            found += [
                Item((*one[:20], "archived", *one[20:], None, 0))
                for piece in self._cold(scope, _ITEM, left)
                for one in zip(*piece, strict=True)
            ]
        return found

    def _cold(self, scope: Scope, columns: Sequence[str], ids: list[str] | None = None) -> Iterator[Columns]:
        return pieces(self._store, self._tables, "memories", columns, {**_whose(scope), "id": ids})


def _passages(row: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """One row of the table as those of ``archived_passages``."""
    head, (*single, several, content) = row[: len(_HEAD)], row[len(_HEAD) :]
    id_, agent, *rest = head
    before = (id_, agent, "active", *rest, None, 1)
    after = (int(content.rstrip(" ").endswith("?")), content)
    if not several:
        return [(*before, None, *single, *after)]
    inner = [(one["number"], *(one[name] for name in _PASSAGE)) for one in several]
    return [(*before, *one, *after) for one in sorted(inner)]


def _whose(scope: Scope) -> dict[str, str]:
    return {"tenant": scope.tenant, "agent": scope.agent}
