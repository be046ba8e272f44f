"""Options in states of their own are judged at once, and as if each had been asked about alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engrain.learn.backoff import Posterior, posterior
from engrain.learn.learner import BESIDE, asked_of, belief_of
from engrain.learn.qtable import QTable
from tests.unit.test_learn_backoff import Told, table

SHOWN = ("mean", "choice", "spread", "error", "quantile", "explore", "high", "weight")


def case(seed: int) -> tuple[QTable, dict[str, dict[str, Any]]]:
    """Outcomes of 1..90 actions in states of 0..3 features, and options in states seen, shared and new."""
    rng = np.random.default_rng(seed)
    features, actions = (int(rng.choice(some)) for some in ((0, 1, 3), (1, 3, 12, 90)))

    def state() -> dict[str, Any]:
        return {f"f{i}": round(float(rng.normal()), 1) for i in range(features)}

    seen = [state() for _ in range(int(rng.choice([1, 5, 20, 120])))]
    told: list[Told] = [
        (seen[int(rng.integers(len(seen)))], f"o{int(rng.integers(actions))}", float(rng.uniform(-2, 2)), weight)
        for weight in rng.choice([0.25, 1.0], size=int(2 * len(seen))).tolist()
    ]
    others = [(f"o{int(rng.integers(actions + 2))}", 1.0, 1.0) for _ in range(int(rng.integers(4)))]
    asked = [seen[int(rng.integers(len(seen)))] if rng.random() < 0.5 else state() for _ in range(20)]
    return table(told, others), {f"o{i}" if rng.random() < 0.7 else f"new{i}": one for i, one in enumerate(asked)}


def one_by_one(known: QTable, options: dict[str, dict[str, Any]]) -> list[Posterior]:
    """What is believed of each option alone, beside the others of its state and the actions with most outcomes."""
    asked = asked_of(None, options)
    heard = sorted(known.own, key=lambda name: (-known.own[name].weight, name))[:BESIDE]
    keys = {name: asked.of(name).key for name in options}
    found = []
    for name in options:
        mine = [name, *(other for other in options if other != name and keys[other] == keys[name])]
        found.append(posterior(known, asked.of(name), [*mine, *(other for other in heard if other not in mine)]))
    return found


@pytest.mark.parametrize("seed", range(24))
def test_all_options_at_once_are_believed_as_one_by_one(seed: int) -> None:
    known, options = case(seed)
    together = belief_of(known, asked_of(None, options), list(options))
    for index, alone in enumerate(one_by_one(known, options)):
        for name in SHOWN:
            assert getattr(together, name)[index] == pytest.approx(getattr(alone, name)[0], rel=1e-9, abs=1e-9), name
        for mine, its in zip(together.evidence[index], alone.evidence[0], strict=True):
            assert mine.level == its.level
            assert (mine.visits, mine.mean) == pytest.approx((its.visits, its.mean))


def test_the_same_question_gets_the_same_bits() -> None:
    for seed in range(4):
        first, again = (
            belief_of(known, asked_of(None, options), list(options)) for known, options in (case(seed), case(seed))
        )
        assert all(getattr(first, name).tobytes() == getattr(again, name).tobytes() for name in SHOWN)
