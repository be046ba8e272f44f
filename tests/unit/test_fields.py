"""Inputs of verbs: read from a command line's text or from JSON, and refused in words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engrain.errors import InvalidField
from engrain.shells.fields import Field, parse
from engrain.shells.verbs import VERBS


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", "a b", "a b"),
        ("integer", "7", 7),
        ("number", "-0.5", -0.5),
        ("flag", True, True),
        ("words", ["a", "b"], ["a", "b"]),
        ("object", '{"a": [1]}', {"a": [1]}),
        ("json", '"on"', "on"),
        ("json", "null", None),
        ("time", "2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("time", "2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("time", "2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_text_of_a_command_line_is_read(kind: str, text: Any, value: Any) -> None:
    assert Field("it", kind, "").from_text(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        ("integer", "7.5", "a whole number"),
        ("number", "much", "a number"),
        ("object", "[1]", "a JSON object"),
        ("object", "{", "Expecting property name"),
        ("json", "on", "text in quotes"),
        ("time", "2026-01-31T12:00:00", "its zone"),
        ("time", "yesterday", "its zone"),
        ("rows", '{"a": 1}\n[', "one JSON object per line"),
        ("rows", '[{"a": 1}]', "one JSON object per line, not a JSON array"),
    ],
)
def test_text_that_is_none_is_refused(kind: str, text: str, says: str) -> None:
    with pytest.raises(InvalidField, match=says) as caught:
        Field("it", kind, "").from_text(text)
    assert "it must be" in str(caught.value)


@pytest.mark.parametrize("kind", ["object", "json", "rows"])
@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, '{"a":' + "[" * 200_000])
def test_json_without_a_bottom_is_refused(kind: str, text: str) -> None:
    with pytest.raises(InvalidField, match=r"it (must be|is nested too deeply)"):
        Field("it", kind, "").from_text(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["text", "integer", "number", "flag", "words", "object", "json"]))
def test_json_is_accepted_exactly_when_its_schema_accepts_it(value: Any, kind: str) -> None:
    field = Field("it", kind, "", None)
    items_are_text = kind != "words" or not isinstance(value, list) or all(isinstance(one, str) for one in value)
    accepted = jsonschema.Draft202012Validator(field.schema(())).is_valid(value)
    if kind == "integer" and isinstance(value, float):
        accepted = False  # 1.0 is an integer to JSON Schema; we ask for 1
    try:
        field.from_json(value)
    except InvalidField:
        assert not accepted or not items_are_text
    else:
        assert accepted or not items_are_text  # what stands inside a list is the engine's to check


def test_arguments_are_checked_by_name() -> None:
    fields = (
        Field("query", "text", ""),
        Field("limit", "integer", "", 10),
        Field("how", "choice", "", None, ("a", "b")),
    )
    assert parse(fields, {"query": "x", "limit": None}) == {"query": "x"}
    with pytest.raises(InvalidField, match="no argument 'agent'; the arguments are query, limit, how"):
        parse(fields, {"query": "x", "agent": "root"})
    with pytest.raises(InvalidField, match="'query' is missing"):
        parse(fields, {"query": None})
    with pytest.raises(InvalidField, match="how must be one of a, b, not 'c'"):
        parse(fields, {"query": "x", "how": "c"})


def test_rows_say_which_row_was_wrong() -> None:
    rows = next(verb for verb in VERBS if verb.name == "remember-many").fields[0]
    text = "\n".join(json.dumps(row) for row in ({"content": "a"}, {"content": "b", "importance": "high"}))
    with pytest.raises(InvalidField, match="Row 1: importance must be a number"):
        rows.from_text(text)
