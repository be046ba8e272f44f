"""Off-policy evaluation: how near, how sure, and when it refuses.

- ``digits``: handwritten digits as a bandit (the digit is the right action; one outcome in ten is wrong), logged by a
  weak classifier, judged for a strong one whose true worth is known. The pixels are the state. Anchors as in the
  literature's own benches: computed here from the same draws. Two behaviours: the anchors' own, and a sharper one.
- ``openbandit``: the sample of the Open Bandit data (ZOZO; Saito et al. 2021), in which the same items were also shown
  at random: what the random policy earns is told from the other one's log.
- ``gate``: worlds in which all actions are equal, and worlds with a winner.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.learning_table import DATA, Table
from engrain.learn.evaluate import evaluate, evaluations
from engrain.learn.gate import judge
from engrain.learn.log import END, VERIFIED, Floats, Log
from engrain.learn.rule import TableRule
from engrain.learn.state import State, checked_state
from engrain.model.policy import Estimate

K = 10
CONFIDENCE = 0.95


class Given:
    """A rule that is a table of probabilities by state key."""

    kind = "given"

    def __init__(self, chances: dict[str, Floats], actions: Sequence[str]) -> None:
        self._chances, self.actions = chances, tuple(actions)

    def chances(self, state: State, actions: Sequence[str]) -> Floats | None:
        del actions  # always all of them here
        return self._chances.get(state.key)

    def known(self, state: State, action: str) -> None:
        del state, action

    def body(self) -> dict[str, Any]:
        return {}


def logged(
    states: Sequence[State], actions: Sequence[str], state: Any, action: Any, reward: Floats, chance: Floats
) -> Log:
    """Verified decisions one by one."""
    n = len(reward)
    none, each = np.zeros(n, dtype=np.int64), np.arange(n)
    return Log(
        tuple(one.key for one in states), tuple(one.text for one in states), tuple(actions), state, action, none + END,
        reward, none + VERIFIED, chance, each, each, none, each, none,
    )  # fmt: skip


# -- digits ------------------------------------------------------------------------------------------------------------


class Draws:
    """Samples of one seed: pixels, who logs, who is judged."""

    def __init__(self, seed: int, sharper: bool) -> None:
        from sklearn.datasets import load_digits
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import train_test_split

        x, y = load_digits(return_X_y=True)
        xa, self.pixels, ya, self.digit = train_test_split(x / 16, y, test_size=0.7, random_state=seed)
        weak = LogisticRegression(max_iter=200, C=0.001).fit(xa, ya).predict_proba(self.pixels)
        strong = LogisticRegression(max_iter=200, C=1).fit(xa, ya).predict_proba(self.pixels)
        self.logging = 0.1 / K + 0.9 * _sharpened(weak, 2.0 if sharper else 1 / 0.9)
        self.logging /= self.logging.sum(axis=1, keepdims=True)
        self.judged = 0.9 * _sharpened(strong, 2.0) + 0.1 / K
        right = float(self.judged[np.arange(len(self.digit)), self.digit].mean())
        self.truth = 0.9 * right + 0.1 * (1 - right)
        self.rng = np.random.default_rng(seed)

    def draw(self, n: int) -> tuple[Any, Any, Floats]:
        """The pictures, what was said of each, and whether that was right."""
        which = self.rng.integers(0, len(self.pixels), n)
        said = np.array([self.rng.choice(K, p=self.logging[one]) for one in which])
        right = (said == self.digit[which]) * 1.0
        return which, said, np.where(self.rng.random(n) < 0.1, 1 - right, right)


def _sharpened(chance: Floats, power: float) -> Floats:
    raised = chance**power
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _anchors(draws: Draws, which: Any, said: Any, reward: Floats) -> dict[str, float]:
    """What the literature's estimators say of the same draws, with two folds of ridge regression for each action."""
    from sklearn.linear_model import Ridge

    n = len(reward)
    target = draws.judged[which]
    weight = target[np.arange(n), said] / draws.logging[which, said]
    model, order = np.zeros((n, K)), draws.rng.permutation(n)
    for half in (0, 1):
        train, test = order[half::2], order[1 - half :: 2]
        for action in range(K):
            mine = train[said[train] == action]
            if len(mine) < 5:
                model[test, action] = reward[train].mean()
            else:
                fit = Ridge(5.0).fit(draws.pixels[which[mine]], reward[mine])
                model[test, action] = np.clip(fit.predict(draws.pixels[which[test]]), 0, 1)
    direct, rest = (target * model).sum(axis=1), reward - model[np.arange(n), said]
    return {
        "anchor: mean of the log": reward.mean(),
        "anchor: direct": direct.mean(),
        "anchor: importance sampling": (weight * reward).mean(),
        "anchor: doubly robust": (direct + weight * rest).mean(),
        "anchor: SWITCH": (direct + (weight <= 10) * weight * rest).mean(),
        "anchor: self-normalised doubly robust": direct.mean() + (weight * rest).sum() / weight.sum(),
        "anchor: self-normalised": (weight * reward).sum() / weight.sum(),
    }


