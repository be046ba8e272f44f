"""Drift: the best action becomes the worst half-way. What that costs, and what watching costs when nothing happens.

Each world has k actions with Bernoulli rewards (2 or -2, mean of the best at least 0.8 above the next) or normal ones
(deviation 0.5, at least 0.3 above), with or without a context of two states whose actions are ordered the other way
round. At half of the decisions the best and the worst action change places. Beside engrain, in the same worlds: engrain
that is told (its memory of the task type is empty from the change on), engrain that watches for nothing, and a
UCB over the last 100 outcomes. Regret is in units of reward. `worse` is the share of worlds in which watching cost
more than not watching.
"""

from __future__ import annotations

import math
import random
import statistics
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.learning_table import Table
from engrain import Outcome
from engrain.config import Config
from engrain.learn import drift
from engrain.learn.learner import Learner
from engrain.model.scope import Scope
from engrain.store import open_store
from engrain.testing import SimulatedWorld

ME = Scope("default", "agent")


@dataclass(frozen=True)
class Setting:
    """A family of worlds."""

    name: str
    normal: bool
    k: int
    n: int
    context: bool = False


SETTINGS = (
    Setting("coins, 2 actions, 400 decisions", False, 2, 400),
    Setting("coins, 5 actions, 1,000", False, 5, 1_000),
    Setting("normal, 3 actions, 400", True, 3, 400),
    Setting("normal, 5 actions, 2,000", True, 5, 2_000),
    Setting("coins, 3 actions, 2 states, 1,000", False, 3, 1_000, True),
)


class World:
    """Rewards of one seed; ``changes`` False: nothing ever happens."""

    def __init__(self, setting: Setting, seed: int, changes: bool) -> None:
        self.setting, self.rng = setting, random.Random(f"{setting.name}:{seed}")
        low, high, gap = (-1.0, 1.0, 0.3) if setting.normal else (-1.6, 1.6, 0.8)
        means = [0.0, 0.0]
        while sorted(means)[-1] - sorted(means)[-2] < gap:
            means = [self.rng.uniform(low, high) for _ in range(setting.k)]
        self.before = means
        best, worst = means.index(max(means)), means.index(min(means))
        self.after = list(means)
        if changes:
            self.after[best], self.after[worst] = means[worst], means[best]

    def means(self, step: int, state: int) -> list[float]:
        """Of each action; in state 1 in reverse."""
        found = self.before if step < self.setting.n // 2 else self.after
        return found[::-1] if state else found

    def state(self) -> int:
        return self.rng.randrange(2) if self.setting.context else 0

    def reward(self, mean: float) -> float:
        if self.setting.normal:
            return max(-2.0, min(2.0, self.rng.gauss(mean, 0.5)))
        return 2.0 if self.rng.random() < (mean + 2.0) / 4.0 else -2.0


Regret = tuple[float, float, int]
"""Before and after the half of the decisions, and the drifts that were seen."""


def by_engrain(world: World, seed: int, told: bool = False) -> Regret:
    """``told``: from the half on it remembers nothing of the task type."""
    setting, regret = world.setting, [0.0, 0.0]
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "home", Config(synchronous="NORMAL"))
        store.migrate()
        learner = Learner(store, SimulatedWorld(seed=seed), Config())
        options = [f"action {number}" for number in range(setting.k)]
        for step in range(setting.n):
            late, state = step >= setting.n // 2, world.state()
            features = {"place": "ab"[state]} if setting.context else None
            advice = learner.advise(ME, "told" if told and late else "task", state=features, options=options)
            means = world.means(step, state)
            mean = means[options.index(str(advice.action))]
            learner.observe(ME, advice, Outcome(evidence="verified", reward=world.reward(mean)))
            regret[late] += max(means) - mean
        seen = sum(one.drifts for one in learner.drifts(ME))
        store.close()
    return regret[0], regret[1], seen


def unwatched(world: World, seed: int) -> Regret:
    """Engrain without a watch for drifts."""
    usual = drift.THRESHOLD
    drift.THRESHOLD = math.inf
    try:
        return by_engrain(world, seed)
    finally:
        drift.THRESHOLD = usual


def by_window(world: World, seed: int) -> Regret:
    """UCB over the last 100 outcomes of each state (Garivier and Moulines 2011)."""
    setting, regret, rng = world.setting, [0.0, 0.0], random.Random(seed)
    recent: list[deque[tuple[int, float]]] = [deque(maxlen=100), deque(maxlen=100)]
    for step in range(setting.n):
        state, means = world.state(), []
        window = recent[state]
        for action in range(setting.k):
            own = [reward for one, reward in window if one == action]
            width = 2.0 * math.sqrt(0.5 * math.log(len(window) + 1) / len(own)) if own else math.inf
            means.append((statistics.fmean(own) if own else 0.0) + width)
        action = max(range(setting.k), key=lambda one: (means[one], rng.random()))
        true = world.means(step, state)
        window.append((action, world.reward(true[action])))
        regret[step >= setting.n // 2] += max(true) - true[action]
    return regret[0], regret[1], 0


def run(quick: bool) -> list[Table]:
    """The section ``drift``."""
    seeds = range(4 if quick else 24)
    kinds: dict[str, Callable[[World, int], Regret]] = {
        "engrain": by_engrain,
        "told": lambda world, seed: by_engrain(world, seed, told=True),
        "unwatched": unwatched,
        "window": by_window,
    }
    rows, ratios, still, alarms = list[Sequence[str]](), list[float](), list[tuple[float, float]](), list[int]()
    for setting in SETTINGS:
        found = {name: [play(World(setting, seed, True), seed) for seed in seeds] for name, play in kinds.items()}
        quiet = {
            name: [kinds[name](World(setting, seed, False), seed) for seed in seeds]
            for name in ("engrain", "unwatched")
        }
        after = {name: statistics.fmean(one[1] for one in told) for name, told in found.items()}
        whole = {name: statistics.fmean(one[0] + one[1] for one in told) for name, told in quiet.items()}
        false = sum(one[2] > 0 for one in quiet["engrain"])
        worse = [a[1] > b[1] + 1e-9 for a, b in zip(found["engrain"], found["unwatched"], strict=True)]
        ratios.append(after["engrain"] / after["told"])
        still.append((whole["engrain"], whole["unwatched"]))
        alarms.append(false)
        rows.append((
            setting.name, *(f"{after[name]:.0f}" for name in kinds), f"{ratios[-1]:.2f}",
            f"{sum(one[2] > 0 for one in found['engrain'])}/{len(seeds)}", f"{statistics.fmean(worse):.0%}",
            f"{whole['engrain']:.0f} / {whole['unwatched']:.0f}", f"{false}/{len(seeds)}",
        ))  # fmt: skip
    cost = sum(one for one, _ in still) / sum(other for _, other in still) - 1.0
    return [
        Table(
            "Drift: regret after the best action became the worst",
            ("world", "engrain", "told", "unwatched", "window UCB", "engrain / told", "seen", "worse",
             "no drift: watched / unwatched", "false alarms"),
            rows,
            f"{len(seeds)} worlds each; regret after the change (no drift: over all decisions).",
            (
                ("regret after the change over that of a learner that is told", statistics.fmean(ratios), 2.0, False),
                ("share of regret that watching adds without drift", cost, 0.05, False),
                ("false alarms, share of runs without drift", sum(alarms) / (len(alarms) * len(seeds)), 0.05, False),
            ),
        )
    ]  # fmt: skip
