"""What is learned does not change when experiences leave the store, and late outcomes find their decisions."""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import engrain
from engrain import Outcome
from engrain.errors import ActionNotOffered, ArchiveConflict, ArchiveUnavailable, EngrainError, UnknownDecision
from engrain.learn import recorder
from engrain.memory import Memory
from engrain.store.port import Store, Transaction
from engrain.testing import SimulatedWorld
from tests import children
from tests.life import START
from tests.postgres import Place

WON, LOST = Outcome(success=True, evidence="verified"), Outcome(success=False, evidence="claimed")
AWAY = "pyarrow", "deltalake", "duckdb"


def experience(agent: engrain.Agent, n: int, seed: int = 0) -> list[str]:
    """Decisions with outcomes, some revised and some unknown; their ids."""
    dice, ids = random.Random(seed), []
    for number in range(n):
        advice = agent.advise("task", state={"size": number % 3}, options=["a", "b"], episode="e")
        ids.append(advice.decision_id)
        agent.observe(advice, Outcome(success=dice.random() < 0.5, evidence="executed", quality=dice.random()))
        if number % 5 == 0:
            agent.observe(advice, LOST, action="b")
    agent.observe_many(
        {"task_type": f"other {number % 2}", "state": {}, "action": "c", "outcome": WON} for number in range(n)
    )
    return ids


def settle(memory: Memory, days: int = 40) -> int:
    """Let time pass, and what is settled leave the store; how much that was."""
    memory.world.advance(days=days)  # type: ignore[attr-defined]
    assert memory.archiver is not None
    return memory.archiver.run().counts.get("experiences", 0)


def learned(memory: Memory) -> list[tuple[Any, ...]]:
    """Every row of the sums, of every agent and the tenant, without its change number."""
    rows = []
    for agent in ("", "ann", "bob"):
        for task_type in ("task", "other 0", "other 1"):
            asked = {"tenant": "default", "agent": agent, "task_type": task_type}
            found = [
                *memory.store.read("q_task", asked),
                *memory.store.read("q_changes", {**asked, "seq": 0, "limit": 1000}),
            ]
            rows += sorted((agent, task_type, *tuple(row)[:7]) for row in found if row["visits"])
    return rows


def open_home(place: Place, seed: int = 0, **settings: Any) -> Memory:
    return place.open(world=SimulatedWorld(START, seed=seed), **settings)


def test_what_was_learned_stays_and_is_made_anew_of_both_tiers(place: Place) -> None:
    memory = open_home(place)
    ann, bob = memory.agent("ann"), memory.agent("bob")
    experience(ann, 20), experience(bob, 10, seed=1)
    pending = ann.advise("task", options=["a", "b"])
    ann.observe(pending, Outcome(evidence="claimed"))  # unknown: it waits for its outcome
    before = learned(memory)
    assert settle(memory) == 60
    assert len(ann.experiences(limit=1000)) == 1
    assert learned(memory) == before
    experience(ann, 5, seed=2)
    mixed = learned(memory)
    assert memory.learner.rebuild("default") == 60 + 10
    assert learned(memory) == mixed
    with place.open(world=SimulatedWorld(START, seed=5)) as again:
        assert again.rebuild()["tenants"] == 1
        assert learned(again) == mixed
    settle(memory)
    memory.store.write([("q_clear", {"tenant": "default"})])
    assert memory.learner.rebuild("default") == 70
    assert learned(memory) == mixed
    ann.observe(pending, WON)
    assert memory.learner.rebuild("default") == 71


def test_history_is_shown_when_it_is_asked_for(place: Place) -> None:
    memory = open_home(place)
    ann = memory.agent("ann")
    experience(ann, 6), experience(memory.agent("bob"), 2), experience(memory.agent("ann", tenant="other"), 2)
    before = ann.experiences(limit=1000)
    settle(memory)
    assert ann.experiences() == []
    assert ann.experiences(limit=1000, archived=True) == before
    memory.world.advance(days=1)  # type: ignore[attr-defined]
    experience(ann, 1)
    latest = ann.experiences()
    assert ann.experiences(limit=1000, archived=True) == [*latest, *before]
    assert ann.experiences(limit=5, archived=True) == [*latest, *before][:5]
    assert ann.experiences("other 1", archived=True) == [one for one in before if one.task_type == "other 1"]


