"""Several processes record fixes of one agent: no update is lost, and what was acknowledged survives a kill, once."""

from __future__ import annotations

import signal

from tests import children
from tests.postgres import Place

RECORD = """
import engrain
with engrain.open(**given["open"], embedder="hash") as memory:
    agent = memory.agent("ann")
    for number in range(given["count"]):
        made = agent.record_fix(f"job {number % 3} of 10.0.0.{number} failed", ["retry"], success=True, verified=True,
                                target="db", seconds=1, fixer=given["name"], visibility="public")
        say(made.id)
"""


def test_no_update_is_lost_and_none_is_there_twice(place: Place) -> None:
    memory = place.open()
    given = [{"open": place.arguments, "count": 15, "name": name} for name in ("one", "two")]
    running = [children.spawn(RECORD, one) for one in given]
    doomed = children.spawn(RECORD, {**given[0], "count": 100_000, "name": "doomed"})
    told = [children.hear(doomed) for _ in range(5)]
    doomed.send_signal(signal.SIGKILL)
    out, _ = doomed.communicate(timeout=30)
    told += [line.strip('"') for line in out.splitlines() if len(line) == 28]
    ids = [one for process in running for one in children.said(process)]
    agent = memory.agent("ann")
    there = [one.id for one in agent.fixes(limit=10_000)]
    assert len(there) == len(set(there))
    assert {*ids, *told} <= set(there)
    assert len(there) <= len(ids) + len(told) + 1  # one may have been written and not told any more
    stats = agent.fix_stats()
    assert (stats.seen, stats.solved, stats.fixers["one"]) == (len(there), len(there), 15)
    found = agent.diagnose("job 1 of 10.0.0.7 failed", target="db")
    assert found.target is not None
    assert found.target.odds.solved == len(there)
    assert next(one for one in memory.doctor().checks if one.name == "fixes").ok
    memory.rebuild()
    assert agent.fix_stats() == stats
