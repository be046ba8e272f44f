"""The table of verbs: it matches the facade, and the command line and the MCP server match it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields as members
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import anyio
import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import types
from typer import TyperException
from typer.main import get_command

import engrain
from engrain.agent import Agent
from engrain.cold import ColdArchive
from engrain.intake.kv import KeyValue
from engrain.intake.validate import FIELDS
from engrain.memory import Memory
from engrain.model.decision import Outcome
from engrain.model.fix import Problem
from engrain.shells.application import TOPICS, application
from engrain.shells.cli import _placed, call, commands, values_of
from engrain.shells.commands import COMMANDS
from engrain.shells.inputs import COMMON, common
from engrain.shells.mcp import Tools
from engrain.shells.plain import plain
from engrain.shells.verb import Verb
from engrain.shells.verbs import NOT_VERBS, VERBS, verbs_of
from engrain.shells.verbs_fixes import FIXES
from engrain.shells.verbs_patterns import LEARNED, PATTERNS
from engrain.shells.verbs_trajectories import TRAJECTORIES

OWNERS: dict[str, type] = {"Agent": Agent, "Memory": Memory, "KeyValue": KeyValue, "ColdArchive": ColdArchive}
OUTCOME = {one.name: one.default for one in members(Outcome)}
LIMITS = ("seconds", "megabytes")
# Parameters of a method that its verb does not have, and why.
NO_FIELD = {
    ("Memory.rebuild", "progress"): "the shell shows it",
    ("KeyValue.get", "default"): "a key that is not set is the answer no",
    ("Agent.export_to", "progress"): "the shell shows it",
    ("Agent.import_from", "progress"): "the shell shows it",
    ("ColdArchive.sql", "progress"): "the shell shows it",
    **{(name, "wording"): "a function" for name in ("Agent.distill", "Memory.discover")},
    ("Agent.patterns", "query"): "list has none",
    ("Agent.patterns", "explore"): "list has none",
    ("Memory.learning_health", "canary"): "over HTTP it only reads",
    ("Memory.dreams", "limit"): "a status is of the last",
    **{(owner + ".sql", name): "a setting says it" for owner in ("Agent", "ColdArchive") for name in LIMITS},
}
# Put together of what other verbs answer.
COMPOSED = {"stats", "fixes recent", "fixes successful", "fixes similar", "fixes export"}
# What REST does not carry: whoever calls over HTTP names no file of the server, and waits for no hours of work.
NOT_REST = {
    "doctor": "tells of the machine",
    "rebuild": "takes as long as the home is large",
    "backup": "names a file",
    "export": "streams, as POST /api/memory/export/{agent}",
    "import": "streams, as POST /api/memory/import/{agent}",
    "patterns export": "names a file",
    "patterns import": "names a file",
    "learn export": "names a file",
    "learn reset": "names a file",
    "policy export": "names a file",
    "policy import": "names a file",
    "export-experiences": "names a file",
    "dream run": "takes as long as there is to learn: dream request",
    "dream status": "dream history and roles",
    "daemon history": "runs, under another name",
    "daemon pause": "pause, under another name",
    "daemon resume": "resume, under another name",
    "fixes recent": "fixes list, since a moment",
    "fixes successful": "fixes patterns, whose best they are",
    "fixes similar": "diagnose",
    "fixes export": "names a file",
    "fixes import": "names a file",
}
# What MCP does not carry, so that a model has few tools to choose from: it has another way, or no need.
NOT_MCP = {
    "remember-many": "remember, once for each",
    "list": "recall finds, context tells",
    "observe-step": "advise and observe are how a model decides",
    "observe-many": "as observe-step",
    "lookup": "recall and list show the id that get takes",
    "history": "an older version is found by its id",
    "count": "stats counts",
    "sessions": "a person's question",
    "export": "a model has no files to write",
    "import": "a model has no files to read",
    "forget-where": "too much in one call for a model: forget, once for each",
    "applied": "helpful says it better",
    "adaptation": "a person's question",
    "reset-adaptation": "a person's decision",
    "experiences": "advise shows the evidence",
    "q-values": "advise shows the value",
    "drifts": "a person's question",
    "archived": "a person's question",
    "archive search": "a person's question",
    "restore": "a person's decision",
    "restore-where": "a person's decision",
    "promote": "time and use do it",
    "pin": "update does it",
    "transitions": "a person's question",
    "sql": "a person's question",
    "kv get": "a model has remember and recall",
    "kv set": "as kv get",
    "kv has": "as kv get",
    "kv search": "as kv get",
    "kv delete": "as kv get",
    **dict.fromkeys(
        (verb.name for verb in FIXES if verb.name not in ("diagnose", "record-fix")),
        "a model looks up and notes; the rest is for people",
    ),
    **dict.fromkeys(
        (verb.name for verb in (*PATTERNS, *LEARNED, *TRAJECTORIES) if not verb.admin),
        "context and helpful bring patterns to a model; the rest is for people",
    ),
}


def method_of(verb: Verb) -> Any:
    owner, _, name = verb.method.partition(".")
    return getattr(OWNERS[owner], name)


def parameters(verb: Verb) -> dict[str, Any]:
    """The parameters of the facade's method with their defaults, an outcome laid flat as in the verb."""
    found: dict[str, Any] = {}
    for name, one in list(inspect.signature(method_of(verb)).parameters.items())[1:]:
        if (verb.method, name) in NO_FIELD and not any(field.name == name for field in verb.fields):
            continue
        if name == "outcome":
            found |= OUTCOME
        elif one.kind is inspect.Parameter.VAR_KEYWORD:  # update(id, **change)
            found |= dict.fromkeys((field for field in FIELDS if field not in ("kind", "key")), None)
        else:
            found[name] = one.default
    return found


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[Tools]:
    with engrain.open(tmp_path / "home") as memory:
        yield Tools(memory, memory.agent("tester", tenant="lab"))


