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
from engrain.learn.features import step
from engrain.learn.nearness import FOREST, MIDDLE, SHARED_SHIFT, Nearness, graded
from engrain.learn.qtable import QTable
from engrain.learn.reward import HIGH, LOW
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
GRADED = 0.7  # share of graded rewards in what is chosen by, before any outcome
GRADED_FOR = 60.0  # outcomes an action after which that has halved
LEARNED = 400.0  # outcomes after which what is chosen by in a state never seen rests by half on the nearness learned
USUAL = 0.9  # share of what is chosen on the whole in what is expected of an action that is not known nearby
GREEDY = 0.01  # deviation that exploration may use for actions that were tried, in a state never seen
SPREAD_OUT = 20.0  # most outcomes of an action that tell of other ones, where states have features
FEW = 32  # rows
BETWEEN = 0.5  # share of the variance that lies between states, when states do not tell
PRIOR_APART = BETWEEN * PRIOR_VARIANCE  # variance of mean rewards before two of them are known
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


@dataclass(frozen=True, slots=True)
class _Local:
    """Sums of single states by action: [k] arrays, totals [2, k]: of rewards, and of half graded ones.

    ``near`` is weighted by nearness, [kinds, …]; ``here`` is the state itself; ``left_out`` what the mean over other
    states leaves out of the task type; ``extra`` what grading adds to the totals of the task type. ``voices`` are
    those of the nearness.
    """

    here_weight: Floats
    here_total: Floats
    near_weight: Floats
    near_total: Floats
    left_weight: Floats
    left_total: Floats
    extra: Floats
    within: float | None  # variance inside of states that came back
    states_apart: float  # variance of the means of an action in states that came back
    voices: Sequence[tuple[int, float, float]]
    error: float | None  # mean squared error of telling outcomes from other states


def posterior(table: QTable, state: State, actions: Sequence[str]) -> Posterior:
    """Beliefs about ``actions`` in ``state`` from the sums of ``table``."""
    own = [table.own.get(action, Sums()) for action in actions]
    both = [table.tenant.get(action, Sums()) for action in actions]
    others = [_positive(all_of_them.plus(mine, -1)) for all_of_them, mine in zip(both, own, strict=True)]
    local = _local(table, state, actions)
    variance = _variances(table, own)
    # levels 1 and 2
    weight, total = _column(own, 1), np.vstack([_column(own, 2), _column(own, 2) + local.extra])
    prior_weight, prior_total = _column(others, 1), np.tile(_column(others, 2), (2, 1))
    off = np.array([[0.0], [local.extra.sum() / max(float(weight.sum()), 1.0)]])  # grading lies lower on the whole
    tenant_mean = (SHRINKAGE * (_grand_mean(table) + off) + prior_total + off * prior_weight) / (
        SHRINKAGE + prior_weight
    )
    strength = SHRINKAGE + TENANT_CAP * prior_weight / (TENANT_CAP + prior_weight)
    weight_else = np.maximum(weight - local.left_weight, 0.0)
    task_mean = (strength * tenant_mean + total - local.left_total) / (strength + weight_else)
    task_variance = variance / (strength + weight_else)
    # level 3
    near_mean, near_weight, near_total = _nearby(local, task_mean)
    featured = bool(table.space.matrix.shape[1])
    if featured:
        known = float(weight.sum())
        usual = (float(total[1].sum()) + float(task_mean[1].mean())) / (known + 1.0)
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
    # what is told
    lying = _actions_apart(table, float(variance.mean()))
    above = (strength * np.maximum(variance, lying) + weight_else * variance) / (strength + weight_else) ** 2
    error = variance / (near_weight + variance / (above + np.maximum(between, local.states_apart)))
    error = error if local.error is None else np.maximum(error, local.error - inside)
    error = (prior**2 * error + local.here_weight * inside) / (prior + local.here_weight) ** 2
    seen = bool(local.here_weight.any()) or not featured
    alike = here_variance if seen else variance / (near_weight + variance / task_variance)
    quantile = Z90 + (Z90**3 + Z90) / 4.0 / (weight + PRIOR_COUNT)  # Fisher's expansion
    return Posterior(
        mean=mean,
        choice=choice,
        spread=np.sqrt(here_variance),
        error=np.sqrt(np.maximum(here_variance, error)),
        quantile=quantile,
        explore=np.sqrt(here_variance) if seen else np.where(weight < 1.0, math.sqrt(lying), GREEDY),
        high=np.clip(mean + quantile * np.sqrt(np.minimum(alike, here_variance)), LOW, HIGH),
        weight=weight,
        evidence=tuple(_evidence(local, (near_weight, near_total), own[i], others[i], i) for i in range(len(actions))),
    )


