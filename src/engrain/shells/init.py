"""``engrain init``: make a home and add engrain to a client's configuration; ``--undo`` takes that out again.

Only the characters of engrain's own entry are written; every other one of the file stays. A receipt in the home says
what was written, so that undoing restores the file to the character, and removes it when init had made it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import engrain
from engrain.config import FILE, Config
from engrain.errors import ConfigError, InvalidField
from engrain.memory import HOME
from engrain.shells import json_edit

SERVERS, NAME = "mcpServers", "engrain"
RECEIPT = "init.json"
IGNORED = "# What an agent remembers is not source code.\n*\n!.gitignore\n!engrain.toml\n"


def init(home: str | None, agent: str, tenant: str, team: str | None, mcp_file: str) -> list[str]:
    """Make the home, bring its schema up to date, write its settings and the client's entry; what was done, a line
    each. Twice is the same as once. Raises ConfigError, having changed nothing, when the file cannot be understood."""
    path = Path(mcp_file).resolve()  # through links: the file that they point to is the one to change
    before = _read(path)
    folder, steps = _made(home, agent, tenant)
    entry = _entry(home, folder, path, ["--agent", agent], tenant, team)
    receipts = receipts_of(folder)
    after, receipt = _added(before, entry, receipts.get(str(path)))
    if after == before:
        return [*steps, f"{path} has engrain already."]
    write_whole(folder / RECEIPT, json.dumps({**receipts, str(path): receipt}, ensure_ascii=False, indent=2) + "\n")
    write_whole(path, after)
    return [*steps, f"{path} has engrain as an MCP server now."]


def init_claude_code(home: str | None, agent: str, tenant: str, team: str | None, user: bool) -> list[str]:
    """Make the home as ``init`` does, and the plugin of Claude Code, which brings the tools with it."""
    from engrain.shells.claude_code import add

    folder, steps = _made(home, agent, tenant)
    where = _where(home)
    words = ["--agent", agent, *(["--tenant", tenant] if tenant != "default" else [])]
    words += ["--team", team] if team is not None else []
    steps += add(folder, where if "://" in where else str(folder.resolve()), words, user)
    client = Path(".mcp.json").resolve()
    with suppress(ConfigError):
        text = _read(client)
        if text is not None and json_edit.find(text, SERVERS, NAME) is not None:
            steps.append(f"{client} has engrain, too: the tools are there twice until engrain init --undo.")
    return steps


def undo_claude_code(home: str | None, user: bool) -> list[str]:
    """Take the plugin away again; what was done. The home and what it holds stay."""
    from engrain.shells.claude_code import remove

    folder = _folder(home)
    return [*remove(folder, user), f"{folder} and what it remembers stay; delete the folder to forget it all."]


def _made(home: str | None, agent: str, tenant: str) -> tuple[Path, list[str]]:
    """A home with its settings; what was done. Raises InvalidField for names that no agent of it could have."""
    if urlsplit(_where(home)).password:
        raise InvalidField("home holds a password, which a client's file should not; keep it in a password file.")
    with engrain.open(home) as memory:
        memory.agent(agent, tenant=tenant)
        folder, schema = memory.home, memory.stats()["schema"]
    folder.mkdir(parents=True, exist_ok=True)  # with a server's URL the folder is only for settings
    steps = [f"{folder} is a home (schema {schema})."]
    for name, text in ((FILE, _settings()), (".gitignore", IGNORED)):
        if not (folder / name).exists():
            write_whole(folder / name, text)
            steps.append(f"{folder / name} is written.")
    return folder, steps


def undo(home: str | None, mcp_file: str) -> list[str]:
    """Take engrain out of the client's file; what was done. The home and what it holds stay."""
    path = Path(mcp_file).resolve()
    text = _read(path)
    folder = _folder(home)
    receipts = receipts_of(folder)
    receipt = receipts.pop(str(path), {"added": "", "instead_of": "", "file": False, "servers": False})
    if text is None or json_edit.find(text, SERVERS, NAME) is None:
        return [f"{path} does not have engrain."]
    if receipt["added"] and text.count(receipt["added"]) == 1:
        text = text.replace(receipt["added"], receipt["instead_of"])
    else:  # edited since
        text = json_edit.remove(text, SERVERS, NAME)
        if receipt["servers"] and json.loads(text.lstrip("\ufeff"))[SERVERS] == {}:
            text = json_edit.remove(text, SERVERS)
    if receipt["file"] and json.loads(text.lstrip("\ufeff")) == {}:
        path.unlink()
        steps = [f"{path} is gone: nothing else was in it."]
    else:
        write_whole(path, text)
        steps = [f"{path} does not have engrain any more."]
    if receipts:
        write_whole(folder / RECEIPT, json.dumps(receipts, ensure_ascii=False, indent=2) + "\n")
    else:
        (folder / RECEIPT).unlink(missing_ok=True)
    return [*steps, f"{folder} and what it remembers stay; delete the folder to forget it all."]


