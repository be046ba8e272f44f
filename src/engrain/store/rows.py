"""Between rows and values: one place where the columns of an item are spelled."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from engrain.model.item import MemoryItem
from engrain.store.port import Row
from engrain.world import from_micros, to_micros


def item_from_row(row: Row) -> MemoryItem:
    """A MemoryItem from a row of memories joined with its signals."""
    return MemoryItem(
        id=row["id"],
        tenant=row["tenant"],
        agent=row["agent"],
        kind=row["kind"],
        key=row["key"],
        content=row["content"],
        importance=row["importance"],
        tags=tuple(json.loads(row["tags"])),
        metadata=json.loads(row["metadata"]),
        session=row["session"],
        role=row["role"],
        occurred_at=_moment(row["occurred_at"]),
        created_at=from_micros(row["created_at"]),
        updated_at=from_micros(row["updated_at"]),
        expires_at=_moment(row["expires_at"]),
        decay_rate=row["decay_rate"],
        visibility=row["visibility"],
        pinned=bool(row["pinned"]),
        source=row["source"],
        state=row["state"],
        superseded_by=row["superseded_by"],
        superseded_at=_moment(row["superseded_at"]),
        redacted=tuple(json.loads(row["redacted"])),
        repeats=row["repeats"],
        echoes=row["echoes"],
        shown=row["shown"] or 0,
        read=row["read"] or 0,
        applied=row["applied"] or 0,
        helpful=row["helpful"] or 0,
        unhelpful=row["unhelpful"] or 0,
        last_used_at=_moment(row["last_used_at"]),
    )


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)


def micros(moment: datetime | None) -> int | None:
    """Microseconds of an optional moment."""
    return None if moment is None else to_micros(moment)


def to_json(value: Any) -> str:
    """Compact JSON with sorted keys; NaN and infinity are refused by ValueError."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
