"""What is believed of patterns: pure functions, held against what they must always obey."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engrain.model.beta import posterior, quantile, share_below
from engrain.patterns.belief import NONE, contrast, here, like, of_sums, voice_of, worth
from engrain.patterns.brief import brief
from engrain.patterns.life import judge
from engrain.recall.loose import repeats_down

WEIGHT = st.floats(0.0, 1e4)


@settings(max_examples=50, deadline=None)
@given(WEIGHT, WEIGHT, st.floats(0.01, 0.99))
def test_the_posterior(good: float, bad: float, p: float) -> None:
    value, low, high = posterior(good, bad)
    assert 0.0 <= low < value < high <= 1.0
    assert posterior(good + 1.0, bad)[1] > low > posterior(good, bad + 1.0)[1], "it falls with failures"
    assert abs(share_below(good + 1.0, bad + 1.0, quantile(good + 1.0, bad + 1.0, p)) - p) < 1e-6


def test_the_posterior_is_that_of_the_books() -> None:
    # Beta(a, 1) has the quantile p ** (1 / a); Beta(1, b) its mirror; Beta(2, 2) is 3 x² - 2 x³ below x.
    for a in (1.0, 2.5, 40.0, 9000.0):
        assert math.isclose(quantile(a, 1.0, 0.05), 0.05 ** (1.0 / a), abs_tol=1e-9)
        assert math.isclose(quantile(1.0, a, 0.95), 1.0 - 0.05 ** (1.0 / a), abs_tol=1e-9)
    assert math.isclose(share_below(2.0, 2.0, 0.3), 3 * 0.3**2 - 2 * 0.3**3, abs_tol=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60), st.randoms(use_true_random=False))
def test_a_contrast_is_that_of_like_cases_in_any_order(cases: list[tuple[str, bool]], luck: random.Random) -> None:
    with_it, without = cases[::2], cases[1::2]
    found = contrast(with_it, without)
    luck.shuffle(with_it)
    assert contrast(with_it, without) == pytest.approx(found, nan_ok=True) if found[0] is not None else True
    mirrored = contrast(without, with_it)
    if found[0] is not None and found[1] is not None and found[2] is not None:
        assert -1.0 <= found[1] <= found[0] <= found[2] <= 1.0
        assert mirrored[0] is None or math.isclose(mirrored[0], -found[0], abs_tol=1e-12)
    alone = [(f"only {stratum}", good) for stratum, good in with_it]
    assert contrast(alone, without) == NONE, "of other states: nothing to compare"


def test_a_contrast_covers_what_is_so() -> None:
    """Nine of ten intervals hold the difference, though one stratum is easy and has most of the cases with it."""
    luck, held = random.Random(3), 0
    for _ in range(300):
        with_it = [(s, luck.random() < p) for s, p, n in (("easy", 0.85, 20), ("hard", 0.35, 8)) for _ in range(n)]
        without = [(s, luck.random() < p) for s, p, n in (("easy", 0.75, 10), ("hard", 0.25, 40)) for _ in range(n)]
        _, low, high = contrast(with_it, without)
        assert low is not None
        assert high is not None
        held += low <= 0.1 <= high
    assert 0.86 <= held / 300 <= 0.99


def test_like_states() -> None:
    assert like({"n": 12, "x": None, "lang": "py"}) == like({"lang": "py", "n": 19.9})
    assert len({like({"n": n}) for n in (0, 1, -1, 12, 25, 120, True, "1")}) == 8


def test_voices_and_what_counts_elsewhere() -> None:
    assert voice_of("ann", "claimed", "x", "t", "u") == voice_of("ann", "claimed", "y", None, "v"), "one teller"
    assert voice_of("ann", "executed", None, "t", "u") == voice_of("bob", "verified", None, "t", "v"), "one task"
    assert voice_of("ann", "executed", None, None, "u") != voice_of("ann", "executed", None, None, "v")
    assert here((100.0, 0.0), (0.0, 3.0)) == (2.0, 3.0), "what works elsewhere does not outvote what happened here"
    assert here((1.0, 0.5), (1.0, 0.5)) == (1.0, 0.5)


def test_what_was_never_used_gets_its_turn_and_what_fails_loses_it() -> None:
    dice = random.Random(1)
    known, new, bad = (6.0, 4.0), (0.0, 0.0), (1.0, 30.0)
    wins = {known: 0, new: 0, bad: 0}
    for _ in range(1000):
        wins[max(wins, key=lambda one: worth(one[0], one[1], 1.0 if one == bad else 0.8, dice)[0])] += 1
    assert wins[new] > 100
    assert wins[bad] == 0, "though it looks best"


@settings(max_examples=50, deadline=None)
@given(WEIGHT, WEIGHT, st.sampled_from(["short", "long"]), st.integers(0, 9), st.floats(-1, 1), st.floats(0, 1))
def test_the_rules(good: float, bad: float, tier: str, sure: int, value: float, half: float) -> None:
    belief = of_sums(good, bad, sure, (value, value - half, value + half) if half > 0.5 else NONE)
    verdict = judge(tier, "active", belief, sure, 0.0)
    assert judge(tier, "quarantined", belief, sure, 0.0) is None
    assert judge(tier, "active", belief, sure, good + bad + 1.0) is None, "a person's word stands"
    if verdict is None:
        return
    assert sure >= 3
    assert verdict.reason
    if verdict.event == "promoted":
        assert belief.confidence >= 0.6
        assert judge("long", "active", belief, sure, 0.0) is None, "not back at once"
    if verdict.event == "demoted":
        assert judge("short", "active", belief, sure, 0.0) is None


def test_near_repeats_stand_behind_what_they_repeat() -> None:
    import numpy as np

    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert repeats_down([1.0, 0.9, 0.6], vectors) == [0, 2, 1]
    assert repeats_down([], vectors[:0]) == []
    assert brief([], 1.0, 100, len) == ("", ())
