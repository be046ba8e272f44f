"""The Beta distribution, as far as beliefs need it: quantiles by the regularised incomplete beta function.

Continued fraction after Lentz (Press et al., Numerical Recipes, 6.4), inverted by Newton's steps
kept between bounds: about 0.1 ms a quantile, exact to 1e-9, without a library that takes longer to load than all else.
"""

from __future__ import annotations

import math
from functools import lru_cache

PRIOR = 1.0  # of each side: all shares are equally likely before anything is known
TAIL = 0.05  # on each side of the 90 % interval
_TINY = 1e-300
_ROUNDS = 300
_STEPS = 100


def share_below(a: float, b: float, x: float) -> float:
    """P(share < x) under Beta(a, b); a and b above 0."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, 1.0 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1.0 / _off_zero(1.0 - (a + b) * x / (a + 1.0))
    total = d
    for m in range(1, _ROUNDS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1.0 / _off_zero(1.0 + term * d), _off_zero(1.0 + term / c)
            total *= d * c
        if abs(d * c - 1.0) < 1e-12:
            break
    return total


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


@lru_cache(maxsize=4096)
def quantile(a: float, b: float, p: float) -> float:
    """The share below which a part ``p`` of Beta(a, b) lies."""
    low, high, x = 0.0, 1.0, a / (a + b)
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    for _ in range(_STEPS):
        error = share_below(a, b, x) - p
        low, high = (x, high) if error < 0.0 else (low, x)
        density = math.exp(scale + (a - 1.0) * math.log(x) + (b - 1.0) * math.log1p(-x))
        step = x - error / density if density > _TINY else -1.0
        before, x = x, step if low < step < high else (low + high) / 2.0
        if abs(x - before) < 1e-10:
            break
    return x


def posterior(good: float, bad: float, prior: float = PRIOR) -> tuple[float, float, float]:
    """(mean, low, high): of the share of good outcomes after ``good`` and ``bad`` ones, which may be weights, with its
    90 % interval."""
    a, b = good + prior, bad + prior
    return a / (a + b), quantile(a, b, TAIL), quantile(a, b, 1.0 - TAIL)
