"""Daily figures: what is counted, once a day, and what is told of days on which nobody looked."""

from __future__ import annotations

from typing import Any

import pytest

from engrain.errors import InvalidField
from engrain.memory import Memory
from engrain.model.run import Run
from engrain.store.transitions import Transition, log
from engrain.testing import SimulatedWorld
from tests.postgres import Place

MOVES = {
    "memory:expired": ("active", "expired"),
    "memory:archived": ("expired", "archived"),
    "memory:promoted": ("active", "active"),
}
STOCK = ("memories", "importance", "bytes", "uses", "accesses")


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld()


@pytest.fixture
def memory(place: Place, world: SimulatedWorld) -> Memory:
    return place.open(world=world, alert_items=3)


def measured(memory: Memory) -> Run:
    (run,) = memory.tick(["metrics"])
    assert run.state == "done", run.error
    return run


def logged(memory: Memory, tenant: str, agent: str, ids: list[str], event: str) -> None:
    """Changes of state, as a sweep logs them."""
    old, new = MOVES[event]
    with memory.store.transaction(tenant) as tx:
        steps = [Transition(one, agent, event, old, new, "test", "test") for one in ids]
        log(tx, tenant, memory.world.now(), steps)


def rows(memory: Memory) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {(one["tenant"], one["agent"], one["kind"]): one for one in memory.metrics()["agents"]}


def test_a_day_is_counted_by_agent_and_kind(memory: Memory, world: SimulatedWorld) -> None:
    ann, bob, foe = memory.agent("ann"), memory.agent("bob"), memory.agent("ann", tenant="other")
    fact = ann.remember("Zürich", kind="fact", importance=8)
    ann.remember("a second fact", kind="fact", importance=4)
    ann.remember("gone by evening", kind="event", expires_in="6h")
    old = bob.remember("first", kind="fact", key="k")
    bob.helpful(old.id, True)
    memory.signals.flush()
    new = bob.remember("second", kind="fact", key="k")
    foe.remember("theirs")
    world.advance(hours=12)
    ann.get(fact.id)
    ann.applied(fact.id)
    logged(memory, "default", "ann", [fact.id, "no longer there"], "memory:archived")
    logged(memory, "other", "ann", ["x"], "memory:promoted")
    world.advance(hours=12)
    assert measured(memory).findings["memories"] == 4
    found = rows(memory)
    facts = found["default", "ann", "fact"]
    assert (facts["memories"], facts["importance"], facts["uses"], facts["accesses"]) == (2, 6.05, 2, 2), (
        "a use adds 0.1"
    )
    assert facts["bytes"] == len("Zürich".encode()) + len("a second fact")
    assert found["default", "ann", "event"]["memories"] == 0, "what is past its expiry is not remembered"
    assert found["default", "ann", "event"]["importance"] is None
    mine = found["default", "bob", "fact"]
    assert (mine["memories"], mine["uses"]) == (1, 1), "a superseded version and its heir are one memory"
    assert bob.get(new.id) is not None
    assert facts["archived"] == found["default", "ann", "unknown"]["archived"] == 1
    assert found["other", "ann", "unknown"]["promoted"] == 1
    whole = memory.metrics()
    assert whole["measured"] == "2026-01-01"
    assert whole["totals"]["memories"] == whole["series"][-1]["memories"] == 4
    assert (whole["totals"]["archived"], whole["totals"]["promoted"], whole["totals"]["uses"]) == (2, 1, 3)


def test_measuring_a_day_twice_gives_the_same_rows(memory: Memory, world: SimulatedWorld) -> None:
    agent = memory.agent("ann")
    item = agent.remember("one thing")
    world.advance(days=1, hours=1)
    measured(memory)
    before = memory.metrics()
    agent.remember("told on the next day")
    agent.get(item.id)
    world.advance(hours=20)
    assert measured(memory).findings["measured"] == "before"
    assert memory.metrics() == before


