"""How sure an estimate is: intervals from the influence of each unit, resampled by source.

A unit is a decision or an episode; its influence is what the estimate would move by, times the number of units, if
there were one more like it. Units of one cluster (a source, see ``Log.lineage``) are drawn together or not at all.

- Studentised bootstrap (bootstrap-t; Efron and Tibshirani 1993, chapter 12.5): importance weights make estimates
  skewed, and a plain percentile or normal interval of 36 effective outcomes then covers 88 % instead of 95 %. The
  bootstrap distribution of (mean - value) / standard error has the same skew, and corrects for it.
- Empirical Bernstein (Maurer and Pontil 2009): holds for any distribution within a known range and any n; wide.

Beyond ``BINS`` clusters they are put together by a hash: a mean over a million rows is resampled in milliseconds.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from engrain.learn.log import Floats, Ints
from engrain.model.policy import Estimate

BINS = 1_000
ROUNDS = 1_000
BEYOND = 5.0  # rounds at least that lie beyond each end of an interval
FEW = 5.0
LEAST_SHARE = 0.5  # of the normal interval's half-width: no side of an interval is narrower
LEAST_ERROR = 0.3  # of the standard error: a draw in which hardly anything differs shows little of the tail
MIX = 0x9E3779B97F4A7C15  # an odd number far from simple fractions of 2**64: neighbours fall into different bins


@dataclass(frozen=True, slots=True)
class Rare:
    """Outcomes on one side of a value: how many in effect, of how many, and how far off the farthest one lies.

    No bootstrap can show what was hardly seen. Where fewer than ``FEW`` lie on a side, their number is taken to be as
    large as a Poisson count may be that showed so few (Garwood 1936; Wilson and Hilferty 1931)."""

    count: float
    of: float
    far: float

    def reach(self, confidence: float) -> float:
        """How far the interval reaches to that side at least."""
        if self.count >= FEW or self.of <= 0.0:
            return 0.0
        one, z = self.count + 1.0, NormalDist().inv_cdf(0.5 + confidence / 2.0)
        most = one * (1.0 - 1.0 / (9.0 * one) + z / (3.0 * math.sqrt(one))) ** 3
        return (most - self.count) * self.far / self.of


@dataclass(frozen=True, slots=True)
class Told:
    """What one method says: its value, the influence [u] and the cluster [u] of each unit, and how many units that is
    in effect. ``floor`` is the least standard error: outcomes that never differed so far may yet. ``rare``
    are the outcomes below and above the value, ``bounds`` are those of the value itself. ``refused`` says why
    there is no value."""

    method: str
    value: float
    influence: Floats
    cluster: Ints
    effective: float
    floor: float = 0.0
    rare: tuple[Rare, Rare] | None = None
    bounds: tuple[float, float] = (-math.inf, math.inf)
    refused: str | None = None

    def estimate(self, confidence: float, seed: int) -> Estimate:
        """The same for people, with its interval."""
        n = len(self.influence)
        if self.refused is not None:
            return Estimate(self.method, None, None, None, n, self.effective, confidence, self.refused)
        below, above = studentised(self.influence, self.cluster, confidence, seed, self.floor)
        if self.rare is not None:
            below, above = max(below, self.rare[0].reach(confidence)), max(above, self.rare[1].reach(confidence))
        value, low, high = (
            float(min(max(one, self.bounds[0]), self.bounds[1]))
            for one in (self.value, self.value - below, self.value + above)
        )
        told = [one if math.isfinite(one) else None for one in (low, high)]  # of a single source nothing can be said
        return Estimate(self.method, value, told[0], told[1], n, self.effective, confidence)


def kish(weight: Floats, cluster: Ints) -> float:
    """How many equally weighted clusters weigh the same (Kish 1965): (sum w)² / sum w²; 0 when nothing weighs."""
    each = np.bincount(cluster, weight)
    squares = float(each @ each)
    return float(each.sum()) ** 2 / squares if squares > 0.0 else 0.0


def binned(cluster: Ints) -> Ints:
    """Clusters, numbered densely; beyond ``BINS`` of them those of one hash together."""
    most = int(cluster.max(initial=-1)) + 1
    if most <= BINS:
        return cluster
    there = np.bincount(cluster, minlength=most) > 0
    if int(there.sum()) <= BINS:
        return np.asarray((np.cumsum(there) - 1)[cluster], dtype=np.int64)
    table = ((np.arange(most, dtype=np.uint64) * np.uint64(MIX)) >> np.uint64(40)) % np.uint64(BINS)
    return table.astype(np.int64)[cluster]


def studentised(
    influence: Floats, cluster: Ints, confidence: float, seed: int, floor: float = 0.0
) -> tuple[float, float]:
    """How far an interval reaches below and above the mean of units with these influences."""
    size = binned(cluster)
    sums = np.stack([np.bincount(size, influence), np.bincount(size).astype(np.float64)], axis=1)
    sums = sums[sums[:, 1] > 0.0]
    clusters, total = len(sums), float(sums[:, 1].sum())
    if clusters < 2:
        return math.inf, math.inf
    sums[:, 0] -= sums[:, 1] * (sums[:, 0].sum() / total)
    error = max(_error(float(sums[:, 0] @ sums[:, 0]), clusters, total), floor)
    if error <= 0.0:
        return 0.0, 0.0
    tail = (1.0 - confidence) / 2.0
    drawn = _drawn(clusters, max(ROUNDS, math.ceil(BEYOND / max(tail, 1e-4) - 1e-6)), seed)
    parts = np.column_stack([sums, sums[:, 0] ** 2, sums[:, 0] * sums[:, 1], sums[:, 1] ** 2])
    total_of, weight_of, squares, cross, weights = (drawn @ parts).T
    mean = total_of / np.maximum(weight_of, 1e-300)
    scatter = np.maximum(squares - 2.0 * mean * cross + mean * mean * weights, 0.0)
    errors = np.sqrt(scatter * clusters / (clusters - 1.0)) / np.maximum(weight_of, 1e-300)
    ratio = mean / np.maximum(errors, LEAST_ERROR * error)
    low, high = np.quantile(ratio, [tail, 1.0 - tail])
    least = LEAST_SHARE * NormalDist().inv_cdf(1.0 - tail)
    return error * max(float(high), least), error * max(float(-low), least)


def _error(squares: float, clusters: int, total: float) -> float:
    return math.sqrt(squares * clusters / (clusters - 1.0)) / total


@functools.lru_cache(maxsize=2)  # several methods on the same units, at one confidence or two
def _drawn(clusters: int, rounds: int, seed: int) -> NDArray[np.float64]:
    """How often each cluster is drawn in each round [rounds, clusters]."""
    picks = np.random.default_rng(seed).integers(0, clusters, (rounds, clusters))
    picks += np.arange(rounds)[:, None] * clusters
    return np.bincount(picks.ravel(), minlength=rounds * clusters).reshape(rounds, clusters).astype(np.float64)


def bernstein(terms: Floats, cluster: Ints, reach: float, confidence: float) -> float:
    """Half-width of the empirical-Bernstein interval of the mean of ``terms`` [u], each within a range of ``reach``."""
    each, size = np.bincount(cluster, terms), np.bincount(cluster)
    each, size = each[size > 0], size[size > 0]
    n = len(each)
    if n < 2:
        return math.inf
    scaled = each * n / size.sum()  # the mean of clusters is that of units
    widest = reach * float(size.max()) * n / float(size.sum())
    log = math.log(4.0 / (1.0 - confidence))
    return math.sqrt(2.0 * float(scaled.var(ddof=1)) * log / n) + 7.0 * widest * log / (3.0 * (n - 1.0))
