"""The archiver is killed, starved and hindered at every step; nothing is lost or doubled, and the next run goes on."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from engrain.archive.hold import TTL
from engrain.errors import ArchiveConflict, ArchiveError, StoreError
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests import children
from tests.postgres import Place

START = "2026-01-01T00:00:00Z"
ITEMS, STEPS = 60, 12
OPENED = """
import engrain
from engrain.testing import SimulatedWorld
def opened(minutes, seed):
    world = SimulatedWorld("2026-01-01T00:00:00Z", seed=seed)
    world.advance(days=40, minutes=minutes)
    memory = engrain.open(**given["place"], **given.get("settings", {}), embedder="hash", world=world)
    memory.archiver._size = 20
    return memory
"""


def told(place: Place, **settings: Any) -> None:
    """Archived memories and settled experiences that wait, beside some that stay."""
    world = SimulatedWorld(START, seed=0)
    with place.open(world=world, **settings) as memory:
        agent = memory.agent("ann", tenant="acme")
        agent.remember_many([{"content": f"note {n}", "expires_in": "1d"} for n in range(ITEMS)])
        agent.remember_many([{"content": f"stays {n}"} for n in range(5)])
        for n in range(STEPS):
            agent.observe_step("work", state=None, action=f"step {n}", outcome=_good())
        world.advance(days=2)
        memory.sweeps.run("expire")


def _good() -> Any:
    from engrain import Outcome

    return Outcome(success=True)


@contextmanager
def later(place: Place, minutes: int, **settings: Any) -> Any:
    world = SimulatedWorld(START, seed=1)
    world.advance(days=40, minutes=minutes)
    with place.open(world=world, **settings) as memory:
        yield memory


def whole(memory: Memory, moved: bool) -> None:
    """Each item is in one of the tiers, once; when all has ``moved``, in the cold one."""
    assert memory.tables is not None
    agent = memory.agent("ann", tenant="acme")
    hot = [item.content for item in agent.archived(limit=1000)]
    with memory.store.transaction("*") as tx:
        hot = [row["content"] for row in tx.read("cold_memories", _FIRST)]
        experiences = [row["action"] for row in tx.read("cold_experiences", _FIRST)]
    cold = memory.tables.read("memories", ["content"])["content"].to_pylist()
    settled = memory.tables.read("experiences", ["action"])["action"].to_pylist()
    assert Counter(hot + cold) == {f"note {n}": 1 for n in range(ITEMS)}
    assert Counter(experiences + settled) == {f"step {n}": 1 for n in range(STEPS)}
    assert {item.content for item in agent.list(limit=1000)} == {f"stays {n}" for n in range(5)}
    if moved:
        assert hot == experiences == []


_FIRST = {"before": 2**62, "after_tenant": "", "after_agent": "", "after_at": -(2**62), "after_id": "", "limit": 10_000}


# -- killed -----------------------------------------------------------------------------------------------------------

DYING = (
    OPENED
    + """
step = 0
while True:
    pid = os.fork()
    if pid == 0:
        memory, left = opened(10 * step, step + 10), [step]
        def die(name):
            if left[0] == 0:
                os._exit(9)
            left[0] -= 1
        memory.archiver._step = die
        memory.archiver.run()
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    say([step, code])
    if code != 9 or given["one"]:
        break
    step += 1
"""
)


def test_killed_at_every_step_of_one_run_after_the_other(place: Place) -> None:
    """Each run dies one step later than the last, and goes on with what that left."""
    told(place)
    steps = children.run(DYING, {"place": place.arguments, "one": False})
    assert steps[-1][1] == 0, steps
    assert len(steps) >= 4
    with later(place, 10 * len(steps)) as memory:
        whole(memory, moved=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_each_step_of_a_first_run(place: Place, tmp_path: Path) -> None:
    """Every step of a whole run dies once, in a home of its own; another process sees everything once, and ends it."""
    if place.url:
        pytest.skip("a folder is copied for every step")
    told(place)
    code = DYING.replace("step = 0", 'step = given["step"]')
    for step in range(1000):
        copy = Place(tmp_path / f"copy{step}")
        shutil.copytree(place.home, copy.home)
        ((_, died),) = children.run(code, {"place": copy.arguments, "one": True, "step": step})
        assert died in (0, 9)
        with later(copy, 100_000) as memory:
            whole(memory, moved=died == 0)
            assert memory.archiver is not None
            assert memory.archiver.run().whole
        with later(copy, 100_001) as memory:
            whole(memory, moved=True)
        shutil.rmtree(copy.home)
        if died == 0:
            break
    assert step > 12


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_any_moment(place: Place) -> None:
    told(place)
    code = (
        OPENED
        + """
