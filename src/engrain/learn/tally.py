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
    """A log, counted in parts: ``part`` [n] says in which each row is, from -1 on; ``before`` counts all parts before
    one at the price of a few sums over what was seen."""

    def __init__(self, log: Log, part: Ints | None = None) -> None:
        self._log, states, actions = log, len(log.keys), max(1, len(log.actions))
        code = (log.state * actions + log.action) * (states + 1) + (log.next - END)
        self._known, place = numbered(code, states * actions * (states + 1))
        self._parts = 1 if part is None else 2 + int(part.max(initial=-1))
        place = place if part is None else place * self._parts + (part + 1)
        weight = weights_of(log, np.arange(len(log)))
        gained = weight * log.reward
        parts = (None, weight, gained, gained * log.reward)
        size = (len(self._known), self._parts)
        self._sums = [np.bincount(place, one, size[0] * size[1]).reshape(size) for one in parts]

    def before(self, part: int) -> Counts:
        """The empirical model of all rows of an earlier part."""
        n, *sums = (one[:, : part + 1].sum(axis=1).astype(np.float64) for one in self._sums)
        log, kept = self._log, n > 0.0
        pair, following = np.divmod(self._known[kept], len(log.keys) + 1)
        state, action = np.divmod(pair, max(1, len(log.actions)))
        weight, total, squares = (one[kept] for one in sums)
        data = log.data if part + 1 >= self._parts else ""
        return Counts(
            log.keys, log.texts, log.actions, state, action, following + END, n[kept], weight, total, squares, data
        )  # fmt: skip


def counts_of(log: Log, rows: Ints | NDArray[np.bool_] | None = None) -> Counts:
    """The empirical model of ``rows`` of a log (numbers, or a mark for each); None: of all. Claims weigh as among all
    rows of the log."""
    if rows is None:
        return Tally(log).before(0)
    part = np.zeros(len(log), dtype=np.int64)
    part[rows] = -1
    return Tally(log, part).before(0)
