"""Defects of earlier systems' learning (LESSONS 2.2, 3.2, 7) that no other test is named for; on both engines."""

from __future__ import annotations

import pytest

from engrain import Agent, Outcome
from engrain.learn.learner import Learner
from engrain.learn.state import checked_state
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests import children
from tests.dreams import OPTIONS, TASK, fill, rows
from tests.learning import AB, LOST, ME, WON, learner, store, teach
from tests.life import START
from tests.policies import TASK as BUILD
from tests.policies import add, table
from tests.postgres import Place

__all__ = ["learner", "store"]  # fixtures

RULE = """
import engrain
from engrain.learn.state import checked_state
with engrain.open(**given["place"], embedder="hash") as memory:
    version, rule, _ = memory.versions.live("default", given["task"], None)
    say([version, rule.chances(checked_state({"size": 1}), ["l", "r"]).tolist()])
"""
VALUES = """
import engrain
with engrain.open(**given["place"], embedder="hash") as memory:
    say([[q.state, q.action, q.visits, q.mean] for q in memory.agent("ann").q_values("repair") if q.state])
"""


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld(START, seed=3)


@pytest.fixture
def memory(place: Place, world: SimulatedWorld) -> Memory:
    return place.open(world=world)


@pytest.fixture
def agent(memory: Memory) -> Agent:
    return memory.agent("ann", tenant="acme")


def test_lessons_2_2_how_sure_it_is_follows_from_how_often_it_was_seen(learner: Learner) -> None:
    widths = []
    for count in (4, 16, 64):
        for number in range(count):
            teach(learner, "a", WON if number % 2 else LOST)
        advice = learner.advise(ME, "t", options=["a"])
        assert advice.low is not None
        assert advice.high is not None
        widths.append(advice.high - advice.low)
    assert widths[0] > 1.5 * widths[1] > 2.0 * widths[2]


def test_lessons_2_2_no_next_state_is_made_up(memory: Memory) -> None:
    ann = memory.agent("ann")
    told = ann.observe_step("t", state={"attempts": 1}, action="a", outcome=WON)
    led = ann.observe_step("t", state={"attempts": 1}, action="a", outcome=WON, next_state={"attempts": 7})
    assert [one.next_state for one in (told, led)] == [None, {"attempts": 7}]


def test_lessons_2_2_what_was_learned_is_shown_with_its_state_and_value(place: Place, memory: Memory) -> None:
    ann = memory.agent("ann")
    for number in range(6):
        state = {"size": number % 2}
        ann.observe_step("repair", state=state, action="a", outcome=LOST if number % 2 else WON)
    memory.close()
    (shown,) = children.run(VALUES, {"place": place.arguments})
    assert sorted(shown, key=str) == [[{"size": 0}, "a", 3, 2.0], [{"size": 1}, "a", 3, -2.0]]


def test_lessons_2_2_it_explores_unless_it_knows(learner: Learner) -> None:
    assert {learner.advise(ME, "t", options=AB).action for _ in range(40)} == set(AB)
    teach(learner, "a", WON)
    teach(learner, "b", WON)
    assert min(learner.advise(ME, "t", options=AB).distribution.values()) > 0.1


def test_lessons_3_2_each_version_that_is_kept_is_the_one_that_is_read(place: Place, memory: Memory) -> None:
    for best, version in (("l", 1), ("r", 2)):
        assert add(memory, table({1: {"l": float(best == "l"), "r": float(best == "r")}}, chance=1.0)) == version
    memory.close()
    ((version, chances),) = children.run(RULE, {"place": place.arguments, "task": BUILD})
    assert (version, chances) == (2, [0.0, 1.0])


def test_lessons_3_2_how_large_a_number_is_counts(learner: Learner) -> None:
    """A state that was divided by its own largest number would be the same at any size."""
    for size in (8, 9, 10, 11, 12):
        teach(learner, "a", WON, 3, size=size)
        teach(learner, "b", LOST, 3, size=size)
        teach(learner, "a", LOST, 3, size=100 * size)
        teach(learner, "b", WON, 3, size=100 * size)
    small, large = (learner.advise(ME, "t", state={"size": one}, options=AB).distribution for one in (10.5, 1050))
    assert small["a"] > 0.8
    assert large["b"] > 0.8


def test_lessons_3_2_an_action_that_is_not_known_is_not_taken_for_another(memory: Memory, agent: Agent) -> None:
    fill(agent)
    memory.dream()
    _, rule, _ = memory.versions.live("acme", TASK, None)
    assert rule is not None
    assert rule.chances(checked_state({"size": 0}), ["never seen"]) is None
    both = rule.chances(checked_state({"size": 0}), ["never seen", OPTIONS[0]])
    assert both is not None
    assert both.tolist() == [0.0, 1.0]


def test_lessons_7_more_than_the_newest_thousand_outcomes_teach(memory: Memory, agent: Agent) -> None:
    """Only the first of 1,500 outcomes tell of size 0."""
    early = [row for row in rows(900) if row["state"] == {"size": 0}]
    late = [row for row in rows(2_000, seed=1) if row["state"] != {"size": 0}][:1_200]
    agent.observe_many(early)
    agent.observe_many(late)
    (finding,) = memory.dream().findings["findings"]
    assert finding["rows"] == len(early) + len(late)
    _, rule, _ = memory.versions.live("acme", TASK, None)
    assert rule is not None
    chances = rule.chances(checked_state({"size": 0}), list(OPTIONS))
    assert chances is not None
    assert chances[0] > chances[1]


def test_lessons_7_the_action_is_what_was_done_not_what_came_of_it(memory: Memory, agent: Agent) -> None:
    """The same action, whether it failed or not, is one action with two outcomes."""
    for success in (True, False):
        agent.observe_step("t", state=None, action="retry", outcome=Outcome(success=success, evidence="verified"))
    counts, _ = memory.dreamer._parts.experiences().both("acme", "t", None)
    assert (counts.actions, counts.n.tolist(), counts.total.tolist()) == (("retry",), [2.0], [0.0])


def test_lessons_7_a_policy_that_cannot_be_read_is_told_and_stays_as_it_is(memory: Memory, agent: Agent) -> None:
    fill(agent)
    memory.dream()
    key = {"tenant": "acme", "task_type": TASK, "version": 1}
    row = dict(memory.store.read("policy_find", key)[0])
    with memory.store.transaction("acme") as tx:
        tx.run("purge_policies", {"tenant": "acme"})
        tx.run("policy_insert", {**row, "rule": b"damaged"})
        tx.run("policy_state", {**row, "state": "live"})
    (check,) = [one for one in memory.doctor().checks if one.name == "policies"]
    assert not check.ok
    fill(agent, 100, seed=2)
    memory.dream()
    assert bytes(memory.store.read("policy_find", key)[0]["rule"]) == b"damaged", "nothing is saved over it"
    assert [one.version for one in memory.policies(state="live")] == [2]
