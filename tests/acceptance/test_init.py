"""``engrain init``: adds its own characters to a client's file, twice as once, and takes exactly them back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mcp
import pytest
from anyio import run as run_async
from hypothesis import given, settings
from hypothesis import strategies as st

from engrain import open as open_memory
from engrain.errors import ConfigError, InvalidField
from engrain.shells.cli import main
from engrain.shells.init import init, undo
from tests.postgres import Server

NAMES = st.sampled_from(["mcpServers", "engrain", "a", 'quo"te', "ü", ""]) | st.text(max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)
# Anything at all, and often what a client's file looks like.
FILES = st.dictionaries(NAMES, VALUES, max_size=4).map(
    lambda found: {k: v if k != "mcpServers" or isinstance(v, dict) else {} for k, v in found.items()}
) | st.fixed_dictionaries({"mcpServers": st.dictionaries(NAMES, VALUES, max_size=3)})
LAYOUTS: list[dict[str, Any]] = [
    {"indent": 2}, {"indent": 4}, {"indent": "\t"}, {"indent": None}, {"indent": None, "separators": (",", ":")},
    {"indent": 1, "separators": (" , ", " : ")}, {"indent": 2, "ensure_ascii": False},
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("init")


def add(home: Path, agent: str = "default") -> list[str]:
    return init(str(home / ".engrain"), agent, "default", None, str(home / ".mcp.json"))


def take_back(home: Path) -> list[str]:
    return undo(str(home / ".engrain"), str(home / ".mcp.json"))


@settings(max_examples=80, deadline=None)
@given(FILES, st.sampled_from(LAYOUTS), st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", "\n", " \n\n", "\ufeff"]))
def test_any_file_survives(home: Path, whole: dict[str, Any], layout: dict[str, Any], newline: str, end: str) -> None:
    text = json.dumps(whole, **layout).replace("\n", newline)
    text = end + text if end == "\ufeff" else text + end
    path = home / ".mcp.json"
    path.write_bytes(text.encode())

    add(home)
    once = path.read_bytes()
    servers = json.loads(once.decode("utf-8-sig"))["mcpServers"]
    assert servers.pop("engrain")["args"][-2:] == ["--agent", "default"]
    expected = dict(whole.get("mcpServers", {}))
    expected.pop("engrain", None)
    assert list(servers.items()) == list(expected.items())
    others = {name: part for name, part in json.loads(once.decode("utf-8-sig")).items() if name != "mcpServers"}
    assert others == {name: part for name, part in whole.items() if name != "mcpServers"}

    add(home)
    assert path.read_bytes() == once, "twice is the same as once"
    add(home, "another")
    assert json.loads(path.read_bytes().decode("utf-8-sig"))["mcpServers"]["engrain"]["args"][-1] == "another"
    take_back(home)
    assert path.read_bytes() == text.encode(), "undone to the character"
    take_back(home)
    assert json.loads(path.read_bytes().decode("utf-8-sig")).get("mcpServers", {}).get("engrain") is None


def test_a_file_that_init_made_is_taken_away_and_the_home_stays(tmp_path: Path) -> None:
    add(tmp_path)
    assert (tmp_path / ".mcp.json").read_bytes().endswith(b"}\n")
    assert any("is gone" in step for step in take_back(tmp_path))
    assert not (tmp_path / ".mcp.json").exists()
    assert (tmp_path / ".engrain" / "engrain.db").exists()
    assert not (tmp_path / ".engrain" / "init.json").exists()
    assert take_back(tmp_path) == [f"{tmp_path / '.mcp.json'} does not have engrain."]


def test_what_was_added_since_stays(tmp_path: Path) -> None:
    add(tmp_path)
    path = tmp_path / ".mcp.json"
    whole = json.loads(path.read_text())
    whole["mcpServers"]["other"] = {"command": "x"}
    path.write_text(json.dumps(whole, indent=4))
    take_back(tmp_path)
    assert json.loads(path.read_text()) == {"mcpServers": {"other": {"command": "x"}}}


def test_a_reformatted_file_of_ours_alone_is_taken_away(tmp_path: Path) -> None:
    add(tmp_path)
    path = tmp_path / ".mcp.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    take_back(tmp_path)
    assert not path.exists()


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b'{"a": 1,}', b"[]", b'"x"', b'{"mcpServers": []}', b"{} // comment", b"\xff\xfe", b'{"a": 1} {}'],
)
def test_a_file_that_cannot_be_understood_is_left_alone(text: bytes, tmp_path: Path) -> None:
    (tmp_path / ".mcp.json").write_bytes(text)
    for act in (add, take_back):
        with pytest.raises(ConfigError, match=r"\.mcp\.json"):
            act(tmp_path)
    assert (tmp_path / ".mcp.json").read_bytes() == text
    assert [path.name for path in tmp_path.iterdir()] == [".mcp.json"], "nothing else was made"


def test_links_and_modes_are_kept(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "servers.json"
    real.write_text('{"mcpServers": {}}')
    real.chmod(0o640)
    (tmp_path / ".mcp.json").symlink_to(real)
    add(tmp_path)
    assert (tmp_path / ".mcp.json").is_symlink()
    assert "engrain" in json.loads(real.read_text())["mcpServers"]
    assert real.stat().st_mode & 0o777 == 0o640
    take_back(tmp_path)
    assert real.read_text() == '{"mcpServers": {}}'
    assert sorted(path.name for path in real.parent.iterdir()) == ["servers.json"], "no scraps are left"


def test_a_folder_that_may_not_be_written_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be written|cannot be read"):
        init(str(tmp_path / "home"), "a", "default", None, str(tmp_path / "file" / ".mcp.json"))


def test_a_password_stays_out_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://me:hunter2@localhost/x"
    monkeypatch.setenv("ENGRAIN_HOME", url)
    for home in (url, None):
        with pytest.raises(InvalidField, match="password file"):
            init(home, "a", "default", None, str(tmp_path / ".mcp.json"))
    assert not (tmp_path / ".mcp.json").exists()


@pytest.mark.postgres
def test_a_server_is_a_home_too(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings lie in the usual folder; the memories of every shell are in the server."""
    database = server.fresh()
    url = server.url(database).replace(":x@", "@")
    try:
        monkeypatch.setenv("ENGRAIN_HOME", url)
        monkeypatch.chdir(tmp_path)
        assert main(["init"]) == 0
        assert sorted(path.name for path in tmp_path.iterdir()) == [".engrain", ".mcp.json"]
        assert main(["remember", "the server remembers"]) == 0
        with open_memory(url, home=tmp_path / ".engrain") as memory:
            assert memory.agent("default").count() == 1
        assert main(["recall", "who remembers?"]) == 0
        words = json.loads((tmp_path / ".mcp.json").read_text())["mcpServers"]["engrain"]["args"]
        assert url in words
        assert main(["init", "--undo"]) == 0
        assert not (tmp_path / ".mcp.json").exists()
    finally:
        server.drop(database)


