"""Experiences of the archive and of the store as one relation of steps, each exactly once, and SQL over it.

The store is read first, in one statement, and then the archive, as it stood at that moment. Rows that were archived in
between are in both: those of the store count. When rows came back in between, or were forgotten, it is read again.

Texts are numbers here from early on: files have them by dictionary, and what groups numbers is faster.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from engrain.archive.layout import batch_of
from engrain.archive.port import Kind
from engrain.archive.tables import CODED, Standing, Tables
from engrain.errors import ArchiveConflict
from engrain.model.steps import NONE, SHARED, Columns, Texts
from engrain.store.port import Row, Store
from engrain.store.statements import shared

KIND: Kind = "experiences"
TRIES = 20  # while others bring rows back
THREADS = 2
GATHER = 1 << 20  # rows whose texts get their numbers at once
MEMORY = "1GB"  # of the database; beyond it goes to the disk
_text, _real, _number = pa.string(), pa.float64(), pa.int64()
_field = pc.field
_CODED = ("agent", "state", "state_key", "action", "evidence", "next_state", "episode", "task_id", "advised_action",
          "policy")  # fmt: skip
# What a step is called, its type, and what it is of an archived experience (see the view `steps` of the store).
_STEP: dict[str, tuple[pa.DataType, pc.Expression]] = {
    **{name: (CODED, _field(name)) for name in _CODED},
    "experience_id": (_text, _field("id")),
    "id": (_text, pc.coalesce(_field("decision_id"), _field("id"))),
    "reward": (_real, _field("reward")),
    "weight": (_real, _field("weight")),
    "propensity": (_real, _field("propensity")),
    "decided_at": (_number, pc.coalesce(_field("decided_at"), _field("created_at")).cast(_number)),
    "updated_at": (_number, _field("updated_at").cast(_number)),
    "revision": (_number, _field("revision")),
}
_COUNTED = ("agent", "state", "state_key", "action", "evidence", "next_state", "episode", "task_id", "reward", "weight",
            "decided_at", "updated_at", "revision", "id")  # fmt: skip
_LOGGED = (*_COUNTED, "advised_action", "policy", "propensity")
_SUMS = ("weight", "total", "squares")
_EQUAL = ("episode", "task_id")  # of these only who has the same is wanted


def agents(store: Store, tables: Tables, asked: Mapping[str, Any]) -> set[str]:
    """Who has experiences with a known reward."""
    rows, parts = _together(store, tables, "step_agents", asked, ("agent",), None)
    return {row["agent"] for row in rows}.union(*(pc.unique(part["agent"]).to_pylist() for part in parts))


def steps(store: Store, tables: Tables, asked: Mapping[str, Any]) -> Columns:
    """Steps one by one, with their ``rank`` by (decided_at, id)."""
    return _columns(*_together(store, tables, "step_list", asked, _LOGGED), _LOGGED)


def counts(store: Store, tables: Tables, asked: Mapping[str, Any]) -> Columns:
    """What the statement ``step_counts`` says of all steps."""
    return counted(_columns(*_together(store, tables, "step_list", asked, _COUNTED), _COUNTED))


def counted(found: Columns) -> Columns:
    """The same of steps one by one."""
    given = {name: pa.array(one.codes, mask=one.codes == NONE) for name, one in found.texts.items()}
    evidence = pa.array(found.texts["evidence"].values, _text)
    given["evidence"] = pa.DictionaryArray.from_arrays(given["evidence"], evidence)
    given |= {name: pa.array(one, mask=np.isnan(one)) for name, one in found.reals.items()}
    given |= {"id" if name == "rank" else name: pa.array(one) for name, one in found.whole.items()}
    with tempfile.TemporaryDirectory() as folder, database_in(Path(folder)) as database:
        database.register("_steps", pa.table(given))
        database.execute("create view steps as select 0 as tenant, 0 as task_type, * from _steps")
        text = re.sub(r":([a-z_]+)", r"$\1", shared("step_counts"))
        told = database.sql(text, params={"tenant": 0, "task_type": 0, "agent": None}).to_arrow_table()
    return _grouped(told, found.texts)


@contextmanager
def database_in(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory; what has no room there goes into ``folder``."""
    how: dict[str, Any] = {"threads": THREADS, "memory_limit": MEMORY, "python_enable_replacements": False}
    with closing(duckdb.connect(":memory:", config=how)) as database:
        database.execute("set temp_directory = ?", [str(folder)])
        database.execute("set timezone = 'UTC'")
        database.execute("set enable_progress_bar = false")  # it would be told to whoever reads what we say
        yield database


def _grouped(told: pa.Table, texts: Mapping[str, Texts]) -> Columns:
    found = {}
    for name in ("state_key", "next_key", "state", "action", "next_state"):
        codes = told[name].fill_null(NONE).to_numpy().astype(np.int32)
        found[name] = Texts(codes, texts[SHARED.get(name, name)].values)
    reals, whole = ({name: told[name].to_numpy() for name in names} for names in (_SUMS, ("n", "steps", "told")))
    return Columns(found, reals, whole)


