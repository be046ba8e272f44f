"""Transcripts of Claude Code: one JSON object a line, a file a session, below ``~/.claude/projects``.

What was said becomes an item with its session, speaker and time: the words of the user and of the assistant, and what a
tool answered. Thinking, tool calls, pictures, notices of the program and what it told itself (meta lines, summaries
after a compaction, side chains of helpers) are left out. The format is not documented and changes: a line of a type
that is not known is passed over, never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from engrain.errors import InvalidField
from engrain.exchange.files import Found, lines

TOOL_CHARACTERS = 4_000  # of what a tool answered: the rest of a long listing is seldom worth a memory
_TAG = re.compile(r"<(command-(?:name|message|args)|local-command-(?:stdout|stderr|caveat)|system-reminder)>")
_STOPPED = re.compile(r"\[Request interrupted by user[^\]\n]{0,40}\]")
_HIDDEN = ("isMeta", "isSidechain", "isCompactSummary", "isVisibleInTranscriptOnly")


def from_transcript(file: BinaryIO) -> Iterator[Found]:
    """The items of one transcript."""
    for where, line in lines(file):
        if isinstance(line, InvalidField):
            yield where, line
        elif not isinstance(line, dict):
            yield where, InvalidField("It must be an object.")
        elif line.get("type") in ("user", "assistant") and not any(line.get(name) is True for name in _HIDDEN):
            message = line.get("message")
            content = message.get("content") if isinstance(message, dict) else None
            about = {"session": line.get("sessionId"), "occurred_at": line.get("timestamp")}
            about |= {"created_at": about["occurred_at"], "source": "claude-code", "kind": "event"}
            for role, text in _said(str(line["type"]), content):
                yield where, {**about, "content": text, "role": role}


def _said(speaker: str, content: Any) -> Iterator[tuple[str, str]]:
    """(role, text) of the parts of a message that are worth keeping."""
    for part in content if isinstance(content, list) else [{"type": "text", "text": content}]:
        if not isinstance(part, dict):
            continue
        if part.get("type") == "text":
            role, text = speaker, _words(part.get("text"))
        elif part.get("type") == "tool_result":
            role, text = "tool", _words(part.get("content"))[:TOOL_CHARACTERS]
        else:
            continue
        if text.strip():
            yield role, text


def _words(content: Any) -> str:
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        content = "\n".join(text for text in texts if isinstance(text, str))
    return _quiet(content).replace("\0", "").strip() if isinstance(content, str) else ""


def _quiet(text: str) -> str:
    """Without what the program itself put among the words. Takes time in proportion to the text, whatever is in it."""
    kept, at, open_ended = [], 0, set()
    for tag in _TAG.finditer(text):
        if tag.start() < at or tag[1] in open_ended:
            continue
        end = text.find(f"</{tag[1]}>", tag.end())
        if end < 0:
            open_ended.add(tag[1])
            continue
        kept.append(text[at : tag.start()])
        at = end + len(tag[1]) + 3
    return _STOPPED.sub("", "".join([*kept, text[at:]]))
