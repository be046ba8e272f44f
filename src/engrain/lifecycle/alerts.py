"""Alerts: raised once, logged, and settled when what they told of is over."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from engrain.model.fading import DAY
from engrain.model.run import Alert
from engrain.store.port import Store, Transaction
from engrain.world import World, from_micros

KEPT = 30 * DAY  # how long a settled alert is still told of

_log = logging.getLogger(__name__)


def raise_alerts(tx: Transaction, world: World, name: str, wrong: Mapping[str, str]) -> int:
    """Raise an alert for each subject, with what is wrong with it, that has none open; how many were raised."""
    raised = 0
    for subject, detail in sorted(wrong.items()):
        row = {"id": world.new_id(), "now": world.now(), "name": name, "subject": subject, "detail": detail}
        if tx.run("alert_open", row):
            raised += 1
            _log.warning("alert %s: %s: %s", name, subject, detail)
    return raised


def settle_alerts(tx: Transaction, world: World, name: str, right: Sequence[str]) -> int:
    """Settle the open alerts of these subjects; how many there were."""
    return tx.run("alert_settle", {"now": world.now(), "name": name, "subjects": list(right)}) if right else 0


def alerts(store: Store, now: int, settled: bool = False) -> list[Alert]:
    """What is open, newest first; with ``settled`` also what was over lately."""
    rows = store.read("alert_list", {"since": now - KEPT if settled else 1 << 62})
    return [
        Alert(
            row["id"],
            from_micros(row["at"]),
            row["name"],
            row["subject"],
            row["detail"],
            None if row["settled_at"] is None else from_micros(row["settled_at"]),
        )
        for row in rows
    ]
