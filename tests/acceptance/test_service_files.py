"""The files by which systemd and launchd run the daemon: what they say is what is meant, and nobody's file is lost."""

from __future__ import annotations

import json
import os
import plistlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engrain.errors import ConfigError, InvalidField, NotFound
from engrain.shells.cli import main
from engrain.shells.install import MARK, Installed, install

ODD = [
    "plain",
    "with space",
    'a "quote"',
    "per%cent %h",
    "$HOME",
    "back\\slash\\n",
    "ümläut 日本",
    "semi;colon 'x'",
    "-- x",
]


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with nothing installed."""
    for name in ("ENGRAIN_HOME", "ENGRAIN_EMBEDDER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user" / ".config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "user"


def a_home(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def setting(text: str, name: str) -> str:
    (found,) = re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)
    return str(found)


def words(line: str) -> list[str]:
    """A line as systemd reads it: words, quotes and backslashes within them, %% for %."""
    found: list[str] = []
    for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line):
        assert not re.search(r"(?<!%)(?:%%)*%(?!%)", quoted), "a specifier of systemd's"
        found.append(re.sub(r"\\(.)", r"\1", quoted).replace("%%", "%") if quoted else bare)
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters="/"), min_size=1, max_size=30))
@example("a\\")
@example(" a ")
def test_a_service_runs_the_daemon_of_its_home_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    if name in (".", "..") or len(name.encode()) > 200:
        return
    home = a_home(tmp_path / f"h{name}" / "x")
    label = plistlib.loads(install(str(home), show=True, platform="darwin").text.encode())
    assert label["ProgramArguments"][-5:] == ["engrain", "daemon", "run", "--home", str(home)]
    assert label["ProgramArguments"][4] == sys.executable
    assert label["WorkingDirectory"] == str(home.parent)
    try:
        unit = install(str(home), show=True, platform="linux").text
    except InvalidField:
        assert name != name.strip() or name.endswith("\\")
        return
    program, *rest = words(setting(unit, "ExecStart"))
    assert program == sys.executable
    assert [word.replace("$$", "$") for word in rest] == ["-m", "engrain", "daemon", "run", "--home", str(home)]
    assert not re.search(r"(?<!\$)(?:\$\$)*\$(?!\$)", setting(unit, "ExecStart")), "systemd would put a variable there"
    assert words(setting(unit, "ReadWritePaths")) == [str(home), "%T"]
    assert setting(unit, "WorkingDirectory").replace("%%", "%") == str(home.parent)


def complaints(path: Path) -> list[str]:
    """What systemd has to say of a unit. It reads it; nothing is started."""
    line = ["systemd-analyze", "--user", "verify", str(path)]
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(path.parent)}
    done = subprocess.run(line, env=environ, capture_output=True, text=True, check=False)
    assert "Failed to" not in done.stderr, done.stderr
    return [line for line in done.stderr.splitlines() if path.name in line]


@pytest.mark.parametrize("system", [False, True])
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_systemd_finds_nothing_wrong(tmp_path: Path, system: bool) -> None:
    for number, name in enumerate(ODD):
        path = tmp_path / f"engrain{number}.service"
        path.write_text(install(str(a_home(tmp_path / name)), system=system, show=True).text, encoding="utf-8")
        assert complaints(path) == []
    path.write_text(path.read_text(encoding="utf-8").replace("Nice=", "Mice="), encoding="utf-8")
    assert complaints(path), "it would not say so"


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_installed_twice_is_once_and_each_home_has_its_own(tmp_path: Path, user: Path, platform: str) -> None:
    first, second = a_home(tmp_path / "first"), a_home(tmp_path / "second -- one")

    def put(home: Path, **how: bool) -> Installed:
        return install(str(home), platform=platform, **how)

    one, other = put(first), put(second)
    assert Path(one.path).read_text(encoding="utf-8") == one.text
    folder = user / (".config/systemd/user" if platform == "linux" else "Library/LaunchAgents")
    assert [Path(one.path).parent, Path(other.path).parent] == [folder, folder]
    base = "engrain.service" if platform == "linux" else "dev.engrain.daemon.plist"
    assert Path(one.path).name == base
    assert re.fullmatch(base.replace(".", r"\.(?=\w+$)", 0).replace(".service", r"-\w{8}\.service").replace(
        ".plist", r"-\w{8}\.plist"), Path(other.path).name)  # fmt: skip
    assert put(first).path == one.path
    put(first, uninstall=True)
    assert put(second).path == other.path, "it has its name already"
    put(second, uninstall=True)
    assert [path.name for path in folder.iterdir()] == []
    with pytest.raises(NotFound, match="Nothing is installed"):
        put(first, uninstall=True)


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_file_of_somebody_else_stays(tmp_path: Path, platform: str) -> None:
    home = a_home(tmp_path / "home")
    path = Path(install(str(home), show=True, platform=platform).path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff mine")
    for how in ({}, {"show": True}):
        with pytest.raises(InvalidField, match=r"is not engrain's"):
            install(str(home), platform=platform, **how)
    with pytest.raises(NotFound):
        install(str(home), platform=platform, uninstall=True)
    assert path.read_bytes() == b"\xff mine"
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_read_or_found_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = a_home(tmp_path / "home")
    path = Path(install(str(home), show=True, platform="linux").path)
    path.mkdir(parents=True)
    with pytest.raises(InvalidField, match=r"is not engrain's"):
        install(str(home), platform="linux")
    shutil.rmtree(path.parent)
    path.parent.write_text("a file where the folder would be")
    with pytest.raises(ConfigError, match="cannot be written"):
        install(str(home), platform="linux")
    with pytest.raises(NotFound):
        install(str(home), platform="linux", uninstall=True)
    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for a user whom no list knows
    with pytest.raises(ConfigError, match="set HOME"):
        install(str(home), platform="linux")


def test_taken_away_it_is_not_started_any_more(tmp_path: Path) -> None:
    """What systemctl enable has made is gone, too."""
    home = a_home(tmp_path / "home")
    path = Path(install(str(home)).path)
    wants = path.parent / "default.target.wants"
    wants.mkdir()
    (wants / path.name).symlink_to(path)
    home.rmdir()  # also of a home that is gone
    found = install(str(home), uninstall=True)
    assert found.commands == ["systemctl --user stop engrain.service", "systemctl --user daemon-reload"]
    assert list(wants.iterdir()) == []


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("url", ["postgresql://ann:s3cret@db:5432/mem", "postgres://db/mem?user=ann&password=s3cret"])
def test_a_password_is_in_no_file(tmp_path: Path, user: Path, platform: str, url: str) -> None:
    found = install(url, platform=platform)
    assert "s3cret" not in "".join([found.text, *found.commands, *found.notes])
    assert "s3cret" not in Path(found.path).read_text(encoding="utf-8")
    told = next(note for note in found.notes if "ENGRAIN_HOME=" in note)
    variables = user / ".config" / "engrain" / "engrain.env"
    assert str(variables) in told
    assert str(variables) in found.text
    assert ("ann@db:5432/mem" if "5432" in url else "postgres://db/mem") in told
    assert "--home" not in found.text
    assert install(url, platform=platform).path == found.path


def test_the_archive_beside_the_home_may_be_written(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home")
    (home / "engrain.toml").write_text(f'archive = "{tmp_path}/cold store"\n', encoding="utf-8")
    assert words(setting(install(str(home), show=True).text, "ReadWritePaths"))[1] == f"{tmp_path}/cold store"
    assert not (tmp_path / "cold store").exists()
    install(str(home))
    assert (tmp_path / "cold store").is_dir(), "systemd starts nothing that may write where nothing is"


def test_for_the_machine_it_runs_as_the_owner_of_the_home(tmp_path: Path) -> None:
    home = a_home(tmp_path / "home")
    found = install(str(home), system=True, show=True)
    assert found.path == "/etc/systemd/system/engrain.service"
    assert setting(found.text, "User") == home.owner()
    assert setting(found.text, "WantedBy") == "multi-user.target"
    assert found.commands[1] == "systemctl enable --now engrain.service"
    mac = install(str(home), system=True, show=True, platform="darwin")
    assert plistlib.loads(mac.text.encode())["UserName"] == home.owner()


@pytest.mark.parametrize(
    ("platform", "told"), [("win32", "schtasks /Create"), ("freebsd14", "engrain tick --home HOME > /dev/null")]
)
def test_elsewhere_it_says_what_to_use_instead(tmp_path: Path, platform: str, told: str) -> None:
    with pytest.raises(ConfigError, match="Service files are written for systemd and launchd") as caught:
        install(str(a_home(tmp_path / "home")), platform=platform)
    assert told in str(caught.value)


@pytest.mark.parametrize("home", ["nowhere", "http://127.0.0.1:8765", "line\nbreak", "end\\", " "])
def test_a_home_that_cannot_be_served_is_refused(tmp_path: Path, home: str) -> None:
    if home[0] in "le ":
        a_home(tmp_path / home / ("" if home.startswith("line") else "x"))
        home = f"{home}/x" if not home.startswith("line") else home
    with pytest.raises(InvalidField):
        install(home, platform="linux")
    assert not list(tmp_path.glob("user/**/*.service"))


def test_from_the_command_line(tmp_path: Path, user: Path, capsys: pytest.CaptureFixture[str],
                               monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("ENGRAIN_EMBEDDER", "hash")
    where = ["--home", str(a_home(tmp_path / "home"))]
    assert main(["daemon", "install", "--print", *where]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# Written by engrain")
    assert not user.exists(), "--print has written something"
    assert main(["daemon", "install", *where]) == 0
    said = capsys.readouterr().out
    assert "  systemctl --user daemon-reload\n  systemctl --user enable --now engrain.service\n" in said
    assert "ENGRAIN_EMBEDDER" in said
    assert (user / ".config/systemd/user/engrain.service").read_text(encoding="utf-8") == shown
    assert main(["daemon", "install", "--uninstall", "--user", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out)["there"] is False
    assert main(["daemon", "install", "--uninstall", *where]) == 1
    assert MARK not in capsys.readouterr().err
