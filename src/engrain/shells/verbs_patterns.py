"""The verbs of the pattern bank, and of what an agent has learned as a whole."""

from __future__ import annotations

from typing import Any

from engrain.model.decision import EVIDENCE
from engrain.model.item import VISIBILITIES
from engrain.model.learned import LearningExported, LearningReset
from engrain.model.pattern import ANY, PATTERN_KINDS, STAGES, STATES, Pattern
from engrain.model.translation import PatternsExported, PatternsImported, Translation
from engrain.shells import calls_patterns as calls
from engrain.shells.fields import Field
from engrain.shells.verb import LOCAL, Verb

POLARITIES, TIERS = ("do", "avoid"), ("short", "long")
_ID = Field("id", "text", "The id of a pattern.", positional=True)
_FILE = Field("path", "text", "The file; one that is there is replaced.", positional=True)
_REASON = Field("reason", "text", "Why; it is kept.", positional=True, option="--reason")
_FRAMEWORK = Field("framework", "text", "For which framework, e.g. pytest.", None)
_OF_FRAMEWORK = Field("framework", "text", "Only for this framework.", None)
_WORDS = 'Words of this project to make placeholders of: {"billing.core": "module"}.'
_PARAMETERS = Field("parameters", "object", _WORDS, None)
_OF = (
    Field("kind", "text", "Only of this kind.", None),
    _OF_FRAMEWORK,
    Field("language", "text", "Only in this language.", None),
    Field("domain", "text", "Only of this domain.", None),
    Field("tags", "words", "Only with all of these tags.", None, option="--tag"),
    Field("task_type", "text", "Only for this task type, or for any.", None),
    Field("tier", "choice", "Only short-term (new) or long-term (proven) ones.", None, TIERS),
    Field("state", "choice", "Only in this state.", "active", (*STATES, ANY)),
    Field("polarity", "choice", "Only what to do, or what to avoid.", None, POLARITIES),
    Field("limit", "integer", "At most so many.", 10),
)
_EXPLORE = Field("explore", "flag", "In the order in which they are worth trying, new ones among them.", False,
                 option="--explore")  # fmt: skip
_SAID = (
    Field("description", "text", "What it is about.", ""),
    Field("template", "text", "Code or text with {{placeholders}}; - reads stdin.", None, stdin=True),
    Field("kind", "text", f"What it is: {', '.join(PATTERN_KINDS)}, or another name.", "strategy"),
    Field("polarity", "choice", "What to do, or what proved not to work.", "do", POLARITIES),
    _FRAMEWORK,
    Field("language", "text", "In which language, e.g. python.", None),
    Field("domain", "text", "In which domain.", None),
    Field("tags", "words", "Words to filter by.", (), option="--tag"),
    Field("task_type", "text", "The task type it is for.", None),
)
_FOUNDATION = Field("foundation", "flag", "Whether it came with a pack and stays though unproven.", False)


def _later(one: Field) -> Field:
    """The same input where it is changed: left out it stays as it is."""
    return Field(one.name, one.type, one.help, None, one.choices, stdin=one.stdin, option=one.option)


def _act(name: str, help: str) -> Verb:
    return Verb(f"patterns {name}", help, (_ID, _REASON), Pattern, does=f"{name}_pattern")


