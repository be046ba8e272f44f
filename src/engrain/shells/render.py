"""Answers for human eyes: readable on 80 columns, in colour only on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from engrain.model.explain import PARTS, explain, shares
from engrain.model.report import counted
from engrain.shells.plain import dumped, printable
from engrain.shells.screen import (
    BAR,
    age,
    bar,
    body,
    columns,
    console,
    date,
    fits,
    hanging,
    line,
    put,
    table,
)  # fmt: skip

if TYPE_CHECKING:
    from engrain.model.decision import Advice, Experience, Outcome
    from engrain.model.item import Hit, MemoryItem

REASONS = 3  # the greatest parts of a score
LINES = 8  # of a recalled item; `engrain get` shows all
NARROW = 56  # columns below which a table of parts has no bars
NAME = 24  # characters of a speaker or session beside a hit


@dataclass(frozen=True, slots=True)
class Asked:
    """What a recall was asked, for the screen of its hits: whether there is anything but nothing close enough, and how
    an excerpt is made (see ``recall.excerpt``)."""

    question: str
    gated: bool
    excerpt: Callable[[str, str, int, Callable[[str], bool]], str]


# -- memories ---------------------------------------------------------------------------------------------------------


def _remembered(item: MemoryItem, now: datetime) -> None:
    told = f", told {item.repeats + 1} times" if item.repeats else ""
    line(("remembered ", "green"), (item.id, "bold"), (f"  {item.kind}{told}", "cyan"))
    if item.key and item.created_at != item.told_at and not item.repeats:
        line((f"it replaced an earlier value; both: engrain history {item.kind} {item.key}", "dim"))
    if item.redacted:
        line((f"cut out before it was stored: {', '.join(item.redacted)}", "yellow"))


def _remembered_many(value: Mapping[str, Any], now: datetime) -> None:
    for item in value["items"]:
        _remembered(item, now)


def _hits(value: Mapping[str, Any], now: datetime) -> None:
    hits: Sequence[Hit] = value["hits"]
    if not hits:
        gated = "Nothing close enough was found; --min-score 0 shows the nearest."
        hanging(0, (gated if value["asked"].gated else "Nothing is remembered about that.", "dim"))
    for rank, hit in enumerate(hits, 1):
        _head(rank, f"{hit.score:.2f}", hit, value["asked"], now)
        for reason in explain(hit)[:REASONS]:
            body(reason, 4, 1, "dim")
        line(("    " + hit.item.id, "dim"))
        if rank < len(hits):
            console.print()


def _explained(value: Mapping[str, Any], now: datetime) -> None:
    """Hits with every part of their scores, as tables that add up; the bars of all hits have one scale."""
    hits: Sequence[Hit] = value["hits"]
    if not hits:
        _hits(value, now)
    top = max((abs(part) for hit in hits for _, part in hit.why), default=1.0)
    for rank, hit in enumerate(hits, 1):
        parts, score = shares(hit)
        _head(rank, f"{score:.3f}", hit, value["asked"], now)
        line(("    " + hit.item.id, "dim"))
        bars = console.width >= NARROW
        grid = columns(["adds", *[""] * bars, "part", "because"], shown=rank == 1)
        grid.columns[0].justify = "right"
        grid.columns[-2].min_width = max(map(len, PARTS))
        if bars:
            grid.columns[1].min_width = BAR
        for name, part in parts:
            colour = "red" if part < 0 else "green"
            shown = [(f"{part:+.3f}", colour), (bar(abs(part) / top), colour), (name, "bold"), (PARTS[name], "dim")]
            grid.add_row(*(Text(text, style) for text, style in (shown if bars else [shown[0], *shown[2:]])))
        total, of = Text(f"{score:.3f}", "bold green"), Text("score", "bold green")
        grid.add_row(total, *[""] * bars, of, Text("the sum of these", "dim"))
        put(grid, indent=4)
        if rank < len(hits):
            console.print()


def _head(rank: int, score: str, hit: Hit, asked: Asked, now: datetime) -> None:
    """What every hit begins with: its place, score, kind, speaker and age, then what it says about the question."""
    hanging(4, (f"{rank:2d}  ", "dim"), (score, "bold green"), ("  ", ""), *_about(hit.item, now, said=True))
    content = hit.item.content.strip()
    near = (console.width - 8) * LINES
    body(asked.excerpt(content, asked.question, near, fits(4, LINES)) or content, 4, LINES)


def _items(value: Mapping[str, Any], now: datetime) -> None:
    items: Sequence[MemoryItem] = value["items"]
    if not items:
        line(("There is none.", "dim"))
    for item in items:
        line((item.id, "bold"), ("  ", ""), *_about(item, now))
        body(item.content, 2, 1)


def _item(item: MemoryItem, now: datetime) -> None:
    line((item.id, "bold"), ("  ", ""), *_about(item, now))
    console.print()
    console.print(Text(printable(item.content)))
    console.print()
    told = [
        ("importance", f"{item.importance:g}"),
        ("session", item.session),
        ("role", item.role),
        ("source", item.source),
        ("seen by", item.visibility if item.visibility != "private" else None),
        ("pinned", "yes" if item.pinned else None),
        ("happened", item.occurred_at and date(item.occurred_at)),
        ("told", date(item.told_at)),
        ("key since", date(item.created_at) if item.created_at != item.told_at else None),
        ("changed", date(item.updated_at) if item.updated_at != item.told_at else None),
        ("expires", item.expires_at and date(item.expires_at)),
        ("fades by", item.decay_rate),
        ("superseded", item.superseded_by and f"by {item.superseded_by}"),
        ("promoted", item.promoted_at and date(item.promoted_at)),
        ("cut out", ", ".join(item.redacted)),
        ("metadata", _pairs(item.metadata)),
        ("use", f"shown {item.shown}, read {item.read}, applied {item.applied}, "
                f"helpful {item.helpful}, unhelpful {item.unhelpful}, told again {item.repeats}"),
    ]  # fmt: skip
    table([(name, str(what)) for name, what in told if what not in (None, "")])


def _about(item: MemoryItem, now: datetime, said: bool = False) -> list[tuple[str, str]]:
    """Kind, key, with ``said`` who spoke in which session, age and tags in one line."""
    parts = [(item.kind, "cyan")]
    if item.key:
        parts.append((f" {item.key}", "bold"))
    if item.state != "active":
        parts.append((f" {item.state}", "yellow"))
    if said and (names := [_short(name) for name in (item.role, item.session) if name]):
        parts.append(("  " + " · ".join(names), ""))
    parts.append((f"  {age(item.occurred_at or item.told_at, now)}", "dim"))
    if item.tags:
        parts.append(("  " + " ".join("#" + tag for tag in item.tags), "magenta"))
    return parts


def _short(name: str) -> str:
    told = " ".join(name.split())
    return told if len(told) <= NAME else told[: NAME - 1] + "…"


# -- decisions --------------------------------------------------------------------------------------------------------


def _advice(advice: Advice, now: datetime) -> None:
    if advice.action is None:
        line(("no advice: ", "yellow"), ("nothing is known of this and no options were given", ""))
    else:
        line((advice.action, "bold green"), ("  " + _worth(advice), ""))
        for option, share in sorted(advice.distribution.items(), key=lambda one: -one[1]):
            line((f"  {share:6.1%} ", "dim"), ("█" * round(share * 30), "cyan"), (f" {option}", ""))
        for one in advice.evidence:
            behind = f", e.g. {', '.join(one.decisions[:2])}" if one.decisions else ""
            body(f"{one.level}: {one.visits:.3g} outcomes, mean {one.mean:+.2f}{behind}", 2, 3, "dim")
    line(("decision ", "dim"), (advice.decision_id, "bold"))
    action = "" if advice.action else " --action ACTION"
    who = "with the same --home, --agent and --tenant"
    line((f"then, {who}: engrain observe {advice.decision_id}{action} --success", "dim"))


def _worth(advice: Advice) -> str:
    if advice.value is None:
        return "tried for the first time: no outcome is known yet"
    interval = (
        f" ({advice.low:+.2f} to {advice.high:+.2f})" if advice.low is not None and advice.high is not None else ""
    )
    return f"value {advice.value:+.2f}{interval}, {advice.visits} outcomes"


def _experience(one: Experience, now: datetime) -> None:
    reward = "no reward yet" if one.reward is None else f"reward {one.reward:+.2f}"
    line(("observed ", "green"), (one.id, "bold"), (f"  {one.task_type} → {one.action}", "cyan"))
    revised = f", revised {one.revision} times" if one.revision else ""
    line((f"{_outcome(one.outcome)}, {reward}{revised}", ""))


def _experiences(value: Mapping[str, Any], now: datetime) -> None:
    rows = [
        (
            age(one.created_at, now),
            one.task_type,
            one.action,
            _outcome(one.outcome),
            "" if one.reward is None else f"{one.reward:+.2f}",
        )
        for one in value["experiences"]
    ]
    table(rows, ("when", "task type", "action", "outcome", ">reward"))


def _outcome(outcome: Outcome) -> str:
    known = {True: "success", False: "failure", None: "not known yet"}[outcome.success]
    return f"{known} ({outcome.evidence})"


def _q_values(value: Mapping[str, Any], now: datetime) -> None:
    rows = [
        (
            one.task_type,
            "any" if one.state is None else _pairs(one.state) or "{}",
            one.action,
            str(one.visits),
            f"{one.mean:+.2f}",
            f"{one.spread:.2f}",
        )
        for one in value["q_values"]
    ]
    table(rows, ("task type", "state", "action", ">visits", ">mean", ">spread"))


# -- the home ---------------------------------------------------------------------------------------------------------


def _adaptation(value: Mapping[str, Any], now: datetime) -> None:
    line((f"adapted recall: {value['state']}", ""))
    if value["gain"] is not None:
        line((f"gain in nDCG, cross-validated: {value['gain']:+.3f}, at least {value['low']:+.3f}", "dim"))


def _stats(value: Mapping[str, Any], now: datetime) -> None:
    memories, decisions, experiences = value["memories"], value["decisions"], value["experiences"]
    store, old = value["store"], value["archive"]
    about = f"{store['engine']}, {store['bytes']:,} bytes, schema {value['schema']}, embedder {value['embedder']}"
    table(
        [
            ("store", store["location"]),
            ("", about),
            ("agents", f"{value['agents']:,}"),
            ("memories", f"{memories['active']:,} active, {memories['superseded']:,} superseded, "
                         f"{memories['archived']:,} archived, {memories['characters']:,} characters"),
            ("", _pairs(memories["by_kind"])),
            ("decisions", f"{decisions['total']:,}: " + _pairs({k: n for k, n in decisions.items() if k != "total"})),
            ("experiences", f"{experiences['total']:,}: {experiences['total'] - experiences['unknown']:,} with a known "
                            f"outcome, {experiences['unknown']:,} unknown yet"),
            ("archive", f"{old['memories']:,} memories, {old['experiences']:,} experiences, {old['bytes']:,} bytes"),
            ("evidence", _pairs({tier: experiences[tier] for tier in ("claimed", "executed", "verified")})),
            *((("adapted" if not place else ""), _adapted(*one)) for place, one in enumerate(value["adapted"].items())),
        ]
    )  # fmt: skip
    if value["task_types"]:
        console.print()
        rows = [
            (
                one["tenant"],
                one["agent"],
                one["task_type"],
                one["evidence"],
                str(one["n"] - one["unknown"]),
                str(one["successes"]),
                str(one["unknown"]),
                "" if one["mean_reward"] is None else f"{one['mean_reward']:+.2f}",
            )
            for one in value["task_types"]
        ]
        table(rows, ("tenant", "agent", "task type", "evidence", ">known", ">success", ">unknown", ">mean"))


def _adapted(tenant: str, one: Mapping[str, Any]) -> str:
    gain = "" if one["gain"] is None else f", gain {one['gain']:+.3f}"
    return f"{tenant}: {'on' if one['on'] else 'off'}, {counted(one['examples'], 'example')}{gain}"


def _agents(value: Mapping[str, Any], now: datetime) -> None:
    rows = [
        (one.tenant, one.name, one.team or "", age(one.created_at, now), f"{one.memories:,}", f"{one.experiences:,}")
        for one in value["agents"]
    ]
    table(rows, ("tenant", "agent", "team", "since", ">memories", ">experiences"))


def _rebuilt(value: Mapping[str, Any], now: datetime) -> None:
    learned = f", what was learned in {counted(value['tenants'], 'tenant')}" if value["tenants"] else ""
    hanging(2, (f"made anew: {counted(value['memories'], 'memory', 'memories')}{learned}", "green"))
    if value["left"]:
        told = counted(value["left"], "memory was", "memories were") + " written with another embedder meanwhile; "
        hanging(2, (told + "run it again when nobody uses that one", "yellow"))


def _events(value: Mapping[str, Any], now: datetime) -> None:
    rows = [(age(one.at, now), one.event, one.memory_id, one.reason, one.actor) for one in value["events"]]
    table(rows, ("when", "event", "memory", "because", "by"))


# -- pieces -----------------------------------------------------------------------------------------------------------


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {part}" for name, part in values.items())


def _told(text: str) -> Callable[[Mapping[str, Any], datetime], None]:
    return lambda value, now: line((text.format(**value), ""))


def _plain_text(value: Mapping[str, Any], now: datetime) -> None:
    if value["context"]:
        print(printable(value["context"]))


def _json_value(value: Mapping[str, Any], now: datetime) -> None:
    print(dumped(value["value"]))


def _found(value: Mapping[str, Any], now: datetime) -> None:
    table([(key, dumped(part)) for key, part in value["found"].items()])


SCREENS: dict[str, Callable[[Any, datetime], None]] = {
    "remember": _remembered,
    "remember-many": _remembered_many,
    **dict.fromkeys(("recall", "archive search"), _hits),
    **dict.fromkeys(("recall --explain", "archive search --explain"), _explained),
    "context": _plain_text,
    "get": _item,
    "lookup": _item,
    "history": _items,
    "list": _items,
    "sessions": lambda value, now: table(
        [(one.session, f"{one.items:,}", age(one.last_at, now)) for one in value["sessions"]],
        ("session", ">memories", "last written"),
    ),
    "count": _told("{count}"),
    "update": _item,
    "forget": lambda value, now: line(("forgotten" if value["forgotten"] else "There was nothing to forget.", "")),
    "forget-where": _told("forgotten: {forgotten}"),
    "helpful": _told("noted: {id}"),
    "applied": _told("noted: {id}"),
    "adaptation": _adaptation,
    "reset-adaptation": _told("examples forgotten: {examples}"),
    "advise": _advice,
    "observe": _experience,
    "observe-step": _experience,
    "observe-many": _experiences,
    "experiences": _experiences,
    "q-values": _q_values,
    "kv get": _json_value,
    "kv set": _told("set: {key}"),
    "kv has": _told("{there}"),
    "kv search": _found,
    "kv delete": _told("deleted: {deleted}"),
    "stats": _stats,
    "agents": _agents,
    "rebuild": _rebuilt,
    "backup": _told("copied to {path}"),
    **dict.fromkeys(("archived", "restore-where"), _items),
    "restore": _item,
    "promote": _item,
    "pin": _item,
    "transitions": _events,
    "prune": _told("pruned: {pruned}, kept as important: {kept}, agents beyond their cap: {capped}"),
}
