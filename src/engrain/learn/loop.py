"""Whether the loop of learning lives: what was decided, what came of it, what was trained on, what was promoted.

Read when it is asked for, never kept: a loop that nobody runs any more tells so as well as one that runs. What is in
the store and what is archived are counted by the same keys (``loop_decisions``, ``loop_outcomes``) and added up.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from engrain.errors import ArchiveConflict, ArchiveError, ConfigError
from engrain.model.fading import DAY
from engrain.model.learning import Calibration, Expected, Stage, TaskGain, Week
from engrain.model.report import counted
from engrain.store.port import Store
from engrain.world import from_micros

FEW = 10  # outcomes of a side, below which nothing is compared
Z90 = 1.6448536269514722
WITHOUT = ("explored", "other", "steps")  # the sides that are without memory; "advised" is with it
READ, NONE = "read", "none"
TRIES = 5
_JUDGED = ("refused", "shadowed", "promoted")


class Cold(Protocol):
    """Counts of what is archived; see ``archive.tally.ColdTally``."""

    def standing(self) -> tuple[int, ...]: ...
    def since(self, moment: int, tenant: str | None) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Rows of ``loop_decisions`` and ``loop_outcomes``. Raises ArchiveError, ConfigError."""
        ...

    def last(self, tenant: str | None) -> tuple[int | None, int | None]:
        """When anybody decided last, and when the last outcome came, ever. Raises as ``since``."""
        ...


class Loop(NamedTuple):
    """What was counted since a moment. ``archive`` is READ, NONE or why what is archived is not counted in."""

    now: int
    since: int
    decisions: list[Mapping[str, Any]]
    outcomes: list[Mapping[str, Any]]
    decided: int | None  # when anybody decided last, ever; as far as it is known
    told: int | None
    marks: list[Mapping[str, Any]]
    dream: Mapping[str, Any] | None
    events: dict[str, tuple[int, int]]  # event → when last, and how often since
    archive: str


def counted_loop(store: Store, cold: Cold, now: int, days: int, tenant: str | None) -> Loop:
    """Everything of the last ``days`` days (UTC) with today. Raises ArchiveConflict when rows are moved without end."""
    for _ in range(TRIES):
        standing = cold.standing()
        try:
            found = _counted(store, cold, now, days, tenant, READ if standing[0] else NONE)
        except ArchiveConflict:
            continue
        if cold.standing() == standing:  # else rows moved meanwhile, and would be counted twice or never
            return found
    raise ArchiveConflict("Experiences are being archived.")


