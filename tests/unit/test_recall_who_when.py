"""Questions about who and when: with few words, or none, of their own; and facts that held at the time asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, permutations

import pytest

import engrain
from engrain.recall import pool, recaller
from engrain.testing import SimulatedWorld
from tests.postgres import Place

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def diary(place: Place) -> engrain.Agent:
    agent = place.open(embedder="static", world=SimulatedWorld(NOW.isoformat())).agent("reader")
    said = [
        ("Anna", datetime(2025, 5, 10, tzinfo=UTC), "We signed the lease for the new flat"),
        ("Ben", datetime(2025, 6, 10, tzinfo=UTC), "The car broke down near Ulm"),
        ("Anna", NOW - timedelta(days=1), "The kitchen is painted at last"),
        ("Ben", NOW - timedelta(days=14), "My sister came for the weekend"),
    ]
    agent.remember_many(
        [{"content": c, "role": who, "session": f"{when:%F}", "occurred_at": when} for who, when, c in said]
    )
    return agent


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("what happened in May 2025", "We signed the lease for the new flat"),
        ("what happened in June 2025?", "The car broke down near Ulm"),
        ("what happened yesterday?", "The kitchen is painted at last"),
        ("What did we do two weeks ago?", "My sister came for the weekend"),
        ("what did Anna do in may 2025", "We signed the lease for the new flat"),
        ("on 10 June 2025?", "The car broke down near Ulm"),
    ],
)
def test_a_time_is_enough_to_ask(diary: engrain.Agent, asked: str, found: str) -> None:
    assert diary.recall(asked)[0].item.content == found


def test_a_speaker_is_enough_to_ask(diary: engrain.Agent) -> None:
    hits = diary.recall("What did Ben tell us?")
    assert [hit.item.role for hit in hits[:2]] == ["Ben", "Ben"]


@pytest.mark.parametrize("asked", ["what happened in May 2025", "What did Anna tell us?"])
def test_they_are_enough_in_a_large_scope_too(place: Place, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    """A question without words of its own, of a scope that is ranked by a pool of a few: nothing but the name or the
    time tells the one memory from the others."""
    monkeypatch.setattr(recaller, "LARGE", 100)
    monkeypatch.setattr(pool, "WIDTH", 10)
    agent = place.open(embedder="static", world=SimulatedWorld(NOW.isoformat())).agent("reader")
    things = "river garden dinner music lawyer market doctor winter summer football party journey teacher wedding"
    said = [f"the {' '.join(some)} was here" for some in islice(permutations(things.split(), 3), 1000)]
    agent.remember_many([{"content": one, "role": "Cleo"} for one in said[1:]])
    agent.remember(said[0], role="Anna", occurred_at=datetime(2025, 5, 10, tzinfo=UTC))
    assert agent.recall(asked)[0].item.content == said[0]


def test_the_digits_of_a_date_are_no_words(place: Place) -> None:
    agent = place.open(embedder="static", world=SimulatedWorld(NOW.isoformat())).agent("reader")
    agent.remember("Visited the dentist, entry 13", occurred_at=datetime(2025, 3, 9, tzinfo=UTC))
    agent.remember("Fixed the login, entry 7", occurred_at=datetime(2025, 5, 13, tzinfo=UTC))
    for asked in ("What did I do on 13 May 2025", "what did I do on 2025-05-13"):
        assert agent.recall(asked)[0].item.content == "Fixed the login, entry 7"


def test_what_one_says_of_oneself_is_no_new_value_of_what_another_said(place: Place) -> None:
    agent = place.open(embedder="static", world=SimulatedWorld(NOW.isoformat())).agent("reader")
    dogs = {"Anna": "Luna", "Ben": "Rex", "Carla": "Milo", "Hugo": "Coco"}
    for number, (who, dog) in enumerate(dogs.items()):
        when = NOW - timedelta(days=40 - number)
        agent.remember(f"I adopted a dog called {dog}", role=who, session=f"s{number}", occurred_at=when)
        agent.remember("How lovely, tell me more", role="Ida", session=f"s{number}", occurred_at=when)
    for who, dog in dogs.items():
        hits = agent.recall(f"what is {who}'s dog called?", limit=8)
        assert hits[0].item.content.endswith(dog)
        assert not {"newer", "superseded"} & {name for hit in hits for name, _ in hit.why}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("Who is the CEO of Acme?", "Priya"),
        ("Who was the CEO of Acme in April 2025?", "John"),
        ("Who was the CEO of Acme in March 2025?", "John"),
        ("Who was the CEO of Acme in 2024?", "Maria"),
    ],
)
def test_what_held_at_the_time_asked_for_comes_first(place: Place, asked: str, found: str) -> None:
    agent = place.open(embedder="static", world=SimulatedWorld(NOW.isoformat())).agent("reader")
    for who, when in (("Maria", (2024, 1, 1)), ("John", (2025, 3, 1)), ("Priya", (2026, 2, 1))):
        agent.remember(f"The CEO of Acme is {who}", kind="fact", occurred_at=datetime(*when, tzinfo=UTC))
    assert agent.recall(asked)[0].item.content.endswith(found)


def test_what_stands_alone_borrows_from_no_turns_and_no_session(place: Place) -> None:
    agent = place.open(embedder="static").agent("reader")
    agent.remember("Retry the upload once when the server answers 503")
    agent.remember("The upload went well", session="s")
    for hit in agent.recall("what to do when an upload fails?"):
        parts = dict(hit.why)
        assert ("around" in parts) is (hit.item.session is not None)
        assert sum(parts.values()) == pytest.approx(hit.score, abs=1e-6)
