"""The archiver: what waits leaves the hot store for the cold tables, each row exactly once.

1. Batches of rows are opened in the hot store: which rows, how they were, and a checksum.
2. They are appended to the table in one commit that carries the last batch's number, to the table as it was read: if
   anybody else has appended meanwhile, this commit is refused.
3. They are read back and compared.
4. Batch by batch, in one short transaction, the hot rows go that are still as they were, and the batch is closed: from
   then on its rows count in the archive. What was changed meanwhile stays, and its row in the archive never counts.

A crash in between leaves open batches. The next run closes those that are in the table; those that are not it makes
impossible, by a commit of nothing that carries their number, and drops.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engrain.archive.hold import Hold, held
from engrain.archive.hot import PROMOTED
from engrain.archive.layout import SCHEMAS, digest, places_of
from engrain.archive.port import KINDS, Kind
from engrain.archive.rows import ORDER, STAMP, cold_rows
from engrain.archive.tables import Tables, standing
from engrain.errors import ArchiveConflict, ArchiveCorrupt
from engrain.model.fading import DAY
from engrain.store.port import Row, Store, Transaction
from engrain.store.rows import to_json
from engrain.world import World

AT_ONCE = 20_000  # rows of one append; memory is needed for two
BYTES = 128 << 20  # of them, about
PAGE = 1_000  # rows that are read at once
AIM = 0.02  # seconds that a transaction should hold the write lock: below 0.05 even when the disk is slow at times
GAP = 0.003  # seconds that the lock is left to others
LEAST, LARGEST = 250, 2_000  # rows in a batch
_WHOSE = ("place", "batch", "id", "tenant", "agent")
_LINKING = ("superseded_by", "source", "promoted_at")
_ADOPTED: Mapping[Kind, Sequence[str]] = {"memories": (*_WHOSE, *_LINKING), "experiences": _WHOSE}
_USES = ("shown", "read", "applied", "helpful", "unhelpful")
_log = logging.getLogger(__name__)


class Moved(NamedTuple):
    """What a run came to: rows that left by kind; whether it was through; the seconds for which it held the write lock
    at most."""

    counts: Mapping[str, int]
    whole: bool
    longest: float


class Archiver:
    """Moves the rows of one home. ``days``: how long an experience has been settled; ``step`` is told each step after
    it was done, for tests that interrupt it there."""

    def __init__(
        self, store: Store, world: World, tables: Tables, days: float, step: Callable[[str], None] = lambda _: None
    ) -> None:
        self._store, self._world, self._tables, self._step = store, world, tables, step
        self._settled = int(days * DAY)
        self._size, self._longest, self._free_since = LARGEST // 2, 0.0, 0.0
        self._calm = Lock()  # not both at once: who makes rows would take the interpreter from who has the write lock

    def run(self, stop: Callable[[], bool] = lambda: False) -> Moved:
        """Move all that waits, until ``stop`` says so. Nothing while another process works on the archive. Raises
        ArchiveError: then nothing was lost, and the next run goes on."""
        counts: Counter[str] = Counter()
        self._longest = 0.0
        with held(self._store, self._world) as hold:
            whole = hold is None or all(self._moved(kind, hold, stop, counts) for kind in KINDS)
        return Moved({name: n for name, n in counts.items() if n}, whole, self._longest)

    def finish(self, hold: Hold) -> None:
        """Bring what a crash has left on its way to its end."""
        for kind in KINDS:
            self._finished(kind, hold, lambda: False, Counter(), fresh=False)

    def _moved(self, kind: Kind, hold: Hold, stop: Callable[[], bool], counts: Counter[str]) -> bool:
        """Whether it was through with a kind."""
        self._step(f"{kind} begun")
        if not self._finished(kind, hold, stop, counts, fresh=False):
            return False
        for some in _ahead(self._waiting(kind)):
            if stop():
                return False
            table = self._tables.writable(kind)
            first = 1 + max(self._tables.number(kind, table), standing(self._store, kind).closed)
            rows, last = self._opened(kind, hold, some, first)
            self._step("opened")
            hold.keep()
            self._tables.append(kind, table, rows, last)
            self._step("appended")
            if not self._finished(kind, hold, stop, counts, fresh=True):
                return False
        return True

    # -- 1: what waits, and batches of it -----------------------------------------------------------------------------

    def _waiting(self, kind: Kind) -> Iterator[pa.Table]:
        """What waits, as much at a time as an append takes."""
        asked: dict[str, Any] = {"before": self._world.now() - self._settled, "limit": PAGE // 10}
        asked |= {"after_tenant": "", "after_agent": "", "after_at": -(2**62), "after_id": ""}
        parts: list[pa.Table] = []
        while True:
            with self._calm:
                if not (rows := self._store.read(f"cold_{kind}", asked)):
                    break
                parts.append(cold_rows(self._store, kind, rows, self._world.now()))
            last, at = rows[-1], "archived_at" if kind == "memories" else "updated_at"
            asked |= {"after_tenant": last["tenant"], "after_agent": last["agent"]}
            asked |= {"after_at": last[at], "after_id": last["id"]}
            asked["limit"] = max(20, min(PAGE, BYTES * len(rows) // (4 * parts[-1].nbytes)))
            if sum(one.num_rows for one in parts) + PAGE > AT_ONCE or sum(one.nbytes for one in parts) > BYTES:
                yield pa.concat_tables(parts)
                parts = []
        if parts:
            yield pa.concat_tables(parts)

    def _opened(self, kind: Kind, hold: Hold, rows: pa.Table, first: int) -> tuple[pa.Table, int]:
        """The rows with their places in new batches, which are opened; the number of the last."""
        if kind == "experiences":  # they come in the order in which they were settled
            rows = rows.sort_by(ORDER)
        numbers, places = np.divmod(np.arange(rows.num_rows, dtype=np.int64), self._size)
        numbers += first
        stamps, rows = rows[STAMP], rows.drop_columns([STAMP])
        rows = rows.append_column("batch", pa.array(numbers)).append_column(
            "place", pa.array(places_of(numbers, places))
        )
        rows = rows.select(SCHEMAS[kind].names).cast(SCHEMAS[kind])
        batches = []
        for number, start in enumerate(range(0, rows.num_rows, self._size), first):
            some = rows.slice(start, self._size)
            members = list(zip(some["id"].to_pylist(), stamps.slice(start, self._size).to_pylist(), strict=True))
            batches.append(_batch(kind, number, some, members, self._world.now()))
        with self._held(hold) as tx:
            for one in batches:
                tx.run("batch_open", one)
        return rows, batches[-1]["number"]

    # -- 3 and 4: what is in the table is verified and leaves the store ------------------------------------------------

    def _finished(self, kind: Kind, hold: Hold, stop: Callable[[], bool], counts: Counter[str], fresh: bool) -> bool:
        """Close what is in the table, in the order of its numbers; False when ``stop`` ended it. What is there that was
        not opened here is adopted: it comes of a store that has been restored from a backup since. ``fresh``: this run
        has appended it."""
        opened = {row["number"]: row for row in self._store.read("batch_list", {"kind": kind})}
        table = self._tables.table(kind)
        number = self._tables.number(kind, table)
        if unborn := sorted(one for one in opened if one > number):
            if fresh:
                raise ArchiveCorrupt(f"{self._tables.path(kind)} does not have what was appended to it just now.")
            self._tables.append(kind, self._tables.writable(kind), SCHEMAS[kind].empty_table(), unborn[-1])
            self._step("fenced")
            table = self._tables.table(kind)
        dropped = [{"kind": kind, "number": one} for one in unborn]
        if table is None:
            return True
        closed = standing(self._store, kind).closed
        there = Counter(self._tables.batches(kind, table, closed + 1, number, ["batch"])["batch"].to_pylist())
        dropped += [{"kind": kind, "number": one} for one in opened if one <= number and one not in there]
        if fresh and (dropped or there.keys() - opened):
            raise ArchiveCorrupt(f"{self._tables.path(kind)} does not have what was appended to it just now.")
        if dropped:
            with self._held(hold) as tx:
                tx.run_many("batch_drop", dropped)
            self._step("dropped")
        if there:
            self._tables.settle(kind, table.version() if fresh else 0)
            self._step("settled")
        for first, last in _groups(there):
            known = any(first <= one <= last for one in opened)
            rows = self._tables.batches(kind, table, first, last, None if known else _ADOPTED[kind])
            self._step("read back")
            ends = np.searchsorted(rows["batch"].to_numpy(), range(first, last + 2)).tolist()
            some = ((one, rows.slice(start, end - start)) for one, (start, end) in enumerate(pairwise(ends), first))
            for one, batch in some:
                if batch.num_rows and stop():
                    return False
                if batch.num_rows:
                    hold.keep()
                    self._close(kind, hold, batch, opened.get(one), fresh, counts)
                    self._step("closed")
        return True

    def _close(
        self, kind: Kind, hold: Hold, rows: pa.Table, opened: Row | None, fresh: bool, counts: Counter[str]
    ) -> None:
        """Rows of one batch, as the table has them: out of the store, but for what was changed since."""
        number, now = rows["batch"][0].as_py(), self._world.now()
        members = dict(json.loads(opened["members"])) if opened else {}
        good = opened is not None and opened["n"] == rows.num_rows and opened["digest"] == digest(rows)
        if fresh and not good:
            raise ArchiveCorrupt(f"Batch {number} at {self._tables.path(kind)} is not what was written; nothing left.")
        if not good:
            _log.warning("batch %d at %s is adopted: the store does not know it", number, self._tables.path(kind))
        ids, is_now = rows["id"].to_pylist(), _is_now(kind, rows, members if good else {})
        batch = {"kind": kind, "number": number, "n": rows.num_rows, "now": now}
        # What is adopted may have come back and left again since the backup: the copy of then counts no more.
        places = ["id", "tenant", "agent", "place"]
        earlier = (
            [] if good else list(_some(self._tables.read(kind, places, pc.field("id").isin(pa.array(ids))), places))
        )
        with self._held(hold) as tx:
            tx.run_many("gone_put", [{**batch, **one, "reason": "restored"} for one in earlier])
            if opened is None:
                tx.run("batch_open", _batch(kind, number, rows, (), now))
            if not tx.run("batch_close", batch):
                raise ArchiveConflict(f"Batch {number} of the {kind} was closed by another process.")
            same = is_now(tx)
            reasons: dict[str, str] = {}
            if left := sorted(set(ids) - same):
                there = {row["id"] for row in tx.read(f"cold_there_{kind}", {"ids": left})}
                reasons = {
                    id_: "restored" if id_ in there else "forgotten" for id_ in left if id_ in there | members.keys()
                }
                gone = (one for one in _some(rows, places) if one["id"] in reasons)
                tx.run_many("gone_put", [{**batch, **one, "reason": reasons[one["id"]]} for one in gone])
            if kind == "memories":
                _link(tx, rows, reasons)
            if same:
                if kind == "experiences":
                    tx.run("cold_leave_decisions", {"ids": sorted(same)})
                tx.run(f"cold_leave_{kind}", {"ids": sorted(same)})
        counts[kind] += len(same)
        counts["adopted"] += not good

    @contextmanager
    def _held(self, hold: Hold) -> Iterator[Transaction]:
        """A transaction after the others had their turn; the next batches are such that it holds the lock as long as
        it should."""
        time.sleep(max(0.0, GAP - (time.perf_counter() - self._free_since)))
        with ExitStack() as alone:
            alone.enter_context(self._calm)
            with self._store.transaction("*") as tx:
                began = time.perf_counter()
                hold.guard(tx)
                yield tx
                worked = time.perf_counter() - began
                alone.close()  # the commit waits for the disk, and may move the log of many others into the store
        self._free_since = time.perf_counter()
        self._longest = max(self._longest, self._free_since - began)
        if worked > 2 * AIM:
            self._size = max(LEAST, self._size // 2)
        elif worked < AIM:
            self._size = min(LARGEST, self._size * 5 // 4)


def _ahead(parts: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The next is read and made while the last is on its way: the one waits for the disk, and the other does not."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = reader.submit(next, parts, None)
            yield part


def _batch(kind: Kind, number: int, rows: pa.Table, members: Sequence[Any], now: int) -> dict[str, Any]:
    told = {"members": to_json(members), "n": rows.num_rows, "bytes": rows.nbytes, "digest": digest(rows)}
    return {"kind": kind, "number": number, "now": now, **told}


def _groups(there: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """Runs of batches, first and last, of at most ``AT_ONCE`` rows each."""
    first, last, n = 0, 0, 0
    for number, count in sorted(there.items()):
        if n and n + count > AT_ONCE:
            yield first, last
            n = 0
        first, last, n = number if not n else first, number, n + count
    if n:
        yield first, last


def _some(rows: pa.Table, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Some columns of each row."""
    values = [rows[name].to_pylist() for name in columns]
    return (dict(zip(columns, one, strict=True)) for one in zip(*values, strict=True))


