"""Attempts and sightings into the store, with all that is derived of them, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from engrain.errors import InvalidField, UnknownFix
from engrain.fixes.book import SHARED, Books, own_scope
from engrain.fixes.names import Named
from engrain.fixes.plans import done
from engrain.fixes.rows import KEPT, fix_of, new_row, plain
from engrain.fixes.tallies import Ledger
from engrain.model.fix import Attempt, Fix, Problem
from engrain.model.scope import Scope
from engrain.store.changes import bump, inline
from engrain.store.port import Store, Transaction
from engrain.store.rows import INDEX, to_json
from engrain.world import World

CHUNK = 400
INDEXED = 8_000  # characters of each text of a problem by which it is found
Index = Callable[[Sequence[str]], Sequence[Sequence[tuple[Any, ...]]]]


class Signed(NamedTuple):
    """A signature, and the words by which it is found."""

    named: Named
    words: str


class FixWriter:
    """Records. ``index`` makes the words and vectors of texts; it runs before the store is locked."""

    def __init__(self, store: Store, world: World, books: Books, index: Index) -> None:
        self._store, self._world, self._books, self._index = store, world, books, index

    def record(self, scope: Scope, attempts: Sequence[Attempt]) -> list[Fix]:
        """One Fix per attempt, in order; all or none."""
        if not attempts:
            return []
        with self._books.of(scope) as book:
            named = [book.name(one.problem) for one in attempts]
        now = self._world.now()
        rows = [new_row(scope, one, name, self._world.new_id(), now) for one, name in zip(attempts, named, strict=True)]
        signed = {name.raw: Signed(name, words_of(one.problem)) for one, name in zip(attempts, named, strict=True)}
        self.take(scope, rows, signed)
        with self._books.of(scope) as book:
            return [fix_of(row, book.resolve) for row in rows]

    def verify(self, scope: Scope, fix_id: str, success: bool, notes: str | None) -> Fix:
        """Say of one's own attempt whether something independent saw it work. Raises UnknownFix, and InvalidField for
        what was no attempt."""
        now = self._world.now()
        with self._store.transaction(scope.tenant) as tx:
            bump(tx, scope.tenant, own_scope(scope.agent))
            found = tx.read("fix_own", {"tenant": scope.tenant, "agent": scope.agent, "id": fix_id})
            if not found or found[0]["state"] != KEPT:
                raise UnknownFix(f"{fix_id!r} is not a fix that agent {scope.agent!r} recorded.")
            before = plain(found[0])
            if before["visibility"] != "private":
                bump(tx, scope.tenant, SHARED)
            if not before["effective"]:
                raise InvalidField(f"{fix_id!r} did nothing that could be verified: record the attempt that did.")
            told = {"success": int(success), "verified": int(success)}
            row = {**before, **told, "notes": before["notes"] if notes is None else notes}
            self._revise(tx, before, row, max(now, before["updated_at"] + 1))
        with self._books.of(scope) as book:
            return fix_of(row, book.resolve)

    @staticmethod
    def _revise(tx: Transaction, before: Mapping[str, Any], row: Mapping[str, Any], now: int) -> None:
        names = ("tenant", "agent", "id", "success", "verified", "notes")
        tx.run("fix_outcome", {**{name: row[name] for name in names}, "now": now})
        ledger = Ledger()
        ledger.revise(row, before)
        tx.run_many("tally_add", ledger.params(row["tenant"]))

    def take(
        self,
        scope: Scope,
        rows: Sequence[Mapping[str, Any]],
        signed: Mapping[str, Signed],
        newer: Sequence[Mapping[str, Any]] = (),
        plans: Sequence[Mapping[str, Any]] = (),
    ) -> int:
        """Rows of fixes with their signatures and all sums, and ``newer`` outcomes of such as are there, in one
        transaction; how many were revised. ``plans`` that are not there yet are added."""
        base = {"tenant": scope.tenant, "agent": scope.agent}
        texts = self._signatures(scope, rows, signed)
        shares, revised = any(row["visibility"] != "private" for row in rows), 0
        with self._store.transaction(scope.tenant) as tx:
            seq = bump(tx, scope.tenant, own_scope(scope.agent))
            shared_seq = bump(tx, scope.tenant, SHARED) if shares else None
            if rows:
                tx.run_many("fix_insert", rows)
            for one in texts:
                own = None if one["visibility"] == "private" else shared_seq
                tx.run("signature_put", {**base, **one, "seq": seq, "shared_seq": own})
            add_up(tx, scope.tenant, rows)
            for plan in plans:
                tx.run("plan_put", plan)
            for row in newer:
                found = tx.read("fix_own", {**base, "id": row["id"]})
                if found and found[0]["updated_at"] < row["updated_at"]:
                    before = plain(found[0])
                    told = {name: row[name] for name in ("success", "verified", "notes")}
                    self._revise(tx, before, {**before, **told}, row["updated_at"])
                    revised += 1
        return revised

    def _signatures(
        self, scope: Scope, rows: Iterable[Mapping[str, Any]], signed: Mapping[str, Signed]
    ) -> list[dict[str, Any]]:
        """The rows of signatures that are not there yet, but for their change numbers."""
        wanted = list(dict.fromkeys((row["visibility"], row["signature"]) for row in rows))
        base = {"tenant": scope.tenant, "agent": scope.agent}
        known: set[tuple[str, str]] = set()
        ids = sorted({raw for _, raw in wanted})
        for start in range(0, len(ids), CHUNK):
            found = self._store.read("signature_known", {**base, "ids": ids[start : start + CHUNK]})
            known |= {(row["visibility"], row["id"]) for row in found}
        fresh = [one for one in wanted if one not in known]
        raws = list(dict.fromkeys(raw for _, raw in fresh))
        passages = self._index([signed[raw].words for raw in raws]) if raws else []
        made = {raw: dict(zip(INDEX, inline(some[:1]), strict=True)) for raw, some in zip(raws, passages, strict=True)}
        told = {
            raw: {"id": raw, "kind": one.kind, "title": one.title, "scope": one.scope, "text": one.text, **made[raw]}
            for raw in raws
            for one in [signed[raw].named]
        }
        return [{"visibility": visibility, **told[raw]} for visibility, raw in fresh]


def words_of(problem: Problem) -> str:
    """What a problem is found by when another one is similar."""
    told = (problem.test, problem.message, problem.prompt, problem.log)
    return "\n".join(one[:INDEXED] for one in told if one) or problem.message


def add_up(tx: Transaction, tenant: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows of fixes into the sums and plans that are derived of them."""
    ledger = Ledger()
    for row in rows:
        ledger.add(row)
    if adds := ledger.params(tenant):
        tx.run_many("tally_add", adds)
    if plans := plans_of(rows):
        tx.run_many("plan_put", plans)


def plans_of(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Parameters of ``plan_put``: what was done in rows of fixes, each plan as the latest has it."""
    plans: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        if row["plan"] is not None and row["effective"] and row["state"] == KEPT:
            key = row["plan"], row["agent"], row["visibility"]
            if key not in plans or plans[key]["at"] <= row["occurred_at"]:
                named = {name: row[name] for name in ("tenant", "agent", "visibility", "plan", "analysis")}
                named["commands"] = to_json(done(json.loads(row["commands"]), row["target"]))
                plans[key] = {**named, "at": row["occurred_at"]}
    return [one for _, one in sorted(plans.items())]
