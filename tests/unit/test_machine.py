"""The state machine, every pair of states and every event, and its drawing in the guide."""

from __future__ import annotations

import itertools
import re

import pytest

from engrain.errors import InvalidInput
from engrain.lifecycle.rules import Act
from engrain.model.item import LIVE
from engrain.model.machine import EVENTS, MOVES, STATES, check
from engrain.store.transitions import Transition, log
from tests.docs.pages import ROOT
from tests.postgres import Place

ALL = list(itertools.product(STATES, STATES, EVENTS))


@pytest.mark.parametrize("old", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_every_move_is_allowed_or_refused(old: str, event: str) -> None:
    for new in STATES:
        if (old, new, event) in MOVES:
            check(old, new, event)
        else:
            with pytest.raises(InvalidInput, match=f"A memory that is {old} cannot become {new} by {event}"):
                check(old, new, event)


def test_every_state_is_reached_from_the_first_and_all_but_the_last_are_left() -> None:
    reached = {"active"}
    for _ in STATES:
        reached |= {new for old, new, _ in MOVES if old in reached}
    assert reached == set(STATES)
    assert {old for old, new, _ in MOVES if old != new} == set(STATES) - {"purged"}
    assert all(old != "purged" for old, _, _ in MOVES)


def test_nothing_is_purged_without_having_been_archived_or_forgotten() -> None:
    assert {(old, event) for old, new, event in MOVES if new == "purged" and event != "memory:forgotten"} == {
        ("archived", "memory:pruned")
    }
    assert {old for old, new, event in MOVES if event == "memory:forgotten"} == set(STATES) - {"purged"}


def test_an_event_leads_to_one_state() -> None:
    for event in EVENTS:
        moves = [(old, new) for old, new, name in MOVES if name == event]
        assert len({new for _, new in moves}) == 1 or all(old == new for old, new in moves), event


def test_states_that_are_remembered_are_states() -> None:
    assert set(LIVE) < set(STATES)
    assert len(MOVES) == len(set(MOVES))
    assert len(set(Act)) == 7


def test_an_impossible_transition_is_not_written(place: Place) -> None:
    with place.open() as memory:
        wrong = Transition("id", "agent", "memory:restored", "purged", "active", "why", "me")
        with pytest.raises(InvalidInput, match="from there: nothing"), memory.store.transaction("main") as tx:
            log(tx, "main", 0, [wrong])
        found = memory.store.read(
            "transition_list",
            {"tenant": "main", "after_seq": -1, "after_place": -1, "agent": None, "memory_id": None, "limit": 9},
        )
        assert found == []


def test_the_drawing_in_the_guide_is_the_machine() -> None:
    text = (ROOT / "docs/guides/lifecycle.md").read_text(encoding="utf-8")
    (drawing,) = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", text, re.DOTALL)
    drawn = re.findall(r"^ +(\w+|\[\*\]) --> (\w+): ([\w, ]+)$", drawing, re.MULTILINE)
    arrows = {(old, new, f"memory:{name}") for old, new, names in drawn for name in names.split(", ") if old != "[*]"}
    assert arrows == {(old, new, event) for old, new, event in MOVES if old != new}
