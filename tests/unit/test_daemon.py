"""What a daemon decides: what is due, what can wait, what a process left behind, who is alive, and how it all fares."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from engrain.daemon import process as daemons_process
from engrain.daemon.health import score
from engrain.daemon.process import Daemon, why
from engrain.daemon.registry import ALIVE, Registration, ask_to_stop, daemons
from engrain.daemon.roles import Done, Role, Work
from engrain.daemon.supervisor import RETRY, WAITS, Supervisor, busy
from engrain.errors import LeaseLost, StoreUnavailable
from engrain.memory import Memory
from engrain.model.fading import DAY
from engrain.model.run import Alert, RoleState
from engrain.store import leases
from engrain.store.leases import Held, acquire, gone, holding, machine, process
from engrain.testing import SimulatedWorld
from engrain.world import from_micros
from tests.daemons import until
from tests.postgres import Place

NOW = from_micros(1_800_000_000_000_000)
NOBODY = 2**22 - 2  # a process id that no process has


class Desk:
    """A supervisor with two roles; ``much`` waits for the second."""

    def __init__(self, place: Place) -> None:
        self.world = SimulatedWorld()
        self.memory: Memory = place.open(world=self.world)
        self.store = self.memory.store
        self.much = False
        self.act: Callable[[Work], Done] = lambda work: ({}, None)
        roles = [
            Role("decay", DAY, lambda work: self.act(work)),  # noqa: PLW0108 (tests put another in its place)
            Role("archive", DAY, lambda work: ({}, None), backlog=lambda store, now: self.much),
        ]
        self.supervisor = Supervisor(self.store, self.world, roles, minutes=60)

    def begun(self, role: str, holder: str, token: int = 1) -> str:
        id_ = self.world.new_id()
        row = {"id": id_, "role": role, "dry": 0, "holder": holder, "token": token, "started_at": self.world.now()}
        self.supervisor.due()  # so that the role is known
        self.store.write([("run_begin", {**row, "ends_by": 0})])
        return id_

    def state(self, role: str = "decay") -> Any:
        return next(row for row in self.store.read("role_list") if row["name"] == role)


@pytest.fixture
def desk(place: Place) -> Desk:
    return Desk(place)


def test_what_can_wait_waits_while_the_machine_is_busy_but_not_for_ever(desk: Desk) -> None:
    desk.world.advance(days=1)
    assert desk.supervisor.due() == ["decay", "archive"]
    assert desk.supervisor.due(patient=True) == []
    desk.world.advance(hours=5, minutes=59)
    assert desk.supervisor.due(patient=True) == []
    desk.world.advance(minutes=1)
    assert desk.supervisor.due(patient=True) == ["decay", "archive"], "late by a quarter of a day"
    assert len(desk.supervisor.tick()) == 2


def test_load_is_told_by_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(os, "getloadavg", lambda: (8.1, 0.0, 0.0))
    assert busy()
    monkeypatch.setattr(os, "getloadavg", lambda: (7.9, 99.0, 99.0))
    assert not busy()
    monkeypatch.delattr(os, "getloadavg")
    assert not busy(), "where nobody counts them"


def test_what_waits_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engrain.daemon.supervisor.busy", lambda: True)
    assert [one.note for one in desk.supervisor.roles()] == [None, None]
    desk.world.advance(days=1)
    assert [one.note for one in desk.supervisor.roles()] == [WAITS, WAITS]
    desk.world.advance(hours=6)
    assert [one.note for one in desk.supervisor.roles()] == [None, None]


def test_a_role_is_run_early_when_much_waits_but_not_over_and_over(desk: Desk) -> None:
    desk.world.advance(hours=2)
    assert desk.supervisor.due() == []
    desk.much = True
    assert desk.supervisor.due() == ["archive"]
    assert desk.supervisor.roles()[1].note == "much waits: it is run early"
    assert [run.state for run in desk.supervisor.tick()] == ["done"]
    assert desk.supervisor.due() == []
    desk.world.advance(minutes=59)
    assert desk.supervisor.due() == []
    desk.world.advance(minutes=1)
    assert desk.supervisor.due() == ["archive"]
    assert desk.state("archive")["due_at"] == desk.world.now() + DAY - 3 * 3600 * 10**6, "its times are what they were"


def test_what_is_archived_and_waits_makes_the_role_due(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engrain.daemon.roles.MANY", 3)
    world = SimulatedWorld()
    memory = place.open(world=world)
    memory.pause()
    memory.resume("archive")
    memory.agent("ann").remember_many([{"content": f"{n}", "expires_in": "1h"} for n in range(3)])
    world.advance(hours=2)
    assert memory.supervisor.due() == []
    memory.resume("expire")
    memory.tick(["expire"])
    assert "archive" in memory.supervisor.due()


def test_a_run_has_half_its_time_and_goes_on_soon(desk: Desk) -> None:
    def work(work: Work) -> Done:
        steps = 0
        while not work.stop():
            steps += 1
            desk.world.advance(minutes=1)
        return {"steps": steps}, "there"

    desk.act = work
    desk.world.advance(days=1)
    (run, _) = desk.supervisor.tick()
    assert (run.state, run.findings) == ("interrupted", {"steps": 30})
    assert run.error == "its time for one run was over, and goes on from there"
    assert desk.supervisor.due() == ["decay"]
    assert desk.supervisor.roles()[0].note == "goes on from where it stopped"
    assert (desk.state()["failures"], desk.state()["checkpoint"]) == (0, "there")


def test_a_run_that_hangs_loses_its_lease_at_its_limit(desk: Desk) -> None:
    taken: list[object] = []

    def work(work: Work) -> Done:
        desk.world.advance(minutes=61)
        taken.append(acquire(desk.store, "role:decay", "another", desk.world.now(), DAY))
        assert work.stop()
        with pytest.raises(LeaseLost):
            work.store.write([("home_set", {"name": "x", "value": "late"})])
        with pytest.raises(LeaseLost), desk.store.transaction("*") as tx:
            work.guard(tx)
        work.store.write([("home_set", {"name": "x", "value": "later"})])
        return {}, None

    desk.act = work
    desk.world.advance(days=1)
    assert [run.state for run in desk.supervisor.tick(["decay"])] == ["failed"]
    assert taken[0] is not None
    assert desk.store.read("home_get", {"name": "x"}) == []


def test_a_role_that_ends_its_process_is_tried_at_once_then_like_one_that_fails(desk: Desk) -> None:
    for failures, wait in ((1, 0), (2, RETRY), (3, RETRY)):
        desk.begun("decay", f"{process(NOBODY)}|x")
        desk.supervisor.ended(NOBODY, "decay", "it broke", failed=True)
        assert desk.state()["failures"] == failures
        assert max(0, desk.state()["due_at"] - desk.world.now()) == wait
    assert [one.subject for one in desk.memory.alerts()] == ["decay"]
    assert {(run.state, run.error) for run in desk.supervisor.runs("decay", 9)} == {("interrupted", "it broke")}


def test_a_process_that_never_began_has_failed_and_one_that_was_through_has_not(desk: Desk) -> None:
    desk.supervisor.due()
    desk.supervisor.ended(NOBODY, "decay", "it exited with code 70", failed=True)
    (run,) = desk.supervisor.runs("decay", 9)
    assert (run.state, run.error) == ("failed", "it exited with code 70")
    assert desk.state()["failures"] == 1
    desk.world.advance(days=1)
    desk.supervisor.tick(["decay"])
    desk.supervisor.ended(os.getpid(), "decay", "it broke as it left", failed=True)
    assert len(desk.supervisor.runs("decay", 9)) == 2
    assert desk.state()["failures"] == 0


def test_what_was_asked_to_stop_did_not_fail(desk: Desk) -> None:
    desk.world.advance(days=1)
    desk.begun("decay", f"{process(NOBODY)}|x")
    desk.supervisor.ended(NOBODY, "decay", "its daemon was stopped", failed=True, asked=True)
    assert (desk.state()["failures"], desk.supervisor.due()) == (0, ["decay", "archive"])
    desk.supervisor.ended(NOBODY, "archive", "its daemon was stopped", failed=True, asked=True)
    assert desk.supervisor.runs("archive", 9) == []


def test_what_another_process_runs_is_not_due(desk: Desk) -> None:
    desk.world.advance(days=1)
    with holding(desk.store, desk.world, "role:decay"):
        assert desk.supervisor.due() == ["archive"]
    with holding(desk.store, desk.world, "role:decay") as held:
        assert held is not None
        holder = held.lease.holder.replace(str(os.getpid()), str(NOBODY))
        row = {"name": "role:decay", "holder": holder, "now": desk.world.now() + DAY}
        with desk.store.transaction("*") as tx:
            tx.read("lease_take", {**row, "expires_at": desk.world.now() + DAY})
        assert desk.supervisor.due() == ["decay", "archive"], "its process is gone"


def test_a_lease_of_a_process_that_is_gone_is_free_at_once(desk: Desk) -> None:
    acquire(desk.store, "archive", f"{process(NOBODY)}|x", desk.world.now(), 10**8)
    with holding(desk.store, desk.world, "archive") as held:
        assert held is not None
        assert held.lease.token == 2
        with holding(desk.store, desk.world, "archive") as other:
            assert other is None
    acquire(desk.store, "archive", f"elsewhere|boot|1|{NOBODY}|x", desk.world.now(), 10**8)
    with holding(desk.store, desk.world, "archive") as held:
        assert held is None, "of another machine nobody here can tell"


def test_a_thread_renews_a_lease_until_its_time_is_over(desk: Desk) -> None:
    lease = acquire(desk.store, "archive", "me", desk.world.now(), 400_000)
    assert lease is not None
    with Held(desk.store, desk.world, lease, 400_000, until=desk.world.now() + 10**6) as held:
        for _ in range(3):
            desk.world.advance(seconds=0.3)
            assert held.beat()
            row = desk.store.read("lease_find", {"name": "archive"})[0]
            assert row["expires_at"] == desk.world.now() + 400_000
        desk.world.advance(seconds=0.2)
        assert not held.beat()
        assert held.lost()


def test_who_is_gone_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    name, boot, space = machine().split("|")
    assert gone(f"{process()}|run") is None
    assert gone(f"{process(NOBODY)}|run") == leases.ENDED
    assert gone(f"{name}|another|{space}|{os.getpid()}|run") == leases.RESTARTED
    assert gone(f"{name}|{boot}|another|{NOBODY}|run") is None, "of a container beside this one"
    assert gone(f"other|{boot}|{space}|{NOBODY}|run") is None
    for odd in ("", "4711:run", "a|b|c", f"{machine()}|x|run", "|||", f"{machine()}||run"):
        assert gone(odd) is None
    monkeypatch.setattr(os, "kill", lambda pid, number: (_ for _ in ()).throw(PermissionError))
    assert gone(f"{process(1)}|run") is None, "it is there, and another user's"


def test_the_registry_tells_who_is_alive(desk: Desk) -> None:
    one, other = (Registration(desk.store, desk.world, os.getpid()) for _ in range(2))
    one.say_alive()
    other.say_alive()
    Registration(desk.store, desk.world, NOBODY).say_alive()
    assert [found.id for found in daemons(desk.store, desk.world.now())] == [one.id, other.id]
    desk.world.advance(microseconds=ALIVE - 1)
    other.say_alive()
    desk.world.advance(microseconds=1)
    assert [found.id for found in daemons(desk.store, desk.world.now())] == [other.id]
    status = desk.supervisor.status()
    assert (status.alive, status.score, len(status.daemons)) == (True, 100, 1)
    assert not other.asked_to_stop()
    assert [found.id for found in ask_to_stop(desk.store, desk.world.now(), everywhere=False)] == [other.id]
    assert other.asked_to_stop()
    assert daemons(desk.store, desk.world.now())[0].state == "stopping"
    other.say_alive()
    assert other.asked_to_stop(), "the wish outlives a sign of life"
    other.leave()
    assert not desk.supervisor.status().alive
    assert desk.store.read("daemon_list") == [], "the dead were struck out"


def test_daemons_of_other_machines_are_asked_to_stop_only_when_all_are(desk: Desk) -> None:
    row = {"id": "far", "host": "far|b|1", "pid": 1, "version": "1", "started_at": 0, "now": desk.world.now()}
    desk.store.write([("daemon_seen", row)])
    assert ask_to_stop(desk.store, desk.world.now(), everywhere=False) == []
    assert [one.host for one in ask_to_stop(desk.store, desk.world.now(), everywhere=True)] == ["far"]


def test_a_clock_that_is_put_back_makes_nobody_alive_for_years(desk: Desk) -> None:
    desk.world.advance(days=400)
    Registration(desk.store, desk.world, os.getpid()).say_alive()
    assert daemons(desk.store, SimulatedWorld().now()) == []


def test_the_score_says_what_it_took_off_for() -> None:
    now = 1_800_000_000_000_000
    good = RoleState("decay", "on", 3600.0, NOW, 0, None)
    assert score([good], [], now) == (100, ())
    late = replace(good, due_at=NOW - timedelta(hours=2))
    failed = replace(good, name="prune", failures=7)
    waits = replace(good, name="archive", note="much waits: it is run early")
    grown = Alert("a", NOW, "growth", "default/ann", "has 9 memories", None)
    known = Alert("b", NOW, "role-failed", "prune", "failed 7 times", None)
    found, reasons = score([late, failed, waits], [grown, known], now)
    assert (found, len(reasons)) == (100 - 20 - 30 - 5 - 10, 4)
    assert reasons[1] == "prune: 7 failures in a row (−30)"
    assert score([replace(failed, name=f"r{n}") for n in range(5)], [], now)[0] == 0
    assert score([replace(late, state="paused")], [], now) == (None, ("no role may run",))


def test_how_a_process_ended_is_told() -> None:
    assert why(3) == "its process exited with code 3 before it was through"
    assert why(-11) == "its process was killed by SIGSEGV"
    assert why(-200) == "its process was killed by signal 200"


def test_a_role_whose_process_cannot_be_started_holds_nothing_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(daemons_process, "POLL", 0.01)
    monkeypatch.setattr(daemons_process, "LOOK", 0.01)
    tried: list[str] = []

    def launch(role: str) -> subprocess.Popen[bytes]:
        tried.append(role)
        if len(tried) < 3:
            raise OSError("no more processes")
        raise StoreUnavailable("gone")

    desk.world.advance(days=2)
    daemon = Daemon(desk.store, desk.world, desk.supervisor, launch, 60)
    daemon.start()
    assert not daemon.wait(0.5)
    assert daemon.stop()
    assert "no more processes" in caplog.text
    assert desk.store.read("daemon_list") == []


def test_a_role_that_takes_long_does_not_hold_the_next_one_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemons_process, "POLL", 0.02)
    monkeypatch.setattr(daemons_process, "LOOK", 0.02)
    monkeypatch.setattr(daemons_process, "SLOW", 0.4)
    begun: dict[str, float] = {}
    processes: list[subprocess.Popen[bytes]] = []

    def launch(role: str) -> subprocess.Popen[bytes]:
        begun[role] = time.monotonic()
        processes.append(subprocess.Popen(["sleep", "60"], stdin=subprocess.PIPE, start_new_session=True))
        return processes[-1]

    desk.world.advance(days=2)
    daemon = Daemon(desk.store, desk.world, desk.supervisor, launch, 60)
    daemon.start()
    until(lambda: len(begun) == 2)
    assert begun["archive"] - begun["decay"] >= 0.4
    assert daemon.stop()
    assert [process.returncode for process in processes] == [-signal.SIGTERM] * 2
    assert desk.supervisor.runs(None, 9) == [], "they had not begun, and were asked to end"
