"""Command lines of the verbs of patterns and of what was learned, for test_cli_verbs."""

from __future__ import annotations

from typing import Any

OF = "--kind strategy --framework unittest --language python --domain web --tag ci --task-type build --tier short "
EXAMPLES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "patterns list": [
        (
            OF + "--state active --polarity do --limit 1",
            {"patterns.0.pattern.id": "{pattern}", "patterns.0.draw": None},
        ),
        ("--state any --explore --limit 1", {"patterns.0.contradicts": []}),
    ],
    "patterns search": [
        (
            "'equal things' --explore " + OF + "--state active --polarity do --limit 1",
            {"patterns.0.pattern.title": "Check with assertEqual"},
        )
    ],
    "patterns show": [
        (
            "{pattern}",
            {
                "pattern.belief.lineages": 1, "history.0.event": "made", "uses.0.source": "ci",
                "links.0.kind": "refines",
                "titles": {"{other}": "Retry"},
            },
        )
    ],
    "patterns add": [
        (
            "Wait 'Wait for the port' --description ports --template 'wait({{port}})' --kind workflow --polarity avoid "
            "--framework pytest --language python --domain net --tag slow --task-type deploy --visibility team "
            "--foundation --provenance '{\"source\": \"book\"}'",
            {
                "title": "Wait", "content": "Wait for the port", "description": "ports", "template": "wait({{port}})",
                "kind": "workflow", "polarity": "avoid", "framework": "pytest", "language": "python", "domain": "net",
                "tags": ["slow"], "task_type": "deploy", "visibility": "team", "foundation": True,
                "provenance.source": "book", "tier": "short",
            },
        )
    ],
    "patterns update": [
        (
            "{pattern} --title Equal --content eq --description d --template t --kind mock --polarity avoid "
            "--framework pytest --language py --domain cli --tag x --task-type test --foundation",
            {
                "title": "Equal", "content": "eq", "description": "d", "template": "t", "kind": "mock",
                "polarity": "avoid", "framework": "pytest", "language": "py", "domain": "cli", "tags": ["x"],
                "task_type": "test", "foundation": True,
            },
        ),
        ("{pattern} --no-foundation --clear framework --clear tags", {"foundation": False, "framework": None, "tags": []}),
    ],
    "patterns use": [
        (
            "{pattern} --success --stage helpful --evidence verified --source me --task-type build "
            "--state '{\"size\": 1}' --task-id t9",
            {"helpful": 1, "belief.lineages": 2},
        ),
        ("{pattern} --failure", {"belief.lineages": 3, "applied": 2}),
    ],
    "patterns promote": [("{pattern} 'tried elsewhere'", {"tier": "long"})],
    "patterns demote": [("{long} 'it was luck'", {"tier": "short"})],
    "patterns quarantine": [("{pattern} 'it hides faults'", {"state": "quarantined"})],
    "patterns release": [("{other} 'it was the network'", {"state": "active"})],
    "patterns deprecate": [("{pattern} 'nobody does that now'", {"state": "deprecated"})],
    "patterns undo": [("{other}", {"state": "active"})],
    "patterns merge": [("{long} {pattern} 'the same'", {"id": "{pattern}"})],
    "patterns share": [
        ("{pattern} public --parameters '{\"total\": \"name\"}'", {"visibility": "public",
         "template": "self.assertEqual({{name}}, 2)"})
    ],
    "patterns map": [
        ("{pattern} pytest", {"framework": "pytest", "template": "assert total == 2", "provenance.ids": ["{pattern}"]})
    ],
    "patterns preview": [("{pattern} pytest", {"text": "assert total == 2", "source": "unittest", "notes": []})],
    "patterns export": [
        ("{home}/p.out --parameters '{\"total\": \"name\"}' --framework unittest", {"patterns": 1, "uses": 1})
    ],
    "patterns import": [("{home}/patterns.json", {"imported": 0, "known": 3, "uses": 0, "links": 1})],
    "patterns stats": [("", {"total": 3, "unused": 2, "by_tier.long": 1, "uses.applied": 1})],
    "patterns discover": [("--tenant lab --agent builder --dry-run", {"dry_run": True})],
    "patterns consolidate": [("--tenant lab --agent builder --dry-run", {"dry_run": True})],
    "trajectories add": [
        (
            "'Ship it' '{\"action\": \"make\", \"exit_code\": 0}' --success --evidence executed --task-type deploy "
            "--task-id t1 --visibility team",
            {"task": "Ship it", "success": True, "task_type": "deploy", "task_id": "t1", "visibility": "team"},
        ),
        ("Again '{\"action\": \"make\", \"tests\": [1, 2]}' --failure", {"success": False, "steps.0.tests": [1, 2]}),
    ],
    "trajectories list": [
        ("--task-type build --success --limit 1", {"trajectories.0.id": "{trajectory}"}),
        ("--failure", {"trajectories": []}),
    ],
    "trajectories show": [("{trajectory}", {"task": "Build it"})],
    "trajectories distill": [("--task-type build --dry-run", {"dry_run": True})],
    "learn status": [
        ("build", {"learned.0.visits": 1, "learned.0.best": "fast", "learned.0.policy": 3, "patterns.total": 3})
    ],
    "learn history": [("build --days 3", {"days.0.outcomes": 1, "days.0.mean_reward": 2.0})],
    "learn export": [("{home}/l.out --task-type build", {"experiences": 1, "decisions": 2})],
    "learn reset": [
        (
            "build --path {home}/gone.json --yes",
            {"path": "{home}/gone.json", "experiences": 1, "decisions": 2, "q_values": 2, "policies": 1},
        )
    ],
}  # fmt: skip
