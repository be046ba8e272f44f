"""The segments and views that a process keeps: loaded on first use, caught up on every recall, the least recently used
dropped when there are too many passages."""

from __future__ import annotations

import threading
from collections import OrderedDict

from engrain.model.scope import Scope
from engrain.recall.archived import Archived, Shelf
from engrain.recall.embed import Embedder
from engrain.recall.segment import SEQ, Segment
from engrain.recall.view import Part, View, visible
from engrain.store.port import Store
from engrain.world import World

SHARED = "shared"
ADAPT = "adapt"  # the scope that changes with a tenant's adapter
EMPTY = 100  # passages that a scope counts for beside its own: its arrays and locks need room, too
AT_ONCE = 5_000  # rows of one read, so that a large scope is not held twice; more than an item has passages


class _Scope:
    """One segment, its lock and the views taken from it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.segment: Segment | None = None
        self.archived: Archived | None = None
        self.views: OrderedDict[tuple[object, ...], View] = OrderedDict()


class Segments:
    """Views by scope. Threads may share it; while a view is used, others may catch its segment up."""

    def __init__(self, store: Store, world: World, most: int) -> None:
        self._store, self._world, self._most = store, world, most
        self.adapted: dict[str, int] = {}  # change number of each tenant's adapter, as last seen
        self._lock = threading.Lock()
        self._scopes: OrderedDict[tuple[str, str, str], _Scope] = OrderedDict()
        self.loaded = 0  # rows read so far: what catching up has cost

    def view(self, scope: Scope, embedder: Embedder) -> View:
        """What the scope may see now. Costs one small read when nothing has changed."""
        tenant, own = scope.tenant, f"agent:{scope.agent}"
        loaded, scopes = self.loaded, len(self._scopes)
        states = self._states(tenant, own, SHARED)
        mine = self._scope((tenant, own, embedder.name))
        if SHARED not in states:
            with mine.lock:
                segment = self._caught_up(mine, tenant, scope.agent, states.get(own, (0, 0)), embedder)
                view = self._view(mine, segment, None, (segment.version,), scope, ())
        else:
            mates = self._mates(scope)
            common = self._scope((tenant, SHARED, embedder.name))
            with mine.lock, common.lock:  # always in this order
                segment = self._caught_up(mine, tenant, scope.agent, states.get(own, (0, 0)), embedder)
                shared = self._caught_up(common, tenant, None, states[SHARED], embedder)
                view = self._view(mine, segment, shared, (segment.version, shared.version, mates), scope, mates)
        if self.loaded != loaded or len(self._scopes) > scopes:
            self._evict()
        return view

    def archived(self, scope: Scope, embedder: Embedder, shelf: Shelf, alone: bool) -> View:
        """What of the agent's own is archived, ``alone`` or beside what ``view`` gives."""
        live = None if alone else self.view(scope, embedder)
        if live is None:
            self._states(scope.tenant)
        held = self._scope((scope.tenant, f"archived:{scope.agent}", embedder.name))
        with held.lock:
            if held.archived is None or held.archived.segment.wasteful:
                held.archived = Archived(embedder)
                held.views.clear()
            try:
                read = held.archived.catch_up(shelf, scope)
            except BaseException:  # as in _caught_up
                held.archived = None
                raise
            finally:
                held.segment = held.archived.segment if held.archived else None
            segment = held.archived.segment
            key = (segment.version, live)
            view = held.views.get(key)
            if view is None:
                now = self._world.now()
                seen = visible(segment, now)
                parts = [Part(segment, seen)] if live is None or seen.any() else []
                view = View([*(live.parts if live else ()), *parts], now)
                held.views.clear()
                held.views[key] = view
        if read:
            self.loaded += read
            self._evict()
        return view

    def doubt(self, scope: Scope, embedder: Embedder) -> None:
        """Something that is held is not in the store: the next view is of what is."""
        for name in (f"agent:{scope.agent}", SHARED):
            held = self._scope((scope.tenant, name, embedder.name))
            with held.lock:
                if held.segment is not None:
                    held.segment.purges = -1

    def clear(self) -> None:
        """Forget every segment; the next recall loads afresh."""
        with self._lock:
            self._scopes.clear()

    def _states(self, tenant: str, *names: str) -> dict[str, tuple[int, int]]:
        """(change number, purges) of scopes of a tenant; that of its adapter is noted."""
        rows = self._store.read("scope_states", {"tenant": tenant, "names": [*names, ADAPT]})
        states = {row["name"]: (int(row["seq"]), int(row["purges"])) for row in rows}
        self.adapted[tenant] = states.get(ADAPT, (0, 0))[0]
        return states

    def _mates(self, scope: Scope) -> tuple[str, ...]:
        rows = self._store.read("agent_team", {"tenant": scope.tenant, "agent": scope.agent})
        return tuple(sorted(row["name"] for row in rows))

    def _scope(self, key: tuple[str, str, str]) -> _Scope:
        with self._lock:
            found = self._scopes.get(key)
            if found is None:
                found = self._scopes[key] = _Scope()
            self._scopes.move_to_end(key)
            return found

    def _caught_up(
        self, held: _Scope, tenant: str, agent: str | None, state: tuple[int, int], embedder: Embedder
    ) -> Segment:
        """The segment as of ``state`` or later. Called under its lock."""
        seq, purges = state
        segment = held.segment
        if segment is not None and seq < segment.seq:  # another thread saw a later state than we did, before us
            name = SHARED if agent is None else f"agent:{agent}"
            rows = self._store.read("scope_state", {"tenant": tenant, "name": name})
            seq, purges = (int(rows[0]["seq"]), int(rows[0]["purges"])) if rows else (0, 0)
        if segment is None or segment.wasteful or seq < segment.seq or purges < segment.purges:
            # A restored store may be older than what we hold.
            segment = held.segment = Segment(embedder.name, embedder.dim, shared=agent is None)
            segment.purges = purges
            held.views.clear()
        try:
            self._catch_up(segment, tenant, agent, seq, purges)
        except BaseException:  # it may be half of what it should be: the next recall loads afresh
            held.segment = None
            held.views.clear()
            raise
        return segment

    def _catch_up(self, segment: Segment, tenant: str, agent: str | None, seq: int, purges: int) -> None:
        whose = {"tenant": tenant} if agent is None else {"tenant": tenant, "agent": agent}
        if seq > segment.seq:
            self._load(segment, whose, 0 if segment.seq else seq)
            segment.seq = max(segment.seq, seq)
        if purges > segment.purges:
            name = "segment_shared_ids" if agent is None else "segment_ids"
            segment.keep_only(row["id"] for row in self._store.read(name, whose))
            segment.purges = purges

    def _load(self, segment: Segment, whose: dict[str, str], settled: int) -> None:
        """Take in what has changed, in the order (change, id), in pieces. What an empty segment reads comes once, but
        for what is changed meanwhile and so has a number above ``settled``."""
        name, seq, last = "segment_shared_changes" if segment.shared else "segment_changes", segment.seq + 1, ""
        while True:
            asked = {**whose, "seq": seq, "last": last, "settled": settled, "limit": AT_ONCE}
            rows = self._store.read(name, asked)
            self.loaded += len(rows)
            whole = len(rows) < AT_ONCE
            if not whole:  # there may be more passages of the last item
                rows = [row for row in rows if row[0] != rows[-1][0]]
            segment.apply(rows, settled)
            if whole:
                return
            seq, last = rows[-1][SEQ], rows[-1][0]

    def _view(
        self,
        held: _Scope,
        own: Segment,
        shared: Segment | None,
        key: tuple[object, ...],
        scope: Scope,
        mates: tuple[str, ...],
    ) -> View:
        now = self._world.now()
        view = held.views.get(key)
        if view is None or now >= view.until:
            parts = [Part(own, visible(own, now))]
            if shared is not None:
                seen = visible(shared, now, scope.agent, mates)
                if seen.any():
                    parts.append(Part(shared, seen))
            view = View(parts, now)
            held.views.clear()  # an agent belongs to one team: one view is enough
            held.views[key] = view
        return view

    def _evict(self) -> None:
        """Drop the longest unused until the rest fits; the last used one stays, however large."""
        with self._lock:
            sizes = {key: EMPTY + (held.segment.passages if held.segment else 0) for key, held in self._scopes.items()}
            total = sum(sizes.values())
            for key in list(self._scopes)[:-1]:
                if total <= self._most:
                    break
                total -= sizes[key]
                del self._scopes[key]
