"""How many requests somebody may make: a bucket of tokens that fills evenly."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable

MINUTE = 60_000_000  # µs
_BUCKETS = 10_000  # kept; then those that are full again are forgotten


class Limits:
    """At most so many requests a minute by everybody, and as many at once; 0: any number. Counted in this process."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._lock = threading.Lock()
        self._buckets: dict[Hashable, tuple[float, int]] = {}

    def wait(self, who: Iterable[Hashable], now: int) -> float:
        """Take a token from the bucket of each; 0, or the seconds until there is one in all of them (then none is
        taken)."""
        if not self._per_minute:
            return 0.0
        names = tuple(who)
        with self._lock:
            if len(self._buckets) > _BUCKETS:
                self._buckets = {name: one for name, one in self._buckets.items() if now - one[1] < MINUTE}
            left = [self._level(name, now) for name in names]
            short = 1.0 - min(left)
            if short <= 0:
                self._buckets |= {name: (level - 1.0, now) for name, level in zip(names, left, strict=True)}
                return 0.0
            return short * 60 / self._per_minute

    def _level(self, name: Hashable, now: int) -> float:
        level, at = self._buckets.get(name, (float(self._per_minute), now))
        return min(float(self._per_minute), level + max(0, now - at) * self._per_minute / MINUTE)
