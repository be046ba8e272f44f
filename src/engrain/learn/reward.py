"""Reward, version 1: one number in [-2, 2] from what is known of an outcome.

Each component that is present is scored in [-1, 1] and weighted:

=========  ======  ==================================================================================
component  weight  score
=========  ======  ==================================================================================
success    1.0     +1 or -1
time       0.5     1 - seconds / budget_seconds, not below -1; needs both
quality    0.7     2 * quality - 1
resources  0.3     1 - 2 * resources (the share of what was allowed that was used up)
feedback   0.5     feedback
=========  ======  ==================================================================================

reward = 2 * sum(weight * score) / sum(weight), both sums over the components present: what is missing is not a zero
and does not weaken the rest, so that a perfect run reaches 2 and a plain failure -2. A failure earns nothing for being
quick or cheap: time and resources count for it only when they speak against it. An explicit reward replaces the
components. While success is unknown there is no reward, whatever else is known.

An outcome may bring weights of its own for some components, of an agent whose work is judged by its quality more than
by its speed. They are kept with it, so that feedback that comes later, and a rebuild, weigh it alike.

The weight of an experience is its evidence tier: claimed 1/4, executed 3/4, verified 1. It is the precision with which
the outcome counts: four claims weigh as much as one verified outcome.
"""

from __future__ import annotations

from engrain.model.decision import Outcome

VERSION = "1"
LOW, HIGH = -2.0, 2.0
WEIGHTS = {"success": 1.0, "time": 0.5, "quality": 0.7, "resources": 0.3, "feedback": 0.5}
TIERS = {"claimed": 0.25, "executed": 0.75, "verified": 1.0}  # multiples of 1/4: sums of them are exact


def components(outcome: Outcome) -> dict[str, float]:
    """The score in [-1, 1] of each component that is present; empty while success is unknown."""
    if outcome.success is None:
        return {}
    scores = {"success": 1.0 if outcome.success else -1.0}
    if outcome.seconds is not None and outcome.budget_seconds is not None:
        scores["time"] = max(-1.0, 1.0 - outcome.seconds / outcome.budget_seconds)
    if outcome.quality is not None:
        scores["quality"] = 2.0 * outcome.quality - 1.0
    if outcome.resources is not None:
        scores["resources"] = 1.0 - 2.0 * outcome.resources
    if outcome.feedback is not None:
        scores["feedback"] = outcome.feedback
    if not outcome.success:
        scores = {name: score for name, score in scores.items() if name not in ("time", "resources") or score < 0.0}
    return scores


def reward_of(outcome: Outcome) -> float | None:
    """The reward in [-2, 2] of a checked outcome; None when it teaches nothing yet."""
    if outcome.reward is not None:
        return outcome.reward
    scores = components(outcome)
    if not scores:
        return None
    weights = {**WEIGHTS, **outcome.weights} if outcome.weights else WEIGHTS
    share = sum(weights[name] * score for name, score in scores.items()) / sum(weights[name] for name in scores)
    return max(LOW, min(HIGH, 2.0 * share))


def weight_of(outcome: Outcome) -> float:
    """How much the outcome counts: the weight of its evidence tier."""
    return TIERS[outcome.evidence]
