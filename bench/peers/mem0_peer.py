"""mem0 with ``infer=False`` (no language model) and the store that its package brings: qdrant's local mode. It has no
batched write. ``search`` adds words to vectors only with a further model that its package does not bring."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

os.environ.update(MEM0_TELEMETRY="False", OPENAI_API_KEY="none", ANONYMIZED_TELEMETRY="False")
os.environ.setdefault("MEM0_DIR", tempfile.mkdtemp(prefix="mem0-"))
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

from mem0 import Memory  # noqa: E402

from bench.peers.data import DIM  # noqa: E402
from bench.peers.measure import Peer  # noqa: E402


class Ready:
    """The embedder it is given: vectors made beforehand."""

    def __init__(self) -> None:
        self.known: dict[str, list[float]] = {}

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        return self.known[text]

    def embed_batch(self, texts: list[str], memory_action: str | None = None) -> list[list[float]]:
        return [self.known[text] for text in texts]


class Mem0(Peer):
    packages = ("mem0ai", "qdrant-client", "numpy")
    batch = 100

    def __init__(self, folder: Path) -> None:
        store = {"collection_name": "memories", "embedding_model_dims": DIM, "path": str(folder / "qdrant")}
        self._memory = Memory.from_config(
            {
                "vector_store": {"provider": "qdrant", "config": store | {"on_disk": True}},
                "history_db_path": str(folder / "history.db"),
            }
        )
        self._ready = self._memory.embedding_model = Ready()
        self._ids: dict[str, str] = {}

    def add(self, record: dict[str, Any]) -> None:
        self._ready.known = {record["text"]: record["vector"].tolist()}
        beside = {"mid": record["id"], **{key: record[key] for key in ("kind", "importance", "time")}}
        told = [{"role": "user", "content": record["text"]}]
        done = self._memory.add(told, agent_id=record["agent"], infer=False, metadata=beside)
        self._ids[record["id"]] = done["results"][0]["id"]

    def bulk(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            self.add(record)

    def vector(self, agent: str, vector: Any, k: int) -> list[str]:
        self._ready.known = {"?": vector.tolist()}
        found = self._memory.search("?", filters={"agent_id": agent}, top_k=k, threshold=0.0)["results"]
        return [one["metadata"]["mid"] for one in found]

    def get(self, agent: str, id_: str) -> Any:
        return self._memory.get(self._ids[id_])

    def close(self) -> None:
        self._memory.close()
