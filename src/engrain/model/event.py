"""Event: one transition of a memory's state, as it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a memory: ``event`` (``memory:archived``, …) led from state ``old`` to ``new``, for ``reason``,
    by ``actor`` (``agent:NAME`` or ``role:NAME``). ``before`` and ``after`` say what else changed, never content.
    ``id`` is its place in the tenant's stream of events, in the order in which they became visible; ``at`` is
    timezone-aware."""

    id: str
    at: datetime
    memory_id: str
    agent: str
    event: str
    old: str
    new: str
    reason: str
    actor: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
