"""Vectors: exact cosine of the question with every visible passage of the same embedder."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engrain.recall.columns import Floats
from engrain.recall.view import Pool, View

_ROWS = 512  # rows turned to float32 at once: they stay in the cache of a core (40 µs for 1,000 rows of 256)
_SAMPLE = 20_000  # passages up to which the middle of a view is taken of all, and about as many beyond
_DOUBT = 10  # passages of nothing in particular that count into the middle: that of two texts says little
_GRID = 2.0**24  # scales become whole numbers, so that the middle does not depend on the order of its sum


def cosines(view: View, vector: Floats) -> Floats:
    """Cosine of a vector (unit length, or zeros) with each passage, 0 where there is no vector. Shape [passages]."""
    found: Floats = _scan(view, vector[None])[0]
    return found


def meanings(view: View, vector: Floats, bare: Floats) -> Floats:
    """[2, passages]: the cosine of ``vector``, and that of ``bare`` after what all visible passages have in common is
    taken away from both sides (Mu and Viswanath, All-but-the-Top, 2018, without its second step): what a scope always
    talks about tells nothing apart. 0 where there is no vector."""
    if isinstance(view, Pool):
        return view.meanings
    centre, square = middle(view)
    away = bare - centre
    length = float(np.sqrt(away @ away))
    if length == 0.0 or not bare.any():
        found = _scan(view, vector[None])
        return np.concatenate([found, np.zeros_like(found)])
    away /= np.float32(length)
    if view.apart is None:
        toward = cosines(view, centre)
        view.apart = np.sqrt(np.maximum(np.float32(1 + square) - 2 * toward, np.float32(1e-6)))
    found = _scan(view, np.stack([vector, away]))
    found[1] -= np.float32(away @ centre)
    found[1] /= view.apart
    if view.vector_at.min(initial=0) < 0:
        found[1, view.vector_at < 0] = 0.0
    return found


def _scan(view: View, vectors: Floats) -> Floats:
    """[vectors, passages]: cosines of several vectors at once, which costs little more than of one.

    A vector becomes whole numbers too, few enough that every sum is exact in float32: so a score does not depend on
    where a row lies in memory, and every store and process gives the same one.
    """
    top = np.abs(vectors).max(axis=1, initial=0.0).astype(np.float64)
    whole = min(511, (1 << 24) // (127 * vectors.shape[1]))
    scale = np.where(top > 0, top / whole, 1.0).astype(np.float32)
    numbers = np.rint(vectors / scale[:, None]).T  # [dim, vectors]
    numbers = numbers[:, 0] if len(vectors) == 1 else np.ascontiguousarray(numbers)
    sizes = [len(part.scale) for part in view.parts]
    every = np.zeros((sum(sizes) + 1, *numbers.shape[1:]), np.float32)  # the last one stands for no vector
    start = 0
    for part, size in zip(view.parts, sizes, strict=True):
        _products(part.matrix, numbers, every[start : start + size])
        every[start : start + size] *= part.scale if every.ndim == 1 else part.scale[:, None]
        start += size
    found = every.take(view.vector_at, axis=0).reshape(-1, len(vectors)).T  # take: indexing would copy the numbers
    return np.ascontiguousarray(found * scale[:, None])


def middle(view: View) -> tuple[Floats, float]:
    """(mean vector of the visible passages, its squared length); kept with the view, a pool's is the whole's."""
    if isinstance(view, Pool):
        return middle(view.whole)
    if view.middle is None:
        at, one_in = view.vector_at, 1 + len(view.vector_at) // _SAMPLE
        if one_in > 1:
            at = at[(view.lots % np.uint64(one_in) == 0)[view.owner]]
        at = at[at >= 0]
        total, start = np.zeros(view.parts[0].matrix.shape[1]), 0
        for part in view.parts:
            rows = at[(at >= start) & (at < start + len(part.scale))] - start
            for some in np.array_split(rows, 1 + len(rows) // _ROWS):
                # Whole numbers below 2 to the 53rd: the sum is exact.
                total += np.rint(part.scale[some] * _GRID).astype(np.float64) @ part.matrix[some].astype(np.float64)
            start += len(part.scale)
        mean = (total / (_GRID * (len(at) + _DOUBT))).astype(np.float32)
        view.middle = mean, float(mean @ mean)
    return view.middle


def _products(matrix: npt.NDArray[np.int8], numbers: Floats, out: Floats) -> None:
    """Exact scalar products of int8 rows with whole numbers [dim] or [dim, vectors]."""
    room = np.empty((min(_ROWS, len(matrix)), matrix.shape[1]), np.float32)
    for start in range(0, len(matrix), _ROWS):
        rows = matrix[start : start + _ROWS]
        some = room[: len(rows)]
        np.copyto(some, rows)
        np.dot(some, numbers, out=out[start : start + _ROWS])
