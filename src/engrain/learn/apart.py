"""How far mean rewards lie apart: of actions in a task type, of the states that one action was taken in.

What was hardly tried is told from the rest, and the rest tells it only as well as means resemble each other. How much
single outcomes of an action differ does not say that: where an action is steady, another may still be far away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST = 0.25  # weight of a mean that is heard: one claim


def apart(group: Ints, weight: Floats, mean: Floats, noise: float, prior: float) -> float:
    """The variance of true means inside of groups, from means [n] that rest on outcomes of ``weight`` [n], each of a
    variance of ``noise``: by the method of moments with every mean counted alike (Hedges 1983), so that what was taken
    seldom, since it did badly, is heard. ``prior`` is worth one difference of means."""
    heard = weight >= LEAST
    group, weight, mean = group[heard], weight[heard], mean[heard]
    size = np.maximum(np.bincount(group), 1)
    free = float((size - 1)[np.unique(group)].sum()) if len(group) else 0.0
    if free < 1.0:
        return prior
    off = mean - (np.bincount(group, mean) / size)[group]
    by_chance = noise * float(((1.0 - 1.0 / size[group]) / weight).sum())
    return (prior + max(0.0, float((off * off).sum()) - by_chance)) / (1.0 + free)
