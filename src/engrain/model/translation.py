"""A template said for another framework; and patterns that left for a file or came from one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a translation that its reader should know: at which line of the template, and what."""

    line: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Translation:
    """A template said for another framework. ``notes`` are what was left as it was, or says a little less or more."""

    text: str
    source: str
    target: str
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class PatternsExported:
    """How many patterns, and uses of them, are in the file at ``path``."""

    path: str
    patterns: int
    uses: int


@dataclass(frozen=True, slots=True)
class PatternsImported:
    """What came of a file: patterns that are new here, patterns that were ``known``, uses that were new, links."""

    imported: int
    known: int
    uses: int
    links: int
