"""Rows in the cold archive, put there by hand: what SQL and search read does not depend on how it came there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from engrain import Memory
from engrain.archive.layout import SCHEMAS, place_of
from engrain.archive.port import Kind

ARCHIVED = datetime(2026, 3, 1, 12, tzinfo=UTC)
_USUAL: dict[str, dict[str, Any]] = {
    "memories": {"kind": "fact", "importance": 5.0, "told_importance": 5.0, "visibility": "private", "tags": "[]"},
    "experiences": {"task_type": "build", "action": "a", "evidence": "executed", "outcome": "{}", "weight": 1.0},
}


def freeze(memory: Memory, rows: Sequence[Mapping[str, Any]], kind: Kind = "memories", closed: bool = True) -> None:
    """Append a batch of rows, given by what is not as usual; one that is not closed does not count."""
    tables = memory.tables
    assert tables is not None
    table = tables.table(kind)
    number = tables.number(kind, table) + 1
    made = [_row(kind, number, place, row) for place, row in enumerate(rows)]
    tables.append(kind, table, pa.Table.from_pylist(made, SCHEMAS[kind]), number)
    batch = {"kind": kind, "number": number, "n": len(rows), "now": memory.world.now()}
    opened = ("batch_open", {**batch, "members": "[]", "bytes": 100 * len(rows), "digest": ""})
    memory.store.write([opened, *([("batch_close", batch)] if closed else [])])


def _row(kind: Kind, number: int, place: int, row: Mapping[str, Any]) -> dict[str, Any]:
    at = row.get("archived_at", ARCHIVED)
    usual = {"id": f"{kind[0]}{number}-{place}", "tenant": "default", "agent": "a", "content": f"row {place}"}
    filed = {"place": place_of(number, place), "batch": number, "archived_at": at, "year": at.year, "month": at.month}
    filed |= {"created_at": at, "updated_at": at, "told_at": at, "decay_reason": "faded"}
    found = {**_USUAL[kind], **usual, **filed, **row}
    return {name: value for name, value in found.items() if name in SCHEMAS[kind].names}


def gone(memory: Memory, number: int, place: int, id: str, reason: str = "restored") -> None:
    """Say of a row that it counts no more."""
    row = {"kind": "memories", "place": place_of(number, place), "tenant": "default", "agent": "a", "id": id}
    memory.store.write([("gone_put", {**row, "reason": reason, "now": memory.world.now()})])
