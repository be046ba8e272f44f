"""The problem that a task meets: what is known of it before the work, and what the work tells of it afterwards.

A problem comes with the task (an error in its details), or is left by an earlier attempt of the same task: of the same
task type, words and state, or of the same id where it has no words. What an attempt leaves is kept in the agent's
key-value store, so that the next one may be made by another process.

The rule is that of the hooks. A failure that says why is a sighting of its issue. What was done about the problem (what
``tried`` names, else a strategy in which it had not failed before) is an attempt: it worked when the task ended well,
it did not when the same issue came again, and nobody knows when another one did. A task that succeeds although nothing
else was done proves nothing of any fix.
"""

from __future__ import annotations

import hashlib
import json
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engrain.agents.way import Way
from engrain.glimpse import clipped
from engrain.model.decision import Outcome
from engrain.model.fix import Diagnosis, KnownFix

if TYPE_CHECKING:
    from engrain.agent import Agent

NAMESPACE = "agents.problems"
OPEN = timedelta(days=7)  # a task that comes again later than that begins anew
STRATEGIES = 20  # that a problem remembers to have failed in
_ERRORS = ("error", "exception", "error_message")
_TRACES = ("traceback", "trace", "stack_trace")
_HEAD, _TAIL = 8_000, 24_000  # characters of a long text that are noted; of a trace the end tells more


@dataclass(frozen=True, slots=True)
class End:
    """How a task ended. ``error`` is what broke, ``taken`` what was done other than advised."""

    outcome: Outcome
    error: BaseException | None
    taken: str | None
    action: str | None
    key: str | None
    task_id: str | None
    session: str | None


def problem_in(details: Mapping[str, Any]) -> Any:
    """The problem that a task's details tell of: an exception, or the text of an error or a trace, with its target.
    None when there is none."""
    said = next((one for name in _ERRORS if isinstance(one := details.get(name), str | BaseException) and one), None)
    if isinstance(said, BaseException):
        return said
    trace = next((one for name in _TRACES if isinstance(one := details.get(name), str) and one.strip()), None)
    if trace is None and not (said or "").strip():
        return None
    target = details.get("target")
    found = {"message": said, "trace": trace, "target": target if isinstance(target, str) else None}
    return {name: value for name, value in found.items() if value}


