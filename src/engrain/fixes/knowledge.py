"""What is known of issues and targets, and of the ways to solve them, as far as a viewer may see it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from engrain.fixes.book import Book
from engrain.fixes.habits import habits
from engrain.fixes.odds import odds
from engrain.fixes.tallies import Sums, day_of, of_tally, place, total
from engrain.model.fading import DAY
from engrain.model.fix import IssueInfo, KnownFix, Odds, TargetInfo
from engrain.model.scope import Scope
from engrain.store.port import Store
from engrain.world import World, from_micros

MONTH = 30  # days
EVIDENCE = 5  # latest attempts that are named
TIMED = 9  # ... whose durations make the median
LOOKED = 60  # rows of what solved most of which the best are chosen
COMMON = 5
_SOME = 40  # rows of a target's most frequent issues


@dataclass(frozen=True, slots=True)
class Way:
    """A way to solve something as one level knows it: the plan, its sums, and where its attempts are found."""

    plan: str
    sums: Sums
    odds: Odds
    last_at: int
    level: str
    signatures: tuple[str, ...] = ()
    type: str | None = None
    target: str | None = None
    similarity: float = 1.0

    @property
    def works(self) -> bool:
        """Whether it was verified to solve something."""
        return self.odds.solved > 0

    @property
    def failed(self) -> bool:
        """Whether it was tried, never worked, and nobody claims otherwise."""
        return not self.odds.solved and self.odds.attempts > self.odds.claimed


class Knowledge:
    """Reads what the sums say. Everything is seen from a scope."""

    def __init__(self, store: Store, world: World) -> None:
        self._store, self._world = store, world

    # -- ways to solve something ---------------------------------------------------------------------------------------

    def of_issue(
        self, scope: Scope, signatures: Sequence[str], level: str = "issue", similarity: float = 1.0
    ) -> list[Way]:
        """What was tried at an issue, given by all its raw ids."""
        rows = self.parts(scope, "plan-issue", signatures)
        found = _ways(rows, level=level, signatures=tuple(signatures), similarity=similarity)
        return sorted(found, key=surest)

    def of_target(self, scope: Scope, kind: str, target: str) -> list[Way]:
        """What was tried at a target with issues of a type."""
        rows = self._best(scope, "tally_best_target", "plan-target", place(kind, target))
        return sorted(_ways(rows, level="target", type=kind, target=target), key=surest)

    def of_type(self, scope: Scope, kind: str) -> list[Way]:
        """What solved issues of a type."""
        rows = self._best(scope, "tally_best_type", "plan-type", kind)
        return sorted(_ways(rows, level="type", type=kind), key=surest)

    def _best(self, scope: Scope, statement: str, level: str, key: str) -> list[Any]:
        base = {"tenant": scope.tenant, "agent": scope.agent}
        found = self._store.read(statement, {**base, "key": key, "limit": LOOKED})
        plans = list(dict.fromkeys(row["part"] for row in found))
        if not plans:
            return []
        return self._store.read("tally_some", {**base, "level": level, "key": key, "parts": plans})

    def told(self, scope: Scope, ways: Iterable[Way]) -> list[KnownFix]:
        """The same with their commands and the attempts behind them."""
        wanted = list(ways)
        if not wanted:
            return []
        base = {"tenant": scope.tenant, "agent": scope.agent}
        plans = sorted({one.plan for one in wanted})
        texts = {row["plan"]: row for row in self._store.read("plan_get", {**base, "plans": plans})}
        return [self._told(base, one, texts[one.plan]) for one in wanted if one.plan in texts]

    def _told(self, base: Mapping[str, str], one: Way, text: Any) -> KnownFix:
        query = {**base, "plan": one.plan, "limit": TIMED}
        if one.signatures:
            rows = self._store.read("fix_evidence", {**query, "signatures": one.signatures})
        else:
            rows = self._store.read("fix_evidence_wide", {**query, "type": one.type, "target": one.target})
        took = [row["micros"] for row in rows if row["micros"] is not None]
        mean = one.sums.micros / one.sums.timed if one.sums.timed else None
        seconds = median(took) if took else mean
        return KnownFix(
            key=one.plan,
            commands=tuple(json.loads(text["commands"])),
            analysis=text["analysis"],
            level=one.level,
            odds=one.odds,
            seconds=None if seconds is None else seconds / 1e6,
            last_at=from_micros(one.last_at),
            fix_id=rows[0]["id"] if rows else "",
            evidence=tuple(row["id"] for row in rows[:EVIDENCE]),
            similarity=one.similarity,
        )

    # -- issues and targets --------------------------------------------------------------------------------------------

    def issue(self, scope: Scope, book: Book, id_: str, best: KnownFix | None, related: Sequence[str]) -> IssueInfo:
        """What is known of an issue of the book."""
        raws = book.group(id_)
        rows = self.parts(scope, "issue", raws)
        sums = total(rows)
        kinds = _counted(self.parts(scope, "issue-type", raws))
        hours = self.parts(scope, "issue-hour", raws)
        seen = {row["key"]: int(row["seen"]) for row in rows}
        first = max(raws, key=lambda raw: (seen.get(raw, 0), raw))
        kind, title = book.titles[first]
        return IssueInfo(
            id=book.resolve(raws[0]),
            title=title,
            type=max(kinds, key=lambda name: (kinds[name], name)) if kinds else "error",
            kind=kind,
            raw=raws,
            seen=sums.seen,
            targets=_counted(self.parts(scope, "issue-target", raws)),
            odds=odds(sums),
            best=best,
            first_at=from_micros(min((row["first_at"] for row in rows), default=self._world.now())),
            last_at=from_micros(max((row["last_at"] for row in rows), default=self._world.now())),
            trend=self._trend(hours),
            habits=habits(row["part"] for row in hours),
            related=tuple(related),
        )

    def best_of(self, scope: Scope, raws: Sequence[str]) -> KnownFix | None:
        """The surest way that was verified to solve an issue."""
        ways = [one for one in self.of_issue(scope, raws) if one.works]
        return next(iter(self.told(scope, ways[:1])), None)

    def target(self, scope: Scope, book: Book, target: str, limit: int = 5) -> TargetInfo | None:
        """What is known of a target; None when nothing is."""
        rows = self.parts(scope, "target", [target])
        if not rows:
            return None
        base = {"tenant": scope.tenant, "agent": scope.agent}
        common: dict[str, int] = {}
        for row in self._store.read("tally_common", {**base, "key": target, "limit": _SOME}):
            id_ = book.resolve(row["part"])
            common[id_] = common.get(id_, 0) + int(row["seen"])
        ways = _ways(self._best(scope, "tally_best_any", "target-plan", target), level="target", target=target)
        good = sorted((one for one in ways if one.works), key=surest)[:limit]
        days = self.parts(scope, "target-day", [target], self._day(2 * MONTH))
        kinds = _counted(self.parts(scope, "target-type", [target]))
        return TargetInfo(
            target=target,
            seen=total(rows).seen,
            odds=odds(total(rows)),
            issues=dict(sorted(kinds.items(), key=lambda one: (-one[1], one[0]))),
            common=tuple(sorted(common, key=lambda id_: (-common[id_], id_))[:COMMON]),
            fixes=tuple(self.told(scope, good)),
            first_at=from_micros(min(row["first_at"] for row in rows)),
            last_at=from_micros(max(row["last_at"] for row in rows)),
            trend=self._trend(days),
        )

    def together(self, scope: Scope, book: Book, raws: Sequence[str], limit: int = 3) -> list[str]:
        """Ids of the issues that were met in the same sessions, most often first."""
        query = {"tenant": scope.tenant, "agent": scope.agent, "signatures": raws, "limit": limit}
        return [book.resolve(row["signature"]) for row in self._store.read("signature_session", query)]

    def parts(self, scope: Scope, level: str, keys: Sequence[str], since: str = "") -> list[Any]:
        """Sums by key and part, from a part on."""
        query = {"tenant": scope.tenant, "agent": scope.agent, "level": level, "keys": list(keys), "from_part": since}
        return list(self._store.read("tally_parts", query))

    def _day(self, ago: int) -> str:
        return day_of(self._world.now() - ago * DAY)

    def _trend(self, rows: Iterable[Any]) -> float | None:
        """Sightings of the last 30 days by those of the 30 before; parts begin with a day."""
        recent, before, late, early = self._day(MONTH - 1), self._day(2 * MONTH - 1), 0, 0
        for row in rows:
            late += int(row["seen"]) if row["part"] >= recent else 0
            early += int(row["seen"]) if before <= row["part"] < recent else 0
        return late / early if early else None


def surest(one: Way) -> tuple[bool, float, float, str]:
    """The order of ways of one level: what works before what does not, the lower bound of its odds, the latest."""
    return not one.works, -one.odds.low, -one.last_at, one.plan


def _ways(rows: Iterable[Any], **where: Any) -> list[Way]:
    """Ways from sums by plan, put together over keys."""
    found: dict[str, tuple[Sums, int]] = {}
    for row in rows:
        sums, last = found.get(row["part"], (Sums(), 0))
        found[row["part"]] = sums.plus(of_tally(row)), max(last, int(row["last_at"]))
    return [Way(plan, sums, odds(sums), last, **where) for plan, (sums, last) in found.items()]


def _counted(rows: Iterable[Any]) -> dict[str, int]:
    """How often each part was seen, over keys; the most frequent first."""
    found: dict[str, int] = {}
    for row in rows:
        found[row["part"]] = found.get(row["part"], 0) + int(row["seen"])
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))
