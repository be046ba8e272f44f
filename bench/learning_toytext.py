"""Learning from the log of a poor behaviour: toy-text worlds, logs of a policy that is 40 % random.

Each seed writes episodes of at most 200 steps; what is learned from them is valued exactly on the world's own model, at
a discount of 0.99. ``engrain`` is the first candidate that a dream would train. Anchors, in the same run on the same
logs: one pass of Q-learning (the method of the earlier systems), value iteration on the counts, the same with unseen
actions blocked, with a fixed count penalty, and Π_b-SPIBB that knows the behaviour.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from bench.learning_table import Table
from engrain.learn.log import END, Counts
from engrain.learn.offline import candidates

Array = Any
DISCOUNT = 0.99
STEPS = 200
TASKS = [  # world, its options, episodes; the least mean and the least worst to reach
    ("FrozenLake-v1", {"map_name": "8x8", "is_slippery": True}, 200, None, None),
    ("FrozenLake-v1", {"map_name": "8x8", "is_slippery": True}, 5000, 0.413, None),
    ("CliffWalking-v1", {"is_slippery": True}, 20, -52.0, -58.0),
    ("Taxi-v4", {}, 500, None, None),
    ("Taxi-v4", {}, 2000, 6.32745, 6.32745),
]


class World:
    """``chances`` [s, a, s + 1] (the last is the end), ``reward`` [s, a] its mean, ``first`` [s]."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            told: Any = gymnasium.make(name, **options).unwrapped
        self.size, self.actions = int(told.observation_space.n), int(told.action_space.n)
        self.chances = np.zeros((self.size, self.actions, self.size + 1))
        self.reward = np.zeros((self.size, self.actions))
        for state in range(self.size):
            for action in range(self.actions):
                for chance, after, reward, ended in told.P[state][action]:
                    self.chances[state, action, self.size if ended else after] += chance
                    self.reward[state, action] += chance * reward
        self.first = np.asarray(told.initial_state_distrib)
        self.optimal = greedy(Plan(self, self.chances * 1e9).q())
        self.behaviour = 0.6 * self.optimal + 0.4 / self.actions

    def value(self, policy: Array) -> float:
        """What a policy [s, a] is worth at the start."""
        step = np.einsum("sa,sat->st", policy, self.chances[:, :, : self.size])
        worth = np.linalg.solve(np.eye(self.size) - DISCOUNT * step, (policy * self.reward).sum(1))
        return float(self.first @ worth)

    def log(self, episodes: int, seed: int) -> tuple[Array, Array, Array]:
        """States, actions and next states, by episode and step."""
        rng = np.random.default_rng([seed, episodes])
        acts, follows = self.behaviour.cumsum(1), self.chances.cumsum(2)
        state, who = rng.choice(self.size, p=self.first, size=episodes), np.arange(episodes)
        found = []
        for _ in range(STEPS):
            action = np.minimum((rng.random(len(state))[:, None] > acts[state]).sum(1), self.actions - 1)
            after = np.minimum((rng.random(len(state))[:, None] > follows[state, action]).sum(1), self.size)
            found.append(np.stack([who, state, action, after]))
            who, state = who[after < self.size], after[after < self.size]
        whole = np.concatenate(found, axis=1)
        whole = whole[:, np.argsort(whole[0], kind="stable")]
        return whole[1], whole[2], whole[3]

    def learned(self, seen: Array) -> Array:
        """The policy [s, a] of engrain's first candidate for counts [s, a, s + 1]."""
        state, action, after = (column.astype(np.int64) for column in np.nonzero(seen))
        n, reward = seen[state, action, after], self.reward[state, action]
        keys, names = (tuple(f"{one:03}" for one in range(size)) for size in (self.size, self.actions))
        counts = Counts(keys, keys, names, state, action, np.where(after == self.size, END, after), n, n, n * reward,
                        n * reward * reward)  # fmt: skip
        policy = np.full((self.size, self.actions), 1.0 / self.actions)
        for key, row in candidates(counts, DISCOUNT)[0].rule.body()["entries"].items():
            policy[int(key)] = [row.get(name, (0.0,))[0] for name in names]
        return policy


