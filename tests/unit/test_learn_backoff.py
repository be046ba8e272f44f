"""What is believed of actions in states seen and unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from engrain.learn import qtable
from engrain.learn.backoff import posterior
from engrain.learn.credit import Tally, contribution
from engrain.learn.qtable import QTable
from engrain.learn.state import checked_state

Told = tuple[dict[str, Any], str, float, float]  # state, action, reward, weight


def table(told: Iterable[Told], others: Iterable[tuple[str, float, float]] = ()) -> QTable:
    """A table that has seen these outcomes, as the store would give it."""
    found, cells = QTable(), dict[tuple[str, str], Tally]()
    own, tenant = dict[str, Tally](), dict[str, Tally]()
    for number, (values, action, reward, weight) in enumerate(told):
        state, sums = checked_state(values), contribution(reward, weight)
        for owner in (own, tenant):
            owner[action] = owner.get(action, Tally()).plus(sums)
        cells[state.key, action] = cells.get((state.key, action), Tally()).plus(sums)
        row = {"state_key": state.key, "action": action, "state": state.text, "seq": number}
        found.put({**row, **cells[state.key, action]._asdict()})
    for action, reward, weight in others:
        tenant[action] = tenant.get(action, Tally()).plus(contribution(reward, weight))
    found.settle(own, tenant)
    return found


def believed(known: QTable, state: dict[str, Any], *actions: str) -> list[float]:
    return [float(one) for one in posterior(known, checked_state(state), actions).mean]


def test_a_failure_lowers_the_value_and_a_success_raises_it() -> None:
    for weight in (0.25, 0.75, 1.0):
        worse, untried = believed(table([({}, "a", -2.0, weight)]), {}, "a", "b")
        assert worse < untried < 0.01
        better, untried = believed(table([({}, "a", 2.0, weight)]), {}, "a", "b")
        assert better > untried


def test_claimed_weighs_less_than_verified() -> None:
    claimed, executed, verified = (
        believed(table([({}, "a", 2.0, weight), ({}, "b", 0.0, 1.0)]), {}, "a")[0] for weight in (0.25, 0.75, 1.0)
    )
    assert claimed < executed < verified
    spread = [posterior(table([({}, "a", 2.0, w)]), checked_state({}), ["a"]).spread[0] for w in (0.25, 1.0)]
    assert spread[0] > spread[1]


def test_the_value_converges_to_the_mean_of_the_state() -> None:
    told: list[Told] = [({"on": on}, "a", 1.5 if on else -1.5, 1.0) for on in (True, False)] * 200
    known = table(told)
    assert believed(known, {"on": True}, "a")[0] == pytest.approx(1.5, abs=0.05)
    assert believed(known, {"on": False}, "a")[0] == pytest.approx(-1.5, abs=0.05)


def test_evidence_is_counted_once_at_its_most_specific_level() -> None:
    found = posterior(table([({"x": 1}, "a", 2.0, 1.0)] * 9), checked_state({"x": 1}), ["a"])
    spread = 2.0 * 2.0 / (9 + 2)  # at most the prior's variance over the outcomes and the prior's two
    assert found.spread[0] ** 2 < spread
    assert {one.level: one.visits for one in found.evidence[0]} == {"state": 9.0, "task": 9.0}


def test_an_unseen_state_backs_off_to_the_nearest() -> None:
    rng = np.random.default_rng(3)
    told: list[Told] = []
    for x in rng.uniform(0, 10, size=120):
        told += [({"x": x}, "low", 2.0 if x < 5 else -2.0, 1.0), ({"x": x}, "high", 2.0 if x > 5 else -2.0, 1.0)]
    known = table(told)
    for x in (0.123, 2.5, 3.9):
        low, high = believed(known, {"x": x}, "low", "high")
        assert low > high + 1.0
        low, high = believed(known, {"x": 10 - x}, "low", "high")
        assert high > low + 1.0
    levels = {one.level for one in posterior(known, checked_state({"x": 1.111}), ["low"]).evidence[0]}
    assert levels == {"nearest", "task"}


@pytest.mark.parametrize("features", [1, 20, 150])
def test_states_of_many_numbers_work(features: int) -> None:
    """Two kinds of state, told apart by the direction of half of the features, the others noise."""
    rng = np.random.default_rng(features)

    def state(kind: int) -> dict[str, Any]:
        informative = max(1, features // 2)
        shift = np.where(np.arange(features) < informative, 2.0 * kind - 1.0, 0.0)
        return {f"f{i}": float(v) for i, v in enumerate(shift + rng.normal(size=features) * 0.7)}

    told: list[Told] = []
    for number in range(200):
        kind, action = number % 2, f"a{rng.integers(2)}"
        told.append((state(kind), action, 2.0 if action == f"a{kind}" else -2.0, 1.0))
    known = table(told)
    right = sum(int(np.argmax(believed(known, state(kind), "a0", "a1"))) == kind for kind in (0, 1) * 30)
    assert right >= (48 if features == 1 else 57)


def test_text_booleans_and_tags_tell_states_apart() -> None:
    def told(state: Callable[[int], dict[str, Any]]) -> list[Told]:
        pairs = [(kind, action) for kind in (0, 1) for action in (0, 1)] * 10
        return [(state(kind) | {"n": i}, f"a{a}", 2.0 if a == kind else -2.0, 1.0) for i, (kind, a) in enumerate(pairs)]

    states: list[Callable[[int], dict[str, Any]]] = [
        lambda kind: {"lang": ("py", "rs")[kind], "os": ("a", "b")[kind]},
        lambda kind: {"async": bool(kind), "typed": bool(kind)},
        lambda kind: {"tags": [["x", "y"], ["v", "w"]][kind]},
    ]
    for state in states:
        known = table(told(state))
        for kind in (0, 1):
            assert int(np.argmax(believed(known, state(kind) | {"n": 20.5}, "a0", "a1"))) == kind


def test_a_hard_state_is_not_blamed_on_the_action_tried_there() -> None:
    """Near states all fail: the one action tried there is not thought worse than one never tried there."""
    told: list[Told] = [({"x": x / 10}, action, 2.0, 1.0) for x in range(20) for action in ("a", "b")]
    told += [({"x": 100 + x / 10}, action, -2.0, 1.0) for x in range(20) for action in ("a", "b", "a")]
    easy, hard = believed(table(told), {"x": 1.05}, "a")[0], believed(table(told), {"x": 101.05}, "b")[0]
    assert easy > 0.5
    assert hard < -0.5


def test_another_agents_outcomes_are_a_prior_that_own_ones_overrule() -> None:
    others = [("a", 2.0, 1.0)] * 50 + [("b", -2.0, 1.0)] * 50
    prior = believed(table([], others), {}, "a", "b")
    assert prior[0] > 1.0
    assert prior[1] < -1.0
    own = believed(table([({}, "a", -2.0, 1.0), ({}, "b", 2.0, 1.0)] * 8, others), {}, "a", "b")
    assert own[0] < 0.0 < own[1]
    found = posterior(table([], others), checked_state({}), ["a"])
    assert [(one.level, one.visits, one.mean) for one in found.evidence[0]] == [("tenant", 50.0, 2.0)]


def test_old_rows_beyond_the_bound_still_count_for_the_task_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qtable, "MAX_ROWS", 400)
    told: list[Told] = [({"x": x}, "a", 2.0, 1.0) for x in range(450)]
    known = table(told)
    assert len(known.rows()[0]) == 400
    assert known.own["a"].visits == 450
    assert believed(known, {"x": -1.0}, "a")[0] > 1.9


@pytest.mark.parametrize(
    ("kind", "outcomes"), [("flat", 40), ("flat", 200), ("words", 40), ("words", 200), ("smooth", 60)]
)
def test_the_interval_covers_the_truth_about_nine_times_in_ten(kind: str, outcomes: int) -> None:
    hits = total = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        chances, slopes = rng.uniform(size=(5, 4)), rng.normal(size=(3, 4))

        def state(rng: np.random.Generator = rng) -> dict[str, Any]:
            if kind == "smooth":
                return {f"f{i}": float(v) for i, v in enumerate(rng.normal(size=3))}
            return {"word": "vwxyz"[rng.integers(5)]} if kind == "words" else {}

        def truth(asked: dict[str, Any], a: int, chances: Any = chances, slopes: Any = slopes) -> float:
            if kind == "smooth":
                return float(4.0 / (1.0 + np.exp(-sum(asked[f"f{i}"] * slopes[i, a] for i in range(3)))) - 2.0)
            return float(4.0 * chances["vwxyz".index(asked.get("word", "v")), a] - 2.0)

        told: list[Told] = []
        for _ in range(outcomes):
            asked, a = state(), int(rng.integers(4))
            told.append((asked, f"a{a}", 2.0 if rng.random() < (truth(asked, a) + 2) / 4 else -2.0, 1.0))
        known = table(told)
        for _ in range(8):
            asked = state()
            found = posterior(known, checked_state(asked), [f"a{a}" for a in range(4)])
            for a in range(4):
                value, low, high = found.interval(a)
                assert -2.0 <= low <= value <= high <= 2.0
                hits += low <= truth(asked, a) <= high
                total += 1
    assert 0.82 <= hits / total <= 0.985


def test_where_what_is_known_fails_what_is_not_known_there_is_chosen() -> None:
    told: list[Told] = [({"x": x / 10, "y": y}, "a", r, 1.0) for x in range(12) for y, r in ((0.0, 2.0), (9.0, -2.0))]
    told += [({"x": x / 10, "y": 4.5}, "b", 0.5, 1.0) for x in range(3)]
    known = table(told)
    good, bad = (posterior(known, checked_state({"x": 0.55, "y": y}), ["a", "b"]).choice for y in (0.0, 9.0))
    assert good[0] > good[1]
    assert bad[1] > bad[0]


def test_an_action_never_tried_is_tried_as_far_as_actions_may_lie_apart() -> None:
    told: list[Told] = [({"x": x / 10, "y": 0.0}, "a", 1.0, 1.0) for x in range(12)]
    found = posterior(table(told), checked_state({"x": 0.55, "y": 0.0}), ["a", "b"])
    assert found.explore[1] > 10.0 * found.explore[0]


def test_of_two_actions_the_better_is_chosen_however_much_more_often_the_other_was_tried() -> None:
    worse: Told = ({}, "worse", 0.48, 1.0)
    better: Told = ({}, "better", 0.77, 1.0)
    told = [worse] * 975 + [better] * 16
    assert posterior(table(told), checked_state({}), ["better", "worse"]).choice.argmax() == 0


def test_all_outcomes_at_once_and_one_by_one_give_the_same_beliefs() -> None:
    rng = np.random.default_rng(8)
    drawn = [({"x": float(rng.normal()), "y": float(rng.normal())}, "ab"[i % 2]) for i in range(90)]
    told: list[Told] = [(values, action, 2.0 if values["x"] > 0 else -2.0, 1.0) for values, action in drawn]
    asked, grown = checked_state({"x": 0.3, "y": 0.1}), QTable()
    cells, own = dict[tuple[str, str], Tally](), dict[str, Tally]()
    for number, (values, action, reward, weight) in enumerate(told):
        state, sums = checked_state(values), contribution(reward, weight)
        own[action] = own.get(action, Tally()).plus(sums)
        cells[state.key, action] = sums
        grown.put({"state_key": state.key, "action": action, "state": state.text, "seq": number, **sums._asdict()})
        grown.settle(own, own)
        posterior(grown, asked, ["a", "b"])  # as an agent that asks each time
    one, other = posterior(grown, asked, ["a", "b"]), posterior(table(told), asked, ["a", "b"])
    assert one.mean.tolist() == pytest.approx(other.mean.tolist(), abs=1e-9)
    assert one.explore.tolist() == pytest.approx(other.explore.tolist(), abs=1e-9)
