"""One agent's scope: every verb that reads or writes goes through here."""

from __future__ import annotations

from engrain.agent.archive import Archived
from engrain.agent.decisions import Decisions
from engrain.agent.exits import Exits
from engrain.agent.fixes import Fixes
from engrain.agent.learned import Learnt
from engrain.agent.life import Life
from engrain.agent.pattern_files import PatternFiles
from engrain.agent.trajectories import Trajectories
from engrain.intake.kv import KeyValue

__all__ = ["Agent", "KeyValue"]


class Agent(Decisions, Learnt, Life, Archived, Exits, Fixes, PatternFiles, Trajectories):
    """What one agent remembers, recalls, decides, observes, fixes. Made by ``memory.agent(name, tenant=, team=)``."""