class Plan:
    """The anchors' planning on counts [s, a, s + 1]."""

    def __init__(self, world: World, seen: Array) -> None:
        self.world, self.n = world, seen.sum(2)
        state, action, self.after = np.nonzero(seen)
        self.pair = state * world.actions + action
        self.share = seen[state, action, self.after] / self.n[state, action]
        self.reward = np.where(self.n > 0, world.reward, 0.0)

    def backup(self, value: Array) -> Array:
        after = np.bincount(self.pair, self.share * np.append(value, 0.0)[self.after], self.n.size)
        return self.reward + DISCOUNT * after.reshape(self.n.shape)

    def q(self, blocked: bool = False, penalty: float = 0.0) -> Array:
        """Value iteration; ``blocked``: actions never seen are as bad as can be."""
        low = -1e3 if self.world.reward.min() < 0 else -1e-6
        value = np.zeros(self.world.size)
        for _ in range(3000):
            found = self.backup(value) - penalty / np.sqrt(np.maximum(self.n, 1.0))
            found = np.where(self.n > 0, found, low) if blocked else found
            new = np.maximum(found.max(1), low if blocked else -np.inf)
            if np.abs(new - value).max() < 1e-9:
                break
            value = new
        return found

    def spibb(self, least: float) -> Array:
        """Π_b-SPIBB: the policy."""
        base, known, value = self.world.behaviour, self.n >= least, np.zeros(self.world.size)
        for _ in range(3000):
            q = self.backup(value)
            best = greedy(np.where(known, q, -np.inf)) * known.any(1)[:, None]
            policy = np.where(known, 0.0, base)
            policy = policy + best * (1.0 - policy.sum(1, keepdims=True))
            new = (policy * q).sum(1)
            if np.abs(new - value).max() < 1e-8:
                break
            value = new
        return policy


def greedy(q: Array) -> Array:
    return (np.arange(q.shape[1]) == q.argmax(1)[:, None]).astype(float)


def one_pass(world: World, log: tuple[Array, Array, Array]) -> Array:
    """Q-learning in logged order, α = 0.1, from zeros."""
    q = [[0.0] * world.actions for _ in range(world.size)] + [[0.0] * world.actions]
    reward = world.reward.tolist()
    for state, action, after in zip(*(column.tolist() for column in log), strict=True):
        q[state][action] += 0.1 * (reward[state][action] + DISCOUNT * max(q[after]) - q[state][action])
    return np.array(q[:-1])


def run(quick: bool) -> Sequence[Table]:
    """20 seeds of each task, or 3."""
    seeds, rows, checks = 3 if quick else 20, [], []
    columns = ["one-pass Q", "value iteration", "unseen blocked", "count penalty", "Π_b-SPIBB 10 *", "engrain"]
    for name, options, episodes, mean, worst in TASKS:
        world = World(name, options)
        found: dict[str, list[float]] = {column: [] for column in columns}
        behaviour, spent = world.value(world.behaviour), 0.0
        for seed in range(seeds):
            log = world.log(episodes, seed)
            seen = np.zeros(world.chances.shape)
            np.add.at(seen, log, 1.0)
            plan = Plan(world, seen)
            spread = float(np.ptp(world.reward)) or 1.0
            policies = [greedy(one_pass(world, log)), greedy(plan.q()), greedy(plan.q(True)),
                        greedy(plan.q(True, 0.05 * spread)), plan.spibb(10.0)]  # fmt: skip
            began = time.process_time()
            policies.append(world.learned(seen))
            spent += time.process_time() - began
            for column, policy in zip(columns, policies, strict=True):
                found[column].append(world.value(policy))
        told = [f"{np.mean(found[column]):.3f} ({min(found[column]):.3f})" for column in columns]
        worse = float(np.mean([one < behaviour for one in found["engrain"]]))
        rows.append([f"{name} {episodes:,}", f"{world.value(world.optimal):.3f}", f"{behaviour:.3f}", *told,
                     f"{worse:.0%}", f"{1e3 * spent / seeds:.0f}"])  # fmt: skip
        for what, bound, value in (("mean", mean, np.mean(found["engrain"])), ("worst", worst, min(found["engrain"]))):
            if bound is not None:
                checks.append((f"{name} {episodes:,}, {what}", float(value), bound, True))
    note = (
        f"Exact value of what was learned, mean (worst) of {seeds} seeds. * knows the behaviour that wrote the log. "
        "`worse`: the share of seeds in which engrain's policy is below that behaviour."
    )
    head = ["task, episodes", "optimum", "behaviour", *columns, "worse", "engrain CPU ms"]
    return [Table("Toy-text worlds, logs of a 40 %-random policy", head, rows, note, checks)]
