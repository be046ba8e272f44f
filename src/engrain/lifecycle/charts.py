"""Small charts as SVG that stands in a page: no script, no network, and it takes the page's colours."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 560, 120
LEFT, RIGHT, BOTTOM, TOP = 52, 12, 18, 8  # room for the scale, the days, and the highest bar


def short(number: float) -> str:
    """``950``, ``1.2k``, ``3.4M``."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.1f}".rstrip("0").rstrip(".") + letter
    return f"{number:g}"


def bars(title: str, days: Sequence[str], parts: Sequence[tuple[str, Sequence[float | None]]]) -> str:
    """A bar for each day, made of parts that lie on each other; a day of which nothing is known has a dotted mark and
    no bar. Each part is told with its class ``s0``, ``s1``, … of the page's style."""
    sums = [sum(values[i] or 0 for _, values in parts) for i in range(len(days))]
    top = max((*sums, 1))
    step = (WIDTH - RIGHT - LEFT) / max(len(days), 1)
    floor = HEIGHT - BOTTOM
    drawn = [
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>',
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{TOP}" y2="{TOP}"/>',
        f'<text x="{LEFT - 6}" y="{TOP + 4}" text-anchor="end">{short(top)}</text>',
        f'<text x="{LEFT - 6}" y="{floor}" text-anchor="end">0</text>',
    ]
    for i, day in enumerate(days):
        x, y = LEFT + i * step + step * 0.12, float(floor)
        if all(values[i] is None for _, values in parts):
            middle = x + step * 0.38
            drawn.append(f'<line class="gap" x1="{middle:.1f}" x2="{middle:.1f}" y1="{floor - 12}" y2="{floor}"/>')
        told = [f"{name} {values[i]:,}" for name, values in parts if values[i] is not None]
        hint = f"<title>{escape(day)}: {escape(', '.join(told) or 'not measured')}</title>"
        for place, (_, values) in enumerate(parts):
            high = (values[i] or 0) / top * (floor - TOP)
            y -= high
            if high:
                shape = f'x="{x:.1f}" y="{y:.2f}" width="{step * 0.76:.1f}" height="{high:.2f}"'
                drawn.append(f'<rect class="s{place}" {shape}>{hint}</rect>')
        if i % 7 == (len(days) - 1) % 7:
            drawn.append(f'<text x="{x + step * 0.38:.1f}" y="{HEIGHT - 4}" text-anchor="middle">{day[5:]}</text>')
    label = escape(title, quote=True)
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(drawn)}</svg>'


def legend(names: Sequence[str]) -> str:
    """What the parts of bars mean."""
    return "".join(f'<span class="key"><i class="s{i}"></i>{escape(name)}</span>' for i, name in enumerate(names))
