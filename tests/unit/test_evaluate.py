"""Off-policy estimates beside what is true in worlds that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engrain.learn.direct import decided
from engrain.learn.evaluate import evaluate, evaluations, methods
from engrain.learn.intervals import Rare, bernstein, kish, studentised
from engrain.learn.log import CLAIMED, EXECUTED, Log
from engrain.learn.rule import TableRule
from engrain.learn.sample import fold_of, sample_of
from engrain.learn.tally import Tally, counts_of
from tests.logs import bandit, best, even, grid, straight, straight_value

WINS = np.array([[0.8, 0.2, 0.5], [0.3, 0.9, 0.5]])
LEAN = np.array([0.6, 0.3, 0.1])


def worth(chance: np.ndarray) -> float:
    return float((4.0 * WINS - 2.0).mean(axis=0) @ chance)


def test_of_the_behaviour_itself_every_method_says_what_it_earned() -> None:
    log = bandit(1, 2_000, WINS)
    mean = float(log.reward.mean())
    for one in evaluations(log, even(log)):
        assert one.value == pytest.approx(mean, abs=0.02), one.method
        assert one.effective == pytest.approx(2_000)


def test_every_method_finds_another_rule_s_worth() -> None:
    log = bandit(2, 20_000, WINS)
    for one in evaluations(log, even(log, LEAN)):
        assert one.value == pytest.approx(worth(LEAN), abs=0.06), one.method
        assert one.low is not None
        assert one.high is not None
        assert one.low < worth(LEAN) < one.high, one.method


def test_the_default_is_tighter_than_importance_sampling() -> None:
    log = bandit(3, 1_000, WINS)
    found = {one.method: one for one in evaluations(log, even(log, LEAN))}
    width = {name: (one.high or 0.0) - (one.low or 0.0) for name, one in found.items()}
    assert width["calibrated doubly robust"] < 0.95 * width["importance sampling"]
    assert width["clipped, empirical Bernstein"] > width["importance sampling"]


@pytest.mark.slow
@pytest.mark.parametrize(("n", "lean"), [(150, LEAN), (400, np.array([0.02, 0.96, 0.02]))])
def test_intervals_cover_the_truth_as_often_as_they_say(n: int, lean: np.ndarray) -> None:
    behaviour = np.array([[0.7, 0.1, 0.2], [0.5, 0.2, 0.3]])
    worlds = 600
    hits = 0
    for seed in range(worlds):
        log = bandit(seed, n, WINS, behaviour)
        one = evaluate(log, even(log, lean), seed=seed)
        assert one.low is not None
        assert one.high is not None
        hits += one.low <= worth(lean) <= one.high
    assert 0.93 <= hits / worlds <= 0.975


def test_where_a_rule_does_not_know_the_behaviour_goes_on() -> None:
    log = bandit(4, 3_000, WINS)
    half = TableRule({"k0": {"a00": (1.0, None, 0.0)}})
    one = evaluate(log, half)
    assert one.value == pytest.approx((1.2 + (4.0 * WINS[1] - 2.0).mean()) / 2, abs=0.15)


def test_estimated_propensities_are_marked_and_judge_only_in_reports() -> None:
    log = bandit(5, 2_000, WINS)
    bare = replace(log, propensity=np.full(len(log), np.nan))
    refused = evaluate(bare, even(log, LEAN))
    assert refused.value is None
    assert refused.refused is not None
    assert "propensity was logged" in refused.refused
    told = evaluate(bare, even(log, LEAN), estimated=True)
    assert told.method.endswith("(estimated propensities)")
    assert told.value == pytest.approx(worth(LEAN), abs=0.2)


def test_claims_judge_nothing() -> None:
    log = bandit(6, 400, WINS)
    flood = np.arange(400) % 2 == 0
    mixed = replace(log, evidence=np.where(flood, CLAIMED, EXECUTED), reward=np.where(flood, 2.0, log.reward))
    true = evaluate(mixed, even(log))
    assert true.n == 200
    assert true.value == pytest.approx(log.reward[~flood].mean(), abs=0.05)


def test_a_few_heavy_outcomes_are_no_sample() -> None:
    log = bandit(7, 500, WINS, np.array([[0.98, 0.01, 0.01], [0.98, 0.01, 0.01]]))
    one = evaluate(log, even(log, np.array([0.0, 0.0, 1.0])))
    assert one.refused is not None
    assert f"worth {one.effective:.1f}" in one.refused


def test_what_had_no_chance_is_missed() -> None:
    log = bandit(8, 2_000, WINS, np.array([[0.5, 0.5, 0.0], [0.5, 0.0, 0.5]]))
    one = evaluate(log, even(log, np.array([0.2, 0.2, 0.6])))
    assert one.refused is not None
    assert "had no chance to be tried" in one.refused
    never = bandit(9, 2_000, WINS, np.array([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]))
    refused = evaluate(never, even(never, np.array([0.4, 0.4, 0.2]))).refused
    assert refused is not None
    assert "20% of what it would do was never done" in refused


def test_propensities_that_cannot_be_right_are_not_used() -> None:
    log = bandit(9, 500, WINS)
    refused = evaluate(replace(log, propensity=log.propensity / 4), even(log)).refused
    assert refused == "The logged propensities cannot be right: the weights they give average 4.00 instead of 1."


def test_one_source_is_one_voice() -> None:
    log = bandit(10, 400, WINS)
    alone = evaluate(replace(log, lineage=np.zeros(400, dtype=np.int64)), even(log))
    assert alone.refused == "There are 400 outcomes from 1 source; at least 10 sources are needed."
    few = evaluate(replace(log, lineage=np.arange(400) % 30), even(log))
    assert few.effective == pytest.approx(30.0, abs=0.5)


@pytest.mark.parametrize("slip", [0.0, 0.3])
def test_episodes_are_worth_what_they_are(slip: float) -> None:
    log = grid(1, 800, slip=slip)
    found = {one.method: one for one in evaluations(log, straight(), discount=0.95)}
    assert set(found) == set(methods(log, 0.95))
    default = found["doubly robust, marginalised"]
    assert default.value is not None
    if not slip:
        assert default.value == pytest.approx(straight_value(0.95), abs=0.02)
    fitted = found["fitted Q"].value
    assert fitted == pytest.approx(default.value, abs=0.03)
    assert default.effective > 100
    wide = found["doubly robust, per decision"]
    assert wide.refused is not None or wide.value == pytest.approx(default.value, abs=0.4)


def test_of_the_behaviour_episodes_earn_what_they_earned() -> None:
    log = grid(2, 500, wild=1.0)
    first = np.flatnonzero(np.diff(log.episode, prepend=-1))
    step = np.arange(len(log)) - first[log.episode]
    earned = np.bincount(log.episode, 0.9**step * log.reward)
    for one in evaluations(log, even(log), discount=0.9):
        assert one.value == pytest.approx(earned.mean(), abs=0.02), one.method
        assert one.low is not None
        assert one.high is not None
        assert one.low < earned.mean() < one.high


def test_an_episode_with_one_claim_judges_nothing() -> None:
    log = grid(3, 100)
    evidence = log.evidence.copy()
    evidence[::7] = CLAIMED
    sample = sample_of(replace(log, evidence=evidence), episodes=True)
    assert not set(log.episode[::7]) & set(log.episode[sample.rows])
    assert sample.left_out == len(log) - len(sample) > 0


def test_ways_that_nobody_went_cannot_be_told() -> None:
    log = grid(4, 300, wild=0.0)
    back = TableRule({key: {"left": (1.0, None, 0.0)} for key in log.keys})
    refused = evaluate(log, back, discount=0.95).refused
    assert refused is not None
    assert "nobody took there" in refused


def test_a_flood_of_claims_from_one_source_weighs_as_one() -> None:
    log = bandit(11, 100, WINS)
    flood = np.arange(100) < 60
    log = replace(
        log, evidence=np.where(flood, CLAIMED, EXECUTED), lineage=np.where(flood, 0, np.arange(100)),
        state=np.zeros(100, dtype=np.int64), action=np.where(flood, 0, 1), reward=np.where(flood, 2.0, 1.0),
    )  # fmt: skip
    counts = counts_of(log)
    assert counts.n.tolist() == [60.0, 40.0]
    assert counts.weight == pytest.approx([0.25, 30.0])
    assert counts.total == pytest.approx([0.5, 30.0])


def test_parts_of_a_log_are_counted_as_they_are() -> None:
    log = grid(5, 60)
    part = np.where(log.episode < 20, -1, log.episode // 20 - 1)
    tally = Tally(log, part)
    for before in range(3):
        one, other = tally.before(before), counts_of(log, part < before)
        for name in ("state", "action", "next", "n", "weight", "total", "squares"):
            assert getattr(one, name) == pytest.approx(getattr(other, name)), name
    assert counts_of(log).n.sum() == len(log)
    best(tally.before(0))


def test_the_model_of_an_outcome_is_made_without_it() -> None:
    log = bandit(12, 60, WINS)
    sample = sample_of(log, episodes=False)
    fold = fold_of(sample, 5, 0)
    told = decided(sample, fold, [even(log)] * 5)
    lifted = replace(log, reward=np.where(fold == 2, -log.reward, log.reward))
    again = decided(sample_of(lifted, episodes=False), fold, [even(log)] * 5)
    assert told.model[fold == 2] == pytest.approx(again.model[fold == 2])
    assert told.model[fold == 1] != pytest.approx(again.model[fold == 1])


def test_features_speak_where_states_do_not_come_back() -> None:
    rng = np.random.default_rng(0)
    x = rng.random(600)
    base = bandit(13, 600, np.full((600, 2), 0.5))
    action = rng.integers(0, 2, 600)
    reward = np.clip(np.where(action == 0, x, 1.0 - x) + rng.normal(0, 0.1, 600), -2, 2)
    log = replace(
        base, texts=tuple(f'{{"x":{one}}}' for one in x), state=np.arange(600), action=action, reward=reward,
        propensity=np.full(600, 0.5),
    )  # fmt: skip
    found = {one.method: one for one in evaluations(log, even(log, np.array([1.0, 0.0])))}
    truth = float(x.mean())
    assert found["direct"].value == pytest.approx(truth, abs=0.03)
    one, plain = found["calibrated doubly robust"], found["self-normalised"]
    assert one.high is not None
    assert one.low is not None
    assert plain.high is not None
    assert plain.low is not None
    assert one.high - one.low < 0.8 * (plain.high - plain.low)


def test_kish_and_bounds() -> None:
    assert kish(np.ones(7), np.arange(7)) == pytest.approx(7.0)
    assert kish(np.ones(6), np.array([0, 0, 0, 1, 1, 1])) == pytest.approx(2.0)
    assert kish(np.zeros(3), np.arange(3)) == 0.0
    assert Rare(0.0, 100.0, 4.0).reach(0.95) == pytest.approx(4.0 * 3.689 / 100, rel=0.01)  # Garwood's exact 3.689
    assert Rare(3.0, 100.0, 1.0).reach(0.95) == pytest.approx((8.767 - 3.0) / 100, rel=0.01)
    assert Rare(5.0, 100.0, 1.0).reach(0.95) == 0.0
    n, share = 400, (np.arange(400) % 2).astype(np.float64)
    expected = np.sqrt(2 * share.var(ddof=1) * np.log(80) / n) + 7 * np.log(80) / (3 * (n - 1))
    assert bernstein(share, np.arange(n), 1.0, 0.95) == pytest.approx(expected)


def test_a_million_units_are_resampled_by_a_thousand_bins() -> None:
    rng = np.random.default_rng(1)
    units = rng.normal(size=300_000)
    below, above = studentised(units - units.mean(), np.arange(300_000), 0.95, 0)
    assert below == pytest.approx(1.96 / np.sqrt(300_000), rel=0.1)
    assert above == pytest.approx(1.96 / np.sqrt(300_000), rel=0.1)


def test_a_method_that_is_not_there_is_named() -> None:
    log: Log = bandit(1, 50, WINS)
    with pytest.raises(ValueError, match="there is no method 'magic'"):
        evaluate(log, even(log), method="magic")
