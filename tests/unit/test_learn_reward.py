"""Rewards, and the outcomes that they come from."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from engrain.errors import InvalidField
from engrain.learn.outcome import checked_outcome, from_json, revised, to_json
from engrain.learn.reward import TIERS, WEIGHTS, reward_of, weight_of
from engrain.model.decision import EVIDENCE, Outcome

PERFECT = Outcome(success=True, seconds=0.0, budget_seconds=10.0, quality=1.0, resources=0.0, feedback=1.0)
HOPELESS = Outcome(success=False, seconds=99.0, budget_seconds=10.0, quality=0.0, resources=1.0, feedback=-1.0)


def test_a_perfect_run_reaches_2_and_a_hopeless_one_minus_2() -> None:
    assert reward_of(PERFECT) == 2.0
    assert reward_of(HOPELESS) == -2.0


def test_lessons_2_3_absent_feedback_does_not_weaken_a_perfect_run() -> None:
    assert reward_of(replace(PERFECT, feedback=None)) == 2.0
    assert reward_of(Outcome(success=True)) == 2.0
    assert reward_of(Outcome(success=False)) == -2.0


def test_lessons_2_3_a_quality_of_zero_is_not_a_missing_quality() -> None:
    none, zero = reward_of(Outcome(success=True)), reward_of(Outcome(success=True, quality=0.0))
    assert none is not None
    assert zero is not None
    assert zero == pytest.approx(2.0 * (1.0 - 0.7) / 1.7)
    assert zero < none


def test_the_weights_are_the_documented_ones() -> None:
    outcome = Outcome(success=True, seconds=5.0, budget_seconds=10.0, quality=0.9, resources=0.3, feedback=-0.5)
    score = 1.0 + 0.5 * 0.5 + 0.7 * 0.8 + 0.3 * 0.4 - 0.5 * 0.5
    assert reward_of(outcome) == pytest.approx(2.0 * score / 3.0)
    assert sum(WEIGHTS.values()) == pytest.approx(3.0)


def test_seconds_without_a_budget_say_nothing() -> None:
    assert reward_of(Outcome(success=True, seconds=1e6)) == 2.0
    assert reward_of(Outcome(success=True, budget_seconds=1.0)) == 2.0


def test_a_failure_earns_nothing_for_being_quick_or_cheap() -> None:
    assert reward_of(Outcome(success=False, seconds=0.1, budget_seconds=10.0, resources=0.0)) == -2.0
    slow = reward_of(Outcome(success=False, quality=0.5, seconds=99.0, budget_seconds=10.0))
    plain = reward_of(Outcome(success=False, quality=0.5))
    assert slow is not None
    assert plain is not None
    assert slow < plain


@pytest.mark.parametrize("parts", [{}, {"quality": 0.9}, {"feedback": 1.0, "seconds": 1.0, "budget_seconds": 2.0}])
def test_unknown_stays_unknown_whatever_else_is_known(parts: dict[str, Any]) -> None:
    assert reward_of(Outcome(success=None, evidence="verified", **parts)) is None


def test_an_explicit_reward_replaces_the_components() -> None:
    assert reward_of(replace(PERFECT, reward=-1.25)) == -1.25
    assert reward_of(Outcome(success=None, reward=0.0)) == 0.0


def test_claimed_weighs_less_than_executed_and_that_less_than_verified() -> None:
    weights = [weight_of(Outcome(success=True, evidence=tier)) for tier in EVIDENCE]
    assert weights == sorted(weights)
    assert len(set(weights)) == 3
    assert all(weight * 4 == int(weight * 4) for weight in TIERS.values()), "sums would not be exact"


@pytest.mark.parametrize(
    ("outcome", "field"),
    [
        (Outcome(success=1), "success"),  # type: ignore[arg-type]
        (Outcome(success="yes"), "success"),  # type: ignore[arg-type]
        (Outcome(evidence="rumoured"), "evidence"),
        (Outcome(evidence=None), "evidence"),  # type: ignore[arg-type]
        (Outcome(seconds=-1.0), "seconds"),
        (Outcome(seconds=math.nan), "seconds"),
        (Outcome(seconds=math.inf), "seconds"),
        (Outcome(seconds=10**400), "seconds"),
        (Outcome(budget_seconds=0.0), "budget_seconds"),
        (Outcome(quality=1.01), "quality"),
        (Outcome(quality=True), "quality"),
        (Outcome(resources=-0.1), "resources"),
        (Outcome(feedback=2.0), "feedback"),
        (Outcome(feedback="good"), "feedback"),  # type: ignore[arg-type]
        (Outcome(reward=2.01), "reward"),
        (Outcome(reward=math.nan), "reward"),
        (Outcome(error="x" * 10_001), "error"),
        (Outcome(error="nul \x00"), "error"),
        (Outcome(error="half \ud800"), "error"),
        ({"sucess": True}, "sucess"),
        (True, "Outcome"),
        (None, "Outcome"),
    ],
)
def test_a_bad_outcome_is_refused_by_the_name_of_its_field(outcome: object, field: str) -> None:
    with pytest.raises(InvalidField, match=field):
        checked_outcome(outcome)


def test_json_keeps_an_outcome_and_only_what_is_known() -> None:
    outcome = checked_outcome(Outcome(success=False, evidence="executed", seconds=3, error="Zeit überschritten"))
    assert from_json(to_json(outcome)) == outcome
    assert (
        to_json(outcome) == '{"error": "Zeit überschritten", "evidence": "executed", "seconds": 3.0, "success": false}'
    )
    assert (
        checked_outcome({"success": False, "evidence": "executed", "seconds": 3.0, "error": "Zeit überschritten"})
        == outcome
    )


def test_a_new_verdict_replaces_and_late_feedback_adds() -> None:
    known = Outcome(success=True, evidence="executed", quality=0.9)
    assert revised(known, Outcome(success=False, evidence="verified")) == Outcome(success=False, evidence="verified")
    assert revised(known, Outcome(feedback=-1.0)) == replace(known, feedback=-1.0)
    assert revised(known, Outcome(reward=0.5)) == Outcome(reward=0.5)
    assert revised(Outcome(), Outcome(evidence="verified", quality=0.2)) == Outcome(evidence="verified", quality=0.2)


def test_weights_of_its_own_are_kept_with_an_outcome_and_weigh_what_is_learned_later() -> None:
    careful = checked_outcome({"success": True, "quality": 0.1, "weights": {"quality": 4, "time": 0}})
    assert from_json(to_json(careful)) == careful
    assert reward_of(careful) == pytest.approx(2.0 * (1.0 - 4.0 * 0.8) / 5.0)
    assert reward_of(replace(careful, weights=None)) == pytest.approx(2.0 * (1.0 - 0.7 * 0.8) / 1.7)
    assert reward_of(revised(careful, Outcome(feedback=1.0))) == pytest.approx(2.0 * (1.5 - 4.0 * 0.8) / 5.5)
    assert revised(careful, Outcome(success=False)).weights == careful.weights
    assert reward_of(replace(PERFECT, weights=dict.fromkeys(WEIGHTS, 3.0))) == 2.0
    for bad in ({"speed": 1}, {"quality": -1}, {"quality": True}, {"quality": math.nan}, {"success": 0}, [1]):
        with pytest.raises(InvalidField, match="weights"):
            checked_outcome({"success": True, "weights": bad})
