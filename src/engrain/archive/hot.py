"""The tier of the archive that is in the hot store: an archived item stays in its row, with its words and vector, and
only the statements of the archive read it, until it leaves for the cold tables."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from engrain.archive.port import Asked, Put
from engrain.model.life import Life, Old
from engrain.model.scope import Scope
from engrain.store.port import Row, Store, Transaction

T = TypeVar("T")
_LATEST = (2**62, "")
_AT_ONCE = 500  # ids in one statement
PROMOTED = "promoted:"  # of this id: the source of what promotion made


class HotTier:
    """See ``port.Archive``: what it says of rows that are in the hot store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, tx: Transaction, tenant: str, items: Sequence[Put], now: int) -> None:
        told = [(now, reason, seq, shared, id_, tenant, agent) for id_, agent, reason, seq, shared in items if seq]
        tx.run_many("memory_archive", told)
        quiet = [(now, reason, id_, tenant, agent) for id_, agent, reason, seq, _ in items if not seq]
        tx.run_many("memory_expire", quiet)

    def find(self, scope: Scope, limit: int, asked: Asked) -> builtins.list[Row]:
        at, id_ = asked.before or _LATEST
        query: dict[str, Any] = {"limit": limit, "reason": asked.reason, "since": asked.since, "until": asked.until}
        query |= {"before_at": at, "before_id": id_, "any": int(asked.kinds is None), "kinds": asked.kinds or ()}
        return self._store.read("archived_list", {**whose(scope), **query})

    def many(self, scope: Scope, ids: Collection[str]) -> builtins.list[Row]:
        found: list[Row] = []
        for some in pieces(sorted(ids)):
            found += self._store.read("archived_many", {**whose(scope), "ids": some})
        return found

    def take_back(self, tx: Transaction, scope: Scope, id_: str, row: Mapping[str, Any]) -> bool:
        return tx.run("memory_take_back", {**whose(scope), "id": id_, **row}) == 1

    def old(self, scopes: Sequence[Scope], before: int, now: int) -> Iterator[tuple[Scope, builtins.list[Old]]]:
        for scope in scopes:
            rows = self._store.read("archived_old", {**whose(scope), "before": before, "now": now})
            yield scope, [Old(Life(*row[: len(Life._fields)])) for row in rows]

    def drop(self, tx: Transaction, tenant: str, items: Sequence[Old], now: int) -> None:
        rows = [{"id": one.life.id, "tenant": tenant, "agent": one.life.agent} for one in items if one.cold is None]
        tx.run_many("memory_relink", rows)
        tx.run_many("archived_drop", rows)


def waiting(store: Store, before: int, limit: int) -> dict[str, int]:
    """What waits to leave the hot store, counted up to ``limit``: ``memories``, ``experiences`` settled at ``before``
    (µs) or earlier, and ``batches`` that are on their way."""
    row = store.read("cold_waiting", {"before": before, "limit": limit})[0]
    return {name: int(row[name]) for name in ("memories", "experiences", "batches")}


def cold(store: Store) -> bool:
    """Whether anything lies in the cold tables, or is on its way there."""
    return any(store.read("batch_any"))


def urgent(store: Store) -> bool:
    """Whether files have words that were forgotten or pruned."""
    return any(row["reason"] != "restored" for row in store.read("gone_count"))


def whose(scope: Scope) -> dict[str, str]:
    return {"tenant": scope.tenant, "agent": scope.agent}


def pieces(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    """So many at once as a statement may name."""
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
