"""Agents that learn by themselves: what a task is given, what it teaches, and that learning never fails it."""

from __future__ import annotations

import asyncio
import inspect
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain import Agent, Outcome
from engrain.agents import BaseAgent, Task, current_task, learning, learning_errors, learns, outcome_of
from engrain.errors import InvalidField
from engrain.memory import Memory
from engrain.testing import SimulatedWorld


@pytest.fixture
def memory(tmp_path: Path, world: SimulatedWorld) -> Iterator[Memory]:
    """What agents do is the same on every store: it goes through the facade."""
    with engrain.open(tmp_path / "home", world=world, embedder="hash") as opened:
        yield opened


class Builder(BaseAgent):
    task_type = "build"
    options = ("fast", "safe")
    capabilities = ("compile",)

    def state(self, task: Task) -> Mapping[str, Any]:
        return {"files": len(task.details["files"])}

    def run(self, task: Task) -> Any:
        task.details["files"].clear()  # what the state is must have been seen before
        return task.details["work"](task)


def test_lessons_2_6_before_the_work_and_after_it(memory: Memory, agent: Agent) -> None:
    """Context and advice come first, the outcome is observed in the state before the work, and is remembered."""
    builder, seen = Builder(agent), []

    def work(task: Task) -> dict[str, Any]:
        seen.append((task.context, current_task() is task))
        return {"exit_code": 0 if task.action == "safe" else 1}

    for _ in range(12):
        builder.perform("build the shop's web site", files=["a", "b"], work=work)
    assert current_task() is None
    assert seen[0] == ("", True)
    assert "build the shop's web site" in seen[-1][0]
    last = agent.experiences("build")
    assert len(last) == 12
    assert last[0].state == {"task_type": "build", "capabilities": ["compile"], "files": 2}  # lessons 2.2
    assert all(one.decision_id and one.propensity and one.next_state is None for one in last)
    assert last[0].outcome.evidence == "executed"
    assert last[0].outcome.seconds is not None
    known = {value.action: value.mean for value in agent.q_values("build") if value.state is None}
    assert known["safe"] == 2.0
    assert {item.kind for item in agent.list()} <= {"success_pattern", "error_pattern"}
    assert "safe worked (executed)" in next(i.content for i in agent.list() if i.kind == "success_pattern")
    assert memory.alerts() == []
    assert builder.learning_errors == ()


def test_lessons_2_2_the_action_taken_gets_the_credit(agent: Agent) -> None:
    builder = Builder(agent)

    def other(task: Task) -> bool:
        task.took("safe" if task.action == "fast" else "fast")
        return True

    for work in (other, lambda task: {"success": True, "strategy": "by hand"}):
        builder.perform("build it", files=[], work=work)
    by_hand, first = agent.experiences("build")
    assert first.decision_id is not None
    assert first.action in ("fast", "safe")
    assert by_hand.action == "by hand"  # it was not offered: a step without advice
    assert by_hand.propensity is None
    assert builder.learning_errors == ()


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (None, Outcome()),
        ("done, all is well", Outcome()),
        (1, Outcome()),
        (True, Outcome(success=True)),
        (subprocess.CompletedProcess([], 3), Outcome(success=False, evidence="executed")),
        ({"anything": 1}, Outcome()),
        ({"success": True, "exit_code": 1}, Outcome(success=False, evidence="executed")),
        ({"tests": (3, 1), "exit_code": 0}, Outcome(success=False, evidence="executed", quality=0.75)),
        ({"tests": {"passed": 0}, "success": True}, Outcome(success=True)),  # no test ran: it is but said
        ({"success": True, "evidence": "verified", "quality": 7, "feedback": "good"}, Outcome(True, "verified")),
        ({"success": "yes"}, Outcome()),
        (TimeoutError("after 9 s"), Outcome(False, "executed", error="TimeoutError: after 9 s")),
        (Outcome(True, quality=0.5, weights={"quality": 2.0}), Outcome(True, quality=0.5, weights={"quality": 2.0})),
    ],
)  # fmt: skip
def test_nothing_is_a_success_that_does_not_say_so(result: Any, outcome: Outcome) -> None:
    assert outcome_of(result) == outcome


def test_what_cannot_be_read_of_a_result_is_told(agent: Agent) -> None:
    builder = Builder(agent)
    builder.perform("build it", files=[], work=lambda _: {"success": True, "quality": "high"})
    assert agent.experiences()[0].outcome.success is True
    assert [(one.step, one.count) for one in builder.learning_errors] == [("result", 1)]
    assert "quality is 'high'" in builder.learning_errors[0].error


