"""Experiences of the store and of the archive for learners elsewhere: one by one, sorted, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from engrain.archive.rows import column
from engrain.archive.steps import KIND, Found, opened
from engrain.archive.tables import Tables
from engrain.errors import ArchiveError
from engrain.store.port import Store

ROWS = 8_192  # of a batch
THREADS = 2
MEMORY = "1GB"  # of the database; beyond it goes to the disk
_text, _real, _number, _flag, _time = pa.string(), pa.float64(), pa.int64(), pa.bool_(), pa.timestamp("us", tz="UTC")
COLUMNS: dict[str, tuple[pa.DataType, str]] = {
    "id": (_text, "of the experience"),
    "task_type": (_text, "what kind of task it was"),
    "agent": (_text, "who did it"),
    "episode": (_text, "the run of steps that it belongs to; null: a step by itself"),
    "decision_id": (_text, "the decision that it settles; null: nobody was asked"),
    "state": (_text, "what was known of the task: a JSON object"),
    "options": (_text, "the actions that there were: a JSON list; null: left open, or not known"),
    "action": (_text, "the action that was taken"),
    "propensity": (_real, "how likely that action was when it was chosen; null: not known"),
    "distribution": (_text, "how likely each option was: a JSON object; null: not known"),
    "advised_action": (_text, "the action that was advised; propensity and policy are of it"),
    "mode": (_text, "advised, explored or abstained"),
    "policy": (_text, "what advised: v3 for version 3, else the online learner"),
    "success": (_flag, "whether it worked; null: not known"),
    "evidence": (_text, "how well that is known: claimed < executed < verified"),
    "outcome": (_text, "all that is known of the outcome: a JSON object"),
    "reward": (_real, "-2 to 2; null: not known yet"),
    "weight": (_real, "of its evidence"),
    "next_state": (_text, "what the task was like afterwards: a JSON object; null: the episode ended"),
    "next_from": (_text, "whether the next state was told, or is that of the episode's next decision"),
    "task_id": (_text, "an id of the caller's own"),
    "decided_at": (_time, "when it was decided"),
    "created_at": (_time, "when it was first observed"),
    "updated_at": (_time, "when its outcome was last changed"),
    "revision": (_number, "how often that was"),
}  # fmt: skip
"""What is exported: type and meaning."""
_GIVEN = {name: kind for name, (kind, _) in COLUMNS.items() if name != "next_from"} | {"step": _text}
_OF: dict[str, pc.Expression] = {name: pc.field(name) for name in _GIVEN}
_OF |= {"step": pc.coalesce(pc.field("decision_id"), pc.field("id"))}
_OF |= {"decided_at": pc.coalesce(pc.field("decided_at"), pc.field("created_at"))}
TEXT = (Path(__file__).parent / "export.sql").read_text(encoding="utf-8")


@contextmanager
def _database(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory; what has no room there goes into ``folder``."""
    how: dict[str, Any] = {"threads": THREADS, "memory_limit": MEMORY, "python_enable_replacements": False}
    with closing(duckdb.connect(":memory:", config=how)) as database:
        database.execute("set temp_directory = ?", [str(folder)])
        database.execute("set timezone = 'UTC'")
        database.execute("set enable_progress_bar = false")  # it would be told to whoever reads what we say
        yield database


@contextmanager
def exported(
    store: Store, tables: Tables | None, asked: Mapping[str, Any], folder: Path
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database whose view ``exported`` has ``COLUMNS`` of the experiences of a tenant, or of one ``agent`` or
    ``task_type``, as of one moment, sorted by task type, agent, episode and time. ``tables`` None: all are in the
    store. What has no room in memory goes into ``folder``. Raises ArchiveError; FileNotFoundError when a file is
    vacuumed away meanwhile."""
    if tables is None:
        found = Found(store.read("step_export", asked), None, ())
    else:
        found = opened(store, tables, "step_export", asked)
    failures: list[FileNotFoundError | ArchiveError] = []
    with _database(folder) as database:
        hot = {name: column([row[name] for row in found.rows], kind) for name, kind in _GIVEN.items()}
        database.register("hot", pa.table(hot))
        names = ["hot"]
        if tables is not None and found.table is not None:
            data = tables.dataset(KIND, found.table)
            for one in found.wanted:
                scanner = data.scanner(columns=_OF, filter=one, batch_readahead=4, fragment_readahead=2)
                names.append(f"cold_{len(names)}")
                batches = _watched(tables, scanner.to_batches(), failures)
                database.register(names[-1], pa.RecordBatchReader.from_batches(scanner.projected_schema, batches))
        union = " union all by name ".join(f"from {name}" for name in names)
        try:
            database.execute(f"create table steps as {union}")
        except (duckdb.Error, OSError) as error:
            raise failures[0] if failures else error from error
        database.execute(f"create view exported as {TEXT}")
        yield database


def asked(database: duckdb.DuckDBPyConnection, text: str) -> Iterator[pa.RecordBatch]:
    """Rows of SQL over ``exported``."""
    yield from database.sql(text).to_arrow_reader(ROWS)


def _watched(
    tables: Tables, batches: Iterator[pa.RecordBatch], failures: list[FileNotFoundError | ArchiveError]
) -> Iterator[pa.RecordBatch]:
    """What is read, with what failed there: the database tells it as an error of its own."""
    try:
        with tables.told(KIND):
            yield from batches
    except (FileNotFoundError, ArchiveError) as error:
        failures.append(error)
        raise
