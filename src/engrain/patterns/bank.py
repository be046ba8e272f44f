"""The bank: patterns are told, changed, used, merged and taken back; each change is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engrain.errors import InvalidField
from engrain.model.pattern import Pattern, PatternEvent, PatternHit, PatternLink, PatternUse
from engrain.model.scope import Scope
from engrain.patterns import anew, events, links
from engrain.patterns.life import AFRESH
from engrain.patterns.room import SHARED, Room, State, own_scope
from engrain.patterns.rows import canonical, event_of, fingerprint, pattern_of
from engrain.patterns.search import Search, Wanted
from engrain.patterns.shown import Shown
from engrain.patterns.uses import Use, use
from engrain.store.changes import bump
from engrain.store.port import Row, Store, Transaction
from engrain.store.rows import to_json
from engrain.world import from_micros

ACTS = {
    "promoted": {"tier": "long"},
    "demoted": {"tier": "short"},
    "quarantined": {"state": "quarantined"},
    "released": {"state": "active"},
    "deprecated": {"state": "deprecated"},
}
"""What a person may do to a pattern, and what it is then. Released: from quarantine or deprecation."""


class Bank:
    """The patterns of a home. Threads may share it."""

    def __init__(self, room: Room, search: Callable[[], Search], words: links.Words, shown: Shown) -> None:
        self._room, self._make, self._words, self._shown = room, search, words, shown
        self._search: Search | None = None

    @property
    def search(self) -> Search:
        """What finds patterns, made when first needed."""
        if self._search is None:
            self._search = self._make()
        return self._search

    @property
    def room(self) -> Room:
        """What the bank works with."""
        return self._room

    def state(self, told: object) -> State:
        """A checked state. Raises InvalidField."""
        return self._room.state(told)

    # -- telling ------------------------------------------------------------------------------------------------------

    def add(self, scope: Scope, told: Mapping[str, Any], actor: str | None = None) -> Pattern:
        """Keep a pattern whose fields were checked, all but times and change numbers (an id only if it was found); the
        one that was told before when title, content, kind and framework are the same, or the id is."""
        return self.add_many(scope, [told], actor)[0]

    def add_many(self, scope: Scope, rows: Sequence[Mapping[str, Any]], actor: str | None = None) -> list[Pattern]:
        """The same for many, in one transaction."""
        room, now = self._room, self._room.world.now()
        drafts = [self._draft(scope, row, now) for row in rows]
        new = [draft for draft in drafts if not self._same(room.store, draft)]  # what is there needs no words
        made = {draft["id"]: passages for draft, passages in zip(new, room.texts(new), strict=True)}
        near = {one["id"]: links.neighbours(room, scope, self.search.nearest, self._words, one) for one in new}
        base, ids = {"tenant": scope.tenant, "agent": scope.agent}, []
        with room.store.transaction(scope.tenant) as tx:
            seq = bump(tx, scope.tenant, own_scope(scope.agent))
            for draft in drafts:
                same = self._same(tx, draft)
                ids.append(same[0]["id"] if same else draft["id"])
                if same:
                    continue
                draft["seq"] = seq
                if draft["visibility"] != "private":
                    draft["shared_seq"] = bump(tx, scope.tenant, SHARED)
                tx.run("pattern_insert", draft)
                room.passages(tx, scope.tenant, draft["id"], made.get(draft["id"]) or room.texts([draft])[0])
                row, who = tx.read("pattern_own", {**base, "id": draft["id"]})[0], actor or events.actor(scope)
                told = {"source": draft["origin"]}
                events.note(room, tx, row, "made", f"from {draft['origin']}", who, detail=told, undo=False)
                self._link(tx, scope, draft["id"], near.get(draft["id"], ()))
        return [self.get(scope, id_) for id_ in ids]

    @staticmethod
    def _same(at: Store | Transaction, draft: Mapping[str, Any]) -> list[Row]:
        whose = {"tenant": draft["tenant"], "agent": draft["agent"]}
        found = at.read("pattern_same", {**whose, "fingerprint": draft["fingerprint"]})
        return list(found or at.read("pattern_own", {**whose, "id": draft["id"]}))

    def _draft(self, scope: Scope, told: Mapping[str, Any], now: int) -> dict[str, Any]:
        provenance = dict(told["provenance"] or {"source": "hand"})
        return {
            **told,
            "id": told.get("id") or self._room.world.new_id(),
            "tenant": scope.tenant,
            "agent": scope.agent,
            "fingerprint": told.get("id") or fingerprint(told),  # one that was found is told by its id alone
            "tags": to_json(list(told["tags"])),
            "foundation": int(told["foundation"]),
            "provenance": to_json(provenance),
            "origin": str(provenance.get("source", "hand")),
            "tier": "short",
            "state": "active",
            "merged_into": None,
            "held": 0.0,
            "created_at": now,
            "updated_at": now,
            "seq": 0,
            "shared_seq": None,
        }

    def _link(self, tx: Transaction, scope: Scope, id_: str, found: Sequence[tuple[str, str, float]]) -> None:
        for other, kind, weight in found:
            links.put(self._room, tx, scope, id_, other, kind, weight)

    # -- looking ------------------------------------------------------------------------------------------------------

    def empty(self, scope: Scope) -> bool:
        """Whether there cannot be a pattern for this scope: one small read."""
        names = [own_scope(scope.agent), SHARED]
        return not self._room.store.read("scope_states", {"tenant": scope.tenant, "names": names})

    def knows(self, scope: Scope, id_: str) -> bool:
        """Whether there is such a pattern in this scope."""
        return bool(self._room.seen(scope, [id_]))

    def get(self, scope: Scope, id_: str) -> Pattern:
        """A pattern as it is, though it be merged. Raises UnknownPattern."""
        row = self._room.seen(scope, [id_]).get(id_) or self._room.one(scope, id_)
        return pattern_of(row, self._shown.pending(scope.tenant, row["id"]))

    def find(
        self, scope: Scope, query: str | None, wanted: Wanted, limit: int, explore: bool = False
    ) -> list[PatternHit]:
        """Patterns for a question, or all, the newest first; with ``explore`` in the order in which they are worth
        trying. What is shown for a question or to be tried is noted as shown."""
        if self.empty(scope):
            return []
        if explore:
            hits = self.search.choose(scope, query, wanted, limit)
        else:
            hits = self.search.newest(scope, wanted, limit) if query is None else self.search.find(
                scope, query, wanted, limit
            )[0]  # fmt: skip
        if explore or query is not None:
            self.note_shown(scope, [hit.pattern.id for hit in hits])
        return hits

    def note_shown(self, scope: Scope, ids: Sequence[str]) -> None:
        """These were shown. No evidence of use."""
        self._shown.note(scope.tenant, ids)

    def history(self, scope: Scope, id_: str, limit: int) -> list[PatternEvent]:
        """What became of a pattern, the latest first."""
        row = self.get(scope, id_)
        asked = {"tenant": scope.tenant, "id": row.id, "limit": limit}
        return [event_of(one) for one in self._room.store.read("pattern_event_list", asked)]

    def uses(self, scope: Scope, id_: str, limit: int) -> list[PatternUse]:
        """The uses of a pattern and of what was merged into it, the latest first; those of other agents without the
        names of their sources."""
        ids = self._room.group(self._room.store, scope.tenant, self.get(scope, id_).id)
        found = self._room.store.read("pattern_use_list", {"tenant": scope.tenant, "ids": ids, "limit": limit})
        return [_use_of(row, row["agent"] == scope.agent) for row in found]

    def links(self, scope: Scope, id_: str) -> list[PatternLink]:
        """What a pattern has to do with others."""
        return links.links(self._room, scope, [self.get(scope, id_).id])

    def stats(self, scope: Scope) -> dict[str, Any]:
        """Counts of the patterns that a scope sees, as plain JSON values."""
        found: dict[str, Any] = {"total": 0, "unused": 0, "uses": dict.fromkeys(_COUNTS, 0)}
        found |= {f"by_{name}": {} for name in ("kind", "tier", "state", "polarity")}
        for row in self._room.store.read("pattern_count", self._room.reader(scope)):
            n = int(row["n"])
            found["total"] += n
            found["unused"] += int(row["unused"])
            for name in _COUNTS:
                found["uses"][name] += int(row[name])
            for name in ("kind", "tier", "state", "polarity"):
                counts = found[f"by_{name}"]
                counts[row[name]] = counts.get(row[name], 0) + n
        return found

    # -- using and changing -------------------------------------------------------------------------------------------

    def use(self, scope: Scope, id_: str, told: Use) -> Pattern:
        """Note a use; the pattern as it is after that."""
        use(self._room, scope, id_, told)
        return pattern_of(row := self._room.one(scope, id_), self._shown.pending(scope.tenant, row["id"]))

    def act(self, scope: Scope, id_: str, event: str, reason: str, actor: str | None = None) -> Pattern:
        """One of ``ACTS``. The rules do not overrule it before there is new evidence. Raises InvalidField when it would
        change nothing."""
        with self._room.store.transaction(scope.tenant) as tx:
            row = self._room.own(tx, scope, id_)
            new = ACTS[event]
            _whole(row)
            if all(row[name] == value for name, value in new.items()):
                raise InvalidField(f"pattern {id_!r} is {' and '.join(new.values())} already.")
            held = {"held": row["good"] + row["bad"] + AFRESH}
            events.change(self._room, tx, row, event, reason, actor or events.actor(scope), {**new, **held})
        return self.get(scope, id_)

    def update(self, scope: Scope, id_: str, change: Mapping[str, Any]) -> Pattern:
        """Change what a pattern says; its words are found at once, the old ones no more."""
        room = self._room
        row = room.seen(scope, [id_]).get(id_) or room.one(scope, id_)
        new = {**change, "tags": to_json(list(change["tags"]))} if "tags" in change else dict(change)
        told = {**canonical(row), **new}
        new["fingerprint"] = told["fingerprint"] = fingerprint(told)
        passages = room.texts([told])[0]
        near = links.neighbours(room, scope, self.search.nearest, self._words, told)
        with room.store.transaction(scope.tenant) as tx:
            row = room.own(tx, scope, id_)
            _whole(row)
            twins = tx.read(
                "pattern_same", {"tenant": scope.tenant, "agent": scope.agent, "fingerprint": new["fingerprint"]}
            )
            if any(twin["id"] != id_ for twin in twins):
                raise InvalidField(f"pattern {twins[0]['id']!r} says that already; merge the two instead.")
            events.change(room, tx, row, "updated", "told", events.actor(scope), new, detail={"fields": sorted(change)})
            room.passages(tx, scope.tenant, id_, passages)
            tx.run("pattern_link_clear", {"tenant": scope.tenant, "id": id_})
            self._link(tx, scope, id_, near)
        return self.get(scope, id_)

    def share(self, scope: Scope, id_: str, visibility: str) -> Pattern:
        """Let others see a pattern, or nobody else any more."""
        with self._room.store.transaction(scope.tenant) as tx:
            row = self._room.own(tx, scope, id_)
            _whole(row)
            told = f"{row['visibility']} → {visibility}"
            events.change(self._room, tx, row, "shared", told, events.actor(scope), {"visibility": visibility})
        return self.get(scope, id_)

    def merge(self, scope: Scope, id_: str, into: str, reason: str, actor: str | None = None) -> Pattern:
        """Let one of one's own patterns stand for two: the evidence of both counts once, and ``undo`` splits them again
        exactly. The pattern that stays."""
        room = self._room
        with room.store.transaction(scope.tenant) as tx:
            row, target = room.own(tx, scope, id_), room.mine(tx, scope, into)
            for one in (row, target):
                if one["state"] == "merged":
                    raise InvalidField(f"pattern {one['id']!r} is merged into {one['merged_into']!r} already.")
            if row["id"] == target["id"] or row["polarity"] != target["polarity"]:
                raise InvalidField("a pattern cannot be merged into itself, nor into one that says the opposite.")
            new = {"state": "merged", "merged_into": target["id"]}
            events.change(room, tx, row, "merged", reason, actor or events.actor(scope), new, other=target["id"])
            events.resum(room, tx, scope, target["id"])
        return self.get(scope, into)

    def link(self, scope: Scope, source: str, target: str, kind: str, weight: float = 1.0) -> None:
        """Say that two patterns have to do with each other."""
        self.get(scope, source), self.get(scope, target)
        with self._room.store.transaction(scope.tenant) as tx:
            links.put(self._room, tx, scope, source, target, kind, weight)

    def undo(self, scope: Scope, id_: str) -> Pattern:
        """Take back what was done last to one's own pattern, or what was merged into it last."""
        changed, event = events.undo(self._room, scope, id_)
        if event == "updated":
            self._relink(scope, changed)
        return self.get(scope, changed)

    def _relink(self, scope: Scope, id_: str) -> None:
        """Find anew what a pattern is like."""
        room = self._room
        told = canonical(room.one(scope, id_))
        near = links.neighbours(room, scope, self.search.nearest, self._words, told)
        with room.store.transaction(scope.tenant) as tx:
            if room.own(tx, scope, id_)["seq"] == told["seq"]:  # else whoever changed it has done that
                tx.run("pattern_link_clear", {"tenant": scope.tenant, "id": id_})
                self._link(tx, scope, id_, near)

    # -- derived ------------------------------------------------------------------------------------------------------

    def rebuild(self, tenant: str, made_with: Mapping[str, Any]) -> int:
        """Make what is derived anew; see ``anew``. How many patterns there are."""
        self.flush()
        return anew.rebuild(self._room, tenant, made_with)

    def forget(self, scope: Scope) -> int:
        """Everything of an agent; see ``anew``. How many rows went."""
        self.flush()
        return anew.forget(self._room, scope)

    def flush(self) -> None:
        """Write what was shown."""
        self._shown.flush()


_COUNTS = ("shown", "applied", "helpful", "unhelpful")


def _whole(row: Row) -> None:
    """Refuse what is merged: another pattern stands for it, and the merge is what ``undo`` takes back first."""
    if row["state"] == "merged":
        raise InvalidField(f"pattern {row['id']!r} is merged into {row['merged_into']!r}; undo that first.")


def _use_of(row: Row, own: bool) -> PatternUse:
    success = None if row["success"] is None else row["success"] == 1
    source = (row["source"] or row["task_id"]) if own else None
    use_of = PatternUse(row["id"], row["pattern_id"], row["agent"], row["stage"], success, row["evidence"], source,
                        from_micros(row["at"]))  # fmt: skip
    return use_of if own else replace(use_of, source=None)
