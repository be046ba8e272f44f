"""Experiences of the archive and of the store as one relation of steps, each exactly once, and SQL over it.

The store is read first, in one statement, and then the archive, as it stood at that moment. Rows that were archived in
between are in both: those of the store count. When rows came back in between, or were forgotten, it is read again.

Texts are numbers here from early on: files have them by dictionary, and what groups numbers is faster.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engrain.archive.layout import batch_of
from engrain.archive.port import Kind
from engrain.archive.tables import Standing, Tables
from engrain.errors import ArchiveConflict, ArchiveCorrupt
from engrain.model.steps import NONE, Columns, Texts
from engrain.store.port import Row, Store
from engrain.store.statements import shared

KIND: Kind = "experiences"
TRIES = 20  # while others bring rows back
_text, _real, _number = pa.string(), pa.float64(), pa.int64()
_field = pc.field
_TIME = pa.int64()
# What a step is called, its type, and what it is of an archived experience (see the view `steps` of the store).
_STEP: dict[str, tuple[pa.DataType, pc.Expression]] = {
    "experience_id": (_text, _field("id")),
    "id": (_text, pc.coalesce(_field("decision_id"), _field("id"))),
    "agent": (_text, _field("agent")),
    "state": (_text, _field("state")),
    "state_key": (_text, _field("state_key")),
    "open_state": (_text, pc.scalar(pa.scalar(None, _text))),
    "action": (_text, _field("action")),
    "reward": (_real, _field("reward")),
    "weight": (_real, _field("weight")),
    "evidence": (_text, _field("evidence")),
    "propensity": (_real, _field("propensity")),
    "next_state": (_text, _field("next_state")),
    "episode": (_text, _field("episode")),
    "task_id": (_text, _field("task_id")),
    "policy": (
        _text,
        pc.if_else(_field("advised_action") == _field("action"), _field("policy"), pa.scalar(None, _text)),
    ),
    "decided_at": (_number, pc.coalesce(_field("decided_at"), _field("created_at")).cast(_TIME)),
    "updated_at": (_number, _field("updated_at").cast(_TIME)),
    "revision": (_number, _field("revision")),
}
_COUNTED = ("agent", "state", "state_key", "open_state", "action", "evidence", "next_state", "episode", "task_id",
            "reward", "weight", "decided_at", "updated_at", "revision")  # fmt: skip
_LOGGED = (*_COUNTED, "propensity", "policy")
_SUMS = ("weight", "total", "squares")
_EQUAL = ("episode", "task_id")  # of these only who has the same is wanted


def agents(store: Store, tables: Tables, asked: Mapping[str, Any]) -> set[str]:
    """Who has experiences with a known reward."""
    rows, table = _together(store, tables, "step_agents", asked, ("agent",))
    return {row["agent"] for row in rows} | set(pc.unique(table["agent"]).to_pylist())


def steps(store: Store, tables: Tables, asked: Mapping[str, Any]) -> Columns:
    """Steps one by one, with their ``rank`` by (at, id)."""
    rows, table = _together(store, tables, "step_list", asked, (*_LOGGED, "id"))
    return _columns(pa.concat_tables([table, _hot(rows, table.schema)]))


def counts(store: Store, tables: Tables, asked: Mapping[str, Any]) -> Columns:
    """What the statement ``step_counts`` says of all steps."""
    rows, table = _together(store, tables, "step_list", asked, (*_COUNTED, "id"))
    found = _columns(pa.concat_tables([table, _hot(rows, table.schema)]))
    given = {name: pa.array(one.codes, mask=one.codes == NONE) for name, one in found.texts.items()}
    evidence = found.texts["evidence"].values
    given["evidence"] = pa.DictionaryArray.from_arrays(given["evidence"], pa.array(evidence, _text))
    given |= {name: pa.array(one, mask=np.isnan(one)) for name, one in found.reals.items()}
    given |= {"id" if name == "rank" else name: pa.array(one) for name, one in found.whole.items()}
    with closing(duckdb.connect(":memory:", config={"threads": 2, "python_enable_replacements": False})) as database:
        database.register("_steps", pa.table(given))
        database.execute("create view steps as select 0 as tenant, 0 as task_type, * from _steps")
        text = re.sub(r":([a-z_]+)", r"$\1", shared("step_counts"))
        told = database.sql(text, params={"tenant": 0, "task_type": 0, "agent": None}).to_arrow_table()
    return _grouped(told, found.texts)


def _grouped(told: pa.Table, texts: Mapping[str, Texts]) -> Columns:
    of = {"state_key": "state_key", "next_key": "state_key", "state": "state", "action": "action",
          "next_state": "next_state"}  # fmt: skip
    codes = {name: told[name].fill_null(NONE).to_numpy().astype(np.int32) for name in of}
    reals, whole = ({name: told[name].to_numpy() for name in names} for names in (_SUMS, ("n", "steps", "told")))
    return Columns({name: Texts(codes[name], texts[own].values) for name, own in of.items()}, reals, whole)


def _together(
    store: Store, tables: Tables, statement: str, asked: Mapping[str, Any], columns: Sequence[str]
) -> tuple[Sequence[Row], pa.Table]:
    """Rows of the store, and those that are only in the archive."""
    missing: FileNotFoundError | None = None
    for _ in range(TRIES):
        before = tables.standing(KIND)
        rows = store.read(statement, asked)
        now = tables.standing(KIND)
        try:
            parts = [_scan(tables, before, asked, columns)]
            if now.closed > before.closed:
                since = _field("batch") > before.closed
                late = _scan(tables, now, asked, (*columns, "experience_id"), since)
                both = pc.is_in(late["experience_id"], pa.array([row["experience_id"] for row in rows], _text))
                parts.append(late.filter(pc.invert(both)).select(list(columns)))
        except FileNotFoundError as error:  # a file that was vacuumed away meanwhile
            missing = error
            continue
        if _gone(before, before) == _gone(now, before) == _gone(tables.standing(KIND), before):
            return rows, pa.concat_tables(parts)
    if missing is not None:
        raise ArchiveCorrupt(f"{tables.path(KIND)}: a file of the table is missing: {missing}") from missing
    raise ArchiveConflict("Experiences are being brought back from the archive.")


def _gone(now: Standing, before: Standing) -> set[int]:
    """What is gone of the batches that counted before."""
    return {place for place in now.gone if batch_of(place) <= before.closed}


def _scan(
    tables: Tables,
    standing: Standing,
    asked: Mapping[str, Any],
    columns: Sequence[str],
    more: pc.Expression | None = None,
) -> pa.Table:
    names = list(columns)
    table = tables.table(KIND) if standing.closed else None
    if table is None:
        return pa.schema([(name, _STEP[name][0]) for name in names]).empty_table()
    wanted = standing.counts() & (_field("tenant") == asked["tenant"]) & (_field("task_type") == asked["task_type"])
    if asked.get("agent") is not None:
        wanted &= _field("agent") == asked["agent"]
    if asked.get("since"):
        wanted &= _STEP["decided_at"][1] >= asked["since"]
    if more is not None:
        wanted &= more
    return tables.dataset(KIND, table).to_table(columns={name: _STEP[name][1] for name in names}, filter=wanted)


def _hot(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    arrays = [pa.array([row[field.name] for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _columns(table: pa.Table) -> Columns:
    texts: dict[str, Texts] = {}
    numbers: dict[pa.DataType, dict[str, Any]] = {_real: {}, _number: {}}
    for name in table.column_names:
        column = table[name]
        if name == "id":
            continue
        if column.type == _text:
            one = column.dictionary_encode().combine_chunks()
            if isinstance(one, pa.ChunkedArray):
                one = one.chunk(0) if one.num_chunks else pa.array([], _text).dictionary_encode()
            codes = one.indices.fill_null(NONE).to_numpy(zero_copy_only=False).astype(np.int32)
            texts[name] = Texts(codes, () if name in _EQUAL else one.dictionary.to_pylist())
        else:
            numbers[column.type][name] = column.to_numpy()
    order = pc.sort_indices(table, [("decided_at", "ascending"), ("id", "ascending")]).to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return Columns(texts, numbers[_real], {**numbers[_number], "rank": rank})
