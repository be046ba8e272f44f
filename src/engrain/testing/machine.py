"""A state machine (hypothesis) that does random things to an engine and to the plain ``Model``, and compares.

class MyMachine(MemoryMachine):
    def place(self): return {"location": a_new_empty_folder}

TestMine = MyMachine.TestCase
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import engrain
from engrain.agent import Agent
from engrain.errors import InvalidField, UnknownItem
from engrain.memory import Memory
from engrain.testing.model import COUNTS, Model, Told, facts
from engrain.world import SimulatedWorld, from_micros

ANN, BOB, STRANGER = ("t1", "ann"), ("t1", "bob"), ("t%", "ann")
SCOPES = st.sampled_from([ANN, ANN, ANN, BOB, BOB, STRANGER])  # few, so that they meet
CONTENTS = st.sampled_from([
    "the upload is retried once", "the  Upload is retried once", "never retry the upload", "a 'word' and \"two\"",
    "100 % of _ and naïve café 🙂",
])  # fmt: skip
KINDS = st.sampled_from(["context", "fact"])
KEYS = st.sampled_from(["k", "k", "K", "k%"])
SESSIONS = st.sampled_from([None, None, "s1", "s2"])
TIMES = st.sampled_from([None, None, datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 6, 1, 12, tzinfo=UTC)])
LIVES = st.sampled_from([None, timedelta(seconds=10), timedelta(days=2)])
TAGS = st.lists(st.sampled_from(["red", "blue", "Red"]), max_size=2, unique=True).map(tuple)
OTHER = {
    "importance": st.sampled_from([1.0, 5.0, 9.5]),
    "tags": TAGS,
    "metadata": st.sampled_from([{}, {"a": [1, None, "ü"]}]),
    "session": SESSIONS,
    "role": st.sampled_from([None, "user"]),
    "occurred_at": TIMES,
    "expires_in": LIVES,
    "decay_rate": st.sampled_from([None, 0.5]),
    "visibility": st.sampled_from(["private", "team", "public"]),
    "pinned": st.booleans(),
    "source": st.sampled_from([None, "a file"]),
}
ROWS = st.fixed_dictionaries({"content": CONTENTS}, optional={**OTHER, "kind": KINDS})
LATER = st.sampled_from([0.0, 5.0, 10.0])  # seconds that pass before a question
KEYED = st.fixed_dictionaries({"content": CONTENTS, "kind": KINDS, "key": KEYS}, optional=OTHER)
REST = {name: values for name, values in OTHER.items() if name != "expires_in"}
DYING = st.fixed_dictionaries({"content": CONTENTS, "kind": KINDS, "key": KEYS, "expires_in": LIVES}, optional=REST)
CHANGES = st.fixed_dictionaries({}, optional={**OTHER, "content": CONTENTS}).filter(bool)
NUMBERS = st.integers(0, 10**6)


class MemoryMachine(RuleBasedStateMachine):
    """Random verbs of several agents of several tenants, through two memories on one home, with time passing."""

    def __init__(self) -> None:
        super().__init__()
        self.world = SimulatedWorld("2026-01-01T00:00:00Z", seed=1)
        self.arguments = self.place()
        self.memories = [self.opened(), self.opened()]
        self.model = Model()
        self.turn = 0

    def place(self) -> dict[str, Any]:
        """Arguments of ``engrain.open`` for a new home."""
        raise NotImplementedError

    def opened(self) -> Memory:
        return engrain.open(
            **{"embedder": "hash", "synchronous": "NORMAL", "echo_minutes": 0, **self.arguments}, world=self.world
        )

    @property
    def now(self) -> datetime:
        return from_micros(self.world.now())

    def agent(self, scope: tuple[str, str]) -> Agent:
        """The agent through one memory, then through the other: what one wrote the other must see."""
        self.turn += 1
        return self.memories[self.turn % 2].agent(scope[1], tenant=scope[0])

    def some_id(self, number: int) -> str:
        ids = [thing.id for thing in self.model.things if thing.id is not None]
        return ids[number % len(ids)] if ids else "0" * 26

    def settle(self) -> None:
        """Signals are buffered by each memory; the model knows no buffers."""
        for memory in self.memories:
            memory.signals.flush()

    # -- writes ---------------------------------------------------------------------------------------------------

    @initialize(rows=st.lists(DYING, min_size=6, max_size=12), team=st.booleans())
    def begin(self, rows: list[dict[str, Any]], team: bool) -> None:
        """Nothing much happens in an empty home."""
        for number, row in enumerate(rows):
            self.remember((ANN, BOB, STRANGER)[number % 3], row)
        for scope in (ANN, BOB) if team else ():
            self.join(scope, "red")

    @rule(scope=SCOPES, row=ROWS | KEYED)
    def remember(self, scope: tuple[str, str], row: dict[str, Any]) -> None:
        told = self.model.remember(scope, [row], self.now)
        self.bind(told, [self.agent(scope).remember(**row)])

    @rule(scope=SCOPES, rows=st.lists(ROWS | KEYED, max_size=6))
    def remember_many(self, scope: tuple[str, str], rows: list[dict[str, Any]]) -> None:
        items = self.agent(scope).remember_many(rows)
        if rows:
            self.bind(self.model.remember(scope, rows, self.now), items)
        else:
            assert items == []

    def bind(self, told: list[Told], items: list[Any]) -> None:
        assert len(told) == len(items)
        for thing, item in zip(told, items, strict=True):
            if thing.id is None:
                assert self.model.by_id(item.id) is None, "a new thing was given the id of another"
                thing.id = item.id
            assert item.id == thing.id
        for thing, item in zip(told, items, strict=True):
            assert facts(item) == thing.facts()
            assert item.superseded_by == (thing.successor.id if thing.successor else None)
            assert {name: getattr(item, name) for name in COUNTS} == {name: getattr(thing, name) for name in COUNTS}

    @rule(scope=SCOPES, later=LATER, number=NUMBERS, change=CHANGES)
    def update(self, scope: tuple[str, str], later: float, number: int, change: dict[str, Any]) -> None:
        self.world.advance(seconds=later)
        id_ = self.some_id(number)
        thing = self.model.update(scope, id_, change, self.now)
        agent = self.agent(scope)
        if thing is None:
            must_raise(UnknownItem, lambda: agent.update(id_, **change))
        else:
            assert facts(agent.update(id_, **change)) == thing.facts()

    @rule(scope=SCOPES, number=NUMBERS)
    def forget(self, scope: tuple[str, str], number: int) -> None:
        id_ = self.some_id(number)
        thing = self.model.by_id(id_)
        mine = thing is not None and (thing.tenant, thing.agent) == scope
        assert self.agent(scope).forget(id_) is mine
        if mine:
            self.model.forget(scope, [id(thing)])

    @rule(
        scope=SCOPES, kind=KINDS | st.none(), tags=TAGS | st.none(), before=st.sampled_from([None, -5.0, 0.0, -3e7])
    )  # fmt: skip
    def forget_where(
        self, scope: tuple[str, str], kind: str | None, tags: tuple[str, ...] | None, before: float | None
    ) -> None:
        if kind is None and not tags and before is None:
            return
        moment = None if before is None else self.now + timedelta(seconds=before)
        expected = self.model.forget_where(scope, self.now, kind, tags, moment)
        assert self.agent(scope).forget_where(kind=kind, tags=tags, before=moment) == expected

    @rule(scope=SCOPES, team=st.sampled_from(["red", "blue"]))
    def join(self, scope: tuple[str, str], team: str) -> None:
        self.model.teams[scope] = team
        self.turn += 1
        agent = self.memories[self.turn % 2].agent(scope[1], tenant=scope[0], team=team)
        assert agent.scope.team == team

    @rule(which=st.integers(0, 1))
    def expire(self, which: int) -> None:
        found = self.memories[which].sweeps.run("expire")
        assert found.counts.get("expired", 0) == self.model.expire(self.now)
        for scope in (ANN, BOB, STRANGER):
            archived = {item.id for item in self.agent(scope).archived() if item.state == "archived"}
            expected = {thing.id for thing in self.model.own(scope) if thing.state == "archived"}
            assert archived == expected

    @rule(scope=SCOPES, number=NUMBERS, policy=st.sampled_from(["skip", "overwrite", "keep-newer", "merge"]))
    def restore(self, scope: tuple[str, str], number: int, policy: str) -> None:
        ids = [thing.id for thing in self.model.things if thing.state == "archived" and thing.id is not None]
        id_ = ids[number % len(ids)] if ids and number % 5 else self.some_id(number)
        found, agent = self.model.restore(scope, id_, policy, self.now), self.agent(scope)
        if isinstance(found, Told):
            assert facts(agent.restore(id_, on_conflict=policy)) == found.facts()
        else:
            error = UnknownItem if found is None else InvalidField
            must_raise(error, lambda: agent.restore(id_, on_conflict=policy))

    @rule(seconds=st.sampled_from([0.001, 5.0, 10.0, 86_400.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.advance(seconds=seconds)

    @rule(which=st.integers(0, 1))
    def reopen(self, which: int) -> None:
        self.memories[which].close()
        self.memories[which] = self.opened()

    # -- reads ----------------------------------------------------------------------------------------------------

    @rule(scope=SCOPES, later=LATER, number=NUMBERS, helpful=st.sampled_from([None, True, False]))
    def get_every_id(self, scope: tuple[str, str], later: float, number: int, helpful: bool | None) -> None:
        self.world.advance(seconds=later)
        agent = self.agent(scope)
        for place, told in enumerate([thing for thing in self.model.things if thing.id is not None]):
            id_ = str(told.id)
            thing = self.model.get(scope, id_, self.now)
            item = agent.get(id_)
            assert (item is None) == (thing is None), f"{scope} may or may not see {told}"
            if thing is None or item is None:
                must_raise(UnknownItem, lambda id_=id_: agent.helpful(id_))
                continue
            assert facts(item) == thing.facts()
            assert {name: getattr(item, name) for name in COUNTS} == {name: getattr(thing, name) for name in COUNTS}
            thing.read += 1
            if helpful is not None and place % 3 == number % 3:
                agent.helpful(id_, helpful)
                thing.helpful += helpful
                thing.unhelpful += not helpful
            thing.use(self.now)
        self.settle()

    @rule(scope=SCOPES, later=LATER)
    def look_up_every_key(self, scope: tuple[str, str], later: float) -> None:
        self.world.advance(seconds=later)
        agent = self.agent(scope)
        for kind, key in {(thing.kind, thing.key) for thing in self.model.things if thing.key is not None}:
            thing = self.model.current(scope, kind, key)
            item = agent.lookup(kind, key)
            assert (item is None) == (thing is None or not thing.lives(self.now))
            assert thing is None or item is None or facts(item) == thing.facts()
            versions, told = agent.history(kind, key), self.model.history(scope, kind, key)
            assert same_rows([facts(item) for item in versions], [thing.facts() for thing in told])
            states = [item.state for item in versions]
            assert states == sorted(states), "the current one comes first"

    @rule(scope=SCOPES, later=LATER, kind=KINDS | st.none(), page=st.integers(1, 3), by_id=st.booleans())
    def list_all(self, scope: tuple[str, str], later: float, kind: str | None, page: int, by_id: bool) -> None:
        self.world.advance(seconds=later)
        expected = self.model.listed(scope, kind, self.now)
        found: list[Any] = []
        while items := self.agent(scope).list(kind=kind, limit=page, after=(found or None) and last(found, by_id)):
            found += items
        assert [item.id for item in found] == [thing.id for thing in expected]
        assert [facts(item) for item in found] == [thing.facts() for thing in expected]
        assert self.agent(scope).count(kind) == len(expected)

    @precondition(lambda self: len(self.model.things) < 60)
    @rule(scope=SCOPES, query=CONTENTS)
    def recall(self, scope: tuple[str, str], query: str) -> None:
        hits = self.agent(scope).recall(query, limit=1000)
        visible = {thing.id: thing for thing in self.model.visible(scope, self.now)}
        shown = [hit.item.id for hit in hits]
        assert len(set(shown)) == len(shown), "one item was shown twice"
        assert set(shown) <= set(visible), "what may not be seen was shown"
        assert all(facts(hit.item) == visible[hit.item.id].facts() for hit in hits)
        missing = [thing.content for thing in visible.values() if thing.content == query and thing.id not in shown]
        assert not missing, "the very words were not found"
        self.settle()

    # -- keys and values ------------------------------------------------------------------------------------------

    @rule(scope=SCOPES, space=st.sampled_from(["default", "x"]), key=KEYS, value=st.sampled_from([None, 0, "ü", [1]]),
          life=LIVES)  # fmt: skip
    def kv_set(self, scope: tuple[str, str], space: str, key: str, value: Any, life: timedelta | None) -> None:
        self.agent(scope).kv(space).set(key, value, ttl=life)
        self.model.values[(*scope, space, key)] = (value, None if life is None else self.now + life)

    @rule(scope=SCOPES, space=st.sampled_from(["default", "x"]), key=KEYS, delete=st.booleans())
    def kv_read(self, scope: tuple[str, str], space: str, key: str, delete: bool) -> None:
        value, there = self.model.value((*scope, space, key), self.now)
        kv = self.agent(scope).kv(space)
        assert kv.get(key, "absent") == (value if there else "absent")
        assert kv.has(key) is there
        prefix = key[:1]
        expected = {
            place[3]: self.model.value(place, self.now)[0]
            for place in sorted(self.model.values, key=lambda place: place[3])
            if place[:3] == (*scope, space) and place[3].startswith(prefix) and self.model.value(place, self.now)[1]
        }
        assert list(kv.search(prefix).items()) == list(expected.items())
        if delete:
            assert kv.delete(key) is there
            self.model.values.pop((*scope, space, key), None)

    # -- always ---------------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_half_there(self) -> None:
        """Every active item has its passages, no passage is without its item."""
        store = self.memories[0].store
        assert store.read("orphan_passages")[0]["n"] == 0
        assert store.read("unindexed_memories")[0]["n"] == 0

    def teardown(self) -> None:
        for memory in self.memories:
            memory.close()


def last(found: list[Any], by_id: bool) -> Any:
    return found[-1].id if by_id else found[-1]


def same_rows(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> bool:
    """Equal as multisets: versions of one moment have no order of their own."""
    return sorted(map(repr, left)) == sorted(map(repr, right))


def must_raise(error: type[Exception], act: Callable[..., Any]) -> None:
    try:
        act()
    except error:
        return
    raise AssertionError(f"{error.__name__} was not raised")
