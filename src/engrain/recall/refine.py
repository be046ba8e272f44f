"""Refine the candidates: newest of conflicting facts first, near-duplicates down; then each hit with its why."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from engrain.model.item import Hit
from engrain.recall.analyze import analyze
from engrain.recall.columns import Floats
from engrain.recall.supersede import families
from engrain.store.port import Row
from engrain.store.rows import item_from_row

NEAR = 0.95  # cosine from which two items are looked at as possible repeats
ALIKE = 0.9  # share of terms in common (Jaccard) from which they are
REPEATED = 0.5  # what is left of the score of an item that says the same as a better one
DIGITS = 6  # of a score and its parts: the last bit of arithmetic is no difference
EXAMINED = 50  # candidates looked at: what stands further down moves nothing at the top


class Candidate:
    """A row of memory_get_many on its way to becoming a hit: its score and the parts of it."""

    def __init__(self, row: Row, parts: list[tuple[str, float]], vector: Floats) -> None:
        self._row = row
        self.content: str = row["content"]
        occurred, told = row["occurred_at"], row["told_at"]
        self.age = (told if occurred is None else occurred, told, row["id"])  # greater is newer
        self.parts = [(name, round(value, DIGITS)) for name, value in parts if abs(value) >= 10**-DIGITS]
        self.score = round(sum(value for _, value in self.parts), DIGITS)
        self.vector = vector  # of its first passage, unit length; zeros without one

    @cached_property
    def terms(self) -> frozenset[int]:
        """Read once, however many others it is compared with."""
        return frozenset(analyze(self.content))

    def move(self, name: str, score: float) -> None:
        """Give it another score, and the difference a name."""
        score = round(score, DIGITS)
        if score != self.score:
            self.parts.append((name, round(score - self.score, DIGITS)))
            self.score = score

    def hit(self) -> Hit:
        return Hit(item_from_row(self._row), self.score, tuple(self.parts))


def refine(candidates: Sequence[Candidate], terms: set[int]) -> list[Candidate]:
    """Candidates in their final order. ``terms``: those of the question."""
    found = list(candidates)
    _order(found)
    top = found[:EXAMINED]
    for family in families([one.content for one in top], terms):
        _newest_first([top[place] for place in family])
    _order(found)
    _repeats_down(found[:EXAMINED])
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


def _repeats_down(found: list[Candidate]) -> None:
    """Maximal marginal relevance (Carbonell and Goldstein, 1998) for near-duplicates only: distinct items keep their
    place, and nothing is dropped."""
    if len(found) < 2:
        return
    vectors = np.stack([one.vector for one in found])
    near = np.argwhere(np.tril(vectors @ vectors.T >= NEAR, -1))  # (later, earlier): the later one is the worse one
    down: set[int] = set()
    for later, earlier in near.tolist():
        if earlier not in down and later not in down and _alike(found[later].terms, found[earlier].terms):
            down.add(later)
            found[later].move("repeats", found[later].score * REPEATED)


def _alike(one: frozenset[int], other: frozenset[int]) -> bool:
    if min(len(one), len(other)) < ALIKE * max(len(one), len(other)):
        return False  # told by their sizes alone: even if the smaller lay wholly in the greater
    return len(one & other) >= ALIKE * max(1, len(one | other))
