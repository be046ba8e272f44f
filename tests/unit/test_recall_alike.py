"""Alike: a task finds the earlier task that is worded alike; a question finds what answers it, as before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engrain.recall import alike
from engrain.recall.analyze import run
from tests.postgres import Place

TASKS = [
    "Delete all invoices of the supplier Brandt that are older than two years.",
    "What is the average weight of the parcels for each courier? Return the courier and the average weight.",
    "Insert a new parcel for the courier Lindqvist with the weight 12 and the status 'open'.",
    "Which couriers carry more than five parcels? Return the courier and the number of parcels.",
    "What is the average price of the tickets for each theatre? Return the theatre and the average price.",
    "Update the status to 'paid' for all invoices of the supplier Novak.",
    "Insert a new visitor for the theatre Apollo with the age 31 and the seat 'B7'.",
    "Which theatres sell more than ninety tickets? Return the theatre and the number of tickets.",
]
TALK = [
    "Lindqvist has been our courier since the spring, he lives in Uppsala.",
    "The courier from the other firm was late again, nobody knows why.",
    "I would rather have the parcels on Monday than on Friday.",
    "Brandt sends the invoices by post, which takes a week.",
]


def test_a_task_finds_the_one_that_is_worded_alike(place: Place) -> None:
    agent = place.open(embedder="static").agent("solver")
    for task in TASKS:
        agent.remember(task)
    hits = agent.recall("Insert a new supplier for the invoices with the name 'Brandt' and the status 'paid'.")
    assert hits[0].item.content.startswith("Insert a new")
    assert dict(hits[0].why)["form"] > 0
    assert any(value < 0 for hit in hits for name, value in hit.why if name == "form")
    for hit in hits:
        assert abs(sum(value for _, value in hit.why) - hit.score) < 1e-6
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    again = (
        place.open(embedder="static")
        .agent("solver")
        .recall("Insert a new supplier for the invoices with the name 'Brandt' and the status 'paid'.", limit=1)
    )
    assert again[0].item.id == hits[0].item.id  # whatever the limit


@pytest.mark.parametrize(
    ("question", "answer"), [("Where does Lindqvist live?", TALK[0]), ("How does Brandt send the invoices?", TALK[3])]
)
def test_a_question_is_about_what_it_names(place: Place, question: str, answer: str) -> None:
    agent = place.open(embedder="static").agent("talker")
    for turn in TALK:
        agent.remember(turn, session="s", role="user")
    hits = agent.recall(question)
    assert hits[0].item.content == answer
    assert not [name for hit in hits for name, _ in hit.why if name == "form"]


def test_where_one_item_holds_all_the_wording_says_nothing() -> None:
    texts = ["Delete the old rows of the table.", "Insert a row into the table."]
    assert alike.order("Insert a line into the list.", 1.0, texts, [1.0, 0.9]) == [0, 1]
    assert alike.order("Insert a line into the list.", 0.4, texts, [1.0, 0.9]) == [1, 0]


def test_the_score_still_counts() -> None:
    texts = ["Delete a row of the table for me.", "Delete the row of that table for me."]
    assert alike.order("Delete a row of the table for us.", 0.7, texts, [1.0, 0.9]) == [0, 1]
    assert alike.order("Delete a row of the table for us.", 0.7, texts[::-1], [1.0, 0.8]) == [1, 0]
    assert alike.order("Delete a row of the table for us.", 0.7, texts[::-1], [1.0, 0.01]) == [0, 1]


def test_words_of_grammar_compounds_and_scripts_without_spaces() -> None:
    assert run("More than the snake_case of Ａ and O'Brien") == [
        "more",
        "than",
        "the",
        "snake",
        "case",
        "of",
        "a",
        "and",
        "o",
        "brien",
    ]
    assert run("東京 と") == ["東", "京", "と"]


@given(
    st.text(max_size=200),
    st.lists(st.tuples(st.text(max_size=200), st.floats(1e-9, 1.0)), max_size=12),
    st.floats(0.0, 1.0),
)
def test_the_order_is_one_of_all(query: str, found: list[tuple[str, float]], covered: float) -> None:
    scores = sorted((score for _, score in found), reverse=True)
    order = alike.order(query, covered, [text for text, _ in found], scores)
    assert sorted(order) == list(range(len(found)))
    assert order == alike.order(query, covered, [text for text, _ in found], scores)
