"""Rankings, options with features of their own, costly task types, and what is not explored any more."""

from __future__ import annotations

import random
from typing import Any

import pytest

from engrain.errors import InvalidField
from engrain.learn.learner import Learner
from engrain.model.decision import Outcome
from engrain.store.port import Store
from tests.learning import AB, LOST, ME, WON, fresh, learner, logged, store, teach

__all__ = ["learner", "store"]  # fixtures


def test_all_options_are_ranked_by_value(learner: Learner) -> None:
    for number, action in enumerate("abcd"):
        for _ in range(8):
            learner.observe_step(
                ME, "t", state=None, action=action, outcome=Outcome(evidence="verified", reward=number / 2)
            )
    advice = learner.advise(ME, "t", options=["a", "c", "d", "b", "never tried"])
    assert [one.action for one in advice.ranking if one.action != "never tried"] == ["d", "c", "b", "a"]
    values = [one.value or 0.0 for one in advice.ranking]
    assert values == sorted(values, reverse=True)
    assert {one.action: one.propensity for one in advice.ranking} == dict(advice.distribution)
    (mine,) = [one for one in advice.ranking if one.action == advice.action]
    assert (mine.value, mine.low, mine.high) == (advice.value, advice.low, advice.high)


def test_without_evidence_the_options_are_ranked_as_given(learner: Learner) -> None:
    advice = learner.advise(ME, "t", options=["b", "a"])
    assert [(one.action, one.value, one.propensity) for one in advice.ranking] == [("b", None, 0.5), ("a", None, 0.5)]
    assert learner.advise(ME, "else").ranking == ()


def test_hundreds_of_options_are_ranked(learner: Learner) -> None:
    rows = [{"task_type": "t", "action": f"test {n}", "outcome": WON if n % 7 == 0 else LOST} for n in range(600)]
    learner.observe_many(ME, rows * 2)
    advice = learner.advise(ME, "t", options=[f"test {n}" for n in range(600)])
    assert len(advice.ranking) == 600
    assert {int(one.action.split()[1]) % 7 for one in advice.ranking[:80]} == {0}


def test_options_may_have_features_of_their_own(learner: Learner, store: Store) -> None:
    rng = random.Random(1)
    for number in range(60):
        failed = rng.random() < 0.5
        learner.observe_step(
            ME,
            "t",
            state={"branch": "main", "failed": failed},
            action=f"test {number % 20}",
            outcome=WON if failed else LOST,
        )
    options = {f"test {n}": {"failed": n % 2 == 0} for n in range(6)}
    advice = fresh(store).advise(ME, "t", state={"branch": "main"}, options=options)
    assert {one.action for one in advice.ranking[:3]} == {"test 0", "test 2", "test 4"}


def test_an_outcome_is_remembered_with_the_features_of_what_was_taken(learner: Learner, store: Store) -> None:
    options: dict[str, dict[str, Any] | None] = {"a": {"size": 1}, "b": {"size": 2, "new": True}, "c": None}
    for action, own in options.items():
        decided = learner.advise(ME, "t", state={"branch": "main"}, options=options)
        told = fresh(store).observe(ME, decided.decision_id, WON, action=action)
        assert told.state == {"branch": "main", **(own or {})}


@pytest.mark.parametrize("options", [{}, {"a": 1}, {"a": {"branch": 1}}, {"a": {"x": [1]}}])
def test_bad_options_are_refused(learner: Learner, options: Any) -> None:
    with pytest.raises(InvalidField):
        learner.advise(ME, "t", state={"branch": "main"}, options=options)


def test_what_cannot_be_the_best_is_not_offered_any_more(learner: Learner, store: Store) -> None:
    teach(learner, "a", WON, 30)
    teach(learner, "b", LOST, 30)
    advice = learner.advise(ME, "t", options=[*AB, "c"])
    assert advice.distribution["b"] == 0.0
    assert advice.distribution["c"] > 0.0, "what was never tried may be the best"
    high = {one.action: one.high or 0.0 for one in advice.ranking}
    assert high["b"] < (advice.ranking[0].value or 0.0)
    assert logged(store, advice)["propensity"] == advice.propensity


def test_costly_task_types_explore_little(store: Store) -> None:
    teach(fresh(store), "a", WON, 2)
    options = ["a", *(f"option {n}" for n in range(8))]
    free = fresh(store).advise(ME, "t", options=options)
    bound = fresh(store, costly=("t",), explore_cap=0.03).advise(ME, "t", options=options)
    assert free.distribution["a"] < 0.9
    assert bound.distribution["a"] == pytest.approx(0.97)
    assert sum(bound.distribution.values()) == pytest.approx(1.0)
    other = fresh(store, costly=("else",), explore_cap=0.03).advise(ME, "t", options=options)
    assert other.distribution["a"] == free.distribution["a"]
