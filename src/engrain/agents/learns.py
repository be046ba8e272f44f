"""Learning for code that has no base class: a decorator, and a block."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from engrain.agents.task import Task
from engrain.agents.troubles import LearningError, Troubles
from engrain.agents.way import Way
from engrain.agents.whose import agent_of, checked_options, checked_type, checked_weights, no_generator
from engrain.errors import InvalidField

if TYPE_CHECKING:
    from engrain.agent import Agent

F = TypeVar("F", bound=Callable[..., Any])


def learns(
    task_type: str,
    *,
    agent: Agent | str | Callable[[], Agent] | None = None,
    options: Sequence[str] | None = None,
    state: Callable[..., Mapping[str, Any]] | Mapping[str, Any] | None = None,
    about: Callable[..., str] | str | None = None,
    problem: Callable[..., Any] | Any = None,
    verify: Callable[[Any], Any] | None = None,
    budget_seconds: float | None = None,
    weights: Mapping[str, float] | None = None,
    remembers: bool = True,
    fixes: bool = True,
    visibility: str = "private",
) -> Callable[[F], F]:
    """Make a function learn: each call is a task, whose outcome is read from what it returns or raises.

    >>> @engrain.learns("deploy", options=["blue-green", "canary"])  # doctest: +SKIP
    ... def deploy(service, *, task):
    ...     return subprocess.run(["deploy", service, "--how", task.action])

    A keyword-only parameter called ``task`` is given the Task; ``engrain.agents.current_task()`` is the same.
    ``state``, ``about`` and ``problem`` (what went wrong that the call is about) are computed from the function's
    arguments, before it runs. Without ``options`` the function itself is the one way to do it, under its own name.
    ``verify(result)`` is an independent check, as ``BaseAgent.verify``. ``fixes=False`` leaves the memory of fixes
    alone. ``agent`` is a scope, a name in the usual home, or what gives a scope when it is needed. Works for ``async``
    functions and methods; a generator is refused with InvalidField. ``learning_errors(function)`` tells what went
    wrong.
    """
    way = _way(task_type, agent, options, budget_seconds, weights, remembers, fixes, visibility)

    def decorate(function: F) -> F:
        if not callable(function) or isinstance(function, type):
            raise InvalidField(f"learns() decorates a function, not {function!r}.")
        no_generator(function, getattr(function, "__qualname__", repr(function)))
        name = getattr(function, "__name__", type(function).__name__)
        own = way if way.options else _named(way, name)
        return cast(F, _Decorated(function, own, state, about, problem, verify).wrapper())

    return decorate


def learning(
    agent: Agent | str | Callable[[], Agent] | None,
    task_type: str,
    *,
    options: Sequence[str] | None = None,
    state: Mapping[str, Any] | None = None,
    about: str | None = None,
    problem: Any = None,
    task_id: str | None = None,
    episode: str | None = None,
    budget_seconds: float | None = None,
    weights: Mapping[str, float] | None = None,
    remembers: bool = True,
    fixes: bool = True,
    visibility: str = "private",
) -> Task:
    """A block that is a task: ``with learning(agent, "deploy", options=[…]) as task:``, or ``async with``.

    Say how it went with ``task.report(...)`` or ``task.done(result)``: a block that just ends is unknown, one that
    raises has failed. ``problem`` is what went wrong that it is about: a message, an exception, a mapping.
    """
    way = _way(task_type, agent, options, budget_seconds, weights, remembers, fixes, visibility)
    return Task(way, about, state=state, problem=problem, task_id=task_id, episode=episode)


def learning_errors(of: Any) -> tuple[LearningError, ...]:
    """The errors of learning of a decorated function, a task or an agent: each once, with its count."""
    found = getattr(of, "__engrain__", of)
    troubles = getattr(found, "troubles", None)
    if isinstance(troubles, Troubles):
        return troubles.errors
    if isinstance(found, Task):
        return found.learning_errors
    raise InvalidField(f"{of!r} does not learn.")


@dataclass(frozen=True, slots=True)
class _Decorated:
    function: Callable[..., Any]
    way: Way
    state: Callable[..., Mapping[str, Any]] | Mapping[str, Any] | None
    about: Callable[..., str] | str | None
    problem: Callable[..., Any] | Any
    check: Callable[[Any], Any] | None

    def wrapper(self) -> Any:
        """The function that is called in place of the decorated one."""
        function, wants = self.function, _wants_task(self.function)

        def given(task: Task, kwargs: dict[str, Any]) -> dict[str, Any]:
            return {**kwargs, "task": task} if wants and "task" not in kwargs else kwargs

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def work(*args: Any, **kwargs: Any) -> Any:
                async with self.task(args, kwargs) as task:
                    result = await function(*args, **given(task, kwargs))
                    task.done(result)
                    await task.check_async(lambda: self.check(result) if self.check else None)
                    return result

        else:

            @functools.wraps(function)
            def work(*args: Any, **kwargs: Any) -> Any:
                with self.task(args, kwargs) as task:
                    result = function(*args, **given(task, kwargs))
                    task.done(result)
                    task.check(lambda: self.check(result) if self.check else None)
                    return result

        work.__engrain__ = self.way  # type: ignore[attr-defined]
        return work

    def task(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Task:
        state, about, problem = self.state, self.about, self.problem
        said = about
        if callable(about):
            said = self.way.troubles.guard("about", self.way.agent, lambda _: about(*args, **kwargs))
        if said is not None and not isinstance(said, str):
            self.way.troubles.note("about", f"about is {type(said).__name__}, not text")
            said = None
        return Task(
            self.way,
            said,
            state=(lambda: state(*args, **kwargs)) if callable(state) else state,
            problem=(lambda: problem(*args, **kwargs)) if callable(problem) else problem,
        )


def _wants_task(function: Callable[..., Any]) -> bool:
    try:
        found = inspect.signature(function).parameters.get("task")
    except (TypeError, ValueError):
        return False
    return found is not None and found.kind is found.KEYWORD_ONLY  # any other may be the caller's own


def _way(
    task_type: str,
    agent: Agent | str | Callable[[], Agent] | None,
    options: Sequence[str] | None,
    budget_seconds: float | None,
    weights: Mapping[str, float] | None,
    remembers: bool,
    fixes: bool,
    visibility: str,
) -> Way:
    return Way(
        agent_of(agent),
        checked_type(task_type),
        options=checked_options(options),
        weights=checked_weights(weights),
        budget_seconds=budget_seconds,
        remembers=remembers,
        fixes=fixes,
        visibility=visibility,
    )


def _named(way: Way, name: str) -> Way:
    return replace(way, options=(name,), troubles=Troubles())
