"""Every argument of every verb on the command line, as JSON and on the screen."""

from __future__ import annotations

import json
import os
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engrain import Agent, Outcome
from engrain import open as open_memory
from engrain.daemon.registry import Registration
from engrain.shells.cli import main
from engrain.shells.verbs import verbs_of
from tests import fixing
from tests.acceptance.examples_patterns import EXAMPLES as OF_PATTERNS
from tests.policies import add, table

ROWS = '{"content": "first", "tags": ["bulk"]}\n{"content": "second", "importance": 9}\n'
STEPS = '{"task_type": "deploy", "action": "blue", "success": true}\n{"task_type": "deploy", "action": "green"}\n'
# Verb → a command line (with the ids of what the fixture made) and what its answer must hold, by path.
EXAMPLES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "remember": [
        (
            "'Ship on Monday' --kind fact --key day --importance 9 --tag ops --tag plan --metadata '{\"by\": [1]}' "
            "--session s9 --role user --occurred-at 2026-01-02T03:04:05Z --expires-in 30d --decay-rate 0.5 "
            "--visibility team --pinned --source wiki --expects ''",
            {
                "content": "Ship on Monday", "kind": "fact", "key": "day", "importance": 9.0, "tags": ["ops", "plan"],
                "metadata.by": [1], "session": "s9", "role": "user", "occurred_at": "2026-01-02T03:04:05+00:00",
                "decay_rate": 0.5, "visibility": "team", "pinned": True, "source": "wiki", "superseded_by": None,
            },
        )
    ],
    "remember-many": [(shlex.quote(ROWS), {"items.0.tags": ["bulk"], "items.1.importance": 9.0})],
    "recall": [
        (
            "'which python?' --limit 1 --kind fact --kind event --tag build --session s1 --since 2026-01-01 "
            "--until 2026-02-01T00:00:00Z --min-score 0.01",
            {"hits.0.item.content": "The build needs Python 3.12", "hits.0.item.session": "s1"},
        ),
        ("'frozen build' --include-archived", {"hits.0.item.id": "{gone}"}),
        ("'which python?' --explain", {"hits.0.why.0.0": "words"}),
    ],
    "context": [("'which python?' --max-tokens 200", {})],
    "get": [("{item}", {"content": "The build needs Python 3.12", "kind": "fact"})],
    "lookup": [("fact python", {"id": "{item}"})],
    "history": [("fact python", {"items.0.id": "{item}", "items.1.state": "superseded"})],
    "list": [("--kind fact --limit 1", {"items.0.id": "{item}"}), ("--after {item}", {"items": []}),
             ("--prefix pyth --newest", {"items.0.id": "{item}"})],
    "sessions": [("--prefix s --kind fact --limit 5", {"sessions.0.session": "s1", "sessions.0.items": 1})],
    "count": [("--kind fact", {"count": 1})],
    "update": [
        (
            "{item} --content 'The build needs Python 3.13' --importance 2 --tag new --metadata '{\"a\": 1}' "
            "--session s2 --role tool --occurred-at 2026-03-01 --expires-in 12h --decay-rate 1 --visibility public "
            "--pinned --source ci",
            {
                "content": "The build needs Python 3.13", "importance": 2.0, "tags": ["new"], "metadata.a": 1,
                "session": "s2", "role": "tool", "occurred_at": "2026-03-01T00:00:00+00:00", "decay_rate": 1.0,
                "visibility": "public", "pinned": True, "source": "ci",
            },
        ),
        ("{item} --no-pinned --clear tags --clear session", {"pinned": False, "tags": [], "session": None}),
    ],
    "forget": [("{item}", {"forgotten": 1}), ("--everything --yes", {"forgotten": 1})],
    "forget-where": [("--kind fact --tag build --before 2027-01-01", {"forgotten": 1})],
    "helpful": [("{item} --no-helpful", {"id": "{item}"})],
    "applied": [("{item}", {"id": "{item}"})],
    "adaptation": [("", {"on": False})],
    "reset-adaptation": [("", {"examples": 0})],
    "advise": [
        (
            "build --state '{\"size\": 2}' --option fast --option safe --episode e1",
            {"task_type": "build", "episode": "e1"},
        )
    ],
    "observe": [
        (
            "{decision} --action safe --success --evidence executed --seconds 3 --budget-seconds 10 --quality 0.5 "
            "--resources 0.25 --feedback -0.5 --weights '{\"quality\": 2}'",
            {
                "action": "safe", "outcome.success": True, "outcome.evidence": "executed", "outcome.seconds": 3.0,
                "outcome.budget_seconds": 10.0, "outcome.quality": 0.5, "outcome.resources": 0.25,
                "outcome.feedback": -0.5, "outcome.weights": {"quality": 2.0}, "decision_id": "{decision}",
            },
        ),
        (
            "{decision} --failure --error boom --reward -1",
            {"outcome.success": False, "outcome.error": "boom", "reward": -1.0},
        ),
    ],
    "observe-step": [
        (
            "deploy blue --state '{\"size\": 2}' --next-state '{\"size\": 3}' --propensity 0.5 --episode e2 "
            "--task-id t-1 --success --evidence verified --seconds 1 --budget-seconds 2 --quality 1 --resources 0 "
            "--feedback 1 --weights '{\"time\": 0}'",
            {"state.size": 2, "next_state.size": 3, "propensity": 0.5, "episode": "e2", "task_id": "t-1"},
        ),
        ("deploy blue --failure --error 'no route' --reward -2", {"outcome.error": "no route", "reward": -2.0}),
    ],
    "observe-many": [(shlex.quote(STEPS), {"experiences.0.outcome.success": True, "experiences.1.reward": None})],
    "experiences": [("--task-type build --limit 1 --archived", {"experiences.0.action": "fast"})],
    "drifts": [("--task-type build", {"agent": "builder", "drifts": []})],
    "q-values": [("--task-type build", {"q_values.0.visits": 1})],
    "keys create": [
        (
            "ci --tenant lab --for worker --for mate --rights read --expires-in 90d",
            {"name": "ci", "tenant": "lab", "agents": ["worker", "mate"], "rights": "read", "revoked_at": None},
        )
    ],
    "keys list": [("", {"keys.0.id": "{key}", "keys.0.key": None}), ("--tenant nobody", {"keys": []})],
    "keys revoke": [("{key} --tenant lab", {"id": "{key}", "tenant": "lab"})],
    "kv get": [("port --namespace ports", {"value": 8080})],
    "kv set": [("port '{\"tcp\": 1}' --namespace ports --ttl 30d", {"key": "port"})],
    "kv has": [("port --namespace ports", {"there": True})],
    "kv search": [("po --limit 1 --namespace ports", {"found.port": 8080})],
    "kv delete": [("port --namespace ports", {"deleted": True})],
    "export": [("{home}/mem.out --format jsonl", {"path": "{home}/mem.out", "active": 1, "superseded": 1})],
    "import": [("{home}/rows.txt --format jsonl --on-conflict merge --partial", {"imported": 1, "refused": 1})],
    "learning": [
        (
            "--days 7 --tenant lab --canary",
            {"ok": True, "health.alive": True, "health.stages.0.n": 2, "health.canary.ok": True},
        )
    ],
    "dream run": [("build --tenant lab --budget 3 --seed 1 --dry-run", {"state": "completed", "seed": 1})],
    "dream request": [("build --reason asked --tenant lab", {"state": "pending", "reason": "asked"})],
    "dream status": [("", {"dreams.0.id": "{dream}", "role.name": "learn"})],
    "dream history": [("--limit 5", {"dreams.0.id": "{dream}", "dreams.0.reason": "gate"})],
    "dream report": [("{dream}", {"id": "{dream}"}), ("{dream} --html", {"id": "{dream}"})],
    "policy list": [
        ("build --tenant lab --agent builder --state live --limit 5", {"policies.0.version": 3}),
        ("--tenant nobody", {"policies": []}),
    ],
    "policy show": [
        ("build 2 --tenant lab", {"version": 2, "state": "live", "metrics.candidate.low": 0.35}),
        ("build --tenant lab --agent builder", {"version": 3, "agent": "builder"}),
    ],
    "policy diff": [
        ("build 2 1 --tenant lab", {"changed": 2, "changes.0.before.action": "safe", "changes.0.state.size": 1}),
        ("build --tenant lab", {"after.version": 2, "before.version": 1}),
    ],
    "policy history": [("build --tenant lab --version 1 --limit 5", {"events.0.event": "retired"})],
    "policy promote": [("build 2 --tenant lab", {"version": 2, "state": "live"})],
    "policy rollback": [
        ("build --version 0 --agent builder --tenant lab", {"live": None}),
        ("build --tenant lab", {"live.version": 1}),
    ],
    "policy export": [
        ("{home}/p.json build --version 1 --tenant lab", {"version": 1}),
        ("{home}/q.json build --agent builder --tenant lab", {"version": 3}),
    ],
    "policy import": [
        (
            "{home}/policy.json --tenant lab --agent builder",
            {"version": 4, "state": "candidate", "agent": "builder", "metrics.passed": False},
        )
    ],
    "export-experiences": [
        ("{home}/e.parquet --format parquet --tenant lab --agent builder --task-type build", {"experiences": 1}),
        ("{home}/e.parquet --tenant lab --overwrite", {"experiences": 1}),
    ],
    "policy explain": [
        ("{decision} --tenant lab", {"decision.id": "{decision}", "agent": "builder", "version": 0}),
        (
            "--task-type build --state '{\"size\": 1}' --agent builder --tenant lab",
            {"version": 3, "state.size": 1, "options.0.action": "safe", "policy.agent": "builder"},
        ),
    ],
    "stats": [("", {"memories.active": 1, "decisions.total": 2, "experiences.total": 1})],
    "agents": [("", {"agents.0.name": "builder", "agents.0.tenant": "lab", "agents.0.team": "ops"})],
    "doctor": [("--canary", {"ok": True})],
    "rebuild": [("", {"memories": 1})],
    "backup": [("{home}/copy.db", {"path": "{home}/copy.db"})],
    "archived": [
        ("--reason expired --limit 1", {"items.0.id": "{gone}", "items.0.archived_reason": "expired"}),
        ("--after {gone}", {"items": []}),
    ],
    "archive search": [
        (
            "'what is frozen?' --limit 1 --kind event --tag cold --session s2 --since 2026-01-01 --until 2126-01-01 "
            "--min-score 0.01",
            {"hits.0.item.id": "{gone}", "hits.0.item.state": "archived"},
        ),
        ("'what is frozen?' --explain", {"hits.0.why.0.0": "words"}),
    ],
    "restore": [("{gone} --expires-in 60d --on-conflict overwrite", {"id": "{gone}", "state": "active"})],
    "restore-where": [
        (
            "--query 'what is frozen?' --since 2020-01-01 --until 2100-01-01 --reason expired --kind event --limit 5 "
            "--expires-in 60d --on-conflict overwrite --dry-run",
            {"items.0.id": "{gone}", "items.0.state": "archived"},
        ),
        ("--reason expired", {"items.0.id": "{gone}", "items.0.state": "active"}),
    ],
    "promote": [("{item}", {"id": "{item}", "kind": "fact"})],
    "pin": [("{item}", {"pinned": True}), ("{item} --no-pinned", {"pinned": False})],
    "transitions": [
        ("{gone} --limit 1", {"events.0.event": "memory:expired", "events.0.memory_id": "{gone}"}),
        ("--after 1-0", {"events.0.event": "memory:archived"}),
    ],
    "archive compact": [("--dry-run", {}), ("", {})],
    "archive stats": [("", {"memories.rows": 0, "experiences.files": 0, "store.memories": 3, "store.waiting": 1})],
    "archive tables": [("", {"tables.0.name": "history", "tables.0.columns.0.type": "text"})],
    "prune": [("--dry-run", {"pruned": 0}), ("", {"pruned": 0})],
    "tick": [
        ("--role decay --role metrics", {"ok": True, "runs.0.role": "decay", "runs.1.state": "done"}),
        ("--dry-run", {"runs": []}),
    ],
    "roles": [("", {"roles.0.name": "expire", "roles.0.every_seconds": 900.0, "roles.7.name": "report"})],
    "runs": [("--role decay --limit 5", {"runs": []}), ("--role expire", {"runs.0.state": "done"})],
    "pause": [("decay", {"roles.0.state": "on", "roles.1.state": "paused"}), ("", {"roles.6.state": "paused"})],
    "resume": [("decay", {"roles.1.state": "on"})],
    "daemon status": [("", {"alive": True, "status.score": 100, "status.daemons.0.state": "alive"})],
    "daemon stop": [("", {"daemons.0.state": "stopping"}), ("--all", {"daemons.0.state": "stopping"})],
    "daemon history": [("--role decay --limit 5", {"runs": []}), ("--role expire", {"runs.0.state": "done"})],
    "daemon pause": [("decay", {"roles.0.state": "on", "roles.1.state": "paused"})],
    "daemon resume": [("decay", {"roles.1.state": "on"})],
    "lifecycle": [("--off", {"on": False}), ("", {"on": False}), ("--on", {"on": True})],
    "metrics": [
        ("--days 7", {"measured": None, "totals.memories": 1, "agents.0.agent": "builder"}),
        ("--tenant lab --agent nobody", {"agents": [], "totals.memories": 0}),
    ],
    "alerts": [("--settled", {"alerts": []})],
    **OF_PATTERNS,
    **fixing.EXAMPLES,
}  # fmt: skip


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A home with one of everything, and the environment of its agent; the ids."""
    home = tmp_path / "home"
    for name, value in {"HOME": str(home), "AGENT": "builder", "TENANT": "lab"}.items():
        monkeypatch.setenv(f"ENGRAIN_{name}", value)
    monkeypatch.setenv("COLUMNS", "80")
    with open_memory(home) as memory:
        agent = memory.agent("builder", tenant="lab", team="ops")
        agent.remember("The build needs Python 3.11", kind="fact", key="python")
        happened = datetime(2026, 1, 9, tzinfo=UTC)
        item = agent.remember(
            "The build needs Python 3.12", "fact", "python", tags=["build"], session="s1", occurred_at=happened
        )
        decision, other = (agent.advise("build", state={"size": 1}, options=["fast", "safe"]) for _ in range(2))
        agent.observe(other, Outcome(success=True, evidence="executed"), action="fast")
        agent.kv("ports").set("port", 8080)
        patterns = patterns_of(agent)
        agent.export_patterns(home / "patterns.json")
        first, then = {1: {"fast": 0.1, "safe": 0.4}}, {1: {"fast": 0.5, "safe": 0.2}, 2: {"fast": 0.5, "safe": 0.3}}
        for values, whose in ((first, None), (then, None), (first, "builder")):
            add(memory, table(values), agent=whose, tenant="lab")
        memory.policy_export(home / "policy.json", "build", 1, "lab")
        dream = memory.dream_request(tenant="lab")
        ended = {"id": dream.id, "state": "completed", "phase": "done", "checkpoint": "{}", "steps": 0}
        memory.store.write([("dream_end", {**ended, "findings": "{}", "error": None, "now": memory.world.now()})])
        key = memory.keys_create("reader", "lab", rights="read")
        gone = agent.remember(
            "The build is frozen", "event", tags=["cold"], session="s2", expires_in=timedelta(microseconds=1)
        )
        memory.tick(["expire", "report"])
        fixes = fixing.fill(agent, home)
        Registration(memory.store, memory.world, os.getpid()).say_alive()  # a daemon that will not hear
    monkeypatch.setattr("engrain.administration.STOPPING", 0.0)
    (home / "rows.txt").write_text(ROWS[: ROWS.index("\n")] + "\n{}\n")
    ids = fixes | {"item": item.id, "decision": decision.decision_id, "key": key.id, "gone": gone.id, "dream": dream.id}
    return {**ids, **patterns, "home": str(home)}


def patterns_of(agent: Agent) -> dict[str, str]:
    """Three patterns, one of which was used; their ids."""
    said: dict[str, Any] = {"framework": "unittest", "language": "python", "domain": "web", "tags": ["ci"]}
    said["task_type"] = "build"
    one = agent.add_pattern(
        "Check with assertEqual", "Compare whole things.", template="self.assertEqual(total, 2)", **said
    )
    other, long = agent.add_pattern("Retry"), agent.add_pattern("Name the case")
    agent.use_pattern(one.id, True, source="ci")
    agent.quarantine_pattern(other.id, "it hides faults")
    agent.promote_pattern(long.id, "of the house")
    agent._memory.bank.link(agent.scope, one.id, other.id, "refines")
    done = agent.add_trajectory("Build it", [{"action": "make", "exit_code": 0}], task_type="build")
    return {"pattern": one.id, "other": other.id, "long": long.id, "trajectory": done.id}


def placed(text: str, made: dict[str, str]) -> str:
    """Ids for their names in braces."""
    for name, value in made.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def filled(verb: str, line: str, made: dict[str, str]) -> list[str]:
    """The words of an example, with the ids in their places."""
    return [*verb.split(), *shlex.split(placed(line, made))]


def at(value: Any, path: str) -> Any:
    """What stands under a path such as ``hits.0.item``."""
    for step in path.split("."):
        value = value[int(step) if isinstance(value, list) else step]
    return value


@pytest.mark.parametrize("verb", EXAMPLES)
def test_a_verb_does_what_its_arguments_say(
    verb: str, made: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    for line, expected in EXAMPLES[verb]:
        code = main([*filled(verb, line, made), "--json"])
        said = capsys.readouterr()
        assert (code, said.err) == (0, "")
        answer = json.loads(said.out)
        for path, value in expected.items():
            wanted = json.loads(placed(json.dumps(value), made))
            assert at(answer, path) == wanted, path


@pytest.mark.parametrize("verb", EXAMPLES)
def test_a_verb_has_a_screen_that_fits_eighty_columns(
    verb: str, made: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(filled(verb, EXAMPLES[verb][0][0], made)) == 0
    said = capsys.readouterr()
    assert said.err == "" or verb == "keys create", "beside a key its note"
    assert said.out.strip()
    assert "\x1b" not in said.out, "colours where nobody sees them"
    free = verb in (
        "context",
        "fixes context",
        "backup",
        "export",
        "stats",
        "archive stats",
        "keys create",
        "dream report",
        "patterns export",
        "learn export",
        "learn reset",
    )  # text of the user, and paths
    assert free or max(len(row) for row in said.out.splitlines()) <= 80


def test_the_examples_use_every_argument_of_every_verb() -> None:
    assert set(EXAMPLES) == {verb.name for verb in verbs_of("cli")}
    for verb in verbs_of("cli"):
        words = {word for line, _ in EXAMPLES[verb.name] for word in shlex.split(line)}
        for field in (*verb.fields, *verb.views):
            for option in field.declaration.split("/") if not field.positional else ():
                default_on = (
                    field.type == "flag"
                    and field.default is not None
                    and option.startswith("--")
                    and (("--no-" in option) != bool(field.default))
                )
                assert option in words or default_on, f"{verb.name} {option}"
