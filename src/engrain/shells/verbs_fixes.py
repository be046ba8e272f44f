"""The verbs of problems and fixes: what helped before, what was tried, and how that went."""

from __future__ import annotations

from engrain.model.fix import Diagnosis, Fix, FixesCleaned, FixImport, FixReport, FixStats, IssueInfo, TargetInfo
from engrain.model.item import VISIBILITIES
from engrain.shells import calls_fixes as calls
from engrain.shells import inputs
from engrain.shells.fields import Field
from engrain.shells.verb import BOTH, LOCAL, Verb

PROBLEM = (
    Field(
        "problem",
        "text",
        "What went wrong: a message, a log line, or text with a stack trace.",
        positional=True,
        stdin=True,
    ),
    Field("type", "text", "What kind of issue it is: timeout, exception, test_failure, …", None),
    Field("target", "text", "What is being fixed: a model, a service, a file.", None),
    Field("trace", "text", "The stack trace, where it does not stand in the problem.", None),
    Field("test", "text", "The name of the failing test.", None),
    Field("log", "text", "An excerpt of the log.", None),
    Field("prompt", "text", "What a model was asked that answered badly.", None),
    Field("response", "text", "What it answered.", None),
    Field("fingerprint", "text", "A name that alone decides to which issue it belongs.", None),
    Field("metadata", "object", "Anything else that is known of it.", None),
)
FROM_FILE = (Field("file", "text", "Read the problem from this file.", None),)
ATTEMPT = (
    *PROBLEM,
    Field("commands", "words", "What was done, a command each; none: it was only seen.", (), option="--command"),
    Field("analysis", "text", "What the cause was taken to be.", None),
    Field("fixer", "text", "Who tried: a model, a tool, a person.", None),
    Field(
        "success", "flag", "Did it work, as who tried says? Left out: not known.", None, option="--success/--failure"
    ),
    Field("verified", "flag", "Whether something independent saw it work.", False),
    Field("seconds", "number", "How long it took.", None),
    Field("system", "object", "Facts of the system: versions, memory, whatever matters.", None),
    Field("notes", "text", "Anything else.", None),
    Field("session", "text", "The conversation or run it belongs to.", None),
    Field("task_id", "text", "An id of the caller's own.", None),
    Field("visibility", "choice", "Who else may see it.", "private", VISIBILITIES),
    Field("occurred_at", "time", "When it happened, if not now.", None),
)
_ISSUE = Field("id", "text", "The id of an issue, or any signature of it.", positional=True)
_TYPE = Field("type", "text", "Only issues of this type.", None)
_TARGET = Field("target", "text", "Only of this target.", None)
_WHICH = (
    _TYPE,
    _TARGET,
    Field("issue", "text", "Only of this issue.", None),
    Field("successful", "flag", "Only those that were verified to work, or only all others.", None),
)
_REASON = Field("reason", "text", "Why; it is kept.", positional=True, option="--reason")
REPORTS = ("fixers", "types", "targets", "trend", "daily")
DAYS = Field("days", "integer", "Of so many days, with today.", 30)

