"""The write path: drafts become items in one transaction, and what is already known is recognised inside it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from engrain.intake.redact import redact, redact_value, refuse_secret
from engrain.intake.signals import Signals
from engrain.intake.validate import Draft
from engrain.model.item import MemoryItem
from engrain.model.scope import Scope
from engrain.store.port import Store, Transaction
from engrain.store.rows import item_from_row, new_item, to_json
from engrain.world import World

CHUNK = 400
ECHO_WORDS = 4  # shorter things ("yes", "thank you so much") are said again and again and are no echo

Indexer = Callable[[Sequence[str]], "list[list[Any]]"]
"""Texts to the passages of each: objects with number, length, terms, vector, scale, embedder, analyzer."""


def fingerprint(content: str) -> str:
    """128 bits of BLAKE2b over the content, blind to case and white space."""
    return hashlib.blake2b(" ".join(content.casefold().split()).encode(), digest_size=16).hexdigest()


class _Told(NamedTuple):
    """A draft without secrets, and what was found out about it before the store was locked."""

    draft: Draft
    rules: tuple[str, ...]  # that found secrets
    print: str
    passages: Sequence[Any]

    @property
    def identity(self) -> tuple[Any, ...]:
        """What a duplicate has in common with it, beside the agent."""
        return self.draft.kind, self.draft.content, self.draft.session, self.draft.occurred_at

    @property
    def may_echo(self) -> bool:
        """Whoever says when, under which key, who said it or for whom, tells something of its own; the bare words of
        what was just shown are an echo, in whatever session (the link keeps the session)."""
        one = self.draft
        bare = Draft(one.content, one.kind, session=one.session, metadata=one.metadata)
        return one == bare and not one.metadata and len(one.content.split(None, ECHO_WORDS)) >= ECHO_WORDS


@dataclass(slots=True)
class _Batch:
    """What one transaction is about to write."""

    seq: int
    now: int
    shared_seq: int | None = None
    inserts: list[dict[str, Any]] = field(default_factory=list)
    passages: list[dict[str, Any]] = field(default_factory=list)
    repeats: dict[str, int] = field(default_factory=dict)
    superseded: list[tuple[str, str]] = field(default_factory=list)
    twins: dict[tuple[Any, ...], list[tuple[str, str | None]]] = field(default_factory=dict)
    currents: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    echoes: dict[tuple[str, str], str] = field(default_factory=dict)
    new: dict[str, dict[str, Any]] = field(default_factory=dict)


class Writer:
    """Remembers. ``index`` makes the words and vectors of texts; it runs before the store is locked."""

    def __init__(
        self, store: Store, world: World, signals: Signals, index: Indexer, *, redacts: bool, echo: int
    ) -> None:
        self._store = store
        self._world = world
        self._signals = signals
        self._index = index
        self._redacts = redacts
        self._echo = echo  # µs

    def remember(self, scope: Scope, drafts: Sequence[Draft]) -> list[MemoryItem]:
        """One item per draft, in order: a new one, or the existing one when the same was told before."""
        if not drafts:
            return []
        cleaned = [self.clean(one) for one in drafts]
        indexed = self._index([one.content for one, _ in cleaned])
        told = [
            _Told(one, rules, fingerprint(one.content), passages)
            for (one, rules), passages in zip(cleaned, indexed, strict=True)
        ]
        drained: dict[str, Any] = {}
        try:
            with self._store.transaction(scope.tenant) as tx:
                batch = _Batch(bump(tx, scope.tenant, agent_scope(scope.agent)), self._world.now())
                drained = self._signals.drain(scope.tenant, tx)
                self._look_up(tx, scope, told, batch)
                ids = [self._place(tx, scope, one, batch) for one in told]
                self._apply(tx, scope, batch)
                return self._items(tx, scope, ids, batch)
        except BaseException:
            self._signals.restore(scope.tenant, drained)
            raise

    def clean(self, one: Draft) -> tuple[Draft, tuple[str, ...]]:
        """The draft without secrets, and the rules that found some. A secret in a name is refused: cutting it out
        would change what the caller looks up by."""
        if not self._redacts:
            return one, ()
        refuse_secret("key", one.key)
        refuse_secret("session", one.session)
        refuse_secret("role", one.role)
        refuse_secret("source", one.source)
        for tag in one.tags:
            refuse_secret("a tag", tag)
        found = redact(one.content)
        metadata, rules = redact_value(one.metadata) if one.metadata else (one.metadata, ())
        if not found.rules and not rules:
            return one, ()
        return replace(one, content=found.text, metadata=metadata), tuple(dict.fromkeys((*found.rules, *rules)))

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
                batch.currents[(row["kind"], row["key"])] = {name: row[name] for name in row.keys()}  # noqa: SIM118

    def _place(self, tx: Transaction, scope: Scope, told: _Told, batch: _Batch) -> str:
        """The id that a draft ends up under."""
        one = told.draft
        for id_, key in batch.twins.get(told.identity, ()):
            if one.key is None or one.key == key:
                batch.repeats[id_] = batch.repeats.get(id_, 0) + 1
                return id_
        if batch.echoes and told.may_echo:
            known = batch.echoes.get((one.kind, one.content))
            if known is not None:
                when = batch.now + batch.repeats.get(known, 0)
                echo = {"tenant": scope.tenant, "id": known, "agent": scope.agent, "session": one.session, "now": when}
                tx.run("echo_insert", echo)
                batch.repeats[known] = batch.repeats.get(known, 0) + 1
                return known
        return self._insert(tx, scope, told, batch)

    def _insert(self, tx: Transaction, scope: Scope, told: _Told, batch: _Batch) -> str:
        one, id_ = told.draft, self._world.new_id()
        current = batch.currents.get((one.kind, one.key)) if one.key is not None else None
        shares = one.visibility != "private" or (current is not None and current["visibility"] != "private")
        if shares and batch.shared_seq is None:
            batch.shared_seq = bump(tx, scope.tenant, SHARED)
        values = row_values(scope, told, id_, batch)
        if current is not None:
            expired = current["expires_at"] is not None and current["expires_at"] <= batch.now
            values["created_at"] = batch.now if expired else current["created_at"]
            self._supersede(current, values, batch)
        batch.twins.setdefault(told.identity, []).append((id_, one.key))
        if one.key is not None:
            batch.currents[(one.kind, one.key)] = values
        batch.inserts.append(values)
        batch.new[id_] = values
        batch.passages += passage_values(scope, id_, told.passages)
        return id_

    @staticmethod
    def _supersede(current: dict[str, Any], by: dict[str, Any], batch: _Batch) -> None:
        identity_key = current["key"]
        for twins in batch.twins.values():
            twins[:] = [(id_, key) for id_, key in twins if id_ != current["id"] or key != identity_key]
        for echo in [echo for echo, id_ in batch.echoes.items() if id_ == current["id"]]:
            del batch.echoes[echo]  # what is being replaced cannot stand for what is told after it
        if current["id"] in batch.new:
            current |= {"state": "superseded", "superseded_by": by["id"], "superseded_at": batch.now}
            batch.passages[:] = [row for row in batch.passages if row["memory_id"] != current["id"]]
        batch.superseded.append((current["id"], by["id"]))

    def _apply(self, tx: Transaction, scope: Scope, batch: _Batch) -> None:
        base = {"tenant": scope.tenant, "agent": scope.agent}
        for old, by in batch.superseded:
            if old not in batch.new:
                change = {"by": by, "now": batch.now, "seq": batch.seq, "shared_seq": batch.shared_seq}
                tx.run("memory_supersede", {**base, "id": old, **change})
                tx.run("passage_delete", {**base, "id": old})
        tx.run_many("memory_insert", batch.inserts)
        tx.run_many("passage_insert", batch.passages)
        for old, by in batch.superseded:
            tx.run("signals_carry", {"tenant": scope.tenant, "from_id": old, "to_id": by})
        for id_, times in batch.repeats.items():
            tx.run("memory_repeat", {**base, "id": id_, "times": times})

    def _items(self, tx: Transaction, scope: Scope, ids: Sequence[str], batch: _Batch) -> list[MemoryItem]:
        carried = {by for _, by in batch.superseded}
        stored = list(
            dict.fromkeys(id_ for id_ in ids if id_ not in batch.new or id_ in batch.repeats or id_ in carried)
        )
        found = {id_: new_item(values) for id_, values in batch.new.items()}
        for start in range(0, len(stored), CHUNK):
            some = {"ids": stored[start : start + CHUNK], "tenant": scope.tenant, "agent": scope.agent}
            found |= {row["id"]: item_from_row(row) for row in tx.read("memory_get_many", some)}
        return [found[id_] for id_ in ids]


SHARED = "shared"


def agent_scope(agent: str) -> str:
    """The name of an agent's own change sequence."""
    return f"agent:{agent}"


