"""Drifts: seen when rewards fall for good, not when they do not; what was before is discounted, exactly."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, cast

import pytest

from engrain.learn.drift import FIRST, Track
from engrain.learn.learner import Learner
from engrain.learn.standing import FALLEN_CAP, OLD_CAP
from engrain.model.decision import Drift, Outcome
from engrain.model.scope import Scope
from engrain.store.port import Row, Store
from tests.learning import AB, LOST, ME, WON, fresh, learner, store, sums, teach

__all__ = ["learner", "store"]  # fixtures


def coin(share: float) -> Callable[[random.Random], float]:
    return lambda rng: 2.0 if rng.random() < share else -2.0


def normal(mean: float, spread: float) -> Callable[[random.Random], float]:
    return lambda rng: max(-2.0, min(2.0, rng.gauss(mean, spread)))


def uniform(rng: random.Random) -> float:
    return rng.uniform(-2.0, 2.0)


LAWS: dict[str, Callable[[random.Random], float]] = {
    "coin .1": coin(0.1), "coin .5": coin(0.5), "coin .8": coin(0.8), "coin .95": coin(0.95),
    "normal": normal(0.0, 0.5), "narrow": normal(1.0, 0.1), "uniform": uniform,
}  # fmt: skip


def seen(track: Track, rewards: list[float]) -> int | None:
    """After how many of them a drift is seen."""
    for number, reward in enumerate(rewards, start=1):
        if track.tell(reward, None) and track.fall():
            return number
    return None


@pytest.mark.parametrize("law", LAWS)
def test_one_law_hardly_ever_looks_like_a_drift(law: str) -> None:
    alarms = 0
    for seed in range(30):
        rng = random.Random(seed)
        alarms += seen(Track(), [LAWS[law](rng) for _ in range(500)]) is not None
    assert alarms <= 2


@pytest.mark.parametrize(
    ("before", "after", "soon"), [(coin(0.8), coin(0.2), 40), (normal(0.5, 0.5), normal(-0.5, 0.5), 25)]
)
def test_a_fall_is_seen_soon(before: Any, after: Any, soon: int) -> None:
    for seed in range(20):
        rng, track = random.Random(seed), Track()
        if seen(track, [before(rng) for _ in range(100)]) is not None:
            continue  # the rare false alarm
        for _ in range(soon):
            if track.tell(after(rng), None) and (found := track.fall()):
                was, now = found
                assert was > now
                break
        else:
            pytest.fail("not seen in time")


def test_a_rise_is_no_drift_and_few_outcomes_are_none() -> None:
    rng = random.Random(1)
    assert seen(Track(), [coin(0.2)(rng) for _ in range(100)] + [coin(0.9)(rng) for _ in range(100)]) is None
    assert seen(Track(), [2.0] * (FIRST - 1) + [-2.0] * 3) is None


def test_hard_states_are_no_drift() -> None:
    rng, track = random.Random(2), Track()
    for number in range(300):
        hard = number >= 150
        expected = -1.0 if hard else 1.0
        assert not (track.tell(expected + rng.gauss(0.0, 0.3), expected) and track.fall())
    assert seen(track, [-2.0] * 12) is not None


def test_hopes_that_were_too_high_are_no_drift() -> None:
    rng, track = random.Random(3), Track()
    for number in range(300):
        hoped = 1.2 if number >= 150 else -0.4
        assert not (track.tell(coin(0.4)(rng), hoped) and track.fall())
    assert seen(track, [-2.0] * 40) is not None


def test_a_track_goes_on_where_it_was_left() -> None:
    rng, track = random.Random(4), Track()
    for number in range(150):
        expected = None if number < 20 else 0.5
        track.tell(coin(0.8)(rng), expected)
        again = Track.read(cast("Row", track.row()))
        assert again == track
        assert again.fall() == track.fall()


def test_a_fall_in_states_is_seen_by_processes_that_begin_anew(learner: Learner, store: Store) -> None:
    def once(by: Learner, number: int, won: bool) -> None:
        advice = by.advise(ME, "t", state={"place": "xy"[number % 2]}, options=["a"])
        by.observe(ME, advice, WON if won else LOST)

    for number in range(50):
        once(learner, number, number % 10 != 9)
    for number in range(30):
        if learner.drifts(ME):
            break
        once(fresh(store), number, False)
    (drift,) = fresh(store).drifts(ME)
    assert -2.0 <= drift.after < 0.0 < drift.before <= 2.0


def decide(learner: Learner, good: str, times: int, evidence: str = "verified", scope: Scope = ME) -> int:
    """How often the good action was taken of so many advised ones; only it succeeds, in nine of ten cases."""
    hits = 0
    for number in range(times):
        advice = learner.advise(scope, "t", options=AB)
        won = (advice.action == good) == (number % 10 != 9)
        hits += advice.action == good
        learner.observe(scope, advice, Outcome(success=won, evidence=evidence))
    return hits


def test_after_a_drift_the_other_action_is_found(learner: Learner, store: Store) -> None:
    decide(learner, "a", 100)
    assert learner.drifts(ME) == []
    decide(learner, "b", 60)
    (drift,) = learner.drifts(ME)
    assert (drift.task_type, drift.drifts) == ("t", 1)
    assert drift.before > 1.0
    assert drift.after < 0.0
    assert fresh(store).drifts(ME, "t") == [drift]
    assert decide(learner, "b", 40) >= 34
    known = {q.action: q for q in learner.q_values(ME) if q.state is None}
    assert known["a"].mean < 0.0 < known["b"].mean
    assert known["a"].visits > 100, "the outcomes from before are still counted as such"


def test_what_a_drift_outdated_is_the_same_when_it_is_made_anew(learner: Learner) -> None:
    decide(learner, "a", 60)
    teach(learner, "a", WON, 5, Scope("default", "other"))
    decide(learner, "b", 40)
    assert len(learner.drifts(ME)) == 1
    before, others = sums(learner), sums(learner, Scope("default", "other"))
    learner.rebuild("default")
    assert (sums(learner), sums(learner, Scope("default", "other"))) == (before, others)


def test_a_revision_of_what_is_old_changes_what_is_old(learner: Learner) -> None:
    early = learner.advise(ME, "t", options=["a"])
    learner.observe(ME, early, WON)
    teach(learner, "a", WON, 30)
    teach_apart(learner, LOST, 20)
    (drift,) = learner.drifts(ME)
    (before,) = [q for q in learner.q_values(ME) if q.state is None]
    assert before.weight <= 22 + OLD_CAP
    learner.observe(ME, early, LOST)
    (after,) = [q for q in learner.q_values(ME) if q.state is None]
    assert after.weight == before.weight
    assert after.mean < before.mean
    learner.rebuild("default")
    assert [q for q in learner.q_values(ME) if q.state is None] == [after]
    assert isinstance(drift, Drift)


def teach_apart(learner: Learner, outcome: Outcome, times: int) -> None:
    for _ in range(times):
        learner.observe_step(ME, "t", state=None, action="a", outcome=outcome)


def test_the_action_that_fell_is_known_to_be_bad_until_it_proves_otherwise(learner: Learner, store: Store) -> None:
    teach(learner, "a", WON, 30)
    while not learner.drifts(ME):
        teach_apart(learner, LOST, 1)
    (known,) = [q for q in learner.q_values(ME) if q.state is None]
    assert known.weight == pytest.approx(OLD_CAP + FALLEN_CAP)
    assert known.mean < 0.0

    def value() -> float:
        (one,) = [one for one in fresh(store).advise(ME, "t", options=AB).ranking if one.action == "a"]
        assert one.value is not None
        return one.value

    assert value() < -0.3
    teach(learner, "a", WON, 2)
    assert value() > 0.5, "a false alarm is overruled by what comes next"
    before = value()
    learner.rebuild("default")
    assert value() == before


def test_claims_do_not_tell_of_a_drift(learner: Learner) -> None:
    teach(learner, "a", WON, 30)
    teach(learner, "a", Outcome(success=False), 200)
    assert learner.drifts(ME) == []
    (known,) = [q for q in learner.q_values(ME) if q.state is None]
    assert known.mean > 1.5


def test_rows_of_one_call_have_no_order(learner: Learner) -> None:
    row = {"task_type": "t", "state": None, "action": "a"}
    learner.observe_many(ME, [{**row, "outcome": WON}] * 100 + [{**row, "outcome": LOST}] * 100)
    assert learner.drifts(ME) == []
    learner.observe_many(ME, [{**row, "outcome": LOST}] * 40)
    assert len(learner.drifts(ME)) == 1


def test_it_concerns_one_agent_and_one_task_type(learner: Learner) -> None:
    other = Scope("default", "other")
    teach(learner, "a", WON, 30)
    teach(learner, "a", WON, 30, other)
    learner.observe_step(ME, "else", state=None, action="a", outcome=WON)
    teach(learner, "a", LOST, 15)
    assert [drift.task_type for drift in learner.drifts(ME)] == ["t"]
    assert learner.drifts(other) == []
    (known,) = [q for q in learner.q_values(other, "t") if q.state is None]
    assert (known.weight, known.mean) == (30.0, 2.0)
