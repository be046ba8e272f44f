"""A task with episodes: what is learned counts to the end of each, and a policy that falls is taken back."""

from __future__ import annotations

import random

import pytest

from engrain import Agent, Outcome
from engrain.memory import Memory
from engrain.testing import SimulatedWorld

GOAL, STEPS = 5, 40


def moved(at: int, action: str, chance: random.Random) -> tuple[int, float, bool]:
    """A walk to GOAL that slips one time of ten."""
    on = (action == "on") is not (chance.random() < 0.1)
    at = at + 1 if on else max(0, at - 1)
    return at, (2.0 if at == GOAL else -0.1), at == GOAL


def wandered(agent: Agent, episodes: int, seed: int) -> None:
    """Episodes of somebody who walked by lot."""
    chance, rows = random.Random(seed), []
    for number in range(episodes):
        at, done = 0, False
        for _ in range(STEPS):
            action, here = chance.choice(["on", "back"]), at
            at, reward, done = moved(at, action, chance)
            outcome = {"reward": reward, "evidence": "executed"}
            rows.append({"task_type": "walk", "state": {"at": here}, "action": action, "outcome": outcome,
                         "propensity": 0.5, "episode": f"{seed}-{number}"})  # fmt: skip
            if done:
                break
    agent.observe_many(rows)


def walked(agent: Agent, episodes: int, name: str, broken: bool = False) -> list[float]:
    """Episodes as advised; their rewards summed. ``broken``: nothing that is done leads anywhere."""
    chance, sums = random.Random(name), []
    for number in range(episodes):
        at, done, total = 0, False, 0.0
        for _ in range(STEPS):
            advice = agent.advise("walk", state={"at": at}, options=["on", "back"], episode=f"{name}-{number}")
            at, reward, done = moved(at, str(advice.action), chance)
            if broken:
                at, reward, done = 0, -1.0, False
            agent.observe(advice, Outcome(reward=reward, evidence="executed"))
            total += reward
            if done or (broken and chance.random() < 0.2):
                break
        sums.append(total)
    return sums


@pytest.fixture
def walker(memory: Memory, agent: Agent, world: SimulatedWorld) -> Agent:
    for seed in range(3):
        wandered(agent, 50, seed)
        world.advance(days=1)
    (finding,) = memory.dream().findings["findings"]
    assert (finding["outcome"], finding["unit"]) == ("promoted", "episode")
    return agent


def test_it_learns_to_the_end_of_an_episode(memory: Memory, walker: Agent) -> None:
    sums = walked(walker, 20, "good")
    assert sum(sums) / len(sums) > 1.0  # by lot: about -1
    (info,) = memory.policies(state="live")
    assert info.data["unit"] == "episode"
    assert info.told > 0


@pytest.mark.slow
def test_a_policy_that_leads_nowhere_any_more_is_taken_back(
    memory: Memory, walker: Agent, world: SimulatedWorld
) -> None:
    walked(walker, 20, "good")
    world.advance(hours=2)
    (run,) = memory.tick(["learn"])
    assert run.state == "done"
    assert [one.version for one in memory.policies(state="live")] == [1]
    walked(walker, 90, "bad", broken=True)
    world.advance(hours=2)
    memory.tick(["learn"])
    events = [(one.version, one.event, one.actor) for one in memory.policy_history()]
    assert (1, "rolled-back", "watch") in events
    assert "version 1 was rolled back" in memory.dream_report().markdown
    assert memory.journal.waits() == (0, 0)


# -- episodes that are cut off -----------------------------------------------------------------------------------------


def round_and_round(agent: Agent, turns: int, seed: int, length: int, lead: float = 0.0, base: float = 0.5) -> None:
    """A task without an end, told in pieces of so many steps (0: without episodes); ``a`` earns ``lead`` more."""
    chance, rows = random.Random(seed), []
    for turn in range(turns):
        action = chance.choice("ab")
        reward = base + (lead if action == "a" else 0.0) + chance.uniform(-0.5, 0.5)
        rows.append({
            "task_type": "round", "state": {"at": turn % 5}, "next_state": {"at": (turn + 1) % 5}, "action": action,
            "outcome": {"reward": reward, "evidence": "verified"}, "propensity": 0.5,
            **({"episode": f"{seed}-{turn // length}"} if length else {}),
        })  # fmt: skip
    agent.observe_many(rows)


@pytest.mark.parametrize("length", [10, 0])
@pytest.mark.parametrize("base", [1.0, -1.0])
def test_an_episode_that_was_cut_off_is_not_taken_for_one_that_ended(
    memory: Memory, agent: Agent, length: int, base: float
) -> None:
    round_and_round(agent, 1000, 1, length, base=base)  # whatever is done earns the same
    (finding,) = memory.dream().findings["findings"]
    assert finding["outcome"] == "refused"
    assert finding["before"]["value"] == pytest.approx(base / (1.0 - 0.95), rel=0.1)
    round_and_round(agent, 4000, 2, length, lead=0.5, base=base)
    (finding,) = memory.dream().findings["findings"]
    assert (finding["outcome"], finding["before"]["value"] < finding["after"]["low"]) == ("promoted", True)


def test_a_policy_of_pieces_is_not_taken_back_for_their_shortness(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    round_and_round(agent, 3000, 2, 10, lead=0.5)
    memory.dream()
    (info,) = memory.policies(state="live")

    def lived(pieces: int, seed: int, base: float) -> None:
        chance = random.Random(seed)
        for piece in range(pieces):
            world.advance(minutes=1)
            for turn in range(10):
                state = {"at": turn % 5}
                advice = agent.advise("round", state=state, options=["a", "b"], episode=f"live-{seed}-{piece}")
                reward = base + (0.5 if advice.action == "a" else 0.0) + chance.uniform(-0.3, 0.3)
                agent.observe(advice, Outcome(reward=reward, evidence="verified"))

    lived(15, 1, 0.5)
    memory.dream()
    assert [one.version for one in memory.policies(state="live")] == [info.version]
