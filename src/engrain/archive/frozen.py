"""Reading the cold table of memories: rows as the hot store's statements give them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from engrain.archive.layout import SCHEMAS, batch_of
from engrain.archive.port import Asked, Kind
from engrain.archive.rows import hot_row
from engrain.model.life import Life, Old
from engrain.model.scope import Scope
from engrain.world import to_micros

if TYPE_CHECKING:
    from engrain.archive.tables import Tables

_TIME = pa.timestamp("us", tz="UTC")
# {item}, echoes, and what those who change an item ask for besides.
_NAMES = (
    "id", "tenant", "agent", "kind", "content", "created_at", "told_at", "updated_at", "key", "importance", "tags",
    "metadata", "session", "role", "occurred_at", "expires_at", "decay_rate", "visibility", "pinned", "source", "state",
    "superseded_by", "superseded_at", "redacted", "repeats", "shown", "read", "applied", "helpful", "unhelpful",
    "last_used_at", "archived_at", "archived_reason", "promoted_at", "last_decay_at", "echoes", "fingerprint", "seq",
    "shared_seq", "place",
)  # fmt: skip
_AT = {name: at for at, name in enumerate(_NAMES)}
# The columns of the table that an item is made of: all but its words and vectors.
ITEM = tuple(name for name in SCHEMAS["memories"].names
             if name not in ("length", "terms", "vector", "scale", "embedder", "analyzer", "passages"))  # fmt: skip
_LIFE = ["id", "tenant", "agent", "kind", "importance", "told_importance", "told_at", "created_at", "archived_at",
         "pinned", "decay_reason", "place", "superseded_by"]  # fmt: skip


class ColdRow:
    """One row: a ``store.port.Row``. ``told`` has its columns as they are in the table. No change number is kept there;
    what was shared with others has had one."""

    __slots__ = ("_values", "told")

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.told = told
        faded = not told["pinned"] and told["importance"] < told["told_importance"]
        made = {"state": "archived", "archived_reason": told["decay_reason"], "pinned": int(told["pinned"]), "seq": 0}
        made |= {"echoes": 0, "shared_seq": 0 if told["shared"] else None}
        made |= {"last_decay_at": told["archived_at"] if faded else None}
        self._values = tuple(made[name] if name in made else told[name] for name in _NAMES)

    def __getitem__(self, key: int | str | slice) -> Any:
        return self._values[_AT[key] if isinstance(key, str) else key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def keys(self) -> Sequence[str]:
        return _NAMES

    def stored(self) -> dict[str, Any]:
        """The columns of ``{stored}``, which are as they were told and not as they have faded, and its echoes."""
        told = hot_row(self.told) | {"pending_at": None, "spared_until": None}
        told["weighed"] = told["weight"]
        told["echoes"] = [{"at": to_micros(one["at"]), "session": one["session"]} for one in told["echoes"] or ()]
        return told | {name: self[name] for name in ("state", "archived_reason", "seq", "shared_seq")}


def rows(
    tables: Tables,
    scope: Scope,
    *,
    ids: Sequence[str] | None = None,
    places: Sequence[int] | None = None,
    kind: str | None = None,
    before: int | None = None,
) -> Iterator[ColdRow]:
    """An agent's rows that count: of these ids or places, of a kind, from before a moment (µs)."""
    where = _of([scope])
    if ids is not None:
        where &= pc.field("id").isin(pa.array(ids, pa.string()))
    if places is not None:
        where &= pc.field("place").isin(pa.array(places, pa.int64()))
        where &= pc.field("batch").isin(pa.array(sorted({batch_of(place) for place in places}), pa.int64()))
    if kind is not None:
        where &= pc.field("kind") == kind
    if before is not None:
        where &= _happened() < _moment(before)
    for batch in plain(tables.read("memories", where=where)).to_batches(max_chunksize=1000):
        yield from (ColdRow(told) for told in batch.to_pylist())


