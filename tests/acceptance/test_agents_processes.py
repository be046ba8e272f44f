"""Agents that learn, in processes: what one learned another knows, and one that is killed at work teaches nothing.

On one store but for fixes: what they write goes through the facade, whose verbs cross processes on both in
test_restart.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain import Outcome
from tests import children
from tests.postgres import Place

SHIPPER = """
import engrain
from engrain.agents import BaseAgent, learning_errors

class Shipper(BaseAgent):
    task_type, options = "ship", ("sea", "air")

    def run(self, task):
        if task.about == "hang":
            say({"decision": task.advice.decision_id, "action": task.action})
            time.sleep(60)
        return {"exit_code": 0 if task.action == "air" else 1}

memory = engrain.open(given["home"], embedder="hash")
shipper = Shipper(memory.agent("shipper", tenant="acme"))
for about in given["tasks"]:
    shipper.perform(about)
assert shipper.learning_errors == (), shipper.learning_errors
agent = memory.agent("shipper", tenant="acme")
advised = agent.advise("ship", {"task_type": "ship"}, ["sea", "air"]).distribution if not given["tasks"] else {}
say({"q": {q.action: [q.visits, q.mean] for q in agent.q_values() if q.state is None}, "advised": advised})
memory.close()
"""


def spawn(home: Path, tasks: list[str]) -> Any:
    return children.spawn(SHIPPER, {"home": str(home), "tasks": tasks})


def test_what_two_processes_learned_a_third_knows(tmp_path: Path) -> None:
    for child in [spawn(tmp_path, ["ship the crates"] * 8) for _ in range(2)]:
        children.said(child)
    (after,) = children.said(spawn(tmp_path, []))
    assert sum(visits for visits, _ in after["q"].values()) == 16
    assert after["q"]["air"][1] == 2.0
    assert after["advised"]["air"] > 0.8


def test_an_agent_that_is_killed_at_work_teaches_nothing(tmp_path: Path) -> None:
    """The decision stays open, with no outcome made up for it; who finds out what became of it can still tell."""
    child = spawn(tmp_path, ["ship the crates", "hang"])
    heard = children.hear(child)
    children.kill(child)
    with engrain.open(tmp_path) as memory:
        agent = memory.agent("shipper", tenant="acme")
        (first,) = agent.experiences()
        assert first.decision_id != heard["decision"]
        assert {item.metadata["task"] for item in agent.list()} == {first.decision_id}
        late = agent.observe(heard["decision"], Outcome(success=False, evidence="verified"))
        assert (late.action, late.reward) == (heard["action"], -2.0)


KEEPER = """
import engrain
from engrain.agents import learning

with engrain.open(**given["open"], embedder="hash") as memory:
    try:
        with learning(memory.agent("keeper"), "keep", about="keep the disk free", options=["wait", "clean"]) as task:
            say([task.problem and task.problem["message"], "the strategy clean" in task.context])
            task.took(given["do"])
            if given["error"]:
                raise OSError(given["error"])
            task.report(True, "executed")
    except OSError:
        pass
    assert task.learning_errors == (), task.learning_errors
"""


def test_an_attempt_in_another_process_is_told_to_the_problem_that_one_left(place: Place) -> None:
    place.open()

    def attempt(do: str, error: str | None = None) -> list[object]:
        (told,) = children.run(KEEPER, {"open": place.arguments, "do": do, "error": error})
        return list(told)

    assert attempt("wait", "no space left on /dev/sda1") == [None, False]
    assert attempt("clean") == ["OSError: no space left on /dev/sda1", False]
    assert attempt("wait", "no space left on /dev/sda2") == [None, False]  # the first is solved
    assert attempt("clean") == ["OSError: no space left on /dev/sda2", True]
    agent = place.open().agent("keeper")
    told = [(one.analysis, one.success, one.verified) for one in reversed(agent.fixes())]
    assert told == [(None, None, False), ("the strategy clean of keep", True, True)] * 2
    (issue,) = agent.issues()
    assert (issue.seen, issue.odds.solved, issue.odds.attempts) == (4, 2, 2)


def test_without_an_agent_it_is_that_of_the_usual_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENGRAIN_AGENT", "porter")
    code = """
    import engrain
    from engrain.agents import learning_errors

    @engrain.learns("carry")
    def carry(what):
        return {"exit_code": 0}

    carry("a box")
    assert learning_errors(carry) == ()
    """
    children.run(code)
    with engrain.open() as memory:
        assert [one.name for one in memory.agents()] == ["porter"]
        (carried,) = memory.agent("porter").experiences()
        assert (carried.action, carried.reward) == ("carry", 2.0)
