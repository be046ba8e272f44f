"""The archive inside the hot store: an archived item stays in its row, with its words and vector, and only the
statements of the archive read it."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import Any

from engrain.archive.port import Put
from engrain.model.item import MemoryItem
from engrain.model.life import Life
from engrain.model.scope import Scope
from engrain.store.port import Row, Store, Transaction
from engrain.store.rows import item_from_row

_LATEST = (2**62, "")


class HotArchive:
    """See ``port.Archive``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, tx: Transaction, tenant: str, items: Sequence[Put], now: int) -> None:
        told = [(now, reason, seq, shared, id_, tenant, agent) for id_, agent, reason, seq, shared in items if seq]
        tx.run_many("memory_archive", told)
        quiet = [(now, reason, id_, tenant, agent) for id_, agent, reason, seq, _ in items if not seq]
        tx.run_many("memory_expire", quiet)

    def list(
        self, scope: Scope, limit: int, before: tuple[int, str] | None, reason: str | None
    ) -> builtins.list[MemoryItem]:
        at, id_ = before or _LATEST
        query = {"limit": limit, "reason": reason, "before_at": at, "before_id": id_}
        return [item_from_row(row) for row in self._store.read("archived_list", {**_whose(scope), **query})]

    def get(self, scope: Scope, id_: str) -> Row | None:
        rows = self._store.read("archived_get", {**_whose(scope), "id": id_})
        return rows[0] if rows else None

    def take_back(self, tx: Transaction, scope: Scope, id_: str, row: Mapping[str, Any]) -> bool:
        return tx.run("memory_take_back", {**_whose(scope), "id": id_, **row}) == 1

    def old(self, scope: Scope, before: int, now: int) -> builtins.list[Life]:
        query = {**_whose(scope), "before": before, "now": now}
        return [Life(*row[: len(Life._fields)]) for row in self._store.read("archived_old", query)]

    def drop(self, tx: Transaction, tenant: str, items: Sequence[tuple[str, str]]) -> None:
        rows = [{"id": id_, "tenant": tenant, "agent": agent} for id_, agent in items]
        tx.run_many("memory_relink", rows)
        tx.run_many("archived_drop", rows)


def waiting(store: Store, before: int, limit: int) -> dict[str, int]:
    """What waits to leave the hot store, counted up to ``limit``: ``memories``, ``experiences`` settled at ``before``
    (µs) or earlier, and ``batches`` that are on their way."""
    row = store.read("cold_waiting", {"before": before, "limit": limit})[0]
    return {name: int(row[name]) for name in ("memories", "experiences", "batches")}


def _whose(scope: Scope) -> dict[str, str]:
    return {"tenant": scope.tenant, "agent": scope.agent}
