"""Whatever is observed and revised, in whatever order: the sums are those of the experiences, bit by bit."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engrain
from engrain.config import Config
from engrain.learn.credit import Sums, Tally, contribution
from engrain.learn.learner import Learner
from engrain.learn.reward import reward_of, weight_of
from engrain.learn.standing import shares, standing
from engrain.model.decision import EVIDENCE, Outcome
from engrain.model.scope import Scope
from engrain.store import open_store
from engrain.world import SimulatedWorld

SHARES = st.floats(0, 1)
OUTCOMES = st.builds(
    Outcome,
    success=st.none() | st.booleans(),
    evidence=st.sampled_from(EVIDENCE),
    seconds=st.none() | st.floats(0, 1e6),
    budget_seconds=st.none() | st.floats(1e-6, 1e6),
    quality=st.none() | SHARES,
    resources=st.none() | SHARES,
    feedback=st.none() | st.floats(-1, 1),
    reward=st.none() | st.floats(-2, 2),
)
ACTIONS = st.sampled_from(["a", "b", "c"])
STEPS = st.lists(st.tuples(st.integers(0, 5), OUTCOMES, st.none() | ACTIONS), max_size=25)
AGENTS = [Scope("one", "first"), Scope("one", "second"), Scope("two", "first")]


def expected(learner: Learner, scope: Scope) -> dict[Any, Sums]:
    """What counts of the sums that the experiences of an agent come to, added up here."""
    found: dict[Any, Tally] = {}
    for one in learner.experiences(scope, limit=1000):
        assert one.reward == reward_of(one.outcome)
        added = contribution(one.reward, weight_of(one.outcome))
        for state in (None, tuple(one.state.items())):
            found[state, one.action] = found.get((state, one.action), Tally()).plus(added)
    counted = shares({action: tally for (state, action), tally in found.items() if state is None})
    return {key: standing(tally, counted[key[1]]) for key, tally in found.items() if tally.visits}


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_sums_are_those_of_the_experiences(steps: list[tuple[int, Outcome, str | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "home", Config(synchronous="NORMAL"))
        store.migrate()
        learner = Learner(store, SimulatedWorld(), Config())
        decisions = [
            (scope, learner.advise(scope, "t", state={"x": number}, options=["a", "b", "c"]))
            for scope in AGENTS
            for number in (1, 2)
        ]
        for which, outcome, action in steps:
            scope, advice = decisions[which]
            learner.observe(scope, advice, outcome, action=action)
        before = {scope: learner.q_values(scope) for scope in AGENTS}
        for scope in AGENTS:
            wanted = expected(learner, scope)
            assert {(q.state and tuple(q.state.items()), q.action) for q in before[scope]} == set(wanted)
            for q in before[scope]:
                sums = wanted[q.state and tuple(q.state.items()), q.action]
                assert (q.visits, q.weight, q.mean) == (sums.visits, sums.weight, sums.total / sums.weight)
        priors = tenant_rows(store)
        for tenant in ("one", "two"):
            learner.rebuild(tenant)
        assert {scope: learner.q_values(scope) for scope in AGENTS} == before
        assert tenant_rows(store) == priors
        store.close()


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, later=STEPS)
def test_sums_are_the_same_when_experiences_leave_and_come_back(
    steps: list[tuple[int, Outcome, str | None]], later: list[tuple[int, Outcome, str | None]]
) -> None:
    """Some leave for the archive, and late outcomes bring their decisions back."""
    with tempfile.TemporaryDirectory() as folder:
        world = SimulatedWorld()
        with engrain.open(Path(folder), embedder="hash", world=world, synchronous="NORMAL") as memory:
            learner = memory.learner
            decisions = [
                (scope, learner.advise(scope, "t", state={"x": number}, options=["a", "b", "c"]))
                for scope in AGENTS
                for number in (1, 2)
            ]
            for some in (steps, later):
                for which, outcome, action in some:
                    scope, advice = decisions[which]
                    learner.observe(scope, advice, outcome, action=action)
                world.advance(days=31)
                before = ({scope: learner.q_values(scope) for scope in AGENTS}, tenant_rows(memory.store))
                assert memory.archiver is not None
                memory.archiver.run()
                for tenant in ("one", "two"):
                    used = learner.rebuild(tenant)
                    scopes = [scope for scope in AGENTS if scope.tenant == tenant]
                    known = [one for scope in scopes for one in learner.experiences(scope, archived=True)]
                    assert used == sum(one.reward is not None for one in known)
                    assert len({one.id for one in known}) == len(known)
                assert ({scope: learner.q_values(scope) for scope in AGENTS}, tenant_rows(memory.store)) == before


def tenant_rows(store: Any) -> list[tuple[Any, ...]]:
    names = ("task_type", "action", *Tally._fields)
    rows = [
        row
        for tenant in ("one", "two")
        for row in store.read("q_list", {"tenant": tenant, "agent": "", "task_type": None})
    ]
    return [tuple(row[name] for name in names) for row in rows]


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-2, 2), st.sampled_from([0.25, 0.75, 1.0])), max_size=60), st.randoms())
def test_contributions_commute_and_cancel_exactly(told: list[tuple[float, float]], rng: Any) -> None:
    added = [contribution(reward, weight) for reward, weight in told]
    forth = Tally()
    for one in added:
        forth = forth.plus(one)
    rng.shuffle(added)
    back = forth
    for one in added:
        back = back.plus(one, -1)
    assert back == Tally()