def bump(tx: Transaction, tenant: str, name: str, purges: int = 0) -> int:
    """The next change number of a scope; its row stays locked until the transaction ends."""
    return int(tx.read("scope_bump", {"tenant": tenant, "name": name, "purges": purges})[0]["seq"])


def row_values(scope: Scope, told: _Told, id_: str, batch: _Batch) -> dict[str, Any]:
    """The columns of a new item. Rows of one batch have one time; their ids keep their order."""
    one, now = told.draft, batch.now
    return {
        "id": id_,
        "tenant": scope.tenant,
        "agent": scope.agent,
        "kind": one.kind,
        "key": one.key,
        "content": one.content,
        "fingerprint": told.print,
        "importance": one.importance,
        "tags": to_json(one.tags) if one.tags else "[]",
        "metadata": to_json(one.metadata) if one.metadata else "{}",
        "session": one.session,
        "role": one.role,
        "occurred_at": one.occurred_at,
        "created_at": now,
        "told_at": now,
        "updated_at": now,
        "expires_at": None if one.expires_in is None else now + one.expires_in,
        "decay_rate": one.decay_rate,
        "visibility": one.visibility,
        "pinned": int(one.pinned),
        "source": one.source,
        "state": "active",
        "superseded_by": None,
        "superseded_at": None,
        "redacted": to_json(told.rules) if told.rules else "[]",
        "repeats": 0,
        "seq": batch.seq,
        "shared_seq": None if one.visibility == "private" else batch.shared_seq,
    }


def passage_values(scope: Scope, id_: str, passages: Sequence[Any]) -> list[dict[str, Any]]:
    """The columns of an item's passages."""
    return [
        {
            "memory_id": id_,
            "tenant": scope.tenant,
            "agent": scope.agent,
            "number": passage.number,
            "length": passage.length,
            "terms": passage.terms,
            "vector": passage.vector,
            "scale": passage.scale,
            "embedder": passage.embedder,
            "analyzer": passage.analyzer,
        }
        for passage in passages
    ]
