"""What lifts an item and what does not: names, news, questions, the time asked for, sessions, what a scope has in
common."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import engrain
from engrain.recall.columns import Wide
from engrain.recall.embed import packaged
from engrain.recall.news import _mixed, _plain, news
from engrain.recall.rank import Weights
from engrain.recall.select import best
from engrain.recall.vectors import cosines, meanings, middle
from engrain.recall.view import View
from engrain.testing import SimulatedWorld
from tests.postgres import Place

JUNE = datetime(2026, 6, 1, tzinfo=UTC)


def view_of(memory: engrain.Memory, agent: str = "reader") -> View:
    return memory.recaller._segments.view(memory.agent(agent).scope, memory.embedder)


def why(hit: engrain.Hit) -> dict[str, float]:
    return dict(hit.why)


def test_a_name_asks_for_what_the_named_one_said_and_not_for_the_name(place: Place) -> None:
    agent = place.open(embedder="static").agent("reader")
    agent.remember_many(
        [
            {"content": "Hey Caroline! How are you, Caroline?", "role": "Melanie", "session": "1"},
            {"content": "I went to the museum with the kids.", "role": "Caroline", "session": "2"},
            {"content": "The museum was closed when I came.", "role": "Melanie", "session": "3"},
        ]
    )
    hits = agent.recall("What did Caroline do at the museum?")
    assert hits[0].item.role == "Caroline"
    assert why(hits[0])["speaker"] > 0
    greeting = [hit for hit in hits if hit.item.content.startswith("Hey")]
    assert all("words" not in why(hit) or why(hit)["words"] == 0 for hit in greeting)


def test_a_name_alone_is_still_a_question(place: Place) -> None:
    agent = place.open(embedder="static").agent("reader")
    agent.remember("Hello Caroline", role="Melanie")
    agent.remember("Good evening", role="Caroline")
    assert [hit.item.content for hit in agent.recall("Caroline?")] == ["Hello Caroline"]


def test_roles_that_everyone_has_are_no_names(place: Place) -> None:
    agent = place.open(embedder="static").agent("reader")
    agent.remember("Every user has a quota of 5 GB", role="assistant")
    agent.remember("What is the weather like", role="user")
    hits = agent.recall("how large is the quota of a user?")
    assert hits[0].item.role == "assistant"
    assert why(hits[0])["words"] > 0
    assert "speaker" not in why(hits[0])


def test_news_is_the_share_of_information_told_first(place: Place) -> None:
    memory = place.open(embedder="static", world=SimulatedWorld(JUNE.isoformat()))
    agent = memory.agent("reader")
    told = ["alpha beta", "alpha gamma", "beta alpha", "alpha beta gamma delta"]
    items = []
    for content in told:
        items.append(agent.remember(content, session="one"))
        memory.world.advance(seconds=1)  # type: ignore[attr-defined]
    view = view_of(memory)
    share = dict(zip(view.ids(np.arange(view.n)), news(view).tolist(), strict=True))
    found = [share[item.id] for item in items]
    idf = {1: np.log1p(3.5 / 1.5), 2: np.log1p(2.5 / 2.5), 3: np.log1p(1.5 / 3.5), 4: np.log1p(0.5 / 4.5)}
    alpha, beta, gamma, delta = idf[4], idf[3], idf[2], idf[1]
    assert found == pytest.approx([1.0, gamma / (alpha + gamma), 0.0, delta / (alpha + beta + gamma + delta)])


def test_news_of_a_long_item_counts_each_term_once(place: Place) -> None:
    memory = place.open(embedder="static")
    agent = memory.agent("reader")
    agent.remember("alpha beta gamma")
    agent.remember("alpha beta gamma " * 200)
    view = view_of(memory)
    assert not view.single
    assert sorted(news(view).tolist()) == [0.0, 1.0]


def test_a_question_tells_less_than_a_statement_but_not_a_users(place: Place) -> None:
    agent = place.open(embedder="static").agent("reader")
    for number, role in enumerate(("Tom", "user")):
        agent.remember("did the proxy time out? ", role=role, session=str(number))
        agent.remember("the proxy timed out", role=role, session=str(number) + "b")
    parts = {(hit.item.role, hit.item.content.strip()[-1]): why(hit).get("asks", 0) for hit in agent.recall("proxy")}
    assert parts[("Tom", "?")] < 0
    assert parts[("Tom", "t")] == parts[("user", "?")] == parts[("user", "t")] == 0


def test_the_time_that_a_question_names_lifts_what_happened_then(place: Place) -> None:
    agent = place.open(embedder="static", world=SimulatedWorld("2026-08-01T00:00:00Z")).agent("reader")
    for month in (3, 4, 5, 6):
        agent.remember(f"release {month} went out", occurred_at=datetime(2026, month, 12, tzinfo=UTC))
    for asked in ("Which release went out on 12 May 2026?", "which release went out in May?", "release of 2026-05-12"):
        hits = agent.recall(asked)
        assert hits[0].item.content == "release 5 went out", asked
        assert why(hits[0])["when"] > 0
    assert all("when" not in why(hit) for hit in agent.recall("which release went out?"))


def test_hits_are_spread_over_sessions(place: Place) -> None:
    agent = place.open(embedder="static").agent("reader")
    rows = [{"content": f"we spoke about the garden, part {n}", "session": "long"} for n in range(12)]
    agent.remember_many([*rows, {"content": "we spoke about the garden for part of an hour", "session": "other"}])
    hits = agent.recall("garden part", limit=13)
    assert [why(hit).get("spread", 0) < 0 for hit in hits if hit.item.session == "long"].count(True) == 11
    assert all(why(hit).get("spread", 0) == 0 for hit in hits if hit.item.session == "other")


def test_what_stands_alone_is_never_spread(place: Place) -> None:
    memory = place.open(embedder="static")
    agent = memory.agent("reader")
    agent.remember_many([{"content": f"note {n}"} for n in range(5)])
    view = view_of(memory)
    score = np.linspace(0.1, 0.5, view.n, dtype=np.float32)
    rows, change = best(view, score, np.ones(view.n, np.bool_), 3, 0.5)
    assert rows.tolist() == [4, 3, 2]
    assert change.tolist() == [0, 0, 0]


def test_what_the_assistant_said_is_not_sought_among_the_users_words(place: Place) -> None:
    agent = place.open(embedder="static").agent("reader")
    agent.remember("Please help me with caching", role="user", session="a")
    agent.remember("For caching I recommend a small LRU", role="assistant", session="b")
    assert "user" in {name for hit in agent.recall("what about caching?") for name, _ in hit.why}
    hits = agent.recall("What did you recommend for caching?")
    assert hits[0].item.role == "assistant"
    assert "user" not in {name for hit in hits for name, _ in hit.why}


def test_centred_cosines_are_what_plain_arithmetic_gives(place: Place) -> None:
    memory = place.open(embedder="static")
    agent = memory.agent("reader")
    agent.remember_many([{"content": f"the {word} in the garden was wet"} for word in ("tree", "cat", "wall", "gate")])
    agent.remember("??? !!!")
    view = view_of(memory)
    question = packaged().embed(["a cat"])[0]
    rows = view.vectors(np.arange(view.n)).astype(np.float64)
    mean = rows.sum(axis=0) / ((rows != 0).any(axis=1).sum() + 10)
    away, apart = question - mean, rows - mean
    wanted = apart @ away / np.linalg.norm(away) / np.linalg.norm(apart, axis=1)
    wanted[~rows.any(axis=1)] = 0
    assert middle(view)[0] == pytest.approx(mean, abs=1e-5)
    plain, centred = meanings(view, question, question)
    assert plain == pytest.approx(rows @ question, abs=0.01)
    assert centred == pytest.approx(wanted, abs=0.01)
    assert not meanings(view, question, np.zeros_like(question))[1].any()
    # What all have in common no longer makes them alike.
    assert centred.max() < cosines(view, question).max()


def test_the_middle_does_not_depend_on_the_order_of_rows(place: Place) -> None:
    memory = place.open(embedder="static")
    texts = [f"sentence number {n} about {word}" for n, word in enumerate(("rain", "sun", "snow", "wind") * 30)]
    memory.agent("one").remember_many([{"content": text} for text in texts])
    memory.agent("two").remember_many([{"content": text} for text in reversed(texts)])
    one, two = (middle(view_of(memory, name)) for name in ("one", "two"))
    assert one[0].tobytes() == two[0].tobytes()
    assert one[1] == two[1]


def test_signals_are_shares_and_sum_to_one() -> None:
    weights = Weights()
    total = weights.words + weights.wide + weights.session + weights.meaning + weights.around
    assert total == pytest.approx(1.0)


def test_better_hits_of_a_session_are_counted_in_their_order() -> None:
    from engrain.recall.select import _better

    groups: Wide = np.array([3, 1, 3, 3, 2, 1])
    assert _better(groups.astype(np.int32)).tolist() == [0, 0, 1, 2, 0, 1]
    assert _better(np.empty(0, np.int32)).tolist() == []


def test_an_old_item_is_found_by_its_own_time_and_not_by_when_it_was_told(place: Place) -> None:
    agent = place.open(embedder="static", world=SimulatedWorld(JUNE.isoformat())).agent("reader")
    agent.remember("the server moved to Oslo", occurred_at=JUNE - timedelta(days=400))
    agent.remember("the server moved to Bergen")
    assert agent.recall("where did the server move to today?")[0].item.content.endswith("Bergen")
    assert agent.recall("where did the server move in April 2025?")[0].item.content.endswith("Oslo")


@pytest.mark.parametrize("late", [False, True])
def test_both_ways_of_counting_news_agree(place: Place, late: bool) -> None:
    """Of rows as they were loaded, and with some that came after, were changed, or went."""
    memory = place.open()
    agent = memory.agent("reader")
    words = [f"word{n}" for n in range(30)]
    items = agent.remember_many(
        [{"content": " ".join(words[k % 30] for k in range(n, n + 1 + n % 7))} for n in range(60)]
    )
    view_of(memory)
    if late:
        agent.remember("word3 word77 word77b")
        agent.update(items[2].id, importance=9.0)
        agent.forget(items[0].id)
        agent.update(items[5].id, content="word77 word5")
    view = view_of(memory)
    told = np.empty(view.n + 1, np.int32)
    told[np.lexsort((view.items["id"], view.items["created"]))] = np.arange(view.n)
    told[-1] = view.n
    plain, mixed = _plain(view.parts[0], told, view.n), _mixed(view, told)
    for one, other in zip(plain, mixed, strict=True):
        assert one[: view.n].tolist() == other[: view.n].tolist()
