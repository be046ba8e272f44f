"""What the owner of a home may do with what was learned: dreams, policies, and whether the loop lives."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from engrain import upkeep
from engrain.datasets import Datasets
from engrain.errors import InvalidField
from engrain.intake import validate
from engrain.learn.fields import checked_text
from engrain.model.distill import PatternReport
from engrain.model.learning import Explanation, LearningHealth, PolicyDiff
from engrain.model.policy import Dream, DreamReport, PolicyEvent, PolicyInfo
from engrain.model.report import Check

MOST = 10_000  # versions, events, dreams and days that are shown at once
STATES = ("candidate", "shadow", "live", "retired")
REASONS = ("gate", "asked")  # for which the owner asks for a dream
OWNER = "owner"
HIGHEST = 2**31


class Learning(Datasets):
    """The verbs of Memory about learning offline."""

    # -- policies -----------------------------------------------------------------------------------------------------

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
        chosen = _named(task_type=task_type, tenant=tenant, agent=agent)
        if state is not None and state not in STATES:
            raise InvalidField(f"state must be one of {', '.join(STATES)}, not {validate.shown(state)}.")
        return self.versions.known(**chosen, state=state, limit=validate.whole("limit", limit, 1, MOST))

    def policy_history(
        self, task_type: str | None = None, tenant: str | None = None, version: int | None = None, limit: int = 100
    ) -> list[PolicyEvent]:
        """What became of policies and why, the latest first."""
        self._check_open()
        chosen = _named(task_type=task_type, tenant=tenant)
        number = None if version is None else validate.whole("version", version, 1, HIGHEST)
        return self.versions.events(**chosen, version=number, limit=validate.whole("limit", limit, 1, MOST))

    def policy_show(
        self, task_type: str, version: int | None = None, agent: str | None = None, tenant: str = "default"
    ) -> PolicyInfo:
        """One version of what to do, and how it was judged; ``version`` None: the one that advises the agent, or
        without an agent the whole tenant. Raises UnknownPolicy when there is none."""
        self._check_open()
        _named(tenant=tenant, agent=agent)
        return self.records.info(tenant, checked_text("task_type", task_type), _version(version), agent)

    def policy_diff(
        self, task_type: str, version: int | None = None, other: int | None = None, tenant: str = "default"
    ) -> PolicyDiff:
        """The states in which ``version`` (None: the tenant's live one) chooses otherwise than ``other`` (None: the one
        that was live when it was made; 0: the online learner). Raises UnknownPolicy, InvalidPolicy."""
        self._check_open()
        _named(tenant=tenant)
        task_type = checked_text("task_type", task_type)
        after = self.records.info(tenant, task_type, _version(version), None)
        before = after.parent if other is None else validate.whole("other", other, 0, HIGHEST)
        return self.records.diff(tenant, task_type, before, after.version)

    def policy_explain(
        self,
        decision_id: str | None = None,
        task_type: str | None = None,
        state: Mapping[str, Any] | None = None,
        agent: str | None = None,
        tenant: str = "default",
    ) -> Explanation:
        """Why a decision came out as it did, also one that is archived; or, of a ``task_type`` and ``state``, what
        would be advised now to the agent (None: to one without outcomes of its own), and why. Raises UnknownDecision,
        ArchiveError when it may be in an archive that cannot be reached."""
        from engrain.learn.state import checked_state

        self._check_open()
        _named(tenant=tenant, agent=agent)
        if (decision_id is None) == (task_type is None):
            raise InvalidField(
                "Give a decision_id or a task_type, with a state if there is one; not both, nor neither."
            )
        if decision_id is None:
            told = checked_text("task_type", task_type)
            return self.records.of_state(tenant, told, checked_state(state), agent)
        if state is not None or agent is not None:
            raise InvalidField("A decision has its own state and agent; leave these out.")
        return self.records.of_decision(tenant, checked_text("decision_id", decision_id))

    def policy_promote(self, task_type: str, version: int, tenant: str = "default") -> PolicyInfo:
        """Let a version advise, if the gate lets it: it is judged again, on what was decided since it was made. There
        is no way around that. Raises PolicyRefused with the reason; UnknownPolicy, InvalidPolicy, ArchiveError."""
        from engrain.dream.promotion import promote

        self._check_open()
        _named(tenant=tenant)
        chosen = (tenant, checked_text("task_type", task_type), validate.whole("version", version, 1, HIGHEST))
        return promote(self.store, self.versions, lambda: self.parts, *chosen, OWNER)

    def rollback(
        self, task_type: str, version: int | None = None, agent: str | None = None, tenant: str = "default"
    ) -> PolicyInfo | None:
        """Let an earlier version advise again, in all running agents from their next advice on: ``version``, or the one
        before the live one; 0 for none, then the online learner advises. ``agent`` None: the tenant's policy, or that
        which the version is of. The policy that is live now, None when none is. Raises UnknownPolicy,
        PolicyRefused for a version that never advised."""
        self._check_open()
        _named(tenant=tenant, agent=agent)
        task_type = checked_text("task_type", task_type)
        if version is not None:
            validate.whole("version", version, 0, HIGHEST)
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
        return _named(tenant=tenant, task_type=task_type)

    # -- patterns ------------------------------------------------------------------------------------------------------

    def discover(
        self,
        tenant: str | None = None,
        agent: str | None = None,
        dry_run: bool = False,
        wording: Callable[[Any], str] | None = None,
    ) -> PatternReport:
        """Look for patterns in what agents did: of all, or of one tenant or agent. From experiences, actions that end
        well more often than others in like states, or fail more often (see patterns/discover.py for how sure that
        must be); from fixes, what was verified to solve an issue in several tasks; from trajectories, what they have in
        common. The same data give the same, and looking again adds nothing but new evidence. ``wording(draft)`` may
        word the title of a pattern; it decides nothing. A dry run tells what would be found."""
        from engrain.patterns.rounds import discovered

        self._check_open()
        chosen, dry = _named(tenant=tenant, agent=agent), validate.flag("dry_run", dry_run)
        return discovered(self.store, self.finder, **chosen, dry=dry, wording=wording)

    def consolidate(self, tenant: str | None = None, agent: str | None = None, dry_run: bool = False) -> PatternReport:
        """Bring the patterns of all agents, or of one tenant or agent, in order: merge those that say the same, link
        those that contradict each other, deprecate what surely does not help. Each change is an event of the pattern
        that ``undo_pattern`` takes back, and nothing is deleted. A dry run tells what would be done."""
        from engrain.patterns.rounds import consolidated

        self._check_open()
        chosen, dry = _named(tenant=tenant, agent=agent), validate.flag("dry_run", dry_run)
        return consolidated(self.store, self.consolidator, **chosen, dry=dry)

    # -- whether it lives ---------------------------------------------------------------------------------------------

    def learning_health(self, days: int = 30, tenant: str | None = None, canary: bool = False) -> LearningHealth:
        """Whether the loop of learning lives: each stage from decisions to policies with what it did in the last
        ``days`` days and since when it is silent, the reward with and without memory, whether what is expected comes.
        Counted anew each time, in the store and the archive. With ``canary`` first prove, in a throw-away tenant, that
        an outcome changes a later decision; else the last such proof is told of."""
        self._check_open()
        chosen = _named(tenant=tenant)["tenant"]
        if validate.flag("canary", canary):
            self._prove()
        return self.loop.health(validate.whole("days", days, 1, MOST), chosen)

    def _prove(self) -> tuple[Check, ...]:
        """Let the canary fly, and keep how that went, good or bad."""
        checks = upkeep.canary(self._again)
        wrong = [check.detail for check in checks if check.ok is False]
        told = {"at": self.world.now(), "ok": not wrong, "detail": "; ".join(wrong or [one.detail for one in checks])}
        self.store.write([("home_set", {"name": "canary", "value": json.dumps(told)})])
        return checks


def _named(**names: str | None) -> dict[str, str | None]:
    """Names that may be left out, checked."""
    for name, value in names.items():
        if value is not None:
            validate.text(name, value, validate.NAME_CHARACTERS)
    return names


def _version(version: int | None) -> int | None:
    return None if version is None else validate.whole("version", version, 1, HIGHEST)
