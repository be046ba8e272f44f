"""Advice on real counterfactuals, and its speed: one pass of bandit feedback over algorithm-selection scenarios.

    python bench/advice.py                     # 3 seeds, a Markdown table on stdout
    python bench/advice.py --seeds 20 --json advice.json

Each instance of a scenario is one decision: its features are the `state`, the solvers the `options`. Only the outcome
of the advised solver is told, as an explicit reward 2 - 4·PAR10 / (10·cutoff), so that the learner sees what a user's
agent would see; that the data know all solvers is used to score alone. Figures are PAR10 over that of the best fixed
solver in hindsight: 1.00 is as good as having known it from the start. Beside engrain, in the same run on the same
orders: a random choice, a context-free UCB, and the oracle. `worse` is the share of instances on which the advice cost
more than the best fixed solver.

Data: `algorithm-selection` in the folder that ENGRAIN_DATA names (default ../shared/data). Scenarios are read there and
never bundled (GPL).
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

import engrain
from engrain import Outcome
from engrain.testing import SimulatedWorld

DATA = Path(os.environ.get("ENGRAIN_DATA", Path(__file__).parents[2] / "shared" / "data")) / "algorithm-selection"
_ATTRIBUTE = re.compile(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)", re.IGNORECASE)


@dataclass(frozen=True)
class Scenario:
    """``states`` [n] and ``costs`` [n, k]: PAR10 in seconds of each solver on each instance."""

    name: str
    solvers: list[str]
    states: list[dict[str, float | None]]
    costs: Any
    cutoff: float
    instances: list[str]

    def reward(self, instance: int, solver: int) -> float:
        return float(2.0 - 4.0 * self.costs[instance, solver] / (10.0 * self.cutoff))


def arff(path: Path) -> tuple[list[str], list[list[str]]]:
    """Column names and rows of an ARFF file."""
    names, rows, data = list[str](), list[list[str]](), False
    for raw in path.read_text(errors="replace").splitlines():
        line = raw.strip()
        if not line or line.startswith("%"):
            continue
        if data:
            rows.append([cell.strip().strip("'\"") for cell in next(csv.reader([line], quotechar="'"))])
        elif found := _ATTRIBUTE.match(line):
            names.append(found.group(1).strip("'\""))
        data = data or line.lower().startswith("@data")
    return names, rows


def number(text: str) -> float | None:
    """A finite number, or None for what is missing."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def load(folder: Path) -> Scenario:
    """Every instance that has features and a run of each solver; repeated runs are averaged."""
    found = re.search(r"algorithm_cutoff_time:\s*([\d.]+)", (folder / "description.txt").read_text())
    assert found is not None, f"{folder} names no cutoff"
    cutoff = float(found.group(1))
    names, rows = arff(folder / "algorithm_runs.arff")
    seconds = next(n for n in names if n not in ("instance_id", "repetition", "algorithm", "runstatus"))
    runs: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        cell = dict(zip(names, row, strict=True))
        taken = number(cell[seconds])
        cost = 10.0 * cutoff if cell["runstatus"] != "ok" or taken is None else taken
        runs.setdefault(cell["instance_id"], {}).setdefault(cell["algorithm"], []).append(cost)
    names, rows = arff(folder / "feature_values.arff")
    cells = [dict(zip(names, row, strict=True)) for row in rows]
    features = [name for name in names if name not in ("instance_id", "repetition")]
    states = {cell["instance_id"]: {name: number(cell[name]) for name in features} for cell in cells}
    solvers = sorted({solver for known in runs.values() for solver in known})
    kept = [one for one in sorted(runs) if one in states and len(runs[one]) == len(solvers)]
    costs = np.array([[statistics.fmean(runs[one][solver]) for solver in solvers] for one in kept])
    return Scenario(folder.name, solvers, [states[one] for one in kept], costs, cutoff, kept)


Chooser = Callable[[Scenario, list[int], int], list[int]]


def by_engrain(scenario: Scenario, order: list[int], seed: int) -> list[int]:
    """One pass through the public contract."""
    chosen = []
    with tempfile.TemporaryDirectory() as home:
        world = SimulatedWorld(seed=seed)
        with engrain.open(home, world=world, embedder="hash", synchronous="NORMAL") as memory:
            agent = memory.agent("selector")
            for instance in order:
                advice = agent.advise(scenario.name, state=scenario.states[instance], options=scenario.solvers)
                assert advice.action is not None
                solver = scenario.solvers.index(advice.action)
                reward = scenario.reward(instance, solver)
                agent.observe(advice, Outcome(evidence="verified", reward=reward))
                chosen.append(solver)
    return chosen


def by_chance(scenario: Scenario, order: list[int], seed: int) -> list[int]:
    """A random solver each time."""
    rng = random.Random(seed)
    return [rng.randrange(len(scenario.solvers)) for _ in order]


def by_ucb(scenario: Scenario, order: list[int], seed: int) -> list[int]:
    """UCB1 without context, rewards scaled to 0..1."""
    k, rng = len(scenario.solvers), random.Random(seed)
    counts, sums, chosen = np.zeros(k), np.zeros(k), list[int]()
    for step, instance in enumerate(order):
        untried = np.flatnonzero(counts == 0)
        bound = sums / np.maximum(counts, 1) + np.sqrt(2.0 * math.log(step + 1) / np.maximum(counts, 1))
        solver = int(rng.choice(untried.tolist())) if len(untried) else int(bound.argmax())
        counts[solver] += 1
        sums[solver] += (scenario.reward(instance, solver) + 2.0) / 4.0
        chosen.append(solver)
    return chosen


