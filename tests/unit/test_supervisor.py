"""The supervisor: what is due is run once, whoever looks, however often, and whatever goes wrong."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from engrain.daemon.roles import Done, Role, Work
from engrain.daemon.supervisor import SILENT, Supervisor
from engrain.errors import InvalidField
from engrain.memory import Memory
from engrain.model.fading import DAY
from engrain.model.run import Run
from engrain.store.leases import TTL, acquire
from engrain.testing import SimulatedWorld
from tests.postgres import Place

MINUTE = 60_000_000


class Diary:
    """Roles that note their runs; ``fails`` raise, ``acts`` do something of their own."""

    def __init__(self, place: Place, world: SimulatedWorld | None = None) -> None:
        self.world = world or SimulatedWorld()
        self.memory: Memory = place.open(world=self.world)
        self.noted: list[str] = []
        self.fails: set[str] = set()
        self.acts: dict[str, Callable[[Work], Done]] = {}
        self.supervisor = self.another()

    def another(self) -> Supervisor:
        roles = [
            Role("expire", 15 * MINUTE, self._role("expire")),
            Role("decay", DAY, self._role("decay")),
            Role("metrics", DAY, self._role("metrics"), ages=False, midnight=True),
            Role("report", 7 * DAY, self._role("report"), ages=False),
        ]
        return Supervisor(self.memory.store, self.world, roles)

    def _role(self, name: str) -> Callable[[Work], Done]:
        def run(work: Work) -> Done:
            self.noted.append(name)
            if name in self.fails:
                raise ValueError(f"{name} broke")
            return self.acts[name](work) if name in self.acts else ({"seen": 1}, None)

        return run

    def tick(self, **how: Any) -> list[Run]:
        self.noted.clear()
        return self.supervisor.tick(**how)

    def due(self, name: str) -> datetime:
        return next(one.due_at for one in self.supervisor.roles() if one.name == name)


@pytest.fixture
def diary(place: Place) -> Diary:
    return Diary(place)


def states(runs: list[Run]) -> list[tuple[str, str]]:
    return [(run.role, run.state) for run in runs]


def test_a_role_is_due_one_interval_after_the_home_was_made_and_then_at_fixed_times(diary: Diary) -> None:
    assert diary.tick() == []
    diary.world.advance(minutes=14, seconds=59)
    assert diary.tick() == []
    diary.world.advance(seconds=1)
    assert states(diary.tick()) == [("expire", "done")]
    assert diary.tick() == [], "it was run twice"
    diary.world.advance(minutes=22)  # seven late: the next is not late for it
    assert states(diary.tick()) == [("expire", "done")]
    assert diary.due("expire") == datetime(2026, 1, 1, 0, 45, tzinfo=UTC)


def test_missed_runs_become_one_in_the_order_of_the_roles(diary: Diary) -> None:
    diary.tick()
    diary.world.advance(days=31, hours=5)
    assert states(diary.tick()) == [(name, "done") for name in ("expire", "decay", "metrics", "report")]
    assert diary.noted == ["expire", "decay", "metrics", "report"]
    assert diary.tick() == []
    assert diary.due("decay") == datetime(2026, 2, 2, tzinfo=UTC)
    assert diary.due("report") == datetime(2026, 2, 5, tzinfo=UTC)


def test_midnight_is_that_of_utc_whatever_the_zone_and_season(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        diary = Diary(place, SimulatedWorld("2026-03-07T18:20:00Z"))  # the clocks there go forward on the 8th
        found = []
        for _ in range(2 * 24 * 4):
            diary.world.advance(minutes=15)
            found += [run.started_at for run in diary.tick() if run.role == "metrics"]
        assert found[0] == datetime(2026, 3, 8, 0, 5, tzinfo=UTC)
        assert [(moment.hour, moment.minute) for moment in found] == [(0, 5)] * 2
        assert diary.due("metrics") == datetime(2026, 3, 10, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_schedule_and_history_are_those_of_the_home_not_of_a_process(diary: Diary, place: Place) -> None:
    diary.world.advance(days=1)
    diary.tick()
    diary.memory.close()
    again = Diary(place, diary.world)
    assert again.tick() == []
    again.world.advance(days=6)
    assert ("report", "done") in states(again.tick()), "a process that is restarted daily never did the weekly work"
    assert states(again.supervisor.runs("decay", 9)) == [("decay", "done")] * 2
    assert again.supervisor.runs("decay", 1)[0].findings == {"seen": 1}
    assert [one.last.state for one in again.supervisor.roles() if one.last] == ["done"] * 4


def test_a_role_that_fails_is_told_of_tried_again_and_stops_nobody(diary: Diary) -> None:
    diary.fails = {"decay"}
    diary.world.advance(days=1)
    runs = diary.tick()
    assert states(runs) == [("expire", "done"), ("decay", "failed"), ("metrics", "done")]
    assert runs[1].error == "ValueError: decay broke"
    assert diary.memory.alerts() == []
    for expected in (0, 1, 1):  # the third in a row raises one, and no more come
        diary.world.advance(minutes=15)
        assert ("decay", "failed") in states(diary.tick())
        assert len(diary.memory.alerts()) == expected
    (alert,) = diary.memory.alerts()
    assert (alert.name, alert.subject) == ("role-failed", "decay")
    assert "3 times in a row, lately with ValueError: decay broke" in alert.detail
    assert [one.failures for one in diary.supervisor.roles()] == [0, 4, 0, 0]
    diary.fails = set()
    diary.world.advance(minutes=15)
    assert ("decay", "done") in states(diary.tick())
    assert diary.memory.alerts() == []
    assert [one.settled_at for one in diary.memory.alerts(settled=True)] == [
        diary.supervisor.runs("decay", 1)[0].ended_at
    ]
    assert diary.due("decay") == datetime(2026, 1, 3, tzinfo=UTC), "what failed for a while has its old times again"


def test_a_failure_that_explains_itself_is_told_without_a_traceback(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(work: Work) -> Done:
        raise InvalidField("Say which.")

    diary = Diary(place)
    diary.acts["decay"], diary.fails = refuse, {"expire"}
    assert states(diary.tick(only=["decay", "expire"])) == [("expire", "failed"), ("decay", "failed")]
    broken, refused = (one for one in caplog.records if "failed" in one.message)
    assert broken.exc_info
    assert not refused.exc_info
    assert "Say which." in refused.message


def test_a_clock_that_was_put_back_holds_nothing_up(diary: Diary) -> None:
    diary.world.advance(days=400)
    diary.tick()
    acquire(diary.memory.store, "role:decay", "a process that died then", diary.world.now(), TTL)
    back = SimulatedWorld("2026-01-02T12:00:00Z", seed=1)
    diary.world = back
    diary.supervisor = diary.another()
    assert states(diary.tick()) == [(name, "done") for name in ("expire", "decay", "metrics", "report")]
    assert diary.tick() == []
    assert diary.due("decay") == datetime(2026, 1, 3, tzinfo=UTC)


def test_paused_roles_and_a_lifecycle_that_is_off_are_skipped_and_say_so(diary: Diary) -> None:
    diary.supervisor.pause(True, ["metrics"])
    diary.supervisor.lifecycle(False)
    diary.world.advance(days=7)
    runs = diary.tick()
    assert states(runs) == [("expire", "skipped"), ("decay", "skipped"), ("metrics", "skipped"), ("report", "done")]
    assert [run.error for run in runs[1:3]] == ["the lifecycle of this home is off", "it is paused"]
    assert [one.state for one in diary.supervisor.roles()] == ["off", "off", "paused", "on"]
    assert states(diary.tick(only=["metrics"])) == [("metrics", "skipped")], "asked for by name, it stays paused"
    diary.supervisor.pause(False)
    diary.supervisor.lifecycle(True)
    assert states(diary.tick()) == [("expire", "done"), ("decay", "done"), ("metrics", "done")]


def test_memories_of_a_home_whose_lifecycle_was_off_fade_from_when_it_is_switched_on(place: Place) -> None:
    world = SimulatedWorld()
    memory = place.open(world=world)
    assert memory.lifecycle() is True, "a home that engrain makes has it on"
    assert memory.lifecycle(on=False) is False
    item = memory.agent("ann").remember("from before", importance=5, expires_in="300d")
    world.advance(days=100)
    assert {run.state for run in memory.tick() if run.role in ("expire", "decay", "archive", "promote", "prune")} == {
        "skipped"
    }

    def importance() -> float:
        found = [one for one in memory.agent("ann").list() if one.id == item.id]
        return found[0].importance

    assert memory.lifecycle(on=True) is True
    assert memory.lifecycle(on=True) is True
    memory.tick()
    assert importance() == 5.0
    world.advance(days=17)
    assert {run.state for run in memory.tick()} == {"done"}
    assert importance() == pytest.approx(4.0), "ten days beyond the first week"
    memory.close()
    assert place.open(world=world).lifecycle() is True
    with pytest.raises(InvalidField, match="on must be True"):
        place.open(world=world).lifecycle("yes")  # type: ignore[arg-type]


def test_what_is_asked_for_by_name_is_run_at_once_and_stays_on_schedule(diary: Diary) -> None:
    diary.world.advance(hours=1)
    before = diary.due("decay")
    assert states(diary.tick(only=["report", "decay"])) == [("decay", "done"), ("report", "done")]
    assert diary.due("decay") == before


def test_a_dry_run_is_told_and_changes_nothing(diary: Diary) -> None:
    diary.world.advance(days=1)
    diary.acts["decay"] = lambda work: ({"dry": work.dry}, None)
    diary.fails = {"metrics"}
    for _ in range(4):
        runs = diary.tick(dry=True)
        assert states(runs) == [("expire", "done"), ("decay", "done"), ("metrics", "failed")]
        assert runs[1].findings == {"dry": True}
    assert all(run.dry for run in diary.supervisor.runs(None, 99))
    assert {one.failures for one in diary.supervisor.roles()} == {0}
    assert {one.last for one in diary.supervisor.roles()} == {None}
    assert diary.memory.alerts() == []
    assert len(diary.tick()) == 3, "after a dry run the same is due"


def test_of_two_that_tick_at_once_one_runs_each_role(diary: Diary) -> None:
    diary.world.advance(days=7)
    barrier = threading.Barrier(4)
    found: list[Run] = []

    def look(supervisor: Supervisor) -> None:
        barrier.wait()
        found.extend(supervisor.tick())

    def slow(work: Work) -> Done:
        time.sleep(0.05)  # long enough for the others to come by
        return {}, None

    diary.acts = dict.fromkeys(("expire", "decay", "metrics", "report"), slow)
    diary.noted.clear()
    threads = [threading.Thread(target=look, args=(one,)) for one in [diary.another(), diary.supervisor] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(diary.noted) == ["decay", "expire", "metrics", "report"]
    assert sorted(run.role for run in found if run.state == "done") == ["decay", "expire", "metrics", "report"]


def test_a_run_whose_process_is_gone_ends_as_interrupted_and_its_role_is_run(diary: Diary) -> None:
    class Gone(BaseException):
        """What no role may catch, as the end of a process."""

    def die(work: Work) -> Done:
        raise Gone

    diary.acts["decay"] = die
    for times in (1, 2, 3):
        diary.world.advance(days=1)
        with pytest.raises(Gone):
            diary.tick(only=["decay"])
        assert diary.supervisor.runs("decay", 1)[0].state == "running"
        diary.supervisor.close_lost()
        lost = diary.supervisor.runs("decay", 1)[0]
        assert (lost.state, lost.error) == ("interrupted", SILENT)
        assert diary.supervisor.roles()[1].failures == times
    assert [one.subject for one in diary.memory.alerts()] == ["decay"]
    del diary.acts["decay"]
    assert ("decay", "done") not in states(diary.tick()), "a role that ends its process again and again has to wait"
    diary.world.advance(minutes=15)
    assert ("decay", "done") in states(diary.tick())
    assert diary.memory.alerts() == []


def test_a_run_that_was_silent_too_long_is_taken_over_and_cannot_end_any_more(diary: Diary) -> None:
    other = diary.another()
    taken: list[Run] = []

    def hang(work: Work) -> Done:
        del diary.acts["decay"]
        diary.world.advance(seconds=TTL / 1e6)
        taken.extend(other.tick(only=["decay"]))
        return {"late": True}, None if not work.stop() else "where it was"

    diary.acts["decay"] = hang
    diary.world.advance(days=1)
    diary.tick(only=["decay"])
    assert states(taken) == [("decay", "done")]
    kept = diary.supervisor.runs("decay", 9)
    assert sorted(run.state for run in kept) == ["done", "interrupted"]
    assert all("late" not in run.findings for run in kept)
    assert diary.due("decay") == datetime(2026, 1, 3, tzinfo=UTC)


def test_a_long_run_that_asks_whether_to_stop_keeps_its_role(diary: Diary) -> None:
    other = diary.another()
    seen: list[str] = []

    def work_long(work: Work) -> Done:
        for _ in range(20):
            diary.world.advance(seconds=TTL / 3e6)
            assert not work.stop()
            seen.extend(run.state for run in other.tick(only=["decay"]))
        return {}, None

    diary.acts["decay"] = work_long
    diary.world.advance(days=1)
    assert ("decay", "done") in states(diary.tick())
    assert seen == ["skipped"] * 20


def test_what_was_asked_to_stop_goes_on_from_there(diary: Diary) -> None:
    given: list[str | None] = []

    def step(work: Work) -> Done:
        given.append(work.checkpoint)
        return {"done": 5}, "item 5" if work.stop() else None

    diary.acts["decay"] = step
    diary.world.advance(days=1)
    (run,) = diary.supervisor.tick(only=["decay"], stop=lambda: bool(given))
    assert (run.state, run.findings) == ("interrupted", {"done": 5})
    assert [one.failures for one in diary.supervisor.roles()] == [0] * 4
    assert ("decay", "done") in states(diary.tick())
    assert given == [None, "item 5"]
    diary.tick(only=["decay"])
    assert given[-1] is None


def test_the_thread_looks_by_itself_survives_errors_and_ends_with_the_memory(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    diary = Diary(place)
    memory = diary.memory
    memory.supervisor = diary.supervisor
    done = threading.Event()
    calls: list[int] = []
    tick = memory.supervisor.tick

    def watched(*given: Any, **how: Any) -> list[Run]:
        calls.append(os.getpid())
        if len(calls) == 1:
            raise RuntimeError("the store is busy")
        found = tick(*given, **how)
        done.set()
        return found

    memory.supervisor.tick = watched  # type: ignore[method-assign]
    memory.looper._seconds = 0.01
    diary.world.advance(days=1)
    looper = memory.start_roles()
    assert memory.start_roles() is looper
    assert done.wait(10)
    memory.close()
    assert "the store is busy" in caplog.text
    assert looper._thread is None
    assert {"expire", "decay", "metrics"} <= set(diary.noted)
    assert not [one for one in threading.enumerate() if one.name == "engrain-roles"]
