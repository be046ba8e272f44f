"""The sandbox holds: hanging, greedy and prying code is stopped, and the next job is served."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from engrain.qe.bughunt import corpus, mutate
from engrain.qe.bughunt.sandbox import SandboxFailed, Worker

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits of processes are those of POSIX")

DEDENT = {"module": "textwrap", "name": "indent", "parameters": [["text", "str"], ["prefix", "str"]]}
HUNT = {**DEDENT, "do": "hunt", "strategy": "random", "seed": "1", "budget": 10, "first": [], "remembered": []}


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(job_seconds=20.0) as made:
        yield made


def only(answers: list[dict[str, Any]] | None) -> dict[str, Any]:
    assert answers is not None
    assert len(answers) == 1
    return answers[0]


def fault_of(module: str, name: str, operator: str, contains: str) -> list[Any]:
    """The first fault of an operator whose broken source contains a text."""
    import ast

    node = corpus.definitions(module)[name]
    for fault in mutate.faults(node):
        if fault.operator == operator and contains in ast.unparse(mutate.broken(node, fault)):
            return [fault.node, fault.operator, fault.edit, fault.line]
    raise LookupError(contains)


def test_the_original_is_never_found_faulty(worker: Worker) -> None:
    for strategy in ("random", "boundary", "mined", "metamorphic", "exhaustive"):
        assert only(worker.run({**HUNT, "strategy": strategy, "fault": None}))["found"] is False


def test_a_fault_is_found_and_the_input_is_told(worker: Worker) -> None:
    escape = {"module": "html", "name": "escape", "parameters": [["s", "str"], ["quote", "bool"]]}
    fault = fault_of("html", "escape", "return_value", "return None")
    done = only(worker.run({**HUNT, **escape, "fault": fault}))
    assert done["found"] is True
    assert done["own"] is True
    assert "returned None" in done["symptom"]


def test_memory_is_praised_for_what_memory_found(worker: Worker) -> None:
    leap = {"module": "calendar", "name": "isleap", "parameters": [["year", "int"]], "strategy": "exhaustive"}
    fault = fault_of("calendar", "isleap", "constant", "year % 401")
    told = only(worker.run({**HUNT, **leap, "fault": fault, "first": ["[2000]"], "budget": 5}))
    assert (told["found"], told["own"], told["input"]) == (True, None, "[2000]")
    untold = only(worker.run({**HUNT, **leap, "fault": fault, "budget": 5, "first": ["[1999]"]}))
    assert (untold["found"], untold["own"], untold["input"]) == (False, False, None)


def test_a_function_that_hangs_is_stopped_and_counts_as_found(worker: Worker) -> None:
    bisect = {"module": "bisect", "name": "bisect_left", "parameters": [["a", "floats"], ["x", "float"]]}
    fault = fault_of("bisect", "bisect_left", "arithmetic", "mid - 1")
    started = time.monotonic()
    done = only(worker.run({**HUNT, **bisect, "fault": fault, "strategy": "boundary", "budget": 30}))
    assert done["found"] is True
    assert "hung" in done["symptom"]
    assert time.monotonic() - started < 10


def test_the_survey_refuses_what_touches_the_world(worker: Worker) -> None:
    found = only(worker.run({"do": "survey", "module": "genericpath"}))
    assert found["found"] == [] or all(each["name"] not in ("exists", "getsize") for each in found["found"])
    kept = only(worker.run({"do": "survey", "module": "textwrap"}))
    assert {each["name"] for each in kept["found"]} >= {"dedent", "indent"}


def test_limits_inside_the_process(tmp_path: Any) -> None:
    """Memory, files and endless loops, on functions made for it, in a process of their own."""
    code = """
import signal, sys, resource
from engrain.qe.bughunt import sandbox
signal.signal(signal.SIGVTALRM, sandbox._ring)
resource.setrlimit(resource.RLIMIT_AS, (sandbox.MEMORY_BYTES, sandbox.MEMORY_BYTES))
sys.addaudithook(sandbox._audit)
def loop(x):
    while True:
        try:
            x += 1
        except Exception:
            pass
def hog(x): return bytearray(x << 40)
def pry(x): return open(x).read()
for function, argument in ((loop, 1), (hog, 1), (pry, sys.argv[1])):
    print(sandbox.call(function, [argument]))
"""
    import subprocess

    secret = tmp_path / "secret"
    secret.write_text("x", encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", code, str(secret)], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:3] == ["!OutOfTime", "!MemoryError", "!TouchedWorld open"]


def test_a_process_that_does_not_answer_is_killed_and_replaced() -> None:
    with Worker(job_seconds=0.01) as hasty:
        assert hasty.run({"do": "survey", "module": "statistics"}) is None
        assert hasty.killed == 1
        hasty._limit = 20.0
        assert only(hasty.run({**HUNT, "fault": None}))["found"] is False


def test_our_own_mistakes_are_raised(worker: Worker) -> None:
    with pytest.raises(SandboxFailed, match="KeyError"):
        worker.run({"do": "hunt"})
