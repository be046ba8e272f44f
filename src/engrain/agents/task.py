"""A task under way: what is known before it, what was done, and what it taught. A context manager, sync and async."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from engrain.agents import teach
from engrain.agents.mending import End, Mending, key_of
from engrain.agents.troubles import LearningError
from engrain.agents.verdict import Verdict, decided, shown, stronger, verdict_of
from engrain.agents.way import Way
from engrain.errors import ActionNotOffered, InvalidField
from engrain.model.decision import Advice, Experience, Outcome
from engrain.model.fix import Diagnosis, KnownFix
from engrain.model.pattern import PatternHit

if TYPE_CHECKING:
    from engrain.agent import Agent

_current: ContextVar[Task | None] = ContextVar("engrain_task", default=None)


def current_task() -> Task | None:
    """The task that the caller works on: the innermost one of this thread or coroutine; None outside of one."""
    return _current.get()


class Task:
    """One task. Before the work ``context`` (text), ``patterns`` and ``advice`` are there, and ``action`` is what to
    do: as advised, the first option when advice could not be had, None when there are no options. During the work it
    is told what really happens: ``took``, ``applied``, ``step``, ``report``, ``done``. After it the outcome is
    observed, the steps are kept as a trajectory, and what was learned is remembered.

    An exception is a failure and goes on unchanged; one that is no ``Exception`` (an interrupt, a cancellation, an
    exit) says nothing about the action: the decision stays open. An error of learning never gets out: see
    ``learning_errors``.
    """

    def __init__(
        self,
        way: Way,
        about: str | None = None,
        *,
        state: Callable[[], Mapping[str, Any]] | Mapping[str, Any] | None = None,
        task_id: str | None = None,
        episode: str | None = None,
        details: Mapping[str, Any] | None = None,
        problem: Any = None,
        hooks: tuple[Callable[[Task], Any], Callable[[Task], Any]] | None = None,
    ) -> None:
        if not isinstance(about, str | None):
            raise InvalidField(f"about says in words what is to be done; it is text, not {type(about).__name__}.")
        self.about = about if about is not None and about.strip() else None
        self.details: Mapping[str, Any] = details or {}
        self.task_id = task_id
        self.episode = episode
        self.context = ""
        self.patterns: list[PatternHit] = []
        self.state: Mapping[str, Any] | None = None
        self.advice: Advice | None = None
        self.action: str | None = way.options[0] if way.options else None
        self.outcome: Outcome | None = None
        self.experience: Experience | None = None
        self._way = way
        self._given_state = state
        self._given_problem = problem
        self._mending = Mending(way)
        self._error: Exception | None = None
        self._within: Task | None = None
        self._hooks = hooks or (Task.prepare, Task.learn)
        self._taken: str | None = None
        self._reported = Outcome()
        self._applied: list[str] = []  # ids of patterns
        self._steps: list[dict[str, Any]] = []
        self._began: float | None = None
        self._done: float | None = None
        self._learned = False
        self._token: Token[Task | None] | None = None

    def __repr__(self) -> str:
        return f"Task({self.task_type!r}, action={self.action!r}, outcome={self.outcome!r})"

    @property
    def task_type(self) -> str:
        return self._way.task_type

    @property
    def agent(self) -> Agent:
        """Whose task it is."""
        return self._way.agent()

    @property
    def id(self) -> str | None:
        """The caller's id of the task, else that of its decision; None when there is neither."""
        return self.task_id or (self.advice.decision_id if self.advice is not None else None)

    @property
    def learning_errors(self) -> tuple[LearningError, ...]:
        """Errors of learning, of this task and of all others that share its agent object, function or block."""
        return self._way.troubles.errors

    @property
    def problem(self) -> Any:
        """What went wrong: as it came with the task, or as an earlier attempt of the task left it; None when nothing
        did."""
        return self._mending.problem

    @property
    def known(self) -> Diagnosis | None:
        """What is known of the problem: ways to solve it with their odds, and what failed; None without one."""
        return self._mending.known

    # -- told by the work ---------------------------------------------------------------------------------------------

    def took(self, action: str) -> None:
        """Another action was taken than the advised one: that gets the credit."""
        if not self._late("took", self._learned):
            self._taken = action

    def applied(self, pattern_id: str) -> None:
        """A pattern was acted upon: how the task ends is evidence for or against it."""
        if not self._late("applied", self._learned) and pattern_id not in self._applied:
            self._applied.append(pattern_id)

    def tried(self, what: KnownFix | str | Sequence[str], analysis: str | None = None) -> None:
        """What was done about the problem: a fix of ``known`` (or its key), or commands. How the task ends is told of
        it. Without this, a strategy in which it had not failed before is what was done."""
        if self._way.fixes and not self._late("tried", self._learned):
            self._guard("tried", lambda _: self._mending.tried(what, analysis))

    def helpful(self, id: str, helpful: bool = True) -> None:
        """Whether a pattern or a memory that was shown helped."""
        self._guard("helpful", lambda agent: agent.helpful(id, helpful))

    def step(
        self,
        action: str,
        output: str | None = None,
        *,
        success: bool | None = None,
        exit_code: int | None = None,
        tests: tuple[int, int] | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """One step of the work: the steps are kept as a trajectory, from which patterns are distilled."""
        given = {"output": output, "success": success, "exit_code": exit_code, "tests": tests}
        seen = dict(state) if isinstance(state, Mapping) else state or {}  # it may be changed by the next step
        if not self._late("step", self._learned):
            self._steps.append({"action": action, "state": seen, **given})

    def report(self, success: bool | None = None, evidence: str = "claimed", **parts: Any) -> None:
        """How it went: ``success``, ``quality``, ``exit_code``, ``tests`` … as in a result that is a mapping. Later
        reports add to earlier ones."""
        self._hear({"success": success, "evidence": evidence, **parts}, late=True)

    def done(self, result: Any) -> None:
        """What the work returned: the outcome is read from it (see ``engrain.agents.outcome_of``)."""
        self._done = time.perf_counter()
        if inspect.isawaitable(result) or inspect.isgenerator(result) or inspect.isasyncgen(result):
            told = f"what was returned is a {type(result).__name__}, whose work is not done: nothing is known of it"
            self._way.troubles.note("result", told, self._whose)
        self._hear(result, late=False)

    def verified(self, checked: Any) -> None:
        """What an independent check said: True, False, an Outcome, a mapping, or None for nothing."""
        found = self._read(checked).outcome
        if decided(found) and not self._late("verify", self.outcome is not None):
            self._reported = stronger(self._reported, replace(found, evidence="verified"))

    def check(self, verify: Callable[[], Any]) -> None:
        """Let an independent check say how it went. One that breaks is an error of learning, not of the work; one
        whose assertion fails says that the work did."""
        with self._checking():
            found = verify()
            if inspect.isawaitable(found):
                if inspect.iscoroutine(found):
                    found.close()
                raise InvalidField("a check may be async only where the work is.")
            self.verified(found)

    async def check_async(self, verify: Callable[[], Any]) -> None:
        """As ``check``, for one that may be awaited."""
        with self._checking():
            found = verify()
            self.verified(await found if inspect.isawaitable(found) else found)

    @contextmanager
    def _checking(self) -> Iterator[None]:
        try:
            yield
        except AssertionError as error:
            self.verified({"success": False, "error": error})
        except Exception as error:  # noqa: BLE001 (the work is done and its result stands)
            self._way.troubles.note("verify", error, self._whose)
            return
        self._way.troubles.works("verify", self._whose)

    def _hear(self, told: Any, *, late: bool) -> None:
        if self._late("report", self.outcome is not None):
            return
        verdict = self._read(told)
        self._taken = self._taken or verdict.action
        pair = (self._reported, verdict.outcome)
        self._reported = stronger(*(pair if late else reversed(pair)))

    def _read(self, told: Any) -> Verdict:
        """The verdict; what cannot be read of it is noted. A result may hold anything, also what raises when asked."""
        try:
            verdict = verdict_of(told, self._way.reads)
        except Exception as error:  # noqa: BLE001 (the work is done and its result stands)
            self._way.troubles.note("result", error, self._whose)
            return Verdict(Outcome())
        for one in verdict.odd:
            self._way.troubles.note("result", f"{one}; it was left out")
        return verdict

    def _late(self, what: str, late: bool) -> bool:
        """Whether the task is over, so that nobody learns from it any more; noted."""
        if late:
            told = "it was told when the task was over: say it before, or task.feedback(...) afterwards"
            self._way.troubles.note(what, told, self._whose)
        return late

    def feedback(self, value: float, success: bool | None = None, evidence: str = "claimed") -> None:
        """What somebody thinks of it, -1 to 1, when it is over; ``success`` where that is known only now."""
        late = self._read({"success": success, "evidence": evidence, "feedback": value}).outcome
        if late.feedback is None and late.success is None:
            return
        if late.success is not None and self.outcome is not None:
            late = stronger(replace(self.outcome, success=None, reward=None, error=None), late)
        alone = self.experience is not None and self.experience.decision_id is None
        if self.advice is None or alone or not (self._taken or self.action):
            told = "what was done had not been advised: there is no decision that it is about"
            self._way.troubles.note("feedback", told, self._whose)
        else:
            self._guard("feedback", lambda agent: setattr(self, "experience", self._observed(agent, late)))

    # -- before and after ----------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Look up what is known and ask for advice. Each part on its own: what fails is noted and missing."""
        about, way = self.about, self._way
        self._guard("state", self._look)
        room, known = way.max_tokens, ""
        if way.fixes:
            known = self._guard("problem", lambda agent: self._meet(agent, room // 2)) or ""
        if about is not None and room:
            room -= room // 2 if known else 0
            self.context = self._guard("context", lambda agent: agent.context(about, room)) or ""
        self.context = "\n".join(part for part in (known, self.context) if part)
        if about is not None and way.patterns:
            self.patterns = self._guard("patterns", lambda agent: _patterns(agent, about, way)) or []
        if self.state is None:
            return
        state, options = self.state, None if way.options is None else list(way.options)
        self.advice = self._guard("advise", lambda agent: agent.advise(way.task_type, state, options, self.episode))
        if self.advice is not None and self.advice.action is not None:
            self.action = self.advice.action

    def learn(self) -> None:
        """Observe the outcome, keep the steps, tell what became of patterns, remember. Does nothing without one."""
        outcome = self.outcome
        if outcome is None:
            return
        self._learned = True
        if self.state is not None:
            if (self._taken or self.action) is None:
                self._way.troubles.note(
                    "observe", "no action was told: give options, or say task.took(...)", self._whose
                )
            else:
                self.experience = self._guard("observe", lambda agent: self._observed(agent, outcome))
        way, about, id_, action = self._way, self.about, self.id, self._taken or self.action
        self._guard("discover", lambda agent: teach.credit(agent, way, self._applied, self.state, outcome, id_))
        self._guard("steps", lambda agent: teach.keep_steps(agent, way, about, self._steps, outcome, id_))
        if way.fixes:
            self._guard("fixes", lambda agent: self._tell(agent, outcome))
        if way.remembers:
            self._guard("remember", lambda agent: teach.remember(agent, way, about, action, outcome, id_))

    def _look(self, _: Agent) -> None:
        given = self._given_state
        self.state = dict(given() if callable(given) else given or {})

    def _meet(self, agent: Agent, room: int) -> str:
        told = self._given_problem
        return self._mending.look(agent, told() if callable(told) else told, self._key, room)

    @property
    def _key(self) -> str | None:
        return key_of(self.task_type, self.about, self.state, self.task_id)

    def _tell(self, agent: Agent, outcome: Outcome) -> None:
        end = End(outcome, self._error, self._taken, self.action, self._key, self.id, self.episode)
        if self._mending.tell(agent, end) and self._within is not None:
            self._within._mending.noted = self._error

    def _observed(self, agent: Agent, outcome: Outcome) -> Experience:
        """The action taken gets the credit, also one that was not among the options."""
        action = self._taken or self.action
        if action is None:
            raise InvalidField("There is no action that the outcome could be credited to.")
        if self.advice is not None:
            try:
                return agent.observe(self.advice, outcome, None if action == self.advice.action else action)
            except ActionNotOffered:
                pass  # then it was a step without advice, and the decision stays open
        return agent.observe_step(
            self.task_type, self.state, action, outcome, episode=self.episode, task_id=self.task_id
        )

    def _guard(self, step: str, what: Callable[[Agent], Any]) -> Any:
        return self._way.troubles.guard(step, self._whose, what)

    @property
    def _whose(self) -> Callable[[], Agent]:
        return self._way.agent

    # -- the work ------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self._began is not None:
            raise InvalidField("A task is worked on once; make another for the next.")
        self._began = time.perf_counter()
        self._hook("pre_task", 0)
        self._began = time.perf_counter()  # looking up is not the work

    def _end(self, error: BaseException | None) -> bool:
        """Settle the outcome; whether there is something to learn from."""
        if error is not None and not isinstance(error, Exception):
            return False
        self._error = error
        way, seconds = self._way, (self._done or time.perf_counter()) - (self._began or 0.0)
        found = self._reported
        if error is not None:
            level = "verified" if found.success is False and found.evidence == "verified" else "executed"
            found = replace(found, success=False, evidence=level, reward=None, error=shown(error))
        budget = way.budget_seconds if found.budget_seconds is None else found.budget_seconds
        self.outcome = replace(
            found,
            seconds=seconds if found.seconds is None else found.seconds,
            budget_seconds=budget,
            weights=found.weights or (dict(way.weights) if way.weights else None),
        )
        return True

    def _hook(self, step: str, number: int) -> None:
        try:
            self._hooks[number](self)
        except Exception as error:  # noqa: BLE001 (a hook is part of learning: it must not fail the work)
            self._way.troubles.note(step, error, self._whose)
        else:
            self._way.troubles.works(step, self._whose)

    def __enter__(self) -> Self:
        self._begin()
        self._within, self._token = _current.get(), _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        if self._end(error):
            self._hook("post_task", 1)

    async def __aenter__(self) -> Self:
        from anyio.to_thread import run_sync

        await run_sync(self._begin)
        self._within, self._token = _current.get(), _current.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from anyio.to_thread import run_sync

        self._leave()
        if self._end(error):
            await run_sync(self._hook, "post_task", 1)

    def _leave(self) -> None:
        if self._token is not None:
            with suppress(ValueError):  # of another context: a generator that is closed by somebody else
                _current.reset(self._token)
            self._token = None


def _patterns(agent: Agent, about: str, way: Way) -> Sequence[PatternHit]:
    return agent.patterns(about, task_type=way.task_type, limit=way.patterns, explore=True)
