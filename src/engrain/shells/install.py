"""``engrain daemon install``: a file by which the machine's own service manager runs ``engrain daemon run``: a unit of
systemd, or a property list of launchd. Nothing is started: that is told how, and left to whoever reads it."""

from __future__ import annotations

import json
import os
import plistlib
import re
import shlex
import sys
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, fields
from hashlib import blake2b
from pathlib import Path
from urllib.parse import urlsplit

from engrain.config import Config, load
from engrain.errors import ConfigError, InvalidField, NotFound
from engrain.memory import HOME

MARK = "Written by engrain daemon install for"
CRON = "*/15 * * * *  engrain tick --home HOME > /dev/null"
TASK = 'schtasks /Create /SC MINUTE /MO 15 /TN engrain /TR "engrain tick --home HOME"'
_MARKED = re.compile(re.escape(MARK) + r' ("(?:[^"\\]|\\.)*")')
_LAUNCH = 'set -a; if [ -r "$0" ]; then . "$0"; fi; exec "$@"'  # launchd reads no file of variables


@dataclass(frozen=True, slots=True)
class Service:
    """What a service is. ``home`` is without a password; ``folder`` holds its settings; ``arguments`` start it;
    ``writes`` are the folders that it changes; ``variables`` is a file for its environment; ``owner`` it runs as, None
    for the user who has it."""

    name: str
    home: str
    server: bool
    folder: Path
    arguments: list[str]
    writes: list[Path]
    variables: Path
    owner: str | None

    @property
    def mark(self) -> str:
        """How a file says whose it is: in ASCII, and as a comment of XML may be."""
        return f"{MARK} {json.dumps(self.home)}".replace("-", "\\u002d")

    def unit(self) -> str:
        """The unit of systemd. Restarts after a failure, may write nothing but its folders, and is killed with all it
        has started when it does not stop in time."""
        program, *rest = self.arguments
        line = " ".join([_quoted(program), *(_quoted(word).replace("$", "$$") for word in rest)])
        writes = " ".join(_quoted(str(path)) for path in self.writes)
        target = "default.target" if self.owner is None else "multi-user.target"
        optional = "" if self.server else "-"
        lines = [
            f"# {self.mark}",
            *("[Unit]", f"Description=Background work of {_raw(self.home)} (engrain)", "After=network-online.target"),
            *("", "[Service]", "Type=exec", f"ExecStart={line}", f"WorkingDirectory={_raw(str(self.folder.parent))}"),
            f"EnvironmentFile={optional}{_raw(str(self.variables))}",
            *([] if self.owner is None else [f"User={self.owner}"]),
            *("Restart=on-failure", "RestartSec=10", "TimeoutStopSec=10", "KillMode=mixed", "Nice=10", "UMask=0077"),
            *("NoNewPrivileges=true", "ProtectSystem=strict", f"ReadWritePaths={writes} %T"),
            *("RestrictSUIDSGID=true", "LockPersonality=true"),
            *("", "[Install]", f"WantedBy={target}", ""),
        ]
        return "\n".join(lines)

    def property_list(self, label: str) -> str:
        """The property list of launchd."""
        facts = {
            "Label": label,
            "ProgramArguments": ["/bin/sh", "-c", _LAUNCH, str(self.variables), *self.arguments],
            "WorkingDirectory": str(self.folder.parent),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ExitTimeOut": 10,
            "ProcessType": "Background",
            "Umask": 0o077,
            "StandardErrorPath": str(self.folder / "daemon.log"),
            **({} if self.owner is None else {"UserName": self.owner}),
        }
        text = plistlib.dumps(facts).decode("utf-8")
        return text.replace("<plist ", f"<!-- {self.mark} -->\n<plist ", 1)


@dataclass(frozen=True, slots=True)
class Installed:
    """What came of it: the file, whether it is there now, what is to be done by hand, and what is worth knowing."""

    path: str
    text: str
    there: bool
    commands: list[str]
    notes: list[str]


def install(
    home: str | None, *, system: bool = False, uninstall: bool = False, show: bool = False, platform: str | None = None
) -> Installed:
    """Write the file, take it away, or, with ``show``, only make its text. Raises InvalidField when there is no such
    home, or a file with its name that is not engrain's; NotFound when there is none to take away; ConfigError where
    there is no service manager that is known, or the file cannot be written."""
    platform = platform or sys.platform
    if platform not in ("linux", "darwin"):
        other = f"the Task Scheduler can do what is due: {TASK}" if platform == "win32" else f"use cron: {CRON}"
        raise ConfigError(f"Service files are written for systemd and launchd; here {other}")
    mac = platform == "darwin"
    service = _service(home, system, mac, uninstall)
    path = _place(mac, system) / _file(mac, service.name)
    text = service.property_list(path.stem) if mac else service.unit()
    commands = _commands(mac, system, uninstall, path)
    if show:
        return Installed(str(path), text, path.exists(), commands, _notes(service, mac))
    try:
        if uninstall:
            for link in [*path.parent.glob(f"*.target.wants/{path.name}"), path]:
                link.unlink()
            return Installed(str(path), "", False, commands, [])
        for folder in (*service.writes, path.parent):
            folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.new")
        try:
            draft.write_text(text, encoding="utf-8")
            draft.replace(path)
        finally:
            with suppress(FileNotFoundError):
                draft.unlink()
    except OSError as error:
        raise ConfigError(f"{error.filename or path} cannot be written: {error.strerror}.") from error
    return Installed(str(path), text, True, commands, _notes(service, mac))


