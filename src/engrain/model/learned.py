"""What an agent has learned, in figures; and what was taken away when it was to begin anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Learned:
    """One task type of an agent. ``decisions`` were advised; ``outcomes`` have a reward, ``good`` of them ended well,
    ``mean_reward`` is theirs: of the store, archived ones apart. ``visits`` and ``actions`` are those of the Q-values,
    in which archived outcomes count, too. ``policy`` is the version learned offline that advises, 0 for none."""

    task_type: str
    decisions: int
    experiences: int
    outcomes: int
    good: int
    mean_reward: float | None
    visits: int
    actions: int
    best: str | None
    best_mean: float | None
    policy: int
    drifts: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class LearnedDay:
    """What came in on one day (UTC, ``day`` as 2026-01-31) in a task type."""

    day: str
    task_type: str
    experiences: int
    outcomes: int
    good: int
    mean_reward: float | None


@dataclass(frozen=True, slots=True)
class LearningExported:
    """How much of an agent's learning is in the file at ``path``."""

    path: str
    experiences: int
    decisions: int
    q_values: int


@dataclass(frozen=True, slots=True)
class LearningReset:
    """What was taken away of a task type, and the file in which it was written first."""

    task_type: str
    path: str
    experiences: int
    archived: int
    decisions: int
    q_values: int
    policies: int
