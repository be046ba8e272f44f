"""Experiences for learners elsewhere: what is written is what was told, read back by another process."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

import engrain
from engrain import Outcome
from engrain.errors import ArchiveCorrupt, ArchiveError, ConfigError, InvalidField
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests import children
from tests.life import START
from tests.postgres import Place

READ = """
import pyarrow.parquet as pq
table = pq.read_table(given["path"])
say(table.schema.metadata[b"engrain"].decode())
say(table.drop_columns(["decided_at", "created_at", "updated_at"]).to_pylist())
"""
EXPORT = """
import engrain
with engrain.open(**given["place"], embedder="hash") as memory:
    say(memory.export_experiences(given["path"]))
"""


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld(START, seed=3)


@pytest.fixture
def memory(place: Place, world: SimulatedWorld) -> Memory:
    return place.open(world=world)


def fill(memory: Memory, world: SimulatedWorld) -> dict[str, dict[str, Any]]:
    """An episode that is archived half-way, single steps of two agents, one of another tenant; what was told, by id."""
    told: dict[str, dict[str, Any]] = {}
    ann, bob = memory.agent("ann"), memory.agent("bob")

    def note(done: Any, **more: Any) -> None:
        told[done.id] = {"state": dict(done.state), "action": done.action, "reward": done.reward, **more}

    for turn in range(6):
        if turn == 4:
            world.advance(days=40)
            assert memory.archiver is not None
            memory.archiver.run()
        world.advance(seconds=1)
        advice = ann.advise("build", state={"size": turn, "lang": "py"}, options=["a", "b"], episode="e1")
        success = None if turn == 2 else turn % 2 == 0
        done = ann.observe(advice, Outcome(success=success, evidence="executed"))
        after = {"size": turn + 1, "lang": "py"} if turn < 5 else None
        note(done, propensity=advice.propensity, next_state=after, episode="e1", agent="ann")
    for state in ({"size": 9, "tags": ["x", "y"]}, {"fast": True}):
        done = bob.observe_step("build", state, "c", Outcome(success=True), next_state={"size": 1}, task_id="t")
        note(done, propensity=None, next_state={"size": 1}, episode=None, agent="bob")
    bob.observe_step("ship", {"size": 1}, "z", Outcome(success=True))
    memory.agent("ann", tenant="other").observe_step("build", {"size": 77}, "secret", Outcome(success=True))
    return told


def test_parquet_has_each_experience_once_archived_or_not(
    place: Place, memory: Memory, world: SimulatedWorld, tmp_path: Path
) -> None:
    told = fill(memory, world)
    path = tmp_path / "build.parquet"
    assert memory.export_experiences(path, task_type="build") == {"experiences": 8}
    assert memory.stats()["archive"]["experiences"] == 3, "some were archived"
    about, rows = children.run(READ, {"path": str(path)})
    assert json.loads(about)["version"] == 1
    assert {row["id"] for row in rows} == set(told)
    assert len(rows) == len(told)
    for row in rows:
        was = told[row["id"]]
        assert json.loads(row["state"]) == was["state"]
        assert (row["action"], row["reward"], row["agent"]) == (was["action"], was["reward"], was["agent"])
        assert row["propensity"] == was["propensity"]
        after = None if row["next_state"] is None else json.loads(row["next_state"])
        assert after == was["next_state"], "the next state is known across the archive's border"
    everything = tmp_path / "all.parquet"
    assert children.run(EXPORT, {"place": place.arguments, "path": str(everything)}) == [{"experiences": 9}]
    assert "secret" not in pq.read_table(everything)["action"].to_pylist()
    assert all(field.metadata[b"about"] for field in pq.read_schema(path))


def episodes(path: Path) -> list[dict[str, Any]]:
    """The data set as Minari reads it: a folder an episode, one row more than steps."""
    told = json.loads((path / "data" / "metadata.json").read_text())
    found = []
    for number in range(told["total_episodes"]):
        folder = path / "data" / str(number)
        table = pads.dataset(folder, format="parquet", ignore_prefixes=["_", ".", "metadata.json"]).to_table()
        about = json.loads((folder / "metadata.json").read_text())
        assert about["total_steps"] == table.num_rows - 1
        columns = {name: table[name].to_pylist() for name in table.column_names}
        found.append({**about, **columns, "names": told["engrain"]})
    assert sum(one["total_steps"] for one in found) == told["total_steps"]
    return found


def state(names: dict[str, Any], vector: list[float]) -> dict[str, float]:
    return {name: value for name, value in zip(names["columns"], vector, strict=True) if value}


def test_minari_has_episodes_with_what_is_known_of_each_step(
    memory: Memory, world: SimulatedWorld, tmp_path: Path
) -> None:
    fill(memory, world)
    path = tmp_path / "build-v0"
    counts = memory.export_experiences(path, format="minari", task_type="build")
    assert (counts["episodes"], counts["experiences"], counts["unknown"]) == (4, 7, 1)
    first, second, third, last = episodes(path)
    assert (first["agent"], first["episode"], first["total_steps"]) == ("ann", "e1", 2), "cut at what is not known yet"
    assert (first["terminations"], first["truncations"]) == ([False] * 3, [False, True, False])
    assert [state(first["names"], one)["size"] for one in first["observations"][1:]] == [1.0, 2.0]
    assert second["terminations"] == [False, False, True, False]
    assert second["observations"][-1] == second["observations"][-2], "nothing is known of the state after the last"
    assert second["rewards"] == [-2.0, 2.0, -2.0, 0.0]
    assert math.isnan(second["infos"][0]["propensity"])
    assert second["infos"][1] | {"propensity": 0, "decided_at": 0} == {
        "propensity": 0, "evidence": 1, "weight": 0.75, "decided_at": 0}  # fmt: skip
    names = {*third["names"]["columns"]}
    assert names == {"size", "size is missing", 'lang = "py"', "fast = true", 'tags has "x"', 'tags has "y"'}
    assert [third["total_steps"], last["total_steps"]] == [1, 1], "a step by itself is an episode"
    told = {one["names"]["actions"][one["actions"][0]] for one in (third, last)}
    assert told == {"c"}


def test_minari_itself_reads_it(memory: Memory, world: SimulatedWorld, tmp_path: Path) -> None:
    minari = pytest.importorskip("minari", reason="the extra bench has it")
    fill(memory, world)
    memory.export_experiences(tmp_path / "build-v0", format="minari", task_type="build")
    data = minari.MinariDataset(tmp_path / "build-v0" / "data")
    found = list(data.iterate_episodes())
    assert [len(one) for one in found] == [2, 3, 1, 1]
    assert all(data.observation_space.contains(one) for one in found[0].observations)
    assert all(data.action_space.contains(np.int64(one)) for one in found[0].actions)
    assert found[1].infos["evidence"].tolist() == [-1, 1, 1, 1]


@pytest.mark.parametrize(
    ("folder", "id_"),
    [("build-v0", "build-v0"), ("build", "build-v0"), ("my builds.v2", "my-builds-v2-v0"), ("b-v12", "b-v12")],
)
def test_minari_knows_a_data_set_by_the_name_of_its_folder(
    memory: Memory, world: SimulatedWorld, tmp_path: Path, folder: str, id_: str
) -> None:
    fill(memory, world)
    memory.export_experiences(tmp_path / folder, format="minari", task_type="build")
    told = json.loads((tmp_path / folder / "data" / "metadata.json").read_text())
    assert told["dataset_id"] == id_
    minari = pytest.importorskip("minari", reason="the extra bench has it")
    assert minari.MinariDataset(tmp_path / folder / "data").spec.dataset_id == id_, "it refuses an id without a version"


def test_nothing_is_written_where_something_is(memory: Memory, world: SimulatedWorld, tmp_path: Path) -> None:
    fill(memory, world)
    path, folder = tmp_path / "own.parquet", tmp_path / "own-v0"
    path.write_text("mine")
    folder.mkdir()
    (folder / "notes").write_text("mine")
    with pytest.raises(InvalidField, match="exists"):
        memory.export_experiences(path)
    with pytest.raises(InvalidField, match="not overwritten"):
        memory.export_experiences(folder, format="minari", task_type="build", overwrite=True)
    assert (path.read_text(), (folder / "notes").read_text()) == ("mine", "mine")
    assert memory.export_experiences(path, overwrite=True) == {"experiences": 9}
    assert pq.read_table(path).num_rows == 9
    again = tmp_path / "again-v0"
    for _ in range(2):
        memory.export_experiences(again, format="minari", task_type="build", overwrite=True)
    assert len(episodes(again)) == 4
    assert sorted(one.name for one in tmp_path.iterdir() if one.name.startswith(".")) == [], "no drafts are left"


def test_bad_exports_are_refused(memory: Memory, world: SimulatedWorld, tmp_path: Path) -> None:
    fill(memory, world)
    with pytest.raises(InvalidField, match="format must be one of parquet, minari"):
        memory.export_experiences(tmp_path / "x", format="csv")
    with pytest.raises(InvalidField, match="needs a task_type"):
        memory.export_experiences(tmp_path / "x", format="minari")
    with pytest.raises(InvalidField, match="known reward"):
        memory.export_experiences(tmp_path / "x", format="minari", task_type="nothing")
    with pytest.raises(InvalidField, match="part of the memory itself"):
        memory.export_experiences(memory.home / memory.config.archive / "x.parquet")
    assert not list(tmp_path.glob("x*"))


def test_without_its_archive_nothing_is_exported(
    place: Place, memory: Memory, world: SimulatedWorld, tmp_path: Path
) -> None:
    fill(memory, world)
    memory.close()
    with place.open(archive="none") as blind, pytest.raises((ArchiveError, ConfigError)):
        blind.export_experiences(tmp_path / "x.parquet")
    assert not list(tmp_path.glob("x*"))


def test_a_damaged_file_is_told_of_to_whoever_trains_or_exports(world: SimulatedWorld, tmp_path: Path) -> None:
    memory = engrain.open(tmp_path / "home", embedder="hash", world=world)
    fill(memory, world)
    assert memory.logged.agents("default", "build") == ["ann", "bob"]
    (file,) = (tmp_path / "home" / "archive" / "experiences").rglob("*.parquet")
    whole = file.read_bytes()
    reads: list[Callable[[], object]] = [
        lambda: memory.logged.agents("default", "build"),
        lambda: memory.logged.log("default", "build"),
        lambda: memory.logged.both("default", "build"),
        lambda: memory.export_experiences(tmp_path / "x.parquet"),
    ]
    for damaged in (whole[: len(whole) // 2], b"PAR1" + b"?" * (len(whole) // 2) + whole[4 + len(whole) // 2 :]):
        file.write_bytes(damaged)
        for read in reads:
            with pytest.raises(ArchiveCorrupt, match="damaged"):
                read()
    file.unlink()
    for read in reads:
        with pytest.raises(ArchiveCorrupt, match="missing"):
            read()
    file.write_bytes(whole)
    assert not list(tmp_path.glob("*x*")), "no draft is left"
    assert memory.export_experiences(tmp_path / "x.parquet") == {"experiences": 9}
    memory.close()
