"""Rows of the cold tables as plain values, without their libraries where nothing is cold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engrain.errors import ArchiveUnavailable
from engrain.store.port import Store

if TYPE_CHECKING:
    from engrain.archive.layout import Kind
    from engrain.archive.tables import Tables

PIECE = 5_000  # rows that are handed on at once
Columns = list[list[Any]]


def pieces(
    store: Store, tables: Callable[[], Tables | None], kind: Kind, columns: Sequence[str], where: Mapping[str, Any]
) -> Iterator[Columns]:
    """Columns of the rows that count, in pieces; times as µs UTC. ``where``: the value that a column must have, or a
    list of them; None: any."""
    if not store.read("batch_closed", {"kind": kind})[0]["n"]:
        return
    import pyarrow as pa
    import pyarrow.compute as pc

    found = tables()
    if found is None:
        raise ArchiveUnavailable('This home has archived rows elsewhere: set "archive" to where they are.')
    wanted = None
    for name, value in where.items():
        if value is not None:
            field = pc.field(name)
            one = field.isin(pa.array(value)) if isinstance(value, list) else field == value
            wanted = one if wanted is None else wanted & one
    table = found.read(kind, list(columns), wanted)
    for piece in table.to_batches(max_chunksize=PIECE):
        yield [
            (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
            for column in piece.columns
        ]
