"""Command lines of the verbs of trajectories and of looking for patterns, for test_cli_verbs."""

from __future__ import annotations

import json
import shlex
from typing import Any

from engrain import Agent

STEPS = [
    {"action": "pytest -q", "state": {"branch": "main"}, "output": "ImportError: foo", "tests": [3, 1]},
    {"action": "pip install -e .", "exit_code": 0, "success": True},
    {"action": "pytest -q", "tests": [4, 0]},
]
_ROWS = shlex.quote("\n".join(json.dumps(step) for step in STEPS))
_FOUND = {"changes.0.what": "found", "changes.0.source": "trajectory"}
EXAMPLES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "trajectories add": [
        (
            f"'fix the test' {_ROWS} --success --evidence executed --task-type repair --task-id t7 --visibility team",
            {
                "success": True, "evidence": "executed", "task_type": "repair", "task_id": "t7", "visibility": "team",
                "why": "tests: 4 passed, 0 failed in step 3", "steps.0.tests": [3, 1], "steps.1.exit_code": 0,
            },
        ),
        (f"'fix the test' {_ROWS} --failure --evidence verified", {"success": None}),
    ],
    "trajectories list": [("--task-type mend --success --limit 1", {"trajectories.0.id": "{trajectory}"}),
                          ("--failure", {"trajectories": []})],
    "trajectories show": [("{trajectory}", {"steps.0.output": "ImportError: foo", "task": "mend it"})],
    "trajectories distill": [("--task-type mend --dry-run", {**_FOUND, "dry_run": True})],
    "patterns discover": [("--tenant lab --agent builder --dry-run", {**_FOUND, "looked.trajectories": 1})],
    "patterns consolidate": [("--tenant lab --agent builder --dry-run", {"looked.agents": 1, "changes": []})],
}  # fmt: skip


def trajectory_of(agent: Agent) -> str:
    """A trajectory with something to be learned from; its id."""
    return agent.add_trajectory("mend it", STEPS, task_type="mend").id
