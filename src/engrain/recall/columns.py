"""Arrays that grow at the end, and names as numbers. Readers keep what they were given: growth never moves a row."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Wide = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


class Column:
    """A numpy array with room behind its end. Rows already given out are not written again, but for ``set``. A column
    of texts (``S``) grows as wide as its longest."""

    def __init__(self, dtype: Any, width: int | None = None) -> None:
        self._tail = () if width is None else (width,)
        self._array: npt.NDArray[Any] = np.empty((0, *self._tail), dtype=dtype)
        self.size = 0

    def extend(self, rows: npt.NDArray[Any]) -> None:
        need, dtype = self.size + len(rows), self._array.dtype
        wider = dtype.kind == "S" and rows.dtype.itemsize > dtype.itemsize
        if need > len(self._array) or wider:
            room = max(need, self.size * 9 // 8) if self.size else need + need // 16
            grown = np.empty((room + 16, *self._tail), dtype=rows.dtype if wider else dtype)
            grown[: self.size] = self.rows
            self._array = grown
        self._array[self.size : need] = rows
        self.size = need

    @property
    def rows(self) -> npt.NDArray[Any]:
        return self._array[: self.size]

    @property
    def nbytes(self) -> int:
        return self._array.nbytes


class Names(dict[Hashable, int]):
    """Numbers for names (sessions, roles, kinds, sets of tags), from 0: ``names[name]`` gives a new name one."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Any] = []

    def __missing__(self, name: Hashable) -> int:
        found = self[name] = len(self.all)
        self.all.append(name)
        return found

    def find(self, name: Hashable) -> int:
        """The number of a name, or -2, which no row has."""
        return self.get(name, -2)
