"""Recall as a caller sees it, on both engines: filters, time, order, reasons, and what changes when others write."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import engrain
from engrain.errors import InvalidInput
from engrain.recall.embed import Floats
from engrain.testing import SimulatedWorld
from tests.postgres import Place

JUNE = datetime(2026, 6, 1, tzinfo=UTC)


def contents(hits: list[engrain.Hit]) -> list[str]:
    return [hit.item.content for hit in hits]


def test_filters_apply_before_the_best_are_chosen(place: Place) -> None:
    agent = place.open().agent("reader")
    agent.remember_many(
        [{"content": f"upload failed with status 503, attempt {n}", "kind": "event"} for n in range(60)]
        + [
            {"content": "an upload is mentioned once in this long sentence about something else", "kind": "fact"},
            {"content": "upload tagged", "tags": ["a", "b"]},
            {"content": "upload half tagged", "tags": ["a"]},
            {"content": "upload in its session", "session": "s1"},
            {"content": "upload of long ago", "occurred_at": JUNE - timedelta(days=900)},
        ]
    )
    asked = "upload failed with status 503"
    assert contents(agent.recall(asked, limit=1, kinds=["fact"])) == [
        "an upload is mentioned once in this long sentence about something else"
    ]
    assert contents(agent.recall(asked, limit=2, tags=["a", "b"])) == ["upload tagged"]
    assert len(agent.recall(asked, limit=5, tags=["a"])) == 2
    assert contents(agent.recall(asked, limit=1, session="s1")) == ["upload in its session"]
    assert contents(agent.recall(asked, limit=1, until=JUNE - timedelta(days=800))) == ["upload of long ago"]
    assert agent.recall(asked, kinds=["preference"]) == []
    assert agent.recall(asked, session="s2") == []


def test_since_is_inclusive_and_until_exclusive(place: Place) -> None:
    agent = place.open().agent("reader")
    for day in range(3):
        agent.remember(f"deployment number {day}", occurred_at=JUNE + timedelta(days=day))
    hits = agent.recall("deployment", since=JUNE, until=JUNE + timedelta(days=2))
    assert sorted(contents(hits)) == ["deployment number 0", "deployment number 1"]


def test_an_expired_item_is_gone_at_its_moment(place: Place) -> None:
    world = SimulatedWorld("2026-01-01T00:00:00Z")
    agent = place.open(world=world).agent("reader")
    agent.remember("the staging password rotates", expires_in="2d")
    agent.remember("the staging server is slow")
    world.advance(days=2, microseconds=-1)
    assert len(agent.recall("staging")) == 2
    world.advance(microseconds=1)
    assert contents(agent.recall("staging")) == ["the staging server is slow"]


def test_why_sums_to_the_score_and_scores_fall(place: Place) -> None:
    memory = place.open()
    agent = memory.agent("reader")
    rows = [{"content": f"Anna said thing {n} about boats", "session": "s", "role": "Anna"} for n in range(30)]
    items = agent.remember_many([*rows, {"content": "I like boats", "role": "user", "importance": 9.0}])
    agent.helpful(items[3].id, True)
    agent.helpful(items[4].id, False)
    memory.close()  # writes the votes, which are buffered
    agent = place.open().agent("reader")
    hits = agent.recall("what did Anna tell me about boats?", limit=31)
    assert len(hits) == 31
    for hit in hits:
        assert sum(part for _, part in hit.why) == pytest.approx(hit.score, abs=1e-6)
        assert 0 <= hit.score <= 1
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    votes = {hit.item.id: dict(hit.why).get("helpful", 0) for hit in hits}
    assert votes[items[3].id] > 0 > votes[items[4].id]
    named = {name for hit in hits for name, _ in hit.why}
    assert {
        "words",
        "wide",
        "session",
        "meaning",
        "around",
        "speaker",
        "user",
        "importance",
        "helpful",
    } <= named


def test_a_question_with_nothing_in_common_finds_nothing(place: Place) -> None:
    agent = place.open(embedder="static").agent("reader")
    agent.remember_many([{"content": f"We deployed release {n} to the staging cluster on Friday"} for n in range(20)])
    assert agent.recall("zebra quantum chromodynamics") == []
    assert agent.context("zebra quantum chromodynamics") == ""
    assert len(agent.recall("zebra quantum chromodynamics", min_score=0.0)) > 0
    assert len(agent.recall("when was the staging deployment")) == 10


def test_min_score_cuts(place: Place) -> None:
    agent = place.open().agent("reader")
    agent.remember_many([{"content": "retry the upload on 503"}, {"content": "the upload page is blue"}])
    hits = agent.recall("retry upload 503", min_score=0.0)
    between = (hits[0].score + hits[1].score) / 2
    assert contents(agent.recall("retry upload 503", min_score=between)) == ["retry the upload on 503"]


def test_of_facts_that_differ_in_their_value_the_newest_comes_first(place: Place) -> None:
    agent = place.open(embedder="static").agent("reader")
    for value in ("Lyon", "Paris", "Marseille"):
        agent.remember(f"The capital of the region is {value}.", kind="fact")
    agent.remember("The capital of the other region is Nice.", kind="fact")
    asked = "Which city is the capital of the region?"
    assert contents(agent.recall(asked))[:1] == ["The capital of the region is Marseille."]
    agent.remember("Zed's office is in Rome", occurred_at=JUNE, kind="fact")
    agent.remember("Zed's office is in Oslo", occurred_at=JUNE - timedelta(days=9), kind="fact")
    assert contents(agent.recall("Where is Zed's office?"))[:2] == [
        "Zed's office is in Rome",
        "Zed's office is in Oslo",
    ]


def test_what_the_question_names_is_a_subject_and_no_value(place: Place) -> None:
    agent = place.open(embedder="static").agent("reader")
    agent.remember("Anna plays the position of goalkeeper", kind="fact")
    agent.remember("Bert plays the position of goalkeeper", kind="fact")
    assert contents(agent.recall("Which position does Anna play?"))[0].startswith("Anna")


def test_an_exact_repetition_steps_back_and_distinct_turns_stay(place: Place) -> None:
    agent = place.open(embedder="static").agent("reader")
    agent.remember("The upload of large files fails behind the proxy", session="a")
    agent.remember("The upload of large files fails behind the proxy", session="b")
    agent.remember("Raising the limit of the proxy mends the upload", session="c")
    hits = agent.recall("why does the upload of large files fail behind the proxy?")
    assert len(hits) == 3
    lowered = [hit for hit in hits if "repeats" in dict(hit.why)]
    assert [hit.item.session for hit in lowered] == ["b"]  # the first of the two stands for both
    assert hits[0].item.session == "a"
    assert lowered[0].score == pytest.approx(hits[0].score / 2, rel=0.2)  # what repeats has no news


def test_neighbours_in_a_session_lend_their_words(place: Place) -> None:
    agent = place.open().agent("reader")
    talk = ["Which hotel did you book in Lisbon?", "The one beside the river, with the yellow door."]
    agent.remember_many([{"content": line, "session": "trip", "occurred_at": JUNE} for line in talk])
    agent.remember_many([{"content": f"The weather was grey on day {n}.", "session": f"o{n}"} for n in range(20)])
    assert set(contents(agent.recall("hotel Lisbon", limit=2))) == set(talk)


def test_a_long_item_is_found_by_its_end_and_answers_once(place: Place) -> None:
    agent = place.open().agent("reader")
    filler = " ".join(f"word{n}" for n in range(900))
    agent.remember(f"{filler} and then the xylophone broke")
    agent.remember("nothing of that kind")
    hits = agent.recall("xylophone")
    assert len(hits) == 1
    assert hits[0].item.content.endswith("xylophone broke")


@pytest.mark.parametrize("query", ["", "  \n"])
def test_a_blank_query_is_refused(place: Place, query: str) -> None:
    with pytest.raises(InvalidInput):
        place.open().agent("reader").recall(query)


def test_a_megabyte_of_question_is_answered(place: Place) -> None:
    agent = place.open().agent("reader")
    agent.remember("the xylophone broke")
    assert contents(agent.recall("xylophone " * 100_000)) == ["the xylophone broke"]


def test_updates_and_removals_show_at_once(place: Place) -> None:
    agent = place.open().agent("reader")
    first = agent.remember("the parser is slow")
    second = agent.remember("the parser is wrong", tags=["x"])
    assert len(agent.recall("parser")) == 2
    agent.update(second.id, tags=["y"])
    assert contents(agent.recall("parser", tags=["y"])) == ["the parser is wrong"]
    assert agent.recall("parser", tags=["x"]) == []
    agent.forget(first.id)
    assert contents(agent.recall("parser")) == ["the parser is wrong"]


def test_another_memory_sees_a_write_in_its_next_recall(place: Place) -> None:
    writer, reader = place.open().agent("one"), place.open().agent("one")
    writer.remember("the first note on caching")
    assert len(reader.recall("caching")) == 1
    item = writer.remember("the second note on caching")
    assert len(reader.recall("caching")) == 2
    writer.forget(item.id)
    assert contents(reader.recall("caching")) == ["the first note on caching"]


def test_threads_recall_while_others_write(place: Place) -> None:
    agent = place.open().agent("reader")
    agent.remember("note 0 on caching")
    problems: list[BaseException] = []

    def read() -> None:
        try:
            seen = 0
            for _ in range(30):
                found = len(agent.recall("caching", limit=100))
                assert found >= seen
                seen = found
        except BaseException as error:  # noqa: BLE001 (whatever it is, the test shows it)
            problems.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(1, 20):
        agent.remember(f"note {n} on caching")
    for thread in threads:
        thread.join()
    assert not problems
    assert len(agent.recall("caching", limit=100)) == 20


class Tilted:
    """An embedder of another name and the same dimension, for which every text is alike."""

    name, dim = "tilted", 512

    def embed(self, texts: list[str], /) -> Floats:
        out = np.zeros((len(texts), self.dim), np.float32)
        out[:, 0] = 1
        return out


def test_vectors_of_another_embedder_are_never_compared(place: Place) -> None:
    with place.open(embedder="hash") as memory:
        memory.agent("reader").remember("the parser is slow")
    agent = place.open(embedder=Tilted()).agent("reader")
    agent.remember("the lexer is quick")
    why = {hit.item.content: dict(hit.why) for hit in agent.recall("parser lexer")}
    assert "meaning" not in why["the parser is slow"]
    assert why["the lexer is quick"]["meaning"] > 0
    assert agent.recall("compiler", min_score=0.0)[0].item.content == "the lexer is quick"


def test_a_small_cache_forgets_and_still_answers(place: Place) -> None:
    memory = place.open(cache_rows=1000)
    for name in ("one", "two", "three"):
        memory.agent(name).remember_many([{"content": f"note {n} of {name} on caching"} for n in range(600)])
    for _ in range(2):
        for name in ("one", "two", "three"):
            assert len(memory.agent(name).recall(f"caching {name}", limit=700)) == 600
    assert sum(held.segment.passages for held in memory.recaller._segments._scopes.values() if held.segment) <= 1200
