"""Contextual decisions, offline: from what came of actions in states to a rule over the states' features.

For task types whose decisions stand alone (no next state). Outcomes in states that are alike by a forest (see
``forest``) are pooled: per action a, its mean over all states, plus a shift that all actions share there, plus what is
left for a, each shrunk to the level above (Gelman and Hill 2007, chapter 12). The action with the highest lower bound
is taken: value less ``PESSIMISM`` standard errors, since offline nobody tries what was overrated (Jin, Yang and Wang
2021). Where features tell nothing, that is the best action of the whole task type.

Assumes that the log holds what the actions were chosen by: what was chosen for reasons outside the state biases it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engrain.errors import InvalidPolicy
from engrain.learn.features import Space
from engrain.learn.forest import TREES, Forest, grow
from engrain.learn.log import Counts, Floats
from engrain.learn.nearness import SHARED_SHIFT, graded, trusted
from engrain.learn.reward import HIGH, LOW
from engrain.learn.rule import Known
from engrain.learn.state import State, stored_state

LEAST_STATES = 16
LEAST_OUTCOMES = 32.0
LARGEST = 400_000  # cells of all leaves: some megabytes of JSON
PESSIMISM = 0.5
PRIOR_VARIANCE, PRIOR_COUNT = 2.0, 2.0


class FeaturesRule:
    """Decides by features. ``base`` [k, 2] are mean and variance of each action; ``cells`` [m, 4] what leaves hold:
    node, action, weight, and total reward beyond the mean; ``trust`` the outcomes alike that the mean is worth."""

    kind = "features"

    def __init__(
        self, actions: tuple[str, ...], space: Space, forest: Forest, base: Floats, cells: Floats, trust: float
    ) -> None:
        self.actions, self._trust = actions, trust
        self._space, self._forest, self._base, self._cells = space, forest, base, cells
        k = len(actions)
        place = cells[:, 0].astype(np.int64) * k + cells[:, 1].astype(np.int64)
        shape = (len(forest.feature), k)
        self._weight = np.bincount(place, cells[:, 2], minlength=shape[0] * k).reshape(shape)
        self._total = np.bincount(place, cells[:, 3], minlength=shape[0] * k).reshape(shape)

    def values(self, state: State) -> tuple[Floats, Floats, Floats]:
        """Value, standard error and weight of the outcomes alike, of each of ``self.actions`` [k]."""
        leaves = self._forest.leaves(self._space.vector(state.values)[None, :])[0]
        weight, total = self._weight[leaves].mean(axis=0), self._total[leaves].mean(axis=0)
        shift = total.sum() / (weight.sum() + SHARED_SHIFT)
        value = self._base[:, 0] + shift + (total - weight * shift) / (weight + self._trust)
        return np.clip(value, LOW, HIGH), np.sqrt(self._base[:, 1] / (weight + self._trust)), weight

    def chances(self, state: State, actions: Sequence[str]) -> Floats | None:
        """All of the probability on the offered action of the highest lower bound; None when it knows none of them."""
        value, error, _ = self.values(state)
        return surest(self.actions, value, error, actions)

    def known(self, state: State, action: str) -> Known | None:
        if action not in self.actions:
            return None
        value, error, weight = (float(one[self.actions.index(action)]) for one in self.values(state))
        return Known(value, weight, error)

    def body(self) -> dict[str, Any]:
        forest = self._forest
        return {
            "actions": list(self.actions),
            "space": self._space.body(),
            "forest": {"feature": forest.feature.tolist(), "cut": forest.cut.tolist(), "child": forest.child.tolist()},
            "trust": self._trust,
            "base": self._base.tolist(),
            "cells": self._cells.T.tolist(),
        }

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> FeaturesRule:
        """Raises InvalidPolicy."""
        actions, space = actions_of(body), space_of(body)
        told = body.get("forest")
        if not isinstance(told, dict):
            raise InvalidPolicy("a features rule has a forest: feature, cut and child of its nodes.")
        feature, cut, child = (numbers_of(f"forest.{name}", told.get(name), 1) for name in ("feature", "cut", "child"))
        nodes = len(feature)
        inner = feature >= 0
        if not (len(cut) == len(child) == nodes >= TREES) or (feature >= space.width).any() or (feature < -1).any():
            raise InvalidPolicy(
                f"the forest has {TREES} roots or more nodes, each with a feature of the rule's, or -1."
            )
        if (child[inner] <= np.flatnonzero(inner)).any() or (child[inner] + 1 >= nodes).any():
            raise InvalidPolicy("a child in the forest comes after its parent, and is there.")
        base, cells = numbers_of("base", body.get("base"), 2), numbers_of("cells", body.get("cells"), 2).T
        if base.shape != (len(actions), 2) or (base[:, 1] < 0.0).any() or (np.abs(base[:, 0]) > HIGH).any():
            raise InvalidPolicy("base is [mean in -2..2, variance] of each action.")
        if not len(cells) or cells.shape[1] != 4 or (cells[:, :3] < 0.0).any():
            raise InvalidPolicy("cells are the four lists node, action, weight and total; only totals may be negative.")
        if (cells[:, 0] >= nodes).any() or (cells[:, 1] >= len(actions)).any():
            raise InvalidPolicy("a cell names a node or an action that is not there.")
        trust = body.get("trust")
        if not isinstance(trust, int | float) or not 0.0 < trust < 1e9:
            raise InvalidPolicy("trust is a number above 0.")
        whole = Forest(feature.astype(np.int32), cut.astype(np.float32), child.astype(np.int32))
        return cls(actions, space, whole, base, cells, float(trust))


def actions_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The actions that the body of a rule over features names. Raises InvalidPolicy."""
    actions = body.get("actions")
    if not isinstance(actions, list) or not actions or not all(isinstance(one, str) for one in actions):
        raise InvalidPolicy("a rule over features names its actions.")
    if len(set(actions)) < len(actions):
        raise InvalidPolicy("a rule over features names an action twice.")
    return tuple(actions)


