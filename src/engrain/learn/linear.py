"""A linear model over features, offline: what an action earns as a sum over what the state has.

For task types whose decisions stand alone. Of each action its mean, shrunk to that of all; what lies beyond it is told
by ridge regression (Hoerl and Kennard 1970) in two levels: coefficients that all actions share (some states are hard
whatever one does), and what is left for the action itself. How much each level is shrunk is chosen by the error of
telling outcomes that were left out (PRESS; Allen 1974). The action with the highest lower bound is taken, as in
``contextual``; the error of a value takes the features as if they were uncorrelated, so that a rule stays small.

Assumes that effects add up. It finds what depends on many features a little, which a forest hardly does; thresholds and
what two features do together it does not see.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engrain.errors import InvalidPolicy
from engrain.learn.contextual import (
    Outcomes,
    actions_of,
    drawn,
    numbers_of,
    space_of,
    surest,
    variances,
)
from engrain.learn.features import Space
from engrain.learn.log import Floats
from engrain.learn.reward import HIGH, LOW
from engrain.learn.rule import Known
from engrain.learn.state import State

WIDEST = 400  # coordinates
PENALTIES = (1.0, 10.0, 100.0, 1000.0, 10_000.0)


class LinearRule:
    """Decides by a sum over features. ``base`` [k, 3] are mean, variance and weight of each action, ``slope`` [k, d]
    its coefficients, ``spread`` [k, d] their variances for outcomes of variance 1."""

    kind = "linear"

    def __init__(self, actions: tuple[str, ...], space: Space, base: Floats, slope: Floats, spread: Floats) -> None:
        self.actions = actions
        self._space, self._base, self._slope, self._spread = space, base, slope, spread

    def values(self, state: State) -> tuple[Floats, Floats]:
        """Value and standard error of each of ``self.actions`` [k]."""
        vector = self._space.vector(state.values).astype(np.float64)
        value = self._base[:, 0] + self._slope @ vector
        error = self._base[:, 1] * (1.0 / (self._base[:, 2] + 1.0) + self._spread @ (vector * vector))
        return np.clip(value, LOW, HIGH), np.sqrt(error)

    def chances(self, state: State, actions: Sequence[str]) -> Floats | None:
        """All of the probability on the offered action of the highest lower bound; None when it knows none of them."""
        return surest(self.actions, *self.values(state), actions)

    def known(self, state: State, action: str) -> Known | None:
        if action not in self.actions:
            return None
        at = self.actions.index(action)
        value, error = self.values(state)
        return Known(float(value[at]), None, float(error[at]))  # it counts no states, only the action everywhere

    def body(self) -> dict[str, Any]:
        parts = {"base": self._base, "slope": self._slope, "spread": self._spread}
        lists = {name: one.tolist() for name, one in parts.items()}
        return {"actions": list(self.actions), "space": self._space.body(), **lists}

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> LinearRule:
        """Raises InvalidPolicy."""
        actions, space = actions_of(body), space_of(body)
        base, slope, spread = (numbers_of(name, body.get(name), 2) for name in ("base", "slope", "spread"))
        if base.shape != (len(actions), 3) or (base[:, 1:] < 0.0).any() or (np.abs(base[:, 0]) > HIGH).any():
            raise InvalidPolicy("base is [mean in -2..2, variance, weight] of each action.")
        if not slope.shape == spread.shape == (len(actions), space.width) or (spread < 0.0).any():
            raise InvalidPolicy(
                "slope and spread have a number for each action and coordinate; spread is not negative."
            )
        return cls(actions, space, base, slope, spread)


def fit(told: Outcomes | None) -> LinearRule | None:
    """The rule for these outcomes; None when there are none, there are too many features, or they tell nothing in a
    line."""
    if told is None or told.space.matrix.shape[1] > WIDEST:
        return None
    actions, space, weight, total, squares = told
    state, action = np.nonzero(weight)
    x, w = space.matrix[state].astype(np.float64), weight[state, action]
    known, mean = weight.sum(axis=0), drawn(total, weight)
    rest = total[state, action] / w - mean[action]
    shared, _, penalty = _ridge(x, w, rest)
    left = rest - x @ shared
    found = [_ridge(x[action == one], w[action == one], left[action == one]) for one in range(len(known))]
    slope = np.array([shared + own for own, _, _ in found])
    spread = np.array([own for _, own, _ in found])
    off = rest - np.einsum("nd,nd->n", x, slope[action])
    inside = (squares - total**2 / np.maximum(weight, 1e-9)).clip(0.0).sum(axis=0)  # of states that came back
    scatter = np.bincount(action, w * off * off, minlength=len(known)) + inside
    if penalty == PENALTIES[-1] and all(one[2] == PENALTIES[-1] for one in found):
        return None
    base = np.stack([mean, variances(scatter, known), known], axis=1)
    return LinearRule(actions, space, np.round(base, 6), np.round(slope, 6), np.round(spread, 8))


def _ridge(x: Floats, w: Floats, y: Floats) -> tuple[Floats, Floats, float]:
    """Coefficients [d], their variances [d] for outcomes of variance 1, and the penalty, which tells left-out outcomes
    best; the largest one unless a smaller one is better."""
    width = x.shape[1]
    if not len(y):
        return np.zeros(width), np.full(width, 1.0 / PENALTIES[-1]), PENALTIES[-1]
    gram, told = (x * w[:, None]).T @ x, (x * w[:, None]).T @ y
    values, vectors = np.linalg.eigh(gram)
    values, turned, seen = np.maximum(values, 0.0), vectors.T @ told, x @ vectors
    least, best = math.inf, PENALTIES[-1]
    for penalty in PENALTIES[::-1]:
        fitted = seen @ (turned / (values + penalty))
        lever = np.minimum(w * (seen**2 @ (1.0 / (values + penalty))), 0.999)
        error = float((w * ((y - fitted) / (1.0 - lever)) ** 2).sum())
        if error < least * (1.0 - 1e-9):
            least, best = error, penalty
    inverse = 1.0 / (values + best)
    return vectors @ (turned * inverse), vectors**2 @ inverse, best
