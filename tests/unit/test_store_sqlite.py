"""What only the engine in a file has to promise: a store carried across a fork, and a log that forgets."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import engrain
from engrain import Memory

forks = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


def opened(home: Path, busy_seconds: float = 10) -> Memory:
    return engrain.open(home, embedder="hash", busy_seconds=busy_seconds)


def forked(act: Callable[[], object]) -> int:
    """The id of a child that does ``act`` and leaves with 0, or with 1 if that fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    return pid


def left_with(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@forks
def test_a_child_forked_while_another_thread_writes_can_write(tmp_path: Path) -> None:
    memory = opened(tmp_path, busy_seconds=2)
    inside = threading.Event()

    def writes() -> None:
        with memory.store.transaction("default"):
            inside.set()
            time.sleep(0.3)

    thread = threading.Thread(target=writes)
    thread.start()
    assert inside.wait(5)
    child = forked(lambda: memory.agent("a").remember("said by the child"))
    thread.join()
    assert left_with(child) == 0
    assert memory.agent("a").remember("said by the parent").id
    assert memory.agent("a").count() == 2
    memory.close()


@forks
def test_a_fork_is_not_held_up_by_threads_that_always_read(tmp_path: Path) -> None:
    memory = opened(tmp_path)
    memory.agent("a").remember("something to count")
    done = threading.Event()

    def reads() -> None:
        while not done.is_set():
            memory.agent("a").count()

    threads = [threading.Thread(target=reads) for _ in range(3)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    ends = [left_with(forked(lambda: memory.agent("a").remember("said by a child"))) for _ in range(3)]
    took = time.monotonic() - began
    done.set()
    for thread in threads:
        thread.join()
    assert ends == [0, 0, 0]
    assert took < 8, "less than one write's patience for all three"
    memory.close()


@forks
def test_what_a_child_writes_after_its_parent_closed_is_kept(tmp_path: Path) -> None:
    memory = opened(tmp_path)
    memory.agent("a").remember("said by the parent")
    reader, writer = os.pipe()

    def child_writes() -> None:
        memory.agent("a").remember("the child was first")
        os.close(writer)
        os.read(reader, 1)
        memory.agent("a").remember("the child was last")

    child = forked(child_writes)
    time.sleep(0.3)
    memory.close()
    os.close(writer)
    assert left_with(child) == 0
    os.close(reader)
    with opened(tmp_path) as after:
        assert after.agent("a").count() == 3
        assert after.doctor().ok


@forks
def test_a_fork_inside_a_transaction_leaves_the_transaction_whole(tmp_path: Path) -> None:
    memory = opened(tmp_path, busy_seconds=0.2)
    with memory.store.transaction("default") as tx:
        tx.run("home_set", {"name": "written", "value": "before the fork"})
        child = forked(lambda: memory.agent("a").count())
        assert left_with(child) == 0
    assert [row["value"] for row in memory.store.read("home_get", {"name": "written"})] == ["before the fork"]
    memory.close()


def on_disk(home: Path) -> bool:
    return any(b"zebraneedle" in path.read_bytes() for path in home.glob("engrain.db*") if path.suffix != ".db-shm")


def foreign_reader(home: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(home / "engrain.db")
    connection.execute("begin")
    connection.execute("select count(*) from memories").fetchall()
    return connection


def test_forgetting_does_not_wait_for_a_reader_and_the_next_write_empties_the_log(tmp_path: Path) -> None:
    with opened(tmp_path, busy_seconds=20) as memory:
        agent = memory.agent("a")
        item = agent.remember("the zebraneedle text")
        reader = foreign_reader(tmp_path)
        began = time.monotonic()
        assert agent.forget(item.id)
        agent.remember("a write the reader does not hold up")
        assert time.monotonic() - began < 5
        assert on_disk(tmp_path), "the reader still sees the old text, so this test shows something"
        reader.rollback()
        agent.remember("the next write")
        assert not on_disk(tmp_path)
        reader.close()


@forks
@pytest.mark.parametrize("act", ["write", "close"])
def test_what_a_killed_process_deleted_leaves_the_log_with_the_next_one(tmp_path: Path, act: str) -> None:
    with opened(tmp_path) as memory:
        memory.agent("a").remember("the store is made")

    def deletes_and_dies() -> None:
        memory = opened(tmp_path)
        item = memory.agent("a").remember("the zebraneedle text")
        memory.store.scrub = lambda: os._exit(0)  # type: ignore[method-assign]
        memory.agent("a").forget(item.id)

    assert left_with(forked(deletes_and_dies)) == 0
    other = sqlite3.connect(tmp_path / "engrain.db")  # keeps SQLite from emptying the log when the next one closes
    other.execute("select count(*) from memories").fetchall()
    assert on_disk(tmp_path)
    memory = opened(tmp_path)
    if act == "write":
        memory.agent("a").remember("the next one writes")
        assert not on_disk(tmp_path)
    memory.close()
    assert not on_disk(tmp_path)
    other.close()