def _entry(
    home: str | None, folder: Path, path: Path, words: list[str], tenant: str, team: str | None
) -> dict[str, Any]:
    """How a client starts the server. A home beside the file is named relative to it, as such files are shared."""
    where = _where(home)
    if "://" not in where:
        folder = folder.resolve()
        where = str(folder.relative_to(path.parent) if folder.is_relative_to(path.parent) else folder)
    words = ["mcp", "--home", where, *words]
    words += ["--tenant", tenant] if tenant != "default" else []
    words += ["--team", team] if team is not None else []
    if shutil.which("engrain"):
        return {"command": "engrain", "args": words}
    return {"command": sys.executable, "args": ["-m", "engrain", *words]}


def _added(before: str | None, entry: dict[str, Any], earlier: dict[str, Any] | None) -> tuple[str, dict[str, Any]]:
    """The file with the entry, and the receipt for it."""
    text = before if before is not None else "{}\n"
    receipt = {"added": "", "instead_of": "", "file": before is None, "servers": False}
    found = json_edit.find(text, SERVERS, NAME)
    if found is not None:
        old = text[found.value : found.end]
        if json.loads(old) == entry:
            return text, receipt
        new = json.dumps(entry, ensure_ascii=False)
        after = text[: found.value] + new + text[found.end :]
        if earlier and earlier["added"].count(old) == 1:  # ours, with other arguments: what it replaced stays known
            return after, {**earlier, "added": earlier["added"].replace(old, new)}
        return after, {**receipt, "added": new, "instead_of": old}
    if json_edit.find(text, SERVERS) is None:
        at, added = json_edit.insert(text, (), SERVERS, {NAME: entry})
        receipt["servers"] = True
    else:
        at, added = json_edit.insert(text, (SERVERS,), NAME, entry)
    return text[:at] + added + text[at:], {**receipt, "added": added}


def _read(path: Path) -> str | None:
    """The file's text, None when there is none. Raises ConfigError when engrain could not add itself to it."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}). Nothing was changed.") from error
    try:
        whole = json.loads(text.lstrip("\ufeff"))
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON ({error}). Mend it and try again; nothing was changed.") from error
    if not isinstance(whole, dict) or not isinstance(whole.get(SERVERS, {}), dict):
        raise ConfigError(f"{path} is not an object with an object {SERVERS}. Mend it; nothing was changed.")
    return text


def write_whole(path: Path, text: str) -> None:
    """The whole file or none of it: written beside it, then put in its place."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with beside.open("wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, beside)
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise ConfigError(f"{path} cannot be written ({error}). It is as it was.") from error


def receipts_of(folder: Path) -> dict[str, Any]:
    """What init wrote, by file. A receipt that cannot be read only makes undo less exact."""
    try:
        found = json.loads((folder / RECEIPT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _where(home: str | None) -> str:
    """The home as ``engrain.open`` takes it: a folder or a server's URL."""
    return home or os.environ.get("ENGRAIN_HOME") or HOME


def _folder(home: str | None) -> Path:
    """The folder of settings and receipts that ``engrain.open`` would use."""
    given = (home, os.environ.get("ENGRAIN_HOME"))
    return Path(next((one for one in given if one and "://" not in one), HOME))


def _settings() -> str:
    """engrain.toml with every default in a comment."""
    lines = ["# Settings of engrain. Each line shows a default; take away its # and change it."]
    for field in fields(Config):
        value = list(field.default) if isinstance(field.default, tuple) else field.default
        lines.append(f"# {field.name} = {json.dumps(value)}  # {field.metadata['help']}")
    return "\n".join(lines) + "\n"
