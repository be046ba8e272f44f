"""Before a policy is live: what others did in steps that lead somewhere is kept to, and improved on."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

import engrain
from engrain import Outcome
from engrain.learn.learner import Learner
from engrain.learn.policies import Made, Policies
from engrain.learn.rule import TableRule
from engrain.model.policy import CONTRADICTED, Estimate, Verdict
from engrain.store.port import Store
from engrain.testing import SimulatedWorld
from tests import children
from tests.learning import ME, fresh, learner, store

__all__ = ["learner", "store"]  # fixtures

PLACES = "ABCD"
OPTIONS = ["near", "on"]


def walk(seed: int, episodes: int, led: bool = True) -> list[dict[str, object]]:
    """A way of four places to a goal worth 1; at each, 0.3 can be taken instead, which ends it. Who walks there goes on
    four times of five."""
    chance, rows = random.Random(seed), list[dict[str, object]]()
    for number in range(episodes):
        for place, name in enumerate(PLACES):
            action, last = "on" if chance.random() < 0.8 else "near", name == PLACES[-1]
            reward = 0.3 if action == "near" else float(last)
            after = {"at": PLACES[place + 1]} if action == "on" and not last and led else None
            outcome = Outcome(reward=reward, evidence="verified")
            rows.append({"task_type": "walk", "state": {"at": name}, "action": action, "outcome": outcome})
            rows[-1] |= {"next_state": after, "episode": f"e{number}" if led else None}
            if action == "near":
                break
    return rows


def way(learner: Learner, options: list[str]) -> list[float]:
    """With which probability it goes on, place by place."""
    return [learner.advise(ME, "walk", state={"at": at}, options=options).distribution["on"] for at in PLACES]


def test_what_led_on_is_kept_to_though_a_crumb_is_nearer(learner: Learner, store: Store) -> None:
    learner.observe_many(ME, walk(1, 40))
    ahead = way(learner, OPTIONS)
    assert min(ahead) > 0.95
    assert way(learner, OPTIONS[::-1]) == pytest.approx(ahead)
    assert way(fresh(store), OPTIONS) == pytest.approx(ahead)  # as another process has it
    advice = learner.advise(ME, "walk", state={"at": "B"}, options=OPTIONS)
    assert (advice.policy, advice.mode) == ("online-1", "advised")
    assert advice.propensity == advice.distribution[advice.action or ""]
    assert sum(advice.distribution.values()) == pytest.approx(1.0)
    myopic = fresh(store, discount=0.0)
    assert max(way(myopic, OPTIONS)[:-1]) < 0.5


def test_few_outcomes_and_steps_that_lead_nowhere_are_judged_by_their_rewards(learner: Learner) -> None:
    learner.observe_many(ME, walk(1, 2)[:29])
    assert max(way(learner, OPTIONS)[:-1]) < 0.9
    alone = [{**row, "task_type": "alone"} for row in walk(1, 40, led=False)]
    learner.observe_many(ME, alone)
    found = learner.advise(ME, "alone", state={"at": "B"}, options=OPTIONS).distribution
    assert found["near"] > 0.5


def test_its_own_decisions_are_not_kept_to(learner: Learner, store: Store) -> None:
    learner.observe_many(ME, walk(1, 40))
    for _ in range(400):
        advice = learner.advise(ME, "walk", state={"at": "B"}, options=OPTIONS)
        learner.observe(ME, advice, Outcome(reward=0.3 if advice.action == "near" else 0.0, evidence="verified"))
    assert fresh(store).advise(ME, "walk", state={"at": "B"}, options=OPTIONS).distribution["near"] > 0.9


def test_a_state_that_nobody_told_of_is_judged_as_before(learner: Learner) -> None:
    learner.observe_many(ME, walk(1, 40))
    found = learner.advise(ME, "walk", state={"at": "Z"}, options=OPTIONS)
    assert found.action in OPTIONS
    assert min(found.distribution.values()) > 0.0


def test_another_process_looks_ahead_and_explains_it(tmp_path: Path) -> None:
    with engrain.open(tmp_path, embedder="hash") as memory:
        memory.agent("me").observe_many(walk(1, 40))
    (found,) = children.run(
        "import engrain\n"
        "with engrain.open(given, embedder='hash') as memory:\n"
        "    advice = memory.agent('me').advise('walk', state={'at': 'B'}, options=['near', 'on'])\n"
        "    told = memory.policy_explain(task_type='walk', state={'at': 'B'}, agent='me')\n"
        "    say([advice.distribution['on'], {one.action: one.chance for one in told.options}['on'], list(told.why)])",
        str(tmp_path),
    )
    assert found[0] > 0.95
    assert found[1] == pytest.approx(found[0])
    assert any("kept to" in one and "not yet judged" in one for one in found[2])


@pytest.mark.parametrize(
    ("value", "low", "reason", "still"),
    [
        (0.2, 0.1, "No better: …", False),
        (0.9, 0.6, f"{CONTRADICTED}: …", False),
        (0.9, 0.4, "Not sure to be better: …", True),
        (None, None, "Not enough is known of what it would earn. …", True),
    ],
)
def test_what_a_gate_found_no_better_advises_no_more(
    learner: Learner, store: Store, value: float | None, low: float | None, reason: str, still: bool
) -> None:
    learner.observe_many(ME, walk(1, 40))
    assert min(way(learner, OPTIONS)) > 0.95
    live = Estimate("mean", 0.5, 0.4, 0.6, 40, 40.0)
    verdict = Verdict(False, reason, replace(live, value=value, low=low), live)
    with store.transaction(ME.tenant) as tx:
        made = Made(ME.tenant, None, "walk", TableRule({}), {"unit": "episode"}, 0, 0.95, dream="d")
        Policies(store, SimulatedWorld("2026-01-01T09:00:00Z")).add(tx, made, verdict, "dream:d")
    for one in (learner, fresh(store)):  # a process that had the rule, and another one
        assert (min(way(one, OPTIONS)) > 0.95) is still