def test_a_late_outcome_brings_its_decision_back_once(place: Place) -> None:
    memory = open_home(place)
    ann = memory.agent("ann")
    ids = experience(ann, 4)
    (old,) = (one for one in ann.experiences() if one.decision_id == ids[1])
    assert settle(memory) == 8
    for foreign in (memory.agent("bob"), memory.agent("ann", tenant="other")):
        with pytest.raises(UnknownDecision):
            foreign.observe(ids[1], WON)
    with pytest.raises(ActionNotOffered):
        ann.observe(ids[1], WON, action="zzz")
    assert ann.experiences() == []
    same = ann.observe(ids[1], old.outcome)
    assert same == old
    assert ann.experiences() == [old]
    revised = ann.observe(ids[1], Outcome(success=True, evidence="verified", reward=1.5))
    assert (revised.id, revised.created_at, revised.revision) == (old.id, old.created_at, old.revision + 1)
    sums = learned(memory)
    assert memory.learner.rebuild("default") == 8
    assert learned(memory) == sums
    assert len(ann.experiences(archived=True)) == 8
    assert memory.stats()["archive"]["experiences"] == 7
    assert all(check.ok for check in memory.doctor().checks if check.name == "experiences without their decision")
    assert settle(memory) == 1  # and leaves again, when it is settled
    assert len(ann.experiences(archived=True)) == 8
    assert ann.observe(ids[1], LOST).revision == revised.revision + 1
    with pytest.raises(UnknownDecision):
        ann.observe("no such decision", WON)
    again = ann.observe_many(
        [{"task_type": "task", "action": "a", "outcome": WON}]
        + [{"decision_id": ids[2], "outcome": one} for one in (LOST, WON)]
    )
    assert [one.revision for one in again[1:]] == [again[1].revision, again[1].revision + 1]
    sums = learned(memory)
    assert memory.learner.rebuild("default") == 9
    assert learned(memory) == sums


class Meddled:
    """A store before whose next transaction, or within whose next read of a statement, something else happens."""

    def __init__(self, store: Store, act: Callable[[], Any], within: str = "") -> None:
        self._store, self._act, self._within = store, act, within

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def _once(self) -> None:
        act, self._act = self._act, lambda: None
        act()

    @contextmanager
    def transaction(self, tenant: str, reading: bool = False) -> Iterator[Transaction]:
        if not self._within:
            self._once()
        with self._store.transaction(tenant, reading) as tx:
            yield tx

    def read(self, name: str, params: Any = {}) -> Any:  # noqa: B006
        if name == self._within:
            self._once()
        return self._store.read(name, params)


@pytest.mark.parametrize("late", [False, True], ids=["settled", "archived"])
def test_who_observes_while_it_is_archived_counts_once(place: Place, late: bool) -> None:
    """The decision is archived, or brought back by somebody else, between the check and the transaction."""
    memory, second = open_home(place), open_home(place, seed=9)
    ann = memory.agent("ann")
    (id_,) = experience(ann, 1)
    if late:
        assert settle(memory) == 2
    second.world.advance(days=40)  # type: ignore[attr-defined]

    def act() -> None:
        if late:
            second.agent("ann").observe(id_, Outcome(success=False, evidence="executed"))
        else:
            assert settle(memory) == 2

    memory.learner._recorder._store = Meddled(memory.store, act)
    revision = 3 if late else 2
    assert ann.observe(id_, Outcome(success=True, reward=1.25)).revision == revision
    sums = learned(memory)
    assert memory.learner.rebuild("default") == 2
    assert learned(memory) == sums
    assert len(ann.experiences(archived=True)) == 2


@pytest.mark.parametrize("within", ["batch_closed", "experience_standing", ""])
def test_a_rebuild_counts_what_is_archived_meanwhile_once(place: Place, within: str) -> None:
    memory = open_home(place)
    ids = experience(memory.agent("ann"), 10)
    assert settle(memory) == 20
    experience(memory.agent("ann"), 3)
    sums = learned(memory)
    meddled = Meddled(memory.store, lambda: settle(memory), within)
    memory.learner._recorder._store = meddled
    memory.learner._past._store = meddled  # type: ignore[union-attr]
    assert memory.learner.rebuild("default") == 26
    assert learned(memory) == sums
    other = open_home(place, seed=3)
    meddled = Meddled(memory.store, lambda: other.agent("ann").observe(ids[3], WON, action="a"), within)
    memory.learner._recorder._store = meddled
    memory.learner._past._store = meddled  # type: ignore[union-attr]
    assert memory.learner.rebuild("default") == 26
    sums = learned(memory)
    assert memory.learner.rebuild("default") == 26
    assert learned(memory) == sums


def test_who_never_comes_to_an_end_is_told_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = open_home(place)
    experience(memory.agent("ann"), 2)
    settle(memory)
    sums = learned(memory)
    monkeypatch.setattr(recorder, "TRIES", 0)
    with pytest.raises(ArchiveConflict):
        memory.learner.rebuild("default")
    assert learned(memory) == sums


