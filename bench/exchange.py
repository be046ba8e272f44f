"""How long an agent's memories take to leave and to come back, and how much memory that needs.

    python bench/exchange.py                    # 10,000 and 100,000 items; a Markdown table on stdout
    python bench/exchange.py --sizes 1000

Items of 40 to 120 Zipf words with tags, metadata and signals, made here from a fixed seed and embedded by the packaged
model. Peak memory is that of a process that does nothing else, above what it needs to have the home open. Beside the
times stands what writing and reading the same bytes as plain JSON lines costs: the limit in this language.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import engrain

FORMATS = ("json", "jsonl", "csv")
STEP = """
import json, re, sys, time
import engrain

def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1024

home, path, what = sys.argv[1:]
with engrain.open(home) as memory:
    agent = memory.agent("leaver")
    agent.count()
    memory.embedder.embed(["warm"])
    before = peak()
    begun = time.perf_counter()
    getattr(agent, what)(path)
    took = time.perf_counter() - begun
print(json.dumps([took, peak() - before]))
"""


def fill(home: Path, size: int) -> None:
    rng = random.Random(7)
    words = [f"word{n}" for n in range(20_000)]
    weights = [1 / (n + 1) for n in range(20_000)]
    with engrain.open(home, synchronous="NORMAL") as memory:
        agent = memory.agent("leaver")
        for start in range(0, size, 1000):
            texts = [
                " ".join(rng.choices(words, weights, k=rng.randint(40, 120))) for _ in range(min(1000, size - start))
            ]
            told = [
                {"content": t, "tags": ["a", "b"], "metadata": {"n": n}, "session": f"s{n % 50}"}
                for n, t in enumerate(texts)
            ]
            for item in agent.remember_many(told)[:100]:
                agent.get(item.id)


def step(home: Path, path: Path, what: str) -> tuple[float, float]:
    """Seconds and MiB of a process that exports or imports."""
    done = subprocess.run([sys.executable, "-c", STEP, home, path, what], capture_output=True, text=True, check=True)
    took, peak = json.loads(done.stdout)
    return took, peak


def plain(path: Path) -> float:
    """Seconds to read JSON lines and write them again."""
    begun = time.perf_counter()
    with path.open("rb") as source, tempfile.TemporaryFile() as target:
        for line in source:
            target.write(json.dumps(json.loads(line), ensure_ascii=False).encode())
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--exports-only", action="store_true")
    given = parser.parse_args()
    print("| items | format | file | export | above | import | above | plain JSON lines, read and written |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for size in given.sizes:
        with tempfile.TemporaryDirectory(prefix="engrain-exchange-") as folder:
            home = Path(folder, "home")
            fill(home, size)
            for format_ in FORMATS:
                path = Path(folder, f"mem.{format_}")
                took, peak = step(home, path, "export_to")
                cells = [
                    f"{size:,}",
                    format_,
                    f"{path.stat().st_size / 2**20:,.0f} MiB",
                    f"{took:.1f} s",
                    f"{peak:.0f} MiB",
                ]
                if given.exports_only:
                    cells += ["", ""]
                else:
                    took, peak = step(Path(folder, f"other-{format_}"), path, "import_from")
                    cells += [f"{took:.1f} s", f"{peak:.0f} MiB"]
                cells.append(f"{plain(path):.1f} s" if format_ == "jsonl" else "")
                print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
