"""Outcomes through the store, on both engines: revised, refused, many at once, from several processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import pytest

from engrain.errors import ActionNotOffered, InvalidField, NotFound, UnknownDecision
from engrain.learn import qtable
from engrain.learn.learner import Learner
from engrain.learn.recorder import Recorder
from engrain.model.decision import Advice, Experience, Outcome, QValue
from engrain.model.scope import Scope
from engrain.store.port import Store
from engrain.world import SimulatedWorld
from tests.learning import AB, LOST, ME, WON, fresh, learner, store, sums, teach

__all__ = ["learner", "store"]  # fixtures


# -- revising


def test_later_feedback_revises_and_leaves_no_trace_of_what_it_replaced(learner: Learner, store: Store) -> None:
    advice = learner.advise(ME, "t", state={"x": 1}, options=AB)
    first = learner.observe(ME, advice, Outcome())
    told = learner.observe(ME, advice.decision_id, Outcome(success=True))
    assert (told.id, told.revision, told.reward) == (first.id, 1, 2.0)
    verified = learner.observe(ME, advice, Outcome(success=False, evidence="verified", error="rolled back"))
    assert (verified.revision, verified.reward) == (2, -2.0)
    judged = learner.observe(ME, advice, Outcome(feedback=1.0))
    assert judged.outcome == Outcome(success=False, evidence="verified", error="rolled back", feedback=1.0)
    assert judged.reward == pytest.approx(2.0 * (-1.0 + 0.5) / 1.5)
    assert learner.experiences(ME) == [judged]
    assert [(q.visits, q.weight) for q in learner.q_values(ME)] == [(1, 1.0), (1, 1.0)]
    before = sums(learner)
    assert Recorder(store, SimulatedWorld()).rebuild("default") == 1
    assert sums(learner) == before


def test_the_same_outcome_again_changes_nothing(learner: Learner) -> None:
    advice = learner.advise(ME, "t", options=AB)
    first = learner.observe(ME, advice, Outcome(success=True, evidence="executed", seconds=3))
    assert learner.observe(ME, advice, Outcome(success=True, evidence="executed", seconds=3.0)) == first
    assert (
        learner.observe(ME, advice, Outcome(success=True, evidence="executed", seconds=3.0), action=first.action)
        == first
    )
    assert [q.visits for q in learner.q_values(ME)] == [1, 1]


def test_credit_moves_when_another_action_turns_out_to_have_been_taken(learner: Learner) -> None:
    advice = learner.advise(ME, "t", options=AB)
    other = "b" if advice.action == "a" else "a"
    learner.observe(ME, advice, WON)
    moved = learner.observe(ME, advice, WON, action=other)
    assert (moved.action, moved.propensity, moved.revision) == (other, None, 1)
    assert [(q.action, q.visits) for q in learner.q_values(ME)] == [(other, 1)] * 2
    kept = learner.observe(ME, advice, LOST)
    assert kept.action == other, "later feedback does not change who took the action"


# -- refusing


def test_an_action_that_was_not_offered_is_refused(learner: Learner) -> None:
    advice = learner.advise(ME, "t", options=AB)
    with pytest.raises(ActionNotOffered, match="'c'"):
        learner.observe(ME, advice, WON, action="c")
    assert learner.experiences(ME) == []


def test_a_decision_of_anyone_else_is_unknown(learner: Learner) -> None:
    advice = learner.advise(ME, "t", options=AB)
    strangers = [Scope("default", "other"), Scope("other", "me"), Scope("default", "ME"), Scope("default", "me%")]
    messages = set()
    for scope in strangers:
        for identity in (advice, advice.decision_id, "no such id", "%"):
            with pytest.raises(UnknownDecision) as caught:
                learner.observe(scope, identity, WON)
            name = identity.decision_id if isinstance(identity, Advice) else identity
            messages.add(str(caught.value).replace(repr(scope.agent), "AGENT").replace(name, "ID"))
    assert len(messages) == 1, "the message tells whether the id exists elsewhere"
    assert learner.experiences(ME) == []


def test_nothing_crosses_tenants_and_agents_share_only_the_prior(learner: Learner) -> None:
    teach(learner, "a", WON, 9)
    assert learner.advise(Scope("rival", "me"), "t", options=AB).mode == "explored"
    assert learner.advise(Scope("rival", "me"), "t").mode == "abstained"
    colleague = Scope("default", "colleague")
    assert learner.q_values(colleague) == []
    assert learner.experiences(colleague) == []
    advice = learner.advise(colleague, "t", options=AB)
    assert advice.mode == "advised"
    assert advice.distribution["a"] > 0.5
    assert advice.visits == 0
    assert {one.level for one in learner.advise(colleague, "t", options=["a"]).evidence} == {"tenant"}
    assert learner.advise(colleague, "t").action == "a"


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"options": []}, "options"),
        ({"options": "ab"}, "options"),
        ({"options": ["a", "a"]}, "'a' twice"),
        ({"options": ["a", ""]}, r"options\[1\]"),
        ({"options": ["a", 3]}, r"options\[1\]"),
        ({"options": [f"{i}" for i in range(2_001)]}, "2,001"),
        ({"task_type": " "}, "task_type"),
        ({"task_type": "t\x00"}, "task_type"),
        ({"task_type": "t" * 201}, "201"),
        ({"episode": ""}, "episode"),
        ({"state": {"x": float("nan")}}, "'x'"),
    ],
)
def test_bad_questions_are_refused_and_not_logged(
    learner: Learner, store: Store, arguments: dict[str, Any], names: str
) -> None:
    with pytest.raises(InvalidField, match=names):
        learner.advise(ME, **{"task_type": "t", **arguments})
    listed = {"tenant": ME.tenant, "agent": ME.agent, "task_type": None, "limit": 10}
    assert store.read("decision_list", listed) == []


STEP: Mapping[str, Any] = {"task_type": "t", "state": {"x": 1}, "action": "a", "outcome": WON}


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ({**STEP, "action": None}, "action"),
        ({**STEP, "outcome": None}, "outcome"),
        ({**STEP, "propensity": 0}, "propensity"),
        ({**STEP, "propensity": 1.5}, "propensity"),
        ({**STEP, "propensity": float("nan")}, "propensity"),
        ({**STEP, "next_state": 3}, "next_state"),
        ({**STEP, "task_id": ""}, "task_id"),
        ({**STEP, "reward": 1.0}, "'reward'"),
        ({"outcome": WON}, "task_type"),
        ({"decision_id": 7, "outcome": WON}, "decision id"),
        ({"decision_id": "unknown", "outcome": WON}, "unknown"),
        ("text", "mapping"),
    ],
)
def test_one_bad_row_stops_all_and_is_named(learner: Learner, row: Any, names: str) -> None:
    with pytest.raises((InvalidField, NotFound), match=f"row 1: .*{names}"):
        learner.observe_many(ME, [STEP, row, STEP])
    assert learner.experiences(ME) == []
    assert learner.q_values(ME) == []


def test_an_abstained_decision_without_action_stops_all_inside_the_transaction(learner: Learner) -> None:
    advice = learner.advise(ME, "t")
    with pytest.raises(InvalidField, match=r"row 1: .*action="):
        learner.observe_many(ME, [STEP, {"decision_id": advice.decision_id, "outcome": WON}])
    assert learner.experiences(ME) == []
    assert learner.q_values(ME) == []


# -- many


def test_many_rows_are_one_transaction_with_steps_and_decisions_mixed(learner: Learner) -> None:
    advice = learner.advise(ME, "u", options=AB)
    step = {**STEP, "next_state": {"x": 2}, "propensity": 0.5, "episode": "e", "task_id": "42"}
    rows = [
        step,
        {"advice": advice, "outcome": WON},
        {"decision_id": advice.decision_id, "outcome": asdict(LOST)},
        STEP,
    ]
    found = learner.observe_many(ME, rows)
    assert [one.revision for one in found] == [0, 0, 1, 0]
    assert (found[0].next_state, found[0].propensity, found[0].task_id) == ({"x": 2}, 0.5, "42")
    assert sorted(learner.experiences(ME), key=lambda one: one.id) == [found[0], found[2], found[3]]
    assert [(q.task_type, q.visits, q.mean) for q in learner.q_values(ME)] == [
        ("t", 2, 2.0), ("t", 2, 2.0), ("u", 1, -2.0), ("u", 1, -2.0)
    ]  # fmt: skip
    assert learner.observe_many(ME, []) == []


def test_another_process_outcomes_are_seen_by_the_next_advice(store: Store) -> None:
    mine, theirs = fresh(store), fresh(store)
    assert mine.advise(ME, "t", options=AB).mode == "explored"
    for number in range(6):
        teach(theirs, "a", LOST, 1, x=number)
        teach(theirs, "b", WON, 1, x=number)
        advice = mine.advise(ME, "t", state={"x": number}, options=AB)
        assert advice.distribution == pytest.approx(
            dict(fresh(store).advise(ME, "t", state={"x": number}, options=AB).distribution), abs=1e-9
        )
    assert advice.distribution["b"] > 0.9


def test_observers_at_the_same_time_leave_one_experience_and_exact_sums(store: Store) -> None:
    learners = [fresh(store) for _ in range(6)]
    shared = learners[0].advise(ME, "t", state={"x": 1}, options=AB)

    def observe(number: int) -> None:
        for turn in range(5):
            learners[number].observe(ME, shared, Outcome(success=True, quality=(number + turn) / 12))
            teach(learners[number], AB[turn % 2], LOST if number % 2 else WON, 1, x=turn)

    with ThreadPoolExecutor(len(learners)) as pool:
        list(pool.map(observe, range(len(learners))))
        pool.submit(Recorder(store, SimulatedWorld()).rebuild, "default").result()
    (one,) = [experience for experience in learners[0].experiences(ME) if experience.decision_id is not None]
    assert 0 < one.revision < 30
    before = sums(learners[0])
    assert sum(visits for _, state, _, visits, _, _ in before if state == "null") == 31
    assert Recorder(store, SimulatedWorld()).rebuild("default") == 31
    assert sums(learners[0]) == before


def test_a_rebuild_between_observers_loses_nothing(store: Store) -> None:
    learners = [fresh(store) for _ in range(3)]

    def work(number: int) -> None:
        for turn in range(8):
            if number == 2:
                learners[2].rebuild("default")
            else:
                scope = Scope("default", f"agent {number} of turn {turn // 4}")
                learners[number].observe_step(scope, f"task {turn % 2}", state={"x": turn}, action="a", outcome=WON)

    with ThreadPoolExecutor(len(learners)) as pool:
        list(pool.map(work, range(len(learners))))
    visits = 0
    for agent in ("agent 0 of turn 0", "agent 0 of turn 1", "agent 1 of turn 0", "agent 1 of turn 1"):
        visits += sum(q.visits for q in learners[0].q_values(Scope("default", agent)) if q.state is None)
    assert visits == 16
    for task in ("task 0", "task 1"):
        (prior,) = learners[0].advise(Scope("default", "newcomer"), task, options=["a"]).evidence
        assert (prior.level, prior.visits) == ("tenant", 8.0)


def test_what_is_kept_in_memory_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qtable, "MAX_ROWS", 8)
    learner = fresh(store)
    for number in range(30):
        asked = {"x": number % 20, "y": number}
        learner.observe(ME, learner.advise(ME, "t", state=asked, options=AB), WON if number % 3 else LOST)
    table = learner._tables.current(ME, "t")
    assert len(table.states) < 20
    assert len(table.rows()[0]) == len(fresh(store)._tables.current(ME, "t").rows()[0]) == 8
    assert sum(found.visits for found in table.own.values()) == 30


def test_rebuild_equals_the_sums_and_is_noticed_by_others(store: Store) -> None:
    learner = fresh(store)
    for number in range(10):
        advice = learner.advise(ME, f"t{number % 2}", state={"x": number % 3}, options=AB)
        learner.observe(ME, advice, Outcome(success=number % 3 == 0, quality=number / 10), action=AB[number % 2])
        learner.observe(ME, advice, Outcome(success=number % 4 == 0, evidence="verified", seconds=1, budget_seconds=3))
    teach(learner, "z", WON, 2, Scope("default", "colleague"))
    other = fresh(store)
    distribution = other.advise(ME, "t0", state={"x": 0}, options=AB).distribution
    before = sums(learner), sums(learner, Scope("default", "colleague"))
    store.write([("q_clear", {"tenant": "default"})])
    assert learner.q_values(ME) == []
    assert learner.rebuild("default") == 12
    assert (sums(learner), sums(learner, Scope("default", "colleague"))) == before
    assert other.advise(ME, "t0", state={"x": 0}, options=AB).distribution == pytest.approx(
        dict(distribution), abs=1e-9
    )
    assert learner.rebuild("nobody") == 0


def test_names_that_look_like_patterns_or_other_names_stay_apart(learner: Learner) -> None:
    for agent, task in (("a:b", "c"), ("a", "b:c"), ("", "x"), ("%", "_"), ("A", "b:c"), ("а", "b:c")):
        scope = Scope("default", agent or "empty")
        learner.observe_step(scope, task, state={}, action=f"of {agent}", outcome=WON)
        assert [q.action for q in learner.q_values(scope, task)] == [f"of {agent}"] * 2


def test_values_are_plain(learner: Learner) -> None:
    """What crosses the surface can be written as JSON: no array scalars."""
    teach(learner, "a", WON, 2, x=1)
    advice: Advice = learner.advise(ME, "t", state={"x": 1}, options=AB)
    experience: Experience = learner.observe(ME, advice, WON)
    value: QValue = learner.q_values(ME)[0]
    for one in (asdict(advice), asdict(value), {**asdict(experience), "created_at": "", "updated_at": ""}):
        assert json.loads(json.dumps(one)) is not None
