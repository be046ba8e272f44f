"""Waiting for the write lock. SQLite itself asks for it ever more seldom, in the end ten times a second, and so may
miss it for long while somebody does much in short pieces; here it is asked for every millisecond."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

EVERY = 0.001  # seconds


def patient(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The connection that writes: the waiting is left to ``begin``."""
    connection.execute("pragma busy_timeout = 0")
    return connection


def begin(connection: sqlite3.Connection, seconds: float) -> None:
    """Take the write lock within so many seconds. Raises sqlite3.OperationalError."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection.execute("begin immediate")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
        time.sleep(EVERY)


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """One state of the store for all reads: a copy would begin anew with every write of another process."""
    connection.execute("pragma query_only = on")
    connection.execute("begin")
    try:
        connection.execute("select 1 from sqlite_master limit 1").fetchone()
        yield
    finally:
        if connection.in_transaction:
            connection.execute("rollback")
        connection.execute("pragma query_only = off")
