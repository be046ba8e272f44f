"""Of a long text that part is shown which the question asks about."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engrain.recall.excerpt import BORDER, MARK, cut, excerpt, focus

FILLER = "The meeting went on about nothing in particular and nobody took notes. "
NEEDLE = "The spare key of the boathouse hangs behind the blue lantern."
QUESTION = "Where is the spare key of the boathouse?"


def shown(text: str, question: str, most: int) -> str:
    return excerpt(text, question, most, lambda part: len(part) <= most)


@pytest.mark.parametrize("before", [5, 40, 400])
@pytest.mark.parametrize("after", [0, 5, 400])
def test_what_is_asked_about_is_shown_wherever_it_stands(before: int, after: int) -> None:
    told = shown(FILLER * before + NEEDLE + " " + FILLER * after, QUESTION, 300)
    assert NEEDLE in told
    assert len(told) <= 300
    if before > 5:
        assert told.startswith(MARK)
        assert told[1:].split()[0] in FILLER.split()
    assert told.endswith(MARK) == (after > 0)


def test_a_text_that_fits_is_unchanged_and_one_that_does_not_answer_shows_its_beginning() -> None:
    assert shown(NEEDLE, QUESTION, 300) == NEEDLE
    assert shown(FILLER * 40, "zeppelin", 300).startswith("The meeting went")
    assert shown(FILLER * 40, "", 300).endswith(MARK)
    assert focus(FILLER * 40, "zeppelin", 300) == (0, 0)


def test_the_rarer_term_decides_and_among_equals_the_first() -> None:
    common = "The key opens the door. " * 30
    text = common + "A boathouse. " + common
    begin, end = focus(text, "key boathouse", 60)
    assert "boathouse" in text[begin:end]
    twice = FILLER * 40 + "first boathouse " + FILLER * 40 + "second boathouse"
    assert "first boathouse" in shown(twice, "boathouse", 200)


def test_scripts_without_spaces_are_cut_too() -> None:
    text = "会議は長く続きました。" * 80 + "鍵は青いランタンの後ろにあります。" + "会議は長く続きました。" * 80
    assert "青いランタン" in shown(text, "青いランタン", 120)


@settings(max_examples=200, deadline=None)
@given(st.text("ab \n.鍵", max_size=400), st.integers(1, 100), st.data())
def test_a_cut_is_a_part_of_the_text_at_borders_of_words(text: str, most: int, data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, len(text)))
    told = cut(text, (begin, end), most)
    inner = told.removeprefix(MARK).removesuffix(MARK)
    assert inner in text
    assert len(inner) <= max(most, 0)
    assert (told == text) == (len(text) <= most)
    if told != text and most > 2 * BORDER and all(len(word) < BORDER for word in text.split()):
        assert set(inner.split()) <= set(text.split())
