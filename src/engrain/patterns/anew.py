"""What is derived of patterns made anew, and everything of an agent forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engrain.model.scope import Scope
from engrain.patterns.events import resum
from engrain.patterns.room import SHARED, Room, own_scope
from engrain.patterns.rows import canonical
from engrain.store.changes import bump
from engrain.store.port import Row, Transaction

PAGE = 500


def rebuild(room: Room, tenant: str, made_with: Mapping[str, Any]) -> int:
    """Make the words and vectors of a tenant's patterns anew where something else made them, and what is believed of
    all; how many there are. Who uses one meanwhile waits."""
    _reindex(room, tenant, made_with)
    with room.store.transaction(tenant) as tx:
        for row in tx.read("pattern_owners", {"tenant": tenant}):
            room.hold(tx, Scope(tenant, row["agent"]))
        tx.run("pattern_voice_forget", {"tenant": tenant})
        after = ""
        while uses := tx.read("pattern_use_all", {"tenant": tenant, "after": after, "limit": PAGE}):
            for use in uses:
                _hear(tx, tenant, use)
            after = uses[-1]["id"]
        n, after = 0, ""
        while rows := tx.read("pattern_all", {"tenant": tenant, "after": after, "limit": PAGE}):
            for row in rows:
                resum(room, tx, Scope(tenant, row["agent"]), row["id"])
            n, after = n + len(rows), rows[-1]["id"]
    return n


def _reindex(room: Room, tenant: str, made_with: Mapping[str, Any]) -> None:
    """One that is changed meanwhile is indexed by whoever changes it."""
    after = ""
    while rows := room.store.read("pattern_stale", {**made_with, "tenant": tenant, "after": after, "limit": PAGE}):
        for row, passages in zip(rows, room.texts(rows), strict=True):
            with room.store.transaction(tenant) as tx:
                now = room.own(tx, Scope(tenant, row["agent"]), row["id"])
                if now["updated_at"] == row["updated_at"]:
                    room.passages(tx, tenant, row["id"], passages)
                    room.put(tx, canonical(now))
        after = rows[-1]["id"]


def _hear(tx: Transaction, tenant: str, use: Row) -> None:
    if use["success"] is None:
        return
    good, bad = (use["weight"], 0.0) if use["success"] else (0.0, use["weight"])
    voice = {"pattern_id": use["pattern_id"], "lineage": use["lineage"], "task_type": use["task_type"] or ""}
    claimed = int(use["evidence"] == "claimed")
    tx.run("pattern_voice_add", {"tenant": tenant, **voice, "claimed": claimed, "good": good, "bad": bad})


def forget(room: Room, scope: Scope) -> int:
    """Delete an agent's patterns and trajectories with all that belongs to them, and what it told of others' patterns:
    these are believed as if it had never said so. How many rows went."""
    base = {"tenant": scope.tenant, "agent": scope.agent}
    with room.store.transaction(scope.tenant) as tx:
        gone = tx.run("erase_trajectories", base)
        names = [own_scope(scope.agent), SHARED]
        if not tx.read("scope_states", {"tenant": scope.tenant, "names": names}):
            return gone
        others = [row["agent"] for row in tx.read("pattern_used_of", base)]
        for agent in sorted({scope.agent, *others}):
            room.hold(tx, Scope(scope.tenant, agent))
        used = tx.read("pattern_used_by", base)
        gone += sum(tx.run(f"erase_{table}", base) for table in ("pattern_uses", "pattern_links", "patterns"))
        for row in used:
            tx.run("pattern_voice_clear", {"tenant": scope.tenant, "id": row["pattern_id"]})
            for use in tx.read(
                "pattern_use_list", {"tenant": scope.tenant, "ids": [row["pattern_id"]], "limit": 1 << 31}
            ):
                _hear(tx, scope.tenant, use)
        for row in used:
            owner = tx.read("pattern_owner", {"tenant": scope.tenant, "id": row["pattern_id"]})
            if owner:
                resum(room, tx, Scope(scope.tenant, owner[0]["agent"]), row["pattern_id"])
        for name in names:
            bump(tx, scope.tenant, name, purges=1)
    return gone
