"""Whose memory a piece of work learns in, and what it may say of itself."""

from __future__ import annotations

import functools
import inspect
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from engrain.errors import InvalidField
from engrain.memory import open as open_memory
from engrain.model.item import VISIBILITIES

if TYPE_CHECKING:
    from engrain.agent import Agent
    from engrain.memory import Memory

NAME = 200  # characters of a task type and of an option
HEAVIEST = 100
LONGEST = 1e12  # seconds
PARTS = {"success", "time", "quality", "resources", "feedback"}
_lock = threading.Lock()
_homes: dict[str | None, Memory] = {}


def agent_of(given: Agent | str | Callable[[], Agent] | None) -> Callable[[], Agent]:
    """What gives the scope: the one that was given, or that of a name in the usual home, opened when first needed and
    once a process. Raises InvalidField for anything else."""
    if given is None or isinstance(given, str):
        name = given or os.environ.get("ENGRAIN_AGENT") or "default"
        return functools.partial(_usual, name)
    if hasattr(given, "observe"):
        scope = cast("Agent", given)  # also that of a service, which is none by inheritance
        return lambda: scope
    if callable(given):
        return given
    raise InvalidField(f"agent must be what memory.agent(name) gives, a name, or left out, not {given!r}.")


def _usual(name: str) -> Agent:
    """An agent of the usual home."""
    where = os.environ.get("ENGRAIN_HOME")
    with _lock:
        memory = _homes.get(where)
        if memory is None:
            memory = _homes[where] = open_memory()
    return memory.agent(name, os.environ.get("ENGRAIN_TENANT") or "default")


def checked_type(given: object) -> str:
    """A task type. Raises InvalidField."""
    if not isinstance(given, str) or not given.strip() or len(given) > NAME:
        raise InvalidField(f"task_type must be a name such as 'test-generation', not {given!r}.")
    return given


def checked_options(given: Sequence[str] | None) -> tuple[str, ...] | None:
    """Options: different names. Raises InvalidField."""
    if given is None:
        return None
    if isinstance(given, str) or not isinstance(given, Sequence) or not given:
        raise InvalidField(f"options must be a list of names, not {given!r}.")
    bad = [one for one in given if not isinstance(one, str) or not one.strip() or len(one) > NAME]
    if bad or len(set(given)) < len(given):
        raise InvalidField(f"options must be different names of at most {NAME} characters, not {list(given)!r}.")
    return tuple(given)


def checked_weights(given: Mapping[str, float] | None) -> dict[str, float] | None:
    """How much the parts of an outcome count. Raises InvalidField."""
    if given is None:
        return None
    if not isinstance(given, Mapping) or not set(given) <= PARTS:
        raise InvalidField(f"weights must name parts of an outcome, {', '.join(sorted(PARTS))}; not {given!r}.")
    if (
        not all(type(one) in (int, float) and 0 <= one <= HEAVIEST for one in given.values())
        or given.get("success") == 0
    ):
        raise InvalidField(f"weights must be numbers from 0 to {HEAVIEST}, that of success above 0; not {given!r}.")
    return dict(given)


def checked_limits(budget_seconds: object, visibility: object) -> None:
    """Raises InvalidField for a budget that is no time, and a visibility that there is not."""
    known = type(budget_seconds) in (int, float) and 0 < cast("float", budget_seconds) <= LONGEST
    if budget_seconds is not None and not known:
        raise InvalidField(f"budget_seconds must be a number of seconds above 0, not {budget_seconds!r}.")
    if visibility not in VISIBILITIES:
        raise InvalidField(f"visibility must be one of {', '.join(VISIBILITIES)}, not {visibility!r}.")


def no_generator(work: Callable[..., Any], name: str) -> None:
    """Refuse generators: when one returns, nothing of it was done. Raises InvalidField."""
    if inspect.isgeneratorfunction(work) or inspect.isasyncgenfunction(work):
        raise InvalidField(
            f"{name} is a generator: it returns before its work is done. "
            "Use `with engrain.agents.learning(...)` inside it."
        )


def no_coroutine(hook: Callable[..., Any], name: str) -> None:
    """Refuse a coroutine where nobody would await it. Raises InvalidField."""
    if inspect.iscoroutinefunction(hook):
        raise InvalidField(f"{name} must not be async: it is called in a thread of its own where run is async.")
