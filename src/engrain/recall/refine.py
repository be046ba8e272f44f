"""Refine the candidates: newest of conflicting facts first, near-duplicates down; then each hit with its why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engrain.model.item import Hit
from engrain.recall.analyze import packed
from engrain.recall.columns import Floats, Mask
from engrain.recall.supersede import families
from engrain.store.port import Row
from engrain.store.rows import item_from_row

NEAR = 0.95  # cosine from which two items are looked at as possible repeats
ALIKE = 0.9  # share of terms in common (Jaccard) from which they are
ROUGHLY = 0.75  # ... when terms are told apart by BITS of their hash only, which joins one in ten
BITS = 10
REPEATED = 0.5  # what is left of the score of an item that says the same as a better one
DIGITS = 6  # of a score and its parts: the last bit of arithmetic is no difference
EXAMINED = 50  # candidates looked at: what stands further down moves nothing at the top


class Candidate:
    """A row of memory_get_many on its way to becoming a hit: its score and the parts of it, rounded so that they sum to
    the score. ``place``: which of the vectors given to ``refine`` is that of its first passage."""

    def __init__(self, row: Row, score: float, parts: list[tuple[str, float]], place: int) -> None:
        self._row, self.score, self.parts, self.place = row, score, parts, place
        self.content: str = row["content"]
        occurred, told = row["occurred_at"], row["told_at"]
        self.age = (told if occurred is None else occurred, told, row["id"])  # greater is newer

    def move(self, name: str, score: float) -> None:
        """Give it another score, and the difference a name."""
        score = round(score, DIGITS)
        if score != self.score:
            self.parts.append((name, round(score - self.score, DIGITS)))
            self.score = score

    def hit(self) -> Hit:
        return Hit(item_from_row(self._row), self.score, tuple([part for part in self.parts if part[1]]))


def refine(candidates: Sequence[Candidate], terms: set[int], vectors: Floats) -> list[Candidate]:
    """Candidates in their final order. ``terms``: those of the question. ``vectors``: float32[any, dim] of unit length,
    zeros without one."""
    found = list(candidates)
    _order(found)
    top = found[:EXAMINED]
    for family in families([one.content for one in top], terms):
        _newest_first([top[place] for place in family])
    _order(found)
    top = found[:EXAMINED]
    _repeats_down(top, vectors[[one.place for one in top]])
    _order(found)
    return found


def _order(found: list[Candidate]) -> None:
    """Best first; among equals the newest, then the greatest id."""
    found.sort(key=lambda one: (one.score, *one.age), reverse=True)


def _newest_first(members: list[Candidate]) -> None:
    """Deal the scores of a family of conflicting facts out again: the best to the newest."""
    scores = sorted((one.score for one in members), reverse=True)
    for one, score in zip(sorted(members, key=lambda one: one.age, reverse=True), scores, strict=True):
        one.move("newer" if score > one.score else "superseded", score)


def _repeats_down(found: list[Candidate], vectors: Floats) -> None:
    """Maximal marginal relevance (Carbonell and Goldstein, 1998) for near-duplicates only: distinct items keep their
    place, and nothing is dropped."""
    near = np.tril(vectors @ vectors.T >= NEAR, -1)  # [later, earlier]: the later one is the worse one
    if not near.any():
        return
    some = np.flatnonzero(near.any(axis=0) | near.any(axis=1))
    terms = [packed(found[place].content) for place in some.tolist()]
    near[np.ix_(some, some)] &= _roughly_alike(terms)
    held = dict(zip(some.tolist(), terms, strict=True))
    down: set[int] = set()
    for later, earlier in np.argwhere(near).tolist():
        if earlier not in down and later not in down and _alike(held[later], held[earlier]):
            down.add(later)
            found[later].move("repeats", found[later].score * REPEATED)


def _roughly_alike(blobs: list[bytes]) -> Mask:
    """Which pairs may be ``_alike``, told from the last bits of their terms, all at once."""
    held = np.zeros((len(blobs), 1 << BITS), np.float32)
    rows = np.repeat(np.arange(len(blobs)), [len(blob) // 4 for blob in blobs])
    held[rows, np.frombuffer(b"".join(blobs), np.uint32) & np.uint32((1 << BITS) - 1)] = 1
    common = held @ held.T
    sizes = common.diagonal()
    alike: Mask = common >= ROUGHLY * (sizes + sizes[:, None] - common)
    return alike


def _alike(one: bytes, other: bytes) -> bool:
    a, b = (frozenset(np.frombuffer(blob, np.uint32).tolist()) for blob in (one, other))
    return len(a & b) >= ALIKE * max(1, len(a | b))
