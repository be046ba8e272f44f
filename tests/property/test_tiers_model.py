"""Whatever is done to memories over months, each is in one tier, once, with its words; what was forgotten is in no file
of the home, and what others have is as it was."""

from __future__ import annotations

import random
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import pytest

from engrain import Agent
from engrain.errors import InvalidField, UnknownItem
from engrain.testing import SimulatedWorld
from tests.life import START, freeze, sweep
from tests.postgres import Place
from tests.tiers import words_in_files

WORD = re.compile(r"word[0-9]+x")
Whose = tuple[str, str]


@dataclass
class Row:
    state: str
    content: str
    cold: bool


class Program:
    """One run of random steps."""

    def __init__(self, place: Place, seed: int) -> None:
        self.rng, self.world, self.words = random.Random(seed), SimulatedWorld(START, seed=seed), 0
        self.memory = place.open(world=self.world, vacuum_days=0.0, superseded_days=5.0, prune_days=60.0, keep_cap=2)
        agents = (("ann", "acme"), ("bob", "acme"), ("ann", "rival"))
        self.agents = [self.memory.agent(name, tenant=tenant) for name, tenant in agents]

    def said(self) -> str:
        self.words += 1
        return f"it was said word{self.words}x"

    def rows(self, agent: Agent) -> dict[str, Row]:
        """Everything of an agent, read from both tiers."""
        memory, whose = self.memory, {"tenant": agent.scope.tenant, "agent": agent.scope.agent}
        hot = memory.store.read(
            "exchange_all", {**whose, "after_state": "", "after_at": -1, "after_id": "", "limit": 10_000}
        )
        assert memory.tables is not None
        cold = [row for row in memory.tables.read("memories").to_pylist() if whose.items() <= row.items()]
        twice = Counter([*(row["id"] for row in hot), *(row["id"] for row in cold)])
        assert set(twice.values()) <= {1}
        found = {row["id"]: Row(row["state"], row["content"], False) for row in hot}
        return found | {row["id"]: Row("archived", row["content"], True) for row in cold}

    def step(self) -> None:
        agent, others = (pair := self.rng.sample(self.agents, 3))[0], pair[1:]
        mine, theirs = self.rows(agent), [self.rows(one) for one in others]
        act = self.rng.choice([self.tell, self.tell, self.change, self.pass_time, self.restore, self.forget, self.move])
        may_go = act(agent, mine)
        now = self.rows(agent)
        assert set(mine) - set(now) <= may_go
        changed = [id_ for id_ in set(mine) & set(now) if mine[id_].content != now[id_].content]
        assert not changed or act == self.change
        for one, before in zip(others, theirs, strict=True):
            after = self.rows(one)
            gone = {id_ for id_ in before if id_ not in after}
            assert act == self.pass_time or not gone
            assert all(before[id_].state == "archived" for id_ in gone)
        archived = sorted(id_ for id_, row in now.items() if row.state == "archived")
        assert sorted(one.id for one in agent.archived(limit=1000)) == archived
        counted = sum(row.cold for one in self.agents for row in self.rows(one).values())
        assert self.memory.stats()["archive"]["memories"] == counted

    def tell(self, agent: Agent, _: dict[str, Row]) -> set[str]:
        key = self.rng.choice([None, None, "k"])
        agent.remember(self.said(), kind="fact", key=key, expires_in=self.rng.choice(["1d", "9d", "90d"]))
        return set()

    def change(self, agent: Agent, mine: dict[str, Row]) -> set[str]:
        for id_ in [id_ for id_, row in mine.items() if row.state == "active"][:1]:
            with suppress(UnknownItem):
                agent.update(id_, content=self.said())
        return set()

    def pass_time(self, _: Agent, mine: dict[str, Row]) -> set[str]:
        self.world.advance(days=self.rng.choice([1, 5, 40]))
        sweep(self.memory)
        return {id_ for id_, row in mine.items() if row.state == "archived"}

    def move(self, _: Agent, __: dict[str, Row]) -> set[str]:
        freeze(self.memory)
        if self.memory.compactor is not None and self.rng.random() < 0.3:
            self.memory.compactor.compact()
        return set()

    def restore(self, agent: Agent, mine: dict[str, Row]) -> set[str]:
        policy = self.rng.choice(["skip", "overwrite", "keep-newer", "merge"])
        for id_ in [id_ for id_, row in mine.items() if row.state == "archived"][:2]:
            with suppress(InvalidField):
                agent.restore(id_, expires_in=timedelta(days=20), on_conflict=policy)
        return set()

    def forget(self, agent: Agent, mine: dict[str, Row]) -> set[str]:
        if mine:
            agent.forget(self.rng.choice(sorted(mine)))
            kept = {word for row in self.rows(agent).values() for word in WORD.findall(row.content)}
            gone = {word for row in mine.values() for word in WORD.findall(row.content)} - kept
            assert [word for word in gone if words_in_files(self.memory, word)] == []
        return set(mine)


@pytest.mark.parametrize("seed", range(2))
def test_everything_is_in_one_place(place: Place, seed: int) -> None:
    program = Program(place, seed)
    for _ in range(25):
        program.step()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
def test_everything_is_in_one_place_for_long(place: Place, seed: int) -> None:
    program = Program(place, seed)
    for _ in range(150):
        program.step()
