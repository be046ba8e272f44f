"""The dream cycle in one process: what it learns, what it refuses, how it stops and goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engrain import Agent, Outcome
from engrain.errors import PolicyRefused
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests.dreams import BEST, TASK, chosen, fill, rows, stepping
from tests.life import freeze
from tests.postgres import Place


def counts(memory: Memory, **how: Any) -> dict[str, Any]:
    found = dict(memory.dream(**how).findings)
    del found["findings"]
    return found


def facts(memory: Memory) -> list[tuple[Any, ...]]:
    """Everything about the policies but their ids and times."""
    found = []
    for one in memory.policies():
        _, rule = memory.versions.find(one.tenant, one.task_type, one.version)
        told = {name: value for name, value in one.data.items() if name not in {"from", "to"}}
        found.append((one.version, one.agent, one.state, one.kind, told, dict(one.metrics), rule.body()))
    return found


def test_what_is_better_advises_from_then_on(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    fill(agent)
    world.advance(days=1)
    dream = memory.dream()
    assert (dream.state, dream.phase, dream.error) == ("completed", "done", None)
    assert 0 < dream.steps <= dream.budget
    (info,) = memory.policies(state="live")
    assert (info.tenant, info.agent, info.task_type, info.version, info.parent) == ("acme", None, TASK, 1, 0)
    assert info.dream == dream.id
    assert info.data["rows"] == 300
    for size, best in BEST.items():
        advices = chosen(agent, size)
        assert {policy for _, policy in advices} == {"v1"}
        assert [action for action, _ in advices].count(best) > len(advices) // 2
    (finding,) = dream.findings["findings"]
    assert (finding["outcome"], finding["version"], finding["live"]) == ("promoted", 1, 0)
    assert finding["after"]["low"] > finding["before"]["value"]


def test_an_option_that_was_never_given_a_chance_is_explored_although_a_policy_is_live(
    memory: Memory, agent: Agent
) -> None:
    fill(agent)
    memory.dream()
    (size, best), *_ = BEST.items()
    known = sorted({best, *(action for action, _ in chosen(agent, size) if action is not None)})
    met = 0
    for number in range(40):
        advice = agent.advise(TASK, state={"size": size}, options=[*known, "new"])
        assert number or advice.policy == "online-1"
        if advice.action == "new":
            met += 1
            agent.observe(advice, Outcome(success=False, evidence="verified"))
    assert met
    assert agent.advise(TASK, state={"size": size}, options=[*known, "new"]).policy == "v1"


def test_nothing_is_trained_on_twice(memory: Memory, agent: Agent) -> None:
    fill(agent)
    assert memory.journal.waits() == (1, 300)
    memory.dream()
    before = facts(memory)
    assert memory.journal.waits() == (0, 0)  # what it promoted itself is nothing new
    again = memory.dream()
    assert (again.state, again.steps, again.findings) == ("completed", 0, {"findings": []})
    assert facts(memory) == before
    agent.observe_many(rows(5, seed=9))
    assert memory.journal.waits() == (1, 5)
    assert counts(memory)["tasks"] == 1


def test_a_late_outcome_is_something_new(memory: Memory, agent: Agent) -> None:
    fill(agent)
    advice = agent.advise(TASK, state={"size": 1}, options=["left", "right"])
    agent.observe(advice, {"success": False, "evidence": "claimed"})  # type: ignore[arg-type]
    memory.dream()
    agent.observe(advice, {"success": True, "evidence": "verified"})  # type: ignore[arg-type]
    assert memory.journal.waits()[0] == 1
    memory.dream()
    assert memory.journal.waits() == (0, 0)


def test_what_comes_in_while_it_dreams_is_seen_by_the_next(memory: Memory, agent: Agent) -> None:
    fill(agent)
    seen: list[str] = []

    def more(phase: str) -> None:
        if phase == "train" and not seen:
            seen.append(phase)
            agent.observe_many(rows(7, seed=5))

    stepping(memory, more)
    memory.dream()
    assert seen
    assert memory.journal.waits() == (1, 7)
    assert counts(memory)["tasks"] == 1
    assert memory.journal.waits() == (0, 0)


def test_the_same_data_and_seed_give_the_same_policies(make_place: Callable[[], Place]) -> None:
    found = []
    for seed in (7, 7):
        memory = make_place().open(world=SimulatedWorld(seed=1), embedder="hash")
        fill(memory.agent("ann"))
        memory.dream(seed=seed)
        found.append(facts(memory))
    assert found[0] == found[1] != []


def test_too_little_is_told_of(memory: Memory, agent: Agent) -> None:
    fill(agent, 12)
    (finding,) = memory.dream().findings["findings"]
    assert finding["outcome"] == "skipped"
    assert "version" not in finding
    assert "12 executed or verified outcomes" in finding["reason"]
    assert memory.policies() == []


def test_a_home_where_nothing_happened(memory: Memory) -> None:
    dream = memory.dream()
    assert (dream.state, dream.steps, dream.findings) == ("completed", 0, {"findings": []})
    assert "nothing to learn" in memory.dream_report().markdown
    assert memory.tick(["learn"])[0].findings == {"dreams": 0, "waiting": 0}
    assert len(memory.dreams()) == 1


def test_a_flood_of_claims_promotes_nothing(memory: Memory, agent: Agent) -> None:
    agent.observe_many(rows(40))
    agent.observe_many(rows(3000, seed=3, evidence="claimed", flip=True))
    memory.dream()
    for one in memory.policies(state="live"):
        _, rule = memory.versions.find(one.tenant, one.task_type, one.version)
        assert one.metrics["candidate"]["n"] <= 40
        assert rule.body() is not None
    flooded = memory.agent("liar", tenant="other")
    flooded.observe_many(rows(3000, seed=4, evidence="claimed", flip=True))
    (finding,) = memory.dream(tenant="other").findings["findings"]
    assert finding["outcome"] == "skipped"
    assert memory.policies(tenant="other") == []


def test_outcomes_that_contradict_each_other_promote_nothing(memory: Memory, agent: Agent) -> None:
    agent.observe_many([row for pair in zip(rows(200), rows(200, flip=True), strict=True) for row in pair])
    (finding,) = memory.dream().findings["findings"]
    assert finding["outcome"] == "refused"
    (info,) = memory.policies()
    assert info.state == "candidate"
    assert [one.event for one in memory.policy_history()] == ["refused", "made"]


def test_agents_get_their_own_when_two_have_enough(memory: Memory) -> None:
    ann, bob, eve = (memory.agent(name, tenant="acme") for name in ("ann", "bob", "eve"))
    fill(ann, 300)
    fill(bob, 300, flip=True, seed=8)
    eve.observe_many(rows(5))
    dream = memory.dream()
    told = {one["agent"]: one["outcome"] for one in dream.findings["findings"]}
    assert set(told) == {None, "ann", "bob", "eve"}
    assert (told["ann"], told["bob"], told["eve"]) == ("promoted", "promoted", "skipped")
    assert chosen(ann, 1)[0][1] != chosen(bob, 1)[0][1]
    assert [action for action, _ in chosen(ann, 1)].count("right") > 6
    assert [action for action, _ in chosen(bob, 1)].count("left") > 6
    assert memory.journal.waits() == (0, 0)


def test_only_what_was_asked_for(memory: Memory, agent: Agent) -> None:
    fill(agent)
    agent.observe_many(rows(300, task="other"))
    fill(memory.agent("ann", tenant="elsewhere"))
    assert {one["task_type"] for one in memory.dream(task_type="other").findings["findings"]} == {"other"}
    assert {one["tenant"] for one in memory.dream(tenant="elsewhere").findings["findings"]} == {"elsewhere"}
    rest = memory.dream().findings["findings"]
    assert [(one["tenant"], one["task_type"]) for one in rest] == [("acme", TASK)]


def test_a_budget_ends_it_and_it_goes_on(memory: Memory, agent: Agent) -> None:
    fill(agent)
    agent.observe_many(rows(300, task="other"))
    whole = memory.dream(dry_run=True)
    assert (whole.id, memory.policies(), memory.dreams()) == ("", [], [])
    first = memory.dream(budget=1)
    assert (first.state, first.steps, first.budget) == ("interrupted", 1, 1)
    assert first.error is not None
    assert "budget" in first.error
    assert memory.policies() == []
    runs, last = 1, first
    while last.state == "interrupted":
        last = memory.dream(budget=1)
        runs += 1
    assert last.id == first.id
    assert (last.state, last.steps) == ("completed", whole.steps)
    assert runs == whole.steps + 1 or runs == whole.steps
    assert sorted(one.version for one in memory.policies()) == [1, 1]
    assert [one["outcome"] for one in last.findings["findings"]] == ["promoted", "promoted"]
    assert len(memory.dreams()) == 1


def test_a_dry_run_says_the_same_and_changes_nothing(memory: Memory, agent: Agent) -> None:
    fill(agent)
    dry = memory.dream(dry_run=True)
    assert dry.findings["dry"] is True
    assert memory.policies() == []
    assert memory.dreams() == []
    real = memory.dream()
    (told,), (found,) = dry.findings["findings"], real.findings["findings"]
    assert {**told, "version": 1} == found


def test_a_failure_in_one_task_type_does_not_stop_the_others(memory: Memory, agent: Agent) -> None:
    fill(agent)
    agent.observe_many(rows(300, task="another"))
    parts = memory.dreamer._parts

    class Broken(type(parts.experiences())):  # type: ignore[misc]
        def reading(self, tenant: str, task_type: str) -> Any:
            if task_type == "another":
                raise ZeroDivisionError("nothing to divide by")
            return super().reading(tenant, task_type)

    broken = object.__new__(Broken)
    broken.__dict__.update(parts.experiences().__dict__)
    object.__setattr__(parts, "experiences", lambda: broken)
    dream = memory.dream()
    assert dream.state == "failed"
    assert dream.error is not None
    assert "another: ZeroDivisionError: nothing to divide by" in dream.error
    assert {one["task_type"]: one["outcome"] for one in dream.findings["findings"]} == {
        "another": "failed", TASK: "promoted",
    }  # fmt: skip
    assert memory.journal.waits()[0] == 1  # it is tried again
    (run,) = memory.tick(["learn"])
    assert (run.state, "DreamFailed" in str(run.error)) == ("failed", True)


def test_archived_outcomes_are_learned_from(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    fill(agent, 200)
    world.advance(days=40)
    assert freeze(memory)["experiences"] == 200
    fill(agent, 100, seed=6)
    dream = memory.dream()
    (finding,) = dream.findings["findings"]
    assert (finding["rows"], finding["outcome"]) == (300, "promoted")
    assert memory.journal.waits() == (0, 0)


def test_what_was_rolled_back_does_not_come_back_by_itself(memory: Memory, agent: Agent) -> None:
    fill(agent)
    memory.dream()
    assert memory.rollback(TASK, tenant="acme") is None
    assert memory.journal.waits() == (0, 0)  # nothing new to learn from
    agent.observe_many(rows(20, seed=4))
    (finding,) = memory.dream().findings["findings"]
    assert finding["outcome"] == "refused"
    assert "rolled back lately" in finding["reason"]
    assert memory.policies(state="live") == []


def test_what_is_live_is_told_when_it_is_still_the_best(memory: Memory, agent: Agent) -> None:
    fill(agent)
    memory.dream()
    fill(agent, 50, seed=2)
    (finding,) = memory.dream().findings["findings"]
    assert (finding["outcome"], finding["live"]) == ("unchanged", 1)
    told = memory.dream_report(memory.dreams()[0].id).markdown
    assert "does the same as version 1, which is live" in told
    assert "Change:" not in told
    assert len(memory.policies()) == 1


def test_a_world_that_turned_gets_another_policy(memory: Memory, agent: Agent) -> None:
    fill(agent, 200)
    memory.dream()
    fill(agent, 3000, seed=2, flip=True)
    memory.dream()
    (now,) = memory.policies(state="live")
    assert (now.version, now.parent) == (2, 1)
    assert memory.journal.waits() == (0, 0)  # one version in the place of another is one change
    memory.rollback(TASK, version=1, tenant="acme")
    assert memory.journal.waits() == (0, 0)
    memory.rollback(TASK, version=2, tenant="acme")
    assert memory.dream().findings == {"findings": []}
    assert {(one.version, one.event) for one in memory.policy_history()} == {
        (1, "made"), (1, "promoted"), (1, "retired"), (1, "rolled-back"),
        (2, "made"), (2, "promoted"), (2, "rolled-back"),
    }  # fmt: skip


def test_a_version_that_the_gate_refused_is_not_rolled_back_to(memory: Memory, agent: Agent) -> None:
    agent.observe_many(rows(40, seed=8))
    (finding,) = memory.dream().findings["findings"]
    assert finding["outcome"] == "refused"
    before = facts(memory), memory.policy_history()
    with pytest.raises(PolicyRefused, match="never advised"):
        memory.rollback(TASK, version=1, tenant="acme")
    assert (facts(memory), memory.policy_history()) == before
    assert {policy for _, policy in chosen(agent, 1)} == {"online-1"}


def test_a_rule_of_a_newer_engrain_lets_the_online_learner_advise(memory: Memory, agent: Agent, place: Place) -> None:
    fill(agent)
    memory.dream()
    import json
    import zlib

    newer = zlib.compress(json.dumps({"format": 99, "kind": "oracle"}).encode())
    key = {"tenant": "acme", "task_type": TASK, "version": 1}
    row = memory.store.read("policy_find", key)[0]
    with memory.store.transaction("acme") as tx:
        tx.run("purge_policies", {"tenant": "acme"})
        names = ("kind", "parent", "data", "metrics", "code", "seed", "discount", "dream", "made_at")
        tx.run("policy_insert", {**key, "agent": "", "rule": newer, **{name: row[name] for name in names}})
        tx.run("policy_state", {**key, "state": "live", "live_at": row["live_at"]})
    other = place.open(world=SimulatedWorld("2026-02-01T00:00:00Z", seed=5))
    assert {policy for _, policy in chosen(other.agent("ann", tenant="acme"), 1)} == {"online-1"}
    (check,) = [one for one in other.doctor().checks if one.name == "policies"]
    assert check.ok is False
    assert "format 99" in check.detail
    fill(other.agent("ann", tenant="acme"), 50, seed=3)
    assert other.dream().state == "completed"
    (info,) = other.policies(state="live")
    assert info.version == 2
