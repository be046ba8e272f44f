"""When an issue appears: hours and weekdays (UTC) at which it was seen more often than chance allows.

An hour is counted once a day, a weekday once a week: a burst of a thousand sightings within an hour is one. Under an
even spread the count of a slot is binomial with n occasions and p = 1/24 or 1/7, and its exact upper tail
P(X >= k) = I_p(k, n - k + 1) (the regularised incomplete beta function; Clopper and Pearson 1934). All slots are tried,
so each tail is multiplied by their number (Bonferroni; Dunn 1961).

An even spread is the null hypothesis: an issue of something that only runs at work has the hours of work as its habit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date

from engrain.fixes.tallies import DAY
from engrain.model.beta import share_below
from engrain.model.fix import Habit

SIGNIFICANT = 0.01  # corrected for the slots tried
LEAST = 5  # occasions at one slot: fewer are no habit, however unlikely


def habits(hours: Iterable[str]) -> tuple[Habit, ...]:
    """The habits in the distinct hours (YYYY-MM-DDTHH) at which something was seen."""
    there = set(hours)
    days = {hour[:DAY] for hour in there}
    counted = (
        ("hour", 24, Counter(int(hour[DAY + 1 :]) for hour in there)),
        ("weekday", 7, Counter(date.fromisoformat(day).weekday() for day in days)),
    )
    found = [_habit(kind, slots, counts) for kind, slots, counts in counted]
    return tuple(one for one in found if one is not None)


def _habit(kind: str, slots: int, counts: Counter[int]) -> Habit | None:
    n, share = counts.total(), 1.0 / slots
    tails = {
        slot: min(1.0, slots * share_below(k, n - k + 1, share))
        for slot, k in counts.items()
        if k >= max(LEAST, n * share)
    }
    often = sorted(slot for slot, p in tails.items() if p < SIGNIFICANT)
    if not often:
        return None
    ratio = sum(counts[slot] for slot in often) / (n * share * len(often))
    return Habit(kind, tuple(often), ratio, max(tails[slot] for slot in often))
