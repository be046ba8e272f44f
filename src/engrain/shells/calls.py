"""What a verb answers with, and the calls that are more than one method with the same arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from engrain.errors import InvalidField, NotFound, UnknownItem
from engrain.model.decision import Drift, Experience, Outcome
from engrain.model.event import Event
from engrain.model.item import Hit, MemoryItem, Session
from engrain.model.key import ApiKey
from engrain.model.learning import LearningHealth
from engrain.model.policy import Dream, PolicyEvent, PolicyInfo
from engrain.model.report import AgentInfo, Check, ReportInfo, TableInfo
from engrain.model.run import Alert, DaemonInfo, DaemonStatus, RoleState, Run
from engrain.shells.plain import json_value

if TYPE_CHECKING:
    from engrain.agent import Agent
    from engrain.memory import Memory

Call = Callable[[Any, Any, dict[str, Any]], Any]
ROWS, ROW_BYTES = 10_000, 16 << 20  # of an answer to SQL


class Hits(TypedDict):
    hits: list[Hit]


class Items(TypedDict):
    items: list[MemoryItem]


class Sessions(TypedDict):
    sessions: list[Session]


class Events(TypedDict):
    events: list[Event]


class Context(TypedDict):
    context: str


class Forgotten(TypedDict):
    forgotten: int


class Told(TypedDict):
    id: str


class Count(TypedDict):
    count: int


class AgentStats(TypedDict):
    tenant: str
    agent: str
    team: str | None
    memories: int
    by_kind: dict[str, int]
    learned: dict[str, int]  # outcomes by task type


class Experiences(TypedDict):
    experiences: Sequence[Experience]


class Drifts(TypedDict):
    agent: str  # whose
    drifts: list[Drift]


class Agents(TypedDict):
    agents: list[AgentInfo]


class Keys(TypedDict):
    keys: list[ApiKey]


class Examination(TypedDict):
    ok: bool
    checks: Sequence[Check]


class Ticked(TypedDict):
    ok: bool  # none has failed
    runs: list[Run]


class Runs(TypedDict):
    runs: list[Run]


class Roles(TypedDict):
    roles: list[RoleState]


class Daemons(TypedDict):
    daemons: list[DaemonInfo]


class Status(TypedDict):
    alive: bool
    status: DaemonStatus


class Switch(TypedDict):
    on: bool


class Alerts(TypedDict):
    alerts: list[Alert]


class Loop(TypedDict):
    ok: bool  # no stage is silent
    health: LearningHealth


class Policies(TypedDict):
    policies: list[PolicyInfo]


class PolicyEvents(TypedDict):
    events: list[PolicyEvent]


class Dreams(TypedDict):
    dreams: list[Dream]


class DreamStatus(TypedDict):
    dreams: list[Dream]  # the last, or none
    role: RoleState


class Live(TypedDict):
    live: PolicyInfo | None


class Tables(TypedDict):
    tables: list[TableInfo]


class Reports(TypedDict):
    reports: list[ReportInfo]


class Rows(TypedDict):
    columns: list[str]
    rows: list[list[Any]]  # in the order of the columns
    more: bool  # there were more rows than one answer has


_OUTCOME_NAMES = frozenset(field.name for field in fields(Outcome))
# What update can set back to nothing, and what that is.
EMPTY: dict[str, Any] = {
    "tags": (),
    "metadata": None,
    "session": None,
    "role": None,
    "occurred_at": None,
    "expires_in": None,
    "decay_rate": None,
    "source": None,
}


def found(item: MemoryItem | None, what: str) -> MemoryItem:
    if item is None:
        raise UnknownItem(
            f"Nothing is there under {what}; recall and list show what is, archived what is in the archive."
        )
    return item


def emptied(given: dict[str, Any], empty: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be changed, with what is to be cleared. Raises InvalidField."""
    cleared = {name: empty[name] for name in given.pop("clear", ())}
    if both := sorted(cleared.keys() & given.keys()):
        raise InvalidField(f"{both[0]} is among what to clear and is given a value; do one of the two.")
    return {**cleared, **given}


def update(memory: Memory, agent: Agent, given: dict[str, Any]) -> MemoryItem:
    return agent.update(given.pop("id"), **emptied(given, EMPTY))