PATTERNS: tuple[Verb, ...] = (
    Verb("patterns list", "The patterns, the newest first.", (*_OF, _EXPLORE), calls.PatternHits, part="patterns",
         reads=True, does="patterns"),
    Verb(
        "patterns search",
        "The patterns that answer a question best, by words and meaning.",
        (
            Field("query", "text", "What it is about.", positional=True),
            *_OF,
            _EXPLORE,
        ),
        calls.PatternHits,
        part="patterns",
        no="patterns",
        does="patterns",
        repeats=True,
    ),
    Verb("patterns show", "One pattern: what it says, what it came to, what became of it, what it has to do with.",
         (_ID,), calls.Shown, part="pattern", call=calls.show, reads=True, does="pattern"),
    Verb(
        "patterns add",
        "Keep a strategy, or with --polarity avoid what proved not to work.",
        (
            Field("title", "text", "What it is, in a line.", positional=True),
            Field("content", "text", "What to do.", "", positional=True, stdin=True),
            *_SAID,
            Field("visibility", "choice", "Who else may see it.", "private", VISIBILITIES),
            _FOUNDATION,
            Field("provenance", "object", "Where it comes from.", None),
        ),
        Pattern,
        does="add_pattern",
        repeats=True,
    ),
    Verb(
        "patterns update",
        "Change what one's own pattern says.",
        (
            _ID,
            Field("title", "text", "What it is, in a line.", None),
            Field("content", "text", "What to do; - reads stdin.", None, stdin=True),
            *(_later(one) for one in (*_SAID, _FOUNDATION)),
            Field("clear", "words", f"What to empty: {', '.join(calls.EMPTY)}.", None, tuple(calls.EMPTY)),
        ),
        Pattern,
        call=calls.update,
        does="update_pattern",
    ),
    Verb(
        "patterns use",
        "Say what came of using a pattern; it may be promoted or quarantined by that.",
        (
            _ID,
            Field("success", "flag", "Did it work? Left out: not known.", None, option="--success/--failure"),
            Field("stage", "choice", "What happened to it.", "applied", STAGES),
            Field("evidence", "choice", "How well that is known: said, run, or checked independently.", "executed",
                  EVIDENCE),
            Field("source", "text", "Who or what says so; all of one source counts as one.", None),
            Field("task_type", "text", "In which kind of task.", None),
            Field("state", "object", "What was known of the task, to compare it with others.", None),
            Field("task_id", "text", "Which task; all of one task counts as one.", None),
        ),
        Pattern,
        does="use_pattern",
    ),
    _act("promote", "Make a pattern a long-term one."),
    _act("demote", "Make a pattern a short-term one again."),
    _act("quarantine", "Take a pattern out of what is found: it may do harm."),
    _act("release", "Bring a pattern back from quarantine or deprecation."),
    _act("deprecate", "Take a pattern out of what is found: it is out of date. Nothing is deleted."),
    Verb("patterns undo", "Take back what was done last to a pattern.", (_ID,), Pattern, does="undo_pattern"),
    Verb(
        "patterns merge",
        "Let one pattern stand for two; undo splits them again.",
        (_ID, Field("into", "text", "The id of the one that stays.", positional=True), _REASON),
        Pattern,
        does="merge_patterns",
    ),
    Verb(
        "patterns share",
        "Let the team or the whole tenant see a pattern, or nobody else any more.",
        (_ID, Field("visibility", "choice", "Who may see it.", choices=VISIBILITIES, positional=True), _PARAMETERS),
        Pattern,
        does="share_pattern",
    ),
    Verb(
        "patterns map",
        "Say a pattern for another framework, as a new pattern: unittest and pytest, jest and vitest.",
        (_ID, Field("framework", "text", "The other framework.", positional=True)),
        Pattern,
        does="translate_pattern",
        repeats=True,
    ),
    Verb(
        "patterns preview",
        "What patterns map would make of a pattern, and what to know of it; nothing is stored.",
        (_ID, Field("framework", "text", "The other framework.", positional=True)),
        Translation,
        does="translation",
        reads=True,
    ),
    Verb(
        "patterns export",
        "Write the patterns, their uses and links to a JSON file.",
        (_FILE, _PARAMETERS, _OF_FRAMEWORK),
        PatternsExported,
        shells=LOCAL,
        does="export_patterns",
        repeats=True,
    ),
    Verb(
        "patterns import",
        "Take in what patterns export wrote; what comes twice counts once.",
        (Field("path", "text", "The file.", positional=True),),
        PatternsImported,
        shells=LOCAL,
        does="import_patterns",
        repeats=True,
    ),
    Verb("patterns stats", "Counts of the patterns by kind, tier, state and use.", (), dict[str, Any],
         does="pattern_stats", reads=True),
)  # fmt: skip

_OF_TASK = Field("task_type", "text", "Only of this task type.", None, positional=True)
_DAYS = Field("days", "integer", "Of so many days, with today.", 30)

LEARNED: tuple[Verb, ...] = (
    Verb("learn status", "What the agent has learned, by task type, and its patterns.", (_OF_TASK,), calls.Status,
         part="learned", call=calls.status, does="learned", reads=True),
    Verb("learn history", "What came in day by day, and what it was worth.", (_OF_TASK, _DAYS), calls.Days, part="days",
         does="learned_days", reads=True),
    Verb(
        "learn export",
        "Write what the agent decided, observed and learned to a JSON file.",
        (
            _FILE,
            Field("task_type", "text", "Only of this task type.", None),
        ),
        LearningExported,
        shells=LOCAL,
        does="export_learning",
        repeats=True,
    ),
    Verb(
        "learn reset",
        "Begin anew in a task type: what was decided, observed and learned there is written to a file and deleted.",
        (
            Field("task_type", "text", "The task type.", positional=True),
            Field("path", "text", "The file; left out, one in the home's folder resets.", None),
        ),
        LearningReset,
        shells=LOCAL,
        does="reset_learning",
        destroys=True,
        asks="task_type",
        views=(Field("yes", "flag", "Do not ask first.", False, option="--yes"),),
    ),
)  # fmt: skip
