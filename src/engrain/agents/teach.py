"""What a task that is over teaches beside its outcome: of patterns, by its steps, and what worked and what did not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from engrain.agents.way import Way
from engrain.model.decision import Outcome

if TYPE_CHECKING:
    from engrain.agent import Agent

_IMPORTANCE = {"claimed": 3.0, "executed": 5.0, "verified": 6.0}  # of what is remembered: as sure as it is known


def credit(
    agent: Agent, way: Way, patterns: Sequence[str], state: Mapping[str, Any] | None, outcome: Outcome, id: str | None
) -> None:
    """How the task ended is evidence for or against the patterns that were acted upon."""
    for pattern in patterns:
        agent.use_pattern(
            pattern,
            outcome.success,
            stage="applied",
            evidence=outcome.evidence,
            source=id,
            task_type=way.task_type,
            state=state,
            task_id=id,
        )


def keep_steps(
    agent: Agent, way: Way, about: str | None, steps: Sequence[Mapping[str, Any]], outcome: Outcome, id: str | None
) -> None:
    """The steps as a trajectory."""
    if steps:
        cast(Any, agent).add_trajectory(
            about or way.task_type,
            steps,
            success=outcome.success,
            evidence=outcome.evidence,
            task_type=way.task_type,
            task_id=id,
            visibility=way.visibility,
        )


def remember(agent: Agent, way: Way, about: str | None, action: str | None, outcome: Outcome, id: str | None) -> None:
    """What worked for such a task and what did not, once for each task and action."""
    if about is None or outcome.success is None or action is None:
        return
    end = "worked" if outcome.success else f"failed: {outcome.error}" if outcome.error else "failed"
    name = f"{way.task_type}\x1f{action}\x1f{about}"
    agent.remember(
        f"{about}\n{action} {end} ({outcome.evidence}).",
        kind="success_pattern" if outcome.success else "error_pattern",
        key=f"task-{hashlib.blake2b(name.encode('utf-8', 'replace'), digest_size=12).hexdigest()}",
        importance=_IMPORTANCE[outcome.evidence],
        tags=[way.task_type[:128]],
        metadata={"action": action, "task": id},
        visibility=way.visibility,
    )
