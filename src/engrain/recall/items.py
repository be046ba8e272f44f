"""Reading single items and lists, by name instead of by meaning."""

from __future__ import annotations

from collections.abc import Callable

from engrain.errors import UnknownItem
from engrain.model.item import MemoryItem, Session
from engrain.model.scope import Scope
from engrain.store.port import Store
from engrain.store.rows import Counts, item_from_row
from engrain.world import World, from_micros, to_micros


class Items:
    """What a scope may read. ``get`` sees shared items of others; the rest sees the agent's own."""

    def __init__(self, store: Store, world: World, pending: Callable[[str, str], Counts | None]) -> None:
        self._pending = pending
        self._store = store
        self._world = world

    def get(self, scope: Scope, id_: str) -> MemoryItem | None:
        query = {"id": id_, "tenant": scope.tenant, "agent": scope.agent, "now": self._world.now()}
        rows = self._store.read("memory_get", query)
        return item_from_row(rows[0], self._pending(scope.tenant, id_)) if rows else None

    def lookup(self, scope: Scope, kind: str, key: str) -> MemoryItem | None:
        query = {"tenant": scope.tenant, "agent": scope.agent, "kind": kind, "key": key, "now": self._world.now()}
        rows = self._store.read("memory_lookup", query)
        return item_from_row(rows[0], self._pending(scope.tenant, rows[0]["id"])) if rows else None

    def history(self, scope: Scope, kind: str, key: str) -> list[MemoryItem]:
        query = {"tenant": scope.tenant, "agent": scope.agent, "kind": kind, "key": key}
        return [item_from_row(row) for row in self._store.read("memory_history", query)]

    def sessions(self, scope: Scope, prefix: str, kind: str | None, limit: int) -> list[Session]:
        query = {"tenant": scope.tenant, "agent": scope.agent, "kind": kind, "limit": limit, "now": self._world.now()}
        rows = self._store.read("memory_sessions", {**query, "prefix": prefix})
        times = ((from_micros(row["began_at"]), from_micros(row["last_at"])) for row in rows)
        return [Session(row["session"], int(row["items"]), *time) for row, time in zip(rows, times, strict=True)]

    def list(
        self,
        scope: Scope,
        kind: str | None,
        limit: int,
        after: MemoryItem | str | None,
        keys: tuple[str, str] | None = None,
        *,
        newest: bool = False,
    ) -> list[MemoryItem]:
        """A page; ``keys``: only items with a key from the first (inclusive) to the second."""
        after_at: int | None = None
        if isinstance(after, str):
            rows = self._store.read("memory_own", {"tenant": scope.tenant, "agent": scope.agent, "id": after})
            if not rows:
                raise UnknownItem(f"after={after!r} is gone or never was; pass the last item instead of its id.")
            after_at = rows[0]["created_at"]
        elif after is not None:
            after_at, after = to_micros(after.created_at), after.id
        query = {"tenant": scope.tenant, "agent": scope.agent, "kind": kind, "limit": limit, "now": self._world.now()}
        query |= {"after_id": after, "after_at": after_at}
        if keys is not None:
            query |= {"low": keys[0], "high": keys[1]}
        name = ("memory_list" if keys is None else "memory_keyed") + ("_newest" if newest else "")
        return [item_from_row(row) for row in self._store.read(name, query)]

    def count(self, scope: Scope, kind: str | None) -> int:
        query = {"tenant": scope.tenant, "agent": scope.agent, "kind": kind, "now": self._world.now()}
        return int(self._store.read("memory_count", query)[0]["n"])
