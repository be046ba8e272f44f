"""Recall of large scopes: a pool answers as the whole does, catching up reads what is new, memory is bounded."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

import engrain
from engrain.recall import cache, hops, news, pool, recaller, vectors
from engrain.recall.postings import Postings
from engrain.recall.segment import Segment
from engrain.recall.view import Pool
from engrain.store.port import Row
from engrain.testing import SimulatedWorld
from tests.postgres import Place

JUNE = datetime(2026, 6, 1, tzinfo=UTC)
WORDS = [f"{a}{b}{c}" for a in "bdkmt" for b in "aeio" for c in "lnrs"]


def talk(n: int, seed: int = 1) -> list[dict[str, object]]:
    """Turns of two speakers in sessions of twelve, each of five to thirty words."""
    dice = random.Random(seed)
    return [
        {
            "content": " ".join(dice.choices(WORDS, weights=range(1, len(WORDS) + 1), k=dice.randint(5, 30))),
            "session": f"s{number // 12}" if number % 5 else None,
            "role": ("user", "Ann")[number % 2],
            "importance": float(1 + number % 10),
            "kind": ("context", "fact")[number % 3 == 0],
            "occurred_at": JUNE + timedelta(minutes=number),
        }
        for number in range(n)
    ]


def ids(hits: list[engrain.Hit]) -> list[str]:
    return [hit.item.id for hit in hits]


@pytest.mark.parametrize("visibility", ["private", "public"])
def test_a_pool_gives_the_best_of_the_whole(place: Place, monkeypatch: pytest.MonkeyPatch, visibility: str) -> None:
    memory = place.open(world=SimulatedWorld())
    rows = [{**row, "visibility": visibility} for row in talk(600)]
    memory.agent("teller").remember_many(rows)
    agent = memory.agent("teller" if visibility == "private" else "reader")
    agent.remember_many([{"content": f"{WORDS[n]} of my own {WORDS[-n]}"} for n in range(1, 20)])
    dice = random.Random(2)
    asked = [" ".join(dice.sample(WORDS, 4)) for _ in range(25)] + ["what did I tell Ann about " + WORDS[-1]]
    for part in (news, hops):
        monkeypatch.setattr(part, "LARGE", 100)  # which a large scope does not have
    whole = [agent.recall(question) for question in asked]
    facts = [agent.recall(question, kinds=["fact"], since=JUNE + timedelta(hours=5)) for question in asked]
    monkeypatch.setattr(recaller, "LARGE", 100)
    monkeypatch.setattr(pool, "WIDTH", 60)
    sizes = []
    before = Pool.__init__

    def note(self: Pool, *arguments: object) -> None:
        before(self, *arguments)  # type: ignore[arg-type]
        sizes.append(self.n)

    monkeypatch.setattr(Pool, "__init__", note)
    found = [agent.recall(question) for question in asked]
    same = [len(set(ids(a)) & set(ids(b))) / len(b) for a, b in zip(found, whole, strict=True)]
    assert sum(same) / len(same) >= 0.99
    assert max(sizes) < 600  # it was not the whole
    assert all(a[0].score == pytest.approx(b[0].score, rel=0.02) for a, b in zip(found, whole, strict=True))
    narrow = [agent.recall(question, kinds=["fact"], since=JUNE + timedelta(hours=5)) for question in asked]
    same = [len(set(ids(a)) & set(ids(b))) / len(b) for a, b in zip(narrow, facts, strict=True)]
    assert sum(same) / len(same) >= 0.99


def test_a_pool_answers_when_nothing_is_in_common(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = place.open().agent("reader")
    agent.remember_many(talk(200))
    monkeypatch.setattr(recaller, "LARGE", 100)
    assert agent.recall("xylophone") == []
    assert len(agent.recall("xylophone", limit=150, min_score=0.0)) == 150


def test_a_scope_is_loaded_in_pieces(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = place.open(world=SimulatedWorld())
    agent = memory.agent("reader")
    long = " ".join(f"filler{n}" for n in range(400))  # three passages or four
    agent.remember_many([*talk(40), {"content": f"{long} xylophone"}, {"content": f"{long} zither"}, *talk(9, seed=3)])
    expected = agent.recall("xylophone zither " + WORDS[-1], limit=50)
    memory.recaller.forget()
    monkeypatch.setattr(cache, "AT_ONCE", 6)
    assert agent.recall("xylophone zither " + WORDS[-1], limit=50) == expected


def test_another_process_costs_only_what_it_wrote(place: Place) -> None:
    writer, reader = place.open(), place.open()
    writer.agent("one").remember_many(talk(100))
    agent = reader.agent("one")
    agent.recall(WORDS[-1])
    loaded = reader.recaller._segments.loaded
    assert loaded == 100
    item = writer.agent("one").remember("a xylophone")
    assert ids(agent.recall("xylophone")) == [item.id]
    assert reader.recaller._segments.loaded == loaded + 1
    writer.agent("two").remember("somebody else's xylophone")
    agent.recall("xylophone")
    assert reader.recaller._segments.loaded == loaded + 1


def test_the_longest_unused_scope_is_dropped(place: Place) -> None:
    memory = place.open(cache_rows=2 * (450 + cache.EMPTY))
    for name in ("one", "two", "three"):
        memory.agent(name).remember_many(talk(450))
    for name in ("one", "two", "one", "three"):
        memory.agent(name).recall(WORDS[-1])
    assert [name for _, name, _ in memory.recaller._segments._scopes] == ["agent:one", "agent:three"]


def test_a_row_takes_no_more_than_its_budget(place: Place) -> None:
    memory = place.open(embedder="static")
    agent = memory.agent("reader")
    dice = random.Random(4)
    common = [f"{word}{n}" for word in WORDS for n in range(60)]
    weights = [1 / (n + 1) for n in range(len(common))]
    texts = [" ".join(dice.choices(common, weights, k=dice.randint(40, 120))) for _ in range(1000)]
    agent.remember_many([{"content": text, "session": f"s{n // 20}"} for n, text in enumerate(texts)])
    agent.recall(texts[0])
    view = memory.recaller._segments.view(agent.scope, memory.embedder)
    assert (view.parts[0].segment.nbytes + view.nbytes) / 1000 <= 1200


def test_ids_of_any_length_are_told_apart() -> None:
    segment = Segment("none", 4)

    def row(name: str, seq: int, state: str = "active") -> Row:
        passage = (0, 0, b"", None, None, None, None, 0)
        found: Any = (name, "a", state, "private", "fact", "[]", None, None, 5.0, seq, None, None, seq, *passage)
        return found  # type: ignore[no-any-return]

    names = ["x", "1-of-a-system-that-gives-longer-ids", "12-of-a-system-that-gives-longer-ids"]
    for seq, name in enumerate(names, 1):
        segment.apply([row(name, seq)])
    segment.apply([row("of-a-system-that-gives-longer-ids-than-that-and-was-never-here", 4, "superseded")])
    assert segment.alive.rows.all()
    segment.apply([row(names[1], 5, "superseded")])
    assert segment.alive.rows.tolist() == [True, False, True]
    segment.apply([row(names[0], 6)])
    assert segment.alive.rows.tolist() == [False, False, True, True]


def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, value in (
        (recaller, "LARGE", 100),
        (news, "LARGE", 100),
        (hops, "LARGE", 100),
        (pool, "WIDTH", 8),
        (pool, "SAMPLED", 2),
        (vectors, "_SAMPLE", 100),
    ):
        monkeypatch.setattr(module, name, value)


def answers(agent: engrain.Agent) -> list[tuple[str, float]]:
    """Also to questions whose words most items hold, so that many tie."""
    dice = random.Random(2)
    asked = [" ".join(dice.sample(WORDS, 3)) for _ in range(12)] + ["alike", "nothing of it", *WORDS[-3:]]
    return [(hit.item.id, hit.score) for one in asked for hit in agent.recall(one, limit=20, min_score=0.0)]


def alike(n: int) -> list[dict[str, object]]:
    """Talk, and as many items that nothing but their ids and sessions tells apart."""
    same: list[dict[str, object]] = [{"content": "all of these are alike", "session": f"t{m}"} for m in range(n)]
    return [*talk(n), *same]


def test_a_large_scope_that_was_caught_up_scores_as_one_loaded_afresh(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_is_large(monkeypatch)
    memory = place.open(world=SimulatedWorld(), echo_minutes=0.0)
    agent = memory.agent("reader")
    items = agent.remember_many(alike(300))
    assert agent.recall("alike")
    for item in (*items[:90], *items[300::2]):  # now the first sessions come last
        agent.update(item.id, importance=6.0)
    warm = answers(agent)
    memory.recaller.forget()
    assert answers(agent) == warm


def test_invisible_rows_change_no_digit_of_a_large_scope(
    make_place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    small_is_large(monkeypatch)
    found = []
    for hidden in (False, True):
        home = make_place()
        with home.open(world=SimulatedWorld(seed=7), echo_minutes=0.0) as other:
            rows = [{**row, "content": f"{row['content']} too", "visibility": "team"} for row in alike(300)[::-1]]
            if hidden:  # told first, in the sessions of what is seen, in another order
                other.agent("teller", team="theirs").remember_many(rows)
        memory = home.open(world=SimulatedWorld(seed=1), echo_minutes=0.0)
        memory.agent("teller", team="theirs").remember_many([{**row, "visibility": "public"} for row in alike(300)])
        found.append(answers(memory.agent("reader", team="ours")))
    assert len(found[0]) > 200
    assert found[0] == found[1]


def test_roles_of_invisible_rows_are_not_gone_through(place: Place) -> None:
    memory = place.open()
    other, agent = memory.agent("teller", team="theirs"), memory.agent("reader")
    other.remember("what everybody may see", visibility="public", role="Ann")
    rows = [{"content": "hidden", "role": f"role {n}", "visibility": "team"} for n in range(200)]
    other.remember_many(rows)
    agent.remember("what I said", role="user")
    view = memory.recaller._segments.view(agent.scope, memory.embedder)
    assert sorted(role for known in view.roles for _, role in known) == ["Ann", "user"]
    assert view.roles is view.roles
    assert dict(agent.recall("what did Ann say everybody may see?")[0].why).get("speaker", 0) > 0


def test_scopes_without_items_are_bounded_too(place: Place) -> None:
    memory = place.open(cache_rows=1000)
    memory.agent("one").remember("a xylophone")
    for number in range(30):
        assert memory.agent(f"nobody{number}").recall("xylophone") == []
        assert len(memory.recaller._segments._scopes) <= 1000 // cache.EMPTY
    assert memory.agent("one").recall("xylophone")


def test_a_question_of_many_terms_costs_no_more_than_they_and_the_tail_are_long() -> None:
    postings = Postings()
    terms = np.random.default_rng(1).integers(0, 5000, 4000).astype(np.uint32)
    postings.add(terms, np.arange(4000, dtype=np.int32), np.arange(4000).astype(np.uint16))
    asked = np.random.default_rng(2).permutation(8000).astype(np.uint32)
    snapshot = postings.snapshot()
    tracemalloc.start()
    sizes, rows, counts = snapshot.find(asked)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000  # 32 million comparisons would take 32
    expected = [np.flatnonzero(terms == term) for term in asked]
    assert sizes.tolist() == [len(one) for one in expected]
    assert rows.tolist() == counts.tolist() == np.concatenate(expected).tolist()
