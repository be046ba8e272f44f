"""The verbs of trajectories, and of finding patterns and bringing them in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from engrain.model.decision import EVIDENCE
from engrain.model.distill import PatternReport
from engrain.model.item import VISIBILITIES
from engrain.model.pattern import Trajectory
from engrain.shells import inputs
from engrain.shells.fields import Field
from engrain.shells.verb import Verb


class Listed(TypedDict):
    trajectories: Sequence[Trajectory]


_DRY = Field("dry_run", "flag", "Change nothing, and tell what would be done.", False)
_WHOSE = (
    Field("tenant", "text", "Only of this tenant.", None),
    Field("agent", "text", "Only of this agent.", None),
)
_STEP = (
    Field("action", "text", "What was done."),
    Field("state", "object", "What was known then.", None),
    Field("output", "text", "What it printed.", None),
    Field("success", "flag", "Whether it worked.", None),
    Field("exit_code", "integer", "How the command ended.", None),
    Field("tests", "json", "Tests that ran: [passed, failed].", None),
)
_ENDED = Field("success", "flag", "Only what ended so.", None, option="--success/--failure")
_TASK_TYPE = Field("task_type", "text", "Only of this task type.", None)

TRAJECTORIES: tuple[Verb, ...] = (
    Verb("patterns discover", "Look for patterns in what agents observed, fixed and did.", (*_WHOSE, _DRY),
         PatternReport, admin=True, repeats=True, does="discover"),
    Verb("patterns consolidate", "Bring patterns in order: what says the same is merged, contradictions are linked.",
         (*_WHOSE, _DRY), PatternReport, admin=True, repeats=True, does="consolidate"),
    Verb(
        "trajectories add",
        "Keep what was done for a task, step by step, and judge how it ended.",
        (
            Field("task", "text", "What the task was.", positional=True),
            Field("steps", "rows", "The steps, one JSON object per line; - reads stdin.", positional=True, stdin=True,
                  row=_STEP),
            Field("success", "flag", "What somebody says of the whole.", None, option="--success/--failure"),
            Field("evidence", "choice", "On what that rests; left out: claimed.", None, EVIDENCE),
            Field("task_type", "text", "What kind of task it was.", None),
            Field("task_id", "text", "An id that tells runs apart.", None),
            Field("visibility", "choice", "Who else may see it.", "private", VISIBILITIES),
        ),
        Trajectory,
        does="add_trajectory",
        repeats=True,
    ),
    Verb("trajectories list", "Trajectories, the latest first.",
         (_TASK_TYPE, _ENDED, inputs.LIMIT),
         Listed, part="trajectories", does="trajectories", reads=True),
    Verb("trajectories show", "One trajectory.", (Field("id", "text", "Its id.", positional=True),), Trajectory,
         does="trajectory", reads=True),
    Verb("trajectories distill", "Look for patterns in one's own trajectories.", (_TASK_TYPE, _DRY), PatternReport,
         does="distill", repeats=True),
)  # fmt: skip
