"""What the rules of forgetting need to know of one item, and their settings. Times are µs UTC, spans days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from engrain.model.fading import faded


class Life(NamedTuple):
    """One item as its rules see it.

    ``state`` is active, pending_decay, superseded or archived. ``importance`` is right at ``weighed_at`` and fades from
    then on; ``told_importance`` is what it was told with. ``used_at`` is the last use, or being told, or when the
    agent's items began to fade, whichever was last. ``uses`` counts read, applied and helpful.
    """

    id: str
    agent: str
    tenant: str
    kind: str
    state: str
    importance: float
    told_importance: float
    weighed_at: int
    told_at: int
    created_at: int
    used_at: int
    decay_rate: float | None = None
    pinned: bool = False
    expires_at: int | None = None
    pending_at: int | None = None
    spared_until: int | None = None
    archived_at: int | None = None
    archived_reason: str | None = None
    superseded_at: int | None = None
    promoted_at: int | None = None
    uses: int = 0
    helpful: int = 0
    unhelpful: int = 0
    applied: int = 0

    def importance_at(self, now: int) -> float:
        """As the SQL part ``{importance}`` says: faded by now, or by when it was archived; what is pinned fades not."""
        if self.pinned:
            return self.importance
        until = now if self.archived_at is None else min(now, self.archived_at)
        return faded(
            self.importance, weighed_at=self.weighed_at, used_at=self.used_at, until=until, rate=self.decay_rate
        )


class Old(NamedTuple):
    """What was archived; ``cold``: its place in the cold tables, and what it was superseded by there."""

    life: Life
    cold: tuple[int, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings of the lifecycle. Spans are days; ``policy`` is a name of ``lifecycle/policies.py``."""

    policy: str = "importance"
    pending_days: float = 14.0  # as pending_decay, before it is archived
    floor_days: float = 90.0  # unused at the floor, before the policy `importance` lets go
    utility_threshold: float = 0.15
    utility_days: float = 30.0  # the policy `utility` counts time in these
    stability_recall: float = 0.58  # the policy `stability` lets go when recall is no likelier
    superseded_days: float = 90.0
    prune_days: float = 90.0
    keep_importance: float = 8.0  # what is at least so important is not pruned,
    keep_cap: int = 1000  # but for what an agent has beyond so many of them
    restore_days: float = 30.0
    promote_importance: float = 8.0
    promote_uses: int = 5
    promote_days: float = 14.0
    promote_kinds: tuple[str, ...] = ("learning", "error_pattern", "success_pattern")
    promote_bound: float = 0.7
