"""Looking a problem up: what is known of it, at four levels, each of which says what it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engrain.errors import UnknownIssue
from engrain.fixes.book import Book, Books
from engrain.fixes.knowledge import About, Knowledge, Way
from engrain.fixes.writer import words_of
from engrain.model.fix import LEVELS, Diagnosis, IssueInfo, KnownFix, Level, Problem, TargetInfo
from engrain.model.scope import Scope

USUAL = "error"  # the type of a problem of which nothing is said
ALIKE = 0.35  # likeness from which another issue is similar
NEAR = 5  # similar issues that are asked
MORE = 4  # times as many texts are looked at: several may be of one issue
CARRIES = {"issue": 1.0, "target": 0.7, "type": 0.5, "similar": 0.6}
"""What the lower bound of odds is worth for the problem at hand, by where it is known from; of similar problems it is
multiplied by their likeness as well."""


class Lookup:
    """Looks up. Nothing is changed by it."""

    def __init__(self, books: Books, knowledge: Knowledge) -> None:
        self._books, self._knowledge = books, knowledge

    def diagnose(self, scope: Scope, problem: Problem, limit: int) -> Diagnosis:
        """What is known of a problem. ``limit``: ways of each level, and of each list."""
        target = problem.target
        with self._books.of(scope) as book:
            named = book.name(problem)
            raws = book.group(named.raw) or book.group(named.issue)
            issue = book.resolve(raws[0]) if raws else named.raw
            crashes = book.names.alike(problem, NEAR * MORE) if named.kind == "crash" else ()
            near = _near(book, words_of(problem), issue, crashes)
            known = self._knowledge
            about = known.about(scope, raws)
            kind = self._kind(problem, about)
            ways = {"issue": known.of_issue(about, raws)}
            ways["target"] = []
            if target is not None:
                ways["target"] = book.kept(("target", kind, target), lambda: known.of_target(scope, kind, target))
            ways["type"] = book.kept(("type", kind), lambda: known.of_type(scope, kind))
            ways["similar"] = known.of_similar(scope, [(book.group(id_), like) for id_, like in near])
            levels = self._levels(scope, book, ways, limit, (kind, target), _alone(about))
            avoid = _once((one for level in levels for one in level.avoid), ())
            fixes = _once(
                sorted((one for level in levels for one in level.fixes), key=_sure), {one.key for one in avoid}
            )
            info = None
            if raws:
                related = _related(known.together(scope, book, raws), [id_ for id_, _ in near], issue)
                first = next((one for one in levels[0].fixes if one.odds.solved), None)
                info = known.issue(scope, book, about, raws, first, related)
            told = None if target is None else self._of_target(scope, book, target)
        return Diagnosis(
            issue=issue,
            signature=named.raw,
            known=bool(raws),
            info=info,
            target=told,
            levels=levels,
            fixes=tuple(fixes[:limit]),
            avoid=tuple(avoid[:limit]),
            similar=tuple(near[:limit]),
        )

    def issue(self, scope: Scope, id_: str) -> IssueInfo:
        """What is known of an issue, given by its id or any signature of it. Raises UnknownIssue."""
        with self._books.of(scope) as book:
            raws = book.group(id_)
            if not raws:
                raise UnknownIssue(f"{id_!r} is not an issue that agent {scope.agent!r} can see.")
            issue, known = book.resolve(raws[0]), self._knowledge
            near = [other for other, _ in _near(book, book.titles[raws[0]][1], issue)]
            related = _related(known.together(scope, book, raws), near, issue)
            about = known.about(scope, raws)
            return known.issue(scope, book, about, raws, known.best_of(scope, book, about, raws), related)

    def target(self, scope: Scope, name: str) -> TargetInfo | None:
        """What is known of a target; None when nothing is."""
        with self._books.of(scope) as book:
            return self._of_target(scope, book, name)

    def _kind(self, problem: Problem, about: About) -> str:
        """The type of a problem; where nobody said any, that of its issue."""
        told = problem.type or USUAL
        return told if told != USUAL else self._knowledge.kind(about) or told

    def _of_target(self, scope: Scope, book: Book, name: str) -> TargetInfo | None:
        key = "target", name, self._knowledge.today
        return book.kept(key, lambda: self._knowledge.target(scope, book, name))

    def _levels(
        self,
        scope: Scope,
        book: Book,
        ways: Mapping[str, Sequence[Way]],
        limit: int,
        place: tuple[str, str | None],
        alone: str | None,
    ) -> tuple[Level, ...]:
        """What was found at each level, told; at a ``place`` (type, target) once while nothing changes.
        ``alone``: the only target of the issue, whose name stands in what was done where no other was told."""
        chosen: dict[str, tuple[list[Way], list[Way]]] = {}
        for name in LEVELS:
            good = [one for one in ways[name] if one.works] + [one for one in ways[name] if _promising(one)]
            bad = [one for one in ways[name] if one.failed] if name in ("issue", "target") else []
            bad.sort(key=lambda one: (-one.sums.known, one.plan))
            chosen[name] = good[:limit], bad[:limit]
        known, target = self._knowledge, place[1]
        known.learn(scope, book, (one for both in chosen.values() for some in both for one in some))

        def level(name: str) -> Level:
            meant = target if target is not None or name != "issue" else alone
            return Level(name, *(tuple(known.told(scope, book, some, meant)) for some in chosen[name]))

        def kept(name: str) -> Level:
            return book.kept(("level", name, *place, limit), lambda: level(name))

        return tuple(kept(name) if name in ("target", "type") else level(name) for name in LEVELS)


def _promising(one: Way) -> bool:
    """Said to work, and never verified either way."""
    return not one.works and not one.failed and one.sums.claimed > 0 and one.level in ("issue", "target")


def _alone(about: About) -> str | None:
    """The target of an issue that was seen at one alone."""
    names = {row["part"] for row in about.get("issue-target", ()) if row["part"]}
    return names.pop() if len(names) == 1 else None


def _near(book: Book, text: str, issue: str, crashes: Sequence[tuple[str, float]] = ()) -> list[tuple[str, float]]:
    """(id, likeness) of the issues most like a text, but for its own; of ``crashes``, whose traces are, before."""
    found: dict[str, float] = {}
    for raw, like in (*crashes, *book.texts.alike(text, NEAR * MORE)):
        id_ = book.resolve(raw)
        if id_ != issue and like >= ALIKE:
            found.setdefault(id_, min(1.0, like))
        if len(found) == NEAR:
            break
    return list(found.items())


def _sure(one: KnownFix) -> tuple[bool, float]:
    return one.odds.solved == 0, -one.odds.low * CARRIES[one.level] * one.similarity


def _once(fixes: Iterable[KnownFix], without: Iterable[str]) -> list[KnownFix]:
    """Each way once, from where it comes first."""
    seen = set(without)
    found = []
    for one in fixes:
        if one.key not in seen:
            seen.add(one.key)
            found.append(one)
    return found


def _related(together: Iterable[str], near: Iterable[str], issue: str) -> list[str]:
    return [id_ for id_ in dict.fromkeys((*together, *near)) if id_ != issue]
