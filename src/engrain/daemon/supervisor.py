"""Runs the roles that are due. When each is due next, what it came to and how often it failed in a row is in the store,
so that it does not matter which process looks, how often, or that none did for a month: missed runs become one.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from engrain.daemon.health import MUCH, overdue, score
from engrain.daemon.registry import daemons
from engrain.daemon.roles import FAILED, Role, Work
from engrain.errors import EngrainError, StoreCorrupt
from engrain.lifecycle.alerts import alerts, raise_alerts, settle_alerts
from engrain.model.report import Check
from engrain.model.run import DaemonStatus, RoleState, Run
from engrain.store.leases import Held, Lease, gone, holding, process, release
from engrain.store.port import Row, Store
from engrain.store.rows import to_json
from engrain.world import World, from_micros

MINUTE = 60_000_000  # µs
RETRY = 15 * MINUTE  # after which a role that failed is due again, if it is not due before
FAILURES = 3  # in a row, then an alert is raised
EARLY = 24  # what is run early because much waits is not begun again before this part of its interval is over
LATE = 4  # what can wait is not late yet by this part of its interval
LOAD = 2.0  # processes that wait for each core; beyond it a daemon runs only what cannot wait
WAITS = "the machine is busy: a daemon runs it once it is late by a quarter"
MOST = 4000  # characters of an error that are kept
PAUSED, OFF = "it is paused", "the lifecycle of this home is off"
ELSEWHERE = "another process runs it, or has just done so"
SILENT = "nothing was heard of its process any more"
ASKED, SPENT = "it was asked to stop", "its time for one run was over"

More = Callable[[Collection[str] | None], Iterable[Role]]

_log = logging.getLogger(__name__)


class Supervisor:
    """The roles of one home, for one process. A run may take so many ``minutes``; after half of them it is asked to
    stop where it can go on. ``more`` gives the roles that are not engrain's own, all or those of some names; it is
    asked when they are needed, and may take long."""

    def __init__(
        self, store: Store, world: World, roles: Sequence[Role], minutes: float = 60.0, more: More = lambda only: ()
    ) -> None:
        self._store = store
        self._world = world
        self._own, self._roles = roles, {role.name: role for role in roles}
        self._more: More | None = more
        self._limit = int(minutes * MINUTE)

    def apart(self, more: More) -> Supervisor:
        """Another one with the same roles of engrain's own, but with ``more``."""
        return Supervisor(self._store, self._world, self._own, self._limit / MINUTE, more)

    # -- running ------------------------------------------------------------------------------------------------------

    def tick(
        self,
        only: Collection[str] | None = None,
        *,
        dry: bool = False,
        due: bool = False,
        stop: Callable[[], bool] = lambda: False,
    ) -> list[Run]:
        """Run each role once that is due, or those of ``only`` whether they are due or not (with ``due``: those that
        are), in their order. A role that fails is told of as failed and does not stop the others. Raises a StoreError
        when that cannot be written."""
        self.close_lost()
        on, asked = self.lifecycle(), only is not None and not due
        done: list[Run] = []
        for name, role in self._known(only).items():
            if stop() or not (only is None or name in only):
                continue
            state = self._states().get(name) or self._claimed(role)
            if not asked and not self._is_due(role, state):
                continue
            why = PAUSED if state["paused"] else OFF if role.ages and not on else ""
            run = None if why else self._run_alone(role, asked, dry, stop)
            done.append(run or self._skipped(name, dry, why or ELSEWHERE))
        return done

    def _run_alone(self, role: Role, asked: bool, dry: bool, stop: Callable[[], bool]) -> Run | None:
        """Run a role, unless another process does or did meanwhile."""
        id_ = self._world.new_id()  # of the run, which alone holds the lease: threads of one process are apart as well
        until = self._world.now() + self._limit
        with holding(self._store, self._world, f"role:{role.name}", id_=id_, until=until) as held:
            if held is None:
                return None
            state = self._states()[role.name]
            return self._run(id_, role, state, held, dry, stop) if asked or self._is_due(role, state) else None

    def _run(self, id_: str, role: Role, state: Row, held: Held, dry: bool, stop: Callable[[], bool]) -> Run:
        begun, lease = self._world.now(), held.lease
        row: dict[str, Any] = {"id": id_, "role": role.name, "dry": int(dry), "holder": lease.holder}
        row |= {"token": lease.token, "started_at": begun}
        marks: list[Any] = [] if dry else [("role_begin", {"name": role.name, "now": begun})]
        self._store.write([("run_begin", {**row, "ends_by": begun + self._limit}), *marks])
        spent = False

        def over() -> bool:
            nonlocal spent
            spent = spent or self._world.now() >= begun + self._limit // 2
            return held.lost() or stop() or spent

        findings: dict[str, Any] = {}
        checkpoint, error = state["checkpoint"], None
        try:
            found, checkpoint = role.run(Work(held.store, self._world, dry, checkpoint, over, self._fare, held.guard))
            findings, outcome = dict(found), "done" if checkpoint is None else "interrupted"
            if checkpoint is not None:
                error = f"{SPENT if spent else ASKED}, and goes on from there"
        except (Exception, SystemExit) as failure:  # noqa: BLE001 (whatever it is, it is told, and the others go on)
            clear = isinstance(failure, EngrainError) and ":" not in role.name  # a plug-in's author needs the traceback
            _log.warning("role %s failed: %s", role.name, failure, exc_info=not clear)
            outcome, error = "failed", named(failure)
        self._end(row, outcome, error, findings, checkpoint)
        started, ended = from_micros(begun), from_micros(self._world.now())
        return Run(id_, role.name, outcome, dry, started, ended, findings, error)

    def _end(
        self,
        row: Mapping[str, Any] | Row,
        outcome: str,
        error: str | None,
        findings: Mapping[str, Any],
        checkpoint: str | None,
        fault: bool = False,
    ) -> None:
        """End a run, if nobody else has, and tell its role when it is due again: at the next of its times, or when it
        failed, soon, or when it was interrupted, at once. With ``fault``, it was interrupted because its process ended:
        the second time in a row that is like a failure, since it may well be the role that ends processes."""
        now, role = self._world.now(), self._known([row["role"]]).get(row["role"])
        end = {"id": row["id"], "token": row["token"], "state": outcome, "now": now, "error": error}
        with self._store.transaction("*") as tx:
            ended = tx.run("run_end", {**end, "findings": to_json(findings)})
            state = next((one for one in tx.read("role_list") if one["name"] == row["role"]), None)
            if not ended or row["dry"] or state is None or role is None:
                return
            failures, due = state["failures"], min(state["due_at"], now)
            if outcome == "done":
                failures, due = 0, self._next(role, row["started_at"])
            elif outcome == "failed" or (fault and failures):
                due = min(self._next(role, row["started_at"]), now + RETRY)
                checkpoint = None  # begin anew: perhaps it is the place to go on from that is wrong
            failures += outcome == "failed" or fault
            tx.run("role_end", {"name": role.name, "due_at": due, "checkpoint": checkpoint, "failures": failures})
            if failures >= FAILURES:
                wrong = {role.name: f"failed {failures} times in a row, lately with {error}"}
                raise_alerts(tx, self._world, FAILED, wrong)
            elif not failures:
                settle_alerts(tx, self._world, FAILED, [role.name])

    # -- what others left ---------------------------------------------------------------------------------------------

    def close_lost(self) -> None:
        """Runs of processes that are gone end as interrupted, with the reason, and their roles are free at once; each
        counts as a failure of its role."""
        for row in self._store.read("run_open", {"now": self._world.now()}):
            why = gone(row["holder"]) or (None if row["held"] else SILENT)
            if why:
                self._close(row, why, fault=True)

    def ended(self, pid: int, role: str, why: str, *, failed: bool, asked: bool = False) -> None:
        """A process that this one started for a role is gone, perhaps because it was ``asked`` to stop. Its run is
        closed; when it ``failed`` before it had one, that is told in a run of its own."""
        mine = f"{process(pid)}|"
        rows = self._store.read("run_open", {"now": self._world.now()})
        left = [row for row in rows if row["holder"].startswith(mine)]
        for row in left:
            self._close(row, why, fault=not asked)
        begun = left or any(row["holder"].startswith(mine) for row in self._store.read("run_latest", {"role": role}))
        if failed and not begun and not asked:
            id_, now = self._world.new_id(), self._world.now()
            row = {"id": id_, "role": role, "dry": 0, "holder": f"{mine}{id_}", "token": 0, "started_at": now}
            self._store.write([("run_begin", {**row, "ends_by": now})])
            self._end(row, "failed", why, {}, None)

    def _close(self, row: Row, why: str, fault: bool) -> None:
        self._end(row, "interrupted", why, {}, row["checkpoint"], fault)
        release(self._store, Lease(f"role:{row['role']}", row["holder"], int(row["token"]), 0))

    def _skipped(self, name: str, dry: bool, why: str) -> Run:
        now = from_micros(self._world.now())
        return Run("", name, "skipped", dry, now, now, {}, why)

    # -- when ---------------------------------------------------------------------------------------------------------

    def due(self, patient: bool = False) -> list[str]:
        """The roles that are due, may run and are run by nobody, in their order. ``patient``: without what can wait,
        as it is not late by a quarter of its interval."""
        on, now = self.lifecycle(), self._world.now()
        found = []
        for name, role in self._known().items():
            state = self._states().get(name) or self._claimed(role)
            if state["paused"] or (role.ages and not on) or not self._is_due(role, state):
                continue
            if not (patient and now - state["due_at"] < role.every // LATE) and not self._held(name):
                found.append(name)
        return found

    def _held(self, name: str) -> bool:
        rows = self._store.read("lease_find", {"name": f"role:{name}"})
        return bool(rows) and rows[0]["expires_at"] > self._world.now() and gone(rows[0]["holder"]) is None

    def _is_due(self, role: Role, state: Row) -> bool:
        """Also when it would be due later than it ever is: then the clock was put back, or the interval shortened; and
        early, when much waits."""
        now = self._world.now()
        return bool(now >= state["due_at"] or state["due_at"] > now + role.every or self._much_waits(role, state))

    def _much_waits(self, role: Role, state: Row | None) -> bool:
        if role.backlog is None:
            return False
        begun = state["begun_at"] if state else None
        rested = begun is None or not begun <= self._world.now() < begun + role.every // EARLY
        return rested and role.backlog(self._store, self._world.now())

    def _next(self, role: Role, after: int) -> int:
        """The first moment after ``after`` at which it is due."""
        begun = 0 if role.midnight else self._born()
        return begun + role.every * ((after - begun) // role.every + 1)

    def _born(self) -> int:
        return int(self._store.read("home_get", {"name": "created_at"})[0]["value"])

    def _states(self) -> dict[str, Row]:
        return {row["name"]: row for row in self._store.read("role_list")}

    def _claimed(self, role: Role) -> Row:
        """A role that the home has not seen yet: it is due for the first time one interval after the home was made."""
        self._store.write([("role_claim", {"name": role.name, "due_at": self._next(role, self._born())})])
        return self._states()[role.name]

    # -- looking and steering -----------------------------------------------------------------------------------------

    def lifecycle(self, on: bool | None = None) -> bool:
        """Whether memories age in this home; with ``on``, from now on: not for the time for which it was off."""
        if on is not None:
            now = self._world.now()
            with self._store.transaction("*") as tx:
                before = tx.read("home_get", {"name": "lifecycle"})
                tx.run("home_set", {"name": "lifecycle", "value": "on" if on else "off"})
                if on and not (before and before[0]["value"] == "on"):
                    tx.run("agents_fade", {"now": now})
        found = self._store.read("home_get", {"name": "lifecycle"})
        return bool(found) and found[0]["value"] == "on"

    def pause(self, paused: bool, only: Collection[str] | None = None) -> None:
        """Pause all roles or some, or let them go on."""
        roles, known = self._known(only), self._states()
        names = roles if only is None else only
        for name in names:
            if name not in known:
                self._claimed(roles[name])
        self._store.write([("role_pause", {"names": list(names), "paused": int(paused)})])

    def roles(self) -> list[RoleState]:
        """Every role in its order."""
        self._known()
        return self._fare()

    def names(self, only: Collection[str] | None = None, past: bool = False) -> list[str]:
        """The roles that there are, or of ``only`` at least those; with ``past``, those that the home ever had too."""
        return [*self._known(only), *(self._states() if past else ())]

    def _known(self, only: Collection[str] | None = None) -> dict[str, Role]:
        """Every role, or at least those of ``only`` that there are."""
        if self._more is not None and (only is None or any(name not in self._roles for name in only)):
            self._roles = {**self._roles, **{role.name: role for role in self._more(only)}}
            self._more = None if only is None else self._more
        return self._roles

    def _fare(self) -> list[RoleState]:
        """How the roles fare that were needed yet."""
        states, on = self._states(), self.lifecycle()
        last = {row["role"]: told(row) for row in self._store.read("run_last")}
        found = []
        for name, role in self._roles.items():
            state = states.get(name)
            due = state["due_at"] if state else self._next(role, self._born())
            now = "paused" if state and state["paused"] else "off" if role.ages and not on else "on"
            failures = state["failures"] if state else 0
            note = self._note(role, state, due) if now == "on" else None
            if role.broken:
                now, note = "broken", role.broken
            found.append(RoleState(name, now, role.every / 1e6, from_micros(due), failures, last.get(name), note))
        return found

    def _note(self, role: Role, state: Row | None, due: int) -> str | None:
        late = self._world.now() - due
        if self._much_waits(role, state):
            return MUCH
        if state and state["checkpoint"]:
            return "goes on from where it stopped"
        return WAITS if 0 <= late < role.every // LATE and busy() else None

    def check(self) -> Check:
        """For the doctor: are there alerts, and does anybody do what is due? Not known while it is all paused."""
        name, now = "background work", self._world.now()
        if open_ := alerts(self._store, now):
            return Check(name, False, "; ".join(f"{one.name}: {one.subject} {one.detail}" for one in open_[:5]))
        states = self.roles()
        if found := [one for one in states if one.state == "broken"]:
            return Check(name, False, "; ".join(str(one.note) for one in found[:5]))
        late = overdue(states, now)
        told = f"nobody did {', '.join(late)} when it was due: start engrain daemon run, or engrain tick from cron"
        return Check(name, None if late else True, told if late else "nothing is overdue")

    def status(self) -> DaemonStatus:
        """How it all fares, and who is there to do it."""
        states = self.roles()
        now = self._world.now()
        alive, open_ = daemons(self._store, now), alerts(self._store, now)
        return DaemonStatus(bool(alive), *score(states, open_, now), tuple(alive), tuple(states), tuple(open_))

    def score(self) -> int | None:
        """How the roles fare that were needed yet, from 0 to 100; None while none may run."""
        now = self._world.now()
        return score(self._fare(), alerts(self._store, now), now)[0]

    def runs(self, role: str | None, limit: int, since: int = 0) -> list[Run]:
        """The latest first."""
        return [told(row) for row in self._store.read("run_list", {"role": role, "since": since, "limit": limit})]


def named(failure: BaseException) -> str:
    """What failed, as a text that every store takes."""
    try:
        told = f"{type(failure).__name__}: {failure}"
    except Exception as another:  # noqa: BLE001 (it is somebody else's, and cannot tell)
        told = f"{type(failure).__name__}, which cannot be told: {type(another).__name__}"
    return told[:MOST].encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")


def busy() -> bool:
    """Whether many processes wait for each core of the machine; not where nobody counts them."""
    with suppress(AttributeError, OSError):
        return os.getloadavg()[0] > LOAD * (os.cpu_count() or 1)
    return False


def told(row: Row) -> Run:
    """The run of a row."""
    ended = None if row["ended_at"] is None else from_micros(row["ended_at"])
    try:
        started, findings = from_micros(row["started_at"]), json.loads(row["findings"])
    except ValueError as error:
        raise StoreCorrupt(f"The findings of run {row['id']} are not JSON any more. Restore a backup.") from error
    return Run(row["id"], row["role"], row["state"], bool(row["dry"]), started, ended, findings, row["error"])
