"""Off-policy evaluation of whatever a log may hold: an estimate that holds together, or a refusal without numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engrain.learn.evaluate import evaluations, methods
from engrain.learn.gate import judge, judge_fixed
from engrain.learn.log import END, Log
from engrain.model.policy import Estimate
from tests.logs import best, even, rows

PROPENSITIES = st.sampled_from([1.0, 0.5, 1e-6, 0.25, float("nan"), 0.0, 1.5, -0.1])
REWARDS = st.sampled_from([-2.0, 2.0, 0.0, 0.3])


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Up to a few hundred rows: odd propensities, contradictions, rewards at the bounds, sources of any size."""
    n = draw(st.sampled_from([0, 1, 2, 3, 20, 80, 300]))
    states, k = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rewards = draw(st.lists(REWARDS, min_size=1, max_size=4))
    chance = draw(st.lists(PROPENSITIES, min_size=1, max_size=3))
    length = draw(st.sampled_from([1, 3, 200]))
    state, run = rng.integers(0, states, n), np.arange(n) // length
    following = np.append(state[1:], 0)[:n]
    goes_on = np.append(run[1:] == run[:-1], False)[:n] & (length > 1)
    log = rows(
        states, k, state, rng.integers(0, k, n), np.where(goes_on, following, END), rng.choice(rewards, n),
        rng.choice(chance, n), run,
    )  # fmt: skip
    few = draw(st.integers(1, 40))
    return replace(log, evidence=rng.integers(0, 3, n), lineage=run % few if draw(st.booleans()) else run)


def holds_together(one: Estimate) -> None:
    told = (one.value, one.low, one.high)
    if one.refused is not None:
        assert told == (None, None, None)
        assert one.refused.endswith(".")
        return
    value, low, high = (float(number) for number in told if number is not None)
    assert np.isfinite(value)
    assert low <= value <= high
    assert 0.0 < one.effective <= one.n + 1e-6


@given(logs(), st.sampled_from([0.0, 0.9, 1.0]), st.sampled_from([0.0, 0.1]))
@settings(deadline=None, max_examples=120)
def test_every_estimate_holds_together(log: Log, discount: float, floor: float) -> None:
    if not log.actions:
        return
    for estimated in (False, True):
        found = evaluations(log, even(log), discount=discount, floor=floor, estimated=estimated)
        assert len(found) == len(methods(log, discount))
        for one in found:
            holds_together(one)


@given(logs(), st.sampled_from([0.0, 0.9, 1.0]))
@settings(deadline=None, max_examples=80)
def test_every_verdict_holds_together(log: Log, discount: float) -> None:
    for verdict in (
        judge(log, best, None, discount=discount),
        judge(log, best, even(log), discount=discount, online=lambda _: even(log)),
        judge_fixed(log, even(log), None, discount=discount),
    ):
        for one in (verdict.candidate, verdict.live, *verdict.others):
            holds_together(one)
        assert verdict.reason.endswith(".")
        if verdict.passed:
            assert verdict.candidate.low is not None
            assert verdict.live.value is not None
            assert verdict.candidate.low > verdict.live.value


@given(logs(), st.sampled_from([0.0, 0.9]))
@settings(deadline=None, max_examples=20)
def test_the_same_log_and_seed_give_the_same_verdict(log: Log, discount: float) -> None:
    assert judge(log, best, None, discount=discount, seed=3) == judge(log, best, None, discount=discount, seed=3)
