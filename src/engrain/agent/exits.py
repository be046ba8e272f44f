"""How an agent's memories leave and come back: export, import, and forgetting everything."""

from __future__ import annotations

from engrain.agent.base import Scoped


class Exits(Scoped):
    """The verbs of export and import."""
