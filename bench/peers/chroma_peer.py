"""chromadb's PersistentClient: one collection with the agent as a metadata filter, or a collection for each agent; its
users do both. Words are a substring filter without a ranking, so it has no answer by words."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

os.environ["ANONYMIZED_TELEMETRY"] = "False"

import chromadb
from chromadb.config import Settings

from bench.peers.measure import Peer


class Chroma(Peer):
    """One collection, the agent a filter."""

    packages = ("chromadb", "numpy")

    def __init__(self, folder: Path) -> None:
        self._client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
        self._opened: dict[str, Any] = {}

    def _collection(self, agent: str) -> Any:
        return self._open("memories")

    def _where(self, agent: str) -> dict[str, str] | None:
        return {"agent": agent}

    def _open(self, name: str) -> Any:
        if name not in self._opened:
            self._opened[name] = self._client.get_or_create_collection(
                name, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
            )
        return self._opened[name]

    def add(self, record: dict[str, Any]) -> None:
        self.bulk([record])

    def bulk(self, records: list[dict[str, Any]]) -> None:
        for collection, group in itertools.groupby(records, lambda record: self._collection(record["agent"])):
            part = list(group)
            collection.add(
                ids=[record["id"] for record in part],
                embeddings=[record["vector"] for record in part],
                documents=[record["text"] for record in part],
                metadatas=[{key: record[key] for key in ("agent", "kind", "importance", "time")} for record in part],
            )

    def vector(self, agent: str, vector: Any, k: int) -> list[str]:
        found = self._collection(agent).query(query_embeddings=[vector], n_results=k, where=self._where(agent))
        return found["ids"][0]

    def get(self, agent: str, id_: str) -> Any:
        return self._collection(agent).get(ids=[id_])["ids"]


class Collections(Chroma):
    """A collection for each agent."""

    def _collection(self, agent: str) -> Any:
        return self._open(agent)

    def _where(self, agent: str) -> None:
        return None
