"""Drift: what an action brings has fallen for good, and what was known before is not evidence any more.

Of each action of an agent's task type the rewards are followed, one by one; in a state with features less what was
expected there (so that a run of hard states is no drift). After each of them the last m are compared with all before,
for every m of ``TAILS``: a generalised likelihood ratio test for a change of mean at an unknown time (Siegmund and
Venkatraman 1995; for bandits Besson and Kaufmann 2019), in the form of Welch's t for unequal variances::

    G = N/2 · log(1 + t²/N),   t² = (mean before − mean after)² / (v/n before + w/m),   N = n + m

v is the variance before, w the larger of that after and of v, stretched as the variance of a bounded reward may be
where its mean now lies: rare failures that come in a row are no drift. A drift is seen when G exceeds ``THRESHOLD`` +
log N for some m: what did not change in N outcomes changes with the next about once in N times, so that the rate of
false alarms hardly grows with the length of a run. How often and how soon: docs/algorithms/drift.md.

Only a fall counts. What has risen unseen is found by exploration, and means rise by themselves while an agent learns
where an action works. Only what was executed or verified counts: claims, which cost nothing, must not do away with
evidence. Rows of one ``observe_many`` have no order: they are taken in a shuffled one.

Every outcome of the agent's task type that was recorded until then is old, that of each action: its sums weigh little
from then on (see ``standing``). The run that gave the alarm is old, too: it was picked for being bad, and were it
believed, a false alarm would set the agent against its best action. So a false alarm costs no more than to learn the
task type once again. An experience is old by its own id, which sorts in time, so that sums rebuilt from experiences
are the same, bit for bit.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from engrain.learn.credit import TASK, TENANT, Ledger
from engrain.learn.qtable import tally_of
from engrain.learn.reward import TIERS
from engrain.store.port import Transaction

TAILS = (4, 5, 6, 8, 10, 13, 16, 20, 26, 32, 40, 50, 64)
FIRST = 10  # outcomes before a change can be seen
THRESHOLD = 2.5
PRIOR_COUNT, PRIOR_VARIANCE = 2.0, 1.0  # of rewards in -2..2, beside the variance seen
WIDEST = 4.1  # the variance of a reward in -2..2 with mean 0, and a little


@dataclass(slots=True)
class Track:
    """An action's rewards since the last drift: moments of all, adjusted for their states; the sum of the first
    ``FIRST``, unadjusted; the most recent ones, adjusted."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    plain: float = 0.0
    recent: list[float] = field(default_factory=list)

    def tell(self, reward: float, expected: float | None) -> bool:
        """Take a reward over; whether it lies below the mean of those before. ``expected``: of its state, if it has
        features."""
        adjusted = reward if expected is None or not self.n else reward - expected + self.plain / min(self.n, FIRST)
        low = self.n > 0 and adjusted * self.n < self.total
        self.n += 1
        self.total += adjusted
        self.squares += adjusted * adjusted
        self.plain += reward if self.n <= FIRST else 0.0  # a level for what is adjusted, that does not move
        self.recent.append(adjusted)
        del self.recent[: -TAILS[-1]]
        return low

    def fall(self) -> tuple[float, float] | None:
        """The means before and after the change that stands out most, when a drift is to be seen."""
        most, found = THRESHOLD + math.log(max(1, self.n)), None
        total = squares = 0.0
        for m, value in enumerate(reversed(self.recent), start=1):
            total += value
            squares += value * value
            if m not in TAILS:
                continue
            before = self.n - m
            if before < FIRST:
                break
            ratio, means = _ratio((before, self.total - total, self.squares - squares), (m, total, squares))
            if ratio > most:
                most, found = ratio, means
        return found

    def packed(self) -> bytes:
        """``recent`` as it is kept."""
        return struct.pack(f"<{len(self.recent)}d", *self.recent)


def _ratio(before: tuple[int, float, float], after: tuple[int, float, float]) -> tuple[float, tuple[float, float]]:
    """G of a fall (0 when it is none), and both means; each side is count, sum and sum of squares."""
    n, m = before[0], after[0]
    was, now = before[1] / n, after[1] / m
    if now >= was:
        return 0.0, (was, now)
    v = (max(0.0, before[2] - before[1] * was) + PRIOR_COUNT * PRIOR_VARIANCE) / (n + PRIOR_COUNT)
    w = (max(0.0, after[2] - after[1] * now) + v) / (m + 1.0)
    middle = (was + now) / 2.0
    stretched = v * max(1.0, (WIDEST - middle * middle) / max(WIDEST - was * was, 0.1))
    t = (was - now) ** 2 / (v / n + max(w, stretched) / m)
    whole = n + m
    return whole / 2.0 * math.log1p(t / whole), (was, now)