def _nearby(local: _Local, task_mean: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean [2, k] by the nearest states, and weight and total [k] of their outcomes."""
    weight = local.near_weight[:, None, :]
    rest = local.near_total - weight * task_mean
    shift = rest.sum(axis=2, keepdims=True) / (weight.sum(axis=2, keepdims=True) + SHARED_SHIFT)
    own = rest - weight * shift
    mean, found, total = np.zeros_like(task_mean), np.zeros(task_mean.shape[1]), np.zeros(task_mean.shape[1])
    for kind, trust, share in local.voices:
        mean += share * (task_mean + shift[kind] + own[kind] / (weight[kind] + trust))
        found += share * local.near_weight[kind]
        total += share * local.near_total[kind, 0]
    return mean, found, total


def _found(local: _Local, expected: Floats) -> Floats:
    """What came of each action in states like this one, [k], by a kernel of middle width and by the forest alike;
    ``expected`` [k] counts as one outcome."""
    kinds = [MIDDLE, FOREST] if local.near_weight[FOREST].any() else [MIDDLE]
    means = [(local.near_total[kind, 1] + expected) / (local.near_weight[kind] + 1.0) for kind in kinds]
    return np.asarray(np.mean(means, axis=0), dtype=np.float64)


def _local(table: QTable, state: State, actions: Sequence[str]) -> _Local:
    k = len(actions)
    states, acts, cells = table.rows()
    nothing = np.zeros(k)
    if not len(states):
        two, near = np.zeros((2, k)), np.zeros((FOREST + 1, k))
        return _Local(
            nothing, two, near, np.zeros((FOREST + 1, 2, k)), nothing, two, nothing, None, 0.0, [(0, 1.0, 1.0)], None
        )
    weights, totals, squares = cells
    nearness = _nearness(table, states, acts, cells)
    here = table.states.get(state.key, -1)
    near = nearness.of(table.space, table.space.vector(state.values), here)
    column = np.full(len(table.actions), k, dtype=np.int64)  # actions that are not asked about go to a spare column
    for index, action in enumerate(actions):
        if action in table.actions:
            column[table.actions[action]] = index
    slot, mine = column[acts], states == here
    one = np.where(
        mine, 0.0, (1.0 + STATE_CAP) / (weights + STATE_CAP)
    )  # a state that came back often is still one state

    def by_action(values: Floats) -> Floats:
        return np.bincount(slot, values, minlength=k + 1)[:k].astype(np.float64)

    each = float(by_action(weights).sum()) / k  # one share for all actions: half graded, a good one looks worse
    share = np.append(np.full(k, GRADED * GRADED_FOR / (GRADED_FOR + each)), 0.0)[slot]
    means = totals / np.maximum(weights, 1e-9)
    extra = share * weights * (graded(means) - means)
    both = (totals, totals + extra)
    within = _within(weights, totals, squares)
    lie = 0.0 if within is None or len(table.states) < 2 else apart(acts, weights, means, within, PRIOR_APART)
    return _Local(
        here_weight=by_action(np.where(mine, weights, 0.0)),
        here_total=np.array([by_action(np.where(mine, one_of, 0.0)) for one_of in both]),
        near_weight=np.array([by_action(kernel[states] * one * weights) for kernel in near]),
        near_total=np.array([[by_action(kernel[states] * one * one_of) for one_of in both] for kernel in near]),
        left_weight=by_action((1.0 - one) * weights),
        left_total=np.array([by_action((1.0 - one) * one_of) for one_of in both]),
        extra=by_action(extra),
        within=within,
        states_apart=lie,
        voices=nearness.voices,
        error=nearness.error,
    )


def _nearness(
    table: QTable, states: NDArray[np.int64], acts: NDArray[np.int64], cells: NDArray[np.float64]
) -> Nearness:
    """That of the table, made anew when enough has been learned since; of few rows, whenever one of them changed."""
    _ = table.space.matrix
    few = len(states) <= FEW
    asked = (table.space.version, step(len(states)), table.changes if few else 0)
    if table.nearness is None or table.nearness[0] != asked:
        first = np.array(_named(table, states, acts)) if few else np.arange(asked[1])
        table.nearness = (
            asked,
            Nearness(table.space, (states[first], acts[first], cells[:2, first]), len(table.actions)),
        )
    return table.nearness[1]


def _named(table: QTable, states: NDArray[np.int64], acts: NDArray[np.int64]) -> list[int]:
    """The rows by the names of their states and actions, not as this process came to know them."""
    keys, names = list(table.states), list(table.actions)
    return sorted(range(len(states)), key=lambda at: (keys[states[at]], names[acts[at]]))


def _within(weights: Floats, totals: Floats, squares: Floats) -> float | None:
    """Variance of the outcomes of one action in one state, from rows with more than one verified outcome's weight."""
    again = weights > 1.0
    if not again.any():
        return None
    weights, totals, squares = weights[again], totals[again], squares[again]
    residual = np.maximum(squares - totals * totals / weights, 0.0).sum()
    found = (residual + PRIOR_COUNT * PRIOR_VARIANCE) / ((weights - 1.0).sum() + PRIOR_COUNT)
    return max(float(found), FLOOR_VARIANCE)


def _actions_apart(table: QTable, variance: float) -> float:
    """Variance of the means of the actions of the task type; ``variance`` is that of one outcome."""
    known = [table.own[action] for action in sorted(table.own) if table.own[action].weight > 0.0]
    weight, total = _column(known, 1), _column(known, 2)
    return apart(np.zeros(len(known), dtype=np.int64), weight, total / weight, variance, PRIOR_APART)


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


def _evidence(local: _Local, near: tuple[Floats, Floats], own: Sums, others: Sums, i: int) -> tuple[Evidence, ...]:
    levels = (
        ("state", float(local.here_weight[i]), float(local.here_total[0, i])),
        ("nearest", float(near[0][i]), float(near[1][i])),
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