def _is_now(kind: Kind, rows: pa.Table, members: Mapping[str, Any]) -> Callable[[Transaction], set[str]]:
    """Tells, in a transaction, which of the members are in the store as they were when they were read, and locks
    them."""
    ids = sorted(members)
    was: dict[str, tuple[Any, ...]] = {}
    if kind == "memories" and members:
        uses = sum(rows[name].to_numpy() for name in _USES).tolist()
        told = zip(rows["id"].to_pylist(), rows["superseded_by"].to_pylist(), uses, strict=True)
        was = {id_: (members[id_], "archived", by, n) for id_, by, n in told}
    else:
        was = {id_: (stamp,) for id_, stamp in members.items()}

    def same(tx: Transaction) -> set[str]:
        return {row[0] for row in tx.read(f"cold_lock_{kind}", {"ids": ids}) if tuple(row[1:]) == was[row[0]]}

    return same


def _link(tx: Transaction, rows: pa.Table, gone: Mapping[str, str]) -> None:
    """What goes with what when that is forgotten: older versions with newer ones, copies with what was promoted."""
    if all(rows[name].null_count == rows.num_rows for name in _LINKING):
        return
    found: list[dict[str, Any]] = []
    for one in _some(rows, ("id", "tenant", "agent", *_LINKING)):
        if one["id"] in gone:
            continue
        if one["superseded_by"] is not None:
            found.append({**one, "goes_with": one["superseded_by"]})
        if (one["source"] or "").startswith(PROMOTED):
            found.append({**one, "goes_with": one["source"].removeprefix(PROMOTED)})
        if one["promoted_at"] is not None:
            copies = tx.read("memory_copies", {**one, "ids": [one["id"]]})
            found += [{**one, "goes_with": one["id"], "id": row["id"]} for row in copies]
    tx.run_many("link_put", found)
