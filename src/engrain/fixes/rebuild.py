"""What is derived of fixes made anew from them: signatures with their words and vectors, plans, sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from engrain.fixes.book import SHARED, own_scope
from engrain.fixes.names import Named, Names
from engrain.fixes.plans import does_something, plan_of
from engrain.fixes.rows import GONE, plain, problem_of
from engrain.fixes.signature import VERSION
from engrain.fixes.writer import Index, add_up, words_of
from engrain.model.report import Check
from engrain.model.scope import Scope
from engrain.store.changes import bump, inline
from engrain.store.port import Store, Transaction
from engrain.store.rows import INDEX

BATCH = 500
ADDED = 5_000  # rows whose sums are added up before they are written


def rebuild(store: Store, index: Index) -> int:
    """Everything of every agent, one in each transaction; how many fixes were used."""
    scopes = [Scope(row["tenant"], row["agent"]) for row in store.read("fix_agents")]
    return sum(_rebuilt(store, index, scope) for scope in scopes)


def _rebuilt(store: Store, index: Index, scope: Scope) -> int:
    base = {"tenant": scope.tenant, "agent": scope.agent}
    names, used = Names(), 0
    with store.transaction(scope.tenant) as tx:
        seqs = {
            "seq": bump(tx, scope.tenant, own_scope(scope.agent), purges=1),
            "shared_seq": bump(tx, scope.tenant, SHARED, purges=1),
        }
        tx.run("erase_fix_tallies", base)
        wanted: dict[str, tuple[str, Named | None]] = {}
        seen: dict[str, set[str]] = {}
        rows: list[dict[str, Any]] = []
        for told in everything(tx, scope):
            row, named, text = told, None, ""
            if told["state"] != GONE:
                problem = problem_of(told)
                named, text = names.name(problem), words_of(problem)
                row = _resigned(tx, told, named)
            rows.append(row)
            if len(rows) >= ADDED:
                add_up(tx, scope.tenant, rows)
                rows.clear()
            raw = row["signature"]
            seen.setdefault(raw, set()).add(row["visibility"])
            if wanted.get(raw, ("", None))[1] is None:
                wanted[raw] = text, named
            used += 1
        add_up(tx, scope.tenant, rows)
        titles = {row["id"]: row["title"] for row in tx.read("signature_all", base)}
        pairs = iter(sorted(wanted.items()))
        while some := list(islice(pairs, BATCH)):
            texts = [text or titles.get(raw, raw) for raw, (text, _) in some]
            for (raw, (_, named)), passages in zip(some, index(texts), strict=True):
                made = {**base, **seqs, "id": raw, **dict(zip(INDEX, inline(passages[:1]), strict=True))}
                tx.run("signature_index", made)
                if named is None:
                    continue
                told = {"kind": named.kind, "title": named.title, "scope": named.scope, "text": named.text}
                for visibility in sorted(seen[raw]):
                    shared = None if visibility == "private" else seqs["shared_seq"]
                    tx.run("signature_put", {**made, **told, "visibility": visibility, "shared_seq": shared})
        tx.run("signature_unused", base)
        tx.run("plan_unused", base)
    return used


def everything(store: Store | Transaction, scope: Scope) -> Iterator[dict[str, Any]]:
    """All rows of an agent's fixes, in the order of their ids."""
    query: dict[str, Any] = {"tenant": scope.tenant, "agent": scope.agent, "after": "", "limit": BATCH}
    while rows := store.read("fix_all", query):
        yield from map(plain, rows)
        query["after"] = rows[-1]["id"]


def _resigned(tx: Transaction, row: dict[str, Any], named: Named) -> dict[str, Any]:
    """The row as it would be recorded today."""
    import json

    commands = json.loads(row["commands"])
    now = {
        "signature": named.raw,
        "plan": plan_of(commands, row["analysis"], row["target"]),
        "effective": int(does_something(commands, row["analysis"])),
    }
    if any(row[name] != value for name, value in now.items()):
        tx.run("fix_resign", {**now, **{name: row[name] for name in ("tenant", "agent", "id")}})
    return {**row, **now}


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
