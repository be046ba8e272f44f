"""Test ordering: 320 CI cycles of ABB Robotics (IOF/ROL), their tests ordered by ``advise`` and memory only.

Every run of a test is a candidate with a state: how often it failed lately (a moving average of its verdicts, plus how
much more than theirs tests with near numbers failed earlier in this cycle), whether it is new, and how crowded its
numbers are in this cycle, in octaves: who plans a cycle knows which tests are in it, and those picked one by one fail
more often than those of a whole block. ``advise`` values "run it now" in that state; the verdict is told with
``observe_many``, a failure found being the success. Once: all tests are ordered before the cycle starts. Again: a
twentieth of the cycle runs, its verdicts are told, and the rest is ordered anew. No verdict is known before its test
ran, and how often a test comes in a cycle is not used (it is run again because it failed). APFD over the cycles with
failures; each line keeps to one of both rules.

Anchors: chance; the moving average with new tests first; logistic regression on the history, and on the same with how
crowded it is, refitted every 10 cycles; for "again", the moving average corrected by near tests of the cycle; and
whoever knows all verdicts.
"""

from __future__ import annotations

import csv
import gzip
import math
import random
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import engrain
from bench.learning_table import DATA, Table
from engrain import Outcome
from engrain.testing import SimulatedWorld

NEAR = 5.0  # numbers apart, at which another test's verdict tells a third as much
BLOCK = 10.0  # numbers apart, at which another test of the cycle crowds a third as much
NEW = 0.3
DIGITS = 1  # of the moving average in a state
ROUNDS = 20


@dataclass
class History:
    """What is known of the tests by their numbers, before a cycle and within it."""

    lately: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    runs: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    fails: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    crowd: dict[int, float] = field(default_factory=dict)  # of the tests of this cycle
    ran: list[tuple[int, float]] = field(default_factory=list)  # in this cycle: the number, the verdict less expected

    def expected(self, test: int) -> float:
        """The moving average of its verdicts; new ones in between."""
        return self.lately[test] if self.runs[test] else NEW

    def near(self, test: int) -> float:
        """How much more near tests failed in this cycle than was expected of them."""
        if not self.ran:
            return 0.0
        numbers, beyond = np.array(self.ran).T
        kernel = np.exp(-np.abs(numbers - test) / NEAR)
        return float(kernel @ beyond / (kernel.sum() + 1.0))

    def state(self, test: int) -> dict[str, Any]:
        """The features of a candidate."""
        due = round(self.expected(test) + self.near(test), DIGITS)
        return {"due": due, "new": self.runs[test] == 0, "crowd": round(self.crowd[test])}

    def begin(self, cycle: Sequence[tuple[int, int]]) -> None:
        """The cycle is planned: how many tests there are about each number, in octaves."""
        numbers = np.unique([test for test, _ in cycle])
        kernel = np.exp(-np.abs(numbers[:, None] - numbers) / BLOCK)
        self.crowd = dict(zip(numbers.tolist(), np.log2(kernel.sum(axis=1)).tolist(), strict=True))

    def end(self, cycle: Sequence[tuple[int, int]]) -> None:
        """The cycle is over."""
        self.ran.clear()
        for test, verdict in cycle:
            self.lately[test] = 0.7 * self.lately[test] + 0.3 * verdict
            self.runs[test] += 1
            self.fails[test] += verdict


Score = Callable[[Sequence[int], History], Sequence[float]]
Tell = Callable[[Sequence[tuple[int, int]], History], None]


def cycles() -> list[list[tuple[int, int]]]:
    """By cycle: number and verdict (1: it failed) of each run."""
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    with gzip.open(DATA / "test-prioritisation" / "iofrol.csv.gz", "rt") as rows:
        for row in csv.DictReader(rows, delimiter=";"):
            found[int(row["Cycle"])].append((int(row["Name"]), int(row["Verdict"])))
    return [found[number] for number in sorted(found)]


def apfd(verdicts: Sequence[int]) -> float:
    """Average percentage of faults detected (Rothermel et al. 2001)."""
    n, m = len(verdicts), sum(verdicts)
    return 1.0 - sum(place for place, verdict in enumerate(verdicts, 1) if verdict) / (n * m) + 1.0 / (2 * n)


def played(score: Score, tell: Tell, rounds: int, seed: int, most: int) -> list[float]:
    """APFD of each cycle with failures."""
    rng, known, found = random.Random(seed), History(), []
    for cycle in cycles()[:most]:
        known.begin(cycle)
        left, order = rng.sample(cycle, len(cycle)), []
        while left:
            values = score([test for test, _ in left], known)
            ranked = sorted(range(len(left)), key=lambda i: -values[i])[: math.ceil(len(cycle) / rounds)]
            run = [left[i] for i in ranked]
            tell(run, known)
            known.ran += [(test, verdict - known.expected(test)) for test, verdict in run]
            order += run
            chosen = set(ranked)
            left = [one for i, one in enumerate(left) if i not in chosen]
        if any(verdict for _, verdict in cycle):
            found.append(apfd([verdict for _, verdict in order]))
        known.end(cycle)
    return found