def test_importance_is_the_faded_one(memory: Memory, world: SimulatedWorld) -> None:
    item = memory.agent("ann").remember("fades", importance=5)
    world.advance(days=17)
    memory.tick(["decay"])
    measured(memory)
    found = memory.agent("ann").get(item.id)
    assert found is not None
    assert rows(memory)["default", "ann", "context"]["importance"] == pytest.approx(found.importance)


def test_of_a_missed_day_only_what_was_logged_is_told(memory: Memory, world: SimulatedWorld) -> None:
    agent = memory.agent("ann")
    item = agent.remember("kept")
    world.advance(days=1)
    measured(memory)
    world.advance(days=1)  # nobody measures the second and third
    agent.get(item.id)
    logged(memory, "default", "ann", [item.id, "other"], "memory:expired")
    logged(memory, "other", "bob", ["theirs"], "memory:expired")
    world.advance(days=2)
    measured(memory)
    world.advance(days=1)
    agent.get(item.id)
    world.advance(days=1)
    measured(memory)
    told = memory.metrics()
    assert [one["day"] for one in told["series"]] == [f"2026-01-0{n}" for n in range(1, 7)]
    assert [one["memories"] for one in told["series"]] == [1, None, None, 1, None, 1]
    assert all(told["series"][n][name] is None for n in (1, 2, 4) for name in STOCK)
    assert [one["expired"] for one in told["series"]] == [0, 0, 3, 0, 0, 0]
    assert [one["accesses"] for one in told["series"]] == [0, None, None, None, None, None], "days of several"
    assert told["totals"]["accesses"] == 2
    mine = memory.metrics(tenant="default", agent="ann")
    assert [one["expired"] for one in mine["series"]] == [0, 0, 2, 0, 0, 0]
    assert [one["memories"] for one in mine["series"]] == [1, None, None, 1, None, 1]


