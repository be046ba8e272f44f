"""Signals of use: four different facts, buffered, never lost by close, never in the way of a recall."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from engrain import Agent, MemoryItem
from engrain.errors import StoreBusy, StoreError, UnknownItem
from engrain.intake import signals
from engrain.memory import Memory
from tests.postgres import Place

NAMES = ("shown", "read", "applied", "helpful", "unhelpful")


def counts(item: MemoryItem | None) -> tuple[int, ...]:
    assert item is not None
    return tuple(getattr(item, name) for name in NAMES)


def stored(memory: Memory, id_: str) -> tuple[int, ...]:
    """What is in the store, whatever is still in buffers."""
    row = memory.store.read("memory_own", {"tenant": "default", "agent": "a", "id": id_})[0]
    return tuple(row[name] or 0 for name in NAMES)


@contextmanager
def broken(memory: Memory, error: StoreError) -> Iterator[list[str]]:
    """While it lasts no transaction of this store can be begun; says for which tenants it was tried."""
    tried: list[str] = []

    def refuse(tenant: str) -> Any:
        tried.append(tenant)
        raise error

    store: Any = memory.store
    store.transaction = refuse
    try:
        yield tried
    finally:
        del store.transaction


def test_four_facts_are_kept_apart(place: Place) -> None:
    memory = place.open()
    agent = memory.agent("a")
    item = agent.remember("how the upload is retried")
    assert counts(item) == (0, 0, 0, 0, 0)
    agent.recall("upload")
    agent.recall("upload")
    agent.context("upload")
    assert counts(agent.get(item.id)) == (3, 0, 0, 0, 0), "shown is not read"
    agent.applied(item.id)
    agent.helpful(item.id)
    agent.helpful(item.id, True)
    agent.helpful(item.id, False)
    assert counts(agent.get(item.id)) == (3, 1, 1, 2, 1)
    found = agent.get(item.id)
    assert found is not None
    assert found.importance == 5.0
    assert found.last_used_at is not None
    memory.close()
    with place.open() as again:
        assert counts(again.agent("a").get(item.id)) == (3, 3, 1, 2, 1)


def test_showing_alone_is_no_use(place: Place) -> None:
    memory = place.open()
    agent = memory.agent("a")
    item = agent.remember("how the upload is retried")
    agent.recall("upload")
    memory.close()
    with place.open() as again:
        rows = again.store.read("memory_own", {"tenant": "default", "agent": "a", "id": item.id})
        assert (rows[0]["shown"], rows[0]["last_used_at"]) == (1, None)


def test_they_reach_the_store_within_about_a_second_and_at_once_with_a_write(place: Place) -> None:
    memory = place.open()
    agent = memory.agent("a")
    item = agent.remember("how the upload is retried")
    agent.recall("upload")
    assert stored(memory, item.id)[0] == 0, "a recall does not wait for the disk"
    agent.remember("something else")
    assert stored(memory, item.id)[0] == 1, "a write takes them along"
    agent.recall("upload")
    deadline = time.monotonic() + 10 * signals.SECONDS
    while stored(memory, item.id)[0] < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert stored(memory, item.id)[0] == 2


def test_nothing_that_is_told_fails_or_is_lost_because_signals_cannot_be_written(
    place: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "SECONDS", 0.05)
    memory = place.open()
    agent = memory.agent("a")
    item = agent.remember("how the upload is retried")
    with broken(memory, StoreBusy("test")) as tried, caplog.at_level(logging.WARNING):
        assert agent.recall("upload")[0].item.id == item.id
        agent.helpful(item.id)
        deadline = time.monotonic() + 5
        while len(tried) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(tried) >= 2, "it is tried again, without waiting for the next signal"
        assert agent.recall("upload")
        with pytest.raises(StoreBusy):
            agent.remember("this write itself cannot be made")
    assert "kept for later" in caplog.text
    memory.signals.flush()
    assert stored(memory, item.id) == (2, 0, 0, 1, 0)


def test_signals_of_a_refused_write_are_kept(place: Place) -> None:
    memory = place.open()
    agent = memory.agent("a")
    item = agent.remember("how the upload is retried")
    agent.recall("upload")
    with pytest.raises(RuntimeError, match="in the middle"):
        fail_in_the_middle(memory, agent)
    assert stored(memory, item.id)[0] == 0
    memory.close()
    with place.open() as again:
        assert stored(again, item.id)[0] == 1
        assert again.agent("a").count() == 1


def fail_in_the_middle(memory: Memory, agent: Agent) -> None:
    """A write that dies after the signals went into its transaction."""
    writer: Any = memory.writer
    whole = writer._apply

    def die(*arguments: Any) -> None:
        whole(*arguments)
        raise RuntimeError("in the middle")

    writer._apply = die
    try:
        agent.remember("never acknowledged")
    finally:
        del writer._apply


def test_a_statement_that_fails_while_draining_loses_nothing(place: Place) -> None:
    memory = place.open()
    agent = memory.agent("a")
    items = agent.remember_many([{"content": "how the upload is retried"}, {"content": "when the upload fails"}])
    agent.recall("upload")

    class Failing:
        calls = 0

        def read(self, name: str, params: Any) -> list[dict[str, str]]:
            return [{"id": id_} for id_ in params["ids"]]

        def run(self, name: str, params: Any) -> int:
            self.calls += 1
            if self.calls == 2:
                raise StoreError(f"{name} failed.")
            return 1

    tx: Any = Failing()
    with pytest.raises(StoreError):
        memory.signals.drain("default", tx)
    memory.signals.flush()
    assert [stored(memory, item.id)[0] for item in items] == [1, 1]


def test_signals_of_what_was_forgotten_disturb_nobody(place: Place) -> None:
    memory, other = place.open(), place.open()
    agent = memory.agent("a")
    item = agent.remember("how the upload is retried")
    agent.recall("upload")
    assert other.agent("a").forget(item.id)
    memory.signals.flush()
    assert agent.remember("something else").id
    assert memory.doctor().ok
    with pytest.raises(UnknownItem):
        agent.helpful(item.id)


def test_counters_go_with_a_key_and_created_time_stays(place: Place) -> None:
    memory = place.open()
    agent = memory.agent("a")
    first = agent.remember("the timeout is 30 s", kind="fact", key="timeout")
    agent.recall("timeout")
    agent.helpful(first.id)
    second = agent.remember("the timeout is 60 s", kind="fact", key="timeout")
    assert second.id != first.id
    assert counts(second) == (1, 0, 0, 1, 0)
    assert second.created_at == first.created_at
    old = agent.get(first.id)
    assert old is not None
    assert (old.state, old.superseded_by, old.content) == ("superseded", second.id, "the timeout is 30 s")
