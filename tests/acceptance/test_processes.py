"""Many processes on one home, some killed at random: what was acknowledged is there, whole, and once."""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from engrain.memory import Memory
from tests import children
from tests.postgres import Place

WORK = "from tests.acceptance.writer_process import main\nmain(given)"


def drive(place: Place, folder: Path, processes: int, seconds: float, pause: float, kills: float) -> int:
    """Processes at work for some seconds; one is killed every ``kills`` seconds and another started. How many died."""
    folder.mkdir()
    rng = random.Random(7)

    def start(number: int) -> subprocess.Popen[str]:
        given = {"folder": str(folder), "name": f"p{number}", "open": place.arguments, "pause": pause}
        return children.spawn(WORK, given)

    running = [start(number) for number in range(processes)]
    while len(list(folder.glob("*.started"))) < processes:
        for ended in [process for process in running if process.poll() is not None]:
            children.said(ended)
        time.sleep(0.05)
    deadline = time.monotonic() + seconds
    killed = 0
    while time.monotonic() < deadline - kills:
        time.sleep(rng.uniform(0.2 * kills, 1.8 * kills))
        victim = rng.randrange(processes)
        children.kill(running[victim])
        killed += 1
        running[victim] = start(victim)
    time.sleep(max(0.0, deadline - time.monotonic()))
    (folder / "stop").touch()
    for process in running:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    errors = [path.read_text(encoding="utf-8") for path in folder.glob("*.error")]
    assert errors == [], errors[0]
    return killed


def check(memory: Memory, folder: Path) -> Counter[str]:
    """Every journal line against the store; what was found, by kind of line."""
    told: Counter[str] = Counter()
    places: Counter[str] = Counter()
    contents = Counter(row["content"] for row in memory.store.read("rebuild_batch", {"after": "", "limit": 1_000_000}))
    for path in folder.glob("*.journal"):
        for line in path.read_text(encoding="utf-8").splitlines():
            what, id_, name, rest = line.split(" ", 3)
            agent = memory.agent(name)
            told[what] += 1
            places[f"{what} {id_}"] += 1
            if what == "value":
                assert agent.kv("shared").get(id_) == int(rest), line
            elif what == "experience":
                assert memory.store.read(
                    "experience_of_decision", {"tenant": "default", "agent": name, "decision_id": rest}
                )
            else:
                item = agent.get(id_)
                assert (item is None) == (what == "gone"), line
                assert item is None or item.content == rest, line
                assert contents[rest] == (0 if what == "gone" else 1 if what == "item" else contents[rest]), line
    assert set(places.values()) == {1}, "two calls were given the same id"
    assert all(n == 1 for n in contents.values()), "something is there twice"
    report = memory.doctor()
    assert report.ok, report
    return told


def keys_are_whole(memory: Memory) -> None:
    """One current item to a key, and every version before it superseded by one that exists."""
    for number in range(3):
        agent = memory.agent(f"agent{number}")
        for key in ("key0", "key1", "key2"):
            versions = agent.history("fact", key)
            assert sum(item.state == "active" for item in versions) == min(1, len(versions))
            known = {item.id for item in versions}
            assert all(item.superseded_by in known for item in versions if item.state == "superseded")


def learned_is_whole(memory: Memory) -> None:
    """The sums of what was learned are those of the experiences, though many processes added to them at once."""
    for number in range(3):
        agent = memory.agent(f"agent{number}")
        experiences = agent.experiences(limit=10_000)
        visits = sum(value.visits for value in agent.q_values("build") if not value.state)
        assert visits == len(experiences)
    memory.rebuild()
    assert memory.doctor().ok


def run(place: Place, folder: Path, processes: int, seconds: float, pause: float, kills: float) -> None:
    killed = drive(place, folder, processes, seconds, pause, kills)
    with place.open() as memory:
        told = check(memory, folder)
        keys_are_whole(memory)
        learned_is_whole(memory)
    print(f"{place.location}: {killed} killed, {dict(told)}")
    assert killed >= 1
    assert {"item", "version", "gone", "experience", "value"} <= set(told)


def test_some_processes_some_killed_for_a_moment(place: Place, tmp_path: Path) -> None:
    run(place, tmp_path / "journals", processes=3, seconds=1.6, pause=0.05, kills=0.8)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_eight_processes_some_killed_for_a_minute(place: Place, tmp_path: Path) -> None:
    run(place, tmp_path / "journals", processes=8, seconds=60.0, pause=0.0, kills=0.7)
