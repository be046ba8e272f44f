"""Screens of problems and fixes: what helped, what failed, how often, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engrain.model.report import counted
from engrain.shells.plain import printable
from engrain.shells.screen import age, bar, body, date, hanging, line, table

if TYPE_CHECKING:
    from engrain.model.fix import (
        Diagnosis,
        Fix,
        FixesCleaned,
        FixImport,
        FixReport,
        FixStats,
        FixSum,
        Habit,
        IssueEdit,
        IssueInfo,
        KnownFix,
        Odds,
        TargetInfo,
    )  # fmt: skip

FEW, LINES = 5, 3
NOTHING = "Nothing was noted yet: engrain record-fix, or agent.record_fix()."
WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def share(odds: Odds) -> str:
    """``67 % (22–97)``, or that nothing is known."""
    if not odds.attempts:
        return "not known"
    return f"{100 * odds.value:.0f} % ({100 * odds.low:.0f}–{100 * odds.high:.0f})"


def ended(odds: Odds) -> str:
    """``3 of 4 verified, 2 only claimed``."""
    claimed = f", {odds.claimed:,} only claimed" if odds.claimed else ""
    return f"{odds.solved:,} of {odds.attempts:,} verified{claimed}"


def took(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def trend(ratio: float | None) -> str:
    """How the last 30 days compare with the 30 before."""
    if ratio is None:
        return "–"
    return "as before" if 0.8 <= ratio <= 1.25 else f"{ratio:.1f}× as often"


def verdict(one: Fix) -> tuple[str, str]:
    """What came of an attempt, as a word and its colour."""
    if not one.commands and one.analysis is None:
        return "seen", "dim"
    if one.success is None:
        return "open", "cyan"
    if not one.success:
        return "failed", "red"
    if not one.effective:
        return "did nothing", "yellow"
    return ("verified", "bold green") if one.verified else ("claimed", "yellow")


def _way(one: KnownFix, *, avoid: bool = False) -> None:
    colour = "red" if avoid else "green"
    head = "never worked" if avoid else share(one.odds)
    like = f", {100 * one.similarity:.0f} % alike" if one.similarity < 1 else ""
    hanging(4, ("  " + head, colour), (f"  {ended(one.odds)}", ""), (f"  from the same {one.level}" if one.level in
            ("issue", "target", "type") else f"  from a similar problem{like}", "dim"))  # fmt: skip
    for command in one.commands[:FEW]:
        body("$ " + command, 4, LINES, "bold")
    if len(one.commands) > FEW:
        line((f"    … and {counted(len(one.commands) - FEW, 'more command')}", "dim"))
    if one.analysis:
        body(one.analysis, 4, LINES, "dim")


def _diagnosis(one: Diagnosis, now: datetime) -> None:
    seen = (
        f"seen {counted(one.info.seen, 'time')}, last {age(one.info.last_at, now)}" if one.info else "not seen before"
    )
    hanging(2, ("issue ", ""), (one.issue, "bold"), (f"  {seen}", "dim"))
    if one.info:
        body(one.info.title, 2, 2)
    if one.fixes:
        line(("what worked", "bold"))
    for known in one.fixes:
        _way(known)
    if one.avoid:
        line(("what failed, and is not to be tried again", "bold"))
    for known in one.avoid:
        _way(known, avoid=True)
    if not one.fixes and not one.avoid:
        line(("Nothing is known that would help. Note what is tried: engrain record-fix.", "dim"))
    if one.target:
        seen = counted(one.target.seen, "attempt or sighting", "attempts and sightings")
        hanging(2, (one.target.target, "bold"), (f"  {seen}, ", ""),
                (f"{share(one.target.odds)} of attempts solved them", "dim"))  # fmt: skip
    for habit in one.info.habits if one.info else ():
        hanging(2, (_habit(habit), "yellow"))


def _habit(one: Habit) -> str:
    names = [WEEK[slot] if one.kind == "weekday" else f"{slot:02d}:00" for slot in one.slots]
    return f"it comes {one.ratio:.1f} times as often as usual at {', '.join(names)} UTC (chance: {one.p:.2g})"


def _fix(one: Fix, now: datetime) -> None:
    word, colour = verdict(one)
    hanging(2, ("noted ", "green"), (one.id, "bold"), ("  ", ""), (word, colour))
    line((f"  issue {one.issue}", "dim"))
    if one.commands and not one.effective:
        hanging(2, ("  its commands only say something: that is no fix", "yellow"))
    if word == "claimed":
        line((f"  it counts once verified: engrain fixes verify {one.id}", "dim"))


def _fixes(value: Mapping[str, Any], now: datetime) -> None:
    found: Sequence[Fix] = value["fixes"]
    if not found:
        line(("Nothing was noted in that time.", "dim"))
        return
    for one in found:
        told = " ".join((one.commands[0] if one.commands else one.analysis or one.message).split())
        word, colour = verdict(one)
        about = "  ".join([one.type, one.target or "–", *([f"by {one.fixer}"] if one.fixer else [])])
        hanging(2, (word, colour), (f"  {about}", ""), (f"  {age(one.occurred_at, now)}", "dim"))
        body(("$ " if one.commands else "") + told, 2, 2)
        line((f"  {one.id}", "dim"))  # what verify asks for


def _stats(one: FixStats, now: datetime) -> None:
    if not one.seen:
        line((NOTHING, "dim"))
        return
    table([
        ("noted", f"{one.seen:,}, {one.recent:,} of them in the last seven days"),
        ("tried", f"{one.tried:,}: {one.solved:,} verified, {one.claimed:,} only claimed, {one.failed:,} failed, "
                  f"{one.unknown:,} open"),
        ("solved", share(one.odds)),
        ("issues", f"{one.issues:,}, at {counted(one.targets, 'target')}"),
        ("types", _counts(one.types)),
        ("fixers", _counts(one.fixers)),
        ("since", date(one.first_at) if one.first_at else "–"),
        ("last", age(one.last_at, now) if one.last_at else "–"),
    ])  # fmt: skip


def _counts(names: Mapping[str, int]) -> str:
    top = sorted(names.items(), key=lambda item: (-item[1], item[0]))
    more = f", and {len(top) - FEW:,} more" if len(top) > FEW else ""
    return ", ".join(f"{name} {n:,}" for name, n in top[:FEW]) + more if top else "none named"


def _target(one: TargetInfo, now: datetime) -> None:
    hanging(2, (one.target, "bold"), (f"  {counted(one.seen, 'time')}, last {age(one.last_at, now)}", "dim"))
    table([
        ("solved", f"{share(one.odds)}: {ended(one.odds)}"),
        ("types", _counts(one.issues)),
        ("common", ", ".join(one.common[:FEW]) or "–"),
        ("trend", trend(one.trend)),
        ("since", date(one.first_at)),
    ])  # fmt: skip
    if one.fixes:
        line(("what works for it", "bold"))
    for known in one.fixes[:FEW]:
        _way(known)


def _targets(value: Mapping[str, Any], now: datetime) -> None:
    found: Sequence[TargetInfo] = value["targets"]
    if not found:
        line((NOTHING, "dim"))
        return
    rows = [(one.target, f"{one.seen:,}", share(one.odds), trend(one.trend), age(one.last_at, now)) for one in found]
    table(rows, ("target", ">noted", "solved", "trend", "last"))


def _issue(one: IssueInfo, now: datetime) -> None:
    hanging(2, (one.id, "bold"), (f"  {one.type}, by its {one.kind}", "cyan"))
    body(one.title, 2, LINES)
    table([
        ("seen", f"{counted(one.seen, 'time')}, {trend(one.trend)} in the last 30 days"
                 if one.trend is not None else counted(one.seen, "time")),
        ("solved", f"{share(one.odds)}: {ended(one.odds)}"),
        ("targets", _counts(one.targets)),
        ("first", date(one.first_at)),
        ("last", f"{date(one.last_at)}, {age(one.last_at, now)}"),
        ("signatures", ", ".join(one.raw[:FEW]) + (" …" if len(one.raw) > FEW else "")),
        ("related", ", ".join(one.related[:FEW]) or "–"),
    ])  # fmt: skip
    for habit in one.habits:
        hanging(2, (_habit(habit), "yellow"))
    if one.best:
        line(("best", "bold"))
        _way(one.best)


def _issues(value: Mapping[str, Any], now: datetime) -> None:
    found: Sequence[IssueInfo] = value["issues"]
    if not found:
        line((NOTHING, "dim"))
    for one in found:
        told = f"seen {counted(one.seen, 'time')}, last {age(one.last_at, now)}"
        more = f", {trend(one.trend)} as in the month before" if one.trend is not None else ""
        _brief(one, (one.type, "cyan"), (f"  {told}{more}, solved: {share(one.odds)}", ""))
        for habit in one.habits:
            hanging(4, ("  " + _habit(habit), "yellow"))
        if one.best:
            body("$ " + "; ".join(one.best.commands) if one.best.commands else str(one.best.analysis), 4, 1, "green")


def _brief(one: IssueInfo, *told: tuple[str, str]) -> None:
    """An issue among others: its title, what is told of it, its id to copy."""
    body(one.title, 0, 1, "bold")
    hanging(4, ("  ", ""), *told)
    line(("  " + one.id, "dim"))


def _ways(value: Mapping[str, Any], now: datetime) -> None:
    if not value["ways"]:
        line(("Nothing was verified yet; what is only claimed is not listed: engrain fixes verify.", "dim"))
        return
    kinds = dict.fromkeys(way["type"] for way in value["ways"])
    for kind in kinds:
        line((kind, "bold cyan"))
        for way in (way for way in value["ways"] if way["type"] == kind):
            body(way["title"], 2, 1)
            _way(way["fix"])


def _similar(value: Mapping[str, Any], now: datetime) -> None:
    hanging(2, ("issue ", ""), (value["issue"], "bold"), ("" if value["known"] else "  not seen before", "dim"))
    if not value["similar"]:
        line(("No other issue is like it.", "dim"))
        return
    for one in value["similar"]:
        solved = (f"  solved: {share(one['info'].odds)}", "")
        _brief(one["info"], (f"{100 * one['likeness']:.0f} % alike", "cyan"), solved)


def _context(value: Mapping[str, Any], now: datetime) -> None:
    if value["context"]:
        print(printable(value["context"]))
    else:
        line(("Nothing is known of it.", "dim"))


def _report(one: FixReport, now: datetime) -> None:
    hanging(2, (f"the last {counted(one.days, 'day')}", "bold"), (f"  since {date(one.since)}", "dim"))
    if not one.daily:
        line(("Nothing was noted in that time.", "dim"))
        return
    for title, sums in (("fixer", one.fixers), ("type", one.types), ("target", one.targets)):
        _sums(title, sums)
    line(("by day: noted, of which verified", "bold"))
    top = max(each.seen for each in one.daily)
    for each in one.daily[-31:]:
        hanging(2, (f"{each.day}  ", ""), (bar(each.seen / top), "cyan"), (f" {each.seen:,}, {each.odds.solved:,}", ""))


def _sums(title: str, sums: Sequence[FixSum]) -> None:
    head = (title, ">noted", ">tried", ">verified", "solved", ">took")
    rows = [
        (one.name, f"{one.seen:,}", f"{one.tried:,}", f"{one.odds.solved:,}", share(one.odds), took(one.seconds))
        for one in sums
    ]
    if rows:
        table(rows, head)
        line(("", ""))


def _edit(one: IssueEdit) -> str:
    return f"{one.signature} into {one.other}" if one.kind == "merge" else f"{one.signature} apart"


def _undone(value: Mapping[str, Any], now: datetime) -> None:
    one: IssueEdit | None = value["undone"]
    if one is None:
        line(("There is no merge or split to take back.", "dim"))
    else:
        hanging(2, ("taken back: ", "green"), (f"{one.kind} {_edit(one)}", ""), (f" ({one.reason})", "dim"))


def _edits(value: Mapping[str, Any], now: datetime) -> None:
    rows = [
        (age(one.at, now), one.kind, _edit(one), one.reason, "taken back" if one.undone_at else "holds")
        for one in value["edits"]
    ]
    table(rows, ("when", "what", "which", "why", "now"))


def _written(value: Mapping[str, Any], now: datetime) -> None:
    hanging(2, ("written ", "green"), (counted(value["fixes"], "fix", "fixes"), ""), (f"  {value['path']}", "dim"))


def _taken(one: FixImport, now: datetime) -> None:
    hanging(2, ("taken in ", "green"), (f"{one.added:,} new", "bold"),
            (f", {one.revised:,} with a newer outcome, {one.known:,} known already", ""))  # fmt: skip


def _cleaned(one: FixesCleaned, now: datetime) -> None:
    gone, note = ("would go", "nothing was changed") if one.dry_run else ("went", "no count is lost")
    hanging(2, (f"old attempts and sightings whose texts {gone}: {one.cleared:,}", "bold"),
            (f", of these verified solutions {one.solved:,}; {note}", "dim"))  # fmt: skip


SCREENS: dict[str, Callable[[Any, datetime], None]] = {
    "diagnose": _diagnosis,
    "record-fix": _fix,
    "record-fixes": _fixes,
    "fixes verify": _fix,
    "fixes stats": _stats,
    "fixes target": _target,
    "fixes targets": _targets,
    "fixes list": _fixes,
    "fixes recent": _fixes,
    "fixes successful": _ways,
    "fixes patterns": _issues,
    "fixes issue": _issue,
    "fixes similar": _similar,
    "fixes context": _context,
    "fixes report": _report,
    "fixes merge": _issue,
    "fixes split": _issue,
    "fixes undo": _undone,
    "fixes edits": _edits,
    "fixes export": _written,
    "fixes import": _taken,
    "fixes cleanup": _cleaned,
}