def test_hard_failures_teach_and_interrupts_do_not(agent: Agent) -> None:
    """An exception passes unchanged. What is no Exception says nothing about the strategy: the decision stays open."""
    builder, boom = Builder(agent), TimeoutError("the build hung")

    def raising(error: BaseException) -> Any:
        def work(_: Task) -> None:
            raise error

        return work

    with pytest.raises(TimeoutError) as caught:
        builder.perform("build it", files=[], work=raising(boom))
    assert caught.value is boom
    (failed,) = agent.experiences()
    assert (failed.outcome.success, failed.outcome.evidence) == (False, "executed")
    assert failed.outcome.error == "TimeoutError: the build hung"
    assert "TimeoutError: the build hung" in agent.list(kind="error_pattern")[0].content
    for error in (KeyboardInterrupt(), SystemExit(1), asyncio.CancelledError(), GeneratorExit()):
        with pytest.raises(type(error)):
            builder.perform("build it", files=[], work=raising(error))
    assert len(agent.experiences()) == 1


def test_an_independent_check_counts_as_verified(agent: Agent) -> None:
    class Checked(Builder):
        def verify(self, task: Task, result: Any) -> Any:
            if result == "broken check":
                raise OSError("no network")
            assert result != "wrong", "it is wrong"
            return True

    builder = Checked(agent)
    for result in ("right", "wrong", "broken check"):
        assert builder.perform("build it", files=[], work=lambda _, result=result: result) == result
    broken, wrong, right = (one.outcome for one in agent.experiences())
    assert (right.success, right.evidence) == (True, "verified")
    assert (wrong.success, wrong.evidence) == (False, "verified")
    assert str(wrong.error).startswith("AssertionError: it is wrong")
    assert broken.success is None
    assert [one.step for one in builder.learning_errors] == ["verify"]


