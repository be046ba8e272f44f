"""What is told again, replaced, echoed, changed and forgotten; on both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import pytest

from engrain.errors import InvalidField, UnknownItem
from engrain.testing import SimulatedWorld
from tests.postgres import Place

TEXT = "the upload is retried once on 503"
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_same_told_again_is_counted_and_not_stored(place: Place) -> None:
    agent = place.open(echo_minutes=0).agent("a")
    first = agent.remember(TEXT, session="s", occurred_at=WHEN, importance=3.0)
    again = agent.remember(TEXT, session="s", occurred_at=WHEN, importance=9.0, tags=["new"])
    assert (again.id, again.repeats, again.importance, again.tags) == (first.id, 1, 3.0, ())
    batch = agent.remember_many([{"content": TEXT, "session": "s", "occurred_at": WHEN}] * 3)
    assert [item.id for item in batch] == [first.id] * 3
    assert {item.repeats for item in batch} == {4}
    assert agent.count() == 1


@pytest.mark.parametrize(
    "difference",
    [
        {"kind": "fact"}, {"session": "s2"}, {"session": None}, {"occurred_at": WHEN + timedelta(microseconds=1)},
        {"occurred_at": None}, {"content": TEXT.upper()}, {"content": TEXT + " "}, {"content": TEXT.replace(" ", "  ")},
        {"content": TEXT.replace("a", "а")}, {"key": "k"},
    ],
)  # fmt: skip
def test_what_differs_is_another_item(place: Place, difference: dict[str, Any]) -> None:
    agent = place.open(echo_minutes=0).agent("a")
    row = {"content": TEXT, "session": "s", "occurred_at": WHEN}
    first, second = agent.remember(**row), agent.remember(**{**row, **difference})  # type: ignore[arg-type]
    assert first.id != second.id
    assert second.content == difference.get("content", TEXT)
    assert agent.count() == 2
    one, other = agent.remember_many([{**row, "session": "b"}, {**row, "session": "b", **difference}])
    assert (one.id != other.id) or "session" in difference


def test_a_then_b_then_a_under_one_key(place: Place) -> None:
    agent = place.open(echo_minutes=0).agent("a")
    told = [agent.remember(content, kind="fact", key="k") for content in ("alpha wins", "beta wins", "alpha wins")]
    assert len({item.id for item in told}) == 3
    assert {item.created_at for item in told} == {told[0].created_at}
    batch = agent.remember_many(
        [{"content": c, "kind": "fact", "key": "k2"} for c in ("alpha wins", "beta wins", "alpha wins")]
    )
    for key, items in (("k", told), ("k2", batch)):
        current = agent.lookup("fact", key)
        assert current is not None
        assert current.id == items[2].id
        history = agent.history("fact", key)
        assert [item.id for item in history] == [items[2].id, items[1].id, items[0].id]
        assert [item.state for item in history] == ["active", "superseded", "superseded"]
        assert [item.superseded_by for item in history] == [None, items[2].id, items[1].id]
        assert all(agent.get(item.id) for item in items), "a replaced value stays reachable"
    assert agent.count("fact") == 2
    hits = agent.recall("alpha wins", kinds=["fact"])
    assert {hit.item.id for hit in hits} == {told[2].id, batch[2].id}, "what was replaced is not recalled"


def test_forgetting_a_key_forgets_all_its_versions(place: Place) -> None:
    memory = place.open(echo_minutes=0)
    agent = memory.agent("a")
    told = [agent.remember(f"version {i} of it", kind="fact", key="k") for i in range(4)]
    agent.update(told[3].id, content="version 4 by a change")
    assert len(agent.history("fact", "k")) == 5
    assert agent.forget(told[1].id), "an older version and those before it"
    assert [item.content for item in agent.history("fact", "k")] == [
        "version 4 by a change", "version 3 of it", "version 2 of it"]  # fmt: skip
    assert agent.forget(told[3].id)
    assert agent.history("fact", "k") == []
    assert memory.store.read("rebuild_batch", {"after": "", "limit": 10}) == []
    assert agent.forget(told[3].id) is False


def test_a_change_keeps_the_id_and_the_old_content(place: Place) -> None:
    agent = place.open(echo_minutes=0).agent("a")
    item = agent.remember("the old words of it", kind="fact", key="k", expires_in="1d", visibility="public")
    changed = agent.update(item.id, content="the new words of it", expires_in=None, tags=["t"], pinned=True)
    assert (changed.id, changed.content, changed.expires_at, changed.tags) == (
        item.id,
        "the new words of it",
        None,
        ("t",),
    )
    assert changed.created_at == item.created_at
    assert [(old.content, old.state) for old in agent.history("fact", "k")] == [
        ("the new words of it", "active"), ("the old words of it", "superseded")]  # fmt: skip
    assert [hit.item.content for hit in agent.recall("old words")] == ["the new words of it"]
    with pytest.raises(UnknownItem):
        agent.update(agent.history("fact", "k")[1].id, importance=1.0)


def test_what_was_just_recalled_is_linked_and_not_stored_again(place: Place) -> None:
    world = SimulatedWorld()
    memory = place.open(world=world)
    agent, other = memory.agent("a"), memory.agent("b")
    item = agent.remember(TEXT, session="s1")
    assert agent.remember(TEXT, session="s2").id != item.id, "nothing was recalled yet"
    agent.forget_where(kind="context")
    item = agent.remember(TEXT, session="s1")
    agent.recall("upload")
    echo = agent.remember(TEXT, session="s2")
    assert (echo.id, echo.content, agent.count()) == (item.id, TEXT, 1)
    found = agent.get(item.id)
    assert found is not None
    assert (found.echoes, found.repeats) == (1, 1)
    assert other.remember(TEXT).id != item.id, "another agent was shown nothing"
    assert agent.remember("retried once on 503 then again").id != item.id, "other words are no echo"
    assert agent.remember(TEXT, session="s2", occurred_at=WHEN).id != item.id, "a dated thing is an event of its own"
    assert agent.remember(TEXT, kind="fact", session="s2").id != item.id
    agent.forget_where(before=from_now(world, 1))
    short = agent.remember("yes of course", session="s1")
    agent.recall("yes of course")
    assert agent.remember("yes of course", session="s2").id != short.id, "short things are said again and again"


def from_now(world: SimulatedWorld, days: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=world.now(), days=days)


def test_an_echo_is_one_for_an_hour_only(place: Place) -> None:
    world = SimulatedWorld()
    agent = place.open(world=world).agent("a")
    item = agent.remember(TEXT, session="s1")
    agent.recall("upload")
    world.advance(minutes=59)
    assert agent.remember(TEXT, session="s2").id == item.id
    world.advance(minutes=2)
    assert agent.remember(TEXT, session="s2").id != item.id


def test_what_a_batch_replaces_cannot_stand_for_what_it_tells_next(place: Place) -> None:
    agent = place.open().agent("a")
    agent.remember(TEXT, key="k", session="s1")
    agent.recall("upload")
    new, told = agent.remember_many(
        [{"content": "something else now", "key": "k"}, {"content": TEXT, "session": "s2"}]
    )  # fmt: skip
    assert [item.state for item in (new, told)] == ["active", "active"]
    assert told.id != new.id
    assert agent.count() == 2


def test_expired_is_gone_from_every_read_and_makes_room(place: Place) -> None:
    world = SimulatedWorld()
    agent = place.open(world=world, echo_minutes=0).agent("a")
    item = agent.remember(TEXT, kind="fact", key="k", expires_in=timedelta(seconds=10))
    world.advance(seconds=9.999999)
    assert agent.get(item.id)
    world.advance(seconds=0.000001)
    assert agent.get(item.id) is agent.lookup("fact", "k") is None
    assert (agent.list(), agent.count(), agent.recall("upload"), agent.context("upload")) == ([], 0, [], "")
    with pytest.raises(UnknownItem):
        agent.update(item.id, expires_in="1d")
    again = agent.remember(TEXT, kind="fact", key="k")
    assert again.id != item.id
    assert again.created_at > item.created_at


def test_secrets_never_reach_the_store(place: Place) -> None:
    memory = place.open(echo_minutes=0)
    agent = memory.agent("a")
    secret = "ghp_" + "a8Kx2mQ9" * 4 + "Zt7w"
    item = agent.remember(f"push with {secret} please", metadata={"token": secret})
    assert secret not in item.content + str(item.metadata)
    assert item.redacted
    changed = agent.update(item.id, content=f"now with {secret}")
    assert secret not in changed.content
    for name in ("key", "session", "role", "source"):
        with pytest.raises(InvalidField, match="secret"):
            agent.remember("fine words", **{name: secret})  # type: ignore[arg-type]
    with pytest.raises(InvalidField, match="secret"):
        agent.remember("fine words", tags=[secret])
    agent.advise("t", state={"note": f"with {secret}"}, options=["a"])
    if place.url is None:
        memory.close()
        assert not [
            path.name for path in place.home.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()
        ]
    assert secret in place.open(redact=False).agent("b").remember(f"kept {secret}").content


def test_forgotten_words_leave_the_files(tmp_path: Path) -> None:
    """In a folder; a server's files are cleaned by its own vacuum."""
    place = Place(tmp_path)
    agent = place.open(echo_minutes=0).agent("a")
    agent.remember("xylophonequartz " * 50, key="k")
    agent.remember("something else", key="k")
    agent.recall("xylophonequartz")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in files if b"xylophonequartz" in path.read_bytes()]
    assert agent.forget(agent.history("context", "k")[0].id)
    assert not [path.name for path in files if b"xylophonequartz" in path.read_bytes()]
    place.close()


