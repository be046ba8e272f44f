"""A home is restored from a backup, and the archive has gone on since: nothing is doubled, nothing is lost."""

from __future__ import annotations

from pathlib import Path

import engrain
from engrain.testing import SimulatedWorld
from tests.life import START, freeze
from tests.tiers import told


def test_what_came_back_and_left_again_after_the_backup_is_there_once(tmp_path: Path) -> None:
    world, home, copy = SimulatedWorld(START), tmp_path / "home", tmp_path / "copy.db"
    with engrain.open(home, embedder="hash", world=world) as memory:
        agent = memory.agent("ann")
        (id_,) = told(agent, memory, world, "comes and goes")
        freeze(memory)
        memory.backup(copy)
        for _ in range(2):
            agent.restore(id_, expires_in="1d")
            (other,) = told(agent, memory, world, f"told at {world.now()}")
            world.advance(days=2)
            memory.sweeps.run("expire")
            freeze(memory)
        before = {one.id for one in agent.archived()}
    engrain.restore_backup(copy, home, force=True)
    with engrain.open(home, embedder="hash", world=world) as memory:
        freeze(memory)
        assert memory.archive.sql("select id from history order by id").num_rows == len(before) == 3
        assert {one.id for one in memory.agent("ann").archived()} == before
        assert all(check.ok for check in memory.doctor().checks if check.name == "archive")
        assert memory.agent("ann").forget(id_)
        assert {one.id for one in memory.agent("ann").archived()} == before - {id_}
    assert other in before


def test_what_came_back_after_the_backup_is_archived_again_when_that_is_put_back(tmp_path: Path) -> None:
    world, home, copy = SimulatedWorld(START), tmp_path / "home", tmp_path / "copy.db"
    with engrain.open(home, embedder="hash", world=world) as memory:
        agent = memory.agent("ann")
        (id_,) = told(agent, memory, world, "came back, and lies in the store")
        freeze(memory)
        memory.backup(copy)
        agent.restore(id_)
        world.advance(days=6)
        memory.archive.compact()
    engrain.restore_backup(copy, home, force=True)
    with engrain.open(home, embedder="hash", world=world) as memory:
        assert memory.agent("ann").restore(id_).content == "came back, and lies in the store"
