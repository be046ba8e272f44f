"""Which format a file or folder is in, and who reads it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from engrain.errors import InvalidField
from engrain.exchange.files import WRITERS, Found, from_json, from_lines, from_table
from engrain.exchange.notes import from_folder, from_notes
from engrain.exchange.rivals import from_mcp_memory, from_mem0
from engrain.exchange.transcripts import from_transcript

READERS: Mapping[str, Callable[[BinaryIO], Iterator[Found]]] = {
    "json": from_json,
    "jsonl": from_lines,
    "csv": from_table,
    "mem0": from_mem0,
    "mcp-memory": from_mcp_memory,
    "claude-code": from_transcript,
}
FORMATS = (*READERS, "markdown")
EXPORTS = tuple(WRITERS)
_HEAD = 1 << 16  # bytes by which a format is told


def export_format(path: Path, format_: str | None) -> str:
    """The format of an export: as given, or by the suffix. Raises InvalidField."""
    found = path.suffix.lower().removeprefix(".") if format_ is None else format_
    if found not in EXPORTS:
        raise InvalidField(f"format must be one of {', '.join(EXPORTS)}, or the suffix of the file, not {found!r}.")
    return found


def import_format(format_: str | None) -> str | None:
    """A known format, or None. Raises InvalidField."""
    if format_ is not None and format_ not in FORMATS:
        raise InvalidField(f"format must be one of {', '.join(FORMATS)}, not {format_!r}.")
    return format_


def rows_of(path: Path, format_: str | None) -> Callable[[], Iterator[Found]]:
    """What reads the rows of a file or folder, from the beginning each time. Raises InvalidField when it cannot be read
    or its format cannot be told."""
    try:
        if path.is_dir():
            format_ = format_ or _folder(path)
            if format_ == "markdown":
                return partial(from_notes, path)
            return partial(from_folder, path, ".csv" if format_ == "csv" else _suffix(format_), READERS[format_])
        if path.exists() and not path.is_file():
            raise InvalidField(f"{path} is neither a file nor a folder.")  # it could be read only once
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise InvalidField(f"{path} cannot be read: {error.strerror}.") from error
    format_ = format_ or told_by(path.name, head)
    if format_ == "markdown":
        raise InvalidField(f"{path} is a file; markdown is imported from a folder of notes.")
    return partial(_read, path, READERS[format_])


def _suffix(format_: str) -> str:
    return ".json" if format_ in ("json", "mem0") else ".jsonl"


def _read(path: Path, read: Callable[[BinaryIO], Iterator[Found]]) -> Iterator[Found]:
    with path.open("rb") as file:
        yield from read(file)


def _folder(path: Path) -> str:
    """Notes or transcripts, when the folder has files of one of them only."""
    found = {name for name, suffix in (("markdown", "*.md"), ("claude-code", "*.jsonl")) if any(path.rglob(suffix))}
    if len(found) != 1:
        raise InvalidField(f"{path} holds {'both' if found else 'neither'} notes and transcripts; name the format.")
    return found.pop()


def told_by(name: str, head: bytes) -> str:
    """The format of a file, told by its name and its first bytes. Raises InvalidField when they do not say."""
    if name.lower().endswith(".csv"):
        return "csv"
    lines = [line for line in head.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip()]
    try:
        first = json.loads(lines[0]) if lines else None
    except (ValueError, RecursionError):  # a document of several lines
        first = None
        text = head.decode(errors="replace")
        if name.lower().endswith(".jsonl"):  # its first line is longer than what was looked at
            return "claude-code" if '"sessionId"' in text else "jsonl"
        for mark, found in (('"engrain"', "json"), ('"memory"', "mem0"), ('"content"', "json")):
            if mark in text:
                return found
    guess = _object(first, name)
    if guess is None:
        raise InvalidField(f"The format of {name} cannot be told; name it: {', '.join(FORMATS)}.")
    return guess


def _object(first: Any, name: str) -> str | None:
    """The format of what begins with a line that is this JSON value."""
    if isinstance(first, list):
        return "mem0" if first and isinstance(first[0], dict) and "memory" in first[0] else "json"
    if not isinstance(first, dict):
        return None
    if first.get("type") in ("entity", "relation"):
        return "mcp-memory"
    if "results" in first:
        return "mem0"
    if "items" in first:
        return "json"
    if "engrain" in first or "content" in first:
        return "jsonl"
    return "claude-code" if name.lower().endswith(".jsonl") and "type" in first else None
