"""What came of an export, an import, and of one row that was refused."""

from __future__ import annotations

from dataclasses import dataclass

CONFLICTS = ("skip", "overwrite", "keep-newer", "merge")
"""What an import does with a row that meets an item: docs/guides/move.md has the table."""


@dataclass(frozen=True, slots=True)
class Exported:
    """How many items were written to ``path``, by state."""

    path: str
    active: int
    superseded: int
    archived: int


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was refused: where it stands (``line 7``, or a file of a folder) and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the rows: new items, rows that changed nothing, items replaced by a row or joined with one.
    ``refused`` counts the rows that were left out, ``bad`` tells the first of them."""

    imported: int = 0
    skipped: int = 0
    overwritten: int = 0
    merged: int = 0
    refused: int = 0
    bad: tuple[BadRow, ...] = ()
