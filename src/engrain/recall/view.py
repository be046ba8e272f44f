"""View: what one agent may see at one moment, as one collection: its own segment and the visible shared rows.

Everything that ranking counts (how many, how long, how rare) is counted over a view and nothing else, so a row that the
agent may not see cannot touch a score. A ``Pool`` is a part of a large view that is scored in its stead: it has the
statistics of the whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engrain.recall.analyze import analyze
from engrain.recall.columns import Floats, Ints, Mask, Wide
from engrain.recall.segment import FOREVER, Segment
from engrain.recall.web import Web

GENERIC = frozenset(("user", "assistant", "system", "tool", "human", "ai"))  # roles that name nobody
_ODD = np.uint64(0x9E3779B97F4A7C15)  # of the golden ratio: Fibonacci hashing (Knuth, TAOCP 3, 6.4)


class Part:
    """The visible rows of one segment, in the order (session, time, created, id). ``passage_at``: view passage of a
    segment's passage, -1 when invisible."""

    def __init__(self, segment: Segment, seen: Mask) -> None:
        self.segment = segment
        order = segment.order
        self.rows: Ints = order[seen[order]]
        self.columns = {name: column.rows for name, column in segment.items.items()}
        self.postings = segment.postings.snapshot()
        self.first, self.length, self.mark = segment.first.rows, segment.length.rows, segment.mark.rows
        self.matrix, self.scale, self.vector_of = segment.matrix.rows, segment.scale.rows, segment.vector_of.rows
        self.roles: list[str] = list(segment.roles.all)
        self.passage_at: Ints = np.empty(0, np.int32)


def visible(segment: Segment, now: int, agent: str | None = None, team: Collection[str] = ()) -> Mask:
    """Rows that are live and not expired and, of a shared segment (``agent`` given), not the agent's own and either
    public or of a team mate."""
    items = segment.items
    seen: Mask = segment.alive.rows & (items["expires"].rows > now)
    if agent is not None:
        mates = [segment.agents.find(name) for name in team]
        theirs = items["agent"].rows
        seen &= (theirs != segment.agents.find(agent)) & (items["public"].rows | np.isin(theirs, mates))
    return seen


@dataclass(frozen=True, slots=True)
class Found:
    """The postings of a question's terms among what is visible, term after term: passage and count of each;
    ``passages``: in how many passages each term stands."""

    place: Ints
    count: Floats
    passages: Wide

    @property
    def which(self) -> Wide:
        """The number of the term of each posting."""
        return np.repeat(np.arange(len(self.passages)), self.passages)

    def slices(self) -> list[slice]:
        """Where the postings of each term stand."""
        ends = np.cumsum(self.passages).tolist()
        return [slice(end - size, end) for end, size in zip(ends, self.passages.tolist(), strict=True)]


