"""Off-policy evaluation: what a rule would earn, told from logged outcomes that it did not bring about.

Single decisions: see ``decisions``; episodes, when what comes later counts and next states are known: see ``episodes``.
Both give a refusal with its reason where the outcomes cannot tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engrain.learn import decisions, episodes
from engrain.learn.direct import decided
from engrain.learn.log import Ints, Log
from engrain.learn.rule import Decider
from engrain.learn.sample import Sample, fold_of, has_episodes, sample_of
from engrain.model.policy import Estimate

FOLDS = 5
CONFIDENCE = 0.95


def evaluate(
    log: Log,
    rule: Decider,
    *,
    discount: float = 0.0,
    method: str | None = None,
    confidence: float = CONFIDENCE,
    seed: int = 0,
    floor: float = 0.0,
    estimated: bool = False,
) -> Estimate:
    """What ``rule``, with ``floor`` of exploration mixed in, would earn: a decision, or with ``discount`` > 0 and next
    states an episode. ``method`` is one of ``methods(log, discount)``, None: the default. ``estimated``: decisions
    without a logged propensity count, too, by an estimated one; this is marked, and no promotion rests on it."""
    only = methods(log, discount)[0] if method is None else method
    return evaluations(
        log, rule, discount=discount, confidence=confidence, seed=seed, floor=floor, estimated=estimated, only=only
    )[0]


def methods(log: Log, discount: float = 0.0) -> tuple[str, ...]:
    """The names of what there is for such a log, the default first."""
    if has_episodes(log, discount):
        return episodes.METHODS
    return (*decisions.METHODS, decisions.CLIPPED)


def evaluations(
    log: Log,
    rule: Decider,
    *,
    discount: float = 0.0,
    confidence: float = CONFIDENCE,
    seed: int = 0,
    floor: float = 0.0,
    estimated: bool = False,
    only: str | None = None,
) -> tuple[Estimate, ...]:
    """What each method says, the default first; ``only`` one of them."""
    sample = sample_of(log, has_episodes(log, discount), estimated)
    fold = fold_of(sample, FOLDS, seed)
    rules = [rule] * (1 + int(fold.max(initial=0)))
    names = methods(log, discount)
    wanted = list(names) if only is None else [only]
    if not set(wanted) <= set(names):
        raise ValueError(f"there is no method {only!r} for this log; there are {', '.join(names)}")
    found = estimates(sample, fold, rules, discount, floor, wanted, confidence, seed)
    if estimated and sample.estimated:
        found = [replace(one, method=f"{one.method} (estimated propensities)") for one in found]
    return tuple(found)


def estimates(
    sample: Sample,
    fold: Ints,
    rules: Sequence[Decider],
    discount: float,
    floor: float,
    wanted: Sequence[str],
    confidence: float,
    seed: int,
) -> list[Estimate]:
    """What each of the methods ``wanted`` says of ``rules``, each on its own fold."""
    if has_episodes(sample.log, discount):
        lived = episodes.led(sample, fold, rules, discount, floor)
        return [episodes.tell(lived, name).estimate(confidence, seed) for name in wanted]
    told = decided(sample, fold, rules, floor)
    return [
        decisions.clipped(told, confidence)
        if name == decisions.CLIPPED
        else decisions.tell(told, name).estimate(confidence, seed)
        for name in wanted
    ]
