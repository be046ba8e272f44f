"""Calibration: does the 90 % interval of an advice hold the mean reward, and is a told chance of success true?

Worlds whose mean rewards are known: coins (2 or -2), normal rewards (deviation 0.4), skewed ones (a scaled Beta), and
rare disasters (1.5, seldom -2); with 2, 5 or 20 actions, whose means are drawn anew for each world. Without features;
with six places that come back; with eight numeric features that decide by a threshold, linearly, or not at all; and
``hidden``: states differ by what no feature shows, which makes a share f of the variance of a single outcome, drawn
uniformly for each world (0: features mean nothing, 1: the same state always brings the same).

The log is of uniform choices told with ``observe_many``, or of the learner's own. After 10, 30, 100 and 300 outcomes
the learner is asked, with numeric features about states never seen, and the interval of each action (the ranking of an
advice) is compared with the mean that the world has there. Anchors get the same outcomes of the action, in the same
place where places come back: Student's t interval and, for coins, Clopper and Pearson's. They know of no other
features, and with too few outcomes their interval is the whole range.
"""

from __future__ import annotations

import math
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import beta, t

from bench.learning_calibration_worlds import HIGH, KNOWN, LOW, Setting, World, settings
from bench.learning_table import Table
from engrain import Outcome
from engrain.config import Config
from engrain.learn.learner import Learner
from engrain.model.scope import Scope
from engrain.store import open_store
from engrain.testing import SimulatedWorld

ME = Scope("default", "agent")
SIZES = (10, 30, 100, 300)
SEEDS = 12
LEAST, MOST = 0.85, 0.95


@dataclass
class Judged:
    """One interval beside the mean that it is of. ``others`` are those of the anchors."""

    n: int
    advised: bool
    value: float
    low: float
    high: float
    mean: float
    others: dict[str, tuple[float, float, float]]

    def inside(self, by: str) -> bool:
        """Whether the interval of engrain ("") or an anchor holds the mean."""
        _, low, high = self.others[by] if by else (self.value, self.low, self.high)
        return low - 1e-9 <= self.mean <= high + 1e-9


Told = tuple[dict[str, float], bool]
"""The chance of success by who told it, and what came."""
Known = dict[tuple[str, str], list[float]]
"""Rewards so far, by place and action."""


def students(rewards: Sequence[float]) -> tuple[float, float, float]:
    """Mean and 90 % interval by Student's t; the whole range with fewer than two outcomes."""
    n = len(rewards)
    mean = sum(rewards) / n if n else 0.0
    if n < 2:
        return mean, LOW, HIGH
    half = float(t.ppf(0.95, n - 1)) * float(np.std(rewards, ddof=1)) / math.sqrt(n)
    return mean, max(LOW, mean - half), min(HIGH, mean + half)


def exact(rewards: Sequence[float]) -> tuple[float, float, float]:
    """The same of a coin by Clopper and Pearson (1934)."""
    n, good = len(rewards), sum(reward > 0.0 for reward in rewards)
    low = float(beta.ppf(0.05, good, n - good + 1)) if good else 0.0
    high = float(beta.ppf(0.95, good + 1, n - good)) if good < n else 1.0
    return (4.0 * good / n - 2.0 if n else 0.0), 4.0 * low - 2.0, 4.0 * high - 2.0


def run_one(setting: Setting, seed: int, sizes: Sequence[int] = SIZES) -> tuple[list[Judged], list[Told]]:
    """One world: what was judged at each of ``sizes``, and the chances told on the way."""
    world, options = World(setting, seed), [f"action {number}" for number in range(setting.k)]
    known: Known = defaultdict(list)
    judged, told = list[Judged](), list[Told]()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "home", Config(synchronous="NORMAL"))
        store.migrate()
        learner = Learner(store, SimulatedWorld(seed=seed), Config())
        done = 0
        for size in sizes:
            if setting.adaptive:
                told += [_decide(world, learner, options, known) for _ in range(size - done)]
            else:
                _told_of(world, learner, options, known, size - done)
            done = size
            judged += [one for state in world.asked() for one in _judge(world, learner, options, known, state, size)]
        store.close()
    return judged, [one for one in told if not math.isnan(one[0]["engrain"])]


def _place(state: Mapping[str, object] | None) -> str:
    return str((state or {}).get("place", ""))


def _told_of(world: World, learner: Learner, options: list[str], known: Known, n: int) -> None:
    rows = []
    for _ in range(n):
        state, index = world.state(), world.rng.randrange(len(options))
        reward = world.reward(world.mean(state, index))
        known[_place(state), options[index]].append(reward)
        outcome = Outcome(evidence="verified", reward=reward)
        rows.append({"task_type": "task", "state": state, "action": options[index], "outcome": outcome,
                     "propensity": 1.0 / len(options)})  # fmt: skip
    learner.observe_many(ME, rows)


