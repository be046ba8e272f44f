"""What an agent has learned in figures, as a file, and how it begins anew: one task type goes, nothing else."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from engrain import Outcome
from engrain.agent import Agent
from engrain.errors import NotFound
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests import children
from tests.policies import add, table
from tests.postgres import Place


def learn(agent: Agent, task_type: str, outcomes: str) -> None:
    for sign in outcomes:
        advice = agent.advise(task_type, {"size": 1}, ["left", "right"])
        agent.observe(advice, Outcome(success=sign == "+", evidence="executed"), action="left")


def test_a_reset_takes_everything_of_one_task_type_and_nothing_else(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world, experience_days=1)
    ann, bob = memory.agent("ann", tenant="acme"), memory.agent("bob", tenant="acme")
    learn(ann, "build", "++-")
    world.advance(days=3)
    memory.tick(["archive"])  # the first three leave the store
    learn(ann, "build", "+")
    learn(ann, "test", "-")
    learn(bob, "build", "--")
    add(memory, table({1: {"left": 0.5, "right": 0.1}}), agent="ann", tenant="acme")
    (build, test) = ann.learned()
    assert (build.task_type, build.visits, build.best, build.policy) == ("build", 4, "left", 1)
    assert (test.outcomes, test.good, test.mean_reward) == (1, 0, -2.0)
    assert [(day.task_type, day.outcomes) for day in ann.learned_days()][:2] == [("build", 1), ("test", 1)]
    theirs = bob.q_values()
    gone = ann.reset_learning("build")
    assert (gone.experiences + gone.archived, gone.decisions, gone.policies) == (4, 4 - gone.archived, 1)
    kept = json.loads(Path(gone.path).read_text())
    assert (len(kept["experiences"]), {one["task_type"] for one in kept["experiences"]}) == (4, {"build"})
    assert (kept["q_values"][0]["visits"], Path(gone.path).stat().st_mode & 0o77) == (4, 0)
    memory.close()
    with place.open(world=world) as memory:
        ann, bob = memory.agent("ann", tenant="acme"), memory.agent("bob", tenant="acme")
        assert ann.experiences("build", archived=True) == []
        assert ann.q_values("build") == []
        assert [one.task_type for one in ann.learned()] == ["test"]
        assert bob.q_values() == theirs
        memory.rebuild()
        assert ann.q_values("build") == [], "also when it is made anew of what there is"
        assert ann.advise("build", {"size": 1}, ["left", "right"]).policy != "v1"
        assert memory.policies("build", "acme")[0].state == "retired"
        with pytest.raises(NotFound, match="has learned nothing of 'deploy'"):
            ann.reset_learning("deploy")


def test_nothing_is_taken_when_it_cannot_be_written_first(memory: Memory, tmp_path: Path) -> None:
    agent = memory.agent("ann", tenant="acme")
    learn(agent, "build", "+")
    with pytest.raises(Exception, match="cannot be written"):
        agent.reset_learning("build", tmp_path / "no" / "such" / "place.json")
    assert agent.learned()[0].visits == 1
    told = agent.export_learning(tmp_path / "all.json")
    assert (told.experiences, told.decisions, told.q_values) == (1, 1, 2)


RESET = """
    import engrain
    from engrain import Outcome
    with engrain.open(**given["open"], embedder="hash") as memory:
        agent = memory.agent("ann", tenant="acme")
        for n in range(1000):
            agent.observe_step("build", {"size": n % 2}, "left", Outcome(success=n % 3 == 0, evidence="executed"))
            say(n)
            agent.reset_learning("build", given["file"])
"""


def sums(memory: Memory) -> list[tuple[Any, ...]]:
    """What the tenant and its agents have learned of a task type, but for change numbers."""
    rows = [
        memory.store.read("q_task", {"tenant": "acme", "agent": name, "task_type": "build"}) for name in ("", "ann")
    ]
    return [tuple(row)[:-1] for some in rows for row in some]


def test_killed_while_it_begins_anew(place: Place, tmp_path: Path) -> None:
    """All or nothing: what the whole tenant has learned goes in the same transaction, and is what a rebuild makes."""
    with place.open() as memory:
        learn(memory.agent("bob", tenant="acme"), "build", "+-")
        learn(memory.agent("ann", tenant="acme"), "build", "++-")
    for pause in (0.0, 0.006, 0.02):
        process = children.spawn(RESET, {"open": place.arguments, "file": str(tmp_path / "kept.json")})
        children.hear(process)
        time.sleep(pause)
        children.kill(process)
        with place.open() as memory:
            ann, found = memory.agent("ann", tenant="acme"), sums(memory)
            told = ann.experiences("build")
            assert sum(value.visits for value in ann.q_values("build") if value.state is None) == len(told)
            assert [row[3] for row in found if row[1] == "left"][0] == len(told) + 2
            memory.rebuild()
            assert sums(memory) == found
