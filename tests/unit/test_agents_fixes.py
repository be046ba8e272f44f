"""Agents that meet problems: what is known of them comes with the task, and what came of the task is told of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

import engrain
from engrain import Agent
from engrain.agents import BaseAgent, Task, current_task, learning, learning_errors, learns
from engrain.agents.mending import NAMESPACE, problem_in
from engrain.memory import Memory
from engrain.recall.context import count_tokens

FULL = "no space left on /dev/sda{}"
KEY = "sk-ant-api03-" + "Ab1_" * 24


@pytest.fixture
def engine() -> str:
    return "folder"  # both in tests/acceptance/test_agents_processes.py


def broken(text: str) -> Any:
    raise OSError(text)


class Keeper(BaseAgent):
    task_type = "keep"
    options = ("wait", "clean")
    remembers = False

    def run(self, task: Task) -> Any:
        return task.details["work"](task)


def do(agent: Agent, work: Callable[[Task], Any], about: str = "keep the disk free", **details: Any) -> Task | None:
    """Let a Keeper do a task, whose error stays with it; the task as it was."""
    seen: list[Task] = []

    def watched(task: Task) -> Any:
        seen.append(task)
        return work(task)

    keeper = Keeper(agent)
    with suppress(OSError):
        keeper.perform(about, work=watched, **details)
    assert keeper.learning_errors == ()
    return seen[0]


def trying(command: str, end: Any, analysis: str | None = None) -> Callable[[Task], Any]:
    def work(task: Task) -> Any:
        task.tried(command, analysis)
        return end

    return work


def test_what_is_known_of_a_task_s_error_comes_with_it_within_the_budget(agent: Agent) -> None:
    agent.record_fix(FULL.format(1), "clean-logs", target="db", success=True, verified=True)
    agent.record_fix(FULL.format(1), "pray", target="db", success=False)
    agent.remember("The disk of db is small. " * 40, importance=9)
    seen = do(agent, lambda task: None, "the small disk of db", error=FULL.format(2), target="db")
    assert seen is not None
    assert seen.known is not None
    assert [one.commands for one in seen.known.fixes] == [("clean-logs",)]
    assert "clean-logs [for this issue: verified 1 of 1" in seen.context
    assert "pray [for this issue: failed once]" in seen.context
    assert "The disk of db is small" in seen.context
    assert count_tokens(seen.context) <= Keeper.max_tokens
    none = do(agent, lambda task: None, "the small disk of db")
    assert none is not None
    assert (none.known, none.problem) == (None, None)
    assert "clean-logs" not in none.context


@pytest.mark.parametrize(
    ("details", "problem"),
    [
        ({}, None),
        ({"error": ""}, None),
        ({"error": 3, "traceback": "  "}, None),
        ({"error": "boom", "target": 3}, {"message": "boom"}),
        ({"traceback": "at x", "target": "db"}, {"trace": "at x", "target": "db"}),
        ({"error_message": "boom", "trace": "at x"}, {"message": "boom", "trace": "at x"}),
    ],
)
def test_the_problem_of_a_task(details: dict[str, Any], problem: Any) -> None:
    assert problem_in(details) == problem
    error = OSError("x")
    assert problem_in({**details, "exception": error, "error": None}) is error


def test_a_failed_run_is_a_sighting_once_without_secrets(agent: Agent) -> None:
    def work(task: Task) -> Any:
        with learning(agent, "inner", about="a part of it"):  # the same error goes through both tasks
            broken(f"login with {KEY} refused")

    seen = do(agent, work)
    assert seen is not None
    seen.learn()  # as a post_task that is overridden may do
    (one,) = agent.fixes()
    assert (one.commands, one.success, one.type) == ((), None, "exception")
    assert one.task_id is not None
    assert "OSError: login with" in one.message
    assert KEY not in str(agent.fixes()) + str(agent.kv(NAMESPACE).search()) + agent.context_for(one.message)
    assert agent.diagnose(OSError(f"login with {KEY} refused")).similar or agent.diagnose(one.message).known

    def quiet(task: Task) -> Any:
        return {"success": False, "error": "the volume is gone"}

    do(agent, quiet, "look")
    do(agent, lambda task: {"exit_code": 1}, "look away")  # it does not say why
    assert [one.message for one in agent.fixes()] == ["the volume is gone", one.message]


def test_what_helped_at_the_next_attempt_is_told_as_sure_as_it_is(agent: Agent) -> None:
    """What ran and failed runs again: that it does not fail is seen by itself. A word alone is a claim."""
    do(agent, lambda task: broken(FULL.format(1)), "free it")
    again = do(agent, trying("clean-logs", {"exit_code": 0}, "logs grow"), "free it")
    assert again is not None
    assert "OSError: no space left" in again.problem["message"]
    assert "no attempt with a known end yet" in again.context
    (tried, sighting) = agent.fixes()
    assert (tried.commands, tried.analysis, tried.verified) == (("clean-logs",), "logs grow", True)
    assert (tried.issue, tried.fixer, sighting.commands) == (sighting.issue, "ann", ())
    assert agent.issue(tried.issue).odds.solved == 1
    assert agent.kv(NAMESPACE).search() == {}
    for number, (evidence, verified) in enumerate([("claimed", False), ("executed", False), ("verified", True)]):
        told = {"success": True, "evidence": evidence}
        problem = f"{['red', 'green', 'blue'][number]} alarm of the house"
        do(agent, trying("call", told), f"hear {number}", error=problem)
        assert [(one.success, one.verified) for one in agent.fixes(issue=agent.diagnose(problem).issue)] == [
            (True, verified)
        ]


def test_a_known_fix_is_told_by_its_key_and_what_failed_again_did_not_help(agent: Agent) -> None:
    agent.record_fix(OSError(FULL.format(1)), "clean-logs", success=True, verified=True)
    issue = agent.fixes()[0].issue

    def follow(end: Callable[[], Any]) -> Callable[[Task], Any]:
        def work(task: Task) -> Any:
            assert task.known is not None
            task.tried(task.known.fixes[0].key)
            return end()

        return work

    problem = f"OSError: {FULL.format(3)}"
    do(agent, follow(lambda: {"success": False}), error=problem)
    assert (agent.issue(issue).odds.attempts, agent.issue(issue).odds.solved) == (2, 1)
    do(agent, follow(lambda: broken("the mount is read-only")), "another", error=problem)  # nobody knows
    assert [one.success for one in agent.fixes(limit=2)] == [None, None]
    assert agent.fixes(limit=2)[0].commands == ()
    assert agent.issue(issue).odds.attempts == 2


def test_a_strategy_is_told_only_where_it_had_not_failed(agent: Agent) -> None:
    def by(strategy: str, end: Callable[[], Any]) -> Callable[[Task], Any]:
        def work(task: Task) -> Any:
            task.took(strategy)
            return end()

        return work

    def fails() -> Any:
        return broken(FULL.format(1))

    do(agent, by("wait", fails))
    do(agent, by("wait", lambda: {"exit_code": 0}))  # nothing else was done
    assert [one.analysis for one in agent.fixes()] == [None]
    do(agent, by("clean", lambda: {"exit_code": 0}))  # and it is over
    assert len(agent.fixes()) == 1
    do(agent, by("wait", fails))
    do(agent, by("pray", fails))  # an attempt that failed, which is seen with it
    do(agent, by("pray", fails))
    do(agent, by("clean", lambda: {"exit_code": 0}))
    told = [(one.analysis, one.success, one.verified) for one in reversed(agent.fixes())]
    assert told[1:] == [
        (None, None, False),
        ("the strategy pray of keep", False, False),
        (None, None, False),
        ("the strategy clean of keep", True, True),
    ]
    seen = do(agent, lambda task: None, error=f"OSError: {FULL.format(1)}")
    assert seen is not None
    assert "the strategy clean of keep [for a similar issue: verified 1 of 1" in seen.context  # a text has no frames


def test_another_task_is_not_the_next_attempt(agent: Agent) -> None:
    def attempt(state: dict[str, Any], about: str | None = "free it", task_id: str | None = None) -> Task:
        return learning(agent, "free", state=state, about=about, task_id=task_id, options=["a", "b"])

    def fail(task: Task) -> None:
        with pytest.raises(OSError, match="no space"), task:
            broken(FULL.format(1))

    fail(attempt({"disk": "sda"}))
    fail(attempt({}, None, "job-7"))
    fail(attempt({}, None))  # nothing tells it from others
    for other in (attempt({"disk": "sdb"}), attempt({"disk": "sda"}, "mount it"), attempt({}, None, "job-8")):
        with other as task:
            assert task.problem is None
    for same in (attempt({"disk": "sda"}), attempt({}, None, "job-7")):
        with same as task:
            assert task.problem is not None


def test_a_decorated_function_meets_problems_and_one_switch_turns_it_off(agent: Agent) -> None:
    agent.record_fix(FULL.format(1), "clean-logs", success=True, verified=True)

    @learns("free", agent=agent, about=lambda disk, error: f"free {disk}", problem=lambda disk, error: error)
    def free(disk: str, error: str) -> bool:
        task = current_task()
        assert task is not None
        found.append((task.known is not None, "clean-logs" in task.context))
        return True

    found: list[Any] = []
    free("sda", FULL.format(2))
    assert found == [(True, True)]
    assert learning_errors(free) == ()
    assert len(agent.fixes()) == 1  # one way to do it is no way that was chosen

    with suppress(OSError), learning(agent, "free", about="x", problem="y", fixes=False) as task:
        assert (task.problem, task.known) == (None, None)
        broken(FULL.format(1))

    class Deaf(Keeper):
        fixes = False

    with pytest.raises(OSError, match="no space"):
        Deaf(agent).perform("free it", work=lambda task: broken(FULL.format(1)), error=FULL.format(2))
    assert (len(agent.fixes()), agent.kv(NAMESPACE).search()) == (1, {})


def test_errors_of_the_memory_of_fixes_never_fail_the_work(
    memory: Memory, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise engrain.StoreError("the disk is gone")

    keeper = Keeper(agent)
    monkeypatch.setattr(Agent, "diagnose", fails)
    monkeypatch.setattr(Agent, "record_fix", fails)
    assert keeper.perform("keep it", work=lambda task: "done", error="boom") == "done"
    with pytest.raises(OSError, match="no space"):
        keeper.perform("keep it", work=lambda task: broken("no space"))
    assert {one.step for one in keeper.learning_errors} == {"problem", "fixes"}
    assert memory.alerts()


def test_an_error_that_cannot_be_told_or_is_very_long_is_noted(agent: Agent) -> None:
    class Odd(OSError):
        def __str__(self) -> str:
            raise ValueError("no")

    def odd(task: Task) -> Any:
        raise Odd

    do(agent, odd)
    do(agent, lambda task: broken("x\ud800\0" + "word " * 100_000), "long")
    found = agent.fixes()
    assert len(found) == 2
    assert all(len(one.message) < 40_000 for one in found)


def test_an_error_as_tools_print_it_is_looked_up_like_any_other(agent: Agent) -> None:
    do(agent, lambda _: broken(FULL.format(1)))
    noise = "\x00" + "line of a log \ud800\n" * 200_000
    task = do(agent, lambda _: "done", "clean up", error=f"OSError: {FULL.format(2)}", traceback=noise)
    assert task is not None
    assert task.problem is not None
