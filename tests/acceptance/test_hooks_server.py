"""What hooks leave for a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import engrain
from engrain.shells.hooks.events import respond
from engrain.spool import Spool
from engrain.world import RealWorld
from tests.hooks import event


def test_what_waits_for_a_server_comes_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits in the project's folder, wherever in it the hook was called, and the home there lets it wait."""
    (tmp_path / "sub").mkdir()
    given = json.dumps(event("PostToolUse", tool_name="Write")).encode()
    for folder, server in ((tmp_path, "a"), (tmp_path / "sub", "a"), (tmp_path, "b")):
        monkeypatch.chdir(folder)
        words = ["--home", f"http://127.0.0.1:9/{server}", "--agent=ann"]
        assert respond(words, given, {"CLAUDE_PROJECT_DIR": str(tmp_path)}, RealWorld().now) == ""
    spools = [Spool(tmp_path / ".engrain", f"http://127.0.0.1:9/{server}") for server in "ab"]
    assert [len(one.waiting()) for one in spools] == [2, 1]
    with engrain.open(tmp_path / ".engrain") as memory:
        assert memory.agent("ann").experiences() == []
    assert [len(one.waiting()) for one in spools] == [2, 1]
    assert not (tmp_path / "sub" / ".engrain").exists()
