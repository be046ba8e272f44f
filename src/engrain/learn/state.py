"""States: checked, written canonically, keyed by a stable hash.

A state is a flat mapping of feature names to numbers, booleans, text, lists of text (tags), or None. Canonical means:
whole floats become integers, tags are sorted, names are sorted. A feature that is None is missing: it is kept in what
is shown but not in the key, so that ``{"x": None}`` and ``{}`` are the same state.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from engrain.errors import InvalidField
from engrain.learn.fields import NAME_LIMIT, checked_text

MAX_FEATURES = 1_000
VALUE_LIMIT = 1_000  # characters of a text value
MAX_TAGS = 100

Value = int | float | bool | str | list[str] | None


@dataclass(frozen=True, slots=True)
class State:
    """A checked state: its values, their canonical JSON, and the key of everything that is known in it."""

    values: Mapping[str, Value]
    text: str
    key: str


def checked_state(state: object, field: str = "state") -> State:
    """The canonical form of ``state``; None is the empty state. Raises InvalidField naming the feature."""
    if state is None:
        state = {}
    if not isinstance(state, Mapping):
        raise InvalidField(f"{field} must be a mapping of feature names to values, not {type(state).__name__}.")
    if len(state) > MAX_FEATURES:
        raise InvalidField(f"{field} has {len(state):,} features; at most {MAX_FEATURES:,} are allowed.")
    values: dict[str, Value] = {}
    for name, value in state.items():
        checked_text(f"a feature name of {field}", name, NAME_LIMIT)
        values[name] = _value(field, name, value)
    return _keyed(values, _canonical(values))


def merged(state: State, features: Mapping[str, Value]) -> State:
    """The state with further features. Raises InvalidField for one that it has already."""
    both = [name for name in features if name in state.values]
    if both:
        raise InvalidField(f"the feature {both[0]!r} is both in state and in options; name it in one of them.")
    return checked_state({**state.values, **features})


def without(state: State, features: Collection[str]) -> State:
    """The state without the features of one option: what all options had in common."""
    return checked_state({name: value for name, value in state.values.items() if name not in features})


def stored_state(text: str) -> State:
    """The state whose canonical JSON was stored."""
    return _keyed(json.loads(text), text)


def _keyed(values: Mapping[str, Value], text: str) -> State:
    known = {name: value for name, value in values.items() if value is not None}
    shown = text if len(known) == len(values) else _canonical(known)
    return State(values, text, hashlib.blake2b(shown.encode(), digest_size=16).hexdigest())


def _value(state: str, name: str, value: Any) -> Value:
    if type(value) is float and math.isfinite(value) and not value.is_integer():
        return value  # the most frequent case by far
    field = f"{state}[{name!r}]"
    if not isinstance(value, str | list | tuple) and getattr(value, "shape", None) == ():
        value = value.item()  # a scalar of an array library
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return checked_text(field, value, VALUE_LIMIT) if value.strip() else ""
    if isinstance(value, Integral | Real):
        return _number(field, value)
    if isinstance(value, list | tuple | set | frozenset):
        if len(value) > MAX_TAGS:
            raise InvalidField(f"{field} has {len(value)} entries; at most {MAX_TAGS} are allowed.")
        return sorted({checked_text(field, entry, VALUE_LIMIT) for entry in value})
    raise InvalidField(
        f"{field} must be a number, a bool, text, a list of text or None, not {type(value).__name__}; "
        "nested values must be flattened."
    )


def _number(field: str, value: Integral | Real) -> int | float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidField(f"{field} must be a finite number, not {number}.")
    if number.is_integer() and abs(number) < 2**53:
        return int(number)  # 1 and 1.0 are the same state
    return number


def _canonical(values: Mapping[str, Value]) -> str:
    return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
