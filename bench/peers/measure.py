"""Measures one system in a process of its own: ``python -m bench.peers.measure MODULE:CLASS …`` prints one JSON object.

Needs numpy and the system, nothing of engrain, so that it runs in each rival's own virtual environment. It is started
by bench/rivals.py. A system is a class with these methods; what it does not offer stays None:

    __init__(folder)                          open or create its store there
    add(record)                               write one memory; return once the system says that it is done
    bulk(records)                             write many
    finish()                                  build the indexes that its documentation advises after a bulk load
    vector(agent, vector, k) -> ids           nearest memories of one agent
    words(agent, text, k) -> ids              best by words
    both(agent, text, vector, k) -> ids       words and vectors together, as its users ask it
    get(agent, id)                            one memory
    disk() -> bytes or None                   where its files are not in the folder
    close()
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers import data as made

K, GETS, WRITES = 10, 500, 300
STRETCHES, PROBES = 10, 30


Make = Callable[[Path], Any]


class Peer:
    """A system to be measured. ``batch`` rows are handed to ``bulk`` at a time."""

    packages: tuple[str, ...] = ()
    batch = 1000
    vector: Callable[..., list[str]] | None = None
    words: Callable[..., list[str]] | None = None
    both: Callable[..., list[str]] | None = None
    warm: Callable[[], None] | None = None  # for what is imported on first use only: brings it in without the store

    def finish(self) -> None:
        """Nothing to build."""

    def disk(self) -> int | None:
        return None

    def close(self) -> None:
        """Nothing to let go of."""


def timed(calls: Iterable[Callable[[], Any]], budget: float) -> tuple[list[float], list[Any]]:
    """Seconds and answers of each call, until all are done or the budget is spent (five at the least)."""
    times: list[float] = []
    answers = []
    begun = time.perf_counter()
    for call in calls:
        start = time.perf_counter()
        answers.append(call())
        times.append(time.perf_counter() - start)
        if time.perf_counter() - begun > budget and len(times) >= 5:
            break
    return times, answers


def spread(times: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile in microseconds, and how many calls there were."""
    ordered = sorted(times)
    last = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return {"p50": statistics.median(ordered) * 1e6, "p99": last * 1e6, "n": len(ordered)}


class Probe:
    """The disk's own price of one durable write: 4 KiB of an allocated file overwritten and synced."""

    def __init__(self, folder: Path, blocks: int = 200) -> None:
        self._path, self._blocks, self._next = folder / "probe", blocks, 0
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        self._sync = getattr(os, "fdatasync", os.fsync)
        os.pwrite(self._descriptor, b"\1" * 4096 * blocks, 0)
        os.fsync(self._descriptor)

    def write(self) -> None:
        os.pwrite(self._descriptor, b"x" * 4096, 4096 * (self._next % self._blocks))
        self._sync(self._descriptor)
        self._next += 1

    def close(self) -> None:
        os.close(self._descriptor)
        self._path.unlink()


def writes(peer: Any, records: list[dict[str, Any]], folder: Path, budget: float) -> dict[str, Any]:
    """One memory at a time, in stretches between which the disk is probed: both prices are of the same seconds."""
    probe = Probe(folder)
    took: list[float] = []
    price: list[float] = []
    peer.add(records[0])
    stretch = len(records) // STRETCHES
    for start in range(1, len(records), stretch):
        price += timed([probe.write] * PROBES, budget)[0]
        part = records[start : start + stretch]
        took += timed([partial(peer.add, record) for record in part], budget / STRETCHES)[0]
    price += timed([probe.write] * PROBES, budget)[0]
    probe.close()
    return {"write": spread(took), "fdatasync": spread(price)["p50"]}


