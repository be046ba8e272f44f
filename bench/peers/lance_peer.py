"""LanceDB, a local table: a bitmap index on the agent, its own full-text index, and from 100,000 rows on a vector index
(below that a scan is what its documentation advises). It calls no fsync: a write is not durable when it returns."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("LANCEDB_LOG", "error")

import lancedb
import pyarrow as pa
from lancedb.rerankers import RRFReranker

from bench.peers.data import DIM
from bench.peers.measure import Peer

SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "agent": pa.string(),
        "kind": pa.string(),
        "importance": pa.float64(),
        "time": pa.float64(),
        "text": pa.string(),
        "vector": pa.list_(pa.float32(), DIM),
    }
)


class Lance(Peer):
    packages = ("lancedb", "pyarrow", "numpy")
    batch = 5000

    def __init__(self, folder: Path) -> None:
        database = lancedb.connect(folder)
        there = (folder / "memories.lance").exists()
        self._table = database.open_table("memories") if there else database.create_table("memories", schema=SCHEMA)
        self._fusion = RRFReranker()

    def add(self, record: dict[str, Any]) -> None:
        self.bulk([record])

    def bulk(self, records: list[dict[str, Any]]) -> None:
        columns = {name: [record[name] for record in records] for name in SCHEMA.names}
        self._table.add(pa.table(columns, schema=SCHEMA))

    def finish(self) -> None:
        self._table.optimize()
        self._table.create_scalar_index("agent", index_type="BITMAP")
        self._table.create_scalar_index("id", index_type="BTREE")
        self._table.create_fts_index("text", stem=False, remove_stop_words=False)  # made-up words have neither
        if self._table.count_rows() >= 100_000:
            self._table.create_index(metric="cosine", vector_column_name="vector", index_type="IVF_HNSW_SQ")

    def _ids(self, query: Any, agent: str, k: int) -> list[str]:
        return query.where(f"agent = '{agent}'").select(["id"]).limit(k).to_arrow()["id"].to_pylist()

    def vector(self, agent: str, vector: Any, k: int) -> list[str]:
        return self._ids(self._table.search(vector, vector_column_name="vector").distance_type("cosine"), agent, k)

    def words(self, agent: str, text: str, k: int) -> list[str]:
        return self._ids(self._table.search(text, query_type="fts"), agent, k)

    def both(self, agent: str, text: str, vector: Any, k: int) -> list[str]:
        query = self._table.search(query_type="hybrid", vector_column_name="vector").vector(vector).text(text)
        return self._ids(query.distance_type("cosine").rerank(self._fusion), agent, k)

    def get(self, agent: str, id_: str) -> Any:
        return self._table.search().where(f"id = '{id_}'").limit(1).to_list()
