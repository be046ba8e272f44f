"""Logs of known worlds, for tests of what is learned and judged from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from engrain.learn.log import END, VERIFIED, Counts, Floats, Log
from engrain.learn.rule import TableRule

MOVES = ((0, 1), (1, 0), (0, -1), (-1, 0))
NAMES = ("right", "down", "left", "up")
STEP, GOAL = -0.05, 2.0


def bandit(seed: int, n: int, wins: Floats, behaviour: Floats | None = None) -> Log:
    """Decisions in ``wins`` [s, k] (the chance of a reward of 2 instead of -2), by ``behaviour`` [s, k]: even."""
    rng = np.random.default_rng(seed)
    states, k = wins.shape
    chance = np.full((states, k), 1.0 / k) if behaviour is None else behaviour
    state = rng.integers(0, states, n)
    action = np.minimum((rng.random(n)[:, None] > chance.cumsum(axis=1)[state]).sum(axis=1), k - 1)
    reward = np.where(rng.random(n) < wins[state, action], 2.0, -2.0)
    return rows(states, k, state, action, np.full(n, END), reward, chance[state, action], np.arange(n))


def rows(states: int, k: int, state: Any, action: Any, following: Any, reward: Any, chance: Any, run: Any) -> Log:
    """A log of verified outcomes, each episode a source of its own, of one agent."""
    n = len(reward)
    none = np.zeros(n, dtype=np.int64)
    names = NAMES if k == len(NAMES) else tuple(f"a{index:02d}" for index in range(k))
    texts = tuple(f'{{"s":{index}}}' for index in range(states))
    return Log(
        tuple(f"k{index}" for index in range(states)), texts, names, np.asarray(state), np.asarray(action),
        np.asarray(following), np.asarray(reward, dtype=np.float64), none + VERIFIED, np.asarray(chance),
        np.asarray(run), np.asarray(run).copy(), none, np.arange(n), none,
    )  # fmt: skip


def best(counts: Counts) -> TableRule:
    """The action of the highest mean in each state."""
    entries: dict[str, dict[str, tuple[float, float | None, float]]] = {}
    for state in np.unique(counts.state).tolist():
        here = counts.state == state
        mean = counts.total[here] / counts.weight[here]
        first = int(np.argmax(mean))
        cells = zip(counts.action[here].tolist(), mean.tolist(), counts.n[here].tolist(), strict=True)
        entries[counts.keys[state]] = {
            counts.actions[action]: (float(index == first), value, n) for index, (action, value, n) in enumerate(cells)
        }
    return TableRule(entries)


def even(log: Log, chance: Floats | None = None) -> TableRule:
    """``chance`` [k] in every state; None: all alike."""
    share = np.full(len(log.actions), 1.0 / len(log.actions)) if chance is None else chance
    row = {name: (float(one), None, 0.0) for name, one in zip(log.actions, share, strict=True)}
    return TableRule(dict.fromkeys(log.keys, row))


def grid(seed: int, episodes: int, wild: float = 0.6, side: int = 4, slip: float = 0.0) -> Log:
    """Ways to the corner of a grid from anywhere: each step costs, the corner pays; ``wild`` of the steps at random."""
    rng = np.random.default_rng(seed)
    found: list[tuple[float, ...]] = []
    corner = (side - 1, side - 1)
    for run in range(episodes):
        x, y = divmod(int(rng.integers(0, side * side - 1)), side)
        while (x, y) != corner:
            good = [index for index, ahead in enumerate((y < side - 1, x < side - 1)) if ahead]
            chances = np.full(4, wild / 4)
            chances[good] += (1.0 - wild) / len(good)
            action = int(rng.choice(4, p=chances))
            move = MOVES[action if rng.random() >= slip else int(rng.integers(4))]
            x2, y2 = (min(max(at + by, 0), side - 1) for at, by in zip((x, y), move, strict=True))
            end = (x2, y2) == corner
            found.append(
                (x * side + y, action, END if end else x2 * side + y2, GOAL if end else STEP, chances[action], run)
            )
            x, y = x2, y2
    state, action, following, reward, chance, runs = np.array(found).T
    whole = (np.asarray(one, dtype=np.int64) for one in (state, action, following, runs))
    at, what, then, which = whole
    return rows(side * side, 4, at, what, then, reward, chance, which)


def straight(side: int = 4) -> TableRule:
    """The best way in such a grid: right, then down."""
    entries = {}
    for state in range(side * side - 1):
        entries[f"k{state}"] = {"right" if state % side < side - 1 else "down": (1.0, None, 0.0)}
    return TableRule(entries)


def straight_value(discount: float, side: int = 4) -> float:
    """What that earns from anywhere, when no step slips."""
    total = 0.0
    for state in range(side * side - 1):
        steps = 2 * (side - 1) - state // side - state % side
        total += sum(STEP * discount**t for t in range(steps - 1)) + GOAL * discount ** (steps - 1)
    return total / (side * side - 1)
