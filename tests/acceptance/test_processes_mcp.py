"""Many MCP servers on one home, each started by a real client, some killed: what was acknowledged is there, once."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import mcp
import pytest

from engrain.memory import Memory
from tests.postgres import Place

# The server says its process id before it begins to serve, so that the test can kill that process and no other.
SERVER = """
import os, sys
with open(sys.argv.pop(1), "w") as file:
    file.write(str(os.getpid()))
from engrain.shells.cli import main
main()
"""
WORDS = ("upload", "retry", "cache", "token", "schema", "index", "replay", "socket")


@dataclass
class Herd:
    """Clients, each with its own server; what servers acknowledged; what went wrong."""

    place: Place
    folder: Path
    seconds: float
    kills: float
    pause: float
    told: dict[str, str] = field(default_factory=dict)
    decided: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    pids: dict[int, int] = field(default_factory=dict)
    killed: set[int] = field(default_factory=set)
    recalls: int = 0
    deadline: float = field(default_factory=lambda: time.monotonic() + 60.0)

    def began(self) -> None:
        """The time runs from the first acknowledgement on: how long servers take to start is not of interest."""
        if not self.told:
            self.deadline = time.monotonic() + self.seconds

    async def client(self, number: int) -> None:
        """A client that starts a server, works with it, and starts another when it dies."""
        life = 0
        while time.monotonic() < self.deadline:
            life += 1
            note = self.folder / f"{number}-{life}.pid"
            options = ["--home", self.place.location, "--agent", f"agent{number % 3}"]
            environment = {"ENGRAIN_EMBEDDER": "hash", "ENGRAIN_ECHO_MINUTES": "0", "PATH": os.environ["PATH"]}
            parameters = mcp.StdioServerParameters(
                command=sys.executable, args=["-c", SERVER, str(note), "mcp", *options], env=environment,
                cwd=self.folder,
            )  # fmt: skip
            try:
                async with mcp.Client(parameters) as client:
                    self.pids[number] = int(note.read_text(encoding="utf-8"))
                    await self.work(client, number, life)
            except* (
                mcp.MCPError,
                anyio.ClosedResourceError,
                anyio.BrokenResourceError,
                anyio.EndOfStream,
                OSError,
            ) as group:
                pid = self.pids.pop(number, None)
                if pid not in self.killed:
                    self.refused.append(f"server {number} died by itself: {group.exceptions!r}")
            self.pids.pop(number, None)

    async def work(self, client: mcp.Client, number: int, life: int) -> None:
        rng = random.Random(f"{number}:{life}")
        turn = 0
        while time.monotonic() < self.deadline:
            turn += 1
            await anyio.sleep(self.pause)
            content = f"token{number}x{life}x{turn} " + " ".join(rng.choices(WORDS, k=5))
            answer = await self.call(client, "remember", {"content": content, "kind": "event"})
            self.began()
            self.told[answer["id"]] = content
            answer = await self.call(client, "recall", {"query": content, "limit": 3})
            assert self.told_among(answer["hits"], content), "what this server acknowledged is not recalled"
            self.recalls += 1
            advice = await self.call(client, "advise", {"task_type": "t", "options": ["a", "b"]})
            done = {"decision_id": advice["decision_id"], "success": rng.random() < 0.5, "evidence": "executed"}
            await self.call(client, "observe", done)
            self.decided.append(advice["decision_id"])

    @staticmethod
    def told_among(hits: list[Any], content: str) -> bool:
        return any(hit["item"]["content"] == content for hit in hits)

    async def call(self, client: mcp.Client, tool: str, arguments: dict[str, Any]) -> Any:
        result = await client.call_tool(tool, arguments)
        if result.is_error:
            self.refused.append(f"{tool}: {result.content}")
        return result.structured_content

    async def killer(self) -> None:
        rng = random.Random(3)
        while not self.told and time.monotonic() < self.deadline:
            await anyio.sleep(0.02)
        while time.monotonic() < self.deadline - self.kills:
            await anyio.sleep(rng.uniform(0.5 * self.kills, 1.5 * self.kills))
            if self.pids:
                number = rng.choice(sorted(self.pids))
                self.killed.add(self.pids[number])
                os.kill(self.pids[number], signal.SIGKILL)

    async def run(self, clients: int) -> None:
        async with anyio.create_task_group() as group:
            for number in range(clients):
                group.start_soon(self.client, number)
            group.start_soon(self.killer)


def check(memory: Memory, herd: Herd) -> None:
    stored = Counter(row["content"] for row in memory.store.read("rebuild_batch", {"after": "", "limit": 1_000_000}))
    assert max(stored.values()) == 1, "something is there twice"
    for id_, content in herd.told.items():
        assert stored[content] == 1, f"{id_} was acknowledged and is gone"
    observed = {e.decision_id for n in range(3) for e in memory.agent(f"agent{n}").experiences(limit=10_000)}
    assert set(herd.decided) <= observed
    assert memory.doctor().ok


def drive(place: Place, folder: Path, clients: int, seconds: float, kills: float, pause: float) -> None:
    folder.mkdir()
    with place.open():
        herd = Herd(place, folder, seconds, kills, pause)
    anyio.run(herd.run, clients)
    assert herd.refused == []
    assert herd.killed
    assert herd.recalls > 0
    with place.open() as memory:
        check(memory, herd)
    print(f"{place.location}: {len(herd.killed)} killed, {len(herd.told)} told, {herd.recalls} recalls")


def test_some_servers_some_killed_for_a_moment(tmp_path: Path) -> None:
    drive(Place(tmp_path / "home"), tmp_path / "notes", clients=2, seconds=1.6, kills=0.9, pause=0.1)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_eight_servers_some_killed_for_a_minute(place: Place, tmp_path: Path) -> None:
    drive(place, tmp_path / "notes", clients=8, seconds=60.0, kills=1.0, pause=0.0)
