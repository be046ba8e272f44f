"""Workers that other packages bring: found where they are installed, run as any role, and no harm to the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engrain.errors import InvalidField
from engrain.testing import SimulatedWorld
from engrain.world import RealWorld, from_micros
from tests import children
from tests.plugins import install
from tests.postgres import Place

GOOD = """
from engrain.workers import Worker

def workers(memory):
    def weigh(work):
        agents = [one.name for one in work.memory.agents()]
        if not work.dry:
            work.memory.agent("acme").remember(f"weighed {len(agents)}")
        return {"agents": agents, "dry": work.dry}

    def walk(work):
        begun = int(work.checkpoint or 0)
        return {"from": begun}, None if begun == 2 else str(begun + 1)

    return [Worker("acme:weigh", "15m", weigh), Worker("acme:walk", "1d", walk, midnight=True, ages=True)]
"""
# Plug-in → what its module says, and what is told of it.
BAD = {
    "absent": ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
    "ends": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "raises": ("def workers(memory): raise ValueError('no luck')", "ValueError: no luck"),
    "mute": (
        "class Mute(Exception):\n    def __str__(self): raise self\ndef workers(memory): raise Mute",
        "Mute, which cannot be told: Mute",
    ),
    "text": ("workers = 'weigh'", "it gives str, not an engrain.workers.Worker"),
    "nothing": ("def workers(memory): return None", "it gives NoneType"),
    "lacks": ("", "AttributeError"),
    "other": ("from engrain.workers import Worker; workers = Worker('acme:x', '1d', print)", "it must be other:WHAT"),
    "caps": ("from engrain.workers import Worker; workers = Worker('caps:A b', '1d', print)", "must be caps:WHAT"),
    "seldom": ("from engrain.workers import Worker; workers = Worker('seldom:x', '1y', print)", "span of 1m to 3650d"),
    "often": ("from engrain.workers import Worker; workers = Worker('often:x', '1s', print)", "span of 1m to 3650d"),
    "idle": ("from engrain.workers import Worker; workers = Worker('idle:x', '1d', None)", "run is not callable"),
    "twins": (
        "from engrain.workers import Worker; workers = [Worker('twins:x', '1d', print)] * 2",
        "there is a second worker 'twins:x'",
    ),
}
TICKS = """
import engrain
from engrain.testing import SimulatedWorld
from engrain.world import RealWorld, from_micros
sys.path.insert(0, given["site"])
world = SimulatedWorld(given["start"], seed=len(given["ticks"]))
with engrain.open(**given["place"], world=world, embedder="hash") as memory:
    for minutes in given["ticks"]:
        world.advance(minutes=minutes)
        say([[run.role, run.state, dict(run.findings), run.error] for run in memory.tick()])
    say({one.name: [one.state, one.failures, one.note] for one in memory.roles()})
    say([[one.subject, one.detail] for one in memory.alerts()])
    say([check.detail for check in memory.doctor().checks if check.name == "background work"])
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site"


def ticks(place: Place, site: Path, start: str, *minutes: float) -> list[Any]:
    given = {"place": place.arguments, "site": str(site), "start": start, "ticks": minutes}
    return children.run(TICKS, given)


def test_a_worker_is_a_role_like_any_other(place: Place, site: Path) -> None:
    install(site, "acme", GOOD)
    memory = place.open(world=SimulatedWorld("2026-01-01T00:00:00Z"))
    memory.agent("ann").remember("something to weigh")
    first, roles, _, _ = ticks(place, site, "2026-01-01T00:00:00Z", 16)
    assert [run for run in first if ":" in run[0]] == [
        ["acme:weigh", "done", {"agents": ["ann"], "dry": False}, None]
    ]  # fmt: skip
    assert list(roles)[-2:] == ["acme:weigh", "acme:walk"], "they come after engrain's own"
    night, again, last, roles, alerts, _ = ticks(place, site, "2026-01-02T00:00:00Z", 1, 0, 0)
    walked = [run for runs in (night, again, last) for run in runs if run[0] == "acme:walk"]
    assert [run[1:3] for run in walked] == [
        ["interrupted", {"from": 0}], ["interrupted", {"from": 1}], ["done", {"from": 2}]
    ]  # fmt: skip
    assert roles["acme:walk"] == ["on", 0, None]
    assert alerts == []
    weighed = [one.content for one in memory.agent("acme").list()]
    assert sorted(weighed) == ["weighed 1", "weighed 2"], "what it wrote is there after its process has ended"


