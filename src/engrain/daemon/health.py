"""Reports of a home's health: made when asked for, and kept once a week."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engrain.lifecycle.alerts import alerts
from engrain.lifecycle.metrics import figures, moved
from engrain.lifecycle.report import WEEK, Health
from engrain.model.fading import DAY
from engrain.model.report import counted
from engrain.model.run import Alert, HealthReport, RoleState
from engrain.store.port import Store
from engrain.world import World, from_micros, to_micros

if TYPE_CHECKING:
    from engrain.daemon.roles import Work

MUCH = "much waits: it is run early"
CHARTED = 28  # days
KEPT = 90  # days that runs are kept


def report(store: Store, world: World, states: Sequence[RoleState]) -> HealthReport:
    """How the home fared in the last seven days that are over."""
    now = world.now()
    today = now // DAY
    week: Counter[str] = Counter()
    for events in moved(store, today - WEEK, today, {"tenant": None, "agent": None}).values():
        week.update(events)
    found = alerts(store, now)
    health = Health(figures(store, now, CHARTED), week, states, found, score(states, found, now)[0])
    return HealthReport(from_micros(now), health.period, health.markdown(), health.html())


def score(states: Sequence[RoleState], alerts: Sequence[Alert], now: int) -> tuple[int | None, tuple[str, ...]]:
    """How background work fares, from 100 to 0, and what was taken off for: 20 for each role that is overdue, 10 for
    each of its failures in a row (30 at most), 5 for one with a backlog, 10 for one that is broken, 10 for each other
    alert. None when no role may run: nothing is known then."""
    if all(one.state != "on" for one in states):
        return None, ("no role may run",)
    late = overdue(states, now)
    lost = [(20, f"{name}: nobody did it when it was due") for name in late]
    lost += [(10 * min(one.failures, 3), f"{one.name}: {counted(one.failures, 'failure')} in a row") for one in states]
    lost += [(5, f"{one.name}: {one.note}") for one in states if one.note == MUCH]
    lost += [(10, f"{one.name}: {one.note}") for one in states if one.state == "broken"]
    lost += [(10, f"{one.name}: {one.subject} {one.detail}") for one in alerts if one.name != "role-failed"]
    reasons = tuple(f"{reason} (−{points})" for points, reason in lost if points)
    return max(0, 100 - sum(points for points, _ in lost)), reasons


def overdue(states: Sequence[RoleState], now: int) -> list[str]:
    """The roles that nobody did for an interval longer than it should be."""
    on = [one for one in states if one.state == "on"]
    return [one.name for one in on if now - to_micros(one.due_at) > one.every_seconds * 1e6]


def keep_report(work: Work) -> tuple[dict[str, Any], None]:
    """The role ``report``: keep one, and drop the history of runs that is older than KEPT days."""
    made, now = report(work.store, work.world, work.states()), work.world.now()
    if not work.dry:
        row = {"id": work.world.new_id(), "now": now, "period": made.period}
        kept = ("report_put", {**row, "markdown": made.markdown, "html": made.html})
        work.store.write([kept, ("run_trim", {"before": now - KEPT * DAY})])
    return {"period": made.period, "alerts": len(alerts(work.store, now))}, None


def kept_report(store: Store) -> HealthReport | None:
    """The last that was kept."""
    rows = store.read("report_last")
    return HealthReport(from_micros(rows[0]["at"]), *rows[0][1:]) if rows else None
