"""Alerts of stages of learning that fell silent, settled when they move again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from engrain.lifecycle.alerts import alerts, raise_alerts, settle_alerts

if TYPE_CHECKING:
    from engrain.daemon.roles import Work

SILENT = "learning-silent"
Silence = Callable[[], Mapping[str, str] | None]
"""The silent stages with what is wrong; None when that cannot be known."""


def watch(work: Work, silence: Silence) -> dict[str, int]:
    """Raise and settle; how many stages are silent. What is not known changes nothing."""
    found = silence()
    if found is None:
        return {}
    if not work.dry:
        open_ = [one.subject for one in alerts(work.store, work.world.now()) if one.name == SILENT]
        with work.store.transaction("*") as tx:
            settle_alerts(tx, work.world, SILENT, [one for one in open_ if one not in found])
            raise_alerts(tx, work.world, SILENT, found)
    return {"silent": len(found)}