def with_outcome(given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments whose outcome lies flat among them → the facade's arguments."""
    outcome = Outcome(**{name: value for name, value in given.items() if name in _OUTCOME_NAMES})
    return {**{name: value for name, value in given.items() if name not in _OUTCOME_NAMES}, "outcome": outcome}


def observe(memory: Memory, agent: Agent, given: dict[str, Any]) -> Experience:
    taken = with_outcome(given)
    return agent.observe(taken.pop("decision_id"), **taken)


def observe_many(memory: Memory, agent: Agent, given: dict[str, Any]) -> dict[str, Any]:
    return {"experiences": agent.observe_many([with_outcome(row) for row in given["rows"]])}


def told(method: str) -> Call:
    def run(memory: Memory, agent: Agent, given: dict[str, Any]) -> Told:
        getattr(agent, method)(**given)
        return {"id": given["id"]}

    return run


def agent_stats(memory: Memory, agent: Agent, given: dict[str, Any]) -> AgentStats:
    counts = {kind: agent.count(kind) for kind in sorted(memory.kinds)}
    learned: dict[str, int] = {}
    for value in agent.q_values():
        if value.state is None:  # over all states of the task type
            learned[value.task_type] = learned.get(value.task_type, 0) + value.visits
    return {
        "tenant": agent.scope.tenant,
        "agent": agent.scope.agent,
        "team": agent.scope.team,
        "memories": sum(counts.values()),
        "by_kind": {kind: n for kind, n in counts.items() if n},
        "learned": learned,
    }


def kv(method: str) -> Call:
    def run(memory: Memory, agent: Agent, given: dict[str, Any]) -> dict[str, Any]:
        namespace = agent.kv(given.pop("namespace", "default"))
        found = getattr(namespace, method)(**given)
        match method:
            case "get":
                if found is None and not namespace.has(given["key"]):
                    raise NotFound(f"The key {given['key']!r} is not set.")
                return {"key": given["key"], "value": found}
            case "set":
                return {"key": given["key"]}
            case "search":
                return {"found": found}
        return {"key": given["key"], "deleted" if method == "delete" else "there": found}

    return run


def backup(memory: Memory, agent: Agent | None, given: dict[str, Any]) -> dict[str, str]:
    if Path(given["path"]).exists():  # asked of the store it would be told as a fault of the store
        raise InvalidField(f"{given['path']} exists; a backup never overwrites. Choose another name.")
    return {"path": str(memory.backup(**given))}


def doctor(memory: Memory, agent: Agent | None, given: dict[str, Any]) -> Examination:
    report = memory.doctor(**given)
    return {"ok": report.ok, "checks": report.checks}


def daemon_status(memory: Memory, agent: Agent | None, given: dict[str, Any]) -> Status:
    status = memory.daemon_status()
    return {"alive": status.alive, "status": status}


def tick(memory: Memory, agent: Agent | None, given: dict[str, Any]) -> Ticked:
    runs = memory.tick(**given)
    return {"ok": all(run.state != "failed" for run in runs), "runs": runs}


def drifts(memory: Memory, agent: Agent, given: dict[str, Any]) -> Drifts:
    return {"agent": agent.scope.agent, "drifts": agent.drifts(**given)}


def learning(memory: Memory, agent: Agent | None, given: dict[str, Any]) -> Loop:
    health = memory.learning_health(**given)
    return {"ok": health.alive is not False and (health.canary is None or health.canary.ok), "health": health}


def dream_status(memory: Memory, agent: Agent | None, given: dict[str, Any]) -> DreamStatus:
    return {"dreams": memory.dreams(limit=1), "role": next(one for one in memory.roles() if one.name == "learn")}


def sql(memory: Memory, agent: Agent | None, given: dict[str, Any]) -> Rows:
    """As many rows as one answer may have."""
    found = memory.archive.sql(**given) if agent is None else agent.sql(**given)
    shown = found.slice(0, ROWS)
    while shown.nbytes > ROW_BYTES:
        shown = shown.slice(0, shown.num_rows // 2)
    rows = zip(*(column.to_pylist() for column in shown.columns), strict=True)
    return {
        "columns": found.column_names,
        "rows": [[json_value(one) for one in row] for row in rows],
        "more": shown.num_rows < found.num_rows,
    }
