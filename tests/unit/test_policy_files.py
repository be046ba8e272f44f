"""Policies as files: what is written is read again, also by another process; what another learner wrote is judged by
the gate; what is no policy changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engrain import Outcome
from engrain.errors import EngrainError, InvalidField, InvalidPolicy, PolicyRefused, PolicyTooNew, UnknownPolicy
from engrain.exchange import policies
from engrain.learn.state import checked_state
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests import children
from tests.life import START
from tests.postgres import Place

OTHER = """
import engrain
with engrain.open(**given["place"], embedder="hash") as memory:
    memory.policy_export(given["path"], "build", version=1)
    say([(one.version, one.state, one.data["algorithm"]) for one in memory.policies("build")])
"""
SIMPLE = {
    "engrain_policy": 1,
    "task_type": "build",
    "data": {"to": "2025-12-01T00:00:00+00:00", "rows": 12},
    "states": [
        {"state": {"size": 1.0, "lang": None}, "actions": {"good": 1.0, "bad": 0.0}},
        {"state": {"size": 2}, "values": {"good": 1.5, "bad": -1.5}},
    ],
}


@pytest.fixture
def memory(place: Place) -> Memory:
    memory = place.open(world=SimulatedWorld(START, seed=5))
    rows = []
    for turn in range(400):  # drawn at even odds, and one of the actions is the better one
        action = "good" if turn % 2 else "bad"
        outcome = Outcome(success=action == "good", evidence="verified")
        step = {"task_type": "build", "state": {"size": 1 + turn // 2 % 2}, "action": action, "outcome": outcome}
        rows.append({**step, "propensity": 0.5, "task_id": f"t{turn}"})
    memory.agent("ann").observe_many(rows)
    return memory


@pytest.fixture
def file(tmp_path: Path) -> Callable[[Any], Path]:
    def write(told: Any) -> Path:
        path = tmp_path / f"policy-{len(list(tmp_path.iterdir()))}.json"
        path.write_text(told if isinstance(told, str) else json.dumps(told), encoding="utf-8")
        return path

    return write


def test_what_another_learner_wrote_is_a_candidate_that_the_gate_has_judged(
    memory: Memory, file: Callable[[Any], Path]
) -> None:
    info = memory.policy_import(file(SIMPLE))
    assert (info.version, info.state, info.dream, info.agent) == (1, "candidate", None, None)
    assert (info.data["algorithm"], info.data["rows"]) == ("imported", 12)
    assert info.metrics["passed"], info.metrics["reason"]
    assert info.metrics["candidate"]["low"] > info.metrics["live"]["value"]
    made = memory.policy_history("build")[-1]
    assert (made.event, made.reason) == ("made", "imported")
    _, rule = memory.versions.find("default", "build", 1)
    for state in ({"size": 1}, {"size": 2}):
        chances = rule.chances(checked_state(state), ["bad", "good"])
        assert chances is not None
        assert chances.tolist() == [0.0, 1.0]
    known = rule.known(checked_state({"size": 2}), "bad")
    assert known is not None
    assert known.value == -1.5


def test_a_worse_policy_is_refused_by_the_gate(memory: Memory, file: Callable[[Any], Path]) -> None:
    worse = {**SIMPLE, "states": [{"state": {"size": n}, "actions": {"bad": 1}} for n in (1, 2)]}
    info = memory.policy_import(file(worse))
    assert (info.state, info.metrics["passed"]) == ("candidate", False)
    assert [one.event for one in memory.policy_history("build")] == ["refused", "made"]
    with pytest.raises(PolicyRefused, match="400 outcomes since what it was trained on: No better"):
        memory.policy_promote("build", info.version)


def test_what_a_learner_may_have_seen_does_not_judge_it(memory: Memory, file: Callable[[Any], Path]) -> None:
    silent = {name: value for name, value in SIMPLE.items() if name != "data"}
    late = {**SIMPLE, "data": {"to": datetime(2026, 2, 1, tzinfo=UTC).isoformat()}}
    for told in (silent, late):
        info = memory.policy_import(file(told))
        assert not info.metrics["passed"], "nothing was decided since"
        assert info.metrics["candidate"]["n"] == 0


def test_an_export_is_read_again_in_another_process_and_elsewhere(
    place: Place, memory: Memory, file: Callable[[Any], Path], tmp_path: Path
) -> None:
    memory.policy_import(file(SIMPLE), agent="ann")
    path = tmp_path / "again.json"
    ((row,),) = children.run(OTHER, {"place": place.arguments, "path": str(path)})
    assert row == [1, "candidate", "imported"]
    again = memory.policy_import(path)
    assert (again.version, again.agent) == (2, None)
    first, second = (memory.versions.find("default", "build", version)[1] for version in (1, 2))
    assert first.body() == second.body()
    with pytest.raises(InvalidField, match="exists"):
        memory.policy_export(path, "build", version=1)
    with pytest.raises(UnknownPolicy):
        memory.policy_export(tmp_path / "none.json", "build")
    with pytest.raises(UnknownPolicy):
        memory.policy_export(tmp_path / "none.json", "build", version=9)
    with pytest.raises(InvalidField, match="part of the memory itself"):
        memory.policy_export(memory.home / memory.config.archive / "x.json", "build", version=1)
    assert not (tmp_path / "none.json").exists()


def change(**more: Any) -> dict[str, Any]:
    return {name: value for name, value in {**SIMPLE, **more}.items() if value is not ...}


def states(*given: Any) -> dict[str, Any]:
    return change(states=list(given))


def table(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"format": 1, "kind": "table", "entries": {f"state {place}": row for place, row in enumerate(rows)}}


BAD: dict[str, tuple[Any, type[EngrainError], str]] = {
    "newer file": (change(engrain_policy=2), PolicyTooNew, "Upgrade"),
    "newer rule": (change(states=..., rule={"format": 99, "kind": "table"}), PolicyTooNew, "Upgrade"),
    "no policy": ({"a": 1}, InvalidPolicy, "is no policy"),
    "a list": ([], InvalidPolicy, "is no policy"),
    "no JSON": ("{", InvalidPolicy, "not JSON"),
    "deep": ("[" * 100_000, InvalidPolicy, "not JSON"),
    "not a number": (json.dumps(change(discount=float("nan"))), InvalidPolicy, "NaN"),
    "unknown field": (change(rules={}), InvalidPolicy, "no field 'rules'"),
    "both": (change(rule={}), InvalidPolicy, "a rule, or states"),
    "neither": (change(states=...), InvalidPolicy, "a rule, or states"),
    "no task": (change(task_type=...), InvalidPolicy, "task_type"),
    "no states": (states(), InvalidPolicy, "states is a list"),
    "unknown kind": (change(states=..., rule={"format": 1, "kind": "magic"}), InvalidPolicy, "no kind of rule"),
    "nested state": (states({"state": {"a": {}}, "actions": {"good": 1}}), InvalidPolicy, "flattened"),
    "twice": (states(*[{"state": {}, "actions": {"good": 1}}] * 2), InvalidPolicy, "there before"),
    "sum": (states({"state": {}, "actions": {"good": 0.5}}), InvalidPolicy, "sum to 0.5"),
    "negative": (states({"state": {}, "actions": {"good": 2, "bad": -1}}), InvalidPolicy, "not a number in 0..1"),
    "text": (states({"state": {}, "values": {"good": "much"}}), InvalidPolicy, "not a number"),
    "other actions": (states({"state": {}, "actions": {"fly": 1}}), InvalidPolicy, "good"),
    "when": (change(data={"to": "soon"}), InvalidPolicy, "data.to"),
    "no zone": (change(data={"to": "2026-01-01"}), InvalidPolicy, "time zone"),
    "huge value": (states({"state": {}, "values": {"good": 10**400}}), InvalidPolicy, "not a number"),
    "huge discount": (change(discount=10**400), InvalidPolicy, "discount"),
    "huge cell": (change(states=..., rule=table({"good": [1.0, 10**400, 1.0]})), InvalidPolicy, "is expected"),
    "half a letter": (change(states=..., rule=table({"\ud800": [1.0, 1.0, 1.0]})), InvalidPolicy, "surrogates"),
    "discount": (change(discount=2), InvalidPolicy, "discount"),
    "seed": (change(seed=-1), InvalidPolicy, "seed"),
}


@pytest.mark.parametrize("told", BAD.values(), ids=BAD)
def test_what_is_no_policy_changes_nothing(
    memory: Memory, file: Callable[[Any], Path], told: tuple[Any, type[EngrainError], str]
) -> None:
    content, error, said = told
    with pytest.raises(error, match=said):
        memory.policy_import(file(content))
    assert (memory.policies(), memory.policy_history()) == ([], [])


def test_a_file_that_is_too_large_or_cannot_be_read(memory: Memory, tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(policies.MOST + 1)
    with pytest.raises(InvalidPolicy, match="larger than 64 MB"):
        memory.policy_import(large)
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InvalidField, match="cannot be read"):
            memory.policy_import(path)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=8,
)
_STATE = st.fixed_dictionaries({}, optional={"state": _JSON, "actions": _JSON, "values": _JSON})
_RULE = st.fixed_dictionaries({"format": st.just(1) | _JSON, "kind": st.just("table"), "entries": _JSON})
_LIKELY = st.fixed_dictionaries(
    {"engrain_policy": st.just(1) | _JSON, "task_type": st.just("t") | _JSON},
    optional={
        "rule": _RULE | _JSON, "states": st.lists(_STATE | _JSON, max_size=2),
        "data": st.fixed_dictionaries({"to": _JSON}) | _JSON, "discount": _JSON, "seed": _JSON,
    },
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=40) | (_JSON | _LIKELY).map(lambda told: json.dumps(told).encode()))
def test_whatever_a_file_has_it_is_a_policy_or_refused(content: bytes) -> None:
    try:
        found = policies.read(content)
    except (InvalidPolicy, PolicyTooNew):
        return
    assert found.task_type
    for state in ({}, {"size": 1}):
        chances = found.rule.chances(checked_state(state), found.rule.actions)
        assert chances is None or abs(float(chances.sum()) - 1.0) < 1e-9
