"""Arrays that grow at the end, and names as numbers. Readers keep what they were given: growth never moves a row."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Wide = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Column:
    """A numpy array with room behind its end. Rows already given out are not written again, but for ``set``."""

    def __init__(self, dtype: Any, width: int | None = None) -> None:
        self._tail = () if width is None else (width,)
        self._array: npt.NDArray[Any] = np.empty((0, *self._tail), dtype=dtype)
        self.size = 0

    def extend(self, rows: npt.NDArray[Any]) -> None:
        need = self.size + len(rows)
        if need > len(self._array):
            grown = np.empty((max(16, need, len(self._array) * 5 // 4), *self._tail), dtype=self._array.dtype)
            grown[: self.size] = self._array[: self.size]
            self._array = grown
        self._array[self.size : need] = rows
        self.size = need

    @property
    def rows(self) -> npt.NDArray[Any]:
        return self._array[: self.size]


class Names:
    """Numbers for names (sessions, roles, kinds, sets of tags), counted up from 0."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._numbers: dict[Hashable, int] = {}

    def number(self, name: Hashable) -> int:
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self.all)
            self.all.append(name)
        return found

    def find(self, name: Hashable) -> int:
        """The number of a name, or -2, which no row has."""
        return self._numbers.get(name, -2)
