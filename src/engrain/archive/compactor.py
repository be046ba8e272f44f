"""Keeps the files of the cold tables in order: small ones become large, sorted ones; rows that count no more are left
out; files that nobody needs are deleted, with the words of what was forgotten.

Every step may be the last: what is not done is found again, because a row stays among the gone ones until no file has
it. A group of files is replaced by one in one commit, and whoever has read the table before can add nothing after that
(Delta refuses it). All of it is done under the lease of the archive.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq
from deltalake import DeltaTable

from engrain.archive.health import AGAIN
from engrain.archive.hold import Hold, held
from engrain.archive.hot import pieces
from engrain.archive.layout import SCHEMAS, batch_of, digest, in_batches
from engrain.archive.port import KINDS, Kind
from engrain.archive.tables import Tables
from engrain.errors import ArchiveCorrupt, ArchiveUnavailable
from engrain.model.fading import DAY
from engrain.store.port import Store
from engrain.world import World

ROWS, BYTES = 50_000, 32 << 20  # a file that is made has at most so many (bytes before it is read, as compressed)
FEW = 4  # neighbours that are small are put together when there are so many
_HIDDEN = "What was forgotten is hidden already, and the role compact will erase it from the files."
_ORDER = [(name, "ascending") for name in ("tenant", "agent", "place")]


class _Taken(ArchiveUnavailable):
    """The archive cannot be reached."""


class File(NamedTuple):
    """A live file of a table. Batches from ``low`` to ``high`` are in it, places from ``first`` to ``last``."""

    year: int
    month: int
    low: int
    high: int
    first: int
    last: int
    rows: int
    bytes: int
    path: str


class _Snapshot:
    """A table as it was at one moment: its live files in the order of their batches, month by month."""

    def __init__(self, tables: Tables, kind: Kind, table: DeltaTable) -> None:
        self.table, self._schema, self._dataset = table, SCHEMAS[kind], tables.dataset(kind, table)
        self._parts = {part.path: part for part in self._dataset.get_fragments()}
        self.files = sorted(map(_file, tables.files(kind, table)))

    def read(
        self, files: Sequence[File], where: pc.Expression | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        parts = [self._parts[one.path] for one in files]
        some = pads.FileSystemDataset(parts, self._schema, self._dataset.format, self._dataset.filesystem)
        return some.to_table(columns=columns, filter=where)

    def stale(self, path: str, places: Collection[int]) -> Collection[int]:
        """Which of these are in a file that is not part of the table any more, or never was; one that was not written
        to its end may have any of them."""
        try:
            found = pq.read_table(path, columns=["place"], filesystem=self._dataset.filesystem)["place"]
        except FileNotFoundError:
            return ()
        except (pa.ArrowInvalid, OSError):
            return places
        return set(found.to_pylist()).intersection(places)


def _file(told: Mapping[str, Any]) -> File:
    ends = (told["min.batch"], told["max.batch"], told["min.place"], told["max.place"])
    parts = (told["partition.year"], told["partition.month"])
    return File(*parts, *ends, told["num_records"], told["size_bytes"], told["path"])


class Compactor:
    """Of one home. ``finish`` brings batches that are on their way to their end; ``step`` is told what was done."""

    def __init__(
        self,
        store: Store,
        world: World,
        tables: Tables,
        days: float,
        seconds: float,
        finish: Callable[[Hold], Any] = lambda _: None,
        step: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store, self._world, self._tables = store, world, tables
        self._days, self._seconds, self._finish, self._step = days, seconds, finish, step

    def compact(self, *, dry: bool = False, stop: Callable[[], bool] = lambda: False) -> dict[str, int]:
        """Put the files in order. Counts: ``files`` put together or rewritten, ``erased`` rows, ``vacuumed`` files,
        ``left`` groups when it was stopped."""
        if dry:
            return dict(sum((self._would(kind) for kind in KINDS), Counter[str]()))
        return self._run(stop, tidy=True, seconds=self._seconds)

    def erase(self, *, wait: bool = True) -> dict[str, int]:
        """Delete what was forgotten or pruned from every file, at once. Raises ArchiveUnavailable when the archive is
        not free for so long, or cannot be reached; without ``wait`` nothing is done while it is not free."""
        try:
            return self._run(lambda: False, tidy=False, seconds=self._seconds if wait else 0.0)
        except _Taken as taken:
            if not wait:
                return {}
            raise ArchiveUnavailable(f"{taken.detail} {_HIDDEN}") from taken
        except ArchiveUnavailable as error:
            raise ArchiveUnavailable(f"{error.detail} {_HIDDEN}") from error

    def _run(self, stop: Callable[[], bool], *, tidy: bool, seconds: float) -> dict[str, int]:
        done: Counter[str] = Counter()
        with held(self._store, self._world, seconds) as hold:
            if hold is None:
                raise _Taken(f"Another process worked on the archive for {seconds:g} s.")
            self._finish(hold)
            for kind in KINDS:
                done.update(self._rewritten(kind, hold, stop, tidy=tidy))
                done.update(self._swept(kind, hold))
        return {name: n for name, n in done.items() if n}

    # -- rewriting ----------------------------------------------------------------------------------------------------

    def _would(self, kind: Kind) -> Counter[str]:
        found = self._plan(kind, tidy=True)
        return Counter(files=sum(len(group) for group, _ in found), erased=sum(n for _, n in found))

    def _rewritten(self, kind: Kind, hold: Hold, stop: Callable[[], bool], *, tidy: bool) -> Counter[str]:
        done: Counter[str] = Counter()
        plan = self._plan(kind, tidy=tidy)
        for number, (group, _) in enumerate(plan):
            if stop():
                done["left"] = len(plan) - number
                break
            hold.keep()
            done.update(files=len(group), erased=self._replace(kind, group))
            self._step("rewritten")
        return done

    def _plan(self, kind: Kind, *, tidy: bool) -> list[tuple[list[File], int]]:
        """Groups of neighbours that are to become one file each, and how many of their rows are gone."""
        marked = self._marked(kind, urgent=not tidy)
        if (now := self._snapshot(kind)) is None:
            return []
        found = []
        for group in _neighbours(now.files, self._tables.standing(kind).closed):
            gone = sum(now.read([one], _among(_between(marked, one)), ["place"]).num_rows for one in group)
            if gone or (tidy and len(group) >= FEW):
                found.append((group, gone))
        return found

    def _marked(self, kind: Kind, *, urgent: bool) -> list[int]:
        """Places that are to be erased. Of what was restored lately the copy stays: a backup from before, which may be
        put back, knows of no other."""
        rows, before = self._store.read("gone_list", {"kind": kind}), self._world.now() - int(self._days * DAY)
        return [row["place"] for row in rows if row["reason"] != "restored" or (not urgent and row["at"] <= before)]

    def _snapshot(self, kind: Kind) -> _Snapshot | None:
        table = self._tables.table(kind)
        return None if table is None else _Snapshot(self._tables, kind, table)

    def _replace(self, kind: Kind, group: Sequence[File]) -> int:
        """The rows that went."""
        if (before := self._snapshot(kind)) is None:
            raise ArchiveUnavailable(f"{self._tables.path(kind)} is there no more.")
        marked = self._marked(kind, urgent=False)
        places = [place for one in group for place in _between(marked, one)]
        rows = before.read(group, ~_among(places)).sort_by(_ORDER)
        count, told = int(rows.num_rows), digest(rows)
        low, high = min(one.low for one in group), max(one.high for one in group)
        where = f"year = {group[0].year} and month = {group[0].month} and batch >= {low} and batch <= {high}"
        self._tables.replace(kind, before.table, rows, where)
        del rows, before  # there is memory for one of them
        self._step("replaced")
        if (after := self._snapshot(kind)) is None:
            raise ArchiveUnavailable(f"{self._tables.path(kind)} is there no more.")
        if digest(after.read([one for one in after.files if _within(one, group)])) != told:
            raise ArchiveCorrupt(f"{self._tables.path(kind)}: what was rewritten reads back as something else.")
        return sum(one.rows for one in group) - count

    # -- deleting -----------------------------------------------------------------------------------------------------

    def _swept(self, kind: Kind, hold: Hold) -> Counter[str]:
        """Delete files that no snapshot needs: all of them when something in them must go. Then what is in no file is
        gone for good, and the bookkeeping says what the table has."""
        rows = self._store.read("gone_list", {"kind": kind})
        if (now := self._snapshot(kind)) is None:
            return Counter()
        if self._tables.number(kind, now.table) < self._tables.standing(kind).closed:
            told = f"its files are older than the store: {AGAIN}."
            raise ArchiveUnavailable(f"{self._tables.path(kind)}: {told}")
        urgent = any(row["reason"] != "restored" for row in rows)
        deleted = self._tables.vacuum(kind, now.table, 0 if urgent else round(self._days * 24))
        self._step("vacuumed")
        if (now := self._snapshot(kind)) is not None:
            hold.keep()
            self._dropped(kind, now, {row["place"] for row in rows}, hold)
            self._recounted(kind, now, hold)
        return Counter(vacuumed=deleted)

    def _dropped(self, kind: Kind, now: _Snapshot, places: set[int], hold: Hold) -> None:
        """What is in no file, old or new, is listed no more."""
        if not places:
            return
        left = set(now.read(now.files, _among(sorted(places)), ["place"])["place"].to_pylist())
        for path in self._tables.stale(kind, now.table):
            left.update(now.stale(path, places))
        gone = sorted(places - left)
        for some in pieces(gone):
            fewer = Counter(map(batch_of, some))
            with self._store.transaction("*") as tx:
                hold.guard(tx)
                tx.run("gone_drop", {"kind": kind, "places": some})
                tx.run_many("batch_fewer", [{"kind": kind, "number": one, "n": n} for one, n in fewer.items()])
            self._step("dropped")

    def _recounted(self, kind: Kind, now: _Snapshot, hold: Hold) -> None:
        """The store is told how many rows of each batch are left (those that are listed as gone are among them), when
        rows were rewritten since it was last: after the backup from which the store was restored, they are fewer."""
        name, rewrites = {"name": f"archive_rewrites_{kind}"}, self._tables.rewrites(kind, now.table)
        known = self._store.read("home_get", name)
        if rewrites == (int(known[0]["value"]) if known else 0):
            return
        listed = [row["place"] for row in self._store.read("gone_list", {"kind": kind})]
        counts = in_batches(now.read(now.files, columns=["place"])["place"].to_numpy(), listed)
        told = {row["number"]: row["n"] for row in self._store.read("batch_rows", {"kind": kind})}
        wrong = [{"kind": kind, "number": one, "n": counts[one]} for one, n in told.items() if n != counts[one]]
        with self._store.transaction("*") as tx:
            hold.guard(tx)
            tx.run_many("batch_recount", wrong)
            tx.run("home_set", {**name, "value": str(rewrites)})
        self._step("recounted")


def _neighbours(files: Sequence[File], closed: int) -> Iterator[list[File]]:
    """Files that may become one: of one month, closed, small together; those that share a batch are never parted."""
    group: list[File] = []
    for one in files:
        if one.high > closed:
            continue
        last = group[-1] if group else None
        same = last is not None and (last.year, last.month) == (one.year, one.month)
        shares = same and any(other.high >= one.low for other in group)
        fits = sum(other.rows for other in group) + one.rows <= ROWS
        fits = fits and sum(other.bytes for other in group) + one.bytes <= BYTES
        if group and not (shares or (same and fits)):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _within(one: File, group: Sequence[File]) -> bool:
    low, high = min(other.low for other in group), max(other.high for other in group)
    return (one.year, one.month) == (group[0].year, group[0].month) and low <= one.low and one.high <= high


def _between(places: Sequence[int], one: File) -> Sequence[int]:
    """Of sorted places those that a file may have."""
    return places[bisect_left(places, one.first) : bisect_right(places, one.last)]


def _among(places: Sequence[int]) -> pc.Expression:
    return pc.field("place").isin(pa.array(places, pa.int64()))
