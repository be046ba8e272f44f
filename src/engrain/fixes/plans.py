"""What was done: whether commands do anything at all, and which of them are the same way of solving something."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

IDLE = frozenset(("echo", "print", "printf", "puts", "say", "write-host", "write-output", "true", ":", "rem", "exit"))
"""Commands that only say something."""
_PRINT = re.compile(
    r"\s*(?:print|puts|printf|println!?|console\.\w+|System\.out\.print\w*|fmt\.Print\w*|log\.\w+)\s*\(.*\)\s*;?\s*",
    re.DOTALL,
)
_COMMENT = re.compile(r"\s*(?:#|//|--\s|::|;|/\*.*\*/\s*$|<!--.*-->\s*$|rem\s)", re.IGNORECASE | re.DOTALL)
_RUNS_MORE = re.compile(r"\$\(|`|<\(")
_BREAKS = frozenset(";&|()")
_NOWHERE = ("/dev/null", "/dev/stdout", "/dev/stderr", "&1", "&2", "1", "2", "nul")
OPEN = "<target>"
_FEW = 2  # characters of a name that stands anywhere by chance
_SHELL = 10_000  # characters of one command that are looked into
_VARYING = (
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T_ ]\d\d:?\d\d(?::?\d\d(?:\.\d+)?)?Z?)?\b"), "<time>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,}\b"), "<hex>"),
    (re.compile(r"(?<![\w.])/(?:tmp|var/tmp|var/folders|private/tmp)/[^\s'\";]+"), "<tmp>"),
    (re.compile(r"(?<![\w.])\d{5,}(?![\w.])"), "<n>"),
    (re.compile(r"\s+"), " "),
)


def does_something(commands: Sequence[str], analysis: str | None) -> bool:
    """Whether an attempt is one: a command that is more than a remark. Without commands an analysis is taken for what
    was done."""
    return any(_acts(one) for one in commands) if commands else analysis is not None


def plan_of(commands: Sequence[str], analysis: str | None, target: str | None) -> str | None:
    """The key of a way to solve something: of its commands but for remarks, or else of its analysis, without the ids,
    times and temporary places that differ from case to case, and with the target's name left open. None for neither."""
    chosen = [one for one in commands if _acts(one)] or list(commands)
    if not chosen and analysis is None:
        return None
    text = (
        "\n".join(_plain(one, target) for one in chosen)
        if chosen
        else "said: " + _plain(analysis or "", target).lower()
    )
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def done(commands: Sequence[str], target: str | None) -> list[str]:
    """The commands that do something, with the target's name left open: the same is done for another."""
    return [opened(one, target) for one in commands if _acts(one)]


def opened(text: str, target: str | None) -> str:
    """The text with OPEN in the place of the target's name."""
    if target is None or len(target) <= _FEW:
        return text
    return re.sub(rf"(?<!\w){re.escape(target)}(?!\w)", OPEN, text)


def filled(text: str, target: str | None) -> str:
    """The text with a target's name in its place; as it is without one."""
    return text if target is None else text.replace(OPEN, target)


def _plain(text: str, target: str | None) -> str:
    text = opened(text, target)
    for pattern, name in _VARYING:
        text = pattern.sub(name, text)
    return text.strip().rstrip(";")


@lru_cache(maxsize=8192)  # the same is done again and again
def _acts(command: str) -> bool:
    return any(_line_acts(line) for line in command[:_SHELL].splitlines())


def _line_acts(line: str) -> bool:
    if not line.strip() or _COMMENT.match(line) or _PRINT.fullmatch(line):
        return False
    if _RUNS_MORE.search(line):
        return True
    return any(_part_acts(part) for part in _parts(line))


def _parts(line: str) -> Iterator[list[str]]:
    """The simple commands of a line of shell, each as its words. What cannot be read is one command."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        words = line.split()
    part: list[str] = []
    for word in words:
        if word and set(word) <= _BREAKS:
            yield part
            part = []
        else:
            part.append(word)
    yield part


def _part_acts(words: Sequence[str]) -> bool:
    if not words:
        return False
    named = words[0].lower().rsplit("/", 1)[-1].removesuffix(".exe")
    if named == "sudo" and len(words) > 1:
        return _part_acts(words[1:])
    if named not in IDLE:
        return True
    return any(set(word) == {">"} and place not in _NOWHERE for word, place in pairwise(words))
