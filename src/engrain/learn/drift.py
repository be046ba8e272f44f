"""Drift: what an action brings has fallen for good, and what was known before is not evidence any more.

Of each action of an agent's task type, and of all of them together, the rewards are followed, one by one, less what was
expected in their state (so that a run of hard states is no drift). After each of them the last m are compared with all
before, for every m of ``TAILS``: a generalised likelihood ratio test for a change of mean at an unknown time (Siegmund
and Venkatraman 1995; for bandits Besson and Kaufmann 2019), in the form of Welch's t for unequal variances::

    G = n/2 · log(1 + t²/n),   t² = (mean before − mean after)² / (v/n before + w/m)

v is the variance before, w the larger of that after and of v, stretched as the variance of a bounded reward may be
where its mean now lies: rare failures that come in a row are no drift. A drift is seen when G exceeds ``THRESHOLD`` for
some m. Rewards of one law, whatever it is, raise a false alarm in at most about 2 % of runs of 1,000 outcomes (coins
of 0.05 to 0.99, normal and uniform rewards: bench/learning_drift.py); coins that fall from 0.8 to 0.2 are seen after 9
to 12 outcomes.

Only a fall counts. What has risen unseen is found by exploration, and means rise by themselves while an agent learns
where an action works. Only what was executed or verified counts: claims, which cost nothing, must not do away with
evidence. Rows of one ``observe_many`` have no order: they are taken in a shuffled one.

What is seen is remembered as the time of the first outcome after the change that stands out most (or of now, when
that is so long ago that outcomes since may be archived). Every outcome of the agent's task type that was recorded
before is old, that of each action: its sums weigh little from then on (see ``standing``). An experience is old by its
own id, which sorts in time, so that sums rebuilt from experiences are the same, bit for bit.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from engrain.learn.credit import TASK, TENANT, Ledger, contribution
from engrain.learn.qtable import tally_of
from engrain.learn.reward import TIERS
from engrain.store.port import Transaction

TAILS = (4, 5, 6, 8, 10, 13, 16, 20, 26, 32, 40, 50, 64)
WHOLE = ""  # in the place of an action: all of them taken together
FIRST = 10  # outcomes before a change can be seen
THRESHOLD = 9.0
PRIOR_COUNT, PRIOR_VARIANCE = 2.0, 1.0  # of rewards in -2..2, beside the variance seen
WIDEST = 4.1  # the variance of a reward in -2..2 with mean 0, and a little


_RECENT = struct.Struct("<dq26s")


@dataclass(slots=True)
class Track:
    """An action's rewards since the last drift: moments of all, adjusted for their states; the sum of the first
    ``FIRST``, unadjusted; the most recent ones, adjusted, when they were recorded (µs UTC) and as what."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    plain: float = 0.0
    recent: list[tuple[float, int, bytes]] = field(default_factory=list)

    def tell(self, reward: float, expected: float | None, at: int, identity: str) -> bool:
        """Take a reward over; whether it lies below the mean of those before. ``expected``: of its state, if known."""
        adjusted = reward if expected is None or not self.n else reward - expected + self.plain / min(self.n, FIRST)
        low = self.n > 0 and adjusted * self.n < self.total
        self.n += 1
        self.total += adjusted
        self.squares += adjusted * adjusted
        self.plain += reward if self.n <= FIRST else 0.0  # a level for what is adjusted, that does not move
        self.recent.append((adjusted, at, identity.encode()))
        del self.recent[: -TAILS[-1]]
        return low

    def fall(self) -> tuple[float, float, int, str] | None:
        """The means before and after the change that stands out most, and time and id of its first outcome, when a
        drift is to be seen."""
        most, found = THRESHOLD, None
        total = squares = 0.0
        for m, (value, at, identity) in enumerate(reversed(self.recent), start=1):
            total += value
            squares += value * value
            if m not in TAILS:
                continue
            before = self.n - m
            if before < FIRST:
                break
            ratio, means = _ratio((before, self.total - total, self.squares - squares), (m, total, squares))
            if ratio > most:
                most, found = ratio, (*means, at, identity.decode())
        return found

    def packed(self) -> bytes:
        """``recent`` as it is kept."""
        return b"".join(_RECENT.pack(*one) for one in self.recent)


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
    expected in its state, if there was one."""

    action: str
    reward: float
    weight: float
    expected: float | None
    at: int
    identity: str


@dataclass(frozen=True, slots=True)
class Fall:
    """A drift that was seen by an action (WHOLE: by all of them taken together): its mean reward before and after, and
    the time and the id of the first outcome after it."""

    action: str
    before: float
    after: float
    at: int
    identity: str


class Drifts:
    """The drifts of one agent, within one transaction that holds the locks of its scopes. What was recorded ``within``
    so many µs is in the store and not in the archive."""

    def __init__(self, tx: Transaction, tenant: str, agent: str, within: int) -> None:
        self._tx, self._tenant, self._agent, self._within = tx, tenant, agent, within
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
        """What was observed of a task type before the fall is old; ``ledger`` gets what that means for the sums beyond
        those that are made old as they stand. Call it when everything else of the transaction has been written."""
        scope = self._scope(task_type)
        since, at = fall.identity, fall.at
        if at <= now - self._within:
            since, at = self._tx.read("experience_newest", scope)[0]["newest"] + "0", now  # sorts behind it
        for row in self._tx.read("q_task", scope):
            ledger.put((TENANT, task_type, TASK, row["action"]), "{}", tally_of(row).outdated())
        self._tx.run("q_outdate", scope)
        for row in self._tx.read("experience_since", {**scope, "since": since}):
            renewed = contribution(row["reward"], row["weight"], old=True).renewed()
            ledger.add(self._agent, task_type, (row["state_key"], row["state"]), row["action"], renewed)
        self._tx.run("track_clear", scope)
        told = {"since": since, "at": at, "now": now, "action": fall.action, "before": fall.before, "after": fall.after}
        self._tx.run("drift_note", {**scope, **told})

    def _follow(self, task_type: str, told: Sequence[Told]) -> Fall | None:
        scope = self._scope(task_type)
        if len(told) > 1:
            told = random.Random(len(told)).sample(told, len(told))  # noqa: S311 (rows of one call have no order)
        tracks = self._tracks(task_type, {WHOLE, *(one.action for one in told)})
        fallen = None
        for one in told:
            track = tracks[one.action]
            expected = one.expected if one.expected is not None or not track.n else track.total / track.n
            follow = [(one.action, one.expected)] + [(WHOLE, expected)] * (expected is not None)
            for name, usual in follow:
                low = tracks[name].tell(one.reward, usual, one.at, one.identity)
                found = tracks[name].fall() if low and fallen is None else None
                fallen = Fall(name, *found) if found is not None else fallen
        if fallen is None:
            self._tx.run_many("track_put", [_row(scope, action, track) for action, track in sorted(tracks.items())])
        return fallen

    def _tracks(self, task_type: str, actions: Iterable[str]) -> dict[str, Track]:
        names = sorted(actions)
        found = {name: Track() for name in names}
        for start in range(0, len(names), 1_000):
            asked = {**self._scope(task_type), "actions": names[start : start + 1_000]}
            for row in self._tx.read("track_find", asked):
                recent = list(_RECENT.iter_unpack(bytes(row["recent"])))
                found[row["action"]] = Track(int(row["n"]), row["total"], row["squares"], row["plain"], recent)
        return found

    def _scope(self, task_type: str) -> dict[str, str]:
        return {"tenant": self._tenant, "agent": self._agent, "task_type": task_type}


def _row(scope: dict[str, str], action: str, track: Track) -> dict[str, object]:
    moments = {"n": track.n, "total": track.total, "squares": track.squares, "plain": track.plain}
    return {**scope, "action": action, **moments, "recent": track.packed()}
