"""What is derived of fixes made anew from them: signatures with their words and vectors, plans, sums."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from engrain.fixes.book import SHARED, own_scope
from engrain.fixes.names import Named, Names
from engrain.fixes.plans import does_something, plan_of
from engrain.fixes.rows import GONE, plain, problem_of
from engrain.fixes.signature import VERSION
from engrain.fixes.tallies import Ledger
from engrain.fixes.writer import Index, plans_of, words_of
from engrain.model.report import Check
from engrain.model.scope import Scope
from engrain.store.changes import bump, inline
from engrain.store.port import Store, Transaction
from engrain.store.rows import INDEX

BATCH = 500
READ = 5_000  # rows that are signed at a time
ADDED = 20_000  # rows whose sums are added up before they are written: few upserts, in some 100 MB
Renamed = Mapping[str, Mapping[str, Any]]


def rebuild(store: Store, index: Index) -> int:
    """Everything of every agent; how many fixes were used. What takes long (signatures, words, vectors) is made while
    others write; the sums are then made in one transaction."""
    scopes = [Scope(row["tenant"], row["agent"]) for row in store.read("fix_agents")]
    return sum(_rebuilt(store, index, scope) for scope in scopes)


def _rebuilt(store: Store, index: Index, scope: Scope) -> int:
    base = {"tenant": scope.tenant, "agent": scope.agent}
    names, changed = Names(), {}
    wanted: dict[str, tuple[str, Named | None]] = {}
    seen: dict[str, set[str]] = {}
    rows = everything(store, scope)
    while some := list(islice(rows, READ)):
        made = []
        for told in some:
            row, named, text = told, None, ""
            if told["state"] != GONE:
                problem = problem_of(told)
                named, text = names.name(problem), words_of(problem)
                if differs := _differs(told, named):
                    row, changed[told["id"]] = {**told, **differs}, differs
            made.append(row)
            seen.setdefault(row["signature"], set()).add(row["visibility"])
            if wanted.get(row["signature"], ("", None))[1] is None:
                wanted[row["signature"]] = text, named
        if plans := plans_of(made):
            with store.transaction(scope.tenant) as tx:
                tx.run_many("plan_put", plans)
    titles = {row["id"]: row["title"] for row in store.read("signature_all", base)}
    pairs = iter(sorted(wanted.items()))
    while part := list(islice(pairs, BATCH)):
        texts = [text or titles.get(raw, raw) for raw, (text, _) in part]
        signed = [(raw, named, passages) for (raw, (_, named)), passages in zip(part, index(texts), strict=True)]
        _sign(store, scope, signed, seen)
    return _summed(store, scope, changed)


def _sign(
    store: Store, scope: Scope, signed: Iterable[tuple[str, Named | None, Any]], seen: Mapping[str, set[str]]
) -> None:
    """Signatures with their words and vectors, in one transaction."""
    with store.transaction(scope.tenant) as tx:
        seqs = _turned(tx, scope)
        for raw, named, passages in signed:
            made = {
                "tenant": scope.tenant, "agent": scope.agent, **seqs, "id": raw,
                **dict(zip(INDEX, inline(passages[:1]), strict=True)),
            }  # fmt: skip
            tx.run("signature_index", made)
            if named is None:
                continue
            told = {"kind": named.kind, "title": named.title, "scope": named.scope, "text": named.text}
            for visibility in sorted(seen[raw]):
                shared = None if visibility == "private" else seqs["shared_seq"]
                tx.run("signature_put", {**made, **told, "visibility": visibility, "shared_seq": shared})


def _summed(store: Store, scope: Scope, changed: Renamed) -> int:
    """All sums, of rows with what has ``changed`` of them, by id; how many rows. Nobody records meanwhile."""
    base = {"tenant": scope.tenant, "agent": scope.agent}
    used = 0
    with store.transaction(scope.tenant) as tx:
        _turned(tx, scope)
        tx.run("erase_fix_tallies", base)
        query: dict[str, Any] = {**base, "after": "", "limit": ADDED}
        while rows := tx.read("fix_counted", query):
            ledger = Ledger()
            for row in rows:
                told = plain(row)
                if told["state"] != GONE and (differs := changed.get(told["id"])):
                    tx.run("fix_resign", {**base, "id": told["id"], **differs})
                    told |= differs
                ledger.add(told)
            tx.run_many("tally_add", ledger.params(scope.tenant))
            query["after"], used = rows[-1]["id"], used + len(rows)
        tx.run("signature_unused", base)
        tx.run("plan_unused", base)
    return used


def _turned(tx: Transaction, scope: Scope) -> dict[str, int]:
    """New change numbers, by which every process loads anew what it knows."""
    return {
        "seq": bump(tx, scope.tenant, own_scope(scope.agent), purges=1),
        "shared_seq": bump(tx, scope.tenant, SHARED, purges=1),
    }


def everything(store: Store | Transaction, scope: Scope) -> Iterator[dict[str, Any]]:
    """All rows of an agent's fixes, in the order of their ids."""
    query: dict[str, Any] = {"tenant": scope.tenant, "agent": scope.agent, "after": "", "limit": BATCH}
    while rows := store.read("fix_all", query):
        yield from map(plain, rows)
        query["after"] = rows[-1]["id"]


def _differs(row: Mapping[str, Any], named: Named) -> dict[str, Any]:
    """What would be recorded otherwise today; empty when nothing would."""
    commands = json.loads(row["commands"])
    now = {
        "signature": named.raw,
        "plan": plan_of(commands, row["analysis"], row["target"]),
        "effective": int(does_something(commands, row["analysis"])),
    }
    return now if any(row[name] != value for name, value in now.items()) else {}


def check(store: Store, made_with: Mapping[str, Any]) -> Check:
    """Whether what is derived is in step with the fixes. ``made_with``: the embedder and analyser in use."""
    steps = int(store.read("fix_out_of_step")[0]["n"])
    unsigned = int(store.read("fix_unsigned")[0]["n"])
    query = {"version": f"%-{VERSION}-%", "embedder": made_with["embedder"], "analyzer": made_with["analyzer"]}
    foreign = int(store.read("signature_foreign", query)[0]["n"])
    told = [
        f"{n:,} {what}"
        for n, what in (
            (steps, "agents have sums that do not fit"),
            (unsigned, "fixes have no signature"),
            (foreign, "signatures were made by another version or embedder"),
        )
        if n
    ]
    return Check("fixes", not told, "; ".join(told) + ": run engrain rebuild" if told else "in step")