def _ours(draws: Draws, which: Any, said: Any, reward: Floats, seed: int) -> tuple[Estimate, ...]:
    pictures, place = np.unique(which, return_inverse=True)
    states = [checked_state({f"p{i}": float(v) for i, v in enumerate(draws.pixels[one])}) for one in pictures]
    actions = [str(digit) for digit in range(K)]
    log = logged(states, actions, place, said, reward, draws.logging[which, said])
    by_key = {state.key: draws.judged[one] for state, one in zip(states, pictures, strict=True)}
    return evaluations(log, Given(by_key, actions), seed=seed, confidence=CONFIDENCE)


def digits(quick: bool) -> Sequence[Table]:
    """Relative root mean squared error, and how often the interval holds the truth."""
    seeds = {False: 20 if quick else 500, True: 20 if quick else 200}
    return [_digits(n, sharper, seeds[sharper], quick) for sharper in seeds for n in (250, 1_000)]


def _digits(n: int, sharper: bool, seeds: int, quick: bool) -> Table:
    off: dict[str, list[float]] = {}
    held: dict[str, list[tuple[bool, float]]] = {}
    refused = 0
    for seed in range(seeds):
        draws = Draws(seed, sharper)
        which, said, reward = draws.draw(n)
        found = _ours(draws, which, said, reward, seed)
        refused += found[0].refused is not None
        for name, value in _anchors(draws, which, said, reward).items():
            off.setdefault(name, []).append(value / draws.truth - 1.0)
        for one in found:
            if one.value is not None and one.low is not None and one.high is not None:
                off.setdefault(one.method, []).append(one.value / draws.truth - 1.0)
                held.setdefault(one.method, []).append((one.low <= draws.truth <= one.high, one.high - one.low))
    error = {name: float(np.sqrt(np.mean(np.square(each)))) for name, each in off.items()}
    first = {name: float(np.sqrt(np.mean(np.square(each[:100])))) for name, each in off.items()}
    rows = []
    for name in sorted(error, key=lambda one: (not one.startswith("anchor"), -error[one])):
        sure = held.get(name)
        cover = f"{np.mean([one for one, _ in sure]):.1%}" if sure else "–"
        width = f"{np.mean([one for _, one in sure]):.3f}" if sure else "–"
        rows.append([name, f"{error[name]:.4f}", f"{first[name]:.4f}", cover, width])
    default = "calibrated doubly robust"
    cover = float(np.mean([one for one, _ in held[default]]))
    checks: list[tuple[str, float, float, bool]] = []
    if not quick:
        checks = [("coverage", cover, 0.93, True), ("coverage", cover, 0.97, False)]
        if not sharper:
            checks.append(("relative RMSE", error[default], {250: 0.08, 1_000: 0.036}[n], False))
    return Table(
        f"digits, n = {n:,}, {'sharper behaviour' if sharper else 'the behaviour of the anchors'}, {seeds} seeds",
        ["estimator", "relative RMSE", "first 100 seeds", "95 % interval covers", "its width"],
        rows,
        f"Refused: {refused} of {seeds}. The anchors' “soft” and “sharp” logs are one and the same behaviour.",
        checks,
    )


