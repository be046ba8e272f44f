"""The regression watch: what it rolls back, how soon, and how seldom falsely."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from engrain import Agent, Outcome
from engrain.learn.policies import Made
from engrain.learn.rule import TableRule
from engrain.learn.state import checked_state
from engrain.learn.watch import AGAIN, EVER, Bets, stakes, winnings
from engrain.lifecycle.alerts import alerts
from engrain.memory import Memory
from engrain.model.policy import ROLLED_BACK, Estimate, Verdict

PROMISED = 0.5
STATE = {"size": 1}


def live(
    memory: Memory, promised: float = PROMISED, agent: str | None = None, tenant: str = "acme", **data: Any
) -> int:
    """A live version that always says ``b``, which was promoted over an estimate of ``promised``."""
    rule = TableRule({checked_state(STATE).key: {"a": (0.0, 0.0, 1.0), "b": (1.0, 1.0, 1.0)}})
    better, before = (Estimate("dr", value, None, None, 100, 100.0) for value in (promised + 1, promised))
    verdict = Verdict(True, "better", better, before)
    with memory.store.transaction(tenant) as tx:
        version = memory.versions.add(tx, Made(tenant, agent, "t", rule, data, 0, 0.9), verdict, "test")
        memory.versions.promote(tx, tenant, "t", version, "better", "test")
    return version


def told(agent: Agent, *rewards: float, evidence: str = "verified") -> list[str]:
    """The policies that decided, of decisions that came to these rewards."""
    policies = []
    for reward in rewards:
        advice = agent.advise("t", state=STATE, options=["a", "b"])
        agent.observe(advice, Outcome(reward=reward, evidence=evidence))
        policies.append(advice.policy)
    return policies


def begin(agent: Agent) -> None:
    agent.observe_step("t", state=STATE, action="a", outcome=Outcome(success=True, evidence="verified"))


# -- the bets ----------------------------------------------------------------------------------------------------------


def runs(rewards: np.ndarray[Any, Any], promised: float) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """When each row of rewards [n, t] is rolled back by either rule: the number of its outcome, t when never."""
    won = np.stack([np.log1p(stake * (promised - rewards)) for stake in stakes(promised)])
    ever = np.cumsum(won, axis=2)
    floor = np.minimum.accumulate(np.concatenate([np.zeros((*ever.shape[:2], 1)), ever[:, :, :-1]], axis=2), axis=2)
    found = []
    for logs, level in ((ever, EVER), (ever - floor, AGAIN)):
        over = np.log(np.exp(logs).mean(axis=0)) >= -math.log(level)
        found.append(np.where(over.any(axis=1), over.argmax(axis=1), rewards.shape[1]))
    return found[0], found[1]


def test_one_by_one_it_is_the_same_as_at_once() -> None:
    rewards = np.random.default_rng(3).choice([-2.0, 2.0], size=(4, 80), p=[0.5, 0.5])
    ever, since = runs(rewards, 1.0)
    for row, first, second in zip(rewards, ever, since, strict=True):
        bets, at = Bets(), None
        for number, reward in enumerate(row.tolist()):
            bets = bets.after(winnings(reward, 1.0))
            if at is None and bets.verdict():
                at = number
        assert (len(row) if at is None else at) == min(first, second)


@pytest.mark.parametrize("shape", ["coin", "narrow", "rare"])
def test_a_policy_that_is_worth_just_what_was_promised_is_seldom_rolled_back(shape: str) -> None:
    rng = np.random.default_rng(1)
    size = (400, 1000)
    if shape == "coin":
        rewards, promised = rng.choice([-2.0, 2.0], size=size, p=[0.2, 0.8]), 1.2
    elif shape == "narrow":
        rewards, promised = rng.normal(0.5, 0.1, size=size).clip(-2, 2), 0.5
    else:
        rewards, promised = rng.choice([2.0, -2.0], size=size, p=[0.98, 0.02]), 1.92
    ever, since = runs(rewards, promised)
    assert (ever < 1000).mean() <= EVER + 2.6 * math.sqrt(EVER / 400)
    assert (since < 1000).sum() <= 1000 * 400 * AGAIN + 6


def test_one_that_fell_is_found_soon_however_good_it_was_before() -> None:
    rng = np.random.default_rng(2)
    before = rng.choice([-2.0, 2.0], size=(100, 600), p=[0.05, 0.95])
    after = rng.choice([-2.0, 2.0], size=(100, 400), p=[0.5, 0.5])
    ever, since = runs(np.concatenate([before, after], axis=1), 1.2)
    assert (since < 600).sum() == 0
    assert np.median(since) - 600 < 80
    assert since.max() < 1000
    assert np.median(ever) > np.median(since)  # what went well before stands in the way of the one, not of the other


def test_a_revised_outcome_replaces_its_bet() -> None:
    once = Bets().after(winnings(0.3, PROMISED)).after(winnings(-1.0, PROMISED))
    twice = Bets().after(winnings(0.3, PROMISED)).after(winnings(1.5, PROMISED))
    changed = twice.after(winnings(-1.0, PROMISED), winnings(1.5, PROMISED))
    assert changed.ever == pytest.approx(once.ever)
    kept = [max(one, 0.0) for one in twice.since]  # what was lost before is not given back
    assert changed.since == pytest.approx(
        [one + more for one, more in zip(kept, winnings(-1.0, PROMISED), strict=True)]
    )
    undone = once.after(winnings(0.3, PROMISED), winnings(-1.0, PROMISED))
    assert undone.ever == pytest.approx([2 * one for one in winnings(0.3, PROMISED)])
    assert undone.since == pytest.approx(undone.ever)  # what was won is


def test_no_reward_within_the_range_ruins_it() -> None:
    for promised in (-2.0, -1.0, 0.0, 1.9, 2.0, 3.0):
        for reward in (-2.0, 0.0, 2.0):
            assert all(math.isfinite(one) for one in winnings(reward, promised)), (promised, reward)


# -- in the store ------------------------------------------------------------------------------------------------------


def test_a_bad_policy_is_rolled_back_at_once_with_an_alert(memory: Memory, agent: Agent) -> None:
    begin(agent)
    version = live(memory)
    policies = told(agent, *[-1.5] * 40)
    assert policies[0] == f"v{version}"
    assert policies[-1] == "online-1"
    after = policies.index("online-1")
    assert after < 25
    (info,) = memory.policies(task_type="t")
    assert (info.state, info.told, info.told_mean) == ("retired", after, -1.5)
    (event, *_) = memory.policy_history(task_type="t")
    assert (event.event, event.actor) == ("rolled-back", "watch")
    assert "0.500 was promised" in event.reason
    (alert,) = alerts(memory.store, memory.world.now())
    assert (alert.name, alert.subject) == (ROLLED_BACK, "acme/t")


def test_it_goes_back_to_what_was_live_before_unless_that_had_fallen_too(memory: Memory, agent: Agent) -> None:
    begin(agent)
    first = live(memory, promised=-1.9)
    second = live(memory)
    assert told(agent, *[-1.5] * 30)[-1] == f"v{first}"
    third = live(memory)  # it was made while the first was live
    memory.rollback("t", tenant="acme")
    memory.rollback("t", tenant="acme")
    assert memory.policies(task_type="t", state="live") == []
    with memory.store.transaction("acme") as tx:
        memory.versions.promote(tx, "acme", "t", third, "again", "test")
    assert told(agent, *[-1.5] * 30)[-1] == "online-1"  # the first was rolled back by its owner
    assert second < third


def test_claims_and_what_others_chose_tell_nothing_of_a_policy(memory: Memory, agent: Agent) -> None:
    begin(agent)
    version = live(memory)
    assert set(told(agent, *[-2.0] * 40, evidence="claimed")) == {f"v{version}"}
    for _ in range(40):
        advice = agent.advise("t", state=STATE, options=["a", "b"])
        agent.observe(advice, Outcome(reward=-2.0, evidence="verified"), action="a" if advice.action == "b" else "b")
    agent.observe(agent.advise("t", state=STATE, options=["a", "b"]), Outcome(evidence="verified"))
    (info,) = memory.policies(task_type="t", state="live")
    assert (info.told, info.told_mean) == (0, None)


def test_revisions_are_entered_exactly(memory: Memory, agent: Agent) -> None:
    begin(agent)
    live(memory)
    advice = agent.advise("t", state=STATE, options=["a", "b"])
    agent.observe(advice, Outcome(reward=-2.0, evidence="claimed"))
    agent.observe(advice, Outcome(reward=0.3, evidence="executed"))
    agent.observe(advice, Outcome(reward=0.75, evidence="verified"))
    agent.observe(advice, Outcome(reward=0.75, evidence="verified"))
    other = agent.advise("t", state=STATE, options=["a", "b"])
    agent.observe(other, Outcome(reward=0.25, evidence="verified"))
    (info,) = memory.policies(task_type="t", state="live")
    assert (info.told, info.told_mean) == (2, 0.5)
    agent.observe(other, Outcome(reward=1.0, evidence="claimed"))  # taken back: it is a claim by now
    (info,) = memory.policies(task_type="t", state="live")
    assert (info.told, info.told_mean) == (1, 0.75)


def test_a_policy_of_one_agent_is_rolled_back_for_that_agent(memory: Memory, agent: Agent) -> None:
    begin(agent)
    whole = live(memory, promised=-1.9)
    live(memory, agent="ann")
    assert told(agent, *[-1.5] * 30)[-1] == f"v{whole}"
    (alert,) = alerts(memory.store, memory.world.now())
    assert alert.subject == "acme/ann/t"


def test_policies_of_episodes_are_not_watched_by_single_rewards(memory: Memory, agent: Agent) -> None:
    begin(agent)
    version = live(memory, unit="episode")
    assert set(told(agent, *[-1.5] * 40)) == {f"v{version}"}
    (info,) = memory.policies(task_type="t", state="live")
    assert info.told == 40


# -- revisions ---------------------------------------------------------------------------------------------------------


def advised(agent: Agent, reward: float, n: int) -> list[str]:
    """Decisions of the live policy that came to a verified reward."""
    found = [agent.advise("t", state=STATE, options=["a", "b"]).decision_id for _ in range(n)]
    agent.observe_many([{"decision_id": one, "outcome": Outcome(reward=reward, evidence="verified")} for one in found])
    return found


def revise(agent: Agent, decisions: list[str], reward: float, evidence: str = "verified") -> None:
    for one in decisions:
        agent.observe(one, Outcome(reward=reward, evidence=evidence))


def test_good_outcomes_that_become_a_little_less_good_are_no_fall(memory: Memory, agent: Agent) -> None:
    begin(agent)
    version = live(memory, promised=0.0)
    revise(agent, advised(agent, 2.0, 80), 1.5)
    (info,) = memory.policies(task_type="t", state="live")
    assert (info.version, info.told, info.told_mean) == (version, 80, 1.5)


def test_what_a_revision_takes_back_speaks_against_nobody(memory: Memory, agent: Agent) -> None:
    begin(agent)
    version = live(memory, promised=0.0)
    bad, good = advised(agent, -2.0, 8), advised(agent, 2.0, 8)
    revise(agent, bad, 1.0)  # without them all were good
    revise(agent, good, 2.0, evidence="claimed")  # taken back
    (info,) = memory.policies(task_type="t", state="live")
    assert (info.version, info.told, info.told_mean) == (version, 8, 1.0)


def test_outcomes_of_an_earlier_turn_do_not_end_the_present_one(memory: Memory, agent: Agent) -> None:
    begin(agent)
    version = live(memory, promised=0.0)
    before = advised(agent, 2.0, 40)
    memory.rollback("t", tenant="acme")
    memory.world.advance(hours=1)  # type: ignore[attr-defined]
    memory.rollback("t", version=version, tenant="acme")
    revise(agent, before, -0.5)
    (info,) = memory.policies(task_type="t", state="live")
    assert (info.version, info.told, info.told_mean) == (version, 40, -0.5)


def test_outcomes_that_turn_out_bad_late_end_it(memory: Memory, agent: Agent) -> None:
    begin(agent)
    live(memory)
    revise(agent, advised(agent, 1.0, 40), -1.5)
    (info,) = memory.policies(task_type="t")
    assert (info.state, info.told, info.told_mean is not None and info.told_mean < 0.5) == ("retired", 40, True)
    (event, *_) = memory.policy_history(task_type="t")
    assert (event.event, event.actor) == ("rolled-back", "watch")


@pytest.mark.parametrize("flipped", [0.0, 0.3])
def test_revisions_at_random_roll_nothing_back_falsely(flipped: float) -> None:
    """300 policies worth what was promised; a part of the outcomes is told again, with a reward drawn anew."""
    rng, false = np.random.default_rng(5), 0
    won = {reward: winnings(reward, 0.0) for reward in (-2.0, 2.0)}
    for _ in range(300):
        bets, told = Bets(), list[float]()
        for _ in range(200):
            if told and rng.random() < flipped:
                place, new = int(rng.integers(len(told))), float(rng.choice([-2.0, 2.0]))
                bets, told[place] = bets.after(won[new], won[told[place]]), new
            else:
                told.append(float(rng.choice([-2.0, 2.0])))
                bets = bets.after(won[told[-1]])
            if bets.verdict():
                false += 1
                break
    assert false <= 300 * 0.03
