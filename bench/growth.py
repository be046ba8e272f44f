"""How recall grows: p50 and p99 as a store grows around an agent of 1,000 memories, large team scopes, memory a row,
the first recall of a process, and what a write in another process costs.

    python bench/growth.py                              # 1k, 10k and 100k memories; a Markdown table on stdout
    python bench/growth.py --sizes 1000 --team 20000    # a quick look
    python bench/growth.py --sizes 1000 10000 100000 1000000 --team 100000 1000000
    python bench/growth.py --postgres                   # the same over loopback, on the server that the tests start

Data: texts of 40 to 120 Zipf words and questions of 8 of their words, made by the harness in ../shared/bench-peers (set
ENGRAIN_SHARED for another place), embedded by the packaged model, question included in every time. Stores above 20,000
memories are filled by copying rows in SQL: the copies are other agents' (or other members'), with ids of their own.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import engrain

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path(os.environ.get("ENGRAIN_SHARED", ROOT.parent / "shared")) / "bench-peers"
OWN = 1000  # memories of the agent that is asked, in every store
SEED = 20_000  # memories that are told through the contract; the rest are copies
ASKED = 200
READER = "reader"


@contextmanager
def place(server: Any) -> Iterator[dict[str, str]]:
    """Arguments of engrain.open for an empty home, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="engrain-growth-") as folder:
        if server is None:
            yield {"location": folder}
            return
        database = server.fresh()
        yield {"location": server.url(database), "home": folder}
        server.drop(database)


def fill(where: dict[str, str], size: int, visibility: str) -> list[str]:
    """A store of ``size`` memories, OWN of them the reader's; questions for the reader."""
    import common  # of the harness; main() has put its folder on the path

    data = common.Data(min(size, SEED), extra=0, queries=min(ASKED, OWN))
    rows = [{"content": text, "visibility": visibility} for text in data.texts]
    with engrain.open(**where, redact=False) as memory:
        for start in range(0, len(rows), OWN):
            name = READER if start == 0 else f"a{start // OWN}"
            memory.agent(name).remember_many(rows[start : start + OWN])
    copies = (size - len(rows)) // (len(rows) - OWN) if size > len(rows) else 0
    (_copy_sqlite if "home" not in where else _copy_postgres)(where["location"], copies)
    chosen = np.random.default_rng(5).choice(OWN, min(ASKED, OWN), replace=False)
    words = np.random.default_rng(6)
    return [" ".join(words.choice(data.texts[i].split(), 8, replace=False)) for i in chosen]


_COPIED = {
    "id": "{p}||substr(id, 7)",
    "agent": "agent||{p}",
    "memory_id": "{p}||substr(memory_id, 7)",
    "superseded_by": "null",
}


def _copies(columns: dict[str, list[str]], prefix: str) -> list[str]:
    """Statements that copy every memory and passage of other agents under new ids."""
    made = []
    for table, names in columns.items():
        values = [_COPIED.get(name, name).format(p=prefix) for name in names]
        which = f"agent <> '{READER}' and agent not like '%-'"
        made.append(f"insert into {table} ({', '.join(names)}) select {', '.join(values)} from {table} where {which}")
    prefix_agent = f"'agent:'||agent||{prefix}"
    made.append(
        f"insert into scopes (tenant, name, seq, purges) select tenant, {prefix_agent}, max(seq), 0 from memories "
        f"where agent <> '{READER}' and agent not like '%-' group by tenant, agent"
    )
    return made


def _copy_sqlite(folder: str, copies: int) -> None:
    with closing(sqlite3.connect(Path(folder) / "engrain.db", isolation_level=None)) as store:
        columns = {
            table: [row[1] for row in store.execute(f"pragma table_info({table})")]
            for table in ("memories", "passages")
        }
        store.execute("pragma synchronous = off")
        store.execute("pragma cache_size = -500000")
        store.execute("begin")
        for number in range(copies):
            for statement in _copies(columns, f"'{number:05d}-'"):
                store.execute(statement)
        store.execute("commit")
        store.execute("pragma wal_checkpoint(truncate)")


def _copy_postgres(url: str, copies: int) -> None:
    import psycopg

    with psycopg.connect(url) as store:
        store.execute("select set_config('engrain.tenant', '*', false)")
        columns = {
            table: [row.name for row in store.execute(f"select * from {table} limit 0").description or ()]
            for table in ("memories", "passages")
        }
        for number in range(copies):
            for statement in _copies(columns, f"'{number:05d}-'"):
                store.execute(statement.encode())
    with psycopg.connect(url, autocommit=True) as store:
        store.execute("analyze")


