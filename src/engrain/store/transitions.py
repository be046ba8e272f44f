"""What happened to a memory: every change of its state is one row, which is also the event that others are told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from engrain.model.event import Event
from engrain.model.machine import check
from engrain.store.changes import bump
from engrain.store.port import Row, Transaction
from engrain.store.rows import to_json
from engrain.world import from_micros

_NOTHING: Mapping[str, Any] = MappingProxyType({})
SCOPE = "transitions"
"""The change sequence of a tenant's transitions."""


class Transition(NamedTuple):
    """One change of one memory's state: ``event`` such as ``memory:archived``; ``actor`` such as ``role:decay`` or
    ``agent:NAME``; ``before`` and ``after`` what else changed with it (never content)."""

    memory_id: str
    agent: str
    event: str
    old: str
    new: str
    reason: str
    actor: str
    before: Mapping[str, Any] = _NOTHING
    after: Mapping[str, Any] = _NOTHING


def log(tx: Transaction, tenant: str, at: int, transitions: Sequence[Transition]) -> int:
    """Write transitions of one transaction under one number, which is returned; 0 when there are none. The scope of the
    transitions is locked from here on: log last, so that nobody waits in a circle. Raises InvalidInput for a transition
    that the state machine does not know."""
    for kind in {(one.old, one.new, one.event) for one in transitions}:
        check(*kind)
    if not transitions:
        return 0
    seq = bump(tx, tenant, SCOPE)
    rows = [
        (tenant, seq, place, at, one.agent, one.memory_id, one.event, one.old, one.new, one.reason, one.actor,
         to_json(dict(one.before)) if one.before else "{}", to_json(dict(one.after)) if one.after else "{}")
        for place, one in enumerate(transitions)
    ]  # fmt: skip
    tx.run_many("transition_insert", rows)
    return seq


def event_from_row(row: Row) -> Event:
    """The event that a row of ``transition_list`` is."""
    return Event(
        f"{row['seq']}-{row['place']}",
        from_micros(row["at"]),
        row["memory_id"],
        row["agent"],
        row["event"],
        row["old_state"],
        row["new_state"],
        row["reason"],
        row["actor"],
        json.loads(row["before"]),
        json.loads(row["after"]),
    )


def place_of(id_: str) -> tuple[int, int] | None:
    """(seq, place) of an event's id; None for what is none."""
    seq, dash, place = id_.partition("-")
    digits = ((seq, 18), (place, 10))
    there = dash and all(part.isascii() and part.isdigit() and len(part) <= most for part, most in digits)
    return (int(seq), int(place)) if there else None