def test_settings_of_the_user_stay_and_defaults_are_shown(tmp_path: Path) -> None:
    add(tmp_path)
    settings_file = tmp_path / ".engrain" / "engrain.toml"
    lines = settings_file.read_text().splitlines()
    assert all(line.startswith("#") for line in lines)
    settings_file.write_text("\n".join(line.removeprefix("# ") if " = " in line else line for line in lines))
    add(tmp_path)
    assert "\nredact = true" in settings_file.read_text()
    assert main(["count", "--home", str(tmp_path / ".engrain")]) == 0


def test_what_init_writes_starts_a_server(tmp_path: Path) -> None:
    """As a client would start it: from the folder of its file, with the command as written there."""
    words = ["init", "--agent", "worker", "--tenant", "lab", "--team", "ops", "--mcp-file", "my.json", "--json"]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ENGRAIN_")}
    done = subprocess.run(
        [sys.executable, "-m", "engrain", *words], cwd=tmp_path, env=environ, capture_output=True, check=True
    )
    assert len(json.loads(done.stdout)["steps"]) == 4
    entry = json.loads((tmp_path / "my.json").read_text())["mcpServers"]["engrain"]
    assert entry["args"][entry["args"].index("--home") + 1] == ".engrain"

    async def use() -> None:
        server = mcp.StdioServerParameters(command=entry["command"], args=entry["args"], cwd=tmp_path, env=environ)
        async with mcp.Client(server) as client:
            stats = (await client.call_tool("stats", {})).structured_content
            assert (stats["agent"], stats["tenant"], stats["team"]) == ("worker", "lab", "ops")

    run_async(use)
    undone = subprocess.run(
        [sys.executable, "-m", "engrain", "init", "--undo", "--mcp-file", "my.json"],
        cwd=tmp_path,
        env=environ,
        check=True,
    )
    assert undone.returncode == 0
    assert not (tmp_path / "my.json").exists()
