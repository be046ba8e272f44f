"""Likeness of states that is learned: a forest of extremely randomised trees (Geurts, Ernst and Wehenkel 2006).

Each tree splits the states by one feature at a time, at a random place, taking of ``TRIES`` random splits that which
best tells apart how actions fared (the squared error of all actions' results together; a result that is not known does
not count). Two states are as alike as the share of trees in which they end in one leaf (Breiman 2001), so that features
which make no difference to any action make none to the likeness, which a distance cannot say of them.

Assumes that what an action earns depends on few features, by thresholds, as solvers' and tools' costs often do.
Everything is drawn from a generator with a fixed seed: the same states and results give the same forest, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engrain.learn.features import Matrix

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

TREES = 64
TRIES = 16  # splits that are tried in each node
LEAF = 4  # states below which a node is not split, by default
DEPTH = 16
MOST = 1_024  # states that one tree grows from


@dataclass(frozen=True, slots=True)
class Forest:
    """Nodes of all trees: ``feature`` (-1 in a leaf), ``cut`` and ``child`` (that of smaller values; the other follows
    it), [m] arrays; the first ``TREES`` nodes are the roots."""

    feature: Ints
    cut: Matrix
    child: Ints
    _walk: tuple[Ints, Matrix, Ints] = field(
        init=False, repr=False, compare=False
    )  # the same; leaves lead to themselves

    def __post_init__(self) -> None:
        inner, itself = self.feature >= 0, np.arange(len(self.child), dtype=np.int32)
        walk = (np.maximum(self.feature, 0), np.where(inner, self.cut, np.inf), np.where(inner, self.child, itself))
        object.__setattr__(self, "_walk", walk)

    def leaves(self, states: Matrix) -> Ints:
        """The leaf of each of ``states`` [n, d] in each tree, [n, trees]."""
        feature, cut, child = self._walk
        at = np.tile(np.arange(TREES, dtype=np.int32), (len(states), 1))
        rows = np.arange(len(states))[:, None]
        for _ in range(DEPTH + 1):
            before, at = at, child[at] + (states[rows, feature[at]] > cut[at])
            if (at == before).all():
                break
        return at


def grow(states: Matrix, known: Floats, totals: Floats, leaf: int = LEAF, seed: int = 0) -> Forest:
    """A forest for ``states`` [n, d]; ``known`` [n, k] is the weight of what is known of each action there, ``totals``
    its sum of results, centred so that 0 is what is to be expected of the action; a node of fewer than ``leaf`` states
    is not split."""
    rng = np.random.default_rng(seed)
    n = len(states)
    if n > MOST:
        parts = [rng.choice(n, MOST, replace=False) for _ in range(TREES)]
        state = np.concatenate(parts)
    else:
        state = np.tile(np.arange(n), TREES)
    node = np.repeat(np.arange(TREES), min(n, MOST))
    feature, cut, child = [np.full(TREES, -1)], [np.zeros(TREES)], [np.zeros(TREES, dtype=np.int64)]
    base, size = 0, TREES  # the nodes of this level: base .. base + size
    for _ in range(DEPTH):
        counts = np.bincount(node - base, minlength=size)
        live = counts >= leaf
        keep = live[node - base]
        state, node = state[keep], node[keep]
        if not len(state):
            break
        starts = np.flatnonzero(np.r_[True, np.diff(node) > 0])
        found = _splits(states, known, totals, state, starts, rng)
        names = node[starts]
        split = np.flatnonzero(found[2] > 1e-12)
        feature[-1][names[split] - base] = found[0][split]
        cut[-1][names[split] - base] = found[1][split]
        first = base + size
        child[-1][names[split] - base] = first + 2 * np.arange(len(split))
        lengths = np.diff(np.r_[starts, len(state)])
        entry = np.repeat(np.arange(len(starts)), lengths)
        place = np.full(len(starts), -1)
        place[split] = np.arange(len(split))
        stays = place[entry] >= 0
        right = states[state, found[0][entry]] > found[1][entry]
        node, state = (first + 2 * place[entry] + right)[stays], state[stays]
        order = np.argsort(node, kind="stable")
        node, state = node[order], state[order]
        base, size = first, 2 * len(split)
        if not size:
            break
        feature.append(np.full(size, -1))
        cut.append(np.zeros(size))
        child.append(np.zeros(size, dtype=np.int64))
    whole = (np.concatenate(feature).astype(np.int32), np.concatenate(cut).astype(np.float32))
    return Forest(*whole, np.concatenate(child).astype(np.int32))


def _splits(
    states: Matrix, known: Floats, totals: Floats, state: NDArray[np.int64], starts: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], Matrix, Floats]:  # fmt: skip
    """The best feature, cut and gain of each node; ``state`` lists the states node by node from ``starts`` on."""
    lengths = np.diff(np.r_[starts, len(state)])
    entry = np.repeat(np.arange(len(starts)), lengths)
    weight, total = known[state], totals[state]
    all_weight, all_total = np.add.reduceat(weight, starts), np.add.reduceat(total, starts)
    base = (all_total**2 / np.maximum(all_weight, 1e-9)).sum(axis=1)
    feature = np.zeros(len(starts), dtype=np.int64)
    cut, gain = np.zeros(len(starts), dtype=np.float32), np.zeros(len(starts))
    for _ in range(TRIES):
        tried = rng.integers(states.shape[1], size=len(starts))
        value = states[state, tried[entry]]
        low, high = np.minimum.reduceat(value, starts), np.maximum.reduceat(value, starts)
        at = (low + (high - low) * rng.random(len(starts), dtype=np.float32)).astype(np.float32)
        right = (value > at[entry])[:, None]
        right_weight = np.add.reduceat(weight * right, starts)
        right_total = np.add.reduceat(total * right, starts)
        left_weight, left_total = all_weight - right_weight, all_total - right_total
        score = (right_total**2 / np.maximum(right_weight, 1e-9) + left_total**2 / np.maximum(left_weight, 1e-9)).sum(
            axis=1
        ) - base
        better = (score > gain) & (high > low)
        feature[better], cut[better], gain[better] = tried[better], at[better], score[better]
    return feature, cut, gain
