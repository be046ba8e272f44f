"""Offline training on worlds that hypothesis makes up: exact solutions, the safety theorem, and sums in any order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engrain.learn.empirical import Model, model_of
from engrain.learn.log import END, Counts, Floats
from engrain.learn.offline import candidates
from engrain.learn.pessimism import pessimistic
from engrain.learn.rule import pack, rule_of, unpack
from engrain.learn.shrinkage import shrunk
from engrain.learn.spibb import spibb
from engrain.learn.value_iteration import evaluate, value_iteration

DISCOUNTS = st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99])


@st.composite
def logs(draw: st.DrawFn, ending: bool = False) -> Counts:
    """Up to six states and three actions; some states are only reached. Figures are such as the store keeps them."""
    size, width = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    names = st.tuples(st.integers(0, size - 1), st.integers(0, width - 1), st.integers(-1, -1 if ending else size - 1))
    chosen = draw(st.lists(names, min_size=1, max_size=40, unique=True))
    rows = []
    for one in chosen:
        n = draw(st.integers(1, 60))
        weight = n * draw(st.sampled_from([0.25, 0.75, 1.0]))
        mean = draw(st.integers(-2048, 2048)) / 1024.0
        spread = draw(st.sampled_from([0.0, 0.25, 1.0]))
        rows.append((*one, float(n), weight, weight * mean, weight * (mean * mean + spread)))
    return of(rows, size, width)


def of(rows: list[tuple[Any, ...]], size: int, width: int) -> Counts:
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(7)]
    keys = tuple(f"s{one}" for one in range(size))
    state, action, after = (np.array(column, dtype=np.int64) for column in columns[:3])
    n, weight, total, squares = (np.array(column, dtype=np.float64) for column in columns[3:])
    texts = tuple(f'{{"at":{one}}}' for one in range(size))
    return Counts(keys, texts, tuple("abc"[:width]), state, action, after, n, weight, total, squares)


def exact(model: Model, policy: Floats, discount: float) -> Floats:
    """The values of a policy by a dense linear solve; only for models in which every reached state was acted in."""
    size = model.states
    step = np.zeros((size, size + 1))
    np.add.at(step, (model.state[model.pair], model.next), model.chance * policy[model.pair])
    reward = np.bincount(model.state, policy * model.reward, size)
    return np.asarray(np.linalg.solve(np.eye(size) - discount * step[:, :size], reward), dtype=np.float64)


def closed(counts: Counts) -> Counts:
    """The same, where what was reached and never left is an end."""
    acted = np.isin(counts.next, counts.state)
    return replace(counts, next=np.where(acted, counts.next, END))


def every_policy(model: Model) -> list[Floats]:
    """All deterministic policies."""
    found = [np.zeros(len(model.state))]
    for state in range(model.states):
        pairs = np.flatnonzero(model.state == state)
        found = [base + (np.arange(len(base)) == pair) for base in found for pair in pairs]
    return found


@settings(deadline=None, max_examples=60)
@given(logs(), DISCOUNTS)
def test_value_iteration_finds_the_best_of_all_policies(counts: Counts, discount: float) -> None:
    model = model_of(closed(counts))
    model = replace(model, keys=model.keys[: model.states], open=np.zeros(0),
                    next=np.where(model.next >= model.states, model.states, model.next))  # fmt: skip
    found = value_iteration(model, discount)
    best = np.max([exact(model, policy, discount) for policy in every_policy(model)], axis=0)
    assert found.values == pytest.approx(best, abs=1e-5)
    assert exact(model, found.policy, discount) == pytest.approx(best, abs=1e-5)
    told = evaluate(model, discount, model.behaviour)
    assert told.values == pytest.approx(exact(model, model.behaviour, discount), abs=1e-5)


@settings(deadline=None, max_examples=80)
@given(logs(), DISCOUNTS, st.sampled_from([1.0, 5.0, 20.0]), st.sampled_from(["equal", "below"]))
def test_safe_improvement_is_never_below_its_baseline(
    counts: Counts, discount: float, threshold: float, bound: str
) -> None:
    model = model_of(counts)
    found = spibb(model, discount, threshold=threshold, bound=bound)
    assert model.sums(found.policy) == pytest.approx(np.ones(model.states))
    assert (found.policy >= -1e-12).all()
    base = evaluate(model, discount, model.behaviour)
    assert (evaluate(model, discount, found.policy).values >= base.values - 1e-5).all()
    thin = model.weight < threshold
    beyond = found.policy - model.behaviour
    assert (beyond[thin] <= 1e-9).all()
    if bound == "equal":
        assert np.abs(beyond[thin]).max(initial=0.0) <= 1e-9


@settings(deadline=None, max_examples=80)
@given(logs(), DISCOUNTS)
def test_pessimism_lowers_values_and_chooses_what_was_done(counts: Counts, discount: float) -> None:
    model = model_of(counts)
    found, plain = pessimistic(model, discount), value_iteration(model, discount)
    assert (found.solution.values <= plain.values + 1e-6).all()
    assert (found.solution.values >= min(0.0, float(model.gain.min())) / (1.0 - discount) - 1e-6).all()
    assert model.sums(found.solution.policy) == pytest.approx(np.ones(model.states))
    assert set(np.unique(found.solution.policy)) <= {0.0, 1.0}


@settings(deadline=None, max_examples=60)
@given(logs(), DISCOUNTS, st.randoms(use_true_random=False))
def test_the_order_of_rows_states_and_actions_changes_no_bit(counts: Counts, discount: float, chance: Any) -> None:
    rows = list(range(len(counts.state)))
    chance.shuffle(rows)
    states = list(range(len(counts.keys)))
    chance.shuffle(states)
    actions = list(range(len(counts.actions)))
    chance.shuffle(actions)
    place, act = np.argsort(states), np.argsort(actions)
    moved = Counts(
        tuple(counts.keys[one] for one in states),
        tuple(counts.texts[one] for one in states),
        tuple(counts.actions[one] for one in actions),
        place[counts.state][rows],
        act[counts.action][rows],
        np.where(counts.next == END, END, place[counts.next])[rows],
        counts.n[rows],
        counts.weight[rows],
        counts.total[rows],
        counts.squares[rows],
    )
    one, other = candidates(counts, discount), candidates(moved, discount)
    assert [(each.name, pack(each.rule), each.notes) for each in one] == [
        (each.name, pack(each.rule), each.notes) for each in other
    ]


@settings(deadline=None, max_examples=60)
@given(logs(), DISCOUNTS)
def test_a_candidate_can_be_kept_and_only_does_what_was_done(counts: Counts, discount: float) -> None:
    taken = {(counts.keys[s], counts.actions[a]) for s, a in zip(counts.state, counts.action, strict=True)}
    for one in candidates(counts, discount):
        if one.rule.kind != "table":
            continue
        body = unpack(pack(one.rule)).body()
        assert body == one.rule.body() == rule_of({"format": 1, "kind": "table", **body}).body()
        assert {(key, action) for key, row in body["entries"].items() for action in row} == taken
        assert all(sum(cell[0] for cell in row.values()) == pytest.approx(1.0) for row in body["entries"].values())


@settings(deadline=None, max_examples=60)
@given(logs(ending=True))
def test_a_shrunk_mean_lies_between_the_state_s_and_the_action_s(counts: Counts) -> None:
    model = model_of(counts)
    found = shrunk(model)
    for pair, mean in enumerate(found.mean):
        same = model.action == model.action[pair]
        prior = float((model.weight * model.reward)[same].sum() / model.weight[same].sum())
        ends = sorted((prior, float(model.reward[pair])))
        assert ends[0] - 1e-9 <= mean <= ends[1] + 1e-9
    assert np.isfinite(found.error).all()
    assert (found.error >= 0.0).all()
