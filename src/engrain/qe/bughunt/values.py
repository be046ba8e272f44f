"""The values a function is called with: eight plain types, how to draw, stretch, write down and compare them."""

from __future__ import annotations

import json
import re
import string
from itertools import islice
from random import Random
from typing import Any

TYPES = ("int", "float", "floats", "ints", "str", "strs", "bytes", "bool")  # the more usual first
EDGES: dict[str, tuple[Any, ...]] = {
    "int": (0, 1, -1, 2, 3, 4, 7, 8, 9, 10, 12, 16, 31, 64, 99, 100, 127, 128, 255, 256, 400, 1000, 65535, 2**31, -100),
    "float": (0.0, 1.0, -1.0, 0.5, -0.5, 0.25, 2.0, 1e-9, 1e9, 100.0, 0.1, -0.0, float("inf"), float("nan")),
    "str": (
        "", " ", "a", "A", "0", "\n", "a b", "a\nb", "  a  ", "-", "_", ".", "/", "//", "%", "&", "<a>", '"', "'", "\\",
        "\t", "\t ", "é", "\x00", "a" * 80, "ab " * 30, "-1", "1.5", "a.b.c", "a=b", "a:b", "a,b", "#", "[1]", "{}",
        "\r\n",
    ),
    "bytes": (
        b"", b"a", b"\x00", b"\xff", b"ab", b"abc", b"abcd", b"\n", b" ", b"=", b"a\r\nb", bytes(range(20)), b"%41",
        b"=3D",
    ),
    "bool": (False, True),
    "ints": (
        [], [0], [1], [-1], [1, 1], [1, 2], [2, 1], [1, 2, 3], [3, 2, 1], [0, 0, 0], [1, 2, 2, 3], [5] * 9, [255, 0, 1],
    ),
    "floats": (
        [], [0.0], [1.0], [1.0, 1.0], [1.0, 2.0], [2.0, 1.0], [1.0, 2.0, 3.0], [0.5, 0.25], [-1.0, 1.0], [1e9, 1e-9],
    ),
    "strs": (
        [], [""], ["a"], ["a", "a"], ["a", "b"], ["b", "a"], ["", "a"], ["a b", "c"], ["ab", "abc", "abd"], ["-x", "y"],
    ),
}  # fmt: skip
ELEMENT = {"ints": "int", "floats": "float", "strs": "str", "str": "str", "bytes": "bytes"}
OPAQUE = re.compile(r" at 0x[0-9a-f]{4,}")
LETTERS = string.ascii_letters + string.digits + string.punctuation + "    \n\t"


def draw(kind: str, rng: Random) -> Any:
    """A random value of a type: no special cases, the sizes a tester would type in."""
    match kind:
        case "int":
            return rng.randint(-(10 ** rng.randint(1, 4)), 10 ** rng.randint(1, 4))
        case "float":
            return round(rng.uniform(-(10.0 ** rng.randint(0, 3)), 10.0 ** rng.randint(0, 3)), rng.randint(0, 6))
        case "bool":
            return rng.random() < 0.5
        case "str":
            return "".join(rng.choices(LETTERS, k=rng.randint(0, 16)))
        case "bytes":
            return rng.randbytes(rng.randint(0, 12))
        case _:
            return [draw(ELEMENT[kind], rng) for _ in range(rng.randint(0, 7))]


def kind_of(value: Any) -> str | None:
    """The type name of a value, or None when it is none of the eight."""
    if isinstance(value, (list, tuple)):
        kinds = {kind_of(element) for element in value}
        if kinds <= {"int", "float"} and "float" in kinds:
            return "floats"
        return {"int": "ints", "str": "strs"}.get(str(kinds.pop())) if len(kinds) == 1 else None
    name = type(value).__name__
    return name if name in {"int", "float", "str", "bytes", "bool"} else None


def nudge(value: Any, kind: str, rng: Random) -> Any:
    """A close relative of a value of some type: one small edit, as a fuzzer makes it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return rng.choice((value + 1, value - 1, value * 2, -value, value // 2, value + rng.randint(-9, 9), value * 10))
    if isinstance(value, float):
        return rng.choice((value + 1, value / 2, -value, value * 1.01, value * 10, 1 - value, rng.uniform(-1, 1)))
    spot, empty = rng.randint(0, len(value)), value[:0]
    fresh = draw(kind, rng)[:1]
    match rng.randint(0, 5):
        case 0:
            return value[:spot] + value[spot + 1 :]
        case 1:
            return value[:spot] + fresh + value[spot:]
        case 2:
            return value[:spot] + fresh + value[spot + 1 :]
        case 3:
            return value[:spot] + value[spot : spot + 2] + value[spot:]
        case 4 if isinstance(value, list) and value:
            spot = rng.randrange(len(value))
            return [*value[:spot], nudge(value[spot], ELEMENT[kind], rng), *value[spot + 1 :]]
        case _:
            return value[spot:] + value[:spot] if value else empty + fresh


def encode(arguments: list[Any]) -> str:
    """Arguments as JSON text (bytes as {"bytes": latin-1}); NaN and infinities are written as Python's json does."""
    return json.dumps(arguments, default=lambda raw: {"bytes": raw.decode("latin-1")})


def decode(text: str) -> list[Any]:
    """The arguments that `encode` wrote."""
    decoded = json.loads(
        text, object_hook=lambda found: found["bytes"].encode("latin-1") if "bytes" in found else found
    )
    return list(decoded)


def freeze(value: Any) -> str:
    """A value as text that two runs can compare: types kept, NaN equal to NaN, iterators read out (100 elements).

    Raises ValueError for an object that shows nothing but its address.
    """
    if type(value) is int and abs(value) >= 10**18:
        return hex(value)  # decimal digits are refused beyond 4300
    if value is None or type(value) in (bool, int, float, str, bytes, complex):
        return repr(value)
    name = type(value).__name__
    if isinstance(value, dict):
        return name + "{" + ",".join(f"{freeze(key)}={freeze(held)}" for key, held in value.items()) + "}"
    if isinstance(value, (set, frozenset)):
        return name + "{" + ",".join(sorted(map(freeze, value))) + "}"
    if isinstance(value, (list, tuple)) or hasattr(value, "__next__"):
        held = islice(value, 100) if hasattr(value, "__next__") else value
        name = "iterator" if hasattr(value, "__next__") else "" if type(value) is list else name
        return f"{name}[{', '.join(map(freeze, held))}]"
    text = f"{type(value).__qualname__}:{value!r}"
    if OPAQUE.search(text):
        raise ValueError(f"{name} cannot be compared: it shows only its address")
    return text
