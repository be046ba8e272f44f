"""What happens in the background: roles, their runs, alerts, and reports of a home's health."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


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
    """How a role fares. ``state`` is on, paused, off (the home's lifecycle is off) or broken (a plug-in that cannot be
    used); ``failures`` are those since it last succeeded; ``last`` is its latest run that was not dry, if its history
    still has one; ``note`` says why it is run at another time than it is due, or what is broken."""

    name: str
    state: str
    every_seconds: float
    due_at: datetime
    failures: int
    last: Run | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class DaemonInfo:
    """A process that runs the roles of a home: a daemon, or a service. ``seen_at`` is when it last said that it is
    alive; ``state`` is alive, stopping (it was asked to) or stopped."""

    id: str
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """How background work fares. ``score`` is 100 when nothing is wrong, less for each of the ``reasons``; None when it
    is not known, because nothing may run. ``alive``: there is a daemon."""

    alive: bool
    score: int | None
    reasons: tuple[str, ...]
    daemons: tuple[DaemonInfo, ...]
    roles: tuple[RoleState, ...]
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that somebody should look at. ``name`` is role-failed, growth or learning-silent, ``subject`` the
    role, the agent as ``tenant/agent``, or the stage of learning; ``settled_at`` is when it was over."""

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
