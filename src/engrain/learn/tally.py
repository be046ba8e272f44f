"""From logged experiences to the empirical model that policies are trained on, for any part of the log.

The weight of an experience is its evidence tier (see ``reward``). What is only claimed weighs by lineage: all claims of
one source weigh together as one claim, so that a flood of them is no majority.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engrain.learn.log import CLAIMED, END, Counts, Floats, Ints, Log
from engrain.learn.reward import TIERS
from engrain.model.decision import EVIDENCE

_TIERS = np.array([TIERS[name] for name in EVIDENCE])  # CLAIMED, EXECUTED, VERIFIED
_DENSE = 1 << 24  # numbers that are counted in one array rather than sorted


def weights_of(log: Log, rows: Ints) -> Floats:
    """The weight of each of ``rows`` [n] of a log among these rows."""
    weight = _TIERS[log.evidence[rows]]
    claimed = log.evidence[rows] == CLAIMED
    if claimed.any():
        source = log.lineage[rows][claimed]
        weight[claimed] /= np.bincount(source)[source]
    return weight


def numbered(codes: Ints, most: int) -> tuple[Ints, Ints]:
    """The different ``codes`` [n] (0..``most``-1) in order, and for each code its place among them."""
    if most > max(_DENSE, 4 * len(codes)) or most > 1 << 27:
        found, place = np.unique(codes, return_inverse=True)
        return found, place
    there = np.bincount(codes, minlength=most) > 0
    return np.flatnonzero(there), (np.cumsum(there) - 1)[codes]


class Tally:
    """The log, counted: ``counts`` of any of its rows at the price of a few sums."""

    def __init__(self, log: Log) -> None:
        self._log = log
        states, actions = len(log.keys), max(1, len(log.actions))
        code = (log.state * actions + log.action) * (states + 1) + (log.next - END)
        self._known, self._place = numbered(code, states * actions * (states + 1))

    def counts(self, rows: Ints | NDArray[np.bool_] | None = None) -> Counts:
        """The empirical model of ``rows`` (numbers, or a mark for each row of the log; None: all), one row for each
        (state, action, next state) among them."""
        log = self._log
        if rows is None:
            chosen = np.arange(len(log))
        else:
            chosen = np.flatnonzero(rows) if rows.dtype == np.bool_ else np.asarray(rows, dtype=np.int64)
        place, reward, weight = self._place[chosen], log.reward[chosen], weights_of(log, chosen)
        size = len(self._known)
        n = np.bincount(place, minlength=size).astype(np.float64)
        kept = n > 0

        def summed(part: Floats) -> Floats:
            return np.bincount(place, part, size)[kept].astype(np.float64)

        pair, following = np.divmod(self._known[kept], len(log.keys) + 1)
        state, action = np.divmod(pair, max(1, len(log.actions)))
        return Counts(
            log.keys, log.texts, log.actions, state, action, following + END, n[kept], summed(weight),
            summed(weight * reward), summed(weight * reward * reward), log.data if rows is None else "",
        )  # fmt: skip


def counts_of(log: Log, rows: Ints | NDArray[np.bool_] | None = None) -> Counts:
    """The empirical model of ``rows`` of a log; None: of all."""
    return Tally(log).counts(rows)
