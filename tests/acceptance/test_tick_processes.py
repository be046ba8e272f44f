"""Background work in several processes: at once, killed in the middle, after a restart."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain.lifecycle.sweep import SWEEPS
from engrain.shells.cli import main
from engrain.store.leases import TTL
from engrain.testing import SimulatedWorld
from engrain.world import RealWorld, from_micros
from tests import children
from tests.postgres import Place

START = "2026-01-01T00:00:00Z"
TICK = """
import engrain
from engrain.testing import SimulatedWorld
world = SimulatedWorld(given["start"])
with engrain.open(**given["place"], world=world, embedder="hash") as memory:
    world.advance(**given["later"])
    say("ready")
    sys.stdin.readline()
    say([[run.role, run.state, run.error] for run in memory.tick()])
"""
HANG = """
import engrain
from engrain.testing import SimulatedWorld
import engrain.lifecycle.sweep as sweep
world = SimulatedWorld(given["start"])
memory = engrain.open(**given["place"], world=world, embedder="hash")
world.advance(**given["later"])
rest = sweep.SWEEPS["decay"]
def hang(one):
    rest(one)
    say("in the middle")
    time.sleep(60)
sweep.SWEEPS["decay"] = hang
memory.tick()
"""
ELSEWHERE = """
import platform
platform.node = lambda: "far away"
import engrain
"""


def given(place: Place, **later: float) -> dict[str, Any]:
    return {"place": place.arguments, "start": START, "later": later}


def filled(place: Place) -> None:
    with engrain.open(**place.arguments, world=SimulatedWorld(START), embedder="hash") as memory:
        rows = [{"content": f"thing {n}", "expires_in": timedelta(hours=n + 1)} for n in range(40)]
        memory.agent("ann").remember_many(rows)


def test_of_processes_that_tick_at_once_one_runs_each_role(place: Place) -> None:
    filled(place)
    started = [children.spawn(TICK, given(place, days=7)) for _ in range(3)]
    for process in started:
        assert children.hear(process) == "ready"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    runs = [run for process in started for run in children.said(process)[-1]]
    done = sorted(role for role, state, _ in runs if state == "done")
    assert {state for _, state, _ in runs} <= {"done", "skipped"}
    memory = place.open(world=SimulatedWorld("2026-01-08T00:00:00Z", seed=9))
    assert done == sorted(one.name for one in memory.roles())
    assert len(memory.runs()) == len(done)
    assert memory.agent("ann").count() == 0
    assert memory.metrics()["series"][-1]["archived"] == 0, "what is done at midnight is of the next day"


def test_what_a_killed_process_left_is_closed_and_done_by_the_next(place: Place) -> None:
    filled(place)
    process = children.spawn(HANG, given(place, days=1, hours=1))
    assert children.hear(process) == "in the middle"
    children.kill(process)
    world = SimulatedWorld("2026-01-02T01:00:30Z", seed=5)
    memory = place.open(world=world)
    assert memory.runs("expire")[0].state == "done", "what was through before stays done"
    runs = {run.role: run.state for run in memory.tick()}
    assert runs["decay"] == "done"
    assert [run.state for run in memory.runs("decay")] == ["done", "interrupted"]
    assert memory.runs("decay")[1].error == "its process ended before it was through"
    assert memory.agent("ann").count() == 40 - 25
    assert {one.failures for one in memory.roles()} == {0}


def test_what_runs_on_another_machine_is_taken_over_when_nothing_is_heard_of_it(place: Place) -> None:
    filled(place)
    process = children.spawn(HANG.replace("import engrain\n", ELSEWHERE, 1), given(place, days=1, hours=1))
    assert children.hear(process) == "in the middle"
    children.kill(process)
    world = SimulatedWorld("2026-01-02T01:00:30Z", seed=5)
    memory = place.open(world=world)
    (decay,) = [run for run in memory.tick() if run.role == "decay"]
    assert decay.state == "skipped", "its lease is still held"
    assert memory.runs("decay")[0].state == "running"
    world.advance(microseconds=TTL)
    assert {run.role: run.state for run in memory.tick()}["decay"] == "done"
    assert memory.runs("decay")[1].error == "nothing was heard of its process any more"


def command(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "engrain", *words, "--home", str(home)]
    return subprocess.run(line, capture_output=True, text=True, check=False, cwd=children.ROOT)


def test_a_command_line_that_is_run_by_cron_does_what_is_due(tmp_path: Path) -> None:
    home = tmp_path / "home"
    world = SimulatedWorld(from_micros(RealWorld().now()) - timedelta(days=31))
    with engrain.open(home, world=world) as memory:
        memory.agent("ann").remember("gone by now", expires_in="1d")
        memory.agent("ann").remember("stays")
    first = command(home, "tick", "--json")
    assert first.returncode == 0, first.stderr
    states = {run["role"]: run["state"] for run in json.loads(first.stdout)["runs"]}
    assert set(states.values()) == {"done"}
    assert list(states) == [one["name"] for one in json.loads(command(home, "roles", "--json").stdout)["roles"]]
    assert command(home, "tick").stdout == "Nothing is due.\n"
    assert json.loads(command(home, "metrics", "--json").stdout)["totals"]["memories"] == 1
    assert "How the memory fared" in command(home, "report", "health", "--last", "--html").stdout
    assert "1 memory" in command(home, "metrics").stdout
    assert "expired 1" in command(home, "runs").stdout
    assert command(home, "pause", "decay").returncode == 0
    assert "paused" in command(home, "roles").stdout


def test_a_role_that_fails_gives_the_exit_code_of_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(sweep: object) -> None:
        raise OSError("the disk is on fire")

    monkeypatch.setitem(SWEEPS, "decay", broken)
    words = ["--home", str(tmp_path / "home")]
    assert main(["tick", "--role", "decay", "--role", "promote", *words]) == 1
    said = capsys.readouterr().out
    assert "decay     failed" in said
    assert "the disk is on fire" in said
    assert "promote   done" in said
    for _ in range(2):
        main(["tick", "--role", "decay", *words])
    capsys.readouterr()
    assert main(["alerts", *words]) == 0
    assert "role-failed decay failed 3 times in a row" in capsys.readouterr().out
    assert main(["roles", *words]) == 0
    assert "failed just now" in capsys.readouterr().out
