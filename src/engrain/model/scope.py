"""Who asks: every read and write goes through one scope."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """A tenant, an agent in it and, when it has one, the agent's team."""

    tenant: str
    agent: str
    team: str | None = None
