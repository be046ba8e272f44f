"""Screens of trajectories, and of what looking for patterns came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engrain.model.report import counted
from engrain.shells.screen import age, body, hanging, line

if TYPE_CHECKING:
    from engrain.model.distill import PatternReport
    from engrain.model.pattern import Step, Trajectory

ENDS = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("?", "yellow")}
DONE = {
    "found": "green", "updated": "cyan", "merged": "yellow", "contradicts": "bold red", "deprecated": "yellow",
}  # fmt: skip
NONE = "No trajectory is there. To keep one: engrain trajectories add TASK STEPS, a JSON object a line."
NOTHING = "Nothing to change: there is not enough evidence of anything new, and what is there is in order."
LINES = 3  # of an output


def _head(one: Trajectory, now: datetime) -> None:
    mark, style = ENDS[one.success]
    kind = f"  {one.task_type}" if one.task_type else ""
    hanging(4, (f"{mark} ", style), (" ".join(one.task.split()), "bold"), (kind, "cyan"))
    steps = counted(len(one.steps), "step")
    hanging(4, (f"    {one.evidence}: {one.why}; {steps}, {age(one.created_at, now)}", "dim"))


def _trajectories(value: Mapping[str, Any], now: datetime) -> None:
    found: Sequence[Trajectory] = value["trajectories"]
    if not found:
        hanging(0, (NONE, "dim"))
    for one in found:
        _head(one, now)
        line((f"    {one.id}", "dim"))


def _trajectory(one: Trajectory, now: datetime) -> None:
    _head(one, now)
    line((f"    {one.id}", "dim"))
    for number, step in enumerate(one.steps, 1):
        bad = _bad(step)
        mark, style = ENDS[None if bad is None else not bad]
        hanging(6, (f"{number:3d} {mark if bad is not None else ' '} ", style), (" ".join(step.action.split()), ""))
        told = [f"tests {step.tests[0]} passed, {step.tests[1]} failed"] if step.tests else []
        told += [f"exit code {step.exit_code}"] if step.exit_code is not None else []
        if told:
            body("; ".join(told), 6, 1, "dim")
        if step.output and step.output.strip():
            body(step.output, 6, LINES, "dim")
    if one.distilled:
        hanging(4, ("patterns: ", "dim"), (", ".join(one.distilled), ""))


def _bad(step: Step) -> bool | None:
    """Whether a step says that it failed."""
    if step.tests and any(step.tests):
        return step.tests[1] > 0
    if step.exit_code is not None:
        return step.exit_code != 0
    return None if step.success is None else not step.success


def _report(report: PatternReport, now: datetime) -> None:
    if not report.changes:
        hanging(0, (NOTHING, "dim"))
    agents = len({(one.tenant, one.agent) for one in report.changes})
    for one in report.changes:
        whose = f"  {one.tenant}/{one.agent}" if agents > 1 else ""
        hanging(4, (f"{one.what} ", DONE[one.what]), (one.title, "bold"), (whose, "cyan"))
        body(f"{one.source}: {one.reason}", 4, LINES, "dim")
        line((f"    {one.pattern}" + (f" → {one.other}" if one.other else ""), "dim"))
    looked = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in report.looked.items())
    hanging(2, ("looked at: ", "dim"), (looked, "dim"))
    if report.dry_run and report.changes:
        line(("A dry run: nothing was changed.", "yellow"))


SCREENS: dict[str, Callable[[Any, datetime], None]] = {
    "trajectories add": _trajectory,
    "trajectories list": _trajectories,
    "trajectories show": _trajectory,
    "trajectories distill": _report,
    "patterns discover": _report,
    "patterns consolidate": _report,
}