def by_oracle(scenario: Scenario, order: list[int], seed: int) -> list[int]:
    """The best solver of each instance."""
    return [int(scenario.costs[instance].argmin()) for instance in order]


CHOOSERS: dict[str, Chooser] = {
    "random": by_chance,
    "UCB, no features": by_ucb,
    "engrain": by_engrain,
    "oracle": by_oracle,
}


def score(scenario: Scenario, chooser: Chooser, seeds: int) -> dict[str, float]:
    """PAR10 over the best fixed solver: mean and worst over seeds, mean of the second half, share made worse."""
    n = len(scenario.states)
    fixed = int(scenario.costs.mean(axis=0).argmin())
    whole, second, worse = list[float](), list[float](), list[float]()
    for seed in range(seeds):
        order = random.Random(seed).sample(range(n), n)
        cost = scenario.costs[order, chooser(scenario, order, seed)]
        best = scenario.costs[order, fixed]
        whole.append(float(cost.mean() / best.mean()))
        second.append(float(cost[n // 2 :].mean() / best[n // 2 :].mean()))
        worse.append(float((cost > best).mean()))
    figures = {"mean": whole, "second half": second, "worse": worse}
    return {**{name: statistics.fmean(values) for name, values in figures.items()}, "worst seed": max(whole)}


def speed(states: int = 500, features: int = 100, options: int = 6) -> dict[str, float]:
    """Milliseconds of ``advise`` and ``observe``, durable, after so many states of so many numeric features."""
    rng, actions = np.random.default_rng(0), [f"option-{i}" for i in range(options)]
    taken: dict[str, list[float]] = {"advise": [], "observe": []}
    with tempfile.TemporaryDirectory() as home, engrain.open(home, embedder="hash") as memory:
        agent = memory.agent("speed")
        for _ in range(states + 200):
            state = {f"f{i}": float(value) for i, value in enumerate(rng.normal(size=features))}
            before = time.perf_counter()
            advice = agent.advise("speed", state=state, options=actions)
            between = time.perf_counter()
            agent.observe(advice, Outcome(success=bool(rng.random() < 0.5), evidence="executed"))
            taken["advise"].append((between - before) * 1e3)
            taken["observe"].append((time.perf_counter() - between) * 1e3)
    late = {name: sorted(values[states:]) for name, values in taken.items()}
    return {
        f"{name} {q}": values[int(len(values) * f)]
        for name, values in late.items()
        for q, f in (("p50", 0.5), ("p95", 0.95))
    }


def mapped(states: int, actions: int, options: int = 100, features: int = 10) -> float:
    """Milliseconds of processor time of ``advise`` about options with features of their own, after an outcome of each
    action in each state; the median of 10."""
    rng = np.random.default_rng(0)

    def state() -> dict[str, float]:
        return {f"f{i}": float(value) for i, value in enumerate(rng.normal(size=features))}

    taken = []
    with tempfile.TemporaryDirectory() as home, engrain.open(home, embedder="hash") as memory:
        agent = memory.agent("speed")
        for _ in range(0, states, 500):
            told: list[dict[str, Any]] = []
            for seen in [state() for _ in range(500)]:
                came = ((n, Outcome(success=bool(rng.random() < 0.5), evidence="executed")) for n in range(actions))
                told += [{"task_type": "speed", "state": seen, "action": f"option-{n}", "outcome": o} for n, o in came]
            agent.observe_many(told)
        for _ in range(12):  # the first two also read the table and learn which states are alike
            asked = {f"option-{n}": state() for n in range(options)}
            before = time.process_time()
            agent.advise("speed", options=asked)
            taken.append((time.process_time() - before) * 1e3)
    return statistics.median(taken[2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"No scenarios at {DATA}: set ENGRAIN_DATA to the folder that holds algorithm-selection.")
    scenarios = [load(folder) for folder in sorted(DATA.iterdir()) if (folder / "algorithm_runs.arff").is_file()]
    found: dict[str, Any] = {}
    print("| scenario | chooser | PAR10 / best fixed | second half | worst seed | worse |\n|---|---|---|---|---|---|")
    for scenario in scenarios:
        for name, chooser in CHOOSERS.items():
            one = found.setdefault(name, {})[scenario.name] = score(scenario, chooser, arguments.seeds)
            cells = (f"{one[key]:.2f}" for key in ("mean", "second half", "worst seed", "worse"))
            print(f"| {scenario.name} | {name} | {' | '.join(cells)} |", flush=True)
    mean = {name: statistics.fmean(one["mean"] for one in by.values()) for name, by in found.items()}
    print(f"\nMean over scenarios, {arguments.seeds} seeds: " + ", ".join(f"{k} {v:.3f}" for k, v in mean.items()))
    fast = speed()
    print("\n500 states of 100 numbers, ms: " + ", ".join(f"{name} {value:.2f}" for name, value in fast.items()))
    many = {f"{states:,} states of {actions}": mapped(states, actions) for states, actions in ((500, 20), (10_000, 1))}
    print("100 options with features of their own, ms: " + ", ".join(f"{name} {v:.1f}" for name, v in many.items()))
    if arguments.json is not None:
        arguments.json.write_text(
            json.dumps({"scenarios": found, "mean": mean, "speed": fast, "mapped": many}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
