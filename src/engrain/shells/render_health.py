"""Screens of background work: roles, runs, alerts, figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engrain.model.report import counted
from engrain.shells.screen import age, bar, console, date, hanging, line, table

if TYPE_CHECKING:
    from engrain.model.run import Alert, DaemonStatus, RoleState, Run

STYLES = {"done": "green", "failed": "bold red", "interrupted": "yellow", "running": "cyan", "skipped": "dim"}
DAYS, AGENTS = 14, 10  # lines of a screen


def _ticked(value: Mapping[str, Any], now: datetime) -> None:
    runs: Sequence[Run] = value["runs"]
    if not runs:
        line(("Nothing is due.", "dim"))
    for run in runs:
        _run(run, "dry " if run.dry else "", "")


def _runs(value: Mapping[str, Any], now: datetime) -> None:
    for run in value["runs"]:
        _run(run, "dry " if run.dry else "", f"  {age(run.started_at, now)}")
    if not value["runs"]:
        line(("Nothing was run yet.", "dim"))


def _run(run: Run, dry: str, when: str) -> None:
    took = f"  {run.seconds:.2f} s" if run.seconds is not None and run.state != "skipped" else ""
    found = ", ".join(f"{name} {part}" for name, part in run.findings.items() if part not in (None, 0))
    state = (f"{dry}{run.state}", STYLES[run.state])
    hanging(10, (f"{run.role:<8}  ", "bold"), state, (f"{took}{when}", "dim"), (f"  {found}" if found else "", ""))
    if run.error:
        hanging(10, ("          " + run.error, "" if run.state == "failed" else "dim"))


def _roles(value: Mapping[str, Any], now: datetime) -> None:
    rows = []
    for role in value["roles"]:
        one: RoleState = role
        last = f"{one.last.state} {age(one.last.started_at, now)}" if one.last else "never run"
        rows.append((one.name, one.state, _every(one.every_seconds), _due(one, now), last, str(one.failures or "")))
    table(rows, ("role", "state", "every", "due", "last run", ">failures"))
    for one in value["roles"]:
        if one.note:
            hanging(2, (f"{one.name}: {one.note}", "bold red" if one.state == "broken" else "dim"))
    if any(one.state == "off" for one in value["roles"]):
        hanging(0, ("off: memories do not age in this home; engrain lifecycle --on", "dim"))


def _status(value: Mapping[str, Any], now: datetime) -> None:
    status: DaemonStatus = value["status"]
    told = "not known" if status.score is None else f"{status.score} of 100"
    line(("background work: ", ""), (told, "bold green" if status.score == 100 else "bold yellow"))
    for reason in status.reasons:
        hanging(2, ("  " + reason, "dim"))
    if status.daemons:
        _daemons({"daemons": status.daemons}, now)
    else:
        hanging(0, ("No daemon is alive: engrain daemon run, or engrain tick from cron.", "yellow"))
    console.print()
    _roles({"roles": status.roles}, now)
    if status.alerts:
        console.print()
        _alerts({"alerts": status.alerts}, now)


def _daemons(value: Mapping[str, Any], now: datetime) -> None:
    for one in value["daemons"]:
        began = f" of {one.host}, engrain {one.version}, since {age(one.started_at, now)}, "
        line((f"daemon {one.pid}", "bold"), (began, "dim"), (one.state, "green" if one.state == "alive" else "yellow"))
    if not value["daemons"]:
        line(("There was none.", "dim"))


def _due(one: RoleState, now: datetime) -> str:
    if one.state != "on":
        return ""
    return "now" if one.due_at <= now else f"in {_every((one.due_at - now).total_seconds())}"


def _every(seconds: float) -> str:
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.0f} s"


def _switch(value: Mapping[str, Any], now: datetime) -> None:
    line(("on: memories age in this home" if value["on"] else "off: memories do not age in this home", ""))


def _alerts(value: Mapping[str, Any], now: datetime) -> None:
    alerts: Sequence[Alert] = value["alerts"]
    for one in alerts:
        over = f", over since {date(one.settled_at)}" if one.settled_at else ""
        style = "dim" if one.settled_at else "bold red"
        told = (f" {one.subject} {one.detail}, since {date(one.at)}{over}", "")
        hanging(2, ("✓ " if one.settled_at else "✗ ", style), (one.name, style), told)
    if not alerts:
        line(("No alert is open.", "green"))


def _metrics(value: Mapping[str, Any], now: datetime) -> None:
    totals, series = value["totals"], value["series"]
    mean = "" if totals["importance"] is None else f", mean importance {totals['importance']:.2f}"
    when = f"at the end of {value['measured']}" if value["measured"] else "now; none of these days was measured"
    hanging(
        2, (f"{counted(totals['memories'], 'memory', 'memories')}{mean}, {totals['bytes']:,} bytes of content", "bold")
    )
    line((when, "dim"))
    if series:
        console.print()
        shown = series[-DAYS:]
        top = max((one["memories"] or 0 for one in shown), default=0) or 1
        names = ("memories", "accesses", "expired", "archived", "promoted")
        rows = [(one["day"], bar((one["memories"] or 0) / top), *(_told(one[name]) for name in names)) for one in shown]
        table(rows, ("day", "", *(">" + name for name in names)))
    agents: dict[str, list[int]] = {}
    for one in value["agents"]:
        sums = agents.setdefault(f"{one['tenant']}/{one['agent']}", [0, 0, 0])
        for place, name in enumerate(("memories", "accesses", "bytes")):
            sums[place] += one[name]
    if agents:
        console.print()
        largest = sorted(agents.items(), key=lambda one: (-one[1][0], one[0]))[:AGENTS]
        table(
            [(name, *(f"{n:,}" for n in sums)) for name, sums in largest],
            ("largest agents", ">memories", ">accesses", ">bytes"),
        )


def _told(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def _doctor(value: Mapping[str, Any], now: datetime) -> None:
    for check in value["checks"]:
        mark, style = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("?", "yellow")}[check.ok]
        hanging(4, (f"{mark} ", style), (check.name, "bold"), (f"  {check.detail}", "" if check.ok is False else "dim"))
    line(("All is well.", "green") if value["ok"] else ("Not all is well.", "bold red"))


SCREENS: dict[str, Callable[[Any, datetime], None]] = {
    "doctor": _doctor,
    "tick": _ticked,
    "roles": _roles,
    "runs": _runs,
    "daemon history": _runs,
    "daemon pause": _roles,
    "daemon resume": _roles,
    "daemon status": _status,
    "daemon stop": _daemons,
    "pause": _roles,
    "resume": _roles,
    "lifecycle": _switch,
    "metrics": _metrics,
    "alerts": _alerts,
}
