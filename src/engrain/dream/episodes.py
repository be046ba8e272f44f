"""The regression watch of policies whose task has episodes: their discounted sums, in place of single rewards.

The bets are those of ``learn.watch``, made anew from the log at each dream: an outcome that was revised, or came late,
stands in its place. The last episode of each agent may not be over and is left out; so is one with a mere claim in it.
One that was cut off counts with what would have followed, by the model of what did; and when what was promised rests on
such ones, those that ended do not count: nobody knows what they would have come to.
"""

from __future__ import annotations

import numpy as np

from engrain.learn.chain import HORIZON
from engrain.learn.episodes import tails
from engrain.learn.log import END, EXECUTED, Floats, Ints, Log
from engrain.learn.reward import HIGH, LOW
from engrain.learn.watch import Bets, winnings

MATTERS = 0.01  # share of what episodes came to


def _lasts(log: Log) -> Ints:
    """The last row of each episode."""
    return np.flatnonzero(np.diff(log.episode, append=-1))


def returns(log: Log, version: int, discount: float, cut: bool = False) -> Floats:
    """The discounted sums of the episodes that a version began and that are over, in the order of their ends; ``cut``:
    only of those that were cut off."""
    if not len(log):
        return np.zeros(0)
    _, start, which = np.unique(log.episode, return_index=True, return_inverse=True)
    place = np.arange(len(log)) - start[which]
    sums = np.bincount(which, log.reward * discount**place) + tails(log, np.arange(len(log)), place == 0, discount)
    ends = np.full(len(start), np.iinfo(np.int64).min)
    np.maximum.at(ends, which, log.at)
    last = np.zeros(len(start), dtype=bool)
    for one in np.unique(log.agent).tolist():
        mine = np.flatnonzero(log.agent[start] == one)
        last[mine[np.argmax(ends[mine])]] = True
    wrong = last | (np.bincount(which, log.evidence < EXECUTED) > 0)
    if cut:
        wrong |= log.next[_lasts(log)] == END
    told = np.flatnonzero((log.policy[start] == version) & ~wrong)
    return np.asarray(sums[told[np.argsort(ends[told], kind="stable")]])


def in_pieces(log: Log, before: int, discount: float) -> bool:
    """Whether what would have followed on episodes that were cut off is a part of what came of those that were decided
    ``before`` (µs UTC)."""
    rows = np.flatnonzero(log.at < before)
    begins = np.diff(log.episode[rows], prepend=-1) != 0
    after, reward = np.abs(tails(log, rows, begins, discount)).sum(), np.abs(log.reward[rows]).sum()
    return bool(after > MATTERS * (after + reward))


def fallen(log: Log, version: int, promised: float, discount: float, cut: bool = False) -> str | None:
    """Why a live version is to be rolled back; None when nothing speaks for it. ``log``: since it went live."""
    sums = returns(log, version, discount, cut)
    if not len(sums):
        return None
    longest = HORIZON if (log.next[_lasts(log)] != END).any() else int(np.bincount(log.episode).max())
    span = float(longest) if discount >= 1.0 else (1.0 - discount**longest) / (1.0 - discount)
    bets = Bets()
    for one in sums.tolist():
        bets = bets.after(winnings(one, promised, LOW * span, HIGH * span))
        if why := bets.verdict():
            return f"the mean of {len(sums):,} episodes is {sums.mean():.3f}, where {promised:.3f} was promised: {why}"
    return None
