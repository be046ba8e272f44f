"""How far means lie apart, and what that does to the interval that is told."""

from __future__ import annotations

import numpy as np
import pytest

from engrain import Advice, Outcome
from engrain.agent import Agent
from engrain.learn.apart import apart


def test_the_variance_of_means_is_found_through_the_noise() -> None:
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(200), 6)
    weight = rng.integers(1, 30, len(group)).astype(np.float64)
    true = rng.normal(0.0, 0.7, len(group)) + np.repeat(rng.normal(0.0, 5.0, 200), 6)  # groups are far apart
    mean = true + rng.normal(0.0, 1.0, len(group)) / np.sqrt(weight)
    assert apart(group, weight, mean, noise=1.0, prior=1.0) == pytest.approx(0.49, rel=0.1)


def test_means_that_differ_by_chance_alone_do_not_lie_apart() -> None:
    rng = np.random.default_rng(2)
    weight = np.full(400, 4.0)
    mean = rng.normal(0.0, 0.5, 400)
    assert apart(np.zeros(400, dtype=np.int64), weight, mean, noise=1.0, prior=1.0) < 0.06


@pytest.mark.parametrize("means", [[], [1.0], [1.0, -1.0]])
def test_without_two_means_of_one_group_the_prior_is_what_is_known(means: list[float]) -> None:
    group, weight = np.arange(len(means)), np.ones(len(means))
    assert apart(group, weight, np.array(means), noise=0.1, prior=0.5) == 0.5
    assert apart(group, np.zeros(len(means)), np.array(means), noise=0.1, prior=0.5) == 0.5


def test_an_action_that_was_never_tried_is_told_from_others_only_as_well_as_they_agree(agent: Agent) -> None:
    def told(task_type: str, other: float) -> tuple[float, float, float, float]:
        for count in range(60):
            for action, mean in (("a", 1.0), ("b", other)):
                reward = mean + (0.1 if count % 2 else -0.1)
                agent.observe_step(
                    task_type, state=None, action=action, outcome=Outcome(evidence="verified", reward=reward)
                )
        found: Advice = agent.advise(task_type, options=["a", "b", "new"])
        ranked = {one.action: one for one in found.ranking}
        new, known = ranked["new"], ranked["a"]
        assert new.low is not None
        assert new.high is not None
        assert known.low is not None
        assert known.high is not None
        return new.low, new.high, known.low, known.high

    steady, apart_ = told("alike", 1.0), told("apart", -1.0)
    assert apart_[0] < steady[0] - 0.5
    assert apart_[3] - apart_[2] < 0.2  # what was tried sixty times is known either way