def listed(tools: Tools) -> list[types.Tool]:
    return anyio.run(partial(tools.list_tools, None, None)).tools


@pytest.mark.parametrize(
    "verb",
    [verb for verb in VERBS if verb.name not in COMPOSED or verb.admin],
    ids=lambda verb: f"{verb.name} ({verb.method}, {len(verb.shells)}, {len(verb.fields)})",
)
def test_a_verb_has_the_inputs_and_defaults_of_its_method(verb: Verb) -> None:
    own = {field.name: field for field in verb.fields}
    theirs = parameters(verb)
    if verb.name == "observe":
        theirs = {"decision_id": inspect.Parameter.empty, **{k: v for k, v in theirs.items() if k != "advice"}}
    if verb.name in ("update", "patterns update"):
        own.pop("clear")
    if verb.name == "patterns update":
        said = {"visibility", "provenance"}
        theirs = {"id": inspect.Parameter.empty} | {
            name: None for name in inspect.signature(Agent.add_pattern).parameters if name not in {"self", *said}
        }
    if verb.name == "forget" and "mcp" in verb.shells:  # a model forgets one at a time
        theirs = {"id": inspect.Parameter.empty}
    if verb.name.startswith("kv "):
        theirs["namespace"] = "default"
    if "problem" in theirs:  # which lies flat in the verb
        theirs |= {one.name: None for one in members(Problem) if one.name != "message"}
    assert set(own) == set(theirs)
    for name, default in theirs.items():
        if name == "action" and verb.name == "observe-step":
            continue  # the method's default only lets the arguments stand in any order
        expected = default is inspect.Parameter.empty or (verb.name, name) == ("patterns search", "query")
        assert own[name].required == expected, name
        if not expected and verb.name != "update":
            assert own[name].default == default, name


def test_every_public_method_is_a_verb_or_says_why_not() -> None:
    public = {
        f"{owner}.{name}"
        for owner, one in OWNERS.items()
        for name, part in inspect.getmembers(one, inspect.isfunction)
        if not name.startswith("_")
    }
    carried = {verb.method for verb in VERBS if verb.method != "Agent.stats"}  # the tool: put together of others
    assert public - carried - set(NOT_VERBS) == set()
    assert set(NOT_VERBS) <= public, "a reason for what is not there"
    assert not set(NOT_VERBS) & carried


def test_names_are_unique_in_each_shell() -> None:
    for shell in ("cli", "mcp"):
        names = [verb.name for verb in verbs_of(shell)]
        assert len(names) == len(set(names))


def test_the_command_line_has_each_verb_with_its_inputs() -> None:
    group = get_command(application(commands(), "", call))  # type: ignore[arg-type]
    found = {
        f"{name} {last}" if hasattr(command, "commands") else name: inner
        for name, command in group.commands.items()  # type: ignore[attr-defined]
        for last, inner in (command.commands if hasattr(command, "commands") else {"": command}).items()
    }
    table = {verb.name: verb.typed for verb in verbs_of("cli")}
    table |= {one.name: one.fields for one in COMMANDS}
    assert set(found) == set(table)
    for name, fields in table.items():
        shown = {param.name: param for param in found[name].params}
        assert set(shown) == {field.name for field in (*fields, *common(fields))}, name
        for field in (*fields, *common(fields)):
            assert shown[field.name].required == field.required, (name, field.name)
            assert field.positional or shown[field.name].opts[0] == field.declaration.partition("/")[0]
            assert shown[field.name].help.startswith(field.help)
        assert found[name].help


@cache
def _by_typer(name: str) -> Any:
    return get_command(application(commands(), name, call))  # type: ignore[arg-type]


