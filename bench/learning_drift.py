"""Drift: the best action becomes the worst half-way. What that costs, and what watching costs when nothing happens.

Each world has k actions with Bernoulli rewards (2 or -2, mean of the best at least 0.8 above the next) or normal ones
(deviation 0.5, at least 0.3 above), with or without a context of two states whose actions are ordered the other way
round. At half of the decisions the best and the worst action change places. Beside engrain, in the same worlds: engrain
that is told (its memory of the task type is empty from the change on), engrain that watches for nothing, and a
UCB over the last 100 outcomes. `bound` is what a watch that knows the rewards of every action before and after would
lose until it sees the change, at a false alarm in 20,000 outcomes (Lorden 1971), and then the told one: no watch over
an action that is false in at most one of twenty runs of 1,000 is better by much. Regret is in units of reward. `worse`
is the share of worlds in which watching cost more than not watching.

Most worlds are played without a store (see ``drifting_memory``), to have enough of them; in some the same is done with
one, and must give the same decisions.
"""

from __future__ import annotations

import math
import random
import statistics
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.drifting_memory import Memory
from bench.learning_table import Table
from engrain import Outcome
from engrain.config import Config
from engrain.learn.learner import Learner
from engrain.model.scope import Scope
from engrain.store import open_store
from engrain.testing import SimulatedWorld

ME = Scope("default", "agent")
BETWEEN_ALARMS = 20_000.0  # outcomes, on the mean, of the watch that the bound is for


@dataclass(frozen=True)
class Setting:
    """A family of worlds, of which so many are played."""

    name: str
    normal: bool
    k: int
    n: int
    worlds: int
    context: bool = False