def clock(agent: engrain.Agent, questions: Sequence[str]) -> list[float]:
    """Milliseconds of each recall, sorted."""
    times = []
    for question in questions:
        start = time.perf_counter()
        agent.recall(question)
        times.append(1000 * (time.perf_counter() - start))
    return sorted(times)


def resident() -> int:
    """Bytes of this process in memory now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


WRITER = """
import sys, engrain
with engrain.open(sys.argv[1], home=sys.argv[2] or None) as memory:
    memory.agent(sys.argv[3]).remember("quixotic zeppelin over the lighthouse", visibility=sys.argv[4])
"""


def measure(where: dict[str, str], size: int, visibility: str, questions: list[str]) -> dict[str, float]:
    """Every figure of one store."""
    team = visibility != "private"
    name = "onlooker" if team else READER  # an onlooker has nothing of its own: the scope is what others share
    with tempfile.TemporaryDirectory() as elsewhere, engrain.open(elsewhere) as memory:
        agent = memory.agent("warm")  # what a process pays once, whatever it recalls: imports, the embedder
        agent.remember("a first memory")
        agent.recall("first memory")
    before = resident()
    start = time.perf_counter()
    with engrain.open(**where) as memory:
        agent = memory.agent(name)
        agent.recall(questions[0])
        out = {"first": 1000 * (time.perf_counter() - start)}
        segments = memory.recaller._segments
        clock(agent, questions)
        times = clock(agent, questions)
        out |= {"p50": times[len(times) // 2], "p99": times[int(len(times) * 0.99)]}
        view = segments.view(agent.scope, memory.embedder)
        out["bytes"] = (sum(part.segment.nbytes for part in view.parts) + view.nbytes) / view.n
        rows = view.n
        if not team:  # other agents too: one scope is little beside the store's own page cache
            for number in range(1, min(size, SEED) // OWN):
                other = memory.agent(f"a{number}")
                other.recall(questions[0])
                rows += segments.view(other.scope, memory.embedder).n
        out["rss"] = (resident() - before) / rows
        out["loaded"] = segments.loaded
        writer = [sys.executable, "-c", WRITER, where["location"], where.get("home", ""), "a1" if team else name]
        subprocess.run([*writer, visibility], check=True)
        start = time.perf_counter()
        hits = agent.recall("quixotic zeppelin")
        out["caught"] = 1000 * (time.perf_counter() - start)
        out["caught_rows"] = segments.loaded - out["loaded"]
        if not hits or "zeppelin" not in hits[0].item.content:
            sys.exit(f"{size:,} memories: what another process wrote was not recalled")
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=" ".join((__doc__ or "").split("\n\n")[0].split()))
    told = "memories of all agents, a store for each number (1000 10000 100000)"
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 10_000, 100_000], help=told)
    told = "memories that one public scope has, a store for each number (100000)"
    parser.add_argument("--team", type=int, nargs="*", default=[100_000], help=told)
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL server started for this")
    chosen = parser.parse_args()
    if importlib.util.find_spec("psutil") is None:
        sys.exit("psutil is not installed, which measures memory: make the development environment (make test).")
    if not (PEERS / "common.py").is_file():
        sys.exit(
            f"The harness's data maker is not at {PEERS}: set ENGRAIN_SHARED to the folder that holds bench-peers."
        )
    sys.path[:0] = [str(ROOT), str(PEERS)]
    place_ = "PostgreSQL over loopback" if chosen.postgres else "a folder"
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, numpy {np.__version__}, "
        f"{os.cpu_count()} cores, {platform.machine()}, {place_}\n"
    )
    print("| store | recall p50 | p99 | open + first | arrays a row | RSS a row | after another's write | rows read |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(prefix="engrain-server-") as folder:
        server = None
        if chosen.postgres:
            from tests.postgres import start

            server = start(Path(folder) / "server")
        try:
            for visibility, sizes in (("private", chosen.sizes), ("public", chosen.team)):
                for size in sizes:
                    with place(server) as where:
                        row = measure(where, size, visibility, fill(where, size, visibility))
                    label = f"{size:,}, {f'{OWN:,} the agent’s own' if visibility == 'private' else 'all shared'}"
                    print(
                        f"| {label} | {row['p50']:.2f} ms | {row['p99']:.2f} ms | {row['first']:.1f} ms "
                        f"| {row['bytes']:,.0f} B | {row['rss']:,.0f} B | {row['caught']:.1f} ms "
                        f"| {row['caught_rows']:.0f} |",
                        flush=True,
                    )
        finally:
            if server is not None:
                server.handle.cleanup()


if __name__ == "__main__":
    main()
