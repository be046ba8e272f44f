"""An agent that learns by itself: ``pre_task``, its own ``run``, ``post_task``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from engrain.agents.mending import problem_in
from engrain.agents.profiles import Profile, profile
from engrain.agents.task import Task
from engrain.agents.troubles import LearningError, Troubles
from engrain.agents.way import Way
from engrain.agents.whose import agent_of, checked_options, checked_type, checked_weights, no_coroutine, no_generator
from engrain.errors import InvalidField

if TYPE_CHECKING:
    from engrain.agent import Agent


class BaseAgent:
    """Subclass it, say what kind of tasks it does and which strategies it has, and write ``run``; call ``perform``.

    >>> class Tester(BaseAgent):                                     # doctest: +SKIP
    ...     task_type = "test-generation"
    ...     options = ("template", "property")
    ...     def run(self, task):
    ...         return subprocess.run(["pytest", generate(task.about, task.action)])

    ``run`` may be ``async``; then ``perform`` is awaited, and learning does not block the loop. With ``profile`` (a
    name of ``engrain.agents.profiles()``, or a Profile) task type, strategies, features, weights and budget come from
    there, where the class does not say otherwise.

    What it does with ``agent`` is done by that scope of a memory: left out, the usual home's (``ENGRAIN_HOME``,
    ``ENGRAIN_AGENT``). One object may do many tasks, also at once.
    """

    task_type: ClassVar[str | None] = None
    options: ClassVar[Sequence[str] | None] = None
    profile: ClassVar[Profile | str | None] = None
    capabilities: ClassVar[Sequence[str]] = ()
    weights: ClassVar[Mapping[str, float] | None] = None
    budget_seconds: ClassVar[float | None] = None
    max_tokens: ClassVar[int] = 800
    remembers: ClassVar[bool] = True
    fixes: ClassVar[bool] = True
    visibility: ClassVar[str] = "private"

    def __init_subclass__(cls, **further: Any) -> None:
        super().__init_subclass__(**further)
        no_generator(cls.run, f"{cls.__name__}.run")
        for name in ("pre_task", "post_task", "state", "problem"):
            no_coroutine(getattr(cls, name), f"{cls.__name__}.{name}")

    def __init__(self, agent: Agent | str | None = None, profile: Profile | str | None = None) -> None:
        chosen = profile if profile is not None else self.profile
        self.character: Profile | None = None if chosen is None else _profile(chosen)
        self.troubles = Troubles()
        usual = None if self.character is None else self.character.name
        self._agent = agent_of(agent if agent is not None else usual)
        self._ways: dict[str, Way] = {}
        self._way(None)  # what is wrong with the class is told now

    def run(self, task: Task) -> Any:
        """The work itself. What it returns is read as an outcome by ``engrain.agents.outcome_of``."""
        raise NotImplementedError(f"{type(self).__name__} has no run(task).")

    def state(self, task: Task) -> Mapping[str, Any]:
        """Features of the task, before it is begun: what advice depends on. From the profile's features, else empty;
        task type and capabilities are added."""
        return {} if self.character is None else self.character.state(task.details, task.about)

    def problem(self, task: Task) -> Any:
        """What went wrong that the task is about: a message, an exception, a mapping of a problem's fields; None when
        nothing did. From the details ``error`` and ``traceback`` with ``target``, where these are told."""
        return problem_in(task.details)

    def verify(self, task: Task, result: Any) -> Any:
        """An independent check of the result: True, False, an Outcome; None when there is none. What it says counts
        as verified; an AssertionError is a failure. May be async where ``run`` is."""
        return None

    def pre_task(self, task: Task) -> None:
        """Context, patterns, advice. Called before ``run``, for async agents in a thread."""
        task.prepare()

    def post_task(self, task: Task) -> None:
        """Observe, discover, remember. Called after ``run`` returned or raised; ``task.outcome`` is what came of it."""
        task.learn()

    def perform(
        self,
        about: str,
        *,
        task_type: str | None = None,
        task_id: str | None = None,
        episode: str | None = None,
        **details: Any,
    ) -> Any:
        """Do one task: what ``run`` returns, and what it raises. ``about`` says in words what is to be done,
        ``details`` are what the features are computed from."""
        way = self._way(task_type)
        task: Task = Task(
            way,
            about,
            state=lambda: self._state(task),
            task_id=task_id,
            episode=episode,
            details=details,
            problem=lambda: self.problem(task),
            hooks=(self.pre_task, self.post_task),
        )
        if inspect.iscoroutinefunction(self.run):
            return self._perform_async(task)
        with task:
            result = self.run(task)
            task.done(result)
            task.check(lambda: self.verify(task, result))
            return result

    @property
    def learning_errors(self) -> tuple[LearningError, ...]:
        """What went wrong in learning, each error once with its count. The work went on."""
        return self.troubles.errors

    async def _perform_async(self, task: Task) -> Any:
        async with task:
            result = await self.run(task)
            task.done(result)
            await task.check_async(lambda: self.verify(task, result))
            return result

    def _state(self, task: Task) -> Mapping[str, Any]:
        known = {"task_type": task.task_type, "capabilities": self._capabilities()}
        return {name: value for name, value in known.items() if value} | dict(self.state(task))

    def _capabilities(self) -> list[str]:
        return list(self.capabilities or (self.character.capabilities if self.character else ()))

    def _way(self, task_type: str | None) -> Way:
        character = self.character
        types = () if character is None else character.task_types
        name = checked_type(task_type or self.task_type or (types[0] if types else None))
        if name not in self._ways:
            options = checked_options(self.options or (None if character is None else character.strategies))
            self._ways[name] = Way(
                self._agent,
                name,
                options=options or (type(self).__name__,),  # the only one there is
                weights=checked_weights(self.weights or (None if character is None else character.weights)),
                budget_seconds=self.budget_seconds or (None if character is None else character.budget_seconds),
                reads={} if character is None else character.reads,
                max_tokens=self.max_tokens,
                remembers=self.remembers,
                fixes=self.fixes,
                visibility=self.visibility,
                troubles=self.troubles,
            )
        return self._ways[name]


def _profile(given: Profile | str) -> Profile:
    if isinstance(given, Profile):
        return given
    if not isinstance(given, str) or not given:
        raise InvalidField(f"profile is {given!r}; give a Profile, or name one of engrain.agents.profiles().")
    return profile(given)
