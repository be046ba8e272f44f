"""A rule over sums of features, learned offline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engrain.errors import InvalidPolicy
from engrain.learn.contextual import tabulated
from engrain.learn.linear import LinearRule, fit
from engrain.learn.offline import candidates
from engrain.learn.rule import pack, rule_of, unpack
from engrain.learn.state import checked_state
from tests.unit.test_learn_contextual import Told, counted

WIDTH = 12


def sums(seed: int, n: int = 300) -> list[Told]:
    """Action a where the sum of many features is above 0, b elsewhere; one action is known of each state."""
    rng, told = np.random.default_rng(seed), []
    for _ in range(n):
        values = {f"n{i}": float(v) for i, v in enumerate(rng.normal(size=WIDTH))}
        good = float(np.clip(sum(values.values()) / np.sqrt(WIDTH), -2.0, 2.0))
        action = "ab"[rng.integers(2)]
        told.append((values, action, good if action == "a" else -good))
    return told


def learned(told: list[Told]) -> LinearRule:
    rule = fit(tabulated(counted(told)))
    assert rule is not None
    return rule


def right(rule: Any, told: list[Told]) -> int:
    found = [rule.chances(checked_state(values), ["a", "b"]) for values, _, _ in told]
    return sum(
        int(one.argmax() == (sum(values.values()) <= 0.0)) for one, (values, _, _) in zip(found, told, strict=True)
    )


def test_it_finds_what_depends_on_many_features_a_little() -> None:
    assert right(learned(sums(1)), sums(2, 200)) >= 180
    found = {one.name: one.rule for one in candidates(counted(sums(1)), 0.0)}
    assert right(found["linear"], sums(2, 200)) > right(found["features"], sums(2, 200))


def test_where_features_tell_nothing_it_takes_the_best_action_or_there_is_no_rule() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        told: list[Told] = [
            ({"x": float(rng.normal()), "y": float(rng.normal())}, action, 2.0 if rng.random() < chance else -2.0)
            for action, chance in [("a", 0.9), ("b", 0.4)] * 100
        ]
        rule = fit(tabulated(counted(told)))
        if rule is not None:
            asked = [checked_state({"x": float(rng.normal()), "y": float(rng.normal())}) for _ in range(50)]
            took = [rule.chances(state, ["b", "a"]) for state in asked]
            assert sum(float(one[1]) for one in took if one is not None) >= 48


def test_its_values_are_those_of_ridge_regression() -> None:
    told = sums(3, 400)
    rule = learned(told)
    for values, _, _ in sums(4, 40):
        value, error = rule.values(checked_state(values))
        good = float(np.clip(sum(values.values()) / np.sqrt(WIDTH), -2.0, 2.0))
        assert abs(value[0] - good) < 0.45
        assert abs(value[1] + good) < 0.45
        assert (error > 0.0).all()


def test_the_same_outcomes_in_another_order_give_the_same_rule_and_it_is_kept() -> None:
    told = sums(5, 60)
    rule = learned(told)
    assert pack(rule) == pack(learned(told[::-1]))
    again = unpack(pack(rule))
    for values, _, _ in told[:10]:
        state = checked_state(values)
        known = again.known(state, "a")
        assert known == rule.known(state, "a")
        assert known is not None
        assert known.visits is None, "it counts the action everywhere, and no states"
    assert again.chances(checked_state({"n0": 1.0}), ["never seen"]) is None
    assert again.known(checked_state({"n0": 1.0}), "never seen") is None
    assert again.chances(checked_state({"what": "else"}), ["b", "never seen"]).tolist() == [1.0, 0.0]  # type: ignore[union-attr]


def test_too_little_or_nothing_to_tell_apart_is_not_learned_from() -> None:
    assert fit(tabulated(counted(sums(1, 12)))) is None
    assert fit(tabulated(counted([({}, "a", 1.0)] * 100))) is None
    wide: list[Told] = [({f"w{i}-{j}": 1.0 for j in range(30)}, "a", 1.0) for i in range(40)]
    assert fit(tabulated(counted(wide))) is None, "more coordinates than it takes"


@pytest.mark.parametrize(
    "wrong",
    [
        {"base": [[0.0, 1.0]]},
        {"slope": [[0.0]]},
        {"spread": "x"},
        {"actions": ["a", "a"]},
        {"actions": []},
        {"space": {}},
        {"base": [[9.0, 1.0, 1.0], [0.0, 1.0, 1.0]]},
        {"spread": [[-1.0] * WIDTH] * 2},
    ],
)
def test_a_body_that_is_no_rule_is_refused(wrong: dict[str, Any]) -> None:
    body = {"format": 1, "kind": "linear", **learned(sums(1, 60)).body()}
    assert rule_of(body).kind == "linear"
    with pytest.raises(InvalidPolicy):
        rule_of({**body, **wrong})
