"""The screen of learning's health: does the loop live, and what does memory add?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engrain.model.report import counted
from engrain.shells.screen import age, bar, body, console, date, hanging, line, table

if TYPE_CHECKING:
    from engrain.model.decision import Drift
    from engrain.model.learning import LearningHealth, TaskGain, Week

MARKS = {
    "alive": ("✓", "green"), "silent": ("✗", "bold red"), "waiting": ("·", "yellow"), "nothing": ("·", "dim"),
    "unknown": ("?", "yellow"),
}  # fmt: skip
TASKS = 10  # lines of a screen
_SPARKS = "▁▂▃▄▅▆▇█"
TREND = (
    "  mean reward of what is known by more than a claim. Without memory: options drawn blindly, other actions than "
    "were advised, steps told without advice"
)


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
    told = {one.name: f"{one.n:,}" + (f" of {one.of:,}" if one.of is not None else "") for one in health.stages}
    wide, broad = max(len(stage.about) for stage in health.stages), max(map(len, told.values()))
    for stage in health.stages:
        mark, colour = MARKS[stage.state]
        moved = f"last {age(stage.last, now)}" if stage.last else "never in these days"
        when = (f"silent since {stage.since:%Y-%m-%d}", "bold red") if stage.since else (moved, "")
        names = (f"{mark} ", colour), (f"{stage.about:<{wide}}  ", "bold"), (f"{told[stage.name]:>{broad}}  ", "")
        hanging(4, *names, when)
        if stage.detail:
            body(stage.detail, 4, 3, "dim")
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
    _drifts(health, now)


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


def _drifts(health: LearningHealth, now: datetime) -> None:
    for one in health.drifts[:TASKS]:
        of = f", tenant {one.tenant}" if health.tenant is None and one.tenant != "default" else ""
        what = (f"drift of {one.drift.task_type} ", "bold"), (f"for agent {one.agent}{of}  ", "")
        hanging(2, *what, (age(one.drift.seen_at, now), "dim"), (fell(one.drift), ""))
    if (left := len(health.drifts) - TASKS) > 0:
        line((f"… and {counted(left, 'more drift')}", "dim"))


def fell(one: Drift) -> str:
    """What a drift was told by."""
    return f" by {one.action}: mean reward {one.before:+.2f} → {one.after:+.2f}; until {date(one.since)} counts little"


def _gain(one: TaskGain) -> tuple[str, ...]:
    return (
        one.task_type,
        f"{_number(one.advised_mean)} ({one.advised:,})",
        f"{_number(one.without_mean)} ({one.without:,})",
        _number(one.gain),
        _between(one.low, one.high),
    )


def _number(number: float | None) -> str:
    return "" if number is None else f"{number:+.2f}"


def _between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:+.2f} to {high:+.2f}"


SCREENS: dict[str, Callable[[Any, datetime], None]] = {"learning": _learning}
