"""The MCP server as clients meet it: a real client over stdio, an old client's handshake, signals, a closed stdin."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import mcp
import psutil  # type: ignore[import-untyped]
import pytest
from mcp import types

import engrain

SERVER = ["-m", "engrain", "mcp"]
# Calls of tools with the ids of what was made before, and what the answer must hold: every argument of every tool.
OUTCOME = {
    "success": True, "evidence": "executed", "seconds": 1, "budget_seconds": 2.5, "quality": 1, "resources": 0,
    "feedback": -0.5, "error": "none", "reward": 0.5, "weights": {"quality": 2},
}  # fmt: skip
PROBLEM = {
    "problem": "no answer from host gpu-7", "type": "timeout", "target": "qwen", "trace": "at x", "test": "t_1",
    "log": "GET /x", "prompt": "say hi", "response": "", "metadata": {"n": 1},
}  # fmt: skip
CALLS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "remember",
        {
            "content": "Ship on Monday", "kind": "fact", "key": "day", "importance": 9, "tags": ["ops"],
            "metadata": {"by": [1]}, "session": "s9", "role": "user", "occurred_at": "2026-01-02T03:04:05Z",
            "expires_in": "3000d", "decay_rate": 0.5, "visibility": "team", "pinned": True, "source": "wiki",
            "expects": "",
        },
        {"content": "Ship on Monday", "importance": 9.0, "occurred_at": "2026-01-02T03:04:05+00:00", "pinned": True},
    ),
    (
        "recall",
        {
            "query": "when do we ship?", "limit": 1, "kinds": ["fact"], "tags": ["ops"], "session": "s9",
            "since": "2026-01-01", "until": "2026-02-01T00:00:00Z", "min_score": 0.01,
            "include_archived": True,
        },
        {},
    ),
    ("context", {"query": "when do we ship?", "max_tokens": 100}, {}),
    ("get", {"id": "{item}"}, {"content": "Ship on Monday"}),
    (
        "update",
        {
            "id": "{item}", "content": "Ship on Friday", "importance": 3, "tags": ["a", "b"], "metadata": {"c": 1},
            "session": "s2", "role": "tool", "occurred_at": "2026-03-01", "expires_in": "3000d", "decay_rate": 1,
            "visibility": "public", "pinned": False, "source": "ci",
        },
        {"content": "Ship on Friday", "tags": ["a", "b"], "visibility": "public"},
    ),
    ("update", {"id": "{item}", "clear": ["metadata", "session"]}, {"tags": ["a", "b"]}),
    ("helpful", {"id": "{item}", "helpful": False}, {"id": "{item}"}),
    ("advise", {"task_type": "t", "state": {"n": 1}, "options": ["a", "b"], "episode": "e"}, {"mode": "explored"}),
    ("observe", {"decision_id": "{decision}", "action": "b", **OUTCOME}, {"action": "b", "reward": 0.5}),
    (
        "record_fix",
        {
            **PROBLEM, "commands": ["restart it"], "analysis": "slow", "fixer": "me", "success": True, "verified": True,
            "seconds": 3, "system": {"os": "Linux"}, "notes": "ok", "session": "s9", "task_id": "7",
            "visibility": "team", "occurred_at": "2026-01-02T03:04:05Z",
        },
        {"commands": ["restart it"], "seconds": 3.0, "visibility": "team"},
    ),
    ("record_fix", {"problem": "boom", "fingerprint": "DISK", "success": False}, {}),
    ("diagnose", {**PROBLEM, "limit": 3}, {"known": True}),
    ("diagnose", {"problem": "boom", "fingerprint": "DISK"}, {"known": True}),
    ("stats", {}, {"agent": "worker", "tenant": "lab", "memories": 1, "by_kind": {"fact": 1}, "learned": {"t": 1}}),
    ("forget", {"id": "{item}"}, {"forgotten": 1}),
]  # fmt: skip


def with_client(home: Path, use: Callable[[mcp.Client], Awaitable[None]], *words: str, old: bool = False) -> None:
    """Start a server as a client does, use it, and leave."""
    parameters = mcp.StdioServerParameters(
        command=sys.executable, args=[*SERVER, "--home", str(home), "--agent", "worker", "--tenant", "lab", *words]
    )

    async def run() -> None:
        with anyio.fail_after(45):
            async with mcp.Client(parameters, mode="legacy" if old else "auto") as client:
                await use(client)

    anyio.run(run)


def text_of(*content: types.ContentBlock) -> str:
    (only,) = content
    assert isinstance(only, types.TextContent)
    return only.text


def test_every_argument_of_every_tool(tmp_path: Path) -> None:
    """The client checks each answer against the tool's output schema."""
    made: dict[str, str] = {}

    async def use(client: mcp.Client) -> None:
        assert client.protocol_version == "2026-07-28"
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == {name for name, _, _ in CALLS}
        for tool in tools:
            used = {argument for name, arguments, _ in CALLS if name == tool.name for argument in arguments}
            assert used == set(tool.input_schema["properties"]), tool.name
        for name, arguments, expected in CALLS:
            filled = {key: made[part[1:-1]] if part in ("{item}", "{decision}") else part
                      for key, part in arguments.items()}  # fmt: skip
            result = await client.call_tool(name, filled)
            assert not result.is_error, (name, text_of(*result.content))
            answer = result.structured_content
            if name == "remember":
                made["item"] = answer["id"]
            if name == "advise":
                made["decision"] = answer["decision_id"]
            if name == "recall":
                assert [hit["item"]["id"] for hit in answer["hits"]] == [made["item"]]
            for key, part in expected.items():
                assert answer[key] == (made["item"] if part == "{item}" else part), (name, key)
            assert (
                text_of(*result.content) == answer["context"]
                if name == "context"
                else json.loads(text_of(*result.content)) == answer
            )

    with_client(tmp_path / "home", use)


