"""The spool: calls that a process which must not wait for the store leaves in a file, until another one makes them.

A hook of an editor lives for a blink, and the store may be busy, locked or on its way to a new schema. So it appends
what it saw and goes; the next process that opens the home does it. A line is in the file, on the disk, or not at all;
lines are taken in their order, and what was taken is noted, so that a process that is killed in between is followed by
one that goes on. Only the standard library is imported: whoever appends must start fast.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from zlib import adler32, crc32

try:
    import fcntl
except ImportError:  # not there on Windows: appending is atomic enough for one user's hooks
    fcntl = None  # type: ignore[assignment]

FOLDER = "hooks"
FILE, TAKEN, DONE, REFUSED, LOG = "spool.jsonl", "taken.jsonl", "taken.done", "refused.jsonl", "errors.log"
FULL = 32 << 20  # bytes that may wait; beyond them something is broken, and the disk is worth more
LOG_BYTES = 128 << 10
BATCH = 200  # lines that are done, and noted as done, together

Line = dict[str, Any]


class Spool:
    """The spool of one home, or that of a server whose settings are in that folder: what is meant for one never comes
    into the other. Any number of processes may append while one takes."""

    def __init__(self, home: Path, server: str = "") -> None:
        self.folder = home / FOLDER / f"server-{_name(server)}" if server else home / FOLDER
        self._file, self._taken, self._done = (self.folder / name for name in (FILE, TAKEN, DONE))

    def add(self, lines: Sequence[Mapping[str, Any]]) -> bool:
        """Append these, all or none; False when too much waits already. Raises OSError."""
        if not lines:
            return True
        text = "".join(f"\n{json.dumps(line, ensure_ascii=False, separators=(',', ':'))}\n" for line in lines)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                with _locked(handle):
                    there = os.fstat(handle)
                    if there.st_nlink == 0 or not self._is(there):
                        continue  # it was taken before we had the lock: begin a new one
                    if there.st_size > FULL:
                        return False
                    _write(handle, text.encode("utf-8", "replace"), there.st_size)
                    return True
            finally:
                os.close(handle)

    def waiting(self, do: str = "") -> list[Line]:
        """What waits, or of it only the calls of one verb, oldest first. A line that is no JSON is left out."""
        found: list[Line] = []
        for path, start in ((self._taken, self._noted()), (self._file, 0)):
            with suppress(OSError):
                found += _lines(path.read_bytes()[start:], f'"do":"{do}"'.encode() if do else b"")
        return found

    def idle(self) -> bool:
        """Whether nothing waits: two looks at the disk."""
        return not self._file.exists() and not self._taken.exists()

    def take(self, do: Callable[[list[Line], bool], None]) -> int:
        """Give what waits to ``do(lines, again)``, in pieces; how many lines. ``again`` tells that a process before
        this one was stopped and may have done some of these. What ``do`` raises ends it: that piece waits on. Only one
        process takes at a time; another returns 0 at once. Raises OSError."""
        if self.idle():
            return 0
        count = 0
        handle = os.open(self.folder / "take.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with _locked(handle, wait=False):
                again = self._taken.exists()
                if again:
                    count += self._take(do, again=True)
                if self._claim():
                    count += self._take(do, again=False)
        except BlockingIOError:
            return 0
        finally:
            os.close(handle)
        return count

    def refuse(self, line: Line, why: str) -> None:
        """Put a line aside that the home will never accept, with the reason."""
        self._append(REFUSED, {"why": why, **line}, FULL)

    def log(self, told: Mapping[str, Any]) -> None:
        """Note an error; the oldest half goes when there are too many. Never raises."""
        with suppress(OSError, ValueError):
            self._append(LOG, told, LOG_BYTES)

    def sessions(self, tenant: str, agent: str) -> Path:
        """The folder in which hooks keep what they know of an agent's sessions."""
        return self.folder / "sessions" / _name(f"{tenant}\n{agent}")

    def forget(self, tenant: str, agent: str) -> None:
        """Delete what is kept of an agent's sessions, and its lines among those that were put aside. Raises OSError."""
        with suppress(FileNotFoundError):
            for path in self.sessions(tenant, agent).iterdir():
                path.unlink(missing_ok=True)
        lines = self._all(REFUSED)
        kept = [one for one in lines if (one.get("tenant"), one.get("agent")) != (tenant, agent)]
        if len(kept) < len(lines):
            text = "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in kept)
            (self.folder / REFUSED).write_bytes(text.encode("utf-8", "replace"))

    def refused(self) -> int:
        """How many lines were put aside."""
        return len(self._all(REFUSED))

    def errors(self) -> list[Line]:
        """What was noted, oldest first."""
        return self._all(LOG)

    def _all(self, name: str) -> list[Line]:
        with suppress(OSError):
            return list(_lines((self.folder / name).read_bytes()))
        return []

    def _append(self, name: str, told: Mapping[str, Any], most: int) -> None:
        path = self.folder / name
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > most:
            kept = path.read_bytes()[most // 2 :].partition(b"\n")[2]
            path.write_bytes(kept)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, (json.dumps(told, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
        finally:
            os.close(handle)

    def _is(self, there: os.stat_result) -> bool:
        try:
            return self._file.stat().st_ino == there.st_ino
        except FileNotFoundError:
            return False

    def _claim(self) -> bool:
        """Move what waits out of the reach of those who append; whether there is any."""
        try:
            handle = os.open(self._file, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            with _locked(handle):
                self._done.unlink(missing_ok=True)
                self._file.rename(self._taken)
        finally:
            os.close(handle)
        return True

    def _note(self, at: int) -> None:
        """At one blow: a process may be killed at any moment, and half a number is another one."""
        handle = os.open(self._done, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(handle, b"%020d" % at)
        finally:
            os.close(handle)

    def _noted(self) -> int:
        try:
            return int(self._done.read_text() or 0)
        except (OSError, ValueError):
            return 0

    def _take(self, do: Callable[[list[Line], bool], None], *, again: bool) -> int:
        whole, at, count = self._taken.read_bytes(), self._noted(), 0
        while at < len(whole):
            end = at
            for _ in range(2 * BATCH):  # every line has an empty one before it
                found = whole.find(b"\n", end)
                end = len(whole) if found < 0 else found + 1
                if end == len(whole):
                    break
            lines = list(_lines(whole[at:end]))
            if lines:
                do(lines, again)
            at, again, count = end, False, count + len(lines)
            self._note(at)
        self._taken.unlink()
        self._done.unlink(missing_ok=True)
        return count


def _name(of: str) -> str:
    """A name for files. It tells a few apart and hides nothing; hashlib takes 3 ms to import."""
    raw = of.encode("utf-8", "surrogatepass")
    return f"{crc32(raw):08x}{adler32(raw):08x}"


def _lines(raw: bytes, having: bytes = b"") -> Iterator[Line]:
    for one in raw.split(b"\n"):
        if having in one and one.strip():
            with suppress(ValueError, RecursionError):  # half a line, of a full disk or a lost machine
                found = json.loads(one)
                if isinstance(found, dict):
                    yield found


def _write(handle: int, raw: bytes, size: int) -> None:
    """All of it, on the disk; or none, when the disk is full."""
    try:
        if os.write(handle, raw) < len(raw):
            raise OSError("the disk takes no more")
        os.fsync(handle)
    except OSError:
        with suppress(OSError):
            os.ftruncate(handle, size)
        raise


@contextmanager
def _locked(handle: int, wait: bool = True) -> Iterator[None]:
    """An exclusive lock, which ends with the process. Raises BlockingIOError when it is not to be waited for."""
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    yield
