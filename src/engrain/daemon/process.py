"""A small process that looks for what is due, and has each role done by a process of its own: whatever a role does to
its process, this one goes on.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from engrain.daemon.registry import Registration
from engrain.daemon.supervisor import Supervisor, busy
from engrain.errors import SchemaTooNew
from engrain.store.port import Store
from engrain.world import World

LOOK = 5.0  # seconds between two looks at most; at least half of it, so that many daemons do not look in step
BEAT = 20.0  # seconds between two signs of life
POLL = 1.0  # seconds between two looks at whether to stop ...
BRISK = 0.1  # ... also while a role runs that may be over soon
SLOW = 60.0  # seconds; a role that takes longer does not hold the next one up
REST = 10.0  # seconds between two processes for one role
GRACE = 3.0  # seconds between asking a process to end and ending it
PAUSE = 30.0  # seconds between two attempts at most, while the store cannot be used
STOPPED = "its daemon was stopped"
ENDS = signal.SIGTERM
KILL = getattr(signal, "SIGKILL", ENDS)

Launch = Callable[[str], "subprocess.Popen[bytes]"]
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Child:
    """The process of a role."""

    process: subprocess.Popen[bytes]
    begun: float = field(default_factory=time.monotonic)
    late: bool = False  # it was asked to end, as its time was over

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begun

    def code(self) -> int | None:
        """Its exit code, once it has ended; then what it has started and left behind is ended, too."""
        if self.process.returncode is None and self.process.poll() is not None:
            self._signal(KILL)
        return self.process.returncode

    def send(self, number: int) -> None:
        """Send a signal to it and to what it has started itself."""
        if self.code() is None:
            self._signal(number)

    def end(self, seconds: float) -> None:
        """Wait so long for its end, then end it and what it has started."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, seconds))
        self._signal(KILL)
        self.process.wait()

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.process.pid, number)
            else:
                self.process.terminate()


class Daemon:
    """Runs the roles of a home between ``start`` and ``stop``, or until the registry says that it is to stop.
    ``launch(role)`` starts a process, the leader of its own session, that runs the role if it is due, and ends when its
    stdin does; it is ended after so many ``minutes``. ``lost``: it ended as its store is gone, or a newer engrain's."""

    def __init__(self, store: Store, world: World, supervisor: Supervisor, launch: Launch, minutes: float) -> None:
        self._store, self._world, self._supervisor, self._launch = store, world, supervisor, launch
        self._limit = minutes * 60
        self._too_long = f"it ran for longer than its {minutes:g} minutes and was ended"
        self._running: dict[str, Child] = {}
        self._launched: dict[str, float] = {}
        self._ending = threading.Event()
        self.lost = False
        self._thread = threading.Thread(target=self._run, name="engrain-daemon", daemon=True)

    # -- from another thread ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end; whether it has come."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def stop(self, seconds: float = GRACE + 1.5) -> bool:
        """Let what runs end where it can go on, or end it; whether all that could be written down in time. It is over
        in any case: what could not is found out by the next process that looks."""
        self._ending.set()
        over = self.wait(seconds)
        for child in [] if over else list(self._running.values()):
            child.send(KILL)
        return over

    # -- in its thread ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        registration = Registration(self._store, self._world, os.getpid())
        look_at = beat_at = 0.0
        failed = 0
        while not self._ending.is_set():
            self._end_late()
            try:
                if time.monotonic() >= beat_at:
                    registration.say_alive()
                    beat_at = time.monotonic() + BEAT
                if not self._store.in_place():
                    self._give_up("the store was deleted, moved or replaced: what is done now would be lost")
                if self.lost or registration.asked_to_stop():
                    break
                if self._reaped() or time.monotonic() >= look_at:
                    self._look()
                    look_at = time.monotonic() + LOOK * self._world.rng.uniform(0.5, 1.0)
                if failed:
                    _log.warning("background work goes on")
                failed = 0
            except SchemaTooNew as error:
                self._give_up(error)
                break
            except Exception as error:  # noqa: BLE001 (it must not end: whatever it is may be over the next time)
                if not failed:
                    _log.warning("background work waits until the store can be used again: %s", error, exc_info=True)
                failed += 1
            pause = min(PAUSE, POLL * 2.0**failed) if failed else BRISK if self._is_quick() else POLL
            self._ending.wait(pause)
        self._end_all()
        try:
            registration.leave()
        except Exception as error:  # noqa: BLE001 (it ends all the same; its entry is struck out later)
            _log.warning("the daemon's end could not be noted: %s", error)

    def _give_up(self, why: object) -> None:
        self.lost = True
        _log.error("the daemon ends: %s", why)

    def _look(self) -> None:
        """Start what is due, one role after the other, but past those that take long. Raises SchemaTooNew when a newer
        engrain has migrated the store since."""
        self._store.schema()
        self._supervisor.close_lost()
        for name in self._supervisor.due(patient=busy()):
            if self._is_quick():
                return
            rested = time.monotonic() - self._launched.get(name, -REST) >= REST
            if name not in self._running and rested:
                self._launched[name] = time.monotonic()
                self._running[name] = Child(self._launch(name))

    def _is_quick(self) -> bool:
        """Whether something runs that may be over soon."""
        return any(child.seconds < SLOW for child in self._running.values())

    def _end_late(self) -> None:
        """End what has had its time, whether the store can be used or not."""
        for child in self._running.values():
            if child.seconds > self._limit + GRACE:
                child.send(KILL)
            elif child.seconds > self._limit and not child.late and child.code() is None:
                child.late = True
                child.send(ENDS)

    def _reaped(self) -> bool:
        """Close the runs of processes that have ended; whether there were any."""
        over = [(name, child, code) for name, child in self._running.items() if (code := child.code()) is not None]
        for name, child, code in over:
            self._close(name, child, self._too_long if child.late else why(code))
        return bool(over)

    def _close(self, name: str, child: Child, reason: str, asked: bool = False) -> None:
        self._supervisor.ended(child.process.pid, name, reason, failed=child.process.returncode != 0, asked=asked)
        if child.process.stdin is not None:
            child.process.stdin.close()
        del self._running[name]

    def _end_all(self) -> None:
        """Ask every process to end, then end it."""
        deadline = time.monotonic() + GRACE
        for child in self._running.values():
            child.send(ENDS)
        for child in self._running.values():
            if child.code() is None:
                child.end(deadline - time.monotonic())
        for name, child in list(self._running.items()):
            try:
                self._close(name, child, STOPPED, asked=True)
            except Exception as error:  # noqa: BLE001 (it ends all the same, and the next process finds out)
                _log.warning("the end of role %s could not be noted: %s", name, error)


def why(code: int) -> str:
    """How a process ended."""
    if code >= 0:
        return f"its process exited with code {code} before it was through"
    with suppress(ValueError):
        return f"its process was killed by {signal.Signals(-code).name}"
    return f"its process was killed by signal {-code}"
