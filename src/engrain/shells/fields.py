"""One input of a verb: read from a command line's text or from JSON, and described as a JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from engrain.errors import InvalidField

REQUIRED: Any = type("Required", (), {"__repr__": lambda _: "REQUIRED"})()

_SCHEMAS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "kind": {"type": "string"},
    "choice": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "flag": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "words": {"type": "array", "items": {"type": "string"}},
    "kinds": {"type": "array", "items": {"type": "string"}},
    "object": {"type": "object"},
    "json": {},
    "rows": {"type": "array", "items": {"type": "object"}},
}
_CLASSES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_NAMES = {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}


@dataclass(frozen=True, slots=True)
class Field:
    """An input: its name is the facade's argument, its ``type`` one of text, kind, choice, integer, number, flag, time,
    words, kinds, object, json, rows. On a command line ``positional`` fields come without an option, ``-`` stands for
    stdin where ``stdin`` is true, and ``option`` is the spelling when that is not the name (``--tag`` for tags); the
    last positional one may be given by its ``option``, too.
    ``row`` are the fields of each row."""

    name: str
    type: str
    help: str
    default: Any = REQUIRED
    choices: tuple[str, ...] = ()
    positional: bool = False
    stdin: bool = False
    option: str = ""
    row: tuple[Field, ...] = ()

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @property
    def many(self) -> bool:
        """Whether a command line may give it several times."""
        return self.type in ("words", "kinds")

    @property
    def declaration(self) -> str:
        """How a command line spells it: ``--min-score``, ``--pinned/--no-pinned``, ``CONTENT``."""
        if self.positional:
            return self.name.upper()
        option = self.option or "--" + self.name.replace("_", "-")
        return f"{option}/--no-{option[2:]}" if self.type == "flag" and not self.option else option

    def schema(self, kinds: Collection[str]) -> dict[str, Any]:
        """Its JSON Schema; ``kinds`` are the kinds of memory that the project knows."""
        found: dict[str, Any] = {"description": self.help, **_SCHEMAS[self.type]}
        choices = sorted(kinds) if self.type in ("kind", "kinds") else list(self.choices)
        if choices:
            found |= {"items": {"type": "string", "enum": choices}} if self.many else {"enum": choices}
        if self.default is not None and not self.required:
            found["default"] = list(self.default) if isinstance(self.default, tuple) else self.default
        return found

    def from_text(self, given: Any) -> Any:
        """The value that a command line's text stands for. Raises InvalidField."""
        try:
            if self.type == "integer":
                return int(given)
            if self.type == "number":
                return float(given)
            if self.type in ("object", "json"):
                return self.from_json(json.loads(given))
            if self.type == "rows":
                if given.lstrip().startswith("["):
                    raise InvalidField(f"{self.name} must be {self.expected}, not a JSON array.")
                return self.from_json([json.loads(line) for line in given.splitlines() if line.strip()])
        except ValueError as error:
            detail = f" ({error})" if isinstance(error, json.JSONDecodeError) else ""
            raise InvalidField(f"{self.name} must be {self.expected}, not {_short(given)}{detail}.") from error
        except RecursionError as error:
            raise InvalidField(f"{self.name} is nested too deeply: {_short(given)}.") from error
        return self.from_json(given)

    def from_json(self, given: Any) -> Any:
        """The value that JSON stands for. Raises InvalidField; whether it is in its range is the engine's to say."""
        kind = _SCHEMAS[self.type].get("type")
        odd = isinstance(given, bool) and kind != "boolean"  # True is an int to Python, not to JSON
        if kind is not None and (odd or not isinstance(given, _CLASSES[kind])):
            raise InvalidField(f"{self.name} must be {self.expected}, not {_short(given)}.")
        odd_one = [one for one in (given if self.many else [given]) if self.choices and one not in self.choices]
        if odd_one:
            raise InvalidField(f"{self.name} must be one of {', '.join(self.choices)}, not {odd_one[0]!r}.")
        if self.type == "time":
            return self._moment(given)
        if self.type == "rows":
            return [parse(self.row, row, f"Row {number}: ") for number, row in enumerate(given)]
        return given

    @property
    def expected(self) -> str:
        """What it must be, in words."""
        if self.type == "rows":
            return "one JSON object per line"
        if self.type in ("object", "json"):
            return (
                'a JSON object such as {"source": "build"}' if self.type == "object" else 'JSON, text in quotes: "on"'
            )
        if self.many:
            return "a list of words"
        return _NAMES[_SCHEMAS[self.type]["type"]]

    def _moment(self, given: str) -> datetime:
        try:
            found = datetime.fromisoformat(given)
        except ValueError:
            found = None
        if found is not None and len(given) == 10:  # a date
            return found.replace(tzinfo=UTC)
        if found is None or found.tzinfo is None:
            example = "2026-01-31 (midnight UTC) or 2026-01-31T12:00:00Z"
            raise InvalidField(f"{self.name} must be a date, or a time with its zone: {example}, not {given!r}.")
        return found


def parse(fields: Sequence[Field], given: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """The arguments that a JSON object stands for: only what was given; null is not
    given, but where any JSON is a value. Raises InvalidField."""
    if not isinstance(given, Mapping):
        raise InvalidField(f"{where}It must be a JSON object, not {_short(given)}.")
    known = {field.name: field for field in fields}
    for name in given:
        if name not in known:
            raise InvalidField(f"{where}There is no argument {name!r}; the arguments are {', '.join(known) or 'none'}.")
    there = {name for name, value in given.items() if value is not None or known[name].type == "json"}
    missing = [field.name for field in fields if field.required and field.name not in there]
    if missing:
        raise InvalidField(f"{where}The argument {missing[0]!r} is missing.")
    try:
        return {name: known[name].from_json(value) for name, value in given.items() if name in there}
    except InvalidField as error:
        raise InvalidField(where + error.detail) from error


def _short(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= 60 else text[:57] + "..."
