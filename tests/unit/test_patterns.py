"""The pattern bank: told, found, believed, changed and taken back; on both engines, read back after a restart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain import Agent
from engrain.errors import InvalidField, InvalidInput, UnknownItem, UnknownPattern
from engrain.memory import Memory
from engrain.model.pattern import Pattern
from engrain.testing import SimulatedWorld
from tests import children
from tests.postgres import Place

CLOCK = "freeze time with a fake clock instead of sleeping in tests that wait"


def titles(agent: Agent, query: str | None = None, **how: Any) -> list[str]:
    return [hit.pattern.title for hit in agent.patterns(query, **how)]


def used(agent: Agent, id_: str, outcomes: str, name: str = "s", evidence: str = "verified") -> Pattern:
    """One use for each sign, + or -, each of a source of its own."""
    for n, sign in enumerate(outcomes):
        agent.use_pattern(id_, sign == "+", evidence=evidence, source=f"{name}{n}")
    return agent.pattern(id_)


def test_a_pattern_is_told_found_and_there_after_a_restart(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world)
    agent = memory.agent("ann", tenant="acme")
    facts: dict[str, Any] = {"kind": "mock", "framework": "pytest", "language": "python", "tags": ["time"]}
    facts |= {"domain": "testing", "template": "clock = {{clock}}()", "task_type": "flaky", "description": "no waiting"}
    made = agent.add_pattern("Fake clock", CLOCK, **facts)
    assert agent.add_pattern("Fake clock", CLOCK, kind="mock", framework="pytest").id == made.id, "told again"
    other = agent.add_pattern("Random inputs", "generate inputs for the parser and shrink what fails", tags=["fuzz"])
    assert (made.tier, made.state, round(made.belief.confidence, 6)) == ("short", "active", 0.05)
    assert titles(agent, "which clock for tests that wait") == ["Fake clock"], "one that was never used is found"
    assert titles(agent) == ["Random inputs", "Fake clock"]
    for how in ({"kind": "mock"}, {"framework": "pytest"}, {"language": "python"}, {"domain": "testing"},
                {"tags": ["time"]}):  # fmt: skip
        assert titles(agent, **how) == ["Fake clock"]
    assert titles(agent, task_type="other") == ["Random inputs"], "of that task type, or none"
    assert titles(agent, tier="long") == titles(agent, polarity="avoid") == []
    memory.close()
    memory = place.open(world=world)
    agent = memory.agent("ann", tenant="acme")
    assert agent.pattern(made.id) == replace(made, shown=1)
    assert agent.pattern_history(made.id)[-1].event == "made"
    # what another process tells is found at once; what it changes is not found by the old words
    tell = """
        import engrain
        with engrain.open(**given["open"], embedder="hash") as memory:
            agent = memory.agent("ann", tenant="acme")
            agent.update_pattern(given["id"], title="Fuzzing", content="feed garbage bytes")
            say(agent.add_pattern("Golden files", "compare the rendered page with a stored snapshot").id)
    """
    (id_,) = children.run(tell, {"open": place.arguments, "id": other.id})
    assert titles(agent, "rendered snapshot") == ["Golden files"]
    assert agent.pattern(id_).title == "Golden files"
    assert titles(agent, "generate inputs for the parser and shrink") == []
    assert titles(agent, "garbage bytes") == ["Fuzzing"]
    assert memory.doctor().ok
    assert agent.forget(everything=True)
    assert agent.patterns() == []
    with pytest.raises(UnknownPattern):
        agent.pattern(id_)
    rows = memory.store.read("pattern_all", {"tenant": "acme", "after": "", "limit": 10})
    assert rows == []
    assert memory.store.read("pattern_owners", {"tenant": "acme"}) == []


def test_who_sees_a_pattern(memory: Memory) -> None:
    ann, bob = (memory.agent(name, tenant="acme", team="red") for name in ("ann", "bob"))
    eve, stranger = memory.agent("eve", tenant="acme"), memory.agent("ann", tenant="other")
    kept = ann.add_pattern("Private", CLOCK)
    shared = ann.add_pattern("Team", CLOCK, visibility="team")
    public = ann.add_pattern("Public", CLOCK, visibility="public")
    for query in (None, "fake clock"):
        assert sorted(titles(ann, query)) == ["Private", "Public", "Team"]
        assert sorted(titles(bob, query)) == ["Public", "Team"]
        assert titles(eve, query) == ["Public"]
        assert titles(stranger, query) == []
    assert sorted(hit.pattern.title for hit in bob.patterns("fake clock", explore=True)) == ["Public", "Team"]
    for reader, hidden in ((bob, kept), (eve, shared), (stranger, public)):
        with pytest.raises(UnknownPattern):
            reader.pattern(hidden.id)
        with pytest.raises(UnknownPattern):
            reader.use_pattern(hidden.id, True)
    with pytest.raises(UnknownPattern):
        bob.promote_pattern(shared.id, "I like it")
    believed = bob.use_pattern(shared.id, True, evidence="verified", source="s")
    assert ann.pattern(shared.id).belief == believed.belief, "a use counts for whoever sees it"
    ann.share_pattern(shared.id, "private")
    assert titles(bob) == ["Public"]
    assert titles(bob, "clock") == ["Public"]
    memory.agent("bob", tenant="acme", team="blue")
    ann.undo_pattern(shared.id)
    assert titles(memory.agent("bob", tenant="acme")) == ["Public"], "of another team by now"
    assert bob.forget(everything=True)
    assert ann.pattern(shared.id).belief.lineages == 0, "what was told by who is forgotten counts no more"


def test_confidence_falls_with_failures_and_the_use_that_promotes_counts(memory: Memory, agent: Agent) -> None:
    id_ = agent.add_pattern("Fake clock", CLOCK).id
    seen = [agent.pattern(id_).belief.confidence]
    for n in range(4):
        seen.append(agent.use_pattern(id_, True, evidence="verified", source=f"s{n}").belief.confidence)
    assert seen == sorted(seen)
    assert agent.pattern(id_).tier == "short"
    promoted = agent.use_pattern(id_, True, evidence="verified", source="s4")
    assert (promoted.tier, promoted.applied, promoted.belief.lineages) == ("long", 5, 5), "it counts, too"
    for n in range(7):
        seen.append(agent.use_pattern(id_, False, evidence="verified", source=f"f{n}").belief.confidence)
    assert seen[5:] == sorted(seen[5:], reverse=True)
    assert agent.pattern(id_).tier == "short"
    events = agent.pattern_history(id_)
    assert [one.event for one in events] == ["demoted", "promoted", "made"]
    assert all(one.actor == "rules" and one.reason and one.undo for one in events[:2])
    assert used(agent, id_, "-" * 30, "g").belief.high < 0.25
    assert agent.pattern(id_).state == "quarantined"
    assert titles(agent) == titles(agent, "fake clock") == []
    assert titles(agent, state="quarantined") == titles(agent, "fake clock", state="quarantined") == ["Fake clock"]
    assert agent.release_pattern(id_, "looked into it").state == "active"
    assert agent.use_pattern(id_, False, evidence="verified", source="x").state == "active", "a person's word stands"
    before = agent.pattern(id_)
    memory.rebuild()
    assert agent.pattern(id_) == before, "made anew from its uses"


def test_one_voice_is_one_voice(agent: Agent) -> None:
    praised, retold, honest = (agent.add_pattern(name, CLOCK, kind=name).id for name in ("praised", "retold", "honest"))
    for n in range(50):
        agent.use_pattern(praised, True, stage="helpful", evidence="claimed", source=f"made up {n}")
        agent.use_pattern(retold, True, evidence="verified", task_id="one task")
    used(agent, honest, "+++")
    beliefs = [agent.pattern(id_).belief for id_ in (praised, retold, honest)]
    assert [one.good for one in beliefs] == [1.0, 1.0, 3.0]
    assert beliefs[2].confidence > max(beliefs[0].confidence, beliefs[1].confidence)
    assert agent.pattern(praised).tier == agent.pattern(retold).tier == "short"
    # shown, applied and helpful are three things, and unknown ends teach nothing
    quiet = agent.add_pattern("quiet", "nobody has used this one").id
    agent.patterns("nobody has used this one")
    agent.use_pattern(quiet)
    agent.applied(quiet)
    agent.use_pattern(quiet, stage="shown")
    agent.helpful(quiet, False)
    found = agent.pattern(quiet)
    assert (found.shown, found.applied, found.helpful, found.unhelpful) == (2, 2, 0, 1)
    assert (found.belief.good, found.belief.bad) == (0.0, 0.25)
    with pytest.raises(UnknownItem):
        agent.helpful("nothing")


def test_merged_and_split_again_exactly(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world)
    agent = memory.agent("ann")
    one, two = (
        agent.add_pattern(name, f"{CLOCK}, then let it tick by hand until the deadline passed")
        for name in ("one", "two")
    )
    assert [link.kind for link in agent.pattern_links(one.id)] == ["duplicate"], "proposed"
    used(agent, one.id, "+++-")
    used(agent, two.id, "++--")
    before = agent.pattern(one.id), agent.pattern(two.id)
    world.advance(hours=1)
    merged = agent.merge_patterns(two.id, one.id, "the same")
    assert (merged.belief.good, merged.belief.bad, merged.belief.lineages) == (2.5, 1.5, 4), "each source once"
    assert merged.applied == len(agent.pattern_uses(one.id)) == 8, "nothing is lost"
    assert titles(agent) == titles(agent, "fake clock") == ["one"]
    assert agent.use_pattern(two.id, True, source="later").id == one.id, "it stands for both"
    memory.close()
    memory = place.open(world=world)
    agent = memory.agent("ann")
    memory.rebuild()
    assert agent.pattern(one.id).belief.lineages == 5
    for bad in ((one.id, one.id), (two.id, one.id), (one.id, two.id)):
        with pytest.raises(InvalidField):
            agent.merge_patterns(*bad, "again")
    world.advance(hours=1)
    agent.undo_pattern(one.id)
    assert agent.pattern(two.id) == before[1], "as it was, exactly"
    assert agent.pattern(one.id).belief.good == before[0].belief.good + 0.75, "and what came later"
    assert sorted(titles(agent, "fake clock")) == ["one", "two"]


def test_each_change_is_told_and_taken_back(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    made = agent.add_pattern("Fake clock", CLOCK, foundation=True)
    used(agent, made.id, "+-")
    states = [agent.pattern(made.id)]
    acts: tuple[Callable[[], Pattern], ...] = (
        lambda: agent.promote_pattern(made.id, "known to work"),
        lambda: agent.quarantine_pattern(made.id, "doubts"),
        lambda: agent.release_pattern(made.id, "none"),
        lambda: agent.deprecate_pattern(made.id, "old"),
        lambda: agent.update_pattern(made.id, content="use the library", tags=["x"], title="Library"),
        lambda: agent.share_pattern(made.id, "public"),
    )
    for act in acts:
        world.advance(minutes=1)
        states.append(act())
    assert [one.state for one in states] == ["active", "active", "quarantined", "active", *["deprecated"] * 3]
    for expected in reversed(states[:-1]):
        world.advance(minutes=1)
        assert agent.undo_pattern(made.id) == expected
    with pytest.raises(InvalidField):
        agent.undo_pattern(made.id)
    assert titles(agent, "fake clock") == ["Fake clock"], "found by its words again"
    history = agent.pattern_history(made.id)
    assert [one.event for one in history].count("undone") == 6
    assert not any(one.undo for one in history)
    with pytest.raises(InvalidField):
        agent.demote_pattern(made.id, "it is short already")


def test_contradictions_are_shown_together(agent: Agent) -> None:
    do = agent.add_pattern("Fake clock", CLOCK, framework="pytest")
    dont = agent.add_pattern("No fake clock", CLOCK, framework="pytest", polarity="avoid")
    agent.add_pattern("Elsewhere", CLOCK, framework="jest", polarity="avoid")
    agent.add_pattern("Random inputs", "generate inputs for the parser and shrink what fails", polarity="avoid")
    assert [(link.kind, {link.source, link.target}) for link in agent.pattern_links(do.id)] == [
        ("contradicts", {do.id, dont.id})
    ]
    (hit, *_) = agent.patterns("fake clock", polarity="do")
    assert [one.id for one in hit.contradicts] == [dont.id]
    agent.deprecate_pattern(dont.id, "wrong")
    assert agent.patterns("fake clock", polarity="do")[0].contradicts == ()


def test_credit_by_contrast_with_like_tasks(agent: Agent) -> None:
    """A pattern that is used on easy tasks looks good; beside like tasks without it, it is not."""
    id_ = agent.add_pattern("Fake clock", CLOCK, task_type="flaky").id
    easy, hard = {"size": 1, "lang": "py"}, {"size": 50, "lang": "py"}
    outcome = {good: engrain.Outcome(success=good, evidence="executed") for good in (True, False)}
    rows = [{"task_type": "flaky", "state": easy, "action": "x", "outcome": outcome[n % 10 > 0]} for n in range(20)]
    rows += [{"task_type": "flaky", "state": hard, "action": "x", "outcome": outcome[n % 10 == 0]} for n in range(20)]
    for n in range(8):
        agent.use_pattern(id_, n < 6, evidence="verified", state=easy, task_id=f"t{n}")
    assert agent.pattern(id_).belief.contrast is None, "nothing to compare"
    agent.observe_many(rows)
    agent.observe_step("flaky", easy, "x", outcome[False], task_id="t0")
    belief = agent.use_pattern(id_, True, evidence="verified", state=easy, task_id="t8").belief
    assert belief.contrast is not None
    assert belief.contrast == pytest.approx(7 / 9 - 18 / 20), "the task that was done with it is no case without it"
    assert belief.contrast_low is not None
    assert belief.contrast_high is not None
    assert belief.contrast_low < belief.contrast < belief.contrast_high
    assert belief.value > 0.6
    for n in range(9, 40):
        last = agent.use_pattern(id_, False, evidence="verified", state={"size": 1.2, "lang": "py"}, task_id=f"t{n}")
    assert last.state == "quarantined"
    assert "than without" in agent.pattern_history(id_)[0].reason


def test_the_context_begins_with_what_proved_itself(agent: Agent) -> None:
    agent.remember("the clock of the build server is an hour late", kind="fact")
    before = agent.context("fake clock for tests that wait", max_tokens=800)
    good = agent.add_pattern("Fake clock", CLOCK)
    new = agent.add_pattern("Slow clock", f"{CLOCK} slowly", kind="workflow")
    bad = agent.add_pattern("Bad clock", f"{CLOCK} badly", kind="fixture")
    used(agent, good.id, "++++")
    used(agent, bad.id, "----")
    text = agent.context("fake clock for tests that wait", max_tokens=800)
    assert text.endswith(before)
    assert text != before
    lines = text.removesuffix(before).splitlines()
    assert good.id in text
    assert new.id in text
    assert "untried" in text
    assert bad.id not in text
    assert lines[1].startswith("- DO [helps in 83%")
    agent.helpful(good.id, True)
    assert agent.pattern(good.id).helpful == 1
    assert agent.context("what was for dinner on monday") == ""


def test_bad_input_changes_nothing(agent: Agent) -> None:
    for bad in ({"title": " "}, {"title": "t", "polarity": "maybe"}, {"title": "t", "visibility": "all"},
                {"title": "t", "tags": "x"}, {"title": "t", "foundation": 1}, {"title": "t" * 600},
                {"title": "t", "content": "\0"}, {"title": "t", "provenance": {"x": object()}},
                {"title": "t", "framework": "ghp_" + "a8Kx2mQ9" * 4 + "Zt7w"}):  # fmt: skip
        with pytest.raises(InvalidInput):
            agent.add_pattern(**bad)
    assert agent.patterns() == []
    assert agent.pattern_stats()["total"] == 0
    made = agent.add_pattern("Key", "put ghp_" + "a8Kx2mQ9" * 4 + "Zt7w into the header")
    assert "a8Kx2mQ9" not in made.content
    assert titles(agent, "header") == ["Key"]
    for how in ({"stage": "seen"}, {"evidence": "sure"}, {"success": 1}, {"stage": "shown", "success": True},
                {"stage": "helpful"}, {"state": {"x": object()}}, {"source": ""}):  # fmt: skip
        with pytest.raises(InvalidInput):
            agent.use_pattern(made.id, **how)
    with pytest.raises(InvalidInput):
        agent.update_pattern(made.id, visibility="public")
    with pytest.raises(InvalidField):
        agent.update_pattern(agent.add_pattern("Two").id, title="Key", content=made.content)
    assert agent.pattern(made.id) == replace(made, shown=1)


def test_another_embedder_loses_nothing(tmp_path: Path) -> None:
    with engrain.open(tmp_path, embedder="hash") as memory:
        memory.agent("ann").add_pattern("Fake clock", CLOCK)
    with engrain.open(tmp_path) as memory:
        agent = memory.agent("ann")
        assert titles(agent, "fake clock") == ["Fake clock"], "by its words alone"
        assert [check.name for check in memory.doctor().checks if check.ok is False] == ["patterns"]
        memory.rebuild()
        assert memory.doctor().ok
        assert "meaning" in dict(agent.patterns("fake clock")[0].why)
