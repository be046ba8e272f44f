"""A backup in place of an embedded store: verified first, swapped in one step, and what it replaces is kept."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engrain.errors import InvalidField, StoreBusy, StoreCorrupt, StoreError
from engrain.store.base import verify
from engrain.store.filesystem import refuse_network_folder, settle
from engrain.store.sqlite import APPLICATION, FILE
from engrain.store.sqlite_errors import FAILURES, told

_LOGS = ("-wal", "-journal")
_SECONDS = 2.0  # a command that is about to end may have the store open
_LOCKS = (0x40000000, 512)  # the bytes of a file by whose locks its users know of each other: sqlite.org/fileformat


def restore(copy: Path, home: Path, *, force: bool, stamp: str) -> dict[str, Any]:
    """Put a backup in the place of a home's store; see ``engrain.restore_backup``. A kill at any moment leaves the old
    store or the new one, whole."""
    path = home / FILE
    there = [one for one in (path, *_logs(path)) if one.exists()]
    if not copy.is_file():
        raise InvalidField(f"{copy} is not a file. Name a backup that engrain backup made.")
    if path.exists() and copy.samefile(path):
        raise InvalidField(f"{copy} is the store itself, not a backup of it.")
    if there and not force:
        raise InvalidField(
            f"{home} has a store ({there[0].name}). To replace it, say force; what is there is kept aside."
        )
    refuse_network_folder(home)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in home.glob(f".{FILE}-restore-*"):
            left.unlink(missing_ok=True)  # of one that was killed
        draft = home / f".{FILE}-restore-{os.getpid()}"
        try:
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            found = _copied(copy, draft)
            settle(draft)
            with _alone(path):
                kept = _set_aside(path, stamp) if there else None
                draft.replace(path)
                settle(home)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"The backup cannot be restored to {home}: {error.strerror}.") from error
    return {"path": str(path), "kept": None if kept is None else str(kept), **found}


def _copied(copy: Path, draft: Path) -> dict[str, int]:
    """Copy page by page, so that a log beside the copy counts, and verify what arrived: schema and counts."""
    source = target = None
    try:
        source = sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)
        target = sqlite3.connect(draft, isolation_level=None)
        source.backup(target)
        target.execute("pragma journal_mode = delete")
        return _verified(target, copy)
    except FAILURES as error:
        if getattr(error, "sqlite_errorname", "") in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
            raise StoreCorrupt(f"{copy} is no backup that can be used: {error}. Use another one.") from error
        raise told(error, copy, closed=False) from error
    finally:
        for connection in (source, target):
            if connection is not None:
                connection.close()


def _verified(target: sqlite3.Connection, copy: Path) -> dict[str, int]:
    damage = target.execute("pragma integrity_check(1)").fetchone()[0]
    if damage != "ok":
        raise StoreCorrupt(f"{copy} does not verify: {damage}. Use another backup.")
    made_by = target.execute("pragma application_id").fetchone()[0]
    tables = {row[0] for row in target.execute("select name from sqlite_master where type = 'table'")}
    if made_by not in (0, APPLICATION) or not {"schema_migrations", "memories"} <= tables:
        raise StoreCorrupt(f"{copy} is a database, but not a backup of an engrain home.")
    verify(
        "sqlite", target.execute("select version, name, checksum from schema_migrations order by version").fetchall()
    )
    texts = {
        "schema": "select count(*) from schema_migrations",
        "memories": "select count(*) from memories where state = 'active'",
        "experiences": "select count(*) from experiences",
        "agents": "select count(*) from agents",
    }
    return {name: int(target.execute(text).fetchone()[0]) for name, text in texts.items()}


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Nobody else has the store open, and nobody opens it until the end. Its log is part of it by then, unless it is
    too damaged for that. Whoever has opened the file before it is replaced, and waits for it, is told that it moved:
    it has no log any more, and turning one on checks that."""
    if not path.exists():
        yield
        return
    connection = sqlite3.connect(path, timeout=_SECONDS, isolation_level=None)
    try:
        try:
            connection.execute("pragma journal_mode = delete")
            connection.execute("begin exclusive")
            alone = connection.execute("pragma journal_mode").fetchone()[0] == "delete"
        except FAILURES as error:
            found = told(error, path, closed=False)
            if not isinstance(found, StoreCorrupt | StoreBusy):
                raise found from error
            alone = False
            if isinstance(found, StoreCorrupt):
                connection.close()
                with path.open("r+b") as file:
                    alone = _locked(file.fileno())
                    if alone:
                        yield
                        return
        if not alone:
            raise StoreBusy(f"{path} is open in another process: end all that use this home. Nothing was changed.")
        yield
    finally:
        connection.close()


def _locked(file: int) -> bool:
    """Whether nobody else has a lock on a file that the engine itself cannot read any more; then it is ours."""
    try:
        import fcntl
    except ImportError:  # no such locks here
        return True
    start, length = _LOCKS
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
    except OSError:
        return False
    return True


def _set_aside(path: Path, stamp: str) -> Path:
    """Give the old store a second name, so that it keeps its own until it is replaced; its logs belong to it alone."""
    for left in path.parent.glob(f"{FILE}.replaced-*"):
        if path.exists() and left.samefile(path) and not any(one.exists() for one in _logs(left)):
            left.unlink()  # of a restore that was killed before the swap
    number, side = 1, path.with_name(f"{FILE}.replaced-{stamp}")
    while any(one.exists() for one in (side, *_logs(side))):
        number, side = number + 1, path.with_name(f"{FILE}.replaced-{stamp}-{number + 1}")
    if path.exists():
        try:
            side.hardlink_to(path)
        except OSError:  # a file system without links
            shutil.copyfile(path, side)
            settle(side)
    for log, aside in zip(_logs(path), _logs(side), strict=True):
        if log.exists():
            log.rename(aside)
    path.with_name(f"{FILE}-shm").unlink(missing_ok=True)
    settle(path.parent)
    return side


def _logs(path: Path) -> list[Path]:
    return [path.with_name(path.name + end) for end in _LOGS]
