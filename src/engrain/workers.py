"""Background work of your own: what a package brings through the entry points ``engrain.workers``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from engrain.memory import Memory

GROUP = "engrain.workers"
"""The group of entry points. Each is a Worker, or a callable that is given the Memory and returns one or a list."""

Found = Mapping[str, Any] | tuple[Mapping[str, Any], str | None] | None
"""What a run came to, as JSON values; and, when it stopped before its end, the text with which the next one goes on."""


class Work(NamedTuple):
    """What a run is given: the home, whose agents and verbs are those of ``engrain.open``. A run that is ``dry`` only
    tells what it would do. ``checkpoint`` is the text that the last one ended with. ``stop`` is to be asked often: when
    it is true, the run should return soon, with a checkpoint."""

    memory: Memory
    dry: bool
    checkpoint: str | None
    stop: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Worker:
    """A background role. ``name`` is the name of its entry point, a colon, and what it does: ``acme:weigh``. It is run
    ``every`` so often ("15m", "1d"; from "1m" to "3650d"), counted from when the home was made, or from ``midnight``
    UTC. ``ages``: it rests while the home's lifecycle is off. What ``run`` raises is told as the run's error."""

    name: str
    every: str
    run: Callable[[Work], Found]
    midnight: bool = False
    ages: bool = False
