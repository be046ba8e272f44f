"""The command line: the verbs of the table as commands, and a few commands of its own. Parse, call, print."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engrain.errors import (
    AccessDenied,
    EngrainError,
    InvalidContent,
    InvalidField,
    InvalidInput,
    NotFound,
    PolicyRefused,
    StoreError,
)
from engrain.shells.commands import COMMANDS, GROUPS, Command, Place
from engrain.shells.fields import Field
from engrain.shells.inputs import COMMON
from engrain.shells.plain import dumped, plain, printable
from engrain.shells.verb import Verb
from engrain.shells.verbs import verbs_of

if TYPE_CHECKING:
    from engrain.agent import Agent
    from engrain.memory import Memory
    from engrain.shells.render import Asked

NAME = "engrain"
COMPLETION = "_ENGRAIN_COMPLETE"  # the variable by which a shell asks for completions
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EBADF)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code."""
    if argv is None:
        _answer_once()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    if sys.stderr is None:  # it was closed; print would take stdout for it
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.set_inheritable(2, True)  # a daemon's processes have one, too
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 (as long as the process)
    given = list(sys.argv[1:] if argv is None else argv)
    known = commands()
    words, name = _ordered(["version"] if given == ["--version"] else given, known)
    words = _placed(known[name].fields, words) if name else words
    as_json = "--json" in words[: words.index("--") if "--" in words else None]
    if sys.stdout is None:
        message = "stdout is closed, so nothing was done; send it to /dev/null if the answer is not wanted."
        return _fail(OSError(message), message, as_json, 3)
    values = values_of((*known[name].fields, *COMMON), words) if name and COMPLETION not in os.environ else None
    try:
        return _typed(known, name, words, as_json) if values is None else call(known[name], values)
    except EngrainError as error:
        code = 1 if isinstance(error, NotFound | PolicyRefused) else 2 if isinstance(error, InvalidInput) else 3
        return _fail(error, str(error), as_json, code)
    except KeyboardInterrupt:
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


def _answer_once() -> None:
    """Settings of a process that mostly answers one command and ends; together they save a fifth of its time."""
    for library in ("OPENBLAS", "OMP", "MKL"):  # numpy would start threads for arrays far too small for them
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    gc.set_threshold(100_000)  # what is imported stays: there is nothing to collect among it while it comes in ...
    atexit.register(_leave)


def _leave() -> None:
    """Collect nothing when everything goes at once, but where the archive's libraries are loaded: they print a page of
    what they hold for leaked then."""
    if "pyarrow" not in sys.modules:
        gc.freeze()


def _typed(known: Mapping[str, Command], name: str, words: list[str], as_json: bool) -> int:
    """Words that are not simply a command and its values, for typer to answer: help, completion, what is wrong."""
    import typer

    from engrain.shells.application import application

    alone = "" if COMPLETION in os.environ else name
    run = application(known, alone, call)
    try:
        return int(run(args=words, prog_name=f"{NAME} {name}".strip(), standalone_mode=False) or 0)
    except typer.TyperException as error:
        message = error.format_message()
        hint = f" Try: {NAME} {name + ' ' if name else ''}--help"
        return _fail(error, message + hint, as_json, 2) if message else 2  # nothing was asked, the help was shown
    except typer.Abort:
        return 130


def _fail(error: Exception, message: str, as_json: bool, code: int) -> int:
    if as_json:
        message = dumped({"error": {"type": type(error).__name__, "message": message}})
    else:
        message = "error: " + "\n  ".join(printable(" ".join(part.split())) for part in message.splitlines())
    print(message, file=sys.stderr)
    return code


def _ordered(words: list[str], known: Collection[str]) -> tuple[list[str], str]:
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
        elif rest[0].startswith("-") or (names and (names[1:] or names[0] not in GROUPS)):
            break
        else:
            names.append(rest.pop(0))
    name = " ".join(names)
    return ([*common, *rest], name) if name in known else (words, "")


def _placed(fields: Sequence[Field], words: Sequence[str]) -> list[str]:
    """The words with what was given by the option of the last positional field put where that stands: at the end."""
    last = [field for field in fields if field.positional][-1:]
    if not last or not last[0].option:
        return list(words)
    takes = {field.declaration for field in (*fields, *COMMON) if not field.positional and field.type != "flag"}
    kept: list[str] = []
    given: list[str] = []
    rest = list(words)
    while rest and rest[0] != "--":
        word = rest.pop(0)
        option, equals, value = word.partition("=")
        if option == last[0].option and (equals or rest):
            given.append(value if equals else rest.pop(0))
        else:
            kept += [word, *([rest.pop(0)] if word in takes and rest else [])]
    free = [*rest[1:], *given]
    return [*kept, "--", *free] if free else [*kept, *rest]


def commands() -> dict[str, Command]:
    """Every command by its name."""
    verbs = [Command(verb.name, verb.help, verb.typed, partial(_run, verb)) for verb in verbs_of("cli")]
    return {command.name: command for command in (*verbs, *COMMANDS)}


