"""What a process that lives for a blink may have of a home: a look into its store, and a place to leave calls.

Here the parts are wired that a hook needs, and no others: importing the facade takes longer than a hook may live.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from engrain.errors import StoreUnavailable
from engrain.intake.redact import redact_value
from engrain.model.scope import Scope
from engrain.spool import Line, Spool

SESSIONS = ("claude-code/", "claude-code0")  # keys of what is remembered of sessions lie between these
SESSION_KIND = "context"
NEWEST = 6_000  # of an agent's items are looked at, and as many of what others share
SHARE, TERMS = 0.2, 3  # an item holds so much of a question's information, or so many of its words, or is not shown
NEAR = 0.35  # of the best score
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


class Glimpse:
    """One agent's scope of one home in a folder. Looking raises StoreUnavailable when the store cannot be read now."""

    def __init__(self, home: Path, scope: Scope, now: int) -> None:
        self.home, self.scope, self._now = home, scope, now
        self.spool = Spool(home)

    def about(self, question: str, limit: int, without: Sequence[str] = ()) -> list[Seen]:
        """Items that have much in common with a question, best first; none of those in ``without``."""
        from engrain.recall.analyze import packed
        from engrain.recall.glance import glance

        terms = packed(question)
        if not terms:
            return []
        with self._open() as store:
            asked = self._asked(limit=NEWEST)
            found = glance(terms, (*store.read("glance_own", asked), *store.read("glance_shared", asked)))
            least = found[0].score * NEAR if found else 0.0
            skipped = frozenset(without)
            near = [one.id for one in found if one.score >= least and (one.share >= SHARE or one.terms >= TERMS)]
            near = [id_ for id_ in near if id_ not in skipped][:limit]
            rows = store.read("glance_items", self._asked(ids=near)) if near else []
        places = {id_: place for place, id_ in enumerate(near)}
        return sorted(map(_seen, rows), key=lambda one: places[one.id])

    def tried(self, problem: str) -> list[Tried]:
        """What was done about the issues that a problem's words tell of, what was verified to help first; what was only
        said to help is left out."""
        from engrain.recall.analyze import packed
        from engrain.recall.glance import glance

        terms = packed(problem)
        if not terms:
            return []
        with self._open() as store:
            asked = self._asked(limit=NEWEST)
            found = glance(terms, (*store.read("glance_issues", asked), *store.read("glance_issues_shared", asked)))
            near = [one.id for one in found if one.share >= SAME][:ISSUES]
            rows = store.read("glance_fixes", self._asked(ids=near, limit=ATTEMPTS)) if near else []
        plans: dict[str, Tried] = {}
        for row in rows:
            if row["success"] and not row["verified"]:
                continue
            before = plans.get(row["plan"]) or Tried(tuple(json.loads(row["commands"])), row["analysis"], 0, 0)
            helped = before.helped + (row["success"] == 1)
            plans[row["plan"]] = before._replace(helped=helped, times=before.times + 1)
        return sorted(plans.values(), key=lambda one: (-(one.helped + 1) / (one.times + 2), -one.times))

    def standing(self, limit: int) -> list[Seen]:
        """What to know without a question: the last two sessions, those that still wait in the spool among them, then
        what is pinned, then what matters most."""
        first, past = SESSIONS
        between = {"first": first, "past": past}
        waiting = [line for line in self.spool.waiting() if self._mine(line)]
        sessions, best = _latest(waiting), []
        with suppress(StoreUnavailable), self._open() as store:
            asked = self._asked(kind=SESSION_KIND, limit=3, **between)
            sessions += [_seen(row) for row in store.read("glance_keys", asked)]
            best = [_seen(row) for row in store.read("glance_best", self._asked(limit=limit, **between))]
        unique = {one.content: one for one in [*sessions[:2], *best]}
        return list(unique.values())[:limit]

    def leave(self, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> bool:
        """Have verbs called by whoever opens the home next, without secrets in them; False when too much waits already.
        Raises OSError."""
        whose = {"tenant": self.scope.tenant, "agent": self.scope.agent, "team": self.scope.team}
        return self.spool.add([{"do": verb, **whose, "with": redact_value(given)[0]} for verb, given in calls])

    def _open(self) -> Any:
        from engrain.store.glance import Glance

        return Glance(self.home)

    def _asked(self, **more: Any) -> dict[str, Any]:
        return {"tenant": self.scope.tenant, "agent": self.scope.agent, "now": self._now, **more}

    def _mine(self, line: Line) -> bool:
        return line.get("do") == "remember" and line.get("agent") == self.scope.agent and (
            line.get("tenant") == self.scope.tenant
        )  # fmt: skip


def _latest(lines: Sequence[Line]) -> list[Seen]:
    """What waits to be remembered of sessions, newest first, the last version of each."""
    latest = {str(line["with"].get("key")): line["with"] for line in lines if isinstance(line.get("with"), dict)}
    return [
        Seen("", one["kind"], None, str(one["content"]), int(one["occurred_at"])) for one in reversed(latest.values())
    ]


def _seen(row: Any) -> Seen:
    return Seen(row["id"], row["kind"], row["role"], row["content"], row["at"])
