"""Trajectories, discovery, distillation and consolidation through the verbs, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engrain import Agent, Outcome
from engrain.errors import InvalidField, NotFound
from engrain.memory import Memory
from engrain.model.pattern import Pattern
from engrain.testing import SimulatedWorld
from tests import children
from tests.postgres import Place

CHECK = {"action": "pytest -q", "tests": (3, 1), "output": "E   ModuleNotFoundError: No module named 'foo'\n1 failed"}
FIXED = {"action": "pytest -q", "tests": (4, 0)}
INSTALL = {"action": "pip install -e .", "exit_code": 0}
GUESS = {"action": "npm install", "exit_code": 1, "output": "error"}


def told(memory: Memory) -> list[Any]:
    """Every row that looking for patterns could change."""
    prefix = {"tenant": "acme", "agent": "ann", "prefix": ""}
    rows = [tuple(row) for row in memory.store.read("pattern_mine", prefix)]
    more = [tuple(row) for row in memory.store.read("trajectory_mine", {**prefix, "task_type": None, "limit": 999})]
    uses = [tuple(use) for row in rows for use in memory.store.read("pattern_use_own", {**prefix, "id": row[0]})]
    return rows + more + uses


def titles(agent: Agent) -> dict[str, Pattern]:
    return {hit.pattern.title: hit.pattern for hit in agent.patterns(limit=100)}


def decide(agent: Agent, n: int, start: int = 0, good: str = "table", evidence: str = "executed") -> None:
    rows = [
        {
            "task_type": "build", "state": {"framework": "pytest"}, "action": action, "task_id": f"t{at}",
            "outcome": Outcome(action == good, evidence),
        }
        for at in range(start, start + n)
        for action in [("table", "fuzz")[at % 2]]
    ]  # fmt: skip
    agent.observe_many(rows)


def test_discovery_finds_wins_and_failures_and_adds_nothing_twice(
    place: Place, memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    other = memory.agent("ann", tenant="globex")
    decide(other, 40, evidence="claimed")
    decide(agent, 40)
    before = told(memory)
    dry = memory.discover(dry_run=True)
    assert told(memory) == before, "a dry run changes nothing"
    assert {(one.tenant, one.what) for one in dry.changes} == {("acme", "found")}, "claims teach nothing"
    found = memory.discover()
    assert [one.pattern for one in found.changes] == [one.pattern for one in dry.changes]
    assert memory.discover().changes == ()
    memory.close()
    memory = place.open(world=world)
    agent = memory.agent("ann", tenant="acme")
    assert memory.discover().changes == (), "after a restart neither"
    do, avoid = titles(agent)["build: choose table"], titles(agent)["build: do not choose fuzz"]
    assert (do.polarity, avoid.polarity, do.provenance["source"]) == ("do", "avoid", "discovered")
    assert (do.belief.lineages, do.belief.good, do.belief.bad) == (20, 15.0, 0.0)
    assert do.belief.contrast == pytest.approx(1.0)
    assert do.tier == "short", "what it was found by is no proof"
    assert agent.pattern_links(do.id) == []
    # What the pattern itself advised: its task counts once, however it is told.
    agent.use_pattern(do.id, True, task_id="t90", task_type="build")
    agent.observe_step("build", state={}, action="table", outcome=Outcome(True, "executed"), task_id="t90")
    agent.observe_step("build", state={}, action="table", outcome=Outcome(True, "executed"), task_id="t90")
    memory.discover()
    assert agent.pattern(do.id).belief.lineages == 21
    # Failures count, too: confidence falls, and the rules act.
    sure = agent.pattern(do.id).belief.confidence
    decide(agent, 160, start=100, good="fuzz")
    (fell,) = [one for one in memory.discover().changes if one.pattern == do.id]
    assert fell.what == "updated"
    after = agent.pattern(do.id)
    assert after.belief.confidence < sure / 2
    assert after.state == "quarantined"


def test_what_is_merged_by_hand_goes_on_counting(memory: Memory, agent: Agent) -> None:
    decide(agent, 40)
    memory.discover()
    mine = agent.add_pattern("Tables first", "Build from a table", task_type="build")
    agent.merge_patterns(titles(agent)["build: choose table"].id, mine.id, "the same")
    assert agent.pattern(mine.id).belief.lineages == 20
    decide(agent, 20, start=100, good="fuzz")
    memory.discover()
    assert (agent.pattern(mine.id).belief.lineages, agent.pattern(mine.id).belief.bad) == (30, 7.5)


def test_wording_names_and_decides_nothing(memory: Memory, agent: Agent) -> None:
    decide(agent, 40)
    words: Callable[[Any], str] = lambda draft: "  Prefer  tables  " if draft.polarity == "do" else ""  # noqa: E731
    plain = [one.pattern for one in memory.discover(dry_run=True).changes]
    assert [one.pattern for one in memory.discover(wording=words).changes] == plain
    assert titles(agent).keys() == {"Prefer tables", "build: do not choose fuzz"}
    assert memory.discover().changes == (), "whoever words it"


def test_verified_fixes_become_recoveries_and_what_never_helped_is_avoided(memory: Memory, agent: Agent) -> None:
    problem = "connection to db{} refused on port 5432"
    for at in range(3):
        agent.record_fix(problem.format(at), "systemctl restart db", success=True, verified=True, task_id=f"a{at}")
        agent.record_fix(problem.format(at), "rm -rf cache", success=False, task_id=f"b{at}")
        agent.record_fix(problem.format(at), "chmod 777 /", success=True, task_id=f"c{at}")  # claimed only
        agent.record_fix(problem.format(at), "reboot", success=True, verified=True, task_id="one task")
    found = {(one.title.split(": ")[1], one.source) for one in memory.discover().changes}
    assert found == {("systemctl restart db", "fix"), ("rm -rf cache does not help", "fix")}
    do = next(one for title, one in titles(agent).items() if title.endswith("restart db"))
    assert (do.kind, do.content, do.belief.good, do.belief.lineages) == ("error-recovery", "systemctl restart db", 3, 3)
    assert memory.discover().changes == ()


def test_trajectories_are_kept_judged_anew_and_seen_by_whom_they_are_for(memory: Memory, agent: Agent) -> None:
    one = agent.add_trajectory("mend", ["look", {"action": "work", "output": "x"}], task_id="a")
    assert (one.success, one.evidence, one.distilled) == (None, "claimed", ())
    again = agent.add_trajectory("mend", ["look", {"action": "work", "output": "x"}], task_id="a", success=False,
                                 evidence="verified", visibility="public")  # fmt: skip
    assert (again.id, again.success, again.evidence) == (one.id, False, "verified")
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    hidden = agent.add_trajectory(f"use {secret}", [{"action": f"login {secret}", "state": {"token": secret}}])
    assert secret not in repr(agent.trajectory(hidden.id))
    bob = memory.agent("bob", tenant="acme")
    assert [each.id for each in bob.trajectories()] == [one.id]
    assert [each.id for each in agent.trajectories(success=False)] == [one.id]
    assert memory.agent("ann", tenant="globex").trajectories() == []
    with pytest.raises(NotFound, match="can see"):
        bob.trajectory(hidden.id)
    for wrong in ([], "text", [{"action": ""}], [{"action": "x", "tests": (1,)}], [{"action": "x", "exit": 1}]):
        with pytest.raises(InvalidField):
            agent.add_trajectory("mend", wrong)
    with pytest.raises(InvalidField, match="evidence is for success"):
        agent.add_trajectory("mend", ["x"], evidence="verified")
    assert len(agent.trajectories()) == 2


def test_trajectories_become_patterns_without_a_model(memory: Memory, agent: Agent) -> None:
    for at in range(4):
        agent.add_trajectory(f"mend {at}", [CHECK, GUESS, INSTALL, FIXED], task_type="repair", task_id=f"t{at}")
    for at in range(4):  # every task looks and formats, whether it ends well or not: no reason for success
        how: dict[str, Any] = {"task_type": "style", "task_id": f"s{at}", "success": at < 2, "evidence": "verified"}
        agent.add_trajectory(f"style {at}", ["git status", "ruff format", *(["git push"] if at < 2 else [])], **how)
    agent.add_trajectory("claim", ["a", "b"], success=True, task_type="boast", task_id="u1")
    agent.add_trajectory("claim", ["a", "b"], success=True, task_type="boast", task_id="u2")
    before = told(memory)
    dry = agent.distill(dry_run=True)
    assert told(memory) == before
    made = agent.distill()
    assert [one.pattern for one in made.changes] == [one.pattern for one in dry.changes]
    assert agent.distill().changes == () == memory.discover().changes
    found = {one.kind + " " + one.polarity: one for one in titles(agent).values() if one.task_type == "repair"}
    recovery = found["error-recovery do"]
    assert recovery.content == "1. pip install -e .\n2. pytest -q"
    assert "ModuleNotFoundError" in recovery.title
    assert recovery.belief.lineages == 4
    assert found["strategy avoid"].content == "npm install"
    style = [one for one in titles(agent).values() if one.task_type == "style"]
    assert [one.content for one in style] == ["1. git status\n2. ruff format\n3. git push"]
    assert not any(one.task_type == "boast" for one in titles(agent).values()), "claims teach nothing"
    assert recovery.id in agent.trajectories("repair")[0].distilled


def test_consolidation_merges_what_says_the_same_and_never_the_contrary(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    text = "Retry the upload with a backoff when the service answers with status 503 before giving up"
    kept = agent.add_pattern("Retry uploads", text, task_type="up")
    same = agent.add_pattern("Retry uploads.", text + ".", task_type="up")
    never = agent.add_pattern("Retry uploads", "Never " + text.lower(), task_type="up")
    four = agent.add_pattern("Retry uploads", text.replace("503", "404"), task_type="up")
    for at in range(3):
        agent.use_pattern(same.id, True, evidence="verified", source=f"s{at}")
    agent.add_pattern("Never used", "and shown to nobody", task_type="up")
    before = told(memory)
    dry = memory.consolidate(dry_run=True)
    assert told(memory) == before, "a dry run changes nothing"
    report = memory.consolidate(tenant="acme")
    assert report.changes == dry.changes
    merged = [(one.pattern, one.other) for one in report.changes if one.what == "merged"]
    assert merged == [(kept.id, same.id)], "the one with more evidence stays"
    assert memory.consolidate().changes == ()
    linked = {one.kind for one in agent.pattern_links(same.id) if never.id in (one.source, one.target)}
    assert "contradicts" in linked
    assert agent.pattern(four.id).state == agent.pattern(never.id).state == "active"
    world.advance(days=400)
    assert memory.consolidate().changes == (), "neither age nor disuse is a reason"
    agent.undo_pattern(kept.id)
    assert agent.pattern(kept.id).state == "active"
    again = {one.what for one in memory.consolidate().changes}
    assert again <= {"contradicts"}, "what a person took back is not done again"


def test_what_surely_does_not_help_goes_and_can_come_back(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    better, worse, pack = (
        agent.add_pattern(name, f"{name} it", task_type="build", foundation=name == "Pack")
        for name in ("Table", "Dice", "Pack")
    )
    for at in range(8):
        agent.use_pattern(better.id, True, evidence="verified", source=f"a{at}", state={"case": "one"})
        for id_ in (worse.id, pack.id):
            agent.use_pattern(id_, at == 0, evidence="verified", source=f"b{at}", state={"case": "two"})
    assert agent.pattern(worse.id).state == "active"
    (gone,) = memory.consolidate().changes
    assert (gone.what, gone.pattern, gone.other) == ("deprecated", worse.id, better.id)
    agent.undo_pattern(worse.id)
    assert memory.consolidate().changes == ()
    agent.quarantine_pattern(better.id, "it hides faults")
    world.advance(days=89)
    assert memory.consolidate().changes == ()
    for _ in range(4):
        agent.use_pattern(better.id, True, evidence="verified", source=f"later {_}")
    world.advance(days=2)
    assert [one.pattern for one in memory.consolidate().changes] == [better.id]
    assert agent.pattern_history(better.id)[0].actor == "consolidation"


DISCOVER = """
    import engrain
    with engrain.open(**given["open"], embedder="hash") as memory:
        agent = memory.agent("ann", tenant="acme")
        for n in range(500):
            for action in ("table", "fuzz"):
                agent.observe_step("build", state={}, action=action, task_id=f"{n} {action}",
                                   outcome=engrain.Outcome(action == "table", "executed"))
            memory.discover()
            say(n)
"""


def test_the_role_looks_and_a_killed_one_leaves_nothing_by_half(place: Place) -> None:
    process = children.spawn(DISCOVER, {"open": place.arguments})
    while children.hear(process) < 9:
        pass
    children.kill(process)
    with place.open() as memory:
        (run,) = memory.tick(["patterns"], dry_run=True)
        assert run.state != "failed"
        (run,) = memory.tick(["patterns"])
        assert run.findings["task_types"] == 1
        agent = memory.agent("ann", tenant="acme")
        found = {one.title: one.belief for one in titles(agent).values()}
        tasks = found["build: choose table"].lineages
        assert tasks >= 9
        assert memory.discover().changes == ()
        memory.rebuild()
        assert {one.title: one.belief for one in titles(agent).values()} == found, "sums are those of the uses"
