"""What is known of problems, at a size: 100,000 attempts at 5,000 issues, looked up and recorded.

    python bench/fixes.py                      # 100,000 attempts, Markdown on stdout
    python bench/fixes.py --attempts 10000     # for a look

Exit code 1 when a figure to reach is missed at the full size.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from statistics import median, quantiles
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import engrain
from engrain import Agent
from engrain.testing import SimulatedWorld

ISSUES = 5_000
TARGETS = 100
FULL = 100_000
REACH = 3.0  # ms, p50
ASKED = 300
TYPES = (
    "timeout",
    "error",
    "exception",
    "no_output",
    "unexpected_response",
    "test_failure",
    "model_not_available",
    "custom",
)
_VERBS = [
    "open",
    "read",
    "write",
    "parse",
    "load",
    "send",
    "fetch",
    "resolve",
    "connect",
    "mount",
    "start",
    "stop",
    "build",
    "deploy",
    "sign",
    "lock",
    "merge",
    "index",
]
_THINGS = [
    "socket",
    "file",
    "queue",
    "table",
    "volume",
    "token",
    "config",
    "session",
    "cache",
    "bucket",
    "thread",
    "cluster",
    "index",
    "schema",
    "lease",
]
_WHYS = [
    "refused",
    "denied",
    "truncated",
    "stale",
    "missing",
    "full",
    "locked",
    "corrupt",
    "expired",
    "unreachable",
    "ambiguous",
    "malformed",
]
_DOS = ["restart", "reload", "purge", "rebuild", "rotate", "extend", "migrate", "drain", "resize", "reconnect"]


@cache
def words(issue: int) -> str:
    """The words of an issue, 5 to 12 of 400: no two issues share more than a few."""
    rng = random.Random(issue)
    vocabulary = [one + other for one in _THINGS for other in (*_VERBS, *_WHYS)]
    return " ".join(rng.choices(vocabulary, k=rng.randrange(5, 13)))


def attempts(count: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Rows of ``record_fixes``. Some issues are frequent (Zipf); four ways are tried at each, of which one is good."""
    weights = [1 / (rank + 10) for rank in range(ISSUES)]
    for number, issue in enumerate((*range(ISSUES), *rng.choices(range(ISSUES), weights, k=count - ISSUES))):
        target, way = f"service-{issue % TARGETS}", rng.randrange(4)
        success = rng.random() < (0.8 if way == issue % 4 else 0.2)
        yield {
            "problem": problem(issue, rng),
            "commands": [f"{_DOS[(issue + way) % 10]} --{_THINGS[(issue * 7 + way) % 15]} {target}", f"echo {number}"],
            "success": success,
            "verified": success and rng.random() < 0.7,
            "seconds": rng.uniform(1, 60),
            "type": TYPES[issue % 8],
            "target": target,
            "fixer": ("qwen", "claude", "deepseek")[rng.randrange(3)],
            "session": f"s{number // 20}",
        }


def problem(issue: int, rng: random.Random) -> str:
    """A message of an issue, as it is this time."""
    return f"{words(issue)}: failed after {rng.randrange(10**6)} ms (10.0.{rng.randrange(255)}.{rng.randrange(255)})"


def timed(run: Callable[[], object]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1000


def measure(agent: Agent, rng: random.Random) -> list[tuple[str, list[float]]]:
    """What is timed, each with its milliseconds."""

    def known() -> object:
        issue = rng.randrange(ISSUES)
        return agent.diagnose(problem(issue, rng), target=f"service-{issue % TARGETS}", type=TYPES[issue % 8])

    def new() -> object:
        return agent.diagnose(f"the {rng.choice(_THINGS)} went away while we {rng.choice(_VERBS)} it", type="error")

    def record() -> object:
        row = next(attempts(ISSUES + 1, rng))
        return agent.record_fix(row.pop("problem"), row.pop("commands"), **row)

    def after() -> float:
        record()
        return timed(known)

    first = timed(known)
    for _ in range(ASKED):  # a process that has met every target before
        known()
    return [
        ("diagnose, the first of a process", [first]),
        ("diagnose a known issue", [timed(known) for _ in range(ASKED)]),
        ("diagnose a problem that is new", [timed(new) for _ in range(ASKED)]),
        ("diagnose just after an attempt was recorded", [after() for _ in range(ASKED // 5)]),
        (
            "context_for",
            [timed(lambda: agent.context_for(problem(rng.randrange(ISSUES), rng))) for _ in range(ASKED // 5)],
        ),
        ("record_fix", [timed(record) for _ in range(ASKED // 5)]),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attempts", type=int, default=FULL)
    count = max(ISSUES, parser.parse_args().attempts)
    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        with engrain.open(folder, world=SimulatedWorld()) as memory:
            agent, rows = memory.agent("bench"), list(attempts(count, rng))
            start = time.perf_counter()
            for at in range(0, count, 1000):
                agent.record_fixes(rows[at : at + 1000])
            wrote = time.perf_counter() - start
        size = sum(one.stat().st_size for one in Path(folder).glob("engrain.db*"))
        with engrain.open(folder) as memory:
            stats = memory.agent("bench").fix_stats()
            found = measure(memory.agent("bench"), rng)
            rebuilt = timed(memory.rebuild)
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"engrain {engrain.__version__}\n"
    )
    print(
        f"{count:,} attempts at {ISSUES:,} issues of {TARGETS} targets; {count / wrote:,.0f} a second in batches of "
        f"1,000; {size / count:,.0f} bytes each with all that is derived; `rebuild` {rebuilt / 1000:.1f} s\n"
    )
    print(f"{stats.issues:,} issues by signature\n")
    print("| | p50 ms | p95 ms |\n|---|---|---|")
    for name, times in found:
        print(f"| {name} | {median(times):.2f} | {quantiles(times, n=20)[-1] if len(times) > 1 else times[0]:.2f} |")
    return int(count >= FULL and median(dict(found)["diagnose a known issue"]) > REACH)


if __name__ == "__main__":
    sys.exit(main())
