"""The tables that SQL over the archive sees: their columns, and what they mean (``views.txt``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from engrain.archive.port import Kind
from engrain.model.report import ColumnInfo, TableInfo

COLD: Mapping[str, Kind] = {"history": "memories", "experiences": "experiences"}
"""Tables of the cold archive by their names in SQL."""
ALIASES: Mapping[str, Mapping[str, str]] = {"history": {"verbatim": "content", "salience": "importance"}}
"""Columns by the names of an earlier system, whose queries run on as they are."""
_LINE = re.compile(r"(  )?(\w+)(?: (text|integer|number|flag|time|list))?: (.+)")


@cache
def views() -> tuple[TableInfo, ...]:
    """All of them."""
    found: list[tuple[str, str, list[ColumnInfo]]] = []
    for line in (Path(__file__).parent / "views.txt").read_text(encoding="utf-8").splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"views.txt: {line!r}")
        column, name, kind, about = match.groups()
        if column:
            found[-1][2].append(ColumnInfo(name, kind, about))
        else:
            found.append((name, about, []))
    return tuple(TableInfo(name, about, tuple(columns)) for name, about, columns in found)


@cache
def columns_of() -> Mapping[str, Mapping[str, str]]:
    """Table → column → type."""
    return {view.name: {one.name: one.type for one in view.columns} for view in views()}


def named_in(statement: str) -> list[str]:
    """The tables that a statement may speak of."""
    words = {word.lower() for word in re.findall(r"\w+", statement)}
    return [view.name for view in views() if view.name in words]
