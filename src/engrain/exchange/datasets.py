"""Experiences as data sets for learners elsewhere: one Parquet file, or a folder that Minari reads.

A data set is written beside the place it is to have, and gets its name when it is whole and on the disk.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from engrain.archive.exports import COLUMNS, asked, exported
from engrain.archive.steps import KIND
from engrain.errors import InvalidField, StoreError
from engrain.exchange.episodes import write_episodes
from engrain.store.port import Store
from engrain.version import __version__

if TYPE_CHECKING:
    import duckdb

    from engrain.archive.tables import Tables

VERSION = 1  # of the layout; it rises when a column changes or goes

Counts = dict[str, int]


def export(
    store: Store, tables: Tables | None, whose: Mapping[str, str | None], target: Path, format: str, overwrite: bool
) -> Counts:
    """Write the experiences of a tenant (``whose``: tenant, agent, task_type) to ``target``; how many of what. Raises
    InvalidField when there is something else, StoreError when it cannot be written, ArchiveError."""
    _check(target, format, overwrite)
    about = {"format": "engrain-experiences", "version": VERSION, "code": __version__, **whose}
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", suffix=".part", dir=target.parent) as name:
            draft = Path(name) / target.name

            def write() -> Counts:
                with exported(store, tables, whose, Path(name)) as database:
                    return WRITERS[format](database, draft, about)

            counts = tables.unmissed(KIND, write) if tables else write()
            if target.is_dir() and overwrite:
                target.rename(Path(name) / "before")  # goes with the folder
            draft.replace(target)
    except OSError as error:
        raise StoreError(f"The data set cannot be written: {target}: {error.strerror or error}.") from error
    return counts


def _check(target: Path, format: str, overwrite: bool) -> None:
    if format not in WRITERS:
        raise InvalidField(f"format must be one of {', '.join(WRITERS)}, not {format!r}.")
    if not (target.exists() or target.is_symlink()):
        return
    if not overwrite:
        raise InvalidField(f"{target} exists; choose another name, or say that it is to be overwritten.")
    ours = (target / "data" / "metadata.json").is_file() if format == "minari" else target.is_file()
    if target.is_symlink() or not ours:
        raise InvalidField(f"{target} is not a data set of this format, and is not overwritten.")


def write_parquet(database: duckdb.DuckDBPyConnection, path: Path, about: Mapping[str, Any]) -> Counts:
    """One row an experience; what the columns mean is told in the file."""
    import pyarrow as pa

    fields = [pa.field(name, kind, metadata={"about": told}) for name, (kind, told) in COLUMNS.items()]
    schema = pa.schema(fields, {"engrain": json.dumps(about)})
    rows = 0
    with path.open("xb") as file:
        path.chmod(0o600)
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for batch in asked(database, "from exported"):
                writer.write_batch(batch.cast(schema))
                rows += batch.num_rows
        file.flush()
        os.fsync(file.fileno())
    return {"experiences": rows}


WRITERS: dict[str, Callable[[duckdb.DuckDBPyConnection, Path, Mapping[str, Any]], Counts]] = {
    "parquet": write_parquet,
    "minari": write_episodes,
}
