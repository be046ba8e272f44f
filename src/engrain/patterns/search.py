"""Finding patterns: by words and vectors among those that a scope sees and that fit, and choosing among them.

A plain search orders by relevance, lifted a little by what is believed. Choosing (``explore``) multiplies relevance
with a draw from each pattern's posterior (Thompson 1933), so that one that was never used gets its turn, and one that
looks right and fails does not keep it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from engrain.model.pattern import Pattern, PatternHit
from engrain.model.scope import Scope
from engrain.patterns.belief import VOICE, Dice, here, worth
from engrain.patterns.links import linked
from engrain.patterns.room import SHARED, Room, own_scope
from engrain.patterns.rows import pattern_of
from engrain.store.port import Row

CANDIDATES = 200  # among which is chosen
LIFT = 0.5  # of relevance, between what never works and what always does
SCOPES = 64  # whose patterns are kept in memory


class Found(Protocol):
    """What answers a question; see ``recall.loose.Matches``."""

    ids: list[str]
    scores: list[float]
    parts: list[tuple[tuple[str, float], ...]]
    vectors: Any
    confidence: float


class Finder(Protocol):
    """Texts in memory; see ``recall.loose.Loose``."""

    def take(self, rows: Sequence[tuple[Any, ...]], new: bool = False) -> None: ...
    def keep_only(self, ids: Collection[str]) -> None: ...
    def ask(
        self, query: str, now: int, among: Collection[str] | None, limit: int, all_of_them: bool = False
    ) -> Any: ...
    def nearest(self, text: str, now: int, limit: int) -> list[tuple[str, float]]: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a pattern must be; None: whatever it is. ``tags``: all of. ``task_type``: that one, or none told."""

    kind: str | None = None
    framework: str | None = None
    language: str | None = None
    domain: str | None = None
    tags: frozenset[str] | None = None
    task_type: str | None = None
    tier: str | None = None
    state: str | None = "active"
    polarity: str | None = None

    def among(self, facts: Mapping[str, _Facts]) -> list[str]:
        """The ids of those that fit."""
        names = ("kind", "framework", "language", "domain", "tier", "state", "polarity")
        asked = [(_Facts._fields.index(name), want) for name in names if (want := getattr(self, name)) is not None]
        return [
            id_
            for id_, one in facts.items()
            if all(one[place] == want for place, want in asked)
            and (self.tags is None or self.tags <= one.tags)
            and (self.task_type is None or one.task_type in (None, self.task_type))
        ]


class _Facts(NamedTuple):
    kind: str
    framework: str | None
    language: str | None
    domain: str | None
    tags: frozenset[str]
    task_type: str | None
    tier: str
    state: str
    polarity: str
    created: int


class _Held:
    """The patterns of one scope in memory."""

    def __init__(self, finder: Finder) -> None:
        self.finder = finder
        self.facts: dict[str, _Facts] = {}
        self.seen: tuple[int, int] = (0, 0)  # change numbers of its own and of what is shared
        self.purges: tuple[int, int] = (0, 0)
        self.mates: frozenset[str] = frozenset()


