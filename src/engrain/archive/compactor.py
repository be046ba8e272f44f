"""Keeps the files of the cold tables in order: small ones become large, sorted ones; rows that count no more are left
out; files that nobody needs are deleted, with the words of what was forgotten.

Every step may be the last: what is not done is found again, because a row stays among the gone ones until no file has
it. A group of files is replaced by one in one commit, and whoever has read the table before can add nothing after that
(Delta refuses it). All of it is done under the lease of the archive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from engrain.archive.hold import Hold, held
from engrain.archive.layout import KINDS, SCHEMAS, Kind, batch_of, digest
from engrain.archive.tables import Tables
from engrain.errors import ArchiveCorrupt, ArchiveUnavailable
from engrain.store.port import Store
from engrain.world import World

ROWS, BYTES = 250_000, 64 << 20  # a file that is made has at most so many (bytes before it is read, as compressed)
FEW = 4  # neighbours that are small are put together when there are so many
_AT_ONCE = 500  # places in one statement
_ORDER = [(name, "ascending") for name in ("tenant", "agent", "place")]


class File(NamedTuple):
    """A live file of a table. Batches from ``low`` to ``high`` are in it, places from ``first`` to ``last``."""

    path: str
    rows: int
    bytes: int
    year: int
    month: int
    low: int
    high: int
    first: int
    last: int


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
        return self._run(stop, tidy=True)

    def erase(self) -> dict[str, int]:
        """Delete what was forgotten or pruned from every file, at once. Raises ArchiveUnavailable when the archive is
        not free for so long, or cannot be reached."""
        try:
            return self._run(lambda: False, tidy=False)
        except ArchiveUnavailable as error:
            told = "What was forgotten is hidden already, and the role compact will erase it from the files."
            raise ArchiveUnavailable(f"{error.detail} {told}") from error

    def _run(self, stop: Callable[[], bool], *, tidy: bool) -> dict[str, int]:
        done: Counter[str] = Counter()
        with held(self._store, self._world, self._seconds) as hold:
            if hold is None:
                raise ArchiveUnavailable(f"Another process worked on the archive for {self._seconds:g} s.")
            self._finish(hold)
            for kind in KINDS:
                done += self._tidy(kind, hold, stop) if tidy else self._rewritten(kind, hold, stop, tidy=False)
                done += self._swept(kind, hold)
        return {name: n for name, n in done.items() if n}

    # -- rewriting ----------------------------------------------------------------------------------------------------

    def _tidy(self, kind: Kind, hold: Hold, stop: Callable[[], bool]) -> Counter[str]:
        return self._rewritten(kind, hold, stop, tidy=True)

    def _would(self, kind: Kind) -> Counter[str]:
        found = self._plan(kind, tidy=True)
        return Counter(files=sum(len(group) for group, _ in found), erased=sum(n for _, n in found))

    def _rewritten(self, kind: Kind, hold: Hold, stop: Callable[[], bool], *, tidy: bool) -> Counter[str]:
        done: Counter[str] = Counter()
        plan = self._plan(kind, tidy=tidy)
        for number, (group, gone) in enumerate(plan):
            if stop():
                done["left"] = len(plan) - number
                break
            hold.keep()
            self._replace(kind, group, gone)
            done += Counter(files=len(group), erased=gone)
            self._step("rewritten")
        return done

    def _plan(self, kind: Kind, *, tidy: bool) -> list[tuple[list[File], int]]:
        """Groups of neighbours that are to become one file each, and how many of their rows are gone."""
        table, standing = self._tables.table(kind), self._tables.standing(kind)
        if table is None:
            return []
        marked = self._marked(kind, urgent=not tidy)
        parts = _parts(self._tables.dataset(kind, table))
        found = []
        for group in _neighbours(_files(table), standing.closed):
            gone = sum(_found(parts[one.path], kind, _between(marked, one)) for one in group)
            small = len(group) >= FEW and tidy
            if gone or small:
                found.append((group, gone))
        return found

    def _marked(self, kind: Kind, *, urgent: bool) -> list[int]:
        rows = self._store.read("gone_list", {"kind": kind})
        return [row["place"] for row in rows if not urgent or row["reason"] != "restored"]

    def _replace(self, kind: Kind, group: Sequence[File], gone: int) -> None:
        table = self._tables.table(kind)
        assert table is not None
        parts, marked = _parts(self._tables.dataset(kind, table)), self._marked(kind, urgent=False)
        places = sorted({place for one in group for place in _between(marked, one)})
        rows = _read(kind, [parts[one.path] for one in group], ~pc.field("place").isin(pa.array(places, pa.int64())))
        if rows.num_rows > (whole := sum(one.rows for one in group)) - gone:
            raise ArchiveCorrupt(f"{self._tables.path(kind)}: {rows.num_rows} rows where {whole} less {gone} belong.")
        rows = rows.sort_by(_ORDER)
        low, high = min(one.low for one in group), max(one.high for one in group)
        where = f"year = {group[0].year} and month = {group[0].month} and batch >= {low} and batch <= {high}"
        self._tables.replace(kind, table, rows, where)
        self._step("replaced")
        after = self._tables.table(kind)
        assert after is not None
        parts = _parts(self._tables.dataset(kind, after))
        made = [one for one in _files(after) if _overlaps(one, group)]
        back = _read(kind, [parts[one.path] for one in made]).sort_by(_ORDER)
        if digest(back) != digest(rows):
            raise ArchiveCorrupt(f"{self._tables.path(kind)}: what was rewritten reads back as something else.")

    # -- deleting -----------------------------------------------------------------------------------------------------

    def _swept(self, kind: Kind, hold: Hold) -> Counter[str]:
        """Delete files that no snapshot needs: all of them when something in them must go. Then what is in no file is
        gone for good."""
        table = self._tables.table(kind)
        if table is None:
            return Counter()
        rows = self._store.read("gone_list", {"kind": kind})
        urgent = any(row["reason"] != "restored" for row in rows)
        deleted = self._tables.vacuum(kind, table, 0 if urgent else round(self._days * 24))
        self._step("vacuumed")
        if not rows:
            return Counter(vacuumed=deleted)
        hold.keep()
        table = self._tables.table(kind)
        assert table is not None
        dataset = self._tables.dataset(kind, table)
        places = pa.array([row["place"] for row in rows], pa.int64())
        left = _places(kind, dataset.get_fragments(), places)
        for path in self._tables.stale(kind, table):
            left |= _stale_places(path, dataset.filesystem, places)
        gone = [row["place"] for row in rows if row["place"] not in left]
        for start in range(0, len(gone), _AT_ONCE):
            self._drop(kind, gone[start : start + _AT_ONCE], hold)
            self._step("dropped")
        return Counter(vacuumed=deleted)

    def _drop(self, kind: Kind, places: Sequence[int], hold: Hold) -> None:
        """They are listed no more, and their batches have so many fewer rows."""
        by_batch: dict[int, list[int]] = {}
        for place in places:
            by_batch.setdefault(batch_of(place), []).append(place)
        with self._store.transaction("*") as tx:
            hold.guard(tx)
            for number, some in by_batch.items():
                n = tx.run("gone_drop", {"kind": kind, "places": some})
                tx.run("batch_fewer", {"kind": kind, "number": number, "n": n})


def _files(table: Any) -> list[File]:
    """In the order of their batches, month by month."""
    found = []
    for one in pa.table(table.get_add_actions(flatten=True)).to_pylist():
        parts = (one["partition.year"], one["partition.month"])
        ends = (one["min.batch"], one["max.batch"], one["min.place"], one["max.place"])
        found.append(File(one["path"], one["num_records"], one["size_bytes"], *parts, *ends))
    return sorted(found, key=lambda one: (one.year, one.month, one.low, one.path))


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


def _overlaps(one: File, group: Sequence[File]) -> bool:
    low, high = min(other.low for other in group), max(other.high for other in group)
    return (one.year, one.month) == (group[0].year, group[0].month) and low <= one.low and one.high <= high


def _between(places: Sequence[int], one: File) -> list[int]:
    return [place for place in places if one.first <= place <= one.last]


def _parts(dataset: pads.Dataset) -> Mapping[str, Any]:
    return {part.path: (part, dataset) for part in dataset.get_fragments()}


def _read(
    kind: Kind, parts: Sequence[Any], where: pc.Expression | None = None, columns: Sequence[str] | None = None
) -> pa.Table:
    if not parts:
        return SCHEMAS[kind].empty_table()
    dataset = parts[0][1]
    files = pads.FileSystemDataset([part for part, _ in parts], SCHEMAS[kind], dataset.format, dataset.filesystem)
    return files.to_table(columns=columns, filter=where)


def _found(part: Any, kind: Kind, places: Sequence[int]) -> int:
    """How many of these places are in a file."""
    if not places:
        return 0
    return int(_read(kind, [part], pc.field("place").isin(pa.array(places, pa.int64())), ["place"]).num_rows)


def _places(kind: Kind, fragments: Any, places: pa.Array) -> set[int]:
    found: set[int] = set()
    for part in fragments:
        table = part.to_table(columns=["place"], filter=pc.field("place").isin(places))
        found.update(table["place"].to_pylist())
    return found


def _stale_places(path: str, filesystem: Any, places: pa.Array) -> set[int]:
    """Those in a file that is not part of the table any more, or never was: one that was not written to its end may
    have any of them."""
    try:
        found = pq.read_table(path, columns=["place"], filesystem=filesystem)["place"]
    except FileNotFoundError:
        return set()
    except (pa.ArrowInvalid, OSError):
        return set(places.to_pylist())
    return set(found.filter(pc.is_in(found, places)).to_pylist())
