"""The role that copies the store: verified before an old copy goes, none that is half counts, and it is restored."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain.errors import StoreFull
from engrain.memory import Memory
from engrain.model.run import Run
from engrain.testing import SimulatedWorld
from tests import children
from tests.postgres import Place

START = "2026-01-01T00:00:00Z"


def opened(home: Path, world: SimulatedWorld | None = None, **settings: Any) -> Memory:
    return engrain.open(home, world=world or SimulatedWorld(START), embedder="hash", **settings)


def ran(memory: Memory, **how: Any) -> Run:
    (run,) = memory.tick(["backup"], **how)
    return run


def names(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "backups").glob("*"))


def test_a_copy_a_day_the_newest_are_kept_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    world = SimulatedWorld(START)
    strangers = ["before-migration-from-5-1-1.db", "engrain-20250101T000000Z.db.old", "engrain-monday.db", "notes.txt"]
    (tmp_path / "backups").mkdir()
    for name in strangers:
        (tmp_path / "backups" / name).touch()
    with opened(tmp_path, world, keep_backups=3) as memory:
        memory.agent("a").remember("worth a copy")
        for _ in range(5):
            world.advance(days=1)
            (run,) = [one for one in memory.tick() if one.role == "backup"]
            assert run.state == "done", run.error
        assert run.findings == {
            "made": 1, "deleted": 1, "backups": 3, "bytes": run.findings["bytes"],
            "path": str(tmp_path / "backups" / "engrain-20260106T000000Z.db"),
        }  # fmt: skip
        assert ran(memory).findings["made"] == 0, "the copy of this second is there"
        world.advance(days=1)
        before = names(tmp_path)
        assert ran(memory, dry_run=True).findings == {"made": 1, "deleted": 1, "backups": 3}
        assert names(tmp_path) == before
    kept = [f"engrain-2026010{day}T000000Z.db" for day in (4, 5, 6)]
    assert before == sorted([*strangers, *kept])
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "backups").glob("engrain-2026*Z.db")} == {0}


def test_a_copy_from_the_future_is_not_the_newest(tmp_path: Path) -> None:
    """A clock that was years ahead for a day must not cost the copies of the years until then."""
    (tmp_path / "backups").mkdir()
    for year in (2031, 2032):
        (tmp_path / "backups" / f"engrain-{year}0101T000000Z.db").touch()
    world = SimulatedWorld(START)
    with opened(tmp_path, world, keep_backups=2) as memory:
        for _ in range(2):
            world.advance(days=1)
            ran(memory)
    assert names(tmp_path) == ["engrain-20260102T000000Z.db", "engrain-20260103T000000Z.db"]


def test_none_are_made_of_a_server_nor_where_none_are_to_be_kept(place: Place) -> None:
    memory = place.open(world=SimulatedWorld(START), keep_backups=3 if place.url else 0)
    found = ran(memory)
    assert (found.state, found.findings["backups"]) == ("done", 0)
    assert ("server" if place.url else "keep_backups is 0") in found.findings["note"]
    assert not (place.home / "backups").exists()


WRITER = """
import engrain
with engrain.open(given, embedder="hash") as memory:
    agent = memory.agent("b")
    say(1)
    for number in range(10_000):
        agent.remember(f"told while the copy is made {number}")
"""


def test_a_copy_is_made_while_another_process_writes_all_the_time(tmp_path: Path) -> None:
    """A copy that begins anew with every write of another process never ends."""
    with opened(tmp_path, redact=False) as memory:
        values = memory.agent("a").kv("large")
        for number in range(40):
            values.set(str(number), "x" * 1_000_000)
        process = children.spawn(WRITER, str(tmp_path))
        children.hear(process)
        run = ran(memory)
        assert process.poll() is None, "nobody wrote meanwhile"
        children.kill(process)
        assert run.state == "done", run.error
        assert engrain.restore_backup(run.findings["path"], tmp_path / "new")["schema"] == memory.store.schema()[0]


FAULT = """
import os, signal, engrain, pathlib
from engrain.testing import SimulatedWorld
from engrain.store.sqlite import SqliteStore
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
step = given["step"]
if step == "copied":
    copy = SqliteStore._copy
    SqliteStore._copy = lambda self, path: (copy(self, path), die())
elif step in ("rename", "unlink"):
    plain = getattr(pathlib.Path, step)
    def killed(self, *rest, **named):
        if "engrain-2026010" in self.name and (step == "rename" or self.name.endswith("Z.db")):
            die()
        return plain(self, *rest, **named)
    setattr(pathlib.Path, step, killed)
memory = engrain.open(given["home"], world=SimulatedWorld("2026-01-03T00:00:00Z"), embedder="hash", keep_backups=1)
memory.tick(["backup"])
"""


@pytest.mark.parametrize("step", ["copied", "rename", "unlink"])
def test_killed_at_any_step_old_copies_stay_and_no_half_one_counts(tmp_path: Path, step: str) -> None:
    world = SimulatedWorld("2026-01-01T00:00:00Z")
    with opened(tmp_path, world, keep_backups=1) as memory:
        memory.agent("a").remember("from the first copy")
        ran(memory)
    process = children.spawn(FAULT, {"home": str(tmp_path), "step": step})
    process.communicate(timeout=50)
    assert process.returncode == -9
    for path in (tmp_path / "backups").glob("*Z.db"):
        assert engrain.restore_backup(path, tmp_path / path.stem)["memories"] == 1
    assert "engrain-20260101T000000Z.db" in names(tmp_path)
    with opened(tmp_path, SimulatedWorld("2026-01-04T00:00:00Z"), keep_backups=1) as memory:
        assert ran(memory).state == "done"
    assert names(tmp_path) == ["engrain-20260104T000000Z.db"], "a killed run has left something"


FULL = """
import resource, engrain
from engrain.testing import SimulatedWorld
with engrain.open(given, world=SimulatedWorld("2026-01-02T00:00:00Z"), embedder="hash", keep_backups=1) as memory:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    run, = memory.tick(["backup"])
    say([run.state, run.error])
"""


def test_a_full_disk_fails_the_run_and_keeps_the_old_copies(tmp_path: Path) -> None:
    """The child may not make a file longer than the store was before it grew, which is what a full disk looks like."""
    with opened(tmp_path, keep_backups=1) as memory:
        ran(memory)
        memory.agent("a").remember_many([{"content": "x" * 30_000} for _ in range(20)])
        memory.store.scrub()
    ((state, error),) = children.run(FULL, str(tmp_path))
    assert state == "failed"
    assert error.startswith(f"{StoreFull.__name__}: There is no room left")
    assert "engrain-20260102T000000Z.db was not made" in error
    assert names(tmp_path) == ["engrain-20260101T000000Z.db"]


def command(home: Path, *words: str) -> dict[str, Any]:
    line = [sys.executable, "-m", "engrain", *words, "--home", str(home), "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_newest_copy_is_restored_by_another_process(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command(home, "remember", "from the copy")
    (run,) = command(home, "tick", "--role", "backup")["runs"]
    command(home, "remember", "told later")
    newest = max((home / "backups").glob("engrain-*.db"))
    assert run["findings"]["path"] == str(newest)
    command(home, "restore-backup", str(newest), "--force")
    assert [one["content"] for one in command(home, "list")["items"]] == ["from the copy"]
