"""What tests of policies share: versions that somebody made, with the verdict of a gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engrain.learn.policies import Made
from engrain.learn.rule import TableRule
from engrain.learn.state import checked_state
from engrain.memory import Memory
from engrain.model.policy import Estimate, Verdict

TASK = "build"
DATA = {"from": "2026-01-01T00:00:00+00:00", "to": "2026-01-09T00:00:00+00:00", "rows": 320, "lineages": 4}
PASSED = Verdict(
    True,
    "its lower bound +0.35 beats the +0.30 of what is live",
    Estimate("DR", 0.47, 0.35, 0.58, 320, 210.5),
    Estimate("mean of the log", 0.30, 0.21, 0.39, 320, 320.0),
    (Estimate("SNIPS", 0.45, 0.31, 0.6, 320, 180.0),),
)
THIN = Estimate("DR", None, None, None, 12, 3.1, refused="12 outcomes are too few")
REFUSED = Verdict(False, "12 outcomes are too few", THIN, PASSED.live)

Table = Mapping[int, Mapping[str, float]]  # size → action → long-run value


def table(values: Table, chance: float = 0.9, visits: float = 20.0) -> TableRule:
    """A rule that takes the best action with a probability, and the others alike."""
    entries: dict[str, dict[str, tuple[float, float | None, float]]] = {}
    for size, row in values.items():
        best, rest = max(row, key=lambda one: row[one]), (1.0 - chance) / max(1, len(row) - 1)
        shares = {action: chance if action == best else rest for action in row} if len(row) > 1 else {best: 1.0}
        entries[checked_state({"size": size}).key] = {one: (shares[one], row[one], visits) for one in row}
    return TableRule(entries)


def add(
    memory: Memory, rule: Any, verdict: Verdict | None = PASSED, live: bool = True, agent: str | None = None,
    task: str = TASK, tenant: str = "default",
) -> int:  # fmt: skip
    """Keep a version, and let it advise."""
    with memory.store.transaction(tenant) as tx:
        made = Made(tenant, agent, task, rule, DATA, 3, 0.0, "d1")
        version = memory.versions.add(tx, made, verdict, "dream:d1")
        if verdict is not None and not verdict.passed:
            memory.versions.judge(tx, tenant, task, version, verdict, "dream:d1")
        elif live and verdict is not None:
            memory.versions.promote(tx, tenant, task, version, verdict.reason, "dream:d1")
    return version
