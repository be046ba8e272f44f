"""Worlds whose mean rewards are known, for the section ``calibration`` of bench/learning.py."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

FRESH = 6  # states never seen that are asked about
PLACES = 6
DEVIATION = 0.4  # of normal rewards
LOW, HIGH = -2.0, 2.0
REWARDS = {"coins": (-1.6, 1.6), "normal": (-1.0, 1.0), "skewed": (-1.0, 1.6), "disasters": (1.2, 1.48)}
FEATURES = ("none", "places", "threshold", "linear", "useless", "hidden")
KNOWN = ("none", "places")  # the data tell there how much of the variance lies between states


@dataclass(frozen=True)
class Setting:
    """A family of worlds, and how its log is made."""

    rewards: str
    features: str
    k: int
    adaptive: bool


def settings() -> Iterator[Setting]:
    """Every kind of reward and number of actions without features; five actions, coins and normal, with them."""
    for adaptive in (False, True):
        for rewards in REWARDS:
            yield from (Setting(rewards, "none", k, adaptive) for k in (2, 5, 20))
        for features in FEATURES[1:]:
            yield from (Setting(rewards, features, 5, adaptive) for rewards in ("coins", "normal"))


class World:
    """Mean rewards of one seed, and draws from them."""

    def __init__(self, setting: Setting, seed: int) -> None:
        self.setting, self.rng = setting, random.Random(f"{setting}:{seed}")
        self.low, self.high = REWARDS[setting.rewards]
        rows = PLACES if setting.features == "places" else 2
        self.means = [[self.rng.uniform(self.low, self.high) for _ in range(setting.k)] for _ in range(rows)]
        self.seed, self.share = seed, random.Random(f"{seed}:share").random()  # of hidden differences
        self.slopes = [[self.rng.gauss(0.0, 0.5) for _ in range(2)] for _ in range(setting.k)]

    def state(self) -> dict[str, object] | None:
        if self.setting.features == "none":
            return None
        if self.setting.features == "places":
            return {"place": f"p{self.rng.randrange(PLACES)}"}
        return {f"f{i}": self.rng.gauss(0.0, 1.0) for i in range(8)}

    def asked(self) -> list[dict[str, object] | None]:
        """The states that it is asked about."""
        if self.setting.features == "places":
            return [{"place": f"p{i}"} for i in range(PLACES)]
        return [self.state() for _ in range(1 if self.setting.features == "none" else FRESH)]

    def mean(self, state: Mapping[str, object] | None, action: int) -> float:
        kind, at = self.setting.features, state or {}
        if kind == "places":
            return self.means[int(str(at["place"])[1:])][action]
        if kind == "threshold":
            return self.means[float(str(at["f0"])) > 0.0][action]
        if kind == "linear":
            found = self.means[0][action] + sum(s * float(str(at[f"f{i}"])) for i, s in enumerate(self.slopes[action]))
            return max(self.low, min(self.high, found))
        return self._hidden(at, action) if kind == "hidden" else self.means[0][action]

    def _hidden(self, state: Mapping[str, object], action: int) -> float:
        """Of a state that differs from others by what no feature shows."""
        own, base = random.Random(f"{self.seed}:{sorted(state.items())}:{action}"), self.means[0][action]
        if self.setting.rewards == "normal":
            return max(LOW, min(HIGH, own.gauss(base, DEVIATION * math.sqrt(self.share))))
        odds, chance = 1.0 / self.share - 1.0, (base - LOW) / (HIGH - LOW)
        return LOW + (HIGH - LOW) * own.betavariate(odds * chance, odds * (1.0 - chance))

    def reward(self, mean: float) -> float:
        if self.setting.rewards == "coins":
            return HIGH if self.rng.random() < (mean - LOW) / (HIGH - LOW) else LOW
        if self.setting.rewards == "normal":
            noise = math.sqrt(1.0 - self.share) if self.setting.features == "hidden" else 1.0
            return max(LOW, min(HIGH, self.rng.gauss(mean, DEVIATION * noise)))
        if self.setting.rewards == "skewed":
            share = (HIGH - mean) / (HIGH - LOW)
            return HIGH - (HIGH - LOW) * self.rng.betavariate(0.7, 0.7 * (1.0 - share) / share)
        return LOW if self.rng.random() < (1.5 - mean) / 3.5 else 1.5
