"""The server engine: PostgreSQL 15 or newer through psycopg 3, no extension needed, row-level security on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString, cast
from weakref import WeakKeyDictionary

from engrain.errors import ConfigError, StoreBusy, StoreClosed, StoreError, StoreFull, StoreReadOnly, StoreUnavailable
from engrain.store.base import BaseStore
from engrain.store.port import Many, Params, Row
from engrain.store.statements import Statement

try:
    import psycopg
    from psycopg import sql
    from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout
except ImportError as missing:
    raise ConfigError("PostgreSQL needs its driver: pip install 'engrain[postgres]'.") from missing

if TYPE_CHECKING:
    from engrain.config import Config

_POOL = 8
_MIGRATION_LOCK = 0x656E677261696E  # "engrain": the advisory lock that one migrating process holds
_CLASSES: dict[str, type[StoreError]] = {
    "55P03": StoreBusy,  # lock_not_available
    "40P01": StoreBusy,  # deadlock_detected
    "40001": StoreBusy,  # serialization_failure
    "0A000": StoreBusy,  # a table was changed by another process's migration; the next attempt is planned anew
    "53100": StoreFull,  # disk_full
    "25006": StoreReadOnly,  # read_only_sql_transaction
    "42501": StoreReadOnly,  # insufficient_privilege
}


class _Row(tuple[Any, ...]):
    """A row by position or by column name."""

    __slots__ = ()
    columns: Mapping[str, int] = {}

    def __getitem__(self, key: Any) -> Any:
        return tuple.__getitem__(self, self.columns[key] if isinstance(key, str) else key)

    def keys(self) -> list[str]:
        return list(self.columns)


def _rows(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], _Row]:
    return _row_class(tuple(column.name for column in cursor.description or ()))


@cache
def _row_class(names: tuple[str, ...]) -> Callable[[Sequence[Any]], _Row]:
    made = type("Row", (_Row,), {"__slots__": (), "columns": {name: i for i, name in enumerate(names)}})
    return cast("Callable[[Sequence[Any]], _Row]", made)


class PostgresStore(BaseStore):
    """A database on a server. Every connection says whose rows it may see before its first statement."""

    engine = "postgres"

    def __init__(self, url: str, config: Config) -> None:
        super().__init__()
        self._url = url
        self._config = config
        self._closed = False
        self._generation = 0  # rises when what connections have prepared does not fit the schema any more
        self._made: WeakKeyDictionary[psycopg.Connection[Any], int] = WeakKeyDictionary()
        self._connect()

    def _connect(self) -> None:
        self._pid = os.getpid()
        try:
            self._pool: ConnectionPool[psycopg.Connection[_Row]] = ConnectionPool(
                self._url,
                min_size=1,
                max_size=_POOL,
                open=False,
                timeout=max(0.1, min(self._config.busy_seconds, 30.0)),
                reconnect_timeout=5.0,
                kwargs={"autocommit": True, "row_factory": _rows, "application_name": "engrain"},
                configure=self._configure,
            )
            # One plain connection first: the pool would hide why the server cannot be reached behind a time-out.
            psycopg.connect(self._url, connect_timeout=10).close()
            self._pool.open(wait=True, timeout=30.0)
        except (psycopg.Error, PoolTimeout) as error:
            raise StoreUnavailable(f"{self._place()}: {str(error).strip()}.") from error

    def _place(self) -> str:
        info = psycopg.conninfo.conninfo_to_dict(self._url)
        return f"{info.get('host', 'localhost')}/{info.get('dbname', '')}"

    def _configure(self, connection: psycopg.Connection[Any]) -> None:
        milliseconds = max(1, int(self._config.busy_seconds * 1000))  # 0 would wait for ever
        level = "on" if self._config.synchronous == "FULL" else "off"
        connection.execute(f"set lock_timeout = {milliseconds}")
        connection.execute(f"set synchronous_commit = {level}")
        self._made[connection] = self._generation

    # -- connections ------------------------------------------------------------------------------------------------

    @contextmanager
    def _begun(self, opening: sql.Composed) -> Iterator[psycopg.Connection[_Row]]:
        """A connection on which ``opening`` has run. A connection that the server has dropped meanwhile is found by
        this first statement, before any work, and replaced."""
        if self._closed:
            raise StoreClosed
        if self._pid != os.getpid():
            _ORPHANS.append(self._pool)  # the parent still talks over these connections
            self._connect()
        for attempt in range(_POOL + 1):
            try:
                connection = self._pool.getconn()
            except PoolClosed as error:
                raise StoreClosed from error
            except PoolTimeout as error:
                raise StoreUnavailable(f"{self._place()}: no connection to the server ({error}).") from error
            try:
                if self._made.get(connection) != self._generation:
                    connection.close()
                connection.execute(opening)
            except psycopg.OperationalError as error:
                self._pool.putconn(connection)
                if attempt == _POOL:
                    raise self._error(error) from error
                continue
            except BaseException:
                self._pool.putconn(connection)
                raise
            try:
                yield connection
            except psycopg.errors.FeatureNotSupported:  # "cached plan must not change result type"
                self._generation += 1
                raise
            finally:
                self._pool.putconn(connection)
            return

    def _error(self, error: psycopg.Error) -> StoreError:
        found = _CLASSES.get(error.sqlstate or "")
        if found is None and (
            isinstance(error, psycopg.OperationalError)
            and (error.sqlstate is None or error.sqlstate[:2] in ("08", "57"))
        ):
            found = StoreUnavailable
        return (found or StoreError)(f"{self._place()}: {str(error).strip()}.")

    # -- statements -------------------------------------------------------------------------------------------------

    def read(self, name: str, params: Params = {}) -> list[Row]:  # noqa: B006
        statement = self._statement(name)
        text, values = statement.named(params)
        tenant = "*" if statement.admin else str(params["tenant"])
        opening = sql.SQL("select set_config('engrain.tenant', {}, false)").format(sql.Literal(tenant))
        for last in (False, True):
            try:
                with self._begun(opening) as connection:
                    return cast("list[Row]", connection.execute(text, values).fetchall())
            except psycopg.errors.FeatureNotSupported as error:
                if last:
                    raise self._error(error) from error
            except psycopg.Error as error:
                raise self._error(error) from error
        raise AssertionError("the last attempt returns or raises")

    def transaction(self, tenant: str, reading: bool = False) -> AbstractContextManager[PostgresTransaction]:
        return self._transaction(tenant, "repeatable read read only" if reading else "read committed")

    @contextmanager
    def _transaction(self, tenant: str, level: LiteralString) -> Iterator[PostgresTransaction]:
        begin = "begin isolation level {}; select set_config('engrain.tenant', {}, true)"
        opening = sql.SQL(begin).format(sql.SQL(level), sql.Literal(tenant))
        try:
            with self._begun(opening) as connection:
                try:
                    yield PostgresTransaction(connection, self._statement)
                    connection.execute("commit")
                except BaseException:
                    if not connection.broken:
                        connection.execute("rollback")
                    raise
        except psycopg.Error as error:
            raise self._error(error) from error

    # -- schema -----------------------------------------------------------------------------------------------------

    def _has_schema(self) -> bool:
        return self._raw("select to_regclass('schema_migrations') as found")[0]["found"] is not None

    def _raw(self, text: str) -> list[Row]:
        try:
            with self._begun(sql.Composed([sql.SQL("select 1")])) as connection:
                return cast("list[Row]", connection.execute(text).fetchall())
        except psycopg.Error as error:
            raise self._error(error) from error

    @contextmanager
    def _schema_transaction(self) -> Iterator[Callable[[str, Sequence[Any]], list[Row]]]:
        with self.transaction("*") as tx:
            tx.connection.execute("select pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))

            def execute(text: str, values: Sequence[Any]) -> list[Row]:
                cursor = tx.connection.execute(text, values or None)
                return cast("list[Row]", cursor.fetchall() if cursor.description else [])

            yield execute

    def _record(self) -> str:
        return "insert into schema_migrations (version, name, checksum, applied_at) values (%s, %s, %s, now()::text)"

    def _unrecord(self) -> str:
        return "delete from schema_migrations where version = %s"

    def _before_migration(self, version: int) -> None:
        """The server's own backups cover it: a client cannot make a consistent copy of a server."""

    def explain(self, name: str) -> str:
        statement = self._statement(name)
        text, _ = statement.named(dict.fromkeys(statement.parameters))
        values = dict.fromkeys(statement.parameters)
        try:
            with self._begun(sql.Composed([sql.SQL("select set_config('engrain.tenant', '*', false)")])) as connection:
                rows = connection.execute(f"explain {text}", values).fetchall()
        except psycopg.Error as error:
            raise self._error(error) from error
        return "\n".join(str(row[0]) for row in rows)

    # -- administration ---------------------------------------------------------------------------------------------

    def check(self) -> list[str]:
        """What the server lets a plain role see: whether its own indexes and constraints are valid."""
        rows = self._raw(
            "select c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid "
            "where not i.indisvalid and pg_table_is_visible(c.oid)"
        )
        problems = [f"index {row['name']} is not valid: reindex it" for row in rows]
        role = self._raw(
            "select rolname as name from pg_roles where rolname = current_user and (rolsuper or rolbypassrls)"
        )
        return problems + [
            f"row-level security does not bind the role {row['name']}: connect as a plain role, neither superuser nor "
            "bypassrls"
            for row in role
        ]

    def backup(self, path: Path) -> None:
        raise StoreError(
            f"{path} was not written: back a PostgreSQL store up with pg_dump, which copies it consistently."
        )

    def scrub(self) -> None:
        """Nothing: dead rows leave a server's files with its own vacuum, its log with its own archiving."""

    def describe(self) -> Mapping[str, Any]:
        version = self._raw("show server_version")[0][0]
        size = self._raw(
            "select coalesce(sum(pg_total_relation_size(c.oid)), 0) as n from pg_class c "
            "where c.relkind = 'r' and pg_table_is_visible(c.oid) and c.relnamespace = current_schema()::regnamespace"
        )[0]["n"]
        return {"engine": f"PostgreSQL {version}", "location": self._place(), "bytes": int(size)}

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            if self._pid == os.getpid():
                self._pool.close()


_ORPHANS: list[ConnectionPool[psycopg.Connection[_Row]]] = []  # kept so that a forked child never closes them


class PostgresTransaction:
    """Statements inside one transaction."""

    def __init__(self, connection: psycopg.Connection[_Row], find: Callable[[str], Statement]) -> None:
        self.connection = connection
        self._find = find

    def read(self, name: str, params: Params = {}) -> list[Row]:  # noqa: B006
        text, values = self._find(name).named(params)
        return cast("list[Row]", self.connection.execute(text, values).fetchall())

    def run(self, name: str, params: Params = {}) -> int:  # noqa: B006
        text, values = self._find(name).named(params)
        return self.connection.execute(text, values).rowcount

    def run_many(self, name: str, many: Many) -> None:
        if many:
            statement = self._find(name)
            text, _ = statement.named(dict.fromkeys(statement.parameters))
            rows = [
                row if isinstance(row, Mapping) else dict(zip(statement.parameters, row, strict=True)) for row in many
            ]
            with self.connection.cursor() as cursor:
                cursor.executemany(text, rows)
