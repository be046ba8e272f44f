"""The whole command line as an application of typer: help, completion, and what is said about wrong words."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import typer

from engrain.model.item import KINDS
from engrain.shells.commands import GROUPS, Command
from engrain.shells.fields import Field
from engrain.shells.inputs import COMMON, common

Call = Callable[[Command, dict[str, Any]], int]

HELP = "Memory that makes agents better, and can prove it."
EPILOG = (
    "Exit codes: 0 done, 1 the answer is no or empty, 2 wrong usage, 3 engine error. "
    "--home, --agent, --tenant, --team and --json may stand before or after the command."
)
TOPICS = {
    "Remember and recall": (
        "remember remember-many recall context get lookup history list sessions count update forget forget-where "
        "helpful applied adaptation reset-adaptation"
    ),
    "The life of a memory": "archived restore restore-where promote pin transitions prune",
    "Decide and learn": "advise observe observe-step observe-many experiences q-values drifts",
    "Fix what goes wrong": "diagnose record-fix record-fixes fixes",
    "What worked before": "patterns trajectories learn",
    "Learn offline": "learning dream policy export-experiences",
    "Keys and values": "kv",
    "Ask the archive": "archive sql report",
    "Leave and come back": "export import",
    "Look after a home": "init hook doctor stats agents rebuild backup restore-backup",
    "Background work": "daemon tick roles runs pause resume lifecycle metrics alerts",
    "Other shells": "mcp serve keys demo version",
}
_TYPES: dict[str, Any] = {"integer": int, "number": float, "flag": bool}


def application(commands: Mapping[str, Command], name: str, call: Call) -> Callable[..., Any]:
    """One command alone where its name is known. All of them for help, for shell completion (name "") and for saying
    what was meant by a name that does not exist. ``call`` runs a command with the values of its fields."""
    settings = {"help_option_names": ["-h", "--help"]}
    if name:
        alone = typer.Typer(add_completion=False)
        _add(alone, commands[name], call, settings)
        return alone
    app = typer.Typer(help=HELP, epilog=EPILOG, no_args_is_help=True, context_settings=settings)
    app.callback()(_function(COMMON, lambda values: None))
    for topic, words in TOPICS.items():
        for word in words.split():
            if word in commands:
                _add(app, commands[word], call, settings, topic)
                continue
            group = typer.Typer(help=GROUPS[word], no_args_is_help=True)
            app.add_typer(group, name=word, rich_help_panel=topic, context_settings=settings)
            for command in commands.values():
                if command.name.startswith(word + " "):
                    _add(group, command, call, settings)
    return app


def _add(app: typer.Typer, command: Command, call: Call, settings: dict[str, Any], panel: str | None = None) -> None:
    name = command.name.rpartition(" ")[2]
    app.command(name, help=command.help, rich_help_panel=panel, context_settings=settings)(
        _function((*command.fields, *common(command.fields)), partial(call, command))
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
            told += f" Or {field.option} {field.name.upper()}." if field.option else ""
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