def places(tables: Tables, kind: Kind, scope: Scope) -> list[tuple[int, str]]:
    """Each place of an agent's rows that count, with the id."""
    found = tables.read(kind, ["place", "id"], _of([scope])).sort_by("place")
    return list(zip(found["place"].to_pylist(), found["id"].to_pylist(), strict=True))


def holders(tables: Tables, ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """(tenant, agent) of whose these are."""
    found = tables.read("memories", ["id", "tenant", "agent"], pc.field("id").isin(pa.array(sorted(ids), pa.string())))
    names = zip(found["tenant"].to_pylist(), found["agent"].to_pylist(), strict=True)
    return dict(zip(found["id"].to_pylist(), names, strict=True))


def latest(tables: Tables, scope: Scope, limit: int, asked: Asked) -> list[int]:
    """The places of what was archived last."""
    where = _of([scope])
    if asked.reason is not None:
        where &= pc.field("decay_reason") == asked.reason
    if asked.kinds is not None:
        where &= pc.field("kind").isin(pa.array(asked.kinds, pa.string()))
    if asked.since is not None:
        where &= _happened() >= _moment(asked.since)
    if asked.until is not None:
        where &= _happened() < _moment(asked.until)
    if asked.before is not None:
        at, id_ = _moment(asked.before[0]), asked.before[1]
        where &= (pc.field("archived_at") < at) | ((pc.field("archived_at") == at) & (pc.field("id") < id_))
    found = tables.read("memories", ["place", "archived_at", "id"], where)
    order = [("archived_at", "descending"), ("id", "descending")]
    return list(found.take(pc.select_k_unstable(found, limit, order))["place"].to_pylist()) if len(found) else []


def lives(tables: Tables, scopes: Sequence[Scope], before: int) -> Iterator[Old]:
    """What was archived at ``before`` or earlier, as the rules see it: its importance fades no more."""
    wanted = _of(scopes) & (pc.field("archived_at") <= _moment(before))
    for batch in plain(tables.read("memories", _LIFE, wanted)).to_batches(max_chunksize=10_000):
        for one in batch.to_pylist():
            life = Life(
                one["id"], one["agent"], one["tenant"], one["kind"], "archived", one["importance"],
                one["told_importance"], one["archived_at"], one["told_at"], one["created_at"], one["archived_at"],
                pinned=bool(one["pinned"]), archived_at=one["archived_at"], archived_reason=one["decay_reason"],
            )  # fmt: skip
            yield Old(life, (one["place"], one["superseded_by"]))


def of_ids(table: pa.Table, ids: Sequence[str]) -> pa.Table:
    """The rows of these ids."""
    return table.filter(pc.is_in(table["id"], pa.array(ids, pa.string())))


def plain(table: pa.Table) -> pa.Table:
    """With times as µs."""
    for at, column in enumerate(table.columns):
        if column.type == _TIME:
            table = table.set_column(at, table.column_names[at], column.cast(pa.int64()))
    return table


def _of(scopes: Sequence[Scope]) -> pc.Expression:
    """Rows of these agents."""
    agents: dict[str, list[str]] = {}
    for scope in scopes:
        agents.setdefault(scope.tenant, []).append(scope.agent)
    wanted = [(pc.field("tenant") == tenant) & _among("agent", sorted(names)) for tenant, names in agents.items()]
    found = wanted[0]
    for one in wanted[1:]:
        found |= one
    return found


def _among(name: str, values: Sequence[str]) -> pc.Expression:
    """``in``, which a file's least and greatest value tell nothing of, and between, of which they do."""
    column = pc.field(name)
    if len(values) == 1:
        return column == values[0]
    return (column >= values[0]) & (column <= values[-1]) & column.isin(pa.array(values, pa.string()))


def _happened() -> pc.Expression:
    return pc.coalesce(pc.field("occurred_at"), pc.field("told_at"))


def _moment(micros: int) -> pa.Scalar:
    return pa.scalar(micros, _TIME)
