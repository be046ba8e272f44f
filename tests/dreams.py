"""What the tests of dreams share: a world with something to learn, and dreamers that tell each of their steps."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from engrain import Agent
from engrain.memory import Memory

TASK = "build"
OPTIONS = ("left", "right")
BEST = {0: "left", 1: "right", 2: "left"}  # by the size of what is to be built
GOOD, BAD = 1.0, -0.5  # mean rewards


def rows(
    n: int, seed: int = 0, evidence: str = "verified", flip: bool = False, task: str = TASK
) -> list[dict[str, Any]]:
    """Steps of somebody who chose by lot, 3 of 4 times left, and logged it. ``flip``: the other action is the best."""
    rng = random.Random(seed)
    found = []
    for _ in range(n):
        size = rng.randrange(3)
        action = OPTIONS[rng.random() >= 0.75]
        good = (action == BEST[size]) is not flip
        reward = max(-2.0, min(2.0, rng.gauss(GOOD if good else BAD, 0.5)))
        outcome = {"reward": reward, "evidence": evidence}
        chance = 0.75 if action == OPTIONS[0] else 0.25
        found.append(
            {"task_type": task, "state": {"size": size}, "action": action, "outcome": outcome, "propensity": chance}
        )
    return found


def fill(agent: Agent, n: int = 300, **how: Any) -> None:
    agent.observe_many(rows(n, **how))


def stepping(memory: Memory, step: Callable[[str], None]) -> None:
    """Let the dreamer of a memory tell its steps."""
    memory.dreamer._step = step


def chosen(agent: Agent, size: int, times: int = 12, task: str = TASK) -> list[tuple[str | None, str]]:
    """(action, policy) of advices."""
    found = [agent.advise(task, state={"size": size}, options=list(OPTIONS)) for _ in range(times)]
    return [(one.action, one.policy) for one in found]
