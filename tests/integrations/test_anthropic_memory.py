"""Anthropic's memory tool: its six commands answer what the tool of the SDK answers over real files; paths are safe."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from anthropic import Anthropic
from anthropic.lib.tools import ToolError
from anthropic.tools.memory import BetaAbstractMemoryTool, BetaLocalFilesystemMemoryTool
from hypothesis import example, given, settings
from hypothesis import strategies as st

import engrain
from engrain.integrations.anthropic_memory import EngrainAsyncMemoryTool, EngrainMemoryTool
from engrain.memory import Memory
from tests.life import sweep
from tests.postgres import Place

PATHS = [
    "/memories", "/memories/a.txt", "/memories/b.md", "/memories/dir", "/memories/dir/c.txt", "/memories/dir/sub/d.txt",
    "/memories/dir/sub/deep/e.txt", "/memories/.hidden", "/memories//a.txt", "/memories/./b.md",
]  # fmt: skip
TEXTS = ["", "one", "one\n", "one\ntwo\nthree\n", "two\r\nlines\r\n", "é\n\nü\n", "  \n", "aXa aXa\nX", "x" * 1500]
path = st.sampled_from(PATHS)
text = st.sampled_from(TEXTS)
COMMANDS = st.one_of(
    st.fixed_dictionaries({"command": st.just("create"), "path": path, "file_text": text}),
    st.fixed_dictionaries({"command": st.just("create"), "path": path, "file_text": text}),
    st.fixed_dictionaries(
        {"command": st.just("view"), "path": path}, optional={"view_range": st.lists(st.integers(-1, 5), max_size=3)}
    ),
    st.fixed_dictionaries(
        {"command": st.just("str_replace"), "path": path, "old_str": st.sampled_from(["one", "X", "\n", "zzz", "é"]),
         "new_str": text}
    ),
    st.fixed_dictionaries(
        {"command": st.just("insert"), "path": path, "insert_line": st.integers(-1, 4), "insert_text": text}
    ),
    st.fixed_dictionaries({"command": st.just("delete"), "path": path}),
    st.fixed_dictionaries({"command": st.just("rename"), "old_path": path, "new_path": path}),
)  # fmt: skip


def asked(tool: BetaAbstractMemoryTool, command: dict[str, Any]) -> tuple[bool, str]:
    """Whether it was done, and what the model is told."""
    try:
        return True, str(tool.call(command))
    except ToolError as error:
        return False, str(error.content)


def comparable(told: str) -> str:
    """Folders have no size of their own here, and are there while something is in them."""
    return re.sub(r"^\S+\t(/memories(?:/dir(?:/sub(?:/deep)?)?)?/?)$", r"\1", told, flags=re.MULTILINE)


@settings(max_examples=30, deadline=None)
@given(st.lists(COMMANDS, max_size=14))
@example([{"command": "create", "path": "/memories/dir/c.txt", "file_text": "  \n"},
          {"command": "view", "path": "/memories"},
          {"command": "rename", "old_path": "/memories/dir", "new_path": "/memories/other"}])  # fmt: skip
def test_each_command_answers_what_the_tool_of_the_sdk_answers(commands: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder, engrain.open(Path(folder) / "home", embedder="hash") as memory:
        theirs = BetaLocalFilesystemMemoryTool(folder)
        ours = EngrainMemoryTool(memory.agent("claude"))
        for command in commands:
            for hollow in sorted(Path(folder, "memories").rglob("*"), reverse=True):
                if hollow.is_dir() and not any(hollow.iterdir()):
                    hollow.rmdir()
            try:
                expected = asked(theirs, command)
            except OSError:  # theirs does not foresee it; ours says no
                assert not asked(ours, command)[0], command
                return
            found = asked(ours, command)
            if expected[1].startswith("The path") and command["command"] == "rename" and not found[0]:
                continue  # nothing was moved; which of two mistakes is told first differs
            assert (found[0], comparable(found[1])) == (expected[0], comparable(expected[1])), command


@pytest.fixture
def home(tmp_path: Path) -> Memory:
    return engrain.open(tmp_path / "home", embedder="hash")


BAD = [
    "", " ", "/", "memories/a", "/etc/passwd", "/memoriesx", "/memories/../x", "/memories/a/../../x", "/memories/..",
    "/memories/%2e%2e/x", "/memories/%2E%2E%2Fx", "/memories/%252e%252e/x", "/memories/..%2f..%2fx",
    "/memories/..\\x", "/memories/.. /x", "/memories/a\0b", "/memories/a\nb", "/memories/ /a", "/memories/%00",
    "~/memories/a", "/memories/" + "x" * 500, "/memories/a\\b", "file:///memories/a", "/MEMORIES/a", None, 7,
]  # fmt: skip


def test_no_path_leads_out_or_is_no_path(home: Memory) -> None:
    tool = EngrainMemoryTool(home.agent("claude"))
    for bad in BAD:
        for command in (
            {"command": "view", "path": bad}, {"command": "create", "path": bad, "file_text": "x"},
            {"command": "str_replace", "path": bad, "old_str": "x", "new_str": "y"}, {"command": "delete", "path": bad},
            {"command": "insert", "path": bad, "insert_line": 0, "insert_text": "x"},
            {"command": "rename", "old_path": "/memories/a", "new_path": bad},
            {"command": "rename", "old_path": bad, "new_path": "/memories/b"},
        ):  # fmt: skip
            assert not asked(tool, command)[0], command
    assert home.agent("claude").count() == 0
    home.close()


def test_files_are_bounded_kept_found_and_nobody_elses(place: Place, world: Any) -> None:
    memory = place.open(world=world)
    agent = memory.agent("claude", tenant="acme")
    tool = EngrainMemoryTool(agent, max_bytes=100, max_files=2)
    create: Callable[..., tuple[bool, str]] = lambda path, text: asked(  # noqa: E731
        tool, {"command": "create", "path": path, "file_text": text}
    )
    assert create("/memories/tea.md", "The customer drinks Assam tea, token ghp_" + "aB3dE6gH9j" * 3 + "aB3dE6") == (
        True, "File created successfully at: /memories/tea.md",
    )  # fmt: skip
    assert "exceeds maximum size of 100 bytes" in create("/memories/b", "x" * 101)[1]
    assert create("/memories/b", "\ud800")[0] is False
    assert create("/memories/b/c", "x")[0]
    assert create("/memories/b/d", "x") == (False, "There are 2 files, which is the limit; delete one first.")
    seen = asked(tool, {"command": "view", "path": "/memories/tea.md"})[1]
    assert "Assam" in seen
    assert "[redacted:" in seen
    for _ in range(4):
        world.advance(days=100)
        sweep(memory)
    assert asked(tool, {"command": "view", "path": "/memories/tea.md"})[1] == seen
    assert agent.recall("what does the customer drink?")[0].item.key == "memory-tool:/memories/tea.md"
    for other in (memory.agent("else", tenant="acme"), memory.agent("claude", tenant="other")):
        assert "tea" not in asked(EngrainMemoryTool(other), {"command": "view", "path": "/memories"})[1]
    assert asyncio.run(EngrainAsyncMemoryTool(agent).call({"command": "view", "path": "/memories/tea.md"})) == seen
    assert tool.clear_all_memory() == "All memory cleared"
    assert agent.count() == 0


WRITER = """
import sys, engrain
from engrain.errors import InvalidField
from engrain.integrations.memory_files import MemoryFiles
with engrain.open(**{place!r}) as memory:
    files = MemoryFiles(memory.agent("claude"))
    for n in range({n}):
        try:
            files.create(f"/memories/n{{n}}", "first\\n"); print("created", n)
        except InvalidField:
            pass
        files.insert("/memories/log.txt", 0, sys.argv[1] + str(n))
