"""When the background dreams, the shadow period, and what is kept of policies that did not pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engrain import Agent
from engrain.errors import InvalidField, NotFound, UnknownPolicy
from engrain.lifecycle.alerts import alerts
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests.dreams import TASK, chosen, fill, rows, stepping
from tests.postgres import Place

# -- asked for, by time, by outcomes -----------------------------------------------------------------------------------


def test_a_request_waits_for_the_background_and_is_made_once(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    fill(agent, 60)
    asked = memory.dream_request("gate")
    assert (asked.state, asked.reason, asked.phase) == ("pending", "gate", "ingest")
    assert memory.dream_request("gate").id == asked.id
    world.advance(hours=2)
    runs = {run.role: run for run in memory.tick()}
    assert runs["learn"].findings["dreams"] == 1
    (dream,) = memory.dreams()
    assert (dream.id, dream.state) == (asked.id, "completed")
    with pytest.raises(InvalidField, match="reason must be one of"):
        memory.dream_request("mood")


def test_many_outcomes_are_not_left_waiting_for_a_day(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    agent.observe_many(rows(60))
    world.advance(hours=1)
    assert "learn" not in {run.role for run in memory.tick()}
    agent.observe_many(rows(60, seed=2))
    world.advance(hours=1)
    assert "learn" in {run.role for run in memory.tick()}
    (dream,) = memory.dreams()
    assert dream.reason == "outcomes"
    agent.observe_many(rows(10, seed=3))
    world.advance(hours=2)
    assert "learn" not in {run.role for run in memory.tick()}
    world.advance(days=1)
    assert "learn" in {run.role for run in memory.tick()}
    assert memory.dreams()[0].reason == "time"


def test_a_dream_that_does_not_exist(memory: Memory) -> None:
    with pytest.raises(NotFound, match="No dream has been dreamt yet"):
        memory.dream_report()
    with pytest.raises(NotFound, match="no dream 'x'"):
        memory.dream_report("x")


@pytest.mark.parametrize("bad", [{"budget": 0}, {"seed": -1}, {"task_type": ""}, {"tenant": 3}, {"dry_run": "no"}])
def test_bad_input_changes_nothing(memory: Memory, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidField):
        memory.dream(**bad)
    assert memory.dreams() == []


# -- the shadow period -------------------------------------------------------------------------------------------------


@pytest.fixture
def shadowed(place: Place, world: SimulatedWorld) -> Memory:
    memory = place.open(world=world, shadow_days=7.0)
    fill(memory.agent("ann", tenant="acme"))
    world.advance(hours=1)
    (finding,) = memory.dream().findings["findings"]
    assert finding["outcome"] == "shadow"
    assert {one.state for one in memory.policies()} == {"shadow"}
    assert {policy for _, policy in chosen(memory.agent("ann", tenant="acme"), 1)} == {"online-1"}
    return memory


def test_a_policy_that_stands_its_shadow_period_advises(shadowed: Memory, world: SimulatedWorld) -> None:
    agent = shadowed.agent("ann", tenant="acme")
    world.advance(days=3)
    fill(agent, 200, seed=2)
    (finding,) = shadowed.dream().findings["findings"]
    assert "shadow period" in finding["reason"]
    world.advance(days=5)
    fill(agent, 200, seed=3)
    assert next(one["outcome"] for one in shadowed.dream().findings["findings"]) == "promoted"
    (info,) = shadowed.policies(state="live")
    assert (info.version, info.metrics["candidate"]["n"]) == (1, 400)  # judged by what came after it was made
    assert shadowed.journal.waits() == (0, 0)


def test_one_that_does_not_is_retired(shadowed: Memory, world: SimulatedWorld) -> None:
    world.advance(days=8)
    fill(shadowed.agent("ann", tenant="acme"), 600, seed=2, flip=True)
    first, *_ = shadowed.dream().findings["findings"]
    assert (first["outcome"], first["version"]) == ("retired", 1)
    assert [one.state for one in shadowed.policies() if one.version == 1] == ["retired"]


def test_one_that_cannot_be_read_stands_in_nobodys_way(shadowed: Memory, world: SimulatedWorld) -> None:
    row = dict(shadowed.store.read("policy_find", {"tenant": "acme", "task_type": TASK, "version": 1})[0])
    with shadowed.store.transaction("acme") as tx:
        tx.run("purge_policies", {"tenant": "acme"})
        tx.run("policy_insert", {**row, "rule": b"garbage"})
        tx.run("policy_state", {**row, "state": "shadow"})
    world.advance(days=8)
    fill(shadowed.agent("ann", tenant="acme"), 200, seed=2)
    dream = shadowed.dream()
    assert (dream.state, [one["outcome"] for one in dream.findings["findings"]]) == ("completed", ["shadow"])
    assert {one.version: one.state for one in shadowed.policies()} == {1: "retired", 2: "shadow"}
    assert "cannot be read" in next(one.reason for one in shadowed.policy_history() if one.event == "retired")


def test_propensities_that_cannot_be_right_promote_nothing(memory: Memory, agent: Agent) -> None:
    agent.observe_many([{**row, "propensity": 5e-324} for row in rows(200)])
    (finding,) = memory.dream().findings["findings"]
    assert finding["outcome"] == "refused"
    assert "propensities cannot be right" in finding["reason"]


def test_what_was_changed_while_it_was_judged_is_not_overruled(memory: Memory, agent: Agent) -> None:
    fill(agent)
    memory.dream()
    fill(agent, 3000, seed=2, flip=True)
    done: list[str] = []

    def meanwhile(phase: str) -> None:
        if phase == "evaluate" and not done:
            done.append(phase)
            memory.rollback(TASK, tenant="acme")

    stepping(memory, meanwhile)
    (finding,) = memory.dream().findings["findings"]
    assert done
    assert (finding["outcome"], finding["reason"]) == ("refused", "what is live was changed while it was judged")
    assert memory.policies(state="live") == []


def test_old_candidates_are_let_go_of_and_their_history_stays(
    memory: Memory, agent: Agent, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from engrain.learn import policies

    monkeypatch.setattr(policies, "CANDIDATES", 2)
    file = tmp_path / "own.json"
    file.write_text(
        json.dumps({"engrain_policy": 1, "task_type": TASK, "states": [{"state": {}, "actions": {"left": 1.0}}]})
    )
    for seed in range(4):
        agent.observe_many([row for pair in zip(rows(60, seed=seed), rows(60, seed=seed, flip=True), strict=True)
                            for row in pair])  # fmt: skip
        memory.dream()
        if not seed:
            assert memory.policy_import(file, tenant="acme").version == 2  # what somebody brought is not let go of
    assert sorted(one.version for one in memory.policies(state="candidate")) == [2, 4, 5]
    refused = [one for one in memory.policy_history(TASK, version=1) if one.event == "refused"]
    assert len(refused) == 1
    assert refused[0].reason
    with pytest.raises(UnknownPolicy, match="was let go of"):
        memory.policy_show(TASK, 1, tenant="acme")
    with pytest.raises(UnknownPolicy, match="no version 9"):
        memory.policy_show(TASK, 9, tenant="acme")


def test_an_alert_is_settled_when_something_better_advises(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    fill(agent)
    wrong = {f"acme/{TASK}": "version 9 fell"}
    with memory.store.transaction("acme") as tx:
        memory._alarm(tx, "policy-rolled-back", wrong)
    assert len(alerts(memory.store, world.now())) == 1
    memory.dream()
    assert alerts(memory.store, world.now()) == []
    with memory.store.transaction("acme") as tx:
        memory._alarm(tx, "policy-rolled-back", wrong)
    world.advance(days=8)
    memory.tick(["learn"])
    assert alerts(memory.store, world.now()) == []
