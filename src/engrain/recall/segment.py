"""Segment: the passages of one scope as columns in memory, loaded once and caught up by the change sequence."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from engrain.recall.analyze import ANALYZER
from engrain.recall.columns import Column, Floats, Ints, Names, Wide
from engrain.recall.damage import FURTHEST, error_of, tag_set
from engrain.recall.index import unpack
from engrain.recall.postings import Counts, Postings, Terms
from engrain.store.port import Row

FOREVER = np.iinfo(np.int64).max
FIELDS: dict[str, Any] = {  # of an item
    "id": "S26",
    "time": np.int64,  # occurred_at, else told_at: µs UTC
    "created": np.int64,
    "expires": np.int64,  # FOREVER when never
    "importance": np.float32,
    "kind": np.int32,
    "tags": np.int32,
    "unit": np.int32,  # the (agent, session) it belongs to, -1 without a session
    "role": np.int32,  # -1 without one
    "agent": np.int32,
    "public": np.bool_,
    "asks": np.bool_,  # ends with a question mark
}
SEQ, NUMBER = 12, 13  # places of two columns in a row of segment_changes
_ORDER = ("unit", "time", "created", "id")  # neighbours of a session lie beside each other
MARK = 128  # bits by which passages that hold the same terms are told from others
_FEW = 64  # rows that are sorted in one by one


@dataclass(frozen=True, slots=True)
class _Read:
    """Rows of segment_changes as arrays. ``heads`` and ``same``: which of them begin an item, and which have a vector
    that can be compared; ``sizes``: the distinct terms of each."""

    items: dict[str, npt.NDArray[Any]]
    heads: Wide
    length: Ints
    hashes: Terms
    counts: Counts
    sizes: Wide
    same: Wide
    matrix: npt.NDArray[np.int8]
    scale: Floats

    @property
    def sound(self) -> bool:
        """Whether the numbers can be right. FURTHEST for times, of which ``expires`` may be FOREVER."""
        items, length = self.items, self.length
        times = [items["time"], items["created"], items["expires"][items["expires"] != FOREVER]]
        return bool(
            len(self.hashes) == len(self.counts)
            and length.min() >= 0
            and ((self.sizes <= length) & (self.sizes >= np.sign(length))).all()
            and np.isfinite(items["importance"]).all()
            and all(abs(one).max(initial=0) < FURTHEST for one in times)
            and ((self.scale >= 0) & (self.scale <= 1e30)).all()
        )


def _in_order(ids: Sequence[str], numbers: Sequence[int | None], heads: Sequence[bool]) -> bool:
    """Whether the passages of each item are all there and follow each other from the first on."""
    if all(heads):
        return True
    rows = list(zip(ids, numbers, strict=True))
    return all(
        not number or (id_ == before and number == (last or 0) + 1)
        for (before, last), (id_, number) in pairwise([(None, None), *rows])
    )


class Segment:
    """Items as columns, passages as columns, postings and one int8 matrix. A changed item is a new row; the old one is
    dead. Not safe by itself: the cache calls it under the segment's lock; what ``View`` takes from it stays valid."""

    def __init__(self, embedder: str, dim: int, shared: bool = False) -> None:
        self.embedder, self.dim, self.shared = embedder, dim, shared
        self.seq, self.purges, self.version = 0, 0, 0
        self.items = {name: Column(kind) for name, kind in FIELDS.items()}  # by row
        self.alive, self.first = Column(np.bool_), Column(np.int32)  # by row: is it the item's last, its first passage
        self._order: Ints = np.empty(0, np.int32)
        self.length = Column(np.int32)  # by passage: its terms
        self.mark = Column(np.uint8, MARK // 8)  # by passage: a bit for each value of its terms' last bits
        self.postings = Postings()
        self.matrix = Column(np.int8, dim)  # by vector
        self.scale, self.vector_of = Column(np.float32), Column(np.int32)  # by vector: its scale, its passage
        self.dead = 0
        self.kinds, self.tags, self.units, self.roles, self.agents = Names(), Names(), Names(), Names(), Names()
        self._tag_texts: dict[str, int] = {}

    @property
    def passages(self) -> int:
        """Passages held, dead ones included: what the cache's bound counts."""
        return self.length.size

    @property
    def wasteful(self) -> bool:
        """More is dead than alive: time to load afresh."""
        return self.dead * 2 > self.alive.size + 1024

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, room to grow included."""
        columns = [
            *self.items.values(),
            self.alive,
            self.first,
            self.length,
            self.mark,
            self.matrix,
            self.scale,
            self.vector_of,
        ]
        return sum(one.nbytes for one in columns) + self.order.nbytes + self.postings.snapshot().nbytes

    def apply(self, changes: Sequence[Row], settled: int = 0) -> None:
        """Take in rows of segment_changes, in their order: the passages of one item follow each other. What has a
        change number up to ``settled`` is known to be new here. Raises StoreCorrupt for rows that cannot be right:
        then nothing of them was taken in."""
        if not changes:
            return
        # Active, and if another's, not private again: it was shared once.
        shown = [row for row in changes if row[2] == "active" and not (self.shared and row[3] == "private")]
        read = self._checked(shown) if shown else None
        self.version += 1
        if self.alive.size:
            self._bury([row[0] for row in changes if row[SEQ] > settled and not row[NUMBER]])
        if read is not None:
            self._take(read)
        self.seq = max(self.seq, int(changes[-1][SEQ]))  # rows come in the order of their change

    def _checked(self, rows: Sequence[Row]) -> _Read:
        try:
            return self._read(*zip(*rows, strict=True))
        except (AttributeError, OverflowError, RecursionError, TypeError, ValueError) as error:
            raise error_of(rows) or error from error

    def _read(
        self, ids: Sequence[str], agents: Sequence[str], _states: Sequence[str], visibilities: Sequence[str],
        kinds: Sequence[str], tags: Sequence[str], sessions: Sequence[str | None], roles: Sequence[str | None],
        importances: Sequence[float], told: Sequence[int], occurred: Sequence[int | None],
        expires: Sequence[int | None], _seqs: Sequence[int], numbers: Sequence[int | None],
        lengths: Sequence[int | None], terms: Sequence[bytes | None], vectors: Sequence[bytes | None],
        scales: Sequence[float | None], embedders: Sequence[str | None], analyzers: Sequence[str | None],
        asks: Sequence[int],
    ) -> _Read:  # fmt: skip
        """The columns of segment_changes: by position and a column at a time, because a scope has many rows. Raises
        whatever comes of values that cannot be right, at the least ValueError."""
        heads = [not number for number in numbers]  # the first passage of an item, or what stands for none
        columns: dict[str, Any] = {
            "id": [one.encode() for one in ids],
            "time": [then if when is None else when for when, then in zip(occurred, told, strict=True)],
            "created": told,
            "expires": [FOREVER if end is None else end for end in expires],
            "importance": importances,
            "kind": map(self.kinds.__getitem__, kinds),
            "tags": map(self._tag_set, tags),
            "unit": [-1 if one[1] is None else self.units[one] for one in zip(agents, sessions, strict=True)],
            "role": [-1 if role is None else self.roles[role] for role in roles],
            "agent": map(self.agents.__getitem__, agents),
            "public": [seen == "public" for seen in visibilities],
            "asks": asks,
        }
        # Ids are as wide as they are: only a column knows how wide all are.
        items = {
            name: np.array(list(compress(columns[name], heads)), np.bytes_ if name == "id" else kind)
            for name, kind in FIELDS.items()
        }
        # What is not indexed yet, or by another analyzer, has an empty passage: no word finds it.
        known = [analyzer == ANALYZER for analyzer in analyzers]
        length = np.array([n if good else 0 for n, good in zip(lengths, known, strict=True)], np.int32)
        hashes, counts, sizes = unpack(
            [blob if good and blob else b"" for blob, good in zip(terms, known, strict=True)]
        )
        same = [name == self.embedder and vector is not None and len(vector) == self.dim
                for name, vector in zip(embedders, vectors, strict=True)]  # fmt: skip
        blobs: list[Any] = list(compress(vectors, same))
        matrix = np.frombuffer(b"".join(blobs), np.int8).reshape(len(blobs), self.dim)
        read = _Read(items, np.flatnonzero(heads), length, hashes, counts, sizes, np.flatnonzero(same), matrix,
                     np.array(list(compress(scales, same)), np.float32))  # fmt: skip
        if not (_in_order(ids, numbers, heads) and read.sound):
            raise ValueError("rows of segment_changes cannot be right")
        return read

    def _take(self, read: _Read) -> None:
        base, n = self.length.size, len(read.length)
        for name, column in self.items.items():
            column.extend(read.items[name])
        self.first.extend((read.heads + base).astype(np.int32))
        self.alive.extend(np.ones(len(read.heads), np.bool_))
        self.length.extend(read.length)
        passages = np.arange(base, base + n, dtype=np.int32)
        held = np.repeat(passages, read.sizes)
        self.postings.add(read.hashes, held, read.counts)
        bits = np.zeros((n, MARK), np.bool_)
        bits[held - base, read.hashes & np.uint32(MARK - 1)] = True
        self.mark.extend(np.packbits(bits, axis=1))
        self.matrix.extend(read.matrix)
        self.scale.extend(read.scale)
        self.vector_of.extend(passages[read.same])

    def _tag_set(self, text: str) -> int:
        """The number of a set of tags, from its JSON."""
        found = self._tag_texts.get(text)
        if found is None:
            found = self._tag_texts[text] = self.tags[tag_set(text)]
        return found

    @property
    def order(self) -> Ints:
        """Rows by _ORDER, dead ones too; replaced when rows were added, never written."""
        start, end = len(self._order), self.alive.size
        columns = [self.items[name].rows for name in _ORDER]
        if end - start > _FEW or (end and not start):
            self._order = np.lexsort(columns[::-1]).astype(np.int32)
        elif end > start:

            def key(row: int) -> tuple[Any, ...]:
                return tuple(column[row] for column in columns)

            rows = sorted(range(start, end), key=key)
            places = [bisect(self._order, key(row), key=key) for row in rows]
            self._order = np.insert(self._order, places, rows).astype(np.int32, copy=False)
        return self._order

    def _bury(self, ids: Sequence[str]) -> None:
        """Mark the rows of these items dead. Views keep a mask of their own."""
        names = self.items["id"].rows
        wanted = np.array([id_.encode() for id_ in ids], np.bytes_)
        wanted = wanted[np.char.str_len(wanted) <= names.itemsize].astype(names.dtype)  # a longer one is not there
        if not len(wanted):
            return
        # The ends of ids tell most of them apart, and numbers are compared quickly.
        rows = np.flatnonzero(self.alive.rows & np.isin(_ends(names), _ends(wanted)))
        rows = rows[np.isin(names[rows], wanted)]
        self.alive.rows[rows] = False
        self.dead += len(rows)

    def keep_only(self, ids: Iterable[str]) -> None:
        """Drop what is not among ``ids``: rows were removed from the store, which leaves no change behind."""
        there = {id_.encode() for id_ in ids}
        rows = np.flatnonzero(self.alive.rows)
        gone = [row for row, id_ in zip(rows.tolist(), self.items["id"].rows[rows].tolist(), strict=True)
                if id_ not in there]  # fmt: skip
        if gone:
            self.version += 1
            self.alive.rows[gone] = False
            self.dead += len(gone)


def _ends(names: npt.NDArray[np.bytes_]) -> npt.NDArray[np.uint64]:
    """The last eight bytes of texts of one width, as numbers; no copy."""
    width = names.itemsize
    return np.ndarray(len(names), np.uint64, np.ascontiguousarray(names), width - 8, (width,))
