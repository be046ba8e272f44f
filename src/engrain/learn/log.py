"""Experiences as columns: what offline training and off-policy evaluation work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLAIMED, EXECUTED, VERIFIED = 0, 1, 2
END = -1  # in the place of a next state: the episode ended there


@dataclass(frozen=True, slots=True)
class Counts:
    """An empirical model: one row for each (state, action, next state) that was seen, [m] arrays.

    ``next`` is END where the episode ended, or where there are no episodes. ``n`` counts experiences, ``weight`` sums
    their evidence, ``total`` and ``squares`` the weighted reward and its square. ``keys`` and ``texts`` are the state
    keys and the canonical JSON of the states, ``actions`` the names. ``data`` names the version of the data: equal for
    equal data.
    """

    keys: tuple[str, ...]
    texts: tuple[str, ...]
    actions: tuple[str, ...]
    state: Ints
    action: Ints
    next: Ints
    n: Floats
    weight: Floats
    total: Floats
    squares: Floats
    data: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """Logged experiences one by one, [n] arrays, ordered by episode and within an episode by decision.

    ``state``, ``action``, ``next`` are numbers into ``keys``/``texts`` and ``actions`` (``next`` END: ended there);
    ``reward`` in [-2, 2]; ``evidence`` CLAIMED, EXECUTED or VERIFIED; ``propensity`` NaN where it was not logged;
    ``episode`` numbers episodes from 0, a decision without one is an episode of its own; ``lineage`` numbers sources:
    the task, else the episode, else for claims the agent and for the rest the outcome itself: claims of one source are
    evidence once; ``agent`` numbers agents; ``at`` is when it was decided (µs UTC); ``policy`` is the version that
    decided, 0 for the online learner, -1 for nobody of engrain's.
    """

    keys: tuple[str, ...]
    texts: tuple[str, ...]
    actions: tuple[str, ...]
    state: Ints
    action: Ints
    next: Ints
    reward: Floats
    evidence: Ints
    propensity: Floats
    episode: Ints
    lineage: Ints
    agent: Ints
    at: Ints
    policy: Ints
    data: str = ""

    def __len__(self) -> int:
        return len(self.state)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A task type with outcomes that no dream has trained on: ``seq`` and ``purges`` are its change number now."""

    tenant: str
    task_type: str
    seq: int
    purges: int
    fresh: int  # outcomes since the last dream, at least


class Reading(Protocol):
    """The experiences of one task type of a tenant. Those that are archived are read once, as of one moment."""

    def both(self, agent: str | None) -> tuple[Counts, Log]:
        """See ``Experiences.both``."""
        ...

    def log(self, agent: str | None, since: int) -> Log:
        """See ``Experiences.log``."""
        ...


class Experiences(Protocol):
    """Where a dream reads: archive and hot store together, each experience exactly once, as of one moment. Raises
    ArchiveError when experiences are archived and cannot be reached."""

    def agents(self, tenant: str, task_type: str) -> Sequence[str]:
        """Who has experiences with a known reward."""
        ...

    def counts(self, tenant: str, task_type: str, agent: str | None = None) -> Counts:
        """By one plain GROUP BY; ``agent`` None: all agents of the tenant."""
        ...

    def log(self, tenant: str, task_type: str, agent: str | None = None, since: int = 0) -> Log:
        """One by one; only those decided at ``since`` (µs UTC) or later."""
        ...

    def both(self, tenant: str, task_type: str, agent: str | None = None) -> tuple[Counts, Log]:
        """Counts and log of one moment, read once: their ``data`` is the same. Raises StoreBusy when too much is told
        meanwhile."""
        ...

    def reading(self, tenant: str, task_type: str) -> Reading:
        """For whoever asks for the tenant and for many of its agents."""
        ...
