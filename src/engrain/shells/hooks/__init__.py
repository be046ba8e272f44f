"""``engrain hook``: the events of Claude Code. What is known comes in, what happens is left for the home.

A hook never fails the session and never holds it up: whatever comes in, it ends soon, with exit code 0 and on stdout
one object of JSON or nothing. So it opens no home. It looks into the store (``glimpse``), or leaves calls in the spool
(``spool``), which the next process that opens the home makes. Errors go to ``hooks/errors.log`` of the home, which
``engrain doctor`` tells of. The shapes: https://code.claude.com/docs/en/hooks, as of Claude Code 2.1.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

SECONDS = 5  # after which a hook ends, whatever it waits for
BYTES = 16 << 20  # of an event; more is read and let go of
PATIENCE = 2.0  # seconds without a byte from stdin, after which nothing more is waited for


def main(words: Sequence[str]) -> int:
    """Answer the event on stdin and end this process: there is nothing to take down. Always 0."""
    told = ""
    try:
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, _too_long)
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
        told = answer(words)
    except BaseException as error:  # noqa: BLE001 (whatever it is, the session must go on)
        with suppress(OSError, ValueError):
            os.write(2, f"engrain hook: {type(error).__name__}: {error}\n".encode("utf-8", "replace"))
    with suppress(OSError):  # nobody reads it any more
        raw = told.encode("utf-8")
        while raw and sys.stdout is not None:
            raw = raw[os.write(1, raw) :]
    os._exit(0)


def answer(words: Sequence[str]) -> str:
    """The answer to the event on stdin."""
    from engrain.shells.hooks.events import respond
    from engrain.world import RealWorld

    return respond(words, _stdin(), os.environ, RealWorld().now)


def _too_long(*_: Any) -> None:
    raise TimeoutError


def _stdin() -> bytes:
    """What comes on stdin; empty from a terminal, and what came so far when the rest does not."""
    import select

    if sys.stdin is None or os.isatty(0):
        return b""
    found = bytearray()
    while select.select([0], [], [], PATIENCE)[0]:
        part = os.read(0, 1 << 20)
        if not part:
            break
        if len(found) < BYTES:
            found += part
    return bytes(found)
