"""The dream: for each task type in which something happened since the last one, learn, judge, promote what is better.

A dream goes through the task types in the order of their names. For each, and for the whole tenant first: ingest (read
what happened), train (every algorithm that fits), evaluate (the gate, once for each candidate), promote. A step is one
training or one evaluation. What came of a task type, what is promoted and up to where its outcomes were used are
written in one transaction; verdicts are kept one by one until then. So a dream that is killed goes on with the task
type, and the verdict, at which it was; and no outcome is used twice or left out: what comes in while a task type is
worked on has a higher change number than the one that is marked.

One dreams at a time: a lease, renewed at each step, that guards every write.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from engrain.dream.journal import DONE, INGEST, LEASE, REPORT, Journal, Standing
from engrain.dream.lesson import Lesson, Stopped
from engrain.dream.parts import Parts, Task
from engrain.errors import ArchiveError, DreamBusy, EngrainError, LeaseLost
from engrain.learn.policies import Policies
from engrain.learn.watch import Alarm
from engrain.model.policy import Dream
from engrain.store.leases import Held, holding
from engrain.store.port import Row, Store
from engrain.world import World

MOST = 4000  # characters of an error that are kept
ASKED = "it was asked to stop, and goes on from there"
SPENT = "its budget of steps is used up; it goes on from there when it is run again"

_log = logging.getLogger(__name__)


class Dreamer:
    """Of one home. ``steps`` is the budget of a dream that has none of its own; ``shadow`` for how long a policy that
    passed is watched before it advises (µs, 0: not at all). ``step`` is told each step when it was done, for tests that
    interrupt it there."""

    def __init__(
        self,
        store: Store,
        world: World,
        parts: Parts,
        alarm: Alarm,
        steps: int,
        shadow: int = 0,
        step: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store, self._world, self._parts, self._alarm = store, world, parts, alarm
        self._steps, self._shadow, self._step = steps, shadow, step
        self.journal = Journal(store, world)

    # -- dreaming ------------------------------------------------------------------------------------------------------

    def run(self, id_: str, budget: int | None = None, stop: Callable[[], bool] = lambda: False) -> Dream:
        """Begin a dream that was asked for, or go on with it, until it is through, ``stop`` says so or its budget is
        used up. Raises DreamBusy while another process dreams; LeaseLost when one has taken over."""
        with holding(self._store, self._world, LEASE) as held:
            if held is None:
                raise DreamBusy("See engrain dream status; try again when it is through.")
            standing = self.journal.begin(held.store, id_, budget or self._steps)
            if standing is not None:
                self._run(held, standing, stop)
        return self.journal.find(id_)

    def dry(self, place: dict[str, Any], seed: int, budget: int, stop: Callable[[], bool] = lambda: False) -> Dream:
        """What a dream would come to, without changing anything."""
        standing, findings = Standing("", seed, budget, INGEST, 0, place), []
        begun, error = self._world.now(), None
        for row in self.journal.waiting(place, ("", "")):
            task = _task(row)
            lesson = self._lesson(self._store, standing, stop)
            with suppress(Stopped):
                findings += [finding for agent in lesson.owners(task) for finding in lesson.would(task, agent)]
            error = _why(standing, stop)
            if error:
                break
        for one in findings:
            standing.count("tasks")
            standing.count(one["outcome"])
        return self.journal.unkept(standing, begun, findings, error)

    def _run(self, held: Held, standing: Standing, stop: Callable[[], bool]) -> None:
        def over() -> bool:
            return held.lost() or stop()

        state, error = "interrupted", ASKED
        try:
            failures = self._tasks(held.store, standing, over)
            why = _why(standing, stop) if standing.place.get("task") or standing.phase != REPORT else None
            if why is None:
                standing.phase = DONE
                state, error = ("failed", "; ".join(failures)[:MOST]) if failures else ("completed", "")
            else:
                error = why
        except LeaseLost:
            raise
        except BaseException as failure:
            state = "failed" if isinstance(failure, Exception) else "interrupted"
            error = f"{type(failure).__name__}: {failure}"[:MOST]
            raise
        finally:
            with suppress(LeaseLost):
                self.journal.end(held.store, standing, state, error or None)
            self._step(state)

    def _tasks(self, store: Store, standing: Standing, stop: Callable[[], bool]) -> list[str]:
        """Work through what waits; what failed, by task type. The phase is ``report`` when all of it was looked at."""
        failures: list[str] = standing.place.setdefault("failures", [])
        rest = standing.place.get("task")
        after = standing.place.get("after", ["", ""])
        waiting = (_task(row) for row in self.journal.waiting(standing.place, (after[0], after[1])))
        for task in [Task.of(rest)] if rest else []:
            if not self._worked(store, standing, task, stop, failures):
                return failures
        for task in waiting:
            if not self._worked(store, standing, task, stop, failures):
                return failures
        standing.phase = REPORT
        return failures

    def _worked(
        self, store: Store, standing: Standing, task: Task, stop: Callable[[], bool], failures: list[str]
    ) -> bool:
        """Work on one task type; False when it was to stop in the middle. Its change number is read anew just before
        its outcomes are, unless some of them were used already: what came in since it was found waiting counts."""
        begun = standing.place.get("task") is not None
        if not begun or task.left[0] is None:
            waits = next(self.journal.waiting({"tenant": task.tenant, "task_type": task.task_type}), None)
            if waits is None:  # another dream was through with it, or it was purged
                standing.place |= {"task": None, "judged": None, "after": [task.tenant, task.task_type]}
                return True
            task = replace(_task(waits), left=task.left)
            standing.place |= {"task": task.told()} if begun else {}
        lesson = self._lesson(store, standing, stop)
        try:
            if not begun:
                task = replace(task, left=tuple(lesson.owners(task)))
                lesson.begin(task)
            for agent in task.left:
                lesson.learn(agent)
        except Stopped:
            return False
        except (ArchiveError, LeaseLost):
            raise
        except Exception as failure:  # noqa: BLE001 (it is told, and the other task types go on)
            _log.warning("task type %r of %r: %s", task.task_type, task.tenant, failure,
                         exc_info=not isinstance(failure, EngrainError))  # fmt: skip
            why = f"{type(failure).__name__}: {failure}"[: MOST // 4]
            failures.append(f"{task.task_type}: {why}")
            lesson.give_up(task, why)
        return True

    def _lesson(self, store: Store, standing: Standing, stop: Callable[[], bool]) -> Lesson:
        policies = Policies(store, self._world)
        return Lesson(
            store,
            self._world,
            policies,
            self._parts,
            self._alarm,
            self.journal,
            standing,
            self._shadow,
            stop,
            self._step,
        )


def _why(standing: Standing, stop: Callable[[], bool]) -> str | None:
    """Why it stopped in the middle; None when it did not have to."""
    return SPENT if standing.steps >= standing.budget else ASKED if stop() else None


def _task(row: Row) -> Task:
    return Task(row["tenant"], row["task_type"], int(row["seq"]), int(row["purges"]), int(row["outcomes"]))
