"""Checks every field before anything is stored. Each refusal names the field, what was wrong and what to do."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from engrain.errors import InvalidContent, InvalidField, UnknownKind
from engrain.model.item import VISIBILITIES
from engrain.world import span_of, to_micros

CONTENT_BYTES = 1 << 20
METADATA_BYTES = 64 << 10
NAME_CHARACTERS = 128
FIELD_CHARACTERS = 512
PATH_CHARACTERS, FILE_NAME_BYTES = 4096, 200
TAGS = 64
DEPTH = 32
INTEGER_BITS = 1024  # beyond some 4,300 digits Python itself does not read a number back from text

_FAR = 10**6 * 86400 * 365 * 5000  # µs: five thousand years, well inside what datetime can show


class Draft(NamedTuple):
    """A valid row on its way in. Times in µs; ``expires_in`` a span in µs."""

    content: str
    kind: str = "context"
    key: str | None = None
    importance: float = 5.0
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] | None = None
    session: str | None = None
    role: str | None = None
    occurred_at: int | None = None
    expires_in: int | None = None
    decay_rate: float | None = None
    visibility: str = "private"
    pinned: bool = False
    source: str | None = None


FIELDS = Draft._fields
_NAMES = frozenset(FIELDS)
_OPTIONAL = frozenset(name for name, default in Draft._field_defaults.items() if default is None)


def draft(row: Mapping[str, Any], kinds: Collection[str]) -> Draft:
    """A Draft from the keyword arguments of ``remember``."""
    if not isinstance(row, (dict, Mapping)):  # a dict is told at once, an abstract class asks around
        raise InvalidField(f"A row must be a dict of the arguments of remember(), not {type(row).__name__}.")
    if not row.keys() <= _NAMES:
        unknown = next(name for name in row if name not in FIELDS)
        raise InvalidField(f"There is no field {shown(unknown)}; the fields are {', '.join(FIELDS)}.")
    if "content" not in row:
        raise InvalidContent("A row needs its content.")
    given = [(name, value) for name, value in row.items() if value is not None or name not in _OPTIONAL]
    return Draft(**{name: _field(name, value, kinds) for name, value in given})


def change(given: Mapping[str, Any], kinds: Collection[str]) -> dict[str, Any]:
    """Valid values for ``update``; the kind and key of an item are fixed."""
    allowed = [name for name in FIELDS if name not in ("kind", "key")]
    unknown = [name for name in given if name not in allowed]
    if unknown:
        raise InvalidField(f"update() cannot change {shown(unknown[0])}; it can change {', '.join(allowed)}.")
    if not given:
        raise InvalidField(f"update() was given nothing to change; it can change {', '.join(allowed)}.")
    return {name: _field(name, value, kinds) for name, value in given.items()}


def _field(name: str, value: Any, kinds: Collection[str]) -> Any:
    return kind_name(value, kinds) if name == "kind" else _CHECKS[name](value)


def shown(value: Any) -> str:
    """A refused value for a message: never long, and never itself an error (Python does not spell huge numbers, nor
    what is nested a thousand deep)."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return f"a {type(value).__name__} too large to show"
    return text if len(text) <= 80 else f"{text[:77]}..."


def content(value: Any) -> str:
    """Text of at most 1 MiB of UTF-8, not blank."""
    if not isinstance(value, str):
        hint = " Decode bytes first." if isinstance(value, (bytes, bytearray)) else ""
        raise InvalidContent(f"content must be text (str), not {type(value).__name__}.{hint}")
    if not value.strip():
        raise InvalidContent("content is empty; remember something with words in it.")
    size = len(_encoded("content", value, InvalidContent))
    if size > CONTENT_BYTES:
        raise InvalidContent(
            f"content has {size:,} bytes and the limit is {CONTENT_BYTES:,}; store a summary or split it."
        )
    return value


def text(name: str, value: Any, limit: int, blank: bool = False) -> str:
    """Text of at most ``limit`` characters, not blank, without NUL."""
    if not isinstance(value, str):
        raise InvalidField(f"{name} must be text (str), not {type(value).__name__}.")
    if not blank and not value.strip():
        raise InvalidField(f"{name} is empty; leave it out or give it a value.")
    if len(value) > limit:
        raise InvalidField(f"{name} has {len(value)} characters and the limit is {limit}.")
    _encoded(name, value, InvalidField)
    return value


def _encoded(name: str, value: str, error: type[InvalidContent] | type[InvalidField]) -> bytes:
    try:
        encoded = value.encode("utf-8")
    except UnicodeEncodeError as bad:
        raise error(
            f"{name} is not valid Unicode: a lone surrogate at position {bad.start}. "
            "Decode the source with the right encoding or errors='replace'."
        ) from bad
    if "\0" in value:
        raise error(f"{name} holds a NUL character at position {value.index(chr(0))}; take it out.")
    return encoded


def kind_name(value: Any, kinds: Collection[str]) -> str:
    """One of the registered kinds."""
    if not isinstance(value, str) or value not in kinds:
        raise UnknownKind(
            f"kind must be one of {', '.join(sorted(kinds))}, not {shown(value)}. "
            "Register more with kinds = [...] in engrain.toml."
        )
    return value


def number(name: str, value: Any, low: float, high: float) -> float:
    """A finite number in low..high."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < math.inf:
        raise InvalidField(f"{name} must be a finite number, not {shown(value)}.")
    if not low <= value <= high:
        raise InvalidField(f"{name} must lie in {low:g}..{high:g}, not {shown(value)}.")
    return float(value)


def whole(name: str, value: Any, low: int, high: int) -> int:
    """A whole number in low..high."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidField(f"{name} must be a whole number, not {shown(value)}.")
    if not low <= value <= high:
        raise InvalidField(f"{name} must lie in {low}..{high}, not {shown(value)}.")
    return value


