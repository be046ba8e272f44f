"""Loads the named SQL statements and migrations, and spells their parameters for an engine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from engrain.errors import MigrationError, StoreError

FOLDER = Path(__file__).parent
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")
_LIST = re.compile(r"\bin \(:([a-z_]+)\)")

Engine = Literal["sqlite", "postgres"]


@dataclass(frozen=True, slots=True)
class Statement:
    """One named statement. ``admin`` statements may cross tenants; all others carry the tenant predicate."""

    name: str
    text: str
    admin: bool
    parameters: tuple[str, ...]
    lists: tuple[str, ...] = field(init=False)
    needed: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lists", tuple(dict.fromkeys(_LIST.findall(self.text))))
        object.__setattr__(self, "needed", frozenset(self.parameters))

    def spelled(self, params: Mapping[str, Any], engine: Engine) -> tuple[str, Mapping[str, Any]]:
        """The text with lists unrolled and parameters in the engine's spelling, and the values for it (there may be
        more of them than it needs)."""
        if not self.needed <= params.keys():
            missing = next(name for name in self.parameters if name not in params)
            raise StoreError(f"statement {self.name} was given no {missing!r}.")
        if not self.lists:
            return _spell(self.text, (), engine), params
        values = {name: params[name] for name in self.parameters}
        counts = []
        for name in self.lists:
            if isinstance(parts := values[name], (list, tuple)):
                counts.append((name, len(parts)))
                values.update((f"{name}_{i}", part) for i, part in enumerate(parts))
                del values[name]
        return _spell(self.text, tuple(counts), engine), values


@cache
def _spell(text: str, counts: tuple[tuple[str, int], ...], engine: Engine) -> str:
    for name, count in counts:
        unrolled = ", ".join(f":{name}_{i}" for i in range(count)) or "null"
        text = re.sub(rf"(?<![:\w]):{name}\b", unrolled, text)
    if engine == "postgres":
        text = re.sub(r"(?<![:\w]):([a-z_]+\d*)", r"%(\1)s", text)
    return text


@cache
def catalogue(engine: Engine) -> Mapping[str, Statement]:
    """Every statement by name; a statement whose header says ``-- engine: E`` replaces the shared one on E."""
    found: dict[str, Statement] = {}
    twins: dict[str, Statement] = {}
    for path in sorted((FOLDER / "statements").glob("*.sql")):
        for header, text in _blocks(path.read_text(encoding="utf-8")):
            parameters = tuple(dict.fromkeys(_PARAMETER.findall(text)))
            statement = Statement(header["name"], text, header.get("scope") == "admin", parameters)
            own = header.get("engine")
            if own is None and statement.name in found:
                raise StoreError(f"two statements are called {statement.name}.")
            if own is None:
                found[statement.name] = statement
            elif own == engine:
                twins[statement.name] = statement
    return found | twins


def _blocks(source: str) -> list[tuple[dict[str, str], str]]:
    blocks: list[tuple[dict[str, str], list[str]]] = []
    for line in source.splitlines():
        if line.startswith("--"):
            match = re.fullmatch(r"-- (name|scope|engine): (\S+)", line)
            if match and match[1] == "name":
                blocks.append(({"name": match[2]}, []))
            elif match and blocks:
                blocks[-1][0][match[1]] = match[2]
        elif blocks and line.strip():
            blocks[-1][1].append(line)
    return [(header, "\n".join(lines).rstrip().rstrip(";")) for header, lines in blocks]


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema. Its checksum covers the text of every engine, up and down: an edited file is refused."""

    version: int
    name: str
    up: tuple[str, ...]
    down: tuple[str, ...]
    checksum: str


@cache
def migrations(engine: Engine) -> Sequence[Migration]:
    """All migrations in order, with the statements for one engine; empty where only the other engine has a step."""
    files: dict[int, dict[str, str]] = {}
    for path in sorted((FOLDER / "migrations").glob("*.sql")):
        files.setdefault(int(path.name[:4]), {})[path.name] = path.read_text(encoding="utf-8")
    if sorted(files) != list(range(1, len(files) + 1)):
        raise MigrationError(f"migration files are not numbered 1..n without a gap: {sorted(files)}.")
    steps = []
    for version, texts in sorted(files.items()):
        name = next(iter(texts)).split(".")[0]
        digest = hashlib.sha256("\0".join(f"{file}\0{text}" for file, text in sorted(texts.items())).encode())
        ways = []
        for way in ("up", "down"):
            text = texts.get(f"{name}.{way}.{engine}.sql", texts.get(f"{name}.{way}.sql", ""))
            ways.append(_split(text))
        steps.append(Migration(version, name, ways[0], ways[1], digest.hexdigest()))
    return tuple(steps)


def _split(text: str) -> tuple[str, ...]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("--")]
    return tuple(part.strip() for part in "\n".join(lines).split(";") if part.strip())
