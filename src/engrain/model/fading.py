"""Fading: how much less important an unused memory becomes, and when it has become as unimportant as can be.

Unused for up to 7 days nothing happens; after 7 days it loses its rate (0.1) a day, after 30 days twice its rate. The
loss depends on elapsed time alone, so that it is the same however often somebody looked. The SQL parts of
``store/statements/memories.sql`` say the same; a property test compares them on both engines.
"""

from __future__ import annotations

DAY = 86_400_000_000  # µs
FLOOR, CAP = 1.0, 10.0
RATE = 0.1  # a day
FRESH, STALE = 7.0, 30.0  # days without use
BOOST, BOOST_EVERY = 0.1, 3_600_000_000  # what a use adds, at most once in so many µs


def lost(days: float) -> float:
    """What an item of rate 1 has lost after so many days without use."""
    return max(0.0, days - FRESH) + max(0.0, days - STALE)


def faded(importance: float, *, weighed_at: int, used_at: int, until: int, rate: float | None = None) -> float:
    """The importance at ``until`` of what had ``importance`` at ``weighed_at`` and was used last at
    ``used_at`` (µs)."""
    drop = lost((until - used_at) / DAY) - lost((weighed_at - used_at) / DAY)
    return max(FLOOR, importance - max(0.0, (RATE if rate is None else rate) * drop))


def floor_at(importance: float, *, weighed_at: int, used_at: int, rate: float | None = None) -> int | None:
    """When (µs) it will have faded to the floor if it is not used; None when it never will."""
    per_day = RATE if rate is None else rate
    if importance <= FLOOR:
        return weighed_at if per_day > 0 else None
    if per_day <= 0:
        return None
    total = (importance - FLOOR) / per_day + lost((weighed_at - used_at) / DAY)
    middle = STALE - FRESH
    days = FRESH + total if total <= middle else STALE + (total - middle) / 2.0
    return used_at + round(days * DAY)
