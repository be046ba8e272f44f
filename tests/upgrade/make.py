"""Write the populated database of the present schema that later versions are tested to upgrade.

    python -m tests.upgrade.make

Run it once for each released schema, before the release; the file of a released schema is never written again.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import engrain
from engrain import Agent, Outcome
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from engrain.testing.model import facts

FOLDER = Path(__file__).parent
START = "2026-01-01T00:00:00Z"


def populate(memory: Memory, world: SimulatedWorld) -> None:
    """Something of everything that can be stored."""
    ann, bob = memory.agent("ann", tenant="acme", team="red"), memory.agent("bob", tenant="acme", team="red")
    other = memory.agent("ann", tenant="other")
    ann.remember("the upload is retried once on 503", kind="fact", key="retry", importance=7.5, tags=["net"])
    world.advance(hours=1)
    new = ann.remember("the upload is retried twice on 503", kind="fact", key="retry", visibility="team", pinned=True,
                       metadata={"n": [1, None, "ü"]}, session="s1", role="user", source="a file", decay_rate=0.5,
                       occurred_at=datetime(2025, 1, 2, 3, 4, 5, 6, tzinfo=UTC), expires_in="3650d")  # fmt: skip
    ann.update(new.id, content="the upload is retried three times on 503")
    bob.remember_many([{"content": f"line {i} of a talk about parsers", "session": "talk"} for i in range(3)])
    bob.remember("everybody may know the meeting is on monday", visibility="public")
    long = " ".join(f"word{i} of a long report" for i in range(80))
    other.remember(long, kind="knowledge")
    other.remember("a key ghp_" + "a8Kx2mQ9" * 4 + "Zt7w was found in the log", kind="event")
    ann.recall("upload")
    ann.remember("The upload is  retried three times on 503", session="later")
    ann.helpful(new.id)
    ann.applied(new.id)
    ann.kv("space").set("key", {"deep": [1, 2.5, None, "ü"]})
    ann.kv().set("forever", True)
    for turn in range(6):
        advice = ann.advise("task", state={"size": turn % 2, "lang": "py"}, options=["a", "b"], episode="e1")
        success = [True, False, None][turn % 3]
        ann.observe(advice, Outcome(success=success, evidence="executed", seconds=1.5, quality=0.5))
    ann.advise("unknown task")
    bob.observe_step("task", {"size": 1}, "b", Outcome(success=True, evidence="verified", reward=1.25), task_id="t7")
    strategies(ann, bob)


def strategies(ann: Agent, bob: Agent) -> None:
    """Patterns in every state, used, merged, contradicted."""
    words = "freeze time with a fake clock instead of sleeping in tests that wait until the deadline has passed"
    do = ann.add_pattern("Fake clock", words, framework="pytest", tags=["time"], task_type="task", visibility="team")
    ann.add_pattern("No fake clock", words, framework="pytest", polarity="avoid")
    same = ann.add_pattern("A fake clock", words, template="{{clock}}.tick()")
    for n in range(6):
        bob.use_pattern(do.id, n != 2, evidence="verified", task_id=f"t{n}", state={"size": n % 2})
    ann.helpful(same.id, True)
    ann.merge_patterns(same.id, do.id, "the same")
    bob.add_pattern("Sleep", "sleep until it is over")
    ann.quarantine_pattern(do.id, "doubts")
    ann.release_pattern(do.id, "none")
    told: dict[str, Any] = {"type": "timeout", "target": "db", "session": "s1"}
    for n in range(4):
        ann.record_fix(f"db-{n} did not answer in {n} s", ["restart db", "echo done"], success=n > 0, verified=n > 1,
                       seconds=n, fixer="claude", visibility=("private", "team", "public", "team")[n],
                       **told)  # fmt: skip
    full = ann.record_fix("no room left on disk", analysis="rotate the logs", system={"os": "Linux"}, notes="later")
    bob.merge_issues(bob.record_fix("the disk is full").issue, bob.record_fix("no inodes left").issue, "the same")
    ann.verify_fix(full.id)


def answers(memory: Memory) -> dict[str, Any]:
    """What every later version must still say of it, as JSON."""
    said: dict[str, Any] = {}
    for tenant, name in (("acme", "ann"), ("acme", "bob"), ("other", "ann")):
        agent = memory.agent(name, tenant=tenant)
        said[f"{tenant}/{name}"] = {
            "team": agent.scope.team,
            "items": [{"id": item.id, "repeats": item.repeats, **facts(item)} for item in agent.list()],
            "history": [[item.content, item.state] for item in agent.history("fact", "retry")],
            "recalled": [item.id for item in agent.list()
                         if item.id in [hit.item.id for hit in agent.recall(item.content, limit=3)]],
            "kv": [agent.kv("space").search(), agent.kv().search()],
            "experiences": [[one.id, one.decision_id, one.action, one.reward, one.propensity, dict(one.state),
                             one.outcome.success, one.outcome.seconds, one.episode, one.task_id]
                            for one in agent.experiences()],
            "learned": [[v.task_type, v.state and dict(v.state), v.action, v.visits, round(v.mean, 9)]
                        for v in agent.q_values()],
        }  # fmt: skip
        if (fixes := agent.fixes()) and (stats := agent.fix_stats()):
            found = agent.diagnose("db-7 did not answer in 8 s", target="db")
            said[f"{tenant}/{name}"]["fixes"] = [
                [stats.seen, stats.tried, stats.solved, stats.failed, stats.claimed, stats.issues],
                [[one.commands, one.odds.solved, one.odds.attempts] for one in found.fixes],
                [[one.message, one.success, one.verified, one.seconds, one.notes] for one in fixes],
            ]
        if patterns := [hit.pattern for hit in agent.patterns(state=None)]:
            said[f"{tenant}/{name}"]["patterns"] = [
                [one.id, one.title, one.tier, one.state, one.applied, one.helpful, round(one.belief.confidence, 6),
                 [link.kind for link in agent.pattern_links(one.id)]] for one in patterns
            ]  # fmt: skip
    found = json.loads(json.dumps(said, default=str))
    assert isinstance(found, dict)
    return found


def main() -> None:
    """Write vN.sql and vN.json for the present schema N."""
    world = SimulatedWorld(START, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        with engrain.open(folder, world=world, embedder="hash") as memory:
            populate(memory, world)
            version = memory.store.schema()[0]
        with engrain.open(folder, world=world, embedder="hash") as memory:
            expected = answers(memory)
        with contextlib.closing(sqlite3.connect(Path(folder) / "engrain.db")) as database:
            dump = "\n".join(database.iterdump())
    (FOLDER / f"v{version}.sql").write_text(dump + "\n", encoding="utf-8")
    text = json.dumps(expected, indent=1, ensure_ascii=False, sort_keys=True)
    (FOLDER / f"v{version}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
