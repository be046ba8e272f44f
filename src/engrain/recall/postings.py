"""Which passages hold a term, and how often: a sorted base and a short tail that is merged in when it grows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engrain.recall.columns import Column, Ints

Counts = npt.NDArray[np.uint16]
_TAIL = 4096  # postings that are scanned rather than sorted in


class Postings:
    """The postings of one segment. ``snapshot`` is safe to read while another thread adds."""

    def __init__(self) -> None:
        self._terms: npt.NDArray[np.uint32] = np.empty(0, np.uint32)
        self._rows: Ints = np.empty(0, np.int32)
        self._counts: Counts = np.empty(0, np.uint16)
        self._fresh()

    def _fresh(self) -> None:
        self._tail_terms, self._tail_rows, self._tail_counts = Column(np.uint32), Column(np.int32), Column(np.uint16)

    def add(self, terms: npt.NDArray[np.uint32], rows: Ints, counts: Counts) -> None:
        """Postings of passages that are new; rows ascending."""
        self._tail_terms.extend(terms)
        self._tail_rows.extend(rows)
        self._tail_counts.extend(counts)
        if self._tail_terms.size > max(_TAIL, len(self._terms) // 8):
            terms = np.concatenate([self._terms, self._tail_terms.rows])
            order = np.argsort(terms, kind="stable")  # stable: rows stay ascending within a term
            self._terms = terms[order]
            self._rows = np.concatenate([self._rows, self._tail_rows.rows])[order]
            self._counts = np.concatenate([self._counts, self._tail_counts.rows])[order]
            self._fresh()

    def snapshot(self) -> PostingsView:
        return PostingsView(
            (self._terms, self._rows, self._counts),
            (self._tail_terms.rows, self._tail_rows.rows, self._tail_counts.rows),
        )


class PostingsView:
    """The postings as they were at one moment."""

    def __init__(
        self, base: tuple[npt.NDArray[np.uint32], Ints, Counts], tail: tuple[npt.NDArray[np.uint32], Ints, Counts]
    ) -> None:
        self._base, self._tail = base, tail

    def of(self, term: int) -> tuple[Ints, Counts]:
        """(passages, counts) of a term; each passage once."""
        terms, rows, counts = self._base
        key = np.uint32(term)
        first, last = int(terms.searchsorted(key, "left")), int(terms.searchsorted(key, "right"))
        found, count = rows[first:last], counts[first:last]
        if len(self._tail[0]):
            late = np.flatnonzero(self._tail[0] == key)
            if len(late):
                return np.concatenate([found, self._tail[1][late]]), np.concatenate([count, self._tail[2][late]])
        return found, count
