"""Values of the facade as plain JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_ESCAPES = {code: f"\\x{code:02x}" for code in _CONTROLS if chr(code) not in "\n\t"}
_JSON_ESCAPES = {code: f"\\u{code:04x}" for code in _CONTROLS if code > 0x20}  # which json leaves as they are


def printable(text: str) -> str:
    """The text with its control characters spelled out, except newline and tab: a terminal would obey them."""
    return text.replace("\r\n", "\n").translate(_ESCAPES)


def dumped(value: Any, indent: int | None = None) -> str:
    """JSON that a terminal can show: with every control character escaped, and other letters as they are."""
    return json.dumps(value, ensure_ascii=False, indent=indent).translate(_JSON_ESCAPES)


def plain(value: Any, lean: bool = False) -> Any:
    """The value in JSON types: dataclasses as objects, times as ISO 8601. ``lean`` leaves out the fields of a dataclass
    that have their default, which a reader of its schema can fill in, and so saves a model's tokens."""
    if is_dataclass(value) and not isinstance(value, type):
        members = [(field, getattr(value, field.name)) for field in fields(value)]
        return {field.name: plain(part, lean) for field, part in members if not (lean and _is_default(field, part))}
    if isinstance(value, Mapping):
        return {str(name): plain(part, lean) for name, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(part, lean) for part in value]
    return value.isoformat() if isinstance(value, datetime) else value


def encoded(value: Any) -> bytes:
    """As ``plain``, in bytes of JSON. A server's answer is long: this takes a fifth of the time of both steps."""
    return _encode(value).encode()


def _members(value: Any) -> Any:
    """What JSON knows nothing of, one step nearer to it."""
    if isinstance(value, datetime):
        return value.isoformat()
    names = _NAMES.get(type(value))
    if names is None:
        if not is_dataclass(value):
            return list(value) if isinstance(value, (set, frozenset)) else dict(value)
        names = _NAMES[type(value)] = tuple(field.name for field in fields(value))
    return {name: getattr(value, name) for name in names}


_NAMES: dict[type, tuple[str, ...]] = {}
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_members).encode


def _is_default(field: Field[Any], value: Any) -> bool:
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    return default is not MISSING and bool(value == default)


def json_value(value: Any) -> Any:
    """A value of a result of SQL as JSON knows it; what it does not know is text."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if abs(value) < math.inf else str(value)
    if isinstance(value, Mapping):
        return {str(name): json_value(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(part) for part in value]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, date | time) else str(value)
