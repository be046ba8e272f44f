"""Rows of the hot store as tables for SQL over the archive: what is not there yet, and what became of memories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from engrain.archive.rows import column
from engrain.archive.views import columns_of
from engrain.errors import QueryLimit
from engrain.store.port import Row, Store

PAGE = 20_000  # rows that are read at once
_TYPES = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "flag": pa.bool_(),
    "time": pa.timestamp("us", tz="UTC"),
}


class _Source(NamedTuple):
    """A statement, and the columns of the row after which it goes on, with what is before the first."""

    statement: str
    after: dict[str, Any]


_SOURCES = {
    "live_memories": _Source("live_memories", {"id": ""}),
    "live_experiences": _Source("live_experiences", {"id": ""}),
    "transitions": _Source("live_transitions", {"tenant": "", "seq": -1, "place": -1}),
    "daily_metrics": _Source("live_metrics", {"tenant": "", "agent": "", "day": "", "kind": ""}),
}


def live(store: Store, name: str, whose: Sequence[Any] | None, most: int) -> pa.Table:
    """A table of what there is; with [tenant, agent, team] of what that agent may see. Raises QueryLimit beyond so many
    bytes."""
    schema = pa.schema([(called, _TYPES[kind]) for called, kind in columns_of()[name].items()])
    batches, held = [], 0
    for page in _pages(store, _SOURCES[name], whose):
        rows = [row for row in page if whose is None or _seen(row, *whose[1:])]
        columns = [column([row[one.name] for row in rows], one.type) for one in schema]
        batches.append(pa.record_batch(columns, schema))
        held += batches[-1].nbytes
        if held > most:
            raise QueryLimit(f"It needed more memory than it may: {name} has more than {most >> 20:,} MB.")
    return pa.Table.from_batches(batches, schema)


def stream(rows: pa.Table | pa.RecordBatch) -> Any:
    """Rows as bytes that say themselves what they are: a buffer."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write(rows)
    return sink.getvalue()


def _pages(store: Store, source: _Source, whose: Sequence[Any] | None) -> Iterator[list[Row]]:
    after = source.after
    who = {"tenant": whose[0] if whose else None, "agent": whose[1] if whose else None}
    while True:
        place = {f"after_{name}": value for name, value in after.items()}
        rows = store.read(source.statement, {**who, **place, "limit": PAGE})
        yield rows
        if len(rows) < PAGE:
            return
        after = {name: rows[-1][name] for name in after}


def _seen(row: Row, agent: str, team: Sequence[str]) -> bool:
    if row["agent"] == agent:
        return True
    return bool(row["visibility"] == "public" or (row["visibility"] == "team" and row["agent"] in team))
