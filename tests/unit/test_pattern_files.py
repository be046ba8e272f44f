"""Patterns said for another framework, shared between projects, written to files and taken in again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engrain import Agent
from engrain.errors import InvalidField, TranslationRefused, UnknownPattern
from engrain.memory import Memory
from engrain.model.pattern import Pattern
from engrain.testing import SimulatedWorld
from tests import children
from tests.postgres import Place

TEMPLATE = "self.assertEqual(billing.core.total({{cart}}), {{sum}})"


def said(one: Pattern) -> tuple[Any, ...]:
    return (
        one.title,
        one.content,
        one.template,
        one.framework,
        one.tags,
        one.tier,
        one.state,
        one.polarity,
        one.foundation,
    )


def test_a_pattern_without_a_template_says_what_can_be_translated(agent: Agent) -> None:
    words = agent.add_pattern("Fake the clock", "Replace the clock by a fake.", framework="pytest", language="python")
    with pytest.raises(TranslationRefused, match="has no template, and its content cannot be translated: It is not Py"):
        agent.translation(words.id, "unittest")


def test_a_pattern_goes_to_another_framework_and_to_another_home(
    place: Place, world: SimulatedWorld, memory: Memory, tmp_path: Path
) -> None:
    ann = memory.agent("ann", tenant="acme", team="red")
    one = ann.add_pattern("Total", template=TEMPLATE, framework="unittest", language="python", visibility="public")
    bob = memory.agent("bob", tenant="acme")
    made = bob.translate_pattern(one.id, "pytest")
    assert made.template == "assert billing.core.total({{cart}}) == ({{sum}})"
    assert (made.agent, made.framework, made.language, made.visibility) == ("bob", "pytest", "python", "private")
    assert made.provenance["source"] == "translated"
    assert (made.provenance["ids"], made.belief.lineages) == ([one.id], 0)
    assert bob.translate_pattern(one.id, "pytest").id == made.id, "twice is once"
    assert (made.id, one.id, "translates") in [
        (link.source, link.target, link.kind) for link in bob.pattern_links(made.id)
    ]
    assert bob.translation(made.id, "unittest").text == TEMPLATE, "and back"
    with pytest.raises(TranslationRefused, match="there is: unittest to pytest"):
        bob.translate_pattern(one.id, "jest")
    with pytest.raises(UnknownPattern):
        ann.translate_pattern(made.id, "unittest")
    for n in range(5):
        bob.use_pattern(made.id, True, evidence="verified", task_id=f"t{n}", task_type="sums", state={"n": n})
    bob.use_pattern(made.id, False, evidence="executed", source="ci")
    bob.add_pattern("Sleep", polarity="avoid", tags=["time"])
    bob.quarantine_pattern(bob.add_pattern("Retry", foundation=True).id, "hides faults")
    made = bob.pattern(made.id)
    file = tmp_path / "patterns.json"
    told = bob.export_patterns(file, parameters={"billing.core": "module"})
    assert (told.patterns, told.uses) == (4, 6)
    # in a home of its own, by another process, and read back by a third reader: twice is once
    take = """
        import engrain
        with engrain.open(**given["open"], embedder="hash") as memory:
            agent = memory.agent("eve", tenant="elsewhere")
            found = [agent.import_patterns(given["file"]) for _ in range(2)]
            say([[one.imported, one.known, one.uses, one.links] for one in found])
    """
    assert children.run(take, {"open": place.arguments, "file": str(file)}) == [[[4, 0, 6, 1], [0, 4, 0, 1]]]
    with place.open(world=world) as other:
        eve = other.agent("eve", tenant="elsewhere")
        found = {hit.pattern.title + str(hit.pattern.framework): hit.pattern for hit in eve.patterns(state=None)}
        there = found["Totalpytest"]
        assert there.template == "assert {{module}}.total({{cart}}) == ({{sum}})"
        assert (there.belief.good, there.belief.bad, there.belief.lineages) == (
            made.belief.good, made.belief.bad, made.belief.lineages,
        )  # fmt: skip
        assert there.tier == made.tier == "long"
        assert (there.provenance["source"], there.provenance["ids"]) == ("import", [made.id])
        assert [found[name].state for name in ("RetryNone", "SleepNone")] == ["quarantined", "active"]
        assert found["SleepNone"].polarity == "avoid"
        assert len(eve.pattern_uses(there.id)) == 6
        back = tmp_path / "back.json"
        eve.export_patterns(back)
        before = bob.pattern(made.id).belief
        again = bob.import_patterns(back)
        assert (again.imported, bob.pattern(made.id).belief) == (1, before), "one that was ann's; no use came twice"
        assert sorted(map(said, found.values()), key=str) == sorted(
            (said(hit.pattern) for hit in eve.patterns(state=None)), key=str
        )


def test_words_of_a_project_become_placeholders_when_it_is_shared(memory: Memory) -> None:
    ann, bob = memory.agent("ann", tenant="acme"), memory.agent("bob", tenant="acme")
    one = ann.add_pattern("Test billing.core", "see src/billing", template=TEMPLATE)
    shared = ann.share_pattern(one.id, "public", parameters={"billing.core": "module", "src/billing": "path"})
    assert (shared.title, shared.content) == ("Test {{module}}", "see {{path}}")
    assert bob.pattern(one.id).template == "self.assertEqual({{module}}.total({{cart}}), {{sum}})"
    ann.undo_pattern(one.id)
    assert ann.undo_pattern(one.id).template == TEMPLATE
    with pytest.raises(InvalidField, match="no name for"):
        ann.share_pattern(one.id, "public", parameters={"billing": "not a name"})
    assert ann.pattern(one.id).visibility == "private"


USE = {
    "id": "u",
    "lineage": "l",
    "at": "2026-01-01T00:00:00Z",
    "stage": "applied",
    "evidence": "verified",
    "success": True,
}
BAD_USES: dict[str, dict[str, Any]] = {
    "stage": {"stage": "shown"}, "at": {"at": 1}, "success": {"success": "yes"},
    "at must be a time with its zone": {"at": "x"}, "source": {"source": 1},
}  # fmt: skip
BAD: dict[str, Any] = {
    "not JSON": "{",
    "no export of patterns": {"patterns": []},
    "newer engrain": {"engrain_patterns": 99, "patterns": []},
    "must be lists": {"engrain_patterns": 1, "patterns": {}},
    "Pattern 2: it must be an object": {"engrain_patterns": 1, "patterns": [{"title": "a"}, "b"]},
    "Pattern 2: title": {"engrain_patterns": 1, "patterns": [{"title": "a"}, {"title": ""}]},
    "Pattern 1: polarity": {"engrain_patterns": 1, "patterns": [{"title": "a", "polarity": "perhaps"}]},
    "Pattern 1: tier": {"engrain_patterns": 1, "patterns": [{"title": "a", "tier": "eternal"}]},
    **{
        f"Pattern 1, use 2: {why}": {"engrain_patterns": 1, "patterns": [{"title": "a", "uses": [USE, {**USE, **bad}]}]}
        for why, bad in BAD_USES.items()
    },
}  # fmt: skip


def test_a_bad_file_changes_nothing_and_says_where(memory: Memory, tmp_path: Path) -> None:
    agent = memory.agent("ann", tenant="acme")
    file = tmp_path / "bad.json"
    for why, told in BAD.items():
        file.write_text(told if isinstance(told, str) else json.dumps(told))
        with pytest.raises(InvalidField, match=why):
            agent.import_patterns(file)
    with pytest.raises(InvalidField, match="cannot be read"):
        agent.import_patterns(tmp_path / "none.json")
    assert agent.patterns(state=None) == []
