"""Learning beside the archive, at random, against a plain model: whatever is observed, archived, erased, forgotten and
made anew, in whatever order, and whichever archiver is killed at whichever step."""

from __future__ import annotations

import random
from typing import Any

import pytest

import engrain
from engrain import Outcome
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from engrain.world import from_micros
from tests import children
from tests.life import START
from tests.postgres import Place

AGENTS = [("default", "ann"), ("default", "bob"), ("other", "ann")]
TASKS = ["build", "ship"]
KILLED = """
import engrain
from engrain.archive.archiver import Archiver
from engrain.testing import SimulatedWorld
left = given["steps"]
def step(name):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
with engrain.open(**given["place"], embedder="hash", world=SimulatedWorld(given["now"], seed=given["seed"])) as memory:
    Archiver(memory.store, memory.world, memory.tables, memory.config.experience_days, step).run()
"""


class Trial:
    """One home, and what it should know: each agent's experiences, by their ids."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place, self.dice = place, random.Random(seed)
        self.memory: Memory = place.open(world=SimulatedWorld(START, seed=seed))
        self.known: dict[tuple[str, str], dict[str, tuple[str, str, float | None]]] = {who: {} for who in AGENTS}
        self.openings = 1000 * (seed + 1)

    def now(self) -> str:
        return from_micros(self.memory.world.now()).isoformat()

    def agent(self, who: tuple[str, str]) -> engrain.Agent:
        return self.memory.agent(who[1], tenant=who[0])

    def outcome(self) -> Outcome:
        evidence = self.dice.choice(["claimed", "executed", "verified"])
        return Outcome(success=self.dice.random() < 0.5, evidence=evidence, reward=round(self.dice.uniform(-2, 2), 3))

    def decide(self, who: tuple[str, str]) -> None:
        agent, task = self.agent(who), self.dice.choice(TASKS)
        advice = agent.advise(task, state={"size": self.dice.randrange(3)}, options=["a", "b"])
        done = agent.observe(advice, self.outcome())
        self.known[who][done.id] = (advice.decision_id, done.action, done.reward)

    def revise(self, who: tuple[str, str]) -> None:
        """Some old decisions and a step in one call, so that some are archived and some are not."""
        advised = [(id_, one) for id_, one in self.known[who].items() if one[0]]
        chosen = self.dice.sample(advised, min(len(advised), 3))
        rows: list[dict[str, Any]] = [
            {"decision_id": one[0], "outcome": self.outcome(), "action": self.dice.choice("ab")} for _, one in chosen
        ]
        rows.append({"task_type": "ship", "state": {}, "action": "c", "outcome": self.outcome()})
        done = self.agent(who).observe_many(rows)
        assert [one.id for one in done[:-1]] == [id_ for id_, _ in chosen], "an outcome replaces the one before"
        for one in done:
            self.known[who][one.id] = (one.decision_id or "", one.action, one.reward)

    def forget(self, who: tuple[str, str]) -> None:
        if self.dice.random() < 0.3:
            self.agent(who).forget(everything=True)
            self.known[who] = {}

    def archive(self, who: tuple[str, str]) -> None:
        self.memory.world.advance(days=self.dice.choice([1, 20, 40]))  # type: ignore[attr-defined]
        assert self.memory.archiver is not None
        self.memory.archiver.run()

    def compact(self, who: tuple[str, str]) -> None:
        if self.memory.compactor is not None:
            self.memory.compactor.compact()

    def kill(self, who: tuple[str, str]) -> None:
        self.memory.world.advance(days=31)  # type: ignore[attr-defined]
        self.openings += 1
        given = {"place": self.place.arguments, "now": self.now(), "seed": self.openings}
        process = children.spawn(KILLED, {**given, "steps": self.dice.randrange(12)})
        _, err = process.communicate(timeout=50)
        assert process.returncode in (0, 9), err

    def reopen(self, who: tuple[str, str]) -> None:
        now = self.now()
        self.memory.close()
        self.openings += 1
        self.memory = self.place.open(world=SimulatedWorld(now, seed=self.openings))

    def rebuild(self, who: tuple[str, str]) -> None:
        used = {tenant: self.memory.learner.rebuild(tenant) for tenant in ("default", "other")}
        assert used == {t: sum(len(self.known[one]) for one in AGENTS if one[0] == t) for t in used}

    def check(self) -> None:
        for who in AGENTS:
            found = self.agent(who).experiences(limit=10_000, archived=True)
            told = {one.id: (one.decision_id or "", one.action, one.reward) for one in found}
            assert len(found) == len(told), "nothing is told of twice"
            assert told == self.known[who]

    def sums(self) -> list[Any]:
        return [sorted(str(one) for one in self.agent(who).q_values() if one.visits) for who in AGENTS]


def live(place: Place, seed: int, steps: int, kills: int) -> None:
    trial = Trial(place, seed)
    quiet = [trial.archive, trial.compact, trial.rebuild, trial.reopen]  # by which nothing that is learned changes
    acts = [trial.decide] * 6 + [trial.revise] * 4 + quiet * 2 + [trial.forget] + [trial.kill] * kills
    for _ in range(steps):
        act, who = trial.dice.choice(acts), trial.dice.choice(AGENTS)
        before = trial.sums() if act in [*quiet, trial.kill] else None
        act(who)
        trial.check()
        assert before is None or trial.sums() == before, act.__name__
    before = trial.sums()
    trial.rebuild(AGENTS[0])
    assert trial.sums() == before


def test_learning_is_that_of_the_model(place: Place) -> None:
    live(place, 1, 40, 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
def test_learning_is_that_of_the_model_whoever_is_killed(place: Place, seed: int) -> None:
    live(place, seed, 80, 2)
