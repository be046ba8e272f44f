"""Drifts are listed where somebody looks: with whose they are, of the days that are asked about."""

from __future__ import annotations

from engrain import Outcome
from engrain.testing import SimulatedWorld
from tests.postgres import Place


def test_drifts_are_listed_with_whose_they_are(place: Place) -> None:
    world = SimulatedWorld("2026-01-01T09:00:00Z", seed=5)
    memory = place.open(world=world)
    for tenant, name in (("default", "ann"), ("acme", "bob")):
        agent = memory.agent(name, tenant=tenant)
        for number in range(60):
            outcome = Outcome(success=number < 30, evidence="verified")
            agent.observe_step("build", state=None, action="a", outcome=outcome)
        assert [one.task_type for one in agent.drifts()] == ["build"]
    found = memory.learning_health().drifts
    assert {(one.tenant, one.agent, one.drift.task_type) for one in found} == {
        ("default", "ann", "build"), ("acme", "bob", "build"),
    }  # fmt: skip
    (mine,) = memory.learning_health(tenant="acme").drifts
    assert mine.drift == memory.agent("bob", tenant="acme").drifts()[0]
    assert mine.drift.before > 0.0 > mine.drift.after
    world.advance(days=9)
    assert memory.learning_health(days=7).drifts == ()
