"""Logged steps as columns, on their way from the store or the archive to those who learn from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
NONE = -1  # the code of no text
SHARED = {"advised_action": "action", "open_state": "next_state", "next_key": "state_key"}
"""Columns of texts whose numbers are into the values of another column."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of texts: ``codes`` [n] are numbers into ``values``, NONE where there is none. ``values`` are distinct,
    in no order; empty when only which are equal is wanted."""

    codes: Codes
    values: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows as columns by name: texts, real numbers [n] (NaN: not known) and whole ones [n]."""

    texts: Mapping[str, Texts]
    reals: Mapping[str, NDArray[np.float64]]
    whole: Mapping[str, NDArray[np.int64]]
