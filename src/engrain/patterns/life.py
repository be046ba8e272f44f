"""When a pattern is promoted, demoted or quarantined: pure rules over what is believed of it.

Promotion needs the lower bound of the posterior at ``PROVEN`` or above, of ``VOICES`` sources that executed or verified
it, and nothing that speaks against it in comparison. A proven one whose lower bound falls below ``DOUBTED`` is demoted:
the gap keeps one outcome from moving it to and fro. One that does harm is quarantined: tasks surely end worse with it
than comparable ones without it (a bound three times as wide as the 90 % interval's, as it is looked at after every
use), or, where nothing can be compared, it hardly ever works (upper bound below ``HARMFUL``). Deprecation is left to
people, and to consolidation. Being young or unused is no reason for anything.
"""

from __future__ import annotations

from typing import NamedTuple

from engrain.model.pattern import Belief

PROVEN = 0.6
DOUBTED = 0.45
HARMFUL = 0.25
VOICES = 3
AFRESH = 3.0  # verified outcomes that must come before a person's word is overruled


class Verdict(NamedTuple):
    """What is to become of it, and why."""

    event: str
    tier: str
    state: str
    reason: str


def judge(tier: str, state: str, belief: Belief, sure: int, held: float) -> Verdict | None:
    """What the rules make of a pattern; None while it stays as it is. ``sure``: voices that executed or verified it;
    ``held``: evidence below which a person's word stands."""
    if state != "active" or sure < VOICES or belief.good + belief.bad < held:
        return None
    if reason := _harm(belief):
        return Verdict("quarantined", "short", "quarantined", reason)
    against = belief.contrast_high is not None and belief.contrast_high < 0.0
    told = f"{belief.good:.4g} of {belief.good + belief.bad:.4g} went well, from {sure} sources"
    if tier == "short" and belief.confidence >= PROVEN and not against:
        return Verdict("promoted", "long", state, f"helps in {belief.confidence:.0%} at least: {told}")
    if tier == "long" and (belief.confidence < DOUBTED or against):
        reason = f"helps in {belief.confidence:.0%} at least, no more: {told}"
        return Verdict("demoted", "short", state, "tasks end worse with it than without" if against else reason)
    return None


def _harm(belief: Belief) -> str:
    value, high = belief.contrast, belief.contrast_high
    if value is not None and high is not None:
        sure = value + 3.0 * (high - value) < 0.0
        return f"tasks end well {-value:.0%} less often with it than without" if sure else ""
    return f"helps in {belief.high:.0%} at most" if belief.high < HARMFUL else ""
