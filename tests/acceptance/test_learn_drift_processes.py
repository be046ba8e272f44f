"""Drifts and claims through the public surface: other processes see them, and both tiers rebuild the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import engrain
from engrain import Outcome
from engrain.testing import SimulatedWorld
from tests.children import run

TEACH = """
import engrain
from engrain import Outcome
with engrain.open(given["home"], embedder="hash", synchronous="NORMAL") as memory:
    agent = memory.agent("a")
    for _ in range(given["times"]):
        outcome = Outcome(success=given["won"], evidence=given["evidence"])
        agent.observe_step("t", action=given["action"], outcome=outcome)
    say({
        "drifts": [[one.task_type, one.drifts] for one in agent.drifts()],
        "known": [[q.action, q.visits, q.weight, q.mean] for q in agent.q_values("t") if q.state is None],
        "ranking": [one.action for one in agent.advise("t", options=["good", "bad"]).ranking],
    })
"""


def taught(home: Path, action: str, won: bool, times: int, evidence: str = "verified") -> Any:
    """What a process of its own leaves behind and sees."""
    given = {"home": str(home), "action": action, "won": won, "times": times, "evidence": evidence}
    return run(TEACH, given)[-1]


def test_a_drift_begun_by_one_process_is_seen_by_the_next(tmp_path: Path) -> None:
    taught(tmp_path, "good", False, 12)
    assert taught(tmp_path, "bad", True, 30)["drifts"] == []
    assert taught(tmp_path, "bad", False, 3)["drifts"] == []
    seen = taught(tmp_path, "bad", False, 10)
    assert seen["drifts"] == [["t", 1]]
    known = {action: mean for action, _, _, mean in seen["known"]}
    assert known["bad"] < 0.0
    with engrain.open(tmp_path, embedder="hash") as memory:
        memory.learner.rebuild("default")
    after = taught(tmp_path, "good", True, 0)
    assert (after["drifts"], after["known"]) == (seen["drifts"], seen["known"])


def test_a_flood_of_claims_by_one_process_does_not_sway_another(tmp_path: Path) -> None:
    taught(tmp_path, "bad", False, 3)
    taught(tmp_path, "good", True, 3)
    taught(tmp_path, "bad", True, 100, "claimed")
    assert taught(tmp_path, "good", True, 0)["ranking"] == ["good", "bad"]


def test_what_is_old_stays_old_in_the_archive(tmp_path: Path) -> None:
    world = SimulatedWorld(seed=1)
    with engrain.open(tmp_path, embedder="hash", world=world, synchronous="NORMAL") as memory:
        agent = memory.agent("a")
        early = agent.advise("t", options=["bad"])
        agent.observe(early, Outcome(success=True, evidence="verified"))
        for success, times in ((True, 25), (False, 15)):
            for _ in range(times):
                agent.observe_step("t", action="bad", outcome=Outcome(success=success, evidence="verified"))
        assert [one.drifts for one in agent.drifts()] == [1]
        before = agent.q_values("t")
        world.advance(days=40)
        assert memory.archiver is not None
        memory.archiver.run()
        assert agent.experiences("t") == []
        memory.learner.rebuild("default")
        assert agent.q_values("t") == before
        agent.observe(early.decision_id, Outcome(success=False, evidence="verified"))
        late = agent.q_values("t")
        assert late[0].mean < before[0].mean
        assert late[0].weight == before[0].weight
        memory.learner.rebuild("default")
        assert agent.q_values("t") == late
