"""Screens of the cold archive: what is in it, and the tables that SQL sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from engrain.shells.screen import bar, console, hanging, line, table

MONTHS, AGENTS = 24, 10  # lines of a screen


def _stats(value: Mapping[str, Any], now: datetime) -> None:
    store = value["store"]
    parts = [
        (kind, f"{one['rows']:,}", f"{one['files']:,}", f"{one['bytes']:,}", _each(one["bytes"], one["rows"]))
        for kind, one in ((kind, value[kind]) for kind in ("memories", "experiences"))
    ]
    table(
        [*parts, ("in the store", f"{store['memories']:,}", "", f"{store['bytes']:,}",
                  _each(store["bytes"], store["memories"]))],
        ("", ">rows", ">files", ">bytes", ">bytes a row"),
    )  # fmt: skip
    if store["waiting"]:
        hanging(0, (f"{store['waiting']:,} archived memories wait in the store to be moved", "dim"))
    line((f"at {value['location']}" if value["location"] else "There is no cold archive in this home.", "dim"))
    months = value["memories"]["months"][-MONTHS:]
    if months:
        console.print()
        top = max(one["rows"] for one in months) or 1
        rows = [(one["month"], bar(one["rows"] / top), f"{one['rows']:,}", f"{one['bytes']:,}") for one in months]
        table(rows, ("month", "", ">memories", ">bytes"))
        console.print()
        agents = value["memories"]["agents"][:AGENTS]
        table(
            [(f"{one['tenant']}/{one['agent']}", f"{one['rows']:,}") for one in agents], ("most archived", ">memories")
        )


def _each(size: int, rows: int) -> str:
    return f"{size / rows:,.0f}" if rows else ""


def _tables(value: Mapping[str, Any], now: datetime) -> None:
    for place, one in enumerate(value["tables"]):
        if place:
            console.print()
        hanging(2, (one.name, "bold"), (f"  {one.about}", "dim"))
        table([(f"  {column.name}", column.type, column.about) for column in one.columns])


def _compacted(value: Mapping[str, int], now: datetime) -> None:
    line((", ".join(f"{name} {n:,}" for name, n in value.items()) or "There is nothing to do.", ""))


SCREENS: dict[str, Callable[[Any, datetime], None]] = {
    "archive compact": _compacted,
    "archive stats": _stats,
    "archive tables": _tables,
}
