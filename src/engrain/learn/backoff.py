"""Back-off: what is believed of each action in a state, also in one never seen before.

A chain of normal models, each level the prior of the next (Bayesian hierarchical shrinkage; Gelman and Hill 2007,
chapter 12), for rewards of action a in state s:

1. tenant: other agents' outcomes of a, shrunk to the mean over actions. They count as at most ``TENANT_CAP`` verified
   outcomes, since another agent is another world.
2. task type: this agent's outcomes of a anywhere else, shrunk to level 1.
3. nearest states: first a shift that all actions share (some states are hard whatever one does), then what is left for
   a, both weighted by a nearness that is learned (see ``nearness``), with how wide it is and how far it is trusted.
4. the state itself: its own outcomes, which are left out of the levels above and so are counted once.

The variance of one outcome of a, v, is estimated from all its outcomes and drawn to the variance over all actions where
they are few. Of v, half is taken to lie between states, unless states that came back tell better. What the levels have
learned adds up in precisions, from which the posterior standard deviation follows.

What is told, the 90 % interval, rests on more: what was hardly tried is told from other actions and states, so its
error is at least that of shrinking towards them by as much as is done here, as far as they lie apart (see ``apart``).

What is chosen by is the same chain over rewards that are mostly graded (see ``graded``) while outcomes are few. How
near states are is learned slowly, so in a state never seen it rests at first on what was done in states like this one,
and an action that is not known there is expected to do as what was chosen does on the whole: it is tried where what is
known does worse (satisficing; Simon 1956), and hardly anything else is (greedy choice explores enough where contexts
differ; Bastani, Bayati and Khosravi 2021). An action never tried is tried as soon as actions may lie that far apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engrain.learn.apart import apart
from engrain.learn.credit import Sums
from engrain.learn.local import (
    BETWEEN,
    FLOOR_VARIANCE,
    PRIOR_APART,
    PRIOR_COUNT,
    PRIOR_VARIANCE,
    STATE_CAP,
    Asked,
    Local,
    local_sums,
)
from engrain.learn.nearness import FOREST, MIDDLE, SHARED_SHIFT
from engrain.learn.qtable import QTable
from engrain.learn.reward import HIGH, LOW
from engrain.learn.state import State
from engrain.model.decision import Evidence

Floats = NDArray[np.float64]

PRIOR_MEAN = 0.0  # of a reward in [-2, 2], before anything is known
SHRINKAGE = 1.0  # outcomes that the level above is worth, besides what it has learned
TENANT_CAP = 4.0
LEARNED = 400.0  # outcomes after which what is chosen by in a state never seen rests by half on the nearness learned
USUAL = 0.9  # share of what is chosen on the whole in what is expected of an action that is not known nearby
GREEDY = 0.01  # deviation that exploration may use for actions that were tried, in a state never seen
SPREAD_OUT = 20.0  # most outcomes of an action that tell of other ones, where states have features
Z90 = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class Posterior:
    """Beliefs about each of k actions: [k] arrays, and the evidence behind each."""

    mean: Floats
    choice: Floats  # what to choose by
    spread: Floats  # standard deviation of the posterior of the mean reward in this state
    error: Floats  # standard error that is told: the spread, or more where the mean was told from what lies far apart
    quantile: Floats  # of the 90 % interval: that of Student's t, since the variance is itself estimated
    explore: Floats  # deviation that exploration may use
    high: Floats  # upper ends of the 90 % intervals of what the actions earn in states like this one, -2..2
    weight: Floats  # of the outcomes that this agent has of the action
    evidence: tuple[tuple[Evidence, ...], ...]

    def interval(self, index: int) -> tuple[float, float, float]:
        """(value, low, high): posterior mean reward of an action and its 90 % interval, within the reward's range."""
        mean, half = float(self.mean[index]), float(self.quantile[index] * self.error[index])
        return _clip(mean), _clip(mean - half), _clip(mean + half)


def posterior(table: QTable, state: State, actions: Sequence[str]) -> Posterior:
    """Beliefs about ``actions`` in ``state`` from the sums of ``table``."""
    return posteriors(table, [state] * len(actions), actions, ())


