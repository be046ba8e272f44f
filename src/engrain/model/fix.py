"""Problems, the issues they belong to, attempts to fix them, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ISSUE_TYPES = (
    "model_not_available",
    "timeout",
    "unexpected_response",
    "no_output",
    "error",
    "test_failure",
    "exception",
    "custom",
)
"""The usual types of an issue; any other name may be given."""

LEVELS = ("issue", "target", "type", "similar")
"""Where a fix is known from: the same issue; the same target and type; the same type; a similar problem."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong. Only ``message`` is needed; a stack trace may stand in it, or in ``trace``.

    ``target`` is what is being fixed: a model, a service, a file. ``prompt`` and ``response`` are those of a model that
    answered badly; ``test`` is a failing test's name, ``log`` an excerpt. An explicit ``fingerprint`` decides alone to
    which issue the problem belongs.
    """

    message: str
    type: str | None = None
    target: str | None = None
    trace: str | None = None
    test: str | None = None
    log: str | None = None
    prompt: str | None = None
    response: str | None = None
    fingerprint: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fix:
    """One attempt to solve an issue. ``success`` is what the fixer said (None: unknown), ``verified`` whether something
    independent confirmed it: only both together are a solution. ``signature`` is the raw id of the problem as it was
    then, ``issue`` the id that it belongs to by now. ``commands`` that do nothing (echo, comments) are no fix."""

    id: str
    agent: str
    issue: str
    signature: str
    type: str
    target: str | None
    message: str
    commands: tuple[str, ...]
    analysis: str | None
    fixer: str | None
    success: bool | None
    verified: bool
    effective: bool  # whether its commands do anything
    seconds: float | None
    system: Mapping[str, Any]
    notes: str | None
    session: str | None
    task_id: str | None
    visibility: str
    occurred_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """What ``record_fix`` was told, checked: times in µs. Without commands and analysis it is a sighting."""

    problem: Problem
    type: str
    commands: tuple[str, ...] = ()
    analysis: str | None = None
    fixer: str | None = None
    success: bool | None = None
    verified: bool = False
    micros: int | None = None
    system: Mapping[str, Any] = field(default_factory=dict)
    notes: str | None = None
    session: str | None = None
    task_id: str | None = None
    visibility: str = "private"
    occurred_at: int | None = None


@dataclass(frozen=True, slots=True)
class Odds:
    """How likely something works: the mean of the posterior Beta(``solved`` + prior, ``attempts`` - ``solved`` + prior)
    and its 90 % interval. ``attempts`` are those whose end is known, ``solved`` those that were verified, ``claimed``
    those that were said to work and not verified (they count neither way)."""

    attempts: int
    solved: int
    claimed: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class KnownFix:
    """A way to solve an issue, with its odds at the level from which it is known. ``fix_id`` is its latest attempt;
    ``evidence`` are the latest attempts behind the odds, of an issue's own several."""

    key: str  # of its commands, without what differs from case to case
    commands: tuple[str, ...]
    analysis: str | None
    level: str
    odds: Odds
    seconds: float | None  # what it took on the average, None when not told
    last_at: datetime
    fix_id: str
    evidence: tuple[str, ...]
    similarity: float = 1.0  # of the problem it was for, below 1 at the level "similar"


@dataclass(frozen=True, slots=True)
class Habit:
    """When an issue appears more often than chance allows: ``kind`` hour or weekday (UTC, Monday 0), at which
    ``slots``, how many times as often as on average, and how likely chance does that (corrected for slots tried)."""

    kind: str
    slots: tuple[int, ...]
    ratio: float
    p: float


@dataclass(frozen=True, slots=True)
class IssueInfo:
    """What is known of an issue. ``seen`` counts its attempts and sightings; ``trend`` is the number of the last 30
    days against the 30 before, None while there is nothing to compare; ``raw`` are all signatures of it."""

    id: str
    title: str
    type: str
    kind: str  # of its signature: fingerprint, crash or template
    raw: tuple[str, ...]
    seen: int
    targets: Mapping[str, int]
    odds: Odds
    best: KnownFix | None
    first_at: datetime
    last_at: datetime
    trend: float | None
    habits: tuple[Habit, ...]
    related: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """What is known of a target: a model, a service, a file."""

    target: str
    seen: int
    odds: Odds
    issues: Mapping[str, int]  # type to how often
    common: tuple[str, ...]  # ids of its most frequent issues
    fixes: tuple[KnownFix, ...]  # those that work best for it
    first_at: datetime
    last_at: datetime
    trend: float | None


@dataclass(frozen=True, slots=True)
class Level:
    """What one level of the look-up found: the best odds first, then what failed and never worked."""

    name: str
    fixes: tuple[KnownFix, ...]
    avoid: tuple[KnownFix, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known of a problem. ``issue`` is its id now, ``signature`` its raw one, ``known`` whether it was seen
    before. ``fixes`` are the ways to solve it, all levels, the surest first; ``avoid`` what failed there and must
    not be tried again. Looking up changes nothing."""

    issue: str
    signature: str
    known: bool
    info: IssueInfo | None
    target: TargetInfo | None
    levels: tuple[Level, ...]
    fixes: tuple[KnownFix, ...]
    avoid: tuple[KnownFix, ...]
    similar: tuple[tuple[str, float], ...] = ()  # ids of similar issues and how alike they are, 0..1


@dataclass(frozen=True, slots=True)
class FixSum:
    """Sums over fixes of one name (a fixer, a type, a target), or of one name on one day (UTC, YYYY-MM-DD): ``seen``
    attempts and sightings, ``tried`` attempts that did something, ``seconds`` what one took on the average."""

    name: str
    day: str | None
    seen: int
    tried: int
    odds: Odds
    seconds: float | None
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class FixStats:
    """What an agent can see of fixes. Of ``tried`` attempts some were solved (verified), some claimed, some failed, and
    of the rest nobody said what came of them (``unknown``). ``seen`` counts sightings, and attempts that did nothing,
    as well; ``recent`` is ``seen`` of the last seven days."""

    seen: int
    tried: int
    solved: int
    failed: int
    claimed: int
    unknown: int
    odds: Odds
    issues: int
    targets: int
    recent: int
    types: Mapping[str, int]
    fixers: Mapping[str, int]
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class FixReport:
    """The last ``days`` days: how the fixers do, types, targets, and ``trend``, each target (what has none is left out)
    day by day; ``daily`` is all by day, oldest first."""

    days: int
    since: datetime
    until: datetime
    fixers: tuple[FixSum, ...]
    types: tuple[FixSum, ...]
    targets: tuple[FixSum, ...]
    trend: tuple[FixSum, ...]
    daily: tuple[FixSum, ...]


@dataclass(frozen=True, slots=True)
class IssueEdit:
    """Issues that a person put together (``kind`` merge: ``signature`` into ``other``) or apart (split)."""

    id: str
    kind: str
    signature: str
    other: str | None
    reason: str
    at: datetime
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class FixesCleaned:
    """Attempts and sightings whose texts went, or would go (``dry_run``), and how many of them were verified
    solutions."""

    cleared: int
    solved: int
    dry_run: bool


@dataclass(frozen=True, slots=True)
class FixImport:
    """What an import of fixes did: attempts that are new here, those that had a newer outcome than the one known here,
    those that were known already."""

    added: int
    revised: int
    known: int
