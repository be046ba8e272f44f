"""The pictures of a dream's report as SVG that stands in the page: no script, no network, the page's colours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, LEFT, RIGHT = 560, 64, 14
MARKS = 5  # on a scale


def scale(low: float, high: float) -> tuple[float, float, list[float]]:
    """A range with round ends that holds both, and its marks."""
    if not high > low:
        low, high = low - 0.5, high + 0.5
    step = 10.0 ** math.floor(math.log10((high - low) / MARKS))
    step *= next(more for more in (1.0, 2.0, 5.0, 10.0) if (high - low) / (step * more) <= MARKS)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return first * step, last * step, [number * step for number in range(first, last + 1)]


def before_after(title: str, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Estimates with their intervals, one below the other. One that was refused has no mark."""
    known = [one for _, one in rows if one["value"] is not None]
    ends = [float(one[name]) for one in known for name in ("low", "value", "high") if one[name] is not None]
    if not ends:
        return ""
    low, high, marks = scale(min(ends), max(ends))
    left, line = 150, 34
    floor = 10 + line * len(rows)

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (WIDTH - RIGHT - left)

    drawn = [_upright(x(mark), 4, floor, f"{mark:g}") for mark in marks]
    for place, (name, one) in enumerate(rows):
        y = 10 + line * place + line / 2
        drawn.append(f'<text x="{left - 10}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        if one["value"] is None:
            drawn.append(f'<text x="{left + 4}" y="{y + 4}">not known</text>')
            continue
        if one["low"] is not None and one["high"] is not None:
            drawn.append(
                f'<line class="l{place}" x1="{x(one["low"]):.1f}" x2="{x(one["high"]):.1f}" y1="{y}" y2="{y}"/>'
            )
        told = f"{name}: {one['value']:.3f}{_span(one)}"
        drawn.append(f'<circle class="s{place}" cx="{x(one["value"]):.1f}" cy="{y}" r="5">{_hint(told)}</circle>')
    return _svg(title, floor + 20, drawn)


def calibrated(title: str, bins: Sequence[Mapping[str, Any]]) -> str:
    """What came over what was expected; on the dotted line they are equal."""
    if not bins:
        return ""
    ends = [float(one[name]) for one in bins for name in ("expected", "observed", "low", "high")]
    low, high, marks = scale(min(ends), max(ends))
    height, top = 220, 8
    floor = height - 34

    def x(value: float) -> float:
        return LEFT + (value - low) / (high - low) * (WIDTH - RIGHT - LEFT)

    def y(value: float) -> float:
        return floor - (value - low) / (high - low) * (floor - top)

    drawn = [_upright(x(mark), top, floor, f"{mark:g}") for mark in marks]
    drawn += [_level(y(mark), f"{mark:g}") for mark in marks]
    drawn.append(f'<line class="gap" x1="{x(low):.1f}" y1="{y(low):.1f}" x2="{x(high):.1f}" y2="{y(high):.1f}"/>')
    for one in bins:
        across, told = x(one["expected"]), f"expected {one['expected']:.3f}, came {one['observed']:.3f} ({one['n']:,})"
        drawn.append(f'<line class="l0" x1="{across:.1f}" x2="{across:.1f}" y1="{y(one["low"]):.1f}" '
                     f'y2="{y(one["high"]):.1f}"/>')  # fmt: skip
        drawn.append(f'<circle class="s0" cx="{across:.1f}" cy="{y(one["observed"]):.1f}" r="4">{_hint(told)}</circle>')
    drawn.append(f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{height - 3}" text-anchor="middle">expected reward</text>')
    return _svg(title, height, drawn)


def over_time(title: str, points: Sequence[Mapping[str, Any]]) -> str:
    """The mean reward by day: of all decisions, and of those that a policy made."""
    if len(points) < 2:  # one point is no course
        return ""
    ends = [float(one[name]) for one in points for name in ("mean", "policy_mean") if one[name] is not None]
    low, high, marks = scale(min(ends), max(ends))
    height, top = 170, 8
    floor = height - 22
    days = [_day(one["day"]) for one in points]
    span = max(days[-1] - days[0], 1)

    def x(day: int) -> float:
        return LEFT + 6 + (day - days[0]) / span * (WIDTH - RIGHT - LEFT - 12)

    def y(value: float) -> float:
        return floor - (value - low) / (high - low) * (floor - top)

    drawn = [_level(y(mark), f"{mark:g}") for mark in marks]
    for place, (name, count) in enumerate((("mean", "n"), ("policy_mean", "policy_n"))):
        told = [(x(day), y(one[name]), one) for day, one in zip(days, points, strict=True) if one[name] is not None]
        path = " ".join(f"{across:.1f},{up:.1f}" for across, up, _ in told)
        drawn.append(f'<polyline class="p{place}" points="{path}"/>')
        for across, up, one in told:
            hint = _hint(f"{one['day']}: {one[name]:.3f} ({one[count]:,})")
            drawn.append(f'<circle class="s{place}" cx="{across:.1f}" cy="{up:.1f}" r="2.5">{hint}</circle>')
    few = sorted({round(place * (len(points) - 1) / 5) for place in range(6)})
    drawn += [
        f'<text x="{x(days[place]):.1f}" y="{height - 5}" text-anchor="middle">{points[place]["day"][5:]}</text>'
        for place in few
    ]
    return _svg(title, height, drawn)


def _day(text: str) -> int:
    from datetime import date

    return date.fromisoformat(text).toordinal()


def _svg(title: str, height: float, drawn: Sequence[str]) -> str:
    label = escape(title, quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{label}">{"".join(drawn)}</svg>'


def _upright(x: float, top: float, floor: float, text: str) -> str:
    line = f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{floor}"/>'
    return f'{line}<text x="{x:.1f}" y="{floor + 14}" text-anchor="middle">{text}</text>'


def _level(y: float, text: str) -> str:
    line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return f'{line}<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'


def _hint(text: str) -> str:
    return f"<title>{escape(text)}</title>"


def _span(one: Mapping[str, Any]) -> str:
    return "" if one["low"] is None or one["high"] is None else f" ({one['low']:.3f} to {one['high']:.3f})"
