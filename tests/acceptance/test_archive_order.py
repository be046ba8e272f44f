"""The archive's files are merged, rewritten and deleted while other processes read, write and die: whoever reads sees
every row once, and what was forgotten is in no file in the end."""

from __future__ import annotations

import json
import random
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import engrain
from engrain.memory import Memory
from tests import children

COMMON = """
import engrain
from datetime import timedelta

pytestmark = pytest.mark.slow
def opened():
    return engrain.open(given["home"], embedder="hash", vacuum_days=0.0)
def cold(memory, name, contents):
    memory.agent(name).remember_many([{"content": one, "expires_in": timedelta(milliseconds=1)} for one in contents])
    time.sleep(0.01)
    memory.sweeps.run("expire")
    while not memory.archiver.run().whole:
        pass
"""
READER = """
memory = opened()
wanted = given["ids"]
for n in range(100):
    found = [one.id for one in memory.agent("ann").archived(limit=1000)]
    assert sorted(found) == wanted, (n, len(found))
    if n % 10 == 0:
        assert memory.agent("ann").search_archive("quokka", limit=1000, min_score=0.0)
        say(n)
"""
# Each step of what one process does to the archive, as the compactor tells it.
FORGETTER = """
memory = opened()
step = iter(range(1000))
def dies(name):
    say(name)
    if next(step) == given["step"]:
        os._exit(9)
memory.compactor._step = dies
memory.agent("ann").forget(given["id"])
"""
CHURN = """
from contextlib import suppress
memory = opened()
say("up")
for n in range(10_000):
    with suppress(engrain.EngrainError):
        cold(memory, given["name"], [f"{given['name']} {given['seed']} {n}-{i}" for i in range(3)])
        memory.archive.compact()
        items = memory.agent(given["name"]).archived(limit=3)
        if n % 3 == 0 and items:
            memory.agent(given["name"]).restore(items[-1].id, expires_in="30d")
        if n % 4 == 0 and items:
            memory.agent(given["name"]).forget(items[0].id)
"""


def opened(home: Path) -> Memory:
    return engrain.open(home, embedder="hash", vacuum_days=0.0)


def cold(memory: Memory, name: str, contents: list[str]) -> None:
    rows = [{"content": one, "expires_in": timedelta(milliseconds=1)} for one in contents]
    memory.agent(name).remember_many(rows)
    time.sleep(0.01)
    memory.sweeps.run("expire")
    assert memory.archiver is not None
    assert memory.archiver.run().whole


def files_with(home: Path, word: str) -> list[str]:
    def has(path: Path) -> bool:
        rows = pq.read_table(path).to_pylist() if path.suffix == ".parquet" else []
        return word.encode() in path.read_bytes() or word in json.dumps(rows, default=str)

    return [str(path) for path in (home / "archive").rglob("*") if path.is_file() and has(path)]


@pytest.mark.slow
def test_readers_go_on_while_files_are_merged_and_deleted(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with opened(home) as memory:
        for n in range(6):
            cold(memory, "ann", [f"quokka {n}-{i}" for i in range(20)])
        ids = sorted(one.id for one in memory.agent("ann").archived(limit=1000))
        assert len(ids) == 120
        reader = children.spawn(COMMON + READER, {"home": str(home), "ids": ids})
        assert children.hear(reader) == 0
        merged, n = 0, 0
        while reader.poll() is None:
            cold(memory, "bob", [f"wombat {n}"])
            done = memory.archive.compact()
            merged, n = merged + done.get("vacuumed", 0), n + 1
        children.said(reader)
        assert merged > 10
        assert memory.doctor().ok


@pytest.mark.slow
def test_a_forget_that_is_killed_at_any_step_hides_and_is_finished(tmp_path: Path) -> None:
    home, steps = tmp_path / "home", list[str]()
    with opened(home) as memory:
        for step in range(1000):
            cold(memory, "ann", [f"quokka {step}", f"wombat {step}"])
            agent = memory.agent("ann")
            id_ = next(one.id for one in agent.archived(limit=1000) if one.content.startswith("quokka"))
            told = children.spawn(COMMON + FORGETTER, {"home": str(home), "step": step, "id": id_})
            out, err = told.communicate(timeout=50)
            assert told.returncode in (0, 9), err
            contents = [one.content for one in agent.archived(limit=1000)]
            assert sorted(contents) == sorted(f"wombat {n}" for n in range(step + 1))
            if told.returncode == 0:
                break
            steps.append(json.loads(out.splitlines()[-1]))
            (run,) = memory.tick(["compact"])
            assert run.state == "done", run.error
            assert files_with(home, "quokka") == []
        assert set(steps) == {"replaced", "rewritten", "vacuumed", "dropped", "recounted"}
        assert files_with(home, "quokka") == []
        assert memory.doctor().ok


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_when_processes_die_at_any_moment(tmp_path: Path) -> None:
    home, rng = tmp_path / "home", random.Random(3)
    with opened(home) as memory:
        cold(memory, "bob", ["kept"])
        for seed in range(6):
            some = [
                children.spawn(COMMON + CHURN, {"home": str(home), "name": name, "seed": seed})
                for name in ("ann", "bob")
            ]
            for one in some:
                assert children.hear(one) == "up"
            time.sleep(rng.uniform(0.3, 1.5))
            for one in some:
                children.kill(one)
        assert memory.archiver is not None
        memory.sweeps.run("expire")
        while not memory.archiver.run().whole:
            pass
        memory.archive.compact()
        for name in ("ann", "bob"):
            agent = memory.agent(name)
            items = [*agent.list(limit=10_000), *agent.archived(limit=10_000)]
            there = [one.id for one in items]
            assert len(there) == len(set(there))
            last = {one.memory_id: one.new for one in _events(agent)}
            assert {id_ for id_, state in last.items() if state in ("archived", "active")} == set(there)
            assert all(last[one.id] == ("active" if one.archived_at is None else "archived") for one in items)
        assert "kept" in [one.content for one in memory.agent("bob").archived(limit=10_000)] or any(
            one.event == "memory:forgotten" for one in _events(memory.agent("bob"))
        )
        assert memory.doctor().ok


def _events(agent: engrain.Agent) -> list[Any]:
    found: list[Any] = []
    while page := agent.transitions(after=found[-1] if found else None, limit=10_000):
        found += page
    return found
