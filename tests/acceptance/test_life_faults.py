"""Sweeps and restores killed at every step, or done by two processes at once: nothing lost, doubled or half."""

from __future__ import annotations

from itertools import pairwise
from textwrap import dedent
from typing import Any

import pytest

from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests import children
from tests.postgres import Place

COMMON = """
import engrain
from engrain.testing import SimulatedWorld
NAMES = ("expire", "decay", "archive", "promote", "prune")
def opened(days, seed):
    world = SimulatedWorld("2026-01-01T00:00:00Z", seed=seed)
    world.advance(days=days)
    return engrain.open(**given["place"], embedder="hash", world=world)
"""
# Every step of each verb dies once, in a process of its own that shares nothing with the others.
STEPS = """
def dying(memory, step):
    transaction, left = memory.store.transaction, [step]
    class Dying:
        def __init__(self, tx): self.tx = tx
        def __getattr__(self, name):
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1
            return getattr(self.tx, name)
    from contextlib import contextmanager
    @contextmanager
    def begun(tenant):
        with transaction(tenant) as tx:
            yield Dying(tx)
            if left[0] == 0:
                os._exit(9)  # all is written but not committed
            left[0] -= 1
        if left[0] == 0:
            os._exit(9)  # it is committed and nobody was told
        left[0] -= 1
    memory.store.transaction = begun
for step in range(1000):
    pid = os.fork()
    if pid == 0:
        memory = opened(given["days"], step + 10)
        dying(memory, step)
        agent = memory.agent("ann", tenant="acme")
        exec(given["act"])
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 9), code
    say([step, code])
    if code == 0:
        break
"""


def whole(memory: Memory) -> dict[str, str]:
    """The state of every memory by content. Asserts that each is there once, and that its events lead to its state."""
    agent = memory.agent("ann", tenant="acme")
    there = [*agent.list(), *agent.archived(), *agent.history("fact", "k")[1:]]
    states = {item.content + (" (knowledge)" if item.kind == "knowledge" else ""): item.state for item in there}
    assert len(states) == len(there), "something is there twice"
    for item in there:
        events = agent.transitions(item.id)
        for before, after in pairwise(events):
            assert (before.new, before.new) == (after.old, before.new), f"{before} does not lead to {after}"
        archived = sum(one.event == "memory:archived" for one in events)
        restored = sum(one.event == "memory:restored" for one in events)
        assert archived - restored == (item.state == "archived"), events
    assert memory.doctor().ok
    return states


ACTS: dict[str, tuple[int, str, str, dict[str, str]]] = {
    # days, what happens before, what dies, what is there in the end
    "expire": (2, "", 'memory.sweeps.run("expire")', {"short": "archived", "shared": "archived"}),
    "decay": (91, "", 'memory.sweeps.run("decay")', {"trifle": "pending_decay"}),
    "archive": (
        106,
        'opened(91, 1).sweeps.run("decay")',
        'memory.sweeps.run("archive")',
        {"trifle": "archived", "old": "archived"},
    ),
    "restore": (
        3,
        'opened(2, 1).sweeps.run("expire")',
        """
ids = [item.id for item in agent.archived() if item.content == "short"]
if ids:
    agent.restore(ids[0])
""",
        {"short": "active", "shared": "archived"},
    ),
    "promote": (20, "", 'memory.sweeps.run("promote")', {"lesson": "active", "lesson (knowledge)": "active"}),
    "prune": (
        95,
        'opened(2, 1).sweeps.run("expire")',
        'memory.sweeps.run("prune")',
        {"shared": "archived", "short": "gone"},
    ),
}
RESTORE = ACTS["restore"][2]
FORGET = RESTORE.replace("agent.restore", "agent.forget")
ACTS |= {  # what was archived on the second day has left the store
    "restore from the cold tables": (3, "", RESTORE, {"short": "active", "shared": "archived"}),
    "forget in the cold tables": (3, "", FORGET, {"short": "gone", "shared": "archived"}),
    "prune the cold tables": (95, "", ACTS["prune"][2], {"shared": "archived", "short": "gone"}),
}


def cold(place: Place) -> None:
    world = SimulatedWorld("2026-01-01T00:00:00Z", seed=1)
    world.advance(days=2)
    with place.open(world=world) as memory:
        memory.sweeps.run("expire")
        assert memory.archiver is not None
        assert memory.archiver.run().counts == {"memories": 2}


