"""What the verbs of patterns and of learning answer with, and the calls that are more than one method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from engrain.errors import NotFound
from engrain.model.learned import Learned, LearnedDay
from engrain.model.pattern import Pattern, PatternEvent, PatternHit, PatternLink, PatternUse
from engrain.shells.calls import emptied

if TYPE_CHECKING:
    from engrain.agent import Agent
    from engrain.memory import Memory

# What update can set back to nothing, and what that is.
EMPTY: dict[str, Any] = {
    "content": "", "description": "", "template": None, "framework": None, "language": None, "domain": None,
    "tags": (), "task_type": None,
}  # fmt: skip
USES, EVENTS = 20, 20  # that one screen tells of


class PatternHits(TypedDict):
    patterns: Sequence[PatternHit]


class Shown(TypedDict):
    pattern: Pattern
    history: Sequence[PatternEvent]  # the latest first
    uses: Sequence[PatternUse]  # the latest first
    links: Sequence[PatternLink]
    titles: dict[str, str]  # of the patterns it is linked with, by id


class Status(TypedDict):
    learned: Sequence[Learned]
    patterns: dict[str, Any]


class Days(TypedDict):
    days: Sequence[LearnedDay]


def show(memory: Memory, agent: Agent, given: dict[str, Any]) -> Shown:
    found = agent.pattern(given["id"])
    links = agent.pattern_links(found.id)
    titles: dict[str, str] = {}
    for other in {one for link in links for one in (link.source, link.target)} - {found.id}:
        try:
            titles[other] = agent.pattern(other).title
        except NotFound:  # of somebody who does not share it
            continue
    history = agent.pattern_history(found.id, limit=EVENTS)
    uses = agent.pattern_uses(found.id, limit=USES)
    return {"pattern": found, "history": history, "uses": uses, "links": links, "titles": titles}


def update(memory: Memory, agent: Agent, given: dict[str, Any]) -> Pattern:
    return agent.update_pattern(given.pop("id"), **emptied(given, EMPTY))


def status(memory: Memory, agent: Agent, given: dict[str, Any]) -> Status:
    return {"learned": agent.learned(**given), "patterns": agent.pattern_stats()}
