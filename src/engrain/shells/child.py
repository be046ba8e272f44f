"""The process of one role, which a daemon starts: ``python -m engrain.shells.child``.

What to do comes on stdin, as a line of JSON, so that no location with a password is among the arguments that everybody
can read. When stdin ends, the daemon has ended, and this process ends, too.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import engrain
from engrain.errors import ConfigError, EngrainError

if TYPE_CHECKING:
    from engrain.daemon.process import Daemon
    from engrain.memory import Memory

GRACE = 3.0  # seconds to end in, once that was asked
LIMIT = 10.0  # seconds beyond its time after which it ends by itself, if nobody is left who would end it
ANSWER = 20.0  # seconds in which a plug-in has to say what it brings
CHILD = [sys.executable, "-P", "-m", "engrain.shells.child"]
UNDONE = 70  # exit code: it could not begin
ORPHANED = 75
LOST = 3  # exit code of a daemon whose store is gone
_HUP = getattr(signal, "SIGHUP", signal.SIGTERM)  # the terminal was closed; nohup has it ignored
ENDS = (signal.SIGTERM, signal.SIGINT, *([_HUP] if signal.getsignal(_HUP) == signal.SIG_DFL else []))


def daemon(memory: Memory, home: str | None) -> Daemon:
    """A daemon for a memory that was opened with ``engrain.open(home)``."""
    from engrain.daemon.plugins import apart
    from engrain.daemon.process import Daemon

    minutes = memory.config.role_minutes

    def launch(role: str) -> subprocess.Popen[bytes]:
        return _started({"home": home, "role": role, "seconds": minutes * 60}, subprocess.DEVNULL)

    supervisor = memory.supervisor.apart(apart(lambda plugin: _ask(home, plugin)))
    return Daemon(memory.store, memory.world, supervisor, launch, minutes)


def _started(asked: dict[str, Any], answer: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(  # noqa: S603 (this interpreter, and nothing that anybody has told)
        CHILD,
        stdin=subprocess.PIPE,
        stdout=answer,
        start_new_session=True,  # Ctrl-C in a terminal is for the daemon
    )
    assert process.stdin is not None  # noqa: S101 (it was asked for)
    process.stdin.write(json.dumps(asked).encode() + b"\n")
    process.stdin.flush()
    return process


def _ask(home: str | None, plugin: str) -> str:
    """What a plug-in brings, in JSON. Raises RuntimeError when that cannot be found out."""
    from engrain.daemon.process import Child, why

    process = _started({"home": home, "plugin": plugin, "seconds": ANSWER}, subprocess.PIPE)
    told, process.stdin = process.stdin, None  # it stays open: as long as this process lives, the other may
    child = Child(process)
    try:
        found, _ = process.communicate(timeout=ANSWER)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"it takes longer than {ANSWER:g} s to load") from error
    finally:
        child.end(0)
        for pipe in (told, process.stdout):
            if pipe is not None:
                pipe.close()
    if process.returncode:
        raise RuntimeError(why(process.returncode))
    return found.decode()


def main() -> int:
    """Run one role, if it is due, or tell what one plug-in brings; the exit code."""
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    with open(0, "rb", buffering=0, closefd=False) as told:
        asked = json.loads(told.readline())
    faulthandler.dump_traceback_later(asked["seconds"] + LIMIT, exit=True)  # also when a role holds the interpreter
    threading.Thread(target=_watch, args=(ending, 0.0 if "plugin" in asked else GRACE), daemon=True).start()
    if "plugin" in asked:
        return _describe(asked["home"], asked["plugin"])
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="engrain role: %(levelname)s %(message)s")
    try:
        with engrain.open(asked["home"]) as memory:
            memory.signals.flush()
            memory.supervisor.tick([asked["role"]], due=True, stop=ending.is_set)
    except EngrainError as error:
        logging.getLogger(__name__).error("role %s: %s", asked["role"], error)
        return UNDONE
    return 0


def _describe(home: str | None, plugin: str) -> int:
    from engrain.daemon.plugins import described

    answer = os.dup(1)
    os.dup2(2, 1)  # what the plug-in prints is no answer
    with engrain.open(home) as memory:
        os.write(answer, json.dumps(described(memory, plugin)).encode())
    return 0


def _watch(ending: threading.Event, grace: float) -> None:
    """When the daemon is gone: end where the role can go on, or just end."""
    while os.read(0, 1):
        pass
    ending.set()
    time.sleep(grace)
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():  # also what the role has started
        os.killpg(0, signal.SIGKILL)
    os._exit(ORPHANED)


def run(home: str | None, say: Callable[[str], None]) -> int:
    """Run the roles of a home until a signal comes or the daemon is asked to stop; the exit code. ``say`` is told which
    home, once it has begun. Raises an EngrainError when the home cannot be opened."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="engrain daemon: %(levelname)s %(message)s")
    asked = threading.Event()
    for one in ENDS:
        signal.signal(one, lambda *_: asked.set())
    memory = engrain.open(home)
    if not hasattr(memory, "supervisor"):
        raise ConfigError("A service does what is due by itself; name the folder or the database that it serves.")
    work = daemon(memory, home)
    work.start()
    say(str(memory.home))
    while not asked.wait(0.5) and not work.wait(0):
        pass
    if not work.stop():  # the store does not answer: nothing here needs to be written for the next one to go on
        os._exit(0)
    memory.close()
    return LOST if work.lost else 0


if __name__ == "__main__":
    code = 1
    try:
        code = main()
    finally:  # a thread that a plug-in has started, and that does not end, holds nothing up
        last = threading.Timer(GRACE, os._exit, [code])
        last.daemon = True
        last.start()
    sys.exit(code)
