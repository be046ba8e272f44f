"""The daemon as a process: whatever a role does to its own, it goes on; however it ends, the next goes on."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

import engrain
from engrain.store.leases import acquire, gone, process
from engrain.world import RealWorld
from tests import children
from tests.daemons import Running, aged, ended, until
from tests.postgres import Place, Server
from tests.serving import Serving

Start = Callable[..., Running]
ENDS = {
    "exit": ("interrupted", "its process exited with code 3 before it was through"),
    "end": ("interrupted", "its process exited with code 0 before it was through"),
    "leave": ("failed", "SystemExit: 3"),
    "fail": ("failed", "ValueError: no luck"),
    "die": ("interrupted", "its process was killed by SIGKILL"),
    "eat": ("failed", "MemoryError: "),
}


@pytest.fixture
def running(place: Place, tmp_path: Path) -> Iterator[Start]:
    """Starts daemons of the place, and sees that none is left."""
    with ExitStack() as stack:
        yield lambda *odd, **settings: stack.enter_context(Running(place, tmp_path / "site", *odd, **settings))


@pytest.mark.parametrize("odd", ["exit end leave", "fail die eat"])
def test_a_role_that_ends_its_process_harms_no_other(place: Place, running: Start, odd: str) -> None:
    memory = aged(place)
    daemon = running(f"{odd} work")
    runs = ended(memory, *(f"odd:{name}" for name in [*odd.split(), "work"]))
    found = {role: (run.state, run.error) for role, run in runs.items() if role.startswith("odd:")}
    assert found.pop("odd:work") == ("done", None)
    assert found == {f"odd:{name}": ENDS[name] for name in odd.split()}
    assert runs["odd:work"].findings["pid"] != daemon.process.pid
    assert daemon.end()[0] == 0


def test_a_daemon_is_seen_and_stopped_by_another_process(place: Place, running: Start) -> None:
    memory = aged(place)
    daemon = running()
    ended(memory, "odd:work")
    code, answer = daemon.command("daemon", "status")
    assert code == 0
    assert [one["pid"] for one in answer["status"]["daemons"]] == [daemon.process.pid]
    began = time.monotonic()
    code, answer = daemon.command("daemon", "stop")
    assert (code, [one["state"] for one in answer["daemons"]]) == (0, ["stopped"])
    assert daemon.left()[0] == 0
    assert time.monotonic() - began < 5
    assert daemon.command("daemon", "status")[0] == 1
    assert daemon.command("daemon", "stop")[0] == 1


@pytest.mark.parametrize("odd", ["hang", pytest.param("spin", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_a_role_that_hangs_is_ended_and_told_of(place: Place, running: Start, odd: str) -> None:
    memory = aged(place)
    daemon = running(f"{odd} work", role_minutes=0.1)
    runs = ended(memory, f"odd:{odd}", "odd:work")
    assert runs[f"odd:{odd}"].error == "it ran for longer than its 0.1 minutes and was ended"
    assert runs[f"odd:{odd}"].seconds < 20  # type: ignore[operator]
    assert next(row["failures"] for row in memory.store.read("role_list") if row["name"] == f"odd:{odd}") == 1
    assert daemon.process.poll() is None
    assert daemon.end()[0] == 0


def test_it_stops_within_five_seconds_whatever_runs(place: Place, running: Start) -> None:
    memory = aged(place)
    daemon = running("hang")
    until(lambda: memory.supervisor.runs("odd:hang", 1))
    (child,) = psutil.Process(daemon.process.pid).children()
    began = time.monotonic()
    assert daemon.end(signal.SIGINT)[0] == 0
    assert time.monotonic() - began < 5
    assert not child.is_running()
    (run,) = memory.supervisor.runs("odd:hang", 9)
    assert (run.state, run.error) == ("interrupted", "its daemon was stopped")
    state = next(row for row in memory.store.read("role_list") if row["name"] == "odd:hang")
    assert (state["failures"], state["due_at"] <= memory.world.now()) == (0, True), "it is still due, and did not fail"
    assert memory.daemon_status().daemons == ()


@pytest.mark.slow
def test_what_is_asked_to_stop_goes_on_from_there_under_the_next_daemon(place: Place, running: Start) -> None:
    memory = aged(place)
    daemon = running("walk")
    until(lambda: memory.supervisor.runs("odd:walk", 1))
    time.sleep(0.5)
    assert daemon.end()[0] == 0
    (run,) = memory.supervisor.runs("odd:walk", 9)
    assert (run.state, run.error) == ("interrupted", "it was asked to stop, and goes on from there")
    state = next(row for row in memory.store.read("role_list") if row["name"] == "odd:walk")
    assert state["checkpoint"] == str(run.findings["reached"])
    daemon.start()
    until(lambda: len(memory.supervisor.runs("odd:walk", 9)) == 2)
    time.sleep(0.3)
    assert daemon.end()[0] == 0
    assert memory.supervisor.runs("odd:walk", 1)[0].findings["reached"] > run.findings["reached"]


@pytest.mark.slow
def test_whatever_is_killed_nothing_stays_stuck(place: Place, running: Start) -> None:
    memory = aged(place)
    daemon = running("walk")
    rng = random.Random(5)
    for number in range(4):
        until(lambda: any(run.state == "running" for run in memory.supervisor.runs("odd:walk", 1)))
        time.sleep(rng.uniform(0, 0.3))
        (child,) = until(lambda: psutil.Process(daemon.process.pid).children())
        if number % 2:
            child.kill()
            until(lambda: not any(run.state == "running" for run in memory.supervisor.runs("odd:walk", 1)))
        else:
            daemon.end(signal.SIGKILL)
            child.wait(10)  # whom its daemon leaves behind ends as well
            daemon.start()
        memory.store.write([("role_end", {"name": "odd:walk", "due_at": 0, "checkpoint": None, "failures": 0})])
    assert daemon.end()[0] == 0
    runs = memory.supervisor.runs("odd:walk", 99)
    assert {run.state for run in runs} == {"interrupted"}
    assert {run.error for run in runs} <= {
        "its process was killed by SIGKILL",
        "its process ended before it was through",
        "it was asked to stop, and goes on from there",
        "its daemon was stopped",
    }
    assert memory.daemon_status().daemons == ()


@pytest.mark.slow
def test_47_runs_that_were_left_stuck_are_closed_at_the_next_start(place: Place, running: Start) -> None:
    memory = aged(place, pause=False)
    dead = children.spawn("say(1)")
    children.said(dead)
    roles = ("expire", "decay", "metrics")
    for number in range(47):
        row = {
            "id": f"stuck{number:02}",
            "role": roles[number % 3],
            "dry": 0,
            "token": number + 1,
            "started_at": number,
        }
        holder = f"{process(dead.pid)}|stuck{number:02}" if number % 2 else "4711:stuck"
        memory.store.write([("run_begin", {**row, "holder": holder, "ends_by": number})])
    held = {"name": "role:expire", "holder": f"{process(dead.pid)}|stuck45", "now": memory.world.now()}
    with memory.store.transaction("*") as tx:
        tx.read("lease_take", {**held, "expires_at": memory.world.now() + 100_000_000})
    daemon = running()
    until(lambda: not [run for run in memory.runs(limit=500) if run.state == "running"])
    stuck = [run for run in memory.runs(limit=500) if run.id.startswith("stuck")]
    assert len(stuck) == 47
    assert {run.state for run in stuck} == {"interrupted"}
    assert {run.error for run in stuck} == {
        "its process ended before it was through",
        "nothing was heard of its process any more",
    }
    assert {one.subject for one in memory.alerts()} <= set(roles)
    memory.store.write([("role_end", {"name": one, "due_at": 0, "checkpoint": None, "failures": 3}) for one in roles])
    until(lambda: all(memory.runs(role, 1)[0].state == "done" for role in roles))
    until(lambda: not memory.alerts())
    assert daemon.end()[0] == 0


@pytest.mark.slow
def test_of_several_daemons_one_runs_each_role(place: Place, running: Start) -> None:
    memory = aged(place, pause=False)
    started = [running("work") for _ in range(3)]
    names = [*(one.name for one in memory.roles()), "odd:work"]
    ended(memory, *names)
    status = memory.daemon_status()
    assert sorted(one.pid for one in status.daemons) == sorted(one.process.pid for one in started)
    assert (status.score, status.alerts) == (100, ())
    time.sleep(6)  # for whoever would do it again
    runs = memory.supervisor.runs(None, 99)
    assert sorted(run.role for run in runs) == sorted(names)
    assert {run.state for run in runs} == {"done"}
    assert [one.state for one in memory.daemon_stop()] == ["stopped"] * 3
    assert [one.left()[0] for one in started] == [0, 0, 0]


@pytest.mark.slow
def test_a_service_does_what_is_due_and_goes_on_when_that_is_stopped(place: Place) -> None:
    memory = aged(place)
    memory.resume("metrics")
    service = Serving(**place.arguments)
    try:
        ended(memory, "metrics")
        (found,) = memory.daemon_status().daemons
        assert found.pid == service.process.pid
        assert [one.state for one in memory.daemon_stop()] == ["stopped"]
        with engrain.open(service.url) as client:
            status = client.daemon_status()
            assert (status.alive, [one.name for one in status.roles][:2]) == (False, ["expire", "decay"])
        assert service.stop() == ""
    finally:
        if service.process.poll() is None:
            service.kill()


@pytest.mark.slow
def test_it_waits_for_a_store_that_cannot_be_used_and_goes_on(
    place: Place, running: Start, request: pytest.FixtureRequest
) -> None:
    memory = aged(place)
    daemon = running("work", busy_seconds=0.2)
    ended(memory, "odd:work")
    memory.resume("metrics")  # which is due, and cannot be done now
    if place.url:
        server: Server = request.getfixturevalue("server")
        database = place.url.partition("?")[0].rpartition("/")[2]
        server.run(f"alter database {database} allow_connections false")
        server.run(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'")
        time.sleep(6)
        server.run(f"alter database {database} allow_connections true")
        memory = place.open(world=RealWorld())
    else:
        with closing(sqlite3.connect(place.home / "engrain.db", isolation_level=None)) as other:
            other.execute("begin immediate")
            time.sleep(6)
            other.execute("rollback")
    again = ("role_end", {"name": "metrics", "due_at": 0, "checkpoint": None, "failures": 0})  # it may have failed
    until(lambda: memory.store.write([again]) and any(run.state == "done" for run in memory.runs("metrics")))
    assert daemon.process.poll() is None
    code, err = daemon.end()
    assert code == 0
    assert "background work waits until the store can be used again" in err
    assert "background work goes on" in err


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="the system cannot limit another process")
def test_it_goes_on_when_the_disk_has_room_again(place: Place, running: Start) -> None:
    if place.url:
        pytest.skip("the server's disk is not the daemon's")
    memory = aged(place)
    daemon = running("work")
    ended(memory, "odd:work")
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    memory.resume("metrics")
    time.sleep(6)
    assert daemon.process.poll() is None
    assert not [run for run in memory.runs("metrics") if run.state == "done"]
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    again = ("role_end", {"name": "metrics", "due_at": 0, "checkpoint": None, "failures": 0})  # it has failed
    until(lambda: memory.store.write([again]) and any(run.state == "done" for run in memory.runs("metrics")))
    code, err = daemon.end()
    assert (code, "no room left" in err) == (0, True)


@pytest.mark.slow
def test_it_stops_in_time_although_the_store_does_not_answer(place: Place, running: Start) -> None:
    memory = aged(place)
    daemon = running("work")
    ended(memory, "odd:work")
    with memory.store.transaction("*") as tx:  # of the registry, and of a folder everything
        tx.run("daemon_stop", {"ids": [one.id for one in memory.daemon_status().daemons], "now": None})
        tx.run("daemon_seen", {"id": "x", "host": "h", "pid": 1, "version": "", "started_at": 0, "now": 0})
        began = time.monotonic()
        assert daemon.end()[0] == 0
        assert time.monotonic() - began < 5.5
    assert memory.daemon_status().daemons == (), "the next that looks knows that its process is gone"


@pytest.mark.slow
def test_a_holder_that_slept_past_its_lease_changes_nothing_any_more(place: Place) -> None:
    writer = """
    import engrain
    from engrain.errors import LeaseLost
    from engrain.store.leases import holding
    memory = engrain.open(**given, embedder="hash")
    with holding(memory.store, memory.world, "role:x", ttl=1_000_000) as held:
        say("held")
        try:
            for n in range(10_000):
                held.store.write([("home_set", {"name": "x", "value": f"first {n}"})])
                time.sleep(0.01)
        except LeaseLost as error:
            say(str(error))
    """
    memory = place.open(world=RealWorld())
    first = children.spawn(writer, place.arguments)
    assert children.hear(first) == "held"
    time.sleep(2.5)  # longer than the lease: it is renewed

    def take() -> bool:
        return acquire(memory.store, "role:x", "another", memory.world.now(), 100_000_000) is not None

    assert not take()
    os.kill(first.pid, signal.SIGSTOP)
    assert gone(f"{process(first.pid)}|x") is None, "it sleeps, and may wake up"
    until(take)
    memory.store.write([("home_set", {"name": "x", "value": "second"})])
    os.kill(first.pid, signal.SIGCONT)
    assert "taken over by another process" in children.hear(first)
    children.said(first)
    assert memory.store.read("home_get", {"name": "x"})[0]["value"] == "second"
    assert memory.store.read("lease_find", {"name": "role:x"})[0]["holder"] == "another"