class _Fields(dict[str, npt.NDArray[Any]]):
    """The fields of a view's items (``segment.FIELDS``), each gathered when first asked for."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view

    def __missing__(self, name: str) -> npt.NDArray[Any]:
        view = self._view
        found = [part.columns[name][view.row[a:b]] for part, a, b in view.shares()]
        self[name] = one = found[0] if len(found) == 1 else np.concatenate(found)
        return one


class View:
    """Items in the order (part, session, time, created, id), so that neighbours of an episode lie beside each other,
    and their passages in the same order. ``until`` is the moment (µs UTC) from which the view is stale.

    ``group``: number of each item's session (rows without one stand alone); ``alone``: no session has two items;
    ``starts``: the first item of each session; ``owner``: the item of each passage; ``first``: an item's first passage;
    ``single``: every item is one passage, so that what holds for passages holds for items; ``plain``: alone and single;
    ``vector_at``: the row of each passage in the parts' matrices, one after the other, -1 without a vector;
    ``passages``: how many there are in the whole, what rarity is counted in.
    """

    def __init__(self, parts: Sequence[Part], now: int) -> None:
        self.parts = parts
        self.row: Ints = np.concatenate([part.rows for part in parts]) if len(parts) > 1 else parts[0].rows
        self.n = len(self.row)
        self.bounds = [0, *np.cumsum([len(part.rows) for part in parts]).tolist()]
        self.items = _Fields(self)
        unit = self.items["unit"]
        joined = np.zeros(self.n, np.bool_)  # belongs to the same session as the row before
        joined[1:] = (unit[1:] == unit[:-1]) & (unit[1:] >= 0)
        joined[[bound for bound in self.bounds if bound < self.n]] = False  # sessions end with their part
        self.group: Ints = np.cumsum(~joined, dtype=np.int32) - np.int32(1)
        self.alone = not joined.any()
        self.starts: Wide = np.flatnonzero(~joined)
        self.norms: dict[object, list[Floats]] = {}  # of BM25, by its settings
        self._names: frozenset[int] | None = None
        self._roles: list[list[tuple[int, str]]] | None = None
        self._lots: npt.NDArray[np.uint64] | None = None
        self.middle: tuple[Floats, float] | None = None  # kept for ``vectors``
        self.apart: Floats | None = None
        self.news: Floats | None = None  # kept for ``news``
        self.web: Web | None = None  # kept for ``hops``
        self._near: dict[int, Floats] = {}
        self._kin: dict[int, Floats] = {}
        self._place()
        self.plain = self.alone and self.single
        ends = self.items["expires"]
        self.until: int = int(ends[ends > now].min(initial=FOREVER))
        del self.items["unit"], self.items["expires"]  # rarely asked for again

    def shares(self) -> list[tuple[Part, int, int]]:
        """The parts, each with where its items begin and end."""
        return list(zip(self.parts, self.bounds, self.bounds[1:], strict=False))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays that are the view's own."""
        arrays: list[npt.NDArray[Any]] = [*self.items.values(), *self._near.values(), *self._kin.values()]
        arrays += [one for kept in self.norms.values() for one in kept]
        arrays += [self.row, self.group, self.starts, self.length, self.vector_at, self.first, self.owner]
        arrays += [part.passage_at for part in self.parts]
        return sum({id(one): one.nbytes for one in arrays}.values())

    def _place(self) -> None:
        """Number the passages in the order of their items."""
        sizes, lengths, vectors, base, vector = [], [], [], 0, 0
        for part in self.parts:
            rows, total = part.rows, len(part.length)
            size, mine = np.ones_like(rows), part.first[rows]
            if total > len(part.first):  # some items have several passages, which follow each other
                size = np.diff(part.first, append=np.int32(total))[rows]
                mine = np.repeat(mine - (np.cumsum(size) - size), size) + np.arange(size.sum())
            part.passage_at = np.full(total, -1, np.int32)
            part.passage_at[mine] = np.arange(base, base + len(mine), dtype=np.int32)
            at = np.full(total, -1, np.int32)
            at[part.vector_of] = np.arange(vector, vector + len(part.vector_of), dtype=np.int32)
            sizes.append(size)
            lengths.append(part.length[mine])
            vectors.append(at[mine])
            base, vector = base + len(mine), vector + len(part.vector_of)
        self.length: Floats = np.concatenate(lengths).astype(np.float32)
        self.vector_at: Ints = np.concatenate(vectors)
        self.passages, self.single = base, base == self.n
        self._number(np.concatenate(sizes))

    def _number(self, sizes: Ints) -> None:
        """``owner`` and ``first`` from the number of passages of each item."""
        numbers = np.arange(self.n, dtype=np.int32)
        self.first: Ints = numbers if self.single else (np.cumsum(sizes) - sizes).astype(np.int32)
        self.owner: Ints = numbers if self.single else np.repeat(numbers, sizes)

    def some(self, name: str, items: Wide) -> npt.NDArray[Any]:
        """A field of a few items only."""
        if len(self.parts) == 1:
            return self.parts[0].columns[name][self.row[items]]
        kinds = [part.columns[name].dtype for part in self.parts]
        out = np.empty(len(items), np.result_type(*kinds))
        for part, start, end in self.shares():
            here = (items >= start) & (items < end)
            out[here] = part.columns[name][self.row[items[here]]]
        return out

    def ids(self, items: Wide) -> list[str]:
        return [name.decode() for name in self.some("id", items).tolist()]

    def look_up(self, terms: Sequence[int]) -> Found:
        """The postings of these terms (hashes, each once) among what is visible."""
        asked = np.array(terms, np.uint32)
        found: list[tuple[Wide, Ints, Floats]] = []
        for part in self.parts:
            sizes, rows, counts = part.postings.find(asked)
            place, held = part.passage_at.take(rows), counts.astype(np.float32)
            if len(part.rows) < len(part.first):
                seen = place >= 0
                sizes = np.bincount(np.repeat(np.arange(len(asked)), sizes)[seen], minlength=len(asked))
                place, held = place[seen], held[seen]
            found.append((sizes, place, held))
        found = [one for one in found if len(one[1])] or found[:1]
        if len(found) == 1:
            return Found(found[0][1], found[0][2], found[0][0])
        sizes = np.sum([one[0] for one in found], axis=0)
        which = np.concatenate([np.repeat(np.arange(len(asked)), one[0]) for one in found])
        order = np.argsort(which, kind="stable")
        place, count = np.concatenate([one[1] for one in found]), np.concatenate([one[2] for one in found])
        return Found(place[order], count[order], sizes)

    def postings_of_items(self) -> Iterator[tuple[npt.NDArray[np.uint32], Ints]]:
        """(term, item) of every posting among what is visible, part after part."""
        for part in self.parts:
            terms, rows = part.postings.every()
            place = part.passage_at[rows]
            seen = place >= 0
            yield terms[seen], self.owner[place[seen]]

    def per_item(self, passages: Floats) -> Floats:
        """The best passage of each item."""
        return passages if self.single or not self.n else np.maximum.reduceat(passages, self.first)

    def vectors(self, items: Wide) -> Floats:
        """float32[len(items), dim]: the vector of each item's first passage, zeros without one."""
        at = self.vector_at[self.first[items]]
        out = np.zeros((len(at), self.parts[0].matrix.shape[1]), np.float32)
        start = 0
        for part in self.parts:
            here = (at >= start) & (at < start + len(part.scale))
            rows = at[here] - start
            out[here] = part.matrix[rows] * part.scale[rows, None]
            start += len(part.scale)
        return out

    def marks(self, items: Wide) -> npt.NDArray[np.uint8]:
        """uint8[len(items), MARK // 8]: what tells roughly which terms the first passage of each holds."""
        out = np.empty((len(items), self.parts[0].mark.shape[1]), np.uint8)
        for part, start, end in self.shares():
            here = (items >= start) & (items < end)
            out[here] = part.mark[part.first[self.row[items[here]]]]
        return out

    @property
    def roles(self) -> list[list[tuple[int, str]]]:
        """(number, text) of the roles of each part's visible items: a segment knows more than they have."""
        if self._roles is None:
            found = []
            for part, start, end in self.shares():
                there = np.bincount(self.items["role"][start:end] + 1)  # np.unique would load numpy.ma: 8 ms
                found.append([(n - 1, part.roles[n - 1]) for n in np.flatnonzero(there).tolist() if n])
            self._roles = found
        return self._roles

    @property
    def lots(self) -> npt.NDArray[np.uint64]:
        """A number drawn from each item's id and nothing else: samples and ties that go by it do not depend on the
        order of rows, nor on rows that are not visible."""
        if self._lots is None:
            found = []
            for part, a, b in self.shares():
                names = part.columns["id"][self.row[a:b]]
                signs = names.view(np.uint8).reshape(len(names), names.itemsize)
                # A column may be wider than its texts: the zeros behind them add nothing.
                found.append(signs @ np.cumprod(np.full(names.itemsize, _ODD)))
            self._lots = np.concatenate(found) >> np.uint64(16)  # the lowest bits are those of the last sign
        return self._lots

    @property
    def names(self) -> frozenset[int]:
        """The hashes of the names of those who speak here; what everyone with such a part is called is no name."""
        if self._names is None:
            roles = {role for known in self.roles for _, role in known}
            named = (role for role in roles if role.lower() not in GENERIC)
            self._names = frozenset(term for role in named for term in analyze(role))
        return self._names

    def near(self, step: int) -> Floats:
        """[n - step]: 1 where the item ``step`` further on is of the same session, else 0."""
        found = self._near.get(step)
        if found is None:
            found = self._near[step] = self._beside(step).astype(np.float32)
        return found

    def _beside(self, step: int) -> Mask:
        same: Mask = self.group[step:] == self.group[:-step]
        return same

    def kin(self, reach: int) -> Floats:
        """How many items the window of each has: itself and up to ``reach`` neighbours on both sides."""
        found = self._kin.get(reach)
        if found is None:
            found = self._kin[reach] = self.window(np.ones(self.n, np.float32), reach)
        return found

    def window(self, values: Floats, reach: int) -> Floats:
        """Each item's value plus those of up to ``reach`` neighbours on both sides in its session. Shape [..., n]."""
        if self.alone:
            return values
        out = values.copy()
        for step in range(1, reach + 1):
            same = self.near(step)
            out[..., step:] += values[..., :-step] * same
            out[..., :-step] += values[..., step:] * same
        return out


