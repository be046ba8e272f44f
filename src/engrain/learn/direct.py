"""What single decisions would earn under a rule, told by a model of the reward: the direct method and its parts.

The reward of action a in state s is modelled from the other folds' outcomes only (cross-fitting; Chernozhukov et al.
2018), so that an outcome never speaks for itself. The mean of a in s is drawn to that of a, that to the mean of all.
Where states do not come back and there are at most ``FEATURED`` decisions, a ridge regression over the states' features
(``features.Space``) with a slope for each action and one for all stands beside it, weighted towards what the rule would
do; whichever predicts the held-out outcomes better is the model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engrain.learn.features import Space
from engrain.learn.log import Floats, Ints
from engrain.learn.rule import Decider
from engrain.learn.sample import Sample, chances
from engrain.learn.tally import numbered

FEATURED = 5_000  # decisions at most for which states are compared by features
RIDGE = 3.0  # noise over signal
SHARED = 0.3  # how much of the signal all actions have in common
TRAINED = 1_000  # decisions at most that the ridge regression is fitted to
STATE_WEIGHT = 2.0  # outcomes that the action's mean is worth in a state
SAME = 1e-9  # by which probabilities of one action may differ
RETURNING = 3.0  # decisions a state from which on states come back


@dataclass(frozen=True, slots=True)
class Decided:
    """A sample of single decisions under a rule, [n] arrays. ``weight`` is the rule's probability of what was done over
    the logged one, ``own`` that probability; ``model`` the modelled reward of what was done, ``model_all`` of what the
    rule would do, ``own_all`` the mean of ``own`` then. Where the rule does not know what to do it leaves it to the
    behaviour: ``known`` is False and the weight 1. ``never`` is the share of what it would do that nobody ever did."""

    reward: Floats
    weight: Floats
    own: Floats
    own_all: Floats
    model: Floats
    model_all: Floats
    known: NDArray[np.bool_]
    cluster: Ints
    never: float


@dataclass(frozen=True, slots=True)
class _Part:
    """One fold's rule: the rows held out, their states (local numbers [m], and the log's), probabilities [m, k]."""

    rows: Ints
    local: Ints
    states: Ints
    matrix: Floats
    known: NDArray[np.bool_]


def decided(sample: Sample, fold: Ints, rules: Sequence[Decider], floor: float = 0.0) -> Decided:
    """``rules[f]`` on the rows of fold f; those of fold -1 are not judged, but the model learns from them."""
    log, rows = sample.log, sample.rows
    state, action, reward = log.state[rows], log.action[rows], log.reward[rows]
    parts, judged = _parts(sample, fold, rules, floor, state), np.flatnonzero(fold >= 0)
    own, own_all, known = np.zeros(len(rows)), np.zeros(len(rows)), np.zeros(len(rows), dtype=bool)
    untried = np.bincount(action, minlength=len(log.actions)) == 0
    never = 0.0
    for part in parts:
        own[part.rows] = part.matrix[part.local, action[part.rows]]
        own_all[part.rows] = np.einsum("sk,sk->s", part.matrix, part.matrix)[part.local]
        known[part.rows] = part.known[part.local]
        if untried.any():
            never += float(part.matrix[:, untried].sum(axis=1)[part.local].sum())
    weight = np.where(known, own / sample.propensity, 1.0)
    weight[fold < 0] = 0.0
    model, model_all = _table(parts, fold, len(rules), state, action, reward, len(log.actions))
    if 50 <= len(rows) <= FEATURED and len(rows) < RETURNING * len(np.unique(state)):
        further = _linear(sample, parts, state, action, reward, weight)
        if _missed(reward, weight, further[0]) < _missed(reward, weight, model):
            model, model_all = further
    model, model_all = np.where(known, model, 0.0), np.where(known, model_all, 0.0)
    kept: Ints | slice = slice(None) if len(judged) == len(rows) else judged
    return Decided(
        reward[kept], weight[kept], own[kept], own_all[kept], model[kept], model_all[kept], known[kept],
        sample.cluster[kept], never / max(1, len(judged)),
    )  # fmt: skip


def compared(
    sample: Sample, fold: Ints, rules: Sequence[Decider], live: Decider, floor: float = 0.0
) -> tuple[NDArray[np.bool_], Floats]:
    """In which of the sample's rows [n] that are judged ``rules[f]`` and ``live`` would do something different, and the
    weights [n, 2] of what was done there under the two."""
    state, action = sample.log.state[sample.rows], sample.log.action[sample.rows]
    apart, weights = np.zeros(len(state), dtype=bool), np.zeros((len(state), 2))
    for part in _parts(sample, fold, rules, floor, state):
        matrix, known = chances(live, sample.log, part.states, floor)
        differ = (known != part.known) | (np.abs(matrix - part.matrix).max(axis=1, initial=0.0) > SAME)
        apart[part.rows] = differ[part.local]
        for side, (table, knows) in enumerate(((part.matrix, part.known), (matrix, known))):
            own = table[part.local, action[part.rows]] / sample.propensity[part.rows]
            weights[part.rows, side] = np.where(knows[part.local], own, 1.0)
    return apart, weights


def misfit(reward: Floats, weight: Floats, model: Floats) -> float:
    """What is left of the outcomes that a rule would bring about when a model has spoken, up to a constant: the part of
    the variance of a doubly robust estimate that the model can change."""
    rest = reward - model
    total = float(weight.sum())
    rest = rest - (float(weight @ rest) / total if total > 0.0 else 0.0)
    return float((weight * weight) @ (rest * rest))


def _missed(reward: Floats, weight: Floats, model: Floats) -> float:
    """The same with what is off on the whole: the direct method has nothing that would set it right."""
    rest = reward - model
    return float((weight * weight) @ (rest * rest))


def _parts(sample: Sample, fold: Ints, rules: Sequence[Decider], floor: float, state: Ints) -> list[_Part]:
    log, every = sample.log, len(sample.log.keys)
    if len({id(rule) for rule in rules}) == 1:
        states, place = numbered(state, every)
        rows = np.flatnonzero(fold >= 0)
        return [_Part(rows, place[rows], states, *chances(rules[0], log, states, floor))]
    parts = []
    for index, rule in enumerate(rules):
        rows = np.flatnonzero(fold == index)
        states, place = numbered(state[rows], every)
        parts.append(_Part(rows, place, states, *chances(rule, log, states, floor)))
    return parts


def _table(
    parts: Sequence[_Part], fold: Ints, folds: int, state: Ints, action: Ints, reward: Floats, k: int
) -> tuple[Floats, Floats]:
    """The table's model of what was done and of what the rule would do, each row's from the folds that lack it."""
    k = max(1, k)
    pairs, place = numbered(state * k + action, (int(state.max(initial=0)) + 1) * k)
    every = folds + 1  # the last column for rows that no fold holds out
    code = place * every + np.where(fold < 0, folds, fold)
    count = np.bincount(code, minlength=len(pairs) * every).reshape(-1, every).astype(np.float64)
    total = np.bincount(code, reward, len(pairs) * every).reshape(-1, every)
    count, total = count.sum(axis=1, keepdims=True) - count, total.sum(axis=1, keepdims=True) - total
    of_state, of_action = np.divmod(pairs, k)
    by_count = np.stack([np.bincount(of_action, count[:, f], k) for f in range(every)], axis=1)
    by_total = np.stack([np.bincount(of_action, total[:, f], k) for f in range(every)], axis=1)
    grand = by_total.sum(axis=0) / np.maximum(by_count.sum(axis=0), 1.0)
    base = (by_total + grand) / (by_count + 1.0)  # [k, folds]
    cell = (total + STATE_WEIGHT * base[of_action]) / (count + STATE_WEIGHT)  # [pairs, folds]
    model_all = np.zeros(len(state))
    for part in parts:
        local = np.full(int(of_state.max(initial=0)) + 1, -1)
        local[part.states] = np.arange(len(part.states))
        here = local[of_state] >= 0
        at, what = local[of_state[here]], of_action[here]
        lift = (cell - base[of_action])[here] * part.matrix[at, what][:, None]
        size = len(part.states)
        lifted = np.stack([np.bincount(at, lift[:, f], size) for f in range(every)], axis=1)
        model_all[part.rows] = (part.matrix @ base + lifted)[part.local, fold[part.rows]]
    return cell[place, fold], model_all


def _linear(
    sample: Sample, parts: Sequence[_Part], state: Ints, action: Ints, reward: Floats, weight: Floats
) -> tuple[Floats, Floats]:
    """The same by ridge regression over features, in its dual form: one solve for all actions together."""
    states, place = numbered(state, int(state.max(initial=0)) + 1)
    space = Space()
    for one in states.tolist():
        space.add(json.loads(sample.log.texts[one]))
    features = np.column_stack([space.matrix.astype(np.float64), np.full(len(states), 2.0)])
    features /= np.sqrt(features.shape[1])
    number, k = np.full(int(states.max(initial=0)) + 1, -1), len(sample.log.actions)
    number[states] = np.arange(len(states))
    halves = sample.cluster % 5  # of its own folds: one rule on all rows has but one part
    model, model_all = np.zeros(len(state)), np.zeros(len(state))
    for half in range(5):
        train = np.flatnonzero((halves != half) & (weight > 1e-3))
        train = train[:: max(1, -(-len(train) // TRAINED))]
        slope, mean = _ridge(features[place[train]], action[train], reward[train], weight[train], k)
        for part in parts:
            mine = np.flatnonzero(halves[part.rows] == half)
            rows, told = part.rows[mine], features[number[part.states]] @ slope + mean
            model[rows] = told[part.local[mine], action[rows]]
            model_all[rows] = np.einsum("sk,sk->s", part.matrix, told)[part.local[mine]]
    return model, model_all


def _ridge(features: Floats, action: Ints, reward: Floats, weight: Floats, k: int) -> tuple[Floats, float]:
    """Slopes [d, k] and the mean."""
    if not len(action):
        return np.zeros((features.shape[1], k)), 0.0
    mean = float(np.average(reward, weights=weight))
    alike = (features @ features.T) * ((action[:, None] == action[None]) + SHARED)
    dual = np.linalg.solve(alike + np.diag(RIDGE / np.maximum(weight, 1e-2)), reward - mean)
    taken = np.zeros((len(action), k))
    taken[np.arange(len(action)), action] = 1.0
    return features.T @ (dual[:, None] * (taken + SHARED)), mean
