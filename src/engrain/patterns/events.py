"""What is done to patterns: each change of tier or state in one transaction with why and by whom, and the way back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engrain.errors import InvalidField, UnknownPattern
from engrain.model.scope import Scope
from engrain.patterns.life import AFRESH
from engrain.patterns.room import Room
from engrain.patterns.rows import canonical
from engrain.store.port import Row, Transaction
from engrain.store.rows import to_json

RULES = "rules"


def actor(scope: Scope) -> str:
    """An agent as one who does something."""
    return f"agent:{scope.agent}"


def note(
    room: Room,
    tx: Transaction,
    row: Row,
    event: str,
    reason: str,
    who: str,
    other: str | None = None,
    detail: Mapping[str, Any] | None = None,
    undo: bool = True,
) -> None:
    """Write down what is about to be done to a pattern, with the row as it is. The times of its events rise, whatever the
    clock says: the latest one is the one that is taken back."""
    ids = [row["id"], *([other] if other else [])]
    last = tx.read("pattern_event_times", {"tenant": row["tenant"], "ids": ids})
    now = max([room.world.now(), *(one["at"] + 1 for one in last if one["at"] is not None)])
    told = {"id": room.world.new_id(), "tenant": row["tenant"], "agent": row["agent"], "pattern_id": row["id"]}
    before = to_json(canonical(row)) if undo else "{}"
    more = {"other_id": other, "event": event, "reason": reason, "actor": who, "undo": int(undo), "before": before}
    tx.run("pattern_event_insert", {**told, **more, "detail": to_json(dict(detail or {})), "now": now})


def change(
    room: Room,
    tx: Transaction,
    row: Row,
    event: str,
    reason: str,
    who: str,
    now_is: Mapping[str, Any],
    other: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Change canonical columns of a pattern, with an event that can be undone; the columns as they are now."""
    note(room, tx, row, event, reason, who, other, detail)
    told = {**canonical(row), **now_is, "updated_at": room.world.now()}
    room.put(tx, told)
    return told


def undo(room: Room, scope: Scope, id_: str) -> tuple[str, str]:
    """Take the latest event of one's own pattern back: the row is as it was before, exactly; its evidence is what its
    uses say. (id of the pattern that the event was of, the event). Raises UnknownPattern, InvalidField when there is
    nothing to take back."""
    base = {"tenant": scope.tenant, "agent": scope.agent}
    with room.store.transaction(scope.tenant) as tx:
        room.own(tx, scope, id_)
        found = tx.read("pattern_event_last", {**base, "id": id_})
        if not found:
            raise InvalidField(f"nothing was done to pattern {id_!r} that could be taken back.")
        event = found[0]
        row = room.mine(tx, scope, event["pattern_id"])
        before = json.loads(event["before"])
        told = {**before, "shared_seq": row["shared_seq"]}
        if (before["tier"], before["state"]) != (row["tier"], row["state"]):
            told["held"] = max(before["held"], row["good"] + row["bad"] + AFRESH)
        twins = tx.read("pattern_same", {**base, "fingerprint": told["fingerprint"]})
        if any(twin["id"] != row["id"] for twin in twins):
            raise InvalidField(
                f"pattern {twins[0]['id']!r} says by now what {id_!r} said before; change that one first."
            )
        passages = room.texts([told])[0] if any(row[name] != told[name] for name in _SAID) else None
        room.put(tx, told)
        if passages is not None:
            room.passages(tx, scope.tenant, row["id"], passages)
        tx.run("pattern_event_undone", {**base, "id": event["id"], "now": room.world.now()})
        taken = {"event": event["event"], "of": event["id"]}
        note(room, tx, row, "undone", f"{event['event']} was taken back", actor(scope), detail=taken, undo=False)
        for changed in dict.fromkeys((row["id"], event["other_id"])):
            if changed is not None:
                resum(room, tx, scope, changed)
        return row["id"], event["event"]


_SAID = ("title", "description", "content", "template", "tags", "framework", "language", "domain", "task_type")


def resum(room: Room, tx: Transaction, scope: Scope, id_: str) -> None:
    """Sum up the evidence of a pattern anew, and of what it is merged into; what comparison said of it stays until its
    next use."""
    told: str | None = id_
    while told is not None:
        try:
            row = room.mine(tx, scope, told)
        except UnknownPattern:
            return
        kept = {name: row[name] for name in ("id", "tenant", "agent", "contrast", "contrast_low", "contrast_high")}
        tx.run("pattern_believe", {**kept, **room.sums(tx, scope.tenant, room.group(tx, scope.tenant, told))})
        told = row["merged_into"]
