"""What SQLite refuses, in the words and classes of engrain."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from engrain.errors import (
    StoreBusy,
    StoreClosed,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreUnavailable,
)

_CLASSES: dict[int, type[StoreError]] = {
    sqlite3.SQLITE_BUSY: StoreBusy,
    sqlite3.SQLITE_LOCKED: StoreBusy,
    sqlite3.SQLITE_PROTOCOL: StoreBusy,
    sqlite3.SQLITE_READONLY: StoreReadOnly,
    sqlite3.SQLITE_PERM: StoreReadOnly,
    sqlite3.SQLITE_FULL: StoreFull,
    sqlite3.SQLITE_IOERR_WRITE: StoreFull,
    sqlite3.SQLITE_CORRUPT: StoreCorrupt,
    sqlite3.SQLITE_NOTADB: StoreCorrupt,
    sqlite3.SQLITE_CANTOPEN: StoreUnavailable,
}


FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What the driver raises. The second when SQLite's own message quotes damaged bytes."""


def told(error: sqlite3.Error | UnicodeDecodeError, path: Path, closed: bool) -> StoreError:
    """The error for whoever uses the store at ``path``, with what to do."""
    if isinstance(error, UnicodeDecodeError):
        return StoreCorrupt(f"{path}: SQLite's own words about it are not text. Restore a backup.")
    code = getattr(error, "sqlite_errorcode", 0)
    found = _CLASSES.get(code) or _CLASSES.get(code & 0xFF)
    text = str(error)
    if found is StoreCorrupt:
        return StoreCorrupt(f"{path}: {text}. Restore a backup, or salvage with the sqlite3 shell's .recover.")
    if found is StoreReadOnly:
        return StoreReadOnly(f"{path}: {text}. Make the file and its folder writable for this user.")
    if found is StoreUnavailable and path.parent.exists() and not os.access(path.parent, os.W_OK):
        return StoreReadOnly(f"{path.parent} cannot be written by this user.")
    if found is None and isinstance(error, sqlite3.ProgrammingError) and closed:
        return StoreClosed()
    return (found or StoreError)(f"{path}: {text}.")
