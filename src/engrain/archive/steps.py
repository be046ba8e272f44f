"""Experiences of the archive and of the store as one relation of steps, each exactly once, and SQL over it.

The store is read first, in one statement, and then the archive, as it stood at that moment. Rows that were archived in
between are in both: those of the store count. When rows came back in between, or were forgotten, it is read again.

Texts are numbers here from early on: files have them by dictionary, and what groups numbers is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from engrain.archive.layout import batch_of
from engrain.archive.port import Kind
from engrain.archive.tables import CODED, Standing, Tables
from engrain.errors import ArchiveConflict
from engrain.model.steps import NONE, SHARED, STEPS, Columns, Texts, in_episodes, marks
from engrain.store.port import Row, Store

KIND: Kind = "experiences"
TRIES = 20  # while others bring rows back
GATHER = 1 << 20  # rows whose texts get their numbers at once
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
_LOGGED = (
    "agent", "state", "state_key", "action", "evidence", "next_state", "episode", "task_id", "advised_action", "policy",
    "reward", "weight", "propensity", "decided_at", "updated_at", "revision",
)  # fmt: skip
_EQUAL = ("episode", "task_id")  # of these only who has the same is wanted
_CELL, _SOURCE = ["state_key", "action", "next_key", "next_state"], ["who", "task", "run"]
_SUMS = ("weight", "total", "squares", "n", "steps", "told")


def agents(store: Store, tables: Tables, asked: Mapping[str, Any]) -> set[str]:
    """Who has experiences with a known reward."""

    def read() -> set[str]:
        found = opened(store, tables, "step_agents", asked, None)
        parts = _parts(tables, found, asked, ("agent",))
        return {row["agent"] for row in found.rows}.union(*(pc.unique(part["agent"]).to_pylist() for part in parts))

    return tables.unmissed(KIND, read)


def steps(store: Store, tables: Tables, asked: Mapping[str, Any]) -> Columns:
    """Steps one by one, in episodes. Whole columns: also those that ``model.steps.ByAgent`` needs."""

    def read() -> Columns:
        found = opened(store, tables, "step_list", asked, "experience_id")
        parts = _parts(tables, found, asked, _LOGGED)

        def ids(some: Any) -> pa.Array:
            told = [one for part in _parts(tables, found, asked, ("id",)) for one in part["id"].chunks]
            return pa.chunked_array([*told, pa.array([row["id"] for row in found.rows], _text)]).take(pa.array(some))

        return _columns(found.rows, parts, ids)

    return tables.unmissed(KIND, read)


def counted(found: Columns) -> Columns:
    """What the statement ``step_counts`` says of all steps: by one GROUP BY, with claims by another for their sources
    first. Sums are of whole numbers (see there): the same in whatever order."""
    texts, reals, whole = found.texts, found.reals, found.whole
    order, run = whole["order"], whole["run"]
    later = np.full(len(order), NONE, np.int32)
    later[order[:-1]] = np.where(run[1:] == run[:-1], order[1:], NONE)
    told = texts["next_state"].codes
    after, opened = (np.append(texts[name].codes, NONE)[later] for name in ("state_key", "open_state"))
    known, weight = ~np.isnan(reals["reward"]), np.where(np.isnan(reals["reward"]), 0.0, reals["weight"])
    reward = np.where(known, reals["reward"], 0.0)
    weighted = weight * reward
    given: dict[str, Any] = {name: texts[name].codes for name in ("state_key", "action", "state")}
    given |= {"next_key": np.where(told == NONE, after, NONE), "next_state": np.where(told == NONE, opened, told)}
    given |= {"weight": weight * STEPS, "total": _rounded(weighted * STEPS)}
    given |= {"squares": _rounded(weighted * reward * STEPS), "n": known.astype(np.int64)}
    given |= {"steps": np.ones(len(order), np.int64), "told": marks(whole)}
    tiers = texts["evidence"]
    claims = tiers.codes == (tiers.values.index("claimed") if "claimed" in tiers.values else len(tiers.values))
    if claims.any():
        task = np.where(claims, texts["task_id"].codes, NONE)
        given |= {"who": np.where(claims, texts["agent"].codes, NONE), "task": task}
        given |= {"run": np.where(claims & (task == NONE), texts["episode"].codes, NONE)}
    table = pa.table(given)
    return _grouped(_by(_claimed(table) if claims.any() else table, _CELL), texts)


def _claimed(steps: pa.Table) -> pa.Table:
    """Sums by cell and source; what one source claims of a state and action, in all, weighs as one claim."""
    one = _by(steps, [*_CELL, *_SOURCE])
    source = ["state_key", "action", *_SOURCE]
    count = one.group_by(source).aggregate([("n", "sum")]).rename_columns([*source, "claims"])
    one = one.join(count, source)
    many = (one["who"].to_numpy() != NONE) & (one["claims"].to_numpy() > 1)
    for name in ("weight", "total", "squares"):
        whole = one[name].to_numpy()
        share = np.where(many, _rounded(whole / np.maximum(one["claims"].to_numpy(), 1)), whole)
        one = one.set_column(one.column_names.index(name), name, pa.array(share))
    return one


def _by(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Sums by ``keys``, with one of the states' texts."""
    wanted = [*((name, "sum") for name in _SUMS), ("state", "min")]
    told = table.group_by(list(keys)).aggregate(wanted)
    return told.rename_columns([name.removesuffix("_sum").removesuffix("_min") for name in told.column_names])


