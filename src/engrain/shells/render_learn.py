"""Screens of learning offline: policies, their record, and whether the loop lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from engrain.model.report import counted
from engrain.shells.plain import dumped
from engrain.shells.screen import age, bar, body, columns, console, date, hanging, line, put, table

if TYPE_CHECKING:
    from engrain.model.learning import Belief, Choice, Explanation, LearningHealth, PolicyDiff, TaskGain, Week
    from engrain.model.policy import PolicyEvent, PolicyInfo

STYLES = {"live": "bold green", "candidate": "cyan", "shadow": "yellow", "retired": "dim"}
MARKS = {"alive": ("✓", "green"), "silent": ("✗", "bold red"), "waiting": ("·", "yellow"), "nothing": ("·", "dim")}
TASKS, CHANGES, OPTIONS, EVENTS = 10, 20, 10, 10  # lines of a screen
_SPARKS = "▁▂▃▄▅▆▇█"
TREND = (
    "  mean reward of what is known by more than a claim. Without memory: options drawn blindly, other actions than "
    "were advised, steps told without advice"
)


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
    came = "nothing yet" if one.told_mean is None else f"{one.told_mean:+.3f} on {counted(one.told, 'outcome')}"
    table(
        [
            ("expected", _estimated(_estimate(one, "candidate"))),
            ("against", f"{before}: {_estimated(_estimate(one, 'live'))}"),
            *(("also", _estimated(other)) for other in one.metrics.get("others", ())),
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


def _estimated(one: Mapping[str, Any]) -> str:
    """An estimate in words."""
    if not one:
        return "not judged yet"
    if one.get("refused"):
        return f"not known: {one['refused']}"
    if one.get("value") is None:
        return f"not known ({one.get('method')})"
    sure = f"{one['low']:+.3f} to {one['high']:+.3f} at {one['confidence']:.0%}" if one.get("low") is not None else ""
    on = f"{counted(int(one['n']), 'outcome')}, in effect {one['effective']:.0f}"
    return f"{one['value']:+.3f} ({f'{sure}; ' if sure else ''}{one['method']} on {on})"


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
    table(
        [
            ("trained on", f"{was} → {_data(one.after)}"),
            (
                "expected",
                f"{_estimated(_estimate(one.after, 'live'))} → {_estimated(_estimate(one.after, 'candidate'))}",
            ),
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
            f"{one.options[0].action}, {source.level}: {source.visits:.3g} outcomes, mean {source.mean:+.2f}{behind}",
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


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _number(number: float | None) -> str:
    return "" if number is None else f"{number:+.2f}"


def _visits(option: Belief) -> str:
    return "" if option.visits is None else f"{option.visits:g}"


def _between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:+.2f} to {high:+.2f}"


# -- the loop ---------------------------------------------------------------------------------------------------------


def _learning(value: Mapping[str, Any], now: datetime) -> None:
    health: LearningHealth = value["health"]
    state, style = {
        True: ("it lives", "bold green"),
        False: ("not all of it lives", "bold red"),
        None: ("nothing is known yet", "yellow"),
    }[health.alive]
    of = f", tenant {health.tenant}" if health.tenant else ""
    hanging(
        2,
        ("learning: ", "bold"),
        (state, style),
        (f"  {date(health.at)}, the last {counted(health.days, 'day')}{of}", "dim"),
    )
    grid = columns([""] * 4, shown=False)
    grid.columns[2].justify = "right"
    for stage in health.stages:
        mark, colour = MARKS[stage.state]
        share = f" of {stage.of:,}" if stage.of is not None else ""
        moved = f"last {age(stage.last, now)}" if stage.last else "never in these days"
        when = (f"silent since {stage.since:%Y-%m-%d}", "bold red") if stage.since else (moved, "")
        grid.add_row(Text(mark, colour), Text(stage.about, "bold"), Text(f"{stage.n:,}{share}"), Text(*when))
        if stage.detail:
            grid.add_row("", Text("  " + stage.detail, "dim"))
    put(grid)
    for note in health.notes:
        hanging(2, ("! ", "yellow"), (note, "yellow"))
    if health.canary is None:
        line(("? canary: never flown; engrain learning --canary", "dim"))
    else:
        mark, colour = ("✓", "green") if health.canary.ok else ("✗", "bold red")
        hanging(
            2,
            (f"{mark} ", colour),
            ("canary ", "bold"),
            (f"{age(health.canary.at, now)}: {health.canary.detail}", "dim"),
        )
    if any(week.advised or week.without for week in health.weeks):
        _weeks(health.weeks)
    _gains(health)


def _weeks(weeks: Sequence[Week]) -> None:
    console.print()
    first = next(place for place, week in enumerate(weeks) if week.advised or week.without)
    means = [mean for week in weeks for mean in (week.advised_mean, week.without_mean) if mean is not None]
    least, most = min(means), max(means)
    rows = [
        (
            f"{week.begins:%Y-%m-%d}",
            _number(week.advised_mean),
            bar(_place(week.advised_mean, least, most)),
            f"{week.advised:,}" if week.advised else "",
            _number(week.without_mean),
            f"{week.without:,}" if week.without else "",
        )
        for week in weeks[first:]
    ]
    table(rows, ("week of", ">with memory", "", ">outcomes", ">without memory", ">outcomes"))
    sparks = "".join(_spark(week.advised_mean, least, most) for week in weeks)
    hanging(2, (f"with memory {sparks}", "green"), (TREND, "dim"))


def _place(mean: float | None, least: float, most: float) -> float:
    """Where a mean lies among those that are shown, from a little above 0 to 1."""
    if mean is None:
        return 0.0
    return 1.0 if most <= least else 0.1 + 0.9 * (mean - least) / (most - least)


def _spark(mean: float | None, least: float, most: float) -> str:
    if mean is None:
        return " "
    return _SPARKS[round(_place(mean, least, most) * (len(_SPARKS) - 1))]


def _gains(health: LearningHealth) -> None:
    known = [one for one in health.tasks if one.gain is not None]
    if known:
        console.print()
        table([_gain(one) for one in known[:TASKS]], ("task type", ">with memory", ">without", ">gain", "90 % sure"))
    if health.worse is None:
        line(("where memory made it worse: not known, no task type has 10 outcomes on both sides", "dim"))
    else:
        hanging(2, (f"where memory made it worse: {health.worse:.0%} of the advised outcomes, by task type", "bold"))
    one = health.calibration
    if one.expected is not None and one.observed is not None:
        told = f"expected {one.expected:+.2f}, came {one.observed:+.2f} on {counted(one.n, 'outcome')}"
        inside = (
            f"; {one.inside:.0%} of single outcomes within the interval of the mean" if one.inside is not None else ""
        )
        hanging(2, (told, "bold"), (inside, "dim"))
        if len(one.bins) > 1:
            rows = [
                (
                    f"{each.least:+.1f} to {each.most:+.1f}",
                    f"{each.n:,}",
                    f"{each.expected:+.2f}",
                    f"{each.observed:+.2f}",
                    "" if each.error is None else f"± {each.error:.2f}",
                )
                for each in one.bins
            ]
            table(rows, ("expected", ">outcomes", ">on average", ">came", ""))


def _gain(one: TaskGain) -> tuple[str, ...]:
    return (
        one.task_type,
        f"{_number(one.advised_mean)} ({one.advised:,})",
        f"{_number(one.without_mean)} ({one.without:,})",
        _number(one.gain),
        _between(one.low, one.high),
    )


SCREENS: dict[str, Callable[[Any, datetime], None]] = {
    "learning": _learning,
    "policy list": _policies,
    "policy show": _policy,
    "policy diff": _diff,
    "policy history": _history,
    "policy rollback": _live,
    "policy explain": _explanation,
}
