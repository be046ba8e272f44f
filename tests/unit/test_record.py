"""The record of a policy: shown, compared, and why something is advised, also what is archived."""

from __future__ import annotations

from typing import Any

import pytest

from engrain import Agent, Outcome
from engrain.errors import InvalidField, PolicyRefused, UnknownDecision, UnknownPolicy
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests.children import run
from tests.life import freeze
from tests.policies import PASSED, REFUSED, TASK, add, table
from tests.postgres import Place

FIRST = {1: {"left": 0.8, "right": -0.4}, 2: {"left": 0.5, "right": 0.1}}
SECOND = {1: {"left": 0.1, "right": 0.7}, 2: {"left": 0.6, "right": 0.2}, 3: {"left": -0.2, "right": 0.3}}


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld("2026-01-10T00:00:00Z", seed=2)


@pytest.fixture
def memory(place: Place, world: SimulatedWorld) -> Memory:
    return place.open(world=world, experience_days=5.0)


@pytest.fixture
def agent(memory: Memory) -> Agent:
    return memory.agent("ann")


def decide(agent: Agent, size: int = 1, times: int = 1, known: bool = True) -> list[Any]:
    found = []
    for _ in range(times):
        found.append(agent.advise(TASK, state={"size": size}, options=["left", "right"]))
        if known:
            agent.observe(found[-1], Outcome(success=found[-1].action == "left", evidence="verified"))
    return found


# -- show and diff ----------------------------------------------------------------------------------------------------


def test_the_version_that_advises_is_shown(memory: Memory, agent: Agent) -> None:
    with pytest.raises(UnknownPolicy, match="No policy is live for 'build'"):
        memory.policy_show(TASK)
    add(memory, table(FIRST))
    add(memory, table(SECOND), REFUSED)
    mine = add(memory, table(SECOND), agent="ann")
    assert [memory.policy_show(TASK).version, memory.policy_show(TASK, agent="ann").version] == [1, mine]
    assert memory.policy_show(TASK, agent="bob").version == 1
    refused = memory.policy_show(TASK, 2)
    assert (refused.state, refused.metrics["reason"]) == ("candidate", "12 outcomes are too few")
    for version in (0, "1", True, 4):
        with pytest.raises((InvalidField, UnknownPolicy)):
            memory.policy_show(TASK, version)  # type: ignore[arg-type]


def test_a_diff_tells_the_states_whose_choice_changes(memory: Memory, agent: Agent) -> None:
    decide(agent, 1, 6)
    decide(agent, 2, 3)
    decide(memory.agent("bob"), 3, 1)
    add(memory, table(FIRST))
    add(memory, table(SECOND))
    diff = memory.policy_diff(TASK)
    assert diff.before is not None
    assert (diff.before.version, diff.after.version) == (1, 2)
    assert (diff.states, diff.changed, diff.gained, diff.lost) == (3, 2, 1, 0)
    assert diff.share == pytest.approx(0.7)
    assert [(one.state, one.outcomes, one.before.action, one.after.action) for one in diff.changes] == [
        ({"size": 1}, 6, "left", "right"),
        ({"size": 3}, 1, None, "right"),
    ]
    first = diff.changes[0]
    assert (first.before.value, first.after.value, first.after.chance, first.after.visits) == (0.8, 0.7, 0.9, 20.0)
    back = memory.policy_diff(TASK, 1, 2)
    assert (back.changed, back.gained, back.lost) == (2, 0, 1)
    assert memory.policy_diff(TASK, 2, 2).changed == 0
    online = memory.policy_diff(TASK, 2, 0)
    assert online.before is None
    assert (online.changed, online.gained) == (3, 3)


def test_states_without_outcomes_are_compared_as_well(memory: Memory, agent: Agent) -> None:
    add(memory, table(FIRST))
    add(memory, table(SECOND))
    diff = memory.policy_diff(TASK)
    assert (diff.states, diff.changed, diff.share) == (3, 2, None)
    assert {one.state for one in diff.changes} == {None}
    with pytest.raises(UnknownPolicy):
        memory.policy_diff(TASK, 2, 9)


# -- why --------------------------------------------------------------------------------------------------------------


def test_a_decision_of_the_online_learner_is_explained(memory: Memory, agent: Agent) -> None:
    (blind,) = decide(agent)
    decide(agent, times=5)
    (advice,) = decide(agent)
    why = memory.policy_explain(advice.decision_id)
    assert (why.version, why.policy, why.events, why.agent, why.state) == (0, None, (), "ann", {"size": 1})
    assert "The online learner decided: no policy was live for build" in why.why[0]
    assert why.decision is not None
    assert (why.decision.propensity, why.decision.value) == (advice.propensity, advice.value)
    assert {one.action: one.chance for one in why.options} == advice.distribution
    assert why.options[0].evidence
    assert why.exploration == pytest.approx(1.0 - max(advice.distribution.values()))
    assert why.outcome is not None
    assert why.outcome.action == advice.action
    assert "drawn blindly" in memory.policy_explain(blind.decision_id).why[0]
    nothing = agent.advise("other")
    assert "abstained" in memory.policy_explain(nothing.decision_id).why[0]