def key_of(task_type: str, about: str | None, state: Mapping[str, Any] | None, task_id: str | None) -> str | None:
    """What tells a task from others; None when nothing does."""
    if about is None and task_id is None:
        return None
    told = [task_type, task_id] if about is None else [task_type, about, state]
    text = json.dumps(told, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()


class Mending:
    """What one task knows of its problem, and tells of it once."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self.problem: Any = None
        self.known: Diagnosis | None = None
        self.noted: BaseException | None = None  # by a task within this one
        self._done: list[str] = []
        self._analysis: str | None = None
        self._open: dict[str, Any] | None = None  # what an earlier attempt left
        self._kept = False  # whether one left anything
        self._told = False

    def look(self, agent: Agent, told: Any, key: str | None, max_tokens: int) -> str:
        """Find the problem, and what is known of it as text; "" when there is none."""
        told = _sounded(told)
        if key is not None:
            self._open = agent.kv(NAMESPACE).get(key)
            self._kept = self._open is not None
        if told is None and self._open is None:
            return ""
        left = None if self._open is None else self._open["problem"]
        self.problem = left if told is None else told
        self.known = agent.diagnose(self.problem)
        if told is not None and left is not None and agent.diagnose(left).issue != self.known.issue:
            self._open = None  # it is about something else by now
        return agent.context_for(self.problem, max_tokens) if max_tokens > 0 else ""

    def tried(self, what: KnownFix | str | Sequence[str], analysis: str | None) -> None:
        """Something was done about the problem: a known fix, its key or the id of an attempt at it, or commands."""
        ways = () if self.known is None else (*self.known.fixes, *self.known.avoid)
        way = next((one for one in ways if what in (one, one.key, one.fix_id)), None)
        if way is not None:
            self._done += way.commands
            analysis = way.analysis if analysis is None else analysis
        elif isinstance(what, KnownFix):
            self._done += what.commands
        elif what:
            self._done += [what] if isinstance(what, str) else list(what)
        self._analysis = self._analysis if analysis is None else analysis

    def tell(self, agent: Agent, end: End) -> bool:
        """Note the failure as a sighting, and what came of the attempt; whether the failure is noted by now."""
        if self._told or end.outcome.success is None:
            return False
        self._told = True
        error = None if end.outcome.success else self._error(end)
        same = error is not None and self.known is not None and agent.diagnose(error).issue == self.known.issue
        did = self._attempt(end) if self.problem is not None else None
        if did is not None:
            success = None if error is not None and not same else end.outcome.success
            verified = success is True and self._verified(end)
            problem = error if same else self.problem
            self._note(agent, problem, end, seconds=end.outcome.seconds, success=success, verified=verified, **did)
        if error is not None and not (same and did is not None) and not (end.error and self.noted is end.error):
            self._note(agent, error, end)
        self._leave(agent, end, error, same)
        return error is not None

    def _error(self, end: End) -> dict[str, Any] | None:
        """What went wrong, as the fields of a problem."""
        target = self.problem.get("target") if isinstance(self.problem, Mapping) else None
        said = {"target": target} if target else {}
        if end.error is None:
            return None if end.outcome.error is None else {"message": end.outcome.error, **said}
        message = _sound("".join(traceback.format_exception_only(end.error))).strip()
        return {"message": message, "trace": _sound("".join(traceback.format_exception(end.error))), **said}

    def _attempt(self, end: End) -> dict[str, Any] | None:
        """What was done about the problem, as arguments of ``record_fix``; None when it was nothing new."""
        if self._done or self._analysis is not None:
            return {"commands": self._done, "analysis": self._analysis}
        strategy = self._strategy(end)
        if strategy is None or strategy in self._failed_in:
            return None
        return {"analysis": f"the strategy {strategy} of {self._way.task_type}"}

    def _strategy(self, end: End) -> str | None:
        """What was done, where there was a choice."""
        options = self._way.options
        return end.taken or (end.action if options is None or len(options) > 1 else None)

    @property
    def _failed_in(self) -> list[str]:
        return [] if self._open is None else list(self._open["strategies"])

    def _verified(self, end: End) -> bool:
        """Whether more than a word says that it worked: an independent check; or that what was run and failed was run
        again and did not."""
        left = self._open
        return end.outcome.evidence == "verified" or (
            end.outcome.evidence == "executed" and left is not None and left["executed"] is True
        )

    def _note(self, agent: Agent, problem: Any, end: End, **told: Any) -> None:
        agent.record_fix(
            problem,
            **told,
            fixer=agent.scope.agent if told else None,
            session=end.session,
            task_id=end.task_id,
            visibility=self._way.visibility,
        )

    def _leave(self, agent: Agent, end: End, error: dict[str, Any] | None, same: bool) -> None:
        """Keep for the next attempt what is open, or that nothing is."""
        if end.key is None:
            return
        if end.outcome.success:
            if self._kept:
                agent.kv(NAMESPACE).delete(end.key)
            return
        left = error if error is not None else None if self._open is None else self._open["problem"]
        if left is None:
            return
        before = self._failed_in if same or error is None else []
        strategies = dict.fromkeys([*before, *filter(None, [self._strategy(end)])])
        value = {
            "problem": left,
            "strategies": list(strategies)[-STRATEGIES:],
            "executed": end.outcome.evidence != "claimed",
        }
        agent.kv(NAMESPACE).set(end.key, value, OPEN)


def _sound(text: str) -> str:
    """Valid Unicode of bounded length."""
    text = text.encode("utf-8", "replace").decode().replace("\x00", " ")
    return text if len(text) <= _HEAD + _TAIL else clipped(text, _HEAD, _TAIL)


def _sounded(problem: Any) -> Any:
    """The same with sound texts: what tools print is longer, and odder, than what is kept."""
    if isinstance(problem, Mapping):
        return {name: _sound(value) if isinstance(value, str) else value for name, value in problem.items()}
    return _sound(problem) if isinstance(problem, str) else problem
