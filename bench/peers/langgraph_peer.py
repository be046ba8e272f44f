"""LangGraph's SqliteStore with its vector index (sqlite-vec, an exact scan), a namespace for each agent. It has no
search by words. It needs a Python whose sqlite3 can load extensions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from langgraph.store.base import PutOp
from langgraph.store.sqlite import SqliteStore

from bench.peers.data import DIM
from bench.peers.measure import Peer


class LangGraph(Peer):
    packages = ("langgraph", "langgraph-checkpoint-sqlite", "sqlite-vec", "numpy")

    def __init__(self, folder: Path) -> None:
        self._known: dict[str, list[float]] = {}
        index = {"dims": DIM, "embed": self._embed, "fields": ["text"]}
        self._opened = SqliteStore.from_conn_string(str(folder / "store.db"), index=index)
        self._store = self._opened.__enter__()
        self._store.setup()

    def _embed(self, texts: list[str]) -> list[list[float]]:
        # It may hand over the whole value as JSON instead of the field that it was told to index.
        return [self._known[json.loads(text)["text"] if text.startswith("{") else text] for text in texts]

    def _value(self, record: dict[str, Any]) -> dict[str, Any]:
        self._known[record["text"]] = record["vector"].tolist()
        return {key: record[key] for key in ("text", "kind", "importance", "time")}

    def add(self, record: dict[str, Any]) -> None:
        self._known.clear()
        self._store.put(("memories", record["agent"]), record["id"], self._value(record))

    def bulk(self, records: list[dict[str, Any]]) -> None:
        self._known.clear()
        self._store.batch([PutOp(("memories", one["agent"]), one["id"], self._value(one)) for one in records])

    def vector(self, agent: str, vector: Any, k: int) -> list[str]:
        self._known["?"] = vector.tolist()
        return [found.key for found in self._store.search(("memories", agent), query="?", limit=k)]

    def get(self, agent: str, id_: str) -> Any:
        return self._store.get(("memories", agent), id_)

    def close(self) -> None:
        self._opened.__exit__(None, None, None)
