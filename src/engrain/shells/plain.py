"""Values of the facade as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from typing import Any


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


def _is_default(field: Field[Any], value: Any) -> bool:
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    return default is not MISSING and bool(value == default)
