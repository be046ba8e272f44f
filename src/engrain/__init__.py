"""engrain: persistent memory and self-learning for AI agents.

>>> import engrain
>>> with engrain.open(home) as memory:                       # doctest: +SKIP
...     agent = memory.agent("fixer")
...     agent.remember("Retry the upload once on 503")
...     agent.recall("upload fails with 503")[0].item.content
'Retry the upload once on 503'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engrain.agent import Agent
from engrain.errors import EngrainError
from engrain.memory import Memory, open, restore_backup
from engrain.model.decision import Advice, Evidence, Experience, Outcome
from engrain.model.item import Hit, MemoryItem
from engrain.version import __version__

if TYPE_CHECKING:
    from engrain.agents.learns import learns
    from engrain.shells.client import Client

__all__ = [
    "Advice",
    "Agent",
    "Client",
    "EngrainError",
    "Evidence",
    "Experience",
    "Hit",
    "Memory",
    "MemoryItem",
    "Outcome",
    "__version__",
    "learns",
    "open",
    "restore_backup",
]


def __getattr__(name: str) -> Any:
    """What most processes do without is loaded when it is asked for."""
    if name == "Client":
        from engrain.shells.client import Client

        return Client
    if name == "learns":
        from engrain.agents.learns import learns

        return learns
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
