"""What was decided and what came of it: Outcome, Advice, Experience, QValue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

EVIDENCE = ("claimed", "executed", "verified")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action.

    ``success=None`` is unknown: it teaches nothing yet and may be revised later. ``evidence`` says how well it is
    known: claimed (someone said so) < executed (it was run) < verified (it was checked by something independent).
    ``seconds`` against ``budget_seconds``, ``quality`` and ``resources`` in 0..1, ``feedback`` in -1..1 are optional
    parts of the reward; an explicit ``reward`` in -2..2 replaces them. ``weights`` says how much a part counts in it
    where that is not as usual: ``{"quality": 2.0}``; the parts are success, time, quality, resources and feedback.
    """

    success: bool | None = None
    evidence: str = "claimed"
    seconds: float | None = None
    budget_seconds: float | None = None
    quality: float | None = None
    resources: float | None = None
    feedback: float | None = None
    error: str | None = None
    reward: float | None = None
    weights: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One source that an advice rests on: how many outcomes of which level spoke for the action, and their mean."""

    level: str  # "state", "nearest", "task", "tenant"
    visits: float  # outcomes, weighted by their evidence tier and nearness
    mean: float
    decisions: tuple[str, ...] = ()  # ids of the most recent decisions behind it


@dataclass(frozen=True, slots=True)
class Ranked:
    """An option, as it stands in the ranking. ``value``, ``low`` and ``high`` as in Advice, None while nothing is known
    of any option; ``propensity`` is the probability with which it was to be drawn."""

    action: str
    value: float | None
    low: float | None
    high: float | None
    propensity: float


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do next, how sure that is and why.

    ``value`` is the posterior mean reward of ``action``; ``low``–``high`` its 90 % interval. ``propensity`` is the
    probability with which ``action`` was drawn, and ``distribution`` that of every option. An advice that abstains has
    None in all of them and a ``decision_id`` that can still be observed with ``action=``. ``mode`` is ``advised`` (it
    rests on outcomes), ``explored`` (options without any evidence) or ``abstained``. ``ranking`` names all options, the
    one of the highest value first: for whoever can try them one after another.
    """

    decision_id: str
    task_type: str
    action: str | None
    value: float | None
    low: float | None
    high: float | None
    propensity: float | None
    visits: int
    evidence: tuple[Evidence, ...]
    mode: str
    distribution: Mapping[str, float]
    policy: str
    episode: str | None = None
    ranking: tuple[Ranked, ...] = ()


@dataclass(frozen=True, slots=True)
class Drift:
    """That what an agent's actions bring has fallen for good, last seen at ``seen_at``: outcomes until ``since`` count
    little from then on. ``action`` told it, its mean reward fell from ``before`` to ``after``. ``drifts`` counts those
    of the task type."""

    task_type: str
    since: datetime
    seen_at: datetime
    action: str
    before: float
    after: float
    drifts: int


@dataclass(frozen=True, slots=True)
class Experience:
    """One decision and what came of it. ``reward`` is None while the outcome is unknown; ``revision`` counts how often
    later feedback changed it."""

    id: str
    tenant: str
    agent: str
    task_type: str
    state: Mapping[str, Any]
    action: str
    outcome: Outcome
    reward: float | None
    created_at: datetime
    updated_at: datetime
    decision_id: str | None = None
    propensity: float | None = None
    next_state: Mapping[str, Any] | None = None
    episode: str | None = None
    task_id: str | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class QValue:
    """What was learned of one action in one state (``state`` None: over the whole task type).

    ``visits`` counts outcomes, ``weight`` their evidence; ``mean`` is the weighted mean reward, ``spread`` its standard
    deviation from outcome to outcome.
    """

    task_type: str
    state: Mapping[str, Any] | None
    action: str
    visits: int
    weight: float
    mean: float
    spread: float
