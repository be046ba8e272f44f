"""Both tiers of the archive as one: what waits in the hot store, and what lies in the cold tables.

Whether anything lies there is asked of the hot store, so that nobody loads the libraries of the archive for nothing.
"""

from __future__ import annotations

import builtins
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engrain.archive.hot import PROMOTED, HotTier, pieces, whose
from engrain.archive.port import KINDS, Asked, Kind, Left, Sought
from engrain.archive.reading import ELSEWHERE, filled
from engrain.errors import ArchiveUnavailable, InvalidField
from engrain.model.life import Old
from engrain.model.scope import Scope
from engrain.store.changes import agent_scope, bump
from engrain.store.port import Row, Store, Transaction

if TYPE_CHECKING:
    from engrain.archive.compactor import Compactor
    from engrain.archive.port import Cold
    from engrain.archive.tables import Tables

MEMORIES = {"kind": "memories"}


class Tiers(HotTier):
    """See ``port.Archive``. ``tables`` and ``compactor`` are only asked for when there is something cold."""

    def __init__(
        self, store: Store, tables: Callable[[], Tables | None], compactor: Callable[[], Compactor | None]
    ) -> None:
        super().__init__(store)
        self._tables, self._compactor = tables, compactor

    # -- reading ------------------------------------------------------------------------------------------------------

    def find(self, scope: Scope, limit: int, asked: Asked) -> builtins.list[Row]:
        """From the hot store first: what leaves it meanwhile is then found twice, not never."""
        found = {row["id"]: row for row in super().find(scope, limit, asked)}
        for row in self._cold_find(scope, limit, asked):
            found.setdefault(row["id"], row)
        return sorted(found.values(), key=lambda row: (row["archived_at"], row["id"]), reverse=True)[:limit]

    def many(self, scope: Scope, ids: Collection[str]) -> builtins.list[Row]:
        found = super().many(scope, ids)
        left = set(ids) - {row["id"] for row in found}
        return [*found, *(self._rows(scope, ids=sorted(left)) if left else ())]

    def _cold(self, kind: Kind = "memories") -> Tables | None:
        """The tables, if anything of a kind lies in them."""
        return filled(self._store, self._tables, kind)

    def _cold_find(self, scope: Scope, limit: int, asked: Asked) -> builtins.list[Cold]:
        """The places of the latest first, then their rows."""
        tables = self._cold()
        if tables is None:
            return []
        from engrain.archive.frozen import latest

        places = latest(tables, scope, limit, asked)
        return self._rows(scope, places=places) if places else []

    def _rows(self, scope: Scope, **chosen: Any) -> builtins.list[Cold]:
        tables = self._cold()
        if tables is None:
            return []
        from engrain.archive.frozen import rows

        return list(rows(tables, scope, **chosen))

    def old(self, scopes: Sequence[Scope], before: int, now: int) -> Iterator[tuple[Scope, builtins.list[Old]]]:
        hot = list(super().old(scopes, before, now))
        cold: dict[tuple[str, str], list[Old]] = defaultdict(list)
        if tables := self._cold():
            from engrain.archive.frozen import lives

            for one in lives(tables, scopes, before):
                cold[one.life.tenant, one.life.agent].append(one)
        for scope, found in hot:
            there = {one.life.id for one in found}
            added = [one for one in cold.get((scope.tenant, scope.agent), ()) if one.life.id not in there]
            yield scope, sorted([*found, *added], key=lambda one: (one.life.archived_at, one.life.id))

    # -- back into the hot store, or away for good --------------------------------------------------------------------

    def thaw(self, tx: Transaction, scope: Scope, row: Row, now: int) -> bool:
        told = getattr(row, "told", None)
        if told is None:
            return True
        if self.gone(tx, scope.tenant, [told["place"]]):
            return False
        from engrain.archive.rows import thaw

        if not thaw(tx, told, {"state": "archived", "seq": row["seq"], "shared_seq": row["shared_seq"]}):
            raise InvalidField(f"{told['id']!r} stays archived: by an import somebody else has that id now.")
        self._mark(tx, scope, told["place"], told["id"], "restored", now)
        tx.run("link_cut", {**whose(scope), "ids": [told["id"]]})
        return True

    def gone(self, tx: Transaction, tenant: str, places: Sequence[int], kind: Kind = "memories") -> set[int]:
        asked = {"tenant": tenant, "kind": kind}
        found: set[int] = set()
        for some in pieces(places):
            found |= {row["place"] for row in tx.read("gone_some", {**asked, "places": some})}
        return found

    def drop(self, tx: Transaction, tenant: str, items: Sequence[Old], now: int) -> None:
        """What was an older version of what goes belongs to what replaced that."""
        agents: dict[str, list[Old]] = defaultdict(list)
        for one in items:
            agents[one.life.agent].append(one)
        for agent, some in agents.items():
            scope = Scope(tenant, agent, None)
            cold = {one.life.id: one.cold for one in some if one.cold is not None}
            told = {**whose(scope), **MEMORIES, "reason": "pruned", "now": now}
            tx.run_many("gone_put", [{**told, "id": id_, "place": place} for id_, (place, _) in cold.items()])
            tx.run_many("exchange_chain", [{**whose(scope), "id": id_, "by": by} for id_, (_, by) in cold.items()])
            for ids in pieces([one.life.id for one in some]):
                for row in tx.read("link_heads", {**whose(scope), "ids": ids}):
                    self._pass_on(tx, scope, row["goes_with"], cold)
                tx.run("link_drop", {**whose(scope), "ids": ids})
        super().drop(tx, tenant, items, now)

    @staticmethod
    def _pass_on(tx: Transaction, scope: Scope, id_: str, cold: Mapping[str, tuple[int, str | None]]) -> None:
        """Cold older versions of this one to what replaced it."""
        if id_ in cold:
            by = cold[id_][1]
        else:
            by = tx.read("archived_many", {**whose(scope), "ids": [id_]})[0]["superseded_by"]
        if by is not None:
            tx.run("link_move", {**whose(scope), "id": id_, "by": by})

    @staticmethod
    def _mark(
        tx: Transaction, scope: Scope, place: int, id_: str, reason: str, now: int, kind: Kind = "memories"
    ) -> None:
        told = {"kind": kind, "place": place, "id": id_, "reason": reason, "now": now}
        tx.run("gone_put", {**whose(scope), **told})

    # -- forgetting ---------------------------------------------------------------------------------------------------

    def seek(self, scope: Scope, ids: Collection[str], also: tuple[str | None, int | None] | None = None) -> Sought:
        number, asked, todo = self.number(), set(ids), set(ids)
        while todo := self._linked(self._store, scope, sorted(todo)) - asked:
            asked |= todo
        # What the store has lies nowhere else: to forget it, the tables need not be reached.
        mine, there = whose(scope), set[str]()
        for some in pieces(sorted(asked)):
            there.update(row["id"] for row in self._store.read("memory_chain", {**mine, "ids": some}))
        found = self._rows(scope, ids=sorted(asked - there)) if asked - there else []
        if also is not None:
            found += self._rows(scope, kind=also[0], before=also[1])
        return Sought(frozenset(asked), number, {row["id"]: row for row in found})

    @staticmethod
    def _linked(reader: Store | Transaction, scope: Scope, ids: Sequence[str]) -> set[str]:
        mine = whose(scope)
        return {row["id"] for some in pieces(ids) for row in reader.read("link_list", {**mine, "ids": some})}

    def moved(self, tx: Transaction, sought: Sought) -> bool:
        return self._number(tx) != sought.number

    def number(self) -> int:
        return self._number(self._store)

    @staticmethod
    def _number(reader: Store | Transaction, kind: Kind = "memories") -> int:
        return int(reader.read("batch_closed", {"kind": kind})[0]["number"])

    def companions(self, tx: Transaction, scope: Scope, ids: Sequence[str], sought: Sought) -> set[str]:
        found = {id_ for id_ in self._linked(tx, scope, ids) if self._goes(tx, scope, id_, ids, sought)}
        for row in (sought.rows[id_] for id_ in ids if id_ in sought.rows):
            made = {"fingerprint": row["fingerprint"], "content": row["content"], "source": PROMOTED + row["id"]}
            found |= {one["id"] for one in tx.read("memory_made", {**whose(scope), **made})}
        return found

    def _goes(self, tx: Transaction, scope: Scope, id_: str, ids: Collection[str], sought: Sought) -> bool:
        """Whether what is linked to these still goes with them: what promotion made does not when it was changed."""

        def row(one: str) -> Row | None:
            return sought.rows.get(one) or next(iter(tx.read("memory_own", {**whose(scope), "id": one})), None)

        copy = row(id_)
        of = ((copy["source"] if copy else None) or "").removeprefix(PROMOTED)
        made = row(of) if copy and of in ids and copy["superseded_by"] not in ids else None
        return copy is None or made is None or copy["content"] == made["content"]

    def forget(
        self, tx: Transaction, scope: Scope, ids: Sequence[str], sought: Sought, now: int
    ) -> tuple[builtins.list[str], Left]:
        cold = {id_: sought.rows[id_]["place"] for id_ in ids if id_ in sought.rows}
        gone = self.gone(tx, scope.tenant, sorted(cold.values()))
        went = [id_ for id_, place in cold.items() if place not in gone]
        for id_ in went:
            self._mark(tx, scope, cold[id_], id_, "forgotten", now)
        left = bool(went)
        newer = {sought.rows[id_]["superseded_by"] for id_ in cold} - {None}
        for some in pieces(sorted({*ids, *newer})):
            left |= tx.run("gone_forget", {**whose(scope), **MEMORIES, "ids": some}) > 0
        for some in pieces(ids):
            left |= tx.run("gone_forget_newer", {**whose(scope), "ids": some}) > 0
            tx.run("link_drop", {**whose(scope), "ids": some})
        if left:
            return went, "words"
        members = [row["members"] for row in tx.read("batch_list", MEMORIES)]
        return went, "moving" if any(f'"{id_}"' in some for some in members for id_ in ids) else "nothing"

    def forget_all(self, scope: Scope, now: int) -> tuple[int, Left]:
        went = sum(self._forget_kind(scope, kind, now) for kind in KINDS)
        with self._store.transaction(scope.tenant) as tx:
            bump(tx, scope.tenant, agent_scope(scope.agent))
            tx.run("gone_forget_all", whose(scope))
            tx.run("link_erase", whose(scope))
        if self._store.read("gone_of", whose(scope)):
            return went, "words"
        moving = any(self._store.read("batch_list", {"kind": kind}) for kind in KINDS)
        return went, "moving" if moving else "nothing"

    def _forget_kind(self, scope: Scope, kind: Kind, now: int) -> int:
        """Until nothing has come to the tables meanwhile."""
        went, number = 0, -1
        while number != (number := self._number(self._store, kind)):
            tables = self._cold(kind)
            if tables is None:
                break
            from engrain.archive.frozen import places

            for some in pieces(places(tables, kind, scope)):
                with self._store.transaction(scope.tenant) as tx:
                    bump(tx, scope.tenant, agent_scope(scope.agent))
                    gone = self.gone(tx, scope.tenant, [place for place, _ in some], kind)
                    for place, id_ in some:
                        if place not in gone:
                            self._mark(tx, scope, place, id_, "forgotten", now, kind)
                            went += 1
        return went

    def holders(self, ids: Collection[str]) -> dict[str, tuple[str, str]]:
        tables = self._cold()
        if tables is None or not ids:
            return {}
        from engrain.archive.frozen import holders

        return holders(tables, ids)

    def leaving(self, scope: Scope, after: int = 0) -> Iterator[builtins.list[Cold]]:
        tables = self._cold()
        if tables is None:
            return
        from engrain.archive.frozen import places
        from engrain.archive.layout import batch_of

        for some in pieces([place for place, _ in places(tables, "memories", scope) if batch_of(place) > after]):
            yield self._rows(scope, places=some)

    def erase(self, left: Left) -> None:
        if left == "nothing":
            return
        compactor = self._compactor()
        if compactor is None:
            raise ArchiveUnavailable(ELSEWHERE)
        compactor.erase(wait=left == "words")
