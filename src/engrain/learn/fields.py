"""Checks of single fields; each refusal is an InvalidField that names the field, the limit and the way out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real

from engrain.errors import InvalidField

NAME_LIMIT = 200  # characters of a task type, an action, an episode, a feature's name
MAX_OPTIONS = 2_000


def checked_text(field: str, value: object, limit: int = NAME_LIMIT) -> str:
    """A text that both engines can keep: not blank, at most ``limit`` characters, no NUL, valid Unicode."""
    if not isinstance(value, str):
        raise InvalidField(f"{field} must be text, not {type(value).__name__}.")
    if not value.strip():
        raise InvalidField(f"{field} is empty; give it a name.")
    if len(value) > limit:
        raise InvalidField(f"{field} has {len(value):,} characters; at most {limit:,} are allowed.")
    if "\x00" in value or (not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value)):
        raise InvalidField(f"{field} holds a NUL or half a surrogate pair; give valid Unicode text.")
    return value


def optional_text(field: str, value: object, limit: int = NAME_LIMIT) -> str | None:
    """As ``checked_text``; None stays None."""
    return None if value is None else checked_text(field, value, limit)


def checked_number(field: str, value: object, low: float, high: float) -> float:
    """A finite number in ``low``..``high``; a bool is not a number here."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidField(f"{field} must be a number, not {type(value).__name__}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not low <= number <= high or math.isinf(number):  # NaN fails every comparison
        raise InvalidField(f"{field} must lie in {low:g}..{high:g} and be finite, not {number}.")
    return number


def optional_number(field: str, value: object, low: float, high: float) -> float | None:
    """As ``checked_number``; None stays None."""
    return None if value is None else checked_number(field, value, low, high)


def checked_options(options: object) -> list[str] | None:
    """The actions to choose from: None, or one to ``MAX_OPTIONS`` different names, in the order given; the keys of a
    mapping."""
    if options is None:
        return None
    if isinstance(options, Mapping):
        options = list(options)
    if isinstance(options, str | bytes) or not isinstance(options, Sequence):
        raise InvalidField(f"options must be a list of action names, not {type(options).__name__}.")
    if not 1 <= len(options) <= MAX_OPTIONS:
        raise InvalidField(
            f"options must name 1 to {MAX_OPTIONS:,} actions, not {len(options):,}; leave it out to use those seen."
        )
    names = [checked_text(f"options[{number}]", option) for number, option in enumerate(options)]
    if len(set(names)) != len(names):
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise InvalidField(f"options names {twice!r} twice; each action may be offered once.")
    return names
