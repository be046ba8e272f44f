"""What the owner of a home may do with what was learned: dreams, policies, and whether the loop lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engrain.errors import InvalidField
from engrain.home import Home
from engrain.intake import validate
from engrain.learn.fields import checked_text

if TYPE_CHECKING:
    from engrain.model.policy import PolicyEvent, PolicyInfo

MOST = 10_000  # versions, events and dreams that are shown at once
STATES = ("candidate", "shadow", "live", "retired")
OWNER = "owner"


class Learning(Home):
    """The verbs of Memory about learning offline."""

    def policies(
        self,
        task_type: str | None = None,
        tenant: str | None = None,
        agent: str | None = None,
        state: str | None = None,
        limit: int = 100,
    ) -> list[PolicyInfo]:
        """Versions of what to do, the latest first: of one task type, tenant, agent or state when that is given."""
        self._check_open()
        chosen = {"task_type": task_type, "tenant": tenant, "agent": agent}
        for name, value in chosen.items():
            if value is not None:
                validate.text(name, value, validate.NAME_CHARACTERS)
        if state is not None and state not in STATES:
            raise InvalidField(f"state must be one of {', '.join(STATES)}, not {validate.shown(state)}.")
        return self.versions.known(**chosen, state=state, limit=validate.whole("limit", limit, 1, MOST))

    def policy_history(
        self, task_type: str | None = None, tenant: str | None = None, version: int | None = None, limit: int = 100
    ) -> list[PolicyEvent]:
        """What became of policies and why, the latest first."""
        self._check_open()
        return self.versions.events(tenant, task_type, version, validate.whole("limit", limit, 1, MOST))

    def rollback(
        self, task_type: str, version: int | None = None, agent: str | None = None, tenant: str = "default"
    ) -> PolicyInfo | None:
        """Let an earlier version advise again, in all running agents from their next advice on: ``version``, or the one
        before the live one; 0 for none, then the online learner advises. ``agent`` None: the tenant's policy, or that
        which the version is of. The policy that is live now, None when none is. Raises UnknownPolicy."""
        self._check_open()
        task_type = checked_text("task_type", task_type)
        if version is not None:
            validate.whole("version", version, 0, 2**31)
        with self.store.transaction(tenant) as tx:
            told = "asked for"
            now = self.versions.roll_back(tx, tenant, task_type, agent, version, told, OWNER)
        return self.versions.find(tenant, task_type, now)[0] if now else None
