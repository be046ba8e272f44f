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

if TYPE_CHECKING:
    from engrain.agent import Agent
    from engrain.agents.learns import learns
    from engrain.errors import EngrainError
    from engrain.memory import Memory, open, restore_backup
    from engrain.model.decision import Advice, Evidence, Experience, Outcome
    from engrain.model.item import Hit, MemoryItem
    from engrain.shells.client import Client
    from engrain.version import __version__

_WHERE = {
    "Advice": "model.decision",
    "Agent": "agent",
    "Client": "shells.client",
    "EngrainError": "errors",
    "Evidence": "model.decision",
    "Experience": "model.decision",
    "Hit": "model.item",
    "Memory": "memory",
    "MemoryItem": "model.item",
    "Outcome": "model.decision",
    "__version__": "version",
    "learns": "agents.learns",
    "open": "memory",
    "restore_backup": "memory",
}
"""Where each public name is defined. It is loaded when it is asked for: a hook, which lives for a blink, needs none."""
_ROOMS = ("agent", "agents", "errors", "memory", "model", "world")  # modules that need no import of their own

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
    from importlib import import_module

    if name in _ROOMS:
        return import_module(f"engrain.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"engrain.{_WHERE[name]}"), name)
    return value