# -- Open Bandit -------------------------------------------------------------------------------------------------------


def _shown(policy: str, campaign: str) -> list[dict[str, str]]:
    with gzip.open(DATA / "bandit" / "obd" / policy / campaign / f"{campaign}.csv.gz", "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def openbandit(quick: bool) -> Sequence[Table]:
    """What showing items at random earns, told from a log of Thompson sampling; and what it did earn."""
    del quick
    rows, checks = [], []
    for campaign in ("men", "women"):
        seen, random = _shown("bts", campaign), _shown("random", campaign)
        items = sorted({row["item_id"] for row in seen + random}, key=int)
        place = {item: index for index, item in enumerate(items)}
        state = checked_state({})
        log = logged(
            [state], items, np.zeros(len(seen), dtype=np.int64), np.array([place[row["item_id"]] for row in seen]),
            np.array([float(row["click"]) for row in seen]), np.array([float(row["propensity_score"]) for row in seen]),
        )  # fmt: skip
        one = evaluate(log, TableRule({state.key: {item: (1.0 / len(items), None, 0.0) for item in items}}))
        clicks = np.array([float(row["click"]) for row in random])
        truth = f"{clicks.mean():.4f} ± {clicks.std() / len(clicks) ** 0.5:.4f}"
        told = one.refused or f"{one.value:.4f} ({one.low:.4f} to {one.high:.4f})"
        rows.append([campaign, f"{len(seen):,}", f"{one.effective:.0f}", told, truth])
        checks.append((f"{campaign}: refused", float(one.refused is not None), float(campaign == "women"), True))
    columns = ["campaign", "n", "effective", "told", "true"]
    return [Table("Open Bandit, Thompson sampling's log → at random", columns, rows, checks=checks)]


# -- the gate ----------------------------------------------------------------------------------------------------------


def _world(seed: int, n: int, wins: Floats) -> Log:
    rng = np.random.default_rng(seed)
    states, k = wins.shape
    state, action = rng.integers(0, states, n), rng.integers(0, k, n)
    reward = np.where(rng.random(n) < wins[state, action], 2.0, -2.0)
    known = [checked_state({"s": index}) for index in range(states)]
    return logged(known, [f"a{index}" for index in range(k)], state, action, reward, np.full(n, 1.0 / k))


def _best(counts: Any) -> TableRule:
    entries: dict[str, dict[str, tuple[float, float | None, float]]] = {}
    for state in np.unique(counts.state).tolist():
        here = np.flatnonzero(counts.state == state)
        best = here[int(np.argmax(counts.total[here] / counts.weight[here]))]
        entries[counts.keys[state]] = {counts.actions[int(counts.action[best])]: (1.0, None, float(counts.n[best]))}
    return TableRule(entries)


def gate(quick: bool) -> Sequence[Table]:
    """Promotions in worlds where nothing is better, and where something is."""
    worlds = 20 if quick else 300
    rows, checks = [], []
    equal = [(1, 2, 0.5), (1, 5, 0.5), (1, 2, 0.95), (1, 5, 0.95), (20, 3, 0.5), (20, 3, 0.05)]
    for n in (100, 300, 1_000):
        for states, k, chance in equal:
            wins = np.full((states, k), chance)
            passed = np.mean([judge(_world(seed, n, wins), _best, None, seed=seed).passed for seed in range(worlds)])
            rows.append([f"{states} states, {k} actions, all succeed with {chance}", f"{n:,}", f"{passed:.1%}"])
            if not quick:
                checks.append((f"n = {n}, {states} × {k}, {chance}", float(passed), 0.05, False))
    for wins in ([[0.8, 0.2, 0.2]], [[0.6, 0.4, 0.4]], [[0.9, 0.8, 0.7]]):
        for n in (100, 300, 1_000):
            passed = np.mean([judge(_world(s, n, np.array(wins)), _best, None, seed=s).passed for s in range(worlds)])
            rows.append([f"actions succeed with {', '.join(map(str, wins[0]))}", f"{n:,}", f"{passed:.1%}"])
    return [Table(f"the gate, {worlds} worlds each", ["world", "decisions", "promoted"], rows, checks=checks)]
