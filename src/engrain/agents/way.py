"""How a kind of task is learned from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engrain.agents.troubles import Troubles
from engrain.agents.whose import checked_limits

if TYPE_CHECKING:
    from engrain.agent import Agent


@dataclass(frozen=True, slots=True)
class Way:
    """How tasks of one kind are learned from; the same for all of them."""

    agent: Callable[[], Agent]
    task_type: str
    options: tuple[str, ...] | None = None
    weights: Mapping[str, float] | None = None
    budget_seconds: float | None = None
    reads: Mapping[str, str] = field(default_factory=dict)
    max_tokens: int = 800
    patterns: int = 3
    remembers: bool = True
    fixes: bool = True
    visibility: str = "private"
    troubles: Troubles = field(default_factory=Troubles)

    def __post_init__(self) -> None:
        checked_limits(self.budget_seconds, self.visibility)
