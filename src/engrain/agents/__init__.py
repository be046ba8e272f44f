"""Agents that learn by themselves: a base class, a decorator and a block around any piece of work, and profiles."""

from __future__ import annotations

from engrain.agents.base import BaseAgent
from engrain.agents.learns import learning, learning_errors, learns
from engrain.agents.profiles import Profile, profile, profiles
from engrain.agents.task import Task, current_task
from engrain.agents.troubles import LearningError
from engrain.agents.verdict import outcome_of

__all__ = [
    "BaseAgent",
    "LearningError",
    "Profile",
    "Task",
    "current_task",
    "learning",
    "learning_errors",
    "learns",
    "outcome_of",
    "profile",
    "profiles",
]
