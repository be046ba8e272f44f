"""A plain model of what one home remembers: lists and dictionaries, no store, nothing clever.

It is told every write in the order in which it happened, and says what every read must answer. ``machine`` drives an
engine and this model side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from engrain.model.fading import faded
from engrain.model.item import MemoryItem
from engrain.world import to_micros

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
    weighed_at: datetime | None = None
    used_at: datetime | None = None
    archived_at: datetime | None = None

    def use(self, now: datetime) -> None:
        """A use makes it a little more important than it has become by then, once an hour."""
        if self.weighed_at is None or self.weighed_at + timedelta(hours=1) <= now:
            used = max(self.told_at, self.used_at or self.told_at)
            self.importance = min(10.0, 0.1 + (self.importance if self.pinned else faded(
                self.importance, weighed_at=to_micros(self.weighed_at or self.told_at), used_at=to_micros(used),
                until=to_micros(min(now, self.archived_at or now)), rate=self.decay_rate)))  # fmt: skip
            self.weighed_at = now
        self.used_at = now

    def weigh(self, importance: float, now: datetime) -> None:
        self.importance, self.weighed_at = importance, now

    def lives(self, now: datetime) -> bool:
        return self.expires_at is None or self.expires_at > now

    def is_current(self, now: datetime) -> bool:
        return self.state == "active" and self.lives(now)

    def facts(self) -> dict[str, Any]:
        return _rounded({name: getattr(self, name) for name in FACTS})


def facts(item: MemoryItem) -> dict[str, Any]:
    """The same of an item of the engine."""
    return _rounded({name: getattr(item, name) for name in FACTS})


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "importance": round(values["importance"], 6)}


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
            for name in ("read", "applied", "helpful", "unhelpful", "used_at"):
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
        if "importance" in change or change.get("pinned", thing.pinned) != thing.pinned:
            thing.weigh(change.get("importance", thing.importance), now)
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
        current = sum(thing.is_current(now) or thing.state == "archived" for thing in found)
        self.forget(scope, [id(thing) for thing in found])
        return current

    def expire(self, now: datetime) -> int:
        """Archive what is past its expiry; how many."""
        found = [thing for thing in self.things if thing.state == "active" and not thing.lives(now)]
        for thing in found:
            thing.state, thing.archived_at = "archived", now
        return len(found)

    def restore(self, scope: Scope, id_: str, on_conflict: str, now: datetime) -> Told | bool | None:
        """What is current afterwards; None when there is no such archived thing, False when it stays archived."""
        thing = self.by_id(id_)
        if thing is None or (thing.tenant, thing.agent) != scope or thing.state != "archived":
            return None
        rival = self.current(scope, thing.kind, thing.key) if thing.key is not None else self._same(scope, thing, now)
        lives = rival is not None and rival.lives(now)
        newer = rival is None or thing.told_at > rival.told_at
        wins = not lives or on_conflict == "overwrite" or (on_conflict != "skip" and newer)
        if not wins and on_conflict != "merge":
            return False
        high = max(thing.importance, rival.importance) if rival else 0.0
        thing.use(now)
        thing.read += 1
        thing.archived_at = None
        thing.expires_at = thing.expires_at if thing.lives(now) else now + timedelta(days=30)
        winner, loser = (thing, rival) if wins or rival is None else (rival, thing)
        winner.state, winner.successor = "active", None
        if loser is not None:
            loser.state, loser.successor = "superseded", winner
        if loser is not None and lives and on_conflict == "merge":
            winner.tags = tuple(dict.fromkeys((*winner.tags, *loser.tags)))
            winner.metadata = {**loser.metadata, **winner.metadata}
            winner.used_at = winner.used_at or loser.used_at
            for name in ("read", "applied", "helpful", "unhelpful"):
                setattr(winner, name, getattr(winner, name) + getattr(loser, name))
            winner.weigh(high, now)
        return winner

    def _same(self, scope: Scope, thing: Told, now: datetime) -> Told | None:
        """The same, told again."""
        same = [
            one
            for one in self.own(scope)
            if one.is_current(now)
            and (one.kind, one.content, one.session, one.occurred_at)
            == (thing.kind, thing.content, thing.session, thing.occurred_at)
        ]
        return min(same, key=lambda one: one.id or "~") if same else None

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
        if thing.tenant != tenant or thing.state == "archived":
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
        return [
            thing for thing in self.own(scope) if (thing.kind, thing.key) == (kind, key) and thing.state != "archived"
        ]

    def visible(self, scope: Scope, now: datetime) -> list[Told]:
        """What a recall may show."""
        return [thing for thing in self.things if self.sees(scope, thing) and thing.is_current(now)]

    def value(self, place: tuple[str, str, str, str], now: datetime) -> tuple[Any, bool]:
        """(value, whether it is there) of tenant, agent, namespace, key."""
        value, expires = self.values.get(place, (None, None))
        there = place in self.values and (expires is None or expires > now)
        return (value if there else None), there