class Pool(View):
    """Some items of a view (``places``, ascending), to be scored as if all of it were. What was counted over the whole:
    ``found``, the postings of the question's terms; ``meanings`` of each passage (see ``vectors.meanings``);
    ``sessions``, the words score of each session."""

    def __init__(self, whole: View, places: Wide, found: Found, meanings: Floats, sessions: Floats) -> None:
        self.parts, self.whole, self.places = whole.parts, whole, places
        self.row, self.n = whole.row[places], len(places)
        self.bounds = np.searchsorted(places, whole.bounds).tolist()
        self.items = _Fields(self)
        self.group, self.alone, self.plain = whole.group[places], whole.alone, whole.plain
        self.sessions = sessions[self.group]
        self._near, self._kin, self._names = {}, {}, whole.names
        self._roles, self._lots = whole.roles, None
        self.passages, self.until = whole.passages, whole.until
        mine: Wide = places
        sizes = np.ones(self.n, np.int32)
        if not whole.single:
            sizes = np.diff(whole.first, append=np.int32(len(whole.owner)))[places]
            mine = np.repeat(whole.first[places] - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
        self.held, self.single = mine, len(mine) == self.n
        self._number(sizes)
        self.vector_at, self.meanings = whole.vector_at[mine], meanings[:, mine]
        number = np.full(len(whole.owner), -1, np.int32)
        number[mine] = np.arange(len(mine), dtype=np.int32)
        place = number.take(found.place)
        kept = np.flatnonzero(place >= 0)
        self.postings = found.which[kept], place[kept], found.count[kept]
        self._found = found

    def look_up(self, terms: Sequence[int]) -> Found:
        """The postings in the whole, found when the pool was chosen: of the same terms."""
        return self._found

    def _beside(self, step: int) -> Mask:
        near: Mask = (self.places[step:] - self.places[:-step]) == step
        return near & super()._beside(step)