@given(st.data())
def test_plain_words_are_read_as_typer_reads_them(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(commands())))
    fields = (*commands()[name].fields, *COMMON)
    spellings = [one for field in fields if not field.positional for one in field.declaration.split("/")]
    word = st.sampled_from(["v", "w x", "", "-", "--", "-5", "-h", "--help", "--nope", "---", "=", "a=b", "-x=y"])
    option = st.sampled_from(spellings)
    words = data.draw(st.lists(st.one_of(word, option, st.builds("{}={}".format, option, word)), max_size=7))
    command = _by_typer(name)
    try:
        found, rest, _ = command.make_parser(command.context_class(command)).parse_args(list(words))
    except TyperException:
        assert values_of(fields, words) is None
        return
    values = {field.name: found.get(field.name) for field in fields}
    missing = [field.name for field in fields if field.required and values[field.name] is None]
    assert values_of(fields, words) == (None if rest or missing or "help" in found else values)


@pytest.mark.parametrize(
    "words",
    ["a b why", "a --reason why b", "--reason=why a b", "a b --json --reason why", "--reason why -- a b"],
)
def test_a_reason_is_given_either_way(words: str) -> None:
    for name in ("fixes merge", "patterns merge"):
        fields = (*commands()[name].fields, *COMMON)
        told = values_of(fields, _placed(fields, words.split()))
        assert told is not None
        assert [told["id"], told["into"], told["reason"]] == ["a", "b", "why"]


def test_words_without_such_a_field_stay() -> None:
    fields = commands()["remember"].fields
    assert _placed(fields, ["x", "--reason", "y"]) == ["x", "--reason", "y"]
    merge = commands()["fixes merge"].fields
    assert _placed(merge, ["a", "--home", "--reason", "b"]) == ["a", "--home", "--reason", "b"]
    assert _placed(merge, ["a", "b", "--reason"]) == ["a", "b", "--reason"]


def test_every_command_has_its_topic() -> None:
    words = [word for topic in TOPICS.values() for word in topic.split()]
    assert len(words) == len(set(words))
    assert set(words) == {name.split()[0] for name in (*(v.name for v in verbs_of("cli")), *(c.name for c in COMMANDS))}


def test_mcp_has_each_of_its_verbs_with_its_inputs(tools: Tools) -> None:
    shown = listed(tools)
    assert [tool.name for tool in shown] == [verb.name.replace("-", "_") for verb in verbs_of("mcp")]
    for tool, verb in zip(shown, verbs_of("mcp"), strict=True):
        assert set(tool.input_schema["properties"]) == {field.name for field in verb.fields}
        assert set(tool.input_schema["required"]) == {field.name for field in verb.fields if field.required}
        assert tool.input_schema["additionalProperties"] is False
        assert tool.description == verb.help
        hints = tool.annotations
        assert hints is not None
        assert (hints.read_only_hint, hints.destructive_hint) == (verb.reads, verb.destroys)
        assert hints.open_world_hint is False
        assert hints.idempotent_hint is (verb.reads or verb.repeats)


def test_mcp_has_few_tools_none_for_admins_and_no_scope_among_their_arguments(tools: Tools) -> None:
    shown = listed(tools)
    assert len(shown) == 12
    assert not any(verb.admin for verb in verbs_of("mcp"))
    for tool in shown:
        assert not {"agent", "tenant", "team", "home"} & set(tool.input_schema["properties"])
    carried = {verb.name for verb in verbs_of("mcp")}
    assert {verb.name for verb in VERBS if not verb.admin} - carried == set(NOT_MCP)


def test_rest_has_every_verb_but_those_of_the_machine() -> None:
    assert {verb.name for verb in VERBS} - {verb.name for verb in verbs_of("rest")} == set(NOT_REST)
    keys = [(verb.admin, verb.name) for verb in verbs_of("rest")]
    assert len(keys) == len(set(keys))


def test_schemas_are_schemas(tools: Tools) -> None:
    for tool in listed(tools):
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        assert tool.output_schema is not None
        jsonschema.Draft202012Validator.check_schema(tool.output_schema)
        assert tool.output_schema["type"] == "object"


def test_a_reader_and_a_destroyer_are_never_the_same() -> None:
    assert [verb.name for verb in VERBS if verb.reads and (verb.destroys or verb.repeats)] == []


def test_lean_leaves_out_only_defaults_and_full_leaves_out_nothing(tools: Tools) -> None:
    item = tools._agent.remember("The build is green", tags=["ci"], occurred_at=datetime(2026, 1, 2, tzinfo=UTC))
    full, lean = plain(item), plain(item, lean=True)
    assert set(full) == {field.name for field in members(item)}
    assert lean["tags"] == ["ci"]
    assert lean["occurred_at"] == "2026-01-02T00:00:00+00:00"
    assert {"key", "importance", "shown", "metadata"}.isdisjoint(lean)
    assert all(full[name] == part for name, part in lean.items())
    schema = next(tool.output_schema for tool in listed(tools) if tool.name == "remember")
    jsonschema.validate(full, schema)
    jsonschema.validate(lean, schema)


# -- fields -----------------------------------------------------------------------------------------------------------
