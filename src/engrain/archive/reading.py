"""Rows of the cold tables as plain values, without their libraries where nothing is cold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engrain.errors import ArchiveUnavailable
from engrain.store.port import Store

if TYPE_CHECKING:
    import pyarrow as pa

    from engrain.archive.port import Kind
    from engrain.archive.tables import Tables

PIECE = 5_000  # rows that are made plain at once
ELSEWHERE = 'This home has archived rows: set "archive" to where they are, not to "none".'


def reached(tables: Callable[[], Tables | None]) -> Tables:
    """The tables of a home that has rows in them. Raises ArchiveUnavailable where none are set."""
    found = tables()  # without their libraries it says which are missing
    if found is None:
        raise ArchiveUnavailable(ELSEWHERE)
    return found


def filled(store: Store, tables: Callable[[], Tables | None], kind: Kind) -> Tables | None:
    """The tables, if anything of a kind lies in them: the hot store tells. Raises ArchiveUnavailable."""
    return reached(tables) if store.read("batch_closed", {"kind": kind})[0]["n"] else None


def counted(
    store: Store, tables: Callable[[], Tables | None], kind: Kind, columns: Sequence[str], where: Mapping[str, Any]
) -> pa.Table | None:
    """Columns of the rows that count, times as µs UTC; None where nothing is cold. ``where``: the value that a column
    must have, or a list of them; None: any. Raises ArchiveUnavailable."""
    found = filled(store, tables, kind)
    if found is None:
        return None
    import pyarrow as pa
    import pyarrow.compute as pc

    from engrain.archive.frozen import plain

    wanted = pc.scalar(True)
    for name, value in where.items():
        if value is not None:
            wanted &= pc.field(name).isin(pa.array(value)) if isinstance(value, list) else pc.field(name) == value
    return plain(found.read(kind, list(columns), wanted))


def pieces(table: pa.Table | None) -> Iterator[list[list[Any]]]:
    """The columns of a table, some rows at a time."""
    for piece in table.to_batches(max_chunksize=PIECE) if table is not None else ():
        yield [column.to_pylist() for column in piece.columns]
