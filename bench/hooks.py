"""What a hook costs the session that it serves: whole processes, from their start to their end.

    python bench/hooks.py                     # 100 runs of each event, on a home of 5,000 memories
    python bench/hooks.py --runs 20 --json hooks.json

Each event comes on stdin as Claude Code sends it; the process is started, answers and ends. Beside them: a Python that
does nothing, and what `engrain context` takes. Exit code 1 when a figure is missed: median 150 ms, p99 400 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
EVENTS = ROOT / "tests" / "data" / "claude_code"
MEDIAN, P99 = 150.0, 400.0
ITEMS, PATTERNS, FIXES, VOCABULARY = 5000, 200, 500, 20_000


def fill(home: Path) -> None:
    """Memories, patterns and fixes; words by Zipf's law, as in prose, with those of the recorded events among them."""
    import engrain

    dice = random.Random(7)
    known = re.findall("[a-z]{4,}", (EVENTS / "2-user-prompt-submit.json").read_text(encoding="utf-8").lower())
    words = [*known, *(f"w{n}" for n in range(VOCABULARY))]
    weights = [1 / (n + 8) for n in range(len(words))]

    def prose(least: int, most: int) -> str:
        return " ".join(dice.choices(words, weights, k=dice.randint(least, most)))

    with engrain.open(home) as memory:
        ann = memory.agent("ann")
        for start in range(0, ITEMS, 500):
            rows = [{"content": f"{prose(10, 80)} {n}", "session": f"s{n // 20}"} for n in range(start, start + 500)]
            ann.remember_many(rows)
        for n in range(PATTERNS):
            id_ = ann.add_pattern(f"{prose(3, 8)} {n}", prose(10, 40)).id
            if n % 2:
                ann.use_pattern(id_, n % 3 > 0, evidence="verified", source=str(n))
        for n in range(0, FIXES, 100):
            ann.record_fixes(
                {"problem": f"{prose(5, 12)} {m}", "commands": [f"do {m}"], "success": True, "verified": True}
                for m in range(n, n + 100)
            )


def transcript(path: Path) -> None:
    """A long session of some 6 MB, most of it the output of tools."""
    told = (EVENTS / "transcript.jsonl").read_text(encoding="utf-8")
    result = {"type": "tool_result", "tool_use_id": "t", "content": "x = 1\n" * 2000}
    output = json.dumps({"type": "user", "message": {"role": "user", "content": [result]}})
    path.write_text("".join(f"{told}{output}\n" for _ in range(400)), encoding="utf-8")


def timed(line: list[str], raw: bytes, runs: int) -> list[tuple[float, float]]:
    """(Milliseconds, milliseconds of processor time) of each run. The first does not count: it may compile what is run
    for the first time."""
    found = []
    for _ in range(runs + 1):
        start, spent = time.perf_counter(), _spent()
        done = subprocess.run(line, input=raw, capture_output=True, check=False)
        found.append(((time.perf_counter() - start) * 1000, (_spent() - spent) * 1000))
        assert done.returncode == 0, done.stderr
    return found[1:]


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        home, talk = Path(folder) / "home", Path(folder) / "talk.jsonl"
        fill(home)
        transcript(talk)
        engrain = [sys.executable, "-m", "engrain"]
        where = ["--home", str(home), "--agent", "ann"]
        for path in sorted(EVENTS.glob("*.json")):
            event = {**json.loads(path.read_text(encoding="utf-8")), "transcript_path": str(talk)}
            if event["hook_event_name"] == "UserPromptSubmit":  # nothing was shown before
                event["session_id"] = "other"
            found = timed([*engrain, "hook", *where], json.dumps(event).encode(), asked.runs)
            rows.append(row(path.stem[2:], found))
            subprocess.run([*engrain, "count", *where], capture_output=True, check=True)  # takes in what waits
        huge = json.loads((EVENTS / "6-post-tool-use-bash.json").read_text(encoding="utf-8"))
        huge["tool_response"] = {"stdout": "x" * 5_000_000}
        found = timed([*engrain, "hook", *where], json.dumps(huge).encode(), asked.runs)
        rows.append(row("post-tool-use, 5 MB", found))
        rows.append(row("(python, nothing)", timed([sys.executable, "-c", "pass"], b"", asked.runs)))
        rows.append(row("(engrain context)", timed([*engrain, "context", "upload of invoices", *where], b"", 10)))
    print("| event | median, ms | p99, ms | worst, ms | processor, ms |\n| --- | --- | --- | --- | --- |")
    for one in rows:
        figures = (f"{one[name]:.0f}" for name in ("median", "p99", "worst", "spent"))
        print("|", " | ".join([one["event"], *figures]), "|")
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=2))
    hooks = [one for one in rows if not one["event"].startswith("(")]
    return int(any(one["median"] > MEDIAN or one["p99"] > P99 for one in hooks))


def row(event: str, found: list[tuple[float, float]]) -> dict[str, Any]:
    wall = sorted(one for one, _ in found)
    p99 = wall[min(len(wall) - 1, round(0.99 * len(wall)))]
    spent = statistics.median(one for _, one in found)
    return {"event": event, "median": statistics.median(wall), "p99": p99, "worst": wall[-1], "spent": spent}


if __name__ == "__main__":
    sys.exit(main())
