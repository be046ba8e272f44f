"""Loads the named SQL statements and migrations, and spells their parameters for an engine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, cast

from engrain.errors import MigrationError, StoreError
from engrain.store.port import Many, Params

FOLDER = Path(__file__).parent
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")
_PART = re.compile(r"\{([a-z_]+)\}")
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
    places: tuple[str, ...] = field(init=False)
    values: Callable[[Params], tuple[Any, ...]] = field(init=False)
    """``places``: the parameter at each place of the text; ``values`` of them: what SQLite's ``?`` take."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "lists", tuple(dict.fromkeys(_LIST.findall(self.text))))
        object.__setattr__(self, "places", tuple(_PARAMETER.findall(self.text)))
        object.__setattr__(self, "values", _picker(self.places))

    def placed(self, params: Params) -> tuple[str, Sequence[Any]]:
        """The text for SQLite, with lists unrolled and ? for the parameters, and the value of each place. Places
        instead of names: the driver looks every name up at every call; numbers (?1) make Python 3.12.1 warn."""
        try:
            if not self.lists:
                return self.plain, self.values(params)
            counts: list[tuple[str, int]] = []
            values: list[Any] = []
            for name in self.places:
                value = params[name]
                if isinstance(value, (list, tuple)):
                    counts.append((name, len(value)))
                    values.extend(value)
                else:
                    values.append(value)
            return _placed(self.text, tuple(counts)), values
        except KeyError as missing:
            raise StoreError(f"statement {self.name} was given no {missing.args[0]!r}.") from missing

    @property
    def plain(self) -> str:
        """The text for SQLite when no parameter is a list."""
        return _placed(self.text, ())

    def rows(self, many: Many) -> Sequence[Sequence[Any]]:
        """Many sets of values by place, given by name, or in the order of ``parameters`` (the first tells of all)."""
        if isinstance(many[0], Mapping):
            return [self.values(one) for one in cast("Sequence[Params]", many)]
        rows = cast("Sequence[Sequence[Any]]", many)
        if self.places == self.parameters:
            return rows
        order = [self.parameters.index(name) for name in self.places]
        return [[row[place] for place in order] for row in rows]

    def named(self, params: Params) -> tuple[str, Params]:
        """The text for psycopg, with lists unrolled and %(name)s for the parameters, and the values they need."""
        values: dict[str, Any] = {}
        counts = []
        for name in self.parameters:
            if name not in params:
                raise StoreError(f"statement {self.name} was given no {name!r}.")
            value = params[name]
            if isinstance(value, (list, tuple)):
                counts.append((name, len(value)))
                values.update((f"{name}_{i}", part) for i, part in enumerate(value))
            else:
                values[name] = value
        return _named(self.text, tuple(counts)), values


def _picker(names: tuple[str, ...]) -> Callable[[Params], tuple[Any, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda params: tuple(params[name] for name in names)


@cache
def _placed(text: str, counts: tuple[tuple[str, int], ...]) -> str:
    lengths = dict(counts)

    def place(match: re.Match[str]) -> str:
        return ", ".join("?" * lengths.get(match[1], 1)) or "null"

    return _PARAMETER.sub(place, text)


@cache
def _named(text: str, counts: tuple[tuple[str, int], ...]) -> str:
    lengths = dict(counts)

    def place(match: re.Match[str]) -> str:
        name = match[1]
        if name not in lengths:
            return f"%({name})s"
        return ", ".join(f"%({name}_{i})s" for i in range(lengths[name])) or "null"

    return _PARAMETER.sub(place, text.replace("%", "%%"))


@cache
def catalogue(engine: Engine) -> Mapping[str, Statement]:
    """Every statement by name; a statement whose header says ``-- engine: E`` replaces the shared one on E. A block
    whose header says ``-- part: P`` stands wherever a statement or another part says ``{P}``; so may its twin."""
    found: dict[str, Statement] = {}
    twins: dict[str, Statement] = {}
    files = [_blocks(path.read_text(encoding="utf-8")) for path in sorted((FOLDER / "statements").glob("*.sql"))]
    parts: dict[str, str] = {}
    for header, text in (block for blocks in files for block in blocks):
        if "part" in header and header.get("engine", engine) == engine:
            if header["part"] in parts:
                raise StoreError(f"two parts of statements are called {header['part']}.")
            parts[header["part"]] = text
    for blocks in files:
        for header, written in blocks:
            if "part" in header:
                continue
            text = written
            while (filled := _PART.sub(lambda match: parts[match[1]], text)) != text:  # a part may name others
                text = filled
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


def one_file(path: Path) -> Mapping[str, Statement]:
    """The statements of one file that has neither parts nor twins, by name: reading all files takes 10 ms."""
    blocks = _blocks(path.read_text(encoding="utf-8"))
    return {
        header["name"]: Statement(header["name"], text, False, tuple(dict.fromkeys(_PARAMETER.findall(text))))
        for header, text in blocks
    }


def _blocks(source: str) -> list[tuple[dict[str, str], str]]:
    blocks: list[tuple[dict[str, str], list[str]]] = []
    for line in source.splitlines():
        if line.startswith("--"):
            match = re.fullmatch(r"-- (name|part|scope|engine): (\S+)", line)
            if match and match[1] in ("name", "part"):
                blocks.append(({match[1]: match[2]}, []))
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
    """All migrations in order, with the statements for one engine: what both have, then its own; perhaps none."""
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
            both, own = (texts.get(f"{name}.{way}.{part}", "") for part in ("sql", f"{engine}.sql"))
            ways.append((*_split(both), *_split(own)))
        steps.append(Migration(version, name, ways[0], ways[1], digest.hexdigest()))
    return tuple(steps)


def _split(text: str) -> tuple[str, ...]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("--")]
    return tuple(part.strip() for part in "\n".join(lines).split(";") if part.strip())