def test_an_older_client_is_served(tmp_path: Path) -> None:
    async def use(client: mcp.Client) -> None:
        assert client.protocol_version < "2026"
        assert not (await client.call_tool("remember", {"content": "told by an old client"})).is_error
        assert "old client" in text_of(*(await client.call_tool("context", {"query": "who told?"})).content)

    with_client(tmp_path / "home", use, old=True)


def test_errors_say_what_to_do_and_nothing_is_stored(tmp_path: Path) -> None:
    async def use(client: mcp.Client) -> None:
        refused: list[tuple[str, dict[str, Any], str]] = [
            ("remember", {"content": " "}, "is empty"),
            ("remember", {"content": "x", "kind": "gossip"}, "one of context, error_pattern"),
            ("remember", {"content": "x", "importance": "9"}, "importance must be a number"),
            ("remember", {"content": "x", "importance": 11}, "1..10"),
            ("remember", {"content": "x", "agent": "root"}, "no argument 'agent'; the arguments are content"),
            ("remember", {}, "'content' is missing"),
            ("recall", {"query": "x", "since": "2026-01-01T00:00:00"}, "with its zone"),
            ("get", {"id": "nope"}, "recall and list"),
            ("update", {"id": "nope", "importance": 1}, "not an active item of agent"),
            ("update", {"id": "nope", "session": "s", "clear": ["session"]}, "do one of the two"),
            ("observe", {"decision_id": "nope", "success": True}, "not given by advise() to agent"),
        ]
        for name, arguments, says in refused:
            result = await client.call_tool(name, arguments)
            assert result.is_error, (name, arguments)
            assert says in text_of(*result.content)
            assert "Traceback" not in text_of(*result.content)
        assert (await client.call_tool("stats", {})).structured_content["memories"] == 0
        with pytest.raises(mcp.MCPError, match="There is no tool 'doctor'; there are remember, recall"):
            await client.call_tool("doctor", {})

    with_client(tmp_path / "home", use)


