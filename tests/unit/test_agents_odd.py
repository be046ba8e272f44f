"""Agents that learn by themselves: odd results, odd errors, and what is told too late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from engrain import Agent, Outcome
from engrain.agents import Task, learning
from tests.unit.test_agents import Builder, memory

__all__ = ["memory"]  # the fixture


def test_no_result_and_no_error_breaks_the_work_or_is_lost(agent: Agent) -> None:
    """A result that raises when it is looked at, an error that cannot tell itself, a check nobody awaits."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    class Detached:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("the connection is gone")

    async def unfinished() -> bool:
        return True

    class Checked(Builder):
        async def verify(self, task: Task, result: Any) -> Any:
            return False

    def mute(_: Task) -> None:
        raise Mute

    builder = Builder(agent)
    with pytest.raises(Mute):
        builder.perform("build it", files=[], work=mute)
    assert agent.experiences()[0].outcome.error == "Mute whose str() raised RuntimeError"
    weird = Outcome(True, weights={"speed": 1.0})
    for result in (Detached(), weird, coroutine := unfinished()):
        assert builder.perform("build it", files=[], work=lambda _, one=result: one) is result
    coroutine.close()
    builder.perform("build it", files=[], work=lambda task: task.step("compile", state=7))
    assert len(agent.experiences()) == 5
    told = [one.error for one in builder.learning_errors if one.step == "result"]
    assert [text for text in told if "connection is gone" in text]
    assert [text for text in told if "speed" in text]
    assert [text for text in told if "is not done" in text]
    checked = Checked(agent)
    checked.perform("build it", files=[], work=lambda _: True)
    assert [(one.step, "only where the work is" in one.error) for one in checked.learning_errors] == [("verify", True)]


def test_what_is_told_too_late_or_of_nothing_advised_is_noted(agent: Agent) -> None:
    with learning(agent, "late", options=["a"]) as task:
        pass
    task.report(success=True)
    task.took("b")
    task.feedback("good")  # type: ignore[arg-type]
    assert agent.experiences("late")[0].outcome.success is None
    assert [one.step for one in task.learning_errors] == ["report", "took", "result"]
    with learning(agent, "own", options=["a"]) as own:
        own.took("by hand")
    own.feedback(0.5, True, "surely")
    assert len(agent.experiences("own")) == 1  # not a second one, made up by the feedback
    assert [one.step for one in own.learning_errors] == ["result", "feedback"]


def test_a_generator_with_a_block_may_be_closed_by_another(agent: Agent) -> None:
    async def stream() -> AsyncIterator[int]:
        async with learning(agent, "stream", options=["a"]):
            yield 1

    async def main() -> None:
        streaming = stream()
        await anext(streaming)
        await asyncio.create_task(streaming.aclose())  # type: ignore[attr-defined]

    asyncio.run(main())
    assert agent.experiences("stream") == []  # broken off: unknown
