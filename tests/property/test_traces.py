"""Whatever is read, nothing is raised; groups are those of average linkage."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engrain.fixes import crash, linkage, traces
from tests.stacks import SAMPLES

ALL = sorted(SAMPLES.values())
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=30)
    | st.sampled_from(ALL),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
KEYS = ("exception", "type", "message", "frames", "frames_app", "stack", "trace", "log", "test", "project")


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """Pieces of traces in any order, with anything between them."""
    lines = [
        line for text in draw(st.lists(st.sampled_from(ALL), min_size=1, max_size=3)) for line in text.splitlines()
    ]
    kept = draw(st.lists(st.sampled_from(lines) | st.text(max_size=20), max_size=30))
    return draw(st.sampled_from(["\n", "\r\n", "\n\t", " "])).join(kept)


@given(st.text(max_size=300) | mangled())
@settings(max_examples=40, deadline=None)
def test_any_text_is_read_or_is_none(text: str) -> None:
    trace = traces.read(text)
    assert trace == traces.read(text)
    found = crash.signature(text)
    assert found == (None if trace is None else crash.signature(trace))
    if found is not None:
        json.dumps(found.text)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON)))
@settings(max_examples=50, deadline=None)
def test_any_mapping_is_read_or_is_none(told: dict[str, Any]) -> None:
    found = crash.signature(told)
    if found is not None:
        index = crash.Likeness()
        index.add("a", found.trace, found.scope)
        assert index.group_of("a") == "a"
        (name, score), *_ = index.nearest(found.trace, scope=found.scope)
        assert (name, round(score, 3)) == ("a", 1.0)


def naive(like: Any, least: float) -> set[frozenset[int]]:
    """Average linkage by its definition."""
    groups = [[row] for row in range(len(like))]
    while len(groups) > 1:
        score, a, b = max(
            (like[np.ix_(groups[a], groups[b])].mean(), -a, -b) for a in range(len(groups)) for b in range(a)
        )
        if score < least:
            break
        a, b = -int(a), -int(b)
        groups[b] += groups.pop(a)
    return {frozenset(group) for group in groups}


@given(st.integers(0, 10**6), st.integers(1, 14), st.floats(0.2, 0.9))
@settings(max_examples=40, deadline=None)
def test_groups_are_those_of_average_linkage(seed: int, rows: int, least: float) -> None:
    dice = np.random.default_rng(seed)
    matrix = dice.random((rows, 6)) ** 3
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    row, column = np.nonzero(matrix > 0.05)
    sparse = np.zeros_like(matrix)
    sparse[row, column] = matrix[row, column]
    vectors = linkage.Vectors(
        row.astype(np.int32), column.astype(np.int32), sparse[row, column].astype(np.float32), rows, 6
    )
    heads = linkage.average(vectors, least, np.arange(rows), np.zeros(rows, np.int32))
    found = {frozenset(np.flatnonzero(heads == head).tolist()) for head in set(heads.tolist())}
    assert all(min(group) == heads[min(group)] for group in found)
    assert found == naive(sparse @ sparse.T, least)
    apart = linkage.average(vectors, least, np.arange(rows), np.arange(rows) % 2)
    assert all(one % 2 == head % 2 for one, head in enumerate(apart.tolist()))


def test_more_than_fit_at_once_are_grouped_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.arange(300, dtype=np.int32)
    vectors = linkage.Vectors(rows, rows % 7, np.ones(300, np.float32), 300, 7)
    whole = linkage.average(vectors, 0.9, np.arange(300), np.zeros(300, np.int32))
    monkeypatch.setattr(linkage, "DENSE", 20)
    parts = linkage.average(vectors, 0.9, np.arange(300), np.zeros(300, np.int32))
    assert whole.tolist() == parts.tolist() == (rows % 7).tolist()
