"""Problems and fixes for the tests of shells: what is noted, and command lines with what they must answer."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from engrain.agent import Agent

EXAMPLES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "diagnose": [
        (
            "'no answer from host gpu-7' --type timeout --target qwen --test t_1 --log 'GET /x' --prompt 'say hi' "
            "--response '' --metadata '{\"n\": 1}' --limit 2",
            {"issue": "{issue}", "known": True, "fixes.0.commands": ["restart it"], "avoid.0.commands": ["pray"]},
        ),
        ("--file {home}/problem.txt", {"issue": "{issue}", "fixes.0.odds.solved": 1}),
        ("boom --fingerprint DISK --trace 'at x' --target qwen", {"known": False, "target.seen": 3}),
    ],
    "record-fix": [
        (
            "'no answer from host gpu-8' --type timeout --target qwen --test t_1 --log 'GET /x' --prompt 'say hi' "
            "--response '' --metadata '{\"n\": 1}' --command 'restart it' --command 'wait 5' --analysis slow "
            "--fixer claude --success --verified --seconds 3 --system '{\"os\": \"Linux\"}' --notes ok --session s1 "
            "--task-id 7 --visibility team --occurred-at 2026-01-02",
            {
                "issue": "{issue}", "type": "timeout", "target": "qwen", "commands": ["restart it", "wait 5"],
                "analysis": "slow", "fixer": "claude", "success": True, "verified": True, "seconds": 3.0,
                "system.os": "Linux", "notes": "ok", "session": "s1", "task_id": "7", "visibility": "team",
                "occurred_at": "2026-01-02T00:00:00+00:00",
            },
        ),
        ("--file {home}/problem.txt --failure", {"issue": "{issue}", "success": False}),
        ("boom --fingerprint DISK --trace 'at x'", {"success": None}),
    ],
    "record-fixes": [
        (shlex.quote('{"problem": "boom", "commands": ["a"]}\n{"problem": "bang"}'), {"fixes.0.commands": ["a"]})
    ],
    "fixes verify": [("{fix} --notes 'seen twice'", {"verified": True}), ("{fix} --failure", {"success": False})],
    "fixes stats": [("", {"seen": 5, "tried": 2, "solved": 1, "failed": 1, "odds.attempts": 2})],
    "fixes target": [("qwen", {"target": "qwen", "seen": 3, "odds.solved": 1})],
    "fixes targets": [("", {"targets.0.target": "qwen"})],
    "fixes list": [
        ("--type timeout --target qwen --issue {issue} --successful --since 2026-01-01 --limit 5",
         {"fixes.0.id": "{fix}"}),
        ("--no-successful", {"fixes.3.commands": ["pray"]}),
    ],
    "fixes recent": [
        ("7 --type timeout --target qwen --issue {issue} --successful --limit 5", {"fixes.0.id": "{fix}"}),
        ("0.5 --no-successful", {"fixes.3.commands": ["pray"]}),
    ],
    "fixes successful": [("--type timeout --target qwen --limit 5", {"ways.0.fix.commands": ["restart it"]})],
    "fixes patterns": [("--type timeout --target qwen --limit 5", {"issues.0.id": "{issue}", "issues.0.seen": 3})],
    "fixes issue": [("{issue}", {"id": "{issue}", "seen": 3})],
    "fixes similar": [
        ("'no answer from host gpu-7' --type timeout --target qwen --test t_1 --log 'GET /x' --prompt 'say hi' "
         "--response '' --metadata '{}' --fingerprint DISK --trace 'at x' --limit 2", {"similar.0.issue": "{issue}"}),
        ("--file {home}/problem.txt", {"issue": "{issue}"}),
    ],
    "fixes context": [
        ("'no answer from host gpu-7' --type timeout --target qwen --test t_1 --log 'GET /x' --prompt 'say hi' "
         "--response '' --metadata '{}' --fingerprint DISK --trace 'at x' --max-tokens 90", {}),
        ("--file {home}/problem.txt", {}),
    ],
    "fixes merge": [("{second} {issue} --reason 'the same fault'", {"seen": 5})],
    "fixes split": [("{split} 'not the same'", {"id": "{split}"})],
    "fixes undo": [("", {"undone.kind": "merge", "undone.reason": "by hand"})],
    "fixes edits": [("", {"edits.0.kind": "merge", "edits.0.undone_at": None})],
    "fixes export": [("{home}/f.csv --format csv", {"fixes": 5}), ("{home}/f.json", {"fixes": 5})],
    "fixes import": [("{home}/fixes.json", {"added": 0, "known": 5})],
    "fixes cleanup": [("400 --dry-run", {"cleared": 0}), ("", {"cleared": 0})],
}  # fmt: skip


def fill(agent: Agent, home: Path) -> dict[str, str]:
    """Note five attempts and sightings, merge two issues by hand and write files; the ids."""
    timeout = {"problem": "no answer from host gpu-3", "type": "timeout", "target": "qwen"}
    fixed, *_, other, split = agent.record_fixes([
        {**timeout, "commands": "restart it", "success": True, "verified": True},
        {**timeout, "commands": "pray", "success": False}, timeout, {"problem": "disk full"}, {"problem": "no room"},
    ])  # fmt: skip
    agent.merge_issues(split.issue, other.issue, "by hand")
    agent.export_fixes(home / "fixes.json")
    (home / "problem.txt").write_text("no answer from host gpu-9")
    return {"fix": fixed.id, "issue": fixed.issue, "second": other.issue, "split": split.signature}
