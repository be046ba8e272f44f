"""What a session's hooks tell each other: checks that failed and what was done since. One small file a session, locked
while one of them changes it; the next session's start takes away those that were left behind."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from zlib import crc32

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

DAYS = 7
BYTES = 8 << 20
State = dict[str, Any]
"""``open``: failed checks by command; ``files``: that were changed; ``checks``: by command, whether it passed last;
``shown``: ids that were shown."""


@contextmanager
def state(folder: Path, session: str) -> Iterator[State]:
    """The state of a session of those in a folder, to be changed; it is kept when the block ends well. One that cannot
    be read is empty."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(_path(folder, session), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        before = os.read(handle, BYTES)
        found = _read(before)
        yield found
        after = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
        if after != before:
            os.pwrite(handle, after, 0)
            os.ftruncate(handle, len(after))
    finally:
        os.close(handle)


def peek(folder: Path, session: str) -> State:
    """The state of a session as it is, without a lock."""
    try:
        return _read(_path(folder, session).read_bytes())
    except OSError:
        return _read(b"")


def end(folder: Path, session: str) -> None:
    """The session is over."""
    with suppress(OSError):
        _path(folder, session).unlink()


def sweep(folder: Path, now: int) -> None:
    """Take away what sessions left that ended without saying so. ``now`` in µs."""
    with suppress(OSError):
        for path in folder.parent.rglob("*.json"):
            if path.stat().st_mtime < now / 1e6 - DAYS * 86400:
                path.unlink()


def _path(folder: Path, session: str) -> Path:
    plain = "".join(one for one in session if one.isascii() and (one.isalnum() or one in "-_"))[:80]
    return folder / f"{plain}-{crc32(session.encode('utf-8', 'surrogatepass')):08x}.json"


def _read(raw: bytes) -> State:
    try:
        # what stands behind is of an older and longer state, whose writer was killed before it cut that off
        found = json.JSONDecoder().raw_decode(raw.decode())[0] if raw else {}
    except (ValueError, RecursionError):
        found = {}
    found = found if isinstance(found, dict) else {}
    usual: State = {"open": {}, "files": [], "checks": {}, "shown": []}
    return {name: found[name] if isinstance(found.get(name), type(value)) else value for name, value in usual.items()}
