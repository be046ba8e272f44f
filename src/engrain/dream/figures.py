"""What a report shows of a task type in pictures, worked out from its log. Claims are left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from engrain.dream.data import known
from engrain.learn.intervals import MIX
from engrain.learn.log import Floats, Ints, Log
from engrain.learn.reward import HIGH, LOW
from engrain.model.fading import DAY
from engrain.world import from_micros

SPANS = 60  # points of a chart over time, at most
BINS = 8
PULL = 3.0  # outcomes that the mean of an action is worth in an expectation
FEW = 4  # outcomes in a bin, below which its mean says nothing


def figures(log: Log) -> dict[str, Any]:
    """``time`` and ``calibration``, as JSON values."""
    rows = known(log)
    at, reward, policy = log.at[rows], log.reward[rows], log.policy[rows]
    return {"time": over_time(at, reward, policy), "calibration": calibration(log)}


def over_time(at: Ints, reward: Floats, policy: Ints) -> list[dict[str, Any]]:
    """The mean reward by day, or so many ``days`` that there are SPANS of them at most: of all that was decided, and of
    what a policy decided (None where none did)."""
    if not len(at):
        return []
    first = int(at.min()) // DAY
    width = max(1, -(-(int(at.max()) // DAY - first + 1) // SPANS))
    place = (at // DAY - first) // width
    ruled = policy > 0
    found = []
    for one in np.unique(place).tolist():
        mine = place == one
        told = reward[mine & ruled]
        found.append({
            "day": from_micros((first + one * width) * DAY).date().isoformat(), "days": width,
            "n": int(mine.sum()), "mean": float(reward[mine].mean()),
            "policy_n": len(told), "policy_mean": float(told.mean()) if len(told) else None,
        })  # fmt: skip
    return found


def calibration(log: Log) -> list[dict[str, Any]]:
    """What each half of the episodes lets expect of the outcomes in the other half, in bins of the expectation, beside
    what came. ``low``–``high`` is the 95 % interval of the mean that came. Empty where too little is known."""
    rows = known(log)
    state, action, reward = log.state[rows], log.action[rows], log.reward[rows]
    half = ((log.episode[rows].astype(np.uint64) * np.uint64(MIX)) >> np.uint64(63)).astype(bool)
    if min(half.sum(), (~half).sum()) < BINS * FEW:
        return []
    expected = np.empty(len(reward))
    for seen in (half, ~half):
        expected[~seen] = _expected(state, action, reward, seen, len(log.actions))[~seen]
    _, which, n = np.unique(expected, return_inverse=True, return_counts=True)
    place = ((np.cumsum(n) - n / 2) / len(expected) * BINS).astype(np.int64)[which]  # equals are in one bin
    found = []
    for number in range(BINS):
        part = np.flatnonzero(place == number)
        if len(part) < FEW:
            continue
        came = reward[part]
        error = 1.96 * float(came.std(ddof=1)) / len(part) ** 0.5
        mean = float(came.mean())
        found.append({"expected": float(expected[part].mean()), "observed": mean, "low": max(LOW, mean - error),
                      "high": min(HIGH, mean + error), "n": len(part)})  # fmt: skip
    return found


def _expected(state: Ints, action: Ints, reward: Floats, seen: Any, actions: int) -> Floats:
    """The reward to expect of each row's state and action from the rows that were seen."""
    overall = float(reward[seen].mean())
    n = np.bincount(action[seen], minlength=actions)
    mean = (np.bincount(action[seen], reward[seen], minlength=actions) + PULL * overall) / (n + PULL)
    pairs, which = np.unique(state * actions + action, return_inverse=True)
    n = np.bincount(which[seen], minlength=len(pairs))
    total = np.bincount(which[seen], reward[seen], minlength=len(pairs))
    return np.asarray((total[which] + PULL * mean[action]) / (n[which] + PULL))
