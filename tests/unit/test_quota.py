"""Quotas of agents and tenants: exact, on both engines, also when several processes write at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engrain.agent import Agent
from engrain.errors import InvalidInput, QuotaExceeded
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests import children
from tests.postgres import Place


def row(number: int, size: int = 10, **fields: Any) -> dict[str, Any]:
    return {"content": f"{number:0{size}d}", **fields}


def test_an_agent_may_remember_so_many_items(place: Place) -> None:
    agent = place.open(quota_agent_items=3).agent("a")
    agent.remember_many([row(1), row(2)])
    with pytest.raises(QuotaExceeded, match=r"agent 'a' has 2 of 3 active items; this would add 2.*quota_agent_items"):
        agent.remember_many([row(3), row(4)])
    assert agent.count() == 2, "nothing of the batch was stored"
    agent.remember(**row(3))
    agent.remember_many([row(1), row(2), row(3), row(3)])  # told again: nothing new
    with pytest.raises(InvalidInput):
        agent.remember(**row(4))
    assert place.open().agent("a").count() == 3
    agent.forget(agent.list()[0].id)
    assert agent.remember(**row(4)).content.endswith("4")
    with pytest.raises(QuotaExceeded):
        agent.remember(**row(5))
    assert place.open(quota_agent_items=3).agent("b").remember(**row(1)).agent == "b", "another agent has its own"


def test_bytes_are_those_of_utf_8_and_a_change_may_not_grow_beyond(place: Place) -> None:
    agent = place.open(quota_agent_bytes=20).agent("a")
    item = agent.remember("ü" * 6)  # 12 bytes
    with pytest.raises(QuotaExceeded, match="12 of 20 bytes of content; this would add 9"):
        agent.remember("123456789")
    agent.remember("12345678")
    with pytest.raises(QuotaExceeded):
        agent.update(item.id, content="ü" * 7)
    assert agent.update(item.id, importance=9.0).content == "ü" * 6
    assert agent.update(item.id, content="ü" * 5).content == "ü" * 5
    with pytest.raises(QuotaExceeded):
        agent.update(item.id, content="ü" * 6 + "x")
    assert agent.update(item.id, content="ü" * 6).content == "ü" * 6
    with pytest.raises(QuotaExceeded):
        place.open(quota_agent_bytes=20).agent("a").remember("x")


def test_a_new_value_under_a_key_takes_the_place_of_the_old(place: Place) -> None:
    agent = place.open(quota_agent_items=2, quota_agent_bytes=25).agent("a")
    agent.remember_many([row(1, kind="fact", key="k"), row(2, kind="fact", key="l")])
    for number in range(3, 6):
        agent.remember(**row(number, kind="fact", key="k"))
    agent.remember_many([row(number, kind="fact", key="k") for number in (7, 8, 9)])
    with pytest.raises(QuotaExceeded, match="20 of 25 bytes of content; this would add 6"):
        agent.remember(**row(1, 16, kind="fact", key="k"))
    assert agent.lookup("fact", "k").content.endswith("9")  # type: ignore[union-attr]
    with pytest.raises(QuotaExceeded):
        agent.remember(**row(1, kind="fact", key="m"))


def test_what_has_expired_makes_room(place: Place) -> None:
    world = SimulatedWorld("2026-01-01T00:00:00Z", seed=1)
    agent = place.open(world=world, quota_agent_items=2).agent("a")
    agent.remember_many([row(1, expires_in="1h"), row(2, kind="fact", key="k", expires_in="2h")])
    with pytest.raises(QuotaExceeded):
        agent.remember(**row(3))
    world.advance(seconds=3601)
    agent.remember(**row(3))
    with pytest.raises(QuotaExceeded):
        agent.remember(**row(4))
    world.advance(seconds=3600)
    agent.remember(**row(5, kind="fact", key="k"))  # the old value is gone already: this is one more
    with pytest.raises(QuotaExceeded):
        agent.remember(**row(6))


def test_a_tenant_is_the_sum_of_its_agents(place: Place) -> None:
    memory = place.open(quota_tenant_items=4, quota_tenant_bytes=1000)
    for name in ("a", "b", "c"):
        memory.agent(name).remember(**row(1))
    other = place.open(quota_tenant_items=4)
    other.agent("d").remember(**row(1))
    with pytest.raises(QuotaExceeded, match=r"tenant 'default' has 4 of 4 active items"):
        memory.agent("a").remember(**row(2))
    assert memory.agent("a", tenant="another").remember(**row(2)).tenant == "another"
    other.agent("b").forget(other.agent("b").list()[0].id)
    memory.agent("e").remember(**row(1))
    with pytest.raises(QuotaExceeded):
        other.agent("b").remember(**row(2))


RACE = """
import engrain
from engrain.errors import QuotaExceeded
memory = engrain.open(**given["open"], embedder="hash", **given["limits"])
say("ready")
sys.stdin.readline()
stored = 0
for number in range(60):
    agent = memory.agent(given["agents"][number % len(given["agents"])])
    try:
        if number % 7 == 6 and stored:
            stored -= agent.forget_where(tags=[given["me"]])
        stored += len(agent.remember_many([
            {"content": f"{given['me']} {number} {part}", "tags": [given["me"]]} for part in range(number % 3 + 1)]))
    except QuotaExceeded:
        continue
