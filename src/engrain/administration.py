"""What the owner of a home may do: counts, examination, derived state anew, copies."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from engrain import upkeep
from engrain.errors import InvalidField, NotFound
from engrain.intake import validate
from engrain.learning import Learning
from engrain.model.key import ApiKey
from engrain.model.report import AgentInfo, Check, Report, ReportInfo, ReportRows, counted
from engrain.model.run import Alert, DaemonInfo, DaemonStatus, HealthReport, RoleState, Run
from engrain.spool import LOG, REFUSED
from engrain.world import from_micros

if TYPE_CHECKING:
    from engrain.cold import ColdArchive
    from engrain.daemon.looper import Looper
    from engrain.memory import Memory

MOST = 10_000  # runs, and days, that are shown at once
STOPPING = 10.0  # seconds to wait for daemons that were asked to stop


class Administration(Learning):
    """The verbs of Memory that are not about opening, closing and agents."""

    def agents(self) -> list[AgentInfo]:
        """Every agent that has remembered or decided, of every tenant, with what it has."""
        self._check_open()
        return [
            AgentInfo(
                row["tenant"],
                row["name"],
                row["team"],
                from_micros(row["created_at"]),
                row["memories"],
                row["experiences"],
            )
            for row in self.store.read("agent_list", {"now": self.world.now()})
        ]

    def stats(self) -> dict[str, Any]:
        """Counts of what is in the home, as plain JSON values."""
        self._check_open()
        self.signals.flush()
        return upkeep.stats(self.store, self.home, self.config)

    def doctor(self, canary: bool = False) -> Report:
        """Examine the home: integrity, schema, embedder identity, orphans, stale derived state, the archive, background
        work that fails or that nobody does, learning that fell silent. With ``canary`` also prove, in a throw-away
        tenant, that a recorded outcome changes a later decision after a restart."""
        self._check_open()
        self.signals.flush()
        found = upkeep.examine(self.store, self.embedder)
        readable = all(check.ok for check in found.checks if check.name == "integrity")
        further = () if not readable else (
            self._archived(), self._advising(), self.supervisor.check(), self.loop.check(), *self._hooked()
        )  # fmt: skip
        return Report((*found.checks, *further, *(self._prove() if canary else ())))

    def _archived(self) -> Check:
        from engrain.archive.health import check

        return check(self.store, lambda: self.tables, self.world.now(), self.config.vacuum_days)

    def _advising(self) -> Check:
        """Whether every live policy can advise."""
        if wrong := self.versions.unreadable():
            told = "; ".join(wrong[:5])
            return Check("policies", False, f"the online learner advises instead: {told}")
        live = len(self.versions.known(state="live", limit=MOST))
        return Check(
            "policies", True, f"{counted(live, 'live policy', 'live policies')}" if live else "none is live yet"
        )

    def _hooked(self) -> list[Check]:
        """Whether what hooks have left came in; nothing where there never was a hook."""
        spool = self.spool
        if not spool.folder.is_dir():
            return []
        waiting, refused, errors = (
            len(spool.waiting()),
            spool.refused(),
            [str(one.get("error")) for one in spool.errors()],
        )
        told = [f"{waiting} calls wait to be taken in"] if waiting else []
        told += [f"{refused} were refused, see {spool.folder / REFUSED}"] if refused else []
        told += [f"{len(errors)} errors, the last: {errors[-1]}; see {spool.folder / LOG}"] if errors else []
        return [Check("hooks", not (waiting or refused), "; ".join(told) or "all that hooks have left came in")]

    def rebuild(self, progress: Any = None) -> dict[str, int]:
        """Make derived state anew from what is canonical, while others work: words and vectors of another embedder or
        analyser, or where none are those of everything; then Q-values. ``progress(done)`` is told how many of the
        home's items are done; a run that was killed goes on where it stopped. Returns the counts: memories done now,
        left (written meanwhile with another embedder), tenants that have experiences. Raises EmbedderError when the
        embedder fails: what was done until then stays, and the rest is as it was."""
        self._check_open()
        return upkeep.rebuild(self.store, self.index, self.learner, self.bank, self.embedder, progress)

    def prune(self, dry_run: bool = False) -> dict[str, int]:
        """Delete for good what was archived 90 days ago (``prune_days``), but for what is important
        (``keep_importance``, at most ``keep_cap`` of an agent). Counts: pruned, kept, and capped, the agents that had
        more than that. A dry run only counts."""
        self._check_open()
        counts = self.sweeps.run("prune", dry=validate.flag("dry_run", dry_run)).counts
        return {name: counts.get(name, 0) for name in ("pruned", "kept", "capped")}

    def backup(self, path: str | os.PathLike[str]) -> Path:
        """A verified copy of an embedded home's store, made while others work. Never overwrites."""
        self._check_open()
        self.signals.flush()
        target = Path(path)
        self.store.backup(target)
        return target

    # -- background work ----------------------------------------------------------------------------------------------

    def tick(self, roles: Iterable[str] | None = None, dry_run: bool = False) -> list[Run]:
        """Do what is due: each role once, however often it was missed, in their order; or, with ``roles``, these
        whether they are due or not. Returns their runs. One that failed says so in its run and is tried again in
        15 minutes at the latest; one that could not run (paused, lifecycle off, at work in another process) is
        ``skipped``. A dry run does nothing but tell what would be done."""
        self._check_open()
        self.signals.flush()
        return self.supervisor.tick(None if roles is None else self._names(roles), dry=dry_run)

    def start_roles(self) -> Looper:
        """Look for what is due every half minute, in a thread, until the memory is closed; for processes that live
        long. The looper that is returned can be stopped, and is a context manager."""
        self._check_open()
        return self.looper.start()

    def roles(self) -> list[RoleState]:
        """The background roles: when each is due, whether it is paused, how its last run went."""
        self._check_open()
        return self.supervisor.roles()

    def runs(self, role: str | None = None, limit: int = 20) -> list[Run]:
        """What was run lately, the latest first; of one role when that is given. History is kept for 90 days."""
        self._check_open()
        name = None if role is None else self._names([role], past=True)[0]
        return self.supervisor.runs(name, validate.whole("limit", limit, 1, MOST))

    def pause(self, role: str | None = None) -> list[RoleState]:
        """Pause one role, or all of them, for every process, until ``resume``."""
        return self._paused(role, True)

    def resume(self, role: str | None = None) -> list[RoleState]:
        """Let one role, or all of them, go on. What was missed is done once."""
        return self._paused(role, False)

    def daemon_status(self) -> DaemonStatus:
        """Which daemons are alive, how every role fares, what is wrong, and a score of it: 100 when nothing is."""
        self._check_open()
        return self.supervisor.status()

    def daemon_stop(self, everywhere: bool = False) -> list[DaemonInfo]:
        """Ask the daemons of this machine, or those ``everywhere``, to stop, and wait until they have, for ten seconds
        at most. A service goes on, without background work. Returns those that were asked, each stopped or, when its
        machine is slow or gone, still stopping."""
        from engrain.daemon.registry import ask_to_stop, daemons

        self._check_open()
        asked = ask_to_stop(self.store, self.world.now(), everywhere)
        deadline = time.monotonic() + STOPPING
        while True:
            alive = {one.id for one in daemons(self.store, self.world.now())}
            if alive.isdisjoint(one.id for one in asked) or time.monotonic() > deadline:
                return [replace(one, state="stopping" if one.id in alive else "stopped") for one in asked]
            time.sleep(0.1)

    def _paused(self, role: str | None, paused: bool) -> list[RoleState]:
        self._check_open()
        self.supervisor.pause(paused, None if role is None else self._names([role], past=True))
        return self.supervisor.roles()

    def _names(self, roles: Any, past: bool = False) -> list[str]:
        """Names of roles. Raises InvalidField."""
        given = [roles] if isinstance(roles, str) or not isinstance(roles, Iterable) else list(roles)
        known = self.supervisor.names([name for name in given if isinstance(name, str)], past)
        for name in given:
            if name not in known:
                there = ", ".join(self.supervisor.names())
                raise InvalidField(f"There is no role {validate.shown(name)}; the roles are {there}.")
        return given

    def lifecycle(self, on: bool | None = None) -> bool:
        """Whether memories age in this home: expire, fade, are archived, promoted and pruned. ``on`` switches it.
        A home that was made before there was a lifecycle has it off. Memories fade from when it is switched on, so that
        the time for which it was off counts for nothing; what had faded before is as important again as it was."""
        self._check_open()
        if on is not None and not isinstance(on, bool):
            raise InvalidField(f"on must be True, False or None, not {validate.shown(on)}.")
        return self.supervisor.lifecycle(on)

    # -- the cold archive ---------------------------------------------------------------------------------------------

    @cached_property
    def archive(self) -> ColdArchive:
        """The cold archive: SQL over it, and what is in it."""
        from engrain.cold import ColdArchive

        return ColdArchive(cast("Memory", self))

    # -- analytics ----------------------------------------------------------------------------------------------------

    def metrics(self, days: int = 30, tenant: str | None = None, agent: str | None = None) -> dict[str, Any]:
        """Daily figures as plain JSON values, of all agents or of those that are chosen. ``series`` has the last
        ``days`` days that are over (UTC), oldest first: at the end of each ``memories``, their mean ``importance``,
        ``bytes`` of content and ``uses``; of the day itself ``accesses``, ``expired``, ``archived``, ``promoted``. A
        day on which nobody measured has None for what cannot be known any more. ``agents`` has the same of each agent
        and kind on ``measured``, the latest measured day; when there is none, as it is now. ``totals`` sums up."""
        from engrain.lifecycle.metrics import figures

        self._check_open()
        self.signals.flush()
        limit = validate.whole("days", days, 1, MOST)
        for name, value in (("tenant", tenant), ("agent", agent)):
            if value is not None:
                validate.text(name, value, validate.NAME_CHARACTERS)
        return figures(self.store, self.world.now(), limit, tenant, agent)

    def alerts(self, settled: bool = False) -> list[Alert]:
        """What somebody should look at, newest first; with ``settled`` also what was over in the last 30 days."""
        from engrain.lifecycle.alerts import alerts

        self._check_open()
        return alerts(self.store, self.world.now(), settled)

    def report(self, last: bool = False) -> HealthReport:
        """How the home fared in the last seven days that are over, as Markdown and as a page of HTML: growth, what
        became of memories, use, the largest agents, roles, alerts. With ``last`` the latest weekly one that was kept;
        raises NotFound when none was."""
        from engrain.daemon.health import kept_report, report

        self._check_open()
        self.signals.flush()
        if not last:
            return report(self.store, self.world, self.supervisor.roles())
        kept = kept_report(self.store)
        if kept is None:
            raise NotFound("No report has been kept yet; the first is, one week after the home was made.")
        return kept

    def reports(self) -> list[ReportInfo]:
        """The reports over the archive and what is live that ``run_report`` makes."""
        from engrain.archive.reports import reports

        return [info for info, _ in reports().values()]

    def run_report(self, name: str, days: int = 30, tenant: str | None = None, agent: str | None = None) -> ReportRows:
        """Make a report of the last ``days`` days with today (UTC), of everything or of what is chosen. Raises
        InvalidField when there is no such report; for the rest see ``archive.sql``, which makes it."""
        from engrain.archive.reports import parameters, report_named

        info, text = report_named(name)
        limit = validate.whole("days", days, 1, MOST)
        for field, value in (("tenant", tenant), ("agent", agent)):
            if value is not None:
                validate.text(field, value, validate.NAME_CHARACTERS)
        given = parameters(text, self.world.now(), limit, tenant, agent)
        found = self.archive.sql(text, given)
        of = f"{given['first']} to today" if "first" in given else "all"
        return ReportRows(info, of, tuple(found.column_names), found.to_pylist())

    # -- keys of the service ------------------------------------------------------------------------------------------

    def keys_create(
        self,
        name: str,
        tenant: str = "default",
        agents: Sequence[str] | None = None,
        rights: str = "write",
        expires_in: timedelta | str | None = None,
    ) -> ApiKey:
        """Make a key of the REST service for a tenant ("*": the whole home), for some of its agents or all, with the
        rights read, write or admin. Only here is ``key`` told: a hash is all that is kept."""
        self._check_open()
        return self.keys.create(name, tenant, agents, rights, expires_in)

    def keys_list(self, tenant: str | None = None) -> list[ApiKey]:
        """All keys, or those of one tenant, oldest first, with those that were revoked or have expired."""
        self._check_open()
        return self.keys.list(tenant)

    def keys_revoke(self, id: str, tenant: str | None = None) -> ApiKey:
        """End a key at once, in every process. Raises NotFound when there is none (of that tenant)."""
        self._check_open()
        return self.keys.revoke(id, tenant)
