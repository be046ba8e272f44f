"""Screens of learning offline: dreams, policies, their record, and why something is advised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engrain.model.report import counted
from engrain.shells.plain import dumped, printable
from engrain.shells.render_loop import fell
from engrain.shells.screen import age, body, console, date, hanging, line, table

if TYPE_CHECKING:
    from engrain.model.learning import Belief, Choice, Explanation, PolicyDiff
    from engrain.model.policy import Dream, PolicyEvent, PolicyInfo
    from engrain.model.run import RoleState

STYLES = {"live": "bold green", "candidate": "cyan", "shadow": "yellow", "retired": "dim"}
TASKS, CHANGES, OPTIONS, EVENTS = 10, 20, 10, 10  # lines of a screen
DREAMS = {"completed": "green", "failed": "bold red", "interrupted": "yellow", "running": "cyan", "pending": "dim"}
OUTCOMES = {
    "promoted": "bold green", "shadow": "cyan", "retired": "yellow", "refused": "yellow", "unchanged": "cyan",
    "skipped": "dim", "failed": "bold red",
}  # fmt: skip


# -- dreams -----------------------------------------------------------------------------------------------------------


def _dream(one: Dream, now: datetime) -> None:
    begun = one.started_at or one.requested_at
    dry = "dry " if one.findings.get("dry") else ""
    hanging(2, (f"{dry}dream ", "bold"), (one.id or "that nobody kept", "bold"), ("  ", ""),
            (one.state, DREAMS.get(one.state, "")), (f" in {one.phase}" if one.state == "interrupted" else "", ""),
            (f"  {age(begun, now)}, {one.steps:,} of {one.budget:,} steps, seed {one.seed}", "dim"))  # fmt: skip
    if one.error:
        hanging(2, ("  " + one.error, "red" if one.state == "failed" else "yellow"))
    found = one.findings.get("findings") or ()
    for each in found[:TASKS]:
        whose = f" of {each['agent']}" if each.get("agent") else ""
        version = f" version {each['version']}" if each.get("version") else ""
        hanging(4, (f"  {each['outcome']}", OUTCOMES.get(str(each["outcome"]), "cyan")),
                (f" {each['task_type']}{whose}{version}", "bold"), (f": {each.get('reason', '')}", ""))  # fmt: skip
    if len(found) > TASKS:
        line((f"  … and {counted(len(found) - TASKS, 'more finding')}; engrain dream report", "dim"))
    if not found and one.state == "completed":
        line(("  nothing had come in that was not learned from", "dim"))


def _dream_status(value: Mapping[str, Any], now: datetime) -> None:
    for one in value["dreams"]:
        _dream(one, now)
    if not value["dreams"]:
        line(("Nothing was dreamt yet: engrain dream run, or the role learn.", "dim"))
    role: RoleState = value["role"]
    due = "now" if role.due_at <= now else date(role.due_at)
    hanging(2, (f"the role learn is {role.state}, due {due}", "dim"), (f": {role.note}" if role.note else "", "yellow"))


def _dreams(value: Mapping[str, Any], now: datetime) -> None:
    rows = [
        (one.id, one.state, age(one.started_at or one.requested_at, now), one.reason, f"{one.steps:,}", _results(one))
        for one in value["dreams"]
    ]
    table(rows, ("id", "state", "when", "because", ">steps", "came to"))


def _results(one: Dream) -> str:
    told = [f"{n:,} {name}" for name in OUTCOMES if (n := int(one.findings.get(name, 0)))]
    return one.error or ", ".join(told) or "nothing new"


def _drifts(value: Mapping[str, Any], now: datetime) -> None:
    for one in value["drifts"]:
        hanging(2, (one.task_type, "bold"), (f"  {age(one.seen_at, now)}", "dim"), (fell(one), ""))
    if not value["drifts"]:
        told = f"No drift was seen in what agent {value['agent']} has observed."
        hanging(2, (f"{told} engrain learning lists those of all agents.", "dim"))


# -- policies ---------------------------------------------------------------------------------------------------------


def _policies(value: Mapping[str, Any], now: datetime) -> None:
    found: Sequence[PolicyInfo] = value["policies"]
    many = len({one.tenant for one in found}) > 1
    rows = [
        (
            *([one.tenant] if many else []),
            one.task_type,
            f"{one.version}",
            one.agent or "all",
            one.state,
            age(one.made_at, now),
            _number(_estimate(one, "candidate").get("value")),
            _number(one.told_mean),
        )
        for one in found
    ]
    head = ("task type", ">version", "agents", "state", "made", ">expected", ">came")
    table(rows, (*(["tenant"] if many else []), *head))


def _policy(one: PolicyInfo, now: datetime) -> None:
    whose = f"agent {one.agent} of tenant {one.tenant}" if one.agent else f"all agents of tenant {one.tenant}"
    since = f" since {date(one.live_at)}" if one.state == "live" and one.live_at else ""
    hanging(
        2,
        (f"{one.task_type} version {one.version}", "bold"),
        ("  ", ""),
        (one.state, STYLES[one.state]),
        (f"{since}, for {whose}", ""),
    )
    if reason := one.metrics.get("reason"):
        hanging(2, ("  " + str(reason), ""))
    before = f"version {one.parent}" if one.parent else "the online learner"
    unit = str(one.data.get("unit") or "outcome")
    came = "nothing yet" if one.told_mean is None else f"{one.told_mean:+.3f} on {counted(one.told, 'outcome')}"
    table(
        [
            ("expected", _estimated(_estimate(one, "candidate"), unit)),
            ("against", f"{before}: {_estimated(_estimate(one, 'live'), unit)}"),
            *(("also", _again(other)) for other in one.metrics.get("others", ())),
            ("came", came),
            ("trained on", _data(one)),
            (
                "made",
                f"{date(one.made_at)} by {f'dream {one.dream}' if one.dream else 'an import'}, engrain {one.code}",
            ),
            ("kind", f"{one.kind}, discount {one.discount:g}, seed {one.seed}"),
        ]
    )


def _estimate(one: PolicyInfo, name: str) -> Mapping[str, Any]:
    found = one.metrics.get(name)
    return found if isinstance(found, Mapping) else {}


def _estimated(one: Mapping[str, Any], unit: str = "outcome") -> str:
    """An estimate in words. ``unit``: episode, or what else it is counted in."""
    if not one:
        return "not judged yet"
    if one.get("refused"):
        return f"not known: {one['refused']}"
    if one.get("value") is None:
        return f"not known ({one.get('method')})"
    sure = f"{_span(one)} at {100 * one['confidence']:.4g} %; " if one.get("low") is not None else ""
    on = f"{counted(int(one['n']), unit if unit == 'episode' else 'outcome')}, in effect {one['effective']:.0f}"
    return f"{one['value']:+.3f} ({sure}{one['method']} on {on})"


def _again(one: Mapping[str, Any]) -> str:
    """Another estimate of the same, from the same outcomes."""
    if one.get("refused") or one.get("value") is None:
        return f"by {one['method']}: not known"
    return f"by {one['method']}: {one['value']:+.3f}" + (f" ({_span(one)})" if one.get("low") is not None else "")


def _span(one: Mapping[str, Any]) -> str:
    return f"{one['low']:+.3f} to {one['high']:+.3f}"


def _data(one: PolicyInfo) -> str:
    """What a version was trained on."""
    told = [counted(int(one.data["rows"]), "outcome")] if one.data.get("rows") is not None else []
    told += [" to ".join(str(one.data[name])[:10] for name in ("from", "to") if one.data.get(name))]
    told += [counted(int(one.data["lineages"]), "source")] if one.data.get("lineages") is not None else []
    return ", ".join(part for part in told if part) or "not told"


def _diff(one: PolicyDiff, now: datetime) -> None:
    before = f"version {one.before.version}" if one.before else "the online learner"
    hanging(2, (f"{one.task_type}: {before} → version {one.after.version}", "bold"))
    share = "" if one.share is None else f", with {one.share:.0%} of all outcomes"
    gone = [
        f"{one.gained:,} it alone knows" if one.gained else "",
        f"{one.lost:,} it does not know" if one.lost else "",
    ]
    parts = f" ({', '.join(part for part in gone if part)})" if any(gone) else ""
    hanging(2, (f"another choice in {one.changed:,} of {counted(one.states, 'state')}{parts}{share}", ""))
    was = _data(one.before) if one.before else "every outcome, as it comes"
    unit = str(one.after.data.get("unit") or "outcome")
    table(
        [
            ("trained on", f"{was} → {_data(one.after)}"),
            ("expected", " → ".join(_estimated(_estimate(one.after, name), unit) for name in ("live", "candidate"))),
        ]
    )
    if not one.changes:
        return
    console.print()
    rows = [
        (f"{change.outcomes:,}", _state(change.state), _choice(change.before), _choice(change.after))
        for change in one.changes[:CHANGES]
    ]
    table(rows, (">outcomes", "state", "before", "after"))
    if (left := one.changed - len(rows)) > 0:
        line((f"… and {left:,} more; --json has {len(one.changes):,} of them", "dim"))


def _choice(one: Choice) -> str:
    if one.action is None:
        return "online"
    worth = "" if one.value is None else f" {one.value:+.2f}"
    return f"{one.action}{worth} ({one.visits:g}×)" if one.visits is not None else f"{one.action}{worth}"


def _state(state: Mapping[str, Any] | None) -> str:
    if state is None:
        return "(no outcomes any more)"
    return (
        ", ".join(f"{name} {part if isinstance(part, str) else dumped(part)}" for name, part in state.items()) or "{}"
    )


def _history(value: Mapping[str, Any], now: datetime) -> None:
    _events(value["events"], now)


def _events(events: Sequence[PolicyEvent], now: datetime) -> None:
    for one in events:
        style = {"promoted": "green", "refused": "yellow", "rolled-back": "bold red"}.get(one.event, "cyan")
        whose = f"{one.task_type} {one.version}" + (f" of {one.agent}" if one.agent else "")
        hanging(
            2,
            (one.event, style),
            (f" {whose}", "bold"),
            (f"  {age(one.at, now)} by {one.actor}: ", "dim"),
            (one.reason, ""),
        )
    if not events:
        line(("Nothing has happened to a policy yet.", "dim"))


def _live(value: Mapping[str, Any], now: datetime) -> None:
    one: PolicyInfo | None = value["live"]
    told = "the online learner advises now" if one is None else f"version {one.version} of {one.task_type} advises now"
    line((told, "green"))


def _written(counts: Mapping[str, int], now: datetime) -> None:
    line((f"written: {', '.join(f'{n:,} {what}' for what, n in counts.items())}", "green"))


# -- why --------------------------------------------------------------------------------------------------------------


def _explanation(one: Explanation, now: datetime) -> None:
    if one.decision is not None:
        choice = one.decision.action or "(nothing)"
        hanging(
            2,
            (f"{one.task_type} → {choice}", "bold"),
            (f"  {one.agent}, {date(one.decision.at)}{', archived' if one.decision.archived else ''}", "dim"),
        )
    else:
        whom = f"agent {one.agent}" if one.agent else "an agent without outcomes"
        hanging(2, (f"{one.task_type}, now", "bold"), (f"  to {whom}", "dim"))
    hanging(2, ("in ", "dim"), (_state(one.state), ""))
    console.print()
    for sentence in one.why:
        hanging(2, (sentence, ""))
    if one.options:
        console.print()
        _options(one)
    if one.exploration is not None:
        line((f"exploration: {one.exploration:.1%} of the probability", "dim"))
    if one.decision is not None or one.agent:
        console.print()
        _came(one)
    if one.events:
        console.print()
        _events(one.events[:EVENTS], now)


def _options(one: Explanation) -> None:
    ruled = any(option.ruled is not None for option in one.options)
    rows = [
        (
            _percent(option.chance),
            option.action,
            *((_percent(option.ruled), _number(option.long_run), _visits(option)) if ruled else ()),
            _number(option.value),
            _between(option.low, option.high),
        )
        for option in one.options[:OPTIONS]
    ]
    policy = (">policy", ">long run", ">visits") if ruled else ()
    table(rows, (">chance", "option", *policy, ">expected", "90 % sure"))
    if (left := len(one.options) - len(rows)) > 0:
        line((f"… and {counted(left, 'more option')}", "dim"))
    for source in one.options[0].evidence:
        behind = f", e.g. {source.decisions[0]}" if source.decisions else ""
        body(
            f"{one.options[0].action}, {source.level}: {_weighed(source.visits)}, mean {source.mean:+.2f}{behind}",
            2,
            2,
            "dim",
        )


def _came(one: Explanation) -> None:
    if one.decision is not None:
        outcome = one.outcome
        if outcome is None:
            line(("no outcome was told yet", "yellow"))
        else:
            known = {True: "success", False: "failure", None: "not known yet"}[outcome.outcome.success]
            reward = "" if outcome.reward is None else f", reward {outcome.reward:+.2f}"
            other = f" of {outcome.action}, which was taken instead" if outcome.action != one.decision.action else ""
            line((f"outcome{other}: {known} ({outcome.outcome.evidence}){reward}", "bold"))
    since = "since then" if one.decision is not None else "in the last 30 days"
    told = ", ".join(f"{each.action} {each.mean:+.2f} ({counted(each.n, 'outcome')})" for each in one.since)
    if one.agent:
        hanging(2, (f"{since}, in this state: {told or 'no outcome'}", "dim"))


def _weighed(outcomes: float) -> str:
    """How many outcomes something rests on; what is less alike counts in part."""
    if outcomes == round(outcomes):
        return counted(round(outcomes), "outcome")
    return f"{outcomes:,.0f} outcomes" if outcomes >= 100 else f"{outcomes:.2g} outcomes"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _number(number: float | None) -> str:
    return "" if number is None else f"{number:+.2f}"


def _visits(option: Belief) -> str:
    return "" if option.visits is None else f"{option.visits:g}"


def _between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:+.2f} to {high:+.2f}"


SCREENS: dict[str, Callable[[Any, datetime], None]] = {
    "drifts": _drifts,
    "dream run": _dream,
    "dream request": _dream,
    "dream status": _dream_status,
    "dream history": _dreams,
    "dream report": lambda report, now: print(printable(report.markdown), end=""),
    "dream report --html": lambda report, now: print(report.html, end=""),
    "policy promote": _policy,
    "policy export": lambda one, now: line((f"written: version {one.version} of {one.task_type}", "green")),
    "policy import": _policy,
    "export-experiences": lambda counts, now: line(
        (f"written: {', '.join(f'{n:,} {what}' for what, n in counts.items())}", "green")
    ),
    "policy list": _policies,
    "policy show": _policy,
    "policy diff": _diff,
    "policy history": _history,
    "policy rollback": _live,
    "policy explain": _explanation,
}
