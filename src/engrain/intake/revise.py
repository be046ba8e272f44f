"""Changing and forgetting what an agent owns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from engrain.errors import InvalidField, UnknownItem
from engrain.intake.validate import Draft
from engrain.intake.writer import CHUNK, Indexer, Writer, fingerprint
from engrain.model.item import LIVE, MemoryItem
from engrain.model.scope import Scope
from engrain.store.changes import SHARED, agent_scope, bump, put_passages
from engrain.store.port import Store, Transaction
from engrain.store.rows import INDEX, item_from_row, to_json
from engrain.store.transitions import Transition, log
from engrain.world import World

FEEDBACK, ADAPT = "feedback", "adapt"  # the scopes of adaptive recall: who writes it, and what it has learned


class Reviser:
    """Updates and forgets, within one agent's own items."""

    def __init__(self, store: Store, world: World, writer: Writer, index: Indexer) -> None:
        self._store = store
        self._world = world
        self._writer = writer
        self._index = index

    def update(self, scope: Scope, id_: str, change: Mapping[str, Any]) -> MemoryItem:
        """Change fields of an item. Changed content keeps the id; the old content stays as a superseded version."""
        probe, rules = self._writer.clean(Draft(**{"content": "-", **change}))
        change = {name: getattr(probe, name) for name in change}
        passages = self._index([change["content"]])[0] if "content" in change else None
        base = {"tenant": scope.tenant, "agent": scope.agent, "id": id_}
        quota, used = self._writer.quota, None
        with self._store.transaction(scope.tenant) as tx:
            seq = bump(tx, scope.tenant, agent_scope(scope.agent))
            rows = tx.read("memory_own", base)
            now = self._world.now()
            if not rows or rows[0]["state"] not in LIVE or (rows[0]["expires_at"] or now + 1) <= now:
                raise not_active(id_, scope.agent, rows[0]["state"] if rows else "")
            old = {name: rows[0][name] for name in rows[0].keys()}  # noqa: SIM118
            values = old | self._columns(change, now) | {"seq": seq, "updated_at": now}
            if rules:
                values["redacted"] = to_json(list(dict.fromkeys([*json.loads(old["redacted"]), *rules])))
            tx.read("memory_lock", {**base, "ids": [id_]})  # before the shared scope: others' signals hold it too
            if old["shared_seq"] is not None or values["visibility"] != "private":
                values["shared_seq"] = bump(tx, scope.tenant, SHARED)
            if values["content"] != old["content"]:
                used = quota.admit(tx, scope, (seq, now), [values], [id_]) if quota else None
                keep = {"id": self._world.new_id(), "state": "superseded", "superseded_by": id_, "superseded_at": now}
                tx.run("memory_insert", old | keep | {"seq": seq} | dict.fromkeys(INDEX))
                values["told_at"] = now
                put_passages(tx, scope, [(id_, passages or [])])
            tx.run("memory_update", values)
            self._weigh(tx, scope, old, change, now)
            item = item_from_row(tx.read("memory_own", base)[0])
        if quota and used:
            quota.keep(scope, used)
        return item

    @staticmethod
    def _weigh(tx: Transaction, scope: Scope, old: Mapping[str, Any], change: Mapping[str, Any], now: int) -> None:
        """What is pinned does not fade, nor for that time when it is let go: it is weighed anew at both ends. Whoever
        changes what was about to be archived wants it."""
        base = {"tenant": scope.tenant, "agent": scope.agent, "id": old["id"]}
        pin = bool(change.get("pinned", old["pinned"]))
        turned = pin != bool(old["pinned"])
        if turned or "importance" in change:
            tx.run("memory_weigh", {**base, "importance": change.get("importance", old["importance"]), "now": now})
        actor, steps = f"agent:{scope.agent}", []
        if turned:
            event = "memory:pinned" if pin else "memory:unpinned"
            steps.append(Transition(old["id"], scope.agent, event, old["state"], old["state"], "asked", actor))
        if old["state"] == "pending_decay":
            tx.run("signal_pending", {**base, "pending_at": None})
            revived = Transition(old["id"], scope.agent, "memory:revived", old["state"], "active", "changed", actor)
            steps.append(revived)
        log(tx, scope.tenant, now, steps)

    @staticmethod
    def _columns(change: Mapping[str, Any], now: int) -> dict[str, Any]:
        values = dict(change)
        for name in ("tags", "metadata"):
            if name in values:
                values[name] = to_json(list(values[name]) if name == "tags" else dict(values[name]))
        if "content" in values:
            values["fingerprint"] = fingerprint(values["content"])
        if "pinned" in values:
            values["pinned"] = int(values["pinned"])
        if "expires_in" in values:
            span = values.pop("expires_in")
            values["expires_at"] = None if span is None else now + span
        return values

    def forget(self, scope: Scope, ids: Sequence[str]) -> int:
        """Delete own items with their older versions, words, vectors, signals. How many rows went."""
        with self._store.transaction(scope.tenant) as tx:
            bump(tx, scope.tenant, agent_scope(scope.agent))
            gone = self._delete(tx, scope, ids, self._world.now())
        if gone:
            self._store.scrub()
        return gone

    @staticmethod
    def _delete(tx: Transaction, scope: Scope, ids: Sequence[str], now: int) -> int:
        """The agent's scope is locked. Every writer locks in this order, so that nobody waits in a circle: the agent's
        scope, feedback, rows by id (others' signals hold rows too), the shared scope. What recall has noted goes in
        the same transaction: questions that may name an item, and an adapter that learned from one."""
        base = {"tenant": scope.tenant, "agent": scope.agent}
        ids = [*ids, *(row["id"] for some in _chunks(ids) for row in tx.read("memory_copies", {**base, "ids": some}))]
        chain = {row["id"] for some in _chunks(ids) for row in tx.read("memory_chain", {**base, "ids": some})}
        doomed = _chunks(sorted(chain))
        if doomed:
            bump(tx, scope.tenant, FEEDBACK)
            tx.run("forget_questions", {"tenant": scope.tenant})
        steps = []
        for some in doomed:
            for row in tx.read("memory_lock", {**base, "ids": some}):
                past = row["state"] == "active" and (row["expires_at"] or now + 1) <= now
                state, actor = "expired" if past else row["state"], f"agent:{scope.agent}"
                steps.append(Transition(row["id"], scope.agent, "memory:forgotten", state, "purged", "asked", actor))
            if tx.run("adapter_off", {"tenant": scope.tenant, "ids": some, "nothing": b""}):
                bump(tx, scope.tenant, ADAPT)
        gone = sum(tx.run("memory_forget", {**base, "ids": some}) for some in doomed)
        if gone:
            bump(tx, scope.tenant, agent_scope(scope.agent), purges=1)
            bump(tx, scope.tenant, SHARED, purges=1)
        log(tx, scope.tenant, now, steps)
        return gone

    def forget_where(
        self, scope: Scope, *, kind: str | None = None, tags: Sequence[str] | None = None, before: int | None = None
    ) -> int:
        """Forget every own item of a kind, with all of some tags, from before a time, archived ones too. How many went,
        not counting older versions and what had expired."""
        if kind is None and not tags and before is None:
            raise InvalidField("forget_where() needs at least one of kind, tags, before; it never forgets everything.")
        wanted = set(tags or ())
        query = {"tenant": scope.tenant, "agent": scope.agent, "kind": kind, "before": before}
        with self._store.transaction(scope.tenant) as tx:
            bump(tx, scope.tenant, agent_scope(scope.agent))
            now = self._world.now()
            rows = [row for row in tx.read("memory_sweepable", query) if wanted.issubset(json.loads(row["tags"]))]
            gone = self._delete(tx, scope, [row["id"] for row in rows], now)
        if gone:
            self._store.scrub()
        return sum(
            row["state"] == "archived" or (row["state"] == "active" and (row["expires_at"] or now + 1) > now)
            for row in rows
        )


def not_active(id_: str, agent: str, state: str) -> UnknownItem:
    """Why an item cannot be changed."""
    hint = " It is archived: restore brings it back." if state == "archived" else ""
    return UnknownItem(f"{id_!r} is not an active item of agent {agent!r}.{hint}")


def _chunks(ids: Sequence[str]) -> list[list[str]]:
    return [list(ids[start : start + CHUNK]) for start in range(0, len(ids), CHUNK)]
