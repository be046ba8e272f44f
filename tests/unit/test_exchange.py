"""Export and import on both engines: conflicts, refusals, what belongs to others, and the formats of others."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain.agent import Agent
from engrain.errors import InvalidField, InvalidInput, QuotaExceeded, StoreError
from engrain.exchange.files import LINE
from engrain.model.exchange import Imported
from engrain.testing import SimulatedWorld
from tests.postgres import Place

START = "2026-01-01T00:00:00Z"
LATER, EARLIER = "2026-02-01T00:00:00+00:00", "2025-02-01T00:00:00+00:00"
Made = Callable[..., Place]


@pytest.fixture
def agent(place: Place) -> Agent:
    return place.open(world=SimulatedWorld(START)).agent("a")


def brought(agent: Agent, *rows: Any, **how: Any) -> Imported:
    return agent.import_data([json.dumps(row).encode() + b"\n" for row in rows], "jsonl", **how)


def row_of(agent: Agent, id_: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = json.loads(b"".join(agent.export_data("json")))["items"]
    return next(row for row in rows if row["id"] == id_)


# -- what a row may meet ----------------------------------------------------------------------------------------------

COUNTED = ("imported", "skipped", "overwritten", "merged")


@pytest.mark.parametrize(
    ("policy", "when", "what", "content"),
    [
        ("skip", LATER, "skipped", "old"),
        ("keep-newer", LATER, "overwritten", "new"),
        ("keep-newer", EARLIER, "skipped", "old"),
        ("overwrite", EARLIER, "overwritten", "new"),
        ("merge", LATER, "merged", "new"),
        ("merge", EARLIER, "merged", "old"),
    ],
)
def test_a_row_meets_an_item_with_its_id(agent: Agent, policy: str, when: str, what: str, content: str) -> None:
    item = agent.remember("old", tags=["a"], importance=7.0, metadata={"x": 1})
    row = {"id": item.id, "content": "new", "tags": ["b"], "metadata": {"y": 2}, "told_at": when, "updated_at": when}
    came = brought(agent, row, on_conflict=policy)
    assert [name for name in COUNTED if getattr(came, name)] == [what]
    found = agent.get(item.id)
    assert found is not None
    assert found.content == content
    assert agent.count() == 1
    assert [hit.item.content for hit in agent.recall(content, min_score=0.0)] == [content]
    if policy == "merge":
        assert set(found.tags) == {"a", "b"}
        assert found.metadata == {"x": 1, "y": 2}
        assert found.importance == 7.0
    again = brought(agent, row, on_conflict=policy)
    assert (again.imported, agent.get(item.id).content) == (0, content)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("policy", "when", "current", "versions"),
    [
        ("skip", LATER, "old", 1),
        ("keep-newer", LATER, "new", 2),
        ("keep-newer", EARLIER, "old", 1),
        ("overwrite", EARLIER, "new", 2),
        ("merge", LATER, "new", 1),
        ("merge", EARLIER, "old", 1),
    ],
)
def test_a_row_meets_the_holder_of_its_key(agent: Agent, policy: str, when: str, current: str, versions: int) -> None:
    old = agent.remember("old", kind="fact", key="k")
    row = {"id": "x" * 26, "content": "new", "kind": "fact", "key": "k", "told_at": when}
    before = {"id": "y" * 26, "content": "older", "kind": "fact", "key": "k", "state": "superseded"}
    before |= {"superseded_by": "x" * 26, "superseded_at": EARLIER, "told_at": EARLIER}
    for _ in range(2):
        brought(agent, row, before, on_conflict=policy)
        history = agent.history("fact", "k")
        assert history[0].content == current
        assert {one.content for one in history} == {"older", "old", "new"} if versions == 2 else {"older", current}
        assert {one.superseded_by for one in history[1:]} <= {one.id for one in history}
        assert [item.content for item in agent.list()] == [current]
    assert agent.forget(history[0].id)
    assert agent.history("fact", "k") == []  # older versions go with what replaced them, wherever they came from
    assert agent.get(old.id) is None


@pytest.mark.parametrize("policy", ["skip", "keep-newer", "overwrite", "merge"])
def test_the_same_thing_is_not_there_twice(agent: Agent, policy: str) -> None:
    item = agent.remember("the same", session="s", tags=["a"])
    for row in (
        {"content": "the same", "session": "s", "tags": ["b"]},
        {"id": "z", "content": "the same", "session": "s"},
    ):
        brought(agent, row, row, on_conflict=policy)
        assert [one.id for one in agent.list()] == [item.id]
    assert brought(agent, {"content": "the same", "session": "t"}).imported == 1


@pytest.mark.parametrize("policy", ["keep-newer", "overwrite", "merge"])
def test_a_newer_export_brings_what_replaced_an_item(agent: Agent, policy: str) -> None:
    agent.remember("one", key="k")
    export = b"".join(agent.export_data())
    agent._memory.world.advance(days=1)  # type: ignore[attr-defined]
    agent.remember("two", key="k")
    newer = b"".join(agent.export_data())
    agent.forget(everything=True)
    agent.import_data([export])
    agent.import_data([newer], on_conflict=policy)
    assert [item.content for item in agent.history("context", "k")] == ["two", "one"]
    assert b"".join(agent.export_data()) == newer


def test_a_key_whose_holder_has_expired_is_free(agent: Agent) -> None:
    agent.remember("old", key="k", expires_in="1d")
    agent._memory.world.advance(days=2)  # type: ignore[attr-defined]
    assert brought(agent, {"content": "new", "key": "k", "told_at": EARLIER}, on_conflict="skip").imported == 1
    assert agent.lookup("context", "k").content == "new"  # type: ignore[union-attr]


def test_an_older_export_does_not_bring_back_what_was_replaced(agent: Agent) -> None:
    agent.remember("one", key="k")
    export = b"".join(agent.export_data())
    agent._memory.world.advance(days=1)  # type: ignore[attr-defined]
    agent.remember("two", key="k")
    after = b"".join(agent.export_data())
    assert agent.import_data([export]).skipped == 1
    assert b"".join(agent.export_data()) == after
    assert agent.import_data([export], on_conflict="overwrite").overwritten == 1
    assert agent.lookup("context", "k").content == "one"  # type: ignore[union-attr]
    assert len(agent.history("context", "k")) == 2


# -- what is refused --------------------------------------------------------------------------------------------------

BAD: list[tuple[Any, str]] = [
    (7, "an object"),
    ({}, "needs its content"),
    ({"content": " "}, "empty"),
    ({"content": "x" * ((1 << 20) + 1)}, "limit is 1,048,576"),
    ({"content": "x", "kind": "nonsense"}, "kind must be one of"),
    ({"content": "x", "importance": 11}, "1..10"),
    ({"content": "x", "what": 1}, "no field 'what'"),
    ({"content": "x", "created_at": "yesterday"}, "must be a time"),
    ({"content": "x", "created_at": "2026-01-01T00:00:00"}, "no time zone"),
    ({"content": "x", "id": "../etc"}, "letters"),
    ({"content": "x", "state": "archived"}, "needs its id"),
    ({"content": "x", "state": "purged", "id": "a"}, "state must be one of"),
    ({"content": "x", "shown": -1}, "shown must lie"),
    ({"content": "x", "echoes": [1]}, "list of objects"),
    ({"content": "x", "session": "AKIA" + "QYLPMN5HFIQR7BBB"}, "looks like a secret"),
    ({"content": "x", "archived_reason": "AKIA" + "QYLPMN5HFIQR7BBB"}, "looks like a secret"),
]


def test_every_bad_row_is_named_and_nothing_is_changed(agent: Agent) -> None:
    lines = [json.dumps({"content": f"good {number}"}) for number in range(3)]
    lines += [json.dumps(row) for row, _ in BAD] + ["{", ""]
    data = "\n".join(lines).encode()
    with pytest.raises(InvalidInput) as caught:
        agent.import_data([data], "jsonl")
    told = str(caught.value)
    assert f"{len(BAD) + 1} rows were refused" in told
    for number, (_, reason) in enumerate(BAD, 4):
        at = told.index(f"line {number}: ")
        assert reason in told[at : at + 400], number
    assert agent.count() == 0
    came = agent.import_data([data], "jsonl", partial=True)
    assert (came.imported, came.refused) == (3, len(BAD) + 1)
    assert [one.where for one in came.bad][:2] == ["line 4", "line 5"]
    assert agent.count() == 3


def test_of_many_bad_rows_the_first_are_told(agent: Agent) -> None:
    with pytest.raises(InvalidInput, match=r"(?s)100 rows were refused.*line 20: .*\nand 80 more"):
        brought(agent, *[{}] * 100)


def test_a_file_that_was_cut_short_is_noticed(agent: Agent) -> None:
    for number in range(4):
        agent.remember(f"thing number {number}")
    for format_ in ("json", "jsonl"):
        whole = b"".join(agent.export_data(format_))
        other = agent._memory.agent("b", tenant=format_)
        for end in (len(whole) // 2, whole.rindex(b"\n", 0, len(whole) - 20)):
            with pytest.raises(InvalidInput, match=r"cut short|not JSON"):
                other.import_data([whole[:end]], format_)
        assert other.count() == 0


def test_what_a_newer_engrain_wrote_is_refused(agent: Agent) -> None:
    for data in (b'{"engrain": {"version": 2}}\n', b'{"engrain": {"version": 2}, "items": []}'):
        with pytest.raises(InvalidField, match="upgrade engrain"):
            agent.import_data([data], partial=True)


def test_a_line_without_an_end_is_not_held(agent: Agent) -> None:
    pieces = [b'{"content": "one"}\n{"content": "', *[b"x" * (1 << 20)] * (LINE >> 20), b'"}\n{"content": "two"}\n']
    came = agent.import_data(pieces, partial=True)
    assert (came.imported, came.refused, came.bad[0].where) == (2, 1, "line 2")


def test_arguments_are_checked(agent: Agent, tmp_path: Path) -> None:
    for call, says in (
        (lambda: agent.export_to(tmp_path / "mem.txt"), "json, jsonl, csv"),
        (lambda: agent.export_to(tmp_path / "mem.json", format="xml"), "json, jsonl, csv"),
        (lambda: agent.import_from(tmp_path / "none.json"), "cannot be read"),
        (lambda: agent.import_from(tmp_path, format="xml"), "format must be one of"),
        (lambda: agent.import_from(tmp_path), "neither notes nor transcripts|holds neither"),
        (lambda: brought(agent, on_conflict="win"), "on_conflict must be one of"),
        (lambda: brought(agent, partial="yes"), "partial must be"),
        (agent.forget, "id must be given"),
        (lambda: agent.forget("x", everything=True), "id must be given"),
    ):
        with pytest.raises(InvalidField, match=says):
            call()
    with pytest.raises(StoreError, match="cannot be written"):
        agent.export_to(tmp_path / "nowhere" / "mem.json")


def test_secrets_are_cut_out_of_what_comes_in(agent: Agent) -> None:
    secret = "AKIA" + "QYLPMN5HFIQR7BBB"
    brought(agent, {"content": f"the key is {secret}", "metadata": {"also": secret}})
    (item,) = agent.list()
    assert item.redacted
    assert secret not in repr(item)


# -- what belongs to others -------------------------------------------------------------------------------------------


def test_ids_that_others_have_are_left_to_them(make_place: Made) -> None:
    memory = make_place().open(world=SimulatedWorld(START))
    mine, mate, stranger = memory.agent("a"), memory.agent("b"), memory.agent("a", tenant="other")
    mine.remember("one", key="k")
    mine.remember("two", key="k", visibility="public")
    before = b"".join(mine.export_data())
    for other in (mate, stranger):
        for policy in ("overwrite", "merge", "keep-newer", "skip"):
            changed = before.replace(b'"two"', b'"changed"')
            assert other.import_data([changed], on_conflict=policy).refused == 0
        assert [item.content for item in other.history("context", "k")] == ["changed", "one"]
        assert b"".join(mine.export_data()) == before
    assert [hit.item.content for hit in memory.agent("c").recall("two", min_score=0)] == ["two", "changed"]


def test_what_is_shared_is_seen_and_forgotten_at_once(place: Place) -> None:
    one, other = place.open(), place.open()
    teller, reader = one.agent("a"), other.agent("b")
    assert reader.recall("kettle") == []
    brought(teller, {"content": "the kettle is hot", "visibility": "public", "id": "k" * 26})
    assert [hit.item.content for hit in reader.recall("kettle")] == ["the kettle is hot"]
    brought(teller, {"content": "the kettle is cold", "visibility": "public", "id": "k" * 26}, on_conflict="overwrite")
    assert [hit.item.content for hit in reader.recall("kettle")] == ["the kettle is cold"]
    brought(teller, {"content": "the kettle is cold", "visibility": "private", "id": "k" * 26}, on_conflict="overwrite")
    assert reader.recall("kettle") == []
    assert teller.forget(everything=True)
    assert not teller.forget(everything=True)
    assert teller.recall("kettle") == []


def test_what_was_archived_moves_and_is_restored_there(make_place: Made) -> None:
    world = SimulatedWorld(START)
    here, there = make_place().open(world=world), make_place().open(world=world)
    agent, other = here.agent("a"), there.agent("a")
    agent.remember("the old server is called tupelo", expires_in="1d", tags=["host"])
    world.advance(days=2)
    here.tick()
    (old,) = agent.archived()
    other.import_data(agent.export_data())
    (moved,) = other.archived()
    assert (moved.id, moved.archived_at, moved.archived_reason) == (old.id, old.archived_at, old.archived_reason)
    assert other.recall("tupelo") == []
    assert other.restore(old.id).state == "active"
    assert [hit.item.id for hit in other.recall("tupelo")] == [old.id]
    came = other.import_data(agent.export_data())
    assert (came.skipped, other.count()) == (1, 1)  # restoring it was newer
    assert agent.forget(everything=True)
    assert not agent.archived()
    assert not agent.transitions()
    assert there.doctor().ok


def test_a_quota_holds_for_what_comes_in(place: Place) -> None:
    memory = place.open(quota_agent_items=3)
    agent = memory.agent("a")
    rows = [{"id": f"r{n}", "content": f"row number {n}", "told_at": EARLIER} for n in range(5)]
    with pytest.raises(QuotaExceeded, match="quota_agent_items"):
        brought(agent, *rows)
    assert agent.count() == 0
    assert brought(agent, *rows[:3]).imported == 3
    assert brought(agent, {**rows[0], "content": "another row"}, on_conflict="overwrite").overwritten == 1
    assert brought(agent, {**rows[4], "state": "superseded"}).imported == 1
    with pytest.raises(QuotaExceeded):
        agent.remember("one more of them")
    assert agent.forget(rows[0]["id"])
    assert brought(agent, rows[3]).imported == 1


def test_a_table_is_no_formula_and_a_foreign_table_is_read(agent: Agent) -> None:
    agent.remember("=HYPERLINK(0)", session="'quoted", role="@sum", source="+1")
    cells = next(csv.DictReader(io.StringIO(b"".join(agent.export_data("csv")).decode(), newline="")))
    assert [cells[name][0] for name in ("content", "session", "role", "source")] == ["'"] * 4
    data = 'content,tags,importance\r\n"a, b","[""x""]",7\r\nplain,,\r\n'.encode("utf-8-sig")
    assert agent.import_data([data], "csv").imported == 2
    assert [(item.content, item.tags, item.importance) for item in agent.list()][1:] == [
        ("a, b", ("x",), 7.0),
        ("plain", (), 5.0),
    ]
    with pytest.raises(InvalidInput, match="line 3: It has 2 cells"):
        agent.import_data([b"content\nx\ny,z\n"], "csv")


def test_an_export_does_not_take_the_place_of_the_store(tmp_path: Path) -> None:
    with engrain.open(tmp_path / "home", embedder="hash") as memory:
        agent = memory.agent("a")
        agent.remember("kept")
        for name in ("engrain.db", "engrain.db-wal", "archive", "archive/memories/x.jsonl"):
            with pytest.raises(InvalidField, match="the memory itself"):
                agent.export_to(tmp_path / "home" / name, format="json")
    with engrain.open(tmp_path / "home", embedder="hash") as memory:
        assert memory.agent("a").count() == 1