def values_of(fields: Sequence[Field], words: Sequence[str]) -> dict[str, Any] | None:
    """The words given for each field, by its name. None when the line is not plain: help is asked for, an option is
    unknown, something is missing or too much. Then typer, which takes 30 ms to import, says so; a test compares it."""
    spelled = {
        spelling: (field, number == 0)
        for field in fields
        if not field.positional
        for number, spelling in enumerate(field.declaration.split("/"))
    }
    values: dict[str, Any] = {field.name: None for field in fields}
    rest, free = list(words), []
    while rest:
        word = rest.pop(0)
        if word == "--":
            free += rest
            break
        if not word.startswith("-") or word == "-":
            free.append(word)
            continue
        option, equals, value = word.partition("=")
        field, on = spelled.get(option, (None, True))
        if field is None or (equals if field.type == "flag" else not (equals or rest)):
            return None
        given = on if field.type == "flag" else value if equals else rest.pop(0)
        values[field.name] = [*(values[field.name] or ()), given] if field.many else given
    places = [field.name for field in fields if field.positional]
    values |= zip(places, free, strict=False)
    missing = any(field.required and values[field.name] is None for field in fields)
    return None if missing or len(free) > len(places) else values


def call(command: Command, values: dict[str, Any]) -> int:
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
    try:
        known = [one.name for one in memory.agents() if one.tenant == place.tenant]
    except AccessDenied:  # of a service, whose other agents are not for this key
        return
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


def _from_file(verb: Verb, arguments: dict[str, Any]) -> None:
    """Read what a file holds in place of what may come on stdin."""
    if not any(one.name == "file" for one in verb.views):
        return
    name, file = next(field.name for field in verb.fields if field.stdin), arguments.pop("file", None)
    if (name in arguments) == (file is not None):
        raise InvalidField(f"Say what the {name} is, or --file FILE; one of them, and - reads stdin.")
    if file is not None:
        try:
            arguments[name] = Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidContent(f"{file} cannot be read: {error}.") from error


def _run(verb: Verb, place: Place, arguments: dict[str, Any]) -> int:
    """Call a verb and show its answer; 1 when the answer is no."""
    import logging

    import engrain

    if logging.lastResort is not None:  # what the library warns of, beside this shell's own warnings
        logging.lastResort.setFormatter(logging.Formatter("warning: %(message)s"))
    _from_file(verb, arguments)
    sure = arguments.pop("yes", False)
    if verb.asks and arguments.get(verb.asks) and not sure and not _confirmed(place, verb.asks, arguments[verb.asks]):
        return 1
    views = [view.option for view in verb.views if arguments.pop(view.name, False)]
    made = _home_without_a_store(place.home) if verb.reads else None
    memory = engrain.open(place.home)
    try:
        agent = None if verb.admin else memory.agent(place.agent, tenant=place.tenant, team=place.team)
        if verb.progress:
            from engrain.shells.screen import progress

            with progress(memory.stats()["memories"]["active"], verb.name) as advance:
                value = verb.run(memory, agent, {**arguments, "progress": advance})
        else:
            value = verb.run(memory, agent, arguments)
        now = memory.world.now()
        if made and not place.json:
            print(f"note: no memory was at {made}; an empty one is there now. Is --home right?", file=sys.stderr)
        elif verb.is_no(value) and agent is not None and not place.json:
            _note_other_agents(memory, place)
        asked = None if place.json else _asked(verb, memory, agent, arguments, value)
    finally:
        try:
            memory.close()
        except StoreError as error:
            if not verb.reads:
                raise
            print(f"warning: that this was read could not be noted: {error}", file=sys.stderr)
    done = "" if verb.reads else f"Do not repeat it: {verb.name} was done, and what it changed is stored."
    code = _answered(partial(_show, " ".join([verb.name, *views]), value, now, place.json, asked), done, place.json)
    return code or int(verb.is_no(value))


def _confirmed(place: Place, name: str, given: Any) -> bool:
    """Whether the person at the terminal means it."""
    what, option = (name, f"--{name}") if given is True else (f"what was learned of {printable(given)}", "a reset")
    if sys.stdin is None or not sys.stdin.isatty():
        raise InvalidField(f"{option} cannot be undone; where nobody can be asked, say --yes, too.")
    print(
        f"This deletes {what} of agent {printable(place.agent)} of tenant {printable(place.tenant)} for good. "
        "Type the agent's name to go on: ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    return sys.stdin.readline().strip() == place.agent


def _asked(verb: Verb, memory: Memory, agent: Agent | None, arguments: dict[str, Any], value: Any) -> Asked | None:
    """What the screen of hits is told beside them."""
    if verb.part != "hits" or agent is None:
        return None
    from engrain.shells.render import Asked

    gated = not value["hits"] and arguments.get("min_score") != 0
    gated = gated and bool(agent.count() if verb.name == "recall" else agent.archived(limit=1))
    return Asked(arguments["query"], gated, memory.excerpt)


def _show(screen: str, value: Any, now: int, as_json: bool, asked: Asked | None) -> None:
    if as_json:
        print(dumped(plain(value), indent=2))
    else:
        from engrain.shells.screens import show

        show(screen, value, now, asked)
