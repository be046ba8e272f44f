"""Dreams in several processes: killed in every phase, two at once, an archive and policies that change meanwhile."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from engrain import Agent, Outcome
from engrain.errors import DreamBusy
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests import children
from tests.dreams import TASK, chosen, fill, rows
from tests.postgres import Place

START = "2026-01-01T00:00:00Z"
LATER = "2026-01-02T00:00:00Z"
# A dreamer that hangs at the ``at``-th step, which is told with its phase.
DREAM = """
import engrain
from engrain.testing import SimulatedWorld
from tests.dreams import stepping
memory = engrain.open(**given["place"], world=SimulatedWorld(given["start"], seed=given["seed"]), embedder="hash")
steps = []
def step(phase):
    steps.append(phase)
    if len(steps) == given["at"]:
        say(phase)
        sys.stdin.readline()
stepping(memory, step)
dream = memory.dream()
say([dream.id, dream.state, steps])
"""
FOLLOW = """
import engrain
from engrain.testing import SimulatedWorld
from tests.dreams import chosen, TASK
memory = engrain.open(**given["place"], world=SimulatedWorld(given["start"], seed=77), embedder="hash")
agent = memory.agent("ann")
say(chosen(agent, 1, 1)[0][1])
for line in sys.stdin:
    say(chosen(agent, 1, 1)[0][1])
"""

# What goes on around dreamers until ``secs`` are over: ``does`` again and again, which may count.
BUSY = """
import engrain, random
from engrain.errors import *
from tests.dreams import TASK, rows
memory = engrain.open(**given["place"], embedder="hash", experience_days=1e-5)
agent, chance, number = memory.agent("ann"), random.Random(7), 0
say("up")
end = time.time() + given["secs"]
while time.time() < end:
    try:
        exec(given["does"])
    except (ArchiveConflict, DreamBusy, UnknownPolicy, InvalidField, PolicyRefused):
        time.sleep(0.05)
