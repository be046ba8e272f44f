"""What the doctor found, who lives in a home, and what reports tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


def counted(number: int, one: str, many: str = "") -> str:
    """``1 memory``, ``2,000 memories``; ``many`` left out is ``one`` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


@dataclass(frozen=True, slots=True)
class Check:
    """One examination. ``ok`` is None when it could not be made; ``detail`` says what was found and what to do."""

    name: str
    ok: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """All examinations of one visit."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Nothing was found wrong (what could not be examined is not counted as wrong)."""
        return all(check.ok is not False for check in self.checks)


@dataclass(frozen=True, slots=True)
class AgentInfo:
    """An agent that has written to this home."""

    tenant: str
    name: str
    team: str | None
    created_at: datetime
    memories: int
    experiences: int


@dataclass(frozen=True, slots=True)
class ReportInfo:
    """A report: what it tells, and its chart, which counts ``unit`` and is ``bars`` of a label, or ``columns`` or
    ``lines`` of a day, made of these values."""

    name: str
    about: str
    unit: str
    chart: str
    label: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportRows:
    """A report that was made: its rows, each a dict of JSON values by column, ``of`` the days that are told."""

    report: ReportInfo
    of: str
    columns: tuple[str, ...]
    rows: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """A column of a table that SQL sees; its type is text, integer, number, flag, time or list."""

    name: str
    type: str
    about: str


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table that SQL over the archive sees."""

    name: str
    about: str
    columns: tuple[ColumnInfo, ...]
