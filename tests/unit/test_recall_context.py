"""The block of text for a prompt."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from engrain.model.item import Hit, MemoryItem
from engrain.recall.context import HEADER, block, count_tokens

WHEN = datetime(2026, 3, 4, tzinfo=UTC)


def hit(content: str, number: int = 0, score: float = 0.5) -> Hit:
    item = MemoryItem(f"id{number:024}", "default", "reader", "fact", content, WHEN, WHEN, WHEN, role="Ann")
    return Hit(item, score, (("words", score),))


def test_items_come_as_bullets_with_date_kind_and_id() -> None:
    text, ids = block([hit("Retry the upload\n once"), hit("Wait a minute", 1)], 200)
    assert text.splitlines() == [
        HEADER,
        f"- [2026-03-04 fact, Ann {'id' + '0' * 24}] Retry the upload once",
        f"- [2026-03-04 fact, Ann {'id' + '0' * 23 + '1'}] Wait a minute",
    ]
    assert ids == ("id" + "0" * 24, "id" + "0" * 23 + "1")


def test_near_duplicates_and_what_is_hardly_relevant_are_left_out() -> None:
    hits = [hit("Retry the upload once"), hit("retry the upload ONCE!", 1), hit("Something else", 2, 0.001)]
    assert len(block(hits, 500)[1]) == 1


def test_nothing_is_said_when_there_is_nothing_or_no_room() -> None:
    assert block([], 100) == ("", ())
    assert block([hit("Retry the upload")], 5) == ("", ())


def test_the_last_item_is_cut_with_an_ellipsis() -> None:
    text, ids = block([hit("Short one"), hit("word " * 500, 1)], 120)
    assert text.endswith(" word…")
    assert len(ids) == 2
    assert 100 < count_tokens(text) <= 120


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=400), max_size=6), st.integers(1, 300), st.text(max_size=20))
def test_the_budget_is_never_exceeded(contents: list[str], most: int, question: str) -> None:
    hits = [hit(content, n) for n, content in enumerate(contents)]
    text, ids = block(hits, most, question=f"{question} {contents[0][-20:] if contents else ''}")
    assert count_tokens(text) <= most
    assert bool(text) == bool(ids)


def test_a_long_item_is_cut_around_what_is_asked() -> None:
    filler = "The meeting went on about nothing in particular. "
    long = hit(filler * 60 + "The spare key hangs behind the lantern. " + filler * 60)
    text, ids = block([long], 120, question="Where does the spare key hang?")
    assert "The spare key hangs behind the lantern." in text
    assert text.splitlines()[1].split("] ")[1].startswith("…")
    assert text.endswith("…")
    assert len(ids) == 1
    assert 100 < count_tokens(text) <= 120
