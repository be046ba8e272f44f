"""Segment: the passages of one scope as columns in memory, loaded once and caught up by the change sequence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import numpy as np

from engrain.recall.analyze import ANALYZER
from engrain.recall.columns import Column, Mask, Names
from engrain.recall.index import unpack
from engrain.recall.postings import Postings
from engrain.store.port import Row

ITEM = np.dtype(
    [
        ("id", "S32"),  # for a fixed order only
        ("time", "<i8"),  # occurred_at, else told_at: µs UTC
        ("created", "<i8"),
        ("expires", "<i8"),  # FOREVER when never
        ("importance", "<f4"),
        ("kind", "<i4"),
        ("tags", "<i4"),
        ("unit", "<i4"),  # the (agent, session) it belongs to, -1 without a session
        ("role", "<i4"),  # -1 without one
        ("agent", "<i4"),
        ("public", "?"),
    ]
)
FOREVER = np.iinfo(np.int64).max


class Segment:
    """Items as columns, passages as columns, postings and one int8 matrix. A changed item is a new row; the old one is
    dead. Not safe by itself: the cache calls it under the segment's lock; what ``View`` takes from it stays valid."""

    def __init__(self, embedder: str, dim: int, shared: bool = False) -> None:
        self.embedder, self.dim, self.shared = embedder, dim, shared
        self.seq, self.purges, self.version = 0, 0, 0
        self.ids: list[str] = []  # by item row
        self.rows: dict[str, int] = {}  # live items only
        self.items = Column(ITEM)
        self.alive = Column(np.bool_)
        self.owner, self.length = Column(np.int32), Column(np.int32)  # by passage: its item, its terms
        self.postings = Postings()
        self.matrix = Column(np.int8, dim)  # by vector
        self.scale, self.vector_of = Column(np.float32), Column(np.int32)  # by vector: its scale, its passage
        self.kinds, self.tags, self.units, self.roles, self.agents = Names(), Names(), Names(), Names(), Names()

        self._tag_texts: dict[str, int] = {}

    @property
    def passages(self) -> int:
        """Passages held, dead ones included: what the cache's bound counts."""
        return self.owner.size

    @property
    def wasteful(self) -> bool:
        """More is dead than alive: time to load afresh."""
        return len(self.ids) > 2 * len(self.rows) + 1024

    def apply(self, changes: Sequence[Row]) -> None:
        """Take in rows of segment_changes, in their order: the passages of one item follow each other."""
        if not changes:
            return
        self.seq = max(self.seq, int(changes[-1]["seq"]))  # rows come in the order of their change
        self.version += 1
        batch = _Batch(self)
        for row in changes:
            batch.add(*row)
        batch.flush()

    def tag_set(self, text: str) -> int:
        """The number of a set of tags, from its JSON."""
        found = self._tag_texts.get(text)
        if found is None:
            found = self._tag_texts[text] = self.tags.number(frozenset(json.loads(text)))
        return found

    def remove(self, id_: str) -> None:
        row = self.rows.pop(id_, None)
        if row is not None:
            self.version += 1
            self.alive.rows[row] = False  # views keep a mask of their own

    def keep_only(self, ids: Iterable[str]) -> None:
        """Drop what is not among ``ids``: rows were removed from the store, which leaves no change behind."""
        for id_ in self.rows.keys() - set(ids):
            self.remove(id_)

    def live(self) -> Mask:
        return self.alive.rows


class _Batch:
    """Rows on their way into a segment: one extension per column instead of one per row."""

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._last = ""
        self._items: list[tuple[object, ...]] = []
        self._owner: list[int] = []
        self._length: list[int] = []
        self._terms: list[bytes] = []
        self._vectors: list[bytes] = []
        self._scale: list[float] = []
        self._vector_of: list[int] = []

    def add(
        self, id_: str, agent: str, state: str, visibility: str, kind: str, tags: str, session: str | None,
        role: str | None, importance: float, created: int, occurred: int | None, expires: int | None, _pinned: int,
        _seq: int, number: int | None, length: int | None, terms: bytes | None, vector: bytes | None,
        scale: float | None, embedder: str | None, analyzer: str | None,
    ) -> None:  # fmt: skip
        """One row of segment_changes, in the order of its columns: by position, because a scope has many rows."""
        s = self._segment
        if id_ != self._last:  # the first passage of an item
            self._last = id_
            s.remove(id_)
            if state == "active" and not (s.shared and visibility == "private"):  # private again: it was shared once
                s.rows[id_] = len(s.ids)
                s.ids.append(id_)
                when = created if occurred is None else occurred
                session_number = -1 if session is None else s.units.number((agent, session))
                role_number = -1 if role is None else s.roles.number(role)
                end = FOREVER if expires is None else expires
                self._items.append(
                    (id_.encode()[:32], when, created, end, importance, s.kinds.number(kind), s.tag_set(tags),
                     session_number, role_number, s.agents.number(agent), visibility == "public")
                )  # fmt: skip
        row = s.rows.get(id_)
        if row is None:
            return
        # What is not indexed yet, or by another analyzer, has an empty passage: no word finds it.
        known = number is not None and analyzer == ANALYZER
        passage = s.owner.size + len(self._owner)
        self._owner.append(row)
        self._length.append(length or 0 if known else 0)
        self._terms.append(bytes(terms or b"") if known else b"")
        if vector is not None and scale is not None and embedder == s.embedder and len(vector) == s.dim:
            self._vectors.append(bytes(vector))
            self._scale.append(scale)
            self._vector_of.append(passage)

    def flush(self) -> None:
        s = self._segment
        if not self._items:
            return
        hashes, counts, sizes = unpack(self._terms)
        passages = np.arange(s.owner.size, s.owner.size + len(self._owner), dtype=np.int32)
        s.items.extend(np.array(self._items, dtype=ITEM))
        s.alive.extend(np.ones(len(self._items), np.bool_))
        s.owner.extend(np.array(self._owner, np.int32))
        s.length.extend(np.array(self._length, np.int32))
        s.postings.add(hashes, np.repeat(passages, sizes), counts)
        if self._vectors:
            s.matrix.extend(np.frombuffer(b"".join(self._vectors), np.int8).reshape(-1, s.dim))
            s.scale.extend(np.array(self._scale, np.float32))
            s.vector_of.extend(np.array(self._vector_of, np.int32))
