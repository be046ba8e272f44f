"""engrain, through its public contract only: open, remember, remember_many, get, recall."""

from __future__ import annotations

import importlib
import itertools
import os
import tempfile
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import engrain
from bench.peers.data import DIM, unit
from bench.peers.measure import Peer

LOCATION = "ENGRAIN_BENCH_URL"  # where the server is, for the row on PostgreSQL


class Ready:
    """An embedder that hands out vectors made beforehand. A text it was not given has a vector that depends on the text
    alone."""

    name, dim = "ready-made", DIM

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def embed(self, texts: Sequence[str]) -> Any:
        return np.stack([self._one(text) for text in texts]) if texts else np.empty((0, DIM), np.float32)

    def _one(self, text: str) -> Any:
        found = self.known.get(text)
        if found is not None:
            return found
        return unit(np.random.default_rng(zlib.crc32(text.encode())).standard_normal(DIM))


class ReadyVectors(Peer):
    """Vectors are handed over, as every rival gets them: no embedding in any figure."""

    packages: tuple[str, ...] = ("engrain", "numpy")

    def __init__(self, folder: Path) -> None:
        self._ready = Ready()
        self._memory = self._open(folder)
        self._agents: dict[str, engrain.Agent] = {}
        self._ids: dict[str, str] = {}

    @classmethod
    def warm(cls) -> None:
        """engrain imports on first use: another home is asked first."""
        with tempfile.TemporaryDirectory() as folder, engrain.open(folder) as memory:
            agent = memory.agent("warm")
            agent.remember("a small thing to recall")
            agent.recall("a thing")

    def _open(self, folder: Path) -> engrain.Memory:
        return engrain.open(folder, embedder=self._ready)

    def _agent(self, name: str) -> engrain.Agent:
        if name not in self._agents:
            self._agents[name] = self._memory.agent(name)
        return self._agents[name]

    @staticmethod
    def _row(record: dict[str, Any]) -> dict[str, Any]:
        return {
            "content": record["text"],
            "kind": record["kind"],
            "importance": record["importance"],
            "occurred_at": datetime.fromtimestamp(record["time"], UTC),
            "metadata": {"id": record["id"]},
        }

    def add(self, record: dict[str, Any]) -> None:
        self._ready.known = {record["text"]: record["vector"]}
        self._agent(record["agent"]).remember(**self._row(record))

    def bulk(self, records: list[dict[str, Any]]) -> None:
        self._ready.known = {record["text"]: record["vector"] for record in records}
        for agent, group in itertools.groupby(records, lambda record: record["agent"]):
            mine = list(group)
            items = self._agent(agent).remember_many([self._row(record) for record in mine])
            self._ids.update((record["id"], item.id) for record, item in zip(mine, items, strict=True))

    def both(self, agent: str, text: str, vector: Any, k: int) -> list[str]:
        self._ready.known = {text: vector}
        return [hit.item.metadata["id"] for hit in self._agent(agent).recall(text, limit=k)]

    def get(self, agent: str, id_: str) -> Any:
        return self._agent(agent).get(self._ids[id_])

    def close(self) -> None:
        self._memory.close()


class Packaged(ReadyVectors):
    """With the packaged embedder: embedding is in every figure, of what is written and of what is asked."""

    def _open(self, folder: Path) -> engrain.Memory:
        return engrain.open(folder)


class Server(ReadyVectors):
    """The same engine on a PostgreSQL server."""

    packages = ("engrain", "numpy", "psycopg")

    @classmethod
    def warm(cls) -> None:
        super().warm()
        importlib.import_module("psycopg_pool")

    def _open(self, folder: Path) -> engrain.Memory:
        return engrain.open(os.environ[LOCATION], home=folder, embedder=self._ready)

    def disk(self) -> int | None:
        import psycopg

        with psycopg.connect(os.environ[LOCATION]) as connection:
            found = connection.execute("select pg_database_size(current_database())").fetchone()
        return int(found[0]) if found else None
