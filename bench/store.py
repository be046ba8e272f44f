"""The hot store beside plain SQLite, in one run: durable write, ingest, get, recall, cold start.

    python bench/store.py                 # 10k and 100k memories of 100 agents, a Markdown table on stdout
    python bench/store.py --sizes 2000    # a quick look

A write is told over the price of one fdatasync of the same moment: the two are taken in turn, write by write. Ingest is
told twice, in batches of 1,000 rows of one agent and in those of what each agent has.

Data and rival come from ../shared/bench-peers (set ENGRAIN_SHARED for another place): the rival is 100 lines over the
standard library's sqlite3 (WAL, synchronous=FULL, FTS5, vectors in memory), with the same texts and the same ready-made
384-dimensional vectors, so embedding is in neither figure unless a row says so. Every write is durable when it returns.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
PEERS = Path(os.environ.get("ENGRAIN_SHARED", ROOT.parent / "shared")) / "bench-peers"
if not (PEERS / "common.py").is_file():
    sys.exit(f"The rival's harness is not at {PEERS}: set ENGRAIN_SHARED to the folder that holds bench-peers.")
sys.path.insert(0, str(PEERS))

import common  # noqa: E402
import numpy as np  # noqa: E402
from peer_sqlite_baseline import SqliteBaseline  # noqa: E402

import engrain  # noqa: E402
from engrain.recall.analyze import analyze  # noqa: E402
from engrain.recall.rank import Weights  # noqa: E402
from engrain.recall.vectors import cosines  # noqa: E402
from engrain.recall.words import score_words  # noqa: E402

QUERIES, WRITES, GETS, BATCH, BLOCK = 200, 300, 500, 1000, 4096


class Ready:
    """The harness's vectors, handed out by text."""

    name = "bench"
    dim = common.DIM

    def __init__(self, data: common.Data) -> None:
        self.seconds = 0.0  # spent here or in checking what comes from here: no part of a write
        self._known = dict(zip(data.texts, data.vecs, strict=True)) | dict(zip(data.qtext, data.qvec, strict=True))

    def embed(self, texts: Sequence[str]) -> Any:
        return np.stack([self._known[text] for text in texts]) if texts else np.empty((0, self.dim), np.float32)


def p(times: list[float], share: float) -> float:
    """A percentile in microseconds."""
    return sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1e6


def clock(calls: Sequence[Callable[[], Any]]) -> list[float]:
    """Seconds of each call."""
    times = []
    for call in calls:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def rate(n: int, work: Callable[[], Any], spent: Callable[[], float] = lambda: 0.0) -> float:
    """Rows per second, without what was ``spent`` on something else meanwhile."""
    start = time.perf_counter() - spent()
    work()
    return n / (time.perf_counter() - spent() - start)


def beside_the_disk(
    folder: Path, calls: Sequence[Callable[[], Any]], spent: Callable[[], float] = lambda: 0.0
) -> tuple[list[float], list[float]]:
    """Seconds of each call, and of one fdatasync of an allocated block before each."""
    times, syncs = [], []
    name = folder / "_probe"
    probe = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        os.pwrite(probe, b"\1" * BLOCK * len(calls), 0)
        os.fsync(probe)
        for number, call in enumerate(calls):
            start = time.perf_counter()
            os.pwrite(probe, b"x" * BLOCK, BLOCK * number)
            os.fdatasync(probe)
            syncs.append(time.perf_counter() - start)
            start = time.perf_counter() - spent()
            call()
            times.append(time.perf_counter() - spent() - start)
    finally:
        os.close(probe)
        name.unlink()
    return times, syncs


def row_of(record: dict[str, Any]) -> dict[str, Any]:
    return {"content": record["text"], "importance": 1 + 9 * record["importance"], "metadata": {"id": record["id"]}}


