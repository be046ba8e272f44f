"""What a dream reads of one owner's experiences of a task type."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engrain.dream.parts import Parts, Task
from engrain.learn.log import END, EXECUTED, Counts, Log, Reading
from engrain.learn.policies import DECISION, EPISODE
from engrain.learn.rule import Decider, Rule
from engrain.learn.state import stored_state
from engrain.world import from_micros

COMPARED = 20_000  # states

Mask = NDArray[np.bool_]


def known(log: Log) -> Mask:
    """Which outcomes [n] are more than claims."""
    return np.asarray(log.evidence >= EXECUTED)


def decisive(log: Log) -> Mask:
    """Which outcomes [n] may decide what is promoted: more than claims, of decisions whose propensity was logged."""
    return np.asarray(known(log) & np.isfinite(log.propensity) & (log.propensity > 0.0))


def digest(counts: Counts) -> bytes:
    """What tells counts apart that were made of parts of one log."""
    found = hashlib.blake2b(digest_size=16)
    for one in (counts.state, counts.action, counts.next, counts.n, counts.weight, counts.total, counts.squares):
        found.update(len(one).to_bytes(8, "big") + np.ascontiguousarray(one).tobytes())
    return found.digest()


@dataclass(frozen=True, slots=True)
class Data:
    """``since`` gives the log, of decisions from a moment on (µs UTC); ``discount`` is that of the task type;
    ``online`` says how the online learner would decide by some experiences."""

    counts: Counts
    log: Log
    discount: float
    since: Callable[[int], Log]
    online: Callable[[Counts], Decider | None]

    @classmethod
    def read(cls, parts: Parts, task: Task, agent: str | None, reading: Reading) -> Data:
        """Raises ArchiveError when experiences are archived and cannot be reached."""
        counts, log = reading.both(agent)
        since, discount = partial(reading.log, agent), parts.discount(task.task_type)
        return cls(counts, log, discount, since, lambda some: parts.online(some, task.task_type))

    @property
    def version(self) -> str:
        return self.counts.data

    @property
    def unit(self) -> str:
        """What values are told of: a decision, or where one leads to another and that counts, an episode."""
        return EPISODE if self.discount > 0.0 and bool((self.log.next != END).any()) else DECISION

    def alike(self, one: Rule, other: Rule) -> bool:
        """Whether two rules do the same in the states that were seen, the first of them where there are very many."""
        actions = self.counts.actions
        for place in np.unique(self.counts.state)[:COMPARED].tolist():
            state = stored_state(self.counts.texts[place])
            chances = [rule.chances(state, actions) for rule in (one, other)]
            first, second = (np.zeros(len(actions)) if found is None else found for found in chances)
            if not np.allclose(first, second, atol=1e-9):
                return False
        return True

    def told(self) -> dict[str, Any]:
        """What it is, as JSON values."""
        ends = (int(self.log.at.min()), int(self.log.at.max())) if len(self.log) else None
        return {
            "from": None if ends is None else from_micros(ends[0]).isoformat(),
            "to": None if ends is None else from_micros(ends[1]).isoformat(),
            "rows": len(self.log),
            "lineages": len(np.unique(self.log.lineage)),
            "version": self.version,
            "unit": self.unit,
        }