say(stored)
"""


@pytest.mark.parametrize("limit", ["quota_agent_items", "quota_tenant_items"])
def test_processes_that_race_never_exceed_it(place: Place, limit: str) -> None:
    agents = ["x"] if limit == "quota_agent_items" else ["x", "y", "z"]
    given = {"open": place.arguments, "limits": {limit: 25}, "agents": agents}
    racers = [children.spawn(RACE, {**given, "me": f"p{number}"}) for number in range(3)]
    for racer in racers:
        assert children.hear(racer) == "ready"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    told = sum(children.said(racer)[-1] for racer in racers)
    memory = place.open()
    there = sum(memory.agent(name).count() for name in agents)
    assert there == told, "what was acknowledged is there"
    assert 20 < there <= 25, "the quota is used, and not exceeded"


TEXTS = st.sampled_from(["a", "bb", "ccc", "üü", "dddd"])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["tell", "key", "change", "forget", "wait"]), st.integers(0, 1), TEXTS, st.integers(0, 3)
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=25)
@given(STEPS)
def test_what_is_counted_is_what_is_there(tmp_path_factory: pytest.TempPathFactory, steps: list[Any]) -> None:
    """Two memories in turn on one home: a write is refused exactly when what is there and it are too much."""
    world = SimulatedWorld("2026-01-01T00:00:00Z", seed=1)
    home = tmp_path_factory.mktemp("quota")
    place = Place(home)
    limits = {"quota_agent_items": 4, "quota_agent_bytes": 12, "quota_tenant_bytes": 16}
    memories = [place.open(world=world, echo_minutes=0, **limits) for _ in range(2)]
    for number, (what, which, text, life) in enumerate(steps):
        agent = memories[which].agent(f"a{number % 2}")
        before, items = sizes(memories[0]), agent.list()
        try:
            act(agent, what, text, life, items, world)
        except QuotaExceeded:
            assert sizes(memories[0]) == before
            grown = before[agent.scope.agent]
            more = len(text.encode())
            assert grown[0] + 1 > 4 or grown[1] + more > 12 or sum(size for _, size in before.values()) + more > 16
        for count, size in (now := sizes(memories[0])).values():
            assert count <= 4
            assert size <= 12
        assert sum(size for _, size in now.values()) <= 16
    place.close()


def act(agent: Agent, what: str, text: str, life: int, items: list[Any], world: SimulatedWorld) -> None:
    expires_in = timedelta(hours=life) if life else None
    if what == "wait":
        world.advance(hours=life)
    elif what == "forget" and items:
        agent.forget(items[0].id)
    elif what == "change" and items:
        agent.update(items[0].id, content=text, expires_in=expires_in)
    else:
        agent.remember(text, kind="fact", key="k" if what == "key" else None, expires_in=expires_in)


def sizes(memory: Memory) -> dict[str, tuple[int, int]]:
    lists = {name: memory.agent(name).list() for name in ("a0", "a1")}
    return {name: (len(items), sum(len(one.content.encode()) for one in items)) for name, items in lists.items()}
