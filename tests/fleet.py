"""Many daemons of one home whose clocks a test moves together: what each role did in every one of its intervals."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import engrain
from engrain.memory import Memory
from engrain.model.run import Run
from engrain.testing import SimulatedWorld
from tests import children
from tests.postgres import Place

START = "2026-01-01T00:00:00Z"
DAEMON = """
import engrain
from engrain.testing import SimulatedWorld
world = SimulatedWorld(given["start"], seed=given["seed"])
with engrain.open(**given["place"], world=world, embedder="hash") as memory:
    say("ready")
    for line in sys.stdin:
        world.advance(seconds=float(line))
        say(sum(run.state == "done" for run in memory.supervisor.tick()))
"""


def live(place: Place, many: int, days: float, minutes: float = 5) -> tuple[int, int]:
    """``many`` processes look every so many minutes whether something is due, all at once, for so many days; the
    intervals of all roles, and how many of them had another number of runs than one."""
    with engrain.open(**place.arguments, world=SimulatedWorld(START), embedder="hash") as memory:
        memory.agent("ann").remember_many([{"content": f"thing {n}", "expires_in": "30h"} for n in range(20)])
    processes = []
    for seed in range(many):
        processes.append(children.spawn(DAEMON, {"place": place.arguments, "start": START, "seed": seed + 1}))
    for process in processes:
        assert children.hear(process) == "ready"
    done = 0
    for _ in range(round(days * 24 * 60 / minutes)):
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(f"{minutes * 60}\n")
            process.stdin.flush()
        done += sum(children.hear(process) for process in processes)
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
        children.said(process)
    over = datetime.fromisoformat(START) + timedelta(days=days)
    with engrain.open(**place.arguments, world=SimulatedWorld(over), embedder="hash") as memory:
        return _counted(memory, done, over)


def _counted(memory: Memory, done: int, over: datetime) -> tuple[int, int]:
    runs: list[Run] = memory.runs(limit=10_000)
    assert {run.state for run in runs} == {"done"}
    assert len(runs) == done, "what a process said was done is not what is written"
    intervals = wrong = 0
    begun = datetime.fromisoformat(START)
    for role in memory.roles():
        every = timedelta(seconds=role.every_seconds)
        found = Counter((run.started_at - begun) // every for run in runs if run.role == role.name)
        expected = set(range(1, (over - begun) // every + 1))
        intervals += len(expected)
        wrong += sum(found[number] != 1 for number in expected | set(found))
    return intervals, wrong