def _decide(world: World, learner: Learner, options: list[str], known: Known) -> Told:
    state = world.state()
    advice = learner.advise(ME, "task", state=state, options=options)
    action = str(advice.action)
    reward = world.reward(world.mean(state, options.index(action)))
    learner.observe(ME, advice, Outcome(evidence="verified", reward=reward))
    before = known[_place(state), action]
    n, good = len(before), sum(one > 0.0 for one in before)
    before.append(reward)
    chance = math.nan if advice.value is None else (advice.value - LOW) / (HIGH - LOW)
    told = {"engrain": chance, "plain rate": good / n if n else 0.5, "Jeffreys": (good + 0.5) / (n + 1.0)}
    return told, reward > 0.0


def _judge(
    world: World, learner: Learner, options: list[str], known: Known,
    state: dict[str, object] | None, size: int,
) -> Iterator[Judged]:  # fmt: skip
    advice = learner.advise(ME, "task", state=state, options=options)
    for one in advice.ranking:
        assert one.value is not None
        assert one.low is not None
        assert one.high is not None
        rewards = known[_place(state), one.action]
        others = {"t": students(rewards)} | ({"exact": exact(rewards)} if world.setting.rewards == "coins" else {})
        mean = world.mean(state, options.index(one.action))
        yield Judged(size, one.action == advice.action, one.value, one.low, one.high, mean, others)


Found = Mapping[tuple[str, str, str], Sequence[Judged]]
"""By log, rewards and features."""


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def _held(judged: Sequence[Judged], by: str = "") -> float:
    return _mean([one.inside(by) for one in judged])


def _intervals(found: Found, advised: bool) -> Table:
    """Coverage by log, rewards, features and size, and over all of these cells."""
    title = "the advised action" if advised else "every action"
    rows, cells = list[list[str]](), defaultdict[tuple[str, bool], list[float]](list)
    second: Callable[[Judged], float] = (lambda o: o.value - o.mean) if advised else (lambda o: (o.high - o.low) / 2.0)
    kept = {key: [one for one in every if one.advised or not advised] for key, every in found.items()}
    for key, mine in kept.items():
        told = []
        for part in ([one for one in mine if one.n == size] for size in SIZES):
            others = " ".join(f"{name} {_held(part, name):.2f}" for name in part[0].others)
            told.append(f"**{_held(part):.2f}** ({_mean([second(one) for one in part]):+.2f}) {others}")
            for name in ("", *part[0].others):
                cells[name, key[2] in KNOWN].append(_held(part, name))
        rows.append([*key, *told])
    names = {"": "engrain", "t": "Student's t", "exact": "Clopper and Pearson"}
    for (name, known), shares in sorted(cells.items()):
        one = np.array(shares)
        within = f"{(one < LEAST).mean():.0%} below, {(one > MOST).mean():.0%} above"
        which = "none, places" if known else "numeric"
        rows.append(["all", names[name], which, f"mean {one.mean():.2f}", f"least {one.min():.2f}", within, ""])
    known = [one for key, mine in kept.items() for one in mine if key[2] in KNOWN]
    checks = [
        (f"coverage after {n}, none and places", _held([o for o in known if o.n == n]), LEAST, True) for n in SIZES
    ]
    hidden = _held([one for key, mine in kept.items() for one in mine if key[2] == "hidden"])
    checks.append(("coverage of hidden differences", hidden, LEAST, True))
    about = "value less the true mean" if advised else "half of the mean width"
    note = f"**Coverage** of engrain ({about}), and of the anchors. Last rows: over all cells above."
    columns = ["log", "rewards", "features", *(f"n = {size}" for size in SIZES)]
    return Table(f"90 % intervals of the mean reward: {title}", columns, rows, note, checks)


def _reliability(told: Mapping[str, Sequence[Told]]) -> Table:
    """Brier score, log loss and expected calibration error of chances told before a coin was tossed."""
    rows = list[list[str]]()
    for kind, every in told.items():
        came = np.array([one for _, one in every], dtype=np.float64)
        for name in every[0][0]:
            chance = np.array([one[name] for one, _ in every])
            kept = np.clip(chance, 0.01, 0.99)
            loss = -(came * np.log(kept) + (1.0 - came) * np.log(1.0 - kept)).mean()
            place = np.minimum((chance * 10.0).astype(np.int64), 9)
            error = np.abs(np.bincount(place, chance - came)).sum() / len(came)
            brier = ((chance - came) ** 2).mean()
            rows.append([kind, name, str(len(came)), f"{brier:.4f}", f"{loss:.4f}", f"{error:.4f}"])
    note = "Chances within 0.01 to 0.99 for the log loss; ECE in ten bins. The anchors know the outcomes of the action."
    columns = ["features", "", "n", "Brier", "log loss", "ECE"]
    return Table("chance of success of the advised coin, told before it was tossed", columns, rows, note)


def run(quick: bool) -> list[Table]:
    """The section ``calibration``."""
    found: dict[tuple[str, str, str], list[Judged]] = defaultdict(list)
    told: dict[str, list[Told]] = defaultdict(list)
    for setting in settings():
        for seed in range(2 if quick else SEEDS):
            judged, chances = run_one(setting, seed)
            found["own choices" if setting.adaptive else "uniform", setting.rewards, setting.features].extend(judged)
            if setting.adaptive and setting.rewards == "coins":
                told[setting.features].extend(chances)
    return [_intervals(found, advised=False), _intervals(found, advised=True), _reliability(told)]
