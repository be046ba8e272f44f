"""Refine the candidates: what is alike first where the question is such a thing itself, newest of conflicting facts
first, near-duplicates down; then each hit with its why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from engrain.model.item import Hit
from engrain.recall import alike
from engrain.recall.analyze import analyze
from engrain.recall.columns import Floats
from engrain.recall.supersede import families
from engrain.store.port import Row
from engrain.store.rows import item_from_row

NEAR = 0.95  # cosine from which two items are looked at as possible repeats
ALIKE = 0.9  # share of terms in common (Jaccard) from which they are
ROUGHLY = 0.75  # ... of the bits that mark their terms: what is told before any text is read
REPEATED = 0.5  # what is left of the score of an item that says the same as a better one
DIGITS = 6  # of a score and its parts: the last bit of arithmetic is no difference
EXAMINED = 50  # candidates looked at: what stands further down moves nothing at the top


class Candidate:
    """A row of memory_get_many on its way to becoming a hit: its score and the parts of it, rounded so that they sum to
    the score. ``place``: which of the vectors given to ``refine`` is that of its first passage."""

    def __init__(self, row: Row, score: float, parts: list[tuple[str, float]], place: int) -> None:
        self._row, self.score, self.parts, self.place = row, score, parts, place
        self.content: str = row["content"]
        self.role: str | None = row["role"]
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


def alike_first(candidates: Sequence[Candidate], query: str, covered: float) -> None:
    """Deal the scores of the best candidates out again where the wording decides. ``covered``: see ``alike.order``."""
    top = [one for one in candidates if one.score > 0]
    _order(top)
    top = [one for one in top[: alike.LOOKED] if one.score >= alike.NEAR * top[0].score]
    scores = [one.score for one in top]
    places = alike.order(query, covered, [one.content for one in top], scores)
    for score, place in zip(scores, places, strict=True):
        top[place].move("form", score)


def refine(
    candidates: Sequence[Candidate],
    terms: set[int],
    vectors: Floats,
    marks: npt.NDArray[np.uint8],
    ends: Mapping[int, float],
    until: int | None = None,
) -> list[Candidate]:
    """Candidates in their final order. ``terms``: those of the question. ``vectors``: float32[any, dim] of unit length,
    zeros without one. ``marks``: see ``View.marks``; a line each for the same. ``ends``: by place, the score that the
    end of a chain deserves. ``until``: the end (µs UTC) of the time that was asked for."""
    found = list(candidates)
    _order(found)
    top = found[:EXAMINED]
    for family in families([one.content for one in top], [one.role for one in top], terms):
        _newest_first([top[place] for place in family], until)
    for one in found:
        one.move("hop", max(one.score, ends.get(one.place, 0.0)))
    _order(found)
    top = found[:EXAMINED]
    places = [one.place for one in top]
    _repeats_down(top, vectors[places], marks[places])
    _order(found)
    return found


def _order(found: list[Candidate]) -> None:
    """Best first; among equals the newest, then the greatest id."""
    found.sort(key=lambda one: (one.score, *one.age), reverse=True)


def _newest_first(members: list[Candidate], until: int | None) -> None:
    """Deal the scores of a family of conflicting facts out again: the best to the newest, or to what held at the end of
    the time that was asked for. What is of that time itself stays where that has lifted it."""
    if until is not None:
        members = [one for one in members if all(name != "when" or value <= 0 for name, value in one.parts)]
    scores = sorted((one.score for one in members), reverse=True)
    order = sorted(members, key=lambda one: (until is None or one.age[0] < until, *one.age), reverse=True)
    for one, score in zip(order, scores, strict=True):
        one.move("newer" if score > one.score else "superseded", score)


def _repeats_down(found: list[Candidate], vectors: Floats, marks: npt.NDArray[np.uint8]) -> None:
    """Maximal marginal relevance (Carbonell and Goldstein, 1998) for near-duplicates only: distinct items keep their
    place, and nothing is dropped."""
    near = np.tril(vectors @ vectors.T >= NEAR, -1)  # [later, earlier]: the later one is the worse one
    if not near.any():
        return
    bits = np.unpackbits(marks, axis=1).astype(np.float32)
    common = bits @ bits.T
    near &= common >= ROUGHLY * (common.diagonal() + common.diagonal()[:, None] - common)
    down: set[int] = set()
    for later, earlier in np.argwhere(near).tolist():
        said = found[later].role == found[earlier].role
        if said and earlier not in down and later not in down and _alike(found[later].content, found[earlier].content):
            down.add(later)
            found[later].move("repeats", found[later].score * REPEATED)


def _alike(one: str, other: str) -> bool:
    a, b = frozenset(analyze(one)), frozenset(analyze(other))
    return len(a & b) >= ALIKE * max(1, len(a | b))
