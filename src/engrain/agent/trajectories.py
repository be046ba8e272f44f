"""The steps of an agent's tasks, and the patterns that are distilled from them."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from engrain.agent.base import Scoped
from engrain.agent.patterns import EVIDENCE, _of, _visible
from engrain.errors import InvalidField
from engrain.intake import trajectory, validate
from engrain.intake.redact import redact
from engrain.model.distill import PatternReport
from engrain.model.pattern import Step, Trajectory


class Trajectories(Scoped):
    """The verbs about trajectories."""

    def add_trajectory(
        self,
        task: str,
        steps: Iterable[Step | Mapping[str, Any] | str],
        *,
        success: bool | None = None,
        evidence: str | None = None,
        task_type: str | None = None,
        task_id: str | None = None,
        visibility: str = "private",
    ) -> Trajectory:
        """Keep what was done for a task, step by step, and judge how it ended. A step has an ``action`` (what was done,
        for instance a command) and may have ``state``, ``output``, ``success``, ``exit_code``, ``tests`` (passed,
        failed). ``success`` is what somebody says of the whole, on what ``evidence`` (claimed, when that is left out).
        Fixed rules decide: what was verified, then tests that ran, exit codes, claims, words; signals that are as sure
        as each other and disagree leave it unknown. ``task_id`` tells two runs with the same steps apart; told again,
        it is the same one, judged anew. Secrets are cut out. Raises InvalidInput and stores nothing."""
        self._memory._check_open()
        redacts = self._memory.config.redact
        text = validate.text("task", task, validate.CONTENT_BYTES)
        if success is not None:
            validate.flag("success", success)
        if evidence is not None:
            _of("evidence", evidence, EVIDENCE)
            if success is None:
                raise InvalidField("evidence is for success; say how it ended, or leave both out.")
        self._named(task_type=task_type, task_id=task_id)
        told = {
            "task": redact(text).text if redacts else text, "steps": trajectory.steps(steps, redacts),
            "success": success, "evidence": evidence, "task_type": self._optional("task_type", task_type),
            "task_id": self._optional("task_id", task_id), "visibility": _visible(visibility),
        }  # fmt: skip
        return self._wrote(self._memory.trajectory_book.add(self.scope, told))

    def trajectories(
        self, task_type: str | None = None, success: bool | None = None, limit: int = 100
    ) -> builtins.list[Trajectory]:
        """Trajectories that one can see, the latest first; of one task type, or only those that ended so."""
        self._memory._check_open()
        if success is not None:
            validate.flag("success", success)
        limit = validate.whole("limit", limit, 1, 10_000)
        kind = self._optional("task_type", task_type)
        return self._memory.trajectory_book.latest(self.scope, task_type=kind, success=success, limit=limit)

    def trajectory(self, id: str) -> Trajectory:
        """One by its id. Raises NotFound."""
        self._memory._check_open()
        return self._memory.trajectory_book.get(self.scope, validate.text("id", id, validate.FIELD_CHARACTERS))

    def distill(
        self,
        task_type: str | None = None,
        dry_run: bool = False,
        wording: Callable[[Any], str] | None = None,
    ) -> PatternReport:
        """Look for patterns in one's own trajectories: runs of steps that tasks which ended well have in common, what
        turned a failure into success, what never works. Needs no model; the same trajectories give the same, and doing
        it again adds nothing. ``wording`` may word the title of a pattern (``wording(draft)`` gives a text); it decides
        nothing. A dry run changes nothing and tells what would be found."""
        self._memory._check_open()
        dry = validate.flag("dry_run", dry_run)
        finder = self._memory.finder
        kind = self._optional("task_type", task_type)
        changes = finder.distil(self.scope, dry=dry, task_type=kind, wording=wording)
        report = PatternReport(dry, dict(finder.looked), tuple(changes))
        return report if dry or not changes else self._wrote(report)
