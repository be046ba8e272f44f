"""Reports of a home's health: made when asked for, and kept once a week."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engrain.lifecycle.alerts import alerts
from engrain.lifecycle.metrics import figures, moved
from engrain.lifecycle.report import WEEK, Health
from engrain.model.fading import DAY
from engrain.model.run import HealthReport, RoleState
from engrain.store.port import Store
from engrain.world import World, from_micros

if TYPE_CHECKING:
    from engrain.daemon.roles import Work

CHARTED = 28  # days
KEPT = 90  # days that runs are kept


def report(store: Store, world: World, states: Sequence[RoleState]) -> HealthReport:
    """How the home fared in the last seven days that are over."""
    now = world.now()
    today = now // DAY
    week: Counter[str] = Counter()
    for events in moved(store, today - WEEK, today, {"tenant": None, "agent": None}).values():
        week.update(events)
    health = Health(figures(store, now, CHARTED), week, states, alerts(store, now))
    return HealthReport(from_micros(now), health.period, health.markdown(), health.html())


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
