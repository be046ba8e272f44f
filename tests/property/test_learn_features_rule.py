"""A features rule from outside is read and usable, or refused: never anything else."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engrain.errors import InvalidPolicy
from engrain.learn.contextual import FeaturesRule, fit, tabulated
from engrain.learn.log import END, Counts
from engrain.learn.rule import pack, rule_of, unpack
from engrain.learn.state import checked_state


def _body() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    states = [checked_state({"x": float(rng.normal()), "w": "uv"[i % 2]}) for i in range(32)]
    action, ones = np.arange(32) % 2, np.ones(32)
    reward = np.where([(state.values["x"] > 0) == a for state, a in zip(states, action, strict=True)], 2.0, -2.0)  # type: ignore[operator]
    texts, keys = tuple(one.text for one in states), tuple(one.key for one in states)
    counts = Counts(keys, texts, ("a", "b"), np.arange(32), action, np.full(32, END), ones, ones, reward, reward**2)
    rule = fit(tabulated(counts))
    assert rule is not None
    return {"format": 1, "kind": "features", **rule.body()}


BODY = json.dumps(_body())
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers(-5, 9), max_size=4),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value[:6]) if isinstance(value, list) else ()
    return [path, *(place for name, one in inner for place in _places(one, (*path, name)))]


PLACES = [place for place in _places(json.loads(BODY)) if place and place[0] not in ("format", "kind")]


@given(st.sampled_from(PLACES), ODD)
def test_any_change_is_refused_or_gives_a_rule_that_decides(place: tuple[Any, ...], value: Any) -> None:
    body = json.loads(BODY)
    inner = body
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    try:
        rule = rule_of(body)
    except InvalidPolicy:
        return
    assert isinstance(rule, FeaturesRule)
    for state in ({"x": 1.0, "w": "u"}, {"x": -1e300}, {}):
        chances = rule.chances(checked_state(state), rule.actions)
        assert chances is not None
        assert abs(chances.sum() - 1.0) < 1e-9
    assert pack(unpack(pack(rule))) == pack(rule)
