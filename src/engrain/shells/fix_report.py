"""`engrain fixes report`: how fixers, types and targets do, as a screen, as tables and as charts."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import engrain
from engrain.errors import InvalidField
from engrain.model.report import ReportInfo, ReportRows, counted
from engrain.shells.plain import dumped, plain, printable
from engrain.upkeep import outside

if TYPE_CHECKING:
    from engrain.model.fix import FixReport, FixSum
    from engrain.shells.commands import Place

PARTS = ("verified", "failed", "claimed", "open")
_ALL = ("noted", "tried", *PARTS, "verified_share", "odds", "odds_low", "odds_high", "mean_seconds")
_ODDS = ("odds", "odds_low", "odds_high")  # not in tables on the screen
_LONG = (*_ODDS, "claimed", "open", "mean_seconds")
LINES = 5  # targets of a chart over time: more are not told apart
DAY = "day (UTC)"
REPORTS = {
    one.name: one
    for one in (
        ReportInfo("fixers", "How those who try do", "attempts", "bars", "fixer", PARTS),
        ReportInfo("types", "Which types of issues there are, and how they end", "attempts", "bars", "type", PARTS),
        ReportInfo("targets", "Which targets have issues, and how they end", "attempts", "bars", "target", PARTS),
        ReportInfo("trend", "Share of a target's attempts that were verified, by day", "share", "lines", DAY, ()),
        ReportInfo("daily", "What was noted by day", "noted", "columns", "day", (*PARTS, "seen_only")),
    )
}


def report(place: Place, given: Mapping[str, Any]) -> int:
    """Show all of them, or make one as a table or a chart; the exit code."""
    name = given.get("name")
    wanted = [one for one in ("format", "chart", "output") if given.get(one)]
    if name is None and wanted:
        raise InvalidField(f"--{wanted[0]} is for one report: {', '.join(REPORTS)}.")
    drawn, output = given.get("chart"), given.get("output")
    if drawn == "terminal" and output:
        raise InvalidField("--chart terminal draws here; a chart in a file is svg or png.")
    if drawn in ("svg", "png") and not output:
        raise InvalidField(f"A chart in {drawn} needs a file: --output fixes.{drawn}.")
    with engrain.open(place.home) as memory:
        if output:
            outside(memory.store, memory.home, memory.config, output)
        days = {"days": given["days"]} if "days" in given else {}
        found = memory.agent(place.agent, tenant=place.tenant, team=place.team).fix_report(**days)
        now = memory.world.now()
    if name is not None:
        return _one(place, given, made(found, REPORTS[name], bool(drawn)))
    if place.json:
        print(dumped(plain(found), indent=2))
    else:
        from engrain.shells.screens import show

        show("fixes report", found, now)
    return 0


def made(found: FixReport, info: ReportInfo, drawn: bool = False) -> ReportRows:
    """One report as rows; ``drawn`` lays the trend out for a chart, a column for each of the most frequent targets."""
    of = f"the last {counted(found.days, 'day')}"
    if info.name == "trend" and drawn:
        names = tuple([one.name for one in found.targets if one.odds.attempts][:LINES])
        by_day: dict[str, dict[str, Any]] = {}
        for one in found.trend:
            if one.name in names:
                row = by_day.setdefault(str(one.day), {DAY: one.day, **dict.fromkeys(names)})
                row[one.name] = _numbers(one)["verified_share"]
        info = ReportInfo(info.name, info.about, info.unit, info.chart, DAY, names)
        return ReportRows(info, of, (DAY, *names), [by_day[day] for day in sorted(by_day)])
    if info.name == "trend":
        rows = [{"target": one.name, "day": one.day, **_numbers(one)} for one in found.trend]
        return ReportRows(info, of, ("target", "day", *_ALL), sorted(rows, key=lambda row: (row["target"], row["day"])))
    sums: Sequence[FixSum] = getattr(found, info.name)
    rows = [{info.label: one.name, **_numbers(one), "seen_only": one.seen - one.tried} for one in sums]
    extra = ("seen_only",) if info.name == "daily" else ()
    return ReportRows(info, of, (info.label, *_ALL, *extra), rows)


def _numbers(one: FixSum) -> dict[str, Any]:
    odds = one.odds
    share = round(odds.solved / odds.attempts, 4) if odds.attempts else None
    return {
        "noted": one.seen,
        "tried": one.tried,
        "verified": odds.solved,
        "claimed": odds.claimed,
        "failed": odds.attempts - odds.solved,
        "open": one.tried - odds.attempts - odds.claimed,
        "verified_share": share,
        "odds": round(odds.value, 4),
        "odds_low": round(odds.low, 4),
        "odds_high": round(odds.high, 4),
        "mean_seconds": None if one.seconds is None else round(one.seconds, 3),
    }


def _one(place: Place, given: Mapping[str, Any], rows: ReportRows) -> int:
    from engrain.shells.ask import bars, listed, replaced

    drawn, output, how = given.get("chart"), given.get("output"), given.get("format")
    if drawn == "terminal":
        bars(rows)
        return 0
    if drawn:
        from engrain.shells.pictures import draw

        with replaced(Path(output or "")) as file:
            file.write(draw(rows, drawn))
        print(f"a chart of {counted(len(rows.rows), 'row')} written to {printable(output or '')}")
        return 0
    suffix = Path(output).suffix.lstrip(".") if output else ""
    how = how or ("json" if place.json else suffix if suffix in ("json", "csv") else None)
    if how is None and output:
        raise InvalidField("A file is json or csv: --format says which; --chart draws one.")
    if how is None:
        shown = tuple(name for name in rows.columns if name not in (_LONG if "day" in rows.columns else _ODDS))
        listed(replace(rows, columns=shown))
        return 0
    text = dumped(plain(rows), indent=2) + "\n" if how == "json" else _csv(rows)
    if output:
        with replaced(Path(output)) as file:
            file.write(text.encode())
        print(f"{counted(len(rows.rows), 'row')} written to {printable(output)}")
    else:
        print(text, end="")
    return 0


def _csv(rows: ReportRows) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows.columns)
    writer.writerows([row[name] for name in rows.columns] for row in rows.rows)
    return out.getvalue()