def by_engrain(rounds: int, seed: int, most: int) -> list[float]:
    """Through the public contract."""
    with (
        tempfile.TemporaryDirectory() as home,
        engrain.open(home, world=SimulatedWorld(seed=seed), embedder="hash", synchronous="NORMAL") as memory,
    ):
        agent = memory.agent("ci")

        def score(tests: Sequence[int], known: History) -> list[float]:
            states = [known.state(test) for test in tests]
            values: dict[tuple[Any, ...], float] = {}
            for state in states:  # equal states have one value
                if (key := tuple(state.values())) not in values:
                    values[key] = agent.advise("prioritise", state=state, options=["run now"]).value or 0.0
            return [values[tuple(state.values())] for state in states]

        def tell(run: Sequence[tuple[int, int]], known: History) -> None:
            told = {"task_type": "prioritise", "action": "run now"}
            outcomes = {verdict: Outcome(success=bool(verdict), evidence="verified") for verdict in (0, 1)}
            agent.observe_many(
                [{**told, "state": known.state(test), "outcome": outcomes[verdict]} for test, verdict in run]
            )

        return played(score, tell, rounds, seed, most)


def nothing(run: Sequence[tuple[int, int]], known: History) -> None:
    """Anchors learn from the history alone."""


class Logistic:
    """Logistic regression on what the history knows of a test, refitted every 10 cycles by Newton's method."""

    def __init__(self, crowded: bool) -> None:
        self.crowded = crowded
        self.seen: list[tuple[list[float], int]] = []
        self.fitted: tuple[Any, Any, Any] | None = None
        self.cycles = 0

    def features(self, test: int, known: History) -> list[float]:
        runs = known.runs[test]
        past = [known.expected(test), float(runs == 0), math.log1p(runs), (known.fails[test] + 0.5) / (runs + 1.0)]
        return [*past, known.crowd[test]] if self.crowded else past

    def score(self, tests: Sequence[int], known: History) -> list[float]:
        if self.cycles % 10 == 0 and self.seen:
            x = np.array([features for features, _ in self.seen])
            y = np.array([verdict for _, verdict in self.seen], dtype=np.float64)
            mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-9
            x, b = np.column_stack([np.ones(len(x)), (x - mean) / spread]), np.zeros(x.shape[1] + 1)
            for _ in range(15):
                p = 1.0 / (1.0 + np.exp(-np.clip(x @ b, -20.0, 20.0)))
                curve = (x * (p * (1.0 - p) + 1e-6)[:, None]).T @ x / len(x) + 0.01 * np.eye(len(b))
                b -= np.linalg.solve(curve, x.T @ (p - y) / len(x) + 0.01 * b)
            self.fitted = (b, mean, spread)
        self.cycles += 1
        found = np.array([self.features(test, known) for test in tests])
        if self.fitted is None:
            return [float(value) for value in found[:, 0]]
        b, mean, spread = self.fitted
        return [float(value) for value in (found - mean) / spread @ b[1:]]

    def tell(self, run: Sequence[tuple[int, int]], known: History) -> None:
        self.seen += [(self.features(test, known), verdict) for test, verdict in run]


def run(quick: bool) -> list[Table]:
    """The section ``abb``."""
    seeds, most = (1, 320) if quick else (3, 320)

    def lately(tests: Sequence[int], known: History) -> list[float]:
        return [known.expected(test) for test in tests]

    def corrected(tests: Sequence[int], known: History) -> list[float]:
        return [known.expected(test) + known.near(test) for test in tests]

    def chance(tests: Sequence[int], known: History) -> list[float]:
        return [0.0] * len(tests)

    lines: dict[str, list[list[float]]] = {}
    for seed in range(seeds):
        past, crowded = Logistic(crowded=False), Logistic(crowded=True)
        lines.setdefault("chance", []).append(played(chance, nothing, 1, seed, most))
        lines.setdefault("moving average, new first: once", []).append(played(lately, nothing, 1, seed, most))
        lines.setdefault("logistic regression: once", []).append(played(past.score, past.tell, 1, seed, most))
        lines.setdefault("logistic regression, crowding too: once", []).append(
            played(crowded.score, crowded.tell, 1, seed, most)
        )
        lines.setdefault("engrain: once", []).append(by_engrain(1, seed, most))
        lines.setdefault("moving average and near tests: again", []).append(
            played(corrected, nothing, ROUNDS, seed, most)
        )
        lines.setdefault("engrain: again", []).append(by_engrain(ROUNDS, seed, most))
    best = statistics.fmean(
        apfd(sorted((v for _, v in cycle), reverse=True)) for cycle in cycles()[:most] if any(v for _, v in cycle)
    )
    without = np.mean(lines["moving average, new first: once"], axis=0)
    rows = [
        (name, f"{np.mean(told):.3f}", f"{np.std([np.mean(one) for one in told]):.3f}",
         f"{(np.mean(told, axis=0) < without - 1e-9).mean():.0%}")
        for name, told in lines.items()
    ]  # fmt: skip
    rows.append(("whoever knows the verdicts", f"{best:.3f}", "", ""))
    again, once = (float(np.mean(lines[f"engrain: {how}"])) for how in ("again", "once"))
    return [
        Table(
            "Test ordering, ABB IOF/ROL",
            ("ordered by", "mean APFD", "± over seeds", "cycles worse than the moving average"),
            rows,
            f"{seeds} orders of equal candidates, {most} cycles.",
            (
                ("APFD of engrain, asked again in the cycle", again, 0.625, True),
                ("APFD of engrain, asked once", once, 0.625, True),
            ),
        )
    ]