def test_a_plug_in_that_is_wrong_says_so_and_stops_nobody(place: Place, site: Path) -> None:
    place.open(world=SimulatedWorld("2026-01-01T00:00:00Z"))
    install(site, "acme", GOOD)
    for plugin, (code, _) in BAD.items():
        install(site, plugin, code)
    first, _, _, roles, alerts, doctor = ticks(place, site, "2026-01-01T00:00:00Z", 16, 15, 15)
    states = {role: state for role, state, _, _ in first}
    assert (states["expire"], states["acme:weigh"]) == ("done", "done")
    broken = {f"{plugin}:*" for plugin in BAD}
    assert {role for role, state in states.items() if state == "failed"} == broken
    for plugin, (_, why) in BAD.items():
        state, failures, note = roles[f"{plugin}:*"]
        assert (state, failures) == ("broken", 3)
        assert why in note
    assert {subject for subject, _ in alerts} == broken
    assert "role-failed" in doctor[0]


def test_what_a_run_does_wrong_is_told_of_whatever_it_is(place: Place, site: Path) -> None:
    """Its error is a text that every store takes, and what it returns is JSON and not endless."""
    place.open(world=SimulatedWorld("2026-01-01T00:00:00Z"))
    code = """
    import asyncio, sys
    from engrain.workers import Worker
    def raising(work): raise ValueError("odd \\0 \\ud800" + "x" * 10_000)
    class Mute(Exception):
        def __str__(self): raise self
    def mute(work): raise Mute
    def cancelled(work): raise asyncio.CancelledError("off")
    runs = {
        "mute": mute, "cancelled": cancelled, "half": lambda work: {"a": "\\ud800"},
        "long": lambda work: ({}, "x" * 200_000), "nul": lambda work: ({}, "a\\0"),
        "text": lambda work: ({}, "\\ud800"),
        "raises": raising, "exits": lambda work: sys.exit(4), "number": lambda work: 5, "odd": lambda work: {"a": {1}},
        "endless": lambda work: {"a": "x" * 200_000}, "place": lambda work: ({}, 7), "nan": lambda work: {"a": 1e999},
        "none": lambda work: None,
    }
    workers = [Worker(f"bad:{name}", "15m", run) for name, run in runs.items()]
    """
    install(site, "bad", code)
    first, roles, _, _ = ticks(place, site, "2026-01-01T00:00:00Z", 16)
    told = {role.removeprefix("bad:"): (state, error) for role, state, _, error in first if role.startswith("bad:")}
    assert told.pop("none") == ("done", None)
    assert {state for state, _ in told.values()} == {"failed"}
    assert told["raises"][1].startswith(r"ValueError: odd \0 \ud800x")
    assert len(told["raises"][1]) < 5000
    assert told["exits"][1] == "SystemExit: 4"
    for name in ("number", "place"):
        assert "must return its findings" in told[name][1]
    assert "not JSON serializable" in told["odd"][1]
    assert "not JSON compliant" in told["nan"][1]
    assert "more than 100,000 bytes" in told["endless"][1]
    assert told["mute"][1] == "Mute, which cannot be told: Mute"
    assert told["cancelled"][1] == "RuntimeError: CancelledError: off"
    assert all("its checkpoint ha" in told[name][1] for name in ("long", "nul"))
    assert all("UnicodeEncodeError" in told[name][1] for name in ("half", "text"))
    assert {name: roles[name][1] for name in roles if name.startswith("bad:")}["bad:none"] == 0


def test_before_it_fails_a_broken_plug_in_is_seen_by_the_doctor(place: Place, site: Path) -> None:
    place.open(world=SimulatedWorld("2026-01-01T00:00:00Z"))
    install(site, "absent", BAD["absent"][0])
    roles, alerts, doctor = ticks(place, site, "2026-01-01T00:00:00Z")
    assert roles["absent:*"][0] == "broken"
    assert alerts == []
    assert doctor == [roles["absent:*"][2]]


def test_the_alert_of_a_plug_in_that_was_mended_is_settled(place: Place, site: Path) -> None:
    world = SimulatedWorld("2026-01-01T00:00:00Z")
    memory = place.open(world=world)
    install(site, "absent", BAD["absent"][0])
    assert len(ticks(place, site, "2026-01-01T00:00:00Z", 16, 15, 15)[-2]) == 1
    for day, there in ((1, 1), (1, 1), (1, 0)):  # it may only be that this process does not have it
        world.advance(days=day)
        memory.tick(["metrics"])
        assert len(memory.alerts()) == there


