"""What waited in the spool comes in: each line is one call of an agent's verb, made as if it were made now."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from engrain.errors import EngrainError, InvalidInput
from engrain.spool import Line, Spool
from engrain.world import from_micros

if TYPE_CHECKING:
    from engrain.agent import Agent
    from engrain.memory import Memory
    from engrain.shells.client import Client

VERBS = {"remember": "remember_many", "observe_step": "observe_many", "record_fix": "record_fixes"}
"""The verbs that may wait, and the one that makes many of their calls in one transaction."""
SHOWN = "shown"  # no verb: ids that were shown
RECENT = 500  # among which a call is looked for that may have been made by a process that was stopped

_log = logging.getLogger(__name__)


def take_in(memory: Memory | Client, spool: Spool) -> int:
    """Make the calls that wait; how many. Never raises: what cannot be made now waits on, what never can is put aside,
    and both are noted in the spool's log."""
    if spool.idle():
        return 0
    try:
        return spool.take(lambda lines, again: _make(memory, spool, lines, again))
    except (EngrainError, OSError) as error:
        spool.log({"at": memory.world.now(), "event": "take in", "error": f"{type(error).__name__}: {error}"})
        _log.warning("what hooks have left is not taken in yet: %s", error)
        return 0


def _make(memory: Memory | Client, spool: Spool, lines: Iterable[Line], again: bool) -> None:
    for (tenant, agent, team, do), group in groupby(lines, _whose):
        rows = list(group)
        try:
            scope = memory.agent(agent, tenant=tenant, team=team)
            if do == SHOWN and not hasattr(memory, "signals"):
                continue  # a service counts what it shows itself
            if do == SHOWN:
                shown = [line["with"] for line in rows]
                memory.signals.shown(tenant, [str(id_) for one in shown for id_ in one["ids"]])
                memory.bank.note_shown(scope.scope, [str(id_) for one in shown for id_ in one.get("patterns", ())])
                continue
            _call(scope, do, rows, again, spool.refuse)
        except (InvalidInput, KeyError, TypeError, ValueError, AttributeError) as error:
            for line in rows:
                spool.refuse(line, f"{type(error).__name__}: {error}")


def _whose(line: Line) -> tuple[str, str, str | None, str]:
    return (
        str(line.get("tenant") or "default"), str(line.get("agent") or "default"), line.get("team"), str(line.get("do"))
    )  # fmt: skip


def _call(agent: Agent, do: str, lines: list[Line], again: bool, refuse: Callable[[Line, str], None]) -> None:
    many = getattr(agent, VERBS[do])
    made = _made(agent, do) if again else frozenset()
    lines = [line for line in lines if line["with"].get("task_id") not in made]
    try:
        many([_row(line) for line in lines])
    except (InvalidInput, KeyError, TypeError, ValueError):
        if len(lines) == 1:
            raise
        for line in lines:
            try:
                many([_row(line)])
            except (InvalidInput, KeyError, TypeError, ValueError) as error:
                refuse(line, f"{type(error).__name__}: {error}")


def _row(line: Line) -> Mapping[str, Any]:
    row = dict(line["with"])
    if "occurred_at" in row:
        row["occurred_at"] = from_micros(row["occurred_at"])
    return row


def _made(agent: Agent, do: str) -> frozenset[str | None]:
    """The tasks of calls made lately. What is remembered twice is one item anyway."""
    if do == "remember":
        return frozenset()
    rows: Any = agent.experiences(limit=RECENT) if do == "observe_step" else agent.fixes(limit=RECENT)
    return frozenset(row.task_id for row in rows) - {None}
