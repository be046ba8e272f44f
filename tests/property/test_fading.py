"""Importance as the statements read it is importance as the rules compute it, on both engines, for any row."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from engrain.model.fading import DAY
from engrain.model.life import Life
from engrain.testing import SimulatedWorld
from tests.postgres import Place

ROWS = """
select m.id, coalesce(s.importance, m.importance), m.importance, coalesce(s.weighed_at, m.told_at), m.told_at,
    m.created_at, coalesce(s.last_used_at, 0), coalesce(a.fades_since, 0), m.decay_rate, m.pinned, m.archived_at
from memories m join agents a on a.tenant = m.tenant and a.name = m.agent left join signals s on s.memory_id = m.id
"""


@contextmanager
def raw(place: Place) -> Iterator[Any]:
    """A connection of our own: what is stored, not what a statement makes of it."""
    if place.url:
        with psycopg.connect(place.url, autocommit=True) as connection:
            connection.execute("set engrain.tenant = '*'")
            yield connection
    else:
        with closing(sqlite3.connect(place.home / "engrain.db")) as file, file:
            yield file


def life(row: tuple[Any, ...]) -> Life:
    id_, importance, told_importance, weighed, told, created, used, since, rate, pinned, archived = row
    return Life(
        id_, "ann", "default", "fact", "active", importance, told_importance, weighed, told, created,
        max(told, used, since), rate, pinned == 1, archived_at=archived,
    )  # fmt: skip


def used_at_random(place: Place, world: SimulatedWorld, rng: random.Random) -> None:
    """Sixty items, told over time and used or not, with what a use adds to them."""
    with place.open(world=world) as memory:
        agent = memory.agent("ann")
        ids: list[str] = []
        for _ in range(6):
            ids += [
                agent.remember(
                    f"the memory {len(ids)}:{n}", importance=rng.choice([1.0, 2.5, 5.0, 9.75, 10.0]),
                    decay_rate=rng.choice([None, None, 0.0, 0.05, 1.0, 10.0]), pinned=rng.random() < 0.1,
                ).id
                for n in range(10)
            ]  # fmt: skip
            world.advance(days=rng.choice([0.01, 3, 8.5, 31, 60]))
            for id_ in rng.sample(ids, len(ids) // 2):
                agent.helpful(id_, rng.random() < 0.5)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_read_is_what_the_rules_say(place: Place, seed: int) -> None:
    world, rng = SimulatedWorld(), random.Random(seed)
    used_at_random(place, world, rng)
    faded = 0
    for days in (0, 6.9, 7.1, 30.1, 400):
        now = world.now() + round(days * DAY)
        with raw(place) as connection:
            connection.execute(f"update agents set decayed_at = {now}")
            stored = {row[0]: life(row) for row in connection.execute(ROWS).fetchall()}
        with place.open(world=world) as memory:
            read = {item.id: item.importance for item in memory.agent("ann").list(limit=1000)}
        assert read.keys() == stored.keys()
        assert len(read) == 60
        for id_, one in stored.items():
            assert read[id_] == pytest.approx(one.importance_at(now), abs=1e-9), (days, one)
            faded += read[id_] < one.importance
    assert faded > 100


def test_an_archived_item_fades_no_more(place: Place) -> None:
    world = SimulatedWorld()
    with place.open(world=world) as memory:
        agent = memory.agent("ann")
        agent.remember("an item of middling importance")
        world.advance(days=20)
    with raw(place) as connection:
        connection.execute(f"update memories set archived_at = {world.now()}")
        connection.execute(f"update agents set decayed_at = {world.now() + 90 * DAY}")
        (one,) = [life(row) for row in connection.execute(ROWS).fetchall()]
    with place.open(world=world) as memory:
        (item,) = memory.agent("ann").list()
    assert item.importance == pytest.approx(5.0 - 0.1 * 13)
    assert one.importance_at(world.now() + 900 * DAY) == pytest.approx(item.importance)