class Search:
    """Finds patterns. Threads may share it. ``finder`` makes an empty one; ``fresh`` gives the order in which near
    repeats stand behind what they repeat."""

    def __init__(
        self,
        room: Room,
        finder: Callable[[], Finder],
        repeats_down: Callable[[Sequence[float], Any], list[int]],
        dice: Callable[[], Dice],
        tags: Callable[[str], Collection[str]],
    ) -> None:
        self._room, self._finder, self._order, self._dice, self._tags = room, finder, repeats_down, dice, tags
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, str], _Held] = OrderedDict()

    def find(
        self, scope: Scope, query: str, wanted: Wanted, limit: int, all_of_them: bool = False
    ) -> tuple[list[PatternHit], float]:
        """(the best patterns for a question, how probable it is that they are any answer)."""
        found = self._asked(scope, query, wanted, max(limit * 3, 20), all_of_them)
        rows = self._room.seen(scope, found.ids)
        sums = self._sums(scope, rows, wanted.task_type)
        there = [place for place, id_ in enumerate(found.ids) if id_ in rows]
        if not there:
            return [], found.confidence
        lifts = [found.scores[place] * LIFT * (_mean(*sums[found.ids[place]]) - 0.5) for place in there]
        scores = [found.scores[place] + lift for place, lift in zip(there, lifts, strict=True)]
        hits = []
        for one in self._order(scores, found.vectors[there])[:limit]:
            why = (*found.parts[there[one]], ("belief", round(lifts[one], 6)))
            hits.append(_hit(rows[found.ids[there[one]]], scores[one], why))
        return self._with_contradictions(scope, hits), found.confidence

    def choose(self, scope: Scope, query: str | None, wanted: Wanted, limit: int) -> list[PatternHit]:
        """Patterns in the order in which they are worth trying: a draw from what is believed of each, times its
        relevance. Without a question all are equally relevant."""
        if query is None:
            ids = [id_ for id_, _ in self._fitting(scope, wanted)]
            scores: list[float] = [1.0] * len(ids)
            parts: list[tuple[tuple[str, float], ...]] = [()] * len(ids)
        else:
            found = self._asked(scope, query, wanted, CANDIDATES, False)
            ids, scores, parts = found.ids, found.scores, found.parts
        rows = self._room.seen(scope, ids)
        sums = self._sums(scope, rows, wanted.task_type)
        dice, most = self._dice(), max(scores, default=1.0) or 1.0
        drawn = [
            (*worth(*sums[id_], scores[place] / most, dice), id_, parts[place])
            for place, id_ in enumerate(ids)
            if id_ in rows
        ]
        drawn.sort(key=lambda one: (-one[0], one[2]))
        hits = [_hit(rows[id_], score, (*why, ("draw", round(at, 6))), at) for score, at, id_, why in drawn[:limit]]
        return self._with_contradictions(scope, hits)

    def newest(self, scope: Scope, wanted: Wanted, limit: int) -> list[PatternHit]:
        """All that fit, the newest first."""
        ids = [id_ for id_, _ in sorted(self._fitting(scope, wanted), key=lambda one: one[::-1], reverse=True)][:limit]
        rows = self._room.seen(scope, ids)
        return self._with_contradictions(scope, [_hit(rows[id_], 0.0, ()) for id_ in ids if id_ in rows])

    def nearest(self, scope: Scope, text: str, limit: int) -> list[tuple[str, float]]:
        """(id, cosine) of the patterns whose meaning is nearest to a text."""
        with self._lock:
            held = self._caught_up(scope)
            return held.finder.nearest(text, self._room.world.now(), limit) if held.facts else []

    def _asked(self, scope: Scope, query: str, wanted: Wanted, limit: int, all_of_them: bool) -> Found:
        with self._lock:
            held = self._caught_up(scope)
            ids = wanted.among(held.facts)
            found: Found = held.finder.ask(query, self._room.world.now(), ids, limit, all_of_them)
            return found

    def _fitting(self, scope: Scope, wanted: Wanted) -> list[tuple[str, int]]:
        with self._lock:
            facts = self._caught_up(scope).facts
            return [(id_, facts[id_].created) for id_ in wanted.among(facts)]

    def _sums(self, scope: Scope, rows: dict[str, Row], task_type: str | None) -> dict[str, tuple[float, float]]:
        """Good and bad outcomes of each pattern, as they count for the task type."""
        every = {id_: (row["good"], row["bad"]) for id_, row in rows.items()}
        if task_type is None or not rows:
            return every
        asked = {"tenant": scope.tenant, "ids": list(rows), "task_type": task_type, "most": VOICE}
        told = {row["pattern_id"]: row for row in self._room.store.read("pattern_voice_task", asked)}
        return {
            id_: here(both, (told[id_]["good"], told[id_]["bad"]) if id_ in told else (0.0, 0.0))
            for id_, both in every.items()
        }

    def _with_contradictions(self, scope: Scope, hits: Sequence[PatternHit]) -> list[PatternHit]:
        """Each with the patterns that say the opposite."""
        if not hits:
            return []
        pairs = linked(self._room, scope, [hit.pattern.id for hit in hits], "contradicts")
        rows = self._room.seen(scope, sorted({other for others in pairs.values() for other in others}))
        against = {id_: pattern_of(row) for id_, row in rows.items() if row["state"] == "active"}
        return [
            PatternHit(hit.pattern, hit.score, hit.why, _of(against, pairs.get(hit.pattern.id, ())), hit.draw)
            for hit in hits
        ]

    # -- what is held in memory ---------------------------------------------------------------------------------------

    def _caught_up(self, scope: Scope) -> _Held:
        """The patterns that a scope sees, as they are now. Called under the lock."""
        names = [own_scope(scope.agent), SHARED]
        states = {
            row["name"]: (int(row["seq"]), int(row["purges"]))
            for row in self._room.store.read("scope_states", {"tenant": scope.tenant, "names": names})
        }
        own, shared = (states.get(name, (0, 0)) for name in names)
        mates = frozenset(self._room.reader(scope)["mates"]) if shared[0] else frozenset()
        key, seen, purges = (scope.tenant, scope.agent), (own[0], shared[0]), (own[1], shared[1])
        held = self._held.get(key)
        older = held is not None and (seen[0] < held.seen[0] or seen[1] < held.seen[1])  # a store that was restored
        if held is None or older or purges != held.purges or mates != held.mates:
            held = self._held[key] = _Held(self._finder())
            held.purges, held.mates = purges, mates
        self._held.move_to_end(key)
        while len(self._held) > SCOPES:
            self._held.popitem(last=False)
        if seen != held.seen:
            self._take(scope, held)
            held.seen = seen
        return held

    def _take(self, scope: Scope, held: _Held) -> None:
        asked = {"tenant": scope.tenant, "agent": scope.agent}
        for place, name in enumerate(("pattern_changes", "pattern_shared_changes")):
            rows = self._room.store.read(name, {**asked, "seq": held.seen[place]})
            texts = []
            for row in rows:
                mine = row["agent"] == scope.agent
                theirs = row["visibility"] == "public" or (row["visibility"] == "team" and row["agent"] in held.mates)
                there = (mine or theirs) and row["state"] != "merged"
                if there:
                    held.facts[row["id"]] = self._facts(row)
                else:
                    held.facts.pop(row["id"], None)
                texts.append(_loose(row, there))
            held.finder.take(texts)

    def _facts(self, row: Row) -> _Facts:
        tags = frozenset(self._tags(row["tags"]))
        return _Facts(tags=tags, created=row["created_at"], **{name: row[name] for name in _NAMES})


_NAMES = ("kind", "framework", "language", "domain", "task_type", "tier", "state", "polarity")


def _mean(good: float, bad: float) -> float:
    return (1.0 + good) / (2.0 + good + bad)


def _of(patterns: dict[str, Pattern], ids: Collection[str]) -> tuple[Pattern, ...]:
    return tuple(patterns[id_] for id_ in sorted(ids) if id_ in patterns)


def _loose(row: Row, there: bool) -> tuple[Any, ...]:
    """A row as ``segment_changes`` has them of memories."""
    state = "active" if there else "gone"
    head = (row["id"], row["agent"], state, row["visibility"], row["kind"], row["tags"], None, None, 5.0)
    passage = [row[name] for name in ("number", "length", "terms", "vector", "scale", "embedder", "analyzer")]
    return (*head, row["created_at"], None, None, row["seq"], *passage, 0)


def _hit(row: Row, score: float, why: tuple[tuple[str, float], ...], drawn: float | None = None) -> PatternHit:
    return PatternHit(pattern_of(row), round(score, 6), why, draw=drawn)
