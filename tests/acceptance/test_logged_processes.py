"""Training reads each experience exactly once while another process archives them, and others come back."""

from __future__ import annotations

from engrain import Outcome
from engrain.testing import SimulatedWorld
from tests import children
from tests.life import START
from tests.postgres import Place

STEPS = 240
ARCHIVE = """
import engrain
from engrain.testing import SimulatedWorld
world = SimulatedWorld("2026-02-01T00:00:00Z", seed=99)
with engrain.open(**given["place"], embedder="hash", world=world) as memory:
    say("open")
    for day in range(given["days"]):
        world.advance(days=1)
        memory.archiver.run()
        if day % 3 == 2:
            memory.agent("ann").observe(given["late"].pop(), engrain.Outcome(success=True, evidence="verified"))
        if day % 4 == 3:
            memory.compactor.compact()
    say(memory.stats()["archive"]["experiences"])
"""


def test_each_experience_is_read_once_while_they_are_archived_and_come_back(place: Place) -> None:
    world = SimulatedWorld(START, seed=5)
    memory = place.open(world=world)
    agent, late = memory.agent("ann"), []
    for step in range(STEPS):
        advice = agent.advise("build", state={"size": step % 3}, options=["a", "b"], episode=f"e{step // 20}")
        agent.observe(advice, Outcome(success=step % 2 == 0, evidence="executed"))
        late.append(advice.decision_id)
        world.advance(hours=1)
    counts, log = memory.logged.both("default", "build")
    ends = (log.next < 0).sum()
    assert (counts.n.sum(), len(log), ends) == (STEPS, STEPS, STEPS // 20)
    archiving = children.spawn(ARCHIVE, {"place": place.arguments, "days": 9, "late": late[:3]})
    assert children.hear(archiving) == "open"
    reads = 0
    while archiving.poll() is None:
        found, now = memory.logged.both("default", "build")
        assert (found.n.sum(), len(now), (now.next < 0).sum()) == (STEPS, STEPS, ends)
        assert (now.at == log.at).all(), "the same decisions, in the same order"
        assert found.data == now.data
        reads += 1
    (moved,) = children.said(archiving)
    assert 0 < moved < STEPS
    assert reads >= 3
    after = memory.logged.log("default", "build")
    assert (after.reward[:3] == 2.0).all(), "what came back late is read as it is now"