SETTINGS = (
    Setting("coins, 2 actions, 400 decisions", False, 2, 400, 48),
    Setting("coins, 5 actions, 1,000", False, 5, 1_000, 24),
    Setting("normal, 3 actions, 400", True, 3, 400, 48),
    Setting("normal, 5 actions, 2,000", True, 5, 2_000, 12),
    Setting("coins, 3 actions, 2 states, 1,000", False, 3, 1_000, 16, True),
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

    def bound(self) -> float:
        """Regret until a change is seen by a watch over the best action that knows both laws: log(outcomes between
        false alarms) over the divergence of the law after from that before."""
        was, now = max(self.before), min(self.before)
        if self.setting.normal:
            told = (was - now) ** 2 / (2.0 * 0.5**2)
        else:
            p, q = (now + 2.0) / 4.0, (was + 2.0) / 4.0
            told = p * math.log(p / q) + (1.0 - p) * math.log((1.0 - p) / (1.0 - q))
        return min(math.log(BETWEEN_ALARMS) / told, self.setting.n / 2) * (was - now)


Regret = tuple[float, float, int]
"""Before and after the half of the decisions, and the drifts that were seen."""


def by_engrain(world: World, seed: int, told: bool = False, watched: bool = True) -> Regret:
    """Without a store. ``told``: from the half on it remembers nothing, so that is where it begins."""
    setting, regret, seen = world.setting, [0.0, 0.0], 0
    memory = Memory(SimulatedWorld(seed=seed), setting.k, watched)
    for step in range(setting.n // 2 if told else 0, setting.n):
        late, state = step >= setting.n // 2, world.state()
        action, expected = memory.decide({"place": "ab"[state]} if setting.context else None)
        means = world.means(step, state)
        seen += memory.learn(action, world.reward(means[action]), expected)
        regret[late] += max(means) - means[action]
    return regret[0], regret[1], seen


def with_a_store(world: World, seed: int) -> Regret:
    """The same by what a user calls."""
    setting, regret = world.setting, [0.0, 0.0]
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "home", Config(synchronous="NORMAL"))
        store.migrate()
        learner = Learner(store, SimulatedWorld(seed=seed), Config())
        options = [f"action {number}" for number in range(setting.k)]
        for step in range(setting.n):
            state = world.state()
            features = {"place": "ab"[state]} if setting.context else None
            advice = learner.advise(ME, "task", state=features, options=options)
            means = world.means(step, state)
            mean = means[options.index(str(advice.action))]
            learner.observe(ME, advice, Outcome(evidence="verified", reward=world.reward(mean)))
            regret[step >= setting.n // 2] += max(means) - mean
        seen = sum(one.drifts for one in learner.drifts(ME))
        store.close()
    return regret[0], regret[1], seen


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


@dataclass
class Played:
    """A setting's worlds: regret of each, and how many with a store were decided the same."""

    drifting: dict[str, list[Regret]]
    still: dict[str, list[Regret]]
    bound: float
    same: int
    stored: int

    def after(self, name: str) -> float:
        return statistics.fmean(one[1] for one in self.drifting[name])

    def whole(self, name: str) -> float:
        return statistics.fmean(one[0] + one[1] for one in self.still[name])

    @property
    def false(self) -> int:
        return sum(one[2] > 0 for one in self.still["engrain"])

    def row(self, name: str) -> list[str]:
        seen = sum(one[2] > 0 for one in self.drifting["engrain"])
        pairs = zip(self.drifting["engrain"], self.drifting["unwatched"], strict=True)
        worse = statistics.fmean(a[1] > b[1] + 1e-9 for a, b in pairs)
        told, worlds = self.after("told"), len(self.still["engrain"])
        return [
            name, *(f"{self.after(kind):.0f}" for kind in ("engrain", "told", "unwatched", "window")),
            f"{self.after('engrain') / told:.2f}", f"{(self.bound + told) / told:.2f}", f"{seen}/{worlds}",
            f"{worse:.0%}", f"{self.whole('engrain'):.1f} / {self.whole('unwatched'):.1f}", f"{self.false}/{worlds}",
        ]  # fmt: skip


def play(setting: Setting, worlds: int, stored: int) -> Played:
    """So many worlds of a setting, the first ``stored`` of them with a store, too."""
    drifting: dict[str, list[Regret]] = {name: [] for name in ("engrain", "told", "unwatched", "window")}
    still: dict[str, list[Regret]] = {name: [] for name in ("engrain", "unwatched")}
    for seed in range(worlds):

        def world(seed: int = seed, changes: bool = True) -> World:
            return World(setting, seed, changes)

        drifting["engrain"].append(by_engrain(world(), seed))
        drifting["told"].append(by_engrain(world(), seed, told=True, watched=False))
        drifting["unwatched"].append(by_engrain(world(), seed, watched=False))
        drifting["window"].append(by_window(world(), seed))
        quiet = by_engrain(world(changes=False), seed)
        still["engrain"].append(quiet)  # where no alarm was given the other one decides the same
        still["unwatched"].append(by_engrain(world(changes=False), seed, watched=False) if quiet[2] else quiet)
    bound = statistics.fmean(World(setting, seed, True).bound() for seed in range(worlds))
    same = sum(with_a_store(World(setting, seed, True), seed) == drifting["engrain"][seed] for seed in range(stored))
    return Played(drifting, still, bound, same, stored)


def run(quick: bool) -> list[Table]:
    """The section ``drift``."""
    rows, ratios, still, alarms, runs, same, stored = list[Sequence[str]](), list[float](), [0.0, 0.0], 0, 0, 0, 0
    for setting in SETTINGS:
        worlds = 4 if quick else setting.worlds
        found = play(setting, worlds, 1 if setting.n > 1_000 or quick else 2)
        ratios.append(found.after("engrain") / found.after("told"))
        still = [still[0] + found.whole("engrain"), still[1] + found.whole("unwatched")]
        alarms, runs = alarms + found.false, runs + worlds
        same, stored = same + found.same, stored + found.stored
        rows.append(found.row(setting.name))
    return [
        Table(
            "Drift: regret after the best action became the worst",
            ("world", "engrain", "told", "unwatched", "window UCB", "engrain / told", "bound / told", "seen", "worse",
             "no drift: watched / unwatched", "false alarms"),
            rows,
            "Regret after the change (no drift: over all decisions), without a store; with one the decisions were the "
            f"same in {same} of {stored} worlds.",
            (
                ("regret after the change over that of a learner that is told", statistics.fmean(ratios), 2.0, False),
                ("share of regret that watching adds without drift", still[0] / still[1] - 1.0, 0.05, False),
                ("false alarms, share of runs without drift", alarms / runs, 0.05, False),
                ("share of worlds in which a store changes a decision", 1.0 - same / stored, 0.0, False),
            ),
        )
    ]  # fmt: skip
