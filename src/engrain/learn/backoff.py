"""Back-off: what is believed of each action in a state, also in one never seen before.

A chain of normal models, each level the prior of the next (Bayesian hierarchical shrinkage; Gelman and Hill 2007,
chapter 12), for rewards of action a in state s:

1. tenant: other agents' outcomes of a, shrunk to the mean over actions. They count as at most ``TENANT_CAP`` verified
   outcomes, since another agent is another world.
2. task type: this agent's outcomes of a anywhere else, shrunk to level 1.
3. nearest states: first a shift that all actions share (some states are hard whatever one does), then what is left for
   a, both weighted by the kernel exp(-d² / h) over standardised features; h is a quarter of the median squared distance
   from s, so that it fits one feature and two hundred.
4. the state itself: its own outcomes, which are left out of the levels above and so are counted once.

The variance of one outcome of a, v, is estimated from all its outcomes and drawn to the variance over all actions where
they are few. Of v, half is taken to lie between states, unless states that came back tell better. What the levels have
learned adds up in precisions, from which the posterior standard deviation and the 90 % interval follow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engrain.learn.credit import Sums
from engrain.learn.features import squared_distances
from engrain.learn.qtable import QTable
from engrain.learn.state import State
from engrain.model.decision import Evidence

Floats = NDArray[np.float64]

PRIOR_MEAN = 0.0  # of a reward in [-2, 2], before anything is known
PRIOR_VARIANCE = 2.0  # between all rewards alike (0) and a coin of -2 and 2 (4)
FLOOR_VARIANCE = 1e-4  # outcomes that never differed may yet
PRIOR_COUNT = 2.0  # outcomes that the prior variance is worth
SHRINKAGE = 1.0  # outcomes that the level above is worth, besides what it has learned
TENANT_CAP = 4.0
STATE_CAP = 2.0  # outcomes that everything above is worth to a state that has outcomes of its own
SHARED_SHIFT = 3.0  # outcomes nearby that "no shift" is worth
BANDWIDTH = 0.25  # of the median squared distance
BETWEEN = 0.5  # share of the variance that lies between states, when states do not tell
Z90 = 1.6448536269514722
LOW, HIGH = -2.0, 2.0


@dataclass(frozen=True, slots=True)
class Posterior:
    """Beliefs about each of k actions: [k] arrays, and the evidence behind each."""

    mean: Floats
    spread: Floats  # standard deviation of the posterior of the mean reward in this state
    quantile: Floats  # of the 90 % interval: that of Student's t, since the variance is itself estimated
    explore: Floats  # the part of it that exploration can use: that of the task type until a state comes back
    weight: Floats  # of the outcomes that this agent has of the action
    evidence: tuple[tuple[Evidence, ...], ...]

    @property
    def high(self) -> Floats:
        """[k] The upper ends of the 90 % intervals, within the reward's range."""
        return np.clip(self.mean + self.quantile * self.spread, LOW, HIGH)

    def interval(self, index: int) -> tuple[float, float, float]:
        """(value, low, high): posterior mean reward of an action and its 90 % interval, within the reward's range."""
        mean, half = float(self.mean[index]), float(self.quantile[index] * self.spread[index])
        return _clip(mean), _clip(mean - half), _clip(mean + half)


@dataclass(frozen=True, slots=True)
class _Local:
    """Sums of single states by action: [k] arrays; ``near`` is weighted by nearness, ``here`` is the state itself."""

    here_weight: Floats
    here_total: Floats
    near_weight: Floats
    near_total: Floats
    left_out: tuple[Floats, Floats]  # weight and total of the task type that its mean over other states leaves out
    within: float | None  # variance inside of states that came back


def posterior(table: QTable, state: State, actions: Sequence[str]) -> Posterior:
    """Beliefs about ``actions`` in ``state`` from the sums of ``table``."""
    own = [table.own.get(action, Sums()) for action in actions]
    both = [table.tenant.get(action, Sums()) for action in actions]
    others = [_positive(all_of_them.plus(mine, -1)) for all_of_them, mine in zip(both, own, strict=True)]
    local = _local(table, state, actions)
    variance = _variances(table, own)
    # levels 1 and 2
    weight, total = _column(own, 1), _column(own, 2)
    prior_weight, prior_total = _column(others, 1), _column(others, 2)
    grand = _grand_mean(table)
    tenant_mean = (SHRINKAGE * grand + prior_total) / (SHRINKAGE + prior_weight)
    strength = SHRINKAGE + TENANT_CAP * prior_weight / (TENANT_CAP + prior_weight)
    weight_else = np.maximum(weight - local.left_out[0], 0.0)
    task_mean = (strength * tenant_mean + total - local.left_out[1]) / (strength + weight_else)
    task_variance = variance / (strength + weight_else)
    # level 3
    inside = variance * (1.0 - BETWEEN) if local.within is None else np.full_like(variance, local.within)
    between = np.maximum(variance - inside, 0.0)
    start = task_variance + between
    rest = local.near_total - local.near_weight * task_mean
    shift = rest.sum() / (local.near_weight.sum() + SHARED_SHIFT)
    prior = variance / start
    near_mean = task_mean + shift + (rest - local.near_weight * shift) / (local.near_weight + prior)
    near_variance = variance / (local.near_weight + prior)
    # level 4
    prior = np.minimum(inside / near_variance, STATE_CAP)
    mean = (prior * near_mean + local.here_total) / (prior + local.here_weight)
    here_variance = inside / (prior + local.here_weight)
    seen = bool(local.here_weight.any())
    return Posterior(
        mean=mean,
        spread=np.sqrt(here_variance),
        quantile=Z90 + (Z90**3 + Z90) / 4.0 / (weight + PRIOR_COUNT),  # Fisher's expansion
        explore=np.sqrt(here_variance if seen else task_variance),
        weight=weight,
        evidence=tuple(_evidence(local, own[i], others[i], i) for i in range(len(actions))),
    )


