"""What one experience adds to the sums that Q-values are made of.

The sums are additive: outcomes and revisions of many processes commute, and a revision subtracts what it replaces. They
are also exact: each contribution is rounded once to a multiple of 2**-20, so that sums of a billion of them are
represented without error, in whatever order they arrive. Rebuilding from the experiences gives the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

STEPS = 1 << 20  # sums are multiples of 1 / STEPS

TENANT = ""  # the agent of a tenant-wide row
TASK = ""  # the state key of a row for the whole task type


class Sums(NamedTuple):
    """Outcomes counted, their weight, and the weighted sums of the reward and of its square."""

    visits: int = 0
    weight: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def plus(self, other: Sums, sign: int = 1) -> Sums:
        """The sums with another's added (or, with ``sign`` -1, taken away)."""
        return Sums(
            self.visits + sign * other.visits,
            self.weight + sign * other.weight,
            self.total + sign * other.total,
            self.squares + sign * other.squares,
        )


def contribution(reward: float | None, weight: float) -> Sums:
    """What an experience adds; nothing while its outcome is unknown."""
    if reward is None:
        return Sums()
    return Sums(1, weight, exact(weight * reward), exact(weight * reward * reward))


def exact(value: float) -> float:
    """Rounded so that sums of it have no error."""
    return round(value * STEPS) / STEPS


class Ledger:
    """Contributions collected by row of ``q_values``: the state, the whole task type, the tenant."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str, str], tuple[str, Sums]] = {}

    def add(self, agent: str, task_type: str, state: tuple[str, str], action: str, sums: Sums, sign: int = 1) -> None:
        """Enter a contribution (or with ``sign`` -1 take one back). ``state`` is its key and its canonical JSON."""
        if not sums.visits:
            return
        for owner, key, text in ((agent, *state), (agent, TASK, "{}"), (TENANT, TASK, "{}")):
            _, old = self._rows.get((owner, task_type, key, action), ("", Sums()))
            self._rows[owner, task_type, key, action] = (text, old.plus(sums, sign))

    def params(self, tenant: str, seqs: dict[str, int]) -> Iterator[dict[str, Any]]:
        """Parameters of ``q_add`` for every row, each with the change number of its scope."""
        for (agent, task_type, key, action), (text, sums) in sorted(self._rows.items()):
            yield {
                "tenant": tenant, "agent": agent, "task_type": task_type, "state_key": key, "action": action,
                "state": text, "seq": seqs[scope_name(agent, task_type)], **sums._asdict(),
            }  # fmt: skip


def scope_name(agent: str, task_type: str) -> str:
    """The row of ``scopes`` that counts the changes of an agent's (or with "" the tenant's) Q-values."""
    return f"learn:{agent}:{task_type}"
