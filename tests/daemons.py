"""Daemons for tests: ``engrain daemon run`` as a process, with workers of a plug-in that do what they please."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import engrain
from engrain.memory import Memory
from engrain.model.run import Run
from engrain.testing import SimulatedWorld
from engrain.world import RealWorld, from_micros
from tests import children
from tests.plugins import install
from tests.postgres import Place

WORKERS = """
import os, re, resource, signal, subprocess, sys, threading, time
from pathlib import Path
from engrain.workers import Worker

def hang(work):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)

def spin(work):  # in C, with the interpreter in its hands
    re.match("(a+)+$", "a" * 64 + "b")

def eat(work):
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    return {"bytes": len(bytearray(4 << 30))}

def die(work):
    os.kill(os.getpid(), signal.SIGKILL)

def fail(work):
    raise ValueError("no luck")

def leave_behind(work):  # a process that does not heed, and a thread that the interpreter would wait for
    threading.Thread(target=time.sleep, args=(600,)).start()
    ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    other = subprocess.Popen([sys.executable, "-c", ignore], stdout=subprocess.PIPE)
    other.stdout.readline()
    return {"pid": other.pid}

def nest(work):
    work.memory.agent("odd").remember(str(leave_behind(work)["pid"]), key="nest")
    time.sleep(600)

def walk(work):
    for step in range(int(work.checkpoint or 0), 1000):
        if work.stop():
            return {"reached": step}, str(step)
        time.sleep(0.02)
    return {"reached": 1000}

ALL = {
    "hang": hang, "spin": spin, "eat": eat, "die": die, "fail": fail, "walk": walk,
    "behind": leave_behind, "nest": nest,
    "exit": lambda work: os._exit(3), "end": lambda work: os._exit(0), "leave": lambda work: sys.exit(3),
    "work": lambda work: {"pid": os.getpid()},
}
if os.environ["ODD"] == "slow":  # to load, and it has a process by then
    other = subprocess.Popen(["sleep", "600"])
    Path(__file__).with_name("started").write_text(str(other.pid))
    time.sleep(600)

workers = [Worker(f"odd:{name}", "1d", ALL[name]) for name in os.environ["ODD"].split() if name in ALL]
"""


class Running:
    """A daemon of a place that was made a month ago, so that everything is due. ``before``: words before its own."""

    def __init__(self, place: Place, site: Path, odd: str = "", before: Sequence[str] = (), **settings: Any) -> None:
        self.before = before
        install(site, "odd", WORKERS)
        named = {f"ENGRAIN_{name.upper()}": str(value) for name, value in {"embedder": "hash", **settings}.items()}
        path = os.pathsep.join([str(site), children.PATH])
        self._environment = {**os.environ, **named, "PYTHONPATH": path, "ODD": odd or "work"}
        self._environment |= {"ENGRAIN_HOME": str(place.home)}
        self._words = ["--home", place.location, "--json"]
        self.place = place
        self.start()

    def start(self) -> None:
        self.process = self._spawn("daemon", "run")
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        assert json.loads(line) == {"pid": self.process.pid, "home": str(self.place.home)}

    def _spawn(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.before, sys.executable, "-m", "engrain", *words, *self._words], cwd=children.ROOT,
            env=self._environment, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def command(self, *words: str) -> tuple[int, Any]:
        """The exit code and the answer of a command in another process."""
        process = self._spawn(*words)
        out, err = process.communicate(timeout=50)
        return process.returncode, json.loads(out) if out else err

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send it a signal, and wait; its exit code, and what it complained of."""
        self.process.send_signal(number)
        return self.left()

    def left(self) -> tuple[int, str]:
        """The same of one that ends by itself."""
        _, err = self.process.communicate(timeout=30)
        return self.process.returncode, err

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate(timeout=10)


def aged(place: Place, pause: bool = True, days: float = 31) -> Memory:
    """The place's memory, which was made some time ago; ``pause`` its own roles."""
    past = SimulatedWorld(from_micros(RealWorld().now()) - timedelta(days=days), seed=3)
    with engrain.open(**place.arguments, world=past, embedder="hash") as memory:
        memory.agent("ann").remember("gone by now", expires_in="1d")
    memory = place.open(world=RealWorld())
    if pause:
        memory.pause()
    return memory


def until(true: Callable[[], Any], seconds: float = 40.0) -> Any:
    """Wait for something; what it was."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return found


def ended(memory: Memory, *names: str) -> dict[str, Run]:
    """The first run of each of these roles, once all are over."""

    def look() -> dict[str, Run]:
        runs = {run.role: run for run in memory.supervisor.runs(None, 500) if run.state != "running"}
        return runs if all(name in runs for name in names) else {}

    return until(look)  # type: ignore[no-any-return]
