"""How a change is written so that other processes see it: change numbers of scopes, and the passages of items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engrain.model.scope import Scope
from engrain.store.port import Transaction
from engrain.store.rows import INDEX

SHARED = "shared"
NOWHERE = (None,) * len(INDEX)


def agent_scope(agent: str) -> str:
    """The name of an agent's own change sequence."""
    return f"agent:{agent}"


def bump(tx: Transaction, tenant: str, name: str, purges: int = 0) -> int:
    """The next change number of a scope; its row stays locked until the transaction ends."""
    return int(tx.read("scope_bump", {"tenant": tenant, "name": name, "purges": purges})[0]["seq"])


def inline(passages: Sequence[Any]) -> tuple[Any, ...]:
    """What of an item's passages stands in its own row: the only one, without its number, or nothing of several."""
    return tuple(passages[0][1:]) if len(passages) == 1 else NOWHERE


def put_passages(tx: Transaction, scope: Scope, made: Sequence[tuple[str, Sequence[Any]]]) -> None:
    """Put the passages of items, given by id, in place of those they have."""
    ids = [{"id": id_, "tenant": scope.tenant, "agent": scope.agent} for id_, _ in made]
    tx.run_many("passage_delete", ids)
    rows = [(*inline(passages), id_, scope.tenant, scope.agent) for id_, passages in made]
    tx.run_many("memory_index", rows)
    long = [(id_, scope.tenant, scope.agent, *one) for id_, several in made if len(several) > 1 for one in several]
    tx.run_many("passage_insert", long)
