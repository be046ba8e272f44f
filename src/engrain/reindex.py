"""Words and vectors made anew while others work: after a change of embedder or analyser, and where they are damaged.

There is no list of what is to do and no note of what is done: each passage carries the name of what made it, so the
data itself says what is left. A run that was killed is therefore taken up where it stopped, and two runs at once do no
harm. No lease is taken: one left behind by a killed run would only keep the next one waiting.

An item's passages are replaced in place. Until its turn comes an item is found by its words, and each process compares
only the vectors of its own embedder, so nothing is lost and nothing is mixed. Keeping the vectors of both embedders
until the end would spare a switch those minutes and cost every home a second index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from engrain.errors import EmbedderError
from engrain.intake.writer import Indexer
from engrain.model.scope import Scope
from engrain.store.changes import SHARED, agent_scope, bump, put_passages
from engrain.store.port import Row, Store

BATCH = 256  # items in one transaction, at most
PASSES = 3  # others may go on writing with the embedder of before: what they left is looked for so often

Passages = Sequence[tuple[Any, ...]]  # of one item: see Indexer


def wanted(embedder: str, dim: int) -> dict[str, Any]:
    """What passages must have been made with, for the statements on those that were not."""
    from engrain.recall.analyze import ANALYZER

    return {"embedder": embedder, "dim": dim, "analyzer": ANALYZER}


def stale(store: Store, made_with: dict[str, Any]) -> int:
    """How many active items have passages of something else, or none."""
    return int(store.read("stale_count", made_with)[0]["n"])


def reindex(
    store: Store, index: Indexer, made_with: dict[str, Any], progress: Callable[[int], Any] | None
) -> dict[str, int]:
    """Index anew what is stale; when nothing is, or a passage is damaged, everything. {memories: done, left: stale ones
    that remain}.

    ``index`` runs outside of transactions, which hold the lock of one agent for a few milliseconds a batch.
    ``progress`` is told how many items of the home are as they should be. Raises what ``index`` raises: then the
    batches before are done, and nothing else was changed.
    """
    left = stale(store, made_with)
    everything = left == 0 or _damaged(store)
    before = 0 if everything else int(store.read("active_count")[0]["n"]) - left
    done = 0
    for _ in range(1 if everything else PASSES):
        found = done
        for rows in _batches(store, made_with, everything):
            if progress is not None and done == 0:
                progress(before)
            try:
                done += _replace(store, rows, index([row["content"] for row in rows]), made_with)
            except EmbedderError as error:
                at = f"with the memories from {rows[0]['id']} to {rows[-1]['id']} of agent {rows[0]['agent']!r}"
                told = f"{error.detail} This was {at}; {done:,} were done before, the others are as they were."
                raise type(error)(told) from error
            if progress is not None:
                progress(before + done)
        if done == found:
            break
    return {"memories": done, "left": 0 if everything else stale(store, made_with)}


def _damaged(store: Store) -> bool:
    from engrain.recall.damage import AGAIN, everywhere

    return any(advice == AGAIN for _, _, advice in everywhere(store))


def _batches(store: Store, made_with: dict[str, Any], everything: bool) -> Iterator[list[Row]]:
    """Items agent by agent, each agent's in the order of their creation; small agents share a batch."""
    rows: list[Row] = []
    for owner in store.read("owner_list"):
        asked = {**made_with, "everything": int(everything), "tenant": owner["tenant"], "agent": owner["agent"]}
        last = {"last_created": 0, "last_id": ""}
        while found := store.read("stale_batch", {**asked, **last, "limit": BATCH - len(rows)}):
            rows += found
            last = {"last_created": found[-1]["created_at"], "last_id": found[-1]["id"]}
            if len(rows) == BATCH:
                yield rows
                rows = []
    if rows:
        yield rows


def _replace(store: Store, rows: Sequence[Row], indexed: Sequence[Passages], made_with: dict[str, Any]) -> int:
    """Put the passages of one batch in place of the old ones; how many items that were."""
    for _, _, _, vector, *_ in (passage for passages in indexed for passage in passages):
        if vector is not None and len(vector) != made_with["dim"]:
            raise EmbedderError(f"{made_with['embedder']} gave {len(vector)} numbers, not {made_with['dim']}.")
    done = 0
    both = zip(rows, indexed, strict=True)
    for (tenant, agent), members in groupby(both, key=lambda one: (one[0]["tenant"], one[0]["agent"])):
        done += _replace_of(store, Scope(tenant, agent), list(members))
    return done


def _replace_of(store: Store, scope: Scope, members: list[tuple[Row, Passages]]) -> int:
    """The same for one agent. An item that changed meanwhile is left to whoever changed it, or to the next pass."""
    base = {"tenant": scope.tenant, "agent": scope.agent}
    with store.transaction(scope.tenant) as tx:
        seq = bump(tx, scope.tenant, agent_scope(scope.agent))
        asked = {**base, "ids": [row["id"] for row, _ in members]}
        now = {row["id"]: row for row in tx.read("memory_seqs", asked)}
        kept = [(row["id"], made) for row, made in members if row["id"] in now and now[row["id"]]["seq"] == row["seq"]]
        shared = any(now[id_]["shared_seq"] is not None for id_, _ in kept)
        touch = {**base, "seq": seq, "shared_seq": bump(tx, scope.tenant, SHARED) if shared else None}
        put_passages(tx, scope, kept)
        tx.run_many("memory_touch", [{**touch, "id": id_} for id_, _ in kept])
    return len(kept)
