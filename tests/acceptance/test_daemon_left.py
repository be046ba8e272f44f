"""What a daemon, its terminal, its store and its roles leave behind: no process, no thread, no home once deleted."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest

import engrain
from tests.daemons import Running, aged, ended, until
from tests.postgres import Place
from tests.serving import Serving

pytestmark = pytest.mark.slow

Start = Callable[..., Running]


@pytest.fixture
def running(place: Place, tmp_path: Path) -> Iterator[Start]:
    """Starts daemons of the place, and sees that none is left."""
    with ExitStack() as stack:
        yield lambda *odd, **settings: stack.enter_context(Running(place, tmp_path / "site", *odd, **settings))


def is_gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@pytest.mark.slow
def test_what_a_role_has_started_ends_with_it_and_its_threads_hold_nothing_up(place: Place, running: Start) -> None:
    memory = aged(place)
    daemon = running("behind work")
    runs = ended(memory, "odd:behind", "odd:work")
    assert {run.state for run in runs.values()} <= {"done"}
    until(lambda: is_gone(runs["odd:behind"].findings["pid"]), 10)
    until(lambda: not psutil.Process(daemon.process.pid).children(), 10)
    assert daemon.end()[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_a_daemon_that_ends_while_a_role_runs(
    place: Place, running: Start, number: signal.Signals
) -> None:
    memory = aged(place)
    daemon = running("nest")
    nested = int(until(lambda: memory.agent("odd").list())[0].content)
    assert not is_gone(nested)
    daemon.end(number)
    until(lambda: is_gone(nested), 10)


@pytest.mark.slow
def test_nothing_is_left_of_a_plug_in_that_takes_too_long_to_load(place: Place, running: Start, tmp_path: Path) -> None:
    aged(place)
    daemon = running("slow")
    note = tmp_path / "site" / "started"
    started = int(until(lambda: note.exists() and note.read_text()))
    began = time.monotonic()
    daemon.end()
    assert time.monotonic() - began < 5.5
    until(lambda: is_gone(started), 10)


def test_it_ends_with_its_terminal_in_order_unless_it_was_told_not_to(place: Place, running: Start) -> None:
    memory = aged(place)
    daemon = running("walk")
    until(lambda: memory.supervisor.runs("odd:walk", 1))
    assert daemon.end(signal.SIGHUP)[0] == 0
    (run,) = memory.supervisor.runs("odd:walk", 9)
    assert run.state == "interrupted"
    assert memory.daemon_status().daemons == ()
    daemon.before = ["nohup"]
    daemon.start()
    daemon.process.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert daemon.process.poll() is None
    assert daemon.end()[0] == 0


def test_a_service_ends_with_its_terminal_in_order(place: Place) -> None:
    memory = aged(place)
    service = Serving(**place.arguments)
    try:
        with engrain.open(service.url) as client:
            client.agent("ann").remember("said before the terminal was closed")
        assert service.stop(signal.SIGHUP) == ""
        assert service.process.returncode == 0
        assert memory.daemon_status().daemons == ()
    finally:
        if service.process.poll() is None:
            service.kill()


def test_without_a_place_to_complain_it_works_as_well(place: Place, running: Start) -> None:
    memory = aged(place)
    daemon = running("work", before=["/bin/sh", "-c", 'exec "$@" <&- 2>&-', "sh"])
    assert {run.state for run in ended(memory, "odd:work").values()} == {"done"}
    assert daemon.end()[0] == 0


@pytest.mark.parametrize("replaced", [False, True])
def test_a_home_that_is_deleted_stays_so_and_its_daemon_ends(
    place: Place, running: Start, tmp_path: Path, replaced: bool
) -> None:
    if place.url:
        pytest.skip("a server's database cannot be deleted while it is used")
    memory = aged(place)
    daemon = running("work")
    ended(memory, "odd:work")
    memory.close()
    if replaced:
        shutil.copy(place.home / "engrain.db", tmp_path / "copy")
        os.replace(tmp_path / "copy", place.home / "engrain.db")  # noqa: PTH105 (in one step)
    else:
        shutil.rmtree(place.home)
    code, err = daemon.left()
    assert (code, "deleted, moved or replaced" in err) == (3, True)
    assert place.home.exists() is replaced


def test_it_ends_when_a_newer_engrain_has_migrated_its_home(place: Place, running: Start) -> None:
    """So that whoever keeps it running starts the newer one."""
    memory = aged(place)
    daemon = running("work")
    ended(memory, "odd:work")
    newer = "insert into schema_migrations (version, name, checksum, applied_at) values (99, 'new', 'x', '')"
    if place.url:
        with psycopg.connect(place.url, autocommit=True) as server:
            server.execute(newer)
    else:
        with closing(sqlite3.connect(place.home / "engrain.db", isolation_level=None)) as file:
            file.execute(newer)
    code, err = daemon.left()
    assert (code, "newer engrain" in err) == (3, True)
