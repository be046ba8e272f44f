"""Between rows and values: how decisions and experiences are spelled in the store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engrain.learn import outcome as outcomes
from engrain.learn.past import Record
from engrain.learn.reward import VERSION
from engrain.model.decision import Advice, Experience
from engrain.model.scope import Scope
from engrain.world import from_micros


def experience_from_row(row: Record) -> Experience:
    """The experience in a row of ``experiences``."""
    return Experience(
        id=row["id"],
        tenant=row["tenant"],
        agent=row["agent"],
        task_type=row["task_type"],
        state=json.loads(row["state"]),
        action=row["action"],
        outcome=outcomes.from_json(row["outcome"]),
        reward=row["reward"],
        created_at=from_micros(row["created_at"]),
        updated_at=from_micros(row["updated_at"]),
        decision_id=row["decision_id"],
        propensity=row["propensity"],
        next_state=None if row["next_state"] is None else json.loads(row["next_state"]),
        episode=row["episode"],
        task_id=row["task_id"],
        revision=row["revision"],
    )


def verdict(experience: Experience, weight: float) -> dict[str, Any]:
    """The columns that a later outcome may change."""
    known = experience.outcome
    return {
        "tenant": experience.tenant,
        "agent": experience.agent,
        "id": experience.id,
        "action": experience.action,
        "propensity": experience.propensity,
        "success": None if known.success is None else int(known.success),
        "evidence": known.evidence,
        "outcome": outcomes.to_json(known),
        "reward": experience.reward,
        "reward_version": VERSION,
        "weight": weight,
    }


Options = list[str] | dict[str, Mapping[str, Any]]
"""What was to choose from: names, or by name the features that an option has beside the state."""


def decision_params(scope: Scope, advice: Advice, state: str, options: Options | None, now: int) -> dict[str, Any]:
    """Parameters of ``decision_insert``. ``options`` is None when the caller left the choice open."""
    return {
        "id": advice.decision_id,
        "tenant": scope.tenant,
        "agent": scope.agent,
        "task_type": advice.task_type,
        "state": state,
        "options": None if options is None else json.dumps(options, ensure_ascii=False),
        "action": advice.action,
        "propensity": advice.propensity,
        "distribution": json.dumps(dict(advice.distribution), ensure_ascii=False),
        "value": advice.value,
        "low": advice.low,
        "high": advice.high,
        "mode": advice.mode,
        "policy": advice.policy,
        "episode": advice.episode,
        "now": now,
    }