say(number)
"""
OBSERVES = "agent.observe_many(rows(20, seed=chance.randrange(10**6), flip=number > 2000)); number += 20"
ARCHIVES = "memory.tick(roles=['archive']); time.sleep(0.2)"
ROLLS_BACK = "memory.rollback(TASK, version=chance.choice([None, 0, 1, 2])); time.sleep(0.2)"
DREAMS = "memory.dream()"


def given(place: Place, at: int = 0, seed: int = 5) -> dict[str, Any]:
    return {"place": place.arguments, "start": LATER, "at": at, "seed": seed}


def filled(place: Place) -> Agent:
    memory = place.open(world=SimulatedWorld(START), embedder="hash")
    agent = memory.agent("ann")
    fill(agent, 200)
    agent.observe_many(rows(200, task="another", seed=2))
    return agent


def opened(place: Place, seed: int = 9) -> Memory:
    return place.open(world=SimulatedWorld(LATER, seed=seed), embedder="hash")


def told(memory: Memory) -> list[tuple[Any, ...]]:
    """The policies, with their rules."""
    return sorted(
        (one.task_type, one.version, one.state, one.metrics["reason"],
         str(memory.versions.find(one.tenant, one.task_type, one.version)[1].body()))
        for one in memory.policies()
    )  # fmt: skip


@pytest.mark.slow
def test_killed_at_any_step_it_is_gone_on_with(place: Place, make_place: Any) -> None:
    undisturbed = make_place()
    filled(undisturbed)
    (_, state, steps), *_ = children.run(DREAM, given(undisturbed))
    expected = told(opened(undisturbed))
    assert state == "completed"
    assert {"ingest", "train", "evaluate", "promote", "report"} <= set(steps)
    filled(place)
    for at in range(1, len(steps) + 1):
        process = children.spawn(DREAM, given(place, at, seed=10 + at))
        phase = children.hear(process)
        children.kill(process)
        memory = opened(place, seed=100 + at)
        left = memory.dreams()
        assert len(left) == 1, (at, phase)
        if left[0].state == "completed":
            break
        assert (left[0].state, left[0].error) == ("interrupted", "the process that dreamed ended")
        memory.close()
    memory = opened(place, seed=200)
    dream = memory.dreams()[0] if left[0].state == "completed" else memory.dream()
    assert dream.id == left[0].id
    assert (dream.state, len(dream.findings["findings"])) == ("completed", 2)
    assert told(memory) == expected
    events = [(one.task_type, one.version, one.event) for one in memory.policy_history()]
    assert len(events) == len(set(events)) == 4
    assert memory.journal.waits() == (0, 0)


@pytest.mark.parametrize("at", [2, 4, 7])
def test_killed_once_it_is_gone_on_with_by_the_role(place: Place, at: int) -> None:
    filled(place)
    process = children.spawn(DREAM, given(place, at))
    children.hear(process)
    children.kill(process)
    memory = opened(place)
    (run,) = memory.tick(["learn"])
    assert (run.state, run.findings["dreams"]) == ("done", 1)
    (dream,) = memory.dreams()
    assert (dream.state, len(dream.findings["findings"])) == ("completed", 2)
    assert sorted((one.task_type, one.version) for one in memory.policies()) == [("another", 1), (TASK, 1)]
    assert memory.journal.waits() == (0, 0)


@pytest.mark.slow
def test_killed_at_random_while_others_observe_archive_and_roll_back(place: Place) -> None:
    filled(place)
    told = {"place": place.arguments, "secs": 12}
    around = [children.spawn(BUSY, {**told, "does": does}) for does in (OBSERVES, ARCHIVES, ROLLS_BACK)]
    chance = random.Random(3)
    while around[0].poll() is None:
        dreamers = [children.spawn(BUSY, {**told, "does": DREAMS}) for _ in range(2)]
        for one in dreamers:
            children.hear(one)
        time.sleep(2.5 * chance.random())
        for one in dreamers:
            children.kill(one)
    observed = children.said(around[0])[-1]
    assert observed > 0
    for one in around[1:]:
        children.said(one)
    memory = place.open(embedder="hash")
    while memory.journal.waits() != (0, 0):
        assert memory.dream().state == "completed"
    parts = memory.parts.experiences()
    assert sum(len(parts.log("default", task)) for task in (TASK, "another")) == 400 + observed
    dreams = memory.dreams(limit=1000)
    assert {one.state for one in dreams} <= {"completed", "pending"}
    events = [(one.task_type, one.version) for one in memory.policy_history(limit=10_000) if one.event == "made"]
    assert len(events) == len(set(events)) == len(memory.policies(limit=10_000))


def test_what_came_in_while_it_lay_dead_is_used_once(place: Place) -> None:
    agent = filled(place)
    process = children.spawn(DREAM, given(place, at=4))
    children.hear(process)
    children.kill(process)
    for task in (TASK, "another"):
        agent.observe_many(rows(50, task=task, seed=7))
    memory = opened(place)
    dream = memory.dream()
    assert {one["task_type"]: one["rows"] for one in dream.findings["findings"]} == {"another": 250, TASK: 250}
    assert memory.journal.waits() == (0, 0)
    assert memory.dream().findings == {"findings": []}


def test_what_another_dream_did_meanwhile_is_not_done_again(place: Place) -> None:
    filled(place)
    process = children.spawn(DREAM, given(place, at=4))
    children.hear(process)
    children.kill(process)
    memory = opened(place)
    assert memory.dream(task_type="another").findings["promoted"] == 1  # the one that was worked on
    before = memory.policies()
    dream = memory.dream()
    assert [one["task_type"] for one in dream.findings["findings"]] == [TASK]
    assert [one for one in memory.policies() if one.task_type == "another"] == before
    assert memory.journal.waits() == (0, 0)


def test_of_two_dreamers_one_works_and_the_other_says_so(place: Place) -> None:
    filled(place)
    process = children.spawn(DREAM, given(place, at=3))
    children.hear(process)
    memory = opened(place)
    with pytest.raises(DreamBusy):
        memory.dream()
    (run,) = memory.tick(["learn"])
    assert (run.state, run.findings) == ("done", {"dreams": 0, "elsewhere": 1})
    assert process.stdin is not None
    process.stdin.write("go on\n")
    process.stdin.flush()
    _, state, _ = children.said(process)[-1]
    assert state == "completed"
    later = memory.dream()  # what was asked for meanwhile waited
    assert later.state == "completed"
    assert later.findings["findings"] == []
    assert sorted((one.task_type, one.version) for one in memory.policies()) == [("another", 1), (TASK, 1)]


def test_what_is_archived_while_it_dreams_is_used_once(place: Place) -> None:
    filled(place)
    process = children.spawn(DREAM, given(place, at=2))
    children.hear(process)
    memory = place.open(world=SimulatedWorld("2026-03-01T00:00:00Z", seed=3), embedder="hash")
    assert memory.archiver is not None
    assert memory.archiver.run().counts["experiences"] == 400
    assert process.stdin is not None
    process.stdin.write("go on\n")
    process.stdin.flush()
    assert children.said(process)[-1][1] == "completed"
    for info in memory.policies():
        assert (info.state, info.data["rows"]) == ("live", 200)
    assert memory.journal.waits() == (0, 0)


def test_agents_that_run_follow_at_once(place: Place) -> None:
    agent = filled(place)
    memory = opened(place)
    running = children.spawn(FOLLOW, given(place))
    assert running.stdin is not None
    assert children.hear(running) == "online-1"

    def next_one() -> str:
        assert running.stdin is not None
        running.stdin.write("\n")
        running.stdin.flush()
        return str(children.hear(running))

    memory.dream()
    assert next_one() == "v1"
    memory.rollback(TASK)
    assert next_one() == "online-1"
    memory.rollback(TASK, version=1)
    assert next_one() == "v1"
    fallen = [agent.advise(TASK, state={"size": 1}, options=["left", "right"]) for _ in range(40)]
    agent.observe_many([
        {"decision_id": one.decision_id, "outcome": Outcome(reward=-2.0, evidence="verified")} for one in fallen
    ])  # fmt: skip
    assert next_one() == "online-1"
    assert chosen(agent, 1, 1)[0][1] == "online-1"
    assert children.said(running) == []
