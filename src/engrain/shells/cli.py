"""The command line: the verbs of the table as commands, and a few commands of its own. Parse, call, print."""

from __future__ import annotations

import errno
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from engrain.errors import EngrainError, InvalidContent, InvalidField, InvalidInput, NotFound, StoreError
from engrain.model.item import KINDS
from engrain.shells.commands import COMMANDS, Command, Place
from engrain.shells.fields import Field
from engrain.shells.plain import dumped, plain, printable
from engrain.shells.verbs import Verb, verbs_of

NAME = "engrain"
COMPLETION = "_ENGRAIN_COMPLETE"  # the variable by which a shell asks for completions
HELP = "Memory that makes agents better, and can prove it."
EPILOG = (
    "Exit codes: 0 done, 1 the answer is no or empty, 2 wrong usage, 3 engine error. "
    "--home, --agent, --tenant, --team and --json may stand before or after the command."
)
COMMON = (
    Field("home", "text", "The folder of the memory, or a server's URL (ENGRAIN_HOME).", ".engrain"),
    Field("agent", "text", "Whose memory it is (ENGRAIN_AGENT).", "default"),
    Field("tenant", "text", "The tenant of the agent (ENGRAIN_TENANT).", "default"),
    Field("team", "text", "The team that the agent joins.", None),
    Field("json", "flag", "Answer in JSON, for programs.", None, option="--json"),
)
TOPICS = {
    "Remember and recall": (
        "remember remember-many recall context get lookup history list count update forget forget-where helpful applied"
    ),
    "Decide and learn": "advise observe observe-step observe-many experiences q-values",
    "Keys and values": "kv",
    "Look after a home": "init doctor stats agents rebuild backup",
    "Other shells": "mcp demo version",
}
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF)
_TYPES: dict[str, Any] = {"integer": int, "number": float, "flag": bool}


