"""What an agent decides, and what came of it."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engrain.agent.base import Scoped
from engrain.errors import InvalidField
from engrain.intake import validate
from engrain.intake.redact import redact
from engrain.model.decision import Advice, Drift, Experience, Outcome, QValue


class Decisions(Scoped):
    """The verbs that advise and observe."""

    def advise(
        self,
        task_type: str,
        state: Mapping[str, Any] | None = None,
        options: Sequence[str] | Mapping[str, Mapping[str, Any] | None] | None = None,
        episode: str | None = None,
    ) -> Advice:
        """What to do next, with value, interval and evidence; ``ranking`` orders all options. The decision is logged
        with its propensity before this returns. With options and no evidence it explores; with neither it abstains.
        Options with features of their own are a mapping: ``{"test_a": {"failed_last": True}, "test_b": {…}}``."""
        self._memory._check_open()
        names = list(options) if isinstance(options, Mapping) else options
        self._named(task_type=task_type, options=names, episode=episode)
        learner = self._memory.learner
        if isinstance(options, Mapping):
            options = {name: self._clean(own) for name, own in options.items()}
        advice = learner.advise(self.scope, task_type, state=self._clean(state), options=options, episode=episode)
        return self._wrote(advice)

    def observe(self, advice: Advice | str, outcome: Outcome, action: str | None = None) -> Experience:
        """What came of an advice (or of a decision id); ``action`` when another was taken. Observing again revises."""
        self._memory._check_open()
        self._named(action=action)
        return self._memory.learner.observe(self.scope, advice, self._told(outcome), action=action)

    def observe_step(
        self,
        task_type: str,
        state: Mapping[str, Any] | None = None,
        action: str | None = None,
        outcome: Outcome | None = None,
        next_state: Mapping[str, Any] | None = None,
        propensity: float | None = None,
        episode: str | None = None,
        task_id: str | None = None,
    ) -> Experience:
        """An experience that no advice stood behind."""
        row = {
            "task_type": task_type,
            "state": state,
            "action": action,
            "outcome": outcome,
            "next_state": next_state,
            "propensity": propensity,
            "episode": episode,
            "task_id": task_id,
        }
        return self.observe_many([row])[0]

    def observe_many(self, rows: Iterable[Mapping[str, Any]]) -> builtins.list[Experience]:
        """Many experiences in one transaction: all or none. Rows have the fields of ``observe_step``."""
        self._memory._check_open()
        cleaned = []
        for number, row in enumerate(self._rows(rows)):
            if not isinstance(row, Mapping):
                raise InvalidField(f"Row {number} must be a dict of the arguments of observe_step().")
            self._named(**{name: row.get(name) for name in ("task_type", "action", "episode", "task_id")})
            changed = {name: self._clean(row[name]) for name in ("state", "next_state") if name in row}
            if "outcome" in row:
                changed["outcome"] = self._told(row["outcome"])
            cleaned.append({**row, **changed})
        return self._wrote(self._memory.learner.observe_many(self.scope, cleaned))

    def experiences(
        self, task_type: str | None = None, limit: int = 100, archived: bool = False
    ) -> builtins.list[Experience]:
        """What this agent has observed, newest first; with ``archived`` also what was settled long ago and has left
        the store. Raises ArchiveError when that cannot be read."""
        self._memory._check_open()
        limit = validate.whole("limit", limit, 1, 10_000)
        return self._memory.learner.experiences(self.scope, task_type, limit, validate.flag("archived", archived))

    def q_values(self, task_type: str | None = None) -> builtins.list[QValue]:
        """What this agent has learned: visits, mean and spread by task type, state and action."""
        self._memory._check_open()
        return self._memory.learner.q_values(self.scope, task_type)

    def drifts(self, task_type: str | None = None) -> builtins.list[Drift]:
        """Where what was learned did not hold any more: drifts that were seen in this agent's outcomes."""
        self._memory._check_open()
        return self._memory.learner.drifts(self.scope, task_type)

    def trouble(self, step: str, detail: str | None = None) -> None:
        """Say that a step of learning failed around this agent's work, which went on without it; without ``detail``
        that it works again. Between the two there is an alert, which ``alerts`` and the doctor show."""
        self._memory._check_open()
        step = validate.text("step", step, validate.NAME_CHARACTERS)
        told = None if detail is None else validate.text("detail", detail, validate.FIELD_CHARACTERS)
        if told is not None and self._memory.config.redact:
            told = redact(told).text
        self._memory.trouble(f"{self.scope.tenant}/{self.scope.agent}: {step}", told)

    def _told(self, outcome: Any) -> Any:
        """An outcome without secrets in its error."""
        if not self._memory.config.redact:
            return outcome
        if isinstance(outcome, Mapping) and isinstance(outcome.get("error"), str):
            return {**outcome, "error": redact(outcome["error"]).text}
        if isinstance(outcome, Outcome) and isinstance(outcome.error, str):
            return replace(outcome, error=redact(outcome.error).text)
        return outcome
