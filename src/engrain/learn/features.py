"""States as vectors: standardised numbers, one-hot text, booleans and tags; what is missing is a value of its own.

Numbers are compressed (sign(x) log(1 + |x|)), standardised over the states seen and clipped to three deviations, so
that one huge value cannot make all others look alike. A number that is missing sits at the mean and carries a mark, in
every feature that some state lacks. Text, booleans and tags are one-hot; beyond ``MAX_TOKENS`` different ones they
share columns by hash. Two states that differ in one category are as far apart as two that differ by a typical step in
one number (squared distance 2).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engrain.learn.state import Value

Matrix = NDArray[np.float32]

MAX_TOKENS = 1_024
_CLIP = 3.0


class Space:
    """The states of one task type: ``add`` them, then ``matrix`` [n, d] and ``vector`` [d] are comparable.

    What standardises them is the first ``step(n)`` of them, so that it changes seldom; ``version`` counts how often the
    coordinates have changed.
    """

    def __init__(self, whole: bool = False) -> None:
        """``whole``: all states standardise, however many they are."""
        self._step = (lambda n: n) if whole else step
        self._fixed = False  # read from a body: states cannot be added
        self._numbers: dict[str, int] = {}
        self._tokens: dict[str, int] = {}
        self._raw = _Rows(np.nan)
        self._hot = _Rows(0.0)
        self.size = 0
        self.version = 0
        self._scale: tuple[Matrix, Matrix, NDArray[np.bool_]] | None = None
        self._made: tuple[int, int, int] = (0, 0, 0)  # of which the scale was made: states, numbers, tokens
        self._matrix: Matrix = np.zeros((0, 0), dtype=np.float32)
        self._done = 0  # rows of it that are filled

    def add(self, values: Mapping[str, Value]) -> None:
        """Append a state as row ``size``."""
        numbers, tokens = self._split(values, learn=True)
        self._raw.append(self.size, numbers, len(self._numbers))
        self._hot.append(self.size, dict.fromkeys(tokens, 1.0), min(len(self._tokens), MAX_TOKENS))
        self.size += 1

    @property
    def width(self) -> int:
        """How many coordinates a vector has."""
        lacking = int(self._scale[2].sum()) if self._scale is not None else 0
        return self._raw.width + lacking + self._hot.width

    def body(self) -> dict[str, Any]:
        """The coordinates as JSON values."""
        _ = self.matrix
        assert self._scale is not None  # noqa: S101 (set by ``matrix``)
        mean, spread, lacking = self._scale
        return {
            "numbers": list(self._numbers),
            "tokens": list(self._tokens),
            "mean": mean.tolist(),
            "spread": spread.tolist(),
            "lacking": lacking.tolist(),
        }

    @classmethod
    def read(cls, body: Any) -> Space:
        """Coordinates from their JSON values. Raises ValueError."""
        names = ("numbers", "tokens", "mean", "spread", "lacking")
        if not isinstance(body, dict) or not all(isinstance(body.get(name), list) for name in names):
            raise ValueError(f"an object of the lists {', '.join(names)} is expected")
        numbers, tokens = body["numbers"], body["tokens"]
        if not all(isinstance(name, str) for name in [*numbers, *tokens]):
            raise ValueError("a feature's name is text")
        if len(set(numbers)) < len(numbers) or len(set(tokens)) < len(tokens):
            raise ValueError("a feature is named twice")
        if not all(isinstance(one, bool) for one in body["lacking"]):
            raise ValueError("lacking is a list of true and false")
        if not all(type(one) in (int, float) and abs(one) < 1e9 for name in ("mean", "spread") for one in body[name]):
            raise ValueError("mean and spread are lists of finite numbers")
        if not len(numbers) == len(body["mean"]) == len(body["spread"]) == len(body["lacking"]):
            raise ValueError("each number has a mean, a spread, and whether states lack it")
        if not all(one > 0 for one in body["spread"]):
            raise ValueError("a spread is above 0")
        space = cls()
        space._fixed = True
        space._numbers = {name: index for index, name in enumerate(numbers)}
        space._tokens = {name: index for index, name in enumerate(tokens)}
        space._raw.width, space._hot.width = len(numbers), min(len(tokens), MAX_TOKENS)
        mean, spread = (np.array(body[name], dtype=np.float32) for name in ("mean", "spread"))
        space._scale = (mean, spread, np.array(body["lacking"], dtype=np.bool_))
        return space

    @property
    def matrix(self) -> Matrix:
        """All states [n, d], standardised over the first ``step(n)`` of them."""
        if self._fixed:
            return self._matrix
        asked = (self._step(self.size), self._raw.width, self._hot.width)
        if asked != self._made or self._scale is None:
            self._scale, self._made, self._done = _scale(self._raw.view(asked[0])), asked, 0
            self.version += 1
        if self._done < self.size:
            fresh = self._standard(self._raw.view(self.size)[self._done :], self._hot.view(self.size)[self._done :])
            if self._done == 0 or self.size > len(self._matrix):
                grown = np.empty((2 * self.size, fresh.shape[1]), dtype=np.float32)
                if self._done:
                    grown[: self._done] = self._matrix[: self._done]
                self._matrix = grown
            self._matrix[self._done : self.size] = fresh
            self._done = self.size
        return self._matrix[: self.size]

    def vector(self, values: Mapping[str, Value]) -> Matrix:
        """One state [d] in the coordinates of ``matrix``; a category never seen is in none of its columns."""
        _ = self.matrix
        numbers, tokens = self._split(values, learn=False)
        raw = np.full((1, self._raw.width), np.nan, dtype=np.float32)
        hot = np.zeros((1, self._hot.width), dtype=np.float32)
        for column, value in numbers.items():
            raw[0, column] = value
        for column in tokens:
            hot[0, column] = 1.0
        return self._standard(raw, hot).reshape(-1)

    def _standard(self, raw: Matrix, hot: Matrix) -> Matrix:
        assert self._scale is not None  # noqa: S101 (set by ``matrix``, which all callers go through)
        mean, spread, lacking = self._scale
        numbers = raw.shape[1]
        out = np.zeros((len(raw), numbers + int(lacking.sum()) + hot.shape[1]), dtype=np.float32)
        scaled = out[:, :numbers]  # in place: this runs for all states whenever the scale changes
        np.subtract(raw, mean, out=scaled)
        np.divide(scaled, spread, out=scaled)
        np.clip(scaled, -_CLIP, _CLIP, out=scaled)
        gaps = np.isnan(scaled)
        if gaps.any():
            scaled[gaps] = 0.0
            out[:, numbers : numbers + int(lacking.sum())] = gaps[:, lacking]
        if hot.shape[1]:
            out[:, -hot.shape[1] :] = hot
        return out

    def _split(self, values: Mapping[str, Value], learn: bool) -> tuple[dict[int, float], list[int]]:
        numbers: dict[int, float] = {}
        tokens: list[int] = []
        for name, value in values.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                column = self._numbers.setdefault(name, len(self._numbers)) if learn else self._numbers.get(name)
                if column is not None:
                    numbers[column] = _compressed(value)
            else:
                for token in _tokens_of(name, value):
                    index = self._tokens.setdefault(token, len(self._tokens)) if learn else self._tokens.get(token)
                    if index is not None:
                        tokens.append(index if index < MAX_TOKENS else zlib.crc32(token.encode()) % MAX_TOKENS)
        return numbers, tokens


def step(n: int) -> int:
    """The largest number up to ``n`` of 1, 2, … 32, and from there on each a sixth larger: when what is made of all
    data is made anew. It depends on nothing but ``n``, so that every process works with the same."""
    at = min(n, 32)
    while at >= 32 and at + at // 6 <= n:
        at += at // 6
    return at


def _scale(raw: Matrix) -> tuple[Matrix, Matrix, NDArray[np.bool_]]:
    """Mean and deviation of each number, and whether some state lacks it."""
    known = ~np.isnan(raw)
    count = known.sum(axis=0)
    values = np.where(known, raw, 0.0).astype(np.float64)
    mean = values.sum(axis=0) / np.maximum(count, 1)
    spread = np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(axis=0) / np.maximum(count, 1))
    spread = np.where(count > 0, np.maximum(spread, 1e-6 * np.maximum(np.abs(mean), 1.0)), 1.0)
    return mean.astype(np.float32), spread.astype(np.float32), count < len(raw)


def _compressed(value: float) -> float:
    return math.copysign(math.log1p(abs(value)), value)


def _tokens_of(name: str, value: Value) -> Iterator[str]:
    if isinstance(value, list):
        yield from (f"{name}\x00{tag}" for tag in value)
    elif value is not None:
        yield f"{name}\x00{value!r}"


class _Rows:
    """A matrix that grows in both directions."""

    def __init__(self, empty: float) -> None:
        self._empty = empty
        self._data: Matrix = np.full((16, 8), empty, dtype=np.float32)
        self.width = 0

    def append(self, row: int, cells: Mapping[int, float], width: int) -> None:
        self.width = max(self.width, width)
        rows, columns = self._data.shape
        if row >= rows or self.width > columns:
            shape = (max(rows, 2 * row if row >= rows else rows), max(columns, 2 * self.width))
            grown = np.full(shape, self._empty, dtype=np.float32)
            grown[:rows, :columns] = self._data
            self._data = grown
        for column, value in cells.items():
            self._data[row, column] = value

    def view(self, rows: int) -> Matrix:
        return self._data[:rows, : self.width]


def squared_distances(matrix: Matrix, vector: Matrix) -> NDArray[np.float64]:
    """[n] squared Euclidean distances of the rows of ``matrix`` [n, d] to ``vector`` [d]."""
    off = matrix - vector
    return np.asarray(np.einsum("nd,nd->n", off, off), dtype=np.float64)