def tags(value: Any) -> tuple[str, ...]:
    """At most 64 tags, each once, in the order given."""
    if value == () and isinstance(value, tuple):
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset):
        raise InvalidField(f"tags must be a list of words, not {shown(value)}.")
    ordered = sorted(value, key=str) if isinstance(value, set | frozenset) else value
    found = tuple(dict.fromkeys(text("a tag", tag, NAME_CHARACTERS) for tag in ordered))
    if len(found) > TAGS:
        raise InvalidField(f"There are {len(found)} tags and the limit is {TAGS}.")
    return found


def metadata(value: Any) -> Mapping[str, Any]:
    """A JSON object of at most 64 KiB: text keys; text, finite numbers, booleans, None, lists and objects."""
    if value is None:
        return {}
    if not isinstance(value, (dict, Mapping)):
        raise InvalidField(f"metadata must be a dict, not {type(value).__name__}.")
    plain = json_value("metadata", value, 0)
    size = len(repr(plain))
    if size > METADATA_BYTES:
        raise InvalidField(f"metadata has about {size:,} bytes and the limit is {METADATA_BYTES:,}.")
    return plain  # type: ignore[no-any-return]


def json_value(path: str, value: Any, depth: int) -> Any:
    """The value as plain JSON types; refuses what would not come back as it went in."""
    if depth > DEPTH:
        raise InvalidField(f"{path} is nested deeper than {DEPTH} levels.")
    if value is None or isinstance(value, (bool, int)):
        if isinstance(value, int) and value.bit_length() > INTEGER_BITS:
            raise InvalidField(f"{path} is a number of {value.bit_length()} bits and the limit is {INTEGER_BITS}.")
        return value if value is None or isinstance(value, bool) else int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidField(f"{path} is {shown(value)}, which JSON cannot hold.")
        return float(value)
    if isinstance(value, str):
        _encoded(path, value, InvalidField)
        return value if type(value) is str else "".join(value)  # an enumeration's member, say, becomes its text
    if isinstance(value, (dict, Mapping)):
        plain = {}
        for key, part in value.items():
            if not isinstance(key, str):
                raise InvalidField(f"{path} has the key {shown(key)}; keys must be text.")
            _encoded(f"a key of {path}", key, InvalidField)
            plain["".join(key)] = json_value(f"{path}.{key}", part, depth + 1)
        return plain
    if isinstance(value, (list, tuple)):
        return [json_value(f"{path}[{i}]", part, depth + 1) for i, part in enumerate(value)]
    raise InvalidField(f"{path} is a {type(value).__name__}, which JSON cannot hold; convert it to text first.")


def moment(name: str, value: Any) -> int | None:
    """Microseconds UTC of a timezone-aware datetime."""
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise InvalidField(f"{name} must be a datetime, not {type(value).__name__}.")
    if value.tzinfo is None or value.utcoffset() is None:
        raise InvalidField(f"{name} has no time zone; write e.g. datetime(2026, 1, 1, tzinfo=UTC).")
    try:
        value.astimezone(UTC)
    except OverflowError as error:
        raise InvalidField(f"{name} lies outside the years 1 to 9999 in UTC.") from error
    return to_micros(value)


def path(value: Any) -> Path:
    """The path of a file, as text or a path."""
    try:
        told = os.fspath(value)
    except TypeError as error:
        raise InvalidField(f"path must be text or a path, not {type(value).__name__}.") from error
    found = Path(text("path", told, PATH_CHARACTERS))
    if not found.name or len(os.fsencode(found.name)) > FILE_NAME_BYTES:
        raise InvalidField(f"path must end in the name of a file, of {FILE_NAME_BYTES} bytes at most.")
    return found


def flag(name: str, value: object) -> bool:
    """A truth: text such as "no" would be taken for yes."""
    if not isinstance(value, bool):
        raise InvalidField(f"{name} must be True or False, not {shown(value)}.")
    return value


def span(name: str, value: Any) -> int | None:
    """Microseconds of a timedelta or of text such as "30d", "12h", "90s"; more than nothing."""
    if value is None:
        return None
    if isinstance(value, timedelta):
        found = value // timedelta(microseconds=1)
    elif isinstance(value, str) and (parsed := span_of(value)) is not None:
        found = parsed
    else:
        raise InvalidField(f'{name} must be a timedelta or text such as "30d", "12h", "45m", not {shown(value)}.')
    if found <= 0:
        raise InvalidField(f"{name} must be longer than nothing, not {shown(value)}.")
    if found > _FAR:
        raise InvalidField(f"{name} is longer than 5,000 years; leave it out to keep the item.")
    return found


def _optional(name: str) -> Callable[[Any], str | None]:
    return lambda value: None if value is None else text(name, value, FIELD_CHARACTERS)


def visibility(value: Any) -> str:
    """Who sees it: private, team or public."""
    if value not in VISIBILITIES:
        raise InvalidField(f"visibility must be one of {', '.join(VISIBILITIES)}, not {shown(value)}.")
    return str(value)


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "content": content,
    "key": _optional("key"),
    "importance": lambda value: number("importance", value, 1.0, 10.0),
    "tags": tags,
    "metadata": metadata,
    "session": _optional("session"),
    "role": _optional("role"),
    "occurred_at": lambda value: moment("occurred_at", value),
    "expires_in": lambda value: span("expires_in", value),
    "decay_rate": lambda value: None if value is None else number("decay_rate", value, 0.0, 10.0),
    "visibility": visibility,
    "pinned": lambda value: flag("pinned", value),
    "source": _optional("source"),
}