def told(place: Place) -> None:
    world = SimulatedWorld("2026-01-01T00:00:00Z", seed=0)
    with place.open(world=world) as memory:
        agent = memory.agent("ann", tenant="acme")
        agent.remember("short", expires_in="1d")
        agent.remember("shared", expires_in="1d", visibility="public", importance=9.0)
        agent.remember("trifle", importance=1.0)
        agent.remember("old", kind="fact", key="k")
        agent.remember("new", kind="fact", key="k")
        lesson = agent.remember("lesson", kind="learning", importance=9.9)
        for _ in range(5):
            agent.get(lesson.id)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("verb", ACTS)
def test_killed_at_every_step(place: Place, verb: str) -> None:
    days, before, act, expected = ACTS[verb]
    told(place)
    if "cold" in verb:
        cold(place)
    given = {"place": place.arguments, "days": days, "act": act}
    steps = children.run(COMMON + before + STEPS, given)
    assert steps[-1][1] == 0
    assert len(steps) > 8, "it did not die often enough"
    world = SimulatedWorld("2026-01-01T00:00:00Z", seed=1)
    world.advance(days=days)
    with place.open(world=world) as memory:
        states = whole(memory)
        assert {name: states.get(name, "gone") for name in expected} == expected
        assert set(states) >= {"trifle", "new", "lesson"}


SWEEP = """
memory = opened(given["days"], given["seed"])
say("ready")
sys.stdin.readline()
say({name: dict(memory.sweeps.run(name).counts) for name in NAMES})
memory.close()
"""


def test_two_processes_sweep_at_once(place: Place) -> None:
    world = SimulatedWorld("2026-01-01T00:00:00Z", seed=0)
    with place.open(world=world) as memory:
        for name in ("ann", "bob"):
            rows: list[dict[str, Any]] = [
                {"content": f"note {n}", "importance": 1.0, **({"expires_in": "1d"} if n % 2 else {})}
                for n in range(400)
            ]
            memory.agent(name, tenant="acme").remember_many(rows)
    given = [{"place": place.arguments, "days": 91, "seed": seed} for seed in (5, 6)]
    both = [children.spawn(COMMON + SWEEP, one) for one in given]
    for one in both:
        children.hear(one)
    for one in both:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    found = [children.said(one)[-1] for one in both]
    done = [sum(one[name].get(key, 0) for one in found) for name, key in (("expire", "expired"), ("decay", "decayed"))]
    assert done == [400, 400], "each was done once"
    with place.open() as memory:
        agent = memory.agent("ann", tenant="acme")
        events = [one.event for one in agent.transitions(limit=10_000)]
        assert [events.count(f"memory:{name}") for name in ("expired", "archived", "decayed")] == [200, 200, 200]
        assert len(agent.archived(limit=1000)) == 200


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on(place: Place) -> None:
    """SIGKILL while pieces are being archived: what was logged is what was done, and the rest is done afterwards."""
    world = SimulatedWorld("2026-01-01T00:00:00Z", seed=0)
    with place.open(world=world) as memory:
        rows = [{"content": f"note {n}", "expires_in": "1d"} for n in range(3000)]
        memory.agent("ann", tenant="acme").remember_many(rows)
    code = """
    memory = opened(2, given["seed"])
    carry, done = memory.store.transaction, []
    say("begin")
    memory.sweeps.run("expire", stop=lambda: bool(done.append(1) or (len(done) == 3 and say("middle"))))
    say("end")
    time.sleep(60)
    """
    for seed in (1, 2, 3):
        process = children.spawn(COMMON + dedent(code), {"place": place.arguments, "seed": seed})
        while children.hear(process) == "begin":
            pass
        children.kill(process)
        with place.open() as memory:
            agent = memory.agent("ann", tenant="acme")
            events = [one.event for one in agent.transitions(limit=10_000)]
            assert events.count("memory:expired") == events.count("memory:archived")
            assert len(agent.archived(limit=10_000)) == events.count("memory:archived") > 0
    world.advance(days=2)
    with place.open(world=world) as memory:
        memory.sweeps.run("expire")
        agent = memory.agent("ann", tenant="acme")
        assert len(agent.archived(limit=10_000)) == 3000
        assert memory.doctor().ok
