"""The figures of a comparison as Markdown: a table for each size, the ratios that count, and what to know."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

Run = dict[str, Any]
OURS = "engrain"


def duration(microseconds: float) -> str:
    """In the unit that reads best."""
    if microseconds < 10_000:
        return f"{microseconds:,.0f} µs"
    return f"{microseconds / 1e3:,.0f} ms" if microseconds < 10e6 else f"{microseconds / 1e6:,.0f} s"


def pair(figure: dict[str, float] | None) -> str | None:
    return None if figure is None else f"{duration(figure['p50'])} / {duration(figure['p99'])}"


def megabytes(size: float | None) -> str | None:
    return None if size is None else f"{size / 1e6:,.0f} MB"


def percent(figure: dict[str, float] | None, name: str) -> str | None:
    return None if figure is None else f"{100 * figure[name]:.1f} %"


# What a row says of one run; None: not offered or not known.
ROWS: dict[str, Callable[[Run], str | None]] = {
    "one write, p50 / p99": lambda run: pair(run["write"]),
    "… over one fdatasync of the same seconds": lambda run: (
        f"{run['write']['p50'] / run['fdatasync']:.1f}×" if run["durable"] else "not durable"
    ),
    "syncs a write": lambda run: None if run["syncs"] is None else f"{run['syncs']:.1f}",
    "ingest, rows/s": lambda run: f"{run['ingest']:,.0f}",
    "… and then building indexes": lambda run: duration(run["finish"] * 1e6) if run["finish"] > 1e-3 else None,
    "get by id, p50 / p99": lambda run: pair(run["get"]),
    "vectors, one agent, p50 / p99": lambda run: pair(run["vector"]),
    "… recall@10 against exact": lambda run: percent(run["vector"], "recall"),
    "words, one agent, p50 / p99": lambda run: pair(run["words"]),
    "words and vectors, one agent, p50 / p99": lambda run: pair(run["both"]),
    "… the memory asked for is among the ten": lambda run: percent(run["both"], "found"),
    "open and first answer, imports done": lambda run: duration(run["open"] * 1e6),
    "new process, from its start to its end after one answer": lambda run: duration(run["process"] * 1e6),
    "memory added by filling and asking it": lambda run: megabytes(run["rss"]),
    "disk": lambda run: megabytes(run["disk"]),
}


def median(runs: Sequence[Run]) -> Run:
    """One run of the medians of several: numbers by their median, the rest from the first."""
    first = runs[0]
    out: Run = {}
    for key, value in first.items():
        found = [run[key] for run in runs]
        if isinstance(value, dict) and key != "versions":
            out[key] = median(found)
        elif isinstance(value, int | float) and all(isinstance(one, int | float) for one in found):
            out[key] = statistics.median(found)
        else:
            out[key] = value
    return out


def table(n: int, runs: Sequence[Run], cap: float) -> str:
    """A column for each system, a row for each measure, then the ratios."""
    names = list(dict.fromkeys(run["system"] for run in runs))
    if not names:
        return f"\n### {n:,} memories\n\nNothing could be measured.\n"
    by = {name: median([run for run in runs if run["system"] == name]) for name in names}
    lines = [f"\n### {n:,} memories, 100 agents\n", f"| | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    for title, say in ROWS.items():
        said = [say(by[name]) for name in names]
        if any(said):
            lines.append(f"| {title} | {' | '.join(one or '–' for one in said)} |")
    lines.append("")
    for name in names:
        if by[name]["stored"] < n:
            lines.append(
                f"- {name}: its ingest was stopped after {cap:.0f} s with {by[name]['stored']:,.0f} rows; its other "
                "figures are of those rows."
            )
    return "\n".join([*lines, *ratios(by)])


def ratios(by: dict[str, Run]) -> list[str]:
    """What the comparison is about, as lines. Times over times of the same run; writes over the disk's own price."""
    lines = []
    price = {name: run["write"]["p50"] / run["fdatasync"] for name, run in by.items()}
    hybrids = [name for name, run in by.items() if run["both"] and not name.startswith(OURS)]
    durable = [name for name, run in by.items() if run["durable"] and not name.startswith(OURS)]
    for name in [name for name in by if name.startswith(OURS)]:
        mine = by[name]
        took = duration(mine["both"]["p50"])
        for other in hybrids:
            times = by[other]["both"]["p50"] / mine["both"]["p50"]
            lines.append(
                f"- {name}: one recall() takes {took}; words with vectors take {times:.1f} times as long in {other}."
            )
        if durable:
            best = min(durable, key=lambda other: price[other])
            plain = by[best]["write"]["p50"] / mine["write"]["p50"]
            lines.append(
                f"- {name}: one durable write costs {price[name]:.1f} fdatasyncs; the nearest durable rival, {best}, "
                f"{price[best]:.1f}: {price[best] / price[name]:.1f} times as much ({plain:.1f} times as long)."
            )
    return lines


def notes(runs: Sequence[Run], said: dict[str, str], missing: dict[str, str]) -> str:
    """What each system is and does not do, its versions, and what could not be measured."""
    lines = ["\nNotes. –: not offered, or not known here.\n"]
    for name, note in said.items():
        of = next((run for run in runs if run["system"] == name), None)
        versions = ", ".join(f"{package} {version}" for package, version in of["versions"].items()) if of else ""
        lines.append(f"- {name}: {note}." + (f" {versions}; Python {of['python']}." if of else ""))
    lines += [f"- not measured: {name}: {reason}" for name, reason in missing.items()]
    price = [run["fdatasync"] for run in runs]
    if price:
        lines.append(f"- one fdatasync: {min(price):,.0f} to {max(price):,.0f} µs (medians beside each system's writes)"
                     + ("; that is no disk: use --dir." if max(price) < 10 else "."))  # fmt: skip
    return "\n".join(lines)
