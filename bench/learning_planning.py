"""The speed of planning: one million distinct transitions, beside plain sweeps over the same arrays.

The anchor is value iteration without anything clever: gather, multiply, sum by pair, maximum by state, until a step is
as small as engrain's last one. CPU seconds of one process; engrain's the best of three runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench.learning_table import Table
from engrain.learn.empirical import Model, model_of
from engrain.learn.log import Counts
from engrain.learn.offline import candidates
from engrain.learn.value_iteration import TOLERANCE, value_iteration

ACTIONS = 4


def made(rows: int) -> Counts:
    """So many different transitions, ten a state, to anywhere."""
    rng = np.random.default_rng(0)
    states = rows // 10
    place = np.unique(rng.integers(0, states * ACTIONS * states, 2 * rows))
    place = np.sort(rng.choice(place, rows, replace=False))
    pair, n = place // states, rng.integers(1, 9, rows).astype(np.float64)
    reward = rng.integers(-8, 9, rows) / 4.0
    keys = tuple(f"{one:08}" for one in range(states))
    names = tuple(f"{one}" for one in range(ACTIONS))
    return Counts(keys, keys, names, pair // ACTIONS, pair % ACTIONS, place % states, n, n, n * reward, n * reward**2)


def swept(model: Model, discount: float) -> tuple[Any, int]:
    """The anchor: values [s] and after how many sweeps."""
    values, close = np.zeros(model.states), TOLERANCE * float(np.abs(model.reward).max())
    start = np.flatnonzero(np.diff(model.pair, prepend=-1))
    step, sweeps = np.inf, 0
    while step > close:
        q = model.reward + discount * np.add.reduceat(model.chance * model.whole(values)[model.next], start)
        new = np.maximum.reduceat(q, model.first)
        step, values, sweeps = float(np.abs(new - values).max()), new, sweeps + 1
    return values, sweeps


def timed(work: Callable[[], Any], runs: int = 3) -> tuple[float, Any]:
    """CPU seconds, the best of some runs, and what came out."""
    spent = []
    for _ in range(runs):
        began = time.process_time()
        found = work()
        spent.append(time.process_time() - began)
    return min(spent), found


def run(quick: bool) -> Sequence[Table]:
    """A million transitions, or a tenth."""
    counts = made(100_000 if quick else 1_000_000)
    building, model = timed(lambda: model_of(counts))
    rows = [["the model from counts", "", f"{building:.2f}", "", ""]]
    for discount in (0.9, 0.95, 0.99):
        spent, found = timed(lambda at=discount: value_iteration(model, at))
        plain, (values, sweeps) = timed(lambda at=discount: swept(model, at), 1)
        off = float(np.abs(found.values - values).max())
        rows.append(["value iteration", f"{discount}", f"{spent:.2f}", f"{plain:.2f} ({sweeps} sweeps)", f"{off:.1e}"])
    whole, _ = timed(lambda: candidates(counts, 0.95))
    rows.append(["all candidates, from counts to rules", "0.95", f"{whole:.2f}", "", ""])
    columns = ["what", "discount", "engrain, s", "plain sweeps, s", "largest difference of a value"]
    return [Table(f"Planning on {len(counts.n):,} distinct transitions", columns, rows, "CPU seconds.")]