def space_of(body: Mapping[str, Any]) -> Space:
    """The coordinates of its states. Raises InvalidPolicy."""
    try:
        return Space.read(body.get("space"))
    except ValueError as error:
        raise InvalidPolicy(f"the features of the rule cannot be read: {error}.") from error


def surest(known: Sequence[str], value: Floats, error: Floats, actions: Sequence[str]) -> Floats | None:
    """All of the probability on the one of ``actions`` with the highest lower bound, by what is ``known``; None when
    none of them is."""
    number = {action: index for index, action in enumerate(known)}
    low = np.append(value - PESSIMISM * error, -math.inf)[[number.get(action, -1) for action in actions]]
    if not len(low) or not math.isfinite(low.max()):
        return None
    best = low >= low.max() - 1e-12
    return np.asarray(best / best.sum(), dtype=np.float64)


class Outcomes(NamedTuple):
    """States [n, d], and weight, total and squares [n, k] of the outcomes of k actions there."""

    actions: tuple[str, ...]
    space: Space
    weight: Floats
    total: Floats
    squares: Floats


def drawn(total: Floats, weight: Floats) -> Floats:
    """The mean [k] of each action by sums [n, k], drawn to that of all by one outcome."""
    return np.asarray((total.sum(axis=0) + total.sum() / weight.sum()) / (weight.sum(axis=0) + 1.0), dtype=np.float64)


def variances(scatter: Floats, known: Floats) -> Floats:
    """The variance [k] of one outcome of each action, from its squared deviations and weight, drawn to that of all."""
    pooled = (scatter.sum() + PRIOR_COUNT * PRIOR_VARIANCE) / (known.sum() + PRIOR_COUNT)
    return np.asarray((np.maximum(scatter, 0.0) + PRIOR_COUNT * pooled) / (known + PRIOR_COUNT), dtype=np.float64)


def tabulated(counts: Counts) -> Outcomes | None:
    """Outcomes by state, in an order that does not depend on that of the counts; None when the states have no features,
    or there is too little to learn from."""
    if len(counts.texts) < LEAST_STATES or counts.weight.sum() < LEAST_OUTCOMES:
        return None
    k, states = len(counts.actions), [stored_state(text) for text in counts.texts]
    weight, total, squares = (
        np.bincount(counts.state * k + counts.action, one, minlength=len(states) * k)
        .reshape(len(states), k)
        .astype(np.float64)
        for one in (counts.weight, counts.total, counts.squares)
    )
    order = sorted(range(len(states)), key=lambda index: counts.keys[index])
    space = Space(whole=True)
    for index in order:
        space.add(states[index].values)
    if not space.matrix.shape[1]:
        return None
    return Outcomes(tuple(counts.actions), space, weight[order], total[order], squares[order])


def fit(told: Outcomes | None) -> FeaturesRule | None:
    """The rule for these outcomes; None when there are none, or features tell nothing."""
    if told is None:
        return None
    actions, space, weight, total, squares = told
    known, mean = weight.sum(axis=0), drawn(total, weight)
    scatter = squares.sum(axis=0) - 2.0 * mean * total.sum(axis=0) + mean**2 * known
    score = weight * graded(total / np.maximum(weight, 1e-9))
    forest = grow(space.matrix, weight, score - weight * drawn(score, weight), leaf=_leaf(int((weight > 0.0).sum())))
    if not (forest.feature >= 0).any():
        return None
    trust = round(trusted(space.matrix, weight, total), 4)
    cells = _cells(forest, space, weight, total - weight * mean)
    base = np.stack([mean, variances(scatter, known)], axis=1)
    return FeaturesRule(actions, space, forest, np.round(base, 6), cells, trust)


def _leaf(outcomes: int) -> int:
    """So many states are in a node that is split that all leaves together hold no more than ``LARGEST`` cells."""
    return max(4, math.ceil(4 * TREES * outcomes / LARGEST))


def _cells(forest: Forest, space: Space, weight: Floats, rest: Floats) -> Floats:
    leaves = forest.leaves(space.matrix)
    state, action = np.nonzero(weight)
    place = leaves[state].astype(np.int64) * weight.shape[1] + action[:, None]  # [outcomes, trees]
    found, slot = np.unique(place, return_inverse=True)
    slot = slot.reshape(-1)

    def summed(values: Floats) -> Floats:
        return np.bincount(slot, np.repeat(values[state, action], TREES), minlength=len(found)).astype(np.float64)

    node, act = np.divmod(found, weight.shape[1])
    return np.round(np.stack([node, act, summed(weight), summed(rest)], axis=1), 4)


def numbers_of(name: str, told: Any, dimensions: int) -> NDArray[np.float64]:
    """An array of finite numbers."""
    try:
        found = np.array(told, dtype=np.float64) if isinstance(told, list) else None
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidPolicy(f"{name} is not an array of numbers: {error}.") from error
    if found is None or found.ndim != dimensions or not np.isfinite(found).all() or (np.abs(found) > 1e9).any():
        raise InvalidPolicy(f"{name} is an array of finite numbers in {dimensions} dimension(s).")
    return found
