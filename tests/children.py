"""Other processes, for tests that need them: started, killed, waited for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PATH = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])  # the same engrain as here

PROLOGUE = """
import json, os, sys, time
given = json.loads(sys.argv[1])
def say(value):
    print(json.dumps(value), flush=True)
"""


def spawn(code: str, given: Any = None, before: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    """A Python process that runs ``code`` with ``given`` (JSON) and ``say(value)``, one line of JSON each."""
    return subprocess.Popen(
        [sys.executable, "-c", PROLOGUE + textwrap.dedent(code), json.dumps(given)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": PATH, "PYTHONWARNINGS": "default"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,  # noqa: PLW1509 (no threads touch what the child does before it starts)
    )


def said(process: subprocess.Popen[str], timeout: float = 50.0) -> list[Any]:
    """Wait for the end and give what it said. Raises AssertionError with its errors when it failed."""
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, f"a child ended with {process.returncode}:\n{err}"
    return [json.loads(line) for line in out.splitlines()]


def run(code: str, given: Any = None, before: Callable[[], None] | None = None) -> list[Any]:
    """``spawn`` and ``said``."""
    return said(spawn(code, given, before))


def hear(process: subprocess.Popen[str]) -> Any:
    """The next value that it says. Raises AssertionError with its errors when it ended instead."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        _, err = process.communicate(timeout=10)
        raise AssertionError(f"a child ended with {process.returncode} before it spoke:\n{err}")
    return json.loads(line)


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL, and wait for the end."""
    process.kill()
    process.communicate(timeout=10)
