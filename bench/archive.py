"""The cold archive: how fast memories leave the store while others recall and write, and how fast it answers.

    python bench/archive.py                            # 100,000 memories moved, 1,000,000 asked; tables on stdout
    python bench/archive.py --rows 20000 --cold 40000 --rounds 1    # a quick look
    python bench/archive.py --only ask --home cold     # keep the home that is asked, and take it up when it is there

Moved: a home of 20 agents with 1,000 memories each, and so many archived ones of others, with words and vectors (see
bench/life.py). One run of the role `archive` takes these to the archive, while one other process recalls 100 times and
one writes 20 times a second. *Written and verified* counts the append, fsync, reading back and checksums alone; *end to
end* also reading the rows from the store, deleting them there, and leaving the lock to the others. Beside it the limit:
the same table written by pyarrow alone (zstd, one file, fsync).

Asked: the rows that were moved, repeated under other names up to so many, as one archive, whose files the role
`compact` has put in order. Beside it the limit: DuckDB over the same columns as Arrow tables in memory.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import deltalake  # noqa: E402
import duckdb  # noqa: E402
import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402

import engrain  # noqa: E402
from bench import life  # noqa: E402
from engrain.archive import archiver  # noqa: E402
from engrain.archive.layout import SCHEMAS, places_of  # noqa: E402
from engrain.archive.tables import GROUP, Tables  # noqa: E402

APPENDED = 40_000  # rows of one append, as the archiver does it
ASKED = {
    "group by kind": "select kind, count(*) as n, avg(importance) as mean from history group by kind order by kind",
    "group by agent and day": "select agent, date_trunc('day', created_at) as day, count(*) as n from history "
    "group by all order by n desc, agent, day limit 100",
    "one agent's rows": "select id, kind, content, importance, created_at from history where agent = ?",
}
FIRST = """
import sys, engrain
with engrain.open(sys.argv[1]) as memory:
    print(memory.archive.sql("select count(*) as n from history").to_pylist()[0]["n"])