memory = opened(given["minutes"], given["minutes"])
say("ready")
memory.archiver._size = 5
memory.archiver.run()
say("done")
"""
    )
    rng = random.Random(4)
    for turn in range(1, 12):
        process = children.spawn(code, {"place": place.arguments, "minutes": 10 * turn})
        children.hear(process)
        time.sleep(rng.random() * 0.3)
        children.kill(process)
        with later(place, 10 * turn + 1) as memory:
            whole(memory, moved=False)
    with later(place, 1000) as memory:
        assert memory.archiver is not None
        memory.archiver.run()
        whole(memory, moved=True)


# -- asleep, and overtaken ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["memories begun", "opened", "appended", "settled", "read back", "closed"])
def test_a_holder_that_slept_past_its_lease_doubles_nothing(place: Place, moment: str) -> None:
    """It wakes up in the middle of its work, after another process has done it."""
    told(place)
    with later(place, 1) as memory, later(place, 1 + TTL // 30_000_000) as other:
        assert memory.archiver is not None
        assert other.archiver is not None
        memory.archiver._size = other.archiver._size = 20
        slept: list[str] = []

        def step(name: str) -> None:
            if name == moment and not slept:
                slept.append(name)
                assert other.archiver is not None
                assert other.archiver.run().whole

        memory.archiver._step = step
        with suppress(ArchiveConflict):  # unless the other has left it nothing to do
            memory.archiver.run()
        assert slept
        whole(other, moved=True)
    with later(place, 1000) as memory:
        assert memory.archiver is not None
        assert memory.archiver.run().counts == {}
        whole(memory, moved=True)


RUNNING = (
    OPENED
    + """
memory = opened(1, given["seed"])
say("ready")
sys.stdin.readline()
moved = memory.archiver.run()
say(dict(moved.counts))
"""
)


def test_two_processes_at_once(place: Place) -> None:
    told(place)
    both = [children.spawn(RUNNING, {"place": place.arguments, "seed": seed}) for seed in (5, 6)]
    for one in both:
        children.hear(one)
    for one in both:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    found = [children.said(one)[-1] for one in both]
    assert sum(one.get("memories", 0) for one in found) == ITEMS
    assert sum(one.get("experiences", 0) for one in found) == STEPS
    with later(place, 2) as memory:
        whole(memory, moved=True)


# -- hindered ---------------------------------------------------------------------------------------------------------


def test_the_store_fails_at_each_statement(place: Place) -> None:
    """Each statement of a run fails once, and the next run gets further."""
    told(place)
    for turn in range(200):
        with later(place, 10 * turn) as memory:
            assert memory.archiver is not None
            memory.archiver._size = 20
            left = _failing(memory, turn)
            with suppress(StoreError):
                memory.archiver.run()
            del memory.store.__dict__["read"], memory.store.__dict__["transaction"]
            whole(memory, moved=left[0] >= 0)
            if left[0] >= 0:
                break
    assert turn > 3


def _failing(memory: Memory, after: int) -> list[int]:
    left, read, transaction = [after], memory.store.read, memory.store.transaction

    def counted() -> None:
        left[0] -= 1
        if left[0] == -1:
            raise StoreError("it fails on purpose.")

    class Failing:
        def __init__(self, tx: Any) -> None:
            self.tx = tx

        def __getattr__(self, name: str) -> Any:
            counted()
            return getattr(self.tx, name)

    @contextmanager
    def begun(tenant: str) -> Any:
        with transaction(tenant) as tx:
            yield Failing(tx)

    def reading(name: str, params: Any = {}) -> Any:  # noqa: B006
        counted()
        return read(name, params)

    memory.store.__dict__.update(read=reading, transaction=begun)
    return left


STARVED = (
    OPENED
    + """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
memory = opened(given["minutes"], given["minutes"])
memory.store.read("home_get", {"name": "created_at"})
def starve(name):
    if name == given["moment"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (given["bytes"], resource.RLIM_INFINITY))
memory.archiver._step = starve
try:
    memory.archiver.run()
    say("done")
except engrain.EngrainError as error:
    say(str(error))
"""
)


@pytest.mark.parametrize("moment", ["memories begun", "opened", "appended", "settled", "closed", "experiences begun"])
def test_no_room_on_the_disk(place: Place, moment: str) -> None:
    told(place)
    given = {"place": place.arguments, "moment": moment, "bytes": 0, "minutes": 10}
    (said,) = children.run(STARVED, given)
    if not place.url or moment in ("memories begun", "opened", "experiences begun"):
        assert said != "done"
    with later(place, 30) as memory:
        whole(memory, moved=False)
        assert memory.archiver is not None
        assert memory.archiver.run().whole
        whole(memory, moved=True)


def test_a_folder_that_cannot_be_written(place: Place) -> None:
    """Somebody else's file stands where the table should be."""
    told(place)
    place.home.mkdir(exist_ok=True)
    (place.home / "archive").write_text("in the way")
    with later(place, 1) as memory:
        assert memory.archiver is not None
        with pytest.raises(ArchiveError):
            memory.archiver.run()
    (place.home / "archive").unlink()
    with later(place, 10) as memory:
        assert memory.archiver is not None
        memory.archiver.run()
        whole(memory, moved=True)


def test_what_was_written_is_found_damaged(place: Place) -> None:
    """A file that changed between the append and the look back: nothing leaves the store."""
    told(place)
    with later(place, 1) as memory:
        assert memory.archiver is not None

        def damage(name: str) -> None:
            if name == "appended":
                for path in (place.home / "archive" / "memories").rglob("*.parquet"):
                    data = bytearray(path.read_bytes())
                    for at in range(100, len(data) // 2, 200):
                        data[at] ^= 0xFF
                    path.write_bytes(data)

        memory.archiver._step = damage
        with pytest.raises(ArchiveError):
            memory.archiver.run()
        with memory.store.transaction("*") as tx:
            assert len(tx.read("cold_memories", _FIRST)) == ITEMS