def posteriors(table: QTable, states: Sequence[State], actions: Sequence[str], beside: Sequence[str]) -> Posterior:
    """Beliefs about each of k different ``actions`` in the one of ``states`` [k] that it is asked in, as ``posterior``
    would give them for the actions of that state and those ``beside``, whose outcomes tell of it, too."""
    asked = Asked.of(states, actions, beside)
    own = [*(table.own.get(action, Sums()) for action in asked.names), Sums()]  # the last one is of no action
    both = [*(table.tenant.get(action, Sums()) for action in asked.names), Sums()]
    others = [_positive(all_of_them.plus(mine, -1)) for all_of_them, mine in zip(both, own, strict=True)]
    local, at, real = local_sums(table, asked), asked.column, asked.real
    count = real.sum(axis=1, keepdims=True)
    variance = _variances(table, own)[at]
    weight, total = _column(own, 1)[at], _column(own, 2)[at]
    total = np.array([total, total + local.extra])
    known = weight.sum(axis=1, keepdims=True)
    # levels 1 and 2
    # grading lies lower on the whole
    off = np.array([np.zeros_like(known), local.extra.sum(axis=1, keepdims=True) / np.maximum(known, 1.0)])
    prior_weight, prior_total = _column(others, 1)[at], _column(others, 2)[at]
    prior_total = SHRINKAGE * (_grand_mean(table) + off) + prior_total + off * prior_weight
    strength = SHRINKAGE + TENANT_CAP * prior_weight / (TENANT_CAP + prior_weight)
    weight_else = np.maximum(weight - local.left_weight, 0.0)
    task_mean = (strength * prior_total / (SHRINKAGE + prior_weight) + total - local.left_total) / (
        strength + weight_else
    )
    task_variance = variance / (strength + weight_else)
    # level 3
    near_mean, near_weight, near_total = _nearby(local, task_mean, real)
    featured = bool(table.space.matrix.shape[1])
    if featured:
        on_the_whole = (task_mean[1] * real).sum(axis=1, keepdims=True) / count
        usual = (total[1].sum(axis=1, keepdims=True) + on_the_whole) / (known + 1.0)
        found = _found(local, USUAL * usual + (1.0 - USUAL) * task_mean[1])
        near_mean[1] = (LEARNED * found + known * near_mean[1]) / (LEARNED + known)
    inside = variance * (1.0 - BETWEEN) if local.within is None else np.full_like(variance, local.within)
    between = np.maximum(variance - inside, 0.0)
    near_variance = variance / (near_weight + variance / (task_variance + between))
    if local.error is not None:  # features may tell less than their nearness promises
        near_variance = np.maximum(near_variance, local.error - inside)
    # level 4
    prior = np.minimum(inside / near_variance, STATE_CAP)
    mean, choice = (prior * near_mean + local.here_total) / (prior + local.here_weight)
    here_variance = inside / (prior + local.here_weight)
    lying = _actions_apart(table, (variance * real).sum(axis=1, keepdims=True) / count)
    error = _told(local, variance, (strength, weight_else, lying), (prior, near_weight, inside))
    seen = local.here_weight.any(axis=1, keepdims=True) | (not featured)
    alike = np.where(seen, here_variance, variance / (near_weight + variance / task_variance))
    quantile = Z90 + (Z90**3 + Z90) / 4.0 / (weight + PRIOR_COUNT)  # Fisher's expansion
    unseen = np.where(weight < 1.0, np.sqrt(lying), GREEDY)
    levels = (local.here_weight, local.here_total[0], near_weight, near_total)
    mine = asked.place
    return Posterior(
        mean=mean[mine],
        choice=choice[mine],
        spread=np.sqrt(here_variance[mine]),
        error=np.sqrt(np.maximum(here_variance, error)[mine]),
        quantile=quantile[mine],
        explore=np.where(seen, np.sqrt(here_variance), unseen)[mine],
        high=np.clip(mean + quantile * np.sqrt(np.minimum(alike, here_variance)), LOW, HIGH)[mine],
        weight=weight[mine],
        evidence=_evidence(np.array([level[mine] for level in levels]), own, others),
    )


