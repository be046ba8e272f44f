"""Runs the roles that are due. When each is due next, what it came to and how often it failed in a row is in the store,
so that it does not matter which process looks, how often, or that none did for a month: missed runs become one.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Collection, Sequence
from typing import Any

from engrain.daemon.roles import Role, Work
from engrain.errors import StoreCorrupt
from engrain.lifecycle.alerts import alerts, raise_alerts, settle_alerts
from engrain.model.report import Check
from engrain.model.run import RoleState, Run
from engrain.store.leases import Lease, acquire, release
from engrain.store.port import Row, Store
from engrain.store.rows import to_json
from engrain.world import World, from_micros, to_micros

TTL = 120_000_000  # µs that a run may be silent before another process takes its role over
RETRY = 15 * 60_000_000  # µs after which a role that failed is due again, if it is not due before
FAILURES = 3  # in a row, then an alert is raised
FAILED = "role-failed"
PAUSED, OFF = "it is paused", "the lifecycle of this home is off"
ELSEWHERE = "another process runs it, or has just done so"

_log = logging.getLogger(__name__)


class Supervisor:
    """The roles of one home, for one process."""

    def __init__(self, store: Store, world: World, roles: Sequence[Role]) -> None:
        self._store = store
        self._world = world
        self._roles = {role.name: role for role in roles}

    # -- running ------------------------------------------------------------------------------------------------------

    def tick(
        self, only: Collection[str] | None = None, *, dry: bool = False, stop: Callable[[], bool] = lambda: False
    ) -> list[Run]:
        """Run each role once that is due, or those of ``only`` whether they are due or not, in their order. A role that
        fails is told of as failed and does not stop the others. Raises a StoreError when that cannot be written."""
        self._close_lost()
        on = self.lifecycle()
        done: list[Run] = []
        for name, role in self._roles.items():
            state = self._states().get(name) or self._claimed(role)
            wanted = self._is_due(role, state) if only is None else name in only
            if not wanted or stop():
                continue
            why = PAUSED if state["paused"] else OFF if role.ages and not on else ""
            run = None if why else self._run_alone(role, only is not None, dry, stop)
            done.append(run or self._skipped(name, dry, why or ELSEWHERE))
        return done

    def _run_alone(self, role: Role, asked: bool, dry: bool, stop: Callable[[], bool]) -> Run | None:
        """Run a role, unless another process does or did meanwhile."""
        id_ = self._world.new_id()  # of the run, which alone holds the lease: threads of one process are apart as well
        lease = acquire(self._store, f"role:{role.name}", f"{os.getpid()}:{id_}", self._world.now(), TTL)
        if lease is None:
            return None
        try:
            state = self._states()[role.name]
            return self._run(id_, role, state, lease, dry, stop) if asked or self._is_due(role, state) else None
        finally:
            release(self._store, lease)

    def _run(self, id_: str, role: Role, state: Row, lease: Lease, dry: bool, stop: Callable[[], bool]) -> Run:
        begun = self._world.now()
        row = {
            "id": id_,
            "role": role.name,
            "dry": int(dry),
            "holder": lease.holder,
            "token": lease.token,
            "now": begun,
        }
        self._store.write([("run_begin", row)])
        findings: dict[str, Any] = {}
        checkpoint, error = state["checkpoint"], None
        try:
            work = Work(self._store, self._world, dry, checkpoint, self._alive(lease, stop), self.roles)
            found, checkpoint = role.run(work)
            findings, outcome = dict(found), "done" if checkpoint is None else "interrupted"
            error = "it was asked to stop, and goes on from there" if checkpoint is not None else None
        except Exception as failure:  # noqa: BLE001 (whatever it is, it is told, and the other roles have their turn)
            _log.warning("role %s failed: %s", role.name, failure, exc_info=True)
            outcome, error = "failed", f"{type(failure).__name__}: {failure}"
            checkpoint = None  # begin anew: perhaps it is the place to go on from that is wrong
        now = self._world.now()
        end = {"id": id_, "token": lease.token, "state": outcome, "now": now, "error": error}
        with self._store.transaction("*") as tx:
            kept = tx.run("run_end", {**end, "findings": to_json(findings)})
            if kept and not dry:
                due = self._next(role, begun)
                again = {"done": due, "failed": min(due, now + RETRY), "interrupted": state["due_at"]}[outcome]
                failures = {"done": 0, "failed": state["failures"] + 1}.get(outcome, state["failures"])
                after = {"due_at": again, "failures": failures, "checkpoint": checkpoint}
                tx.run("role_end", {"name": role.name, **after})
                self._judge(tx, role.name, failures, error)
        started, ended = from_micros(begun), from_micros(now)
        return Run(id_, role.name, outcome, dry, started, ended, findings, error)

    def _judge(self, tx: Any, name: str, failures: int, error: str | None) -> None:
        if failures >= FAILURES:
            wrong = {name: f"failed {failures} times in a row, lately with {error}"}
            raise_alerts(tx, self._world, FAILED, wrong)
        elif not failures:
            settle_alerts(tx, self._world, FAILED, [name])

    def _alive(self, lease: Lease, stop: Callable[[], bool]) -> Callable[[], bool]:
        """``stop``, which also renews the lease in time, and says to stop when another process has taken it."""
        until = lease.expires_at

        def ask() -> bool:
            nonlocal until
            now = self._world.now()
            if not now < until - TTL // 2:
                renewed = acquire(self._store, lease.name, lease.holder, now, TTL)
                if renewed is None or renewed.token != lease.token:
                    return True
                until = renewed.expires_at
            return stop()

        return ask

    def _close_lost(self) -> None:
        """Runs of processes that are gone end as interrupted; each counts as a failure of its role."""
        if not self._store.read("run_lost", {"now": self._world.now()}):
            return
        with self._store.transaction("*") as tx:
            states = {row["name"]: row for row in tx.read("role_list")}
            for row in tx.read("run_lost", {"now": self._world.now()}):
                error = "its process ended before it was through"
                end = {"id": row["id"], "token": row["token"], "state": "interrupted", "error": error, "findings": "{}"}
                if not tx.run("run_end", {**end, "now": self._world.now()}) or row["dry"] or row["role"] not in states:
                    continue
                state = states[row["role"]]
                failures = state["failures"] + 1
                after = {"due_at": state["due_at"], "checkpoint": state["checkpoint"], "failures": failures}
                tx.run("role_end", {"name": row["role"], **after})
                self._judge(tx, row["role"], failures, error)

    def _skipped(self, name: str, dry: bool, why: str) -> Run:
        now = from_micros(self._world.now())
        return Run("", name, "skipped", dry, now, now, {}, why)

    # -- when ---------------------------------------------------------------------------------------------------------

    def _is_due(self, role: Role, state: Row) -> bool:
        """Also when it would be due later than it ever is: then the clock was put back, or the interval shortened."""
        now = self._world.now()
        return bool(now >= state["due_at"] or state["due_at"] > now + role.every)

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
        names, known = self._roles if only is None else only, self._states()
        for name in names:
            if name not in known:
                self._claimed(self._roles[name])
        self._store.write([("role_pause", {"names": list(names), "paused": int(paused)})])

    def roles(self) -> list[RoleState]:
        """Every role in its order."""
        states, on = self._states(), self.lifecycle()
        last = {row["role"]: told(row) for row in self._store.read("run_last")}
        found = []
        for name, role in self._roles.items():
            state = states.get(name)
            due = state["due_at"] if state else self._next(role, self._born())
            now = "paused" if state and state["paused"] else "off" if role.ages and not on else "on"
            failures = state["failures"] if state else 0
            found.append(RoleState(name, now, role.every / 1e6, from_micros(due), failures, last.get(name)))
        return found

    def check(self) -> Check:
        """For the doctor: are there alerts, and does anybody do what is due? Not known while it is all paused."""
        name, now = "background work", self._world.now()
        if found := alerts(self._store, now):
            return Check(name, False, "; ".join(f"{one.name}: {one.subject} {one.detail}" for one in found[:5]))
        late = [
            one for one in self.roles() if one.state == "on" and now - to_micros(one.due_at) > one.every_seconds * 1e6
        ]
        told = f"nobody did {', '.join(one.name for one in late)} when it was due: run engrain tick, best from cron"
        return Check(name, None if late else True, told if late else "nothing is overdue")

    def runs(self, role: str | None, limit: int, since: int = 0) -> list[Run]:
        """The latest first."""
        return [told(row) for row in self._store.read("run_list", {"role": role, "since": since, "limit": limit})]


def told(row: Row) -> Run:
    """The run of a row."""
    ended = None if row["ended_at"] is None else from_micros(row["ended_at"])
    try:
        started, findings = from_micros(row["started_at"]), json.loads(row["findings"])
    except ValueError as error:
        raise StoreCorrupt(f"The findings of run {row['id']} are not JSON any more. Restore a backup.") from error
    return Run(row["id"], row["role"], row["state"], bool(row["dry"]), started, ended, findings, row["error"])
