"""Between rows and values: one place where the columns of an item are spelled."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Protocol

from engrain.errors import StoreCorrupt
from engrain.model.item import MemoryItem
from engrain.store.port import Row
from engrain.world import from_micros, to_micros


class Counts(Protocol):
    """Signals of use that are not written yet."""

    shown: int
    read: int
    applied: int
    helpful: int
    unhelpful: int
    last_used_at: int | None


def item_from_row(row: Row, pending: Counts | None = None) -> MemoryItem:
    """A MemoryItem from a row of memories joined with its signals, with what is still to be written counted in."""
    shown, read, applied = row["shown"] or 0, row["read"] or 0, row["applied"] or 0
    helpful, unhelpful, used = row["helpful"] or 0, row["unhelpful"] or 0, row["last_used_at"]
    if pending is not None:
        shown, read, applied = shown + pending.shown, read + pending.read, applied + pending.applied
        helpful, unhelpful = helpful + pending.helpful, unhelpful + pending.unhelpful
        used = pending.last_used_at or used
    tags, metadata, redacted = (_json(row, name) for name in ("tags", "metadata", "redacted"))
    return MemoryItem(
        id=row["id"],
        tenant=row["tenant"],
        agent=row["agent"],
        kind=row["kind"],
        key=row["key"],
        content=row["content"],
        importance=row["importance"],
        tags=tuple(tags),
        metadata=metadata,
        session=row["session"],
        role=row["role"],
        occurred_at=_moment(row["occurred_at"]),
        created_at=from_micros(row["created_at"]),
        told_at=from_micros(row["told_at"]),
        updated_at=from_micros(row["updated_at"]),
        expires_at=_moment(row["expires_at"]),
        decay_rate=row["decay_rate"],
        visibility=row["visibility"],
        pinned=bool(row["pinned"]),
        source=row["source"],
        state=row["state"],
        superseded_by=row["superseded_by"],
        superseded_at=_moment(row["superseded_at"]),
        redacted=tuple(redacted),
        repeats=row["repeats"],
        echoes=row["echoes"],
        shown=shown,
        read=read,
        applied=applied,
        helpful=helpful,
        unhelpful=unhelpful,
        last_used_at=_moment(used),
    )


def _json(row: Row, name: str) -> Any:
    text = row[name]
    if text in ("[]", "{}"):
        return {} if text == "{}" else []
    try:
        return json.loads(text)
    except ValueError as error:
        raise StoreCorrupt(f"The {name} of item {row['id']!r} are not JSON any more. Restore a backup.") from error


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def micros(moment: datetime | None) -> int | None:
    """Microseconds of an optional moment."""
    return None if moment is None else to_micros(moment)


def to_json(value: Any) -> str:
    """Compact JSON with sorted keys; NaN and infinity are refused by ValueError."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
