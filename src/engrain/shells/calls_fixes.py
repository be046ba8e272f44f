"""What the verbs of fixes answer with, and the calls that are more than one method with the same arguments."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypedDict

from engrain.errors import InvalidField, NotFound
from engrain.model.fix import Diagnosis, Fix, IssueEdit, IssueInfo, KnownFix, Problem, TargetInfo

if TYPE_CHECKING:
    from engrain.agent import Agent
    from engrain.memory import Memory

_PROBLEM = frozenset(one.name for one in fields(Problem)) - {"message"}
LONGEST = 36_500  # days
COLUMNS = tuple(one.name for one in fields(Fix))


class FixList(TypedDict):
    fixes: list[Fix]


class Issues(TypedDict):
    issues: list[IssueInfo]


class Targets(TypedDict):
    targets: list[TargetInfo]


class Way(TypedDict):
    type: str
    issue: str
    title: str
    fix: KnownFix


class Ways(TypedDict):
    ways: list[Way]


class Like(TypedDict):
    issue: str
    likeness: float  # 0..1
    info: IssueInfo


class Similar(TypedDict):
    issue: str  # the problem's own
    known: bool
    similar: list[Like]


class Text(TypedDict):
    context: str


class Undone(TypedDict):
    undone: IssueEdit | None


class Edits(TypedDict):
    edits: list[IssueEdit]


class Written(TypedDict):
    path: str
    fixes: int


def diagnose(memory: Memory, agent: Agent, given: dict[str, Any]) -> Diagnosis:
    limit = given.pop("limit", 5)
    return agent.diagnose(_problem(given), limit=limit)


def record_fix(memory: Memory, agent: Agent, given: dict[str, Any]) -> Fix:
    return agent.record_fix(_problem(given), **given)


def record_fixes(memory: Memory, agent: Agent, given: dict[str, Any]) -> dict[str, Any]:
    rows = [dict(row) for row in given["rows"]]
    return {"fixes": agent.record_fixes([{"problem": _problem(row), **row} for row in rows])}


def target(memory: Memory, agent: Agent, given: dict[str, Any]) -> TargetInfo:
    found = agent.target(given["name"])
    if found is None:
        raise NotFound(f"No fix was noted for {given['name']!r}; engrain fixes targets lists what is known.")
    return found


def recent(memory: Memory, agent: Agent, given: dict[str, Any]) -> FixList:
    from engrain.world import from_micros

    days = given.pop("days", 7)
    if not 0 <= days <= LONGEST:
        raise InvalidField(f"days must lie in 0..{LONGEST}, not {days}.")
    since = from_micros(memory.world.now() - int(days * 86_400_000_000))
    return {"fixes": agent.fixes(since=since, **given)}


def successful(memory: Memory, agent: Agent, given: dict[str, Any]) -> Ways:
    """The best way of each issue that was ever verified, the surest first."""
    limit = given.pop("limit", 100)
    ways: list[Way] = [
        {"type": one.type, "issue": one.id, "title": one.title, "fix": one.best}
        for one in agent.issues(limit=10_000, **given)
        if one.best is not None
    ]
    ways.sort(key=lambda way: (-way["fix"].odds.low, way["issue"]))
    return {"ways": ways[:limit]}


def similar(memory: Memory, agent: Agent, given: dict[str, Any]) -> Similar:
    limit = given.pop("limit", 5)
    found = agent.diagnose(_problem(given), limit=limit)
    alike: list[Like] = [
        {"issue": id_, "likeness": likeness, "info": agent.issue(id_)} for id_, likeness in found.similar
    ]
    return {"issue": found.issue, "known": found.known, "similar": alike}


def context(memory: Memory, agent: Agent, given: dict[str, Any]) -> Text:
    most = given.pop("max_tokens", 800)
    return {"context": agent.context_for(_problem(given), most)}


def export(memory: Memory, agent: Agent, given: dict[str, Any]) -> Written:
    """The document as JSON, or what was tried as a table."""
    if given.get("format", "json") == "json":
        document = agent.export_fixes(given["path"])
        return {"path": str(given["path"]), "fixes": len(document["fixes"])}
    found = agent.fixes(limit=10_000)
    agent._written(given["path"], _table(found))
    return {"path": str(given["path"]), "fixes": len(found)}


def _table(found: Sequence[Fix]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for one in found:
        writer.writerow([_cell(getattr(one, name)) for name in COLUMNS])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, tuple | Mapping):
        return json.dumps(value if isinstance(value, Mapping) else list(value), ensure_ascii=False, sort_keys=True)
    return value.isoformat() if hasattr(value, "isoformat") else value


def _problem(given: dict[str, Any]) -> dict[str, Any]:
    """The problem, whose parts lie flat among the arguments and are taken out of them."""
    found = {name: given.pop(name) for name in sorted(_PROBLEM) if given.get(name) is not None}
    for name in _PROBLEM:
        given.pop(name, None)
    return {"message": given.pop("problem"), **found}