def _rounded(values: Any) -> Any:
    """To whole numbers, halves away from zero, as the store does."""
    whole = np.trunc(values)
    return whole + np.sign(values) * (np.abs(values - whole) >= 0.5)


def _grouped(told: pa.Table, texts: Mapping[str, Texts]) -> Columns:
    found = {}
    for name in (*_CELL, "state"):
        found[name] = Texts(told[name].to_numpy(), texts[SHARED.get(name, name)].values)
    numbers = {name: told[name].to_numpy() for name in _SUMS}
    return Columns(found, {name: numbers[name] for name in _SUMS[:3]}, {name: numbers[name] for name in _SUMS[3:]})


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


def _parts(tables: Tables, found: Found, asked: Mapping[str, Any], columns: Sequence[str]) -> list[pa.Table]:
    """The rows that are only in the archive."""
    return [part for one in found.wanted for part in _scan(tables, found.table, one, asked, columns)]


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


def _columns(rows: Sequence[Row], parts: list[pa.Table], ids: Callable[[Any], pa.Array]) -> Columns:
    """All of it as arrays, ``parts`` before ``rows``. A column of the parts is let go as soon as it is an array.
    ``ids`` of rows by their numbers."""
    texts: dict[str, Texts] = {}
    names = [name for name in _LOGGED if name in _CODED]
    for own in dict.fromkeys(SHARED.get(name, name) for name in names):
        texts |= _coded(rows, parts, [name for name in (*names, "open_state") if SHARED.get(name, name) == own])
    numbers: dict[pa.DataType, dict[str, Any]] = {_real: {}, _number: {}}
    for name in _LOGGED:
        if (kind := _STEP[name][0]) in numbers:
            cold = [chunk.to_numpy(zero_copy_only=False) for chunk in _taken(parts, name)]
            hot = np.array([row[name] for row in rows], kind.to_pandas_dtype())  # None becomes NaN
            numbers[kind][name] = np.concatenate([*cold, hot])
    whole = numbers[_number]
    ordered = _ordered(whole["decided_at"], ids)
    order, run = in_episodes(ordered, texts["agent"].codes, texts["episode"].codes)
    return Columns(texts, numbers[_real], {**whole, "sorted": ordered, "order": order, "run": run})


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


def _ordered(when: Any, ids: Callable[[Any], pa.Array]) -> Any:
    """The rows in the order of their time, and of their ids among those of one time: ids are read only then."""
    order = np.argsort(when, kind="stable")
    same = np.diff(when[order]) == 0
    if same.any():
        tied = np.append(same, False) | np.insert(same, 0, False)
        some = order[tied]
        told = pa.table({"at": when[some], "id": ids(some)})
        order[tied] = some[pc.sort_indices(told, [("at", "ascending"), ("id", "ascending")]).to_numpy()]
    return order
