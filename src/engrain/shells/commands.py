"""The commands that are not verbs on an open memory, or are more than verbs: init, restore-backup, mcp, serve, daemon
run and install, demo, version; sql and report, whose answers are files, too."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engrain.errors import ConfigError, InvalidField
from engrain.shells.fields import Field
from engrain.shells.plain import printable
from engrain.shells.verbs_archive import PARAMETERS, REPORT, STATEMENT
from engrain.shells.verbs_fixes import DAYS, REPORTS

# Verbs of two words, by their first.
GROUPS = {
    "kv": "Values under keys, beside the memories.",
    "keys": "Who may call the REST service.",
    "archive": "The cold archive: SQL over it, search, and what is in it.",
    "fixes": "What went wrong before, what was tried, what helped, and how surely.",
    "dream": "Learning offline: what has come in is trained on, judged, and promoted if it is better.",
    "policy": "What was learned offline: versions, how they were judged, and why something is advised.",
    "patterns": "Strategies that can be used again: kept, found, used, shared, said for another framework.",
    "trajectories": "What was done for tasks, step by step, and how it ended; patterns are found in them.",
    "learn": "What the agent has learned by task type, and how it begins anew.",
    "daemon": "A process that does what is due in the background.",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where and as whom a command runs, and whether it answers in JSON. ``home`` None: as ``engrain.open`` decides."""

    home: str | None
    agent: str
    tenant: str
    team: str | None
    json: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its inputs and what it does; ``run`` returns the exit code."""

    name: str
    help: str
    fields: tuple[Field, ...]
    run: Callable[[Place, dict[str, Any]], int]


def _version(place: Place, given: dict[str, Any]) -> int:
    from engrain.version import __version__

    print(json.dumps({"version": __version__}) if place.json else f"engrain {__version__}")
    return 0


def _mcp(place: Place, given: dict[str, Any]) -> int:
    from engrain.shells.mcp import serve

    return serve(place.home, place.agent, place.tenant, place.team)


def _serve(place: Place, given: dict[str, Any]) -> int:
    try:
        from engrain.shells.rest import serve
    except ModuleNotFoundError as error:
        raise ConfigError(f"The service needs {error.name}: pip install 'engrain[server]'.") from error

    return serve(place.home, **given)


def _daemon_run(place: Place, given: dict[str, Any]) -> int:
    from engrain.shells.child import run

    def say(home: str) -> None:
        told = {"pid": os.getpid(), "home": home}
        print(
            json.dumps(told) if place.json else f"daemon {told['pid']} runs the roles of {printable(home)}", flush=True
        )

    return run(place.home, say)


def _daemon_install(place: Place, given: dict[str, Any]) -> int:
    from engrain.shells.install import install

    given["show"] = given.pop("print", False)
    found = install(place.home, **given)
    if place.json:
        print(json.dumps(asdict(found)))
        return 0
    if given["show"]:
        print(found.text, end="")
        return 0
    print(printable(f"{found.path} is {'written. To start it' if found.there else 'gone. To end what runs'}:"))
    print(*(printable(f"  {line}") for line in found.commands), *map(printable, found.notes), sep="\n")
    return 0


def _init(place: Place, given: dict[str, Any]) -> int:
    from engrain.shells import init

    gone, user, mcp_file = given.get("undo"), given.get("user", False), given.get("mcp_file", ".mcp.json")
    who = (place.agent, place.tenant, place.team)
    if user and not given.get("claude_code"):
        raise InvalidField("--user goes with --claude-code.")
    if given.get("claude_code"):
        steps = init.undo_claude_code(place.home, user) if gone else init.init_claude_code(place.home, *who, user)
    else:
        steps = init.undo(place.home, mcp_file) if gone else init.init(place.home, *who, mcp_file)
    print(json.dumps({"steps": steps}, ensure_ascii=False, indent=2) if place.json else "\n".join(steps))
    return 0


def _hook(place: Place, given: dict[str, Any]) -> int:
    """Only where ``engrain`` was not started by its own program, which answers a hook before this is loaded."""
    from engrain.shells.hooks import answer

    words = [given.get("event", ""), f"--agent={place.agent}", f"--tenant={place.tenant}"]
    words += [f"--home={place.home}"] if place.home else []
    words += [f"--team={place.team}"] if place.team else []
    print(answer([*words, f"--max-tokens={given.get('max_tokens', '')}"]), end="")
    return 0


def _sql(place: Place, given: dict[str, Any], whole: bool = False) -> int:
    from engrain.shells.ask import sql

    return sql(place, given, whole=whole)


def _report(place: Place, given: dict[str, Any]) -> int:
    from engrain.shells.ask import report

    return report(place, given)


def _fix_report(place: Place, given: dict[str, Any]) -> int:
    from engrain.shells.fix_report import report

    return report(place, given)


def _restore_backup(place: Place, given: dict[str, Any]) -> int:
    from engrain.memory import restore_backup

    found = restore_backup(given["copy"], place.home, force=given.get("force", False))
    if place.json:
        print(json.dumps(found))
    else:
        counts = ", ".join(f"{found[name]:,} {name}" for name in ("memories", "experiences", "agents"))
        kept = f"\nwhat was there is kept as {found['kept']}" if found["kept"] else ""
        print(printable(f"restored to {found['path']}: {counts}{kept}"))
    return 0


def _demo(place: Place, given: dict[str, Any]) -> int:
    from engrain.qe.bughunt import main

    for name, path in (("home", place.home), ("picture", given.get("picture"))):
        if path is not None:
            given[name] = Path(path)
    return main(**given, json=place.json)


_SAVED = (
    Field("format", "choice", "How to write the rows.", None, ("table", "json", "csv", "parquet")),
    Field("output", "text", "The file to write; one that is there is replaced.", None),
)
_SQL = (STATEMENT, PARAMETERS, *_SAVED)
COMMANDS: tuple[Command, ...] = (
    Command(
        "init",
        "Make a home here and add engrain to .mcp.json, so that an agent has it as tools. Twice is the same as once.",
        (
            Field("mcp_file", "text", "The client's configuration.", ".mcp.json"),
            Field("claude_code", "flag", "Make a plugin of Claude Code instead.", False, option="--claude-code"),
            Field("user", "flag", "The plugin for all your projects.", False, option="--user/--project"),
            Field("undo", "flag", "Take it out again; the home and what it holds stay.", False, option="--undo"),
        ),
        _init,
    ),
    Command(
        "hook",
        "Answer an event of Claude Code, given as JSON on stdin. It never fails or waits: what it saw comes into "
        "the home when the next command opens it.",
        (
            Field("event", "text", "The event, where the JSON does not name it.", None, positional=True),
            Field("max_tokens", "integer", "Of what is shown at a session's start; half of it to a prompt.", 1000),
        ),
        _hook,
    ),
    Command(
        "restore-backup",
        "Put a backup in the place of the home's store, after verifying it. What it replaces is kept beside it.",
        (
            Field("copy", "text", "The file that engrain backup made.", positional=True),
            Field("force", "flag", "Replace the store that is there.", False, option="--force"),
        ),
        _restore_backup,
    ),
    Command("mcp", "Serve the agent's memory over MCP on stdin and stdout, until stdin closes.", (), _mcp),
    Command(
        "serve",
        "Serve all agents of the home over HTTP: REST, MCP and events, until a signal comes.",
        (
            Field("host", "text", "The address to listen at; beyond this machine only with keys.", "127.0.0.1"),
            Field("port", "integer", "The port; 0: any that is free.", 8765),
            Field("workers", "integer", "Processes that share the work; one uses one core.", 1),
        ),
        _serve,
    ),
    Command(
        "daemon run",
        "Do what is due, as long as it runs: each role in a process of its own, until a signal comes or daemon stop.",
        (),
        _daemon_run,
    ),
    Command(
        "daemon install",
        "Write a file by which systemd or launchd runs the daemon, and tell how to start it.",
        (
            Field("print", "flag", "Only show the file.", False, option="--print"),
            Field("system", "flag", "For the machine instead of the user.", False, option="--system/--user"),
            Field("uninstall", "flag", "Take the file away again.", False, option="--uninstall"),
        ),
        _daemon_install,
    ),
    Command(
        "demo",
        "See it learn: an agent hunts for bugs in Python's standard library. Makes ./engrain-demo.",
        (
            Field("seed", "integer", "Which sequence of tasks.", 0),
            Field("tasks", "integer", "How many tasks; left out: enough to see it learn.", None),
            Field("picture", "text", "Where to draw the learning curve; left out: in the home.", None),
        ),
        _demo,
    ),
    Command("sql", "Ask SQL of what the agent may see of the archive, and of what is live.", _SQL, _sql),
    Command(
        "archive sql",
        "Ask SQL of the whole archive, and of what is live, of all agents. For what one agent may see: engrain sql.",
        _SQL,
        partial(_sql, whole=True),
    ),
    Command(
        "report",
        "Make a report; without a name, list them all.",
        (
            Field("name", "text", "Its name; health: how the home fared in the last week.", None, positional=True),
            *REPORT,
            *_SAVED,
            Field("chart", "choice", "Draw it: here, or to a file.", None, ("terminal", "svg", "png")),
            Field("last", "flag", "Of health: the latest weekly one that was kept.", False),
            Field("html", "flag", "Of health: the page of HTML; send it to a file.", False, option="--html"),
        ),
        _report,
    ),
    Command(
        "fixes report",
        "How the fixers do, which issues there are, and the trend of each target; with a name one of these as a table "
        "or a chart.",
        (
            Field("name", "choice", "Which one alone.", None, REPORTS, positional=True),
            DAYS,
            Field("format", "choice", "How to write the rows.", None, ("json", "csv")),
            _SAVED[1],
            Field("chart", "choice", "Draw it: here, or to a file.", None, ("terminal", "svg", "png")),
        ),
        _fix_report,
    ),
    Command("version", "The version of engrain.", (), _version),
)
