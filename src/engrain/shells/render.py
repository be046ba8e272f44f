"""Answers for human eyes: readable on 80 columns, in colour only on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from engrain.model.explain import explain
from engrain.shells.plain import dumped, printable
from engrain.world import from_micros

if TYPE_CHECKING:
    from engrain.model.decision import Advice, Experience, Outcome
    from engrain.model.item import Hit, MemoryItem

REASONS = 3  # the greatest parts of a score
LINES = 8  # of a recalled item; `engrain get` shows all
_AGES = ((60, 1, "second"), (3600, 60, "minute"), (86400, 3600, "hour"), (31 * 86400, 86400, "day"))

console = Console(highlight=False, emoji=False, markup=False, soft_wrap=False)


def show(verb: str, value: Any, now: int) -> None:
    """Print the answer of a verb; ``now`` in µs since 1970 dates what it tells."""
    _SCREENS[verb](value, from_micros(now))


@contextmanager
def progress(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while something long is going on; yields a function that takes how much is done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    screen = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


# -- memories ---------------------------------------------------------------------------------------------------------


def _remembered(item: MemoryItem, now: datetime) -> None:
    told = f", told {item.repeats + 1} times" if item.repeats else ""
    _line(("remembered ", "green"), (item.id, "bold"), (f"  {item.kind}{told}", "cyan"))
    if item.key and item.created_at != item.told_at and not item.repeats:
        _line((f"it replaced an earlier value; both: engrain history {item.kind} {item.key}", "dim"))
    if item.redacted:
        _line((f"cut out before it was stored: {', '.join(item.redacted)}", "yellow"))


def _remembered_many(value: Mapping[str, Any], now: datetime) -> None:
    for item in value["items"]:
        _remembered(item, now)


def _hits(value: Mapping[str, Any], now: datetime) -> None:
    hits: Sequence[Hit] = value["hits"]
    if not hits:
        _line(("Nothing is remembered about that.", "dim"))
    for rank, hit in enumerate(hits, 1):
        _line((f"{rank:2d}  ", "dim"), (f"{hit.score:.2f}", "bold green"), ("  ", ""), *_about(hit.item, now))
        _body(hit.item.content, 4, LINES)
        for line in explain(hit)[:REASONS]:
            _body(line, 4, 1, "dim")
        _line(("    " + hit.item.id, "dim"))
        if rank < len(hits):
            console.print()


def _items(value: Mapping[str, Any], now: datetime) -> None:
    items: Sequence[MemoryItem] = value["items"]
    if not items:
        _line(("There is none.", "dim"))
    for item in items:
        _line((item.id, "bold"), ("  ", ""), *_about(item, now))
        _body(item.content, 2, 1)


def _item(item: MemoryItem, now: datetime) -> None:
    _line((item.id, "bold"), ("  ", ""), *_about(item, now))
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
        ("happened", item.occurred_at and _date(item.occurred_at)),
        ("told", _date(item.told_at)),
        ("key since", _date(item.created_at) if item.created_at != item.told_at else None),
        ("changed", _date(item.updated_at) if item.updated_at != item.told_at else None),
        ("expires", item.expires_at and _date(item.expires_at)),
        ("fades by", item.decay_rate),
        ("superseded", item.superseded_by and f"by {item.superseded_by}"),
        ("cut out", ", ".join(item.redacted)),
        ("metadata", _pairs(item.metadata)),
        ("use", f"shown {item.shown}, read {item.read}, applied {item.applied}, "
                f"helpful {item.helpful}, unhelpful {item.unhelpful}, told again {item.repeats}"),
    ]  # fmt: skip
    _table([(name, str(what)) for name, what in told if what not in (None, "")])


def _about(item: MemoryItem, now: datetime) -> list[tuple[str, str]]:
    """Kind, key, age, tags and owner in one line."""
    parts = [(item.kind, "cyan")]
    if item.key:
        parts.append((f" {item.key}", "bold"))
    if item.state != "active":
        parts.append((f" {item.state}", "yellow"))
    parts.append((f"  {_age(item.occurred_at or item.told_at, now)}", "dim"))
    if item.tags:
        parts.append(("  " + " ".join("#" + tag for tag in item.tags), "magenta"))
    return parts


# -- decisions --------------------------------------------------------------------------------------------------------


def _advice(advice: Advice, now: datetime) -> None:
    if advice.action is None:
        _line(("no advice: ", "yellow"), ("nothing is known of this and no options were given", ""))
    else:
        _line((advice.action, "bold green"), ("  " + _worth(advice), ""))
        for option, share in sorted(advice.distribution.items(), key=lambda one: -one[1]):
            _line((f"  {share:6.1%} ", "dim"), ("█" * round(share * 30), "cyan"), (f" {option}", ""))
        for one in advice.evidence:
            behind = f", e.g. {', '.join(one.decisions[:2])}" if one.decisions else ""
            _body(f"{one.level}: {one.visits:.3g} outcomes, mean {one.mean:+.2f}{behind}", 2, 3, "dim")
    _line(("decision ", "dim"), (advice.decision_id, "bold"))
    action = "" if advice.action else " --action ACTION"
    who = "with the same --home, --agent and --tenant"
    _line((f"then, {who}: engrain observe {advice.decision_id}{action} --success", "dim"))


def _worth(advice: Advice) -> str:
    if advice.value is None:
        return "tried for the first time: no outcome is known yet"
    interval = (
        f" ({advice.low:+.2f} to {advice.high:+.2f})" if advice.low is not None and advice.high is not None else ""
    )
    return f"value {advice.value:+.2f}{interval}, {advice.visits} outcomes"


def _experience(one: Experience, now: datetime) -> None:
    reward = "no reward yet" if one.reward is None else f"reward {one.reward:+.2f}"
    _line(("observed ", "green"), (one.id, "bold"), (f"  {one.task_type} → {one.action}", "cyan"))
    revised = f", revised {one.revision} times" if one.revision else ""
    _line((f"{_outcome(one.outcome)}, {reward}{revised}", ""))


def _experiences(value: Mapping[str, Any], now: datetime) -> None:
    rows = [
        (
            _age(one.created_at, now),
            one.task_type,
            one.action,
            _outcome(one.outcome),
            "" if one.reward is None else f"{one.reward:+.2f}",
        )
        for one in value["experiences"]
    ]
    _table(rows, ("when", "task type", "action", "outcome", ">reward"))


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
    _table(rows, ("task type", "state", "action", ">visits", ">mean", ">spread"))


# -- the home ---------------------------------------------------------------------------------------------------------


def _stats(value: Mapping[str, Any], now: datetime) -> None:
    memories, decisions, experiences = value["memories"], value["decisions"], value["experiences"]
    store = value["store"]
    about = f"{store['engine']}, {store['bytes']:,} bytes, schema {value['schema']}, embedder {value['embedder']}"
    _table(
        [
            ("store", store["location"]),
            ("", about),
            ("agents", f"{value['agents']:,}"),
            ("memories", f"{memories['active']:,} active, {memories['superseded']:,} superseded, "
                         f"{memories['characters']:,} characters"),
            ("", _pairs(memories["by_kind"])),
            ("decisions", f"{decisions['total']:,}: " + _pairs({k: n for k, n in decisions.items() if k != "total"})),
            ("experiences", f"{experiences['total']:,}: {experiences['total'] - experiences['unknown']:,} with a known "
                            f"outcome, {experiences['unknown']:,} unknown yet"),
            ("evidence", _pairs({tier: experiences[tier] for tier in ("claimed", "executed", "verified")})),
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
        _table(rows, ("tenant", "agent", "task type", "evidence", ">known", ">success", ">unknown", ">mean"))


def _agents(value: Mapping[str, Any], now: datetime) -> None:
    rows = [
        (one.tenant, one.name, one.team or "", _age(one.created_at, now), f"{one.memories:,}", f"{one.experiences:,}")
        for one in value["agents"]
    ]
    _table(rows, ("tenant", "agent", "team", "since", ">memories", ">experiences"))


def _doctor(value: Mapping[str, Any], now: datetime) -> None:
    for check in value["checks"]:
        mark, style = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("?", "yellow")}[check.ok]
        _line((f"{mark} ", style), (check.name, "bold"), (f"  {check.detail}", "" if check.ok is False else "dim"))
    _line(("All is well.", "green") if value["ok"] else ("Not all is well.", "bold red"))


# -- pieces -----------------------------------------------------------------------------------------------------------


def _line(*parts: tuple[str, str]) -> None:
    console.print(Text.assemble(*((printable(text), style) for text, style in parts), no_wrap=False))


def _body(text: str, indent: int, lines: int, style: str = "") -> None:
    """Wrapped and indented text, at most so many lines of it."""
    told = printable(" ".join(text.split()) if lines == 1 else text.strip())
    wrapped = Text(told, style).wrap(console, console.width - indent)
    shown = list(wrapped)[:lines]
    if len(wrapped) > lines:
        shown[-1].truncate(console.width - indent - 2, overflow="crop")
        shown[-1].rstrip()
        shown[-1].append(" …")
    for line in shown:
        line.rstrip()
        console.print(Padding(line, (0, 0, 0, indent), expand=False))


def _table(rows: Sequence[Sequence[str]], head: Sequence[str] = ()) -> None:
    """Columns under headings (``>`` in front of one aligns right); without headings the first column is the name."""
    from rich.table import Table

    if not rows:
        _line(("There is none.", "dim"))
        return
    table = Table(box=None, show_header=bool(head), header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in head or [""] * len(rows[0]):
        table.add_column(name.removeprefix(">"), justify="right" if name[:1] == ">" else "left", overflow="fold")
    if not head:
        table.columns[0].style, table.columns[0].no_wrap = "dim", True
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():  # columns are filled up with blanks, which a file need not keep
        console.print(line.rstrip(), soft_wrap=True)


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {part}" for name, part in values.items())


def _date(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _age(moment: datetime, now: datetime) -> str:
    """How long ago, while that is easy to grasp; else the date."""
    seconds = (now - moment).total_seconds()
    if seconds < 0:
        return moment.strftime("%Y-%m-%d")
    for below, unit, name in _AGES:
        if seconds < below:
            number = int(seconds // unit)
            return "just now" if name == "second" else f"{number} {name}{'s' * (number != 1)} ago"
    return moment.strftime("%Y-%m-%d")


def _told(text: str) -> Callable[[Mapping[str, Any], datetime], None]:
    return lambda value, now: _line((text.format(**value), ""))


def _plain_text(value: Mapping[str, Any], now: datetime) -> None:
    if value["context"]:
        print(printable(value["context"]))


def _json_value(value: Mapping[str, Any], now: datetime) -> None:
    print(dumped(value["value"]))


def _found(value: Mapping[str, Any], now: datetime) -> None:
    _table([(key, dumped(part)) for key, part in value["found"].items()])


_SCREENS: dict[str, Callable[[Any, datetime], None]] = {
    "remember": _remembered,
    "remember-many": _remembered_many,
    "recall": _hits,
    "context": _plain_text,
    "get": _item,
    "lookup": _item,
    "history": _items,
    "list": _items,
    "count": _told("{count}"),
    "update": _item,
    "forget": _told("forgotten: {forgotten}"),
    "forget-where": _told("forgotten: {forgotten}"),
    "helpful": _told("noted: {id}"),
    "applied": _told("noted: {id}"),
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
    "doctor": _doctor,
    "rebuild": lambda value, now: _line((f"made anew: {_pairs(value)}", "green")),
    "backup": _told("copied to {path}"),
}
