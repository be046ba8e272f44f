"""How fast one agent's archive is searched, beside recall of the same memories while they were remembered.

    python bench/archive_search.py                 # 100,000 memories; a table on stdout
    python bench/archive_search.py --rows 10000    # a quick look

Public contract only: remember_many, a role that archives, recall, search_archive. *First* is in a new process, with the
loading of the libraries and of the agent's archive, but not the start of Python and the opening of the home.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import engrain  # noqa: E402
from engrain.testing import SimulatedWorld  # noqa: E402

WORDS = [f"{a}{b}{c}{d}" for a in "bdkmt" for b in "aeio" for c in "lnrs" for d in ("", "ing", "ed", "er")]
ASKED = 200
ONE = """
import json, resource, sys, time, engrain
home, verb, questions = json.loads(sys.argv[1])
with engrain.open(home) as memory:
    memory.embedder.embed(["x"])
    ask, taken = getattr(memory.agent("ann"), verb), []
    for question in questions:
        begun = time.perf_counter()
        ask(question)
        taken.append(1e3 * (time.perf_counter() - begun))
print(json.dumps([taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024]))
"""


def measured(home: Path, verb: str) -> tuple[float, float, float, int]:
    """(first, median, p95 in ms, MB of memory) of a process that asks."""
    dice = random.Random(2)
    given = json.dumps([str(home), verb, [" ".join(dice.sample(WORDS, 4)) for _ in range(ASKED + 1)]])
    done = subprocess.run([sys.executable, "-c", ONE, given], capture_output=True, text=True, check=True, cwd=ROOT)
    taken, peak = json.loads(done.stdout)
    first, rest = taken[0], sorted(taken[1:])
    return first, statistics.median(rest), rest[len(rest) * 95 // 100], peak


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000, help="memories of the agent (100000)")
    rows, dice = parser.parse_args().rows, random.Random(1)
    with tempfile.TemporaryDirectory(prefix="engrain-search-") as scratch:
        home, world, found = Path(scratch) / "home", SimulatedWorld("2026-01-01T00:00:00Z"), {}
        with engrain.open(home, world=world) as memory:
            for start in range(0, rows, 5000):
                texts = [" ".join(dice.choices(WORDS, k=dice.randint(10, 30))) for _ in range(min(5000, rows - start))]
                memory.agent("ann").remember_many(
                    {"content": text, "session": f"s{(start + n) // 12}", "role": ("user", "Ann")[n % 2],
                     "expires_in": "36500d"} for n, text in enumerate(texts)
                )  # fmt: skip
            found["recall, remembered"] = measured(home, "recall")
            world.advance(days=36501)
            memory.tick(["expire"])
            found["search, waiting in the store"] = measured(home, "search_archive")
            memory.tick(["archive"])
            found["search, in the cold tables"] = measured(home, "search_archive")
    print(f"| {rows:,} memories of one agent | first | median of {ASKED} | p95 | peak memory |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, (first, median, late, peak) in found.items():
        print(f"| {name} | {first / 1e3:.2f} s | {median:.1f} ms | {late:.1f} ms | {peak} MB |")


if __name__ == "__main__":
    main()
