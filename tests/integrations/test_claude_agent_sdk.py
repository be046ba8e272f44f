"""The session store for the Claude Agent SDK: its public conformance run, and what an agent's memory promises."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from claude_agent_sdk import (
    ClaudeAgentOptions,
    SessionKey,
    Transport,
    delete_session_via_store,
    get_session_messages_from_store,
    list_sessions_from_store,
    project_key_for_directory,
    query,
)
from claude_agent_sdk.testing import run_session_store_conformance

from engrain.integrations.claude_agent_sdk import EngrainSessionStore
from engrain.testing import SimulatedWorld
from tests.life import sweep
from tests.postgres import Place

SESSION = "6f1b0a52-9c1e-4f1a-8a55-0c1f5f0e7d11"


def test_it_conforms(place: Place) -> None:
    memory, numbers = place.open(), count()
    asyncio.run(run_session_store_conformance(lambda: EngrainSessionStore(memory.agent(f"agent{next(numbers)}"))))
    assert next(numbers) > 14  # a store for each contract


class Recorded(Transport):
    """What Claude Code sends, without it: an answer, and the transcript that it mirrors."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        file = Path(os.environ["CLAUDE_CONFIG_DIR"], "projects", project_key_for_directory(None), f"{SESSION}.jsonl")
        result = {"type": "result", "subtype": "success", "duration_ms": 1, "duration_api_ms": 1, "is_error": False}
        result |= {"num_turns": 1, "session_id": SESSION, "result": "Noted."}
        self._frames: list[dict[str, Any]] = [
            {"type": "transcript_mirror", "filePath": str(file), "entries": entries},
            result,
        ]
        self._asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def connect(self) -> None: ...
    async def close(self) -> None: ...
    async def end_input(self) -> None: ...
    def is_ready(self) -> bool:
        return True

    async def write(self, data: str) -> None:
        self._asked.put_nowait(json.loads(data))

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        while (asked := await self._asked.get())["type"] == "control_request":
            yield {"type": "control_response",
                   "response": {"subtype": "success", "request_id": asked["request_id"], "response": {}}}  # fmt: skip
        for frame in self._frames:
            yield frame


def message(who: str, text: str, n: int) -> dict[str, Any]:
    said = {"role": who, "content": [{"type": "text", "text": text}]}
    common = {"sessionId": SESSION, "timestamp": f"2026-01-01T00:00:0{n}.000Z", "cwd": "/project"}
    parent = f"00000000-0000-4000-8000-00000000000{n - 1}" if n else None
    return {
        "type": who,
        "uuid": f"00000000-0000-4000-8000-00000000000{n}",
        "parentUuid": parent,
        "message": said,
        **common,
    }


def test_a_query_is_mirrored_listed_read_recalled_and_deleted(
    tmp_path: Path, world: SimulatedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path))
    entries = [message("user", "Our database is called walrus", 0), message("assistant", "Noted.", 1)]
    place = Place(tmp_path / "home")
    memory = place.open(world=world, embedder="static")
    store = EngrainSessionStore(memory.agent("claude"))

    async def ask() -> None:
        options = ClaudeAgentOptions(session_store=store)
        async for _ in query(prompt="Our database is called walrus", options=options, transport=Recorded(entries)):
            pass

    async def look(there: EngrainSessionStore) -> tuple[int, int]:
        listed = await list_sessions_from_store(there)
        return len(listed), len(await get_session_messages_from_store(there, SESSION))

    asyncio.run(ask())
    key: SessionKey = {"project_key": project_key_for_directory(None), "session_id": SESSION}
    assert asyncio.run(store.load(key)) == entries
    asyncio.run(store.append(key, entries))  # type: ignore[arg-type]  # sent again
    assert asyncio.run(store.load(key)) == entries
    for _ in range(4):
        world.advance(days=100)
        sweep(memory)
    assert asyncio.run(look(store)) == (1, 2)
    big: list[Any] = [
        {"type": "user", "uuid": "i", "message": {"content": [{"type": "image", "data": "ab" * 1_200_000}]}}
    ]
    asyncio.run(store.append({"project_key": "other", "session_id": "big"}, big))
    assert asyncio.run(store.load({"project_key": "other", "session_id": "big"})) == big
    asyncio.run(store.delete({"project_key": "other", "session_id": "big"}))
    assert memory.agent("claude").recall("what is the name of the database?")[0].item.role == "user"
    for other in (memory.agent("else"), memory.agent("claude", tenant="acme")):
        assert asyncio.run(look(EngrainSessionStore(other))) == (0, 0)
    asyncio.run(delete_session_via_store(store, SESSION))
    assert asyncio.run(look(store)) == (0, 0)
    assert memory.agent("claude").count() == 0
    place.close()


WRITER = """
import asyncio, sys, engrain
from engrain.integrations.claude_agent_sdk import EngrainSessionStore
who = sys.argv[1]
with engrain.open(**{place!r}) as memory:
    store = EngrainSessionStore(memory.agent("claude"))
    async def main():
        for n in range({n}):
            await store.append({{"project_key": "p", "session_id": "s"}},
                [{{"type": "x", "uuid": f"both{{n}}", "n": n}}, {{"type": "x", "uuid": who + str(n), "n": n}},
                 {{"type": "mode", "by": who}}])
            await store.list_session_summaries("p")
    asyncio.run(main())
"""


@pytest.mark.slow
def test_processes_that_write_into_one_session_lose_and_double_nothing(place: Place) -> None:
    n = 8
    place.open().close()
    program = WRITER.format(place={**place.arguments, "embedder": "hash"}, n=n)
    running = [subprocess.Popen([sys.executable, "-c", program, name]) for name in "ab"]
    assert [one.wait(50) for one in running] == [0, 0]
    memory = place.open()
    store = EngrainSessionStore(memory.agent("claude"))
    found: Any = asyncio.run(store.load({"project_key": "p", "session_id": "s"})) or []
    assert sorted(one["uuid"] for one in found if "uuid" in one) == sorted(
        f"{who}{k}" for who in ("a", "b", "both") for k in range(n)
    )
    assert [one["by"] for one in found if "by" in one].count("a") == n
    for who in "ab":
        assert [one["n"] for one in found if one.get("uuid", "").startswith(who) and "both" not in one["uuid"]] == list(
            range(n)
        )
