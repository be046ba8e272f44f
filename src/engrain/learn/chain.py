"""The empirical model of episodes: what follows a choice, and what a way of choosing is worth and visits in it.

Pairs are the (state, action)s that were seen, triples those with what came next. What a rule would do in a state but
nobody did there is shared among what was done there; how much that is, is told by ``unseen``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engrain.learn.log import END, Floats, Ints
from engrain.learn.tally import numbered

HORIZON = 2_000  # steps that an episode may last
ACCURACY = 1e-7  # of values, beside the largest


@dataclass(frozen=True, slots=True)
class Steps:
    """Transitions, numbered: ``pair`` and ``triple`` [n] of each row, ``state``, ``action`` of the pairs [p], and
    ``origin`` (a pair) and ``target`` (a state, or END) of the triples [m]."""

    states: int
    pair: Ints
    triple: Ints
    state: Ints
    action: Ints
    origin: Ints
    target: Ints


def steps_of(state: Ints, action: Ints, following: Ints, states: int, actions: int) -> Steps:
    """``states`` and ``actions`` are how many there are."""
    pairs, pair = numbered(state * actions + action, states * actions)
    triples, triple = numbered(pair * (states + 1) + (following - END), len(pairs) * (states + 1))
    of_state, of_action = np.divmod(pairs, max(1, actions))
    origin, target = np.divmod(triples, states + 1)
    return Steps(states, pair, triple, of_state, of_action, origin, target + END)


@dataclass(frozen=True, slots=True)
class Chain:
    """The model of some of the rows: how often each triple was seen there [m], and the mean reward of each pair [p]."""

    steps: Steps
    count: Floats
    reward: Floats
    seen: Floats  # [p]

    @classmethod
    def without(cls, steps: Steps, reward: Floats, fold: Ints, folds: int) -> list[Chain]:
        """The model of all rows outside of each fold; ``reward``, ``fold`` [n] of each row, fold -1: in every model."""
        part, every = np.where(fold < 0, folds, fold), folds + 1
        m, p = len(steps.origin), len(steps.state)
        count = _summed(steps.triple * every + part, None, m * every).reshape(m, every)
        code = steps.pair * every + part
        seen = _summed(code, None, p * every).reshape(p, every)
        total = _summed(code, reward, p * every).reshape(p, every)
        count, seen, total = (one.sum(axis=1, keepdims=True) - one[:, :folds] for one in (count, seen, total))
        mean = total / np.maximum(seen, 1.0)
        return [cls(steps, count[:, f], mean[:, f], seen[:, f]) for f in range(folds)]

    def follow(self, chance: Floats, discount: float) -> Followed:
        """A way of choosing, as its probability of each pair [p]."""
        steps = self.steps
        there = np.where(self.seen > 0.0, chance, 0.0)
        mass = np.bincount(steps.state, there, steps.states)
        share = there / np.maximum(mass[steps.state], 1e-300)
        onward = np.where(steps.target == END, 0.0, discount * self.count / np.maximum(self.seen[steps.origin], 1.0))
        kept = (onward > 0.0) & (share[steps.origin] > 0.0)
        return Followed(
            steps, share, 1.0 - np.minimum(mass, 1.0), self.reward, onward,
            steps.origin[kept], np.maximum(steps.target[kept], 0), onward[kept],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Followed:
    """A way of choosing in a model: ``share`` [p] of each pair in its state, ``unseen`` [s] of what it would do there
    and nobody did (1 where nobody was)."""

    steps: Steps
    share: Floats
    unseen: Floats
    reward: Floats
    onward: Floats
    origin: Ints
    target: Ints
    likely: Floats  # discount × probability of the triples that count

    def values(self) -> tuple[Floats, Floats]:
        """Of pairs [p] and of states [s]: fixed-point iteration of the Bellman equation of the rule."""
        state, states = self.steps.state, self.steps.states
        value: Floats = np.zeros(states)
        gain = _summed(state, self.share * self.reward, states)
        at, flow = state[self.origin], self.share[self.origin] * self.likely
        for _ in range(HORIZON):
            last = value
            value = gain + _summed(at, flow * last[self.target], states)
            if np.abs(value - last).max(initial=0.0) <= ACCURACY * (1.0 + np.abs(value).max(initial=0.0)):
                break
        later = np.where(self.steps.target == END, 0.0, value[self.steps.target])
        pair = self.reward + np.bincount(self.steps.origin, self.onward * later, len(state))
        return pair, value

    def visits(self, start: Floats) -> tuple[Floats, Floats, float]:
        """Discounted visits an episode of each pair [p] and state [s], when episodes begin in states as ``start`` [s]
        says; and the share of visits that is still to come after ``HORIZON`` steps."""
        state, states = self.steps.state, self.steps.states
        at, flow = state[self.origin], self.share[self.origin] * self.likely
        now: Floats = start
        total = start.copy()
        for _ in range(HORIZON):
            now = _summed(self.target, flow * now[at], states)
            total += now
            if now.sum() <= ACCURACY * total.sum():
                break
        return total[state] * self.share, total, float(now.sum() / max(total.sum(), 1e-300))


def _summed(place: Ints, part: Floats | None, size: int) -> Floats:
    return np.bincount(place, part, size).astype(np.float64)
