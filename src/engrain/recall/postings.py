"""Which passages hold a term, and how often: a sorted base and a short tail that is merged in when it grows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engrain.recall.columns import Column, Ints, Wide

Counts = npt.NDArray[np.uint16]
Terms = npt.NDArray[np.uint32]
_TAIL = 4096  # postings that are scanned rather than sorted in; more beside a large base
_LOW = np.uint64(0xFFFFFFFF)


class Postings:
    """The postings of one segment. ``snapshot`` is safe to read while another thread adds."""

    def __init__(self) -> None:
        self._terms: Terms = np.empty(0, np.uint32)  # each once, ascending
        self._starts: Ints = np.zeros(1, np.int32)  # where the passages of a term begin, and after the last its end
        self._rows: Ints = np.empty(0, np.int32)
        self._counts: Counts = np.empty(0, np.uint16)
        self._fresh()

    def _fresh(self) -> None:
        self._tail_terms, self._tail_rows, self._tail_counts = Column(np.uint32), Column(np.int32), Column(np.uint16)

    def add(self, terms: Terms, rows: Ints, counts: Counts) -> None:
        """Postings of passages that are new; rows ascending."""
        self._tail_terms.extend(terms)
        self._tail_rows.extend(rows)
        self._tail_counts.extend(counts)

    def snapshot(self) -> PostingsView:
        if self._tail_terms.size > max(_TAIL, len(self._rows) // 64):
            self._merge()
        return PostingsView(
            (self._terms, self._starts, self._rows, self._counts),
            (self._tail_terms.rows, self._tail_rows.rows, self._tail_counts.rows),
        )

    def _merge(self) -> None:
        """Sort the tail into the base. Its passages are later than the base's, so each goes to the end of its term."""
        keys = _keys(self._tail_terms.rows)
        order = (keys & _LOW).astype(np.int64)
        sorted_terms = (keys >> np.uint64(32)).astype(np.uint32)
        fresh = np.flatnonzero(np.diff(sorted_terms, prepend=sorted_terms[0] ^ np.uint32(1)))
        terms, sizes = sorted_terms[fresh], np.diff(fresh, append=len(keys))
        rows, counts = self._tail_rows.rows[order], self._tail_counts.rows[order]
        if len(self._terms):
            at = self._terms.searchsorted(terms)
            known = self._terms[np.minimum(at, len(self._terms) - 1)] == terms
            places = np.repeat(self._starts[at + known], sizes)
            rows, counts = np.insert(self._rows, places, rows), np.insert(self._counts, places, counts)
            every = np.concatenate([self._terms, terms])
            terms, which = np.unique(every, return_inverse=True)
            sizes = np.bincount(which, np.concatenate([np.diff(self._starts), sizes])).astype(np.int64)
        self._terms, self._rows, self._counts = terms, rows, counts
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
        self._fresh()


def _keys(terms: Terms) -> npt.NDArray[np.uint64]:
    """(term, place) of each, ascending: several times faster than a stable argsort."""
    keys = terms.astype(np.uint64) << np.uint64(32)
    keys |= np.arange(len(keys), dtype=np.uint64)
    keys.sort()
    return keys


class PostingsView:
    """The postings as they were at one moment."""

    def __init__(self, base: tuple[Terms, Ints, Ints, Counts], tail: tuple[Terms, Ints, Counts]) -> None:
        self._base, self._tail = base, tail
        self._keys: npt.NDArray[np.uint64] | None = None

    def _sorted(self) -> npt.NDArray[np.uint64]:
        """The tail's (term, place), ascending; made when first asked for, also by two threads at once."""
        if self._keys is None:
            self._keys = _keys(self._tail[0])
        return self._keys

    def find(self, asked: Terms) -> tuple[Wide, Ints, Counts]:
        """(how many postings each of the asked terms has, and of these, term after term: passages, counts). Of one term
        each passage comes once."""
        terms, starts, rows, counts = self._base
        sizes = np.zeros(len(asked), np.int64)
        pieces: list[tuple[Ints, Counts]] = []
        if len(terms):
            at = terms.searchsorted(asked)
            first, last = starts[at], starts[at + (terms[np.minimum(at, len(terms) - 1)] == asked)]
            sizes += last - first
            pieces = [(rows[a:b], counts[a:b]) for a, b in zip(first.tolist(), last.tolist(), strict=True)]
        if len(self._tail[0]):
            keys, low = self._sorted(), asked.astype(np.uint64) << np.uint64(32)
            start, end = keys.searchsorted(low), keys.searchsorted(low | _LOW, "right")
            more = end - start
            late = np.repeat(start - np.cumsum(more) + more, more) + np.arange(more.sum())
            late = (keys[late] & _LOW).astype(np.int64)
            ends = np.cumsum(more)[:-1]
            fresh = zip(*(np.split(one[late], ends) for one in self._tail[1:]), strict=True)
            pieces = [piece for pair in zip(pieces, fresh, strict=True) for piece in pair] if pieces else list(fresh)
            sizes += more
        if not pieces:
            return sizes, rows[:0], counts[:0]
        return sizes, np.concatenate([a for a, _ in pieces]), np.concatenate([b for _, b in pieces])

    def of(self, term: int) -> tuple[Ints, Counts]:
        """(passages, counts) of one term."""
        _, rows, counts = self.find(np.array([term], np.uint32))
        return rows, counts

    def grouped(self) -> tuple[Terms, Ints, Ints, Terms, Ints]:
        """(terms, where the passages of each begin and the last end, passages; and of those that came late one term
        and one passage a posting)."""
        return *self._base[:3], *self._tail[:2]

    def every(self) -> tuple[Terms, Ints]:
        """(term, passage) of every posting."""
        terms, starts, rows, _ = self._base
        return (
            np.concatenate([np.repeat(terms, np.diff(starts)), self._tail[0]]),
            np.concatenate([rows, self._tail[1]]),
        )

    @property
    def nbytes(self) -> int:
        return sum(one.nbytes for one in (*self._base, *self._tail))
