"""Archived memories are found as remembered ones are, by their own agent alone, wherever they lie."""

from __future__ import annotations

import random
import shutil
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import engrain
from engrain.errors import ArchiveUnavailable, UnknownItem
from engrain.memory import Memory
from engrain.recall import archived
from engrain.recall.segment import Segment
from engrain.testing import SimulatedWorld
from tests import children
from tests.life import START, sweep
from tests.postgres import Place

ASKED = "how do we retry the upload after a timeout?"
TOLD: list[dict[str, Any]] = [
    {"content": "Retry the upload once after a timeout", "session": "s", "role": "Ann", "kind": "fact"},
    {"content": "Then wait for a minute. Or is that too long?", "session": "s", "role": "Ann", "importance": 9.0},
    {"content": "The upload page is blue", "tags": ["ui"]},
    {"content": "A timeout of the upload costs a minute. " + "It was a long day. " * 80, "occurred_at": None},
    {"content": "Ann has a cat"},
]
AWAY = "pyarrow", "deltalake", "duckdb"


def gone(memory: Memory, agent: engrain.Agent, rows: list[dict[str, Any]], *, cold: bool = True) -> list[str]:
    """Tell them, let them expire, and archive them; their ids."""
    told = [{name: value for name, value in row.items() if value is not None} for row in rows]
    items = agent.remember_many([{**row, "expires_in": "1d"} for row in told])
    world = memory.world
    assert isinstance(world, SimulatedWorld)
    world.advance(days=2)
    assert sweep(memory, "expire")["expired"] == len(rows)
    if cold:
        moved(memory, len(rows))
    return [item.id for item in items]


def moved(memory: Memory, rows: int) -> None:
    """What waits leaves for the tables."""
    assert memory.archiver is not None
    assert memory.archiver.run().counts == {"memories": rows}


def found(hits: list[engrain.Hit]) -> list[Any]:
    return [(hit.item.id, hit.score, hit.why) for hit in hits]


@pytest.mark.parametrize("cold", [False, True], ids=["waiting", "cold"])
def test_what_is_archived_is_found_as_if_it_were_not(make_place: Any, cold: bool) -> None:
    """The same items in a home where they did not expire: the same order, scores and reasons."""
    here, there = make_place(), make_place()
    home, other = here.open(world=SimulatedWorld(START)), there.open(world=SimulatedWorld(START))
    agent, twin = home.agent("ann"), other.agent("ann")
    rows = [{name: value for name, value in row.items() if value is not None} for row in TOLD]
    ids = [item.id for item in twin.remember_many(rows)]
    other.world.advance(days=2)
    assert gone(home, agent, TOLD, cold=cold) == ids
    for query in (ASKED, "what did Ann say?", "cat", "the upload page"):
        expected = found(twin.recall(query, limit=50))
        assert expected
        assert found(agent.search_archive(query, limit=50)) == expected
        assert found(agent.recall(query, limit=50, include_archived=True)) == expected
    assert agent.recall(ASKED) == []
    narrow: dict[str, Any] = {"kinds": ["fact"], "since": datetime(2026, 1, 1, tzinfo=UTC)}
    assert found(agent.search_archive(ASKED, **narrow)) == found(twin.recall(ASKED, **narrow))
    hits = agent.search_archive(ASKED, tags=["ui"], min_score=0.0)
    assert [(hit.item.id, hit.item.state, hit.item.archived_reason) for hit in hits] == [
        (ids[2], "archived", "expired")
    ]
    assert hits[0].item.archived_at == datetime(2026, 1, 3, tzinfo=UTC)
    assert agent.search_archive("zeppelin quark") == []


def test_the_live_and_the_archived_are_one_collection(place: Place) -> None:
    memory = place.open(world=SimulatedWorld(START))
    agent = memory.agent("ann")
    gone(memory, agent, TOLD)
    lives = agent.remember("The upload is retried twice now", kind="fact")
    hits = agent.recall(ASKED, include_archived=True)
    assert {hit.item.state for hit in hits} == {"active", "archived"}
    assert [hit.item.id for hit in agent.recall(ASKED)] == [lives.id]
    assert [hit.item.id for hit in hits if hit.item.archived_at is None] == [lives.id]
    assert lives.id not in [hit.item.id for hit in agent.search_archive(ASKED)]


def test_being_found_in_the_archive_is_no_use_and_no_verdict(place: Place) -> None:
    memory = place.open(world=SimulatedWorld(START))
    agent = memory.agent("ann")
    ids = gone(memory, agent, TOLD)
    for _ in range(3):
        agent.search_archive(ASKED)
        agent.recall(ASKED, include_archived=True)
    memory.signals.flush()
    assert [item.shown for item in agent.archived()] == [0] * len(ids)
    for verdict in (agent.helpful, agent.applied):
        with pytest.raises(UnknownItem, match="is archived: restore it first"):
            verdict(ids[0])
    assert agent.adaptation()["examples"] == 0
    told = memory.stats()
    assert told["memories"]["archived"] == told["archive"]["memories"] == len(ids)
    assert told["archive"]["bytes"] > 0
    assert found(memory.archive.search(ASKED, "ann")) == found(agent.search_archive(ASKED))
    assert memory.archive.search(ASKED, "ann", tenant="other") == []


