"""Which failures are alike: an index over their features, and groups by average likeness.

A failure is one vector of length one. Each kind of feature (:data:`WEIGHTS`) is weighed by how rare its features are
among the failures of the scope and brought to length one by itself, so that a long stack is no louder than a short
message; then the kinds are weighed. Likeness is the cosine. Rarity is log(1 + 1/(share + 0.1)): what one failure of
ten has is nearly as telling as what one of a thousand has, so a small scope and a large one measure alike, and a new
failure hardly moves the old ones.

Groups: average linkage (Sokal and Michener 1958) down to :data:`JOIN`. The average over all pairs keeps a chain of
half-like failures from pulling everything into one group, as single linkage would.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engrain.fixes.linkage import Floats, Ints, Vectors, average

WEIGHTS = np.array([3.0, 1.0, 1.0, 1.0, 1.5, 1.0, 1.0, 0.5, 0.5], np.float32)
"""Words of the names, own calls, their classes, exception, package, masked message, difference of an assertion's sides,
foreign calls at the border, words of the message."""
JOIN = 0.51
SMOOTH = 0.1
STALE = 0.02  # how many new failures, as a share, may be measured by the rarities of before
REGROUP = 0.1  # how many may join the groups of before, until all are grouped anew

Features = Sequence[Mapping[str, float]]
"""One mapping of feature to strength for each of :data:`WEIGHTS`, in their order."""


class Index:
    """Failures by likeness. ``scope`` keeps what belongs to different projects apart."""

    def __init__(self) -> None:
        self._pools: dict[str, _Pool] = {}
        self._scopes: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._scopes)

    def __contains__(self, id: str) -> bool:
        return id in self._scopes

    def put(self, id: str, features: Features, scope: str = "", sort: str = "") -> None:
        """Take a failure in; an id that is known is left as it is. Failures of different ``sort`` never join."""
        if id not in self._scopes:
            self._scopes[id] = scope
            self._pools.setdefault(scope, _Pool()).put(id, features, sort)

    def near(self, features: Features, limit: int = 10, scope: str = "") -> list[tuple[str, float]]:
        """The most alike in the scope, the best first: (id, likeness from 0 to 1)."""
        pool = self._pools.get(scope)
        if pool is None or limit < 1:
            return []
        scores = pool.scores(features)
        best = np.argsort(-scores, kind="stable")[:limit]
        return [(pool.ids[int(row)], min(1.0, float(scores[row]))) for row in best if scores[row] > 0.0]

    def group_of(self, id: str) -> str:
        """The first known failure of the group that a failure belongs to, itself where it is alone. Groups are derived:
        they are made anew as more is known, and then an id may come into another."""
        scope = self._scopes.get(id)
        return id if scope is None else self._pools[scope].group_of(id)

    def settle(self) -> bool:
        """Bring the groups up to date; whether any may have changed."""
        return sum(pool.settle() for pool in self._pools.values()) > 0

    def fitting(self, features: Features, scope: str = "", sort: str = "") -> str | None:
        """The first known failure of the group that another would join, as of the last `settle`; None if alone."""
        pool = self._pools.get(scope)
        return pool.fitting(features, sort) if pool else None


def is_features(told: object) -> bool:
    """Whether a value read from outside can be put into an index."""
    return (
        isinstance(told, Sequence)
        and len(told) == len(WEIGHTS)
        and all(isinstance(kind, Mapping) for kind in told)
        and all(
            isinstance(name, str) and isinstance(value, int | float) and 0.0 < value <= 1.0
            for kind in told
            for name, value in kind.items()
        )
    )


class _Grown:
    """An array that grows at its end."""

    def __init__(self, kind: type[np.generic]) -> None:
        self._all = np.zeros(64, kind)
        self._used = 0

    def append(self, values: Sequence[float] | Ints | Floats) -> None:
        need = self._used + len(values)
        if need > len(self._all):
            self._all = np.concatenate([self._all, np.zeros(max(need, len(self._all)), self._all.dtype)])
        self._all[self._used : need] = values
        self._used = need

    @property
    def now(self) -> NDArray[Any]:
        return self._all[: self._used]


class _Pool:
    """The failures of one scope: one entry for each feature of each failure."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._rows: dict[str, int] = {}
        self._known: dict[str, int] = {}  # "kind feature" → column
        self._sorts: dict[str, int] = {}
        self._sort = _Grown(np.int32)
        self._row, self._column, self._kind = _Grown(np.int32), _Grown(np.int32), _Grown(np.int8)
        self._strength, self._value = _Grown(np.float32), _Grown(np.float32)
        self._rarity: Floats = np.zeros(0, np.float32)  # by column, as of the last measure
        self._measured = 0  # failures by which the rarities were told
        self._order: NDArray[np.int64] = np.zeros(0, np.int64)  # entries of that time, by column
        self._starts: NDArray[np.int64] = np.zeros(1, np.int64)  # column → its first place there
        self._groups: Ints = np.zeros(0, np.int32)  # row → the first row of its group
        self._grouped = 0

    def put(self, id: str, features: Features, sort: str) -> None:
        row = self._rows[id] = len(self.ids)
        self.ids.append(id)
        self._sort.append([self._sorts.setdefault(sort, len(self._sorts))])
        columns, kinds, strengths = [], [], []
        for kind, told in enumerate(features):
            for feature, strength in told.items():
                columns.append(self._known.setdefault(f"{kind} {feature}", len(self._known)))
                kinds.append(kind)
                strengths.append(strength)
        self._row.append([row] * len(columns))
        self._column.append(columns)
        self._kind.append(kinds)
        self._strength.append(strengths)

    def scores(self, features: Features) -> Floats:
        """Likeness of a failure to each of the pool, [row]."""
        self._measure()
        columns, kinds, strengths = [], [], []
        for kind, told in enumerate(features):
            for feature, strength in told.items():
                columns.append(self._known.get(f"{kind} {feature}", -1))
                kinds.append(kind)
                strengths.append(strength)
        column = np.array(columns, np.int32)
        rarity = np.append(self._rarity, _rarity(np.zeros(1)))[column]
        value = _values(np.zeros(len(column), np.int32), np.array(kinds, np.int8), np.array(strengths) * rarity, 1)
        there = column >= 0  # what nobody has is like nobody
        return self._products(column[there], value[there])

    def _products(self, column: Ints, value: Floats) -> Floats:
        """Of a vector with all of the pool, [row]: by the entries of its columns, and all entries that came since these
        were listed."""
        listed = column < len(self._starts) - 1
        parts = [self._order[self._starts[one] : self._starts[one + 1]] for one in column[listed]]
        entries = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        much = np.repeat(value[listed], [len(part) for part in parts])
        found = np.bincount(self._row.now[entries], self._value.now[entries] * much, len(self.ids))
        since = len(self._order)
        asked = np.zeros(len(self._known), np.float32)
        asked[column] = value
        late = self._value.now[since:] * asked[self._column.now[since:]]
        return (found + np.bincount(self._row.now[since:], late, len(self.ids))).astype(np.float32)

    def _measure(self, *, exactly: bool = False) -> None:
        """Values of all entries by how rare their features are now; few new ones by how rare they were."""
        count, known = len(self.ids), len(self._value.now)
        if count == self._measured and known == len(self._column.now):
            return
        if exactly or count - self._measured > STALE * self._measured:
            share = np.bincount(self._column.now, minlength=len(self._known)) / max(count, 1)
            self._rarity = _rarity(share)
            self._measured, known = count, 0
            self._value = _Grown(np.float32)
            self._order = np.argsort(self._column.now, kind="stable")
            self._starts = np.searchsorted(self._column.now[self._order], np.arange(len(self._known) + 1))
        else:
            fresh = np.full(len(self._known) - len(self._rarity), 1.0 / count)
            self._rarity = np.concatenate([self._rarity, _rarity(fresh)])
        rows, columns = self._row.now[known:], self._column.now[known:]
        self._value.append(
            _values(rows, self._kind.now[known:], self._strength.now[known:] * self._rarity[columns], count)
        )

    def settle(self) -> bool:
        """Groups of all; few new ones join those that are there. Whether anything was new."""
        count = len(self.ids)
        if len(self._groups) == count:
            return False
        if count - self._grouped > REGROUP * self._grouped:
            self._measure(exactly=True)
            order = np.argsort(np.array(self.ids), kind="stable")  # the same groups in whatever order they came
            vectors = Vectors(self._row.now, self._column.now, self._value.now, count, len(self._known))
            self._groups, self._grouped = average(vectors, JOIN, order, self._sort.now), count
        self._measure()
        while len(self._groups) < count:
            self._join(len(self._groups))
        return True

    def group_of(self, id: str) -> str:
        self.settle()
        return self.ids[int(self._groups[self._rows[id]])]

    def fitting(self, features: Features, sort: str) -> str | None:
        """The first of the group that a failure would join, as of the last `settle`."""
        known = len(self._groups)
        best = self._best(self.scores(features)[:known], self._sorts.get(sort, -1)) if known else -1
        return None if best < 0 else self.ids[best]

    def _best(self, likes: Floats, sort: int) -> int:
        """The group, by its first row, that is most alike on average; -1 where none is enough."""
        known = len(likes)
        groups = self._groups[:known]
        sums, sizes = np.bincount(groups, likes, known), np.bincount(groups, minlength=known)
        means = np.where(self._sort.now[:known] == sort, sums / np.maximum(sizes, 1), 0.0)
        best = int(np.argmax(means)) if known else 0
        return best if known and means[best] >= JOIN else -1

    def _join(self, row: int) -> None:
        """A failure that came after the groups were made joins the most alike of them, or is alone."""
        begin, end = np.searchsorted(self._row.now, [row, row + 1])
        likes = self._products(self._column.now[begin:end], self._value.now[begin:end])[:row]
        best = self._best(likes, int(self._sort.now[row]))
        self._groups = np.append(self._groups, np.int32(best if best >= 0 else row))


def _rarity(share: NDArray[np.float64]) -> Floats:
    return np.log(1.0 + 1.0 / (share + SMOOTH)).astype(np.float32)


def _values(row: Ints, kind: NDArray[np.int8], weight: NDArray[Any], rows: int) -> Floats:
    """Entries of vectors of length one: each kind of feature of length √its weight, then the whole of length one."""
    kinds = len(WEIGHTS)
    part = row.astype(np.int64) * kinds + kind
    squares = np.bincount(part, weight * weight, rows * kinds)
    whole = np.sqrt(((squares > 0.0).reshape(rows, kinds) * WEIGHTS).sum(1))
    scale = np.sqrt(WEIGHTS)[kind] / np.maximum(np.sqrt(squares[part]) * whole[row], 1e-9)
    return np.asarray(weight * scale, np.float32)
