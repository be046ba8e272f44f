"""The forgetting policies: what each thinks an item is worth, and below what it lets go.

A policy is three functions. ``score`` falls while an item is not used (higher: keep it); an item is due when its score
is not above ``limit`` and nobody has used it for ``least_idle`` µs. Below that span a policy never lets go of anything,
whatever the item: sweeps filter by it before they ask.

- ``importance`` (the default): what has sat at the lowest importance for 90 days unused.
- ``utility``: 0.4 ln(1 + uses · 2^-idle) + 0.4 / (1 + age) + 0.2 · outcome, time counted in months of 30 days. The
  formula that it comes from, 0.4 ln(1 + uses) + 0.4 / (1 + age in days) + 0.2 · outcome, kept for ever what was read
  once (0.277 > 0.15), so here uses count half after each month without another; and it let go of what was fresh and
  unread on the second day (0.4 / 2.67 = 0.15), so here age is counted in months, and what was told or used within the
  last one is never due. Its outcome was -1, 0 or 1; here it is (helpful - unhelpful) / (votes + 2).
- ``stability``: the forgetting curve of FSRS-6, R = (1 + F t / S)^-w, where S is the days after which R is 0.9 and each
  use makes S larger, the more so the less expected it was. Only the number of uses and the last one are stored, so they
  are taken as evenly spread over the item's life: uses of one moment then strengthen next to nothing, as they should.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from engrain.model.fading import DAY, FLOOR, floor_at
from engrain.model.life import Life, Rules

Score = Callable[[Life, int, Rules], float]


class Policy(NamedTuple):
    """``reason`` is what is written as the reason of archiving."""

    reason: str
    score: Score
    limit: Callable[[Rules], float]
    least_idle: Callable[[Rules], int]


def importance(life: Life, now: int, rules: Rules) -> float:
    """How far its importance is above the floor; below zero, how many days it has been there unused."""
    floor = floor_at(life.importance, weighed_at=life.weighed_at, used_at=life.used_at, rate=life.decay_rate)
    if floor is None or floor > now:
        return life.importance_at(now) - FLOOR
    return -(now - max(floor, life.used_at)) / DAY


def utility(life: Life, now: int, rules: Rules) -> float:
    """What its uses, its youth and its outcomes are worth."""
    idle, age = (max(0.0, (now - since) / (rules.utility_days * DAY)) for since in (life.used_at, life.told_at))
    return 0.4 * math.log1p(life.uses * 0.5**idle) + 0.4 / (1.0 + age) + 0.2 * outcome(life)


def stability(life: Life, now: int, rules: Rules) -> float:
    """The retrievability of FSRS-6: the probability that it would still be known."""
    return _retrievability(max(0.0, (now - life.used_at) / DAY), stable_days(life))


def outcome(life: Life) -> float:
    """Between -1 and 1: what the votes say of an item, drawn to 0 while they are few."""
    return (life.helpful - life.unhelpful) / (life.helpful + life.unhelpful + 2)


# FSRS-6's default weights (https://github.com/open-spaced-repetition/fsrs4anki/wiki/The-Algorithm): the exponent w20,
# the first stabilities w2 and w3 for Good and Easy, and w9 and w10 of the growth. Its factor of growth, exp(w8) = 6.5,
# was fitted to flash cards that are reviewed for the sake of remembering; with it a few uses keep an agent's item for
# years. 0.25 is the best on simulated years that are not among those of docs/benchmarks.md.
_DECAY, _GOOD, _EASY, _GROWTH, _SATURATION, _SURPRISE = 0.1542, 2.3065, 8.2956, 0.25, 0.1666, 0.796
_FACTOR = math.pow(0.9, -1.0 / _DECAY) - 1.0
_LEAST, _MOST = 1.0, 36_500.0  # days
_STEPS = 32  # uses that are followed one by one; more of them are as good as so many


def stable_days(life: Life) -> float:
    """S after all its uses. What FSRS knows by grades is taken from what is known here: the first stability is in
    proportion to the importance that an item was told with (5 is Good), and longer or shorter by its outcomes, which
    also make it easier or harder."""
    votes = outcome(life)
    days = max(_LEAST, _GOOD * life.told_importance / 5.0 * math.pow(_EASY / _GOOD, votes))
    ease = 11.0 - (5.0 - 4.0 * votes)
    steps = min(life.uses, _STEPS)
    gap = max(0, life.used_at - life.created_at) / DAY / max(1, steps)
    for _ in range(steps):
        surprise = math.expm1(_SURPRISE * (1.0 - _retrievability(gap, days)))
        days = min(_MOST, days * (1.0 + _GROWTH * ease * math.pow(days, -_SATURATION) * surprise))
    return days


def _retrievability(days: float, stable: float) -> float:
    return math.pow(1.0 + _FACTOR * days / stable, -_DECAY)


def _least_stable(rules: Rules) -> int:
    """When the least stable item that can be falls to the limit."""
    return int(_LEAST / _FACTOR * (math.pow(rules.stability_recall, -1.0 / _DECAY) - 1.0) * DAY)


POLICIES = {
    "importance": Policy(
        "faded", importance, lambda rules: -rules.floor_days, lambda rules: int(rules.floor_days * DAY)
    ),
    "utility": Policy(
        "of low utility", utility, lambda rules: rules.utility_threshold, lambda rules: int(rules.utility_days * DAY)
    ),
    "stability": Policy("forgotten", stability, lambda rules: rules.stability_recall, _least_stable),
}


def least_idle(rules: Rules) -> int:
    """µs since the last use below which the chosen policy lets go of nothing."""
    return POLICIES[rules.policy].least_idle(rules)


def due(life: Life, now: int, rules: Rules) -> str | None:
    """Why the chosen policy lets go of the item, or None. What is pinned, spared or does not fade (a rate of 0) is
    never due."""
    policy = POLICIES[rules.policy]
    if life.pinned or life.decay_rate == 0 or (life.spared_until or 0) > now:
        return None
    if now - life.used_at < policy.least_idle(rules) or policy.score(life, now, rules) > policy.limit(rules):
        return None
    return policy.reason