def test_who_is_restored_or_forgotten_is_gone_from_the_archive_at_once(place: Place) -> None:
    memory, second = place.open(world=SimulatedWorld(START)), place.open(world=SimulatedWorld(START, seed=2))
    agent, elsewhere = memory.agent("ann"), second.agent("ann")
    ids = gone(memory, agent, TOLD)
    second.world.advance(days=2)  # type: ignore[attr-defined]
    there = [hit.item.id for hit in elsewhere.search_archive(ASKED, min_score=0.0)]
    assert set(there) == set(ids)
    agent.restore(there[0])
    for one in (agent, elsewhere):
        assert {hit.item.id for hit in one.search_archive(ASKED, min_score=0.0)} == set(there[1:])
        assert there[0] in [hit.item.id for hit in one.recall(ASKED)]
    agent.forget(there[1])  # its rows leave the files, and nothing but the number of rows tells of it
    for one in (agent, elsewhere):
        assert {hit.item.id for hit in one.search_archive(ASKED, min_score=0.0)} == set(there[2:])
    code = """
    import engrain
    with engrain.open(**given[0], embedder="hash") as memory:
        say([hit.item.id for hit in memory.agent("ann").search_archive(given[1], min_score=0.0)])
    """
    assert set(children.run(code, [place.arguments, ASKED])[0]) == set(there[2:])


def test_more_that_is_archived_joins_what_is_held(place: Place) -> None:
    memory = place.open(world=SimulatedWorld(START))
    agent = memory.agent("ann")
    first = gone(memory, agent, TOLD[:2])
    assert {hit.item.id for hit in agent.search_archive(ASKED, min_score=0.0)} == set(first)
    segments = memory.recaller._segments
    loaded = segments.loaded
    more = gone(memory, agent, TOLD[2:], cold=False)
    assert {hit.item.id for hit in agent.search_archive(ASKED, min_score=0.0)} == {*first, *more}
    assert segments.loaded - loaded < 10  # its few passages, and nothing again
    moved(memory, len(more))
    loaded = segments.loaded
    assert {hit.item.id for hit in agent.search_archive(ASKED, min_score=0.0)} == {*first, *more}
    assert segments.loaded == loaded  # they lie elsewhere now, and are the same


def test_a_segment_that_is_loaded_afresh_is_seen(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Segment, "wasteful", property(lambda self: True))
    memory = place.open(world=SimulatedWorld(START))
    agent = memory.agent("ann")
    ids: list[str] = []
    for row in TOLD[:3]:
        ids += gone(memory, agent, [row], cold=False)
        assert {hit.item.id for hit in agent.search_archive(ASKED, min_score=0.0)} == set(ids)


@pytest.mark.parametrize("cold", [False, True], ids=["waiting", "cold"])
def test_nobody_finds_what_others_have_archived(place: Place, cold: bool) -> None:
    memory = place.open(world=SimulatedWorld(START))
    rows = [{**row, "visibility": seen} for row, seen in zip(TOLD, ("team", "public") * 3, strict=False)]
    gone(memory, memory.agent("ann", tenant="acme", team="red"), rows, cold=cold)
    for name, tenant, team in (
        ("bob", "acme", "red"), ("ann", "other", "red"), ("ANN", "acme", "red"), ("an%", "acme", None),
        ("ann' or '1'='1", "acme", None), ("agent:ann", "acme", None), ("archived:ann", "acme", None),
    ):  # fmt: skip
        other = memory.agent(name, tenant=tenant, team=team)
        other.remember("the upload has a timeout, and so what?")
        for query in (ASKED, "Ann", TOLD[0]["content"]):
            assert other.search_archive(query, min_score=0.0) == []
            assert [hit.item.agent for hit in other.recall(query, include_archived=True, min_score=0.0)] == [name]


