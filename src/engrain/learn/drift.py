"""Drift: what an action brings has fallen for good, and what was known before is not evidence any more.

Of each action of an agent's task type the rewards are followed, one by one; in a state with features less what was
expected there. After each of them the last m are compared with all before, for every m of ``TAILS``: a generalised
likelihood ratio test for a change of mean at an unknown time (Siegmund and Venkatraman 1995; for bandits Besson and
Kaufmann 2019), in the form of Welch's t for unequal variances::

    G = N/2 · log(1 + t²/N),   t² = (mean before − mean after)² / (v/n before + w/m),   N = n + m

v is the variance before, w the larger of that after and of v, stretched as the variance of a bounded reward may be
where its mean now lies: rare failures that come in a row are no drift. A drift is seen when G exceeds ``THRESHOLD`` +
log N for some m: what did not change in N outcomes changes with the next about once in N times, so that the rate of
false alarms hardly grows with the length of a run. How often and how soon: docs/algorithms/drift.md.

Where states have features a fall must be seen twice: in what came less what was expected, so that a run of hard states
is no drift; and in what came, so that hopes that were too high are none. What an action promises is most overrated
where it was just chosen for the first time, for promising most (the optimizer's curse; Smith and Winkler 2006).

Only a fall counts. What has risen unseen is found by exploration, and means rise by themselves while an agent learns
where an action works. Only what was executed or verified counts: claims, which cost nothing, must not do away with
evidence. Rows of one ``observe_many`` have no order: they are taken in a shuffled one.

Every outcome of the agent's task type that was recorded until then is old, that of each action: its sums weigh little
from then on (see ``standing``). The run that gave the alarm is old, too: it was picked for being bad, and were it
believed in full, a false alarm would set the agent against its best action. It counts as a few outcomes elsewhere. An
experience is old by its own id, which sorts in time, so that sums rebuilt from experiences are the same, bit for bit.
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
from engrain.model.decision import Drift
from engrain.store.port import Row, Transaction
from engrain.world import from_micros

TAILS = (4, 5, 6, 8, 10, 13, 16, 20, 26, 32, 40, 50, 64)
FIRST = 10  # outcomes before a change can be seen
THRESHOLD = 2.5
PRIOR_COUNT, PRIOR_VARIANCE = 2.0, 1.0  # of rewards in -2..2, beside the variance seen
WIDEST = 4.1  # the variance of a reward in -2..2 with mean 0, and a little


@dataclass(slots=True)
class Series:
    """Rewards since the last drift: moments of all, and the most recent ones."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    recent: list[float] = field(default_factory=list)

    def add(self, value: float) -> None:
        self.n += 1
        self.total += value
        self.squares += value * value
        self.recent.append(value)
        del self.recent[: -TAILS[-1]]

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


@dataclass(slots=True)
class Track:
    """An action's rewards since the last drift, adjusted for their states, and as they came (None: not adjusted, the
    same); and the sum of the first ``FIRST`` as they came."""

    adjusted: Series = field(default_factory=Series)
    plain: float = 0.0
    raw: Series | None = None

    def tell(self, reward: float, expected: float | None) -> bool:
        """Take a reward over; whether it lies below the mean of those before. ``expected``: of its state, if it has
        features."""
        n, total = self.adjusted.n, self.adjusted.total
        if expected is not None and self.raw is None:
            known = self.adjusted
            self.raw = Series(known.n, known.total, known.squares, list(known.recent))
        value = reward if expected is None or not n else reward - expected + self.plain / min(n, FIRST)
        self.adjusted.add(value)
        if self.raw is not None:
            self.raw.add(reward)
        self.plain += reward if n < FIRST else 0.0  # a level for what is adjusted, that does not move
        return n > 0 and value * n < total

    def fall(self) -> tuple[float, float] | None:
        """The mean rewards before and after a drift, when one is to be seen: in what is adjusted and in what came."""
        found = self.adjusted.fall()
        return found if found is None or self.raw is None else self.raw.fall()

    def row(self) -> dict[str, object]:
        """As it is kept. Of a track that is adjusted, the raw total and sum of squares follow the most recent values,
        and then the raw values."""
        values = list(self.adjusted.recent)
        if self.raw is not None:
            values += [self.raw.total, self.raw.squares, *self.raw.recent]
        moments = {"n": self.adjusted.n, "total": self.adjusted.total, "squares": self.adjusted.squares}
        return {**moments, "plain": self.plain, "recent": struct.pack(f"<{len(values)}d", *values)}

    @classmethod
    def read(cls, row: Row) -> Track:
        n, values = int(row["n"]), [value for (value,) in struct.iter_unpack("<d", bytes(row["recent"]))]
        most = min(n, TAILS[-1])
        raw = Series(n, values[most], values[most + 1], values[most + 2 :]) if len(values) > most else None
        return cls(Series(n, row["total"], row["squares"], values[:most]), row["plain"], raw)


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
            rows = [{**scope, "action": action, **track.row()} for action, track in sorted(tracks.items())]
            self._tx.run_many("track_put", rows)
        return fallen

    def _tracks(self, task_type: str, actions: Iterable[str]) -> dict[str, Track]:
        names = sorted(actions)
        found = {name: Track() for name in names}
        for start in range(0, len(names), 1_000):
            asked = {**self._scope(task_type), "actions": names[start : start + 1_000]}
            for row in self._tx.read("track_find", asked):
                found[row["action"]] = Track.read(row)
        return found

    def _scope(self, task_type: str) -> dict[str, str]:
        return {"tenant": self._tenant, "agent": self._agent, "task_type": task_type}


def drift_of(row: Row) -> Drift:
    """A row of ``drift_list``."""
    return Drift(
        row["task_type"], from_micros(row["fell_at"]), from_micros(row["seen_at"]), row["action"], row["before"],
        row["after"], int(row["drifts"]),
    )  # fmt: skip