def test_forget_where_takes_what_matches_and_says_how_much(place: Place) -> None:
    world = SimulatedWorld()
    agent = place.open(world=world, echo_minutes=0).agent("a")
    agent.remember_many([
        {"content": "one of them", "kind": "fact", "tags": ["x", "y"]}, {"content": "two of them", "tags": ["x"]},
        {"content": "old one", "occurred_at": WHEN - timedelta(days=400)}, {"content": "dying", "expires_in": "1s"},
    ])  # fmt: skip
    world.advance(seconds=2)
    assert agent.forget_where(tags=["x", "y"]) == 1
    assert agent.forget_where(kind="fact") == 0
    assert agent.forget_where(before=WHEN - timedelta(days=1)) == 1
    assert agent.forget_where(kind="context", before=WHEN + timedelta(days=1)) == 1, "what expired is not counted"
    assert agent.count() == 0


def test_what_is_told_is_what_is_read(place: Place) -> None:
    """The item that remember() gives is built without reading it again: it must be the one that get() reads."""

    class Colour(str, Enum):  # noqa: UP042 (what callers have)
        RED = "red"

    class Size(IntEnum):
        LARGE = 3

    agent = place.open(world=SimulatedWorld()).agent("a", team="t")
    rows: list[dict[str, Any]] = [
        {"content": "plain words of the first row"},
        {"content": "a\u2003b  c", "tags": ["x", "y"],
         "metadata": {"b": [1, (2, None)], "a": {Colour.RED: Size.LARGE}}},
        {"content": "said with everything", "kind": "fact", "key": "k", "importance": 7, "session": "s", "role": "user",
         "occurred_at": datetime(2025, 1, 2, tzinfo=UTC), "expires_in": "3d", "decay_rate": 0.5, "source": "f",
         "visibility": "team", "pinned": True, "metadata": {"e": Colour.RED, "token": "hunter2" * 9}},
        {"content": "said after it under the same key", "kind": "fact", "key": "k"},
        {"content": "the password=s3cr3tw0rd!x is in it"},
    ]  # fmt: skip
    told = agent.remember_many(rows)
    read = [agent.get(item.id) for item in told]
    assert [replace(item, read=0, last_used_at=None) for item in read if item] == told
    assert [type(item.metadata) for item in told] == [dict] * len(rows)
    assert [type(text) for text in told[1].metadata["a"]] == [str]
    assert [type(number) for number in told[1].metadata["a"].values()] == [int]
    assert told[2].state == "superseded"


