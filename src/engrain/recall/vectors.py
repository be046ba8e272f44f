"""Vectors: exact cosine of the question with every visible passage of the same embedder."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engrain.recall.columns import Floats
from engrain.recall.view import Pool, View

_ROWS = 512  # rows turned to float32 at once: they stay in the cache of a core (40 µs for 1,000 rows of 256)


def cosines(view: View, question: Floats) -> Floats:
    """Cosine per passage, 0 where there is no vector. Shape [passages].

    The question becomes whole numbers too, few enough that every sum is exact in float32: so a score does not depend on
    where a row lies in memory, and every store and process gives the same one.
    """
    if isinstance(view, Pool):
        return view.cosine
    top = float(np.abs(question).max(initial=0.0))
    if top == 0.0:
        return np.zeros(len(view.owner), np.float32)
    whole = min(511, (1 << 24) // (127 * len(question)))
    scale = np.float32(top / whole)
    numbers = np.rint(question / scale)
    sizes = [len(part.scale) for part in view.parts]
    every = np.zeros(sum(sizes) + 1, np.float32)  # the last one stands for no vector
    start = 0
    for part, size in zip(view.parts, sizes, strict=True):
        products(part.matrix, numbers, every[start : start + size])
        every[start : start + size] *= part.scale
        start += size
    every *= scale
    return every[view.vector_at]


def products(matrix: npt.NDArray[np.int8], numbers: Floats, out: Floats) -> None:
    """Exact scalar products of int8 rows with whole numbers."""
    room = np.empty((min(_ROWS, len(matrix)), len(numbers)), np.float32)
    for start in range(0, len(matrix), _ROWS):
        rows = matrix[start : start + _ROWS]
        some = room[: len(rows)]
        np.copyto(some, rows)
        np.dot(some, numbers, out=out[start : start + _ROWS])
