"""Errors of learning: they never fail the work, and they never vanish."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from engrain.agents.verdict import shown
from engrain.errors import EngrainError

if TYPE_CHECKING:
    from engrain.agent import Agent

T = TypeVar("T")

KEPT = 100  # different ones; what comes later is counted under the last
_log = logging.getLogger("engrain.agents")


@dataclass(frozen=True, slots=True)
class LearningError:
    """An error of a step of learning (context, patterns, advise, state, observe, discover, remember …), and how often
    it came in this process."""

    step: str
    error: str
    count: int


class Troubles:
    """What went wrong in learning, counted. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], LearningError] = {}
        self._open: set[str] = set()  # steps with an alert, as far as this process knows
        self._settled: set[str] = set()

    @property
    def errors(self) -> tuple[LearningError, ...]:
        """Each error once, the oldest first."""
        with self._lock:
            return tuple(self._found.values())

    def guard(self, step: str, agent: Callable[[], Agent], what: Callable[[Agent], T]) -> T | None:
        """What ``what`` answers; None when it raised, which is noted."""
        try:
            found = what(agent())
        except Exception as error:  # noqa: BLE001 (whatever it is, the work goes on: it is noted, logged and alerted)
            self.note(step, error, agent)
            return None
        self.works(step, agent)
        return found

    def note(self, step: str, error: Exception | str, agent: Callable[[], Agent] | None = None) -> None:
        """Count an error; the first of its kind is logged, and is an alert of the home where that can be told."""
        text = shown(error)
        with self._lock:
            key = step, text
            if key not in self._found and len(self._found) >= KEPT:
                key = next(reversed(self._found))
            known = self._found.get(key)
            self._found[key] = replace(known, count=known.count + 1) if known else LearningError(step, text, 1)
            alerts = agent is not None and step not in self._open
            self._open |= {step} if alerts else set()
        if known is None:
            exc = error if isinstance(error, Exception) else None
            _log.warning("learning went wrong in %s, the work goes on: %s", step, text, exc_info=exc)
        if alerts and agent is not None:
            self._alert(step, text, agent)

    def works(self, step: str, agent: Callable[[], Agent]) -> None:
        """Settle the alert of a step that works again, also one that an earlier process left."""
        with self._lock:
            if step in self._settled and step not in self._open:
                return
            self._settled.add(step)
            self._open.discard(step)
        self._alert(step, None, agent)

    def _alert(self, step: str, text: str | None, agent: Callable[[], Agent]) -> None:
        try:
            agent().trouble(step, None if text is None else text[:500])
        except EngrainError as error:
            _log.info("the home cannot be told about %s: %s", step, error)
        except Exception as error:  # noqa: BLE001 (as above: the log has it)
            _log.warning("the home cannot be told about %s: %r", step, error)
