"""Between rows and values: one place where the columns of an item are spelled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, make_dataclass
from datetime import datetime
from typing import Any, Protocol

from engrain.errors import StoreCorrupt
from engrain.model.item import MemoryItem
from engrain.store.port import Row
from engrain.world import from_micros, to_micros

INDEX = ("length", "terms", "vector", "scale", "embedder", "analyzer")
"""The columns of a passage that stands in its item's own row."""
INSERT = (
    "id", "tenant", "agent", "kind", "key", "content", "fingerprint", "importance", "tags", "metadata", "session",
    "role", "occurred_at", "created_at", "told_at", "updated_at", "expires_at", "decay_rate", "visibility", "pinned",
    "source", "state", "superseded_by", "superseded_at", "redacted", "repeats", "seq", "shared_seq", *INDEX,
)  # fmt: skip
"""The parameters of ``memory_insert``, in their order."""
_COLUMNS = 36  # of {item} and echoes
_Open = make_dataclass("_Open", [(one.name, Any) for one in fields(MemoryItem)], slots=True, eq=False, repr=False)
"""An item before it is sealed. A frozen dataclass sets each of its fields through ``object.__setattr__``, which takes
ten times as long as all the rest of making an item."""
_decode = json.JSONDecoder().decode
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode


class Counts(Protocol):
    """Signals of use that are not written yet."""

    shown: int
    read: int
    applied: int
    helpful: int
    unhelpful: int
    last_used_at: int | None


def new_item(
    row: Sequence[Any], tags: tuple[str, ...], metadata: Mapping[str, Any] | None, redacted: tuple[str, ...]
) -> MemoryItem:
    """The item that a row of ``memory_insert`` becomes, without reading it again."""
    (
        id_, tenant, agent, kind, key, content, _, importance, _, _, session, role, occurred, created, told, updated,
        expires, decay, visibility, pinned, source, state, by, superseded, _, repeats, *_,
    ) = row  # fmt: skip
    told_at = from_micros(told)
    return _sealed(
        id_, tenant, agent, kind, content, told_at if created == told else from_micros(created), told_at,
        told_at if updated == told else from_micros(updated), key, importance, tags, metadata or {}, session, role,
        None if occurred is None else from_micros(occurred), None if expires is None else from_micros(expires), decay,
        visibility, pinned == 1, source, state, by, None if superseded is None else from_micros(superseded), redacted,
        repeats, 0, 0, 0, 0, 0, 0, None, None, None, None, None,
    )  # fmt: skip


def item_from_row(row: Row | tuple[Any, ...], pending: Counts | None = None) -> MemoryItem:
    """A MemoryItem from a row of ``{item}, echoes`` (statements/memories.sql), with what is still to be written counted
    in. By position: an item is read more often than anything else."""
    (
        id_, tenant, agent, kind, content, created, told, updated, key, importance, tags, metadata, session, role,
        occurred, expires, decay, visibility, pinned, source, state, by, superseded, redacted, repeats,
        shown, read, applied, helpful, unhelpful, used, archived, why, promoted, decayed, echoes,
    ) = row[:_COLUMNS]  # fmt: skip
    if shown is None:
        shown = read = applied = helpful = unhelpful = 0
    if pending is not None:
        shown, read, applied = shown + pending.shown, read + pending.read, applied + pending.applied
        helpful, unhelpful = helpful + pending.helpful, unhelpful + pending.unhelpful
        used = pending.last_used_at or used
    created_at = from_micros(created)
    told_at = created_at if told == created else from_micros(told)
    return _sealed(
        id_, tenant, agent, kind, content, created_at, told_at,
        told_at if updated == told else from_micros(updated), key, importance,
        () if tags == "[]" else tuple(_json(id_, "tags", tags)),
        {} if metadata == "{}" else _json(id_, "metadata", metadata), session, role,
        None if occurred is None else from_micros(occurred), None if expires is None else from_micros(expires),
        decay, visibility, pinned == 1, source, state, by, None if superseded is None else from_micros(superseded),
        () if redacted == "[]" else tuple(_json(id_, "redacted", redacted)), repeats, echoes,
        shown, read, applied, helpful, unhelpful, None if used is None else from_micros(used),
        None if archived is None else from_micros(archived), why, None if promoted is None else from_micros(promoted),
        None if decayed is None else from_micros(decayed),
    )  # fmt: skip


def _sealed(*values: Any) -> MemoryItem:
    """The MemoryItem of these values, in the order of its fields."""
    item = _Open(*values)
    item.__class__ = MemoryItem
    return item  # type: ignore[no-any-return]


def _json(id_: str, name: str, text: str) -> Any:
    try:
        return _decode(text)
    except ValueError as error:
        raise StoreCorrupt(f"The {name} of item {id_!r} are not JSON any more. Restore a backup.") from error


def micros(moment: datetime | None) -> int | None:
    """Microseconds of an optional moment."""
    return None if moment is None else to_micros(moment)


def to_json(value: Any) -> str:
    """Compact JSON with sorted keys; NaN and infinity are refused by ValueError."""
    return _encode(value)
