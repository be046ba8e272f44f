"""Fixes, issues and targets in lists, in sums and in reports, as far as a viewer may see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from engrain.fixes.book import Books
from engrain.fixes.lookup import Lookup
from engrain.fixes.odds import odds
from engrain.fixes.rows import fix_of
from engrain.fixes.tallies import Sums, day_of, total
from engrain.model.fading import DAY
from engrain.model.fix import Fix, FixReport, FixStats, FixSum, IssueInfo, TargetInfo
from engrain.model.scope import Scope
from engrain.store.port import Store
from engrain.world import World, from_micros

WEEK = 7  # days
CHUNK = 400


class Listing:
    """Lists and sums of one home's fixes."""

    def __init__(self, store: Store, world: World, books: Books, lookup: Lookup) -> None:
        self._store, self._world, self._books, self._lookup = store, world, books, lookup

    def fixes(self, scope: Scope, issue: str | None, **asked: Any) -> list[Fix]:
        """Attempts and sightings, newest first."""
        query = {"tenant": scope.tenant, "agent": scope.agent, **asked}
        with self._books.of(scope) as book:
            raws = () if issue is None else book.group(issue)
            if issue is not None and not raws:
                return []
            name = "fix_list" if issue is None else "fix_list_of"
            found = self._store.read(name, {**query, "signatures": raws} if raws else query)
            return [fix_of(row, book.resolve) for row in found]

    def issues(self, scope: Scope, kind: str | None, target: str | None, limit: int) -> list[IssueInfo]:
        """The most frequent issues first."""
        if target is not None:
            rows = self._parts(scope, "target-issue", [target])
            seen = {row["part"]: int(row["seen"]) for row in rows}
        else:
            seen = {row["key"]: int(row["seen"]) for row in self._level(scope, "issue")}
        if kind is not None:
            of_kind = {row["key"] for row in self._level(scope, "issue-type") if row["part"] == kind}
            seen = {raw: n for raw, n in seen.items() if raw in of_kind}
        with self._books.of(scope) as book:
            counts: dict[str, int] = {}
            for raw, n in seen.items():
                if raw in book.titles:
                    counts[book.resolve(raw)] = counts.get(book.resolve(raw), 0) + n
        chosen = sorted(counts, key=lambda id_: (-counts[id_], id_))[:limit]
        return [self._lookup.issue(scope, id_) for id_ in chosen]

    def targets(self, scope: Scope) -> list[TargetInfo]:
        """All targets, the most frequent first."""
        found = sorted(self._level(scope, "target"), key=lambda row: (-int(row["seen"]), row["key"]))
        told = (self._lookup.target(scope, row["key"]) for row in found)
        return [one for one in told if one is not None]

    def stats(self, scope: Scope) -> FixStats:
        """Everything that one can see, in sums."""
        types, fixers = self._level(scope, "type"), self._level(scope, "fixer")
        recent = total(self._level(scope, "type-day", self._since(WEEK)))
        sums = total(types)
        with self._books.of(scope) as book:
            issues = book.issues
        return FixStats(
            seen=sums.seen,
            tried=sums.tried,
            solved=sums.solved,
            failed=sums.known - sums.solved,
            claimed=sums.claimed,
            unknown=sums.tried - sums.known - sums.claimed,
            odds=odds(sums),
            issues=issues,
            targets=len(self._level(scope, "target")),
            recent=recent.seen,
            types=_counts(types, "seen"),
            fixers=_counts(fixers, "tried"),
            first_at=from_micros(min(row["first_at"] for row in types)) if types else None,
            last_at=from_micros(max(row["last_at"] for row in types)) if types else None,
        )

    def report(self, scope: Scope, days: int) -> FixReport:
        """The last days with today."""
        since, now = self._since(days), self._world.now()
        of_types = self._level(scope, "type-day", since)
        of_targets = self._level(scope, "target-day", since)
        return FixReport(
            days=days,
            since=from_micros((now // DAY - days + 1) * DAY),
            until=from_micros(now),
            fixers=_sums(self._level(scope, "fixer-day", since), "key"),
            types=_sums(of_types, "key"),
            targets=_sums(of_targets, "key"),
            trend=tuple(_sum(row["key"], row["part"], [row]) for row in of_targets),
            daily=tuple(one for one in sorted(_sums(of_types, "part"), key=lambda one: one.name)),
        )

    def _since(self, days: int) -> str:
        return day_of(self._world.now() - (days - 1) * DAY)

    def _level(self, scope: Scope, level: str, since: str = "") -> list[Any]:
        query = {"tenant": scope.tenant, "agent": scope.agent, "level": level, "from_part": since}
        return list(self._store.read("tally_level", query))

    def _parts(self, scope: Scope, level: str, keys: Sequence[str]) -> list[Any]:
        query = {"tenant": scope.tenant, "agent": scope.agent, "level": level, "keys": list(keys), "from_part": ""}
        return list(self._store.read("tally_parts", query))


def _counts(rows: Iterable[Any], name: str) -> dict[str, int]:
    return {row["key"]: int(row[name]) for row in sorted(rows, key=lambda row: (-int(row[name]), row["key"]))}


def _sums(rows: Sequence[Any], by: str) -> tuple[FixSum, ...]:
    """Rows put together by one of their names, the most frequent first."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(row[by], []).append(row)
    sums = [_sum(name, name if by == "part" else None, some) for name, some in found.items()]
    return tuple(sorted(sums, key=lambda one: (-one.seen, one.name)))


def _sum(name: str, day: str | None, rows: Sequence[Any]) -> FixSum:
    sums: Sums = total(rows)
    return FixSum(
        name,
        day,
        sums.seen,
        sums.tried,
        odds(sums),
        sums.micros / sums.timed / 1e6 if sums.timed else None,
        from_micros(min(row["first_at"] for row in rows)),
        from_micros(max(row["last_at"] for row in rows)),
    )
