"""The verbs of trajectories, and of looking for patterns and putting them in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from engrain.model.decision import EVIDENCE
from engrain.model.distill import PatternReport
from engrain.model.item import VISIBILITIES
from engrain.model.pattern import Trajectory
from engrain.shells.fields import Field
from engrain.shells.verb import SERVED, Verb

if TYPE_CHECKING:
    from engrain.agent import Agent
    from engrain.memory import Memory


class TrajectoryList(TypedDict):
    trajectories: list[Trajectory]


_DRY = Field("dry_run", "flag", "Change nothing, and tell what would be done.", False)
_TENANT = Field("tenant", "text", "Only of this tenant.", None)
_AGENT = Field("agent", "text", "Only of this agent.", None)
_TYPE = Field("task_type", "text", "Only of this task type.", None)
_STEPS = (
    Field("action", "text", "What was done, e.g. a command."),
    Field("state", "object", "What was known then.", None),
    Field("output", "text", "What came out.", None),
    Field("success", "flag", "Whether it worked, as somebody says.", None),
    Field("exit_code", "integer", "The exit code of a command.", None),
    Field("tests", "json", "Tests that ran: [passed, failed].", None),
)


def _add(memory: Memory, agent: Agent, given: dict[str, Any]) -> Trajectory:
    return agent.add_trajectory(given.pop("task"), given.pop("steps"), **given)


DISTILL: tuple[Verb, ...] = (
    Verb(
        "trajectories add",
        "Keep what was done for a task, step by step; how it ended is judged by fixed rules.",
        (
            Field("task", "text", "What was to be done.", positional=True),
            Field("steps", "rows", "The steps, a JSON object a line: action, output, exit_code, tests …",
                  positional=True, stdin=True, row=_STEPS),
            Field("success", "flag", "How it ended, as somebody says. Left out: not known.", None,
                  option="--success/--failure"),
            Field("evidence", "choice", "How well that is known: said, run, or checked independently.", None, EVIDENCE),
            Field("task_type", "text", "What kind of task it is.", None),
            Field("task_id", "text", "Which task; it tells two runs with the same steps apart.", None),
            Field("visibility", "choice", "Who else may see it.", "private", VISIBILITIES),
        ),
        Trajectory,
        call=_add,
        does="add_trajectory",
        repeats=True,
    ),
    Verb(
        "trajectories list",
        "Trajectories and how they were judged, the latest first.",
        (
            _TYPE,
            Field("success", "flag", "Only those that ended so.", None, option="--success/--failure"),
            Field("limit", "integer", "At most so many.", 100),
        ),
        TrajectoryList,
        part="trajectories",
        reads=True,
        does="trajectories",
    ),
    Verb(
        "trajectories show",
        "One trajectory: its steps, how it was judged and by which rule.",
        (Field("id", "text", "The id of a trajectory.", positional=True),),
        Trajectory,
        reads=True,
        does="trajectory",
    ),
    Verb(
        "trajectories distill",
        "Make patterns of what the agent's trajectories have in common; needs no model.",
        (_TYPE, _DRY),
        PatternReport,
        does="distill",
        repeats=True,
    ),
    Verb(
        "patterns discover",
        "Look for patterns in what agents did: experiences, fixes, trajectories.",
        (_TENANT, _AGENT, _DRY),
        PatternReport,
        shells=SERVED,
        admin=True,
        does="discover",
        repeats=True,
    ),
    Verb(
        "patterns consolidate",
        "Merge patterns that say the same, link contradictions, deprecate what does not help; undo takes each back.",
        (_TENANT, _AGENT, _DRY),
        PatternReport,
        shells=SERVED,
        admin=True,
        does="consolidate",
        repeats=True,
    ),
)  # fmt: skip
