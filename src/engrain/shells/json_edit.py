"""Change one member of a JSON text and leave every other character of it as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n\ufeff]*")


class Member(NamedTuple):
    """Where a member of an object stands in the text: from its name to the end of its value."""

    name: str
    start: int
    value: int
    end: int


def members(text: str, start: int = 0) -> list[Member]:
    """The members of the object that begins at or after ``start``. Raises ValueError when there is no object."""
    at = _skip(text, start)
    if text[at : at + 1] != "{":
        raise ValueError("it is not a JSON object")
    return list(_members(text, _skip(text, at + 1)))


def _members(text: str, at: int) -> Iterator[Member]:
    while text[at] != "}":
        name, after = _DECODER.raw_decode(text, at)
        value = _skip(text, _skip(text, after) + 1)  # past the colon
        _, end = _DECODER.raw_decode(text, value)
        yield Member(name, at, value, end)
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at


def find(text: str, *path: str) -> Member | None:
    """The member under a path of names; the last one, where a name stands twice."""
    found: Member | None = None
    for name in path:
        inside = members(text, found.value if found else 0)
        found = next((member for member in reversed(inside) if member.name == name), None)
        if found is None:
            return None
    return found


def insert(text: str, path: tuple[str, ...], name: str, value: Any) -> tuple[int, str]:
    """Where to put which characters to add a member to the object under a path (empty: the outermost)."""
    parent = find(text, *path)
    start = parent.value if parent else _skip(text, 0)
    inside = members(text, start)
    newline = "\r\n" if "\r\n" in text else "\n"
    unit = match[1] if (match := re.search(r'\n([ \t]+)"', text)) else "  "
    many_lines = "\n" in text[start : inside[0].start] if inside else True
    if not many_lines:
        return inside[-1].end, f", {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
    depth = unit * (len(path) + 1)
    written = json.dumps(value, ensure_ascii=False, indent=unit).replace("\n", newline + depth)
    added = f"{newline}{depth}{json.dumps(name)}: {written}"
    if inside:
        return inside[-1].end, "," + added
    return start + 1, added + ("" if "\n" in text[start : text.index("}", start)] else newline + unit * len(path))


def remove(text: str, *path: str) -> str:
    """The text without the member under a path, and without its comma."""
    found = find(text, *path)
    if found is None:
        return text
    parent = find(text, *path[:-1])
    inside = members(text, parent.value if parent else 0)
    at = inside.index(found)
    if at + 1 < len(inside):
        return text[: found.start] + text[inside[at + 1].start :]
    if at:
        return text[: inside[at - 1].end] + text[found.end :]
    opening = text.rindex("{", 0, found.start)
    return text[: opening + 1] + text[text.index("}", found.end) :]


def _skip(text: str, at: int) -> int:
    return _BLANK.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing, too
