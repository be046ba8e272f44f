"""What looking for patterns came to: what was found, changed, put together or let go of, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CHANGES = ("found", "updated", "merged", "contradicts", "deprecated")


@dataclass(frozen=True, slots=True)
class PatternChange:
    """One thing that was done, or in a dry run would be. ``what`` is found (a new pattern), updated (new evidence of
    one that was found before), merged (into ``other``), contradicts (linked with ``other``) or deprecated. ``source``
    is where it comes from: discovered, fix, trajectory, or consolidation. Ids of found patterns are those that a dry
    run tells."""

    tenant: str
    agent: str
    what: str
    pattern: str
    title: str
    source: str
    reason: str
    other: str | None = None


@dataclass(frozen=True, slots=True)
class PatternReport:
    """``looked`` counts what was looked at, by its name; ``changes`` in the order in which they were made."""

    dry_run: bool
    looked: Mapping[str, int]
    changes: tuple[PatternChange, ...]
