"""Adaptive recall when items are forgotten, rows are damaged, clocks are wrong and processes meet, on both engines."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import engrain
from engrain.errors import StoreError
from engrain.model.scope import Scope
from engrain.recall.adapt import LEAST
from engrain.recall.feedback import HELD, Feedback
from engrain.recall.traces import CANDIDATES, Trace
from engrain.testing import SimulatedWorld
from tests.feedback import WORDS, fill, teach
from tests.postgres import Place


@pytest.fixture
def memory(place: Place) -> engrain.Memory:
    memory = place.open(embedder="static", world=SimulatedWorld())
    fill(memory.agent("a"))
    return memory


def stored(memory: engrain.Memory, agent: str = "a") -> list[list[str]]:
    """The items of the questions of an agent that nobody judged."""
    rows = memory.store.read("question_recent", {"tenant": "default", "agent": agent, "since": 0})
    return [json.loads(row["items"]) for row in rows]


def row_of(memory: engrain.Memory) -> Any:
    return memory.store.read("adapter_get", {"tenant": "default"})[0]


def test_a_buffered_question_names_nothing_that_another_process_forgot(memory: engrain.Memory, place: Place) -> None:
    other = place.open(embedder="static", world=SimulatedWorld(seed=1))
    gone, *_, kept = [hit.item.id for hit in other.agent("a").recall("what about the harbour report?")]
    memory.agent("a").forget(gone)
    other.signals.flush()
    (items,) = stored(memory)
    assert kept in items
    assert gone not in items


def test_who_is_killed_after_forgetting_leaves_no_question_that_names_it(
    memory: engrain.Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = memory.agent("a")
    gone = agent.recall("what about the harbour report?")[0].item.id
    memory.signals.flush()
    assert gone in stored(memory)[0]
    monkeypatch.setattr(memory.feedback, "forgotten", lambda tenant: None)  # as if it ended here
    agent.forget(gone)
    assert stored(memory) == []


def test_an_adapter_is_off_at_once_when_it_learned_from_what_is_forgotten(memory: engrain.Memory, place: Place) -> None:
    agent, other = memory.agent("a"), place.open(embedder="static", world=SimulatedWorld()).agent("a")
    teach(agent)
    assert agent.adaptation()["on"] is True
    parts = {name for hit in other.recall("what about the castle report?") for name, _ in hit.why}
    assert "learned" in parts
    agent.forget(next(one.id for one in agent.list() if "auditor" in one.content and "harbour" in one.content))
    assert (row_of(memory)["in_force"], bytes(row_of(memory)["state"])) == (0, b"")
    parts = {name for hit in other.recall("what about the castle report?") for name, _ in hit.why}
    assert not parts & {"learned", "asked"}
    assert agent.adaptation()["examples"] == len(WORDS) - 1
    assert agent.adaptation()["on"] is True, "learned without it at the next flush"


def test_forgetting_what_taught_nothing_leaves_the_adapter(memory: engrain.Memory) -> None:
    agent = memory.agent("a")
    teach(agent)
    assert agent.adaptation()["on"] is True
    new = agent.remember("nobody asked about the umbrella").id
    version = row_of(memory)["version"]
    assert agent.forget(new)
    assert agent.adaptation()["on"] is True
    assert row_of(memory)["version"] == version


def test_a_reset_while_another_learns_stays_a_reset(memory: engrain.Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = memory.agent("a")
    teach(agent)
    memory.signals.flush()
    slow = Feedback(memory.store, memory.world)
    examples = slow._examples

    def meanwhile(tenant: str) -> object:
        found = examples(tenant)
        agent.reset_adaptation()
        teach(agent, WORDS[:1])
        memory.signals.flush()
        return found

    monkeypatch.setattr(slow, "_examples", meanwhile)
    slow._learn("default", anew=True)
    assert (row_of(memory)["in_force"], bytes(row_of(memory)["state"])) == (0, b"")
    assert agent.adaptation()["examples"] == 1


def test_processes_that_judge_forget_and_reset_at_once_do_not_hinder_each_other(
    memory: engrain.Memory, place: Place
) -> None:
    others = [place.open(embedder="static", world=SimulatedWorld(seed=seed)) for seed in (1, 2, 3)]

    def run(other: engrain.Memory, act: Callable[[engrain.Memory], object]) -> None:
        barrier.wait(10)
        act(other)

    for word in WORDS[:8]:
        hits = memory.agent("a").recall(f"what about the {word} report?")
        memory.signals.flush()
        barrier = threading.Barrier(3)

        def judge(other: engrain.Memory, id_: str = hits[0].item.id) -> None:
            other.agent("a").helpful(id_)
            other.signals.flush()

        def drop(other: engrain.Memory, id_: str = hits[1].item.id, all_: bool = word == WORDS[4]) -> None:
            other.agent("a").forget(id_)
            if all_:
                other.agent("a").reset_adaptation()

        with ThreadPoolExecutor(3) as pool:
            for done in [pool.submit(run, *one) for one in zip(others, (judge, judge, drop), strict=True)]:
                done.result()
    assert memory.agent("a").adaptation()["examples"] <= 3, "after the reset three questions were asked"


def judged(memory: engrain.Memory) -> Any:
    return memory.store.read("example_questions", {"tenant": "default"})


BROKEN = {"names": "[", "vector": b"\0\0\0", "parts": b"\0\1\2", "vectors": b"\0"}


@pytest.mark.parametrize("column", BROKEN)
def test_a_damaged_question_is_dropped_and_everything_goes_on(
    memory: engrain.Memory, column: str, caplog: pytest.LogCaptureFixture
) -> None:
    agent = memory.agent("a")
    hit = agent.recall("what about the harbour report?")[0]
    memory.signals.flush()
    (row,) = memory.store.read("question_recent", {"tenant": "default", "agent": "a", "since": 0})
    whole = {name: row[name] for name in row.keys()} | {  # noqa: SIM118
        "tenant": "default", "agent": "a", "at": memory.world.now(), "embedder": "x/256", "ranking": "r", "judged": 0,
    }  # fmt: skip
    with memory.store.transaction("default") as tx:
        tx.run("question_drop", {"tenant": "default", "id": row["id"]})
        tx.run("question_put", whole | {column: BROKEN[column]})
    agent.helpful(hit.item.id)
    assert agent.adaptation()["examples"] == 0
    assert stored(memory) == judged(memory) == []
    assert "damaged" in caplog.text
    assert memory.stats()
    assert memory.doctor().ok


def test_a_damaged_example_is_dropped_and_the_others_teach(
    memory: engrain.Memory, caplog: pytest.LogCaptureFixture
) -> None:
    agent = memory.agent("a")
    teach(agent, WORDS[:LEAST])
    memory.signals.flush()
    item, now = agent.list()[0].id, memory.world.now()
    base = {"tenant": "default", "agent": "a", "at": now, "embedder": "x/2", "ranking": "r", "judged": 1, "items": "[]"}
    blobs = {"parts": b"", "vectors": b"", "vector": b"\0\0\x80\x7f\1\1"}  # a scale that is infinite
    with memory.store.transaction("default") as tx:
        tx.run("question_put", {**base, **blobs, "id": "bad", "names": '["words"]'})
        answer = {"tenant": "default", "question_id": "bad", "memory_id": item, "place": 0, "verdict": 1}
        tx.run("answer_put", {**answer, "parts": b"\0\0", "vector": b"\0\0\x80\x7f\1\1"})
    teach(agent, WORDS[LEAST:])
    assert agent.adaptation()["on"] is True
    assert "bad" not in {row["id"] for row in judged(memory)}
    assert "question bad of tenant 'default' is damaged" in caplog.text


def test_a_damaged_adapter_is_told_of_left_out_and_learned_anew(
    memory: engrain.Memory, caplog: pytest.LogCaptureFixture
) -> None:
    agent = memory.agent("a")
    teach(agent)
    assert agent.adaptation()["on"] is True
    row = row_of(memory)
    values = {name: row[name] for name in row.keys()} | {"tenant": "default", "seen": 0, "now": 0}  # noqa: SIM118
    with memory.store.transaction("default") as tx:
        tx.run("adapter_put", values | {"state": bytes(row["state"])[:-1] + b"?"})
        tx.read("scope_bump", {"tenant": "default", "name": "adapt", "purges": 0})
    assert memory.doctor().ok is False
    parts = {name for hit in agent.recall("what about the castle report?") for name, _ in hit.why}
    assert parts
    assert not parts & {"learned", "asked"}
    assert "damaged" in caplog.text
    memory.signals.flush()
    assert memory.doctor().ok
    assert "learned" in {name for hit in agent.recall("what about the castle report?") for name, _ in hit.why}


def test_questions_of_any_agent_go_when_they_are_old_or_from_a_wrong_clock(place: Place) -> None:
    world = SimulatedWorld("2026-01-01T05:00:00Z")
    memory = place.open(world=world)
    for name in "ab":
        memory.agent(name).remember("the red fox jumps over the fence")
        memory.agent(name).recall("red fox")
    memory.close()
    later = place.open(world=SimulatedWorld("2026-01-01T07:00:00Z", seed=1))
    later.agent("b").recall("fox")
    later.signals.flush()
    assert (len(stored(later, "a")), len(stored(later, "b"))) == (0, 1)
    later.close()
    back = place.open(world=SimulatedWorld("2026-01-01T02:00:00Z", seed=2))
    back.agent("a").recall("fence")
    back.signals.flush()
    assert (len(stored(back, "a")), len(stored(back, "b"))) == (1, 0)


def test_a_verdict_outlives_what_another_agent_forgets(memory: engrain.Memory) -> None:
    agent, other = memory.agent("a"), memory.agent("d")
    gone = other.remember("temporary").id
    agent.helpful(agent.recall("what about the harbour report?")[0].item.id)
    other.forget(gone)
    assert agent.adaptation()["examples"] == 1


def test_a_failure_at_one_tenant_loses_no_verdict_of_any(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = place.open(world=SimulatedWorld())
    for tenant in "xyz":
        agent = memory.agent("a", tenant=tenant)
        agent.helpful(agent.recall("red", min_score=0.0)[0].item.id if agent.remember("red apples") else "")
    whole = memory.feedback._write

    def broken(tx: Any, tenant: str, *rest: Any) -> int:
        if tenant == "y":
            raise StoreError("the disk is full")
        return whole(tx, tenant, *rest)

    monkeypatch.setattr(memory.feedback, "_write", broken)
    with pytest.raises(StoreError):
        memory.signals.flush()
    monkeypatch.setattr(memory.feedback, "_write", whole)
    assert [memory.agent("a", tenant=tenant).adaptation()["examples"] for tenant in "xyz"] == [1, 1, 1]


def test_what_is_buffered_is_bounded(memory: engrain.Memory) -> None:
    for number in range(HELD + 40):
        scope = Scope("default", f"agent{number % 30}", None)
        many = np.ones((2 * CANDIDATES, 4), np.float32)
        ids = [f"{number}-{place}" for place in range(len(many))]
        memory.feedback.note(Trace(scope, number, ("x/4", "r"), many[0], ["words"], many.T[:1], ids, many))
    held = [trace for found in memory.feedback._traces.values() for trace in found]
    assert len(held) == HELD
    assert {(len(one.ids), one.parts.shape, one.vectors.shape) for one in held} == {
        (CANDIDATES, (1, CANDIDATES), (CANDIDATES, 4))
    }
    assert all(one.vectors.base is None and one.parts.base is None for one in held), "a view would keep the whole"
    memory.feedback._traces.clear()


def test_the_same_question_again_and_again_is_one_example(memory: engrain.Memory) -> None:
    agent = memory.agent("a")
    for _ in range(LEAST + 5):
        teach(agent, WORDS[:1])
        memory.signals.flush()
    assert agent.adaptation()["state"] == f"off: 1 of at least {LEAST} examples"