def ours(data: common.Data, folder: Path) -> dict[str, Any]:
    """Engrain's figures."""
    out: dict[str, Any] = {}
    ready = Ready(data)
    memory = engrain.open(folder, embedder=ready)
    apart(memory, ready)
    agents = {name: memory.agent(f"a{name:03d}") for name in range(common.AGENTS)}
    ids: dict[int, tuple[int, str]] = {}

    def ingest() -> None:
        for name, agent in agents.items():
            mine = [i for i in range(data.n) if data.agent[i] == name]
            for start in range(0, len(mine), BATCH):
                part = mine[start : start + BATCH]
                for i, item in zip(part, agent.remember_many([row_of(data.rec(i)) for i in part]), strict=True):
                    ids[i] = (name, item.id)

    out["ingest"] = rate(data.n, ingest, lambda: ready.seconds)
    out["disk"] = common.disk(folder) / data.n
    asked = [(agents[int(data.qagent[j])], data.qtext[j], data.qvec[j]) for j in range(QUERIES)]
    out["first"] = clock([lambda a=agent, t=text: a.recall(t) for agent, text, _ in asked[:1]])
    for agent, text, _ in asked:
        agent.recall(text)
    out["both"] = clock([lambda a=agent, t=text: a.recall(t) for agent, text, _ in asked])
    out |= engine_only(memory, asked)
    chosen = [ids[int(i)] for i in np.random.default_rng(3).integers(0, data.n, GETS)]
    out["get"] = clock([lambda n=name, i=id_: agents[n].get(i) for name, id_ in chosen])
    extra = [data.rec(data.n + i) for i in range(WRITES)]
    writes = [lambda r=record: agents[int(r["agent"][1:])].remember(**row_of(r)) for record in extra]
    out["write"], out["fdatasync"] = beside_the_disk(folder, writes, lambda: ready.seconds)
    memory.close()
    return out


def apart(memory: engrain.Memory, ready: Ready) -> None:
    """Count what the memory spends on vectors, checking them included, on ``ready``."""
    embedder = memory.embedder
    embed = embedder.embed

    def counted(texts: list[str]) -> Any:
        start = time.perf_counter()
        try:
            return embed(texts)
        finally:
            ready.seconds += time.perf_counter() - start

    embedder.embed = counted  # type: ignore[method-assign]


def batched_ingest(data: common.Data, folder: Path) -> float:
    """Rows per second in batches of 1,000, each of an agent of its own."""
    ready = Ready(data)
    with engrain.open(folder, embedder=ready) as memory:
        apart(memory, ready)
        rows = [row_of(data.rec(i)) for i in range(data.n)]
        starts = range(0, data.n, BATCH)
        agents = {start: memory.agent(f"b{start}") for start in starts}
        return rate(
            data.n,
            lambda: [agents[start].remember_many(rows[start : start + BATCH]) for start in starts],
            lambda: ready.seconds,
        )


def engine_only(memory: engrain.Memory, asked: Sequence[tuple[engrain.Agent, str, Any]]) -> dict[str, Any]:
    """Words alone and vectors alone over one loaded scope, inside the engine: scores and the ten best, no items."""
    weights = Weights()

    def best(scores: Any) -> Any:
        top = np.argpartition(-scores, min(10, len(scores) - 1))[:10]
        return top[np.argsort(-scores[top])]

    def words(view: Any, text: str) -> Any:
        terms = list(dict.fromkeys(analyze(text)))
        return best(score_words(view, terms, weights.item, weights.episode, weights.whole).item)

    views = [
        (memory.recaller._segments.view(agent.scope, memory.embedder), text, vector) for agent, text, vector in asked
    ]
    return {
        "words": clock([lambda v=view, t=text: words(v, t) for view, text, _ in views]),
        "vectors": clock([lambda v=view, q=vector: best(cosines(v, q)) for view, _, vector in views]),
    }


def rival(data: common.Data, folder: Path) -> dict[str, Any]:
    """Plain SQLite's figures."""
    out: dict[str, Any] = {}
    folder.mkdir(parents=True)
    peer = SqliteBaseline(str(folder), common.DIM)

    def ingest() -> None:
        for start in range(0, data.n, 1000):
            peer.bulk([data.rec(i) for i in range(start, min(start + 1000, data.n))])

    out["ingest"] = rate(data.n, ingest)
    out["disk"] = common.disk(folder) / data.n
    asked = [(f"a{data.qagent[j]:03d}", data.qtext[j], data.qvec[j]) for j in range(QUERIES)]
    for agent, _, vector in asked:
        peer.vector(vector, agent, 10)
    out["both"] = clock([lambda a=agent, t=text, v=vector: peer.hybrid(t, v, a, 10) for agent, text, vector in asked])
    out["words"] = clock([lambda a=agent, t=text: peer.text(t, a, 10) for agent, text, _ in asked])
    out["vectors"] = clock([lambda a=agent, v=vector: peer.vector(v, a, 10) for agent, _, vector in asked])
    chosen = [data.rec(int(i)) for i in np.random.default_rng(3).integers(0, data.n, GETS)]
    out["get"] = clock([lambda r=record: peer.get(r["agent"], r["id"]) for record in chosen])
    extra = [data.rec(data.n + i) for i in range(WRITES)]
    out["write"], out["fdatasync"] = beside_the_disk(folder, [lambda r=record: peer.add(r) for record in extra])
    peer.close()
    return out


