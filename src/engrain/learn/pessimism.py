"""Pessimistic value iteration: a lower confidence bound on every Q, so that thin data does not shine.

Q is lowered by σ · (STANDARD / √n + BERNSTEIN / n), where n is the evidence of the action in the state and σ the spread
of what follows an action (reward and discounted value), pooled over the whole log (``Model.spread``). So the scale
comes from the data: a world without noise is planned in without any caution, a noisy one with much. The two terms are
those of Bernstein's inequality (Maurer and Pontil 2009): for a handful of outcomes the second is the larger one.
Choosing by a lower bound is minimax optimal for logs that cover a good policy (Jin, Yang and Wang 2021; Rashidinejad et
al. 2021); a count penalty on top of a batch model is RaMDP (Petrik, Ghavamzadeh and Chow 2016).

Assumes the noise to be alike everywhere. Values do not fall below what the worst reward for ever would give: otherwise
penalties add up along a way to more than there is to lose, and staying is taken for safe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engrain.learn.empirical import Model
from engrain.learn.log import Floats
from engrain.learn.value_iteration import Solution, nothing, value_iteration

STANDARD = 1.0  # standard errors; with BERNSTEIN one setting for all tasks (docs/algorithms/pessimism.md)
BERNSTEIN = 2.0
ROUNDS = 50  # of spread and values in turn; most logs need five
SETTLED = 1e-3  # relative change of the spread


@dataclass(frozen=True, slots=True)
class Pessimistic:
    """The solution, whose values are lower bounds; the ``spread`` σ and the ``penalty`` [p] they were found with."""

    solution: Solution
    spread: float
    penalty: Floats


def pessimistic(model: Model, discount: float, *, standard: float = STANDARD, bernstein: float = BERNSTEIN,
                stop: Callable[[], object] = nothing) -> Pessimistic:  # fmt: skip
    """The policy that is best by its lower bound."""
    share = doubt(model.weight, standard, bernstein)
    floor = min(0.0, float(model.gain.min(initial=0.0))) / (1.0 - discount)
    values = np.zeros(model.states)
    spread, penalty = 0.0, np.zeros(len(share))
    for _ in range(ROUNDS):
        found = value_iteration(model, discount, start=values, penalty=penalty, floor=floor, stop=stop)
        values, last = found.values, spread
        spread = model.spread(values, discount)
        if abs(spread - last) <= SETTLED * spread:
            break
        penalty = spread * share
    return Pessimistic(found, spread, penalty)


def doubt(weight: Floats, standard: float = STANDARD, bernstein: float = BERNSTEIN) -> Floats:
    """By how many spreads a mean of so much evidence (above 0) is lowered."""
    return np.asarray(standard / np.sqrt(weight) + bernstein / weight, dtype=np.float64)
