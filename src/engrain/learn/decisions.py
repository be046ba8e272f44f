"""Off-policy evaluation of single decisions: what a rule would earn, from outcomes that another way of deciding chose.

With the weight w = (rule's probability of what was done) / (logged propensity), reward r, modelled reward q of what was
done and v of what the rule would do (see ``direct``), the mean over decisions of

============================  ========================================================================================
importance sampling           w r (Horvitz and Thompson 1952): unbiased, of high variance
self-normalised               w r / mean(w) (Swaminathan and Joachims 2015)
clipped                       min(w, 10) r (Ionides 2008), shifted so that clipping can only take away: its interval is
                              the empirical-Bernstein one, whose low end holds at any n (Thomas et al. 2015)
direct                        v: as good as the model; its interval is that of doubly robust, which shows how good
doubly robust                 v + w (r - q) (Dudík, Langford and Li 2011): right when either the propensities or the
                              model are
SWITCH                        v + w (r - q) where w <= 10, else v (Wang, Agarwal and Dudík 2017)
calibrated doubly robust      the default: as doubly robust, q = b·z fitted by least squares weighted with w to
                              z = (1, the rule's own probability of a, the model if it predicts held-out outcomes). What
                              the weights must average to is known, and is what they are calibrated to: at least as
                              tight as importance sampling, self-normalised and doubly robust in large samples whatever
                              the model is worth (Kallus and Uehara 2019; generalised regression, Särndal et al. 1992)
============================  ========================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engrain.learn.direct import Decided, misfit
from engrain.learn.intervals import Rare, Told, bernstein, kish
from engrain.learn.log import Floats
from engrain.learn.reward import HIGH, LOW
from engrain.model.policy import Estimate
from engrain.model.report import counted

CLIP = 10.0
LEAST_EFFECTIVE = 20.0  # outcomes in effect
LEAST_CLUSTERS = 10  # sources
UNTRIED = 0.05  # share of what a rule would do that may lie outside of what was ever tried
SURE = 4.0  # standard errors by which weights must fall short of their mean of 1: they are skewed
WORTH = 0.95  # of the misfit without a model: one that leaves more is left out
MOST_LEVERAGE = 0.9

DEFAULT = "calibrated doubly robust"
CLIPPED = "clipped, empirical Bernstein"


def importance(told: Decided) -> tuple[float, Floats]:
    return _mean(told.weight * told.reward)


def self_normalised(told: Decided) -> tuple[float, Floats]:
    mean = max(float(told.weight.mean()), 1e-300)
    value = float(told.weight @ told.reward) / len(told.reward) / mean
    return value, told.weight * (told.reward - value) / mean


def direct(told: Decided) -> tuple[float, Floats]:
    value = float(np.where(told.known, told.model_all, told.reward).mean())
    return value, doubly_robust(told)[1]


def doubly_robust(told: Decided) -> tuple[float, Floats]:
    return _mean(told.model_all + told.weight * (told.reward - told.model))


def switch(told: Decided) -> tuple[float, Floats]:
    return _mean(told.model_all + np.where(told.weight <= CLIP, told.weight, 0.0) * (told.reward - told.model))


def calibrated(told: Decided) -> tuple[float, Floats]:
    """The influence is that of the calibrated weights, each residual enlarged by its leverage (as HC3; MacKinnon and
    White 1985): what an outcome has bent the fit towards itself does not make it look well explained."""
    reward, weight, known = told.reward, told.weight, told.known
    columns, whole = [known * 1.0, np.where(known, told.own, 0.0)], [known * 1.0, np.where(known, told.own_all, 0.0)]
    none = np.zeros_like(reward)
    if misfit(reward, weight, told.model) < WORTH * misfit(reward, weight, none):
        columns, whole = [*columns, told.model], [*whole, told.model_all]
    if not known.any():
        return _mean(reward)
    z, all_of_them = np.column_stack(columns), np.column_stack(whole)
    weighted = z * weight[:, None]
    inverse = np.linalg.pinv(weighted.T @ z, rcond=1e-10, hermitian=True)
    fit = inverse @ (weighted.T @ reward)
    rest, modelled = reward - z @ fit, all_of_them @ fit
    value = float((modelled + weight * rest).mean())
    share = np.where(known, weighted @ (inverse @ all_of_them.sum(axis=0)), 1.0)  # the calibrated weights
    leverage = np.minimum(np.einsum("ni,ni->n", weighted @ inverse, z), MOST_LEVERAGE)
    influence = modelled + share * rest / (1.0 - leverage)
    return value, influence - influence.mean()


METHODS: dict[str, Callable[[Decided], tuple[float, Floats]]] = {
    DEFAULT: calibrated,
    "importance sampling": importance,
    "self-normalised": self_normalised,
    "direct": direct,
    "doubly robust": doubly_robust,
    "SWITCH": switch,
}
"""By name: the value, and the influence [n] of each decision."""


def tell(told: Decided, method: str) -> Told:
    """What one of ``METHODS`` says."""
    effective = kish(told.weight, told.cluster)
    refused = refusal(told, effective)
    if refused is not None:
        return Told(method, math.nan, np.zeros(len(told.reward)), told.cluster, effective, refused=refused)
    value, influence = METHODS[method](told)
    floor = float(np.ptp(told.reward)) / (effective + 2.0)
    rare = (_rare(told, told.reward < value, effective, value - float(told.reward.min())),
            _rare(told, told.reward > value, effective, float(told.reward.max()) - value))  # fmt: skip
    return Told(method, value, influence, told.cluster, effective, floor, rare, (LOW, HIGH))


def _rare(told: Decided, there: NDArray[np.bool_], effective: float, far: float) -> Rare:
    return Rare(kish(np.where(there, told.weight, 0.0), told.cluster), effective, max(far, 0.0))


def clipped(told: Decided, confidence: float) -> Estimate:
    """Clipped importance sampling with its empirical-Bernstein interval."""
    method, n = CLIPPED, len(told.reward)
    effective = kish(told.weight, told.cluster)
    refused = refusal(told, effective)
    if refused is not None:
        return Estimate(method, None, None, None, n, effective, confidence, refused)
    terms = np.minimum(told.weight, CLIP) * (told.reward - LOW)
    value, half = float(terms.mean()) + LOW, bernstein(terms, told.cluster, CLIP * (HIGH - LOW), confidence)
    value, low, high = (min(max(one, LOW), HIGH) for one in (value, value - half, value + half))
    return Estimate(method, value, low, high, n, effective, confidence)


def told_of(n: int, clusters: int, what: str) -> str:
    """How many of what there are, and from how many sources."""
    return f"There {'is' if n == 1 else 'are'} {counted(n, what)} from {counted(clusters, 'source')}"


def refusal(told: Decided, effective: float) -> str | None:
    """Why the outcomes cannot tell what the rule would earn; None when they can."""
    n, clusters = len(told.reward), int((np.bincount(told.cluster) > 0).sum())
    if not n:
        return "There is no executed or verified outcome of a decision whose propensity was logged."
    if clusters < LEAST_CLUSTERS:
        return f"{told_of(n, clusters, 'outcome')}; at least {LEAST_CLUSTERS} sources are needed."
    if told.never > UNTRIED:
        return f"{told.never:.0%} of what it would do was never done: there is no outcome of it."
    if effective < LEAST_EFFECTIVE:
        return (
            f"The {n:,} outcomes are worth {effective:.1f} for what it would do (at least {LEAST_EFFECTIVE:.0f} are "
            "needed): it was rarely done, and a few outcomes would decide."
        )
    share = untried(told.weight)
    if share > UNTRIED:
        return f"At least {share:.0%} of what it would do had no chance to be tried when the {n:,} outcomes came about."
    mean, unsure = _average(told.weight)
    if mean - unsure > 1.0 + UNTRIED:
        return f"The logged propensities cannot be right: the weights they give average {mean:.2f} instead of 1."
    return None


def untried(weight: Floats) -> float:
    """Which share of what a rule would do had no chance to be tried, at least: by so much its weights [n] fall short of
    an average of 1."""
    mean, unsure = _average(weight)
    return 1.0 - mean - unsure


def _average(weight: Floats) -> tuple[float, float]:
    """The mean of weights, and how far it may be off."""
    return float(weight.mean()), SURE * float(weight.std()) / math.sqrt(len(weight))


def _mean(terms: Floats) -> tuple[float, Floats]:
    value = float(terms.mean())
    return value, terms - value
