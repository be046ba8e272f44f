"""What the owner of a home may do: counts, examination, derived state anew, copies."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from engrain import upkeep
from engrain.access import Keys
from engrain.home import Home
from engrain.model.key import ApiKey
from engrain.model.report import AgentInfo, Report
from engrain.world import from_micros


class Administration(Home):
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
        """Examine the home: integrity, schema, embedder identity, orphans, stale derived state. With ``canary`` also
        prove, in a throw-away tenant, that a recorded outcome changes a later decision after a restart."""
        self._check_open()
        self.signals.flush()
        report = upkeep.examine(self.store, self.embedder)
        return Report((*report.checks, *upkeep.canary(self._again))) if canary else report

    def rebuild(self, progress: Any = None) -> dict[str, int]:
        """Make derived state anew from what is canonical, while others work: words and vectors of another embedder or
        analyser, or where none are those of everything; then Q-values. ``progress(done)`` is told how many of the
        home's items are done; a run that was killed goes on where it stopped. Returns the counts: memories done now,
        left (written meanwhile with another embedder), tenants that have experiences. Raises EmbedderError when the
        embedder fails: what was done until then stays, and the rest is as it was."""
        self._check_open()
        return upkeep.rebuild(self.store, self.index, self.learner, self.embedder, progress)

    def backup(self, path: str | os.PathLike[str]) -> Path:
        """A verified copy of an embedded home's store, made while others work. Never overwrites."""
        self._check_open()
        self.signals.flush()
        target = Path(path)
        self.store.backup(target)
        return target

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
        return Keys(self.store, self.world).create(name, tenant, agents, rights, expires_in)

    def keys_list(self, tenant: str | None = None) -> list[ApiKey]:
        """All keys, or those of one tenant, oldest first, with those that were revoked or have expired."""
        self._check_open()
        return Keys(self.store, self.world).list(tenant)

    def keys_revoke(self, id: str, tenant: str | None = None) -> ApiKey:
        """End a key at once, in every process. Raises NotFound when there is none (of that tenant)."""
        self._check_open()
        return Keys(self.store, self.world).revoke(id, tenant)
