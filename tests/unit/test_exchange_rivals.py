"""What other memories write is read: mem0, the reference memory server, transcripts, notes."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engrain.agent import Agent
from engrain.errors import InvalidInput
from engrain.exchange.formats import told_by
from engrain.testing import SimulatedWorld
from tests.postgres import Place

START = "2026-01-01T00:00:00Z"
MEM0 = {
    "id": "892db2ae-06d9-49e5-8b3e-585ef9b85b8e", "memory": "Prefers tea", "hash": "85d6", "user_id": "alex",
    "run_id": "r1", "metadata": {"app": "x"}, "categories": ["food"], "created_at": "2024-07-20T01:30:36.275141-07:00",
    "updated_at": None, "score": None,
}  # fmt: skip


@pytest.fixture
def agent(place: Place) -> Agent:
    return place.open(world=SimulatedWorld(START)).agent("a")


@pytest.mark.parametrize("shape", ['{"results": [ONE]}', "[ONE]", '{"count": 1, "next": null, "results": [ONE]}'])
def test_mem0(agent: Agent, tmp_path: Path, shape: str) -> None:
    for indent in (None, 2):
        (tmp_path / "mem0.json").write_text(
            json.dumps(json.loads(shape.replace("ONE", json.dumps(MEM0))), indent=indent)
        )
        agent.import_from(tmp_path / "mem0.json")
    (item,) = agent.list()
    assert (item.content, item.kind, item.session, item.tags) == ("Prefers tea", "fact", "r1", ("food",))
    assert item.metadata == {"app": "x", "mem0": {"id": MEM0["id"], "hash": "85d6", "user_id": "alex"}}
    assert item.occurred_at == item.created_at == datetime(2024, 7, 20, 8, 30, 36, 275141, UTC)


def test_the_reference_memory_server(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "memory.jsonl"
    entity = {"type": "entity", "name": "Ann", "entityType": "person", "observations": ["likes tea"]}
    relation = {"type": "relation", "from": "Ann", "to": "Acme", "relationType": "works at"}
    path.write_text(f"{json.dumps(entity)}\n{json.dumps(relation)}\n")
    assert agent.import_from(path).imported == 2
    assert [item.content for item in agent.list()] == ["Ann (person)\nlikes tea", "Ann works at Acme"]
    agent._memory.world.advance(days=1)  # type: ignore[attr-defined]
    entity["observations"] = ["likes coffee"]
    path.write_text(f"{json.dumps(entity)}\n{json.dumps(relation)}\n")
    assert agent.import_from(path).overwritten == 1
    assert agent.lookup("fact", "entity:Ann").content == "Ann (person)\nlikes coffee"  # type: ignore[union-attr]
    assert agent.count() == 2


def _line(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": kind, "sessionId": "s-1", "timestamp": "2026-01-20T11:57:17.716Z", "uuid": "u",
            "message": {"role": kind, "content": content}, **more}  # fmt: skip


def test_transcripts(agent: Agent, tmp_path: Path) -> None:
    secret = "AKIA" + "QYLPMN5HFIQR7BBB"
    project = tmp_path / "projects" / "-home-me"
    project.mkdir(parents=True)
    lines = [
        {"type": "summary", "summary": "A session", "leafUuid": "u"},
        {"type": "file-history-snapshot", "snapshot": {}},
        _line("user", f"Deploy it with {secret} please"),
        _line("user", "<command-name>/clear</command-name>"),
        _line("user", "Caveat: made by the program", isMeta=True),
        _line("user", "a helper's words", isSidechain=True),
        _line("assistant", [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "It is deployed."}]),
        _line("assistant", [{"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "ls"}}]),
        _line("user", [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "a.txt"}]}]),
        _line("user", [{"type": "image", "source": {"data": "AAAA"}}]),
        {"type": "something new", "message": {"content": "x"}},
    ]
    (project / "s-1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for source in (tmp_path / "projects", project / "s-1.jsonl"):
        agent.import_from(source)
    found = [(item.role, item.content) for item in agent.list()]
    assert found[1:] == [("assistant", "It is deployed."), ("tool", "a.txt")]
    assert found[0][0] == "user"
    assert secret not in found[0][1]
    assert {(item.session, item.source) for item in agent.list()} == {("s-1", "claude-code")}
    assert agent.list()[0].occurred_at == datetime(2026, 1, 20, 11, 57, 17, 716000, UTC)


def test_the_noise_in_a_transcript_costs_no_time() -> None:
    from engrain.exchange.transcripts import _quiet

    assert _quiet("<system-reminder>" * 60_000).startswith("<system-reminder>")
    assert _quiet("a <system-reminder>x</system-reminder>b[Request interrupted by user for tool use]") == "a b"
    assert _quiet("[Request interrupted by user" * 30_000).startswith("[Request")


def test_notes(agent: Agent, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    (notes / "deep" / ".hidden").mkdir(parents=True)
    (notes / "a.md").write_text("---\ntitle: A\ntags: [x, 'y z']\nmore:\n  - one\n  - two\n---\n# Head\n\ntext\n")
    (notes / "deep" / "b.md").write_bytes(b"\xef\xbb\xbfplain --- text")
    (notes / "empty.md").write_text("")
    (notes / "c.txt").write_text("no note")
    (notes / "deep" / ".hidden" / "h.md").write_text("hidden")
    (tmp_path / "outside.md").write_text("outside")
    (notes / "link.md").symlink_to(tmp_path / "outside.md")
    (notes / "up").symlink_to(tmp_path)
    os.mkfifo(notes / "pipe.md")
    assert agent.import_from(notes).imported == 2
    first = agent.lookup("knowledge", "a.md")
    assert first is not None
    assert (first.content, first.tags, first.metadata) == (
        "# Head\n\ntext",
        ("x", "y z"),
        {"title": "A", "more": ["one", "two"]},
    )
    assert agent.import_from(notes).skipped == 2
    (notes / "a.md").write_text("changed")
    later = first.updated_at + timedelta(days=1)
    os.utime(notes / "a.md", (later.timestamp(), later.timestamp()))
    came = agent.import_from(notes)
    assert (came.overwritten, came.skipped) == (1, 1)
    assert [item.content for item in agent.history("knowledge", "a.md")] == ["changed", "# Head\n\ntext"]
    (notes / "bad.md").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match=r"bad\.md: It is not UTF-8"):
        agent.import_from(notes)


@pytest.mark.parametrize(
    ("name", "head", "format_"),
    [
        ("x.csv", "content\n", "csv"),
        ("x.json", '{"engrain": {"version": 1},\n"items": [', "json"),
        ("x.json", '{"engrain": {"version": 1}, "items": []}', "json"),
        ("x.json", '[{"content": "x"}]', "json"),
        ("x.jsonl", '{"engrain": {"version": 1}}\n', "jsonl"),
        ("x.jsonl", '{"content": "x"}', "jsonl"),
        ("x.jsonl", '{"content": "x and no end', "jsonl"),
        ("x.jsonl", '{"sessionId": "s", "message": "no end', "claude-code"),
        ("x.jsonl", '{"type": "user", "message": {}}', "claude-code"),
        ("memory.json", '{"type":"entity","name":"x"}\n', "mcp-memory"),
        ("x.json", '{\n  "results": [\n {\n "id": "1",\n "memory": "x"', "mem0"),
    ],
)
def test_a_format_is_told_by_what_is_there(name: str, head: str, format_: str) -> None:
    assert told_by(name, head.encode()) == format_
