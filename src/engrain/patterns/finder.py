"""Looking for patterns in all that an agent did: its experiences, its fixes, its trajectories."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from engrain.model.distill import PatternChange
from engrain.model.scope import Scope
from engrain.patterns import discover, distil, from_fixes
from engrain.patterns.bank import Bank
from engrain.patterns.drafts import Draft, Wording, found_before, rule_of, settle
from engrain.patterns.room import Room
from engrain.patterns.trajectories import Acts, trajectory_of
from engrain.store.rows import to_json

FIXES = 20_000  # attempts of an agent, the latest
TRAJECTORIES = 2_000


class Past(Protocol):
    """Experiences that have left the store."""

    def latest(self, scope: Scope, task_type: str | None, limit: int) -> Sequence[Any]: ...


class Finder:
    """``past``: asked when experiences are archived (None: none are); ``issue``: (scope, signatures) to their issues by
    now; ``mask``: a text without what differs from case to case; ``acts``: whether commands do anything; ``version``:
    of the code."""

    def __init__(
        self,
        room: Room,
        bank: Bank,
        past: Callable[[], Past | None],
        issues: Callable[[Scope, Sequence[str]], Mapping[str, str]],
        mask: distil.Mask,
        acts: Acts,
        version: str,
    ) -> None:
        self._room, self._bank, self._past, self._issues = room, bank, past, issues
        self._mask, self._acts, self._version = mask, acts, version
        self.looked: Counter[str] = Counter()

    def scopes(self, tenant: str) -> list[Scope]:
        """Whose experiences, fixes and trajectories a tenant has."""
        return [Scope(tenant, row["agent"]) for row in self._room.store.read("distill_agents", {"tenant": tenant})]

    def discover(
        self, scope: Scope, *, dry: bool, wording: Wording | None = None, stop: Callable[[], bool] = lambda: False
    ) -> list[PatternChange]:
        """What an agent's experiences and fixes tell; what changed by that."""
        base = {"tenant": scope.tenant, "agent": scope.agent}
        found: list[PatternChange] = []
        known = found_before(self._room, scope, discover.SOURCE)
        types = [row["task_type"] for row in self._room.store.read("distill_types", base)]
        past = self._past()
        types += [str(rule_of(row)["task_type"]) for row in known if rule_of(row).get("task_type") not in types]
        for task_type in dict.fromkeys(types):
            if stop():
                return found
            rules = [rule_of(row) for row in known if rule_of(row).get("task_type") == task_type]
            cases = discover.cases_of(self._experiences(scope, task_type, past))
            self.looked.update({"task_types": 1, "cases": len(cases)})
            found += self._settle(scope, discover.discover(task_type, cases, rules), dry, wording)
        return found + ([] if stop() else self._fixes(scope, dry, wording))

    def distil(
        self, scope: Scope, *, dry: bool, task_type: str | None = None, wording: Wording | None = None
    ) -> list[PatternChange]:
        """What an agent's trajectories have in common; what changed by that."""
        asked = {"tenant": scope.tenant, "agent": scope.agent, "task_type": task_type, "limit": TRAJECTORIES}
        rows = self._room.store.read("trajectory_mine", asked)
        self.looked.update({"trajectories": len(rows)})
        if not rows:
            return []
        runs = distil.runs_of([trajectory_of(row) for row in rows], self._mask, self._acts)
        known = [rule_of(row) for row in found_before(self._room, scope, distil.SOURCE)]
        drafts = distil.distil(runs, self._mask, known)
        changes = self._settle(scope, drafts, dry, wording)
        if not dry:
            self._mark(scope, rows, drafts)
        return changes

    def _settle(self, scope: Scope, drafts: list[Draft], dry: bool, wording: Wording | None) -> list[PatternChange]:
        return settle(self._room, self._bank, scope, drafts, version=self._version, dry=dry, wording=wording)

    def _experiences(self, scope: Scope, task_type: str, past: Past | None) -> list[Any]:
        asked = {"tenant": scope.tenant, "agent": scope.agent, "task_type": task_type, "limit": discover.MOST}
        rows: list[Any] = list(self._room.store.read("distill_experiences", asked))
        left = discover.MOST - len(rows)
        if past is not None and left:
            rows += [
                {**row, "task": row["task_id"] or row["episode"], "success": int(row["success"])}
                for row in past.latest(scope, task_type, left)
                if row["success"] is not None and row["evidence"] != "claimed"
            ]
        return rows

    def _fixes(self, scope: Scope, dry: bool, wording: Wording | None) -> list[PatternChange]:
        asked = {"tenant": scope.tenant, "agent": scope.agent, "limit": FIXES}
        rows = self._room.store.read("distill_fixes", asked)
        self.looked.update({"fixes": len(rows)})
        if not rows:
            return []
        issues = self._issues(scope, sorted({row["signature"] for row in rows}))
        rules = [rule_of(row) for row in found_before(self._room, scope, from_fixes.SOURCE)]
        known = frozenset(
            to_json([from_fixes.SOURCE, rule["issue"], rule["plan"], rule["polarity"]]) for rule in rules if rule
        )
        drafts = from_fixes.of_fixes(rows, lambda raw: issues.get(raw, raw), known)
        return self._settle(scope, drafts, dry, wording)

    def _mark(self, scope: Scope, rows: Sequence[Any], drafts: Sequence[Draft]) -> None:
        """Note in trajectories to which patterns they contributed."""
        made: dict[str, list[str]] = {}
        for draft in drafts:
            for id_ in draft.ids:
                made.setdefault(id_, []).append(draft.id(scope))
        base = {"tenant": scope.tenant, "agent": scope.agent}
        fresh = [row["id"] for row in rows if json.loads(row["distilled"]) != sorted(made.get(row["id"], []))]
        if fresh:
            told = [{**base, "id": id_, "distilled": to_json(sorted(made.get(id_, [])))} for id_ in fresh]
            self._room.store.write([("trajectory_distilled", one) for one in told])
