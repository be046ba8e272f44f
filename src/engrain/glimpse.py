"""What a process that lives for a blink may have of a home: a look into its store, and a place to leave calls.

Here the parts are wired that a hook needs, and no others: importing the facade takes longer than a hook may live.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from engrain.errors import NotFound, StoreUnavailable
from engrain.intake.redact import redact, redact_value
from engrain.model.scope import Scope
from engrain.spool import Line, Spool

if TYPE_CHECKING:
    from engrain.recall.glance import Glanced
    from engrain.store.glance import Glance

T = TypeVar("T")
SESSIONS = ("claude-code/", "claude-code0")  # keys of what is remembered of sessions lie between these
SESSION_KIND = "context"
SHOWN_SESSIONS = 2
EVEN = 0.5  # odds from which a strategy is worth telling
NEWEST = 6_000  # of an agent's items are looked at, and as many of what others share
SHARE, TERMS = 0.12, 3  # an item holds so much of a question's information, or so many of its words, or is not shown
SURE = 0.4  # ... by one word alone only when it says so much
NEAR = 0.35  # of the best score
MARGIN = 8192  # characters beyond a cut that are read for secrets which it would make unknown: as long as a key is
SAME, ISSUES, ATTEMPTS = 0.5, 5, 60  # share from which an issue is taken for the same; how many, and attempts at them


class Seen(NamedTuple):
    """An item as a hook shows it. ``at`` in µs."""

    id: str
    kind: str
    role: str | None
    content: str
    at: int


class Tried(NamedTuple):
    """A way to solve a problem, how often it was verified to help, and of how many times."""

    commands: tuple[str, ...]
    analysis: str | None
    helped: int
    times: int


class Strategy(NamedTuple):
    """A pattern as a hook shows it. ``odds``: the mean of the posterior of its helping, None when nobody tried it."""

    id: str
    text: str
    avoid: bool
    odds: float | None
    sources: int


class Glimpse:
    """One agent's scope of one home in a folder. With a ``server`` there is only its spool."""

    def __init__(self, home: Path, scope: Scope, now: int, server: str = "") -> None:
        self.home, self.scope, self._now = home, scope, now
        self.spool = Spool(home, server)
        self.sessions = self.spool.sessions(scope.tenant, scope.agent)
        self._store: Glance | None = None

    def about(self, question: str, limit: int, without: Sequence[str] = ()) -> list[Seen]:
        """Items that have much in common with a question, best first; none of those in ``without``."""
        from engrain.recall.analyze import packed
        from engrain.recall.glance import glance

        terms, skipped = packed(question), frozenset(without)

        def look(store: Glance) -> list[Seen]:
            asked = self._asked(limit=NEWEST)
            found = glance(terms, (*store.read("glance_own", asked), *store.read("glance_shared", asked)))
            least = found[0].score * NEAR if found else 0.0
            near = [one.id for one in found if one.score >= least and _is_near(one)]
            near = [id_ for id_ in near if id_ not in skipped][:limit]
            rows = store.read("glance_items", self._asked(ids=near)) if near else []
            places = {id_: place for place, id_ in enumerate(near)}
            return sorted(map(_seen, rows), key=lambda one: places[one.id])

        return self._look(look) if terms else []

    def tried(self, problem: str) -> list[Tried]:
        """What was done about the issues that a problem's words tell of, what was verified to help first; what was only
        said to help is left out."""
        from engrain.recall.analyze import packed
        from engrain.recall.glance import glance

        terms = packed(problem)

        def look(store: Glance) -> list[Any]:
            asked = self._asked(limit=NEWEST)
            found = glance(terms, (*store.read("glance_issues", asked), *store.read("glance_issues_shared", asked)))
            near = [one.id for one in found if one.share >= SAME][:ISSUES]
            return store.read("glance_fixes", self._asked(ids=near, limit=ATTEMPTS)) if near else []

        plans: dict[str, Tried] = {}
        for row in self._look(look) if terms else []:
            if row["success"] and not row["verified"]:
                continue
            before = plans.get(row["plan"]) or Tried(tuple(json.loads(row["commands"])), row["analysis"], 0, 0)
            helped = before.helped + (row["success"] == 1)
            plans[row["plan"]] = before._replace(helped=helped, times=before.times + 1)
        return sorted(plans.values(), key=lambda one: (-(one.helped + 1) / (one.times + 2), -one.times))

    def strategies(self, question: str, limit: int) -> list[Strategy]:
        """Patterns for a question, the nearest first: those that helped, and one at the most that nobody tried yet;
        without a question those that proved themselves."""
        from engrain.recall.analyze import packed
        from engrain.recall.glance import glance

        terms = packed(question)

        def look(store: Glance) -> list[Strategy]:
            if not terms:
                return [_strategy(row) for row in store.read("glance_proven", self._asked(limit=limit))]
            found = glance(terms, store.read("glance_patterns", self._asked(limit=NEWEST)))
            least = found[0].score * NEAR if found else 0.0
            near = [one.id for one in found if one.score >= least and _is_near(one)][: 4 * limit]
            rows = store.read("glance_pattern_items", self._asked(ids=near)) if near else []
            places = {id_: place for place, id_ in enumerate(near)}
            tried = [_strategy(row) for row in sorted(rows, key=lambda row: places[row["id"]])]
            new = [one for one in tried if one.odds is None and not one.avoid][:1]
            return [one for one in tried if one in new or (one.odds or (1.0 if one.avoid else 0.0)) >= EVEN][:limit]

        return self._look(look)

    def standing(self, limit: int) -> list[Seen]:
        """What to know without a question: the last two sessions, those that still wait in the spool among them, then
        what is pinned, then what matters most."""
        first, past = SESSIONS
        between = {"first": first, "past": past}
        waiting = [line for line in self.spool.waiting("remember") if self._mine(line)]

        def look(store: Glance) -> list[Seen]:
            kept = store.read("glance_keys", self._asked(kind=SESSION_KIND, limit=SHOWN_SESSIONS, **between))
            best = store.read("glance_best", self._asked(limit=limit, **between))
            sessions = [*_latest(waiting), *map(_seen, kept)]
            return [*sessions[:SHOWN_SESSIONS], *map(_seen, best)]

        seen = self._look(look) or _latest(waiting)[:SHOWN_SESSIONS]
        unique = {one.content: one for one in seen}
        return list(unique.values())[:limit]

    def leave(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> bool:
        """Have verbs called by whoever opens the home next, without secrets in them; False when too much waits already.
        Raises OSError."""
        whose = {"tenant": self.scope.tenant, "agent": self.scope.agent, "team": self.scope.team}
        return self.spool.add([{"do": verb, **whose, "with": redact_value(given)[0]} for verb, given in calls])

    def close(self) -> None:
        """Let the store go."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _look(self, look: Callable[[Glance], list[T]]) -> list[T]:
        """What a look into the store gives; nothing where there is none, or where it cannot be read now, which is
        noted."""
        try:
            if self._store is None:
                from engrain.store.glance import Glance

                self._store = Glance(self.home)
            return look(self._store)
        except NotFound:
            return []
        except StoreUnavailable as error:
            self.spool.log({"at": self._now, "event": "look", "error": f"{type(error).__name__}: {error}"})
            return []

    def _asked(self, **more: Any) -> dict[str, Any]:
        return {"tenant": self.scope.tenant, "agent": self.scope.agent, "now": self._now, **more}

    def _mine(self, line: Line) -> bool:
        return line.get("do") == "remember" and line.get("agent") == self.scope.agent and (
            line.get("tenant") == self.scope.tenant
        )  # fmt: skip


def _strategy(row: Any) -> Strategy:
    said = " ".join(str(row["content"] or row["description"]).split())
    text = f"{row['title']}: {said}" if said else str(row["title"])
    odds = (row["good"] + 1.0) / (row["good"] + row["bad"] + 2.0) if row["lineages"] else None
    return Strategy(row["id"], text, row["polarity"] == "avoid", odds, row["lineages"])


def _is_near(one: Glanced) -> bool:
    return one.share >= (SURE if one.terms == 1 else SHARE) or one.terms >= TERMS


def cleaned(text: str) -> str:
    """The text without secrets."""
    return redact(text).text


def clipped(text: str, head: int, tail: int = 0) -> str:
    """The first and the last characters of a text without its secrets. They are taken out before it is cut: nobody
    would know half of one again."""
    if len(text) <= head + tail + 2 * MARGIN:
        text = cleaned(text)
        return text if len(text) <= head + tail else f"{text[:head]}\n…\n{text[-tail:]}" if tail else text[:head]
    first, last = cleaned(text[: head + MARGIN]), cleaned(text[-tail - MARGIN :]) if tail else ""
    first, last = first[: min(head, len(first) - MARGIN)], last[max(MARGIN, len(last) - tail) :]
    return f"{first}\n…\n{last}" if tail else first


def _latest(lines: Sequence[Line]) -> list[Seen]:
    """What waits to be remembered of sessions, newest first, the last version of each."""
    latest = {str(line["with"].get("key")): line["with"] for line in lines if isinstance(line.get("with"), dict)}
    return [
        Seen("", one["kind"], None, str(one["content"]), int(one["occurred_at"])) for one in reversed(latest.values())
    ]


def _seen(row: Any) -> Seen:
    return Seen(row["id"], row["kind"], row["role"], row["content"], row["at"])
