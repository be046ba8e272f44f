"""The cold tables: Delta Lake, in a folder or an object store, and the part of them that counts.

What counts of a table is in the hot store: batches up to the last closed one, without the places that are gone. Whoever
changes a table holds the lease ``LEASE`` and keeps to the order of ``archiver``.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

from engrain.archive.layout import SCHEMAS, STATISTICS, batch_of
from engrain.archive.port import Kind
from engrain.errors import ArchiveConflict, ArchiveCorrupt, ArchiveUnavailable, ConfigError
from engrain.store.port import Store

try:
    import deltalake
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.dataset as pads
    from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties
    from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
    from deltalake.schema import Schema
except ImportError as missing:
    raise ConfigError("The archive needs pyarrow, deltalake and duckdb: pip install 'engrain[archive]'.") from missing

T = TypeVar("T")
LEASE = "archive"
LOG = "_delta_log"
GROUP: dict[Kind, int] = {"memories": 8_192, "experiences": 65_536}
"""Rows of a row group. Of memories: what a reader of one agent's rows skips by. Of experiences, which are read to
train, a whole file: each group costs a reader as much as thousands of rows."""
CODED = pa.dictionary(pa.int32(), pa.string())
RETRIES = 3  # of a read whose files were vacuumed away meanwhile
_OPTIONS = {"connect_timeout": "5s", "timeout": "20s", "max_retries": "4", "retry_timeout": "10s"}
"""What an unreachable store may take: less than half a minute. Its address and keys come from the environment."""
# What Arrow's decoders say of a file: as an OSError without a number, as it tells an object store's errors, too.
_DAMAGED = re.compile(
    r"decompression failed|corrupt|deserialize thrift|flatbuffers|unexpected end of stream", re.IGNORECASE
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SAFE = {"aws_conditional_put": "etag"}  # a commit is refused when somebody else has made it


class Standing(NamedTuple):
    """What of a table counts: batches up to ``closed``, but for the places ``gone``; ``rows`` are left."""

    closed: int
    gone: tuple[int, ...]
    rows: int
    bytes: int

    def counts(self) -> pc.Expression:
        """The rows that count."""
        found = pc.field("batch") <= self.closed
        return found & ~pc.field("place").isin(pa.array(self.gone, pa.int64())) if self.gone else found


def standing(store: Store, kind: Kind) -> Standing:
    """What counts now."""
    row = store.read("batch_closed", {"kind": kind})[0]
    gone = tuple(one["place"] for one in store.read("gone_list", {"kind": kind}))
    number = int(row["number"])
    return Standing(number, gone, int(row["n"]) - sum(batch_of(one) <= number for one in gone), int(row["bytes"]))


class Tables:
    """The tables of one home at ``location``: a folder, or a URL such as ``s3://bucket/prefix``; ``owner`` is the id of
    the home, which nobody else's tables have."""

    def __init__(self, store: Store, location: str, owner: str) -> None:
        self._store, self.location, self.owner = store, location.rstrip("/"), owner
        self.remote = "://" in location
        safe = _SAFE if self.location.startswith("s3") else {}
        self._options = {**_OPTIONS, **safe} if self.remote else None

    def path(self, kind: Kind) -> str:
        return f"{self.location}/{kind}"

    def standing(self, kind: Kind) -> Standing:
        return standing(self._store, kind)

    def table(self, kind: Kind) -> DeltaTable | None:
        """The table as it is now; None before anything was archived. Raises ArchiveUnavailable when it cannot be
        reached, is not there although rows were archived, or is of another home."""
        table, name = self._opened(kind)
        if table is None and self.standing(kind).rows:
            table, name = self._opened(kind)  # it may have been made just now
        if table is None:
            if count := self.standing(kind).rows:
                raise ArchiveUnavailable(
                    f"{count:,} rows were archived, but there is no table at {self.path(kind)}. "
                    "The setting archive must name one place wherever this store is used."
                )
            return None
        if name != self._name(kind):
            told = f"{self.path(kind)} is {name or 'a table of somebody else'}, not {self._name(kind)}"
            raise ArchiveUnavailable(f"{told}: give each home its own place.")
        return table

    def _opened(self, kind: Kind) -> tuple[DeltaTable | None, str | None]:
        """A table and its name."""
        with _told(self.path(kind)):
            try:
                table = DeltaTable(self.path(kind), storage_options=self._options)
                return table, table.metadata().name
            except TableNotFoundError:
                return None, None

    def writable(self, kind: Kind) -> DeltaTable | None:
        """The table, with every column of the layout. Raises ArchiveUnavailable when a newer engrain has added others:
        what is written must have them all."""
        table = self.table(kind)
        if table is None:
            return None
        there = {field.name for field in table.schema().fields}
        if unknown := sorted(there - set(SCHEMAS[kind].names)):
            told = f"{self.path(kind)} has columns that this engrain does not know: {', '.join(unknown)}"
            raise ArchiveUnavailable(f"{told}. It can be read, but to archive more, upgrade engrain.")
        if missing := [field for field in SCHEMAS[kind] if field.name not in there]:
            with _told(self.path(kind)):
                table.alter.add_columns(Schema.from_arrow(pa.schema(missing)).fields)
            table = self.table(kind)
        return table

    def number(self, kind: Kind, table: DeltaTable | None) -> int:
        """The number of the last batch that was appended; 0 when none was."""
        return self._transaction(kind, table, self._name(kind)) if table else 0

    def _transaction(self, kind: Kind, table: DeltaTable, name: str) -> int:
        with _told(self.path(kind)):  # it reads the log
            return table.transaction_version(name) or 0

    def rewrites(self, kind: Kind, table: DeltaTable) -> int:
        """How often rows of the table were rewritten."""
        return self._transaction(kind, table, f"{self._name(kind)}/rewrites")

    def append(self, kind: Kind, table: DeltaTable | None, rows: pa.Table, number: int) -> None:
        """Append whole batches, the last of them ``number``, in one commit to the table as it was read. Raises
        ArchiveConflict when somebody else has appended meanwhile; then nothing was."""
        known = [one for one in STATISTICS.split(",") if one in SCHEMAS[kind].names]
        made: Mapping[str, str | None] = {
            "delta.dataSkippingStatsColumns": ",".join(known),
            "delta.logRetentionDuration": "interval 1 days",
            "delta.enableExpiredLogCleanup": "true",
        }
        with self._appending(kind, table):
            if table is None and not self.remote:
                Path(self.path(kind)).mkdir(mode=0o700, parents=True, exist_ok=True)
            deltalake.write_deltalake(
                self.path(kind) if table is None else table,
                rows,
                mode="error" if table is None else "append",
                partition_by=["year", "month"],
                name=self._name(kind) if table is None else None,
                configuration=made if table is None else None,
                storage_options=self._options,
                writer_properties=WriterProperties(
                    compression="ZSTD", compression_level=1, max_row_group_size=GROUP[kind]
                ),
                commit_properties=CommitProperties(app_transactions=[Transaction(self._name(kind), number)]),
            )

    @contextlib.contextmanager
    def _appending(self, kind: Kind, table: DeltaTable | None) -> Iterator[None]:
        """That somebody else has made the table meanwhile is a conflict like any other."""
        with _told(self.path(kind)):
            try:
                yield
            except DeltaError as error:
                if table is None and DeltaTable.is_deltatable(self.path(kind), self._options):
                    raise ArchiveConflict(f"{self.path(kind)}: {_brief(error)}") from error
                raise

    def settle(self, kind: Kind, since: int) -> None:
        """Make what was written from a version of the table on last through a crash of the machine: Delta's own writer
        does not wait for the disk. An object store has it safe before it answers."""
        if self.remote:
            return
        folder = Path(self.path(kind))
        with _told(self.path(kind)):
            written = [path for path in (folder / LOG).iterdir() if not path.stem.isdigit() or int(path.stem) >= since]
            files = {folder / name for path in written if path.suffix == ".json" for name in _added(path)}
            folders = {one for file in (*files, *written) for one in file.parents if one.is_relative_to(folder)}
            for path in (*sorted({*files, *written}), *sorted(folders)):
                _synced(path)

    def batches(
        self, kind: Kind, table: DeltaTable, first: int, last: int, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """All rows of some batches, whether they count or not, in the order of their places where these are asked for.
        For whoever holds ``LEASE``: nobody else replaces files then."""
        where = (pc.field("batch") >= first) & (pc.field("batch") <= last)
        with _told(self.path(kind)):
            try:
                rows = self.dataset(kind, table).to_table(columns=columns and list(columns), filter=where)
            except FileNotFoundError as error:
                raise ArchiveCorrupt(f"{self.path(kind)}: a file of the table is missing: {error}") from error
        if (
            "place" not in rows.column_names
            or pc.all(pc.greater(rows["place"][1:], rows["place"][:-1])).as_py() is not False
        ):
            return rows
        return rows.sort_by("place")

    def read(self, kind: Kind, columns: Sequence[str] | None = None, where: pc.Expression | None = None) -> pa.Table:
        """Rows that count, in no order; none before anything was archived."""

        def once() -> pa.Table:
            standing, table = self.standing(kind), self.table(kind)
            if table is None:
                return SCHEMAS[kind].empty_table().select(columns or SCHEMAS[kind].names)
            wanted = standing.counts() if where is None else standing.counts() & where
            with self.told(kind):
                return self.dataset(kind, table).to_table(columns=columns, filter=wanted)

        return self.unmissed(kind, once)

    def unmissed(self, kind: Kind, read: Callable[[], T]) -> T:
        """What reading a table as it is now gives, once no file is vacuumed away meanwhile. ``read`` is called anew
        when it raises FileNotFoundError. Raises ArchiveCorrupt when a file stays away."""
        for left in reversed(range(RETRIES)):
            try:
                return read()
            except FileNotFoundError as error:
                if not left:
                    raise ArchiveCorrupt(f"{self.path(kind)}: a file of the table is missing: {error}") from error
        raise AssertionError

    def told(self, kind: Kind) -> contextlib.AbstractContextManager[None]:
        """Errors of reading a table's files as ours, but for FileNotFoundError, which ``unmissed`` is for."""
        return _told(self.path(kind))

    def dataset(self, kind: Kind, table: DeltaTable, coded: Collection[str] = ()) -> pads.Dataset:
        """All rows of the table's live files, those that do not count among them, with every column of the layout; the
        columns ``coded``, of texts, by dictionary, as most files have them."""
        how = pads.ParquetReadOptions(dictionary_columns=set(coded))
        with _told(self.path(kind)):
            return table.to_pyarrow_dataset(schema=SCHEMAS[kind], parquet_read_options=how)

    def files(self, kind: Kind, table: DeltaTable) -> list[dict[str, Any]]:
        """What the table's log says of each live file."""
        with _told(self.path(kind)):
            return list(pa.table(table.get_add_actions(flatten=True)).to_pylist())

    def replace(self, kind: Kind, table: DeltaTable, rows: pa.Table, where: str) -> None:
        """Put rows in place of those that ``where`` (SQL over batches of one month) chooses, in one commit. Raises
        ArchiveConflict when somebody else has changed the table since it was read; then nothing was."""
        before = table.version()
        count = Transaction(f"{self._name(kind)}/rewrites", self.rewrites(kind, table) + 1)
        with _told(self.path(kind)):
            deltalake.write_deltalake(
                table,
                rows,
                mode="overwrite",
                predicate=where,
                target_file_size=1 << 40,  # one file, so that its rows stay sorted
                commit_properties=CommitProperties(app_transactions=[count]),
                writer_properties=WriterProperties(
                    compression="ZSTD", compression_level=1, max_row_group_size=GROUP[kind]
                ),
            )
        self.settle(kind, before + 1)

    def vacuum(self, kind: Kind, table: DeltaTable, hours: int) -> int:
        """Delete the files that the table has not needed for so many hours; how many. Whoever read the table before
        and appends to it afterwards is refused, as files of an append that is under way would be deleted as well."""
        found = self.stale(kind, table, hours)
        if not found:
            return 0
        fence = CommitProperties(app_transactions=[Transaction(self._name(kind), self.number(kind, table))])
        with _told(self.path(kind)):
            table.vacuum(hours, dry_run=False, enforce_retention_duration=False, full=True, commit_properties=fence)
            table = DeltaTable(self.path(kind), storage_options=self._options)
            table.create_checkpoint()
            table.cleanup_metadata()
        return len(found)

    def stale(self, kind: Kind, table: DeltaTable, hours: int = 0) -> list[str]:
        """The files, relative to the table, that it has not needed for so many hours, or never had."""
        with _told(self.path(kind)):
            named = table.vacuum(hours, dry_run=True, enforce_retention_duration=False, full=True)
            told = self.dataset(kind, table).filesystem.get_file_info(named)  # those that were deleted before, too
        return [one.path for one in told if one.is_file]

    def _name(self, kind: Kind) -> str:
        return f"engrain/{self.owner}/{kind}"


def _added(log: Path) -> list[str]:
    """The files that a commit added."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [unquote(line["add"]["path"]) for line in lines if "add" in line]


def _synced(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # a log file that was cleaned up meanwhile
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    """Errors of the libraries as ours."""
    try:
        yield
    except FileNotFoundError:
        raise
    except CommitFailedError as error:
        raise ArchiveConflict(f"{path}: {error}") from error
    except (DeltaError, OSError, pa.ArrowException) as error:
        if isinstance(error, pa.ArrowInvalid) or (isinstance(error, OSError) and _DAMAGED.search(str(error))):
            raise ArchiveCorrupt(f"{path}: a file of the table is damaged: {_brief(error)}") from error
        raise ArchiveUnavailable(f"{path}: {_brief(error)}") from error


def _brief(error: Exception) -> str:
    return " ".join(_COLOUR.sub("", str(error)).split())[:500]
