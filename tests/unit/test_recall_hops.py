"""Chains of short statements: a question whose answer is two hops on, through words that the statements share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import engrain
from engrain import Hit
from engrain.recall.hops import LONGEST, MOST, STEPS
from tests.postgres import Place

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
QUESTION = "In which country was the partner of the author of Grey Harbour born?"
CHAIN = [
    "The author of Grey Harbour is Tomas Vale.",  # superseded
    "The author of Grey Harbour is Ilse Morgenrot.",
    "Tomas Vale is married to Petra Lund.",
    "Petra Lund was born in the country of Norway.",
    "Ilse Morgenrot is married to Anton Quist.",
    "Anton Quist was born in the country of Chile.",
]
OTHERS = [
    f"{name} {verb}."
    for name in ("Bela Cerny", "Dora Emmel", "Finn Gallo", "Hana Ibsen", "Jon Kessler", "Lena Moro")
    for verb in (
        "was born in the country of Peru",
        "is the author of a book on birds",
        "is married to a country doctor",
        "plays chess in Lyon",
    )
]


def told(agent: engrain.Agent, contents: list[str], **fields: object) -> None:
    agent.remember_many([{"content": content, "kind": "fact", **fields} for content in contents])


def parts(hits: list[Hit]) -> dict[str, dict[str, float]]:
    return {hit.item.content: dict(hit.why) for hit in hits}


def test_a_chain_of_three_follows_the_newest(place: Place) -> None:
    agent = place.open(embedder="static").agent("reader")
    told(agent, CHAIN[:1])
    told(agent, OTHERS + CHAIN[1:])
    hits = agent.recall(QUESTION)
    found = [hit.item.content for hit in hits]
    assert found[0] == CHAIN[1]
    why = parts(hits)
    assert why[CHAIN[4]]["hop"] > 0
    assert why[CHAIN[5]]["hop"] > 0
    assert max(map(found.index, CHAIN[4:])) < 2 + MOST
    assert "hop" not in why.get(CHAIN[3], {})  # it goes on from what is no longer true
    assert sum("hop" in one for one in why.values()) <= MOST
    for hit in hits:
        assert abs(sum(value for _, value in hit.why) - hit.score) < 1e-6
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_nothing_else_finds_the_end_of_the_chain(place: Place) -> None:
    """Without the middle the chain is broken: the last one is not lifted."""
    agent = place.open(embedder="static").agent("reader")
    told(agent, [*OTHERS, CHAIN[1], CHAIN[5]])
    assert all("hop" not in why for content, why in parts(agent.recall(QUESTION)).items() if content == CHAIN[5])


def test_a_question_that_one_statement_covers_starts_no_chain(place: Place) -> None:
    agent = place.open(embedder="static").agent("reader")
    told(agent, OTHERS + CHAIN)
    hits = agent.recall("author of Grey Harbour")
    assert hits[0].item.content == CHAIN[1]
    assert all("hop" not in why for why in parts(hits).values())


def test_turns_of_a_conversation_and_long_items_take_no_part(place: Place) -> None:
    memory = place.open(embedder="static")
    talk, essay = memory.agent("talk"), memory.agent("essay")
    talk.remember_many([{"content": content, "session": "s"} for content in OTHERS + CHAIN])
    padding = " ".join(f"word{n}" for n in range(LONGEST))
    told(essay, [f"{content} {padding}" for content in OTHERS + CHAIN])
    for agent in (talk, essay):
        hits = agent.recall(QUESTION)
        assert hits
        assert all("hop" not in why for why in parts(hits).values())


def test_filters_hold_for_every_step(place: Place) -> None:
    agent = place.open(embedder="static").agent("reader")
    told(agent, OTHERS + CHAIN[1:4], occurred_at=JUNE)
    told(agent, CHAIN[4:], occurred_at=JUNE + timedelta(days=2))
    hits = agent.recall(QUESTION, until=JUNE + timedelta(days=1))
    assert hits
    assert not set(CHAIN[4:]) & set(parts(hits))
    assert parts(agent.recall(QUESTION))[CHAIN[5]]["hop"] > 0


def test_a_shared_chain_goes_through_the_notes_of_others(place: Place) -> None:
    memory = place.open(embedder="static")
    told(memory.agent("writer"), [CHAIN[4]], visibility="public")
    agent = memory.agent("reader")
    told(agent, [*OTHERS, CHAIN[1], CHAIN[5]])
    assert parts(agent.recall(QUESTION))[CHAIN[5]]["hop"] > 0
    assert STEPS >= 2
