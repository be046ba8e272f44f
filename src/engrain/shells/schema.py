"""What goes into a verb and what comes out of it, as JSON Schemas."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, get_type_hints, is_typeddict

from pydantic import TypeAdapter, create_model

from engrain.shells.fields import Field


def input_schema(fields: Sequence[Field], kinds: Collection[str]) -> dict[str, Any]:
    """The JSON Schema of a verb's arguments."""
    return {
        "type": "object",
        "properties": {field.name: field.schema(kinds) for field in fields},
        "required": [field.name for field in fields if field.required],
        "additionalProperties": False,
    }


def output_schema(returns: Any, refer: str = "#/$defs/{model}") -> dict[str, Any]:
    """The JSON Schema of a verb's answer, as ``plain(…, lean=True)`` writes it: what has a default may be left out.
    ``refer`` is how it refers to its ``$defs``."""
    if is_typeddict(returns):
        parts: dict[str, Any] = {name: (hint, ...) for name, hint in get_type_hints(returns).items()}
        schema: dict[str, Any] = create_model(returns.__name__, **parts).model_json_schema(ref_template=refer)
    else:
        schema = TypeAdapter(returns).json_schema(ref_template=refer)
    return {name: _untitled(part) for name, part in schema.items() if name != "title"}


def _untitled(schema: Any) -> Any:
    """Without the titles that pydantic derives from names: they cost tokens and say nothing."""
    if isinstance(schema, dict):
        return {name: _untitled(part) for name, part in schema.items() if name != "title" or isinstance(part, dict)}
    return [_untitled(part) for part in schema] if isinstance(schema, list) else schema
