"""The doctor's look at the cold tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from engrain.archive.hot import cold
from engrain.errors import EngrainError
from engrain.model.fading import DAY
from engrain.model.report import Check
from engrain.store.port import Store

if TYPE_CHECKING:
    from engrain.archive.port import Kind
    from engrain.archive.tables import Tables

NAME = "archive"
LATE = 2 * DAY  # µs, after which a run of a role should have done it
AGAIN = "put back the latest copy of the archive's files"


def check(store: Store, tables: Callable[[], Tables | None], now: int, days: float) -> Check:
    """Can it be reached, has it what the store says, and is it in order? ``days``: for which readers keep old files."""
    moved = cold(store)
    waits = moved or store.read("cold_waiting", {"before": now - LATE, "limit": 1})[0]["memories"]
    if not waits:
        return Check(NAME, True, "nothing has left the store")
    try:
        there = tables()
        if not moved:
            told = "nothing has left the store yet" if there else "it is kept in the store"
            return Check(NAME, True, f"{told}; what is archived waits for the role archive" if there else told)
        if there is None:
            return Check(NAME, False, 'rows lie in an archive, but "archive" is "none": set it to where they are')
        from engrain.archive.port import KINDS

        found: list[str] = []
        rows = []
        for kind in KINDS:
            # twice, as others may work on it between two looks
            if list(_problems(store, there, kind, now, int(days * DAY))):
                found += _problems(store, there, kind, now, int(days * DAY))
            rows.append(f"{there.standing(kind).rows:,} {kind}")
    except EngrainError as error:
        return Check(NAME, False, str(error))
    return Check(NAME, not found, "; ".join(found) or f"{' and '.join(rows)} at {there.location}")


def _problems(store: Store, tables: Tables, kind: Kind, now: int, kept: int) -> Iterator[str]:
    """What is wrong, and what to do."""
    from engrain.archive.layout import in_batches

    table, standing = tables.table(kind), tables.standing(kind)
    if table is not None:
        if tables.number(kind, table) < standing.closed:
            yield f"the files of the {kind} are older than the store: {AGAIN}"
            return
        rows = tables.batches(kind, table, 0, standing.closed, ["place", "id"])
        there = in_batches(rows["place"].to_numpy(), standing.gone)
        told = [row for row in store.read("batch_rows", {"kind": kind}) if row["number"] <= standing.closed]
        if wrong := sum(abs(int(row["n"]) - there[row["number"]]) for row in told):
            again = f"run engrain tick --role compact; if that does not mend it, {AGAIN}"
            yield f"{wrong:,} of the {kind} are missing, or too many: {again}"
        gone = set(standing.gone)
        pairs = zip(rows["id"].to_pylist(), rows["place"].to_pylist(), strict=True)
        ids = [id_ for id_, place in pairs if place not in gone]
        if twice := len(ids) - len(set(ids)):
            yield f"{twice:,} of the {kind} are there twice, which must never be: please tell us"
    listed = store.read("gone_list", {"kind": kind})
    late = sum(row["at"] < now - LATE - (2 * kept if row["reason"] == "restored" else 0) for row in listed)
    if late:
        yield f"{late:,} of the {kind} should have been erased long ago: run engrain tick --role compact"
    if any(row["opened_at"] < now - LATE for row in store.read("batch_list", {"kind": kind})):
        yield f"some {kind} have been on their way for days: run engrain tick --role archive"
