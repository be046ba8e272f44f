"""A damaged row is told by name and never makes a scope look empty; what failed once is read again."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain.errors import StoreBusy, StoreCorrupt
from engrain.recall import cache
from tests.postgres import Place

LONG = " ".join(f"word{n}" for n in range(700))
DERIVED = {
    "terms cut by one": "update memories set terms = substr(terms, 1, length(terms) - 1) where id = ?",
    "terms cut by two": "update memories set terms = substr(terms, 1, length(terms) - 2) where id = ?",
    "terms that are text": "update memories set terms = 'hello world!' where id = ?",
    "no terms": "update memories set terms = x'' where id = ?",
    "a vector that is text": "update memories set vector = replace(hex(vector), '0', 'a') where id = ?",
    "a text as long as a vector": "update memories set vector = substr(hex(vector), 1, 512) where id = ?",
    "no scale": "update memories set scale = null where id = ?",
    "an endless scale": "update memories set scale = 9e999 where id = ?",
    "a scale that is text": "update memories set scale = 'x' where id = ?",
    "a length below 0": "update memories set length = -5 where id = ?",
    "too long": "update memories set length = 99999999999 where id = ?",
}
CANONICAL = {
    "tags": "update memories set tags = '[oops' where id = ?",
    "tags that are numbers": "update memories set tags = '[[1]]' where id = ?",
    "tags that are one text": "update memories set tags = '\"abc\"' where id = ?",
    "tags without an end": f"update memories set tags = '{'[' * 100_000}' where id = ?",
    "importance": "update memories set importance = 'x' where id = ?",
    "told at": "update memories set told_at = 'x' where id = ?",
    "occurred at": "update memories set occurred_at = 9e18 where id = ?",
    "expires at": "update memories set expires_at = 'x' where id = ?",
}
ORDER = {
    "the first passage gone": "delete from passages where memory_id = ? and number = 0",
    "one in the middle gone": "delete from passages where memory_id = ? and number = 1",
}


def spoil(home: Path, statement: str, id_: str) -> None:
    with sqlite3.connect(home / "engrain.db") as raw:
        raw.execute("pragma ignore_check_constraints = on")
        assert raw.execute(statement, (id_,)).rowcount == 1
    raw.close()


def told(home: Path) -> list[str]:
    """The ids of a short item, of another, and of one with several passages."""
    with engrain.open(home, embedder="hash") as memory:
        rows = ["the red fox jumps over fences", "the blue whale swims in oceans", f"{LONG} zebra"]
        return [item.id for item in memory.agent("a").remember_many([{"content": row} for row in rows])]


@pytest.mark.parametrize("damage", [*DERIVED, *ORDER])
def test_a_damaged_passage_is_named_seen_and_made_anew(tmp_path: Path, damage: str) -> None:
    short, _, long = told(tmp_path)
    wrong = short if damage in DERIVED else long
    spoil(tmp_path, {**DERIVED, **ORDER}[damage], wrong)
    with engrain.open(tmp_path, embedder="hash") as memory:
        agent = memory.agent("a")
        if damage != "a vector that is text":  # of another length: it cannot be compared, and the doctor sees it
            for _ in range(3):
                with pytest.raises(StoreCorrupt, match=rf"{wrong}.*engrain rebuild"):
                    agent.recall("blue whale")
        seen = [check.detail for check in memory.doctor().checks if check.name == "damaged memories"]
        assert len(seen) == 1
        assert wrong in seen[0]
        memory.rebuild()
        assert memory.doctor().ok
        assert [hit.item.id for hit in agent.recall("red fox", limit=1)] == [short]
        assert [hit.item.id for hit in agent.recall("zebra", limit=1)] == [long]


@pytest.mark.parametrize("damage", CANONICAL)
def test_a_damaged_item_is_named_and_seen(tmp_path: Path, damage: str) -> None:
    wrong = told(tmp_path)[0]
    spoil(tmp_path, CANONICAL[damage], wrong)
    with engrain.open(tmp_path, embedder="hash") as memory:
        for _ in range(3):
            with pytest.raises(StoreCorrupt, match=rf"{wrong}.*Restore a backup"):
                memory.agent("a").recall("blue whale")
        assert [check.name for check in memory.doctor().checks if not check.ok] == ["damaged memories"]


def test_damage_that_comes_later_hides_nothing_either(tmp_path: Path) -> None:
    wrong = told(tmp_path)[0]
    with engrain.open(tmp_path, embedder="hash") as memory:
        agent = memory.agent("a")
        assert agent.recall("blue whale")
        agent.update(wrong, importance=6.0)
        spoil(tmp_path, DERIVED["no scale"], wrong)
        for _ in range(2):
            with pytest.raises(StoreCorrupt, match=wrong):
                agent.recall("blue whale")
        memory.rebuild()
        assert agent.recall("blue whale")


def test_what_another_version_made_is_not_called_damage(tmp_path: Path) -> None:
    short = told(tmp_path)[0]
    spoil(tmp_path, "update memories set analyzer = 'older', terms = x'00' where id = ?", short)
    with engrain.open(tmp_path, embedder="hash") as memory:
        assert memory.agent("a").recall("blue whale")
        assert [check.name for check in memory.doctor().checks if not check.ok] == ["words"]


def test_a_read_that_fails_in_the_middle_loses_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = place.open(embedder="hash")
    agent = memory.agent("a")
    agent.remember_many([{"content": f"note number{n} on topic{n}"} for n in range(60)])
    monkeypatch.setattr(cache, "AT_ONCE", 20)
    read, pieces = memory.store.read, 0

    def fails_once(name: str, values: Any = None) -> Any:
        nonlocal pieces
        pieces += name == "segment_changes"
        if name == "segment_changes" and pieces == 2:
            raise StoreBusy("try again")
        return read(name, values or {})

    monkeypatch.setattr(memory.store, "read", fails_once)
    with pytest.raises(StoreBusy):
        agent.recall("number59 topic59")
    assert agent.recall("number59 topic59", limit=1)[0].item.content == "note number59 on topic59"
    view = memory.recaller._segments.view(agent.scope, memory.embedder)
    assert view.n == 60
