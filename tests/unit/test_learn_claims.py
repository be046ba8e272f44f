"""Claims: a flood of them from one source cannot outvote what was executed or verified."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engrain.learn.credit import Tally, contribution
from engrain.learn.learner import Learner
from engrain.learn.standing import CLAIM_CAP, OLD_CAP, WHOLE, shares, standing
from engrain.model.decision import Outcome
from engrain.model.scope import Scope
from engrain.store.port import Store
from tests.learning import AB, LOST, ME, WON, fresh, learner, store, sums, teach

__all__ = ["learner", "store"]  # fixtures

CLAIM = Outcome(success=True)
OUTCOMES = st.lists(st.tuples(st.floats(-2, 2), st.sampled_from([0.25, 0.75, 1.0]), st.booleans()), max_size=40)


def value(learner: Learner, action: str, scope: Scope = ME) -> float:
    found = learner.advise(scope, "t", options=[action]).value
    assert found is not None
    return found


def test_a_flood_of_claims_does_not_outvote_verified_failures(learner: Learner, store: Store) -> None:
    teach(learner, "bad", LOST, 3)
    teach(learner, "good", WON, 3)
    learner.observe_many(ME, [{"task_type": "t", "action": "bad", "outcome": CLAIM}] * 2_000)
    again = fresh(store)
    assert value(again, "bad") < 0.0 < value(again, "good")
    advice = again.advise(ME, "t", options=["bad", "good"])
    assert advice.distribution["good"] > 0.9
    (known,) = [q for q in again.q_values(ME) if q.state is None and q.action == "bad"]
    assert (known.visits, known.weight) == (2_003, 3.0 + CLAIM_CAP)
    assert known.mean == pytest.approx((3 * -2.0 + CLAIM_CAP * 2.0) / (3.0 + CLAIM_CAP))


def test_nor_when_they_are_spread_over_many_states(learner: Learner) -> None:
    teach(learner, "bad", LOST, 3, x=1)
    teach(learner, "good", WON, 3, x=1)
    row = {"task_type": "t", "action": "bad", "outcome": CLAIM}
    learner.observe_many(ME, [{**row, "state": {"x": 1 + number / 1_000}} for number in range(500)])
    for x in (1, 1.0005, 2):
        found = learner.advise(ME, "t", state={"x": x}, options=["bad", "good"])
        assert found.ranking[0].action == "good"


def test_nor_those_of_other_agents(learner: Learner) -> None:
    for number in range(3):
        teach(learner, "good", WON, 1, Scope("default", f"honest {number}"))
    learner.observe_many(Scope("default", "loud"), [{"task_type": "t", "action": "bad", "outcome": CLAIM}] * 2_000)
    found = learner.advise(ME, "t", options=["bad", "good"])
    assert found.ranking[0].action == "good"


def test_while_there_are_only_claims_they_count(learner: Learner) -> None:
    for _ in range(40):
        advice = learner.advise(ME, "t", options=AB)
        learner.observe(ME, advice, Outcome(success=advice.action == "b"))
    assert learner.advise(ME, "t", options=AB).distribution["b"] > 0.9


def test_what_was_claimed_and_then_verified_is_no_claim_any_more(learner: Learner) -> None:
    told = [learner.advise(ME, "t", options=["a"]) for _ in range(12)]
    for advice in told:
        learner.observe(ME, advice, CLAIM)
    for advice in told:
        learner.observe(ME, advice, LOST)
    (known,) = [q for q in learner.q_values(ME) if q.state is None]
    assert (known.weight, known.mean) == (12.0, -2.0)
    before = sums(learner)
    learner.rebuild("default")
    assert sums(learner) == before


def tally(told: list[tuple[float, float, bool]]) -> Tally:
    found = Tally()
    for reward, weight, old in told:
        found = found.plus(contribution(reward, weight, old))
    return found


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OUTCOMES, OUTCOMES)
def test_what_counts_never_exceeds_the_caps(
    one: list[tuple[float, float, bool]], two: list[tuple[float, float, bool]]
) -> None:
    task = {"a": tally(one), "b": tally(two)}
    sure = any(weight > 0.25 for _, weight, _ in (*one, *two))
    for (action, share), told in zip(shares(task).items(), (one, two), strict=True):
        known = standing(task[action], share)
        fresh_sure = sum(weight for _, weight, old in told if weight > 0.25 and not old)
        fresh_claims = sum(weight for _, weight, old in told if weight == 0.25 and not old)
        old = sum(weight for _, weight, old in told if old)
        claims = min(fresh_claims, CLAIM_CAP) if sure else fresh_claims
        assert known.weight <= fresh_sure + claims + min(old, OLD_CAP) + 1e-9
        assert known.weight >= fresh_sure + claims - 1e-9
        assert abs(known.total) <= 2.0 * known.weight + 1e-4
        if not any(old for *_, old in told) and not any(weight == 0.25 for _, weight, _ in told):
            assert share is WHOLE


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(OUTCOMES, st.randoms())
def test_tallies_do_not_depend_on_the_order(told: list[tuple[float, float, bool]], rng: random.Random) -> None:
    mixed = list(told)
    rng.shuffle(mixed)
    assert tally(mixed) == tally(told)
    assert tally(told).plus(tally(told).outdated()).outdated() == Tally()
