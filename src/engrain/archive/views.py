"""The tables that SQL over the archive sees: their columns, and what they mean (``views.txt``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engrain.archive.layout import Kind

COLD: Mapping[str, Kind] = {"history": "memories", "experiences": "experiences"}
"""Tables of the cold archive by their names in SQL."""
ALIASES: Mapping[str, Mapping[str, str]] = {"history": {"verbatim": "content", "salience": "importance"}}
"""Columns by the names of an earlier system, whose queries run on as they are."""
_LINE = re.compile(r"(  )?(\w+)(?: (text|integer|number|flag|time|list))?: (.+)")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its type is text, integer, number, flag, time or list."""

    name: str
    type: str
    about: str


@dataclass(frozen=True, slots=True)
class View:
    """A table of SQL over the archive."""

    name: str
    about: str
    columns: tuple[Column, ...]


@cache
def views() -> tuple[View, ...]:
    """All of them."""
    found: list[tuple[str, str, list[Column]]] = []
    for line in (Path(__file__).parent / "views.txt").read_text(encoding="utf-8").splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"views.txt: {line!r}")
        column, name, kind, about = match.groups()
        if column:
            found[-1][2].append(Column(name, kind, about))
        else:
            found.append((name, about, []))
    return tuple(View(name, about, tuple(columns)) for name, about, columns in found)


@cache
def columns_of() -> Mapping[str, Mapping[str, str]]:
    """Table → column → type."""
    return {view.name: {one.name: one.type for one in view.columns} for view in views()}


def named_in(statement: str) -> list[str]:
    """The tables that a statement may speak of."""
    words = {word.lower() for word in re.findall(r"\w+", statement)}
    return [view.name for view in views() if view.name in words]