def resident() -> int | None:
    """Bytes of this process in memory; None where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def ingest(peer: Any, data: made.Data, cap: float) -> dict[str, Any]:
    """Bulk load, stopped after ``cap`` seconds; then the indexes."""
    start, done = time.perf_counter(), 0
    while done < data.n and time.perf_counter() - start < cap:
        upto = min(done + peer.batch, data.n)
        peer.bulk([data.record(row) for row in range(done, upto)])
        done = upto
    took = time.perf_counter() - start
    start = time.perf_counter()
    peer.finish()
    return {"stored": done, "ingest": done / took, "finish": time.perf_counter() - start}


def ask(peer: Any, kind: str, data: made.Data, stored: int, budget: float) -> dict[str, Any] | None:
    """All questions of one kind, after a round that is not counted. ``found``: the share of the questions whose own
    memory is among the ten; ``recall``: the share of the exact ten nearest, for vectors."""
    method = getattr(peer, kind)
    if method is None:
        return None
    given: dict[str, Callable[[int], tuple[Any, ...]]] = {
        "vector": lambda q: (data.asked_vectors[q],),
        "words": lambda q: (data.asked[q],),
        "both": lambda q: (data.asked[q], data.asked_vectors[q]),
    }
    stored_questions = [q for q in range(made.QUESTIONS) if data.sources[q] < stored]
    calls = [partial(method, data.agent_of(q), *given[kind](q), K) for q in stored_questions]
    timed(calls, budget)
    times, answers = timed(calls, budget)
    pairs = list(zip(stored_questions[: len(answers)], answers, strict=True))
    out: dict[str, Any] = spread(times)
    out["found"] = statistics.fmean(f"m{data.sources[q]:08d}" in ids for q, ids in pairs)
    if kind == "vector":
        shares = []
        for q, ids in pairs:
            exact = data.nearest(q, stored, K)
            shares.append(len(exact.intersection(ids)) / len(exact))
        out["recall"] = statistics.fmean(shares)
    return out


def measure(make_peer: Make, data: made.Data, folder: Path, budget: float, cap: float) -> dict[str, Any]:
    """Every figure of one system."""
    gc.collect()
    before = resident()
    peer = make_peer(folder)
    out: dict[str, Any] = ingest(peer, data, cap)
    disk = peer.disk()
    out["disk"] = on_disk(folder) if disk is None else disk
    for kind in ("vector", "words", "both"):
        out[kind] = ask(peer, kind, data, out["stored"], budget)
    gc.collect()
    after = resident()  # with what the questions of all agents made it keep in memory
    out["rss"] = None if before is None or after is None else after - before
    chosen = [data.record(int(row)) for row in np.random.default_rng(3).integers(0, out["stored"], GETS)]
    if not peer.get(chosen[0]["agent"], chosen[0]["id"]):
        raise AssertionError("get does not find what was stored")
    out["get"] = spread(timed([partial(peer.get, record["agent"], record["id"]) for record in chosen], budget)[0])
    out |= writes(peer, [data.record(data.n + row) for row in range(WRITES)], folder, budget)
    peer.close()
    return out


def first_answer(make_peer: Make, folder: Path, question: Path) -> dict[str, Any]:
    """In a new process: open the store and ask one question."""
    asked = np.load(question)
    agent, text, vector = str(asked["agent"]), str(asked["text"]), asked["vector"]
    start = time.perf_counter()
    peer = make_peer(folder)
    ids = peer.both(agent, text, vector, K) if peer.both else peer.vector(agent, vector, K)
    took = time.perf_counter() - start
    if not ids:
        raise AssertionError("the new process found nothing")
    return {"open": took}


def marked_writes(make_peer: Make, data: made.Data, folder: Path, count: int = 50) -> dict[str, Any]:
    """Writes between two syncs of a file named ``mark``, for a tracer of system calls that counts those between."""
    peer = make_peer(folder)
    peer.bulk([data.record(row) for row in range(200)])
    peer.finish()
    peer.add(data.record(data.n))
    with (folder / "mark").open("w") as mark:
        os.fsync(mark.fileno())
        for row in range(1, count + 1):
            peer.add(data.record(data.n + row))
        os.fsync(mark.fileno())
    return {"writes": count}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("system", help="MODULE:CLASS below bench.peers")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--question", type=Path, help="only open and answer this question")
    parser.add_argument("--warm", action="store_true", help="with --question: after whatever is imported on first use")
    parser.add_argument("--mark", action="store_true", help="only write, between marks")
    parser.add_argument("--budget", type=float, default=4.0, help="seconds for each kind of question")
    parser.add_argument("--cap", type=float, default=200.0, help="seconds for the bulk load")
    chosen = parser.parse_args()
    module, name = chosen.system.split(":")
    system = getattr(importlib.import_module(f"bench.peers.{module}"), name)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    if chosen.question:
        if chosen.warm and system.warm:
            system.warm()
        out = first_answer(system, chosen.folder, chosen.question)
    elif chosen.mark:
        out = marked_writes(system, made.load(chosen.data), chosen.folder)
    else:
        out = measure(system, made.load(chosen.data), chosen.folder, chosen.budget, chosen.cap)
    out["versions"] = {package: importlib.metadata.version(package) for package in system.packages}
    out["python"] = platform.python_version()
    print(json.dumps(out))
    sys.stdout.flush()
    os._exit(0)  # some systems keep threads that would hold the process up


if __name__ == "__main__":
    main()
