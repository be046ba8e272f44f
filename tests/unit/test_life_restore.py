"""Bringing archived memories back, also when their place was taken, on both engines and from both tiers."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import pytest

from engrain import Agent
from engrain.errors import InvalidField, QuotaExceeded, UnknownItem
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests import life
from tests.life import events, sweep, world_time
from tests.postgres import Place


@pytest.fixture(autouse=True, params=["hot", "cold"])
def tier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything here holds for what waits in the store and for what has left it."""

    def freezing(memory: Memory, *names: str, **how: Any) -> dict[str, int]:
        counts = life.sweep(memory, *names, **how)
        life.freeze(memory)
        return counts

    if request.param == "cold":
        monkeypatch.setattr(sys.modules[__name__], "sweep", freezing)


def test_restoring_gives_a_new_expiry_and_thirty_days(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    short = agent.remember("the server is down today", expires_in="1d")
    faint = agent.remember("a trifle", importance=1.0)
    world.advance(days=91)
    sweep(memory)
    world.advance(days=14)
    sweep(memory)
    back = agent.restore(short.id)
    assert back.expires_at is not None
    assert back.expires_at - world_time(world) == timedelta(days=30)
    assert (back.state, back.last_used_at, back.read) == ("active", world_time(world), 1)
    assert [hit.item.id for hit in agent.recall("is the server down")][:1] == [short.id]
    assert agent.restore(faint.id).expires_at is None
    with pytest.raises(UnknownItem):
        agent.restore(faint.id)
    world.advance(days=29)
    assert sweep(memory) == {}
    world.advance(days=2)
    assert sweep(memory) == {"expired": 1}
    again = agent.restore(short.id, expires_in="2h")
    assert again.expires_at == world_time(world) + timedelta(hours=2)
    assert events(agent, short.id) == ["expired", "archived", "restored"] * 2
    world.advance(days=95)
    assert sweep(memory) == {"expired": 1, "decayed": 1}


def conflicting(agent: Agent, memory: Memory, world: SimulatedWorld) -> tuple[str, str]:
    """(archived, present) under one key."""
    old = agent.remember("the port is 80", kind="fact", key="port", tags=["a"], metadata={"x": 1}, expires_in="1d")
    agent.helpful(old.id)
    world.advance(days=2)
    sweep(memory)
    new = agent.remember("the port is 81", kind="fact", key="port", tags=["b"], metadata={"x": 2, "y": 2})
    return old.id, new.id


@pytest.mark.parametrize("policy", ["skip", "keep-newer"])
def test_a_key_taken_meanwhile_keeps_the_archived_one_where_it_is(
    memory: Memory, agent: Agent, world: SimulatedWorld, policy: str
) -> None:
    old, new = conflicting(agent, memory, world)
    with pytest.raises(InvalidField, match=f"{new}.*stays archived"):
        agent.restore(old, on_conflict=policy)
    assert [one.id for one in agent.archived()] == [old]
    assert [one.id for one in agent.list()] == [new]


def test_a_key_taken_meanwhile_can_be_taken_back(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    old, new = conflicting(agent, memory, world)
    assert agent.restore(old, on_conflict="overwrite").state == "active"
    found = agent.lookup("fact", "port")
    assert found is not None
    assert (found.id, found.content) == (old, "the port is 80")
    assert [(one.id, one.state, one.superseded_by) for one in agent.history("fact", "port")] == [
        (old, "active", None), (new, "superseded", old),
    ]  # fmt: skip
    assert [hit.item.id for hit in agent.recall("port")] == [old]
    assert memory.doctor().ok


def test_two_under_one_key_can_be_merged(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    old, new = conflicting(agent, memory, world)
    found = agent.restore(old, on_conflict="merge")
    assert (found.id, found.content) == (new, "the port is 81")
    assert (found.tags, dict(found.metadata), found.helpful) == (("b", "a"), {"x": 2, "y": 2}, 1)
    assert [(one.id, one.state) for one in agent.history("fact", "port")] == [(new, "active"), (old, "superseded")]
    assert [hit.item.id for hit in agent.recall("port")] == [new]
    assert agent.archived() == []
    assert memory.doctor().ok


def test_what_was_told_again_meanwhile_is_not_there_twice(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    old = agent.remember("the cache is cold", expires_in="1d", tags=["x"])
    world.advance(days=2)
    sweep(memory)
    new = agent.remember("the cache is cold")
    assert new.id != old.id
    with pytest.raises(InvalidField, match="same content"):
        agent.restore(old.id)
    assert agent.restore(old.id, on_conflict="merge").tags == ("x",)
    assert [one.id for one in agent.list()] == [new.id]


def test_an_expired_rival_gives_way(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    old = agent.remember("the port is 80", key="port", expires_in="1d")
    world.advance(days=2)
    sweep(memory)
    agent.remember("the port is 81", key="port", expires_in="1d")
    world.advance(days=2)
    assert agent.restore(old.id, on_conflict="skip").state == "active"
    assert [one.id for one in agent.list()] == [old.id]


def test_older_versions_are_archived_after_ninety_days_and_can_come_back(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    first = agent.remember("the team meets on monday", kind="fact", key="meeting", importance=9.0)
    second = agent.remember("the team meets on friday", kind="fact", key="meeting", importance=9.0)
    world.advance(days=91)
    assert sweep(memory) == {"archived": 1}
    assert [one.id for one in agent.history("fact", "meeting")] == [second.id]
    assert [(one.id, one.archived_reason) for one in agent.archived(reason="superseded")] == [(first.id, "superseded")]
    assert agent.archived(reason="expired") == []
    assert agent.restore(first.id, on_conflict="overwrite").superseded_by is None
    assert [hit.item.id for hit in agent.recall("when does the team meet")] == [first.id], "it has words again"


def test_restoring_keeps_to_the_quota(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world, quota_agent_items=1)
    agent = memory.agent("ann")
    old = agent.remember("the port is 80", key="port", expires_in="1d")
    world.advance(days=2)
    sweep(memory)
    other = agent.remember("the host is green")
    with pytest.raises(QuotaExceeded):
        agent.restore(old.id)
    assert [one.id for one in agent.archived()] == [old.id]
    agent.forget(other.id)
    agent.remember("the port is 81", key="port")
    assert agent.restore(old.id, on_conflict="overwrite").state == "active", "it takes the place of another"
    with pytest.raises(QuotaExceeded):
        agent.remember("one more")


def test_what_is_merged_into_is_revived(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    old = agent.remember("the port is 80", key="port", expires_in="1d")
    world.advance(days=2)
    sweep(memory)
    new = agent.remember("the port is 81", key="port", importance=1.0)
    world.advance(days=91)
    sweep(memory, "decay")
    assert agent.restore(old.id, on_conflict="merge").state == "active"
    assert events(agent, new.id) == ["decayed", "revived"]
