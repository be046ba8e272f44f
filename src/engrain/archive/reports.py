"""Reports over the archive and what is live: SQL with a name (``reports.sql``), and how each is drawn."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from engrain.errors import InvalidField
from engrain.model.report import ReportInfo
from engrain.world import from_micros

_HEAD = re.compile(r"-- name: (\S+)\n-- about: (.+)\n-- unit: (.+)\n-- chart: (bars|columns|lines) (\w+): (.+)\n")


@cache
def reports() -> Mapping[str, tuple[ReportInfo, str]]:
    """Every report and its SQL, by its name."""
    parts = _HEAD.split((Path(__file__).parent / "reports.sql").read_text(encoding="utf-8"))[1:]
    found = {}
    for place in range(0, len(parts), 7):
        name, about, unit, chart, label, values, text = parts[place : place + 7]
        found[name] = ReportInfo(name, about, unit, chart, label, tuple(values.split())), text.strip().rstrip(";")
    return found


def report_named(name: Any) -> tuple[ReportInfo, str]:
    """A report and its SQL. Raises InvalidField."""
    found = reports().get(name) if isinstance(name, str) else None
    if found is None:
        raise InvalidField(f"There is no report {ascii(name)[:60]}; the reports are {', '.join(reports())}.")
    return found


def parameters(text: str, now: int, days: int, tenant: str | None, agent: str | None) -> dict[str, Any]:
    """The parameters of a report's SQL, of the last ``days`` days with today (UTC)."""
    over = from_micros(now) + timedelta(days=1)
    given = {
        "first": f"{over - timedelta(days=days):%Y-%m-%d}",
        "over": f"{over:%Y-%m-%d}",
        "tenant": tenant,
        "agent": agent,
    }
    used = set(re.findall(r"\$(\w+)", text))
    return {name: value for name, value in given.items() if name in used}
