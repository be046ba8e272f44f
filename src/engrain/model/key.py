"""A key of the service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

RIGHTS = ("read", "write", "admin")
"""What a key may do; each may what the ones before it may."""
EVERY_TENANT = "*"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Who may call the service: for one tenant, or for the whole home (tenant "*"), and there for some agents, or for
    all (None). ``key`` is what a caller sends; it is known once, when the key is made, because only a hash is kept."""

    id: str
    name: str
    tenant: str
    agents: tuple[str, ...] | None
    rights: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None
    key: str | None = None
