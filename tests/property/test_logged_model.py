"""What training reads, at random, against a plain model: whatever is decided, observed, revised, archived, compacted,
forgotten and read by another process, counts and log have each experience exactly once, and what came after it."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import pytest

from engrain import Outcome
from engrain.learn.log import END, Counts, Log
from engrain.learn.reward import TIERS, reward_of
from engrain.learn.state import checked_state
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from engrain.world import from_micros
from tests.life import START
from tests.postgres import Place

TENANTS, AGENTS, TASKS = ["default", "other"], ["ann", "bob"], ["build", "ship"]


@dataclass
class Step:
    """One experience or open decision, as it was told."""

    agent: str
    task: str
    number: int  # in the order in which they were decided
    at: int
    state: dict[str, Any]
    action: str | None
    episode: str | None
    next_state: dict[str, Any] | None = None
    source: str | None = None
    outcome: Outcome | None = None
    decision: str | None = None
    advised: str | None = None
    chance: float | None = None


class Trial:
    """One home, and what it should know, by tenant."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place, self.dice = place, random.Random(seed)
        self.memory: Memory = place.open(world=SimulatedWorld(START, seed=seed))
        self.known: dict[str, list[Step]] = {tenant: [] for tenant in TENANTS}
        self.openings, self.told = 1000 * (seed + 1), 0

    # -- what is done ------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return self.dice.choice([{"size": 1}, {"size": 1, "lang": None}, {"size": 2}, {"tags": ["x", "y"]}, {}])

    def outcome(self) -> Outcome:
        return Outcome(
            success=self.dice.choice([True, False, None]),
            evidence=self.dice.choice(["claimed", "claimed", "executed", "verified"]),
            reward=self.dice.choice([None, round(self.dice.uniform(-2, 2), 3)]),
        )

    def _step(self, task: str, agent: str, state: dict[str, Any], **more: Any) -> Step:
        self.told += 1
        return Step(agent, task, self.told, self.memory.world.now(), state, **more)

    def decide(self, tenant: str) -> None:
        agent, task, state = self.dice.choice(AGENTS), self.dice.choice(TASKS), self.state()
        episode = self.dice.choice([None, "e1", "e2"])
        advice = self.memory.agent(agent, tenant=tenant).advise(task, state=state, options=["a", "b"], episode=episode)
        self.known[tenant].append(
            self._step(task, agent, state, action=advice.action, episode=episode, decision=advice.decision_id,
                       advised=advice.action, chance=advice.propensity)
        )  # fmt: skip

    def observe(self, tenant: str) -> None:
        """Decisions old and new, archived or not, observed once or again."""
        decided = [one for one in self.known[tenant] if one.decision]
        for step in self.dice.sample(decided, min(3, len(decided))):
            outcome, action = self.outcome(), self.dice.choice([None, "a", "b"])
            if step.outcome is not None and step.outcome.success is not None and outcome.success is None:
                continue  # what later feedback adds to a verdict is tested elsewhere
            told = self.memory.agent(step.agent, tenant=tenant).observe(step.decision or "", outcome, action=action)
            step.outcome, step.action = told.outcome, told.action

    def steps(self, tenant: str) -> None:
        agent, rows = self.dice.choice(AGENTS), []
        for _ in range(self.dice.randrange(1, 6)):
            step = self._step(self.dice.choice(TASKS), agent, self.state(), action=self.dice.choice("abc"),
                              episode=self.dice.choice([None, "e1", "e1", "e3"]))  # fmt: skip
            step.next_state = self.dice.choice([None, None, {"size": 2}, {"end": True, "x": None}])
            step.source, step.outcome = self.dice.choice([None, "t1", "t2"]), self.outcome()
            step.chance = self.dice.choice([None, 0.5])
            rows.append(step)
        names = {"task_type": "task", "state": "state", "action": "action", "outcome": "outcome", "episode": "episode",
                 "next_state": "next_state", "task_id": "source", "propensity": "chance"}  # fmt: skip
        told = [{name: getattr(step, own) for name, own in names.items()} for step in rows]
        self.memory.agent(agent, tenant=tenant).observe_many(told)
        self.known[tenant] += rows

    def pass_time(self, tenant: str) -> None:
        self.memory.world.advance(seconds=self.dice.choice([0, 1, 3600]))  # type: ignore[attr-defined]

    def forget(self, tenant: str) -> None:
        if self.dice.random() < 0.2:
            agent = self.dice.choice(AGENTS)
            self.memory.agent(agent, tenant=tenant).forget(everything=True)
            self.known[tenant] = [one for one in self.known[tenant] if one.agent != agent]

    def archive(self, tenant: str) -> None:
        self.memory.world.advance(days=self.dice.choice([1, 20, 40]))  # type: ignore[attr-defined]
        assert self.memory.archiver is not None
        self.memory.archiver.run()

    def compact(self, tenant: str) -> None:
        assert self.memory.compactor is not None
        self.memory.compactor.compact()

    def reopen(self, tenant: str) -> None:
        self.memory.world.advance(seconds=1)  # type: ignore[attr-defined]  # ids of one moment are in no order now
        now = from_micros(self.memory.world.now()).isoformat()
        self.memory.close()
        self.openings += 1
        self.memory = self.place.open(world=SimulatedWorld(now, seed=self.openings))

    # -- what is found -----------------------------------------------------------------------------------------------

    def check(self, tenant: str, task: str, agent: str | None) -> None:
        steps = [one for one in self.known[tenant] if one.task == task]
        rewarded = [one for one in steps if reward(one) is not None]
        assert list(self.memory.logged.agents(tenant, task)) == sorted({one.agent for one in rewarded})
        mine = [one for one in steps if agent in (None, one.agent)]
        log, counts = self.memory.logged.log(tenant, task, agent), self.memory.logged.counts(tenant, task, agent)
        assert [arrays(one) for one in self.memory.logged.both(tenant, task, agent)] == [arrays(counts), arrays(log)]
        reading = self.memory.logged.reading(tenant, task)
        assert [arrays(one) for one in reading.both(agent)] == [arrays(counts), arrays(log)]
        assert told_of(log) == expected(mine)
        compare(counts, mine)
        assert log.data == counts.data

    def check_all(self) -> None:
        for chosen in itertools.product(TENANTS, TASKS, (None, *AGENTS)):
            self.check(*chosen)

    def all(self) -> list[Any]:
        found: list[Any] = []
        for tenant in TENANTS:
            for task in TASKS:
                found += [arrays(read(tenant, task)) for read in (self.memory.logged.counts, self.memory.logged.log)]
        return found


