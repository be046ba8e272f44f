"""Select: what a caller's filters leave, the best of it, and the order among equals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engrain.recall.columns import Floats, Ints, Mask, Wide
from engrain.recall.view import View


@dataclass(frozen=True, slots=True)
class Filter:
    """What a hit must be. ``kinds``: any of; ``tags``: all of; ``since`` (inclusive) and ``until`` (exclusive): µs UTC
    of when it happened, else of when it was told."""

    kinds: Sequence[str] | None = None
    tags: Sequence[str] | None = None
    session: str | None = None
    since: int | None = None
    until: int | None = None

    def admits(self, view: View) -> Mask:
        """Which items of the view pass. Shape [items]."""
        good = np.ones(view.n, np.bool_)
        if self.since is not None:
            good &= view.items["time"] >= self.since
        if self.until is not None:
            good &= view.items["time"] < self.until
        if self.kinds is None and self.tags is None and self.session is None:
            return good
        for part, start, end in view.shares():
            names, here = part.segment, slice(start, end)
            if self.kinds is not None:
                good[here] &= np.isin(view.items["kind"][here], [names.kinds.find(kind) for kind in self.kinds])
            if self.tags is not None:
                wanted = frozenset(self.tags)
                having = [n for n, tags in enumerate(list(names.tags.all)) if wanted <= tags]
                good[here] &= np.isin(view.items["tags"][here], having)
            if self.session is not None:
                units = [n for n, (_, session) in enumerate(list(names.units.all)) if session == self.session]
                good[here] &= np.isin(view.items["unit"][here], units)
        return good


def best(view: View, score: Floats, admitted: Mask, most: int, spread: float) -> tuple[Wide, Floats]:
    """(rows, change of score) of up to ``most`` admitted items, best first; among equals the newest, then the one with
    the greatest id. A score is multiplied by ``spread`` for each better item of the same session: evidence lies in
    several episodes more often than in many turns of one."""
    rows = np.flatnonzero(admitted)
    reach = most if view.alone else 4 * most  # what stands further down than that cannot come up
    if len(rows) > reach:
        values = score[rows]
        border = np.partition(values, len(rows) - reach)[len(rows) - reach]
        rows = rows[values >= border]  # all that tie at the border stay in, so that the tie is broken below
    values = score[rows]
    order = np.argsort(values)[::-1]
    if (np.diff(values[order]) == 0).any():
        keys = [view.some(name, rows) for name in ("id", "created", "time")]
        order = np.lexsort((*keys, values))[::-1]
    rows, values = rows[order], values[order]
    if view.alone:
        return rows[:most], np.zeros(min(most, len(rows)), np.float32)
    spreading = values * np.power(np.float32(spread), _better(view.group[rows]), dtype=np.float32)
    order = np.argsort(-spreading, kind="stable")[:most]
    return rows[order], (spreading - values)[order]


def _better(groups: Ints) -> Ints:
    """How many of the same group stand before each."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=groups[order[:1]] - 1))
    before = np.empty(len(groups), np.int32)
    before[order] = np.arange(len(groups)) - np.repeat(starts, np.diff(starts, append=len(groups)))
    return before