def _local(table: QTable, state: State, actions: Sequence[str]) -> _Local:
    k = len(actions)
    states, acts, cells = table.rows()
    if not len(states):
        none = np.zeros(k)
        return _Local(none, none, none, none, (none, none), None)
    weights, totals, squares = cells
    distances = squared_distances(table.space.matrix, table.space.vector(state.values))
    here = table.states.get(state.key, -1)
    others = np.delete(distances, here) if here >= 0 else distances
    width = BANDWIDTH * float(np.median(others)) if len(others) else 0.0
    near = np.exp(-distances / max(width, 1e-9))
    if here >= 0:
        near[here] = 0.0
    column = np.full(len(table.actions), k, dtype=np.int64)  # actions that are not asked about go to a spare column
    for index, action in enumerate(actions):
        if action in table.actions:
            column[table.actions[action]] = index
    slot, kernel, mine = column[acts], near[states], states == here
    one = np.where(
        mine, 0.0, (1.0 + STATE_CAP) / (weights + STATE_CAP)
    )  # a state that came back often is still one state

    def by_action(values: Floats) -> Floats:
        return np.bincount(slot, values, minlength=k + 1)[:k].astype(np.float64)

    return _Local(
        here_weight=by_action(np.where(mine, weights, 0.0)),
        here_total=by_action(np.where(mine, totals, 0.0)),
        near_weight=by_action(kernel * one * weights),
        near_total=by_action(kernel * one * totals),
        left_out=(by_action((1.0 - one) * weights), by_action((1.0 - one) * totals)),
        within=_within(weights, totals, squares),
    )


def _within(weights: Floats, totals: Floats, squares: Floats) -> float | None:
    """Variance of the outcomes of one action in one state, from rows with more than one verified outcome's weight."""
    again = weights > 1.0
    if not again.any():
        return None
    weights, totals, squares = weights[again], totals[again], squares[again]
    residual = np.maximum(squares - totals * totals / weights, 0.0).sum()
    found = (residual + PRIOR_COUNT * PRIOR_VARIANCE) / ((weights - 1.0).sum() + PRIOR_COUNT)
    return max(float(found), FLOOR_VARIANCE)


def _variances(table: QTable, own: Sequence[Sums]) -> Floats:
    """Variance of one outcome of each action over all states, [k]."""
    known = [sums for sums in table.own.values() if sums.weight > 0.0]
    spread = sum(_scatter(sums) for sums in known)
    pooled = (spread + PRIOR_COUNT * PRIOR_VARIANCE) / (sum(sums.weight for sums in known) + PRIOR_COUNT)
    each = [(_scatter(sums) + PRIOR_COUNT * pooled) / (sums.weight + PRIOR_COUNT) for sums in own]
    return np.maximum(np.array(each, dtype=np.float64), FLOOR_VARIANCE)


def _scatter(sums: Sums) -> float:
    """Weighted squared deviations from the action's mean, that mean drawn to the prior by one outcome."""
    if sums.weight <= 0.0:
        return 0.0
    mean = sums.total / (sums.weight + SHRINKAGE)
    return max(0.0, sums.squares - 2.0 * mean * sums.total + mean * mean * sums.weight)


def _grand_mean(table: QTable) -> float:
    """The mean over actions, each counting the more the more is known of it; the prior counts as one of them."""
    total, shares = PRIOR_MEAN, 1.0
    for action in sorted({*table.own, *table.tenant}):
        known = table.tenant.get(action, Sums())
        mine = table.own.get(action, Sums())
        known = mine if mine.weight > known.weight else known
        if known.weight > 0.0:
            share = known.weight / (known.weight + 1.0)
            total += share * known.total / known.weight
            shares += share
    return total / shares


def _evidence(local: _Local, own: Sums, others: Sums, i: int) -> tuple[Evidence, ...]:
    levels = (
        ("state", float(local.here_weight[i]), float(local.here_total[i])),
        ("nearest", float(local.near_weight[i]), float(local.near_total[i])),
        ("task", own.weight, own.total),
        ("tenant", others.weight, others.total),
    )
    return tuple(Evidence(level, weight, _clip(total / weight)) for level, weight, total in levels if weight > 1e-3)


def _positive(sums: Sums) -> Sums:
    return sums if sums.visits > 0 and sums.weight > 0.0 else Sums()


def _column(sums: Sequence[Sums], index: int) -> Floats:
    return np.array([one[index] for one in sums], dtype=np.float64)


def _clip(value: float) -> float:
    return value if math.isnan(value) else max(LOW, min(HIGH, value))
