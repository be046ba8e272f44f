"""View: what one agent may see at one moment, as one collection: its own segment and the visible shared rows.

Everything that ranking counts (how many, how long, how rare) is counted over a view and nothing else, so a row that the
agent may not see cannot touch a score.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from engrain.recall.columns import Ints, Mask, Wide
from engrain.recall.segment import FOREVER, ITEM, Segment

Floats = npt.NDArray[np.float32]


class Part:
    """The visible rows of one segment. ``passage_at``: view passage of a segment's passage, -1 when invisible."""

    def __init__(self, segment: Segment, seen: Mask) -> None:
        self.rows: Wide = np.flatnonzero(seen)
        self.segment = segment
        self.postings = segment.postings.snapshot()
        self.owner, self.length = segment.owner.rows, segment.length.rows
        self.matrix, self.scale, self.vector_of = segment.matrix.rows, segment.scale.rows, segment.vector_of.rows
        self.roles: list[str] = list(segment.roles.all)
        self.passage_at: Ints = np.empty(0, np.int32)


def visible(segment: Segment, now: int, agent: str | None = None, team: Collection[str] = ()) -> Mask:
    """Rows that are live and not expired and, of a shared segment (``agent`` given), not the agent's own and either
    public or of a team mate."""
    items = segment.items.rows
    seen = segment.live() & (items["expires"] > now)
    if agent is not None:
        mates = [segment.agents.find(name) for name in team]
        seen &= (items["agent"] != segment.agents.find(agent)) & (items["public"] | np.isin(items["agent"], mates))
    return seen


class View:
    """Items in the order (session, time, created, id), so that neighbours of an episode lie beside each other, and
    their passages in the same order. ``until`` is the moment (µs UTC) from which the view is stale."""

    def __init__(self, parts: Sequence[Part], now: int) -> None:
        self.parts = parts
        columns = [part.segment.items.rows[part.rows] for part in parts]
        items = np.concatenate(columns) if columns else np.empty(0, ITEM)
        which = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part.rows) for part in parts])
        order = np.lexsort((items["id"], items["created"], items["time"], items["unit"], which))
        self.n = len(items)
        self.items = items[order]
        self.part, self.row = which[order], np.concatenate([p.rows for p in parts] or [np.empty(0, np.int64)])[order]
        # A session of one part is not a session of the other; rows without a session stand alone.
        unit, part = self.items["unit"], self.part
        self.joined: Mask = np.zeros(self.n, np.bool_)  # belongs to the same session as the row before
        self.joined[1:] = (unit[1:] == unit[:-1]) & (unit[1:] >= 0) & (part[1:] == part[:-1])
        self.group: Wide = np.cumsum(~self.joined) - 1  # number of the session
        self.norms: dict[object, list[Floats]] = {}  # of BM25, by its settings
        self._near: dict[int, Mask] = {}
        self._place(order)
        # Plain attributes: a cached_property of Python 3.11 has a lock that a forked child may inherit held.
        self.single = len(self.owner) == self.n  # every item is one passage: what holds for passages holds for items
        self.starts: Wide = np.flatnonzero(~self.joined)  # the first item of each session
        self.total_length: Floats = (
            np.add.reduceat(self.length, self.first) if self.n else self.length
        )  # terms of items
        ends = self.items["expires"]
        soon = ends[ends > now].min(initial=FOREVER)
        self.until: int = int(soon)

    def _place(self, order: Wide) -> None:
        """Number the passages in the order of their items."""
        place = np.empty(self.n, np.int64)
        place[order] = np.arange(self.n)
        start = 0
        keys: list[Wide] = []
        lengths: list[Ints] = []
        for part in self.parts:
            item_at = np.full(part.segment.items.size, -1, np.int64)
            item_at[part.rows] = place[start : start + len(part.rows)]
            start += len(part.rows)
            owners = item_at[part.owner]
            kept = np.flatnonzero(owners >= 0)
            part.passage_at = np.full(len(part.owner), -1, np.int32)
            part.passage_at[kept] = np.arange(len(kept), dtype=np.int32) + sum(map(len, keys))
            keys.append(owners[kept])
            lengths.append(part.length[kept])
        owner = np.concatenate(keys) if keys else np.empty(0, np.int64)
        by_item = np.argsort(owner, kind="stable")
        new = np.empty(len(owner), np.int32)
        new[by_item] = np.arange(len(owner), dtype=np.int32)
        for part in self.parts:
            shown = part.passage_at >= 0
            part.passage_at[shown] = new[part.passage_at[shown]]
        self.owner: Wide = owner[by_item]
        self.length: Floats = (np.concatenate(lengths) if lengths else np.empty(0)).astype(np.float32)[by_item]
        self.first: Wide = np.searchsorted(
            self.owner, np.arange(self.n)
        )  # each item's first passage; it has one at least

    def id(self, item: int) -> str:
        return self.parts[int(self.part[item])].segment.ids[int(self.row[item])]

    def of_term(self, term: int) -> tuple[Ints, Floats]:
        """(passages, counts) of a term among what is visible."""
        found = []
        for part in self.parts:
            rows, counts = part.postings.of(term)
            if len(rows):
                places = part.passage_at[rows]
                kept = places >= 0
                found.append((places[kept], counts[kept].astype(np.float32)))
        if len(found) == 1:
            return found[0]
        if not found:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        return np.concatenate([rows for rows, _ in found]), np.concatenate([counts for _, counts in found])

    def per_item(self, passages: Floats) -> Floats:
        """The best passage of each item."""
        if self.single or not self.n:
            return passages
        return np.maximum.reduceat(passages, self.first)

    def vectors(self, items: Wide) -> Floats:
        """float32[len(items), dim]: the vector of each item's first passage, zeros without one."""
        out = np.zeros((len(items), self.parts[0].matrix.shape[1]), np.float32)
        passages = self.first[items]
        for part in self.parts:
            places = part.passage_at[part.vector_of]
            # Passages are numbered in another order than vectors are stored: look each one up.
            at = np.full(len(self.owner) + 1, -1, np.int32)
            at[places] = np.arange(len(places), dtype=np.int32)
            at[-1] = -1  # where invisible ones went
            rows = at[passages]
            out[rows >= 0] = part.matrix[rows[rows >= 0]] * part.scale[rows[rows >= 0], None]
        return out

    def near(self, step: int) -> Mask:
        """[n - step]: is the row ``step`` further on in the same session?"""
        found = self._near.get(step)
        if found is None:
            found = self._near[step] = self.group[step:] == self.group[:-step]
        return found
