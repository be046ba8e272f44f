"""Changing and forgetting what an agent owns."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engrain.errors import InvalidField, UnknownItem
from engrain.intake.validate import Draft
from engrain.intake.writer import CHUNK, Indexer, Writer, fingerprint
from engrain.model.item import LIVE, MemoryItem
from engrain.model.scope import Scope
from engrain.store.changes import SHARED, agent_scope, bump, put_passages
from engrain.store.port import Row, Store, Transaction
from engrain.store.rows import INDEX, item_from_row, to_json
from engrain.store.transitions import Transition, log
from engrain.world import World

if TYPE_CHECKING:
    from engrain.archive.port import Archive, Left, Sought

FEEDBACK, ADAPT = "feedback", "adapt"  # the scopes of adaptive recall: who writes it, and what it has learned


class Reviser:
    """Updates and forgets, within one agent's own items."""

    def __init__(self, store: Store, world: World, writer: Writer, index: Indexer, archive: Archive) -> None:
        self._store = store
        self._world = world
        self._writer = writer
        self._index = index
        self._archive = archive

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

    def forget(self, scope: Scope, ids: Sequence[str], *, erase: bool = True) -> int:
        """Delete own items with their older versions, words, vectors, signals, in both tiers of the archive too. How
        many rows went. Raises an ArchiveError when files cannot be reached: then they are hidden, and erased later, as
        without ``erase``."""
        return self._forget(scope, lambda more: self._archive.seek(scope, {*ids, *more}), lambda *_: ids, erase=erase)

    def forget_where(
        self, scope: Scope, *, kind: str | None = None, tags: Sequence[str] | None = None, before: int | None = None
    ) -> int:
        """Forget every own item of a kind, with all of some tags, from before a time, archived ones too. How many went,
        not counting older versions and what had expired."""
        if kind is None and not tags and before is None:
            raise InvalidField("forget_where() needs at least one of kind, tags, before; it never forgets everything.")
        wanted, counted = set(tags or ()), 0
        query = {"tenant": scope.tenant, "agent": scope.agent, "kind": kind, "before": before}

        def chosen(tx: Transaction, sought: Sought, now: int) -> list[str]:
            nonlocal counted
            rows = [row for row in tx.read("memory_sweepable", query) if wanted.issubset(json.loads(row["tags"]))]
            counted = sum(
                row["state"] == "archived" or (row["state"] == "active" and (row["expires_at"] or now + 1) > now)
                for row in rows
            )
            there = {row["id"] for row in rows}
            cold = [row["id"] for row in sought.rows.values() if row["id"] not in there and chooses(row)]
            counted += len(cold)
            return [*there, *cold]

        def chooses(row: Row) -> bool:
            told = row["occurred_at"] if row["occurred_at"] is not None else row["told_at"]
            fits = (kind is None or row["kind"] == kind) and (before is None or told < before)
            return fits and wanted.issubset(json.loads(row["tags"]))

        self._forget(scope, lambda more: self._archive.seek(scope, more, (kind, before)), chosen, all_of_them=True)
        return counted

    def _forget(
        self,
        scope: Scope,
        seek: Callable[[Collection[str]], Sought],
        choose: Callable[[Transaction, Sought, int], Sequence[str]],
        *,
        all_of_them: bool = False,
        erase: bool = True,
    ) -> int:
        """Forget what ``choose`` names. The cold tables are looked through before the store is locked, and again when
        what is to go has gone there meanwhile (``all_of_them``: when anything has)."""
        base = {"tenant": scope.tenant, "agent": scope.agent}
        more: frozenset[str] = frozenset()
        while True:
            sought = seek(more)
            with self._store.transaction(scope.tenant) as tx:
                bump(tx, scope.tenant, agent_scope(scope.agent))
                now = self._world.now()
                ids, there = self._with_companions(tx, scope, choose(tx, sought, now), sought)
                if there or sought.rows:
                    bump(tx, scope.tenant, FEEDBACK)
                rows = [row for some in _chunks(there) for row in tx.read("memory_lock", {**base, "ids": some})]
                there = [row["id"] for row in rows]
                missing = [id_ for id_ in ids if id_ not in there and id_ not in sought.rows]
                unasked = not sought.asked.issuperset(missing)
                if (missing or all_of_them) and (unasked or self._archive.moved(tx, sought)):
                    more = frozenset(missing)
                    continue
                gone, left = self._delete(tx, scope, ids, rows, now, sought)
            break
        if gone:
            self._store.scrub()
        if erase:
            self._archive.erase(left)
        return gone

    def _with_companions(
        self, tx: Transaction, scope: Scope, ids: Sequence[str], sought: Sought
    ) -> tuple[list[str], list[str]]:
        """With older versions, and what promotion made of them; and those of them that have a row here."""
        base = {"tenant": scope.tenant, "agent": scope.agent}
        found, todo, there = set(ids), set(ids), set[str]()
        while todo:
            more: set[str] = set()
            for some in _chunks(sorted(todo)):
                there |= {row["id"] for row in tx.read("memory_chain", {**base, "ids": some})}
                more |= {row["id"] for row in tx.read("memory_copies", {**base, "ids": some})}
                more |= self._archive.companions(tx, scope, some, sought)
            todo = (more | there) - found
            found |= todo
        return sorted(found), sorted(there)

    def _delete(
        self, tx: Transaction, scope: Scope, ids: Sequence[str], rows: Sequence[Row], now: int, sought: Sought
    ) -> tuple[int, Left]:
        """Every writer locks in this order, so that nobody waits in a circle: the agent's scope, feedback, rows by id
        (others' signals hold rows too), the shared scope. All but the last are locked. What recall has noted goes in
        the same transaction: questions that may name an item, and an adapter that learned from one. How many went, and
        what files have of them."""
        base = {"tenant": scope.tenant, "agent": scope.agent}
        if rows or sought.rows:
            tx.run("forget_questions", {"tenant": scope.tenant})
        steps, actor = [], f"agent:{scope.agent}"
        for row in rows:
            past = row["state"] == "active" and (row["expires_at"] or now + 1) <= now
            state = "expired" if past else row["state"]
            steps.append(Transition(row["id"], scope.agent, "memory:forgotten", state, "purged", "asked", actor))
        for some in _chunks(ids):
            if tx.run("adapter_off", {"tenant": scope.tenant, "ids": some, "nothing": b""}):
                bump(tx, scope.tenant, ADAPT)
        cold, left = self._archive.forget(tx, scope, ids, sought, now)
        gone = sum(tx.run("memory_forget", {**base, "ids": some}) for some in _chunks(ids))
        for id_ in cold:
            steps.append(Transition(id_, scope.agent, "memory:forgotten", "archived", "purged", "asked", actor))
        if gone:
            bump(tx, scope.tenant, agent_scope(scope.agent), purges=1)
            bump(tx, scope.tenant, SHARED, purges=1)
        log(tx, scope.tenant, now, steps)
        return gone + len(cold), left


def not_active(id_: str, agent: str, state: str) -> UnknownItem:
    """Why an item cannot be changed."""
    hint = " It is archived: restore brings it back." if state == "archived" else ""
    return UnknownItem(f"{id_!r} is not an active item of agent {agent!r}.{hint}")


def _chunks(ids: Sequence[str]) -> list[list[str]]:
    return [list(ids[start : start + CHUNK]) for start in range(0, len(ids), CHUNK)]
