"""The embedded engine: one file in WAL mode, one writer at a time in each process, any number of processes."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from engrain.errors import StoreClosed, StoreCorrupt, StoreError, StoreFull, StoreUnavailable
from engrain.store import forks
from engrain.store.base import BaseStore
from engrain.store.filesystem import refuse_network_folder, settle
from engrain.store.port import Many, Params, Row
from engrain.store.sqlite_errors import FAILURES, told
from engrain.store.sqlite_turns import begin, patient, snapshot
from engrain.store.statements import Statement

if TYPE_CHECKING:
    from engrain.config import Config

FILE = "engrain.db"
APPLICATION = 0x656E6772  # "engr": what `file` and other tools know the store by
_STATEMENTS = 512  # kept parsed by a connection: all there are, each with a few lengths of its lists
_SCRUB_SECONDS = 0.2  # a scrub holds the write lock while it waits for readers, so it waits for the short ones only


class SqliteStore(BaseStore):
    """A home's ``engrain.db``."""

    engine = "sqlite"

    def __init__(self, home: Path, config: Config) -> None:
        super().__init__()
        self._path = home / FILE
        self._config = config
        self._lock = threading.RLock()
        self._door = threading.RLock()
        self._gate = threading.Condition(self._door)
        self._reading = 0
        self._forking: int | None = None  # the thread that is about to fork
        self._writer: sqlite3.Connection | None = None
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._unscrubbed = False
        self._pid = os.getpid()
        refuse_network_folder(home)
        forks.watch(self)
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._lock, self._translated():
                self._found_or_made()
                self._identity = self._path.stat()
                self._unscrubbed = self._log_is_filled()  # emptied after the first write: opening waits for no disk
                self._idle.append(self._connect())
        except OSError as error:
            raise StoreUnavailable(f"{home}: {error.strerror}.") from error

    def _found_or_made(self) -> None:
        """A new store gets its name when it is whole, so an empty file is damage and not a new home, and a log whose
        store is gone is not played into another one."""
        if self._path.exists():
            if self._path.stat().st_size == 0:
                raise StoreCorrupt(f"{self._path} is empty. Restore a backup, or delete the file to begin anew.")
            return
        log = self._path.with_name(f"{FILE}-wal")
        if log.exists() and log.stat().st_size and not self._path.exists():
            raise StoreCorrupt(f"{self._path} is gone but {log.name} is there. Restore both, or delete the log.")
        draft = self._path.with_name(f".{FILE}-{os.getpid()}-{threading.get_ident()}")
        connection = sqlite3.connect(draft, isolation_level=None)
        try:
            connection.execute(f"pragma application_id = {APPLICATION}")  # writes the first page, or says why it cannot
            connection.execute("pragma journal_mode = wal")
            connection.close()
            with suppress(OSError):  # another process was faster; or there are no links, then connecting makes the file
                os.link(draft, self._path)
        finally:
            connection.close()
            draft.unlink(missing_ok=True)

    # -- connections ------------------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        """A connection in WAL mode. Turning a new file to WAL answers "locked" at once instead of waiting, so many
        processes that start together try again here."""
        deadline = time.monotonic() + self._config.busy_seconds
        while True:
            connection = sqlite3.connect(
                self._path,
                timeout=self._config.busy_seconds,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=_STATEMENTS,
            )
            try:
                connection.row_factory = sqlite3.Row
                connection.execute("pragma journal_mode = wal")
                connection.execute(f"pragma synchronous = {self._config.synchronous}")
                connection.execute("pragma foreign_keys = on")
                connection.execute("pragma secure_delete = on")
                connection.execute("pragma cache_size = -16384")
                return connection
            except FAILURES as error:
                connection.close()
                code = getattr(error, "sqlite_errorcode", 0)
                busy = code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL)
                moved = code == sqlite3.SQLITE_READONLY_DBMOVED  # a backup took its place while we waited for it
                if not (busy or moved) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreClosed
        if self._pid != os.getpid():
            self._begin_afresh()  # forked without Python's hooks

    def _lent(self) -> sqlite3.Connection:
        """A connection to read with, to be given back by ``_back``. No fork begins before it is back."""
        self._check_open()
        with self._door:
            while self._forking not in (None, threading.get_ident()):
                self._gate.wait()
            self._reading += 1
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return self._connect()
        except BaseException:
            self._back(None)
            raise

    def _back(self, connection: sqlite3.Connection | None) -> None:
        if connection is not None:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)
        with self._door:
            self._reading -= 1
            if self._forking is not None:
                self._gate.notify_all()

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        connection = self._lent()
        try:
            yield connection
        finally:
            self._back(connection)

    # -- forks ------------------------------------------------------------------------------------------------------
    # SQLite keeps a process's file locks in its memory, by file. A child that inherits any of them believes that it
    # holds what only its parent holds: a write lock nobody will ever give back, or the shared lock that keeps the log
    # from being deleted under it. So no connection is open, and no thread inside SQLite, while a process forks.

    def still(self) -> None:
        """Waits for the statements of other threads (no longer than a write waits), then closes every connection and
        keeps threads out until ``resume``. A transaction the forking thread itself is in stays open: the parent goes
        on with it, and the child cannot write."""
        seconds = self._config.busy_seconds
        if not self._lock.acquire(timeout=seconds):
            return
        self._gate.acquire()
        self._forking = threading.get_ident()
        idle = self._gate.wait_for(lambda: self._reading == 0, timeout=seconds)
        if idle and not (self._writer is not None and self._writer.in_transaction):
            self._close_connections()

    def resume(self) -> None:
        """After a fork: the parent lets its threads go on, the child begins afresh."""
        if self._pid != os.getpid():
            self._begin_afresh()
        elif self._forking == threading.get_ident():
            self._forking = None
            self._gate.notify_all()
            self._gate.release()
            self._lock.release()

    def _begin_afresh(self) -> None:
        """A connection that is left must not be used, nor closed, on the other side of a fork."""
        _ORPHANS.extend([*self._idle, *([self._writer] if self._writer else [])])
        self._idle, self._writer, self._reading, self._forking = [], None, 0, None
        self._lock, self._door, self._pid = threading.RLock(), threading.RLock(), os.getpid()
        self._gate = threading.Condition(self._door)

    def _close_connections(self) -> None:
        while self._idle:
            self._idle.pop().close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            raise self._error(error) from error

    def _error(self, error: sqlite3.Error | UnicodeDecodeError) -> StoreError:
        return told(error, self._path, self._closed)

    # -- statements -------------------------------------------------------------------------------------------------

    def read(self, name: str, params: Params = {}) -> list[Row]:  # noqa: B006
        text, values = self._statement(name).placed(params)
        connection = self._lent()  # without a context manager: it would be a tenth of a short read
        try:
            return cast("list[Row]", connection.execute(text, values).fetchall())
        except FAILURES as error:
            raise self._error(error) from error
        finally:
            self._back(connection)

    @contextmanager
    def transaction(self, tenant: str, reading: bool = False) -> Iterator[SqliteTransaction]:
        del tenant  # the predicates of the statements do the work here; there is no row-level security to tell
        self._check_open()
        if reading:
            with self._reader() as connection, self._translated(), snapshot(connection):
                yield SqliteTransaction(connection, self._statement)
            return
        with self._lock:
            self._check_open()
            try:
                if self._writer is None:
                    self._writer = patient(self._connect())
                connection = self._writer
                begin(connection, self._config.busy_seconds)
                try:
                    yield SqliteTransaction(connection, self._statement)
                    connection.execute("commit")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("rollback")
                    raise
                if self._unscrubbed:
                    self._scrub_quietly(connection)
            except FAILURES as error:
                raise self._error(error) from error

    # -- schema -----------------------------------------------------------------------------------------------------

    def _has_schema(self) -> bool:
        return bool(self._raw("select 1 from sqlite_master where type = 'table' and name = 'schema_migrations'"))

    def _raw(self, text: str) -> list[Row]:
        with self._reader() as connection, self._translated():
            return cast("list[Row]", connection.execute(text).fetchall())

    @contextmanager
    def _schema_transaction(self) -> Iterator[Callable[[str, Sequence[Any]], list[Row]]]:
        with self.transaction("*") as tx:
            yield lambda text, values: cast("list[Row]", tx.connection.execute(text, values).fetchall())

    def _record(self) -> str:
        return "insert into schema_migrations (version, name, checksum, applied_at) values (?, ?, ?, datetime('now'))"

    def _unrecord(self) -> str:
        return "delete from schema_migrations where version = ?"

    def _before_migration(self, version: int) -> None:
        folder = self._path.parent / "backups"
        folder.mkdir(mode=0o700, exist_ok=True)
        number = sum(1 for _ in folder.glob(f"before-migration-from-{version}*")) + 1
        self.backup(folder / f"before-migration-from-{version}-{number}-{os.getpid()}.db")

    def explain(self, name: str) -> str:
        statement = self._statement(name)
        text, values = statement.placed(dict.fromkeys(statement.parameters))
        with self._reader() as connection, self._translated():
            connection.execute("select 1 from sqlite_master limit 1").fetchall()  # else it trusts an old schema
            rows = connection.execute(f"explain query plan {text}", values).fetchall()
        return "\n".join(str(row["detail"]) for row in rows)

    # -- administration ---------------------------------------------------------------------------------------------

    def check(self) -> list[str]:
        try:
            problems = [str(row[0]) for row in self._raw("pragma integrity_check") if row[0] != "ok"]
            dangling = self._raw("pragma foreign_key_check")
        except StoreCorrupt as error:
            return [error.detail]
        return problems + [f"{row[0]} row {row[1]} refers to a missing {row[2]}" for row in dangling]

    def backup(self, path: Path) -> None:
        """The copy gets its name when it is whole and verified: a crash leaves no half one that looks like a backup."""
        if path.exists():
            raise StoreError(f"{path} exists; a backup never overwrites. Choose another name.")
        draft = path.with_name(f"{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.unlink(missing_ok=True)
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            try:
                self._copy(draft)
                draft.rename(path)
                settle(path.parent)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"The backup cannot be written: {path}: {error.strerror}.") from error
        except StoreFull as error:
            raise StoreFull(f"The backup {path} was not made.") from error

    def _copy(self, path: Path) -> None:
        target = sqlite3.connect(path, isolation_level=None)
        try:
            with self._reader() as connection, self._translated(), snapshot(connection):
                connection.backup(target, pages=4096, sleep=0)
                target.execute("pragma journal_mode = delete")
                found = target.execute("pragma quick_check").fetchone()[0]
        finally:
            target.close()
        if found != "ok":
            raise StoreCorrupt(f"The copy does not verify: {found}.")

    def scrub(self) -> None:
        """Deleted pages are zeroed by secure_delete; here the write-ahead log, which still holds them, is emptied, or
        while somebody reads an old snapshot, after each write, when this is closed, or when the home is opened next."""
        self._check_open()
        with self._lock, self._translated():
            self._unscrubbed = True
            if self._writer is None:
                self._writer = patient(self._connect())
            if not self._writer.in_transaction:
                self._unscrubbed = not self._log_emptied(self._writer, _SCRUB_SECONDS)

    def _scrub_quietly(self, connection: sqlite3.Connection) -> None:
        """One attempt that waits for nobody. The write it follows has succeeded and is not to fail by it; a store
        that is truly damaged or full says so at its next statement."""
        self._unscrubbed = True
        with suppress(*FAILURES):
            self._unscrubbed = not self._log_emptied(connection, 0)

    def _log_emptied(self, connection: sqlite3.Connection, seconds: float) -> bool:
        connection.execute(f"pragma busy_timeout = {int(seconds * 1000)}")
        try:
            return bool(connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0] == 0)
        finally:
            rest = 0 if connection is self._writer else int(self._config.busy_seconds * 1000)
            connection.execute(f"pragma busy_timeout = {rest}")

    def _log_is_filled(self) -> bool:
        """True if a log was left: by a process that is at work, or one that died between a deletion and its scrub."""
        try:
            return self._path.with_name(f"{FILE}-wal").stat().st_size > 0
        except FileNotFoundError:
            return False

    def in_place(self) -> bool:
        try:
            return os.path.samestat(self._identity, self._path.stat())
        except (FileNotFoundError, NotADirectoryError):
            return False

    def describe(self) -> Mapping[str, Any]:
        names = (self._path, *(self._path.with_name(self._path.name + end) for end in ("-wal", "-shm")))
        size = sum(path.stat().st_size for path in names if path.exists())
        return {"engine": f"SQLite {sqlite3.sqlite_version}", "location": str(self._path), "bytes": size}

    def close(self) -> None:
        if self._pid != os.getpid():
            return
        with self._lock:
            for connection in [one for one in (self._writer, *self._idle) if one and self._unscrubbed][:1]:
                self._scrub_quietly(connection)
            self._closed = True
            self._close_connections()


_ORPHANS: list[sqlite3.Connection] = []  # kept so that a forked child never closes its parent's connections


class SqliteTransaction:
    """Statements inside ``begin immediate``."""

    def __init__(self, connection: sqlite3.Connection, find: Callable[[str], Statement]) -> None:
        self.connection = connection
        self._cursor = connection.cursor()
        self._find = find

    def read(self, name: str, params: Params = {}) -> list[Row]:  # noqa: B006
        return cast("list[Row]", self._cursor.execute(*self._find(name).placed(params)).fetchall())

    def run(self, name: str, params: Params = {}) -> int:  # noqa: B006
        return self._cursor.execute(*self._find(name).placed(params)).rowcount

    def run_many(self, name: str, many: Many) -> None:
        if many:
            statement = self._find(name)
            self._cursor.executemany(statement.plain, statement.rows(many))
