"""What an agent has learned: in figures, as a file, and how it begins anew."""

from __future__ import annotations

import builtins
import json
import os
import re
from pathlib import Path
from typing import Any

from engrain.agent.base import Scoped
from engrain.errors import NotFound
from engrain.exchange.whole import write_json
from engrain.intake import validate
from engrain.model.fading import DAY
from engrain.model.learned import Learned, LearnedDay, LearningExported, LearningReset
from engrain.upkeep import outside
from engrain.world import from_micros

ALL = 1_000_000_000  # rows: every one
FOLDER = "resets"  # of the home, where what a reset takes away is written first


class Learnt(Scoped):
    """The verbs of looking at what was learned as a whole."""

    def learned(self, task_type: str | None = None) -> builtins.list[Learned]:
        """What this agent decided, observed and learned, by task type."""
        self._memory._check_open()
        memory, scope = self._memory, self.scope
        asked = {"tenant": scope.tenant, "agent": scope.agent, "task_type": self._optional("task_type", task_type)}
        seen = {row["task_type"]: row for row in memory.store.read("learned_tasks", asked)}
        decided = {row["task_type"]: row for row in memory.store.read("learned_decisions", asked)}
        values: dict[str, list[Any]] = {}
        for value in memory.learner.q_values(scope, task_type):
            if value.state is None:
                values.setdefault(value.task_type, []).append(value)
        drifts = {drift.task_type: drift.drifts for drift in memory.learner.drifts(scope, task_type)}
        found = []
        for name in sorted({*seen, *decided, *values}):
            row, learned = seen.get(name), values.get(name, [])
            best = max(learned, key=lambda value: (value.mean, value.visits), default=None)
            last = [one[name]["last_at"] for one in (seen, decided) if name in one]
            found.append(
                Learned(
                    task_type=name,
                    decisions=int(decided[name]["n"]) if name in decided else 0,
                    experiences=int(row["n"]) if row else 0,
                    outcomes=int(row["told"]) if row else 0,
                    good=int(row["good"]) if row else 0,
                    mean_reward=None if row is None or row["mean"] is None else float(row["mean"]),
                    visits=sum(value.visits for value in learned),
                    actions=len(learned),
                    best=best.action if best else None,
                    best_mean=best.mean if best else None,
                    policy=memory.versions.version(scope.tenant, name, scope.agent),
                    drifts=drifts.get(name, 0),
                    last_at=from_micros(max(last)) if last else None,
                )
            )
        return found

    def learned_days(self, task_type: str | None = None, days: int = 30) -> builtins.list[LearnedDay]:
        """What came in day by day (UTC), the latest first, of the last ``days`` with today: of the store, archived
        experiences apart."""
        self._memory._check_open()
        now = self._memory.world.now()
        since = (now // DAY - validate.whole("days", days, 1, 3650) + 1) * DAY
        asked = {"tenant": self.scope.tenant, "agent": self.scope.agent, "since": since}
        asked["task_type"] = self._optional("task_type", task_type)
        return [
            LearnedDay(
                from_micros(int(row["day"]) * DAY).strftime("%Y-%m-%d"), row["task_type"], int(row["n"]),
                int(row["told"]), int(row["good"]), None if row["mean"] is None else float(row["mean"]),
            )
            for row in self._memory.store.read("learned_days", asked)
        ]  # fmt: skip

    def export_learning(self, path: str | os.PathLike[str], task_type: str | None = None) -> LearningExported:
        """Write what this agent decided, observed (also what is archived) and learned to a JSON file; one of that name
        is replaced. Raises InvalidField, StoreError when it cannot be written, ArchiveError."""
        self._memory._check_open()
        memory = self._memory
        target = outside(memory.store, memory.home, memory.config, path)
        return self._save(target, self._optional("task_type", task_type))

    def reset_learning(self, task_type: str, path: str | os.PathLike[str] | None = None) -> LearningReset:
        """Begin anew in a task type: this agent's decisions, experiences (archived ones, too), Q-values and drifts go,
        its own policies are retired. All that is first written to ``path``, left out: a file in the home's folder
        ``resets``. Policies and experiences of others stay. Raises NotFound when nothing was learned there."""
        self._memory._check_open()
        memory, scope = self._memory, self.scope
        task_type = validate.text("task_type", task_type, validate.FIELD_CHARACTERS)
        there = self.learned(task_type) or memory.past.places(scope, task_type)
        if not there:
            raise NotFound(f"Agent {scope.agent!r} has learned nothing of {task_type!r}.")
        kept = Path(path) if path is not None else self._place(task_type)
        saved = self._save(outside(memory.store, memory.home, memory.config, kept), task_type)
        gone = self._begin_anew(task_type)
        return LearningReset(task_type, saved.path, **gone)

    def _begin_anew(self, task_type: str) -> dict[str, int]:
        from engrain.learn.begin_anew import begin_anew

        memory = self._memory
        parts = (memory.store, memory.past, memory.versions, self.scope, task_type, memory.world.now())
        return begin_anew(*parts, f"agent:{self.scope.agent}")

    def _place(self, task_type: str) -> Path:
        """A file of its own in the home."""
        folder = self._memory.home / FOLDER
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        words = re.sub(r"[^A-Za-z0-9-]+", "-", f"{self.scope.agent}-{task_type}").strip("-")[:80]
        when = from_micros(self._memory.world.now()).strftime("%Y%m%dT%H%M%S")
        return folder / f"{words}-{when}-{self._memory.world.new_id()[-6:]}.json"

    def _save(self, target: Path, task_type: str | None) -> LearningExported:
        memory, scope = self._memory, self.scope
        asked = {"tenant": scope.tenant, "agent": scope.agent, "task_type": task_type, "limit": ALL}
        decisions = [_decision(row) for row in memory.store.read("decision_list", asked)]
        told: dict[str, Any] = {
            "engrain_learning": 1,
            "made_at": from_micros(memory.world.now()).isoformat(),
            "tenant": scope.tenant,
            "agent": scope.agent,
            "task_type": task_type,
            "q_values": memory.learner.q_values(scope, task_type),
            "decisions": decisions,
            "experiences": memory.learner.experiences(scope, task_type, ALL, archived=True),
        }
        write_json(target, told, "What was learned")
        experiences, decided, learned = (len(told[name]) for name in ("experiences", "decisions", "q_values"))
        return LearningExported(str(target), experiences, decided, learned)


def _decision(row: Any) -> dict[str, Any]:
    """A decision as plain JSON values."""
    found = dict(row)
    for name in ("state", "options", "distribution"):
        if isinstance(found.get(name), str):
            found[name] = json.loads(found[name])
    return {**found, "created_at": from_micros(found["created_at"]).isoformat()}
