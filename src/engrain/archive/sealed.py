"""Where SQL over the archive runs: a process of its own, bounded in memory and killed when it takes too long.

``python -m engrain.archive.sealed`` answers one query at a time; ``analyst`` is the other end. The database opens no
file and no connection: it reads rows that are handed to it, and only those that whoever asks may see. Some of its
functions take memory that it does not count, and cannot be interrupted; hence the process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from engrain.archive.frames import TIME, Closed, Frames, Late
from engrain.archive.grammar import check, told
from engrain.archive.layout import SCHEMAS
from engrain.archive.live import stream
from engrain.archive.port import Kind
from engrain.archive.tables import Standing, Tables
from engrain.archive.views import ALIASES, COLD, columns_of
from engrain.errors import EngrainError, QueryRefused
from engrain.store.port import Store

IDLE = 300.0  # seconds without a question, after which the process ends
ROWS = 16_384  # of a batch
TOLD = 0.2  # seconds between two words about progress
SHARE = 0.6  # of the memory is the database's; the rest is for what it does not count, and for rows on their way
ROOM = 256 << 20  # bytes for its threads, which take less than they ask for
HELD = 256 << 20  # bytes that may be left behind by a query; beyond that the process ends, and a new one is started


class _Told(Tables):
    """The tables, with the standing that this process was told."""

    def __init__(self, location: str, owner: str, standings: Mapping[str, Standing]) -> None:
        super().__init__(cast(Store, None), location, owner)
        self.standings = standings

    def standing(self, kind: Kind) -> Standing:
        return self.standings[kind]


class _Rows(pads.InMemoryDataset):  # type: ignore[misc]
    """A dataset as the database sees it: rows that count and may be seen, and columns without those inside."""

    def __init__(self, schema: pa.Schema, inside: pads.Dataset, where: pc.Expression | None, watch: _Watch) -> None:
        super().__init__([], schema=schema)
        self._inside, self._where, self._watch = inside, where, watch

    def scanner(self, columns: Sequence[str] | None = None, filter: pc.Expression | None = None, **_: Any) -> _Scanner:
        """What the database calls to read."""
        both = [one for one in (self._where, filter) if one is not None]
        found = self._inside.scanner(
            columns=list(self.schema.names if columns is None else columns),
            filter=both[0] & both[1] if len(both) > 1 else both[0] if both else None,
            batch_size=ROWS,
            batch_readahead=4,
            fragment_readahead=2,
        )
        return _Scanner(found, self._watch)


class _Scanner:
    def __init__(self, scanner: pads.Scanner, watch: _Watch) -> None:
        self._scanner, self._watch = scanner, watch

    def to_reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self._scanner.projected_schema, self._watch.over(self._scanner))


class _Watch:
    """How far the reading is, and what went wrong with it."""

    def __init__(self, frames: Frames) -> None:
        self._frames, self._at = frames, time.monotonic()
        self.total, self._seen = 0, set[str]()
        self.failure: BaseException | None = None

    def over(self, scanner: pads.Scanner) -> Iterator[pa.RecordBatch]:
        try:
            for one in scanner.scan_batches():
                self._seen.add(one.fragment.path)
                if (now := time.monotonic()) > self._at + TOLD:
                    self._at = now
                    self._frames.send("p", json.dumps([len(self._seen), self.total]).encode())
                if one.record_batch.num_rows:
                    yield one.record_batch
        except (OSError, pa.ArrowException, MemoryError) as error:
            self.failure = error
            raise


class _Known(NamedTuple):
    """A table as it was last read, whose files keep what is known of them."""

    path: str
    table: DeltaTable
    version: int
    dataset: pads.Dataset
    last: int


class Sealed:
    """The process."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._live: dict[str, pa.Table] = {}
        self._known: dict[str, _Known] = {}
        self._next = _sealed()  # made before it is asked for: that takes as long as a quick query
        self._used, self._held = _pages(5), _pages(1)

    def run(self) -> None:
        """Answer until nobody asks any more."""
        self._frames.send("h")
        while True:
            letter, payload = self._frames.receive(IDLE)
            if letter == "t":
                name, _, rows = payload.partition(b"\n")
                self._live[name.decode()] = pa.ipc.open_stream(rows).read_all()
                continue
            try:
                self._answer(json.loads(payload, object_hook=_moment))
            except Closed:
                raise
            except BaseException as error:  # noqa: BLE001 (told to whoever asked)
                self._fail(error)
            self._live = {}
            if _pages(1) > self._held + HELD:
                return
            self._next = _sealed()

    def _answer(self, asked: Mapping[str, Any]) -> None:
        megabytes = int(asked["megabytes"])
        if self._used:
            _bound(self._used + (megabytes << 20) + ROOM)
        watch = _Watch(self._frames)
        try:
            with contextlib.closing(self._next) as database:
                self._prepare(database, asked, watch)
                check(database, asked["statement"], columns_of())
                self._send(database, asked, megabytes << 20)
        except duckdb.Error as error:
            if watch.failure is not None:
                raise watch.failure from error
            raise
        except OSError as error:  # how the reader of a result tells what the database said
            raise watch.failure or error from error

    def _prepare(self, database: duckdb.DuckDBPyConnection, asked: Mapping[str, Any], watch: _Watch) -> None:
        """Give it its limits and its tables, and lock it."""
        database.execute(f"set memory_limit = '{int(asked['megabytes'] * SHARE)}MB'")
        database.execute(f"set max_execution_time = {int(asked['seconds'] * 1000)}")
        for name, table in self._live.items():
            database.register(name, table)
        standings = {kind: Standing(*found) for kind, found in asked["standings"].items()}
        tables = _Told(asked["location"], asked["owner"], standings)
        for name, kind in COLD.items():
            if kind in standings:
                self._register(database, name, kind, tables, asked["whose"], watch)
        database.execute("set lock_configuration = true")

    def _register(
        self, database: duckdb.DuckDBPyConnection, name: str, kind: Kind, tables: _Told, whose: Any, watch: _Watch
    ) -> None:
        inside, last = self._dataset(kind, tables)
        shown = [one for one in columns_of()[name] if one in SCHEMAS[kind].names]
        standing = tables.standing(kind)
        where = None if last <= standing.closed and not standing.gone else standing.counts()
        mine = visible(kind, whose)
        where = mine if where is None else where if mine is None else mine & where
        watch.total += len(list(inside.get_fragments())) if isinstance(inside, pads.FileSystemDataset) else 1
        rows = _Rows(pa.schema([SCHEMAS[kind].field(one) for one in shown]), inside, where, watch)
        database.register(f"_{name}", rows)
        parts = [*shown, *(f"{column} as {alias}" for alias, column in ALIASES.get(name, {}).items())]
        database.execute(f"create temp view {name} as select {', '.join(parts)} from _{name}")  # noqa: S608 (names of ours)

    def _dataset(self, kind: Kind, tables: _Told) -> tuple[pads.Dataset, int]:
        """The rows of a table, and the number of its last batch."""
        if not tables.standing(kind).closed:
            return pads.dataset(SCHEMAS[kind].empty_table()), 0
        path, known = tables.path(kind), self._known.pop(kind, None)
        table = None
        if known is not None and known.path == path:
            with contextlib.suppress(DeltaError, OSError):  # then it is opened anew, which says what is wrong with it
                known.table.update_incremental()
                table = known.table
        if known is None or table is None or table.version() != known.version:
            table = tables.table(kind)
            if table is None:
                return pads.dataset(SCHEMAS[kind].empty_table()), 0
            known = _Known(path, table, table.version(), tables.dataset(kind, table), tables.number(kind, table))
        self._known[kind] = known
        return known.dataset, known.last

    def _send(self, database: duckdb.DuckDBPyConnection, asked: Mapping[str, Any], most: int) -> None:
        found = database.sql(asked["statement"], params=asked["parameters"])
        sent = 0
        with contextlib.closing(found.to_arrow_reader(ROWS)) as reader:
            if odd := next((one.name for one in reader.schema if "_union<" in str(one.type)), None):
                raise QueryRefused(f"{odd!r} has values of several types: cast them to text.")
            self._frames.send("r", stream(reader.schema.empty_table()))
            for batch in reader:
                sent += batch.nbytes
                if sent > most:
                    raise MemoryError(f"the result has more than {most >> 20:,} MB")
                self._frames.send("r", stream(batch))
        self._frames.send("d", b"")

    def _fail(self, error: BaseException) -> None:
        """Tell what went wrong: ``limit``, ``late``, ``stale``, ``unreachable``, ``refused`` or ``fault``, and how."""
        text = told(error)
        lowered = text.lower()
        what = "fault"
        if isinstance(error, MemoryError | duckdb.OutOfMemoryException | pa.ArrowMemoryError) or any(
            one in lowered
            for one in ("out of memory", "bad allocation", "bad_alloc", "allocation failure", "memoryerror")
        ):
            what = "limit"
        elif "maximum execution time" in lowered or "interrupt error" in lowered:
            what = "late"
        elif isinstance(error, FileNotFoundError):
            what = "stale"
            self._known = {}
        elif isinstance(error, EngrainError):
            what, text = f"!{type(error).__name__}", error.detail
        elif isinstance(error, duckdb.Error | UnicodeError):
            what = "refused"
        elif isinstance(error, OSError | pa.ArrowException):
            what = "refused" if " Error: " in text else "unreachable"
        if what == "fault":
            text = "".join(traceback.format_exception(error))[-4000:]
        self._frames.send("e", json.dumps([what, text]).encode())