@dataclass(frozen=True, slots=True)
class Told:
    """A reward of an action, as it became known: ``weight`` is that of its evidence, ``expected`` what the advice
    expected in its state, if that has features."""

    action: str
    reward: float
    weight: float
    expected: float | None


@dataclass(frozen=True, slots=True)
class Fall:
    """A drift that was seen by an action: its mean reward before and after."""

    action: str
    before: float
    after: float


class Drifts:
    """The drifts of one agent, within one transaction that holds the locks of its scopes."""

    def __init__(self, tx: Transaction, tenant: str, agent: str) -> None:
        self._tx, self._tenant, self._agent = tx, tenant, agent
        self._since: dict[str, str] = {}
        self._told: dict[str, list[Told]] = {}

    def old(self, task_type: str, identity: str) -> bool:
        """Whether an experience is from before the last drift."""
        if task_type not in self._since:
            rows = self._tx.read("drift_find", self._scope(task_type))
            self._since[task_type] = rows[0]["since"] if rows else ""
        return identity < self._since[task_type]

    def tell(self, task_type: str, told: Told) -> None:
        """A reward became known; what follows from it is settled by ``settle``."""
        if told.weight > TIERS["claimed"]:
            self._told.setdefault(task_type, []).append(told)

    def settle(self) -> dict[str, Fall]:
        """Follow what was told; by task type the drifts seen."""
        seen = {task_type: self._follow(task_type, told) for task_type, told in sorted(self._told.items())}
        return {task_type: fall for task_type, fall in seen.items() if fall is not None}

    def outdate(self, task_type: str, fall: Fall, now: int, ledger: Ledger) -> None:
        """What was observed of a task type until now is old; ``ledger`` gets what that means for the tenant's sums.
        Call it when everything else of the transaction has been written."""
        scope = self._scope(task_type)
        since = self._tx.read("experience_newest", scope)[0]["newest"] + "0"  # sorts behind it
        for row in self._tx.read("q_task", scope):
            ledger.put((TENANT, task_type, TASK, row["action"]), "{}", tally_of(row).outdated())
        self._tx.run("q_outdate", scope)
        self._tx.run("track_clear", scope)
        told = {
            "since": since,
            "at": now,
            "now": now,
            "action": fall.action,
            "before": fall.before,
            "after": fall.after,
        }
        self._tx.run("drift_note", {**scope, **told})

    def _follow(self, task_type: str, told: Sequence[Told]) -> Fall | None:
        scope = self._scope(task_type)
        if len(told) > 1:
            told = random.Random(len(told)).sample(told, len(told))  # noqa: S311 (rows of one call have no order)
        tracks = self._tracks(task_type, {one.action for one in told})
        fallen = None
        for one in told:
            track = tracks[one.action]
            low = track.tell(one.reward, one.expected)
            if low and fallen is None and (found := track.fall()) is not None:
                fallen = Fall(one.action, *found)
        if fallen is None:
            self._tx.run_many("track_put", [_row(scope, action, track) for action, track in sorted(tracks.items())])
        return fallen

    def _tracks(self, task_type: str, actions: Iterable[str]) -> dict[str, Track]:
        names = sorted(actions)
        found = {name: Track() for name in names}
        for start in range(0, len(names), 1_000):
            asked = {**self._scope(task_type), "actions": names[start : start + 1_000]}
            for row in self._tx.read("track_find", asked):
                recent = [value for (value,) in struct.iter_unpack("<d", bytes(row["recent"]))]
                found[row["action"]] = Track(int(row["n"]), row["total"], row["squares"], row["plain"], recent)
        return found

    def _scope(self, task_type: str) -> dict[str, str]:
        return {"tenant": self._tenant, "agent": self._agent, "task_type": task_type}


def _row(scope: dict[str, str], action: str, track: Track) -> dict[str, object]:
    moments = {"n": track.n, "total": track.total, "squares": track.squares, "plain": track.plain}
    return {**scope, "action": action, **moments, "recent": track.packed()}
