"""SQL over the archive, asked from here: the process that runs it is started, told what it may see, and watched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING, Any

from engrain import errors
from engrain.archive.frames import TIME, Closed, Frames, Late
from engrain.archive.hot import cold
from engrain.archive.reading import ELSEWHERE
from engrain.archive.views import COLD, named_in
from engrain.errors import ArchiveCorrupt, ArchiveError, ArchiveUnavailable, ConfigError, QueryLimit, QueryRefused
from engrain.store.port import Store

if TYPE_CHECKING:
    import pyarrow as pa

    from engrain.archive.tables import Tables

GRACE = 2.0  # seconds beyond its time after which the process is killed
START = 30.0  # seconds in which it must have started, or ended
TRIES = 3  # of a query whose files were vacuumed away, or whose rows were moved, meanwhile
MORE = "Ask for less, or raise query_megabytes."
LATE = "It took too long. Ask for less, or raise query_seconds."
Progress = Callable[[int, int], Any]
"""Is told how many files have been looked at, of how many."""


class Analyst:
    """Answers SQL over the archive of one home, one query at a time."""

    def __init__(self, store: Store, tables: Callable[[], Tables | None]) -> None:
        self._store, self._find = store, tables
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._frames: Frames | None = None

    def ask(
        self,
        statement: str,
        parameters: Mapping[str, Any] | Sequence[Any] | None,
        whose: tuple[str, str] | None,
        seconds: float,
        megabytes: int,
        progress: Progress | None = None,
    ) -> pa.Table:
        """The rows of one SELECT, of all that there is or (tenant, agent) of what that agent may see. Raises
        QueryRefused, QueryLimit after so many seconds or beyond so much memory, ArchiveUnavailable."""
        if not self._lock.acquire(timeout=seconds):
            raise QueryLimit("Other queries took all of its time.")
        try:
            self._start()  # while the libraries are loaded here
            for left in reversed(range(TRIES)):
                asked = self._asked(statement, parameters, whose, megabytes)
                tables = self._live(asked)
                if left and tables and self._asked(statement, parameters, whose, megabytes) != asked:
                    continue  # rows moved from the one to the other meanwhile, and would be told of nowhere
                found = self._answer(asked, tables, seconds, progress)
                if found is not None:
                    return found
            raise ArchiveCorrupt("a file of the table is missing.")
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the process."""
        process, self._process, self._frames = self._process, None, None
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            process.kill()
            process.wait()

    # -- what is asked ------------------------------------------------------------------------------------------------

    def _asked(self, statement: str, parameters: Any, whose: tuple[str, str] | None, megabytes: int) -> dict[str, Any]:
        tables = self._find()
        kinds = [COLD[name] for name in named_in(statement) if name in COLD]
        if tables is None and kinds and cold(self._store):
            raise ArchiveUnavailable(ELSEWHERE)
        team: list[str] = []
        if whose is not None:
            rows = self._store.read("agent_team", {"tenant": whose[0], "agent": whose[1]})
            team = [str(row["name"]) for row in rows]
        return {
            "statement": statement,
            "parameters": parameters,
            "megabytes": megabytes,
            "whose": None if whose is None else [*whose, team],
            "location": tables.location if tables else "",
            "owner": tables.owner if tables else "",
            "standings": {kind: tables.standing(kind) if tables else (0, (), 0, 0) for kind in kinds},
        }

    def _live(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The tables of the hot store that the statement may speak of, as bytes."""
        from engrain.archive.live import live, stream

        names = [name for name in named_in(asked["statement"]) if name not in COLD]
        return {name: stream(live(self._store, name, asked["whose"], asked["megabytes"] << 20)) for name in names}

    # -- the process --------------------------------------------------------------------------------------------------

    def _answer(
        self, asked: dict[str, Any], tables: Mapping[str, Any], seconds: float, progress: Progress | None
    ) -> pa.Table | None:
        """What the process says; None when a file was gone that it wanted to read."""
        import pyarrow as pa

        for last in (False, True):
            heard = False
            try:
                frames = self._started()
                for name, rows in tables.items():
                    frames.send("t", name.encode() + b"\n" + rows)
                frames.send("q", json.dumps({**asked, "seconds": seconds}, default=_plain).encode())
                letter, said = self._heard(frames, time.monotonic() + seconds + GRACE, progress)
                heard = True
                if letter == "e":
                    _raise(*json.loads(said))
                    return None
                return _whole(pa.concat_tables(said))
            except Late as error:
                raise QueryLimit(LATE) from error
            except Closed as error:
                if self._ended() or last:  # by itself it ends with 0, when it was idle for long
                    raise QueryLimit(f"It needed more memory than it may, or broke the process. {MORE}") from error
            finally:
                if not heard:  # what it would still say must not be taken for another answer
                    self.close()
        raise AssertionError

    @staticmethod
    def _heard(frames: Frames, end: float, progress: Progress | None) -> tuple[str, Any]:
        """The last message of an answer: ``e`` with what went wrong, or ``d`` with all rows that came before it."""
        import pyarrow as pa

        parts: list[pa.Table] = []
        while True:
            letter, payload = frames.receive(end - time.monotonic())
            match letter:
                case "r":
                    parts.append(pa.ipc.open_stream(payload).read_all())
                case "p" if progress is not None:
                    progress(*json.loads(payload))
                case "d":
                    return letter, parts
                case "e":
                    return letter, payload

    def _start(self) -> None:
        """Start the process, unless it is there; it says so when it is ready."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        if find_spec("duckdb") is None:
            raise ConfigError("SQL over the archive needs duckdb: pip install 'engrain[archive]'.")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ENGRAIN_")}
        environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MALLOC_ARENA_MAX": "2"}
        environment["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # others reserve more than they use
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "engrain.archive.sealed"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
        )  # fmt: skip

    def _started(self) -> Frames:
        self._start()
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise AssertionError
        if self._frames is None:
            frames = Frames(process.stdout.fileno(), process.stdin.fileno())
            frames.receive(START)
            self._frames = frames
        return self._frames

    def _ended(self) -> int:
        """The exit code of the process, which is about to end."""
        try:
            return -1 if self._process is None else self._process.wait(START)
        except subprocess.TimeoutExpired:
            return -1


def _plain(value: Any) -> Any:
    """A parameter that JSON does not know."""
    if isinstance(value, datetime):
        return {TIME: value.isoformat()}
    raise QueryRefused(f"A parameter must be text, a number, a truth, a time or null, not {type(value).__name__}.")


def _whole(table: pa.Table) -> pa.Table:
    """Sums of whole numbers as whole numbers, where they fit, and times to the microsecond; no two columns of one name,
    of which rows as dicts would lose one. Raises QueryRefused for times that Python does not know."""
    import pyarrow as pa

    names: list[str] = []
    for name in table.column_names:
        names.append(next(one for n in count(1) if (one := f"{name}_{n}" if n > 1 else name) not in names))
    table = table.rename_columns(names)
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            column = table.column(place).cast(pa.timestamp("us", field.type.tz), safe=False)
            table = table.set_column(place, field.name, column)
        if any(not _known(one) for chunk in table.column(place).chunks for one in _leaves(chunk)):
            raise QueryRefused(f"{field.name!r} has times before the year 1 or after 9999: cast them to text.")
        if pa.types.is_decimal(field.type) and field.type.scale == 0:
            try:
                whole = table.column(place).cast(pa.int64())
                table = table.set_column(place, pa.field(field.name, pa.int64()), whole)
            except pa.ArrowInvalid:
                continue
    return table


def _leaves(array: pa.Array) -> Iterator[pa.Array]:
    """The plain values in lists and structures."""
    import pyarrow as pa

    if pa.types.is_map(array.type):
        parts = [array.keys, array.items]
    elif pa.types.is_nested(array.type):
        parts = array.flatten() if pa.types.is_struct(array.type) else [array.flatten()]
    else:
        parts = []
        yield array
    for one in parts:
        yield from _leaves(one)


def _known(array: pa.Array) -> bool:
    """Whether Python has a value for each of these, if they are times."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_date32(array.type):
        least, most, values = -719_162, 2_932_896, array.view(pa.int32())
    elif pa.types.is_timestamp(array.type):
        per = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[array.type.unit]
        least, most, values = -62_135_596_800 * per, 253_402_300_800 * per - 1, array.view(pa.int64())
    else:
        return True
    found = pc.min_max(values).as_py()
    return found["min"] is None or (found["min"] >= least and found["max"] <= most)


def _raise(what: str, text: str) -> None:
    """Raise what the process tells of, but for files that were gone."""
    match what:
        case "stale":
            return
        case "limit":
            raise QueryLimit(f"It needed more memory than it may: {text}. {MORE}")
        case "late":
            raise QueryLimit(LATE)
        case "refused":
            raise QueryRefused(text)
        case "unreachable":
            raise ArchiveUnavailable(text)
    if what.startswith("!"):
        raise getattr(errors, what[1:])(text)
    raise ArchiveError(f"The process that runs SQL failed; please report it with this text:\n{text}")
