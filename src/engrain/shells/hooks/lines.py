"""Lines of a shell: what kind of work a command is, whether its exit code is its own, and when two are the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"")
_HEAD = re.compile(
    r"^(?:cd\s+\S+\s*&&\s*|[A-Za-z_]\w*=\S*\s+|(?:env|nice(?:\s+-n\s*\S+)?|time|sudo|command)\s+|timeout\s+\S+\s+)"
)
_RUNNER = re.compile(
    r"^(?:(?:uv|poetry|pdm|hatch|rye)\s+run|npx(?:\s+-y)?|bunx|pipx\s+run|\S*python[\d.]*\s+-m|bundle\s+exec)\s+"
)
_TAIL = re.compile(r"\s*(?:\d?>>?\s*\S+|\d?>&\d|&>\s*\S+)")
_SHORTENED = re.compile(r"\s*\|\s*(?:head|tail|grep|rg|egrep|less|cat|sed|awk|tee|wc|sort|uniq)\b[^|;&]*$")
_TABLES = json.loads(Path(__file__).with_name("work.json").read_text(encoding="utf-8"))
_KINDS = {program: kind for kind, programs in _TABLES["programs"].items() for program in programs.split()}
_SECOND = {
    (program, verb): kind
    for kind, table in _TABLES["verbs"].items()
    for programs, verbs in table.items()
    for program in programs.split()
    for verb in verbs.split()
}
"""The kind of work of a program, and that of one with its first word: "test:unit" and "test-all" are "test"."""
_TAKES = frozenset(_TABLES["takes"].split())  # programs whose first word says what they do
TOOLS = {tool: kind for kind, tools in _TABLES["tools"].items() for tool in tools.split()}
"""Tools of Claude Code: that only look, so that their success says nothing; that edit; that run a shell's commands."""
_WORD = re.compile(r"[A-Za-z][\w.:-]*")


def kind_of(command: str) -> str:
    """test, lint, install, build, git, look (changes nothing, finds nothing out) or run: of the part that matters most
    where there are several."""
    kinds = {_kind(part) for part in parts(command)}
    order = ("test", "lint", "build", "install", "git", "run", "look")
    return next((kind for kind in order if kind in kinds), "look")


def parts(command: str) -> list[str]:
    """The simple commands of a line, without what stands before and behind the words that are run."""
    masked = _QUOTED.sub(lambda match: "_" * len(match[0]), command)
    cuts = [0, *(at for match in re.finditer(r"&&|\|\||[;\n|]", masked) for at in match.span()), len(command)]
    found = [bare(command[start:end]) for start, end in zip(cuts[::2], cuts[1::2], strict=True)]
    return [part for part in found if part and not part.startswith("#")]


def bare(command: str) -> str:
    """A simple command without variables, wrappers and redirections in front of or behind it."""
    text = " ".join(command.split())
    while (match := _HEAD.match(text)) and match.end() < len(text):
        text = text[match.end() :]
    return _TAIL.sub("", text).strip()


def same(command: str) -> str:
    """What two commands have in common when they check the same thing, however much of the output is shown."""
    text = " ".join(command.split())
    before = ""
    while text != before:
        before, text = text, _SHORTENED.sub("", _TAIL.sub("", text)).strip()
    return text


def head(command: str) -> str:
    """The program and its subcommand: "pytest", "npm test", "git commit"."""
    mine = [part for part in parts(command) if _kind(part) == kind_of(command)] or [command]
    text = _RUNNER.sub("", mine[0])
    words = text.split()
    if not words:
        return "sh"
    name = words[0].rpartition("/")[2] or words[0]
    further = [word for word in words[1:3] if _WORD.fullmatch(word)] if name in _TAKES else []
    return " ".join([name, *further[: 2 if further[:1] == ["run"] else 1]])[:100]


def masked(command: str) -> bool:
    """Whether the exit code of a line may be that of something else than what it is about: of the last of a pipe, of
    what stands after ``;`` or ``||``."""
    text = _QUOTED.sub("", command).strip().rstrip(";").strip()
    if "pipefail" in text:
        return False
    rest = text.replace("||", "\0")
    return "|" in rest or "\0" in rest or ";" in rest or "\n" in rest or rest.endswith("&")


def _kind(part: str) -> str:
    words = _RUNNER.sub("", part).split()
    if not words:
        return "look"
    name = words[0].rpartition("/")[2]
    verb = next((word for word in words[1:] if word != "run"), "")
    kind = _SECOND.get((name, verb)) or _SECOND.get((name, re.split("[:_-]", verb)[0] or verb))
    return kind or _KINDS.get(name) or "run"
