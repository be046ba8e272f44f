"""Rows of the hot store as rows of the archive, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from engrain.archive.gist import gist
from engrain.archive.hot import pieces
from engrain.archive.layout import SCHEMAS
from engrain.archive.port import Kind
from engrain.errors import StoreCorrupt
from engrain.store.port import Row, Store, Transaction
from engrain.store.rows import to_json
from engrain.world import to_micros

STAMP = "stamp"
"""A column beside those of the layout: what tells whether the hot row was changed since it was read."""
ORDER = [(name, "ascending") for name in ("tenant", "agent", "created_at", "id")]
_NUMBERS = ("shown", "read", "applied", "helpful", "unhelpful")
_NAMED = ("file_path", "project_id", "event_type")
_MAY_NAME = re.compile("|".join(_NAMED)).search


def cold_rows(store: Store, kind: Kind, rows: Sequence[Row], now: int) -> pa.Table:
    """Rows of ``cold_memories`` or ``cold_experiences`` as the archive has them, each with its stamp, but without place
    and batch. Raises StoreCorrupt for a row that cannot be right."""
    columns: dict[str, Sequence[Any]] = dict(zip(rows[0].keys(), zip(*rows, strict=True), strict=True))
    columns |= _memories(store, columns) if kind == "memories" else _experiences(columns, now)
    fields = [one for one in SCHEMAS[kind] if one.name not in ("place", "batch", "year", "month")]
    try:
        arrays = {one.name: column(columns[one.name], one.type) for one in fields}
        day = arrays["archived_at"].cast(pa.timestamp("us"))  # in UTC; with a time zone it takes 20 ms to look that up
        arrays |= {"year": pc.year(day).cast(pa.int32()), "month": pc.month(day).cast(pa.int32())}
        arrays[STAMP] = column(columns[STAMP], pa.int64())
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        told = f"A row among {columns['id'][0]!r}..{columns['id'][-1]!r} of the {kind} cannot be right: {error}."
        raise StoreCorrupt(f"{told} Restore a backup.") from error
    return pa.table(arrays)


def column(values: Sequence[Any] | pa.Array, kind: pa.DataType) -> pa.Array:
    """A column of the store, which has times as µs UTC and flags as 0 and 1."""
    if isinstance(values, pa.Array):
        return pa.nulls(len(values), kind) if pa.types.is_null(values.type) else values.cast(kind)
    if pa.types.is_timestamp(kind) or pa.types.is_boolean(kind):
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array(values, kind)


def _memories(store: Store, columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """What is derived, and what stands in other tables."""
    n = len(columns["id"])
    told = [_told(id_, text) for id_, text in zip(columns["id"], columns["metadata"], strict=True)]
    made: dict[str, Any] = {name: [one and _brief(one.get(name)) for one in told] for name in _NAMED}
    made |= {name: column(columns[name], pa.int64()).fill_null(0) for name in _NUMBERS}
    made["access_count"] = pc.add(pc.add(made["read"], made["applied"]), made["helpful"])
    voted = pc.greater(pc.add(made["helpful"], made["unhelpful"]), 0)
    made["outcome"] = pc.if_else(voted, pc.sign(pc.subtract(made["helpful"], made["unhelpful"])), None)
    made["gist"] = [gist(content) for content in columns["content"]]
    several = [id_ for id_, terms in zip(columns["id"], columns["terms"], strict=True) if terms is None]
    passages = _by_item(store, "cold_passages", several, _passage)
    repeated = [id_ for id_, repeats in zip(columns["id"], columns["repeats"], strict=True) if repeats]
    echoes = _by_item(store, "cold_echoes", repeated, lambda row: {"session": row["session"], "at": row["at"]})
    for name, found in (("passages", passages), ("echoes", echoes)):
        made[name] = [found.get(id_) for id_ in columns["id"]] if found else pa.nulls(n)
    return made


def _experiences(columns: Mapping[str, Sequence[Any]], now: int) -> dict[str, Sequence[Any]]:
    return {"archived_at": [now] * len(columns["id"]), "decay_reason": ["settled"] * len(columns["id"])}


def _told(id_: str, text: str) -> dict[str, Any] | None:
    """The metadata, where one of the columns may come of it."""
    if text == "{}" or _MAY_NAME(text) is None:
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise StoreCorrupt(f"The metadata of item {id_!r} are not JSON any more. Restore a backup.") from error
    return found if isinstance(found, dict) else None


def _brief(value: object) -> str | None:
    """What stands in a column of its own: text, or a number as text."""
    if isinstance(value, str):
        return value
    return to_json(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _passage(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("number", "length", "terms", "vector", "scale", "embedder", "analyzer")}


def _by_item(
    store: Store, statement: str, ids: Sequence[str], made: Callable[[Row], dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for some in pieces(ids):
        for row in store.read(statement, {"ids": some}):
            found.setdefault(row["memory_id"], []).append(made(row))
    return found


def hot_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of ``memory_thaw`` and ``signals_thaw``, but for ``state``, ``seq`` and ``shared_seq``, from a row
    of the archived memories (``Table.to_pylist()``). Times are µs again. Its importance goes on from what it had faded
    to when it was archived: ``weight`` at ``weighed_at``."""
    plain = {name: to_micros(value) if isinstance(value, datetime) else value for name, value in row.items()}
    told, weight = plain["told_importance"], plain["importance"]
    return plain | {"importance": told, "weight": weight, "weighed_at": plain["archived_at"],
                    "pinned": int(row["pinned"])}  # fmt: skip


def thaw(tx: Transaction, row: Mapping[str, Any], change: Mapping[str, Any]) -> bool:
    """Put an archived memory back into the store with its signals, echoes and passages. ``row`` as for ``hot_row``;
    ``change`` has ``state``, ``seq``, ``shared_seq``, and what else is to be different. False when its id is taken."""
    values = {**hot_row(row), **change}
    if not tx.run("memory_thaw", values):
        return False
    tx.run("signals_thaw", values)
    mine = {name: values[name] for name in ("id", "tenant", "agent")}
    echoes = [{**mine, "session": one["session"], "now": to_micros(one["at"])} for one in row["echoes"] or ()]
    tx.run_many("echo_insert", echoes)
    tx.run_many("passage_insert", [{**mine, "memory_id": mine["id"], **one} for one in row["passages"] or ()])
    return True
