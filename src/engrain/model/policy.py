"""What was learned offline: policies, how they were judged, and the dreams that made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

ROLLED_BACK = "policy-rolled-back"
"""The alert of a live policy that the regression watch took back. Its subject is ``tenant/task type``, or of an agent's
own policy ``tenant/agent/task type``."""

CONTRADICTED = "The methods contradict each other"
"""How the reason begins where a gate refused a policy of episodes although its estimate was good enough."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a way of deciding would be worth, told from logged outcomes that another way brought about.

    ``value`` is in units of reward a decision, or with episodes the discounted sum of an episode; ``low``–``high`` its
    interval at ``confidence``. ``effective`` is how many of the ``n`` outcomes it rests on in effect (Kish). When it is
    ``refused``, that says why, and value, low and high are None: the data cannot tell.
    """

    method: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    effective: float
    confidence: float = 0.95
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a candidate may replace what is live. ``candidate`` and ``live`` are the estimates that decided,
    ``others`` what further methods say of the candidate. ``reason`` is a sentence for people."""

    passed: bool
    reason: str
    candidate: Estimate
    live: Estimate
    others: tuple[Estimate, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyInfo:
    """A version of what to do in the states of one task type. ``agent`` is None when it is the whole tenant's.

    ``state`` is candidate (made, not promoted), shadow (it passed and is watched on new outcomes), live (it advises) or
    retired. ``parent`` is the version that was live when it was made, 0 for none: then the online learner advises.
    ``data`` says what it was trained on (``from``, ``to``, ``rows``, ``lineages``, ``version``), ``metrics`` how it was
    judged. ``told`` counts the verified outcomes of decisions that it made while live, ``told_mean`` is their mean
    reward (None while there are none).
    """

    tenant: str
    agent: str | None
    task_type: str
    version: int
    state: str
    kind: str
    parent: int
    discount: float
    seed: int
    code: str
    made_at: datetime
    live_at: datetime | None
    data: Mapping[str, Any]
    metrics: Mapping[str, Any]
    told: int
    told_mean: float | None
    dream: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyEvent:
    """What became of a policy: made, refused, shadowed, promoted, retired or rolled-back, why, and by whom."""

    at: datetime
    tenant: str
    agent: str | None
    task_type: str
    version: int
    event: str
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class Dream:
    """One offline cycle. ``state`` is pending, running, completed, interrupted (it goes on from its phase) or failed;
    ``reason`` is what asked for it: time, outcomes, gate or asked. ``phase`` is how far it is: ingest, train, evaluate,
    promote, report, done. ``steps`` of its ``budget`` were used. ``findings`` are its counts and what it decided of
    each task type, as plain JSON values."""

    id: str
    state: str
    reason: str
    phase: str
    seed: int
    budget: int
    steps: int
    requested_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    findings: Mapping[str, Any]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class DreamReport:
    """What a dream came to, for people: as Markdown, and as one page of HTML with pictures that needs nothing else.
    ``at`` is when the dream ended, or the moment of asking while it has not."""

    id: str
    at: datetime
    state: str
    markdown: str
    html: str
