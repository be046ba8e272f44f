"""The life of a million memories: how long each sweep takes while other processes recall and write.

    python bench/life.py                                # 1,000,000 memories of 1,000 agents (2 GB), a table on stdout
    python bench/life.py --agents 50 --rounds 1         # a quick look: 50,000 memories
    python bench/life.py --home big                     # keep the home in this folder, and take it up when it is there

Each of ``--rounds`` rounds runs the roles through ``memory.tick``: the metrics of a day, a decay pass over every agent
after 120 days without one, and expiring a tenth of all memories. Meanwhile one other process recalls 100 times and one
writes 20 times a second, and both say how long that took. What a round changed is put back before the next.

Data: made-up texts of 40 to 120 Zipf words (bench/peers/data.py), 1,000 an agent, words and vectors made by the
packaged model; 20 agents are told through the contract, the others are copies of them in SQL, with ids of their own.
They were told over the last 120 days, and a third of them were used since.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import engrain  # noqa: E402
from bench.peers import data  # noqa: E402

OWN, SEED = 1000, 20  # memories an agent, and agents that are told through the contract
DAY = 86_400_000_000  # µs
KINDS = ("context", "learning", "preference", "fact", "event", "success_pattern")
_COPIED = {"id": "{p}||substr(id, 7)", "agent": "{p}||agent", "memory_id": "{p}||substr(memory_id, 7)"}


def build(home: Path, agents: int) -> None:
    """A home with so many agents, all of their memories faded by nothing yet."""
    seeds = min(agents, SEED)
    texts = data.make(OWN * seeds).texts
    with engrain.open(home, redact=False, synchronous="NORMAL") as memory:
        now = memory.world.now()
        for number in range(seeds):
            mine = enumerate(texts[number * OWN : (number + 1) * OWN])
            rows = [{"content": text, "kind": KINDS[i % len(KINDS)], "importance": 1 + i % 9} for i, text in mine]
            memory.agent(f"a{number:02d}").remember_many(rows)
    with closing(sqlite3.connect(home / "engrain.db", isolation_level=None)) as store:
        store.execute("pragma synchronous = off")
        store.execute("pragma cache_size = -500000")
        store.execute("begin")
        spread = "abs(random()) % 10368000000000"  # 120 days
        store.execute(f"update memories set told_at = {now} - {spread}")
        store.execute("update memories set created_at = told_at, updated_at = told_at")
        store.execute(
            "insert into signals (tenant, memory_id, shown, read, applied, helpful, unhelpful, last_used_at) "
            f"select tenant, id, 9, 3, 0, 1, 0, told_at + abs(random()) % ({now} - told_at) from memories "
            "where rowid % 3 = 0"
        )
        for number in range(1, -(-agents // seeds)):
            _copy(store, f"'{number:03d}-'")
        store.execute(f"update agents set fades_since = {now - 120 * DAY}, decayed_at = {now - 120 * DAY}")
        store.execute("commit")
        store.execute("pragma wal_checkpoint(truncate)")


def _copy(store: sqlite3.Connection, prefix: str) -> None:
    """Every told agent once more, under new names."""
    which = {
        "memories": "agent not like '%-%'",
        "passages": "agent not like '%-%'",
        "signals": "memory_id not like '%-%'",
        "agents": "name not like '%-%'",
        "scopes": "name like 'agent:%' and name not like '%-%'",
    }
    for table, told in which.items():
        names = [row[1] for row in store.execute(f"pragma table_info({table})")]
        named = {"agents": "{p}||name", "scopes": "'agent:'||{p}||substr(name, 7)"}.get(table, "name")
        values = [{**_COPIED, "name": named}.get(name, name).format(p=prefix) for name in names]
        store.execute(f"insert into {table} ({', '.join(names)}) select {', '.join(values)} from {table} where {told}")


# -- others at work ---------------------------------------------------------------------------------------------------

OTHER = """
import json, select, sys, time
import engrain
home, what, rate = sys.argv[1], sys.argv[2], float(sys.argv[3])
with engrain.open(home, redact=False) as memory:
    agents = [memory.agent(f"a{number:02d}") for number in range(int(sys.argv[4]))]
    texts = [item.content for agent in agents for item in agent.list(limit=5)]
    for agent in agents:
        agent.recall("a first question, which loads the scope")
    agents[0].remember("a first memory, which loads the writer")
    print("ready", flush=True)
    times, number = [], 0
    due = time.perf_counter()
    while not select.select([sys.stdin], [], [], max(0.0, due - time.perf_counter()))[0]:
        begun = time.perf_counter()
        agent, text = agents[number % len(agents)], texts[number % len(texts)]
        if what == "recall":
            agent.recall(" ".join(text.split()[:8]))
        else:
            agent.remember(f"{number} {begun} {text}")
        times.append(time.perf_counter() - begun)
        due = max(due + 1 / rate, time.perf_counter())
        number += 1
    print(json.dumps(times), flush=True)