def command(home: Path, site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "engrain", *words, "--home", str(home)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([children.PATH, str(site)])}
    return subprocess.run(line, env=environ, capture_output=True, text=True, check=False)


def test_the_command_line_takes_the_names_of_plug_ins(tmp_path: Path, site: Path) -> None:
    install(site, "acme", GOOD)
    install(site, "absent", BAD["absent"][0])
    home = tmp_path / "home"
    done = command(home, site, "tick", "--role", "acme:weigh", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    assert run["findings"] == {"agents": [], "dry": True}
    assert command(home, site, "pause", "acme:walk").returncode == 0
    shown = command(home, site, "roles")
    assert "paused" in shown.stdout
    assert "broken" in shown.stdout
    assert "No module named 'nowhere_to_be_found'" in " ".join(shown.stdout.split())
    assert command(home, site, "doctor").returncode == 1
    assert command(home, site, "tick", "--role", "absent:*").returncode == 1
    nobody = command(home, site, "tick", "--role", "acme:dance")
    assert nobody.returncode == 2
    assert "There is no role 'acme:dance'; the roles are expire, " in nobody.stderr
    assert "acme:weigh" in nobody.stderr


def test_a_process_without_the_plug_in_still_knows_its_history(tmp_path: Path, site: Path) -> None:
    install(site, "acme", GOOD)
    home = tmp_path / "home"
    assert command(home, site, "tick", "--role", "acme:weigh").returncode == 0
    elsewhere = tmp_path / "empty"
    runs = json.loads(command(home, elsewhere, "runs", "--role", "acme:weigh", "--json").stdout)["runs"]
    assert [run["state"] for run in runs] == ["done"]
    assert command(home, elsewhere, "pause", "acme:weigh").returncode == 0
    assert "acme" not in command(home, elsewhere, "roles").stdout
    assert "acme:weigh  skipped" in command(home, site, "tick", "--role", "acme:weigh").stdout
    assert command(home, elsewhere, "tick", "--role", "acme:weigh").returncode == 2


@pytest.mark.parametrize("name", ["", "*", "acme", "acme:", ":", 3, None, ["expire"], "expire "])
def test_a_name_that_no_role_has_is_refused(place: Place, name: Any) -> None:
    memory = place.open()
    with pytest.raises(InvalidField, match="There is no role"):
        memory.tick([name])


WORST = """
import os, time
from engrain.workers import Worker
print("a word on stdout")
def workers(memory):
    return [
        Worker("{plugin}:fine", "15m", lambda work: {{"did": 1}}),
        Worker("{plugin}:exits", "15m", lambda work: os._exit(5)),
    ]
"""


@pytest.mark.slow
def test_no_plug_in_ends_the_daemon_and_its_own_runs_are_told_of(place: Place, site: Path) -> None:
    """One ends every process that imports it, one at its run; the daemon and all other roles go on."""
    past = SimulatedWorld(from_micros(RealWorld().now()) - timedelta(hours=1))
    memory = place.open(world=past)
    memory.close()
    install(site, "fatal", "import os; os._exit(3)")
    install(site, "worst", WORST.format(plugin="worst"))
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([children.PATH, str(site)])}
    environ["ENGRAIN_EVERY_BACKUP"] = "15m"
    if place.url:
        environ |= {"ENGRAIN_HOME": place.url}
    line = [sys.executable, "-m", "engrain", "daemon", "run", *([] if place.url else ["--home", place.location])]
    daemon = subprocess.Popen(line, env=environ, cwd=site, stdout=subprocess.DEVNULL)
    memory = place.open()
    try:
        deadline = time.monotonic() + 45
        wanted = {"expire", "backup", "worst:fine", "worst:exits", "fatal:*"}
        while time.monotonic() < deadline and not wanted <= {run.role for run in memory.runs() if run.ended_at}:
            assert daemon.poll() is None, "the daemon ended"
            time.sleep(0.2)
    finally:
        daemon.terminate()
        assert daemon.wait(10) == 0
    found = {run.role: (run.state, run.error) for run in reversed(memory.runs(limit=100))}
    assert wanted <= set(found)
    assert found["expire"] == found["backup"] == found["worst:fine"] == ("done", None)
    assert found["worst:exits"] == ("interrupted", "its process exited with code 5 before it was through")
    assert found["fatal:*"] == ("failed", "its process exited with code 3 before it was through")
