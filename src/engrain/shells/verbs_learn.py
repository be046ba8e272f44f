"""The verbs of learning offline: policies and their record, and whether the loop lives."""

from __future__ import annotations

from engrain.model.learning import Explanation, LearningHealth, PolicyDiff
from engrain.model.policy import Dream, DreamReport, PolicyInfo
from engrain.shells import calls, inputs
from engrain.shells.fields import Field
from engrain.shells.verb import LOCAL, Verb

TASK = Field("task_type", "text", "The task type.", positional=True)
_OF_TASK = Field("task_type", "text", "Only of this task type.", None, positional=True)
_TENANT = Field("tenant", "text", "Whose it is.", "default")
_ONE_TENANT = Field("tenant", "text", "Only of this tenant.", None)
_NUMBER = Field("version", "integer", "The version.", positional=True)
_DAYS = Field("days", "integer", "Of so many days, with today.", 30)
_HEALTH = "Does the loop of learning live? Each stage, the reward with and without memory, since when what is silent. "

FORMATS = ("parquet", "minari")
_REASON = Field("reason", "choice", "Why: a gate failed, or somebody asks.", "gate", ("gate", "asked"))

LEARN: tuple[Verb, ...] = (
    Verb(
        "dream run",
        "Learn offline from what has come in, judge it, and let what is better advise.",
        (
            _OF_TASK,
            _ONE_TENANT,
            Field("budget", "integer", "At most so many trainings and evaluations; the next one goes on.", None),
            Field("seed", "integer", "The same data and seed give the same policies.", None),
            Field("dry_run", "flag", "Change nothing, and tell what would be found.", False),
        ),
        Dream,
        shells=LOCAL,
        admin=True,
        does="dream",
    ),
    Verb(
        "dream request",
        "Ask the background for a dream, e.g. when a quality gate has failed.",
        (_REASON, _OF_TASK, _ONE_TENANT),
        Dream,
        admin=True,
        repeats=True,
    ),
    Verb(
        "dream status",
        "The last dream, and when the next one is due.",
        (),
        calls.DreamStatus,
        part="dreams",
        call=calls.dream_status,
        shells=LOCAL,
        admin=True,
        reads=True,
        does="dreams",
    ),
    Verb(
        "dream history",
        "The dreams, the latest first.",
        (Field("limit", "integer", "At most so many.", 20),),
        calls.Dreams,
        part="dreams",
        admin=True,
        reads=True,
        does="dreams",
    ),
    Verb(
        "dream report",
        "What a dream changed, by how much, how sure that is, what was refused and why.",
        (Field("id", "text", "Which; left out, the last one.", None, positional=True),),
        DreamReport,
        admin=True,
        reads=True,
        views=(Field("html", "flag", "The page of HTML, with pictures; send it to a file.", False, option="--html"),),
    ),
    Verb(
        "learning",
        _HEALTH + "Exit code 1 when a stage is silent.",
        (_DAYS, _ONE_TENANT, Field("canary", "flag", "First prove in a throw-away tenant that outcomes count.", False)),
        calls.Loop,
        part="health",
        call=calls.learning,
        shells=frozenset({"cli"}),
        admin=True,
        repeats=True,
        no="ok",
        does="learning_health",
    ),
    Verb(
        "learning",
        _HEALTH.strip(),
        (_DAYS, _ONE_TENANT),
        LearningHealth,
        shells=frozenset({"rest"}),
        admin=True,
        reads=True,
        does="learning_health",
    ),
    Verb(
        "policy list",
        "Versions of what to do, the latest first.",
        (
            _OF_TASK,
            _ONE_TENANT,
            Field("agent", "text", "Only of this agent.", None),
            Field("state", "choice", "Only in this state.", None, ("candidate", "shadow", "live", "retired")),
            inputs.LIMIT,
        ),
        calls.Policies,
        part="policies",
        admin=True,
        reads=True,
        does="policies",
    ),
    Verb(
        "policy show",
        "One version: what it was trained on, how it was judged, how it fares.",
        (
            TASK,
            Field("version", "integer", "The version; left out, the one that advises.", None, positional=True),
            Field("agent", "text", "The one that advises this agent; left out, the whole tenant's.", None),
            _TENANT,
        ),
        PolicyInfo,
        admin=True,
        reads=True,
    ),
    Verb(
        "policy diff",
        "The states in which a version chooses otherwise than another.",
        (
            TASK,
            Field("version", "integer", "The version; left out, the tenant's live one.", None, positional=True),
            Field(
                "other",
                "integer",
                "The one to compare with, 0 for the online learner; left out, the one before it.",
                None,
                positional=True,
            ),
            _TENANT,
        ),
        PolicyDiff,
        admin=True,
        reads=True,
    ),
    Verb(
        "policy history",
        "What became of policies and why, the latest first.",
        (
            _OF_TASK,
            _ONE_TENANT,
            Field("version", "integer", "Only of this version.", None),
            inputs.LIMIT,
        ),
        calls.PolicyEvents,
        part="events",
        admin=True,
        reads=True,
    ),
    Verb(
        "policy promote",
        "Let a version advise, if the gate lets it: it is judged on what came since it was made. Exit code 1 if not.",
        (TASK, _NUMBER, _TENANT),
        PolicyInfo,
        admin=True,
        repeats=True,
    ),
    Verb(
        "policy rollback",
        "Let an earlier version advise again, in all running agents at once.",
        (
            TASK,
            Field("version", "integer", "Which; left out, the one before the live one; 0: the online learner.", None),
            Field("agent", "text", "Of this agent's policy; left out, the tenant's.", None),
            _TENANT,
        ),
        calls.Live,
        part="live",
        admin=True,
        destroys=True,
        does="rollback",
    ),
    Verb(
        "policy explain",
        "Why was this advised, or what would be advised in a state, and why? The full record.",
        (
            Field("decision_id", "text", "The decision, also an archived one.", None, positional=True),
            Field("task_type", "text", "In place of a decision: what would be advised now for this.", None),
            Field("state", "object", "In this state.", None),
            Field("agent", "text", "To this agent; left out, one that has no outcomes yet.", None),
            _TENANT,
        ),
        Explanation,
        admin=True,
        reads=True,
    ),
    Verb(
        "policy export",
        "Write a version to a JSON file, for a learner elsewhere.",
        (
            Field("path", "text", "The file to make; it must not exist.", positional=True),
            TASK,
            Field("version", "integer", "The version; left out, the one that advises.", None),
            _TENANT,
            Field("agent", "text", "The one that advises this agent; left out, the whole tenant's.", None),
        ),
        PolicyInfo,
        shells=LOCAL,
        admin=True,
    ),
    Verb(
        "policy import",
        "Make a candidate of a policy in a file; the gate judges it like any other.",
        (
            Field("path", "text", "The file, exported here or made by another learner.", positional=True),
            _TENANT,
            Field("agent", "text", "For this agent; left out, for the whole tenant.", None),
        ),
        PolicyInfo,
        shells=LOCAL,
        admin=True,
    ),
    Verb(
        "export-experiences",
        "Write experiences for learners elsewhere, archived ones among them.",
        (
            Field("path", "text", "The file (parquet) or folder (minari) to make.", positional=True),
            Field("format", "choice", "A row an experience, or episodes of one task type.", "parquet", FORMATS),
            Field("task_type", "text", "Only of this task type.", None),
            Field("tenant", "text", "Of this tenant.", "default"),
            Field("agent", "text", "Only of this agent.", None),
            Field("overwrite", "flag", "Replace what is there.", False, option="--overwrite"),
        ),
        dict[str, int],
        shells=LOCAL,
        admin=True,
        destroys=True,
        repeats=True,
    ),
)