def test_resources_and_prompts(tmp_path: Path) -> None:
    with engrain.open(tmp_path / "home") as memory:
        agent = memory.agent("worker", tenant="lab")
        agent.remember_many([{"content": f"Fact number {n} about uploads"} for n in range(60)])
        foreign = memory.agent("worker", tenant="other").remember("a secret of another tenant")

    async def use(client: mcp.Client) -> None:
        first = await client.list_resources()
        second = await client.list_resources(cursor=first.next_cursor)
        resources = [*first.resources, *second.resources]
        assert [one.title for one in resources] == [f"Fact number {n} about uploads" for n in range(60)]
        assert second.next_cursor is None
        (content,) = (await client.read_resource(resources[7].uri)).contents
        assert isinstance(content, types.TextResourceContents)
        assert json.loads(content.text)["content"] == "Fact number 7 about uploads"
        (template,) = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "memory://{id}"
        for uri in (f"memory://{foreign.id}", "memory://nope", "memory://", "file:///etc/passwd"):
            with pytest.raises(mcp.MCPError):
                await client.read_resource(uri)
        assert [prompt.name for prompt in (await client.list_prompts()).prompts] == ["prime", "reflect"]
        (message,) = (await client.get_prompt("prime", {"task": "mend the uploads, a {context} too"})).messages
        assert "a {context} too" in text_of(message.content)
        assert "about uploads" in text_of(message.content)
        (message,) = (await client.get_prompt("reflect", {"task": "a {context} in braces"})).messages
        assert "a {context} in braces" in text_of(message.content)
        with pytest.raises(mcp.MCPError):
            await client.get_prompt("reflect", {"task": " "})

    with_client(tmp_path / "home", use)


def test_what_a_server_writes_others_read_and_tenants_stay_apart(tmp_path: Path) -> None:
    async def write(client: mcp.Client) -> None:
        assert not (
            await client.call_tool("remember", {"content": "the deploy key rotates", "visibility": "team"})
        ).is_error

    async def read(client: mcp.Client) -> None:
        hits = (await client.call_tool("recall", {"query": "deploy key"})).structured_content["hits"]
        assert [hit["item"]["agent"] for hit in hits] == ["worker"]

    with_client(tmp_path / "home", write, "--team", "ops")
    with_client(tmp_path / "home", read, "--agent", "mate", "--team", "ops")
    with engrain.open(tmp_path / "home") as memory:
        assert memory.agent("worker", tenant="lab").count() == 1
        assert memory.agent("worker", tenant="other").recall("deploy key") == []


# -- the process ------------------------------------------------------------------------------------------------------


