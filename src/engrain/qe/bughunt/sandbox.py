"""Where code that may be broken runs: a process of its own, with a time limit, a memory limit and no way out.

`python -m engrain.qe.bughunt.sandbox` reads one job a line (JSON) and answers one line. `Worker` is the other end: it
starts the process, kills it when a job outstays its welcome, and starts the next one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from random import Random
from types import FrameType
from typing import Any, Self

from engrain import EngrainError
from engrain.qe.bughunt import corpus, describe, mutate, values
from engrain.qe.bughunt.strategies import STRATEGIES

CALL_SECONDS = 0.1  # CPU time of one call of a broken function; what is in the corpus takes milliseconds
JOB_SECONDS = 8.0  # for a call that hangs inside C, where no signal is heard
MEMORY_BYTES = 1 << 30
BUDGET = 30  # inputs that a strategy may try on one fault
SMOKE_CALLS = 1
QUIET_EVENTS = ("object.__getattr__", "sys._getframe", "code.__new__", "builtins.id", "gc.", "array.__new__")

_armed = False
_touched: list[str] = []


class SandboxFailed(EngrainError):
    """The sandbox made a mistake of its own; please report it with this text."""


class OutOfTime(BaseException):
    """Not an Exception, so that the code under test does not catch it by accident."""


class TouchedWorld(BaseException):
    """The code under test tried to open, start, connect or import something."""


def _audit(event: str, _arguments: tuple[Any, ...]) -> None:
    if _armed and not event.startswith(QUIET_EVENTS):
        _touched.append(event)
        raise TouchedWorld(event)


def _ring(_number: int, _frame: FrameType | None) -> None:
    if _armed:
        raise OutOfTime


@contextmanager
def _limits() -> Iterator[None]:
    """One call: its CPU time counted, the world closed. Rings again and again, in case a bare `except` swallowed it."""
    global _armed  # noqa: PLW0603 - the audit hook of a process cannot be given anything else
    _armed = True
    signal.setitimer(signal.ITIMER_VIRTUAL, CALL_SECONDS, CALL_SECONDS)
    try:
        yield
    finally:
        _armed = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)


def call(function: Callable[..., Any], arguments: list[Any]) -> str:
    """What a call does, as text that can be compared; an exception is "!" and its name, a hang "!OutOfTime"."""
    try:
        with _limits():
            return values.freeze(function(*arguments))
    except OutOfTime:
        return "!OutOfTime"
    except TouchedWorld as event:
        return f"!TouchedWorld {event}"
    except Exception as error:  # noqa: BLE001 - whatever the code under test raises is its answer
        return f"!{type(error).__name__}"


def _own(arguments: list[Any]) -> list[Any]:
    return [list(each) if isinstance(each, list) else each for each in arguments]


def trial(function: Callable[..., Any], arguments: list[Any]) -> str:
    """`call` for a function that wants to join the corpus: Refused unless it keeps its hands to itself."""
    given = _own(arguments)
    answer = call(function, given)
    if _touched:
        raise corpus.Refused(f"touches the world: {_touched.pop()}")
    if repr(given) != repr(arguments):
        raise corpus.Refused("changes its arguments")
    return answer


def _survey(job: dict[str, Any]) -> dict[str, Any]:
    """What of a module belongs to the corpus, and why the rest does not."""
    found, refused = [], {}
    for name, _ in corpus.candidates(job["module"]):
        try:
            function = corpus.vet(job["module"], name, trial)
            print_of = corpus.fingerprint(function, trial)
        except (Exception, TouchedWorld, OutOfTime) as why:  # noqa: BLE001 - a module that fails in any way stays out
            refused[name] = f"{type(why).__name__}: {why}"
            continue
        found.append(
            {
                "module": function.module,
                "name": function.name,
                "parameters": function.parameters,
                "state": describe.state(function),
                "words": describe.words(function),
                "fingerprint": print_of,
                "faults": [[each.node, each.operator, each.edit, each.line] for each in mutate.faults(function.node)],
            }
        )
    return {"found": found, "refused": refused}


def _fingerprint(job: dict[str, Any]) -> dict[str, Any]:
    function, _ = _load(job["module"], job["name"], json.dumps(job["parameters"]))
    try:
        return {"fingerprint": corpus.fingerprint(function, trial)}
    except corpus.Refused as why:
        return {"refused": str(why)}


@cache
def _load(module: str, name: str, parameters: str) -> tuple[corpus.Function, Callable[..., Any]]:
    function = corpus.load(module, name, json.loads(parameters))
    return function, function.build()


def _hunt(job: dict[str, Any]) -> dict[str, Any]:
    """One strategy on one fault: does any of its inputs tell the faulty function from the original?

    `first` holds remembered inputs that are tried before, out of the same budget. `own` is about the strategy's inputs
    alone, and None when memory had found the fault before it was the strategy's turn.
    """
    started = time.perf_counter()
    function, original = _load(job["module"], job["name"], json.dumps(job["parameters"]))
    faulty = function.build(mutate.Fault(*job["fault"]) if job["fault"] else None)
    rng = Random(f"{job['seed']} {job['strategy']}")  # noqa: S311 - a reproducible stream of tests, not a secret
    inputs = [values.decode(text) for text in job["first"]]
    memories = [values.decode(text) for text in job["remembered"]]
    inputs += STRATEGIES[job["strategy"]](function, rng, job["budget"], memories)
    found: dict[str, Any] = {"found": False, "own": False, "input": None, "symptom": None}
    for number, arguments in enumerate(inputs[: job["budget"]]):
        right = call(original, _own(arguments))
        if right == "!OutOfTime":  # says nothing about the fault
            continue
        wrong = call(faulty, _own(arguments))
        if wrong != right:
            symptom = f"{_plain(wrong)} where it should have {_plain(right)}"
            own = True if number >= len(job["first"]) else None
            found = {"found": True, "own": own, "input": values.encode(arguments), "symptom": symptom}
            break
    return found | {"seconds": time.perf_counter() - started}


def _smoke(job: dict[str, Any]) -> dict[str, Any]:
    """Would the author have seen the fault at once? Three ordinary calls, such as the corpus was chosen with."""
    function, original = _load(job["module"], job["name"], json.dumps(job["parameters"]))
    faulty, kinds = function.build(mutate.Fault(*job["fault"])), tuple(kind for _, kind in function.parameters)
    rng, calls = Random(f"smoke {function.label}"), 0  # noqa: S311 - a reproducible stream of tests, not a secret
    for _ in range(20):
        arguments = corpus.sample(kinds, function.mined, rng)
        right = call(original, _own(arguments))
        if right[0] != "!":
            calls += 1
            if call(faulty, _own(arguments)) != right:
                return {"seen": True}
        if calls == SMOKE_CALLS:
            break
    return {"seen": False}


def _plain(answer: str) -> str:
    if answer == "!OutOfTime":
        return "hung"
    if answer[0] == "!":
        return f"raised {answer[1:]}"
    return f"returned {answer if len(answer) <= 48 else answer[:47] + '…'}"


def serve() -> None:
    """Answer jobs until the other end hangs up. What the code under test prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-c is for the parent, which then hangs up
    signal.signal(signal.SIGVTALRM, _ring)
    if sys.platform != "win32":
        import resource

        with suppress(ValueError, OSError):  # macOS does not know this limit; that of time still holds
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    sys.addaudithook(_audit)
    for line in sys.stdin:
        job = json.loads(line)
        _touched.clear()
        try:
            done: Any = [
                {"survey": _survey, "fingerprint": _fingerprint, "smoke": _smoke, "hunt": _hunt}[each["do"]](each)
                for each in job
            ]
        except Exception:  # noqa: BLE001 - a mistake of ours, not of the code under test: the other end raises it
            done = {"broken": traceback.format_exc()}
        print(json.dumps(done), file=answers, flush=True)


