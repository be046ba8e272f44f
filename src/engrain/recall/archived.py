"""The archived items of an agent as a segment: the same columns, the same ranking; caught up when others are there."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, cast

import numpy as np

from engrain.model.scope import Scope
from engrain.recall.analyze import ANALYZER
from engrain.recall.columns import Floats
from engrain.recall.embed import Embedder
from engrain.recall.index import index
from engrain.recall.segment import NUMBER, Segment
from engrain.store.port import Row

ANEW = 2_000  # items whose vectors are made anew, at most, when a segment is caught up
_MADE_BY = slice(NUMBER + 5, NUMBER + 7)  # embedder and analyzer in a row of segment_changes
_Passage = tuple[Any, ...]

_log = logging.getLogger(__name__)


class Shelf(Protocol):
    """What is archived, as the facade hands it in: the archive is no part of recall."""

    def stamp(self, scope: Scope) -> tuple[int, ...]:
        """What is another one when other items are archived than before."""
        ...

    def there(self, scope: Scope) -> dict[str, int]:
        """When each item was archived (µs UTC), by id."""
        ...

    def rows(self, scope: Scope, ids: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of segment_changes of these items, as if they were active, in pieces; passages of one item follow each
        other."""
        ...

    def many(self, scope: Scope, ids: Sequence[str]) -> list[Row]:
        """``{item}, echoes`` of those of these items that are archived."""
        ...


class _Mute:
    """An embedder that knows nothing: for words alone."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.dim = embedder.name, embedder.dim

    def embed(self, texts: list[str], /) -> Floats:
        return np.zeros((len(texts), self.dim), np.float32)


class Archived:
    """A segment of what is archived in one scope, and what it was made of."""

    def __init__(self, embedder: Embedder) -> None:
        self.segment = Segment(embedder.name, embedder.dim)
        self._embedder = embedder
        self._stamp: tuple[int, ...] = ()
        self._held: dict[str, int] = {}

    def catch_up(self, shelf: Shelf, scope: Scope) -> int:
        """Take in what was archived and drop what is archived no more since the last time; the rows that were read."""
        stamp, read, left = shelf.stamp(scope), 0, ANEW
        if stamp == self._stamp:
            return 0
        there = shelf.there(scope)
        first = not self._held
        self.segment.keep_only(there)
        new = [id_ for id_, at in there.items() if self._held.get(id_) != at]
        for found in shelf.rows(scope, new):
            rows, left = self._anew(shelf, scope, found, left)
            # An item may be back with other words: its old row is dropped then.
            self.segment.apply(cast("list[Row]", rows), settled=int(first))  # read by position alone
            read += len(rows)
        if left < 0:
            told = "%d archived items of agent %r are found by their words alone: another embedder made their vectors."
            _log.warning(told, -left, scope.agent)
        self._stamp, self._held = stamp, there
        return read

    def _anew(self, shelf: Shelf, scope: Scope, rows: list[_Passage], left: int) -> tuple[list[_Passage], int]:
        """Index again what was indexed by something else than what is in use, or not at all: its words always, its
        vectors while ``left`` of that many items; what is left then, below 0 by how many had to go without."""
        wanted = (self._embedder.name, ANALYZER)
        stale = {row[0]: row for row in rows if row[_MADE_BY] != wanted}
        if not stale:
            return rows, left
        texts = {row["id"]: row["content"] for row in shelf.many(scope, list(stale)) if row["id"] in stale}
        whole = list(texts)[: max(left, 0)]
        rest = [id_ for id_ in list(texts)[len(whole) :] if stale[id_][_MADE_BY][1] != ANALYZER]
        made: dict[str, list[_Passage]] = {}
        for ids, embedder in ((whole, self._embedder), (rest, _Mute(self._embedder))):
            for id_, passages in zip(ids, index([texts[id_] for id_ in ids], embedder), strict=True):
                before, asks = stale[id_][:NUMBER], stale[id_][-1]
                made[id_] = [(*before, one.number if len(passages) > 1 else None, *one[1:], asks) for one in passages]
        kept = [row for row in rows if row[0] not in made]
        return [*kept, *(row for passages in made.values() for row in passages)], left - len(texts)
