"""Exploration: from what is believed of each action to the probability of taking it.

Each kind gives a distribution over the actions that may still be the best: those whose upper bound reaches the value of
the best one, or of which hardly anything is known. The others are not explored: their probability is 0 until evidence
widens or lifts their interval again (action elimination: Even-Dar, Mannor and Mansour 2006). The distribution is mixed
with a floor (each of the k open actions keeps at least floor / k) and the action is sampled from exactly the mixture,
so that the logged propensity is the true one and every later policy can be judged off-policy, on the actions it has
support for.

- ``thompson`` (Thompson 1933; Russo et al. 2018): an action is taken with the probability that it is the best one under
  the posterior, its deviations shrunk towards ``CAUTION`` of them as outcomes come in. The shares that infinitely many
  posterior draws would give are computed by integration: no noise of a finite number of draws, and the same evidence
  gives the same distribution in every process.
- ``ucb`` (Auer, Cesa-Bianchi and Fischer 2002): the action with the highest mean + sqrt(2 ln n) standard errors; ties
  are shared.
- ``epsilon`` (ibid., the falling schedule): the action of the highest mean, others with k / (k + n) shared evenly.
"""

from __future__ import annotations

import math
import random

import numpy as np
from numpy.typing import NDArray

from engrain.config import Config
from engrain.learn.backoff import Posterior

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

CAUTION = 0.35
"""Undiluted posterior sampling pays off over endless runs. Over 50 to 500 decisions narrower draws have lower regret:
0.036 instead of 0.054 a decision for coins of 0.2, 0.5 and 0.8 (150 decisions), 1.15 instead of 1.30 on the data of
bench/advice.py. What was never tried keeps its whole deviation, so that an unlucky start does not hide it for good."""

_GRID = np.linspace(-8.0, 8.0, 4097)
_CDF = np.array([0.5 * math.erfc(-z / math.sqrt(2.0)) for z in _GRID])


def chances(config: Config, task_type: str, belief: Posterior, ruled: Floats | None) -> Floats:
    """The probabilities [k] with which an action is advised: those of a live policy's rule (``ruled``), or those that
    the configured kind of exploration gives, with floor and cap."""
    kind, floor = config.exploration, config.explore_floor
    open_ = plausible(belief.mean, belief.high, belief.weight) | (belief.choice >= belief.choice.max())
    if ruled is None:
        found = distribution(kind, belief.choice, belief.explore, belief.weight, floor, open_)
    else:
        found = mixed(ruled, floor, open_)
    if task_type in config.costly:
        found = capped(found, int((belief.choice if ruled is None else ruled).argmax()), config.explore_cap)
    return found


def upheld(ruled: Floats, belief: Posterior) -> Floats | None:
    """What a rule of decisions that nothing follows from still has a say on, [k]: not on an action that cannot be the
    best any more by the outcomes since it was trained; None when nothing is left."""
    kept = ruled * plausible(belief.mean, belief.high, belief.weight)
    whole = float(kept.sum())
    return np.asarray(kept / whole, dtype=np.float64) if whole > 0.0 else None


def plausible(mean: Floats, high: Floats, weight: Floats) -> Mask:
    """[k] Whether an action may be the best: its upper bound reaches the highest mean, or it was hardly ever
    tried: less than one verified outcome tells of it."""
    best = mean.max()
    return np.asarray((high >= best) | (mean >= best) | (weight < 1.0), dtype=np.bool_)


def capped(chances: Floats, best: int, cap: float) -> Floats:
    """The same with at most ``cap`` (0..1) for all actions but ``best`` together; what they lose is the best one's."""
    rest = float(chances.sum() - chances[best])
    if rest <= cap:
        return chances
    found = chances * (cap / rest)
    found[best] = 1.0 - cap
    return found


def distribution(
    kind: str, mean: Floats, spread: Floats, weight: Floats, floor: float, open_: Mask | None = None
) -> Floats:
    """Probabilities [k] that sum to 1, each at least ``floor`` / k. Of actions that are not ``open_`` it is 0, and k is
    the number of those that are.

    ``mean`` and ``spread`` [k] are the posterior of each action's reward (standard deviations above 0), ``weight`` [k]
    that of the outcomes behind it, ``floor`` in 0..1.
    """
    if open_ is not None and not open_.all():
        found = np.zeros(len(mean))
        found[open_] = distribution(kind, mean[open_], spread[open_], weight[open_], floor)
        return found
    k, outcomes = len(mean), float(weight.sum())
    if kind == "thompson":
        best = _share_of_wins(mean, spread * (CAUTION + (1.0 - CAUTION) / (1.0 + weight)))
    elif kind == "ucb":
        best = _shared(mean + spread * math.sqrt(2.0 * math.log(outcomes + 2.0)))
    else:
        rate = k / (k + outcomes)
        best = (1.0 - rate) * _shared(mean) + rate / k
    return mixed(best, floor)


def mixed(chances: Floats, floor: float, open_: Mask | None = None) -> Floats:
    """Probabilities [k] of which each that is ``open_`` (None: all) is at least ``floor`` over their number."""
    even = np.full(len(chances), 1.0 / len(chances)) if open_ is None else open_ / open_.sum()
    whole = (1.0 - floor) * chances + floor * even
    return np.asarray(whole / whole.sum(), dtype=np.float64)


def draw(probabilities: Floats, rng: random.Random) -> int:
    """The index of one action, drawn from exactly these probabilities."""
    point, reached = rng.random(), 0.0
    for index, probability in enumerate(probabilities.tolist()):
        reached += probability
        if point < reached:
            return index
    return int(np.flatnonzero(probabilities > 0.0)[-1])  # the sum fell short of 1 by rounding


def _shared(score: Floats) -> Floats:
    top = score >= score.max() - 1e-12
    return np.asarray(top / top.sum(), dtype=np.float64)


def _share_of_wins(mean: Floats, spread: Floats) -> Floats:
    """P(action i has the highest draw) for independent normals: the integral of prod_{j != i} F_j dF_i.

    The grid is made of quantiles of every action (fewer each when there are many actions); the step of F_i is exact,
    the product is averaged over each step. Error below 0.01 at k = 2 and falling with the size of the grid.
    """
    k = len(mean)
    if k == 1:
        return np.ones(1)
    count = max(1, min(64, 1024 // k))
    each = np.interp((np.arange(count) + 0.5) / count, _CDF, _GRID)
    points = np.unique((mean[:, None] + spread[:, None] * each).ravel())
    edges = np.concatenate([[points[0] - 20.0], points, [points[-1] + 20.0]])
    cdf = np.interp((edges - mean[:, None]) / spread[:, None], _GRID, _CDF)
    logs = np.log(np.maximum(cdf, 1e-300))
    others = np.exp(logs.sum(axis=0) - logs)
    steps = np.diff(cdf, axis=1)
    wins = np.asarray((steps * (others[:, 1:] + others[:, :-1]) / 2.0).sum(axis=1))
    return np.asarray(wins / wins.sum(), dtype=np.float64)
