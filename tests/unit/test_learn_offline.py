"""Offline training on small logs of which one knows what should come out."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import numpy as np
import pytest

from engrain.learn.empirical import model_of
from engrain.learn.log import END, Counts
from engrain.learn.offline import candidates
from engrain.learn.pessimism import pessimistic
from engrain.learn.rule import TableRule, pack
from engrain.learn.spibb import spibb
from engrain.learn.state import checked_state
from engrain.learn.value_iteration import evaluate, value_iteration
from tests import children

CLAIMED, VERIFIED = 0.25, 1.0


def log(*rows: tuple[str, str, str | None, float, float], tier: float = VERIFIED, noise: float = 0.0) -> Counts:
    """Counts from (state, action, next state, times, reward)."""
    return mixed(*((*row, tier, noise) for row in rows))


def mixed(*rows: tuple[str, str, str | None, float, float, float, float]) -> Counts:
    """The same, each row with its tier and the variance of its rewards."""
    keys = sorted({one for row in rows for one in (row[0], row[2]) if one is not None})
    actions = sorted({row[1] for row in rows})
    ints = [
        [keys.index(row[0]) for row in rows], [actions.index(row[1]) for row in rows],
        [END if row[2] is None else keys.index(row[2]) for row in rows],
    ]  # fmt: skip
    n, reward, tier, noise = (np.array([row[at] for row in rows], dtype=np.float64) for at in (3, 4, 5, 6))
    texts = tuple(f'{{"at":"{one}"}}' for one in keys)
    state, action, after = (np.array(one, dtype=np.int64) for one in ints)
    sums = (n, n * tier, n * tier * reward, n * tier * (reward**2 + noise))
    return Counts(tuple(keys), texts, tuple(actions), state, action, after, *sums)


def chosen(counts: Counts, name: str = "pessimistic", discount: float = 0.9) -> dict[str, str]:
    """The action of each state under a candidate."""
    found = {one.name: one.rule for one in candidates(counts, discount)}[name]
    assert isinstance(found, TableRule)
    return {key: max(row, key=lambda action: row[action][0]) for key, row in found.entries.items()}


def test_without_evidence_there_is_no_candidate() -> None:
    assert candidates(log(), 0.95) == []
    assert candidates(log(("s", "a", None, 3, 1.0), tier=0.0), 0.95) == []
    assert value_iteration(model_of(log()), 0.9).values.shape == (0,)
    assert pessimistic(model_of(log()), 0.9).spread == 0.0


def test_a_delayed_reward_is_found() -> None:
    counts = log(("s", "now", None, 50, 0.5), ("s", "later", "t", 50, 0.0), ("t", "go", None, 50, 1.0))
    assert chosen(counts) == {"s": "later", "t": "go"}
    assert chosen(counts, discount=0.3) == {"s": "now", "t": "go"}
    found = candidates(counts, 0.9)[0].rule.known  # what explanations are made of
    state: Any = type("S", (), {"key": "s"})
    known = found(state, "later")
    assert known is not None
    assert known.value == pytest.approx(0.9)
    assert known.visits == 50.0


def test_what_was_lucky_once_does_not_shine() -> None:
    """One outcome of 2 beside two hundred of 1: the log's own noise tells that it may be luck."""
    counts = mixed(("s", "lucky", "t", 1, 2.0, 1.0, 0.0), ("s", "good", "t", 200, 1.0, 1.0, 0.5),
                   ("t", "go", None, 200, 0.0, 1.0, 0.5))  # fmt: skip
    assert chosen(counts)["s"] == "good"
    assert value_iteration(model_of(counts), 0.9).policy.tolist() == [0.0, 1.0, 1.0], (
        "plain value iteration falls for it"
    )


def test_without_noise_one_outcome_is_enough() -> None:
    rows = [(f"s{one}", "slow", f"s{one + 1}", 30.0, -1.0) for one in range(20)]
    counts = log(*rows, ("s20", "slow", None, 30, 2.0), ("s0", "jump", "s19", 1, -1.0))
    assert chosen(counts)["s0"] == "jump"


