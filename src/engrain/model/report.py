"""What the doctor found, and who lives in a home."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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