def test_a_day_whose_measuring_was_cut_off_is_not_measured_until_it_is_done(
    memory: Memory, world: SimulatedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engrain.lifecycle.metrics.BATCH", 1)
    for name in ("ann", "bob", "cleo"):
        memory.agent(name).remember(f"of {name}")
    world.advance(days=1)
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 9  # the supervisor asks too, for each role before this one

    (run,) = memory.supervisor.tick(["metrics"], stop=stop)
    assert run.state == "interrupted"
    assert len(memory.store.read("metric_agents", {"day": "2026-01-01", "tenant": None, "agent": None})) == 2
    assert memory.metrics()["measured"] is None
    assert memory.metrics()["totals"]["memories"] == 3, "as it is now"
    memory.agent("ann").remember("told before it was measured again")
    assert [run.state for run in memory.tick(["metrics"])] == ["done"]
    assert memory.metrics()["totals"]["memories"] == 3, "what was measured stays, and the totals are the sum of it"
    assert memory.metrics()["series"][-1]["memories"] == 3
    assert memory.metrics()["measured"] == "2026-01-01"


def test_agents_and_tenants_are_told_apart(memory: Memory, world: SimulatedWorld) -> None:
    memory.agent("ann").remember("mine", importance=2)
    memory.agent("ann", tenant="other").remember("theirs", importance=9)
    memory.agent("bob", tenant="other").remember("his", importance=3)
    assert memory.metrics(tenant="other")["totals"]["memories"] == 2, "before any day was measured"
    world.advance(days=1)
    measured(memory)
    one = memory.metrics(tenant="other")
    assert one["totals"] == one["totals"] | {"memories": 2, "importance": 6.0}
    assert one["series"][0]["importance"] == 6.0
    assert {row["agent"] for row in one["agents"]} == {"ann", "bob"}
    assert memory.metrics(tenant="other", agent="ann")["totals"]["importance"] == 9.0
    assert memory.metrics(agent="ann")["totals"]["memories"] == 2
    nobody = memory.metrics(tenant="no such")
    assert (nobody["agents"], nobody["totals"]["memories"], nobody["series"][0]["memories"]) == ([], 0, 0)


def test_an_agent_that_grew_too_large_raises_one_alert_until_it_is_smaller(
    memory: Memory, world: SimulatedWorld, caplog: pytest.LogCaptureFixture
) -> None:
    items = memory.agent("ann").remember_many([{"content": f"thing {n}"} for n in range(4)])
    memory.agent("bob").remember("small")
    for _ in range(2):
        world.advance(days=1)
        measured(memory)
        (alert,) = memory.alerts()
        assert (alert.name, alert.subject) == ("growth", "default/ann")
        assert alert.detail == "has 4 memories, more than 3"
    assert caplog.text.count("growth: default/ann") == 1
    memory.agent("ann").forget(items[0].id)
    world.advance(days=1)
    measured(memory)
    assert memory.alerts() == []
    (over,) = memory.alerts(settled=True)
    assert over.settled_at is not None


def test_the_doctor_tells_of_alerts_and_of_work_that_nobody_does(memory: Memory, world: SimulatedWorld) -> None:
    def told() -> tuple[bool | None, str]:
        (check,) = (one for one in memory.doctor().checks if one.name == "background work")
        return check.ok, check.detail

    memory.agent("ann").remember_many([{"content": f"thing {n}"} for n in range(4)])
    assert told() == (True, "nothing is overdue")
    world.advance(hours=1)
    assert told()[0] is None
    assert "nobody did expire when it was due: start engrain daemon run, or engrain tick from cron" in told()[1]
    world.advance(days=1)
    memory.tick()
    ok, detail = told()
    assert ok is False
    assert "growth: default/ann has 4 memories" in detail


def test_a_dry_run_measures_and_keeps_nothing(memory: Memory, world: SimulatedWorld) -> None:
    memory.agent("ann").remember_many([{"content": f"thing {n}"} for n in range(4)])
    world.advance(days=1)
    (run,) = memory.tick(["metrics"], dry_run=True)
    assert (run.dry, run.findings["memories"], run.findings["large"]) == (True, 4, 1)
    assert memory.metrics()["measured"] is None
    assert memory.alerts() == []


def test_a_home_without_a_finished_day_has_figures_of_now(memory: Memory, world: SimulatedWorld) -> None:
    assert memory.metrics()["totals"]["memories"] == 0
    memory.agent("ann").remember("new")
    assert measured(memory).findings == {"day": None}
    told = memory.metrics()
    assert (told["series"], told["measured"], told["totals"]["memories"]) == ([], None, 1)


def test_old_figures_go(memory: Memory, world: SimulatedWorld) -> None:
    memory.agent("ann").remember("lasting")
    for _ in range(3):
        world.advance(days=1)
        measured(memory)
    world.advance(days=400)
    measured(memory)
    days = [row["day"] for row in memory.store.read("metric_totals", {"since": ""})]
    assert days == ["2026-01-03", "2027-02-07"]


def test_figures_are_there_after_a_restart_and_a_clock_put_back(
    memory: Memory, world: SimulatedWorld, place: Place
) -> None:
    memory.agent("ann").remember("kept")
    world.advance(days=5)
    measured(memory)
    told = memory.metrics()
    memory.close()
    later = place.open(world=world)
    assert later.metrics() == told
    later.close()
    back = place.open(world=SimulatedWorld("2026-01-03T12:00:00Z", seed=3))
    assert back.metrics()["measured"] is None, "what lies ahead is not told"
    assert measured(back).findings["day"] == "2026-01-02"
    assert back.metrics()["measured"] == "2026-01-02"


@pytest.mark.parametrize("given", [{"days": 0}, {"days": 1.5}, {"tenant": ""}, {"agent": 7}])
def test_odd_questions_are_refused(memory: Memory, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidField, match=next(iter(given))):
        memory.metrics(**given)


@pytest.mark.parametrize("roles", ["nap", ["metrics", "nap"], [None], 7])
def test_unknown_roles_are_refused(memory: Memory, roles: Any) -> None:
    with pytest.raises(InvalidField, match="There is no role"):
        memory.tick(roles)
