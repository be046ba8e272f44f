"""Outcomes into the store: one experience per decision, credit to the action taken, revisions that replace.

A write transaction first bumps the change numbers of every scope it touches, the tenant's before its agents'. That
locks them until its end: observers of one task type follow one another, and nobody waits in a circle.

What was settled long ago is archived meanwhile by somebody who takes none of these locks (see ``past``). Whoever finds
a row gone, or that something else is archived than before, begins again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from engrain.errors import (
    ActionNotOffered,
    ArchiveConflict,
    EngrainError,
    InvalidField,
    InvalidInput,
    NotFound,
    UnknownDecision,
)
from engrain.learn.books import Books
from engrain.learn.credit import TENANT, Ledger, contribution, scope_name
from engrain.learn.drift import Drifts
from engrain.learn.experience import experience_from_row, verdict
from engrain.learn.fields import checked_number, checked_text, optional_text
from engrain.learn.outcome import checked_outcome, revised
from engrain.learn.past import Past, Record
from engrain.learn.policies import Policies
from engrain.learn.reward import reward_of, weight_of
from engrain.learn.state import State, checked_state, merged, stored_state, without
from engrain.learn.watch import Alarm, Heard, Watch
from engrain.model.decision import Advice, Experience, Outcome
from engrain.model.scope import Scope
from engrain.store.port import Row, Store, Transaction
from engrain.world import World, from_micros

BATCH = 1_000
TRIES = 20  # while others archive
T = TypeVar("T")
_STEP = ("task_type", "state", "action", "outcome", "next_state", "propensity", "episode", "task_id")
_DECIDED = ("decision_id", "advice", "outcome", "action")


class _Moved(Exception):
    """Rows were archived, or brought back, meanwhile."""


@dataclass(frozen=True, slots=True)
class _Archived:
    """A decision with its experience out of the archive, and the standing of this when it was read."""

    standing: tuple[int, ...]
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Replayed:
    """What was archived, added up: by whom and of which task types; ``standing``: that of the archive before."""

    standing: tuple[int, ...]
    drifts: Mapping[tuple[str, str], str]  # those known then
    ledger: Ledger
    scopes: set[tuple[str, str]]
    used: int


@dataclass(frozen=True, slots=True)
class _Report:
    """One checked row: the outcome of a logged decision, or of a step that nobody advised."""

    task_type: str
    state: State
    outcome: Outcome
    action: str | None  # None: the action of the decision
    decision: Record | None = None
    archived: _Archived | None = None
    next_state: State | None = None
    propensity: float | None = None
    episode: str | None = None
    task_id: str | None = None


class Recorder:
    """Writes experiences and keeps the sums of Q-values in step with them."""

    def __init__(
        self,
        store: Store,
        world: World,
        past: Past | None = None,
        alarm: Alarm | None = None,
    ) -> None:
        self._store, self._world, self._past = store, world, past
        self._watch = Watch(Policies(store, world), alarm)

    def record(self, scope: Scope, rows: Iterable[Mapping[str, Any]]) -> list[Experience]:
        """Record rows in one transaction, all or none; the error of a bad row names its number, counted from 0."""
        given = list(rows)
        return _unmoved(lambda: self._record(scope, given))

    def _record(self, scope: Scope, given: Sequence[Mapping[str, Any]]) -> list[Experience]:
        reports = []
        for number, row in enumerate(given):
            try:
                reports.append(self._checked(scope, row))
            except (InvalidInput, NotFound) as error:
                raise _named(error, number, len(given)) from error
        if not reports:
            return []
        now, ledger, told, done = self._world.now(), Ledger(), Heard(), []
        with self._store.transaction(scope.tenant) as tx:
            agents = (scope.agent, TENANT)
            seqs = bump(tx, scope.tenant, {(agent, report.task_type) for report in reports for agent in agents})
            self._take_back(tx, scope, reports, now)
            drifts = Drifts(tx, scope.tenant, scope.agent)
            for number, report in enumerate(reports):
                try:
                    done.append(self._enter(tx, scope, report, Books(ledger, drifts, told), now))
                except InvalidInput as error:
                    raise _named(error, number, len(given)) from error
            tx.run_many("q_add", list(ledger.params(scope.tenant, seqs)))
            if fallen := drifts.settle():
                outdated = Ledger()
                for task_type, fall in fallen.items():
                    drifts.outdate(task_type, fall, now, outdated)
                bump(tx, scope.tenant, {(scope.agent, task_type) for task_type in fallen}, purges=1)
                tx.run_many("q_add", list(outdated.params(scope.tenant, seqs)))
            self._watch.see(tx, scope.tenant, told)
        return done

    def rebuild(self, tenant: str) -> int:
        """Make the tenant's Q-values anew from its experiences, archived ones among them, in one transaction; the
        number of experiences used. Raises ArchiveError when those cannot be read: then nothing was changed."""
        return _unmoved(lambda: self._rebuild(tenant))

    def _rebuild(self, tenant: str) -> int:
        past, cold = self._past, self._replayed(tenant)
        with self._store.transaction(tenant) as tx:
            task_types = {task_type for _, task_type in _scopes(tx, tenant) | cold.scopes}
            seqs = bump(tx, tenant, ((TENANT, task_type) for task_type in task_types), purges=1)
            found = _scopes(tx, tenant) | cold.scopes | {(TENANT, task_type) for _, task_type in cold.scopes}
            scopes = {pair for pair in found if pair[1] in task_types}  # nobody can add to these any more
            seqs |= bump(tx, tenant, (pair for pair in scopes if pair[0] != TENANT), purges=1)
            drifts = _drifts(tx, tenant)
            if past is not None:
                past.hold(tx)
                if (cold.standing, cold.drifts) != (past.standing(tx, tenant), drifts):
                    cold = self._replayed(tenant, drifts)
            ledger, used, after = cold.ledger, cold.used, ""
            while rows := tx.read("experience_all", {"tenant": tenant, "after": after, "limit": BATCH}):
                after = rows[-1]["id"]
                for row in rows:
                    if (row["agent"], row["task_type"]) not in scopes:
                        continue  # a task type that began after the locks were taken: its observers keep its sums
                    _replay(ledger, row, drifts)
                    used += 1
            if past is not None and past.standing(tx, tenant) != cold.standing:
                raise _Moved
            for agent, task_type in sorted(scopes):
                tx.run("q_forget", {"tenant": tenant, "agent": agent, "task_type": task_type})
            tx.run_many("q_add", list(ledger.params(tenant, seqs)))
        return used

    def _replayed(self, tenant: str, drifts: Mapping[tuple[str, str], str] | None = None) -> _Replayed:
        past, ledger, scopes, used = self._past, Ledger(), set(), 0
        drifts = _drifts(self._store, tenant) if drifts is None else drifts
        standing = past.standing(self._store, tenant) if past else ()
        for row in past.replay(tenant) if past else ():
            _replay(ledger, row, drifts)
            scopes.add((row["agent"], row["task_type"]))
            used += 1
        return _Replayed(standing, drifts, ledger, scopes, used)

    # -- checking ------------------------------------------------------------------------------------------------------

    def _checked(self, scope: Scope, row: object) -> _Report:
        if not isinstance(row, Mapping):
            raise InvalidField(f"a row must be a mapping of fields, not {type(row).__name__}.")
        decided = "decision_id" in row or "advice" in row
        known = _DECIDED if decided else _STEP
        unknown = [name for name in row if name not in known]
        if unknown:
            raise InvalidField(f"there is no field {unknown[0]!r} here; the fields are {', '.join(known)}.")
        outcome = checked_outcome(row.get("outcome"))
        if decided:
            return self._decided(scope, row.get("advice", row.get("decision_id")), outcome, row.get("action"))
        propensity = row.get("propensity")
        if propensity is not None and checked_number("propensity", propensity, 0.0, 1.0) == 0.0:
            raise InvalidField("propensity must be above 0: the action was taken. Leave it out when it is not known.")
        next_state = row.get("next_state")
        return _Report(
            task_type=checked_text("task_type", row.get("task_type")),
            state=checked_state(row.get("state")),
            outcome=outcome,
            action=checked_text("action", row.get("action")),
            next_state=None if next_state is None else checked_state(next_state, "next_state"),
            propensity=None if propensity is None else float(propensity),
            episode=optional_text("episode", row.get("episode")),
            task_id=optional_text("task_id", row.get("task_id")),
        )

    def _decided(self, scope: Scope, advice: object, outcome: Outcome, action: object) -> _Report:
        identity = advice.decision_id if isinstance(advice, Advice) else checked_text("the decision id", advice)
        params = {"id": identity, "tenant": scope.tenant, "agent": scope.agent}
        found, archived = self._store.read("decision_find", params), None
        if not found and self._past is not None:
            archived = self._archived(scope, identity)
        if not found and archived is None:
            raise UnknownDecision(f"The decision {identity!r} was not given by advise() to agent {scope.agent!r}.")
        decision: Record = found[0] if archived is None else archived.row["decision"]
        name = optional_text("action", action)
        options = None if decision["options"] is None else json.loads(decision["options"])
        if name is not None and options is not None and name not in options:
            raise ActionNotOffered(
                f"The action {name!r} was not offered; the options were {', '.join(options)}. "
                "Use observe_step() for an action that was taken without asking."
            )
        state = stored_state(decision["state"])
        if isinstance(options, dict) and name not in (None, decision["action"]):
            state = merged(without(state, options[decision["action"]]), options[name])
        return _Report(
            decision["task_type"], state, outcome, name, decision, archived=archived, episode=decision["episode"]
        )

    def _archived(self, scope: Scope, identity: str) -> _Archived | None:
        """A decision that is not in the store. Raises _Moved when it may be there by now."""
        assert self._past is not None  # noqa: S101 (asked before)
        standing = self._past.standing(self._store, scope.tenant)
        row = self._past.of_decision(scope, identity)
        if row is not None:
            return _Archived(standing, row)
        params = {"id": identity, "tenant": scope.tenant, "agent": scope.agent}
        if self._store.read("decision_find", params):
            raise _Moved
        return None

    # -- writing -------------------------------------------------------------------------------------------------------

    def _take_back(self, tx: Transaction, scope: Scope, reports: Sequence[_Report], now: int) -> None:
        """Bring archived decisions back, each once, with what came of them."""
        found = {one.archived.row["id"]: one.archived for one in reports if one.archived is not None}
        if not found or self._past is None:
            return
        now_standing = self._past.standing(tx, scope.tenant)
        if any(one.standing != now_standing for one in found.values()):
            raise _Moved
        for one in found.values():
            self._past.take_back(tx, one.row, now)

    def _enter(self, tx: Transaction, scope: Scope, report: _Report, books: Books, now: int) -> Experience:
        if report.decision is not None:
            params = {"tenant": scope.tenant, "agent": scope.agent, "decision_id": report.decision["id"]}
            known = tx.read("experience_of_decision", params)
            if known:
                return _revise(tx, known[0], report, books, now)
            if not tx.read("decision_find", {**params, "id": report.decision["id"]}):
                raise _Moved
        experience = self._fresh(scope, report, now)
        weight = weight_of(experience.outcome)
        columns = {
            "task_type": experience.task_type,
            "decision_id": experience.decision_id,
            "state": report.state.text,
            "state_key": report.state.key,
            "next_state": None if report.next_state is None else report.next_state.text,
            "episode": experience.episode,
            "task_id": experience.task_id,
            "revision": 0,
            "created_at": now,
            "updated_at": now,
        }
        tx.run("experience_insert", {**verdict(experience, weight), **columns})
        books.credit(experience, (report.state.key, report.state.text), weight)
        books.follow(experience, weight, report.decision)
        if report.decision is not None:
            books.told.add(report.decision["policy"], report.decision["action"], experience)
        return experience

    def _fresh(self, scope: Scope, report: _Report, now: int) -> Experience:
        action, propensity = report.action, report.propensity
        if report.decision is not None:
            action = action or report.decision["action"]
            propensity = _drawn(report.decision, action)
        if action is None:
            raise InvalidField("this advice abstained: say with action= which action was taken.")
        return Experience(
            id=self._world.new_id(),
            tenant=scope.tenant,
            agent=scope.agent,
            task_type=report.task_type,
            state=report.state.values,
            action=action,
            outcome=report.outcome,
            reward=reward_of(report.outcome),
            created_at=from_micros(now),
            updated_at=from_micros(now),
            decision_id=None if report.decision is None else report.decision["id"],
            propensity=propensity,
            next_state=None if report.next_state is None else report.next_state.values,
            episode=report.episode,
            task_id=report.task_id,
        )


def _revise(tx: Transaction, row: Row, report: _Report, books: Books, now: int) -> Experience:
    """Replace the outcome of a decision; the same outcome again changes nothing. Who took the action stays as told."""
    assert report.decision is not None  # noqa: S101 (only decisions are revised)
    before = experience_from_row(row)
    outcome, action = revised(before.outcome, report.outcome), report.action or before.action
    if (outcome, action) == (before.outcome, before.action):
        return before
    after = replace(
        before,
        outcome=outcome,
        action=action,
        propensity=_drawn(report.decision, action),
        reward=reward_of(outcome),
        updated_at=from_micros(now),
        revision=before.revision + 1,
    )
    weight, state = weight_of(outcome), (row["state_key"], row["state"])
    if not tx.run("experience_revise", {**verdict(after, weight), "now": now}):
        raise _Moved
    books.credit(before, state, row["weight"], sign=-1)
    books.credit(after, state, weight)
    decision = report.decision
    books.told.add(decision["policy"], decision["action"], after, before)
    if before.reward is None:
        books.follow(after, weight, decision)
    return after


def _unmoved(attempt: Callable[[], T]) -> T:
    """What an attempt gives in which nothing was moved."""
    for _ in range(TRIES):
        with suppress(_Moved):
            return attempt()
    raise ArchiveConflict("Experiences are being archived.")


def _replay(ledger: Ledger, row: Record, drifts: Mapping[tuple[str, str], str]) -> None:
    old = row["id"] < drifts.get((row["agent"], row["task_type"]), "")
    state, told = (row["state_key"], row["state"]), contribution(row["reward"], row["weight"], old)
    ledger.add(row["agent"], row["task_type"], state, row["action"], told)


def _drifts(at: Store | Transaction, tenant: str) -> dict[tuple[str, str], str]:
    """By agent and task type: the id before which experiences are old."""
    return {(row["agent"], row["task_type"]): row["since"] for row in at.read("drift_all", {"tenant": tenant})}


def _drawn(decision: Record, action: str | None) -> float | None:
    """The propensity of an action that was drawn; an action chosen by someone else has none."""
    return decision["propensity"] if action == decision["action"] else None


def _scopes(tx: Transaction, tenant: str) -> set[tuple[str, str]]:
    found = {(row["agent"], row["task_type"]) for row in tx.read("q_scopes", {"tenant": tenant})}
    return found | {(TENANT, task_type) for _, task_type in found}


def bump(tx: Transaction, tenant: str, scopes: Iterable[tuple[str, str]], purges: int = 0) -> dict[str, int]:
    """Lock and count the scopes of (agent, task type) pairs; their change numbers by name."""
    params = {"tenant": tenant, "purges": purges}
    names = [scope_name(*pair) for pair in sorted(scopes)]  # the tenant's first: its agent is ""
    return {name: int(tx.read("scope_bump", {**params, "name": name})[0]["seq"]) for name in names}


def _named(error: EngrainError, number: int, rows: int) -> EngrainError:
    return error if rows == 1 else type(error)(f"row {number}: {error.detail}")
