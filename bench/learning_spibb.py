"""Learning from a log that somebody sensible wrote: the 25-state gridworld of Laroche et al. (2019).

The environment, its baseline policy and its discount are the authors' own (``spibb-reference/gridworld5x5.npz``). Each
seed writes trajectories of at most 50 steps by the baseline; what is learned from them is valued exactly. ``engrain``
is the first candidate that a dream would train, told nothing but the counts; anchors marked * know the baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench.learning_table import DATA, Table
from engrain.learn.log import END, Counts
from engrain.learn.offline import candidates

Array = Any
WORST = {10: 0.38, 20: 0.55, 50: 0.57, 200: 0.58, 2000: 0.59}  # the worst 1 % to reach
MEAN = {20: 0.575}
CHUNK = 100  # seeds planned at once


class World:
    """``chances`` [s, a, s], ``baseline`` [s, a]; the last state is the end, and reaching it is worth 1."""

    def __init__(self) -> None:
        told = np.load(DATA / "spibb-reference" / "gridworld5x5.npz")
        self.discount = float(told["gamma"])
        self.baseline = told["pi_b"]
        self.size, self.actions = self.baseline.shape
        self.end = self.size - 1
        chances = told["P"].astype(float).squeeze().copy()
        chances[self.end] = 0.0
        self.chances = chances

    def values(self, policies: Array) -> Array:
        """What policies [b, s, a] are worth at the start, [b]."""
        reward = self.chances[:, :, self.end]
        step = self.chances.copy()
        step[:, :, self.end] = 0.0
        there = np.eye(self.size) - self.discount * np.einsum("bsa,sat->bst", policies, step)
        return np.linalg.solve(there, (policies * reward).sum(2)[..., None])[:, 0, 0]

    def logs(self, trajectories: int, seeds: int, salt: int = 0) -> Array:
        """How often each transition was seen, [seeds, s, a, s]."""
        rng = np.random.default_rng([salt, trajectories])
        found = np.zeros((seeds, self.size, self.actions, self.size), dtype=np.float32)
        acts, follows = self.baseline.cumsum(1), self.chances.cumsum(2)
        state = np.zeros(seeds * trajectories, dtype=np.int64)
        seed = np.repeat(np.arange(seeds), trajectories)
        for _ in range(50):
            action = np.minimum((rng.random(len(state))[:, None] > acts[state]).sum(1), self.actions - 1)
            after = np.minimum((rng.random(len(state))[:, None] > follows[state, action]).sum(1), self.end)
            np.add.at(found, (seed, state, action, after), 1.0)
            going = after != self.end
            state, seed = after[going], seed[going]
        return found

    def counts(self, log: Array) -> Counts:
        """A log [s, a, s] as a dream is given it."""
        state, action, after = (column.astype(np.int64) for column in np.nonzero(log))
        n = log[state, action, after].astype(np.float64)
        reward = n * (after == self.end)
        keys = tuple(f"{one:02}" for one in range(self.size))
        names = tuple(str(one) for one in range(self.actions))
        return Counts(keys, keys, names, state, action, np.where(after == self.end, END, after), n, n, reward, reward)

    def learned(self, log: Array) -> list[tuple[str, Array]]:
        """The policies [s, a] of the candidates; where they know nothing, any action is as good."""
        found = []
        for one in candidates(self.counts(log), self.discount):
            policy = np.full((self.size, self.actions), 1.0 / self.actions)
            for key, row in one.rule.body()["entries"].items():
                policy[int(key)] = [row.get(str(action), (0.0,))[0] for action in range(self.actions)]
            found.append((one.name, policy))
        return found


def planned(world: World, log: Array, improve: Callable[[Array, Array], Array], penalty: float = 0.0) -> Array:
    """Policy iteration on the empirical models of logs [b, s, a, s] from the baseline, to policies [b, s, a]."""
    seen = log.sum(3)
    chances = log / np.maximum(seen, 1.0)[..., None]
    reward = chances[..., world.end] - penalty / np.sqrt(seen + 1e-5)
    chances[..., world.end] = 0.0
    policy = np.broadcast_to(world.baseline, seen.shape)
    for _ in range(60):
        there = np.eye(world.size) - world.discount * np.einsum("bsa,bsat->bst", policy, chances)
        value = np.linalg.solve(there, (policy * reward).sum(2)[..., None])[..., 0]
        new = improve(reward + world.discount * np.einsum("bsat,bt->bsa", chances, value), seen)
        if np.abs(new - policy).max() < 1e-9:
            break
        policy = new
    return policy


def greedy(q: Array, _seen: Array) -> Array:
    return (np.arange(q.shape[2]) == q.argmax(2)[..., None]).astype(float)


def anchored(world: World, least: float, equal: bool) -> Callable[[Array, Array], Array]:
    """Π_b-SPIBB (``equal``) or Π_≤b-SPIBB with a threshold."""

    def improve(q: Array, seen: Array) -> Array:
        known, base = seen >= least, np.broadcast_to(world.baseline, q.shape)
        kept = np.where(known, 0.0, base) if equal else np.zeros(q.shape)
        room = np.where(known, 1.0, 0.0 if equal else base)
        order = np.argsort(-q, axis=2, kind="stable")
        sorted_room = np.take_along_axis(room, order, 2)
        before = np.cumsum(sorted_room, axis=2) - sorted_room
        given = np.clip(1.0 - kept.sum(2)[..., None] - before, 0.0, sorted_room)
        policy = kept.copy()
        np.put_along_axis(policy, order, np.take_along_axis(kept, order, 2) + given, 2)
        return np.where(known.any(2)[..., None], policy, base)

    return improve


def told(values: Array) -> tuple[float, float, float]:
    """The mean, and the mean of the worst tenth and hundredth."""
    found = np.sort(values)
    n = len(found)
    return float(found.mean()), float(found[: max(1, n // 10)].mean()), float(found[: max(1, n // 100)].mean())


def run(quick: bool) -> Sequence[Table]:
    """The table of the paper's setting: 1,000 seeds, or 100."""
    world, seeds = World(), 100 if quick else 1000
    base = float(world.values(world.baseline[None])[0])
    anchors: dict[str, Callable[[Array], Array]] = {
        "plain batch RL": lambda log: planned(world, log, greedy),
        "RaMDP κ=.003": lambda log: planned(world, log, greedy, 0.003),
        "Π_b-SPIBB 5 *": lambda log: planned(world, log, anchored(world, 5, True)),
        "Π_b-SPIBB 20 *": lambda log: planned(world, log, anchored(world, 20, True)),
        "Π_≤b-SPIBB 5 *": lambda log: planned(world, log, anchored(world, 5, False)),
    }
    rows, checks, names = [], [], ["engrain", "its candidate spibb", *anchors]
    for trajectories, least in WORST.items():
        logs = world.logs(trajectories, seeds)
        own = [world.learned(log) for log in logs]
        found = {name: world.values(np.array([dict(one)[key] for one in own]))
                 for name, key in (("engrain", own[0][0][0]), ("its candidate spibb", "spibb"))}  # fmt: skip
        for name, learn in anchors.items():
            parts = [world.values(learn(logs[at : at + CHUNK])) for at in range(0, seeds, CHUNK)]
            found[name] = np.concatenate(parts)
        figures = {name: told(values) for name, values in found.items()}
        worse = float((found["engrain"] < base).mean())
        cells = ["/".join(f"{one:.3f}".lstrip("0") for one in figures[name]) for name in names]
        rows.append([f"{trajectories:,}", *cells, f"{worse:.1%}"])
        checks.append((f"worst 1 % at {trajectories}", figures["engrain"][2], least, True))
        if trajectories in MEAN:
            checks.append((f"mean at {trajectories}", figures["engrain"][0], MEAN[trajectories], True))
    note = (
        f"Exact value of what was learned, mean / worst 10 % / worst 1 % of {seeds:,} seeds. The baseline is worth "
        f"{base:.4f}. `worse`: the share of seeds in which engrain's policy is below it."
    )
    return [Table("SPIBB gridworld", ["trajectories", *names, "worse"], rows, note, checks)]
