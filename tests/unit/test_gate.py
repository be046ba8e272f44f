"""The gate: what is better passes, what is better by chance does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engrain.learn.gate import judge, judge_fixed
from engrain.learn.log import CLAIMED, Log
from engrain.learn.rule import TableRule
from tests.logs import bandit, best, even, grid, straight

CLEAR = np.array([[0.8, 0.2, 0.2]])


def always(name: str, log: Log) -> TableRule:
    return TableRule({key: {name: (1.0, None, 0.0)} for key in log.keys})


def test_a_clear_winner_passes_after_300_decisions() -> None:
    assert all(judge(bandit(seed, 300, CLEAR), best, None).passed for seed in range(10))


def test_the_verdict_says_why_with_numbers() -> None:
    verdict = judge(bandit(0, 300, CLEAR), best, None)
    assert verdict.reason.startswith("Better: it would earn ")
    assert f"{verdict.candidate.low:.3g}" in verdict.reason
    assert f"what advises now earns {verdict.live.value:.3g}." in verdict.reason
    assert {one.method for one in verdict.others} >= {"importance sampling", "self-normalised", "SWITCH"}


def test_the_behaviour_itself_does_not_pass() -> None:
    for seed in range(20):
        log = bandit(seed, 400, CLEAR)
        assert not judge(log, lambda _: even(log), None).passed  # noqa: B023
        assert not judge_fixed(log, even(log), None).passed


def test_what_is_live_must_be_beaten_not_the_past() -> None:
    log = bandit(1, 600, np.array([[0.8, 0.75, 0.1]]))
    assert judge(log, best, None).passed
    assert not judge(log, best, always("a01", log)).passed
    assert judge(log, best, always("a02", log)).passed


def test_what_the_online_learner_does_better_by_now_is_left_to_it() -> None:
    log = bandit(1, 600, np.array([[0.8, 0.6, 0.1]]))
    first, second = always("a00", log), always("a01", log)
    assert judge(log, lambda _: second, None).passed
    refused = judge(log, lambda _: second, None, online=lambda _: first)
    assert not refused.passed
    assert refused.reason.startswith("The online learner is probably better by now")
    assert judge(log, lambda _: first, None, online=lambda _: second).passed
    assert judge(log, best, None, online=lambda _: even(log)).passed


@pytest.mark.parametrize(
    "wins",
    [np.full((1, 5), 0.5), np.full((1, 2), 0.95), np.full((20, 3), 0.5)],
    ids=["five", "rare failures", "twenty states"],
)
@pytest.mark.slow
def test_what_is_better_by_chance_alone_is_refused(wins: np.ndarray) -> None:
    worlds = 200
    passed = sum(judge(bandit(seed, 300, wins), best, None, seed=seed).passed for seed in range(worlds))
    assert passed <= 0.05 * worlds


@pytest.mark.slow
def test_an_episode_that_is_better_by_chance_is_refused() -> None:
    passed = 0
    for seed in range(100):
        log = grid(seed, 60, slip=1.0)  # whatever is chosen, the step goes anywhere
        passed += judge(log, best, None, discount=0.9, seed=seed).passed
    assert passed <= 5


def test_more_candidates_need_more_proof() -> None:
    log = bandit(3, 300, np.array([[0.62, 0.4]]))
    one, many = judge(log, best, None), judge(log, best, None, tried=10)
    assert many.candidate.confidence == pytest.approx(0.999)
    assert one.candidate.low is not None
    assert many.candidate.low is not None
    assert many.candidate.low < one.candidate.low


def switching(seed: int, n: int) -> tuple[Log, TableRule]:
    """Two of four states are left to a rule that is live from the middle on and never tries anything else; in the first
    half all was tried, but in the first state only what the rule does. In the third state it is wrong."""
    wins = np.array([[0.8, 0.2], [0.2, 0.8], [0.2, 0.8], [0.8, 0.2]])
    ruled = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    tried = np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    first, second = bandit(seed, n, wins, tried), bandit(seed + 1_000, n, wins, ruled)
    names = ("state", "action", "next", "reward", "evidence", "propensity", "agent")
    both: dict[str, Any] = {name: np.append(getattr(first, name), getattr(second, name)) for name in names}
    each, version = np.arange(2 * n), np.repeat([0, 3], n)
    log = replace(first, **both, episode=each, lineage=each, at=each, policy=version)
    row = {key: {log.actions[int(one.argmax())]: (1.0, None, 9.0)} for key, one in zip(log.keys, ruled, strict=True)}
    return log, TableRule(row)


def test_only_where_it_differs_from_what_is_live_it_is_judged() -> None:
    log, live = switching(1, 300)
    right = dict(live.entries) | {log.keys[2]: {log.actions[1]: (1.0, None, 9.0)}}
    verdict = judge_fixed(log, TableRule(right), live)
    assert verdict.passed, verdict.reason
    assert "outcomes where they differ" in verdict.reason
    assert verdict.candidate.n == int((log.state[:300] == 2).sum())  # only the learner tried both
    assert verdict.live.n == len(log)  # what it is to beat is told of all
    assert verdict.candidate.value is not None
    assert verdict.live.value is not None
    assert verdict.candidate.value - verdict.live.value == pytest.approx(2.4 / 4, abs=0.2)
    wrong = dict(live.entries) | {log.keys[1]: {log.actions[0]: (1.0, None, 9.0)}}
    assert judge_fixed(log, TableRule(wrong), live).reason.startswith("No better:")


def test_where_it_differs_it_needs_outcomes() -> None:
    log, live = switching(1, 300)
    never = dict(live.entries) | {log.keys[0]: {log.actions[1]: (1.0, None, 9.0)}}
    verdict = judge_fixed(log, TableRule(never), live)
    assert not verdict.passed
    assert verdict.candidate.refused is not None
    same = judge_fixed(log, TableRule(dict(live.entries)), live)
    assert same.reason == "No better: it would do the same in all 600 outcomes."


def test_a_flood_from_one_source_moves_nothing() -> None:
    honest = bandit(4, 300, np.array([[0.5, 0.5]]))
    n, flood = 300, 3_000
    none, more = np.zeros(n + flood, dtype=np.int64), np.zeros(flood, dtype=np.int64)
    told = replace(
        honest, state=none, action=np.append(honest.action, more + 1), next=none - 1,
        reward=np.append(honest.reward, more + 2.0), evidence=np.append(honest.evidence, more + CLAIMED),
        propensity=np.full(n + flood, 0.5), episode=np.arange(n + flood), lineage=np.append(honest.lineage, more + n),
        agent=none, at=np.append(honest.at, more + n), policy=none,
    )  # fmt: skip
    plain = judge(honest, best, None)
    assert not plain.passed
    claimed = judge(told, best, None)
    assert (claimed.passed, claimed.candidate.n) == (False, plain.candidate.n)
    executed = judge(replace(told, evidence=none + 1), best, None)
    assert not executed.passed


def test_without_anything_to_judge_by_it_says_so() -> None:
    log = bandit(5, 100, CLEAR)
    for bare in (replace(log, propensity=np.full(100, np.nan)), replace(log, evidence=np.zeros(100, dtype=np.int64))):
        verdict = judge(bare, best, None)
        assert not verdict.passed
        assert "(100 are only claimed, or without it)" in verdict.reason
        assert verdict.candidate.value is None


def test_a_better_way_through_episodes_passes() -> None:
    log = grid(6, 200)
    verdict = judge_fixed(log, straight(), None, discount=0.95)
    assert verdict.passed, verdict.reason
    assert "an episode" in verdict.reason
    assert not judge_fixed(log, straight(), straight(), discount=0.95).passed
    worse = judge_fixed(log, even(log), straight(), discount=0.95)
    assert worse.reason.startswith("No better:")


def test_exploration_that_will_be_mixed_in_is_counted() -> None:
    log = bandit(7, 600, CLEAR)
    pure, mixed = judge(log, best, None), judge(log, best, None, floor=0.3)
    assert pure.candidate.value is not None
    assert mixed.candidate.value is not None
    assert mixed.candidate.value == pytest.approx(pure.candidate.value * 0.7 + log.reward.mean() * 0.3, abs=0.15)
