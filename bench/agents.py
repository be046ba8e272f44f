"""Agents that learn by themselves: does each profile learn its world, and what does learning cost a task?

    python bench/agents.py                     # 6 seeds, Markdown tables on stdout
    python bench/agents.py --seeds 1 --tasks 60

`states`: a world for each of the eighteen profiles. Its tasks are the profile's own examples, from which its features
are computed; each has one strategy, drawn anew for each seed, that works 8 times out of 10, the others work 3 times.
The figure is the share of tasks of the last quarter in which the best strategy was chosen; a choice at random has .25.
Beside it, on the same worlds, the one strategy that is best for all tasks together, known in hindsight.

`weights`: all strategies succeed, and differ in time, quality, resources and feedback, drawn for each seed. What they
are worth is the reward by the profile's own weights. The same agent learns with them, and with the usual ones. The
figure is how far its last quarter came from a random choice (0) to the best (1).

`cost`: what `perform` adds to a task that does nothing, with context, patterns, advice, outcome and memory, in a home
on the disk with 1,000 memories and the default embedder; and how long the loop of an async agent stands still then.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import engrain
from engrain import Agent, Outcome
from engrain.agents import BaseAgent, Profile, Task, profile, profiles
from engrain.learn.reward import WEIGHTS, reward_of
from engrain.testing import SimulatedWorld

WORKS, ELSE = 0.8, 0.3


class Worker(BaseAgent):
    """Does what its task says; only learning by outcomes is looked at."""

    remembers = False
    max_tokens = 0

    def run(self, task: Task) -> Any:
        return task.details["work"](task)


Outcomes = Callable[[int, str], Outcome]  # of a strategy on a place


def played(agent: Agent, kind: Profile, tasks: int, rng: random.Random, outcomes: Outcomes) -> list[tuple[int, str]]:
    """Place and chosen strategy of each task."""
    worker, chosen = Worker(agent, profile=kind), []
    for _ in range(tasks):
        place = rng.randrange(len(kind.examples))

        def work(task: Task, place: int = place) -> Outcome:
            assert task.action is not None
            chosen.append((place, task.action))
            return outcomes(place, task.action)

        worker.perform("a task", **kind.examples[place]["details"], work=work)
    if worker.learning_errors:
        raise SystemExit(f"{kind.name}: {worker.learning_errors}")
    return chosen


def states(agent: Agent, kind: Profile, tasks: int, seed: int) -> tuple[float, float]:
    """Shares of best choices in the last quarter: the agent's, and of the best single strategy."""
    rng = random.Random(f"{kind.name} {seed}")
    best = [rng.choice(kind.strategies) for _ in kind.examples]

    def outcomes(place: int, strategy: str) -> Outcome:
        return Outcome(success=rng.random() < (WORKS if strategy == best[place] else ELSE), evidence="executed")

    last = played(agent, kind, tasks, rng, outcomes)[-(tasks // 4) :]
    single = max(sum(best[place] == name for place, _ in last) for name in kind.strategies)
    return sum(best[place] == name for place, name in last) / len(last), single / len(last)


def weighed(agent: Agent, kind: Profile, tasks: int, seed: int, weights: Mapping[str, float]) -> float:
    """How far the last quarter came from random to best, by the profile's weights, when learning with ``weights``."""
    rng = random.Random(f"{kind.name} {seed}")
    names = ("seconds", "quality", "resources", "feedback")
    parts: dict[tuple[int, str], dict[str, Any]] = {
        (place, name): {part: rng.random() for part in names} | {"budget_seconds": 0.5}
        for place in range(len(kind.examples))
        for name in kind.strategies
    }

    def outcome(place: int, name: str) -> Outcome:
        return Outcome(success=True, evidence="executed", **parts[place, name])

    def worth(place: int, name: str) -> float:
        return reward_of(replace(outcome(place, name), weights=kind.weights)) or 0.0

    last = played(agent, replace(kind, weights=weights), tasks, rng, outcome)[-(tasks // 4) :]
    got = statistics.fmean(worth(place, name) for place, name in last)
    best = statistics.fmean(max(worth(place, name) for name in kind.strategies) for place, _ in last)
    chance = statistics.fmean(statistics.fmean(worth(place, name) for name in kind.strategies) for place, _ in last)
    return (got - chance) / (best - chance)


def simulate(seeds: int, tasks: int) -> None:
    print(f"{seeds} seeds, {tasks} tasks each\n")
    print("| profile | states: engrain, mean | worst seed | one for all | weights: own | the usual |")
    print("| --- | --- | --- | --- | --- | --- |")
    every: list[list[float]] = []
    for name in profiles():
        kind, columns = profile(name), []
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                world = SimulatedWorld(seed=seed)
                with engrain.open(folder, world=world, embedder="hash", synchronous="normal") as memory:
                    own, single = states(memory.agent("states"), kind, tasks, seed)
                    ours = weighed(memory.agent("own"), kind, tasks, seed, kind.weights)
                    usual = weighed(memory.agent("usual"), kind, tasks, seed, WEIGHTS)
            columns.append([own, single, ours, usual])
        mean = [statistics.fmean(column) for column in zip(*columns, strict=True)]
        worst = min(column[0] for column in columns)
        every.append([mean[0], worst, *mean[1:]])
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in every[-1]) + " |", flush=True)
    means = [statistics.fmean(column) for column in zip(*every, strict=True)]
    means[1] = min(row[1] for row in every)
    print("| all | " + " | ".join(f"{value:.2f}" for value in means) + " |")


def cost(tasks: int) -> None:
    class Idle(BaseAgent):
        task_type, options = "idle", ("a", "b", "c")

        def run(self, task: Task) -> Any:
            return {"exit_code": 0}

    class Waiting(Idle):
        async def run(self, task: Task) -> Any:
            return {"exit_code": 0}

    with tempfile.TemporaryDirectory() as folder, engrain.open(Path(folder)) as memory:
        agent = memory.agent("idle")
        agent.remember_many([{"content": f"note {i} on part {i % 37} of the plant"} for i in range(1000)])
        took = []
        worker = Idle(agent)
        for number in range(tasks):
            began = time.perf_counter()
            worker.perform(f"look after part {number % 37} of the plant")
            took.append(time.perf_counter() - began)

        async def main() -> list[float]:
            gaps, done = [], False

            async def heart() -> None:
                while not done:
                    before = time.perf_counter()
                    await asyncio.sleep(0.001)
                    gaps.append(time.perf_counter() - before - 0.001)

            beating = asyncio.ensure_future(heart())
            waiting = Waiting(agent)
            for number in range(tasks):
                await waiting.perform(f"look after part {number % 37} of the plant")
            done = True
            await beating
            return gaps

        gaps = asyncio.run(main())
        assert worker.learning_errors == (), worker.learning_errors
    print("| what learning adds | p50 | p95 |\n| --- | --- | --- |")
    for name, values in (("to a task, ms", took[tasks // 10 :]), ("to a turn of the event loop, ms", gaps)):
        tail = sorted(values)[int(0.95 * len(values))]
        print(f"| {name} | {1e3 * statistics.median(values):.1f} | {1e3 * tail:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--tasks", type=int, default=120)
    parser.add_argument("--only", choices=("worlds", "cost"))
    given = parser.parse_args()
    if given.only != "cost":
        simulate(given.seeds, given.tasks)
    if given.only != "worlds":
        print()
        cost(max(given.tasks, 20))


if __name__ == "__main__":
    main()
