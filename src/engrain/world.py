"""Clock, ids and randomness. Passed in everywhere, so that months can be simulated in seconds and replayed by seed."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case: no i, l, o, u
_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]  # two letters at a time
_SHIFTS = range(120, -1, -10)


def encode_id(milliseconds: int, entropy: int) -> str:
    """A 26-character id that sorts by time: 48 bits of milliseconds, then 80 bits of entropy (ULID layout)."""
    value = (milliseconds & ((1 << 48) - 1)) << 80 | entropy
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in _SHIFTS])


def to_micros(moment: datetime) -> int:
    """Microseconds UTC since 1970, exact (no float in between)."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The timezone-aware moment of so many microseconds UTC since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def span_of(text: str) -> int | None:
    """Microseconds of a span such as "30d", "12h", "90s", however long; None when the text is none."""
    match = _SPAN.fullmatch(text)
    return min(round(min(float(match[1]), 1e12) * _UNITS[match[2]] * 1e6), 1 << 62) if match else None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*")


class _Monotonic:
    """Ids of one millisecond count up from a random start, so that they sort in the order in which they were given."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._milliseconds = -1
        self._entropy = 0
        self._head = ""

    def next(self, milliseconds: int, fresh: Callable[[], int]) -> str:
        with self._lock:
            if milliseconds > self._milliseconds:
                self._milliseconds, self._entropy = milliseconds, fresh() >> 1  # room to count up
                self._head = ""
            else:
                self._entropy += 1
            last = self._entropy & 1023
            if not self._head or not last:  # all but the last two letters stay for a while
                self._head = encode_id(self._milliseconds, self._entropy)[:-2]
            return self._head + _PAIRS[last]


class World(Protocol):
    """What the engine may know of the world outside."""

    rng: random.Random

    def now(self) -> int:
        """Microseconds UTC since 1970."""
        ...

    def new_id(self) -> str:
        """A fresh id; never given twice for one home, also after it is reopened."""
        ...

    def enter(self, next_epoch: Callable[[], int]) -> None:
        """Called once by open(); ``next_epoch`` counts the home's openings, for worlds whose ids are not random."""
        ...


class RealWorld:
    """The machine's clock and entropy."""

    def __init__(self) -> None:
        self.rng: random.Random = random.SystemRandom()
        self._ids = _Monotonic()
        self._pid = os.getpid()

    def now(self) -> int:
        return time.time_ns() // 1000

    def new_id(self) -> str:
        if self._pid != os.getpid():  # counting on after a fork would give parent and child the same ids
            self._ids, self._pid = _Monotonic(), os.getpid()
        return self._ids.next(time.time_ns() // 1_000_000, lambda: int.from_bytes(os.urandom(10), "big"))

    def enter(self, next_epoch: Callable[[], int]) -> None:
        """Nothing to do: ids come from the machine's entropy."""


class SimulatedWorld:
    """A world that moves only when told: ``world.advance(days=8)``.

    The same seed, start and calls give the same ids and draws in a fresh home; a home that is opened again
    continues with other ids, because each opening is counted in the home itself.
    """

    def __init__(self, start: str | datetime = "2026-01-01T00:00:00Z", seed: int = 0) -> None:
        moment = datetime.fromisoformat(start) if isinstance(start, str) else start
        if moment.tzinfo is None:
            raise ValueError("the start of a simulated world needs a time zone, e.g. 2026-01-01T00:00:00Z")
        self._now = to_micros(moment)
        self._seed = seed
        self._entered = 0
        self._ids = _Monotonic()
        self.rng: random.Random = random.Random(f"{seed}")  # noqa: S311 (a simulation is replayed by its seed)

    def now(self) -> int:
        return self._now

    def advance(self, **delta: float) -> None:
        """Move the clock: the keywords of ``datetime.timedelta`` (days, hours, seconds, ...); never back."""
        step = timedelta(**delta) // timedelta(microseconds=1)
        if step < 0:
            raise ValueError("a simulated world cannot go back in time")
        self._now += step

    def new_id(self) -> str:
        return self._ids.next(self._now // 1000, lambda: self.rng.getrandbits(80))

    def enter(self, next_epoch: Callable[[], int]) -> None:
        self._entered += 1
        self.rng = random.Random(f"{self._seed}:{next_epoch()}:{self._entered}")  # noqa: S311
        self._ids = _Monotonic()
