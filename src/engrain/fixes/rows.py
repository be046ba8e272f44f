"""Between rows of fixes and values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from engrain.fixes.names import Named
from engrain.fixes.plans import does_something, plan_of
from engrain.model.fix import Attempt, Fix, Problem
from engrain.model.scope import Scope
from engrain.store.rows import to_json
from engrain.world import from_micros

_FACTS = ("trace", "test", "log", "prompt", "response", "fingerprint")
KEPT, GONE = "kept", "gone"


def new_row(scope: Scope, one: Attempt, named: Named, id_: str, now: int) -> dict[str, Any]:
    """The parameters of ``fix_insert``."""
    acts = does_something(one.commands, one.analysis)
    return {
        "id": id_, "tenant": scope.tenant, "agent": scope.agent, "visibility": one.visibility, "state": KEPT,
        "signature": named.raw, "type": one.type, "target": one.problem.target, "message": one.problem.message,
        "problem": to_json(facts_of(one.problem)), "commands": to_json(one.commands),
        "plan": plan_of(one.commands, one.analysis, one.problem.target), "analysis": one.analysis, "fixer": one.fixer,
        "success": None if one.success is None else int(one.success), "verified": int(one.verified),
        "effective": int(acts), "micros": one.micros, "system": to_json(dict(one.system)), "notes": one.notes,
        "session": one.session, "task_id": one.task_id,
        "occurred_at": now if one.occurred_at is None else one.occurred_at, "created_at": now, "updated_at": now,
    }  # fmt: skip


def facts_of(problem: Problem) -> dict[str, Any]:
    """What a problem says beside its message, type and target, as JSON values."""
    found: dict[str, Any] = {name: value for name in _FACTS if (value := getattr(problem, name)) is not None}
    return {**found, "metadata": dict(problem.metadata)} if problem.metadata else found


def problem_of(row: Mapping[str, Any]) -> Problem:
    """The problem of a row."""
    return Problem(row["message"], type=row["type"], target=row["target"], **json.loads(row["problem"]))


def fix_of(row: Any, resolve: Callable[[str], str]) -> Fix:
    """The Fix of a row; ``resolve`` tells the issue of its signature by now."""
    micros = row["micros"]
    return Fix(
        id=row["id"],
        agent=row["agent"],
        issue=resolve(row["signature"]),
        signature=row["signature"],
        type=row["type"],
        target=row["target"],
        message=row["message"],
        commands=tuple(json.loads(row["commands"])),
        analysis=row["analysis"],
        fixer=row["fixer"],
        success=None if row["success"] is None else row["success"] == 1,
        verified=row["verified"] == 1,
        effective=row["effective"] == 1,
        seconds=None if micros is None else micros / 1e6,
        system=json.loads(row["system"]),
        notes=row["notes"],
        session=row["session"],
        task_id=row["task_id"],
        visibility=row["visibility"],
        occurred_at=from_micros(row["occurred_at"]),
        created_at=from_micros(row["created_at"]),
    )


def plain(row: Any) -> dict[str, Any]:
    """A row as a dict."""
    return {name: row[name] for name in row.keys()}  # noqa: SIM118 (rows are not dicts)
