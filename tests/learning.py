"""What the tests of the learner share: a store on either engine, learners with nothing cached, outcomes told."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from engrain.config import Config
from engrain.learn.learner import Learner
from engrain.model.decision import Advice, Outcome
from engrain.model.scope import Scope
from engrain.store.port import Store
from engrain.world import SimulatedWorld
from tests.postgres import Place

ME = Scope("default", "me")
WON = Outcome(success=True, evidence="verified")
LOST = Outcome(success=False, evidence="verified")
AB = ["a", "b"]
SEEDS = itertools.count(1)


@pytest.fixture
def store(place: Place) -> Store:
    found = place.store()
    found.migrate()
    return found


@pytest.fixture
def learner(store: Store) -> Learner:
    return fresh(store)


def fresh(store: Store, **settings: Any) -> Learner:
    """A learner as another process would have it: nothing cached, ids of its own."""
    return Learner(store, SimulatedWorld(seed=next(SEEDS)), Config(**settings))


def teach(learner: Learner, action: str, outcome: Outcome, times: int = 1, scope: Scope = ME, **state: Any) -> None:
    for _ in range(times):
        learner.observe_step(scope, "t", state=state, action=action, outcome=outcome)


def logged(store: Store, advice: Advice, scope: Scope = ME) -> Any:
    (row,) = store.read("decision_find", {"id": advice.decision_id, "tenant": scope.tenant, "agent": scope.agent})
    return row


def sums(learner: Learner, scope: Scope = ME) -> list[tuple[Any, ...]]:
    return [(q.task_type, json.dumps(q.state), q.action, q.visits, q.weight, q.mean) for q in learner.q_values(scope)]
