"""What happens in the background: roles, their runs, alerts, and reports of a home's health."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

ROLES = ("expire", "decay", "archive", "promote", "compact", "prune", "metrics", "report", "backup")
"""Every role, in the order in which those that are due are run."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a role. ``state`` is running, done, failed or interrupted (its process ended, or was asked to, before
    it was through); or skipped, of which no history is kept. ``findings`` are the counts that it came to; ``error``
    says why it failed, was interrupted or skipped. A dry run has changed nothing."""

    id: str
    role: str
    state: str
    dry: bool
    started_at: datetime
    ended_at: datetime | None
    findings: Mapping[str, Any]
    error: str | None

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs."""
        return None if self.ended_at is None else max(0.0, (self.ended_at - self.started_at).total_seconds())


@dataclass(frozen=True, slots=True)
class RoleState:
    """How a role fares. ``state`` is on, paused or off (the home's lifecycle is off); ``failures`` are those since it
    last succeeded; ``last`` is its latest run that was not dry, if its history still has one."""

    name: str
    state: str
    every_seconds: float
    due_at: datetime
    failures: int
    last: Run | None


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that somebody should look at. ``name`` is role-failed or growth, ``subject`` the role, or the agent
    as ``tenant/agent``; ``settled_at`` is when it was over."""

    id: str
    at: datetime
    name: str
    subject: str
    detail: str
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class HealthReport:
    """How a home fared over ``period`` (two days, both included: ``2026-01-01/2026-01-07``), told twice."""

    at: datetime
    period: str
    markdown: str
    html: str
