"""Groups of unit vectors by average likeness (average linkage, Sokal and Michener 1958), by nearest-neighbour chains
(Benzécri 1982; Murtagh 1983): each step looks at one row of the likenesses, so n vectors take O(n²).

Of many vectors not all pairs fit into memory. Then parts are grouped, each group stands in for its members by its mean
(the product of two means is the average likeness of their members, exactly), and the groups are grouped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

DENSE = 4096  # vectors of which all pairs are held at once: 64 MB
COMMON = 32  # columns that more vectors have are multiplied as a matrix, others pair by pair


@dataclass(frozen=True, slots=True)
class Vectors:
    """Sparse vectors: entry e is ``value[e]`` at (``row[e]``, ``column[e]``) of [rows, columns]."""

    row: Ints
    column: Ints
    value: Floats
    rows: int
    columns: int


def average(vectors: Vectors, least: float, order: NDArray[Any], sort: NDArray[Any]) -> Ints:
    """Row → the first row of its group. Groups are joined while their average product is ``least`` or more, rows of
    different ``sort`` never. ``order``: the rows in an order that is theirs, whatever order they came in; it decides
    between equals."""
    found = np.zeros(vectors.rows, np.int32)
    where, place = np.zeros(vectors.rows, np.int64), np.zeros(vectors.rows, np.int64)
    place[order] = np.arange(vectors.rows)
    for one in np.unique(sort):
        rows = np.flatnonzero(sort == one)
        where[rows] = np.arange(len(rows))
        mine = sort[vectors.row] == one
        part = Vectors(
            where[vectors.row[mine]].astype(np.int32),
            vectors.column[mine],
            vectors.value[mine],
            len(rows),
            vectors.columns,
        )
        found[rows] = rows[_joined(part, least, np.argsort(place[rows], kind="stable"))]
    return found


def _joined(vectors: Vectors, least: float, order: NDArray[Any]) -> Ints:
    names = np.empty(vectors.rows, np.int64)  # row → its unit
    names[order] = np.arange(vectors.rows)
    units = _merged(vectors, names, vectors.rows)
    size: NDArray[Any] = np.ones(vectors.rows)
    while True:
        pieces = [np.arange(start, min(start + DENSE, units.rows)) for start in range(0, units.rows, DENSE)]
        label = np.arange(units.rows)
        for piece in pieces:
            label[piece] = piece[_chains(_products(units, piece), size[piece], least)]
        first, joined = np.unique(label, return_inverse=True)
        if len(first) == units.rows or len(pieces) == 1:
            names = joined[names]
            break
        names, units, size = joined[names], _merged(units, joined, len(first), size), np.bincount(joined, size)
    heads = np.full(int(names.max(initial=-1)) + 1, vectors.rows, np.int64)
    np.minimum.at(heads, names, np.arange(vectors.rows))
    return heads[names].astype(np.int32)


def _merged(vectors: Vectors, to: NDArray[Any], rows: int, size: NDArray[Any] | None = None) -> Vectors:
    """Means of rows that go to the same place."""
    weight = np.ones(vectors.rows) if size is None else size
    total = np.bincount(to, weight, rows)
    place = to[vectors.row] * np.int64(vectors.columns) + vectors.column
    at, entry = np.unique(place, return_inverse=True)
    value = np.bincount(entry, vectors.value * weight[vectors.row], len(at))
    row = at // max(vectors.columns, 1)
    mean = (value / total[row]).astype(np.float32)
    return Vectors(row.astype(np.int32), (at % max(vectors.columns, 1)).astype(np.int32), mean, rows, vectors.columns)


def _products(vectors: Vectors, rows: NDArray[Any]) -> Floats:
    """All products of some rows (which follow one another), [row, row]."""
    inside = (vectors.row >= rows[0]) & (vectors.row <= rows[-1])
    row, column, value = vectors.row[inside] - rows[0], vectors.column[inside], vectors.value[inside]
    order = np.argsort(column, kind="stable")
    row, column, value = row[order], column[order], value[order]
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    ends = np.append(starts[1:], len(column))
    lengths = ends - starts
    common = np.flatnonzero(lengths > COMMON)
    matrix = np.zeros((len(rows), len(common)), np.float32)
    for place, part in enumerate(common):
        matrix[row[starts[part] : ends[part]], place] = value[starts[part] : ends[part]]
    found = matrix @ matrix.T
    for length in np.unique(lengths[(lengths > 1) & (lengths <= COMMON)]):
        parts = starts[lengths == length][:, None] + np.arange(length)
        who, much = row[parts], value[parts]
        pairs = who[:, :, None].astype(np.int64) * len(rows) + who[:, None, :]
        np.add.at(found.reshape(-1), pairs.reshape(-1), (much[:, :, None] * much[:, None, :]).reshape(-1))
    return np.round(found, 5)  # sums in whatever order are the same number


def _chains(like: Floats, size: NDArray[Any], least: float) -> NDArray[Any]:
    """Row → the row that stands for its group. ``like`` is used up."""
    count = len(like)
    label = np.arange(count)
    size = size.astype(np.float64).copy()
    np.fill_diagonal(like, -1.0)
    alive = np.ones(count, bool)
    chain: list[int] = []
    at = 0
    while True:
        if not chain:
            while at < count and not alive[at]:
                at += 1
            if at == count:
                return label
            chain = [at]
        top = chain[-1]
        best = int(np.argmax(like[top]))
        before = chain[-2] if len(chain) > 1 else -1
        if before >= 0 and like[top, before] >= like[top, best]:
            best = before
        if like[top, best] < least:  # by average linkage it can never again come nearer to anything
            alive[top] = False
            like[top, :] = like[:, top] = -1.0
            chain.pop()
        elif best == before:
            chain = chain[:-2]
            keep, gone = min(top, best), max(top, best)
            share = size[keep] / (size[keep] + size[gone])
            mixed = like[keep] * share + like[gone] * (1.0 - share)
            mixed[like[keep] < 0.0] = -1.0
            like[keep, :] = like[:, keep] = mixed
            like[keep, keep] = -1.0
            like[gone, :] = like[:, gone] = -1.0
            size[keep] += size[gone]
            alive[gone] = False
            label[label == gone] = keep
        else:
            chain.append(best)
