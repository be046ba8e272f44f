"""``engrain init --claude-code``: the plugin of Claude Code, in a folder where it is found without an installation.

A folder of skills may hold plugins: ``.claude/skills/engrain`` of a project, or that of the user's own ``.claude``,
is loaded as ``engrain@skills-dir`` at the next session (https://code.claude.com/docs/en/plugins-reference). No settings
are changed. A receipt in the home says what was written, so that undoing takes exactly that away.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

from engrain.errors import ConfigError
from engrain.shells.init import RECEIPT, receipts_of, write_whole
from engrain.version import __version__

TEMPLATE = Path(__file__).parent / "claude_plugin"
MANIFEST, HOOKS, SERVERS = ".claude-plugin/plugin.json", "hooks/hooks.json", ".mcp.json"
NAME = "engrain"


def place(user: bool) -> Path:
    """The folder of the plugin: of the project here, or of the user."""
    if not user:
        return Path.cwd() / ".claude" / "skills" / NAME
    own = os.environ.get("CLAUDE_CONFIG_DIR")
    try:
        return Path(own or Path.home() / ".claude").absolute() / "skills" / NAME
    except RuntimeError as error:
        raise ConfigError("It is not known where your files are: set HOME or CLAUDE_CONFIG_DIR.") from error


def add(folder: Path, home: str, words: list[str], user: bool) -> list[str]:
    """Write the plugin for a home, of which ``folder`` keeps the receipt; what was done. Twice is the same as once.
    Raises ConfigError, having changed nothing, where something else has its place or cannot be replaced."""
    path = place(user)
    receipts = receipts_of(folder)
    receipt = receipts.get(str(path)) or {"files": {}, "folders": []}
    wanted = _files(home, words)
    if path.exists() and not _ours(path, receipt):
        raise ConfigError(f"{path} is there and is not engrain's plugin. Move it away; nothing was changed.")
    edited = [name for name in wanted if _edited(path / name, receipt["files"].get(name), wanted[name])]
    stale = {name: text for name, text in wanted.items() if name not in edited and _text(path / name) != text}
    steps = [f"{path / name} was edited and stays as it is." for name in edited]
    if stale:
        made = [one for one in _missing(path, wanted) if str(one) not in receipt["folders"]]
        marks = {**receipt["files"], **{name: _mark(text) for name, text in stale.items()}}
        receipt = {"files": marks, "folders": [*receipt["folders"], *map(str, made)]}
        _keep(folder, {**receipts, str(path): receipt})
        try:
            for name, text in stale.items():
                _write(path / name, text)
        except ConfigError:
            if not any((path / name).exists() for name in wanted):  # nothing of ours is there: nothing to remember
                _emptied(made)
                _keep(folder, receipts)
            raise
        steps.append(f"{path} is a plugin of Claude Code now; a new session loads it.")
    else:
        steps.append(f"{path} is there already.")
    if not user:
        steps.append("Claude Code loads it when it is started here and trusts this folder; it asks once for its tools.")
    return steps


def remove(folder: Path, user: bool) -> list[str]:
    """Take the plugin away again, and the folders that were made for it; what was done."""
    path = place(user)
    receipts = receipts_of(folder)
    receipt = receipts.pop(str(path), None)
    if not receipt:
        return [f"{path} was not written for this home."]
    steps = []
    for name, mark in receipt["files"].items():
        text = _text(path / name)
        if text is not None and _mark(text) != mark:
            steps.append(f"{path / name} was edited and stays.")
        else:
            (path / name).unlink(missing_ok=True)
    _emptied(map(Path, receipt["folders"]))
    _keep(folder, receipts)
    return [*steps, f"{path} is gone." if not path.exists() else f"{path} has nothing of engrain's any more."]


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{error.filename or path} cannot be made: {error.strerror}.") from error
    write_whole(path, text)


def _emptied(folders: Iterable[Path]) -> None:
    """Take folders away that nothing is in."""
    for one in sorted(folders, key=lambda path: len(str(path)), reverse=True):
        with suppress(OSError):  # something else is in it by now
            one.rmdir()


def _files(home: str, words: list[str]) -> dict[str, str]:
    """The files of the plugin, for this interpreter and this home."""
    found = {}
    for source in sorted(one for one in TEMPLATE.rglob("*") if one.is_file()):
        found[source.relative_to(TEMPLATE).as_posix()] = source.read_text(encoding="utf-8")
    found.pop("__init__.py", None)
    program = [sys.executable, "-P", "-m", "engrain"]  # -P: what lies in a project is not to be imported
    options = ["--home", home, *words]
    hooks = json.loads(found[HOOKS])
    for event, groups in hooks["hooks"].items():
        for hook in (one for group in groups for one in group["hooks"]):
            hook["command"] = shlex.join([*program, "hook", event, *options])
    servers = json.loads(found[SERVERS])
    servers["mcpServers"][NAME] = {"command": program[0], "args": [*program[1:], "mcp", *options]}
    manifest = {**json.loads(found[MANIFEST]), "version": __version__}
    found |= {name: _dumped(whole) for name, whole in ((HOOKS, hooks), (SERVERS, servers), (MANIFEST, manifest))}
    found[".gitignore"] = "# Written by engrain init for this machine: it names its interpreter and its home.\n*\n"
    return found


def _dumped(whole: Any) -> str:
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def _ours(path: Path, receipt: dict[str, Any]) -> bool:
    if receipt["files"]:
        return True
    try:
        return bool(json.loads((path / MANIFEST).read_text(encoding="utf-8"))["name"] == NAME)
    except (OSError, ValueError, KeyError, TypeError):
        return path.is_dir() and not any(path.iterdir())


def _edited(path: Path, mark: str | None, wanted: str) -> bool:
    """Whether somebody else wrote what is there."""
    text = _text(path)
    return text is not None and text != wanted and (mark is None or _mark(text) != mark)


def _missing(path: Path, wanted: dict[str, str]) -> list[Path]:
    """The folders that are still to be made."""
    folders = {one for name in wanted for one in ((path / name).parent, *(path / name).parent.parents)}
    return sorted((one for one in folders if not one.exists()), key=lambda one: len(one.parts))


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _mark(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _keep(folder: Path, receipts: dict[str, Any]) -> None:
    if receipts:
        write_whole(folder / RECEIPT, json.dumps(receipts, ensure_ascii=False, indent=2) + "\n")
    else:
        (folder / RECEIPT).unlink(missing_ok=True)