def reward(step: Step) -> float | None:
    return None if step.outcome is None else reward_of(step.outcome)


def key(state: dict[str, Any]) -> str:
    return checked_state(state).key


def in_order(steps: list[Step]) -> dict[tuple[str, str], list[Step]]:
    """Episodes by agent and name."""
    found: dict[tuple[str, str], list[Step]] = defaultdict(list)
    for step in sorted(steps, key=lambda one: (one.at, one.number)):
        found[step.agent, step.episode or f"\0{step.number}"].append(step)
    return found


def following(step: Step, episode: list[Step]) -> str | None:
    if step.next_state is not None:
        return key(step.next_state)
    at = episode.index(step) + 1
    return key(episode[at].state) if at < len(episode) else None


def expected(steps: list[Step]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    tiers = ["claimed", "executed", "verified"]
    for number, episode in enumerate(in_order(steps).values()):
        for step in episode:
            value = reward(step)
            if value is None or step.outcome is None:
                continue
            source = (
                step.source
                or (step.episode and f"e {step.episode}")
                or ("" if claimed(step) else f"itself {len(rows)}")
            )
            own = step.decision is None or step.action == step.advised
            policy = -1 if step.decision is None or step.action != step.advised else 0
            rows.append((number, key(step.state), step.action, following(step, episode), value,
                         tiers.index(step.outcome.evidence), step.chance if own else None, (step.agent, source),
                         step.agent, step.at, policy))  # fmt: skip
    return named(rows)


def named(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Episodes and lineages by numbers in the order in which they come."""
    firsts: list[dict[Any, int]] = [{}, {}]
    agents = sorted({row[8] for row in rows})
    return [(firsts[0].setdefault(row[0], len(firsts[0])), *row[1:7], firsts[1].setdefault(row[7], len(firsts[1])),
             agents.index(row[8]), *row[9:]) for row in rows]  # fmt: skip


def told_of(log: Log) -> list[tuple[Any, ...]]:
    found = []
    for at in range(len(log)):
        chance = None if math.isnan(log.propensity[at]) else float(log.propensity[at])
        after = None if log.next[at] == END else log.keys[log.next[at]]
        found.append((int(log.episode[at]), log.keys[log.state[at]], log.actions[log.action[at]], after,
                      float(log.reward[at]), int(log.evidence[at]), chance, int(log.lineage[at]), int(log.agent[at]),
                      int(log.at[at]), int(log.policy[at])))  # fmt: skip
    return found


def model(steps: list[Step]) -> dict[tuple[str, str, str | None], tuple[float, ...]]:
    """n, weight, total and squares of each (state, action, next state). All claims of one source in one state and
    action weigh as one."""
    told = [(one, row) for episode in in_order(steps).values() for one in episode
            if (row := (one, following(one, episode))) and reward(one) is not None]  # fmt: skip
    sources = Counter(source(one) for one, _ in told if claimed(one))
    sums: dict[tuple[str, str, str | None], list[float]] = defaultdict(lambda: [0.0] * 4)
    for one, (_, after) in told:
        weight = TIERS["claimed"] / sources[source(one)] if claimed(one) else TIERS[evidence(one)]
        value = reward(one) or 0.0
        cell = sums[key(one.state), one.action or "", after]
        for at, more in enumerate((1.0, weight, weight * value, weight * value * value)):
            cell[at] += more
    return {name: tuple(cell) for name, cell in sums.items()}


def evidence(step: Step) -> str:
    return step.outcome.evidence if step.outcome else ""


def claimed(step: Step) -> bool:
    return evidence(step) == "claimed"


def source(step: Step) -> tuple[str, str, str, str]:
    return step.agent, step.source or (step.episode and f"e {step.episode}") or "", key(step.state), step.action or ""


def compare(counts: Counts, steps: list[Step]) -> None:
    found = {}
    for at in range(len(counts.n)):
        after = None if counts.next[at] == END else counts.keys[counts.next[at]]
        cell = (counts.n[at], counts.weight[at], counts.total[at], counts.squares[at])
        found[counts.keys[counts.state[at]], counts.actions[counts.action[at]], after] = cell
    wanted = model(steps)
    assert found.keys() == wanted.keys()
    for name, cell in found.items():
        assert cell == pytest.approx(wanted[name], abs=1e-5), name
    assert all(checked_state(json.loads(text)).key == one for one, text in zip(counts.keys, counts.texts, strict=True))
    assert list(counts.keys) == sorted(counts.keys), "the order does not depend on where rows lie"


def arrays(told: Counts | Log) -> list[Any]:
    """All of it, bit for bit."""
    return [getattr(told, one).tobytes() if hasattr(getattr(told, one), "tobytes") else getattr(told, one)
            for one in told.__slots__]  # fmt: skip


def live(place: Place, seed: int, steps: int) -> None:
    trial = Trial(place, seed)
    quiet = [trial.archive, trial.compact, trial.reopen]
    acts = [trial.decide] * 5 + [trial.observe] * 5 + [trial.steps] * 4 + [trial.pass_time] * 3 + quiet + [trial.forget]
    for _ in range(steps):
        act, tenant = trial.dice.choice(acts), trial.dice.choice(TENANTS)
        before = trial.all() if act in quiet else []
        act(tenant)
        assert not before or trial.all() == before, f"{act.__name__} changes nothing of what is read"
        trial.check(tenant, trial.dice.choice(TASKS), trial.dice.choice([None, *AGENTS]))
    trial.check_all()


def test_what_is_read_is_that_of_the_model(place: Place) -> None:
    live(place, 1, 25)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(2, 12))
def test_what_is_read_is_that_of_the_model_in_long_lives(place: Place, seed: int) -> None:
    live(place, seed, 80)
