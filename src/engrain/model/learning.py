"""Why it advises what it advises, how two policies differ, and whether the loop of learning lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engrain.model.decision import Drift, Evidence, Experience
from engrain.model.policy import PolicyEvent, PolicyInfo


@dataclass(frozen=True, slots=True)
class Choice:
    """What a policy does most likely in a state: the action, its probability, its long-run value and how often it was
    seen there, or by a rule over features in states like it; ``visits`` is None of a linear rule, which cannot tell.
    All None where the policy does not know the state: there the online learner decides."""

    action: str | None = None
    chance: float | None = None
    value: float | None = None
    visits: float | None = None


@dataclass(frozen=True, slots=True)
class StateChange:
    """A state in which two policies choose differently. ``outcomes`` are those known in it, of all agents; ``state`` is
    None where a policy knows a state that nobody has an outcome in any more."""

    state: Mapping[str, Any] | None
    outcomes: int
    before: Choice
    after: Choice


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """How a policy differs from another. ``before`` is None for version 0, the online learner, which has no table: each
    state that ``after`` knows is then a change. Of ``states`` that were compared, ``changed`` have another choice,
    ``gained`` are known to ``after`` alone and ``lost`` to ``before`` alone; both are among the changed. ``share`` is
    that of all outcomes that lie in changed states, None without outcomes. ``changes`` has those with the most
    outcomes first, and may leave out the rest."""

    tenant: str
    task_type: str
    before: PolicyInfo | None
    after: PolicyInfo
    states: int
    changed: int
    gained: int
    lost: int
    share: float | None
    changes: tuple[StateChange, ...]


@dataclass(frozen=True, slots=True)
class Belief:
    """What is known of an option in a state. ``chance`` is its probability with exploration, that of the decision where
    one is explained; ``ruled`` that by the policy alone, which holds it for worth ``long_run`` after ``visits``
    outcomes there. ``value`` in ``low``–``high`` is the mean reward that the back-off expects now, and ``evidence``
    what that rests on. None is not known."""

    action: str
    chance: float | None
    ruled: float | None
    long_run: float | None
    visits: float | None
    value: float | None
    low: float | None
    high: float | None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision as it was logged. ``archived``: it has left the store."""

    id: str
    at: datetime
    mode: str
    action: str | None
    propensity: float | None
    value: float | None
    low: float | None
    high: float | None
    policy: str
    episode: str | None
    archived: bool


@dataclass(frozen=True, slots=True)
class Since:
    """Outcomes of an action: how many with a known reward, and its mean."""

    action: str
    n: int
    mean: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """The full record of why something is, or would be, advised.

    ``version`` is the policy that decides, 0 the online learner; ``why`` says it in sentences; ``policy`` and
    ``events`` tell how that version was judged, and what became of it since. ``exploration`` is the share of
    probability that goes elsewhere than to what is held for best. ``outcome`` is what came of the decision;
    ``since`` what came of each action in this state, of this agent, after the decision, or in the last 30 days; of
    what is in the store, not in the archive.
    """

    at: datetime
    tenant: str
    agent: str | None
    task_type: str
    state: Mapping[str, Any]
    version: int
    why: tuple[str, ...]
    exploration: float | None
    options: tuple[Belief, ...]
    decision: Decided | None = None
    policy: PolicyInfo | None = None
    events: tuple[PolicyEvent, ...] = ()
    outcome: Experience | None = None
    since: tuple[Since, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the loop. ``state`` is alive, silent (what feeds it moves, it does not), waiting (nothing has come
    that it should have acted on), nothing (nothing ever came) or unknown (it may be in an archive that cannot be read).
    ``n`` counts what it did in the days that are asked about, ``of`` how many there could be; ``last`` is when it moved
    last in them; ``since`` when it fell silent."""

    name: str
    about: str
    state: str
    n: int
    of: int | None
    last: datetime | None
    since: datetime | None
    detail: str


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from ``begins``: outcomes that are known by more than a claim, and their mean reward, of decisions
    that followed an advice, and of those without memory. A mean is None without outcomes."""

    begins: datetime
    advised: int
    advised_mean: float | None
    without: int
    without_mean: float | None


@dataclass(frozen=True, slots=True)
class TaskGain:
    """What memory adds in a task type: the mean reward with memory less that without, ``low``–``high`` its 90 %
    interval (Welch); None where either side has fewer than 10 outcomes. It compares what happened, not what would
    have: an agent may leave its hard cases to one side."""

    tenant: str
    task_type: str
    advised: int
    advised_mean: float | None
    without: int
    without_mean: float | None
    gain: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Expected:
    """Advices that expected a mean reward from ``least`` to ``most``: what they expected and what came, on average.
    ``error`` is the standard error of what came, None of a single outcome."""

    least: float
    most: float
    n: int
    expected: float
    observed: float
    error: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Does what is expected come? ``inside`` is the share of single outcomes within the advice's interval, which is one
    of the mean: of outcomes that scatter less lies inside. None without outcomes."""

    n: int
    expected: float | None
    observed: float | None
    inside: float | None
    bins: tuple[Expected, ...] = ()


@dataclass(frozen=True, slots=True)
class Canary:
    """The last proof, in a throw-away tenant, that outcomes change later decisions."""

    at: datetime
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class AgentDrift:
    """A drift in what an agent has observed."""

    tenant: str
    agent: str
    drift: Drift


@dataclass(frozen=True, slots=True)
class LearningHealth:
    """Whether the loop of learning lives, as it was ``at`` that moment, over the last ``days`` (UTC) with today.

    ``alive`` is False when a stage is silent, None when nobody decided yet or the archive cannot be read. ``worse`` is
    the share of advised outcomes in task types in which memory did worse than none, None where nothing can be
    compared. ``archive`` says whether archived rows are counted in: read, none, or why they are not, and then every
    count is one at least. ``notes`` are things to look at, ``drifts`` those that were last seen in these days, of all
    agents, the latest first, 50 at most.
    """

    at: datetime
    days: int
    tenant: str | None
    alive: bool | None
    stages: tuple[Stage, ...]
    weeks: tuple[Week, ...]
    tasks: tuple[TaskGain, ...]
    worse: float | None
    calibration: Calibration
    canary: Canary | None
    archive: str
    notes: tuple[str, ...] = ()
    drifts: tuple[AgentDrift, ...] = ()
