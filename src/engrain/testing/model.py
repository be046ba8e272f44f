"""A plain model of what one home remembers: lists and dictionaries, no store, nothing clever.

It is told every write in the order in which it happened, and says what every read must answer. ``machine`` drives an
engine and this model side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from engrain.model.item import MemoryItem

Scope = tuple[str, str]  # tenant, agent
FACTS = (
    "tenant", "agent", "kind", "key", "content", "importance", "tags", "metadata", "session", "role", "occurred_at",
    "created_at", "told_at", "expires_at", "decay_rate", "visibility", "pinned", "source", "state",
)  # fmt: skip
COUNTS = ("read", "applied", "helpful", "unhelpful", "repeats")


@dataclass
class Told:
    """One thing that was told. ``id`` is None for a version that nobody was ever given the id of."""

    tenant: str
    agent: str
    content: str
    created_at: datetime
    told_at: datetime
    id: str | None = None
    kind: str = "context"
    key: str | None = None
    importance: float = 5.0
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    session: str | None = None
    role: str | None = None
    occurred_at: datetime | None = None
    expires_at: datetime | None = None
    decay_rate: float | None = None
    visibility: str = "private"
    pinned: bool = False
    source: str | None = None
    state: str = "active"
    successor: Told | None = None
    read: int = 0
    applied: int = 0
    helpful: int = 0
    unhelpful: int = 0
    repeats: int = 0

    def lives(self, now: datetime) -> bool:
        return self.expires_at is None or self.expires_at > now

    def is_current(self, now: datetime) -> bool:
        return self.state == "active" and self.lives(now)

    def facts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in FACTS}


def facts(item: MemoryItem) -> dict[str, Any]:
    """The same of an item of the engine."""
    return {name: getattr(item, name) for name in FACTS}


@dataclass
class Model:
    """What a home must answer."""

    things: list[Told] = field(default_factory=list)
    teams: dict[Scope, str | None] = field(default_factory=dict)
    values: dict[tuple[str, str, str, str], tuple[Any, datetime | None]] = field(default_factory=dict)

    # -- writes ---------------------------------------------------------------------------------------------------

    def remember(self, scope: Scope, rows: Sequence[Mapping[str, Any]], now: datetime) -> list[Told]:
        """One thing per row; a thing with ``id`` None is new, and the engine's id is to be filled in."""
        self.teams.setdefault(scope, None)
        found: list[Told] = []
        for row in rows:
            known = self._twin(scope, row, now)
            if known is not None:
                known.repeats += 1
                found.append(known)
                continue
            found.append(self._add(scope, row, now))
        return found

    def _twin(self, scope: Scope, row: Mapping[str, Any], now: datetime) -> Told | None:
        """Duplicate: same tenant, agent, kind, content, session and occurred_at, and the same key if it has one."""
        identity = (row.get("kind", "context"), row["content"], row.get("session"), row.get("occurred_at"))
        twins = [
            thing
            for thing in self.own(scope)
            if thing.is_current(now)
            and (thing.kind, thing.content, thing.session, thing.occurred_at) == identity
            and row.get("key") in (None, thing.key)
        ]
        return min(twins, key=lambda thing: (thing.created_at, thing.id or "~")) if twins else None

    def _add(self, scope: Scope, row: Mapping[str, Any], now: datetime) -> Told:
        life = row.get("expires_in")
        values = {name: value for name, value in row.items() if name != "expires_in"}
        new = Told(tenant=scope[0], agent=scope[1], created_at=now, told_at=now, **values)
        new.expires_at = None if life is None else now + life
        current = self.current(scope, new.kind, new.key) if new.key is not None else None
        if current is not None:
            if current.lives(now):
                new.created_at = current.created_at
            current.state, current.successor = "superseded", new
            for name in ("read", "applied", "helpful", "unhelpful"):
                setattr(new, name, getattr(current, name))
        self.things.append(new)
        return new

    def update(self, scope: Scope, id_: str, change: Mapping[str, Any], now: datetime) -> Told | None:
        """The changed thing; None when there is no such current thing of this agent."""
        thing = self.by_id(id_)
        if thing is None or (thing.tenant, thing.agent) != scope or not thing.is_current(now):
            return None
        if change.get("content", thing.content) != thing.content:
            self.things.append(replace(thing, id=None, state="superseded", successor=thing))
            thing.told_at = now
        for name, value in change.items():
            if name == "expires_in":
                thing.expires_at = None if value is None else now + value
            else:
                setattr(thing, name, value)
        return thing

    def forget(self, scope: Scope, ids: Iterable[int]) -> int:
        """Drop things (by ``id()`` of the Told) of this agent and every older version; how many went."""
        gone = set(ids)
        while more := {id(t) for t in self.own(scope) if t.successor and id(t.successor) in gone} - gone:
            gone |= more
        before = len(self.things)
        self.things = [thing for thing in self.things if id(thing) not in gone]
        return before - len(self.things)

    def forget_where(
        self, scope: Scope, now: datetime, kind: str | None, tags: Sequence[str] | None, before: datetime | None
    ) -> int:
        """How many current things went."""
        found = [
            thing
            for thing in self.own(scope)
            if (kind is None or thing.kind == kind)
            and set(tags or ()) <= set(thing.tags)
            and (before is None or (thing.occurred_at or thing.told_at) < before)
        ]
        current = sum(thing.is_current(now) for thing in found)
        self.forget(scope, [id(thing) for thing in found])
        return current

    # -- reads ----------------------------------------------------------------------------------------------------

    def by_id(self, id_: str) -> Told | None:
        return next((thing for thing in self.things if thing.id == id_), None)

    def own(self, scope: Scope) -> list[Told]:
        return [thing for thing in self.things if (thing.tenant, thing.agent) == scope]

    def current(self, scope: Scope, kind: str, key: str | None) -> Told | None:
        """The active thing under a key, expired or not."""
        found = [t for t in self.own(scope) if (t.kind, t.key, t.state) == (kind, key, "active")]
        assert len(found) <= 1, "the model itself keeps one thing to a key"
        return found[0] if found else None

    def sees(self, scope: Scope, thing: Told) -> bool:
        """Whether an agent may read a thing."""
        tenant, agent = scope
        if thing.tenant != tenant:
            return False
        if thing.agent != agent and thing.state != "active":
            return False
        if thing.agent == agent or thing.visibility == "public":
            return True
        team = self.teams.get(scope)
        return thing.visibility == "team" and team is not None and self.teams.get((tenant, thing.agent)) == team

    def get(self, scope: Scope, id_: str, now: datetime) -> Told | None:
        thing = self.by_id(id_)
        return thing if thing is not None and self.sees(scope, thing) and thing.lives(now) else None

    def listed(self, scope: Scope, kind: str | None, now: datetime) -> list[Told]:
        found = [t for t in self.own(scope) if t.is_current(now) and kind in (None, t.kind)]
        return sorted(found, key=lambda thing: (thing.created_at, thing.id or ""))

    def history(self, scope: Scope, kind: str, key: str) -> list[Told]:
        return [thing for thing in self.own(scope) if (thing.kind, thing.key) == (kind, key)]

    def visible(self, scope: Scope, now: datetime) -> list[Told]:
        """What a recall may show."""
        return [thing for thing in self.things if self.sees(scope, thing) and thing.is_current(now)]

    def value(self, place: tuple[str, str, str, str], now: datetime) -> tuple[Any, bool]:
        """(value, whether it is there) of tenant, agent, namespace, key."""
        value, expires = self.values.get(place, (None, None))
        there = place in self.values and (expires is None or expires > now)
        return (value if there else None), there
