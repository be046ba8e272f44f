"""What is remembered: MemoryItem, and Hit, an item that was recalled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

KINDS = ("context", "learning", "preference", "error_pattern", "success_pattern", "fact", "event", "knowledge")
LIVE = ("active", "pending_decay")  # states of what is remembered: the second will be archived unless it is used
VISIBILITIES = ("private", "team", "public")


@dataclass(frozen=True, slots=True)
class MemoryItem:
    """One remembered thing.

    ``told_at`` is when this content was told. ``created_at`` is when its ``key`` was first used: a new value under a
    key keeps it, with the counters; without a key the two are the same.

    ``importance`` is 1–10, as it has faded by ``last_decay_at``. Times are timezone-aware. ``state`` is ``active``,
    ``pending_decay`` (active, and archived soon unless it is used), ``superseded`` or ``archived``; a superseded item
    names the item that replaced it in ``superseded_by`` and stays readable by id and through ``history``; an archived
    one, since ``archived_at`` for ``archived_reason``, through ``archived`` until it is restored or purged.
    ``repeats`` counts how often the same thing was told again. ``shown``, ``applied`` and ``helpful`` are
    different facts: being shown is no evidence of use. ``redacted`` names the kinds of secrets that were cut
    out of the content before it was stored.
    """

    id: str
    tenant: str
    agent: str
    kind: str
    content: str
    created_at: datetime
    told_at: datetime
    updated_at: datetime
    key: str | None = None
    importance: float = 5.0
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    session: str | None = None
    role: str | None = None
    occurred_at: datetime | None = None
    expires_at: datetime | None = None
    decay_rate: float | None = None
    visibility: str = "private"
    pinned: bool = False
    source: str | None = None
    state: str = "active"
    superseded_by: str | None = None
    superseded_at: datetime | None = None
    redacted: tuple[str, ...] = ()
    repeats: int = 0
    echoes: int = 0
    shown: int = 0
    read: int = 0
    applied: int = 0
    helpful: int = 0
    unhelpful: int = 0
    last_used_at: datetime | None = None
    archived_at: datetime | None = None
    archived_reason: str | None = None
    promoted_at: datetime | None = None
    last_decay_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation or run that items are of: how many active ones, when the first was told, and the last."""

    session: str
    items: int
    began_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Hit:
    """A recalled item with its score and the parts of the score: ``why`` is ((name, contribution), ...) and sums to
    ``score``."""

    item: MemoryItem
    score: float
    why: tuple[tuple[str, float], ...]
