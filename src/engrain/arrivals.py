"""What waited in the spool comes in: each line is one call of an agent's verb, made as if it were made now."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from engrain.errors import EngrainError, InvalidInput, NotFound
from engrain.spool import Line, Spool
from engrain.world import from_micros

if TYPE_CHECKING:
    from engrain.agent import Agent
    from engrain.memory import Memory
    from engrain.shells.client import Client

VERBS = {"remember": "remember_many", "observe_step": "observe_many", "record_fix": "record_fixes"}
"""The verbs that may wait, and the one that makes many of their calls in one transaction."""
SHOWN = "shown"  # no verb: ids that were shown
RECENT = 10_000  # among which a call is looked for that may have been made by a process that was stopped

_log = logging.getLogger(__name__)


def take_in(memory: Memory | Client, spool: Spool) -> int:
    """Make the calls that wait; how many. Never raises: what cannot be made now waits on, what never can is put aside,
    and both are noted in the spool's log."""
    try:
        return spool.take(lambda lines, again: _make(memory, spool, lines, again))
    except Exception as error:  # noqa: BLE001 (whoever opens the home wants something else of it)
        told = f"{type(error).__name__}: {error}"[:500]
        spool.log({"at": memory.world.now(), "event": "take in", "error": told})
        _log.warning("what hooks have left is not taken in yet: %s", error)
        return 0


def _make(memory: Memory | Client, spool: Spool, lines: Iterable[Line], again: bool) -> None:
    for _, group in groupby(lines, _whose):
        rows = list(group)
        if _make_all(memory, rows, again) is not None:  # one by one: those that are good are made
            for line in rows:
                if (error := _make_all(memory, [line], again)) is not None:
                    spool.refuse(line, f"{type(error).__name__}: {error}"[:500])


def _make_all(memory: Memory | Client, lines: list[Line], again: bool) -> Exception | None:
    """Make calls of one agent's verb, all or none; why they never can be made. Raises what says that they cannot be
    made now."""
    tenant, agent, team, do = _whose(lines[0])
    try:
        scope = memory.agent(agent, tenant=tenant, team=team)
        if do != SHOWN:
            _call(scope, do, lines, again)
        elif hasattr(memory, "signals"):  # a service counts what it shows itself
            shown = [line["with"] for line in lines]
            ids, patterns = ([str(id_) for one in shown for id_ in one.get(what, ())] for what in ("ids", "patterns"))
            memory.signals.shown(tenant, ids)
            memory.bank.note_shown(scope.scope, patterns)
    except Exception as error:
        if isinstance(error, InvalidInput | NotFound) or not isinstance(error, EngrainError | OSError | MemoryError):
            return error
        raise
    return None


def _whose(line: Line) -> tuple[str, str, str | None, str]:
    return (
        str(line.get("tenant") or "default"), str(line.get("agent") or "default"), line.get("team"), str(line.get("do"))
    )  # fmt: skip


def _call(agent: Agent, do: str, lines: list[Line], again: bool) -> None:
    many = getattr(agent, VERBS[do])
    made = _made(agent, do) if again else frozenset()
    if rows := [_row(line) for line in lines if _mark(do, line["with"]) not in made]:
        many(rows)


def _row(line: Line) -> Mapping[str, Any]:
    row = dict(line["with"])
    if "occurred_at" in row:
        row["occurred_at"] = from_micros(row["occurred_at"])
    return row


def _mark(do: str, given: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """By what a call is known again: its task, of which there may be a sighting and an attempt; None without one."""
    task = given.get("task_id")
    return (task, given.get("success") if do == "record_fix" else None) if task is not None else None


def _made(agent: Agent, do: str) -> frozenset[tuple[Any, ...] | None]:
    """The marks of calls made lately. What is remembered twice is one item anyway."""
    if do == "observe_step":
        return frozenset((row.task_id, None) for row in agent.experiences(limit=RECENT) if row.task_id is not None)
    if do == "record_fix":
        return frozenset((row.task_id, row.success) for row in agent.fixes(limit=RECENT) if row.task_id is not None)
    return frozenset()