class Raw:
    """A server and the bare protocol."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *SERVER, "--home", str(home), "--agent", "worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            bufsize=0,  # select must see all that there is
        )  # fmt: skip

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None and not stream.closed:
                stream.close()
        self.process.kill()
        self.process.wait()

    def send(self, **message: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], 45)[0], "no answer"
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.send(id=1, method=method, params=params)
        found: dict[str, Any] = self.answer()["result"]
        return found

    def greet(self, version: str = "2025-06-18") -> dict[str, Any]:
        """The handshake of a client that knows no newer protocol."""
        client = {"name": "old", "version": "1"}
        found = self.ask("initialize", protocolVersion=version, capabilities={}, clientInfo=client)
        self.send(method="notifications/initialized")
        return found

    def end(self) -> tuple[int, str]:
        """Wait for the end: the exit code and what was said on stderr."""
        assert self.process.stderr is not None
        code = self.process.wait(20)
        return code, self.process.stderr.read().decode()


@pytest.mark.parametrize("version", ["2025-06-18", "2024-11-05"])
def test_the_handshake_of_2025_and_a_closed_stdin(version: str, tmp_path: Path) -> None:
    with Raw(tmp_path / "home") as server:
        greeting = server.greet(version)
        assert greeting["protocolVersion"] == version
        assert greeting["serverInfo"]["name"] == "engrain"
        assert "recall" in greeting["instructions"]
        assert len(server.ask("tools/list")["tools"]) == 12
        kept = server.ask("tools/call", name="remember", arguments={"content": "kept"})
        assert kept["isError"] is False
        id_ = json.loads(kept["content"][0]["text"])["id"]
        server.ask("tools/call", name="helpful", arguments={"id": id_})
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert children == [], "a server needs no helper processes"
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert server.end() == (0, "")
    with engrain.open(tmp_path / "home") as memory:
        item = memory.agent("worker").get(id_)
        assert item is not None
        assert item.helpful == 1, "signals are flushed at the end"


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_cleanly(number: int, code: int, tmp_path: Path) -> None:
    with Raw(tmp_path / "home") as server:
        server.greet()
        kept = server.ask("tools/call", name="remember", arguments={"content": "kept"})
        id_ = json.loads(kept["content"][0]["text"])["id"]
        server.ask("tools/call", name="helpful", arguments={"id": id_})
        server.process.send_signal(number)
        assert server.end() == (code, "")
    with engrain.open(tmp_path / "home") as memory:
        item = memory.agent("worker").get(id_)
        assert item is not None
        assert item.helpful == 1


def test_a_client_that_dies_leaves_no_server_behind(tmp_path: Path) -> None:
    with Raw(tmp_path / "home") as server:
        server.greet()
        assert server.process.stdin is not None
        assert server.process.stdout is not None
        server.process.stdout.close()
        server.send(id=2, method="tools/call", params={"name": "remember", "arguments": {"content": "last words"}})
        server.process.stdin.close()
        assert server.end() == (0, "")
    with engrain.open(tmp_path / "home") as memory:
        assert [item.content for item in memory.agent("worker").list()] in ([], ["last words"])  # nobody was told


def test_noise_on_the_wire_is_survived_and_a_home_that_cannot_open_is_told(tmp_path: Path) -> None:
    with Raw(tmp_path / "home") as server:
        assert server.process.stdin is not None
        server.process.stdin.write(b"this is not JSON\n\n")  # an empty line is no message
        told = server.answer()
        assert (told["id"], told["error"]["code"]) == (None, types.PARSE_ERROR)
        assert server.greet()["serverInfo"]["name"] == "engrain"
        half = {"name": "remember", "arguments": {"content": "bad \ud800 half"}}
        server.send(id=7, method="tools/call", params=half)
        told = server.answer()
        assert (told["id"], told["error"]["code"]) == (7, types.PARSE_ERROR)
        assert "surrogate" in told["error"]["message"]
        counted = server.ask("tools/call", name="stats", arguments={})
        assert counted["structuredContent"]["memories"] == 0
        server.process.stdin.close()
        code, said = server.end()
        assert code == 0, said
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "engrain.toml").write_text("frobnicate = 1\n")
    with Raw(tmp_path / "bad") as server:
        code, said = server.end()
        assert code == 3
        assert said.startswith("error: ")
        assert "frobnicate" in said
        assert said.count("\n") == 1


def test_one_home_serves_several_servers_at_once(tmp_path: Path) -> None:
    with Raw(tmp_path / "home") as one, Raw(tmp_path / "home") as two:
        for server in (one, two):
            server.greet()
        for number in range(10):
            for name, server in (("one", one), ("two", two)):
                server.send(id=number, method="tools/call", params={
                    "name": "remember", "arguments": {"content": f"{name} {number}"}
                })  # fmt: skip
        for server in (one, two):
            assert all(not server.answer()["result"]["isError"] for _ in range(10))
        seen = partial(one.ask, "tools/call", name="stats", arguments={})
        assert seen()["structuredContent"]["memories"] == 20