def embedded_ingest(data: common.Data, folder: Path, rows: int = 10_000) -> float:
    """Rows per second with the packaged embedder's work included."""
    with engrain.open(folder) as memory:
        agent = memory.agent("ingest")
        agent.remember("the embedder is loaded before the clock starts")
        some = [row_of(data.rec(i)) for i in range(min(rows, data.n))]
        starts = range(0, len(some), 1000)
        return rate(len(some), lambda: [agent.remember_many(some[start : start + 1000]) for start in starts])


def cold(data: common.Data, folder: Path, runs: int = 7) -> list[float]:
    """Whole processes: ``engrain recall`` in a home of this size, with the packaged embedder, until it has answered."""
    with engrain.open(folder) as memory:
        for name in range(common.AGENTS):
            mine = [i for i in range(data.n) if data.agent[i] == name]
            memory.agent(f"a{name:03d}").remember_many([row_of(data.rec(i)) for i in mine])
    command = [sys.executable, "-m", "engrain", "recall", data.qtext[0], "--home", str(folder)]
    command += ["--agent", f"a{data.qagent[0]:03d}", "--json"]
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        times.append(time.perf_counter() - start)
        assert json.loads(done.stdout), "the cold process found nothing"
    return times


def report(
    n: int, mine: dict[str, Any], theirs: dict[str, Any], batched: float, included: float, process: list[float]
) -> None:
    """One table."""
    print(f"\n### {n:,} memories, 100 agents\n")
    print("| operation | engrain p50 | p99 | plain SQLite p50 | p99 | engrain / SQLite |")
    print("| --- | --- | --- | --- | --- | --- |")
    names = {
        "write": "one durable write, words and vector indexed",
        "get": "get by id",
        "both": "recall, words and vectors, one agent",
        "words": "words alone, one agent, inside the engine",
        "vectors": "vectors alone, one agent, inside the engine",
    }
    for key, name in names.items():
        a, b = mine[key], theirs[key]
        print(
            f"| {name} | {p(a, 0.5):,.0f} µs | {p(a, 0.99):,.0f} µs | {p(b, 0.5):,.0f} µs | {p(b, 0.99):,.0f} µs "
            f"| {p(a, 0.5) / p(b, 0.5):.2f} |"
        )
    ratio = [p(side["write"], 0.5) / p(side["fdatasync"], 0.5) for side in (mine, theirs)]
    print(f"| durable write over one fdatasync of the same minute | {ratio[0]:.2f}× | | {ratio[1]:.2f}× | | |")
    rates = (mine["ingest"], theirs["ingest"])
    print(f"| ingest in batches of 1,000, embedding excluded | {batched:,.0f} rows/s | | | | |")
    print(f"| ingest in an agent's own rows at a time | {rates[0]:,.0f} rows/s | | {rates[1]:,.0f} rows/s | | |")
    print(f"| ingest in batches of 1,000, embedding included | {included:,.0f} rows/s | | | | |")
    print(f"| disk a memory | {mine['disk']:,.0f} B | | {theirs['disk']:,.0f} B | | |")
    print(f"| first recall after the ingest | {p(mine['first'], 0.5) / 1000:,.1f} ms | | | | |")
    print(
        f"| `engrain recall`, whole process | {statistics.median(process):.3f} s | {max(process):.3f} s (max) | | | |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--dir", type=Path, help="scratch on the disk to measure")
    arguments = parser.parse_args()
    print(
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, numpy {np.__version__}, "
        f"{os.cpu_count()} cores, {platform.machine()}"
    )
    for n in arguments.sizes:
        data = common.Data(n, queries=QUERIES)
        scratch = Path(tempfile.mkdtemp(prefix="engrain-bench-", dir=arguments.dir))
        try:
            theirs = rival(data, scratch / "rival")
            mine = ours(data, scratch / "ours")
            shutil.rmtree(scratch / "rival")
            shutil.rmtree(scratch / "ours")
            batched = batched_ingest(data, scratch / "batched")
            shutil.rmtree(scratch / "batched")
            included = embedded_ingest(data, scratch / "included")
            process = cold(data, scratch / "cold")
        finally:
            shutil.rmtree(scratch)
        report(n, mine, theirs, batched, included, process)


if __name__ == "__main__":
    main()
