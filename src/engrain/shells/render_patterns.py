"""Screens of the pattern bank, and of what an agent has learned as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engrain.model.report import counted
from engrain.shells.plain import printable
from engrain.shells.screen import age, bar, body, console, date, hanging, line, table

if TYPE_CHECKING:
    from engrain.model.distill import PatternReport
    from engrain.model.learned import Learned, LearnedDay
    from engrain.model.pattern import Belief, Pattern, PatternHit, Trajectory
    from engrain.model.translation import Note, Translation

STATES = {"active": "green", "quarantined": "bold red", "deprecated": "yellow", "merged": "dim"}
TIERS = {"short": "new", "long": "proven"}
LINES = 3  # of a pattern's words in a list
BESIDE = {
    "similar": "like", "duplicate": "perhaps the same as", "contradicts": "contradicts", "refines": "refines",
    "translates": "translated from",
}  # fmt: skip
NONE = "No pattern is there{}. To keep one: engrain patterns add TITLE CONTENT."


def _patterns(value: Mapping[str, Any], now: datetime) -> None:
    hits: Sequence[PatternHit] = value["patterns"]
    if not hits:
        hanging(0, (NONE.format(" that fits"), "dim"))
    for rank, hit in enumerate(hits, 1):
        _head(hit.pattern, f"{rank:2d}  ")
        if hit.pattern.description or hit.pattern.content:
            body(hit.pattern.description or hit.pattern.content, 4, LINES)
        found = [f"score {hit.score:.2f}"] if hit.why else []
        found += [f"worth {hit.draw:.2f} by a draw"] if hit.draw is not None else []
        if found:
            body("; ".join(found), 4, 1, "dim")
        for other in hit.contradicts:
            hanging(4, ("    but ", "yellow"), (other.title, "bold"), (f"  {other.id}", "dim"))
        line(("    " + hit.pattern.id, "dim"))
        if rank < len(hits):
            console.print()


def _head(one: Pattern, before: str = "") -> None:
    avoid = [("avoid ", "bold red")] if one.polarity == "avoid" else []
    names = [one.kind, *(name for name in (one.framework, one.language, one.domain, one.task_type) if name), *one.tags]
    hanging(4, (before, "dim"), *avoid, (one.title, "bold"), ("  ", ""), (" · ".join(names), "cyan"))
    state = [] if one.state == "active" else [(f", {one.state}", STATES[one.state])]
    hanging(4, ("    " if before else "", ""), (_odds(one.belief), "green" if one.tier == "long" else ""),
            (f"; {TIERS[one.tier]}", "dim"), *state)  # fmt: skip


def _odds(belief: Belief) -> str:
    """How sure it is that a pattern helps."""
    if belief.lineages == 0:
        return "not tried yet"
    share = f"helps in {belief.value:.0%} ({belief.low:.0%} to {belief.high:.0%}), {counted(belief.lineages, 'source')}"
    if belief.contrast is None or belief.contrast_low is None or belief.contrast_high is None:
        return share
    between = f"({belief.contrast_low:+.0%} to {belief.contrast_high:+.0%})"
    return f"{share}; {belief.contrast:+.0%} beside tasks without it {between}"


def _pattern(one: Pattern, now: datetime) -> None:
    _head(one)
    line((one.id, "dim"))


def _shown(value: Mapping[str, Any], now: datetime) -> None:
    one: Pattern = value["pattern"]
    _head(one)
    for text in (one.description, one.content):
        if text.strip():
            console.print()
            body(text, 0, 40)
    if one.template:
        console.print()
        print(printable(one.template.rstrip()))
    console.print()
    told = f"{one.applied} times applied, {one.helpful} helpful, {one.unhelpful} not; shown {one.shown} times"
    last = f"; last used {age(one.last_used_at, now)}" if one.last_used_at else ""
    rows = [("id", one.id), ("used", told + last), ("seen by", one.visibility), ("from", _origin(one))]
    rows += [("merged into", one.merged_into)] if one.merged_into else []
    rows += [("made", f"{date(one.created_at)} by {one.agent}")]
    table(rows)
    for note in one.provenance.get("notes") or ():
        hanging(2, ("  note: ", "yellow"), (_note(note.get("line"), note.get("text", "")), ""))
    for link in value["links"]:
        here, other = (link.source, link.target) if link.source == one.id else (link.target, link.source)
        words = BESIDE[link.kind] if here == link.source or link.kind != "translates" else "translated to"
        title = value["titles"].get(other, "")
        hanging(2, (f"  {words} ", "cyan"), (title, "bold"), (f"  {other}", "dim"))
    events = [(age(event.at, now), event.event, event.reason, event.actor) for event in value["history"]]
    if events:
        console.print()
        table(events, ("when", "what became of it", "why", "by"))
    uses = [(age(use.at, now), use.stage, _came(use.success), use.evidence, use.source or "") for use in value["uses"]]
    if uses:
        console.print()
        table(uses, ("when", "use", "came to", "known by", "source"))


def _origin(one: Pattern) -> str:
    ids = one.provenance.get("ids") or ()
    return " ".join([str(one.provenance.get("source", "hand")), *(str(id_) for id_ in list(ids)[:3])])


def _came(success: bool | None) -> str:
    return "not known" if success is None else "good" if success else "no good"


def _translation(value: Translation, now: datetime) -> None:
    print(printable(value.text.rstrip()))
    _notes(value.notes)


def _notes(notes: Sequence[Note]) -> None:
    for number, note in enumerate(notes):
        if not number:
            console.print()
        hanging(2, ("note: ", "yellow"), (_note(note.line, note.text), ""))


def _note(at: int | None, text: str) -> str:
    return f"line {at}: {text}" if at else text


def _mapped(one: Pattern, now: datetime) -> None:
    _pattern(one, now)
    for note in one.provenance.get("notes") or ():
        hanging(2, ("note: ", "yellow"), (_note(note.get("line"), note.get("text", "")), ""))
    line((f"engrain patterns show {one.id}", "dim"))


def _stats(value: Mapping[str, Any], now: datetime) -> None:
    if not value["total"]:
        hanging(0, (NONE.format(""), "dim"))
        return
    uses = ", ".join(f"{n:,} {name}" for name, n in value["uses"].items())
    line((counted(value["total"], "pattern"), "bold"), (f", {value['unused']:,} not tried yet; {uses}", ""))
    rows = [
        (name, key, f"{n:,}", bar(n / value["total"]))
        for name in ("kind", "tier", "state", "polarity")
        for key, n in sorted(value[f"by_{name}"].items(), key=lambda one: (-one[1], one[0]))
    ]
    table(rows, ("by", "", ">patterns", ""))


def _exported(value: Any, now: datetime) -> None:
    line((f"{counted(value.patterns, 'pattern')} with {counted(value.uses, 'use')} written to {value.path}", ""))


def _imported(value: Any, now: datetime) -> None:
    told = f"{counted(value.imported, 'pattern')} new, {value.known:,} known already, {counted(value.uses, 'new use')}"
    line((f"{told}, {counted(value.links, 'link')}", ""))


# -- what an agent has learned ----------------------------------------------------------------------------------------


def _status(value: Mapping[str, Any], now: datetime) -> None:
    found: Sequence[Learned] = value["learned"]
    if not found:
        hanging(0, ("Nothing was learned yet: engrain advise, then engrain observe what came of it.", "dim"))
    rows = [
        (
            one.task_type,
            f"{one.decisions:,}",
            f"{one.visits:,}",
            _share(one.good, one.outcomes),
            _number(one.mean_reward),
            f"{one.best} ({one.best_mean:+.2f})" if one.best is not None and one.best_mean is not None else "",
            f"version {one.policy}" if one.policy else "online",
            age(one.last_at, now) if one.last_at else "",
        )
        for one in found
    ]
    if rows:
        table(rows, ("task type", ">decided", ">outcomes", ">good", ">reward", "best so far", "advised by", "last"))
    drifted = [one for one in found if one.drifts]
    for one in drifted:
        line((f"{one.task_type} has drifted {counted(one.drifts, 'time')}: engrain drifts {one.task_type}", "yellow"))
    patterns = value["patterns"]
    proven = patterns["by_tier"].get("long", 0)
    line((f"{counted(patterns['total'], 'pattern')}, {proven:,} proven, {patterns['unused']:,} not tried yet", "dim"))


def _days(value: Mapping[str, Any], now: datetime) -> None:
    found: Sequence[LearnedDay] = value["days"]
    if not found:
        hanging(0, ("Nothing was observed in these days.", "dim"))
        return
    rows = [
        (one.day, one.task_type, f"{one.experiences:,}", _share(one.good, one.outcomes), _number(one.mean_reward),
         bar(one.good / one.outcomes) if one.outcomes else "")
        for one in found
    ]  # fmt: skip
    table(rows, ("day", "task type", ">experiences", ">good", ">reward", ""))


def _share(good: int, of: int) -> str:
    return f"{good / of:.0%}" if of else ""


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"


def _learning_exported(value: Any, now: datetime) -> None:
    told = f"{counted(value.experiences, 'experience')}, {counted(value.decisions, 'decision')}"
    line((f"{told} and {counted(value.q_values, 'value')} written to {value.path}", ""))


def _reset(value: Any, now: datetime) -> None:
    line((f"{value.task_type} begins anew. Taken away: ", "bold"))
    names = ("experiences", "archived", "decisions", "q_values", "policies")
    table([(name.replace("_", "-"), f"{getattr(value, name):,}") for name in names])
    hanging(0, (f"All of it was first written to {value.path}", "dim"))


def _report(value: PatternReport, now: datetime) -> None:
    looked = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in value.looked.items())
    line((("would be done; " if value.dry_run else "") + f"looked at {looked or 'nothing'}", "dim"))
    for one in value.changes:
        hanging(2, (one.what, "bold"), (f" {one.title}", "cyan"), (f": {one.reason}", ""), (f"  {one.pattern}", "dim"))
    if not value.changes:
        line(("There is nothing to change.", "dim"))


def _trajectory(one: Trajectory, now: datetime) -> None:
    kind = f"  {one.task_type}" if one.task_type else ""
    hanging(2, (one.task, "bold"), (kind, "cyan"), (f"  {age(one.created_at, now)}", "dim"))
    hanging(2, (f"  {_came(one.success)}", "green" if one.success else ""), (f" ({one.evidence}): {one.why}", ""))
    for step in one.steps:
        mark = "" if step.exit_code is None else f" (exit {step.exit_code})"
        body(f"{step.action}{mark}", 4, 2, "dim")
    line(("  " + one.id, "dim"))


def _trajectories(value: Mapping[str, Any], now: datetime) -> None:
    for one in value["trajectories"]:
        _trajectory(one, now)
    if not value["trajectories"]:
        hanging(0, ("No trajectory is there that fits: engrain trajectories add TASK STEPS.", "dim"))


SCREENS: dict[str, Callable[[Any, datetime], None]] = {
    **dict.fromkeys(("patterns list", "patterns search"), _patterns),
    "patterns show": _shown,
    **{
        f"patterns {name}": _pattern
        for name in ("add", "update", "use", "promote", "demote", "quarantine", "release", "deprecate", "undo", "merge",
                     "share")
    },
    "patterns map": _mapped,
    "patterns preview": _translation,
    "patterns export": _exported,
    "patterns import": _imported,
    "patterns stats": _stats,
    **dict.fromkeys(("patterns discover", "patterns consolidate", "trajectories distill"), _report),
    **dict.fromkeys(("trajectories add", "trajectories show"), _trajectory),
    "trajectories list": _trajectories,
    "learn status": _status,
    "learn history": _days,
    "learn export": _learning_exported,
    "learn reset": _reset,
}  # fmt: skip