def _told(
    local: Local, variance: Floats, above: tuple[Floats, Floats, Floats], below: tuple[Floats, Floats, Floats]
) -> Floats:
    """Variance [g, k] of telling what was hardly tried from other actions and states, as far as they lie apart.
    ``above``: strength of the prior, outcomes elsewhere, how far actions lie apart; ``below``: what all this is worth
    to the state, outcomes nearby, variance inside of a state."""
    strength, weight_else, lying = above
    prior, near_weight, inside = below
    task = (strength * np.maximum(variance, lying) + weight_else * variance) / (strength + weight_else) ** 2
    between = np.maximum(variance - inside, local.states_apart)
    error = variance / (near_weight + variance / (task + between))
    error = error if local.error is None else np.maximum(error, local.error - inside)
    return np.asarray((prior**2 * error + local.here_weight * inside) / (prior + local.here_weight) ** 2)


def _nearby(local: Local, task_mean: Floats, real: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean [2, g, k] by the nearest states, and weight and total [g, k] of their outcomes."""
    weight = local.near_weight[:, None]
    rest = (local.near_total - weight * task_mean) * real
    shift = rest.sum(axis=-1, keepdims=True) / (weight.sum(axis=-1, keepdims=True) + SHARED_SHIFT)
    own = rest - weight * shift
    mean, found, total = np.zeros_like(task_mean), np.zeros(real.shape), np.zeros(real.shape)
    for kind, trust, share in local.voices:
        mean += share * (task_mean + shift[kind] + own[kind] / (weight[kind] + trust))
        found += share * local.near_weight[kind]
        total += share * local.near_total[kind, 0]
    return mean, found, total


def _found(local: Local, expected: Floats) -> Floats:
    """What came of each action in states like this one, [g, k], by a kernel of middle width and by the forest alike,
    where it knows one; ``expected`` [g, k] counts as one outcome."""
    near, forest = (
        (local.near_total[kind, 1] + expected) / (local.near_weight[kind] + 1.0) for kind in (MIDDLE, FOREST)
    )
    both = local.near_weight[FOREST].any(axis=1, keepdims=True)
    return np.asarray(np.where(both, (near + forest) / 2.0, near), dtype=np.float64)


def _actions_apart(table: QTable, variance: Floats) -> Floats:
    """Variance of the means of the actions of the task type; ``variance`` [g, 1] is that of one outcome."""
    known = [table.own[action] for action in sorted(table.own) if table.own[action].weight > 0.0]
    weight, total = _column(known, 1), _column(known, 2)
    group = np.zeros(len(known), dtype=np.int64)
    different, place = np.unique(variance, return_inverse=True)
    found = [apart(group, weight, total / weight, float(one), PRIOR_APART) for one in different]
    return np.array(found)[place.reshape(variance.shape)]


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
    most = SPREAD_OUT if table.space.matrix.shape[1] else 1.0  # with features it was the state, perhaps
    total, shares = PRIOR_MEAN, 1.0
    for action in sorted({*table.own, *table.tenant}):
        known = table.tenant.get(action, Sums())
        mine = table.own.get(action, Sums())
        known = mine if mine.weight > known.weight else known
        if known.weight > 0.0:
            share = most * known.weight / (known.weight + most)
            total += share * known.total / known.weight
            shares += share
    return total / shares


def _evidence(near: Floats, own: Sequence[Sums], others: Sequence[Sums]) -> tuple[tuple[Evidence, ...], ...]:
    """Of each of k actions, the first of ``own`` and ``others``; ``near`` [4, k] are weight and total in the state and
    nearby."""
    found = []
    for cells, mine, theirs in zip(near.T.tolist(), own, others, strict=False):
        levels = (
            ("state", cells[0], cells[1]),
            ("nearest", cells[2], cells[3]),
            ("task", mine.weight, mine.total),
            ("tenant", theirs.weight, theirs.total),
        )
        found.append(
            tuple(Evidence(name, weight, _clip(total / weight)) for name, weight, total in levels if weight > 1e-3)
        )
    return tuple(found)


def _positive(sums: Sums) -> Sums:
    return sums if sums.visits > 0 and sums.weight > 0.0 else Sums()


def _column(sums: Sequence[Sums], index: int) -> Floats:
    return np.array([one[index] for one in sums], dtype=np.float64)


def _clip(value: float) -> float:
    return value if math.isnan(value) else max(LOW, min(HIGH, value))
