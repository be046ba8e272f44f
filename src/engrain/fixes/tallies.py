"""What is counted: the sums to which one attempt or sighting adds, by level, key and part.

==============  ====================  ============================  ===========================================
level           key                   part                          what of
==============  ====================  ============================  ===========================================
issue           signature                                           an issue
issue-target    signature             target                        its targets
issue-type      signature             type                          its types
issue-hour      signature             YYYY-MM-DDTHH                 when it was seen (UTC)
target          target                                              a target
target-type     target                type                          its types of issues
target-issue    target                signature                     its issues
target-day      target                YYYY-MM-DD                    its days
target-plan     target                plan                          what was tried there
type            type                                                a type
type-day        type                  YYYY-MM-DD                    its days
fixer           fixer                                               who tried (attempts only)
fixer-day       fixer                 YYYY-MM-DD                    the same by day
plan-issue      signature             plan                          what was tried (attempts that do something)
plan-target     type US target        plan                          the same at a target and type
plan-type       type                  plan                          the same at a type
==============  ====================  ============================  ===========================================

Sums are added in the transaction that writes the attempt, under the lock of its agent's change sequence, and can be
made anew from what is in ``fixes``, where what is gone still counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from engrain.world import from_micros

APART = "\x1f"  # ASCII's unit separator
HOUR = 13  # characters of YYYY-MM-DDTHH
DAY = 10
Key = tuple[str, str, str]


class Sums(NamedTuple):
    """``seen`` attempts and sightings; of ``tried`` attempts that do something, ``known`` ended in a way that counts,
    ``solved`` of these were verified, and ``claimed`` were said to work; ``micros`` that ``timed`` of them took."""

    seen: int = 0
    tried: int = 0
    known: int = 0
    solved: int = 0
    claimed: int = 0
    micros: int = 0
    timed: int = 0

    def plus(self, other: Sums, sign: int = 1) -> Sums:
        return Sums(*[a + sign * b for a, b in zip(self, other, strict=True)])


def sums_of(row: Mapping[str, Any]) -> Sums:
    """What one row of ``fixes`` adds."""
    if not row["effective"] or row["plan"] is None:
        return Sums(1)
    worked, verified = row["success"] == 1, row["verified"] == 1
    took = row["micros"]
    return Sums(
        seen=1,
        tried=1,
        known=int(row["success"] == 0 or (worked and verified)),
        solved=int(worked and verified),
        claimed=int(worked and not verified),
        micros=took or 0,
        timed=int(took is not None),
    )


def keys_of(row: Mapping[str, Any]) -> list[Key]:
    """The level, key and part of every sum to which a row of ``fixes`` adds."""
    signature, kind, target, plan = row["signature"], row["type"], row["target"], row["plan"]
    when = moment(row["occurred_at"])
    day = when[:DAY]
    keys = [
        ("issue", signature, ""),
        ("issue-type", signature, kind),
        ("issue-hour", signature, when),
        ("type", kind, ""),
        ("type-day", kind, day),
    ]
    if target is not None:
        keys += [
            ("target", target, ""),
            ("target-type", target, kind),
            ("target-issue", target, signature),
            ("target-day", target, day),
            ("issue-target", signature, target),
        ]
    if plan is not None and row["effective"]:
        keys += [("plan-issue", signature, plan), ("plan-type", kind, plan)]
        if target is not None:
            keys += [("plan-target", place(kind, target), plan), ("target-plan", target, plan)]
        if row["fixer"] is not None:
            keys += [("fixer", row["fixer"], ""), ("fixer-day", row["fixer"], day)]
    return keys


def place(kind: str, target: str) -> str:
    """The key of a type at a target."""
    return f"{kind}{APART}{target}"


def moment(micros: int) -> str:
    """The hour of a moment (µs UTC) as YYYY-MM-DDTHH."""
    return from_micros(micros).isoformat()[:HOUR]


def day_of(micros: int) -> str:
    """The day of a moment (µs UTC) as YYYY-MM-DD."""
    return moment(micros)[:DAY]


class Ledger:
    """Sums that are about to be added. What is the same is added up first."""

    def __init__(self) -> None:
        self._sums: dict[tuple[Key, str, str], list[Any]] = {}  # the fields of Sums, first, last, latest

    def add(self, row: Mapping[str, Any]) -> None:
        """A row of ``fixes`` that is new."""
        self._put(row, sums_of(row))

    def revise(self, row: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        """A row whose outcome has changed."""
        self._put(row, sums_of(row).plus(sums_of(before), -1))

    def _put(self, row: Mapping[str, Any], sums: Sums) -> None:
        at, id_, agent, visibility = row["occurred_at"], row["id"], row["agent"], row["visibility"]
        adds = [(place, n) for place, n in enumerate(sums) if n]  # most are 0, and this is done 14 times a row
        for key in keys_of(row):
            name = key, agent, visibility
            known = self._sums.get(name)
            if known is None:
                self._sums[name] = [*sums, at, at, id_]
                continue
            for place, n in adds:
                known[place] += n
            known[_FIRST] = min(known[_FIRST], at)
            if at >= known[_LAST]:
                known[_LAST:] = at, id_

    def params(self, tenant: str) -> Sequence[Mapping[str, Any]]:
        """Parameters of ``tally_add``, in one order everywhere: so no two writers wait for each other in a circle."""
        return [
            {
                "tenant": tenant, "level": level, "key": key, "part": part, "agent": agent, "visibility": visibility,
                **dict(zip(_COLUMNS, known, strict=True)),
            }
            for ((level, key, part), agent, visibility), known in sorted(self._sums.items())
        ]  # fmt: skip


_COLUMNS = (*Sums._fields, "first_at", "last_at", "last_id")
_FIRST, _LAST = len(Sums._fields), len(Sums._fields) + 1


def total(rows: Iterable[Any]) -> Sums:
    """The sums of rows of tallies together."""
    found = Sums()
    for row in rows:
        found = found.plus(of_tally(row))
    return found


def of_tally(row: Any) -> Sums:
    """The sums of one row of tallies, whose last ten columns are ``fix_sums`` (statements/fixes.sql). A server gives
    sums of whole numbers as decimals."""
    return Sums(*map(int, row[-10:-3]))
