"""The states of a memory and the events that lead from one to another: store/transitions.py writes no other."""

from __future__ import annotations

from engrain.errors import InvalidInput

STATES = ("active", "pending_decay", "expired", "superseded", "archived", "purged")
"""pending_decay is active, and archived soon unless it is used; expired is invisible and archived by the next sweep;
purged is gone."""

MOVES = (
    ("active", "pending_decay", "memory:decayed"),
    ("pending_decay", "active", "memory:revived"),
    ("active", "expired", "memory:expired"),
    ("pending_decay", "expired", "memory:expired"),
    ("active", "superseded", "memory:superseded"),
    ("pending_decay", "superseded", "memory:superseded"),
    ("pending_decay", "archived", "memory:archived"),
    ("expired", "archived", "memory:archived"),
    ("superseded", "archived", "memory:archived"),
    ("archived", "active", "memory:restored"),
    ("archived", "purged", "memory:pruned"),
    ("active", "purged", "memory:forgotten"),
    ("pending_decay", "purged", "memory:forgotten"),
    ("expired", "purged", "memory:forgotten"),
    ("superseded", "purged", "memory:forgotten"),
    ("archived", "purged", "memory:forgotten"),
    # These leave the state as it is.
    ("active", "active", "memory:promoted"),
    ("pending_decay", "pending_decay", "memory:promoted"),
    ("active", "active", "memory:pinned"),
    ("pending_decay", "pending_decay", "memory:pinned"),
    ("active", "active", "memory:unpinned"),
    ("pending_decay", "pending_decay", "memory:unpinned"),
)
"""(old state, new state, event)."""

EVENTS = tuple(dict.fromkeys(event for _, _, event in MOVES))
_ALLOWED = frozenset(MOVES)


def check(old: str, new: str, event: str) -> None:
    """Raises InvalidInput when ``event`` does not lead from ``old`` to ``new``."""
    if (old, new, event) not in _ALLOWED:
        after = sorted(f"{name} to {there}" for here, there, name in MOVES if here == old)
        raise InvalidInput(
            f"A memory that is {old} cannot become {new} by {event}; from there: {', '.join(after) or 'nothing'}."
        )
