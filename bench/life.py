"""The life of a million memories: how long each sweep takes while other processes recall and write.

    python bench/life.py                                # 1,000,000 memories of 1,000 agents (1.6 GB), tables on stdout
    python bench/life.py --agents 50 --rounds 1         # a quick look: 50,000 memories
    python bench/life.py --dir /big/disk --keep         # keep the home, to be taken up by the next run

Measured, each ``--rounds`` times, while one other process recalls and one writes without a pause: the daily metrics, a
decay pass over every agent, and expiring a tenth of all memories. A probe asks for the write lock all the while; the
longest it waited is an upper bound of how long a sweep held it.

Data: made-up texts of 40 to 120 Zipf words (bench/peers/data.py), 1,000 an agent, words and vectors made by the
packaged model; 20 agents are told through the contract, the others are copies of them in SQL, with ids of their own.
They were told over the last 120 days, a third of them were used since, all of them fade.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

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
    for table in ("memories", "passages", "signals"):
        names = [row[1] for row in store.execute(f"pragma table_info({table})")]
        values = [_COPIED.get(name, name).format(p=prefix) for name in names]
        which = "memory_id" if table == "signals" else "agent"
        told = "memory_id not like '%-%'" if which == "memory_id" else "agent not like '%-%'"
        made = f"insert into {table} ({', '.join(names)}) select {', '.join(values)} from {table} where {told}"
        store.execute(made)
    for table, name in (("agents", "name"), ("scopes", "name")):
        names = [row[1] for row in store.execute(f"pragma table_info({table})")]
        new = f"{prefix}||name" if table == "agents" else f"'agent:'||{prefix}||substr(name, 7)"
        values = [new if column == name else column for column in names]
        which = "name not like '%-%'" + (" and name like 'agent:%'" if table == "scopes" else "")
        made = f"insert into {table} ({', '.join(names)}) select {', '.join(values)} from {table} where {which}"
        store.execute(made)
