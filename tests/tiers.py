"""What tests of the archive's two tiers share: memories that were archived, and what its files have."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from engrain import Agent
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests.life import sweep


def told(agent: Agent, memory: Memory, world: SimulatedWorld, *contents: str, **more: object) -> list[str]:
    """Remembered, expired and archived, one a day; their ids."""
    ids = []
    for content in contents:
        ids.append(agent.remember(content, expires_in="1d", **more).id)  # type: ignore[arg-type]
        world.advance(days=1)
        sweep(memory, "expire")
    return ids


def files(memory: Memory) -> list[Path]:
    return [path for path in (memory.home / "archive").rglob("*") if path.is_file()]


def words_in_files(memory: Memory, word: str) -> list[str]:
    """The files of the archive that have a word: in their bytes, or in a value of a table when it is decoded."""

    def has(path: Path) -> bool:
        decoded = json.dumps(pq.read_table(path).to_pylist(), default=str) if path.suffix == ".parquet" else ""
        return word.encode() in path.read_bytes() or word in decoded

    return [str(path) for path in files(memory) if has(path)]


def counted(memory: Memory) -> tuple[int, int, int]:
    """Rows that the table has, those that it has by the bookkeeping, and places that are gone."""
    assert memory.tables is not None
    table = memory.tables.table("memories")
    there = 0 if table is None else memory.tables.dataset("memories", table).count_rows()
    standing = memory.tables.standing("memories")
    return there, standing.rows + len(standing.gone), len(standing.gone)
