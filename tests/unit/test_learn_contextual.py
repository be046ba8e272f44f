"""A rule over features, learned offline; and the likeness of states that it rests on."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from engrain.errors import InvalidPolicy
from engrain.learn.contextual import FeaturesRule, fit, tabulated
from engrain.learn.forest import TREES, grow
from engrain.learn.log import END, Counts
from engrain.learn.rule import pack, rule_of, unpack
from engrain.learn.state import checked_state

Told = tuple[dict[str, Any], str, float]


def counted(told: list[Told], actions: tuple[str, ...] = ("a", "b")) -> Counts:
    states = {checked_state(values).key: checked_state(values) for values, _, _ in told}
    keys = tuple(states)
    state = np.array([keys.index(checked_state(values).key) for values, _, _ in told])
    action = np.array([actions.index(name) for _, name, _ in told])
    reward, ones = np.array([reward for _, _, reward in told]), np.ones(len(told))
    texts = tuple(one.text for one in states.values())
    return Counts(keys, texts, actions, state, action, np.full(len(told), END), ones, ones, reward, reward**2)


def world(seed: int = 1, n: int = 120, noise: int = 5) -> list[Told]:
    """Action a where x > 0, b elsewhere; one action is known of each state."""
    rng, told = np.random.default_rng(seed), []
    for _ in range(n):
        values = {f"n{i}": float(v) for i, v in enumerate(rng.normal(size=noise))} | {"x": float(rng.normal())}
        action = "ab"[rng.integers(2)]
        told.append((values, action, 2.0 if (values["x"] > 0) == (action == "a") else -2.0))
    return told


def learned(told: list[Told]) -> FeaturesRule:
    rule = fit(tabulated(counted(told)))
    assert rule is not None
    return rule


def test_it_takes_the_action_that_does_well_in_states_like_this() -> None:
    rule, right = learned(world()), 0
    for values, _, _ in world(seed=2):
        chances = rule.chances(checked_state(values), ["a", "b"])
        assert chances is not None
        assert chances.sum() == 1.0
        right += int(chances.argmax() == (values["x"] <= 0))
    assert right >= 105  # of 120, five features of six being noise


def test_where_features_tell_nothing_it_takes_the_best_action() -> None:
    rng = np.random.default_rng(5)
    told = [
        ({"x": float(rng.normal()), "y": float(rng.normal())}, action, 2.0 if rng.random() < chance else -2.0)
        for action, chance in [("a", 0.9), ("b", 0.5)] * 100
    ]
    rule = learned(told)
    asked = [checked_state({"x": float(rng.normal()), "y": float(rng.normal())}) for _ in range(60)]
    took = [rule.chances(state, ["b", "a"]) for state in asked]
    assert sum(float(one[1]) for one in took if one is not None) >= 57


def test_what_was_tried_once_with_luck_is_not_taken_for_what_is_known_to_do_well() -> None:
    rng = np.random.default_rng(3)
    told = [({"x": float(rng.normal())}, "a", 2.0 if rng.random() < 0.9 else -2.0) for _ in range(100)]
    told.append(({"x": 0.0}, "b", 2.0))
    rule = learned(told)
    chances = rule.chances(checked_state({"x": 1.5}), ["a", "b"])
    assert chances is not None
    assert chances.tolist() == [1.0, 0.0]


def test_it_decides_among_what_is_offered_and_does_not_know_the_rest() -> None:
    rule, state = learned(world()), checked_state({"x": 1.0})
    chances = rule.chances(state, ["b", "never seen"])
    assert chances is not None
    assert chances.tolist() == [1.0, 0.0]
    assert rule.chances(state, ["never seen"]) is None
    assert rule.known(state, "never seen") is None
    known = rule.known(state, "a")
    assert known is not None
    assert known.value is not None
    assert known.value > 0.5
    assert known.visits is not None
    assert known.visits > 0.0
    assert known.error is not None
    assert rule.chances(checked_state({"what": "else"}), ["a", "b"]) is not None  # a state of other features


def test_too_little_is_not_learned_from() -> None:
    assert fit(tabulated(counted(world(n=12)))) is None
    assert fit(tabulated(counted([({}, "a", 1.0)] * 100))) is None
    assert fit(tabulated(counted([({"x": i}, "a", 1.0) for i in range(100)]))) is None  # there is nothing to tell apart


def test_the_same_outcomes_in_another_order_give_the_same_rule() -> None:
    told = world()
    assert pack(learned(told)) == pack(learned(told[::-1]))


def test_a_rule_is_kept_and_read_in_another_process() -> None:
    told: list[Told] = [(values | {"os": "l" if i % 3 else "m"}, a, r) for i, (values, a, r) in enumerate(world())]
    told += [({"n0": 0.5, "tags": ["p", "q"]}, "a", 1.0)]  # x is missing
    rule = learned(told)
    packed = pack(rule)
    assert pack(unpack(packed)) == packed
    asked = [values for values, _, _ in told[:20]] + [{"os": "m"}, {"new": 1}]
    expected = [[float(v) for v in rule.values(checked_state(values))[0]] for values in asked]
    program = (
        "import json, sys\n"
        "from engrain.learn.rule import unpack\n"
        "from engrain.learn.state import checked_state\n"
        "blob, asked = json.load(sys.stdin)\n"
        "rule = unpack(bytes.fromhex(blob))\n"
        "print(json.dumps([rule.values(checked_state(one))[0].tolist() for one in asked]))\n"
    )
    given = json.dumps([packed.hex(), asked])
    done = subprocess.run([sys.executable, "-c", program], input=given, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == expected


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("actions", []),
        ("actions", ["a", "a"]),
        ("space", None),
        ("forest", {"feature": [-1], "cut": [0.0], "child": [0]}),
        ("forest", {"feature": [0] * TREES, "cut": [0.0] * TREES, "child": [0] * TREES}),  # a ring
        ("base", [[0.0, 1.0]]),
        ("base", [[9.0, 1.0], [0.0, 1.0]]),
        ("cells", [[0], [0], [1.0], ["x"]]),
        ("cells", [[1e6], [0], [1.0], [0.0]]),
        ("trust", 0),
        ("trust", float("nan")),
    ],
)
def test_a_malformed_rule_is_refused(part: str, value: Any) -> None:
    body = {"format": 1, "kind": "features", **learned(world()).body()}
    assert rule_of(body).kind == "features"
    with pytest.raises(InvalidPolicy):
        rule_of({**body, part: value})


def test_a_forest_finds_the_feature_that_matters() -> None:
    rng = np.random.default_rng(0)
    states = rng.normal(size=(200, 30)).astype(np.float32)
    score = np.where(states[:, 7] > 0, 1.0, -1.0)[:, None]
    forest = grow(states, np.ones_like(score), score)
    leaves = forest.leaves(states)
    alike = (leaves[:, None, :] == leaves[None]).mean(axis=2)
    same = np.equal.outer(score[:, 0], score[:, 0]) & ~np.eye(200, dtype=bool)
    assert alike[same].mean() > 5.0 * alike[~same & ~np.eye(200, dtype=bool)].mean()
    again = grow(states, np.ones_like(score), score)
    assert (again.feature == forest.feature).all()
    assert (again.cut == forest.cut).all()