"""


def build(home: Path, rows: int) -> None:
    """A home whose archived memories wait: so many, of agents that nobody asks."""
    life.build(home, life.SEED + -(-rows // life.OWN))
    with closing(sqlite3.connect(home / "engrain.db", isolation_level=None)) as store:
        store.execute("pragma synchronous = off")
        store.execute("begin")
        store.execute(
            "update memories set state = 'archived', archived_reason = 'importance', archived_at = updated_at "
            f"where id in (select id from memories where agent like '%-%' order by agent, id limit {rows})"
        )
        store.execute("delete from passages where memory_id not in (select id from memories)")
        store.execute("commit")
        store.execute("pragma wal_checkpoint(truncate)")


# -- moved ------------------------------------------------------------------------------------------------------------


@contextmanager
def timed(seconds: dict[str, float]) -> Iterator[None]:
    """Adds up what writing and verifying takes, wherever the archiver does it."""
    places: list[tuple[Any, str]] = [(Tables, name) for name in ("append", "settle", "batches")]
    places.append((archiver, "digest"))
    plain = [getattr(*place) for place in places]

    def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            try:
                return call(*given, **named)
            finally:
                seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - begun

        return run

    for (owner, name), call in zip(places, plain, strict=True):
        setattr(owner, name, watched(name, call))
    try:
        yield
    finally:
        for (owner, name), call in zip(places, plain, strict=True):
            setattr(owner, name, call)


def move(home: Path) -> dict[str, Any]:
    """One run of the role, and what others saw of it."""
    seconds: dict[str, float] = {}
    before = (home / "engrain.db").stat().st_size
    with engrain.open(home) as memory:
        held = sum(memory.stats()["memories"][state] for state in ("active", "superseded", "archived"))
        with life.others(home, life.SEED) as times, timed(seconds):
            begun, worked = time.perf_counter(), time.process_time()
            (run,) = memory.tick(["archive"])
            took, worked = time.perf_counter() - begun, time.process_time() - worked
        if run.state != "done":
            sys.exit(f"the role did not end well: {run.error}")
        rows = memory.tables.read("memories") if memory.tables else pa.table({})
    if rows.num_rows != run.findings["moved"]:
        sys.exit(f"{run.findings['moved']} were moved, and {rows.num_rows} are there")
    limit = plain_write(rows.select([one for one in rows.column_names if one not in ("place", "batch")]), home / "x")
    return {
        "rows": rows.num_rows, "took": took, "worked": worked, "verified": sum(seconds.values()), "parts": seconds,
        "times": times, "held_ms": run.findings["held_ms"], "limit": limit, "hot": before / held,
        "cold": sum(path.stat().st_size for path in (home / "archive").rglob("*.parquet")) / rows.num_rows,
    }  # fmt: skip


def plain_write(rows: pa.Table, path: Path) -> float:
    """Seconds in which pyarrow writes the same rows, and the disk has them."""
    begun = time.perf_counter()
    pq.write_table(rows, path, compression="zstd", compression_level=1, row_group_size=GROUP["memories"])
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    return time.perf_counter() - begun


def alone(home: Path) -> dict[str, Any]:
    """What the others see when nothing else happens, and a first recall, which loads its agent."""
    with life.others(home, life.SEED) as times:
        time.sleep(5)
    with engrain.open(home) as memory:
        memory.agent("a00").recall("a first question, which loads what a process needs")
        first = []
        for number in range(1, life.SEED):
            begun = time.perf_counter()
            memory.agent(f"a{number:02d}").recall("what is there to load")
            first.append(time.perf_counter() - begun)
    return {"times": times, "first": first}


def report_moved(home: Path, chosen: argparse.Namespace) -> None:
    """Measure, and print."""
    rounds = []
    for number in range(chosen.rounds):
        copy = home.with_name(f"round-{number}")
        shutil.copytree(home, copy)
        quiet = alone(copy)
        rounds.append({**move(copy), "quiet": quiet})
        shutil.rmtree(copy)
    n = rounds[0]["rows"]

    def median(of: Callable[[dict[str, Any]], float]) -> float:
        return statistics.median(map(of, rounds))

    limit, end = median(lambda one: one["limit"]), median(lambda one: one["took"])
    verified = median(lambda one: one["verified"])
    print(f"### {n:,} memories moved, medians of {len(rounds)}\n")
    print("| | rows/s | took | of the limit |\n| --- | ---: | ---: | ---: |")
    for name, took in (("written and verified", verified), ("end to end", end), ("the limit: pyarrow alone", limit)):
        print(f"| {name} | {n / took:,.0f} | {took:.2f} s | {100 * limit / took:.0f} % |")
    parts = ", ".join(
        f"{name} {median(lambda one, name=name: one['parts'][name]):.2f} s" for name in rounds[0]["parts"]
    )
    hot, cold = median(lambda one: one["hot"]), median(lambda one: one["cold"])
    worked, held = median(lambda one: one["worked"]), max(one["held_ms"] for one in rounds)
    print(f"\nWritten and verified is {parts}. End to end took {worked:.2f} s of")
    print(f"processor time. The write lock was held {held:.0f} ms at most. A row takes {hot:,.0f} bytes in the store,")
    print(f"{cold:,.0f} in the archive.\n")
    print("| meanwhile | recall p50 | p99 | write p50 | p99 |\n| --- | ---: | ---: | ---: | ---: |")
    for name, seen in (
        ("nothing, for 5 s", [one["quiet"]["times"] for one in rounds]),
        ("the move", [one["times"] for one in rounds]),
    ):
        shares = [(what, share) for what in life.RATES for share in (0.5, 0.99)]
        cells = [statistics.median(life.p(one[what], share) for one in seen) for what, share in shares]
        print(f"| {name} | {' | '.join(f'{cell:.1f} ms' for cell in cells)} |")
    first = median(lambda one: statistics.median(one["quiet"]["first"]))
    print(f"\nA first recall of an agent in a process, which loads its {life.OWN:,} memories: {1e3 * first:.1f} ms.\n")


# -- asked ------------------------------------------------------------------------------------------------------------


def repeat(home: Path, cold: int) -> None:
    """What is in the archive, again and again under other names."""
    with engrain.open(home) as memory:
        tables = memory.tables
        if tables is None:
            sys.exit("the home has no archive")
        rows = tables.read("memories")
        number = tables.standing("memories").closed
        for copy in range(1, -(-cold // rows.num_rows)):
            for start in range(0, rows.num_rows, APPENDED):
                some, number = rows.slice(start, APPENDED), number + 1
                made = {
                    "id": [f"{copy}-{one}" for one in some["id"].to_pylist()],
                    "agent": [f"{copy}-{one}" for one in some["agent"].to_pylist()],
                    "batch": [number] * some.num_rows,
                    "place": places_of(np.full(some.num_rows, number), np.arange(some.num_rows)),
                }
                for name, values in made.items():
                    at = some.schema.get_field_index(name)
                    some = some.set_column(at, SCHEMAS["memories"].field(name), pa.array(values))
                tables.append("memories", tables.table("memories"), some, number)
                row = {"kind": "memories", "number": number, "n": some.num_rows, "now": memory.world.now()}
                opened = {**row, "members": "[]", "bytes": some.nbytes, "digest": ""}
                memory.store.write([("batch_open", opened), ("batch_close", row)])


def compact(home: Path) -> None:
    """Put the files in order, as the role does once a day."""
    with engrain.open(home) as memory:
        begun = time.perf_counter()
        found = memory.archive.compact()
        print(f"Putting {found['files']} files in order took {time.perf_counter() - begun:.1f} s.\n")


def clock(ask: Callable[[], Any], times: int) -> tuple[float, float]:
    """The median of some, after one that does not count, and the longest: milliseconds."""
    ask()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        ask()
        taken.append(1e3 * (time.perf_counter() - begun))
    return statistics.median(taken), max(taken)


def in_memory(rows: pa.Table, statement: str, parameters: list[str]) -> Callable[[], Any]:
    """DuckDB over columns that are there as Arrow."""
    connection = duckdb.connect()
    connection.register("history", rows)
    return lambda: connection.sql(statement, params=parameters).to_arrow_table()


def report_asked(home: Path, chosen: argparse.Namespace) -> None:
    """Measure, and print."""
    first = []
    for _ in range(chosen.rounds):
        begun = time.perf_counter()
        said = subprocess.run([sys.executable, "-c", FIRST, str(home)], capture_output=True, text=True, check=True)
        first.append(time.perf_counter() - begun)
    with engrain.open(home) as memory:
        assert memory.tables is not None
        columns = ["id", "agent", "kind", "content", "importance", "created_at"]
        rows = memory.tables.read("memories", columns)
        agent = rows["agent"][rows.num_rows // 2].as_py()
        print(f"### {int(said.stdout):,} archived memories asked\n")
        print("| asked | median | longest of 15 | rows | the limit: the same columns in memory |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for name, statement in ASKED.items():
            given = [agent] if "?" in statement else []
            found = memory.archive.sql(statement, given)
            median, most = clock(lambda s=statement, g=given: memory.archive.sql(s, g), 15)
            limit, _ = clock(in_memory(rows, statement, given), 15)
            print(f"| {name} | {median:.0f} ms | {most:.0f} ms | {found.num_rows:,} | {limit:.0f} ms |")
    print(f"\nThe first answer of a new process, its start and its imports included: {statistics.median(first):.2f} s.")
    size = sum(path.stat().st_size for path in (home / "archive").rglob("*") if path.is_file())
    print(f"The archive has {size / 2**20:,.0f} MiB.")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000, help="that are moved (100000)")
    parser.add_argument("--cold", type=int, default=1_000_000, help="that are asked (1000000)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the medians are told (3)")
    parser.add_argument("--only", choices=("move", "ask"), help="one of the two parts")
    parser.add_argument("--home", type=Path, help="a folder to keep the home that is asked in")
    chosen = parser.parse_args()
    versions = f"pyarrow {pa.__version__}, deltalake {deltalake.__version__}, DuckDB {duckdb.__version__}"
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {versions}, {os.cpu_count()} cores, "
          f"{platform.machine()}\n")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="engrain-archive-") as scratch:
        home = Path(scratch) / "home"
        asked = chosen.home or Path(scratch) / "asked"
        if chosen.only != "ask" or not asked.exists():
            build(home, chosen.rows)
        if chosen.only != "ask":
            report_moved(home, chosen)
        if chosen.only != "move":
            if not asked.exists():
                home.rename(asked)
                with engrain.open(asked) as memory:
                    memory.tick(["archive"])
                repeat(asked, chosen.cold)
                compact(asked)
            report_asked(asked, chosen)


if __name__ == "__main__":
    main()
