"""Fixes on both engines: who sees what, documents that come twice, what another process wrote, and upkeep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engrain
from engrain import Agent
from engrain.errors import InvalidField, UnknownFix, UnknownIssue
from engrain.memory import Memory
from engrain.model.fix import FixesCleaned
from engrain.testing import SimulatedWorld
from tests import children
from tests.postgres import Place

WORKED: dict[str, Any] = {"success": True, "verified": True, "type": "timeout", "target": "db", "seconds": 3}


def seen_by(agent: Agent) -> tuple[int, int, int, int]:
    """Fixes, issues, verified solutions for the problem, and those of its target."""
    found = agent.diagnose("db timed out", type="timeout", target="db")
    solved = found.info.odds.solved if found.info else 0
    assert bool(solved) == bool(found.fixes) == ("restart" in agent.context_for("db timed out"))
    return len(agent.fixes()), len(agent.issues()), solved, found.target.odds.solved if found.target else 0


def test_who_sees_what(place: Place) -> None:
    memory, late = place.open(), place.open()
    ann = memory.agent("ann", tenant="acme", team="red")
    mate, other = memory.agent("mate", tenant="acme", team="red"), memory.agent("other", tenant="acme", team="blue")
    foreign = memory.agent("ann", tenant="else", team="red")
    watching = late.agent("mate", tenant="acme")
    assert seen_by(watching) == (0, 0, 0, 0)
    made = [
        ann.record_fix("db timed out", ["restart"], visibility=one, **WORKED) for one in ("private", "team", "public")
    ]
    assert seen_by(ann) == (3, 1, 3, 3)
    assert seen_by(mate) == seen_by(watching) == (2, 1, 2, 2)
    assert seen_by(other) == (1, 1, 1, 1)
    assert seen_by(foreign) == (0, 0, 0, 0)
    assert foreign.fix_stats().seen == 0
    assert foreign.export_fixes()["fixes"] == []
    with pytest.raises(UnknownFix):
        mate.verify_fix(made[1].id, False)
    with pytest.raises(UnknownIssue):
        foreign.issue(made[0].issue)
    with pytest.raises(UnknownIssue):
        foreign.merge_issues(made[0].issue, made[0].issue, "r")
    ann.verify_fix(made[1].id, False)
    assert seen_by(watching) == (2, 1, 1, 1)
    memory.agent("mate", tenant="acme", team="blue")
    assert seen_by(watching) == (1, 1, 1, 1)
    told = children.run(
        """
        import engrain
        with engrain.open(**given, embedder="hash") as memory:
            found = memory.agent("ann", tenant="acme").diagnose("db timed out")
            say([found.info.seen, found.fixes[0].odds.solved, found.fixes[0].commands])
        """,
        place.arguments,
    )
    assert told == [[3, 2, ["restart"]]]
    memory.rebuild()
    assert seen_by(watching) == (1, 1, 1, 1)
    assert all(one.ok for one in memory.doctor().checks)
    assert ann.forget(everything=True)
    assert seen_by(watching) == seen_by(ann) == (0, 0, 0, 0)


def test_a_document_that_comes_twice_counts_once(memory: Memory, world: SimulatedWorld, tmp_path: Path) -> None:
    ann, bob = memory.agent("ann", tenant="acme"), memory.agent("bob", tenant="acme")
    made = ann.record_fix("db timed out", ["restart"], visibility="public", **WORKED)
    ann.record_fix(
        {"message": "disk full", "log": "x"}, analysis="clean", success=True, session="s", system={"a": [1, None]}
    )
    ann.record_fix("disk full")
    world.advance(hours=1)
    assert ann.clean_fixes(0) == FixesCleaned(2, 0, dry_run=False)
    document = ann.export_fixes(tmp_path / "fixes.json")
    assert json.loads((tmp_path / "fixes.json").read_text(encoding="utf-8")) == document
    assert bob.import_fixes(document).added == 2  # it saw the public one before
    assert bob.fix_stats().seen == 3
    with engrain.open(tmp_path / "other", embedder="hash") as home:
        copy = home.agent("ann", tenant="acme")
        copy.record_fix("db timed out", ["restart"], success=False, type="timeout", target="db")
        assert copy.import_fixes(tmp_path / "fixes.json").added == 3
        assert copy.import_fixes(document).known == 3
        assert copy.export_fixes()["fixes"][:-1] == document["fixes"]
        assert copy.diagnose("db timed out").fixes[0].odds.attempts == 2
        ann.verify_fix(made.id, False)
        assert copy.import_fixes(ann.export_fixes()).revised == 1
        assert copy.diagnose("db timed out").fixes == ()
        assert next(one for one in home.doctor().checks if one.name == "fixes").ok
        stats = copy.fix_stats()
        rows: list[Any] = [1, {}, document["fixes"][0]]
        bad: list[Any] = [{}, [], {**document, "version": 99}, {**document, "fixes": 1}]
        bad += [{**document, "fixes": [*document["fixes"], row]} for row in rows]
        bad += [{**document, "signatures": []}, {**document, "plans": [{"plan": "x"}]}]
        bad += [{**document, "fixes": [{**document["fixes"][0], **change}]} for change in (
            {"success": 1}, {"occurred_at": "today"}, {"state": "?"}, {"id": ""},
            {"visibility": "all"})]  # fmt: skip
        for one in bad:
            with pytest.raises(InvalidField):
                copy.import_fixes(one)
        with pytest.raises(InvalidField, match="cannot be read"):
            copy.import_fixes(tmp_path / "none.json")
        assert copy.fix_stats() == stats


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
PROBLEM = st.dictionaries(
    st.sampled_from(["message", "trace", "stack", "frames", "exception", "test", "model", "issue_type",
                     "actual_response",
                     "test_prompt", "metadata", "log", "x"]),
    st.text(max_size=60) | JSON, max_size=5,
)  # fmt: skip


def test_any_problem_is_told_apart_or_refused(tmp_path: Path) -> None:
    with engrain.open(tmp_path / "home", embedder="hash") as memory:
        agent = memory.agent("a")

        @settings(max_examples=50, deadline=None)
        @given(PROBLEM | st.text(max_size=200), st.lists(st.text(max_size=30), max_size=3))
        def check(problem: Any, commands: list[str]) -> None:
            before = agent.fix_stats().seen
            try:
                made = agent.record_fix(problem, commands, success=False)
            except InvalidField:
                assert agent.fix_stats().seen == before
                return
            found = agent.diagnose(problem)
            assert found.known
            assert (found.signature, found.issue) == (made.signature, agent.issue(made.signature).id)
            assert agent.fixes(limit=1) == [made] or agent.fixes(limit=1)[0].id == made.id

        check()
        seen = agent.fix_stats()
        memory.rebuild()
        assert agent.fix_stats() == seen
