"""Issues and fixes: what counts, what is looked up, what is let go. Each defect of the earlier system has its test."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from engrain import Agent
from engrain.errors import InvalidField, StoreError, UnknownFix, UnknownIssue
from engrain.fixes.habits import habits
from engrain.fixes.plans import does_something, plan_of
from engrain.fixes.rebuild import rebuild
from engrain.fixes.signature import Shape, raw_id
from engrain.memory import Memory
from engrain.model.fix import Diagnosis, FixesCleaned, Problem
from engrain.recall.analyze import analyze
from engrain.recall.loose import Loose
from engrain.recall.words import Bm25, covered, score_words
from engrain.shells import calls_fixes
from engrain.store.changes import inline
from engrain.testing import SimulatedWorld

TIMEOUT = "Connection to 10.0.0.{} timed out after {} s"
TOLD: dict[str, Any] = {"type": "TIMEOUT", "target": "db-1"}


@pytest.fixture
def engine() -> str:
    return "folder"


def level(found: Diagnosis, name: str) -> Any:
    return next(one for one in found.levels if one.name == name)


def test_what_was_done_names_the_only_target(agent: Agent) -> None:
    agent.record_fix("cart is broken", "edit cart.py", target="cart.py", success=True, verified=True)
    assert agent.diagnose("cart is broken").fixes[0].commands == ("edit cart.py",)
    assert agent.diagnose({"message": "cart is broken", "target": "shop.py"}).fixes[0].commands == ("edit shop.py",)


def test_a_small_budget_leaves_out_the_reason_not_what_worked(agent: Agent) -> None:
    message = TIMEOUT.format(1, 30)
    agent.record_fix(message, "restart db", analysis="a long reason " * 12, success=True, verified=True, **TOLD)
    agent.record_fix(message, "purge cache", success=False, **TOLD)
    text = agent.context_for({"message": message, **TOLD}, max_tokens=60)
    assert "restart db [for this issue: verified 1 of 1" in text
    assert "a long reason" not in text
    assert "because: a long reason" in agent.context_for({"message": message, **TOLD}, max_tokens=400)


def test_what_counts_as_solved(agent: Agent) -> None:
    """A success that nobody verified, an echo and a sighting are no solution, and nothing failed is told as solved."""
    message = TIMEOUT.format(1, 30)
    assert not agent.diagnose(message).known
    claimed = agent.record_fix(message, "restart db", success=True, **TOLD)
    echo = agent.record_fix(message, ["# see", "echo 'rm -rf /'; true"], success=True, verified=True, **TOLD)
    agent.record_fix(TIMEOUT.format(2, 31), ["purge cache"], success=False, **TOLD)
    agent.record_fix(TIMEOUT.format(3, 8), ["wait"], **TOLD)
    agent.record_fix(TIMEOUT.format(4, 9), **TOLD)
    assert not echo.effective
    assert claimed.issue == echo.issue
    info = agent.issue(claimed.signature)
    assert (info.seen, info.odds.attempts, info.odds.solved, info.odds.claimed, info.best) == (5, 1, 0, 1, None)
    stats = agent.fix_stats()
    assert (stats.seen, stats.tried, stats.solved, stats.failed, stats.claimed, stats.unknown) == (5, 3, 0, 1, 1, 1)
    text = agent.context_for({"message": message, **TOLD})
    assert "What worked" not in text
    assert text.index("do not try it again") < text.index("purge cache [for this issue: failed once]")
    assert "restart db [for this issue: claimed once, failed 0 times]" in text
    assert "echo" not in text

    agent.verify_fix(claimed.id)
    found = agent.diagnose({"issue_description": "?", "error": message, "model": "db-1", "issue_type": "Timeout"})
    assert [one.commands for one in found.fixes] == [("restart db",)]
    assert found.fixes[0].odds.solved == 1
    assert found.fixes[0].odds.low < found.fixes[0].odds.value < found.fixes[0].odds.high
    assert [one.commands for one in found.avoid] == [("purge cache",)]
    agent.verify_fix(claimed.id, False, notes="it came back")
    assert agent.diagnose(message).fixes == ()
    assert agent.fix_stats().failed == 2
    assert agent.fixes(successful=True) == []
    assert [one.notes for one in agent.fixes() if one.id == claimed.id] == ["it came back"]
    with pytest.raises(InvalidField, match="did nothing"):
        agent.verify_fix(echo.id)
    with pytest.raises(UnknownFix):
        agent.verify_fix("nothing")


def test_every_field_comes_back_where_it_was_put(agent: Agent) -> None:
    """The original read 14 columns by 13 names, so that the fixer became the analysis and every attempt a success."""
    given: dict[str, Any] = {
        "commands": ["ollama pull qwen", "ollama list"], "analysis": "the model is missing", "fixer": "claude",
        "success": False, "seconds": 45.25, "system": {"os": "Linux", "ram_gb": 16}, "notes": "n", "session": "s",
        "task_id": "t", "visibility": "team", "occurred_at": datetime(2025, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    }  # fmt: skip
    problem = Problem("model qwen not found", "model_not_available", "qwen", trace="", prompt="p", response="")
    made = agent.record_fix(problem, **given)
    assert agent.fixes() == [made]
    assert {name: getattr(made, name) for name in given} == {**given, "commands": tuple(given["commands"])}
    assert (made.type, made.target, made.message) == ("model_not_available", "qwen", "model qwen not found")
    assert (made.verified, made.effective, made.agent) == (False, True, "ann")


def test_levels_say_from_where_a_fix_is_known(agent: Agent) -> None:
    def solve(message: str, command: str, kind: str, target: str) -> None:
        agent.record_fix(message, command, success=True, verified=True, type=kind, target=target, seconds=4)

    solve("model llama3 did not answer within 30 s", "ollama restart llama3", "timeout", "llama3")
    solve("queue of llama3 is full, request dropped", "ollama set-queue 64", "timeout", "llama3")
    solve("gateway gave no answer at all", "ollama restart mistral", "timeout", "mistral")
    solve("the certificate of the proxy has expired", "renew certificate", "error", "proxy")
    found = agent.diagnose("model llama3 did not answer within 99 s", type="timeout", target="llama3")
    assert found.known
    assert [one.commands for one in level(found, "issue").fixes] == [("ollama restart llama3",)]
    assert {one.commands for one in level(found, "target").fixes} == {
        ("ollama restart llama3",),
        ("ollama set-queue 64",),
    }
    restart = next(one for one in level(found, "type").fixes if "restart" in one.commands[0])
    assert restart.odds.solved == 2  # the same is done for another target: its name is left open
    assert found.fixes[0].level == "issue"
    assert len({one.key for one in found.fixes}) == len(found.fixes)
    fresh = agent.diagnose("certificate of the mail proxy expired yesterday", target="mail")
    assert not fresh.known
    assert [one.commands for one in level(fresh, "similar").fixes] == [("renew certificate",)]
    assert 0 < level(fresh, "similar").fixes[0].similarity < 1
    assert agent.diagnose("x", type="timeout", target="phi").fixes[0].commands in (
        ("ollama restart phi",), ("ollama set-queue 64",),
    )  # fmt: skip
    told = agent.target("llama3")
    assert told is not None
    assert (told.seen, dict(told.issues), len(told.common), told.odds.solved) == (2, {"timeout": 2}, 2, 2)
    assert [one.target for one in agent.targets()] == ["llama3", "mistral", "proxy"]
    assert agent.target("none") is None
    assert len(agent.issues(type="timeout")) == 3
    assert len(agent.issues(target="llama3")) == 2
    before = agent.fix_stats()
    assert agent.fix_stats() == before  # looking up changed nothing


def test_responses_of_any_length_are_one_issue(agent: Agent) -> None:
    """The original had the exact length of a response in its signature, and 50 characters of the prompt."""
    asked = {"issue_type": "UNEXPECTED_RESPONSE", "model": "qwen2.5:7b", "test_prompt": "Write a parser. " * 20}
    ids = {agent.record_fix({**asked, "actual_response": "word " * n}).issue for n in (700, 701, 777)}
    assert len(ids) == 1
    assert agent.record_fix({**asked, "actual_response": ""}).issue not in ids
    assert agent.record_fix({**asked, "test_prompt": f"{asked['test_prompt']} Then sing."}).issue not in ids


def test_an_echo_is_no_fix() -> None:
    idle = [
        "echo done",
        "  # x",
        "printf 'a;b' > /dev/null",
        "print('rm')",
        "true && echo a | echo b",
        ":",
        "// note",
        "",
    ]
    for one in idle:
        assert not does_something([one], "why"), one
    for one in [
        "echo 1 > /etc/x",
        "echo `rm a`",
        "echo $(make)",
        "echo a | tee b",
        "echo a && make",
        "ls",
        "sudo reboot",
        "'",
    ]:
        assert does_something([one], None), one
    assert does_something([], "raise the timeout")
    assert not does_something([], None)
    same = plan_of(["pull llama3", "kill 123456", "rm /var/tmp/ab12/x"], None, "llama3")
    assert same == plan_of(["pull  qwen:7b", "kill 999999", "rm /var/tmp/zz9/x", "echo 1"], None, "qwen:7b")
    assert same != plan_of(["pull qwen:7b"], None, "qwen:7b")
    assert plan_of((), None, None) is None


def test_merge_split_and_undo(agent: Agent, memory: Memory) -> None:
    one = agent.record_fix("disk full", "clean logs", success=True, verified=True)
    other = agent.record_fix("no space left on device", "extend volume", success=True, verified=True)
    merged = agent.merge_issues(one.issue, other.issue, "the same thing")
    assert (merged.seen, set(merged.raw), merged.odds.solved) == (2, {one.signature, other.signature}, 2)
    assert len(agent.diagnose("disk full").fixes) == 2
    assert memory.agent("bob", tenant="acme").issues() == []
    assert agent.split_issue(one.signature, "no").raw == (one.signature,)
    assert agent.undo_issues().kind == "split"  # type: ignore[union-attr]
    assert agent.issue(one.signature).seen == 2
    assert agent.undo_issues().kind == "merge"  # type: ignore[union-attr]
    assert agent.undo_issues() is None
    assert agent.issue(one.signature).seen == 1
    assert [edit.undone_at is None for edit in agent.issue_edits()] == [False, False]
    with pytest.raises(UnknownIssue):
        agent.merge_issues(one.issue, "nothing", "r")
    with pytest.raises(InvalidField):
        agent.split_issue(one.signature, "alone")


def test_habits_only_when_chance_is_out(agent: Agent, world: SimulatedWorld) -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
    hours = [start + timedelta(days=day, hours=7 * day % 24) for day in range(100)]
    assert habits(f"{one:%Y-%m-%dT%H}" for one in hours) == ()
    burst = [start + timedelta(hours=3)] * 500
    assert habits(f"{one:%Y-%m-%dT%H}" for one in burst) == ()
    rows = [{"problem": "nightly backup failed", "occurred_at": start + timedelta(weeks=n, hours=3)} for n in range(9)]
    agent.record_fixes(rows)
    world.advance(days=66)
    found = {one.kind: one for one in agent.issues()[0].habits}
    assert (found["hour"].slots, found["weekday"].slots) == ((3,), (0,))
    assert found["hour"].p < 0.01
    assert found["hour"].ratio == pytest.approx(24)
    assert agent.issues()[0].trend is not None
    assert "03:00" in agent.context_for("nightly backup failed")


def test_secrets_and_bad_input(agent: Agent, memory: Memory) -> None:
    token = "ghp_" + "a8Kx2mQ9" * 4 + "Zt7w"
    problem = {"message": f"denied {token}", "trace": token, "prompt": token, "x": {"y": token}}
    made = agent.record_fix(
        problem, [f"login {token}"], analysis=token, notes=token, system={"t": token}, success=False
    )
    assert token not in repr((made, agent.export_fixes(), agent.diagnose(problem), agent.context_for(problem)))
    before = agent.fix_stats()
    bad: list[dict[str, Any]] = [
        {"problem": ""}, {"problem": {}}, {"problem": 3}, {"problem": "x", "commands": [1]},
        {"problem": "x", "commands": 1},
        {"problem": "x", "success": "yes"}, {"problem": "x", "verified": True}, {"problem": "x", "seconds": -1},
        {"problem": "x", "verified": True, "success": False}, {"problem": "x", "seconds": float("nan")},
        {"problem": "x", "visibility": "all"}, {"problem": "x", "occurred_at": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"problem": "a" * 2_000_000}, {"problem": "x\0"}, {"problem": "x", "session": token},
        {"problem": "x", "what": 1},
        {"problem": "x", "system": {"a": {1, 2}}}, {"commands": "x"},
    ]  # fmt: skip
    for row in bad:
        with pytest.raises(InvalidField):
            agent.record_fixes([{"problem": "good"}, row])
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}
    key = "sk-ant-api03-" + "A1b2C3d4E5f6G7h8" * 5 + "-AAAAAA"  # in lower case it is not known any more
    for row in ({"commands": deep}, {"success": deep}, {"visibility": deep}, {"type": key}, {"type": f" {key}"}):
        with pytest.raises(InvalidField) as refused:
            agent.record_fix("good", **row)
        assert key.lower() not in str(refused.value).lower()
    for call in (agent.fix_report, agent.clean_fixes):
        with pytest.raises(InvalidField):
            call(deep)  # type: ignore[arg-type]
    with pytest.raises(InvalidField) as refused:
        agent.import_fixes("[" * 100_000)
    assert len(str(refused.value)) < 400
    for days in ("nan", "1e9"):
        with pytest.raises(InvalidField, match="days"):
            calls_fixes.recent(memory, agent, {"days": float(days)})
    with pytest.raises(InvalidField, match="the name of a file"):
        agent.export_fixes("/")
    with pytest.raises(StoreError, match="cannot be written"):
        agent.export_fixes("/no/such/folder/f.json")
    assert agent.fix_stats() == before


def test_secrets_of_a_document_stay_out(agent: Agent, world: SimulatedWorld) -> None:
    """The texts of signatures, and ids, are known by their very letters: what cannot be cut is refused."""
    token = "ghp_" + "a8Kx2mQ9" * 4 + "Zt7w"
    agent.record_fix("disk full", "clean up", success=False)
    world.advance(days=1)
    agent.clean_fixes(0)
    document = agent.export_fixes()
    signed, fix, plan = document["signatures"][0], document["fixes"][0], document["plans"][0]
    shape = Shape("template", "", f"login {token}")
    bad: list[dict[str, Any]] = [
        {"signatures": [signed, {**signed, "id": raw_id(shape), "scope": "", "text": shape.text}]},
        {"fixes": [{**fix, "id": token}]},
        {"fixes": [{**fix, "plan": token}]},
        {"plans": [{**plan, "plan": token}]},
    ]
    before = agent.fix_stats()
    for change in bad:
        with pytest.raises(InvalidField) as refused:
            agent.import_fixes({**document, **change})
        assert token not in str(refused.value)
    told = {"signatures": [{**signed, "title": token}], "fixes": [], "plans": [{**plan, "commands": [token]}]}
    agent.import_fixes({**document, **told})
    assert token not in repr((agent.issues(), agent.export_fixes()))
    assert agent.fix_stats() == before


def test_others_write_while_a_rebuild_signs(agent: Agent, memory: Memory) -> None:
    """What is recorded, verified and cleared while signatures and words are made anew is in the sums."""
    made = [agent.record_fix(TIMEOUT.format(n, n), "restart db", success=True, **TOLD) for n in range(3)]
    index, before = memory.index, agent.fix_stats()

    def slow(texts: Any) -> Any:
        agent.verify_fix(made[0].id)
        agent.record_fix("disk full", "clean up", success=False)
        return index(texts)

    assert rebuild(memory.store, slow) == 4
    stats = agent.fix_stats()
    assert (stats.seen, stats.solved, stats.failed) == (before.seen + 1, 1, 1)
    assert agent.diagnose("disk full").avoid[0].commands == ("clean up",)
    assert next(one for one in memory.doctor().checks if one.name == "fixes").ok
    known = agent.issues(), agent.targets()
    memory.rebuild()
    assert (agent.fix_stats(), agent.issues(), agent.targets()) == (stats, *known)


def test_likeness_is_what_the_scores_of_words_have(memory: Memory) -> None:
    """The covered share without arrays of all terms and texts is, bit for bit, that with them."""
    draw = random.Random(5)
    texts = [" ".join(f"word{draw.randrange(40)}" for _ in range(draw.randrange(1, 12))) for _ in range(200)]
    loose = Loose(memory.embedder)
    loose.put([(f"t{n:03}", *inline(some[:1])) for n, some in enumerate(memory.index(texts))])
    view = loose._seen(0)
    assert view is not None
    for text in (*texts[:30], "word1 unknown", "unknown"):
        terms = list(dict.fromkeys(analyze(text)))
        words = score_words(view, terms, Bm25(), Bm25(), Bm25())
        assert covered(view, terms).tolist() == (words.covered / np.float32(words.total)).tolist()


def test_what_goes_leaves_its_counts(agent: Agent, memory: Memory, world: SimulatedWorld) -> None:
    for n in range(6):
        solved = n < 2
        agent.record_fix(
            TIMEOUT.format(n, n), "restart db", success=solved, verified=solved, seconds=2, fixer="q", **TOLD
        )
    world.advance(days=100)
    agent.record_fix(TIMEOUT.format(9, 9), "restart db", success=True, **TOLD)
    world.advance(days=1)

    def known() -> Any:
        info = agent.issues()[0]
        assert info.best is not None
        best = replace(info.best, evidence=())
        return agent.fix_stats(), info.seen, info.odds, best, agent.targets(), agent.fix_report(200)

    before = known()
    assert agent.clean_fixes(30, dry_run=True) == FixesCleaned(4, 0, dry_run=True)
    assert len(agent.fixes()) == 7
    assert agent.clean_fixes(30) == FixesCleaned(4, 0, dry_run=False)  # verified solutions stay longest
    assert len(agent.fixes()) == 3
    assert known() == before
    assert memory.rebuild()["fixes"] == 7
    assert known() == before
    world.advance(days=1200)
    before = known()
    memory.tick(["prune"])
    assert agent.fixes() == []
    assert known() == before
    assert agent.diagnose(TIMEOUT.format(1, 1)).fixes[0].commands == ("restart db",)
    assert next(one for one in memory.doctor().checks if one.name == "fixes").ok