# -- reading -----------------------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """All experiences as of one moment: ``rows`` of the store, and those of the ``table`` that one of ``wanted``
    chooses."""

    rows: Sequence[Row]
    table: DeltaTable | None
    wanted: Sequence[pc.Expression]


def opened(store: Store, tables: Tables, statement: str, asked: Mapping[str, Any], of: str | None = "id") -> Found:
    """What there is; ``of``: the column of the store's rows that has the id of the experience, if one has. Raises
    ArchiveError."""
    for _ in range(TRIES):
        before = tables.standing(KIND)
        rows = store.read(statement, asked)
        now, table = tables.standing(KIND), tables.table(KIND)
        if not _gone(before, before) == _gone(now, before) == _gone(tables.standing(KIND), before):
            continue
        wanted = [before.counts() & _asked(asked)]
        if now.closed > before.closed:  # they were archived meanwhile
            both = pa.array([row[of] for row in rows] if of else [], _text)
            late = (_field("batch") > before.closed) & ~_field("id").isin(both)
            wanted.append(now.counts() & _asked(asked) & late)
        return Found(rows, table if now.closed else None, wanted)
    raise ArchiveConflict("Experiences are being brought back from the archive.")


def _gone(now: Standing, before: Standing) -> set[int]:
    """What is gone of the batches that counted before."""
    return {place for place in now.gone if batch_of(place) <= before.closed}


def _asked(asked: Mapping[str, Any]) -> pc.Expression:
    wanted = _field("tenant") == asked["tenant"]
    for name in ("task_type", "agent"):
        if asked.get(name) is not None:
            wanted &= _field(name) == asked[name]
    return wanted & (_STEP["decided_at"][1] >= asked["since"]) if asked.get("since") else wanted


def _together(
    store: Store,
    tables: Tables,
    statement: str,
    asked: Mapping[str, Any],
    columns: Sequence[str],
    of: str | None = "experience_id",
) -> tuple[Sequence[Row], list[pa.Table]]:
    """Rows of the store, and those that are only in the archive."""

    def read() -> tuple[Sequence[Row], list[pa.Table]]:
        found = opened(store, tables, statement, asked, of)
        return found.rows, [part for one in found.wanted for part in _scan(tables, found.table, one, asked, columns)]

    return tables.unmissed(KIND, read)


def _scan(
    tables: Tables, table: DeltaTable | None, wanted: pc.Expression, asked: Mapping[str, Any], columns: Sequence[str]
) -> Iterator[pa.Table]:
    """Rows in tables of about ``GATHER``, in each of which a text has one number."""
    if table is None:
        return
    coded = [name for name in columns if name in _CODED and asked.get(name) is None]  # what is asked for must be plain
    named = {name: _STEP[name][1] for name in columns}
    scanner = tables.dataset(KIND, table, coded).scanner(columns=named, filter=wanted)
    gathered: list[pa.RecordBatch] = []
    held = 0
    with tables.told(KIND):
        for batch in scanner.to_batches():
            gathered.append(batch)
            held += batch.num_rows
            if held >= GATHER:
                yield pa.Table.from_batches(gathered).unify_dictionaries()
                gathered, held = [], 0
    yield pa.Table.from_batches(gathered, scanner.projected_schema).unify_dictionaries()


def _columns(rows: Sequence[Row], parts: list[pa.Table], columns: Sequence[str]) -> Columns:
    """All of it as arrays, ``parts`` before ``rows``. A column of the parts is let go as soon as it is an array."""
    texts: dict[str, Texts] = {}
    names = [name for name in columns if name in _CODED]
    for own in dict.fromkeys(SHARED.get(name, name) for name in names):
        texts |= _coded(rows, parts, [name for name in (*names, "open_state") if SHARED.get(name, name) == own])
    numbers: dict[pa.DataType, dict[str, Any]] = {_real: {}, _number: {}}
    for name in columns:
        if (kind := _STEP[name][0]) in numbers:
            cold = [chunk.to_numpy(zero_copy_only=False) for chunk in _taken(parts, name)]
            hot = np.array([row[name] for row in rows], kind.to_pandas_dtype())  # None becomes NaN
            numbers[kind][name] = np.concatenate([*cold, hot])
    ids = [*_taken(parts, "id"), pa.array([row["id"] for row in rows], _text)]
    whole = {**numbers[_number], "rank": _rank(numbers[_number]["decided_at"], pa.chunked_array(ids))}
    return Columns(texts, numbers[_real], whole)


def _coded(rows: Sequence[Row], parts: list[pa.Table], names: Sequence[str]) -> dict[str, Texts]:
    """Columns of texts whose numbers are into the values of the same one."""
    chunks: list[list[Any]] = []
    for name in names:
        cold = [pa.nulls(part.num_rows, CODED) for part in parts] if name == "open_state" else _taken(parts, name)
        cold = [one if one.type == CODED else one.dictionary_encode() for one in cold]
        chunks.append([*cold, pa.array([row[name] for row in rows], _text).dictionary_encode()])
    unified = pa.chunked_array([one for some in chunks for one in some]).unify_dictionaries()
    values = () if names[0] in _EQUAL else unified.chunk(0).dictionary.to_pylist()
    indices = (one.indices.fill_null(NONE).to_numpy() for one in unified.chunks)
    return {
        name: Texts(np.concatenate([next(indices) for _ in some]), values)
        for name, some in zip(names, chunks, strict=True)
    }


def _taken(parts: list[pa.Table], name: str) -> list[Any]:
    """The chunks of a column, which the parts have no more."""
    found = [chunk for part in parts for chunk in part[name].chunks]
    parts[:] = [part.drop_columns(name) for part in parts]
    return found


def _rank(when: Any, ids: pa.ChunkedArray) -> Any:
    """Where each row is in the order of its time, and of its id among those of one time."""
    order = np.argsort(when, kind="stable")
    same = np.diff(when[order]) == 0
    if same.any():
        tied = np.append(same, False) | np.insert(same, 0, False)
        some = order[tied]
        told = pa.table({"at": when[some], "id": ids.take(pa.array(some))})
        order[tied] = some[pc.sort_indices(told, [("at", "ascending"), ("id", "ascending")]).to_numpy()]
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank
