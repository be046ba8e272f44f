"""What happened to a memory: every change of its state is one row, which is also the event that others are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engrain.model.machine import check
from engrain.store.port import Transaction
from engrain.store.rows import to_json

SCOPE = "transitions"
"""The change sequence of a tenant's transitions."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of one memory's state: ``event`` such as ``memory:archived``; ``actor`` such as ``role:decay`` or
    ``agent:NAME``; ``before`` and ``after`` what else changed with it (never content)."""

    memory_id: str
    agent: str
    event: str
    old: str
    new: str
    reason: str
    actor: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


def log(tx: Transaction, tenant: str, at: int, transitions: Sequence[Transition]) -> int:
    """Write transitions of one transaction under one number, which is returned; 0 when there are none. The scope of the
    transitions is locked from here on: log last, so that nobody waits in a circle. Raises InvalidInput for a transition
    that the state machine does not know."""
    for one in transitions:
        check(one.old, one.new, one.event)
    if not transitions:
        return 0
    seq = int(tx.read("scope_bump", {"tenant": tenant, "name": SCOPE, "purges": 0})[0]["seq"])
    rows = [
        (tenant, seq, place, at, one.agent, one.memory_id, one.event, one.old, one.new, one.reason, one.actor,
         to_json(dict(one.before)) if one.before else "{}", to_json(dict(one.after)) if one.after else "{}")
        for place, one in enumerate(transitions)
    ]  # fmt: skip
    tx.run_many("transition_insert", rows)
    return seq