class _Command(TyperCommand):
    """Hands on the words of the command line as they are: the fields of a verb convert them, for every shell alike.

    Typer would convert them first, which costs every call the import of pydantic."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            values, rest, _ = self.make_parser(ctx).parse_args(args=list(args))
            if (
                not rest
                and "help" not in values
                and all(values.get(str(p.name)) is not None or not p.required for p in self.params)
            ):
                ctx.params = {str(param.name): values.get(str(param.name)) for param in self.params}
                return []
        return super().parse_args(ctx, args)  # shows the help, or raises what is wrong


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    if sys.stderr is None:  # it was closed; print would take stdout for it
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (as long as the process)
    given = list(sys.argv[1:] if argv is None else argv)
    words, name = _ordered(["version"] if given == ["--version"] else given)
    as_json = "--json" in words[: words.index("--") if "--" in words else None]
    if sys.stdout is None:
        message = "stdout is closed, so nothing was done; send it to /dev/null if the answer is not wanted."
        return _fail(OSError(message), message, as_json, 3)
    try:
        return int(application(name)(args=words, prog_name=f"{NAME} {name}".strip(), standalone_mode=False) or 0)
    except EngrainError as error:
        code = 1 if isinstance(error, NotFound) else 2 if isinstance(error, InvalidInput) else 3
        return _fail(error, str(error), as_json, code)
    except typer.TyperException as error:
        message = error.format_message()
        hint = f" Try: {NAME} {name + ' ' if name else ''}--help"
        return _fail(error, message + hint, as_json, 2) if message else 2  # nothing was asked, the help was shown
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except OSError as error:  # of a command that is no verb, or of the help
        if error.errno not in _NO_ROOM:
            traceback.print_exc()
            return 3
        _stop_answering()
        return _fail(error, f"stdout, or a file to be written, takes no more: {error.strerror}.", as_json, 3)
    except Exception:  # noqa: BLE001 (a fault of ours: told in full, and not with the code of a "no")
        traceback.print_exc()
        return 3


def _fail(error: Exception, message: str, as_json: bool, code: int) -> int:
    if as_json:
        message = dumped({"error": {"type": type(error).__name__, "message": message}})
    else:
        message = "error: " + printable(" ".join(message.split()))
    print(message, file=sys.stderr)
    return code


def _ordered(words: list[str]) -> tuple[list[str], str]:
    """The words behind the name of a command, the common options among them, and that name; or, when it is not known,
    all words and ""."""
    options = {"--" + field.name: field.type != "flag" for field in COMMON}
    names: list[str] = []
    common: list[str] = []
    rest = list(words)
    while rest:
        option, given, _ = rest[0].partition("=")
        if option in options:
            taken = 2 if options[option] and not given else 1
            common, rest = common + rest[:taken], rest[taken:]
        elif rest[0].startswith("-") or (names and names != ["kv"]):
            break
        else:
            names.append(rest.pop(0))
    name = " ".join(names)
    return ([*common, *rest], name) if name in _commands() else (words, "")


def _commands() -> dict[str, Command]:
    verbs = [Command(verb.name, verb.help, verb.fields, partial(_run, verb)) for verb in verbs_of("cli")]
    return {command.name: command for command in (*verbs, *COMMANDS)}


def application(name: str) -> Callable[..., Any]:
    """One command alone where its name is known: building all of them, and a group above, costs more than running one.
    All of them for help, for shell completion and for saying what was meant by a name that does not exist."""
    settings = {"help_option_names": ["-h", "--help"]}
    commands = _commands()
    if name and COMPLETION not in os.environ:
        alone = typer.Typer(add_completion=False)
        _add(alone, commands[name], settings)
        return alone
    app = typer.Typer(help=HELP, epilog=EPILOG, no_args_is_help=True, context_settings=settings)
    app.callback()(_function(COMMON, lambda values: None))
    for topic, words in TOPICS.items():
        for word in words.split():
            if word in commands:
                _add(app, commands[word], settings, topic)
                continue
            group = typer.Typer(help="Values under keys, beside the memories.", no_args_is_help=True)
            app.add_typer(group, name=word, rich_help_panel=topic, context_settings=settings)
            for command in commands.values():
                if command.name.startswith(word + " "):
                    _add(group, command, settings)
    return app


def _add(app: typer.Typer, command: Command, settings: dict[str, Any], panel: str | None = None) -> None:
    name = command.name.rpartition(" ")[2]
    app.command(name, help=command.help, rich_help_panel=panel, context_settings=settings, cls=_Command)(
        _function((*command.fields, *COMMON), partial(_call, command))
    )


def _function(fields: Sequence[Field], call: Callable[[dict[str, Any]], int | None]) -> Callable[..., int | None]:
    """A function with a parameter for each field, as typer wants it."""

    def function(**values: Any) -> int | None:
        return call(values)

    parameters = []
    for field in fields:
        kind = list[str] | None if field.many else _TYPES.get(field.type, str) | None
        default = ... if field.required else None
        told = field.help + (f" One of {', '.join(field.choices)}." if field.choices else "")
        told += ' "-" reads stdin.' if field.stdin else ""
        if field.type != "flag" and not field.required and field.default not in (None, (), ""):
            told += f" Default: {field.default}."
        panel = "Common options" if field in COMMON else None
        if field.positional:
            info = typer.Argument(default, help=told, show_default=False, autocompletion=_offered(field))
        else:
            info = typer.Option(
                default,
                field.declaration,
                help=told,
                show_default=False,
                rich_help_panel=panel,
                autocompletion=_offered(field),
            )
        parameters.append(inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=info, annotation=kind))
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return function


def _offered(field: Field) -> Callable[[str], list[str]] | None:
    """What a shell offers for the field: its choices, or the kinds that every project has."""
    choices = KINDS if field.type in ("kind", "kinds") else field.choices
    return (lambda incomplete: [one for one in choices if one.startswith(incomplete)]) if choices else None


def _call(command: Command, values: dict[str, Any]) -> int:
    """Convert the words of a command line and run the command; its exit code."""
    if values["home"] == "":  # an unset variable of a script, and not the current folder
        raise InvalidField("--home is empty; leave it out or name a folder.")
    who = {name: os.environ.get("ENGRAIN_" + name.upper()) or "default" for name in ("agent", "tenant")}
    who |= {name: values[name] for name in who if values[name] is not None}
    place = Place(values["home"], who["agent"], who["tenant"], values["team"], bool(values["json"]))
    arguments = {}
    for field in command.fields:
        given = values[field.name]
        if given is not None:
            arguments[field.name] = field.from_text(_stdin() if field.stdin and given == "-" else given)
    try:
        code = command.run(place, arguments)
        return _answered(sys.stdout.flush, "What was asked was done.", place.json) or code
    except BrokenPipeError:  # whoever read our output has seen enough
        _stop_answering()
        return 0


def _answered(write: Callable[[], None], done: str, as_json: bool) -> int:
    """Write an answer to stdout; 0, or 3 when that cannot be, told with what was done. Raises BrokenPipeError."""
    try:
        write()
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _stop_answering()
        why = error.strerror or str(error)
        return _fail(error, f"The answer could not be written to stdout: {why}. {done}".strip(), as_json, 3)
    return 0


def _stop_answering() -> None:
    """What is still buffered goes nowhere, so that the end of the process does not fail at it again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _home_without_a_store(home: str | None) -> Path | None:
    """The folder, when nothing was ever kept in it."""
    folder = Path(home or os.environ.get("ENGRAIN_HOME") or ".engrain")
    return None if "://" in str(home or os.environ.get("ENGRAIN_HOME")) or any(folder.glob("*.db")) else folder


