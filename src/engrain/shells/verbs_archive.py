"""The verbs of the cold archive: SQL, reports, and what is in it. A command line has richer ones of SQL and reports."""

from __future__ import annotations

from typing import Any

from engrain.model.report import ReportRows
from engrain.shells import calls
from engrain.shells.fields import Field
from engrain.shells.verb import Verb

STATEMENT = Field("statement", "text", "One SELECT; archive tables tells what there is.", positional=True, stdin=True)
PARAMETERS = Field("parameters", "json", 'The values of ? as a list, or of $name as an object: {"kind": "fact"}.', None)
REPORT = (
    Field("days", "integer", "Of so many days, with today.", 30),
    Field("tenant", "text", "Only of this tenant.", None),
    Field("agent", "text", "Only of this agent.", None),
)
_OVER_HTTP = frozenset({"rest"})

ARCHIVE: tuple[Verb, ...] = (
    Verb(
        "sql",
        "Ask SQL of what this agent may see of the archive, and of what is live.",
        (STATEMENT, PARAMETERS),
        calls.Rows,
        call=calls.sql,
        shells=_OVER_HTTP,
        reads=True,
    ),
    Verb(
        "archive sql",
        "Ask SQL of the whole archive, and of what is live.",
        (STATEMENT, PARAMETERS),
        calls.Rows,
        call=calls.sql,
        shells=_OVER_HTTP,
        admin=True,
        reads=True,
    ),
    Verb(
        "archive stats",
        "What is in the archive: rows, files, bytes, by month and by agent.",
        (),
        dict[str, Any],
        admin=True,
        reads=True,
    ),
    Verb(
        "archive tables",
        "The tables and columns that SQL sees, and what they mean.",
        (),
        calls.Tables,
        part="tables",
        admin=True,
        reads=True,
    ),
    Verb(
        "archive compact",
        "Put the archive's files in order now: few and large, without what counts no more.",
        (Field("dry_run", "flag", "Only tell what would be done.", False),),
        dict[str, int],
        admin=True,
        repeats=True,
    ),
    Verb(
        "reports",
        "The reports that there are.",
        (),
        calls.Reports,
        part="reports",
        shells=_OVER_HTTP,
        admin=True,
        reads=True,
    ),
    Verb(
        "run-report",
        "Make a report over the archive and what is live.",
        (Field("name", "text", "The name of the report.", positional=True), *REPORT),
        ReportRows,
        shells=_OVER_HTTP,
        admin=True,
        reads=True,
    ),
)
