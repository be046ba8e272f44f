"""A session in a few lines: what was asked, decided, changed and checked. Extracted, word for word, not written: there
is no model here. The transcript is a file of JSON lines; of a long one only the end is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from engrain.glimpse import clipped
from engrain.shells.hooks.lines import TOOLS

HEAD, TAIL = 64 << 10, 2 << 20  # bytes of a transcript that are read: its beginning and its end ...
PARSED = 256 << 10  # ... and of the end, those of lines in which something was said
_ASIDE = ("isMeta", "isSidechain", "isCompactSummary", "isVisibleInTranscriptOnly")
LINE = 256 << 10  # a longer line is the output of a tool, or a picture
ASKED, DECIDED, FILES, CHECKS = 6, 8, 20, 8
_NOISE = re.compile(r"<(system-reminder|command-[a-z]+|local-command-[a-z]+)>.*?</\1>", re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?。])\s+|\n+")
_MARKUP = re.compile(r"^[\s>*#\-–•\d.)]+|[*_`]{1,3}")
_DECIDED = re.compile(
    r"\b(?:decided|decision|we(?:'ll| will| should) (?:use|keep|go with)|I(?:'ll| will) (?:use|keep|go with)"
    r"|chose|chosen|instead of|rather than|root cause|the (?:problem|cause|issue|bug|fix|reason) (?:is|was)|turns? out"
    r"|because)\b",
    re.IGNORECASE,
)
_TOLD = re.compile(
    r"\b(?:always|never|from now on|don't|do not|must(?: not)?|prefer|please use|use .+ instead|remember)\b",
    re.IGNORECASE,
)


class Turn(NamedTuple):
    """A text of a transcript, or a file that a tool changed."""

    role: str  # user, assistant, file
    text: str


def turns(path: Path) -> list[Turn]:
    """What was said, oldest first: what began it, and the end; nothing where there is no transcript. Raises OSError
    when it cannot be read."""
    if not path.is_file():
        return []
    with path.open("rb") as file:
        first = file.read(HEAD)
        at = max(len(first), path.stat().st_size - TAIL)
        file.seek(at)
        rest = file.read(TAIL)
    start, _, cut = first.rpartition(b"\n")
    rest = cut + rest if at == len(first) else rest.partition(b"\n")[2]
    opening: list[Turn] = []
    for line in start.split(b"\n"):
        opening += _of(line)
    latest: list[list[Turn]] = []
    room = PARSED
    for line in reversed(rest.split(b"\n")):
        if room <= 0:
            break
        if found := _of(line):
            latest.append(found)
            room -= len(line)
    return [*opening, *(turn for found in reversed(latest) for turn in found)]


def _of(raw: bytes) -> list[Turn]:
    """The turns of a line of a transcript; of the output of a tool, of what was no part of the talk, none."""
    if b'"message"' not in raw or len(raw) > LINE or b'"tool_result"' in raw:
        return []
    with suppress(ValueError, RecursionError):
        line = json.loads(raw)
        if isinstance(line, dict) and not any(map(line.get, _ASIDE)):
            return list(_told(line))
    return []


def _told(line: Mapping[str, Any]) -> Iterator[Turn]:
    message = line.get("message")
    role = line.get("type")
    if not isinstance(message, Mapping) or role not in ("user", "assistant"):
        return
    content = message.get("content")
    for block in [{"type": "text", "text": content}] if isinstance(content, str) else content or ():
        if not isinstance(block, Mapping):
            continue
        if block.get("type") == "text" and isinstance(block.get("text"), str):
            text = _NOISE.sub("", block["text"]).strip()
            if text and not text.startswith(("[Request interrupted", "Caveat:")):
                yield Turn(str(role), text)
        elif block.get("type") == "tool_use" and TOOLS.get(str(block.get("name"))) == "edit":
            given = block.get("input")
            path = given.get("file_path") or given.get("notebook_path") if isinstance(given, Mapping) else None
            if isinstance(path, str):
                yield Turn("file", path)


def digest(said: list[Turn], files: list[str], checks: Mapping[str, bool], cwd: str, project: str) -> str:
    """The session in at most some 4,000 characters; "" when nothing happened in it."""
    asked = _unique(turn.text for turn in said if turn.role == "user")
    if len(asked) > ASKED:
        asked = [asked[0], *asked[1 - ASKED :]]
    asked = _unique(_short(text, 300) for text in asked)
    decided = _unique(sentence for turn in said for sentence in _telling(turn))[-DECIDED:]
    root = cwd.rstrip("/") + "/"
    changed = _unique([*files, *(turn.text for turn in said if turn.role == "file")])
    changed = _unique(path.removeprefix(root)[:200] for path in changed)[-FILES:]
    last = next((turn.text for turn in reversed(said) if turn.role == "assistant"), "")
    if not (asked or changed or checks or last):
        return ""
    lines = [f"Session in {project}." if project else "Session."]
    for title, found in (("Asked", asked), ("Decided", decided)):
        lines += [f"{title}:", *(f"- {one}" for one in found)] if found else []
    if changed:
        lines.append(f"Changed: {', '.join(changed)}")
    if checks:
        told = [f"{name} {'passed' if ok else 'failed'}" for name, ok in [*checks.items()][-CHECKS:]]
        lines.append(f"Checked: {'; '.join(told)}")
    if last:
        lines.append(f"Ended with: {_short(last, 500)}")
    return "\n".join(lines)


def _telling(turn: Turn) -> Iterator[str]:
    """The sentences of a turn that say what was decided, and why."""
    if turn.role == "file":
        return
    cue = _TOLD if turn.role == "user" else _DECIDED
    for sentence in _SENTENCE.split(turn.text[:20_000]):
        plain = _MARKUP.sub("", sentence).strip()
        if 20 <= len(plain) <= 300 and cue.search(plain):
            yield plain


def _short(text: str, most: int) -> str:
    text = " ".join(clipped(text, 2 * most).split())
    return text if len(text) <= most else f"{text[:most].rsplit(' ', 1)[0]} …"


def _unique(found: Any) -> list[str]:
    return list(dict.fromkeys(found))