"""


def test_processes_that_edit_one_file_undo_nothing_of_each_other(place: Place) -> None:
    n = 12
    with engrain.open(**place.arguments, embedder="hash") as memory:
        tool = EngrainMemoryTool(memory.agent("claude"))
        tool.call({"command": "create", "path": "/memories/log.txt", "file_text": "the end\n"})
    program = WRITER.format(place={**place.arguments, "embedder": "hash"}, n=n)
    running = [
        subprocess.Popen([sys.executable, "-c", program, name], stdout=subprocess.PIPE, text=True) for name in "ab"
    ]
    told = [one.communicate(timeout=50)[0] for one in running]
    assert [one.returncode for one in running] == [0, 0]
    assert sorted("".join(told).split("\n")[:-1]) == sorted(f"created {number}" for number in range(n))
    with place.open() as memory:
        tool = EngrainMemoryTool(memory.agent("claude"))
        lines = str(tool.call({"command": "view", "path": "/memories/log.txt"})).split("\n")[1:]
        assert {line.split("\t")[1] for line in lines} >= {f"{name}{number}" for name in "ab" for number in range(n)}


def test_the_tool_runner_of_the_sdk_uses_it(home: Memory) -> None:
    answers: Any = iter([
        {"type": "tool_use", "id": "t1", "name": "memory",
         "input": {"command": "create", "path": "/memories/n", "file_text": "likes tea"}},
        {"type": "tool_use", "id": "t2", "name": "memory", "input": {"command": "view", "path": "/memories/gone"}},
        {"type": "text", "text": "Noted."},
    ])  # fmt: skip
    requests: list[str] = []

    def reply(request: httpx2.Request) -> httpx2.Response:
        requests.append(request.content.decode())
        block: dict[str, Any] = next(answers)
        reason = "end_turn" if block["type"] == "text" else "tool_use"
        body = {"id": "m", "type": "message", "role": "assistant", "model": "fake", "content": [block]}
        return httpx2.Response(
            200, json={**body, "stop_reason": reason, "usage": {"input_tokens": 1, "output_tokens": 1}}
        )

    with httpx2.Client(transport=httpx2.MockTransport(reply)) as http:
        client = Anthropic(api_key="none", http_client=http, base_url="http://fake")
        runner = client.beta.messages.tool_runner(
            model="fake", max_tokens=9, tools=[EngrainMemoryTool(home.agent("claude"))],
            messages=[{"role": "user", "content": "I like tea"}],
        )  # fmt: skip
        assert runner.until_done().content[0].text == "Noted."  # type: ignore[union-attr]
    assert '"memory_20250818"' in requests[0]
    assert "File created successfully at: /memories/n" in requests[1]
    assert "does not exist. Please provide a valid path." in requests[2]
    assert home.agent("claude").recall("tea")[0].item.content == "likes tea"
    home.close()
