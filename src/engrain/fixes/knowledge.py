"""What is known of issues and targets, and of the ways to solve them, as far as a viewer may see it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engrain.fixes.book import Book
from engrain.fixes.habits import habits
from engrain.fixes.odds import lower, odds
from engrain.fixes.plans import filled
from engrain.fixes.tallies import Sums, day_of, of_tally, place, total
from engrain.model.fading import DAY
from engrain.model.fix import IssueInfo, KnownFix, TargetInfo
from engrain.model.scope import Scope
from engrain.store.port import Store
from engrain.world import World, from_micros

MONTH = 30  # days
EVIDENCE = 5  # latest attempts that are named
FEW = 20  # signatures of an issue up to which its attempts are looked for
SESSIONS = 5  # latest sessions in which an issue was met ...
MET = 500  # ... and what was met in them that is looked at
LOOKED = 24  # rows of what solved most of which the best are chosen
COMMON = 5
Done = tuple[tuple[str, ...], str | None]  # commands and analysis
ABOUT = ("issue", "issue-type", "issue-hour", "issue-target", "plan-issue")  # what is told of an issue
About = Mapping[str, Sequence[Any]]
_SOME = 20  # rows of a target's most frequent issues


@dataclass(frozen=True, slots=True)
class Way:
    """A way to solve something as one level knows it: the plan, its sums, its latest attempt."""

    plan: str
    sums: Sums
    low: float  # lower bound of its odds
    last_at: int
    last_id: str
    level: str
    signatures: tuple[str, ...] = ()
    similarity: float = 1.0

    @property
    def works(self) -> bool:
        """Whether it was verified to solve something."""
        return self.sums.solved > 0

    @property
    def failed(self) -> bool:
        """Whether it was tried, never worked, and nobody claims otherwise."""
        return not self.sums.solved and self.sums.known > self.sums.claimed


class Knowledge:
    """Reads what the sums say. Everything is seen from a scope."""

    def __init__(self, store: Store, world: World) -> None:
        self._store, self._world = store, world

    # -- ways to solve something ---------------------------------------------------------------------------------------

    def about(self, scope: Scope, raws: Sequence[str]) -> About:
        """All sums of an issue, given by its raw ids, by level; one statement for what is asked of it together."""
        return _by_level(self._over(scope, ABOUT, raws)) if raws else {}

    def of_issue(self, about: About, raws: Sequence[str]) -> list[Way]:
        """What was tried at an issue, given by all its raw ids."""
        return sorted(_ways(about.get("plan-issue", ()), level="issue", signatures=tuple(raws)), key=surest)

    def of_similar(self, scope: Scope, issues: Sequence[tuple[Sequence[str], float]]) -> list[Way]:
        """What was tried at similar issues, given by their raw ids and likeness: each way once, as is surest."""
        where = {raw: (tuple(raws), like) for raws, like in issues for raw in raws}
        rows: dict[tuple[tuple[str, ...], float], list[Any]] = {}
        for row in self.parts(scope, "plan-issue", list(where)) if where else ():
            rows.setdefault(where[row["key"]], []).append(row)
        ways = [
            way
            for (raws, like), some in rows.items()
            for way in _ways(some, level="similar", signatures=raws, similarity=like)
        ]
        found: dict[str, Way] = {}
        for one in sorted(ways, key=lambda one: (not one.works, -one.low * one.similarity, one.plan)):
            found.setdefault(one.plan, one)
        return list(found.values())

    def of_target(self, scope: Scope, kind: str, target: str) -> list[Way]:
        """What was tried at a target with issues of a type."""
        rows = self._best(scope, "tally_best_target", "plan-target", place(kind, target))
        return sorted(_ways(rows, level="target"), key=surest)

    def of_type(self, scope: Scope, kind: str) -> list[Way]:
        """What solved issues of a type."""
        return sorted(_ways(self._best(scope, "tally_best_type", "plan-type", kind), level="type"), key=surest)

    def _best(self, scope: Scope, statement: str, level: str, key: str) -> list[Any]:
        base = {"tenant": scope.tenant, "agent": scope.agent}
        found = self._store.read(statement, {**base, "key": key, "limit": LOOKED})
        plans = list(dict.fromkeys(row["part"] for row in found))
        if not plans:
            return []
        return self._store.read("tally_some", {**base, "level": level, "key": key, "parts": plans})

    def learn(self, scope: Scope, book: Book, ways: Iterable[Way]) -> dict[str, Done]:
        """What was done in each of these ways, and in others that were asked for before, by plan."""
        texts: dict[str, Done] = book.kept("plans", dict)
        if plans := sorted({one.plan for one in ways} - texts.keys()):
            texts |= dict.fromkeys(plans, ((), None))
            for row in self._store.read("plan_get", {"tenant": scope.tenant, "agent": scope.agent, "plans": plans}):
                texts[row["plan"]] = tuple(json.loads(row["commands"])), row["analysis"]
        return texts

    def told(self, scope: Scope, book: Book, ways: Sequence[Way], target: str | None) -> list[KnownFix]:
        """The same with their commands, as for a target, and the attempts behind them."""
        texts = self.learn(scope, book, ways)
        return [self._told(scope, one, texts[one.plan], target) for one in ways]

    def _told(self, scope: Scope, one: Way, done: Done, target: str | None) -> KnownFix:
        commands, analysis = done
        evidence: tuple[str, ...] = (one.last_id,)
        if one.level == "issue" and one.works and len(one.signatures) <= FEW:
            base = {"tenant": scope.tenant, "agent": scope.agent}
            query = {**base, "plan": one.plan, "limit": EVIDENCE, "signatures": one.signatures}
            evidence = tuple(row["id"] for row in self._store.read("fix_evidence", query))
        return KnownFix(
            key=one.plan,
            commands=commands if target is None else tuple(filled(command, target) for command in commands),
            analysis=analysis,
            level=one.level,
            odds=odds(one.sums),
            seconds=one.sums.micros / one.sums.timed / 1e6 if one.sums.timed else None,
            last_at=from_micros(one.last_at),
            fix_id=one.last_id,
            evidence=evidence,
            similarity=one.similarity,
        )

    # -- issues and targets --------------------------------------------------------------------------------------------

    def issue(
        self, scope: Scope, book: Book, about: About, raws: Sequence[str], best: KnownFix | None, related: Sequence[str]
    ) -> IssueInfo:
        """What is known of an issue of the book, given by its raw ids."""
        rows = about.get("issue", ())
        sums, kinds, hours = total(rows), _counted(about.get("issue-type", ())), about.get("issue-hour", ())
        kind, title = book.titles[self._foremost(scope, raws)]
        return IssueInfo(
            id=book.resolve(raws[0]),
            title=title,
            type=max(kinds, key=lambda name: (kinds[name], name)) if kinds else "error",
            kind=kind,
            raw=tuple(raws),
            seen=sums.seen,
            targets=_counted(about.get("issue-target", ())),
            odds=odds(sums),
            best=best,
            first_at=from_micros(min((row["first_at"] for row in rows), default=self._world.now())),
            last_at=from_micros(max((row["last_at"] for row in rows), default=self._world.now())),
            trend=self._trend(hours),
            habits=habits(row["part"] for row in hours),
            related=tuple(related),
        )

    def _foremost(self, scope: Scope, raws: Sequence[str]) -> str:
        """The most frequent signature of an issue."""
        if len(raws) == 1:
            return raws[0]
        seen = {row["key"]: int(row["seen"]) for row in self.parts(scope, "issue", raws)}
        return max(raws, key=lambda raw: (seen.get(raw, 0), raw))

    def kind(self, about: About) -> str | None:
        """The most frequent type of an issue."""
        return next(iter(_counted(about.get("issue-type", ()))), None)

    def best_of(self, scope: Scope, book: Book, about: About, raws: Sequence[str]) -> KnownFix | None:
        """The surest way that was verified to solve an issue."""
        ways = [one for one in self.of_issue(about, raws) if one.works]
        targets = _counted(about.get("issue-target", ()))
        only = next(iter(targets)) if len(targets) == 1 else None
        return next(iter(self.told(scope, book, ways[:1], only)), None)

    def target(self, scope: Scope, book: Book, target: str, limit: int = 5) -> TargetInfo | None:
        """What is known of a target; None when nothing is."""
        found = _by_level(self._over(scope, ("target", "target-type", "target-day"), [target]))
        rows, kinds = found["target"], _counted(found["target-type"])
        if not rows:
            return None
        base = {"tenant": scope.tenant, "agent": scope.agent}
        common: dict[str, int] = {}
        for row in self._store.read("tally_common", {**base, "key": target, "limit": _SOME}):
            id_ = book.resolve(row["part"])
            common[id_] = common.get(id_, 0) + int(row["seen"])
        ways = _ways(self._best(scope, "tally_best_any", "target-plan", target), level="target")
        good = sorted((one for one in ways if one.works), key=surest)[:limit]
        return TargetInfo(
            target=target,
            seen=total(rows).seen,
            odds=odds(total(rows)),
            issues=kinds,
            common=tuple(sorted(common, key=lambda id_: (-common[id_], id_))[:COMMON]),
            fixes=tuple(self.told(scope, book, good, target)),
            first_at=from_micros(min(row["first_at"] for row in rows)),
            last_at=from_micros(max(row["last_at"] for row in rows)),
            trend=self._trend(found["target-day"]),
        )

    def together(self, scope: Scope, book: Book, raws: Sequence[str], limit: int = 3) -> list[str]:
        """Ids of the issues that were met in the same sessions, most often first."""
        base = {"tenant": scope.tenant, "agent": scope.agent}
        query = {**base, "signatures": raws[:FEW], "limit": SESSIONS}
        sessions = [row["session"] for row in self._store.read("fix_sessions", query)]
        if not sessions:
            return []
        rows = self._store.read("fix_together", {**base, "sessions": sessions, "limit": MET})
        met = Counter(raw for raw, _ in {(row["signature"], row["session"]) for row in rows})
        often = sorted(met.keys() - set(raws), key=lambda raw: (-met[raw], raw))[:limit]
        return [book.resolve(raw) for raw in often]

    def parts(self, scope: Scope, level: str, keys: Sequence[str]) -> list[Any]:
        """Sums by key and part."""
        query = {"tenant": scope.tenant, "agent": scope.agent, "level": level, "keys": list(keys), "from_part": ""}
        return list(self._store.read("tally_parts", query))

    def _over(self, scope: Scope, levels: Sequence[str], keys: Sequence[str]) -> list[Any]:
        """Sums by level and part, over keys."""
        query = {"tenant": scope.tenant, "agent": scope.agent, "levels": levels, "keys": list(keys)}
        return list(self._store.read("tally_over", query))

    @property
    def today(self) -> str:
        """The day (UTC) that trends end with."""
        return self._day(0)

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
    return not one.works, -one.low, -one.last_at, one.plan


def _ways(rows: Iterable[Any], **where: Any) -> list[Way]:
    """Ways from sums by plan, put together over keys."""
    found: dict[str, tuple[Sums, int, str]] = {}
    for row in rows:
        sums, last, id_ = of_tally(row), int(row["last_at"]), row["last_id"]
        known = found.get(row["part"])
        if known is not None:
            sums, (last, id_) = known[0].plus(sums), max((last, id_), known[1:])
        found[row["part"]] = sums, last, id_
    return [Way(plan, sums, lower(sums), last, id_, **where) for plan, (sums, last, id_) in found.items()]


def _by_level(rows: Iterable[Any]) -> defaultdict[str, list[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for row in rows:
        found[row["level"]].append(row)
    return found


def _counted(rows: Iterable[Any]) -> dict[str, int]:
    """How often each part was seen, over keys; the most frequent first."""
    found: dict[str, int] = {}
    for row in rows:
        found[row["part"]] = found.get(row["part"], 0) + int(row["seen"])
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))