def test_a_flood_of_claims_does_not_outweigh_what_was_verified() -> None:
    """A thousand claims say 2, two hundred verified outcomes say -1: the mean moves by evidence, and noise is seen."""
    counts = mixed(("s", "praised", "t", 200, -1.0, VERIFIED, 0.0), ("s", "praised", "t", 100, 2.0, CLAIMED, 0.0),
                   ("s", "sound", "t", 40, 0.2, VERIFIED, 0.0), ("t", "go", None, 200, 0.0, VERIFIED, 0.0))  # fmt: skip
    assert chosen(counts)["s"] == "sound"
    model = model_of(counts)
    praised = model.actions.index("praised")
    assert model.reward[model.action == praised] == pytest.approx((-200.0 + 50.0) / 225.0)
    assert model.weight[model.action == praised] == pytest.approx(225.0), "a verified outcome counts as one"


def test_a_log_of_one_tier_alone_counts_each_outcome_as_one() -> None:
    rows: Any = (("s", "a", "t", 7, 0.5), ("s", "b", None, 3, 0.25), ("t", "a", None, 7, 1.0))
    whole, claimed = model_of(log(*rows)), model_of(log(*rows, tier=CLAIMED))
    assert claimed.weight.tolist() == whole.weight.tolist() == [7.0, 3.0, 7.0]
    assert claimed.behaviour.tolist() == [0.7, 0.3, 1.0]


def test_contradictory_outcomes_widen_the_spread() -> None:
    steady = model_of(log(("s", "a", None, 100, 0.0), ("s", "b", None, 100, 0.0)))
    torn = model_of(log(("s", "a", None, 100, 0.0), ("s", "b", None, 100, 0.0), noise=4.0))
    assert steady.spread(np.zeros(1), 0.9) == 0.0
    assert torn.spread(np.zeros(1), 0.9) == pytest.approx(2.0, rel=0.02)


def test_where_an_episode_was_cut_off_is_not_an_escape() -> None:
    """Every step costs. One way was cut off in a place that nobody has seen; it must not be taken for the end."""
    rows: Any = (("s", "out", "t", 20, -1.0), ("t", "out", None, 20, -1.0), ("s", "dark", "unseen", 1, -1.0))
    assert chosen(log(*rows))["s"] == "out"
    free = model_of(log(*rows))
    assert free.keys == ("s", "t", "unseen")
    assert free.open.tolist() == [1.0]
    assert free.whole(np.array([-1.9, -1.0])).tolist() == pytest.approx([-1.9, -1.0, -1.9, 0.0])


def test_an_end_that_was_told_as_a_state_is_an_end() -> None:
    """Reached a thousand times and never left, it is worth nothing and not as little as the worst."""
    rows: Any = (("s", "goal", "done", 1000, -1.0), ("s", "around", "t", 1000, -1.0), ("t", "back", "s", 1000, -1.0))
    model = model_of(log(*rows))
    assert value_iteration(model, 0.9).values == pytest.approx([-1.0, -1.9], abs=0.02)
    assert chosen(log(*rows))["s"] == "goal"


def test_what_cannot_be_reached_is_planned_as_well() -> None:
    counts = log(("s", "a", None, 5, 1.0), ("far", "a", "far", 5, 1.0), ("far", "b", None, 5, 2.0))
    assert value_iteration(model_of(counts), 0.9).values == pytest.approx([10.0, 1.0], abs=1e-6), "a ring, for ever"


def test_huge_counts_are_sums_like_any() -> None:
    counts = log(("s", "a", "s", 1e12, 2.0), ("s", "b", None, 1e12, -2.0))
    assert evaluate(model_of(counts), 0.5, np.array([0.5, 0.5])).values == pytest.approx([0.0], abs=1e-6)
    assert chosen(counts, discount=0.5) == {"s": "a"}