def test_a_decision_of_a_policy_is_explained_with_its_record(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    decide(agent, times=4)
    add(memory, table(FIRST))
    world.advance(hours=1)
    (advice,) = decide(agent)
    world.advance(hours=1)
    decide(agent, times=3)
    add(memory, table(SECOND))  # what is live now did not decide
    why = memory.policy_explain(advice.decision_id)
    assert why.version == 1
    assert why.policy is not None
    assert [one.event for one in why.events] == ["retired", "promoted", "made"]
    told = " ".join(why.why)
    for part in (
        "Version 1 decided, the tenant's policy for build.", "It was promoted on 2026-01-10 00:00 UTC by dream:d1",
        "its lower bound +0.35".capitalize(), "trained on 320 outcomes of 2026-01-01 to 2026-01-09",
        "Before it, the online learner decided.", "4 outcomes came",
    ):  # fmt: skip
        assert part in told, told
    best = next(one for one in why.options if one.action == "left")
    assert (best.ruled, best.long_run, best.visits) == (0.9, 0.8, 20.0)
    assert best.value is not None
    assert why.exploration == pytest.approx(1.0 - sum(min(o.chance or 0, o.ruled or 0) for o in why.options))
    assert sum(one.n for one in why.since) == 4, "its own, and those after it"


def test_an_archived_decision_is_explained_as_before(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    decide(agent, times=4)
    add(memory, table(FIRST))
    (advice,) = decide(agent)
    before = memory.policy_explain(advice.decision_id)
    world.advance(days=8)
    assert freeze(memory)["experiences"] == 5
    after = memory.policy_explain(advice.decision_id)
    assert before.decision is not None
    assert after.decision is not None
    assert (before.decision.archived, after.decision.archived) == (False, True)
    assert after.outcome == before.outcome
    assert [(one.action, one.chance, one.long_run) for one in after.options] == [
        (one.action, one.chance, one.long_run) for one in before.options
    ]
    assert after.why == before.why


def test_what_would_be_advised_is_explained(memory: Memory, agent: Agent) -> None:
    assert "Nothing is known of build" in memory.policy_explain(task_type=TASK).why[0]
    decide(agent, times=4)
    now = memory.policy_explain(task_type=TASK, state={"size": 1}, agent="ann")
    assert now.why == ("The online learner decides: no policy is live for build.",)
    chances = agent.advise(TASK, state={"size": 1}, options=[one.action for one in now.options]).distribution
    assert {one.action: one.chance for one in now.options} == pytest.approx(chances)
    add(memory, table(FIRST))
    ruled = memory.policy_explain(task_type=TASK, state={"size": 1}, agent="ann")
    assert ruled.version == 1
    advice = agent.advise(TASK, state={"size": 1}, options=["left", "right"])
    assert {one.action: one.chance for one in ruled.options} == pytest.approx(advice.distribution)
    other = memory.policy_explain(task_type=TASK, state={"size": 9}, agent="ann")
    assert other.version == 0
    assert "version 1 is live, but does not know this state" in other.why[0]
    new = memory.policy_explain(task_type=TASK, state={"size": 1})
    assert (new.agent, new.since) == (None, ())
    assert new.options[0].action == "left"


def test_options_with_features_of_their_own_are_explained_each_in_its_state(memory: Memory, agent: Agent) -> None:
    options = {"left": {"width": 1}, "right": {"width": 4}}
    for _ in range(8):
        advice = agent.advise(TASK, state={"size": 1}, options=options)
        agent.observe(advice, Outcome(success=advice.action == "left", evidence="verified"))
    advice = agent.advise(TASK, state={"size": 1}, options=options)
    why = memory.policy_explain(advice.decision_id)
    assert {one.action: one.chance for one in why.options} == advice.distribution
    assert {one.action: one.value for one in why.options} == pytest.approx(
        {one.action: one.value for one in advice.ranking}, abs=0.01
    ), "nothing has come since"


@pytest.mark.parametrize(
    "wrong",
    [{}, {"decision_id": "x", "task_type": "y"}, {"decision_id": "x", "state": {}}, {"task_type": ""},
     {"task_type": "t", "state": {"a": {}}}, {"decision_id": "x", "agent": "ann"}, {"task_type": "t", "tenant": ""}],
)  # fmt: skip
def test_half_a_question_is_refused(memory: Memory, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidField):
        memory.policy_explain(**wrong)


def test_a_decision_of_another_tenant_is_unknown(memory: Memory, agent: Agent) -> None:
    (advice,) = decide(agent)
    for asked in ({"decision_id": advice.decision_id, "tenant": "other"}, {"decision_id": "nothing"}):
        with pytest.raises(UnknownDecision):
            memory.policy_explain(**asked)


def test_the_record_is_the_same_to_another_process(memory: Memory, agent: Agent, place: Place) -> None:
    decide(agent, times=4)
    add(memory, table(FIRST), PASSED)
    (advice,) = decide(agent)
    here = memory.policy_explain(advice.decision_id)
    memory.close()
    code = """
        import engrain
        with engrain.open(**given["where"], embedder="hash") as memory:
            why = memory.policy_explain(given["id"])
            say([list(why.why), [[one.action, one.chance, one.value] for one in why.options], why.version])
    """
    told = run(code, {"where": place.arguments, "id": advice.decision_id})
    assert told == [[list(here.why), [[one.action, one.chance, one.value] for one in here.options], here.version]]


# -- promote ----------------------------------------------------------------------------------------------------------


def test_nothing_is_promoted_past_the_gate(memory: Memory, agent: Agent) -> None:
    pytest.importorskip("engrain.learn.gate")
    decide(agent, times=4)
    version = add(memory, table(FIRST), REFUSED)
    with pytest.raises(PolicyRefused) as caught:
        memory.policy_promote(TASK, version)
    assert "outcomes since it was made: Not enough is known" in str(caught.value)
    assert memory.policies(TASK, state="live") == []
    assert [one.event for one in memory.policy_history(TASK)] == ["refused", "refused", "made"]
    with pytest.raises(UnknownPolicy):
        memory.policy_promote(TASK, 7)
