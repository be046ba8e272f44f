"""Bringing an archived memory back, also when its place was taken meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from engrain.errors import InvalidField, UnknownItem
from engrain.model.fading import DAY
from engrain.model.item import MemoryItem
from engrain.model.life import Rules
from engrain.model.scope import Scope
from engrain.store.changes import SHARED, agent_scope, bump, put_passages
from engrain.store.port import Row, Store, Transaction
from engrain.store.rows import item_from_row, to_json
from engrain.store.transitions import Transition, log
from engrain.world import World

if TYPE_CHECKING:
    from engrain.archive.port import Archive
    from engrain.intake.quota import Quota

ON_CONFLICT = ("skip", "overwrite", "keep-newer", "merge")
TAGS, METADATA = 64, 64 << 10  # tags and bytes that an item may have


class _Rival(NamedTuple):
    """What is active in the place of the archived one; ``lives``: it has not expired."""

    item: MemoryItem
    shared: bool
    lives: bool


class _Change(NamedTuple):
    """The transaction that brings an item back: whose it is, when, and its change numbers."""

    tx: Transaction
    scope: Scope
    now: int
    seq: int
    shared_seq: int | None

    def run(self, statement: str, id_: str, **values: Any) -> int:
        mine = {"tenant": self.scope.tenant, "agent": self.scope.agent, "id": id_, "now": self.now}
        return self.tx.run(statement, {**mine, "seq": self.seq, "shared_seq": self.shared_seq, **values})


class Restorer:
    """Restores within one agent's own items. ``index`` makes words and vectors of texts, before the store is locked;
    ``quota`` says whether there is room."""

    def __init__(
        self,
        store: Store,
        world: World,
        rules: Rules,
        archive: Archive,
        index: Callable[..., Sequence[Any]],
        quota: Quota | None,
    ) -> None:
        self._store, self._world, self._rules, self._archive = store, world, rules, archive
        self._index, self._quota = index, quota

    def restore(self, scope: Scope, row: Row, expires_in: int | None, on_conflict: str) -> MemoryItem:
        """The item of an archive's row as it is from now on, or the one that it was merged into. ``expires_in`` in
        µs."""
        item, passages, id_ = item_from_row(row), self._index([row["content"]])[0], row["id"]
        with self._store.transaction(scope.tenant) as tx:
            seq = bump(tx, scope.tenant, agent_scope(scope.agent))
            now = self._world.now()
            rival = _rival(tx, scope, row, now)
            if rival is not None and _stays(item, rival, on_conflict):
                raise InvalidField(_taken(item, rival.item))
            stays = rival is not None and rival.lives and not _wins(item, rival.item, on_conflict)
            if not self._archive.thaw(tx, scope, row, now):
                raise UnknownItem(_elsewhere(id_))
            ids = [id_] if rival is None else sorted((id_, rival.item.id))
            tx.read("life_lock", {"tenant": scope.tenant, "ids": ids})  # before the shared scope, as everyone does
            shared = row["shared_seq"] is not None or (rival is not None and rival.shared)
            change = _Change(tx, scope, now, seq, bump(tx, scope.tenant, SHARED) if shared else None)
            expires_at, used = self._end(row, expires_in, now), None
            if self._quota is not None and not stays:
                added = {"content": row["content"], "expires_at": expires_at}
                used = self._quota.admit(tx, scope, (seq, now), [added], [rival.item.id] if rival else [])
            steps = []
            if rival is not None and not stays:
                steps.append(_replaced(change, rival.item, id_))
            steps += self._back(change, row, item, expires_at, rival.item if rival is not None and stays else None)
            put_passages(tx, scope, [(id_, [] if stays else passages)])
            winner = item
            if rival is not None and rival.lives and on_conflict == "merge":
                winner = rival.item if stays else item
                steps += _merge(change, winner, item if stays else rival.item)
            log(tx, scope.tenant, now, steps)
            mine = {"tenant": scope.tenant, "agent": scope.agent, "id": winner.id}
            found = item_from_row(tx.read("memory_own", mine)[0])
        if self._quota is not None and used is not None:
            self._quota.keep(scope, used)
        return found

    def comes_back(self, scope: Scope, row: Row, on_conflict: str) -> bool:
        """Whether ``restore`` would not leave it in the archive."""
        rival = _rival(self._store, scope, row, self._world.now())
        return rival is None or not _stays(item_from_row(row), rival, on_conflict)

    def _end(self, row: Row, expires_in: int | None, now: int) -> int | None:
        """When it expires from now on."""
        end: int | None = row["expires_at"]
        if expires_in is not None:
            return now + expires_in
        return end if end is None or end > now else now + int(self._rules.restore_days * DAY)

    def _back(
        self, change: _Change, row: Row, item: MemoryItem, expires_at: int | None, under: MemoryItem | None
    ) -> list[Transition]:
        """Out of the archive: active again, or an older version ``under`` what it was merged into."""
        spared = int(self._rules.restore_days * DAY)
        used = dict.fromkeys(("shown", "applied", "helpful", "unhelpful"), 0)
        change.run("signal_add", item.id, **used, read=1, last_shown_at=None, last_used_at=change.now)
        change.run("signal_spare", item.id, until=change.now + spared)
        state = ("active", None, None) if under is None else ("superseded", under.id, change.now)
        values = dict(zip(("state", "superseded_by", "superseded_at"), state, strict=True))
        values |= {"expires_at": expires_at, "was": row["seq"]}
        mine = {"now": change.now, "seq": change.seq, "shared_seq": change.shared_seq}
        if not self._archive.take_back(change.tx, change.scope, item.id, {**mine, **values}):
            raise UnknownItem(_elsewhere(item.id))
        why = item.archived_reason or ""
        steps = [_step(change, item, "memory:restored", "archived", "active", "restored", {"reason": why})]
        if under is not None:
            steps.append(_step(change, item, "memory:superseded", "active", "superseded", f"merged into {under.id}"))
        return steps


def _rival(tx: Transaction | Store, scope: Scope, row: Row, now: int) -> _Rival | None:
    names = ("kind", "key", "fingerprint", "content", "session", "occurred_at")
    asked = {"tenant": scope.tenant, "agent": scope.agent, "now": now, **{name: row[name] for name in names}}
    found = tx.read("memory_rival", asked)
    if not found or found[0]["id"] == row["id"]:
        return None
    lives = found[0]["expires_at"] is None or found[0]["expires_at"] > now
    return _Rival(item_from_row(found[0]), found[0]["shared_seq"] is not None, lives)


def _wins(item: MemoryItem, rival: MemoryItem, on_conflict: str) -> bool:
    return on_conflict == "overwrite" or (on_conflict != "skip" and item.told_at > rival.told_at)


def _stays(item: MemoryItem, rival: _Rival, on_conflict: str) -> bool:
    return rival.lives and on_conflict != "merge" and not _wins(item, rival.item, on_conflict)


def _elsewhere(id_: str) -> str:
    return f"{id_!r} was restored or forgotten by somebody else at this moment."


def _taken(item: MemoryItem, rival: MemoryItem) -> str:
    what = f"Under the key {item.key!r}" if item.key is not None else "With the same content"
    told = f"{what} the agent remembers {rival.id!r} now, so {item.id!r} stays archived; "
    return told + "restore it with on_conflict='overwrite' to replace that, or 'merge' to bring both together."


def _replaced(change: _Change, rival: MemoryItem, by: str) -> Transition:
    change.run("memory_supersede", rival.id, by=by)
    change.run("passage_delete", rival.id)
    if rival.state == "pending_decay":
        change.run("signal_pending", rival.id, pending_at=None)
    return _step(change, rival, "memory:superseded", rival.state, "superseded", f"replaced by {by}")


def _merge(change: _Change, winner: MemoryItem, loser: MemoryItem) -> list[Transition]:
    """The tags and metadata of both (the winner's where they differ), the higher importance, the sums of the counts."""
    tags = list(dict.fromkeys((*winner.tags, *loser.tags)))[:TAGS]
    metadata = {**loser.metadata, **winner.metadata}
    if len(repr(metadata)) > METADATA:
        metadata = dict(winner.metadata)
    change.run("memory_merge", winner.id, tags=to_json(tags), metadata=to_json(metadata))
    change.run("signals_sum", winner.id, from_id=loser.id, to_id=winner.id)
    change.run("memory_weigh", winner.id, importance=max(winner.importance, loser.importance))
    if winner.state != "pending_decay":
        return []
    change.run("signal_pending", winner.id, pending_at=None)
    return [_step(change, winner, "memory:revived", winner.state, "active", f"merged with {loser.id}")]


def _step(
    change: _Change, item: MemoryItem, event: str, old: str, new: str, reason: str, before: dict[str, Any] | None = None
) -> Transition:
    actor = f"agent:{change.scope.agent}"
    return Transition(item.id, item.agent, event, old, new, reason, actor, before or {})