def _service(home: str | None, system: bool, mac: bool, uninstall: bool) -> Service:
    given = home or os.environ.get("ENGRAIN_HOME") or HOME
    server = "://" in given
    if given.startswith(("http://", "https://")):
        raise InvalidField("A service does the work in the background of its home itself; name a folder or a server.")
    folder = Path.cwd() / HOME if server else Path(os.path.abspath(given))  # noqa: PTH100 (links stay, .. does not)
    if not server and not folder.is_dir() and not uninstall:
        raise InvalidField(f"There is no home at {folder}; engrain init makes one.")
    named = _without_password(given) if server else str(folder)
    for text in (named, str(folder), sys.executable):
        if any(unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") for one in text):
            raise InvalidField(f"{text!r} has a character that a service file cannot hold; use another folder.")
    arguments = [sys.executable, "-m", "engrain", "daemon", "run", *([] if server else ["--home", str(folder)])]
    archive = load(folder, {}, {}).archive  # as the service will see it
    outside = archive != "none" and "://" not in archive and not (folder / archive).is_relative_to(folder)
    writes = [folder, *([folder / archive] if outside else [])]
    owner = _owner(folder if folder.exists() else Path.cwd()) if system else None
    name = _name(_place(mac, system), named, mac, uninstall)
    variables = (Path("/etc") if system else _configuration()) / "engrain" / f"{name}.env"
    return Service(name, named, server, folder, arguments, writes, variables, owner)


def _without_password(url: str) -> str:
    """A server's URL without its password, and without options, among which there may be one."""
    parts = urlsplit(url)
    user = f"{parts.username}@" if parts.username else ""
    return parts._replace(netloc=user + parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _owner(path: Path) -> str:
    import pwd  # there is none on Windows

    number = path.stat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _name(place: Path, home: str, mac: bool, uninstall: bool) -> str:
    """The service's name: ``engrain``, with a suffix for every home but the first. Raises what ``install`` does."""
    names = ["engrain", f"engrain-{blake2b(home.encode(), digest_size=4).hexdigest()}"]
    found = {name: _home_of(place / _file(mac, name)) for name in names}
    mine = [name for name in names if found[name] == home]
    if uninstall and not mine:
        raise NotFound(f"Nothing is installed for {home} in {place}.")
    free = [*mine, *(name for name in names if found[name] is None)]
    if not free or (not mine and found["engrain"] == ""):
        path = place / _file(mac, next(name for name in names if found[name] == ""))
        raise InvalidField(f"{path} is not engrain's; it stays as it is. Move it away, or use --print.")
    return free[0]


def _home_of(path: Path) -> str | None:
    """The home that a service file is for; empty when it is somebody else's, None when there is none. Raises
    ConfigError when it cannot be read."""
    try:
        found = _MARKED.search(path.read_text(encoding="utf-8", errors="replace"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError:
        return ""
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    return str(json.loads(found[1])) if found else ""


def _configuration() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or _user_folder() / ".config")


def _user_folder() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise ConfigError("It is not known where your files are: set HOME, or use --system.") from error


def _place(mac: bool, system: bool) -> Path:
    """The folder of service files."""
    if mac:
        return Path("/Library/LaunchDaemons") if system else _user_folder() / "Library" / "LaunchAgents"
    return Path("/etc/systemd/system") if system else _configuration() / "systemd" / "user"


def _file(mac: bool, name: str) -> str:
    return f"dev.engrain.daemon{name.removeprefix('engrain')}.plist" if mac else f"{name}.service"


def _commands(mac: bool, system: bool, uninstall: bool, path: Path) -> list[str]:
    if mac:
        domain = "system" if system else "gui/$(id -u)"
        start = [f"launchctl bootstrap {domain} {shlex.quote(str(path))}", f"launchctl print {domain}/{path.stem}"]
        return [f"launchctl bootout {domain}/{path.stem}"] if uninstall else start
    manager = "systemctl" if system else "systemctl --user"
    change = f"{manager} stop {path.name}" if uninstall else f"{manager} enable --now {path.name}"
    return [change, f"{manager} daemon-reload"] if uninstall else [f"{manager} daemon-reload", change]


def _notes(service: Service, mac: bool) -> list[str]:
    """What the service does not have from here."""
    notes = []
    if service.server:
        told = f"Write ENGRAIN_HOME='{service.home}' into {service.variables}, which only the service's user may read"
        notes.append(f"{told} (chmod 600); the password there as PGPASSWORD, or in ~/.pgpass.")
    if not mac and service.owner is None:
        notes.append("To have it run while you are not logged in: loginctl enable-linger")
    names = (f"ENGRAIN_{one.name.upper()}" for one in fields(Config))
    if absent := [name for name in names if name in os.environ]:
        settings = service.folder / "engrain.toml"
        notes.append(f"Set here, and not for the service: {', '.join(absent)}. Put them into {settings}.")
    return notes


def _quoted(word: str) -> str:
    """A word of a line of systemd's that is split into words."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _raw(text: str) -> str:
    """A value of systemd's that is the rest of its line. A backslash at its end would go on in the next line."""
    if text.endswith("\\") or text != text.strip():
        raise InvalidField(f"{text!r} begins or ends with a character that a service file cannot have there.")
    return text.replace("%", "%%")
