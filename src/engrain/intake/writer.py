"""The write path: drafts become items in one transaction, and what is already known is recognised inside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from engrain.errors import Changed
from engrain.intake.redact import harmless, redact, redact_value, refuse_secret
from engrain.intake.signals import Signals
from engrain.intake.validate import Draft
from engrain.model.item import MemoryItem
from engrain.model.scope import Scope
from engrain.store.changes import NOWHERE, SHARED, agent_scope, bump, inline
from engrain.store.port import Store, Transaction
from engrain.store.rows import INDEX, INSERT, item_from_row, new_item, to_json
from engrain.store.transitions import log
from engrain.world import World

if TYPE_CHECKING:
    from engrain.intake.quota import Quota, Used

CHUNK = 400
_CONTENT, _EXPIRES_AT = INSERT.index("content"), INSERT.index("expires_at")
_STATE = INSERT.index("state")  # with superseded_by and superseded_at after it
ECHO_WORDS = 4  # shorter things ("yes", "thank you so much") are said again and again and are no echo


class Indexer(Protocol):
    """Texts, and what ``split()`` makes of each where that is known, to the passages of each text: named tuples of
    number, length, terms, vector, scale, embedder, analyzer."""

    def __call__(
        self, texts: Sequence[str], cuts: Iterable[Sequence[str] | None] = (), /
    ) -> Sequence[Sequence[tuple[Any, ...]]]: ...


def fingerprint(content: str) -> str:
    """128 bits of BLAKE2b over the content, blind to case and white space."""
    return _print(content.split())


def _print(words: Sequence[str]) -> str:
    return hashlib.blake2b(" ".join(words).casefold().encode(), digest_size=16).hexdigest()


class _Told(NamedTuple):
    """A draft without secrets, and what was found out about it before the store was locked."""

    draft: Draft
    rules: tuple[str, ...]  # that found secrets
    print: str
    passages: Sequence[Any]


class _Current(NamedTuple):
    """What stands under a key, and the row of it that is about to be written, if it is of this batch."""

    id: str
    key: str
    created_at: int
    expires_at: int | None
    visibility: str
    row: list[Any] | None


@dataclass(slots=True)
class _Batch:
    """What one transaction is about to write."""

    seq: int
    now: int
    shared_seq: int | None = None
    new: dict[str, tuple[list[Any], _Told]] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)
    superseded: list[tuple[str, str]] = field(default_factory=list)
    twins: dict[tuple[Any, ...], list[tuple[str, str | None]]] = field(default_factory=dict)
    currents: dict[tuple[str, str], _Current] = field(default_factory=dict)
    echoes: dict[tuple[str, str], str] = field(default_factory=dict)


class Writer:
    """Remembers. ``index`` makes the words and vectors of texts; it runs before the store is locked."""

    def __init__(
        self,
        store: Store,
        world: World,
        signals: Signals,
        index: Indexer,
        *,
        redacts: bool,
        echo: int,
        quota: Quota | None = None,
    ) -> None:
        self._store = store
        self._world = world
        self._signals = signals
        self._index = index
        self._redacts = redacts
        self._echo = echo  # µs
        self.quota = quota

    def remember(
        self, scope: Scope, drafts: Sequence[Draft], *, register: bool = False, expects: str | None = None
    ) -> list[MemoryItem]:
        """One item per draft, in order: a new one, or the existing one when the same was told before. ``register``
        notes the agent in the home with them. ``expects``: the id that the first draft's key must have now, "" for
        none; else Changed is raised."""
        if not drafts:
            return []
        cleaned = [self._cleaned(one) for one in drafts]
        indexed = self._index([one[0].content for one in cleaned], [one[3] for one in cleaned])
        told = [_Told(*one[:3], passages) for one, passages in zip(cleaned, indexed, strict=True)]
        drained: dict[str, Any] = {}
        try:
            with self._store.transaction(scope.tenant) as tx:
                batch = _Batch(bump(tx, scope.tenant, agent_scope(scope.agent)), self._world.now())
                drained, revived = self._signals.drain(scope.tenant, tx)
                if register:
                    row = {"tenant": scope.tenant, "agent": scope.agent, "team": None, "now": batch.now}
                    tx.run("agent_register", row)
                self._look_up(tx, scope, told, batch)
                if expects is not None:
                    _expected(told[0].draft, expects, batch)
                ids = [self._place(tx, scope, one, batch) for one in told]
                used = self._admitted(self.quota, tx, scope, batch) if self.quota else None
                self._apply(tx, scope, batch)
                items = self._items(tx, scope, ids, batch)
                log(tx, scope.tenant, batch.now, revived)
        except BaseException:
            self._signals.restore(scope.tenant, drained)
            raise
        if self.quota and used:
            self.quota.keep(scope, used)
        return items

    def _cleaned(self, one: Draft) -> tuple[Draft, tuple[str, ...], str, list[str]]:
        """The draft without secrets, the rules that found some, its fingerprint and its words. These are cut once for
        all who need them: that is half the work."""
        words = one.content.split()
        cleaned, rules = self.clean(one, words)
        if cleaned.content is not one.content:
            words = cleaned.content.split()
        return cleaned, rules, _print(words), words

    def clean(self, one: Draft, words: Sequence[str] | None = None) -> tuple[Draft, tuple[str, ...]]:
        """The draft without secrets, and the rules that found some. A secret in a name is refused: cutting it out
        would change what the caller looks up by. ``words``: of its content, if they are known."""
        if not self._redacts:
            return one, ()
        for name, value in (("key", one.key), ("session", one.session), ("role", one.role), ("source", one.source)):
            if value is not None:
                refuse_secret(name, value)
        for tag in one.tags:
            refuse_secret("a tag", tag)
        content, rules = one.content, ()
        if words is None or not harmless(words):
            content, rules = astuple(redact(content))
        metadata, others = redact_value(one.metadata) if one.metadata else (one.metadata, ())
        if not rules and not others:
            return one, ()
        return one._replace(content=content, metadata=metadata), tuple(dict.fromkeys((*rules, *others)))

    def _look_up(self, tx: Transaction, scope: Scope, told: Sequence[_Told], batch: _Batch) -> None:
        base = {"tenant": scope.tenant, "agent": scope.agent, "now": batch.now}
        prints = list(dict.fromkeys([one.print for one in told]))
        since = batch.now - self._echo
        for start in range(0, len(prints), CHUNK):
            for row in tx.read("memory_twins", {**base, "fingerprints": prints[start : start + CHUNK]}):
                id_, kind, key, content, session, occurred_at, shown_at = row
                batch.twins.setdefault((kind, content, session, occurred_at), []).append((id_, key))
                if self._echo and shown_at is not None and shown_at >= since:
                    batch.echoes.setdefault((kind, content), id_)
        keys = list(dict.fromkeys([one.draft.key for one in told if one.draft.key is not None]))
        for start in range(0, len(keys), CHUNK):
            for row in tx.read("memory_current", {**base, "keys": keys[start : start + CHUNK]}):
                id_, kind, key, created_at, expires_at, visibility = row
                batch.currents[(kind, key)] = _Current(id_, key, created_at, expires_at, visibility, None)

    def _place(self, tx: Transaction, scope: Scope, told: _Told, batch: _Batch) -> str:
        """The id that a draft ends up under."""
        one = told.draft
        identity = (one.kind, one.content, one.session, one.occurred_at)
        twins = batch.twins.get(identity)
        for id_, key in twins or ():
            if one.key is None or one.key == key:
                batch.repeats[id_] = batch.repeats.get(id_, 0) + 1
                return id_
        if batch.echoes and _may_echo(one):
            known = batch.echoes.get((one.kind, one.content))
            if known is not None:
                when = batch.now + batch.repeats.get(known, 0)
                echo = {"tenant": scope.tenant, "id": known, "agent": scope.agent, "session": one.session, "now": when}
                tx.run("echo_insert", echo)
                batch.repeats[known] = batch.repeats.get(known, 0) + 1
                return known
        id_ = self._insert(tx, scope, told, batch)
        if twins is None:
            batch.twins[identity] = [(id_, one.key)]
        else:
            twins.append((id_, one.key))
        return id_

    def _insert(self, tx: Transaction, scope: Scope, told: _Told, batch: _Batch) -> str:
        one, id_ = told.draft, self._world.new_id()
        current = batch.currents.get((one.kind, one.key)) if one.key is not None else None
        shares = one.visibility != "private" or (current is not None and current.visibility != "private")
        if shares and batch.shared_seq is None:
            batch.shared_seq = bump(tx, scope.tenant, SHARED)
        created_at = batch.now
        if current is not None:
            if current.expires_at is None or current.expires_at > batch.now:
                created_at = current.created_at
            self._supersede(current, id_, batch)
        row = _row(scope, told, id_, created_at, batch)
        if one.key is not None:
            expires_at = None if one.expires_in is None else batch.now + one.expires_in
            batch.currents[(one.kind, one.key)] = _Current(id_, one.key, created_at, expires_at, one.visibility, row)
        batch.new[id_] = (row, told)
        return id_

    @staticmethod
    def _supersede(current: _Current, by: str, batch: _Batch) -> None:
        for twins in batch.twins.values():
            twins[:] = [(id_, key) for id_, key in twins if id_ != current.id or key != current.key]
        for echo in [echo for echo, id_ in batch.echoes.items() if id_ == current.id]:
            del batch.echoes[echo]  # what is being replaced cannot stand for what is told after it
        if current.row is not None:
            current.row[_STATE : _STATE + 3] = "superseded", by, batch.now
            current.row[-len(INDEX) :] = NOWHERE
        batch.superseded.append((current.id, by))

    @staticmethod
    def _admitted(quota: Quota, tx: Transaction, scope: Scope, batch: _Batch) -> Used:
        new = [row for row, _ in batch.new.values() if row[_STATE] == "active"]
        rows = [{"content": row[_CONTENT], "expires_at": row[_EXPIRES_AT]} for row in new]
        old = [id_ for id_, _ in batch.superseded if id_ not in batch.new]
        return quota.admit(tx, scope, (batch.seq, batch.now), rows, old)

    def _apply(self, tx: Transaction, scope: Scope, batch: _Batch) -> None:
        base = {"tenant": scope.tenant, "agent": scope.agent}
        for old, by in batch.superseded:
            if old not in batch.new:
                change = {"by": by, "now": batch.now, "seq": batch.seq, "shared_seq": batch.shared_seq}
                tx.run("memory_supersede", {**base, "id": old, **change})
                tx.run("passage_delete", {**base, "id": old})
        gone = {old for old, _ in batch.superseded}
        tx.run_many("memory_insert", [row for row, _ in batch.new.values()])
        tx.run_many(
            "passage_insert",
            [
                (id_, scope.tenant, scope.agent, *passage)
                for id_, (_, told) in batch.new.items()
                if id_ not in gone
                if len(told.passages) > 1
                for passage in told.passages
            ],
        )
        for old, by in batch.superseded:
            tx.run("signals_carry", {"tenant": scope.tenant, "from_id": old, "to_id": by})
        for id_, times in batch.repeats.items():
            tx.run("memory_repeat", {**base, "id": id_, "times": times})

    def _items(self, tx: Transaction, scope: Scope, ids: Sequence[str], batch: _Batch) -> list[MemoryItem]:
        carried = {by for _, by in batch.superseded}
        stored = list(
            dict.fromkeys(id_ for id_ in ids if id_ not in batch.new or id_ in batch.repeats or id_ in carried)
        )
        found = {
            id_: new_item(row, told.draft.tags, told.draft.metadata, told.rules)
            for id_, (row, told) in batch.new.items()
        }
        for start in range(0, len(stored), CHUNK):
            some = {"ids": stored[start : start + CHUNK], "tenant": scope.tenant, "agent": scope.agent}
            found |= {row["id"]: item_from_row(row) for row in tx.read("memory_get_many", some)}
        return [found[id_] for id_ in ids]


def _expected(one: Draft, expects: str, batch: _Batch) -> None:
    current = batch.currents.get((one.kind, one.key or ""))
    there = current is not None and (current.expires_at is None or current.expires_at > batch.now)
    if (current.id if current is not None and there else "") != expects:
        found = f"is {current.id!r}" if current is not None and there else "is nothing"
        raise Changed(f"Under the key {one.key!r} there {found} by now; look again.")


def _may_echo(one: Draft) -> bool:
    """Whoever says when, under which key, who said it or for whom, tells something of its own; the bare words of what
    was just shown are an echo, in whatever session (the link keeps the session)."""
    bare = Draft(one.content, one.kind, session=one.session, metadata=one.metadata)
    return one == bare and not one.metadata and len(one.content.split(None, ECHO_WORDS)) >= ECHO_WORDS


def _row(scope: Scope, told: _Told, id_: str, created_at: int, batch: _Batch) -> list[Any]:
    """The parameters of ``memory_insert`` for a new item. Rows of one batch have one time; their ids keep their
    order."""
    one, now = told.draft, batch.now
    return [
        id_, scope.tenant, scope.agent, one.kind, one.key, one.content, told.print, one.importance,
        to_json(one.tags) if one.tags else "[]", to_json(one.metadata) if one.metadata else "{}",
        one.session, one.role, one.occurred_at, created_at, now, now,
        None if one.expires_in is None else now + one.expires_in, one.decay_rate, one.visibility, int(one.pinned),
        one.source, "active", None, None, to_json(told.rules) if told.rules else "[]", 0, batch.seq,
        None if one.visibility == "private" else batch.shared_seq, *inline(told.passages),
    ]  # fmt: skip
