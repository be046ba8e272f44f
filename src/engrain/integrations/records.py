"""JSON documents kept as memories, exactly: what of a document is readable stands in the content, where recall finds
it, the document itself in the metadata.

What is too long for the metadata is moved: long texts into the content, behind separators, and what does not fit there
into further items, whose keys are that of the first and a number. What JSON can say and a memory cannot (a NUL, half of
a surrogate pair, a very deep nest) is kept as escaped JSON text.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from engrain.agent import Agent
from engrain.errors import InvalidField
from engrain.model.item import MemoryItem

KIND = "context"  # of the items
ROOM = 40_000  # characters of a document that stands in the metadata whole
LONG = 1_024  # characters of a text that may be moved
BLOCK = 1_000_000  # bytes of a content
TEXT = 4_000  # characters of the readable text of a document that was moved
DEPTH = 24
PAGE, MOST = 100, 10_000  # items read at a time: at first, and then
_MARK = "\x1e"
_SEPARATOR = f"\n{_MARK}\n"
_PART = "+"


class Record(NamedTuple):
    """A document that was kept: its item, and those that hold the rest of it."""

    item: MemoryItem
    parts: tuple[MemoryItem, ...]
    document: Any


def rows(document: Any, text: str, *, key: str, **fields: Any) -> list[dict[str, Any]]:
    """What ``remember_many`` is to be given for a document: its item, and items for the rest of it. ``text`` is what
    recall is to find it by; ``fields`` are those of ``remember``, the same for all."""
    try:
        coded = not _plain(document, 0)
        whole = json.dumps(document) if coded else ""
    except (RecursionError, ValueError) as error:
        raise InvalidField(f"JSON cannot hold it: {error}.") from error
    body, moved, pieces = _moved([whole] if coded else document)
    if not coded and len(repr(body)) > ROOM:  # many small things
        coded = True
        body, moved, pieces = _moved([json.dumps(document)])
    text = text.replace("\0", "�").replace(_MARK, " ").encode("utf-8", "replace").decode()
    text = text if text.strip() else "(no text)"
    blocks = _blocks(text[:TEXT] if moved else text.encode()[:BLOCK].decode("utf-8", "ignore"), pieces)
    shape = {"document": body} | ({"coded": True} if coded else {})
    shape |= {"moved": moved, "parts": len(blocks) - 1} if moved else {}
    metadata = {**(fields.pop("metadata", None) or {}), **shape}
    first = {"content": blocks[0], "key": key, "metadata": metadata, **fields}
    return [first, *({"content": rest, "key": f"{key}{_PART}{n}", **fields} for n, rest in enumerate(blocks[1:], 1))]


def keep(agent: Agent, batch: Sequence[Mapping[str, Any]]) -> list[MemoryItem]:
    """Remember rows in one transaction, and see that what was moved can be read back. Raises InvalidField, and keeps
    nothing, when a secret was cut out across the borders of a document."""
    items = agent.remember_many(batch)
    by_key = {item.key: item for item in items}
    for item in items:
        if "moved" not in item.metadata:
            continue
        parts = [by_key[f"{item.key}{_PART}{n}"] for n in range(1, item.metadata["parts"] + 1)]
        try:
            document(item, parts)
        except (ValueError, LookupError) as error:
            for one in items:
                agent.forget(one.id)
            raise InvalidField("A document holds a secret that cannot be cut out of it; nothing was kept.") from error
    return items


def holds(item: MemoryItem) -> bool:
    """Whether an item was kept as the document it holds; whoever has the agent may remember under any key."""
    return "document" in item.metadata


def document(item: MemoryItem, parts: Sequence[MemoryItem] = ()) -> Any:
    """The document of an item and its parts, in order. Raises ValueError or LookupError when it is not whole."""
    body = item.metadata["document"]
    moved = item.metadata.get("moved", ())
    pieces = iter([piece for one in (item, *parts) for piece in one.content.split(_SEPARATOR)[1:]])
    for path, n in moved:
        text = "".join(piece for _, piece in zip(range(n), pieces, strict=False))
        *way, last = path
        holder = body
        for step in way:
            holder = holder[step]
        holder[last] = text
    if len([1 for one in (item, *parts) for _ in one.content.split(_SEPARATOR)[1:]]) != sum(n for _, n in moved):
        raise ValueError("a piece is missing")
    return json.loads(body[0]) if item.metadata.get("coded") else body


def newest(agent: Agent, prefix: str, most: int | None = None) -> Iterator[Record]:
    """The last ``most`` records whose keys begin with ``prefix``, the latest first. What somebody forgets meanwhile is
    left out."""
    waiting: dict[str, list[MemoryItem]] = {}
    for item in every(agent, prefix, newest=True, first=PAGE if most is None else most + 1):
        base, _, number = (item.key or "").rpartition(_PART)
        if base and number.isdecimal() and not holds(item):
            waiting.setdefault(base, []).append(item)
            continue
        if not holds(item):
            continue
        if most == 0:
            return
        parts = sorted(waiting.pop(item.key or "", ()), key=lambda one: int((one.key or "").rpartition(_PART)[2]))
        if len(parts) == item.metadata.get("parts", 0):
            most = None if most is None else most - 1
            yield Record(item, tuple(parts), document(item, parts))


def every(
    agent: Agent, prefix: str, kind: str | None = None, *, newest: bool = False, first: int = PAGE
) -> Iterator[MemoryItem]:
    """All items whose keys begin with ``prefix``. Each page is larger than the one before: whoever reads on reads much,
    and the store puts all of them in order for each page."""
    after: MemoryItem | None = None
    size = min(max(first, 1), MOST)
    while True:
        page = agent.list(kind, size, after, prefix=prefix, newest=newest)
        yield from page
        if len(page) < size:
            return
        after, size = page[-1], min(10 * size, MOST)


def _moved(document: Any) -> tuple[Any, list[tuple[list[str | int], int]], list[str]]:
    """The document without its long texts, where each of those stood and in how many pieces it was cut, and these. A
    document that is short enough comes back as it is."""
    if len(repr(document)) <= ROOM:
        return document, [], []
    places: list[tuple[list[str | int], int]] = []
    pieces: list[str] = []

    def walk(value: Any, path: list[str | int]) -> Any:
        if isinstance(value, str) and len(value) > LONG and path and _MARK not in value:
            cut = _cut(value)
            places.append((path, len(cut)))
            pieces.extend(cut)
            return None
        if isinstance(value, Mapping):
            return {name: walk(inner, [*path, name]) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [walk(inner, [*path, n]) for n, inner in enumerate(value)]
        return value

    return walk(document, []), places, pieces


def _cut(text: str) -> list[str]:
    """A text in pieces that fit into a content, cut at white space where there is some near the border."""
    pieces = []
    most = BLOCK // 4 - 2 * TEXT  # a character may take four bytes
    while len(text) > most and len(text.encode()) > BLOCK - 8 * TEXT:
        border = max((at for at in range(most - 1, most - 500, -1) if text[at].isspace()), default=most)
        pieces.append(text[:border])
        text = text[border:]
    return [*pieces, text]


def _blocks(text: str, pieces: Sequence[str]) -> list[str]:
    blocks, size = [text], len(text.encode())
    for piece in pieces:
        more = len(piece.encode()) + len(_SEPARATOR)
        if size + more > BLOCK and len(pieces) > 1:
            blocks.append("(continued)")
            size = len(blocks[-1])
        blocks[-1] += _SEPARATOR + piece
        size += more
    return blocks


def _plain(value: Any, depth: int) -> bool:
    """Whether metadata can hold a value as it is."""
    if depth > DEPTH:
        return False
    if isinstance(value, str):
        return _encodes(value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return value.bit_length() <= 64
    if isinstance(value, Mapping):
        return all(_plain(name, depth) and _plain(inner, depth + 1) for name, inner in value.items())
    return not isinstance(value, list | tuple) or all(_plain(inner, depth + 1) for inner in value)


def _encodes(text: str) -> bool:
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def quoted(name: str, given: object) -> str:
    """A name as a part of a key. Raises InvalidField for what is none."""
    if not isinstance(given, str) or not _sound(given):
        raise InvalidField(f"{name} must be text that is valid Unicode, not {given!r}.")
    return quote(given, safe="")


def _sound(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def tag(source: str, name: str) -> str:
    """A tag for all that is of one conversation: the name itself where it is short enough."""
    whole = f"{source}:{name}"
    return whole if len(whole) <= 128 else f"{source}:{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}"