def _exchange(process: subprocess.Popen[str], line: str) -> str:
    if process.stdin is None or process.stdout is None:  # both are pipes, as asked for
        raise SandboxFailed("its process has no pipes")
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline()


class Worker:
    """The other end of a sandbox process. `run` answers None when the process had to be killed or died."""

    def __init__(self, hash_seed: int = 0, job_seconds: float = JOB_SECONDS) -> None:
        self._environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
        self._limit = job_seconds
        self._process: subprocess.Popen[str] | None = None
        self.killed = 0

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", "from engrain.qe.bughunt.sandbox import serve; serve()"]
        pipe = subprocess.PIPE
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=self._environment
        )

    def run(self, *jobs: dict[str, Any]) -> list[dict[str, Any]] | None:
        """Do jobs in order and answer them; None when they took too long together or the process died."""
        process = self._process = self._process or self._start()
        watch = threading.Timer(self._limit, process.kill)
        watch.start()
        try:
            line = _exchange(process, json.dumps(jobs))
        except BrokenPipeError:
            line = ""
        finally:
            watch.cancel()
        if not line:
            self.close()
            self.killed += 1
            return None
        done: Any = json.loads(line)
        if isinstance(done, dict):
            raise SandboxFailed(f"{done['broken']}\nThe job was {jobs}.")
        return done  # type: ignore[no-any-return]

    def close(self) -> None:
        """Hang up. A process that does not go by itself is killed."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
