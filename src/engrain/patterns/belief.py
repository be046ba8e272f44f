"""What is believed of a pattern: pure functions of the evidence.

Posterior. Outcomes of its uses, weighted by the tier of their evidence, are summed by voice; a voice counts at most
``VOICE`` verified outcomes, in the proportion of what it said. All that one agent only claims is one voice; of what was
executed or verified the source is, else the task; without either each use stands for itself. With a uniform prior
that makes a Beta distribution. Its lower bound (of the 90 % interval) is the confidence: it rises with good outcomes of
many voices and falls with bad ones.

Contrast. How much oftener tasks ended well with the pattern than comparable ones without it: cases of the same agent
and task type in a like state (same words, flags and tags; numbers alike in their first digit), the last ``CASES``. The
differences within each such stratum are averaged with weights n1 n0 / (n1 + n0) (Mantel and Haenszel 1959; Greenland
and Robins 1985); the variance is that of pooled shares with one more of each outcome (Agresti and Caffo 2000).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from statistics import NormalDist
from typing import Any, Protocol

from engrain.model.beta import TAIL, posterior
from engrain.model.pattern import Belief

VOICE = 1.0  # verified outcomes that a voice counts for, at most
CASES = 1_000  # of an agent's cases, the latest, that are compared
FEW = 5  # comparable cases without the pattern below which there is nothing to compare; with it, FEWER
FEWER = 3
DRAWS = 3  # of one choice: tasks are few, and a single draw would try what is hardly any good for too long
BLUNT = 0.5  # power of relevance: what looks half as right is tried nonetheless
ELSEWHERE = 2.0  # verified outcomes that what happened in other task types counts for, at most
_Z = NormalDist().inv_cdf(1.0 - TAIL)

Case = tuple[Hashable, bool]  # the stratum, and whether it ended well
Contrast = tuple[float | None, float | None, float | None]
NONE: Contrast = (None, None, None)


class Dice(Protocol):
    """Draws of a Beta distribution: ``random.Random`` is one."""

    def betavariate(self, alpha: float, beta: float, /) -> float: ...


def of_sums(good: float, bad: float, lineages: int, contrast: Contrast = NONE) -> Belief:
    """The belief that sums of capped evidence make."""
    value, low, high = posterior(good, bad)
    return Belief(good, bad, value, low, high, low, lineages, *contrast)


def voice_of(agent: str, evidence: str, source: str | None, task_id: str | None, use_id: str) -> tuple[str, bool]:
    """(the voice that a use belongs to, whether it only claims)."""
    if evidence == "claimed":
        return f"claims:{agent}", True
    if source is not None or task_id is not None:
        return (f"source:{source}" if source is not None else f"task:{task_id}"), False
    return f"use:{use_id}", False


def here(all_of_it: tuple[float, float], in_task: tuple[float, float]) -> tuple[float, float]:
    """(good, bad) for a task type: what happened there, and as much of what happened elsewhere as ``ELSEWHERE``."""
    good, bad = (max(0.0, every - mine) for every, mine in zip(all_of_it, in_task, strict=True))
    share = min(1.0, ELSEWHERE / (good + bad)) if good + bad > 0.0 else 0.0
    return in_task[0] + share * good, in_task[1] + share * bad


def worth(good: float, bad: float, relevance: float, dice: Dice) -> tuple[float, float]:
    """(how much a pattern is worth trying, the share of good outcomes that was drawn for that): a share as it may well
    be (Thompson 1933; the mean of ``DRAWS``), times its relevance beside the best one's, 0..1, blunted."""
    drawn = sum(dice.betavariate(1.0 + good, 1.0 + bad) for _ in range(DRAWS)) / DRAWS
    return drawn * max(0.0, relevance) ** BLUNT, drawn


def like(state: Mapping[str, Any]) -> Hashable:
    """What like states have in common: numbers by sign, size and first digit; all else as it is."""
    return tuple(sorted((name, _like(value)) for name, value in state.items() if value is not None))


def _like(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return repr(value)
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    return f"{math.copysign(1, value):+.0f}{int(abs(value) / 10.0**size + 1e-9)}e{size}"


def contrast(with_it: Sequence[Case], without: Sequence[Case]) -> Contrast:
    """(difference, low, high) of the share that ended well, with its 90 % interval, over strata that have both; Nones
    where less than ``FEWER`` and ``FEW`` cases can be compared."""
    arms = _counts(with_it), _counts(without)
    common = sorted(arms[0].keys() & arms[1].keys(), key=repr)
    n1, n0 = (sum(arm[one][0] for one in common) for arm in arms)
    if n1 < FEWER or n0 < FEW:
        return NONE
    shares = [(sum(arm[one][1] for one in common) + 1.0) / (n + 2.0) for arm, n in zip(arms, (n1, n0), strict=True)]
    total = difference = variance = 0.0
    for one in common:
        (m1, g1), (m0, g0) = arms[0][one], arms[1][one]
        weight = m1 * m0 / (m1 + m0)
        total += weight
        difference += weight * (g1 / m1 - g0 / m0)
        variance += weight**2 * sum(p * (1.0 - p) / m for p, m in zip(shares, (m1, m0), strict=True))
    value, half = difference / total, _Z * math.sqrt(variance) / total
    return value, max(-1.0, value - half), min(1.0, value + half)


def _counts(cases: Sequence[Case]) -> dict[Hashable, tuple[int, int]]:
    found: dict[Hashable, tuple[int, int]] = {}
    for stratum, good in cases:
        n, wins = found.get(stratum, (0, 0))
        found[stratum] = n + 1, wins + good
    return found
