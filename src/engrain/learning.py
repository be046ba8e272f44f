"""What the owner of a home may do with what was learned: dreams, policies, and whether the loop lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engrain.errors import InvalidField
from engrain.home import Home
from engrain.intake import validate
from engrain.learn.fields import checked_text

if TYPE_CHECKING:
    from engrain.model.policy import Dream, DreamReport, PolicyEvent, PolicyInfo

MOST = 10_000  # versions, events and dreams that are shown at once
STATES = ("candidate", "shadow", "live", "retired")
REASONS = ("gate", "asked")  # for which the owner asks for a dream
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

    # -- dreams --------------------------------------------------------------------------------------------------------

    def dream(
        self,
        task_type: str | None = None,
        tenant: str | None = None,
        budget: int | None = None,
        seed: int | None = None,
        dry_run: bool = False,
    ) -> Dream:
        """Learn offline from what has come in since the last dream, judge it, and let what is better advise: in every
        task type, or in one, or in one tenant. ``budget`` is how many trainings and evaluations it may take
        (``dream_steps``); a dream that needs more is interrupted, and goes on where it was with the next call. The same
        data and ``seed`` (0) give the same policies. A dry run changes nothing, and tells what would be found. Raises
        DreamBusy while another process dreams, ArchiveError when archived experiences cannot be reached."""
        self._check_open()
        scope = self._asked(task_type, tenant)
        steps = self.config.dream_steps if budget is None else validate.whole("budget", budget, 1, 10**9)
        number = 0 if seed is None else validate.whole("seed", seed, 0, 2**31)
        if validate.flag("dry_run", dry_run):
            return self.dreamer.dry(scope, number, steps)
        return self.dreamer.run(self.journal.ask("asked", scope, number, steps), steps)

    def dream_request(self, reason: str = "gate", task_type: str | None = None, tenant: str | None = None) -> Dream:
        """Ask the background for a dream, for instance when a quality gate has failed; the one that waits when there is
        one. ``reason``: gate or asked."""
        self._check_open()
        if reason not in REASONS:
            raise InvalidField(f"reason must be one of {', '.join(REASONS)}, not {validate.shown(reason)}.")
        scope = self._asked(task_type, tenant)
        return self.journal.find(self.journal.ask(reason, scope, 0, self.config.dream_steps))

    def dreams(self, limit: int = 20) -> list[Dream]:
        """The dreams, the latest first, each with what it came to."""
        self._check_open()
        return self.journal.latest(validate.whole("limit", limit, 1, MOST))

    def dream_report(self, id: str | None = None) -> DreamReport:
        """What a dream changed, by how much, how sure that is, and what was refused and why: of the last one, or of one
        by its id. Raises NotFound."""
        from engrain.dream.report import report

        self._check_open()
        chosen = None if id is None else checked_text("id", id)
        return report(self.journal.find(chosen), self.world.now())

    def _asked(self, task_type: str | None, tenant: str | None) -> dict[str, str | None]:
        for name, value in (("task_type", task_type), ("tenant", tenant)):
            if value is not None:
                validate.text(name, value, validate.NAME_CHARACTERS)
        return {"tenant": tenant, "task_type": task_type}
