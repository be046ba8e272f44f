"""A value as a file of JSON that has its name when it is whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from engrain.errors import StoreError


def write_json(target: Path, value: Any, what: str) -> None:
    """Write it, values of the model among it, in the place of a file of that name. Raises StoreError, whose message
    begins with ``what``."""
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            json.dump(value, file, ensure_ascii=False, allow_nan=False, indent=1, default=_plain)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise StoreError(f"{what} cannot be written: {target}: {error.strerror}.") from error


def _plain(value: Any) -> Any:
    """What JSON knows nothing of, one step nearer to it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} is no plain value")
