"""Rows for the store's contract, and threads that begin together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from engrain.store.port import Store
from engrain.store.rows import INDEX, to_json

INDEXED: dict[str, Any] = {
    "length": 1, "terms": b"\x00\xff\x7f", "vector": bytes(range(256)), "scale": 0.5, "embedder": "e", "analyzer": "z",
}  # fmt: skip
"""What a passage is, in its own row or in its item's."""


def memory_row(id_: str, **other: Any) -> dict[str, Any]:
    """Parameters of ``memory_insert``; enough of a row to be stored."""
    row: dict[str, Any] = {
        "id": id_, "tenant": "t", "agent": "a", "kind": "fact", "key": None, "content": f"content of {id_}",
        "fingerprint": id_, "importance": 5.0, "tags": "[]", "metadata": "{}", "session": None, "role": None,
        "occurred_at": None, "created_at": 1, "told_at": 1, "updated_at": 1, "expires_at": None, "decay_rate": None,
        "visibility": "private", "pinned": 0, "source": None, "state": "active", "superseded_by": None,
        "superseded_at": None, "redacted": "[]", "repeats": 0, "seq": 1, "shared_seq": None,
        **dict.fromkeys(INDEX),
    }  # fmt: skip
    return row | other


def passage_row(id_: str, **other: Any) -> dict[str, Any]:
    """Parameters of ``passage_insert``."""
    row: dict[str, Any] = {"memory_id": id_, "tenant": "t", "agent": "a", "number": 0}
    return row | INDEXED | other


def kv_row(key: str, value: Any = 0, **other: Any) -> dict[str, Any]:
    """Parameters of ``kv_set``."""
    row = {"tenant": "t", "agent": "a", "namespace": "n", "key": key, "value": to_json(value), "expires_at": None}
    return row | {"now": 1} | other


def kv_keys(store: Store, tenant: str = "t") -> list[str]:
    """The keys that ``kv_row`` made."""
    query = {"tenant": tenant, "agent": "a", "namespace": "n", "low": "", "high": None, "now": 2, "limit": 10_000}
    return [row["key"] for row in store.read("kv_search", query)]


def run_together(acts: Sequence[Callable[[], Any]]) -> None:
    """Run them in threads that begin at the same moment."""
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> None:
        gate.wait()
        act()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