def test_errors_in_learning_never_fail_the_task_and_never_vanish(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    memory = engrain.open(tmp_path / "home", embedder="hash")
    agent = memory.agent("ann")

    class Odd(Builder):
        def pre_task(self, task: Task) -> None:
            super().pre_task(task)
            raise ZeroDivisionError("a hook of one's own")

    builder = Odd(agent)
    with caplog.at_level(logging.WARNING, "engrain.agents"):
        for _ in range(3):
            assert builder.perform("build it", files=[], work=lambda task: task.action) in ("fast", "safe")
    assert [(one.step, one.count) for one in builder.learning_errors] == [("pre_task", 3)]
    assert [one.name for one in caplog.records].count("engrain.agents") == 1
    assert [(one.name, one.subject) for one in memory.alerts()] == [("learning-failed", "default/ann: pre_task")]
    assert not memory.doctor().ok
    Builder(agent).perform("build it", files=[], work=lambda _: True)
    assert memory.alerts() == []  # it works again

    class Blind(Builder):
        def state(self, task: Task) -> Mapping[str, Any]:
            return {"files": task.details["nothing of that name"]}

    before, blind = len(agent.experiences()), Blind(agent)
    assert blind.perform("build it", files=[], work=lambda task: task.advice) is None  # no state: nothing is learned
    assert (len(agent.experiences()), [one.step for one in blind.learning_errors]) == (before, ["state"])
    memory.close()
    assert builder.perform("build it", files=["x"], work=lambda task: {"success": not task.context})["success"]
    assert {"advise", "context", "observe", "remember"} <= {one.step for one in builder.learning_errors}


def test_async_work_learns_without_blocking_the_loop(agent: Agent) -> None:
    threads: set[str] = set()

    class Slow(BaseAgent):
        task_type, options = "sleep", ("a", "b")

        def pre_task(self, task: Task) -> None:
            threads.add(threading.current_thread().name)
            super().pre_task(task)

        async def run(self, task: Task) -> Any:
            await asyncio.sleep(0)
            assert current_task() is task
            if task.about == "fail":
                async with asyncio.timeout(0.001):
                    await asyncio.sleep(10)
            if task.about == "cancel":
                await asyncio.sleep(10)
            return task.about == "work"

        async def verify(self, task: Task, result: Any) -> Any:
            await asyncio.sleep(0)
            return result

    slow = Slow(agent)

    async def main() -> None:
        assert await asyncio.gather(*(slow.perform("work") for _ in range(5))) == [True] * 5
        with pytest.raises(TimeoutError):
            await slow.perform("fail")
        cancelled = asyncio.ensure_future(slow.perform("cancel"))
        await asyncio.sleep(0.3)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled

    asyncio.run(main())
    outcomes = [(one.outcome.success, one.outcome.evidence) for one in agent.experiences("sleep")]
    assert outcomes == [(False, "executed"), *[(True, "verified")] * 5]
    assert threading.main_thread().name not in threads
    assert slow.learning_errors == ()


def test_a_decorated_function_learns(agent: Agent) -> None:
    @learns(
        "deploy",
        agent=agent,
        options=["canary", "at once"],
        state=lambda service: {"letters": len(service)},
        about=lambda service: f"deploy {service}",
        verify=lambda result: result == "canary",
        budget_seconds=60,
    )
    def deploy(service: str, *, task: Task) -> str | None:
        """Ship it."""
        return task.action

    @engrain.learns("deploy", agent=lambda: agent)
    async def by_hand(task: str) -> bool:  # its own parameter, of that name
        return task == "x"

    for _ in range(8):
        shipped: str | None = deploy("shop")  # type: ignore[call-arg]
        assert shipped in {"canary", "at once"}
    assert asyncio.run(by_hand("x")) is True
    assert asyncio.run(by_hand(task="y")) is False
    assert (deploy.__name__, deploy.__doc__) == ("deploy", "Ship it.")
    assert inspect.iscoroutinefunction(by_hand)
    means = {value.action: value.mean for value in agent.q_values("deploy") if value.state is None}
    assert means["canary"] > 0 > means.get("at once", -1.0)
    assert sorted(one.outcome.success or False for one in agent.experiences() if one.action == "by_hand") == [
        False,
        True,
    ]
    assert agent.experiences()[-1].outcome.budget_seconds == 60
    assert {*learning_errors(deploy), *learning_errors(by_hand)} == set()


def test_a_block_learns_and_feedback_may_come_later(agent: Agent) -> None:
    with learning(agent, "triage", options=["ask", "answer"], state={"words": 3}) as task:
        task.report(quality=0.5, evidence="executed")
    assert task.experience is not None
    assert task.experience.reward is None  # a block that just ends is unknown
    task.feedback(-1.0, success=True)
    assert task.experience.outcome.quality == 0.5
    assert task.experience.reward == pytest.approx(2 * (1.0 - 0.5) / 2.2)

    async def main() -> Task:
        async with learning(agent, "triage", about="a letter") as task:
            assert task.action is None or task.action in ("ask", "answer")
            task.took("forward")
            task.done({"exit_code": 0})
        return task

    assert asyncio.run(main()).experience is not None
    assert agent.experiences()[0].action == "forward"
    with pytest.raises(InvalidField, match="once"), task:
        pass
    with learning(agent, "never seen") as nothing:
        pass
    assert nothing.experience is None
    assert [one.step for one in nothing.learning_errors] == ["observe"]


def test_patterns_are_shown_and_what_was_applied_gets_its_evidence(agent: Agent) -> None:
    """Shown is not evidence; applied is, with the outcome of the task, once for each task (lessons 4)."""
    pattern = agent.add_pattern("Build incrementally", "Build only what has changed, then link", task_type="build")
    builder = Builder(agent)

    def work(task: Task) -> dict[str, Any]:
        assert [hit.pattern.id for hit in task.patterns] == [pattern.id]
        if task.details.get("applies"):
            task.applied(pattern.id)
            task.applied(pattern.id)
        return {"exit_code": 0}

    builder.perform("build what has changed", files=[], work=work)
    before = agent.pattern(pattern.id)
    assert before.shown >= 1
    assert (before.applied, before.belief.good) == (0, 0.0)
    builder.perform("build what has changed", files=[], work=work, applies=True, task_id="build 7")
    after = agent.pattern(pattern.id)
    assert after.shown > before.shown
    assert after.applied == 1
    assert after.belief.value > before.belief.value
    (use,) = agent.pattern_uses(pattern.id)
    assert (use.source, use.success, use.evidence) == ("build 7", True, "executed")
    with learning(agent, "build", options=["a"]) as task:
        task.applied("no such pattern")
    assert [one.step for one in task.learning_errors] == ["discover"]
    assert builder.learning_errors == ()


def test_generators_and_nonsense_are_refused(agent: Agent) -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def later() -> AsyncIterator[int]:
        yield 1

    for generator in (numbers, later):
        with pytest.raises(InvalidField, match="is a generator"):
            learns("t", agent=agent)(generator)
    with pytest.raises(InvalidField, match="is a generator"):
        type("Streaming", (BaseAgent,), {"task_type": "t", "run": lambda self, task: (yield)})
    wrong: list[dict[str, Any]] = [
        {"task_type": " "}, {"options": []}, {"options": "ab"}, {"options": ["a", "a"]}, {"agent": 7},
        {"weights": {"speed": 1}}, {"weights": {"success": 0}}, {"weights": {"time": -1}},
        {"budget_seconds": 0}, {"budget_seconds": float("nan")}, {"budget_seconds": "9"}, {"visibility": "all"},
    ]  # fmt: skip
    for one in wrong:
        with pytest.raises(InvalidField):
            learns(**{"task_type": "t", **one})
    with pytest.raises(InvalidField, match="task_type"):
        BaseAgent(agent)
    with pytest.raises(InvalidField, match="profile is 7"):
        BaseAgent(agent, profile=7)  # type: ignore[arg-type]
    with pytest.raises(InvalidField, match="about"):
        Builder(agent).perform(7)  # type: ignore[arg-type]

    async def never_awaited(*_: Any) -> None: ...

    for hook in ("pre_task", "post_task", "state"):
        with pytest.raises(InvalidField, match="must not be async"):
            type("Forgotten", (Builder,), {hook: never_awaited})
    with pytest.raises(InvalidField, match="does not learn"):
        learning_errors(print)


def test_importing_engrain_does_not_load_agents() -> None:
    code = (
        "import sys, engrain; assert 'engrain.agents' not in sys.modules; engrain.learns; print(len(engrain.__all__))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(found.stdout) <= 15