def _counted(store: Store, cold: Cold, now: int, days: int, tenant: str | None, archive: str) -> Loop:
    since = (now // DAY - days + 1) * DAY
    asked = {"since": since, "tenant": tenant}
    decisions, outcomes = _plain(store.read("loop_decisions", asked)), _plain(store.read("loop_outcomes", asked))
    decided, told = store.read("loop_ends", {"tenant": tenant})[0]
    try:
        old_decisions, old_outcomes = cold.since(since, tenant)
        decisions, outcomes = [*decisions, *old_decisions], [*outcomes, *old_outcomes]
        if decided is None or told is None:
            decided, told = _latest(zip((decided, told), cold.last(tenant), strict=True))
    except ArchiveConflict:
        raise
    except (ArchiveError, ConfigError) as error:
        archive = str(error) if tenant is None else (type(error).__doc__ or "").strip()  # places are the owner's alone
    (decided,) = _latest([(decided, *(one["last"] for one in decisions))])
    (told,) = _latest([(told, *(one["last"] for one in outcomes))])
    marks = _plain(store.read("loop_marks", {"tenant": tenant}))
    dream = next((dict(row) for row in _plain(store.read("loop_dreams", {"now": now}))), None)
    if dream is not None and tenant is not None:
        dream["error"] = None  # it names task types of others
    events = {row["event"]: (int(row["last"]), int(row["n"])) for row in store.read("loop_events", asked)}
    return Loop(now, since, decisions, outcomes, decided, told, marks, dream, events, archive)


def _latest(moments: Iterable[Iterable[int | None]]) -> list[int | None]:
    return [max((one for one in some if one is not None), default=None) for some in moments]


def _plain(rows: Iterable[Any]) -> list[Mapping[str, Any]]:
    """Rows by column names; the server sums to its own type of number."""
    found: list[Mapping[str, Any]] = []
    for row in rows:
        one = {name: row[name] for name in row.keys()}  # noqa: SIM118 (rows are not dicts)
        one |= {name: int(one[name]) for name in ("day", "n", "inside", "last", "fresh") if one.get(name) is not None}
        found.append(one)
    return found


# -- stages -----------------------------------------------------------------------------------------------------------


class _Moves(NamedTuple):
    """When a stage moved: the last time, and the days on which it did."""

    last: int | None
    days: Sequence[int]

    def after(self, moment: int | None) -> int | None:
        """The first move after a moment, as well as it is known: the beginning of its day, or the last move."""
        if self.last is None or (moment is not None and self.last <= moment):
            return None
        later = [day * DAY for day in self.days if moment is None or day * DAY > moment]
        return min(later, default=self.last)


def stages(loop: Loop, silent: int, dreams: int) -> tuple[Stage, ...]:
    """The loop stage by stage. A stage is silent when what feeds it has moved for more than ``silent`` µs (``dreams``
    for what dreams do) without it; that nobody decides at all is silence as well, once somebody did."""
    proven = [one for one in loop.outcomes if one["proven"]]
    advised = [one for one in loop.outcomes if one["side"] == "advised"]
    mine = [one for one in loop.outcomes if one["side"] != "steps"]
    mark = max((one["at"] for one in loop.marks), default=None)
    judged = max((loop.events[one][0] for one in _JUDGED if one in loop.events), default=None)
    decided = _Moves(loop.decided, _days(loop.decisions))
    told = _Moves(loop.told, _days(loop.outcomes))
    trained = _Moves(mark, [mark // DAY] if mark else [])
    fresh = sum(max(one["fresh"] or 0, 0) for one in loop.marks)
    asked = [one for one in mine if one["side"] != "explored"]  # there was something to follow, or could have been
    waits = f"; {counted(fresh, 'change')} since then" if loop.marks else ""
    return (
        _stage(loop, "decided", "decisions logged", decided, None, silent, _sum(loop.decisions), None, ""),
        _stage(loop, "outcome", "outcomes known", told, decided, silent, _sum(mine), _sum(loop.decisions),
               f"and {counted(_sum(loop.outcomes) - _sum(mine), 'step')} without advice"),
        _stage(loop, "verified", "executed or verified", _moves(proven), told, silent, _sum(proven),
               _sum(loop.outcomes), f"{_sum(loop.outcomes) - _sum(proven):,} only claimed"),
        _stage(loop, "trained", "in training", trained, told, dreams, sum(one["rows"] for one in loop.marks), None,
               _dream(loop) + waits),
        _stage(loop, "promoted", "policies promoted", _Moves(judged, []), trained, dreams,
               loop.events.get("promoted", (0, 0))[1], sum(loop.events.get(one, (0, 0))[1] for one in _JUDGED),
               _judged(loop)),
        _stage(loop, "followed", "advice followed", _moves(advised), _moves(asked), silent, _sum(advised),
               _sum(asked), _by(advised)),
    )  # fmt: skip


def _stage(
    loop: Loop, name: str, about: str, own: _Moves, feed: _Moves | None, silent: int, n: int, of: int | None,
    detail: str,
) -> Stage:  # fmt: skip
    late = loop.now - silent
    since = own.last if feed is None else feed.after(own.last)
    if own.last is not None and own.last >= late:
        state = "alive"
    elif feed is not None and (feed.last is None or feed.last < late or since is None or since >= late):
        state = "waiting" if feed.last is not None or own.last is not None else "nothing"
    else:
        state = "nothing" if own.last is None and feed is None else "silent"
    if state != "alive" and loop.archive not in (READ, NONE) and name not in ("trained", "promoted"):
        state = "unknown"  # what would tell may be archived
    quiet = since if own.last is None else own.last
    return Stage(
        name, about, state, n, of, None if own.last is None else from_micros(own.last),
        from_micros(quiet) if state == "silent" and quiet is not None else None, detail,
    )  # fmt: skip


def _moves(rows: Sequence[Mapping[str, Any]]) -> _Moves:
    return _Moves(max((one["last"] for one in rows), default=None), _days(rows))


def _days(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    return sorted({one["day"] for one in rows})


def _sum(rows: Iterable[Mapping[str, Any]]) -> int:
    return sum(one["n"] for one in rows)


def _by(advised: Sequence[Mapping[str, Any]]) -> str:
    """Who decided."""
    whole, ruled = _sum(advised), sum(int(one["ruled"]) for one in advised)
    return f"{ruled:,} by policies, {whole - ruled:,} online" if whole else ""


def _dream(loop: Loop) -> str:
    if loop.dream is None:
        return "no dream was ever run"
    one = loop.dream
    if one["state"] == "running" and not one["held"]:
        return f"the last dream, of {from_micros(one['at']):%Y-%m-%d}, is not heard of any more"
    return f"the last dream, of {from_micros(one['at']):%Y-%m-%d}, is {one['state']}{why(one)}"


def why(dream: Mapping[str, Any]) -> str:
    """What went wrong with a dream, as the end of a sentence."""
    return f": {dream['error']}" if dream["error"] else ""


def _judged(loop: Loop) -> str:
    told = [f"{loop.events[one][1]:,} {one}" for one in (*_JUDGED, "rolled-back") if loop.events.get(one, (0, 0))[1]]
    return ", ".join(told) or ("nothing was judged" if not loop.events else "nothing was judged in these days")


# -- what memory adds -------------------------------------------------------------------------------------------------


class _Sums:
    """Rewards of one side, added up."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self.n, self.total, self.squares = 0, 0.0, 0.0
        for one in rows:
            self.n, self.total, self.squares = (
                self.n + one["n"],
                self.total + one["total"],
                self.squares + one["squares"],
            )

    @property
    def mean(self) -> float | None:
        return self.total / self.n if self.n else None

    @property
    def error(self) -> float | None:
        """The squared standard error of the mean."""
        if self.n < 2:
            return None
        spread = max(0.0, self.squares - self.total * self.total / self.n) / (self.n - 1)
        return spread / self.n


def weeks(loop: Loop) -> tuple[Week, ...]:
    """Seven days each, the last of them up to today, the oldest first; the first may have begun before."""
    last = loop.now // DAY
    by: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for one in loop.outcomes:
        if one["proven"]:
            by[(last - one["day"]) // 7].append(one)
    found = []
    for number in reversed(range(math.ceil((last - loop.since // DAY + 1) / 7))):
        with_, without = _sides(by[number])
        begins = max(loop.since // DAY, last - 7 * number - 6)
        found.append(Week(from_micros(begins * DAY), with_.n, with_.mean, without.n, without.mean))
    return tuple(found)


def _sides(rows: Sequence[Mapping[str, Any]]) -> tuple[_Sums, _Sums]:
    return _Sums(o for o in rows if o["side"] == "advised"), _Sums(o for o in rows if o["side"] in WITHOUT)


def tasks(loop: Loop) -> tuple[TaskGain, ...]:
    """By task type, where memory did worst first; those that cannot be compared last."""
    by: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for one in loop.outcomes:
        if one["proven"]:
            by[one["tenant"], one["task_type"]].append(one)
    found = []
    for (tenant, task_type), rows in by.items():
        with_, without = _sides(rows)
        gain = low = high = None
        if min(with_.n, without.n) >= FEW and with_.mean is not None and without.mean is not None:
            gain = with_.mean - without.mean
            half = Z90 * math.sqrt((with_.error or 0.0) + (without.error or 0.0))
            low, high = gain - half, gain + half
        found.append(TaskGain(tenant, task_type, with_.n, with_.mean, without.n, without.mean, gain, low, high))
    return tuple(sorted(found, key=lambda one: (one.gain is None, one.gain, one.tenant, one.task_type)))


def worse(gains: Sequence[TaskGain]) -> float | None:
    """The share of advised outcomes, of task types that can be compared, in those where memory did worse."""
    known = [one for one in gains if one.gain is not None]
    whole = sum(one.advised for one in known)
    return sum(one.advised for one in known if (one.gain or 0.0) < 0.0) / whole if whole else None


def calibration(loop: Loop) -> Calibration:
    """Of advice that was followed and is known by more than a claim."""
    by: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for one in loop.outcomes:
        if one["proven"] and one["side"] == "advised" and one["step"] >= 0:
            by[one["step"]].append(one)
    bins = []
    for step, rows in sorted(by.items()):
        sums = _Sums(rows)
        expected = sum(one["expected"] for one in rows) / sums.n
        error = None if sums.error is None else math.sqrt(sums.error)
        bins.append(Expected(step / 2 - 2.0, step / 2 - 1.5, sums.n, expected, sums.total / sums.n, error))
    n = sum(one.n for one in bins)
    if not n:
        return Calibration(0, None, None, None)
    inside = sum(one["inside"] for rows in by.values() for one in rows)
    expected, observed = (sum(o.n * getattr(o, name) for o in bins) / n for name in ("expected", "observed"))
    return Calibration(n, expected, observed, inside / n, tuple(bins))
