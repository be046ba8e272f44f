"""The picture of a run: how the agent learned, what it is compared with, what works where. Plain SVG, no library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from engrain.qe.bughunt import describe
from engrain.qe.bughunt.run import Result
from engrain.qe.bughunt.strategies import STRATEGIES

WIDTH, HEIGHT = 1120, 760
INK, SOFT, PAPER, GRID = "#1d2733", "#6b7785", "#fcfbf8", "#e6e3dc"
COLOURS = {
    "engrain": "#d1495b",
    "oracle": "#9aa5b1",
    "best fixed": "#edae49",
    "without": "#66a182",
    "random": "#2e6f95",
}
LEFT, RIGHT, TOP, BOTTOM = 64, 700, 110, 400


def smooth(found: Sequence[float], window: int) -> list[float]:
    """The mean of the last `window` outcomes, from the first full window on."""
    return [sum(found[end - window : end]) / window for end in range(window, len(found) + 1)]


def curves(result: Result, window: int) -> dict[str, list[float]]:
    """The smoothed kill rates by line of the picture; the best fixed strategy is that of the whole run."""
    best = max(STRATEGIES, key=lambda name: sum(row[name] for row in result.table))
    lines: dict[str, list[float]] = {
        "oracle": [float(any(row.values())) for row in result.table],
        "random": [sum(row.values()) / len(row) for row in result.table],
        "best fixed": [float(row[best]) for row in result.table],
        "without": [float(each["found"]) for each in result.without],
        "engrain": [float(each["found"]) for each in result.acknowledged],
    }
    return {name: smooth(found, window) for name, found in lines.items()}


def _text(
    x: float, y: float, text: str, size: int = 13, colour: str = INK, anchor: str = "start", weight: int = 400
) -> str:
    style = f'font-size="{size}" fill="{colour}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _rect(x: float, y: float, width: float, height: float, colour: str, more: str = "") -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}" {more}/>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, more: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" {more}/>'


def draw(result: Result) -> str:
    """The whole picture as SVG text."""
    heading = [
        _rect(0, 0, WIDTH, HEIGHT, PAPER),
        _text(LEFT, 44, "An agent learns to find bugs in Python's standard library", 24, weight=700),
        _text(LEFT, 70, f"{len(result.tasks)} faults in {result.functions} functions, each hunted with "
              f"{result.tasks[0]['budget']} inputs; the agent was killed after task {result.killed_after} and went on. "
              f"Seed {result.seed}.", 14, SOFT),
    ]  # fmt: skip
    parts = [*heading, *_learning(result), *_bars(result), *_map(result)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return "\n".join([f'{head} font-family="Helvetica, Arial, DejaVu Sans, sans-serif">', *parts, "</svg>"]) + "\n"


def _learning(result: Result) -> list[str]:
    """Kill rate over the run, smoothed."""
    count = len(result.tasks)
    window = max(5, count // 8)
    lines = curves(result, window)
    values = [value for line in lines.values() for value in line]
    low, high = max(0.0, min(values) - 0.04), min(1.0, max(values) + 0.04)

    def at(task: float, rate: float) -> tuple[float, float]:
        across = LEFT + (RIGHT - LEFT) * (task - window) / max(count - window, 1)
        return across, BOTTOM - (BOTTOM - TOP) * (rate - low) / (high - low)

    parts = [_text(LEFT, TOP - 8, f"Share of faults found, mean of the last {window} tasks", 13, SOFT)]
    for tenth in range(11):
        if low <= tenth / 10 <= high:
            y = at(window, tenth / 10)[1]
            parts += [_line(LEFT, y, RIGHT, y, GRID), _text(LEFT - 8, y + 4, f"{tenth * 10} %", 12, SOFT, "end")]
    if result.killed_after > window:
        x = at(result.killed_after, low)[0]
        dashed = 'stroke-dasharray="3 4"'
        parts += [_line(x, TOP, x, BOTTOM, SOFT, dashed), _text(x + 6, BOTTOM - 8, "SIGKILL, restarted", 12, SOFT)]
    labels: list[tuple[float, str]] = []
    for name, line in lines.items():
        points = " ".join("{:.1f},{:.1f}".format(*at(window + n, rate)) for n, rate in enumerate(line))
        width = 3.5 if name == "engrain" else 1.8
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="{width}" '
                     'stroke-linejoin="round"/>')  # fmt: skip
        labels.append((at(count, line[-1])[1], name))
    above = -99.0
    for y, name in sorted(labels):
        above = max(y + 4, above + 15)
        parts.append(_text(RIGHT + 8, above, name, 13, COLOURS[name], weight=700 if name == "engrain" else 400))
    parts += [_text(at(n, low)[0], BOTTOM + 20, f"task {n}", 12, SOFT, "middle") for n in (window, count // 2, count)]
    return parts


def _bars(result: Result) -> list[str]:
    """The last third in figures."""
    left, full = 830, 170
    parts = [_text(left, TOP - 8, "Found in the last third", 13, SOFT)]
    rates = result.rates(result.last_third)
    for at, ((name, rate), colour) in enumerate(
        zip(rates.items(), ("random", "best fixed", "without", "engrain", "oracle"), strict=True)
    ):
        y = TOP + 6 + at * 56
        bold = 700 if name == "engrain" else 400
        parts += [
            _text(left, y + 12, name, 13, weight=bold),
            _rect(left, y + 18, full * rate / max(rates.values()), 18, COLOURS[colour], 'rx="3"'),
        ]
        parts.append(_text(left + full * rate / max(rates.values()) + 8, y + 32, f"{rate:.0%}", 14, weight=bold))
    return parts


def _map(result: Result) -> list[str]:
    """Which strategy finds faults in which kind of function; a ring marks what the agent used most in the end."""
    kinds = sorted({describe.kind(task["state"]) for task in result.tasks})
    left, top, wide, high = 200, 490, 112, 40
    parts = [
        _text(LEFT, top - 44, "What works where: faults found by strategy and kind of function", 13, SOFT),
        _text(WIDTH - 40, top - 44, "ring: what the agent did most in the last third", 13, SOFT, "end"),
    ]
    parts += [
        _text(left + n * wide + wide / 2, top - 12, name, 13, anchor="middle") for n, name in enumerate(STRATEGIES)
    ]
    for row, kind in enumerate(kinds):
        members = [task["id"] for task in result.tasks if describe.kind(task["state"]) == kind]
        late = [result.acknowledged[n]["strategy"] for n in members if n >= result.last_third]
        y = top + row * (high + 4)
        parts.append(_text(left - 12, y + 25, f"{kind} ({len(members)})", 13, anchor="end"))
        for column, name in enumerate(STRATEGIES):
            rate = sum(result.table[n][name] for n in members) / len(members)
            ring = (
                f'stroke="{COLOURS["engrain"]}" stroke-width="3"'
                if late and name == max(STRATEGIES, key=late.count)
                else ""
            )
            shade = f'fill-opacity="{0.08 + 0.92 * rate:.2f}" rx="4" {ring}'
            parts.append(_rect(left + column * wide + 3, y, wide - 6, high, COLOURS["random"], shade))
            colour = "#ffffff" if rate > 0.45 else INK
            parts.append(_text(left + column * wide + wide / 2, y + 25, f"{rate:.0%}", 13, colour, "middle"))
    return parts
