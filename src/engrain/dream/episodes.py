"""The regression watch of policies whose task has episodes: their discounted sums, in place of single rewards.

The bets are those of ``learn.watch``, made anew from the log at each dream: an outcome that was revised, or came late,
stands in its place. The last episode of each agent may not be over and is left out; so is one with a mere claim in it.
"""

from __future__ import annotations

import numpy as np

from engrain.learn.log import EXECUTED, Floats, Log
from engrain.learn.watch import HIGH, LOW, Bets, winnings


def returns(log: Log, version: int, discount: float) -> Floats:
    """The discounted sums of the episodes that a version began and that are over, in the order of their ends."""
    if not len(log):
        return np.zeros(0)
    _, start, which = np.unique(log.episode, return_index=True, return_inverse=True)
    place = np.arange(len(log)) - start[which]
    sums = np.bincount(which, log.reward * discount**place)
    ends = np.full(len(start), np.iinfo(np.int64).min)
    np.maximum.at(ends, which, log.at)
    last = np.zeros(len(start), dtype=bool)
    for one in np.unique(log.agent).tolist():
        mine = np.flatnonzero(log.agent[start] == one)
        last[mine[np.argmax(ends[mine])]] = True
    claimed = np.bincount(which, log.evidence < EXECUTED) > 0
    told = np.flatnonzero((log.policy[start] == version) & ~last & ~claimed)
    return np.asarray(sums[told[np.argsort(ends[told], kind="stable")]])


def fallen(log: Log, version: int, promised: float, discount: float) -> str | None:
    """Why a live version is to be rolled back; None when nothing speaks for it. ``log``: since it went live."""
    sums = returns(log, version, discount)
    if not len(sums):
        return None
    longest = float(np.bincount(log.episode).max())
    span = longest if discount >= 1.0 else (1.0 - discount**longest) / (1.0 - discount)
    bets = Bets()
    for one in sums.tolist():
        bets = bets.after(winnings(one, promised, LOW * span, HIGH * span))
        if why := bets.verdict():
            return f"the mean of {len(sums):,} episodes is {sums.mean():.3f}, where {promised:.3f} was promised: {why}"
    return None
