"""Vectors: exact cosine of the question with every visible passage of the same embedder."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engrain.recall.columns import Floats
from engrain.recall.view import Pool, View

_ROWS = 512  # rows turned to float32 at once: they stay in the cache of a core (40 µs for 1,000 rows of 256)
_SAMPLE = 20_000  # passages that the middle of a view is taken of, at most
_DOUBT = 10  # passages of nothing in particular that count into the middle: that of two texts says little
_GRID = 2.0**24  # scales become whole numbers, so that the middle does not depend on the order of its sum


def cosines(view: View, vector: Floats) -> Floats:
    """Cosine of a vector (unit length, or zeros) with each passage, 0 where there is no vector. Shape [passages].

    The vector becomes whole numbers too, few enough that every sum is exact in float32: so a score does not depend on
    where a row lies in memory, and every store and process gives the same one.
    """
    top = float(np.abs(vector).max(initial=0.0))
    if top == 0.0:
        return np.zeros(len(view.owner), np.float32)
    whole = min(511, (1 << 24) // (127 * len(vector)))
    scale = np.float32(top / whole)
    numbers = np.rint(vector / scale)
    if isinstance(view, Pool):
        rows, scales, at = view.matrix_rows()
    else:
        rows, scales, at = [part.matrix for part in view.parts], [part.scale for part in view.parts], view.vector_at
    sizes = [len(one) for one in scales]
    every = np.zeros(sum(sizes) + 1, np.float32)  # the last one stands for no vector
    start = 0
    for matrix, lengths, size in zip(rows, scales, sizes, strict=True):
        products(matrix, numbers, every[start : start + size])
        every[start : start + size] *= lengths
        start += size
    every *= scale
    return every[at]


def centred(view: View, vector: Floats) -> Floats:
    """Cosine per passage after what all visible passages have in common is taken away from both sides (Mu and
    Viswanath, All-but-the-Top, 2018, without its second step): what a scope always talks about tells nothing apart.
    0 where there is no vector. Shape [passages]."""
    centre, square = middle(view)
    away = vector - centre
    length = float(np.sqrt(away @ away))
    if length == 0.0 or not vector.any():
        return np.zeros(len(view.owner), np.float32)
    away /= np.float32(length)
    if view.toward is None:
        view.toward = cosines(view, centre)
    apart = np.sqrt(np.maximum(np.float32(1 + square) - 2 * view.toward, np.float32(1e-6)))
    found: Floats = (cosines(view, away) - np.float32(away @ centre)) / apart
    found[view.vector_at < 0] = 0.0
    return found


def middle(view: View) -> tuple[Floats, float]:
    """(mean vector of the visible passages, its squared length); kept with the view, a pool's is the whole's."""
    if isinstance(view, Pool):
        return middle(view.whole)
    if view.middle is None:
        at = view.vector_at[:: 1 + len(view.vector_at) // _SAMPLE]
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


def products(matrix: npt.NDArray[np.int8], numbers: Floats, out: Floats) -> None:
    """Exact scalar products of int8 rows with whole numbers."""
    room = np.empty((min(_ROWS, len(matrix)), len(numbers)), np.float32)
    for start in range(0, len(matrix), _ROWS):
        rows = matrix[start : start + _ROWS]
        some = room[: len(rows)]
        np.copyto(some, rows)
        np.dot(some, numbers, out=out[start : start + _ROWS])
