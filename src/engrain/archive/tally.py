"""Archived outcomes, counted as the store's statements ``loop_outcomes`` and ``loop_decisions`` count its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from engrain.archive.reading import reached
from engrain.model.fading import DAY
from engrain.store.port import Store
from engrain.world import from_micros

if TYPE_CHECKING:
    import pyarrow as pa

    from engrain.archive.tables import Tables

_COLUMNS = ("tenant", "task_type", "action", "evidence", "reward", "updated_at", "advised_action", "value", "low",
            "high", "mode", "policy", "decided_at", "archived_at")  # fmt: skip
STEPS = (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)  # of the reward that was expected
_KEYS = ["tenant", "task_type", "day", "side", "proven", "step"]


class Tally(NamedTuple):
    """Rows of the two statements, by column names."""

    decisions: list[dict[str, Any]]
    outcomes: list[dict[str, Any]]


class ColdTally:
    """Counts the archived experiences of a home."""

    def __init__(self, store: Store, tables: Callable[[], Tables | None]) -> None:
        self._store, self._tables = store, tables

    def standing(self) -> tuple[int, ...]:
        """What is another one when experiences came here or left."""
        return tuple(int(one) for one in self._store.read("loop_standing")[0])

    @property
    def any(self) -> bool:
        """Whether experiences are here."""
        return self.standing()[0] > 0

    def since(self, moment: int, tenant: str | None) -> Tally:
        """What was decided, and what came, at ``moment`` (µs) or later. Raises ArchiveError, ConfigError."""
        if not self.any:
            return Tally([], [])
        tables = reached(self._tables)
        import pyarrow.compute as pc

        from engrain.archive.frozen import plain

        begun = from_micros(moment)  # nothing is archived before it happened: older files are not read
        where = (pc.field("year") > begun.year) | (
            (pc.field("year") == begun.year) & (pc.field("month") >= begun.month)
        )
        where &= pc.field("archived_at") >= begun
        if tenant is not None:
            where &= pc.field("tenant") == tenant
        rows = plain(tables.read("experiences", list(_COLUMNS), where))
        return Tally(_decisions(rows, moment), _outcomes(rows, moment))

    def last(self, tenant: str | None) -> tuple[int | None, int | None]:
        """When anybody decided last, and when the last outcome came, of all that is here. Raises as ``since``."""
        if not self.any:
            return None, None
        tables = reached(self._tables)
        import pyarrow.compute as pc

        from engrain.archive.frozen import plain

        where = None if tenant is None else pc.field("tenant") == tenant
        rows = plain(tables.read("experiences", ["decided_at", "updated_at"], where))
        return pc.max(rows["decided_at"]).as_py(), pc.max(rows["updated_at"]).as_py()


def _decisions(rows: pa.Table, moment: int) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    moments = rows.filter(pc.field("decided_at") >= moment)["decided_at"]
    told = {"day": pc.divide(moments, DAY), "last": moments}
    found = pa.table(told).group_by(["day"]).aggregate([([], "count_all"), ("last", "max")])
    return _named(found, {"count_all": "n", "last_max": "last"})


def _outcomes(rows: pa.Table, moment: int) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = rows.filter((pc.field("updated_at") >= moment) & pc.field("reward").is_valid())
    reward, value = rows["reward"], rows["value"]
    followed = pc.fill_null(pc.equal(rows["advised_action"], rows["action"]), False)
    side = pc.if_else(followed, rows["mode"], "other")
    step = pa.array([0] * len(rows), pa.int64())
    for edge in STEPS:
        step = pc.add(step, pc.fill_null(pc.greater_equal(value, edge), False).cast(pa.int64()))
    inside = pc.and_(pc.greater_equal(reward, rows["low"]), pc.less_equal(reward, rows["high"]))
    told = {
        "tenant": rows["tenant"],
        "task_type": rows["task_type"],
        "day": pc.divide(rows["updated_at"], DAY),
        "side": pc.if_else(pc.is_null(rows["decided_at"]), "steps", side),
        "proven": pc.not_equal(rows["evidence"], "claimed").cast(pa.int64()),
        "step": pc.if_else(pc.is_null(value), -1, step),
        "total": reward,
        "squares": pc.multiply(reward, reward),
        "expected": value,
        "inside": pc.fill_null(inside, False).cast(pa.int64()),
        "ruled": pc.starts_with(pc.fill_null(rows["policy"], ""), "v").cast(pa.int64()),
        "last": rows["updated_at"],
    }
    sums = [(name, "sum") for name in ("total", "squares", "expected", "inside", "ruled")]
    found = pa.table(told).group_by(_KEYS).aggregate([([], "count_all"), *sums, ("last", "max")])
    return _named(found, {"count_all": "n", "last_max": "last", **{f"{name}_sum": name for name, _ in sums}})


def _named(found: pa.Table, names: Mapping[str, str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = found.rename_columns([names.get(one, one) for one in found.column_names]).to_pylist()
    return rows
