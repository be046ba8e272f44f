"""The archive's files are kept in order: merged, sorted, without what is gone; whatever breaks in between, on both
engines."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from engrain.archive import compactor
from engrain.archive.compactor import Compactor
from engrain.archive.tables import Tables
from engrain.errors import ArchiveConflict, ArchiveUnavailable
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests.life import freeze, sweep
from tests.postgres import Place

STEPS = ("replaced", "rewritten", "vacuumed", "dropped", "recounted")


def tables(memory: Memory) -> Tables:
    assert memory.tables is not None
    return memory.tables


def keeper(memory: Memory, days: float = 0.0, step: object = None) -> Compactor:
    def nothing(_: str) -> None:
        pass

    assert memory.archiver is not None
    told = step if callable(step) else nothing
    return Compactor(memory.store, memory.world, tables(memory), days, 1.0, memory.archiver.finish, told)


def filled(memory: Memory, world: SimulatedWorld, times: int, each: int = 4) -> list[str]:
    """Cold memories of two agents, in so many files; their contents."""
    told = []
    for n in range(times):
        for name in ("bob", "ann"):
            rows = [{"content": f"{name} {n}-{i} quokka", "expires_in": "1h"} for i in range(each)]
            memory.agent(name).remember_many(rows)
            told += [row["content"] for row in rows]
        world.advance(days=1)
        sweep(memory, "expire")
        freeze(memory)
    return told


def contents(memory: Memory) -> list[str]:
    return [one.content for name in ("ann", "bob") for one in memory.agent(name).archived(limit=1000)]


def live(memory: Memory) -> list[Path]:
    table = tables(memory).table("memories")
    assert table is not None
    return [Path(uri.removeprefix("file://")) for uri in table.file_uris()]


def there(memory: Memory) -> list[Path]:
    return sorted((memory.home / "archive" / "memories").rglob("*.parquet"))


def test_small_files_become_one_that_is_sorted(memory: Memory, world: SimulatedWorld) -> None:
    told = filled(memory, world, 6)
    assert len(live(memory)) == 6
    assert memory.archive.compact(dry_run=True) == {"files": 6}
    assert len(live(memory)) == 6
    assert memory.archive.compact() == {"files": 6}
    (one,) = live(memory)
    rows = pq.read_table(one, columns=["tenant", "agent", "place"]).to_pylist()
    assert rows == sorted(rows, key=lambda row: (row["tenant"], row["agent"], row["place"]))
    assert sorted(contents(memory)) == sorted(told)
    assert memory.archive.compact() == {}
    assert len([path for path in there(memory) if "_delta_log" not in str(path)]) == 7  # for readers, for a while
    assert keeper(memory).compact() == {"vacuumed": 6}
    assert [path for path in there(memory) if "_delta_log" not in str(path)] == [one]
    assert memory.doctor().ok


def test_a_file_is_no_larger_than_it_should_be(
    memory: Memory, world: SimulatedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compactor, "ROWS", 40)
    told = filled(memory, world, 11)
    memory.archive.compact()
    assert sorted(pq.read_metadata(path).num_rows for path in live(memory)) == [8, 40, 40]
    assert sorted(contents(memory)) == sorted(told)


def test_months_are_kept_apart(memory: Memory, world: SimulatedWorld) -> None:
    filled(memory, world, 5)
    world.advance(days=40)
    filled(memory, world, 5)
    memory.archive.compact()
    assert sorted(str(path.parent.name) for path in live(memory)) == ["month=1", "month=2"]


@pytest.mark.parametrize("step", STEPS)
def test_what_broke_off_is_taken_up_again(memory: Memory, world: SimulatedWorld, step: str) -> None:
    told = filled(memory, world, 5)
    ann = memory.agent("ann")
    first, second = ann.archived()[-2:]
    ann.restore(first.id)

    def breaks(name: str) -> None:
        if name == step:
            raise RuntimeError(step)

    with memory.store.transaction("default") as tx:
        place = next(row["place"] for row in memory.tiers.many(ann.scope, [second.id]))
        row = {"kind": "memories", "place": place, "tenant": "default", "agent": "ann", "id": second.id}
        tx.run("gone_put", {**row, "reason": "forgotten", "now": world.now()})
    with pytest.raises(RuntimeError):
        keeper(memory, step=breaks).compact()
    expected = sorted(one for one in told if one not in (first.content, second.content))
    assert sorted(contents(memory)) == expected
    keeper(memory).compact()
    assert sorted(contents(memory)) == expected
    for path in there(memory):
        if "_delta_log" not in str(path):
            kept = pq.read_table(path, columns=["content"])["content"].to_pylist()
            assert second.content not in kept
            assert first.content not in kept
    standing = tables(memory).standing("memories")
    assert (standing.gone, standing.rows) == ((), len(expected))
    assert memory.doctor().ok


def test_it_stops_when_it_is_asked_to(memory: Memory, world: SimulatedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compactor, "ROWS", 40)
    told = filled(memory, world, 11)
    asked = iter([False, True, True])
    assert memory.compactor is not None
    assert memory.compactor.compact(stop=lambda: next(asked)) == {"files": 5, "left": 1}
    assert sorted(contents(memory)) == sorted(told)


def test_whoever_has_read_the_table_before_can_add_nothing_after(memory: Memory, world: SimulatedWorld) -> None:
    """An archiver that slept through its lease must not add to a table whose files were tidied up meanwhile."""
    filled(memory, world, 5)
    stale = tables(memory).table("memories")
    number = tables(memory).number("memories", stale)
    rows = tables(memory).read("memories")
    keeper(memory).compact()
    with pytest.raises(ArchiveConflict):
        tables(memory).append("memories", stale, rows, number + 1)
    stale = tables(memory).table("memories")
    (memory.home / "archive" / "memories" / "year=2026" / "month=1" / "torn.parquet").write_bytes(b"PAR1")
    assert keeper(memory).compact() == {"vacuumed": 2}  # and what the refused one has left
    assert keeper(memory).compact() == {}
    with pytest.raises(ArchiveConflict):
        tables(memory).append("memories", stale, rows, number + 1)


def test_only_one_works_on_the_archive(memory: Memory, world: SimulatedWorld) -> None:
    filled(memory, world, 5)
    inside: list[str] = []

    def other(name: str) -> None:
        if not inside:
            inside.append(name)
            with pytest.raises(ArchiveUnavailable, match="Another process worked on the archive"):
                keeper(memory).compact()
            assert memory.archiver is not None
            assert memory.archiver.run().counts == {}

    keeper(memory, step=other).compact()
    assert inside


def test_who_lost_the_lease_changes_nothing_in_the_store(memory: Memory, world: SimulatedWorld) -> None:
    filled(memory, world, 5)
    memory.agent("ann").restore(memory.agent("ann").archived()[0].id)

    def taken(name: str) -> None:
        if name == "vacuumed":
            world.advance(days=1)
            with memory.store.transaction("*") as tx:
                late = {"name": "archive", "holder": "another", "now": world.now(), "expires_at": world.now() + 10**9}
                assert tx.read("lease_take", late)

    before = tables(memory).standing("memories")
    with pytest.raises(ArchiveConflict):
        keeper(memory, step=taken).compact()
    assert tables(memory).standing("memories") == before


def test_nothing_is_loaded_where_nothing_is_cold(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world)
    (run,) = memory.tick(["compact"])
    assert (run.state, dict(run.findings)) == ("done", {})
    assert "compactor" not in memory.__dict__
