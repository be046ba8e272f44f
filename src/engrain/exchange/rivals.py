"""What other memories write, as rows of ours: mem0's export, the file of the MCP reference memory server.

Each gives (where, row or InvalidInput) pairs, as the readers of ``files`` do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

from engrain.errors import InvalidField
from engrain.exchange.files import Found, elements, lines
from engrain.intake.validate import FIELD_CHARACTERS, NAME_CHARACTERS, TAGS, shown

_MEM0_OURS = frozenset(("memory", "id", "metadata", "created_at", "updated_at", "run_id", "categories", "role"))


def from_mem0(file: BinaryIO) -> Iterator[Found]:
    """What mem0's ``get_all`` gives, saved as JSON: ``{"results": [...]}``, a page of its platform, or the list alone.
    A memory becomes a fact of the time at which mem0 made it; its id and owners go into the metadata."""
    for where, one in elements(file, {}):
        yield where, _row(one, _mem0)


def _row(one: Any, convert: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """What ``convert`` makes of an object; an InvalidField for anything else, or when it raises one."""
    if isinstance(one, InvalidField):
        return one
    try:
        if not isinstance(one, dict):
            raise InvalidField(f"It must be an object, not {shown(one)}.")
        return convert(one)
    except InvalidField as error:
        return error


def _mem0(one: dict[str, Any]) -> dict[str, Any]:
    given = one.get("metadata")
    metadata: dict[str, Any] = given if isinstance(given, dict) else {}
    others = {name: value for name, value in one.items() if name not in _MEM0_OURS and value not in (None, [], {})}
    if one.get("id") is not None:
        others["id"] = one["id"]
    made = _utc(one.get("created_at"))
    row = {
        "content": one.get("memory"),
        "kind": "fact",
        "session": one.get("run_id"),
        "role": one.get("role"),
        "tags": _tags(one.get("categories")),
        "metadata": {**metadata, "mem0": others} if others else metadata,
        "source": "mem0",
        "occurred_at": made,
        "created_at": made,
        "updated_at": _utc(one.get("updated_at")) or made,
    }
    return {name: value for name, value in row.items() if value is not None or name == "content"}


def _utc(value: Any) -> Any:
    """The time of a text, UTC when it names no zone; what is none stays what it is and is refused later."""
    if not isinstance(value, str):
        return value
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return value
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _tags(value: Any) -> list[str]:
    named = [one.strip()[:NAME_CHARACTERS] for one in value if isinstance(one, str)] if isinstance(value, list) else []
    return [one for one in dict.fromkeys(named) if one][:TAGS]


def from_mcp_memory(file: BinaryIO) -> Iterator[Found]:
    """The knowledge graph of the MCP reference memory server: a line an entity or a relation. An entity becomes a fact
    under its name, with its observations; a relation a fact of one sentence. Both go by their names, so that the same
    file again, or a later one, changes only what has changed."""
    for where, one in lines(file):
        yield where, _row(one, _graph)


def _graph(one: dict[str, Any]) -> dict[str, Any]:
    match one.get("type"):
        case "entity":
            name, what = _text(one, "name"), _text(one, "entityType")
            observations = one.get("observations", [])
            if not isinstance(observations, list) or not all(isinstance(told, str) for told in observations):
                raise InvalidField("observations must be a list of texts.")
            content = "\n".join([f"{name} ({what})" if what else name, *observations])
            metadata: dict[str, Any] = {"entity": name, "observations": observations}
            tags, key = _tags([what]), f"entity:{name}"
        case "relation":
            parts = [_text(one, part) for part in ("from", "relationType", "to")]
            content, tags = " ".join(parts), ["relation"]
            metadata = dict(zip(("from", "relation", "to"), parts, strict=True))
            key = "relation:" + "|".join(parts)
        case other:
            raise InvalidField(f"type must be entity or relation, not {shown(other)}.")
    if len(key) > FIELD_CHARACTERS:
        raise InvalidField(f"Its name has more than {FIELD_CHARACTERS - 20} characters.")
    row = {"content": content, "kind": "fact", "key": key, "tags": tags, "source": "mcp-memory"}
    return {**row, "metadata": metadata}


def _text(one: dict[str, Any], name: str) -> str:
    value = one.get(name)
    if not isinstance(value, str):
        raise InvalidField(f"{name} must be text, not {shown(value)}.")
    return value.strip()
