"""Which solver for which instance: advice through the public contract, judged on real counterfactuals.

Two tables for bench/learning.py. Each instance of an algorithm-selection scenario that has features and runs of all
solvers is a decision: features are the `state`, solvers the `options`, the reward is 2 - 4·PAR10 / (10·cutoff).

One pass: the instances in random order, only the advised solver's outcome is told. PAR10 over the best fixed solver in
hindsight. Anchors: a random choice, UCB without features, and kernel-greedy: the solver of the lowest kernel mean of
log PAR10 over standardised features. Full feedback: in each published fold all solvers' outcomes of the other folds are
told (`observe_many`), then the fold's instances are asked about, first as it is, then after `memory.dream()`. Share of
the gap between the best fixed solver and the oracle that is closed, over instances that some solver solves. Anchors: a
random forest on log PAR10 and the 5 nearest neighbours. The same advice gives the coverage of its 90 % intervals.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import engrain
from bench.advice import DATA, Scenario, arff, by_chance, by_engrain, by_oracle, by_ucb, load
from bench.learning_table import Table
from engrain import Outcome
from engrain.testing import SimulatedWorld

SEEDS, QUICK = 20, 2
Array = Any
Choose = Callable[[Scenario, Array, Array], Array]


def run(quick: bool) -> list[Table]:
    """Both tables."""
    folders = [folder for folder in sorted(DATA.iterdir()) if (folder / "algorithm_runs.arff").is_file()]
    scenarios = [load(folder) for folder in folders]
    return [one_pass(scenarios, QUICK if quick else SEEDS), full_feedback(folders, scenarios, quick)]


# -- one pass of bandit feedback ---------------------------------------------------------------------------------------


def matrix(scenario: Scenario) -> Array:
    """Features [n, d]: missing ones at the median, compressed, standardised, clipped at 4 deviations."""
    raw = np.array([[np.nan if value is None else value for value in state.values()] for state in scenario.states])
    known = ~np.isnan(raw).all(axis=0)
    raw = np.where(np.isnan(raw[:, known]), np.nanmedian(raw[:, known], axis=0), raw[:, known])
    raw = np.sign(raw) * np.log1p(np.abs(raw))
    return np.clip((raw - raw.mean(axis=0)) / np.maximum(raw.std(axis=0), 1e-9), -4.0, 4.0)


def squared(left: Array, right: Array) -> Array:
    """Squared distances [n, m]."""
    return np.maximum((left**2).sum(1)[:, None] + (right**2).sum(1) - 2.0 * left @ right.T, 0.0)


def by_kernel(scenario: Scenario, order: list[int], seed: int) -> list[int]:
    """Kernel-greedy: the anchor that knows all features beforehand, but no outcome."""
    features = matrix(scenario)
    distances = squared(features, features)
    near = np.exp(-4.0 * distances / np.median(distances))
    costs = np.log10(1.0 + scenario.costs)
    k, chosen = len(scenario.solvers), [random.Random(seed).randrange(len(scenario.solvers))]
    for step, instance in enumerate(order[1:], start=1):
        past = np.array(order[:step])
        paid = costs[past, chosen]
        weight = near[instance, past]
        total, known = np.bincount(chosen, weight * paid, minlength=k), np.bincount(chosen, weight, minlength=k)
        chosen.append(int(((total + paid.mean()) / (known + 1.0)).argmin()))
    return chosen


PASSES = {
    "random": by_chance,
    "UCB, no features": by_ucb,
    "kernel-greedy": by_kernel,
    "engrain": by_engrain,
    "oracle": by_oracle,
}


def one_pass(scenarios: list[Scenario], seeds: int) -> Table:
    """PAR10 over the best fixed solver."""
    rows, means, seconds = list[tuple[str, ...]](), dict[str, list[float]](), dict[str, list[float]]()
    for scenario in scenarios:
        n, best = len(scenario.states), scenario.costs[:, scenario.costs.mean(axis=0).argmin()]
        for name, chooser in PASSES.items():
            whole, second, worse = list[float](), list[float](), list[float]()
            for seed in range(seeds):
                order = random.Random(seed).sample(range(n), n)
                cost, fixed = scenario.costs[order, chooser(scenario, order, seed)], best[order]
                whole.append(float(cost.mean() / fixed.mean()))
                second.append(float(cost[n // 2 :].mean() / fixed[n // 2 :].mean()))
                worse.append(float((cost > fixed).mean()))
            means.setdefault(name, []).append(statistics.fmean(whole))
            seconds.setdefault(name, []).append(statistics.fmean(second))
            told = (means[name][-1], seconds[name][-1], max(whole), statistics.fmean(worse))
            rows.append((scenario.name, name, *(f"{value:.2f}" for value in told)))
    for name in PASSES:
        told = (statistics.fmean(means[name]), statistics.fmean(seconds[name]))
        rows.append(("mean", name, *(f"{value:.3f}" for value in told), "", ""))
    return Table(
        f"Algorithm selection, one pass, {seeds} seeds",
        ("scenario", "chooser", "PAR10 / best fixed", "second half", "worst seed", "made worse"),
        rows,
        "The best fixed solver is known in hindsight alone; `made worse`: instances that cost more than with it.",
        (
            ("mean over scenarios", statistics.fmean(means["engrain"]), 1.05, False),
            ("worst scenario", max(means["engrain"]), 1.25, False),
            ("second half, mean over scenarios", statistics.fmean(seconds["engrain"]), 1.0, False),
        ),
    )


# -- full feedback on the published folds ------------------------------------------------------------------------------


def published(folder: Path, scenario: Scenario) -> Array:
    """The fold of each instance of the scenario."""
    names, rows = arff(folder / "cv.arff")
    cells = [dict(zip(names, row, strict=True)) for row in rows]
    fold = {cell["instance_id"]: int(float(cell["fold"])) for cell in reversed(cells)}  # of repetitions, the first
    return np.array([fold[instance] for instance in scenario.instances])


def by_memory(scenario: Scenario, train: Array, test: Array) -> tuple[Array, Array, Array, Array]:
    """Chances [m, k] with which solvers are advised for ``test`` before and after a dream, and of the advice before it
    whether the interval of the value holds the reward that came, and how wide it is."""
    before, after, held, wide = [], [], [], []
    with tempfile.TemporaryDirectory() as home, engrain.open(
        home, world=SimulatedWorld(seed=0), embedder="hash", synchronous="NORMAL"
    ) as memory:  # fmt: skip
        agent = memory.agent("selector")
        agent.observe_many([
            {
                "task_type": scenario.name, "state": scenario.states[i], "action": solver,
                "outcome": Outcome(evidence="verified", reward=scenario.reward(i, a)),
            }
            for i in train for a, solver in enumerate(scenario.solvers)
        ])  # fmt: skip

        def advised(instance: int) -> engrain.Advice:
            return agent.advise(scenario.name, state=scenario.states[instance], options=scenario.solvers)

        for i in test:
            advice = advised(i)
            assert advice.action is not None
            assert advice.low is not None
            assert advice.high is not None
            before.append(chances(scenario, advice))
            held.append(advice.low <= scenario.reward(i, scenario.solvers.index(advice.action)) <= advice.high)
            wide.append(advice.high - advice.low)
        memory.dream()
        after += [chances(scenario, advised(i)) for i in test]
    return np.array(before), np.array(after), np.array(held), np.array(wide)


def chances(scenario: Scenario, advice: engrain.Advice) -> list[float]:
    """Of each solver, as the advice was drawn from them: their mean cost is told without the luck of one draw."""
    said = {one.action: one.propensity for one in advice.ranking}
    return [float(said[solver] or 0.0) for solver in scenario.solvers]


def by_forest(scenario: Scenario, train: Array, test: Array) -> Array:
    """A random forest on log PAR10."""
    from sklearn.ensemble import RandomForestRegressor

    raw = np.array([[np.nan if v is None else v for v in state.values()] for state in scenario.states])
    raw = np.where(np.isnan(raw), np.nan_to_num(np.nanmedian(raw, axis=0)), raw)
    forest = RandomForestRegressor(100, random_state=0, min_samples_leaf=2)
    return forest.fit(raw[train], np.log10(1.0 + scenario.costs[train])).predict(raw[test]).argmin(axis=1)


def by_neighbours(scenario: Scenario, train: Array, test: Array) -> Array:
    """The lowest mean of log PAR10 over the 5 nearest."""
    features = matrix(scenario)
    nearest = squared(features[test], features[train]).argsort(axis=1)[:, :5]
    return np.log10(1.0 + scenario.costs[train])[nearest].mean(axis=1).argmin(axis=1)


def full_feedback(folders: list[Path], scenarios: list[Scenario], quick: bool) -> Table:
    """Share of the gap closed."""
    rows, closed = list[tuple[str, ...]](), dict[str, list[float]]()
    for folder, scenario in zip(folders, scenarios, strict=True):
        fold, (n, k) = published(folder, scenario), scenario.costs.shape
        folds = np.unique(fold)[: QUICK if quick else None]
        asked = np.isin(fold, folds)
        took: dict[str, Array] = {}
        held, wide = list[float](), list[float]()
        for one in folds:
            train, test = np.flatnonzero(fold != one), np.flatnonzero(fold == one)
            before, after, inside, width = by_memory(scenario, train, test)
            found = {
                "best fixed": np.full(len(test), scenario.costs[train].mean(axis=0).argmin()),
                "5 nearest": by_neighbours(scenario, train, test),
                "random forest": by_forest(scenario, train, test),
                "oracle": scenario.costs[test].argmin(axis=1),
            }
            sure = {name: np.eye(k)[solvers] for name, solvers in found.items()}
            for name, share in {**sure, "engrain": before, "engrain, after a dream": after}.items():
                took.setdefault(name, np.zeros((n, k)))[test] = share
            held, wide = held + inside.tolist(), wide + width.tolist()
        counted = np.flatnonzero(asked & (scenario.costs.min(axis=1) < 10.0 * scenario.cutoff))
        costs = scenario.costs[counted]
        paid = {name: (share[counted] * costs).sum(axis=1) for name, share in took.items()}
        fixed, oracle = paid["best fixed"], paid["oracle"]
        for name, cost in paid.items():
            share = float((fixed.mean() - cost.mean()) / (fixed.mean() - oracle.mean()))
            closed.setdefault(name, []).append(share)
            worse = float((took[name][counted] * (costs > fixed[:, None])).sum(axis=1).mean())
            told = f"{statistics.fmean(held):.2f} ({statistics.fmean(wide):.2f} wide)" if name == "engrain" else ""
            rows.append((scenario.name, name, f"{share:.2f}", f"{worse:.2f}", told))
    rows += [("mean", name, f"{statistics.fmean(shares):.3f}", "", "") for name, shares in closed.items()]
    mean = {name: statistics.fmean(shares) for name, shares in closed.items()}
    checks = [
        check
        for name in ("engrain", "engrain, after a dream")
        for check in (
            (f"{name}: mean, against the forest's", mean[name], mean["random forest"], True),
            (f"{name}: worst scenario", min(closed[name]), 0.0, True),
        )
    ]
    return Table(
        "Algorithm selection, full feedback, published folds",
        ("scenario", "chooser", "gap closed", "made worse", "interval holds the outcome"),
        rows,
        "0 is the best fixed solver of the training folds, 1 the oracle; engrain by the chances it draws from. What "
        "came is one run, not a mean reward.",
        checks,
    )
