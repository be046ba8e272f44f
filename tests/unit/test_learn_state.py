"""States, their keys, and their vectors."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from engrain.errors import InvalidField
from engrain.learn.features import MAX_TOKENS, Space, squared_distances
from engrain.learn.state import checked_state, stored_state

SAME = [
    ({"a": 1, "b": "x"}, {"b": "x", "a": 1.0}),
    ({"a": None}, {}),
    ({"a": 0.5}, {"a": np.float64(0.5)}),
    ({"a": 3}, {"a": np.int32(3)}),
    ({"a": True}, {"a": np.bool_(True)}),
    ({"tags": ["y", "x", "x"]}, {"tags": ("x", "y")}),
    ({"a": -0.0}, {"a": 0}),
]
DIFFERENT = [
    ({"a": 1}, {"a": True}),
    ({"a": 1}, {"a": "1"}),
    ({"a": 1}, {"b": 1}),
    ({"a": 0.1}, {"a": 0.1 + 1e-12}),
    ({"a": ""}, {}),
    ({"a": False}, {}),
    ({"a": 0}, {}),
    ({"a": "x"}, {"a": ["x"]}),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_state_has_the_same_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert checked_state(one).key == checked_state(other).key


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_another_state_has_another_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert checked_state(one).key != checked_state(other).key


def test_a_stored_state_is_the_state() -> None:
    state = checked_state({"größe": 1.5, "none": None, "tags": ["b", "a"], "flag": False, "x": 2.0})
    assert stored_state(state.text) == state


@pytest.mark.parametrize(
    ("state", "names"),
    [
        ("text", "mapping"),
        ([("a", 1)], "mapping"),
        ({"a": math.nan}, "'a'"),
        ({"a": math.inf}, "'a'"),
        ({"a": 10**400}, "'a'"),
        ({"a": {"b": 1}}, "'a'.*flattened"),
        ({"a": [1]}, "'a'.*text"),
        ({"a": object()}, "'a'"),
        ({"a": Decimal(1)}, "'a'"),
        ({"a": "x" * 1_001}, "'a'.*1,001"),
        ({"a": "nul\x00"}, "'a'"),
        ({"a": "\ud800"}, "'a'"),
        ({"": 1}, "feature name"),
        ({3: 1}, "feature name"),
        ({"n" * 201: 1}, "feature name.*201"),
        ({f"f{i}": i for i in range(1_001)}, "1,001"),
        ({"a": [f"{i}" for i in range(101)]}, "'a'.*101"),
    ],
)
def test_a_bad_state_is_refused_by_the_name_of_its_feature(state: Any, names: str) -> None:
    with pytest.raises(InvalidField, match=names):
        checked_state(state)


def distances(states: list[dict[str, Any]], asked: dict[str, Any]) -> list[float]:
    space = Space()
    for state in states:
        space.add(checked_state(state).values)
    return [float(d) for d in squared_distances(space.matrix, space.vector(checked_state(asked).values))]


def test_a_state_is_at_distance_zero_from_itself() -> None:
    states: list[dict[str, Any]] = [
        {"n": 3, "kind": "a", "on": True},
        {"n": 900, "tags": ["p", "q"]},
        {"kind": "b"},
        {},
    ]
    for number, state in enumerate(states):
        found = distances(states, state)
        assert found[number] == pytest.approx(0.0, abs=1e-9)
        assert all(other > 0.1 for i, other in enumerate(found) if i != number)


def test_numbers_of_any_scale_count_alike() -> None:
    rng = np.random.default_rng(0)
    states = [{"small": x * 1e-3, "large": y * 1e6} for x, y in rng.normal(size=(200, 2))]
    near = distances(states, states[0])
    in_units = [(s["small"] * 1e3 - states[0]["small"] * 1e3) ** 2 for s in states]
    assert np.corrcoef(near, in_units)[0, 1] > 0.3, "the small-scale feature is drowned"


def test_one_huge_value_does_not_make_all_others_alike() -> None:
    states = [{"n": n} for n in (1, 2, 3, 4, 5, 6, 7, 8, 1e300)]
    found = distances(states, {"n": 1})
    assert found[7] > 100 * found[0]
    assert found[7] > found[3] > found[1] > 0.0


def test_missing_is_its_own_thing() -> None:
    states = [{"n": 0.0}, {"n": 10.0}, {}]
    found = distances(states, {})
    assert found[2] == 0.0
    assert min(found[:2]) >= 1.0, "missing must not look like the mean"


def test_a_state_may_lack_what_all_others_have_and_have_what_they_lack() -> None:
    found = distances([{"n": 1.0, "kind": "a"}, {"n": 3.0, "kind": "a"}], {"other": 5.0, "new": "x"})
    assert found == [2.0, 2.0]  # at the mean, one deviation from each, and without their kind
    assert distances([{}, {}], {"n": 1.0}) == [0.0, 0.0]


def test_a_category_never_seen_is_apart_from_all_seen() -> None:
    found = distances([{"kind": "a"}, {"kind": "b"}], {"kind": "c"})
    assert found == [1.0, 1.0]


def test_many_different_texts_stay_bounded() -> None:
    states = [{"id": f"unique-{i}"} for i in range(MAX_TOKENS + 200)]
    space = Space()
    for state in states:
        space.add(checked_state(state).values)
    assert space.matrix.shape == (len(states), MAX_TOKENS)
    last = squared_distances(space.matrix, space.vector(states[-1]))
    assert last[-1] == 0.0
    assert np.median(last) > 0.0
