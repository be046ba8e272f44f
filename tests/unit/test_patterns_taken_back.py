"""Patterns under attack: clocks that go back, twins, what is merged, bad words in every place, floods of the same."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain.errors import InvalidInput
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests.postgres import Place

CLOCK = "freeze time with a fake clock instead of sleeping"
KEY = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2


def deep() -> list[Any]:
    found: list[Any] = []
    for _ in range(5000):
        found = [found]
    return found


def test_undo_takes_back_what_was_done_last_though_the_clock_goes_back(tmp_path: Path) -> None:
    with engrain.open(tmp_path / "home", world=SimulatedWorld("2030-01-01T00:00:00Z"), embedder="hash") as memory:
        agent = memory.agent("ann", tenant="acme")
        one, two = (agent.add_pattern(name, "as it was").id for name in ("one", "two"))
        agent.update_pattern(one, content="first")
        agent.merge_patterns(two, one, "the same")
    with engrain.open(tmp_path / "home", world=SimulatedWorld("2020-01-01T00:00:00Z"), embedder="hash") as memory:
        agent = memory.agent("ann", tenant="acme")
        agent.update_pattern(one, content="second")
        assert [event.event for event in agent.pattern_history(one)] == ["updated", "merged", "updated", "made"]
        assert agent.undo_pattern(one).content == "first"
        assert agent.undo_pattern(one).id == two, "then the merge"
        assert agent.undo_pattern(one).content == "as it was"
        with pytest.raises(InvalidInput, match="could be taken back"):
            agent.undo_pattern(one)


def test_what_stands_for_another_or_says_the_same_is_not_overwritten(memory: Memory) -> None:
    agent = memory.agent("ann", tenant="acme")
    one = agent.add_pattern("Old", CLOCK).id
    agent.update_pattern(one, title="New")
    twin = agent.add_pattern("Old", CLOCK)
    with pytest.raises(InvalidInput, match="says by now what"):
        agent.undo_pattern(one)
    assert agent.pattern(one).title == "New"
    alike = agent.pattern_links(one)
    assert [link.kind for link in alike] == ["similar"]
    agent.update_pattern(twin.id, title="Bake", content="flour, water, salt and yeast")
    assert agent.pattern_links(one) == []
    agent.undo_pattern(twin.id)
    assert agent.pattern_links(one) == alike, "what it is like is found again"
    third = agent.add_pattern("Third", CLOCK, visibility="private").id
    agent.merge_patterns(twin.id, one, "the same")
    agent.merge_patterns(one, third, "the same")
    for act in (
        lambda: agent.update_pattern(twin.id, content="other"),
        lambda: agent.share_pattern(twin.id, "team"),
        lambda: agent.deprecate_pattern(twin.id, "old"),
    ):
        with pytest.raises(InvalidInput, match="is merged into"):
            act()
    for id_ in (twin.id, one, third):
        agent.use_pattern(id_, True, evidence="verified", source=id_)
    assert agent.pattern(third).applied == 3, "a use of what is merged is one of what stands for it"
    agent.undo_pattern(twin.id)  # out of the middle of a chain
    found = [agent.pattern(id_) for id_ in (twin.id, one, third)]
    assert [one.state for one in found] == ["active", "merged", "active"]
    memory.rebuild()
    assert [agent.pattern(id_) for id_ in (twin.id, one, third)] == found
    assert memory.doctor().ok
    with pytest.raises(InvalidInput, match="visibility must be"):
        agent.share_pattern(third, "nobody", {"clock": "thing"})
    assert agent.pattern(third).content == CLOCK, "nothing was changed"


def test_whatever_is_told_is_refused_by_name_and_changes_nothing(memory: Memory, tmp_path: Path) -> None:
    agent = memory.agent("ann", tenant="acme")
    id_ = agent.add_pattern("One", CLOCK).id
    before, circle = agent.pattern(id_), {}
    circle["it"] = circle
    bad: list[Any] = [7, math.nan, "", " ", "a\0b", "\ud800", "x" * (1 << 20), b"x", circle, deep(), 10**5000, object()]
    calls: dict[str, Any] = {
        "use_pattern": ("id", "success", "stage", "evidence", "source", "task_type", "state", "task_id"),
        "share_pattern": ("visibility", "parameters"),
        "merge_patterns": ("into", "reason"),
        "patterns": ("kind", "tags", "tier", "state", "polarity", "limit", "explore"),
        "export_patterns": ("path", "parameters", "framework"),
        "import_patterns": ("path",),
        "export_learning": ("path", "task_type"),
        "add_trajectory": ("steps", "success", "evidence", "task_type", "visibility"),
    }
    fit = {
        "use_pattern": {"id": id_},
        "share_pattern": {"id": id_, "visibility": "team"},
        "merge_patterns": {"id": id_, "into": id_, "reason": "why"},
        "export_patterns": {"path": tmp_path / "out.json"},
        "export_learning": {"path": tmp_path / "out.json"},
        "add_trajectory": {"task": "it", "steps": ["make"], "success": True},
    }
    for name, fields in calls.items():
        for field in fields:
            for value in bad:
                if (field, value) in (("limit", 7), ("steps", "")):
                    continue
                with pytest.raises(InvalidInput) as caught:
                    getattr(agent, name)(**{**fit.get(name, {}), field: value})
                assert len(str(caught.value)) < 2000
    assert agent.pattern(id_) == before
    assert not (tmp_path / "out.json").exists()


def test_names_in_a_file_are_checked_and_a_file_that_goes_round_stays_as_it_is(place: Place, tmp_path: Path) -> None:
    memory, file = place.open(), tmp_path / "patterns.json"
    for round_ in range(40):  # from tenant to tenant: where it comes from does not nest deeper and deeper
        agent = memory.agent("ann", tenant=f"t{round_}")
        if round_:
            assert agent.import_patterns(file).imported == 1
        else:
            used = agent.add_pattern("One", CLOCK, provenance={"source": "book"}).id
            agent.use_pattern(used, True, source="ci")
        agent.export_patterns(file)
    told = json.loads(file.read_text())
    assert told["patterns"][0]["provenance"]["was"] == {"source": "book"}
    agent = memory.agent("eve", tenant="acme")
    use = told["patterns"][0]["uses"][0]
    bad = [("lineage", "\ud800"), ("lineage", "a\0b"), ("source", "x" * 10_000), ("source", KEY), ("task_type", "\0"),
           ("id", " "), ("at", "0001-01-01T00:00:00+14:00"), ("at", "2026-01-01T00:00:00"), ("state", {"a": [1]}),
           ("at", 7)]  # fmt: skip
    for name, value in bad:
        told["patterns"][0]["uses"] = [{**use, name: value}]
        file.write_text(json.dumps(told))
        with pytest.raises(InvalidInput, match="Pattern 1, use 1") as caught:
            agent.import_patterns(file)
        assert KEY not in str(caught.value)
    assert agent.patterns(state=None) == []
