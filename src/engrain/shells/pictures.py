"""Charts of reports as pictures, SVG or PNG."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from engrain.errors import ConfigError
from engrain.model.report import ReportRows
from engrain.shells.plain import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#3b6fd4", "#d98a2b", "#3a9b6b", "#8e5bb5", "#c24d52")  # told apart by the colour-blind, too
INK, DIM, GRID = "#1d2330", "#667085", "#e3e6ec"
BARS = 25  # of a chart of labels: more are not legible


def draw(made: ReportRows, format: str) -> bytes:
    """The chart of a report, ``svg`` or ``png``. Raises ConfigError when matplotlib is missing."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as missing:
        raise ConfigError("Charts in SVG and PNG need matplotlib: pip install 'engrain[charts]'.") from missing
    info, rows = made.report, made.rows
    height = 1.6 + 0.3 * max(3, min(len(rows), BARS)) if info.chart == "bars" else 4.2
    figure = Figure(figsize=(9, height), dpi=144, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    title = info.name.replace("-", " ").capitalize()
    axes.set_title(title, loc="left", fontsize=12, color=INK, fontweight="bold", pad=24)
    axes.annotate(f"{info.about}; {made.of}", (0, 1), (0, 8), "axes fraction", "offset points", fontsize=8, color=DIM)
    {"bars": _bars, "columns": _columns, "lines": _lines}[info.chart](axes, made)
    _dress(axes, made)
    if not rows or not any(row[name] for row in rows for name in info.values):
        axes.text(0.5, 0.5, "nothing to show", transform=axes.transAxes, ha="center", va="center", color=DIM)
    out = io.BytesIO()
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of letters that the font does not have
        figure.savefig(out, format=format, metadata={"Date": None} if format == "svg" else None)
    return out.getvalue()


def _bars(axes: Axes, made: ReportRows) -> None:
    info, rows = made.report, made.rows[:BARS]
    left = [0.0] * len(rows)
    places = range(len(rows))
    for colour, name in zip(COLOURS, info.values, strict=False):
        numbers = [float(row[name] or 0) for row in rows]
        axes.barh(places, numbers, left=left, height=0.72, color=colour, label=_words(name))
        left = [have + more for have, more in zip(left, numbers, strict=True)]
    for place, total in zip(places, left, strict=True):
        axes.annotate(f"{total:,.0f}", (total, place), xytext=(4, 0), textcoords="offset points", va="center",
                      fontsize=8, color=DIM)  # fmt: skip
    axes.set_yticks(places, [_short(str(row[info.label])) for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel(info.unit)
    axes.margins(x=0.08)
    if (more := len(made.rows) - len(rows)) > 0:
        axes.set_ylabel(f"{info.label} (and {more} more)")


def _columns(axes: Axes, made: ReportRows) -> None:
    info, days = made.report, _days(made)
    floor = [0.0] * len(days)
    for colour, name in zip(COLOURS, info.values, strict=False):
        numbers = [float(row[name] or 0) for row in made.rows]
        axes.bar(days, numbers, bottom=floor, width=0.8, color=colour, label=_words(name))  # type: ignore[arg-type]
        floor = [have + more for have, more in zip(floor, numbers, strict=True)]
    axes.set_ylabel(info.unit)
    _dates(axes, days)


def _lines(axes: Axes, made: ReportRows) -> None:
    info, days = made.report, _days(made)
    for place, (colour, name) in enumerate(zip(COLOURS, info.values, strict=False)):
        numbers = [float("nan") if row[name] is None else float(row[name]) for row in made.rows]
        axes.plot(days, numbers, color=colour, label=_words(name), linewidth=2,  # type: ignore[arg-type]
                  marker="o", markersize=3.5 if place == 0 or len(days) < 40 else 0)  # fmt: skip
    if info.unit == "share":
        axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel(info.unit)
    _dates(axes, days)


def _days(made: ReportRows) -> list[date]:
    return [date.fromisoformat(row[made.report.label]) for row in made.rows]


def _dates(axes: Axes, days: Sequence[date]) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    if not days:
        return
    if days[0] == days[-1]:  # else the axis spans years
        axes.set_xlim(days[0] - timedelta(days=3), days[-1] + timedelta(days=3))  # type: ignore[arg-type]
    places = AutoDateLocator(minticks=3, maxticks=10)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(places)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(places))  # type: ignore[no-untyped-call]
    axes.set_xlabel("day (UTC)")


def _dress(axes: Axes, made: ReportRows) -> None:
    """What all charts have in common: little ink, and a legend where there is more than one thing."""
    from matplotlib.ticker import MaxNLocator

    flat = made.report.chart == "bars"
    for side in ("top", "right", "bottom" if flat else "left"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)
    axes.tick_params(colors=DIM, labelsize=9, length=0)
    axes.xaxis.label.set_color(DIM)
    axes.yaxis.label.set_color(DIM)
    axes.grid(axis="x" if flat else "y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    numbers: Any = axes.xaxis if flat else axes.yaxis
    numbers.set_major_locator(MaxNLocator(nbins=6, integer=made.report.chart != "lines"))
    numbers.set_major_formatter(lambda value, _: f"{value:,.6g}")
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > 1 and axes.figure is not None:
        axes.figure.legend(handles, labels, ncols=len(labels), loc="outside lower center", frameon=False,
                           fontsize=9, labelcolor=INK, handlelength=1, columnspacing=1.6)  # fmt: skip


def _words(name: str) -> str:
    return name.replace("_", " ").removesuffix(" mb")


def _short(text: str) -> str:
    """A label of one short line, in which nothing is taken for a formula."""
    told = printable(" ".join(text.split()))
    return (told if len(told) <= 32 else told[:31] + "…").replace("$", r"\$")
