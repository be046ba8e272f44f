"""An exact test of two ways of doing something over comparable cases."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Stratum = tuple[int, int, int, int]
"""Cases with it, good ones of them; cases without it, good ones of them."""


def chance(strata: Sequence[Stratum]) -> tuple[float, float]:
    """(how likely the cases with it would end well as often as they did, or oftener, if it made no difference within
    any stratum; the least that this could have been with so many cases and good ones): the exact conditional test of
    Fisher (1935), over strata that of Birch (1964), by convolution of hypergeometric distributions. (1.0, 1.0) where
    nothing can be compared."""
    total = np.ones(1)
    least = 0
    seen = 0
    for n1, g1, n0, g0 in strata:
        if not n1 or not n0 or g1 + g0 in (0, n1 + n0):
            continue
        low, weights = _good(n1, n0, g1 + g0)
        total = np.convolve(total, weights)
        least += low
        seen += g1
    if len(total) == 1:
        return 1.0, 1.0
    return min(1.0, float(total[seen - least :].sum())), float(total[-1])


def share(least: Sequence[float], risk: float) -> float:
    """Up to which chance each of many tests may be believed so that the risk of believing anything wrong is ``risk`` at
    most: Bonferroni's share among those tests that could get so low at all (Tarone 1990). ``least``: of each test."""
    lowest = sorted(least)
    for k in range(1, len(lowest) + 1):
        if bisect_right(lowest, risk / k) <= k:
            return risk / k
    return 0.0


def _good(n1: int, n0: int, good: int) -> tuple[int, NDArray[np.float64]]:
    """(least, weights from there on) of how many of ``good`` ones fall to the first of two groups."""
    low, high = max(0, good - n0), min(n1, good)
    at = np.arange(low, high + 1)
    logs = _factorials(1 << (n1 + n0).bit_length())

    def choose(n: int, k: NDArray[np.int64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = logs[n] - logs[k] - logs[n - k]
        return found

    weights = np.exp(choose(n1, at) + choose(n0, good - at) - float(choose(n1 + n0, np.array([good]))[0]))
    return low, weights / math.fsum(weights)


@lru_cache(maxsize=4)
def _factorials(size: int) -> NDArray[np.float64]:
    return np.concatenate([np.zeros(1), np.cumsum(np.log(np.arange(1, size + 1)))])
