"""The eighteen profiles of agents: each is different, and each matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations, permutations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engrain
from engrain import Agent, Outcome
from engrain.agents import BaseAgent, Profile, Task, profile, profiles
from engrain.agents.profiles import read
from engrain.errors import InvalidField, NotFound
from engrain.learn.reward import WEIGHTS, reward_of
from engrain.learn.state import checked_state
from engrain.testing import SimulatedWorld

ALL = [profile(name) for name in profiles()]
SEED_001 = [
    "test-generator", "test-executor", "coverage-analyzer", "quality-gate", "quality-analyzer", "performance-tester",
    "security-scanner", "requirements-validator", "production-intelligence", "fleet-commander", "deployment-readiness",
    "regression-risk-analyzer", "test-data-architect", "api-contract-validator", "flaky-test-hunter", "visual-tester",
    "chaos-engineer", "code-complexity",
]  # fmt: skip


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    home = tmp_path_factory.mktemp("profiles")
    with engrain.open(home, world=SimulatedWorld(seed=3), embedder="hash", synchronous="normal") as memory:
        yield memory.agent("ann")


class Worker(BaseAgent):
    """Does what its task says."""

    remembers = False
    max_tokens = 0

    def run(self, task: Task) -> Any:
        return task.details["work"](task)


def test_the_eighteen_of_the_seed_and_no_two_alike() -> None:
    assert set(profiles()) == {f"qe-{name}" for name in SEED_001}
    for one, other in combinations(ALL, 2):
        assert set(one.strategies) != set(other.strategies)
        assert {(f.name, f.of, f.how) for f in one.features} != {(f.name, f.of, f.how) for f in other.features}
        assert dict(one.weights) != dict(other.weights)
        assert set(one.task_types).isdisjoint(other.task_types)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_its_features_and_strategies_reach_the_advice(kind: Profile, agent: Agent) -> None:
    """Computed from the task as its examples say; what a task does not tell is missing, and no constant is made up."""
    worker, offered = Worker(agent, profile=kind), []

    def work(task: Task) -> dict[str, Any]:
        assert task.advice is not None
        offered.append(set(task.advice.distribution))
        return {"success": True, next(iter(kind.reads.values())): 0.25}

    assert len(kind.examples) >= 3
    assert {name for one in kind.examples for name in one["features"]} == {one.name for one in kind.features}
    common = {"task_type": kind.task_types[0], "capabilities": sorted(kind.capabilities)}
    for example in kind.examples:
        assert kind.state(example["details"]) == example["features"]
        worker.perform("a task", **example["details"], work=work)
    seen = [one.state for one in agent.experiences(kind.task_types[0], limit=len(kind.examples))]
    assert seen == [{**common, **one["features"]} for one in reversed(kind.examples)]
    assert offered == [set(kind.strategies)] * len(kind.examples)
    outcome = agent.experiences(kind.task_types[0])[0].outcome
    assert getattr(outcome, next(iter(kind.reads))) == 0.25  # its own measure, under its own name
    assert (outcome.weights, outcome.budget_seconds) == (dict(kind.weights), kind.budget_seconds)
    assert kind.state({}) == {}
    assert worker.learning_errors == ()


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_its_weights_change_a_decision(kind: Profile, agent: Agent) -> None:
    """Two strategies that both succeed, each better in another part: which is best depends on what counts."""
    here, there = trade(kind.weights)
    for weights, best in ((kind.weights, 0), (WEIGHTS, 1)):
        worker = Worker(agent, profile=replace(kind, weights=weights, task_types=(f"{kind.name} {best}",), reads={}))
        for number in range(6):
            name = kind.strategies[number % 2]

            def work(task: Task, name: str = name, parts: dict[str, Any] = (here, there)[number % 2]) -> Outcome:
                task.took(name)
                return Outcome(success=True, evidence="verified", **parts)

            worker.perform("a task", work=work)
        advice = agent.advise(f"{kind.name} {best}", worker._state(Task(worker._way(None))), kind.strategies[:2])
        assert advice.ranking[0].action == kind.strategies[best], (here, there)


def trade(weights: Mapping[str, float]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parts of two outcomes, of which the first is better by these weights and the other by the usual ones, as
    clearly as can be."""
    ends: dict[str, Callable[[float], dict[str, Any]]] = {
        "time": lambda x: {"seconds": 10.0 - 10.0 * x, "budget_seconds": 10.0},
        "quality": lambda x: {"quality": 0.5 + x / 2},
        "resources": lambda x: {"resources": 0.5 - x / 2},
        "feedback": lambda x: {"feedback": x},
    }
    found = []
    for (one, other), much in product(permutations(ends, 2), (0.1, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 10.0)):
        a, b = min(much, 1.0), min(1.0 / much, 1.0)  # how far the two parts swing
        pair = ({**ends[one](a), **ends[other](-b)}, {**ends[one](-a), **ends[other](b)})
        ours = [reward_of(Outcome(success=True, weights=weights, **parts)) or 0.0 for parts in pair]
        usual = [reward_of(Outcome(success=True, **parts)) or 0.0 for parts in pair]
        found.append((min(ours[0] - ours[1], usual[1] - usual[0]), pair))
    margin, pair = max(found, key=lambda one: one[0])
    assert margin > 0.02, "its weights order everything as the usual ones do"
    return pair


def test_a_profile_learns_which_strategy_is_best_for_which_task(agent: Agent) -> None:
    """In a small world, where each of its tasks has a strategy that works: the last quarter against chance (1/4)."""
    for kind in (profile("qe-flaky-test-hunter"), profile("qe-visual-tester")):
        worker, count = Worker(agent, profile=replace(kind, task_types=(f"{kind.name} world",))), 80
        right: list[bool] = []
        for number in range(count):
            place = number * 7 % len(kind.examples)

            def work(task: Task, best: str = kind.strategies[place], right: list[bool] = right) -> Outcome:
                right.append(task.action == best)
                return Outcome(success=task.action == best, evidence="executed")

            worker.perform("a task", **kind.examples[place]["details"], work=work)
        assert sum(right[-count // 4 :]) >= 0.8 * count / 4


def test_a_profile_of_ones_own() -> None:
    text = """
    name = "cook"
    about = "Cooks."
    task_types = ["dinner"]
    strategies = ["fry", "bake"]
    weights = { feedback = 2 }
    features = [{ name = "guests", of = "guests", how = "count", bounds = [1], names = ["alone", "company"] }]
    """
    cook = read(text)
    assert cook.state({"guests": ["a", "b"]}) == {"guests": "company"}
    for wrong in (
        text.replace('"bake"', '"fry"'), text.replace("feedback", "taste"), text.replace("[1]", "[2, 1]"), "name = 3",
        text.replace('"count"', '"guess"'), text.replace("2 }", '"two" }'), text.replace("dinner", ""), text + "x = 1",
        text.replace('how = "count"', 'how = "has", pattern = "("'), "][",
    ):  # fmt: skip
        with pytest.raises(InvalidField):
            read(wrong)
    with pytest.raises(NotFound, match="qe-visual-tester"):
        profile("qe-nobody")


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_no_task_breaks_a_feature(data: st.DataObject) -> None:
    """Whatever a task holds, a profile makes a state that advice accepts."""
    kind = data.draw(st.sampled_from(ALL))
    names = sorted({one.of for one in kind.features} | {one.by for one in kind.features if one.by})
    state = kind.state(data.draw(st.fixed_dictionaries(dict.fromkeys(names, junk))))
    assert checked_state(state).values.keys() == state.keys()
