"""Patterns: strategies that can be used again, with their evidence; and trajectories, from which they are distilled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

PATTERN_KINDS = (
    "unit-test",
    "integration-test",
    "e2e-test",
    "api-test",
    "performance-test",
    "security-test",
    "property-test",
    "mock",
    "fixture",
    "strategy",
    "error-recovery",
    "workflow",
)
"""The usual kinds of a pattern; any other name may be given."""

STATES = ("active", "quarantined", "deprecated", "merged")
ANY = "any"  # state, of those that are not merged
STAGES = ("shown", "applied", "helpful")
LINKS = ("similar", "duplicate", "contradicts", "refines", "translates")


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of a pattern: the posterior Beta of its helping, from ``good`` and ``bad`` outcomes weighted by
    evidence (claimed < executed < verified) and capped by lineage (many tellings of one source are one voice).
    ``confidence`` is the lower bound of the 90 % interval ``low``–``high``. ``contrast`` is how much oftener tasks
    ended well with it than comparable ones without it, with its interval; None where there are none to compare."""

    good: float
    bad: float
    value: float
    low: float
    high: float
    confidence: float
    lineages: int
    contrast: float | None = None
    contrast_low: float | None = None
    contrast_high: float | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """A strategy that can be used again. ``polarity`` is "do", or "avoid" for what proved not to work. ``tier`` is
    short (new) or long (proven). ``template`` has its parameters as ``{{name}}``. ``foundation`` patterns came with a
    pack and are never let go of for being young. ``provenance`` says where it came from: ``source`` (hand, discovered,
    fix, trajectory, import, translated), the ``ids`` it rests on, the code version that made it."""

    id: str
    tenant: str
    agent: str
    title: str
    description: str
    content: str
    template: str | None
    kind: str
    polarity: str
    framework: str | None
    language: str | None
    domain: str | None
    tags: tuple[str, ...]
    task_type: str | None
    tier: str
    state: str
    foundation: bool
    visibility: str
    provenance: Mapping[str, Any]
    belief: Belief
    shown: int
    applied: int
    helpful: int
    unhelpful: int
    last_used_at: datetime | None
    created_at: datetime
    updated_at: datetime
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class PatternHit:
    """A pattern that was found and why: ``why`` names the parts of the score. ``contradicts`` are patterns that say the
    opposite for the same situation, shown with it; ``draw`` is the Thompson sample that ordered it, None in a plain
    search."""

    pattern: Pattern
    score: float
    why: tuple[tuple[str, float], ...]
    contradicts: tuple[Pattern, ...] = ()
    draw: float | None = None


@dataclass(frozen=True, slots=True)
class PatternUse:
    """One use of a pattern: what happened to it, ``shown``, ``applied`` or judged ``helpful``."""

    id: str
    pattern: str
    agent: str
    stage: str
    success: bool | None
    evidence: str
    source: str | None  # the lineage: a task, a session, whoever told it
    at: datetime


@dataclass(frozen=True, slots=True)
class PatternEvent:
    """What became of a pattern and why: made, promoted, demoted, quarantined, released, deprecated, merged, shared,
    linked, undone, updated, imported. ``undo`` is whether it can be taken back."""

    id: str
    pattern: str
    at: datetime
    event: str
    reason: str
    actor: str
    undo: bool
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PatternLink:
    """Two patterns that have to do with each other: similar, duplicate (proposed for a merge), contradicts, refines or
    translates."""

    source: str
    target: str
    kind: str
    weight: float


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a trajectory: what was done, in which state, what came of it. ``output`` is text, for instance what a
    command printed; ``exit_code`` and ``tests`` (passed, failed) beat words when a judge looks at it."""

    action: str
    state: Mapping[str, Any]
    output: str | None = None
    success: bool | None = None
    exit_code: int | None = None
    tests: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The steps of one task, and how they were judged. ``evidence`` is on what the verdict rests: claimed, executed or
    verified; ``why`` names the rule that decided."""

    id: str
    agent: str
    task: str
    task_type: str | None
    steps: tuple[Step, ...]
    success: bool | None
    evidence: str
    why: str
    task_id: str | None
    visibility: str
    created_at: datetime
    distilled: tuple[str, ...] = ()  # patterns that it contributed to