def _note_other_agents(memory: Any, place: Place) -> None:
    """Nothing was found: say so when it may only be that another agent was meant."""
    known = [one.name for one in memory.agents() if one.tenant == place.tenant]
    if known and place.agent not in known:
        print(
            f"note: agent {place.agent!r} has nothing here; there is {printable(', '.join(known[:5]))}.",
            file=sys.stderr,
        )


def _stdin() -> str:
    if sys.stdin is None:
        raise InvalidContent("stdin is closed; give the text itself in place of -.")
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidContent(f"What came on stdin is not UTF-8 ({error}).") from error


def _run(verb: Verb, place: Place, arguments: dict[str, Any]) -> int:
    """Call a verb and show its answer; 1 when the answer is no."""
    import engrain

    made = _home_without_a_store(place.home) if verb.reads else None
    memory = engrain.open(place.home)
    try:
        agent = None if verb.admin else memory.agent(place.agent, tenant=place.tenant, team=place.team)
        if verb.progress:
            from engrain.shells.render import progress

            with progress(memory.stats()["memories"]["active"], verb.name) as advance:
                value = verb.run(memory, agent, {**arguments, "progress": advance})
        else:
            value = verb.run(memory, agent, arguments)
        now = memory.world.now()
        if made and not place.json:
            print(f"note: no memory was at {made}; an empty one is there now. Is --home right?", file=sys.stderr)
        elif verb.no and not value[verb.no] and agent is not None and not place.json:
            _note_other_agents(memory, place)
    finally:
        try:
            memory.close()
        except StoreError as error:
            if not verb.reads:
                raise
            print(f"warning: that this was read could not be noted: {error}", file=sys.stderr)
    done = "" if verb.reads else f"Do not repeat it: {verb.name} was done, and what it changed is stored."
    code = _answered(partial(_show, verb, value, now, place.json), done, place.json)
    return code or int(bool(verb.no) and not value[verb.no])


def _show(verb: Verb, value: Any, now: int, as_json: bool) -> None:
    if as_json:
        print(dumped(plain(value), indent=2))
    else:
        from engrain.shells.render import show

        show(verb.name, value, now)