def _sealed() -> duckdb.DuckDBPyConnection:
    """A database without a way out."""
    database = duckdb.connect(
        ":memory:",
        config={
            "enable_external_access": False,
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
            "python_enable_replacements": False,
            "temp_directory": "",
            "threads": min(4, os.cpu_count() or 1),
        },
    )
    database.execute("set timezone = 'UTC'")
    return database


def visible(kind: Kind, whose: Sequence[Any] | None) -> pc.Expression | None:
    """The rows that an agent may see, given as [tenant, agent, team]: its own, and memories of its tenant that are
    public, or its team's. None: all are to be seen."""
    if whose is None:
        return None
    tenant, agent, team = whose
    mine = pc.field("agent") == agent
    if kind == "memories":
        shown = pc.field("visibility") == "public"
        mates = pc.field("agent").isin(pa.array(team, pa.string()))
        mine = mine | shown | ((pc.field("visibility") == "team") & mates)
    return (pc.field("tenant") == tenant) & mine


def _moment(value: dict[str, Any]) -> Any:
    return datetime.fromisoformat(value[TIME]) if TIME in value else value


def _pages(column: int) -> int:
    """Bytes that this process has of memory of its own (5), or of memory that is there (1); 0 where none can tell."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[column]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _bound(most: int) -> None:
    """No more memory than that, where the system can see to it."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (most, resource.RLIM_INFINITY))


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asked is interrupted, and ends this process
    with contextlib.suppress(Closed, Late):
        Sealed(Frames(0, 1)).run()
    os._exit(0)


if __name__ == "__main__":
    main()
