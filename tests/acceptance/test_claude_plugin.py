"""``engrain init --claude-code``: a plugin that Claude Code finds; twice is as once, and it goes without a trace."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain.shells.claude_code import TEMPLATE
from engrain.shells.cli import main
from engrain.shells.hooks.events import EVENTS
from tests.hooks import event

PLUGIN = Path(".claude/skills/engrain")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose path is not easy, with settings and a skill of its user's."""
    folder = tmp_path / "it's a $HOME"
    (folder / ".claude" / "skills" / "mine").mkdir(parents=True)
    (folder / ".claude" / "settings.json").write_text('{"hooks": {"Stop": []},\n\t"model": "opus"}')
    (folder / ".claude" / "skills" / "mine" / "SKILL.md").write_text("# mine")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("ENGRAIN_HOME", raising=False)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "own"))
    return folder


def tree(folder: Path) -> dict[str, str | None]:
    """Everything in a folder but the home, files with their text."""
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8") if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if ".engrain" not in path.parts
    }


def run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What ``engrain init --claude-code`` says; it succeeds."""
    assert main(["init", "--claude-code", *words]) == 0
    return capsys.readouterr().out


def loaded(name: str) -> dict[str, Any]:
    found = json.loads((PLUGIN / name).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_the_plugin_comes_works_and_goes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(project)
    assert "a new session loads it" in run(capsys, "--agent", "ann", "--tenant", "acme")
    first = tree(project)
    assert "is there already" in run(capsys, "--agent", "ann", "--tenant", "acme")
    assert tree(project) == first
    assert {name: first[name] for name in before} == before
    assert loaded(".claude-plugin/plugin.json")["version"] == engrain.__version__
    assert loaded(".claude-plugin/plugin.json")["name"] == "engrain"
    assert (PLUGIN / "skills" / "memory" / "SKILL.md").read_text().startswith("---\nname: memory\ndescription: ")

    hooks = loaded("hooks/hooks.json")["hooks"]
    assert set(hooks) == set(EVENTS)
    commands = {name: group["hooks"][0]["command"] for name, (group,) in hooks.items()}
    with engrain.open() as memory:
        memory.agent("ann", tenant="acme").remember("Deploy on Tuesdays only.")
    for name, command in commands.items():  # as Claude Code runs them: by a shell, in some folder of the project
        raw = json.dumps(event(name) if name != "Stop" else {"hook_event_name": name}).encode()
        done = subprocess.run(
            ["sh", "-c", command], input=raw, capture_output=True, check=True, cwd=project / ".claude"
        )
        assert done.stderr == b""
        if name == "SessionStart":
            assert b"Deploy on Tuesdays only." in done.stdout
    server = loaded(".mcp.json")["mcpServers"]["engrain"]
    assert server["args"][-6:] == ["--home", str(project / ".engrain"), "--agent", "ann", "--tenant", "acme"]
    with engrain.open() as memory:
        assert memory.agent("ann", tenant="acme").experiences()
        assert next(one.ok for one in memory.doctor().checks if one.name == "hooks")

    assert "is gone" in run(capsys, "--undo")
    assert tree(project) == before
    assert "was not written for this home" in run(capsys, "--undo")


def test_what_a_user_has_stays(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys)
    skill = PLUGIN / "skills" / "memory" / "SKILL.md"
    skill.write_text("my own words")
    assert "was edited and stays as it is" in run(capsys, "--agent", "bob")
    assert skill.read_text() == "my own words"
    assert loaded(".mcp.json")["mcpServers"]["engrain"]["args"][-1] == "bob"
    assert "was edited and stays" in run(capsys, "--undo")
    assert [path.name for path in PLUGIN.rglob("*") if path.is_file()] == ["SKILL.md"]
    (project / ".mcp.json").write_text('{"mcpServers": {"engrain": {"command": "engrain"}}}')
    assert main(["init", "--claude-code"]) == 3  # a skill of that name, and no plugin of ours
    assert "is not engrain's plugin" in capsys.readouterr().err
    assert [path.name for path in PLUGIN.rglob("*") if path.is_file()] == ["SKILL.md"]
    assert "the tools are there twice" in run(capsys, "--user")
    assert main(["init", "--user"]) == 2


def test_for_all_projects_of_a_user(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "--user", "--home", str(tmp_path / "h"))
    own = tmp_path / "own"
    assert (own / "skills" / "engrain" / ".claude-plugin" / "plugin.json").is_file()
    assert not (project / PLUGIN).exists()
    run(capsys, "--user", "--home", str(tmp_path / "h"), "--undo")
    assert not own.exists()


def test_what_cannot_be_done_leaves_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that no agent may have; and a folder that cannot be made, which is not taken for ours afterwards."""
    assert main(["init", "--claude-code", "--agent", f"sk-ant-api03-{'aB3dE5gH7jK9mN1pQ' * 5}-xyzAA"]) == 2
    assert main(["init", "--claude-code", "--tenant", "a\0b"]) == 2
    assert not (project / PLUGIN).exists()
    (project / PLUGIN).symlink_to(project / "nowhere")
    assert main(["init", "--claude-code"]) == 3
    assert "cannot be made" in capsys.readouterr().err
    (project / PLUGIN).unlink()
    (project / PLUGIN).mkdir()
    (project / PLUGIN / "notes.md").write_text("mine")
    assert main(["init", "--claude-code"]) == 3
    assert [path.name for path in (project / PLUGIN).iterdir()] == ["notes.md"]


def test_the_packaged_plugin_is_whole() -> None:
    """It may be used as it is, with ``claude --plugin-dir``, where engrain is on the path."""
    manifest = json.loads((TEMPLATE / ".claude-plugin" / "plugin.json").read_text(encoding="utf-8"))
    assert manifest["version"] == engrain.__version__
    hooks = json.loads((TEMPLATE / "hooks" / "hooks.json").read_text(encoding="utf-8"))["hooks"]
    for name, groups in hooks.items():
        for hook in (one for group in groups for one in group["hooks"]):
            assert hook["type"] == "command"
            assert hook["command"] == f"engrain hook {name}"
            assert 0 < hook["timeout"] <= 60
    assert hooks["PostToolUse"][0]["hooks"][0]["async"] is True
