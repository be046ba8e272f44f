"""How an agent's memories fare: what was archived, and what is to be kept."""

from __future__ import annotations

from engrain.agent.base import Scoped


class Life(Scoped):
    """The verbs of the lifecycle."""
