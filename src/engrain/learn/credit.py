"""What one experience adds to the sums that Q-values are made of.

The sums are additive: outcomes and revisions of many processes commute, and a revision subtracts what it replaces. They
are also exact: each contribution is rounded once to a multiple of 2**-20, so that sums of a billion of them are
represented without error, in whatever order they arrive. Rebuilding from the experiences gives the same bits.

Beside the sums of everything stand those of what was only claimed, and those of what was so before a drift was seen
(see ``drift``): how much these count is decided when they are read (see ``standing``), not when they are told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from engrain.learn.reward import TIERS
from engrain.model.steps import STEPS

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


class Tally(NamedTuple):
    """A row of ``q_values``: the sums of every outcome, and of those among them that were only claimed (``claim``),
    that came before the last drift (``old``), or both."""

    visits: int = 0
    weight: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    claim_weight: float = 0.0
    claim_total: float = 0.0
    claim_squares: float = 0.0
    old_weight: float = 0.0
    old_total: float = 0.0
    old_squares: float = 0.0
    old_claim_weight: float = 0.0
    old_claim_total: float = 0.0
    old_claim_squares: float = 0.0

    def plus(self, other: Tally, sign: int = 1) -> Tally:
        """The tally with another's added (or, with ``sign`` -1, taken away)."""
        return Tally._make(mine + sign * theirs for mine, theirs in zip(self, other, strict=True))

    def outdated(self) -> Tally:
        """What makes everything in it old, when it is added."""
        fresh = [now - then for now, then in zip(self[1:7], self[7:], strict=True)]
        return Tally._make([0, *[0.0] * 6, *fresh])


_NOTHING = Tally()


def contribution(reward: float | None, weight: float, old: bool = False) -> Tally:
    """What an experience adds; nothing while its outcome is unknown. ``weight`` is that of its evidence tier, ``old``
    whether it was made before the last drift."""
    if reward is None:
        return _NOTHING
    added, nothing = (weight, exact(weight * reward), exact(weight * reward * reward)), (0.0, 0.0, 0.0)
    claimed = added if weight <= TIERS["claimed"] else nothing
    return Tally(1, *added, *claimed, *(added if old else nothing), *(claimed if old else nothing))


def exact(value: float) -> float:
    """Rounded so that sums of it have no error."""
    return round(value * STEPS) / STEPS


class Ledger:
    """Contributions collected by row of ``q_values``: the state, the whole task type, the tenant."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str, str], tuple[str, Tally]] = {}

    def add(self, agent: str, task_type: str, state: tuple[str, str], action: str, told: Tally, sign: int = 1) -> None:
        """Enter a contribution (or with ``sign`` -1 take one back). ``state`` is its key and its canonical JSON."""
        if told == _NOTHING:
            return
        for owner, key, text in ((agent, *state), (agent, TASK, "{}"), (TENANT, TASK, "{}")):
            self.put((owner, task_type, key, action), text, told, sign)

    def put(self, row: tuple[str, str, str, str], text: str, told: Tally, sign: int = 1) -> None:
        """Enter it in one row alone: of an agent, a task type, a state key and an action."""
        known = self._rows.get(row)
        base = told if sign == 1 and known is None else (known[1] if known else Tally()).plus(told, sign)
        self._rows[row] = (text, base)

    def params(self, tenant: str, seqs: dict[str, int]) -> Iterator[dict[str, Any]]:
        """Parameters of ``q_add`` for every row, each with the change number of its scope."""
        for (agent, task_type, key, action), (text, tally) in sorted(self._rows.items()):
            yield {
                "tenant": tenant, "agent": agent, "task_type": task_type, "state_key": key, "action": action,
                "state": text, "seq": seqs[scope_name(agent, task_type)], **tally._asdict(),
            }  # fmt: skip


def scope_name(agent: str, task_type: str) -> str:
    """The row of ``scopes`` that counts the changes of an agent's (or with "" the tenant's) Q-values."""
    return f"learn:{agent}:{task_type}"