"""
RATES = {"recall": 100, "write": 20}  # a second
Times = dict[str, list[float]]


@contextmanager
def others(home: Path, agents: int) -> Iterator[Times]:
    """Processes that recall and write; their seconds are in what is given when they have ended."""
    line = [sys.executable, "-c", OTHER, str(home)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = {
        what: subprocess.Popen([*line, what, str(rate), str(min(agents, SEED))], **pipes)
        for what, rate in RATES.items()
    }
    times: Times = {}
    try:
        for what, process in started.items():
            if process.stdout.readline() != "ready\n":
                sys.exit(f"the process that was to {what} ended")
        yield times
        for what, process in started.items():
            times[what] = json.loads(process.communicate("end\n")[0])
    finally:
        for process in started.values():
            process.kill()


# -- what is measured -------------------------------------------------------------------------------------------------


def prepare(home: Path, now: int) -> None:
    """Everything as it was before a round: nothing measured, decayed or announced, and a tenth of what is active due
    to expire."""
    with closing(sqlite3.connect(home / "engrain.db", isolation_level=None, timeout=60)) as store:
        store.execute("pragma synchronous = off")
        store.execute("begin")
        store.execute("delete from daily_metrics")
        store.execute("delete from transitions")
        store.execute("update signals set pending_at = null where pending_at is not null")
        store.execute("update memories set state = 'active', archived_at = null, archived_reason = null "
                      "where state = 'archived'")  # fmt: skip
        store.execute(f"update agents set fades_since = {now - 120 * DAY}, decayed_at = {now - 120 * DAY}")
        store.execute(f"update home set value = '{now - 121 * DAY}' where name = 'created_at'")
        store.execute("update memories set expires_at = null where expires_at is not null")
        store.execute(f"update memories set expires_at = {now - 1} where rowid % 10 = 0 and agent like '%-%'")
        store.execute("commit")
        store.execute("pragma wal_checkpoint(truncate)")


def one_round(home: Path, agents: int, role: str) -> dict[str, Any]:
    """A role's run: its seconds, findings, and those of the others meanwhile. ``role`` "" measures the others alone."""
    with engrain.open(home) as memory, others(home, agents) as times:
        begun = time.perf_counter()
        runs = memory.tick([role]) if role else []
        if not role:
            time.sleep(5)
        seconds = time.perf_counter() - begun
    if any(run.state != "done" for run in runs):
        sys.exit(f"{role} did not end well: {runs[0].error}")
    return {"seconds": seconds, "findings": dict(runs[0].findings) if runs else {}, "times": times}


def p(times: list[float], share: float) -> float:
    """A percentile in milliseconds."""
    return sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--agents", type=int, default=1000, help="of 1,000 memories each (1000)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the medians are told (3)")
    parser.add_argument("--home", type=Path, help="a folder to keep the home in")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="engrain-life-") as scratch:
        home = chosen.home or Path(scratch) / "home"
        if not (home / "engrain.db").exists():
            build(home, chosen.agents)
        report(home, chosen)


NAMES = {
    "": "nothing, for 5 s",
    "metrics": "daily metrics",
    "decay": "decay pass over every agent",
    "expire": "expire a tenth of all",
}


def report(home: Path, chosen: argparse.Namespace) -> None:
    """Measure, and print one table."""
    with engrain.open(home) as memory:
        held = memory.stats()["memories"]["active"]
        now = memory.world.now()
    found: dict[str, list[dict[str, Any]]] = {role: [] for role in NAMES}
    for _ in range(chosen.rounds):
        prepare(home, now)
        for role in NAMES:
            found[role].append(one_round(home, chosen.agents, role))
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores, "
        f"{platform.machine()}; {held:,} memories of {chosen.agents:,} agents, medians of {chosen.rounds}\n"
    )
    print("| meanwhile | took | did | lock held at most | recall p50 | p99 | write p50 | p99 |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for role, rounds in found.items():
        took = statistics.median(one["seconds"] for one in rounds)
        first = rounds[0]["findings"]
        did = {"metrics": "memories", "decay": "fading", "expire": "expired"}.get(role, "")
        held_ms = max(one["findings"].get("held_ms", 0.0) for one in rounds)
        cells = [f"{took:.2f} s", f"{first[did]:,} {did}" if did else "", f"{held_ms:.0f} ms" if role else ""]
        for what in RATES:
            for share in (0.5, 0.99):
                cells.append(f"{statistics.median(p(one['times'][what], share) for one in rounds):.1f} ms")
        print(f"| {NAMES[role]} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
