"""How near states are to each other, learned from what came of actions in them.

There are two kinds, and what they tell of an action is averaged: distance, exp(-d² / (h m)), m the median squared
distance from the state that is asked about; and, once there are ``FOREST_FROM`` states, the likeness of a forest (see
``forest``), which finds the few features that matter among many, where all distances are alike.
How wide the kernel is (h) and how many outcomes nearby outweigh what is known of the whole task type (the trust) are
not fixed: each pair of ``CHOICES`` tells the outcomes there are, each from those of all other states, and weighs by how
well it does (the profile likelihood of normal errors). Where features tell nothing, wide kernels that are hardly
trusted win, and the best action of the whole task type is advised.

Made of the first ``step(n)`` rows, in the order in which they were learned: seldom. While there are few rows it is made
of all of them whenever one changes, in an order of its own, so that every process believes the same to the last digit;
later, a process that has run for long and one that begins now differ by what the latest sixth of the rows says of
nearness, which is little (the sums, and so what is believed of each action, are the same).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from engrain.learn.features import Matrix, Space, squared_distances
from engrain.learn.forest import TREES, Forest, grow

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WIDTHS = (0.1, 0.25, 0.75)
TRUSTS = (1.0, 3.0, 10.0)  # outcomes that the level above is worth against those nearby
CHOICES = tuple((h, trust) for h in range(len(WIDTHS)) for trust in TRUSTS)
MIDDLE = 1  # the place of the middle width
FOREST = len(WIDTHS)  # its place among the kinds of nearness, after the widths
SHARED_SHIFT = 3.0  # outcomes nearby that "no shift" is worth
FOREST_FROM = 16
ASKED = 256  # states that weigh the choices
PRIOR_ERROR = 2.0
FINEST = 0.02  # of the reward's range: what is nearer to the best reward counts as this near


class Nearness:
    """Nearness to the states of ``space``. ``voices`` are kind, trust and share of what is averaged; the shares sum to
    1."""

    def __init__(self, space: Space, rows: tuple[Ints, Ints, Floats], actions: int) -> None:
        """``rows``: state, action, and weight and total reward [2, n]; ``actions``: how many there are."""
        self.version = space.version
        weights = np.full(len(CHOICES), 1.0 / len(CHOICES))
        self.voices = _voices(weights, forest=False)
        self.error: float | None = None  # mean squared error of telling outcomes from other states
        self._forest: Forest | None = None
        self._leaves = np.zeros((TREES, 0), dtype=np.int32)
        states, acts, (weight, total) = rows
        names, place = _first_seen(states)
        known = _table(place, acts, weight, (len(names), actions))
        if len(names) < 2 or not space.matrix.shape[1]:
            return
        matrix = space.matrix[names]
        weights, self.error = _weigh(matrix, known, _table(place, acts, total, known.shape))
        if len(names) >= FOREST_FROM:
            told = _table(place, acts, weight * graded(total / np.maximum(weight, 1e-9)), known.shape)
            usual = (told.sum(axis=0) + told.sum() / known.sum()) / (known.sum(axis=0) + 1.0)
            self._forest = grow(matrix, known, told - known * usual)
        self.voices = _voices(weights, self._forest is not None)

    def of(self, space: Space, vectors: Matrix, heres: Ints) -> Iterator[Floats]:
        """[kinds, n] nearness of all states of ``space`` to each of ``vectors`` [g, d], of which ``heres`` [g] (-1:
        none) is itself: 0."""
        widths = np.array(WIDTHS)[:, None]
        leaves = np.zeros((TREES, 0), dtype=np.int32)
        if self._forest is not None:
            known = self._leaves.shape[1]
            if known < space.size:
                fresh = self._forest.leaves(space.matrix[known:]).T
                self._leaves = np.hstack([self._leaves, fresh])
            leaves = self._forest.leaves(vectors).T
        for at, here in enumerate(heres.tolist()):
            distances = squared_distances(space.matrix, vectors[at])
            others = np.delete(distances, here) if here >= 0 else distances
            median = float(np.median(others)) if len(others) else 0.0
            near = np.zeros((FOREST + 1, len(distances)))
            near[:FOREST] = np.exp(-distances / np.maximum(widths * median, 1e-9))
            if self._forest is not None:
                alike = self._leaves == leaves[:, at : at + 1]
                near[FOREST] = alike.view(np.uint8).sum(axis=0, dtype=np.uint8) / TREES
            if here >= 0:
                near[:, here] = 0.0
            yield near


def _first_seen(states: Ints) -> tuple[Ints, Ints]:
    """The different numbers in the order in which they come, and the place of each among them."""
    names, first, place = np.unique(states, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return names[order], rank[place]


def _voices(weights: Floats, forest: bool) -> list[tuple[int, float, float]]:
    """The choices by their weights; the forest has half of the say, trusted as far as distances are."""
    said = [(kind, trust, share) for (kind, trust), share in zip(CHOICES, weights.tolist(), strict=True)]
    if not forest:
        return said
    return [(kind, trust, 0.5 * share) for one, trust, share in said for kind in (one, FOREST)]


def graded(reward: Floats) -> Floats:
    """Rewards in -2..2 by the logarithm of what they fall short of the best one, again in -2..2.

    Among good outcomes it tells the excellent from those that were nearly too late, which rewards hardly do: an action
    that is slow where it succeeds fails more often.
    """
    best, worst = math.log(FINEST), math.log(1.0 + FINEST)
    short = np.log((2.0 - np.clip(reward, -2.0, 2.0)) / 4.0 + FINEST)
    return np.asarray(2.0 - 4.0 * (short - best) / (worst - best), dtype=np.float64)


def trusted(matrix: Matrix, known: Floats, total: Floats) -> float:
    """How many outcomes nearby outweigh the whole task type, from weights and totals [n, k] of states [n, d]."""
    weights, _ = _weigh(matrix, known, total)
    return float(sum(share * trust for share, (_, trust) in zip(weights.tolist(), CHOICES, strict=True)))


def _table(place: Ints, acts: Ints, values: Floats, shape: tuple[int, int]) -> Floats:
    found = np.bincount(place * shape[1] + acts, values, minlength=shape[0] * shape[1])
    return found.reshape(shape).astype(np.float64)


def _weigh(matrix: Matrix, known: Floats, total: Floats) -> tuple[Floats, float]:
    """How well each of ``CHOICES`` tells what came of actions [n, k] in a state from all other states, as weights, and
    their mean squared error."""
    asked = np.unique(np.linspace(0, len(matrix) - 1, min(ASKED, len(matrix))).astype(np.int64))
    squares = np.einsum("nd,nd->n", matrix, matrix)
    distances = squares[asked, None] + squares - 2.0 * matrix[asked] @ matrix.T
    distances = np.maximum(distances, 0.0).astype(np.float64)
    median = np.median(distances, axis=1)
    mine, told = known[asked], total[asked]
    grand = total.sum() / known.sum()
    usual = (total.sum(axis=0) - told + grand) / (known.sum(axis=0) - mine + 1.0)  # of each action elsewhere
    errors = []
    for width in WIDTHS:
        near = np.exp(-distances / np.maximum(width * median, 1e-9)[:, None])
        near[np.arange(len(asked)), asked] = 0.0
        weight = near @ known
        rest = near @ total - weight * usual
        shift = rest.sum(axis=1, keepdims=True) / (weight.sum(axis=1, keepdims=True) + SHARED_SHIFT)
        for trust in TRUSTS:
            guess = usual + shift + (rest - weight * shift) / (weight + trust)
            off = told / np.maximum(mine, 1e-9) - guess
            errors.append(float((mine * off * off).sum()))
    found = -0.5 * (mine.sum() + PRIOR_ERROR) * np.log(np.array(errors) + PRIOR_ERROR)
    weights = np.exp(found - found.max())
    weights /= weights.sum()
    error = float(weights @ np.array(errors) + PRIOR_ERROR) / (float(mine.sum()) + 1.0)
    return np.asarray(weights, dtype=np.float64), error
