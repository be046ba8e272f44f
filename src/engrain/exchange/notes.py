"""A folder of files, none of which lies outside of it: Markdown notes, and transcripts."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from engrain.errors import InvalidField
from engrain.exchange.files import Found
from engrain.intake.validate import CONTENT_BYTES, FIELD_CHARACTERS, NAME_CHARACTERS, TAGS
from engrain.world import from_micros

_FRONT = re.compile(r"---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_ENTRY = re.compile(r"([A-Za-z_][\w -]*):[ \t]*(.*)")
_ITEM = re.compile(r"[ \t]*-[ \t]+(.*)")


def files(folder: Path, suffix: str) -> Iterator[tuple[str, BinaryIO | InvalidField]]:
    """(path within the folder, open file) of every regular file with a suffix, in order. Links are not followed, and
    hidden folders not entered: what is read lies in the folder, and was meant to be read."""
    for here, names, found in os.walk(folder, followlinks=False):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(found):
            path = Path(here, name)
            within = path.relative_to(folder).as_posix()
            if not name.lower().endswith(suffix) or name.startswith(".") or path.is_symlink():
                continue
            try:
                descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
                with os.fdopen(descriptor, "rb") as file:
                    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                        yield within, file
            except OSError as error:
                yield within, InvalidField(f"It cannot be read: {error.strerror}.")


def from_folder(folder: Path, suffix: str, read: Callable[[BinaryIO], Iterator[Found]]) -> Iterator[Found]:
    """What ``read`` finds in each file of a folder; where it stands begins with the file."""
    for within, file in files(folder, suffix):
        if isinstance(file, InvalidField):
            yield within, file
        else:
            yield from ((f"{within}, {where}", row) for where, row in read(file))


def from_notes(folder: Path) -> Iterator[Found]:
    """One item a note: its text without the front matter, under the note's path as the key, so that a folder that is
    imported again changes only what has changed. Tags come from the front matter, whose other entries are metadata."""
    for within, file in files(folder, ".md"):
        row = file if isinstance(file, InvalidField) else _note(within, file)
        if row is not None:
            yield within, row


def _note(within: str, file: BinaryIO) -> Any:
    source = file.read(CONTENT_BYTES * 2 + 1)
    if len(source) > CONTENT_BYTES * 2:
        return InvalidField(f"It has more than {CONTENT_BYTES:,} bytes; split it.")
    if len(within) > FIELD_CHARACTERS:
        return InvalidField(f"Its path has more than {FIELD_CHARACTERS} characters.")
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return InvalidField(f"It is not UTF-8: {error}.")
    front = _FRONT.match(text)
    about = _front_matter(front[1]) if front else {}
    body = text[front.end() :] if front else text
    tags = about.pop("tags", about.pop("tag", []))
    changed = from_micros(os.fstat(file.fileno()).st_mtime_ns // 1000)
    row = {"content": body.strip(), "kind": "knowledge", "key": within, "source": "markdown", "tags": _tags(tags)}
    if not row["content"]:
        return None  # a note that is still to be written
    return {**row, "metadata": about, "updated_at": changed, "told_at": changed}


def _tags(value: Any) -> list[str]:
    found = value if isinstance(value, list) else re.split(r"[,\s]+", str(value))
    named = [str(one).strip().lstrip("#")[:NAME_CHARACTERS] for one in found]
    return [one for one in dict.fromkeys(named) if one][:TAGS]


def _front_matter(text: str) -> dict[str, Any]:
    """The entries of a front matter that are a text or a list of texts. More of YAML is not read: it would need a
    parser of its own, and such an entry seldom says what the note is about."""
    entries: dict[str, Any] = {}
    name = ""
    for line in text.splitlines():
        if found := _ENTRY.fullmatch(line):
            name, value = found[1].strip().lower(), found[2].strip()
            if value.startswith("[") and value.endswith("]"):
                entries[name] = [_plain(one) for one in value[1:-1].split(",") if one.strip()]
            elif value:
                entries[name] = _plain(value)
        elif name and (item := _ITEM.fullmatch(line)):
            known = entries.setdefault(name, [])
            if isinstance(known, list):
                known.append(_plain(item[1]))
    return entries


def _plain(value: str) -> str:
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
