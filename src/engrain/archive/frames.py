"""Messages between this process and the one that runs SQL: a letter, a length and bytes, through a pipe."""

from __future__ import annotations

import os
import select
import struct
import threading
import time
from typing import Any

TIME = "\0time"  # the key of an object of JSON that stands for a time
_HEAD = struct.Struct(">cQ")
_PIECE = 1 << 20  # bytes that are read at once


class Closed(Exception):
    """The other end is gone."""


class Late(Exception):
    """Nothing came in time."""


class Frames:
    """Both ends of it: what is read from one descriptor and written to another. Several threads may send."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._lock = threading.Lock()

    def send(self, letter: str, payload: Any = b"") -> None:
        """Send bytes, or a buffer. Raises Closed."""
        view = memoryview(payload)
        try:
            with self._lock:
                for part in (memoryview(_HEAD.pack(letter.encode(), view.nbytes)), view):
                    rest = part
                    while rest:
                        rest = rest[os.write(self._write, rest) :]
        except BrokenPipeError as error:
            raise Closed from error

    def receive(self, seconds: float) -> tuple[str, bytes]:
        """The next message, which must be there in whole after so many seconds. Raises Closed and Late."""
        end = time.monotonic() + seconds
        letter, length = _HEAD.unpack(self._exactly(_HEAD.size, end))
        return letter.decode(), self._exactly(length, end)

    def _exactly(self, count: int, end: float) -> bytes:
        found = bytearray()
        while len(found) < count:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise Late
            piece = os.read(self._read, min(_PIECE, count - len(found)))
            if not piece:
                raise Closed
            found += piece
        return bytes(found)