def test_an_only_passage_stands_beside_its_item_and_several_stand_apart(place: Place) -> None:
    memory = place.open(echo_minutes=0)
    agent = memory.agent("a")
    long = " ".join(f"word{n}" for n in range(250))  # two passages

    def kept() -> list[tuple[str, str, int | None, bool]]:
        query = {"tenant": "default", "agent": "a", "seq": 0, "last": "", "settled": 0, "limit": 99}
        rows = memory.store.read("segment_changes", query)
        assert memory.store.read("orphan_passages")[0]["n"] == memory.store.read("unindexed_memories")[0]["n"] == 0
        return [(row["id"], row["state"], row["number"], row["terms"] is not None) for row in rows]

    one = agent.remember("brief words", kind="fact", key="k").id
    assert kept() == [(one, "active", None, True)]
    agent.update(one, content=long)
    several = [(one, "active", 0, True), (one, "active", 1, True)]
    assert [row for row in kept() if row[1] == "active"] == several
    assert [row[2:] for row in kept() if row[1] == "superseded"] == [(None, False)]
    memory.rebuild()
    assert [row for row in kept() if row[1] == "active"] == several
    agent.update(one, content="brief again")
    assert [row for row in kept() if row[1] == "active"] == [(one, "active", None, True)]
    two, three = (agent.remember(text, kind="fact", key="k").id for text in (long, "brief at last"))
    assert [row[2:] for row in kept() if row[0] in (one, two)] == [(None, False)] * 2
    assert [row for row in kept() if row[1] == "active"] == [(three, "active", None, True)]
    rows = agent.remember_many([{"content": f"{long} {n}", "kind": "fact", "key": "k"} for n in range(3)])
    assert [row for row in kept() if row[1] == "active"] == [(rows[-1].id, "active", n, True) for n in (0, 1)]
    assert agent.forget(rows[-1].id)
    assert kept() == []
