"""One Memory shared by threads, carried across a fork, left by its server: nothing is lost and nothing doubled."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

import engrain
from engrain import Outcome
from engrain.errors import StoreClosed, StoreUnavailable, UnknownItem
from engrain.memory import Memory
from engrain.testing.contract_rows import run_together
from tests import children
from tests.postgres import Place, start


def test_eight_threads_share_one_memory(place: Place) -> None:
    memory = place.open(echo_minutes=0)
    errors: list[BaseException] = []
    ids: list[str] = []

    def work(number: int) -> None:
        try:
            agent = memory.agent(f"agent{number % 3}")
            for turn in range(8):
                item = agent.remember(f"thread{number}turn{turn} of the shared memory")
                ids.append(item.id)
                assert agent.get(item.id) is not None
                hits = agent.recall(item.content, limit=2)
                assert item.id in [hit.item.id for hit in hits]
                advice = agent.advise("weave", state={"turn": turn}, options=["over", "under"])
                agent.observe(advice, Outcome(success=turn % 2 == 0, evidence="executed"))
                agent.kv().set(f"{number}", turn)
        except BaseException as error:  # noqa: BLE001 (shown by the assertion below)
            errors.append(error)

    run_together([partial(work, number) for number in range(8)])
    assert errors == []
    assert len(set(ids)) == 64
    assert sum(memory.agent(f"agent{n}").count() for n in range(3)) == 64
    assert sum(q.visits for n in range(3) for q in memory.agent(f"agent{n}").q_values() if not q.state) == 64
    assert memory.doctor().ok


def test_the_same_thing_told_by_eight_threads_is_stored_once(place: Place) -> None:
    memory = place.open(echo_minutes=0)
    ids: list[str] = []
    run_together([lambda: ids.append(memory.agent("a").remember("told by everybody", key="k", kind="fact").id)] * 8)
    assert len(set(ids)) == 1
    item = memory.agent("a").lookup("fact", "k")
    assert item is not None
    assert (item.repeats, memory.agent("a").count()) == (7, 1)


def test_closing_while_others_work_ends_them_in_words(place: Place) -> None:
    memory = place.open()
    ends: list[BaseException] = []

    def work(number: int) -> None:
        agent = memory.agent(f"agent{number}")
        try:
            for turn in range(10_000):
                agent.remember(f"turn {turn} of {number}")
                agent.recall("turn")
        except BaseException as error:  # noqa: BLE001 (shown by the assertion below)
            ends.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    memory.close()
    for thread in threads:
        thread.join(timeout=10)
    assert Counter(type(error) for error in ends) == Counter({StoreClosed: 4})
    with place.open() as again:
        assert again.doctor().ok


def test_agents_that_share_judge_and_forget_never_wait_in_a_circle(make_place: Callable[..., Place]) -> None:
    """Each forgets what the others are just judging, with a memory of its own, as processes have."""
    place = make_place()
    memories = [place.open(echo_minutes=0, synchronous="NORMAL") for _ in range(4)]
    errors: list[str] = []
    deadline = time.monotonic() + 2.5

    def work(number: int) -> None:
        agent = memories[number].agent(f"agent{number}")
        turn = 0
        while time.monotonic() < deadline:
            turn += 1
            row = {"visibility": "public", "tags": ["x"], "key": None}
            agent.remember_many([{**row, "content": f"note about uploads {number} {turn} {i}"} for i in range(20)])
            for hit in agent.recall("note about uploads", limit=40):
                with contextlib.suppress(UnknownItem):  # its owner has just forgotten it
                    agent.helpful(hit.item.id)
            if turn % 2:
                memories[number].signals.flush()
            agent.forget_where(tags=["x"])

    def watched(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 (shown by the assertion below)
            errors.append(repr(error))

    run_together([partial(watched, number) for number in range(4)])
    assert errors == []
    assert memories[0].doctor().ok


def in_a_fork(memory: Memory, act: str) -> int:
    """The exit code of a forked child that uses its parent's memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            agent = memory.agent("a")
            if act == "write":
                agent.remember("from the child")
                agent.helpful(agent.list(limit=1)[0].id)
                assert len(agent.recall("said by the parent")) > 0
            if act != "nothing":
                memory.close()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_may_use_its_parents_memory(place: Place) -> None:
    memory = place.open(echo_minutes=0)
    agent = memory.agent("a")
    item = agent.remember("said by the parent")
    agent.recall("said by the parent")  # a signal waits in the parent's buffer
    for turn, act in enumerate(("write", "close", "write", "nothing")):
        assert in_a_fork(memory, act) == 0
        assert agent.remember(f"the parent goes on, turn {turn}").id
    assert agent.count() == 6, "the child told the same thing twice"
    memory.signals.flush()
    found = agent.get(item.id)
    assert found is not None
    assert (found.shown, found.helpful) == (3, 2), "one of the parent and one of each child that looked"
    assert memory.doctor().ok


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_parent_and_child_never_give_the_same_id(tmp_path: Path) -> None:
    code = """
    import engrain.world
    world = engrain.world.RealWorld()
    world.new_id()
    world._ids._milliseconds += 3_600_000  # an hour ahead: both would only count up
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, json.dumps([world.new_id() for _ in range(100)]).encode())
        os._exit(0)
    os.wait()
    mine = [world.new_id() for _ in range(100)]
    say(len({*mine, *json.loads(os.read(reader, 65536))}))
    """
    assert children.run(code) == [200]


@pytest.mark.slow
@pytest.mark.postgres
def test_a_killed_server_is_said_in_words_and_the_same_memory_goes_on_afterwards(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    server = start(tmp_path_factory.mktemp("killed"))
    try:
        url = server.url(server.fresh())
        memory = engrain.open(url, home=tmp_path / "home", embedder="hash", busy_seconds=1.0, echo_minutes=0)
        agent = memory.agent("a")
        kept = [agent.remember(f"before the accident {i}").id for i in range(5)]
        agent.recall("accident")
        postmaster = psutil.Process(server.pid())
        family = [postmaster, *postmaster.children()]
        os.kill(postmaster.pid, signal.SIGKILL)
        psutil.wait_procs(family, timeout=20)  # a backend may answer for a moment after its postmaster is gone
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                agent.remember("while it was down")
            with pytest.raises(StoreUnavailable):
                agent.get(kept[0])
        with pytest.raises(StoreUnavailable):
            engrain.open(url, home=tmp_path / "home", embedder="hash", busy_seconds=1.0)
        restart(server.handle)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                kept.append(agent.remember("after the accident").id)
                break
            except StoreUnavailable:
                time.sleep(0.2)
        assert [item.id for item in agent.list()] == kept
        assert agent.recall("after the accident", limit=1)[0].item.id == kept[-1]
        assert memory.doctor().ok
        memory.close()
    finally:
        server.handle.cleanup()


def restart(handle: Any) -> None:
    """Start the server again on the same data, as soon as what the kill left of it is gone."""
    for last in (False,) * 20 + (True,):
        try:
            handle.ensure_postgres_running()
            return
        except (subprocess.SubprocessError, AssertionError, RuntimeError):
            if last:
                raise
            time.sleep(0.25)