def test_decisions_without_consequences_are_shrunk_towards_the_action() -> None:
    """In most states `b` is better; one state has a single good outcome of `a`, another a hundred of them."""
    usual = [(f"s{one}", action, None, 20.0, reward, 1.0, 0.25)
             for one in range(8) for action, reward in (("a", 0.0), ("b", 0.5))]  # fmt: skip
    odd = [("odd", "a", None, 100.0, 1.5, 1.0, 0.25), ("odd", "b", None, 100.0, 0.0, 1.0, 0.25)]
    lucky = [("t", "a", None, 1.0, 0.75, 1.0, 0.0), ("t", "b", None, 20.0, 0.5, 1.0, 0.25)]
    counts = mixed(*usual, *odd, *lucky)
    found = chosen(counts, "shrunk")
    assert (found["s0"], found["odd"], found["t"]) == ("b", "a", "b")
    assert candidates(counts, 0.9)[0].name == "shrunk"


def test_a_given_baseline_is_kept_where_the_log_is_thin() -> None:
    counts = log(("s", "a", "t", 3, 1.0), ("s", "b", "t", 4, -1.0), ("t", "a", None, 9, 0.0), ("t", "b", None, 8, 1.0))
    model, base = model_of(counts), np.array([0.2, 0.8, 0.5, 0.5])
    assert spibb(model, 0.9, baseline=base).policy.tolist() == [0.2, 0.8, 0.0, 1.0]
    assert spibb(model, 0.9, baseline=base, threshold=4).policy.tolist() == [0.2, 0.8, 0.0, 1.0]
    assert spibb(model, 0.9, baseline=base, threshold=3).policy.tolist() == [1.0, 0.0, 0.0, 1.0]


def test_training_stops_when_it_is_told_to() -> None:
    calls = []

    def stop() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise InterruptedError

    counts = log(("s", "a", "t", 9, 0.0), ("t", "a", "s", 9, 1.0), ("t", "b", None, 9, 0.5))
    with pytest.raises(InterruptedError):
        candidates(counts, 0.95, stop=stop)
    assert len(calls) == 3


def test_a_large_log_is_planned_in_seconds() -> None:
    """300,000 transitions: not a benchmark, but a guard against an algorithm of another order."""
    rng = np.random.default_rng(0)
    states, m = 30_000, 300_000
    pair, n = np.sort(rng.integers(0, states * 4, m)), rng.integers(1, 9, m).astype(np.float64)
    reward = rng.integers(-8, 9, m) / 4.0
    keys = tuple(f"{one:06}" for one in range(states))
    after = rng.integers(0, states, m)
    counts = Counts(keys, keys, tuple("abcd"), pair // 4, pair % 4, after, n, n, n * reward, n * reward**2)
    began = time.process_time()
    found = value_iteration(model_of(counts), 0.95)
    assert time.process_time() - began < 4.0
    q = model_of(counts).backup(found.values, 0.95)
    assert model_of(counts).best(q) == pytest.approx(found.values, abs=1e-5), "Bellman's equation holds"


def test_every_process_makes_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a log in which all actions are as good as each other, whatever the seed of hashes is."""
    script = """
    from tests.unit.test_learn_offline import bits
    say(bits())
    """
    found = set()
    for seed in ("0", "1"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        found |= set(children.run(script))
    assert found == {bits()}


def bits() -> str:
    """A hash of all candidates of a ring of three states in which nothing is better than anything else."""
    ring = log(
        *((f"s{one}", action, f"s{(one + 1) % 3}", 4.0, 0.5) for one in range(3) for action in "abc"), noise=0.25
    )
    return hashlib.sha256(b"".join(pack(one.rule) for one in candidates(ring, 0.95))).hexdigest()


def test_a_table_decides_for_any_options_in_any_order() -> None:
    row = {"a": (1.0, 3.0, 9.0), "b": (0.0, 2.0, 9.0), "c": (0.0, 1.0, 9.0), "d": (0.0, None, 1.0)}
    rule, here = TableRule({checked_state({"s": 1}).key: row}), checked_state({"s": 1})
    for actions, due in (
        ("cba", [0, 0, 1]), ("ab", [1, 0]), ("cb", [0, 1]), ("xcd", [0, 1, 0]), ("c", [1]), ("d", None), ("xy", None),
        ("", None),
    ):  # fmt: skip
        found = rule.chances(here, list(actions))
        assert (None if found is None else found.tolist()) == due, actions
    assert rule.chances(checked_state({"s": 2}), ["a", "b"]) is None