def test_what_another_embedder_made_is_made_anew(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = place.open(world=SimulatedWorld(START))
    ids = gone(memory, memory.agent("ann"), TOLD)
    other = place.open(world=SimulatedWorld(START), embedder="static")
    agent = other.agent("ann")
    best = agent.search_archive("her pet is a kitten", min_score=0.0)[0]
    assert best.item.id == ids[-1]
    assert dict(best.why)["meaning"] > 0
    monkeypatch.setattr(archived, "ANEW", 0)  # too many: their words are all that is left
    other.recaller.forget()
    assert "meaning" not in {name for hit in agent.search_archive("cat", min_score=0.0) for name, _ in hit.why}
    assert agent.search_archive("cat")[0].item.id == ids[-1]
    monkeypatch.setattr(archived, "ANALYZER", "another")  # nor these, as they are
    other.recaller.forget()
    assert agent.search_archive("cat", min_score=0.0)


def test_old_versions_are_found_though_their_words_were_dropped(place: Place) -> None:
    memory = place.open(world=SimulatedWorld(START), superseded_days=1)
    agent = memory.agent("ann")
    agent.remember("the gearbox of the lorry is old", key="lorry")
    agent.remember("the gearbox of the lorry is new", key="lorry")
    memory.world.advance(days=40)  # type: ignore[attr-defined]
    sweep(memory, "archive")
    moved(memory, 1)
    (hit,) = agent.search_archive("gearbox")
    assert hit.item.content.endswith("old")


def test_a_large_archive_is_not_kept_in_memory(place: Place) -> None:
    memory = place.open(world=SimulatedWorld(START), cache_rows=1000)
    dice = random.Random(1)
    rows = [{"content": " ".join(dice.choices(["upload", "page", "blue", f"w{n}"], k=8))} for n in range(300)]
    ids = gone(memory, memory.agent("ann"), rows)
    hits = memory.agent("ann").search_archive("w7 upload", limit=300, min_score=0.0)
    assert {hit.item.id for hit in hits} == set(ids)
    assert [table for _, table in memory.shelf._kept.values()] == [None]
    small = gone(memory, memory.agent("bob"), TOLD)
    for _ in range(2):
        assert memory.agent("bob").search_archive("cat")[0].item.id == small[-1]


def test_without_its_archive_a_search_says_so_and_recall_goes_on(place: Place) -> None:
    memory = place.open(world=SimulatedWorld(START))
    agent = memory.agent("ann")
    gone(memory, agent, TOLD)
    agent.remember("the upload is fine")
    with place.open(world=SimulatedWorld(START), archive="none") as blind:
        blinded = blind.agent("ann")
        with pytest.raises(ArchiveUnavailable, match="archive"):
            blinded.search_archive(ASKED)
    shutil.rmtree(place.home / "archive")
    for _ in range(2):
        with pytest.raises(ArchiveUnavailable, match="no table at"):
            agent.search_archive(ASKED)
        with pytest.raises(ArchiveUnavailable, match="no table at"):
            agent.recall(ASKED, include_archived=True)
    assert len(agent.recall("upload")) == 1


def test_nothing_heavy_is_loaded_while_nothing_is_cold(place: Place) -> None:
    memory = place.open(world=SimulatedWorld(START))
    gone(memory, memory.agent("ann"), TOLD, cold=False)
    memory.close()
    code = """
    import engrain
    with engrain.open(**given[0], embedder="hash") as memory:
        agent = memory.agent("ann")
        agent.recall(given[1])
        found = len(agent.search_archive(given[1], min_score=0.0))
        found += len(agent.recall(given[1], include_archived=True, min_score=0.0))
        found += len(memory.shelf.many(agent.scope, ["what is nowhere"]))
    say([found, [name for name in given[2] if name in sys.modules]])
    """
    assert children.run(code, [place.arguments, ASKED, AWAY]) == [[2 * len(TOLD), []]]
    memory = place.open(world=SimulatedWorld(START))
    moved(memory, len(TOLD))
    code = code.replace("found = len", "say([0, sorted(sys.modules.keys() & set(given[2]))]); found = len")
    before, after = children.run(code, [place.arguments, ASKED, AWAY])
    assert before == [0, []]  # recall alone asks the store alone
    assert after[0] == 2 * len(TOLD)


def test_expired_long_ago_is_found_and_questions_ask_by_time(place: Place) -> None:
    memory = place.open(world=SimulatedWorld(START))
    agent = memory.agent("ann")
    ids = gone(memory, agent, [{**TOLD[0], "occurred_at": datetime(2025, 5, 13, tzinfo=UTC)}, TOLD[2]])
    memory.world.advance(days=300)  # type: ignore[attr-defined]
    since = datetime(2025, 5, 1, tzinfo=UTC)
    hits = agent.search_archive("upload", since=since, until=since + timedelta(days=30))
    assert [hit.item.id for hit in hits] == ids[:1]


def test_what_is_on_its_way_is_found_all_the_time(place: Place) -> None:
    """One process takes items to the tables, a few at a time; another one, which starts afresh each time, and a third,
    which goes on, find all of them whenever they ask."""
    memory, held, afresh = (place.open(world=SimulatedWorld(START, seed=n)) for n in range(3))
    rows = [{"content": f"the upload of page {n} is {'blue' if n % 2 else 'red'}"} for n in range(120)]
    ids = set(gone(memory, memory.agent("ann"), rows, cold=False))
    archiver = memory.archiver
    found: list[set[str]] = []
    assert archiver is not None
    archiver._size = 6
    mover = threading.Thread(target=archiver.run)
    mover.start()
    while mover.is_alive() or len(found) < 4:
        afresh.recaller.forget()
        for one in (held, afresh):
            found.append({hit.item.id for hit in one.agent("ann").search_archive("page", limit=200, min_score=0.0)})
    mover.join()
    assert memory.stats()["archive"]["memories"] == len(ids)
    assert [one for one in found if one != ids] == []