@pytest.mark.slow
def test_a_late_outcome_is_whole_or_not_there_when_its_process_is_killed(place: Place) -> None:
    memory = open_home(place)
    ids = experience(memory.agent("ann"), 12)
    assert settle(memory) == 24
    memory.close()
    code = """
    import engrain
    from engrain import Outcome
    from engrain.testing import SimulatedWorld
    memory = engrain.open(**given[0], embedder="hash", world=SimulatedWorld("2026-03-01T00:00:00Z", seed=given[3]))
    agent, steps = memory.agent("ann"), 0
    store = memory.store
    class Dies:
        def __init__(self, tx):
            self.tx = tx
        def __getattr__(self, name):
            global steps
            steps += 1
            if steps == given[2]:
                os._exit(9)
            return getattr(self.tx, name)
    class Mortal:
        def __getattr__(self, name):
            return getattr(store, name)
        def transaction(self, tenant):
            class Context:
                def __enter__(self):
                    self.inner = store.transaction(tenant)
                    return Dies(self.inner.__enter__())
                def __exit__(self, *told):
                    return self.inner.__exit__(*told)
            return Context()
    memory.learner._recorder._store = Mortal()
    agent.observe(given[1], Outcome(success=True, reward=1.5))
    say(steps)
    """
    (steps,) = children.run(code, [place.arguments, ids[0], 0, 100])
    assert steps > 5
    for step in range(1, steps + 1, 4):
        process = children.spawn(code, [place.arguments, ids[1], step, step])
        process.communicate(timeout=30)
        assert process.returncode == 9
    memory = open_home(place, seed=4)
    agent = memory.agent("ann")
    assert len(agent.experiences(archived=True)) == 24
    sums = learned(memory)
    assert memory.learner.rebuild("default") == 24
    assert learned(memory) == sums
    children.run(code, [place.arguments, ids[1], 0, 101])
    found = {one.decision_id: one.reward for one in agent.experiences(archived=True)}
    assert (found[ids[0]], found[ids[1]], len(found)) == (1.5, 1.5, 13)


def test_without_the_archive_late_outcomes_and_rebuilds_say_so_and_change_nothing(place: Place) -> None:
    memory = open_home(place)
    ann = memory.agent("ann")
    (id_,) = experience(ann, 1)
    settle(memory)
    fresh = ann.advise("task", options=["a"])
    sums = learned(memory)
    shutil.rmtree(place.home / "archive")
    acts: list[Callable[[], Any]] = [
        lambda: ann.observe(id_, WON),
        lambda: memory.learner.rebuild("default"),
        lambda: ann.experiences(archived=True),
    ]
    for act in acts:
        with pytest.raises(ArchiveUnavailable, match="no table at"):
            act()
    assert learned(memory) == sums
    assert ann.observe(fresh, WON).revision == 0
    assert len(ann.experiences()) == 1


def test_nothing_heavy_is_loaded_where_nothing_is_cold(place: Place) -> None:
    memory = open_home(place)
    experience(memory.agent("ann"), 2)
    memory.close()
    code = """
    import engrain
    from engrain import Outcome
    from engrain.errors import UnknownDecision
    with engrain.open(**given[0], embedder="hash") as memory:
        agent = memory.agent("ann")
        try:
            agent.observe("never given", Outcome(success=True))
        except UnknownDecision:
            say([memory.learner.rebuild("default"), len(agent.experiences(archived=True))])
    say([name for name in given[1] if name in sys.modules])
    """
    assert children.run(code, [place.arguments, AWAY]) == [[4, 4], []]


def test_who_is_forgotten_is_replayed_no_more(place: Place) -> None:
    memory = open_home(place)
    ann, bob = memory.agent("ann"), memory.agent("bob")
    experience(ann, 5), experience(bob, 3, seed=4)
    settle(memory)
    experience(ann, 1)
    kept = json.dumps([str(value) for value in bob.q_values()])
    assert ann.forget(everything=True)
    assert ann.experiences(archived=True) == []
    assert ann.q_values() == []
    assert memory.learner.rebuild("default") == 6
    assert json.dumps([str(value) for value in bob.q_values()]) == kept


@pytest.mark.slow
def test_observers_rebuilds_and_the_archiver_at_once(place: Place) -> None:
    """Everything is settled at once, so that decisions leave and come back all the time."""
    homes = [place.open(experience_days=0) for _ in range(3)]
    ids = experience(homes[0].agent("ann"), 30)
    dice, until = random.Random(1), time.monotonic() + 6
    failed: list[Any] = []
    used: set[int] = set()
    done = {"observe": 0, "rebuild": 0, "archive": 0}

    def observe() -> None:
        outcome = Outcome(success=dice.random() < 0.5, evidence="executed", quality=dice.random())
        homes[1].agent("ann").observe(dice.choice(ids), outcome)

    def rebuild() -> None:
        used.add(homes[2].learner.rebuild("default"))
        used.add(len(homes[2].agent("ann").experiences(archived=True, limit=1000)))

    def archive() -> None:
        assert homes[0].archiver is not None
        done["archive"] += homes[0].archiver.run().counts.get("experiences", 0)

    def over(name: str, act: Callable[[], None]) -> None:
        while time.monotonic() < until and not failed:
            try:
                act()
                done[name] += 1
            except EngrainError as error:  # told below
                failed.append((name, error))

    acts = [("observe", observe), ("observe", observe), ("rebuild", rebuild), ("archive", archive)]
    threads = [threading.Thread(target=over, args=one) for one in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert used == {60}
    assert min(done.values()) > 2
    sums = learned(homes[0])
    assert homes[0].learner.rebuild("default") == 60
    assert learned(homes[0]) == sums