FIXES: tuple[Verb, ...] = (
    Verb(
        "diagnose",
        "What is known of a problem: what solved it before and how surely, what failed and must not be tried again. "
        "Changes nothing.",
        (*PROBLEM, Field("limit", "integer", "At most so many at each level.", 5)),
        Diagnosis,
        call=calls.diagnose,
        shells=BOTH,
        reads=True,
        no="known fixes avoid target",
        views=FROM_FILE,
    ),
    Verb(
        "record-fix",
        "Note an attempt to solve a problem and what came of it; without commands and analysis, that it was seen. Only "
        "what is successful and verified counts as solved.",
        ATTEMPT,
        Fix,
        call=calls.record_fix,
        shells=BOTH,
        views=FROM_FILE,
    ),
    Verb(
        "record-fixes",
        "Note many attempts in one transaction.",
        (Field("rows", "rows", "Lines of JSON, each an attempt.", positional=True, stdin=True, row=ATTEMPT),),
        calls.FixList,
        call=calls.record_fixes,
        part="fixes",
    ),
    Verb(
        "fixes verify",
        "Say that something independent saw an attempt work, or that it did not.",
        (
            Field("fix_id", "text", "The id of the attempt.", positional=True),
            Field("success", "flag", "It worked.", True, option="--success/--failure"),
            Field("notes", "text", "How that is known.", None),
        ),
        Fix,
        does="verify_fix",
        repeats=True,
    ),
    Verb(
        "fixes stats", "How many attempts there are, and what came of them.", (), FixStats, does="fix_stats", reads=True
    ),
    Verb(
        "fixes target",
        "What is known of a target: how often it has issues, which, and what works for it.",
        (Field("name", "text", "The target: a model, a service, a file.", positional=True),),
        TargetInfo,
        call=calls.target,
        does="target",
        reads=True,
    ),
    Verb(
        "fixes targets",
        "All targets, the most frequent first.",
        (),
        calls.Targets,
        part="targets",
        does="targets",
        reads=True,
    ),
    Verb(
        "fixes list",
        "Attempts and sightings, newest first.",
        (*_WHICH, Field("since", "time", "Only what happened then or later.", None), inputs.LIMIT),
        calls.FixList,
        part="fixes",
        does="fixes",
        reads=True,
    ),
    Verb(
        "fixes recent",
        "The attempts and sightings of the last days, newest first.",
        (Field("days", "number", "Of so many days until now.", 7, positional=True), *_WHICH, inputs.LIMIT),
        calls.FixList,
        call=calls.recent,
        does="fixes",
        shells=LOCAL,
        reads=True,
    ),
    Verb(
        "fixes successful",
        "The ways that work best, for each type of issue.",
        (_TYPE, _TARGET, inputs.LIMIT),
        calls.Ways,
        call=calls.successful,
        does="issues",
        shells=LOCAL,
        reads=True,
    ),
    Verb(
        "fixes patterns",
        "Issues that come back: how often, how they end, when, and what is best for each.",
        (_TYPE, _TARGET, inputs.LIMIT),
        calls.Issues,
        part="issues",
        does="issues",
        reads=True,
    ),
    Verb("fixes issue", "What is known of one issue.", (_ISSUE,), IssueInfo, does="issue", reads=True),
    Verb(
        "fixes similar",
        "Which issues a problem is like.",
        (*PROBLEM, Field("limit", "integer", "At most so many.", 5)),
        calls.Similar,
        call=calls.similar,
        does="diagnose",
        shells=LOCAL,
        reads=True,
        no="known similar",
        views=FROM_FILE,
    ),
    Verb(
        "fixes context",
        "What an agent that meets a problem should know, as text within a budget of tokens.",
        (*PROBLEM, Field("max_tokens", "integer", "At most so many tokens.", 800)),
        calls.Text,
        call=calls.context,
        part="context",
        does="context_for",
        reads=True,
        no="context",
        views=FROM_FILE,
    ),
    Verb(
        "fixes report",
        "How the fixers do, which issues there are, and the trend of each target.",
        (DAYS,),
        FixReport,
        does="fix_report",
        shells=frozenset({"rest"}),
        reads=True,
    ),
    Verb(
        "fixes merge",
        "Put an issue to another, as this agent sees them; can be undone.",
        (_ISSUE, Field("into", "text", "The issue that it belongs to.", positional=True), _REASON),
        IssueInfo,
        does="merge_issues",
    ),
    Verb(
        "fixes split",
        "Take a signature out of its issue; can be undone.",
        (Field("signature", "text", "The signature.", positional=True), _REASON),
        IssueInfo,
        does="split_issue",
    ),
    Verb(
        "fixes undo",
        "Take the latest merge or split back.",
        (),
        calls.Undone,
        part="undone",
        does="undo_issues",
        no="undone",
    ),
    Verb(
        "fixes edits",
        "Which issues were merged and split by hand.",
        (),
        calls.Edits,
        part="edits",
        does="issue_edits",
        reads=True,
    ),
    Verb(
        "fixes export",
        "Write the agent's fixes to a file of JSON, or as a table of CSV.",
        (
            Field("path", "text", "The file; one that is there is replaced.", positional=True),
            Field("format", "choice", "What to write.", "json", ("json", "csv")),
        ),
        calls.Written,
        call=calls.export,
        does="export_fixes",
        shells=LOCAL,
    ),
    Verb(
        "fixes import",
        "Take in an export of this home or another; what is known already is not counted again.",
        (Field("source", "text", "The file.", positional=True),),
        FixImport,
        does="import_fixes",
        shells=LOCAL,
        repeats=True,
    ),
    Verb(
        "fixes cleanup",
        "Let go of the texts of old attempts; verified ones are kept longer, and no count is lost.",
        (
            Field("days", "number", "Older than so many days; left out, the setting fix_days.", None, positional=True),
            Field("dry_run", "flag", "Only tell what would go.", False),
        ),
        FixesCleaned,
        does="clean_fixes",
        destroys=True,
        repeats=True,
    ),
)
