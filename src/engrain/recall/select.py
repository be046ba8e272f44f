"""Select: what a caller's filters leave, the best of it, and the order among equals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engrain.recall.columns import Floats, Mask, Wide
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


def best(view: View, score: Floats, admitted: Mask, most: int) -> Wide:
    """Up to ``most`` admitted items, best first; among equals the newest, then the one with the greatest id."""
    rows = np.flatnonzero(admitted)
    if len(rows) > most:
        values = score[rows]
        border = np.partition(values, len(rows) - most)[len(rows) - most]
        rows = rows[values >= border]  # all that tie at the border stay in, so that the tie is broken below
    values = score[rows]
    order = np.argsort(values)[::-1]
    if (np.diff(values[order]) == 0).any():
        keys = [view.some(name, rows) for name in ("id", "created", "time")]
        order = np.lexsort((*keys, values))[::-1]
    return rows[order][:most]
