"""Decisions through the store, on both engines: what is advised, and what earlier systems got wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

import pytest

from engrain.errors import InvalidField
from engrain.learn.learner import Learner
from engrain.model.decision import Outcome
from engrain.model.scope import Scope
from engrain.store.port import Store
from tests.learning import AB, LOST, ME, WON, fresh, learner, logged, store, teach
from tests.postgres import Place

__all__ = ["learner", "store"]  # fixtures


def test_options_without_evidence_are_explored_evenly(learner: Learner) -> None:
    found = [learner.advise(ME, "t", options=["a", "b", "c", "d"]) for _ in range(60)]
    assert {advice.action for advice in found} == {"a", "b", "c", "d"}
    for advice in found:
        assert (advice.mode, advice.value, advice.low, advice.high) == ("explored", None, None, None)
        assert advice.propensity == 0.25
        assert advice.distribution == dict.fromkeys("abcd", 0.25)
        assert (advice.visits, advice.evidence) == (0, ())


def test_neither_options_nor_evidence_abstains_and_can_still_be_observed(learner: Learner, store: Store) -> None:
    advice = learner.advise(ME, "t", state={"x": 1}, episode="e")
    assert (advice.mode, advice.action, advice.value, advice.low, advice.high) == ("abstained", None, None, None, None)
    assert advice.propensity is None
    assert advice.distribution == {}
    with pytest.raises(InvalidField, match="action="):
        learner.observe(ME, advice, WON)
    experience = learner.observe(ME, advice, WON, action="whatever I did")
    assert (experience.action, experience.propensity, experience.reward) == ("whatever I did", None, 2.0)
    assert (experience.state, experience.episode) == ({"x": 1}, "e")
    again = learner.advise(ME, "t", state={"x": 1})
    assert (again.mode, again.action, again.propensity) == ("advised", "whatever I did", 1.0)
    assert logged(store, advice)["action"] is None


def test_a_decision_is_in_the_store_before_it_is_returned(learner: Learner, store: Store) -> None:
    teach(learner, "a", WON, 2, x=1)
    advice = learner.advise(ME, "t", state={"x": 1.0, "why": None}, options=AB, episode="monday")
    row = logged(store, advice)
    assert json.loads(row["state"]) == {"x": 1, "why": None}
    assert json.loads(row["options"]) == AB
    assert json.loads(row["distribution"]) == advice.distribution
    kept = ("task_type", "action", "propensity", "value", "low", "high", "mode", "policy", "episode")
    assert [row[name] for name in kept] == [getattr(advice, name) for name in kept]
    assert advice.policy == "online-1"


def test_without_options_it_chooses_among_the_actions_seen(learner: Learner, store: Store) -> None:
    teach(learner, "a", WON)
    teach(learner, "b", LOST)
    advice = learner.advise(ME, "t")
    assert set(advice.distribution) == {"a", "b"}
    assert logged(store, advice)["options"] is None
    assert learner.observe(ME, advice, WON, action="a third, never seen").action == "a third, never seen"


def test_an_advice_names_its_evidence(learner: Learner) -> None:
    done = [learner.observe(ME, learner.advise(ME, "t", state={"x": 1}, options=["a"]), WON) for _ in range(5)]
    teach(learner, "a", LOST, 1, x=5)
    teach(learner, "a", LOST, 1, Scope("default", "another"), x=1)
    advice = learner.advise(ME, "t", state={"x": 1}, options=["a"])
    by_level = {one.level: one for one in advice.evidence}
    assert list(by_level) == ["state", "task", "tenant"] or list(by_level) == ["state", "nearest", "task", "tenant"]
    assert (by_level["state"].visits, by_level["state"].mean) == (5.0, 2.0)
    assert (by_level["task"].visits, by_level["tenant"].visits) == (6.0, 1.0)
    assert set(by_level["state"].decisions) <= {experience.decision_id for experience in done}
    assert len(by_level["state"].decisions) == 3
    assert advice.visits == 6


@pytest.mark.parametrize("kind", ["thompson", "ucb", "epsilon"])
def test_every_kind_of_exploration_finds_the_better_action(store: Store, kind: str) -> None:
    learner = fresh(store, exploration=kind, explore_floor=0.02)
    counts = dict.fromkeys("abc", 0)
    for number in range(45):
        advice = learner.advise(ME, "t", state={"x": 1}, options=["a", "b", "c"])
        assert advice.action is not None
        assert advice.propensity == advice.distribution[advice.action] >= 0.02 / 3 - 1e-12
        assert sum(advice.distribution.values()) == pytest.approx(1.0)
        counts[advice.action] += number >= 15
        learner.observe(ME, advice, WON if advice.action == "b" else LOST)
    assert counts["b"] >= 24


def test_the_logged_propensity_is_the_frequency_of_the_action(learner: Learner) -> None:
    teach(learner, "a", WON, 2)
    teach(learner, "a", LOST, 1)
    teach(learner, "b", LOST, 1)
    teach(learner, "b", WON, 1)
    first = learner.advise(ME, "t", options=["a", "b", "c"])
    counts = dict.fromkeys(first.distribution, 0)
    for _ in range(400):
        advice = learner.advise(ME, "t", options=["a", "b", "c"])
        assert advice.distribution == first.distribution, "nothing was learned in between"
        assert advice.action is not None
        counts[advice.action] += 1
    expected = {action: 400 * p for action, p in first.distribution.items()}
    assert sum((counts[a] - n) ** 2 / n for a, n in expected.items()) < 13.82  # chi-square, 2 degrees, 0.999
    assert min(expected.values()) > 15, "too lopsided to tell anything"


# -- what earlier systems got wrong (LESSONS 1, 2.2, 2.3, 2.6, 2.7, 3.2)


def test_lessons_2_2_persisted_values_are_not_zero_and_are_found_after_a_restart(place: Place, store: Store) -> None:
    before = fresh(store)
    for number in range(12):
        advice = before.advise(ME, "t", state={"x": number % 3, "kind": "k"}, options=AB)
        before.observe(ME, advice, WON if advice.action == "a" else LOST)
    expected = before.advise(ME, "t", state={"x": 1, "kind": "k"}, options=AB)
    program = (
        "import json, sys\n"
        "from dataclasses import asdict\n"
        "from pathlib import Path\n"
        "from engrain.config import Config\n"
        "from engrain.learn.learner import Learner\n"
        "from engrain.model.scope import Scope\n"
        "from engrain.store import open_store\n"
        "from engrain.world import SimulatedWorld\n"
        "location, home = json.loads(sys.argv[1])\n"
        "store = open_store(location, Config(), home and Path(home))\n"
        "learner, me = Learner(store, SimulatedWorld(seed=-1), Config()), Scope('default', 'me')\n"
        "advice = learner.advise(me, 't', state={'x': 1, 'kind': 'k'}, options=['a', 'b'])\n"
        "print(json.dumps([advice.distribution, [asdict(q) for q in learner.q_values(me)]]))\n"
        "store.close()\n"
    )
    location = [place.location, None if place.url is None else str(place.home)]
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(location)], capture_output=True, text=True, check=True, timeout=50
    )
    distribution, values = json.loads(done.stdout)
    assert distribution == pytest.approx(dict(expected.distribution), abs=1e-9)
    assert values == [asdict(value) for value in before.q_values(ME)]
    assert all(value["mean"] in (2.0, -2.0) and value["visits"] > 0 for value in values)


def test_lessons_2_2_the_task_type_and_every_feature_are_part_of_the_state(learner: Learner) -> None:
    teach(learner, "a", WON, 3, x=1)
    assert learner.advise(ME, "another task", state={"x": 1}, options=AB).mode == "explored"
    teach(learner, "a", LOST, 3, x=1, extra=True)
    states = {json.dumps(q.state): q.mean for q in learner.q_values(ME)}
    assert states == {"null": 0.0, '{"x": 1}': 2.0, '{"extra": true, "x": 1}': -2.0}


def test_lessons_2_2_nothing_is_counted_twice(learner: Learner) -> None:
    for _ in range(40):
        teach(learner, "a", WON)
    (whole, single) = learner.q_values(ME)
    assert (whole.visits, single.visits, whole.weight) == (40, 40, 40.0)


def test_lessons_2_6_hard_failures_teach(learner: Learner) -> None:
    crash = Outcome(success=False, evidence="executed", error="Segmentation fault")
    teach(learner, "a", Outcome(success=True, evidence="executed"), 3, x=1)
    before = learner.advise(ME, "t", state={"x": 1}, options=["a"]).value
    teach(learner, "a", crash, 6, x=1)
    teach(learner, "b", Outcome(success=True, evidence="executed"), 3, x=1)
    after = learner.advise(ME, "t", state={"x": 1}, options=["a"]).value
    assert before is not None
    assert after is not None
    assert after < 0.0 < before
    assert learner.advise(ME, "t", state={"x": 1}, options=AB).distribution["a"] < 0.05
    assert learner.experiences(ME)[3].outcome.error == "Segmentation fault"


def test_lessons_2_6_an_action_that_only_failed_is_avoided_for_one_never_tried(learner: Learner) -> None:
    teach(learner, "a", LOST, 3)
    assert learner.advise(ME, "t", options=AB).distribution["b"] > 0.75


def test_lessons_3_2_the_first_outcome_of_an_action_is_inserted_and_every_visit_counted(learner: Learner) -> None:
    for count in (1, 2, 3):
        teach(learner, "brand new", WON)
        assert [q.visits for q in learner.q_values(ME)] == [count, count]


def test_lessons_3_2_credit_goes_to_the_action_taken_not_to_the_best_one(learner: Learner) -> None:
    teach(learner, "a", WON, 5)
    advice = learner.advise(ME, "t", options=AB)
    taken = "b" if advice.action == "a" else "a"
    experience = learner.observe(ME, advice, LOST, action=taken)
    assert (experience.action, experience.propensity) == (taken, None)
    visits = {q.action: q.visits for q in learner.q_values(ME) if q.state is None}
    assert visits[taken] == (1 if taken == "b" else 6)
    followed = learner.observe(ME, learner.advise(ME, "t", options=["a"]), WON, action="a")
    assert followed.propensity == 1.0


def test_lessons_2_3_an_unknown_outcome_teaches_nothing_yet(learner: Learner) -> None:
    advice = learner.advise(ME, "t", options=AB)
    experience = learner.observe(ME, advice, Outcome(success=None, evidence="verified", quality=0.9))
    assert (experience.reward, experience.revision) == (None, 0)
    assert learner.q_values(ME) == []
    assert learner.advise(ME, "t", options=AB).mode == "explored"
    assert [one.reward for one in learner.experiences(ME)] == [None]


def test_whoever_begins_now_believes_what_a_process_that_has_run_for_long_does(store: Store) -> None:
    long = fresh(store)
    for number in range(14):
        options = {name: {"size": float(number * place % 5), "kind": name} for place, name in enumerate(AB, 1)}
        advice = long.advise(ME, "t", state={"x": number % 3}, options=options)
        long.observe(ME, advice, WON if (number % 3 == 0) == (advice.action == "a") else LOST)
        sizes = {"a": {"size": 2.0, "kind": "a"}, "b": {"size": 0.5, "kind": "b"}}
        mine, theirs = (one.advise(ME, "t", state={"x": 1}, options=sizes) for one in (long, fresh(store)))
        assert dict(mine.distribution) == pytest.approx(dict(theirs.distribution), abs=1e-9)
        believed = [{one.action: one.value for one in found.ranking} for found in (mine, theirs)]
        assert believed[0] == pytest.approx(believed[1], abs=1e-9)
