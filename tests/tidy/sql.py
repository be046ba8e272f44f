"""The named statements as the tidy rules see them: which scoped tables each touches and what binds them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"^--\s*name:\s*(\S+)", re.MULTILINE)
_ENGINE = re.compile(r"^--\s*engine:\s*(\w+)", re.MULTILINE)
_SCOPE = re.compile(r"^--\s*scope:\s*(\w+)", re.MULTILINE)
_PART = re.compile(r"^--\s*part:\s*(\S+)\n(.*?)(?=^--|\Z)", re.MULTILINE | re.DOTALL)
_FILLED = re.compile(r"\{(\w+)\}")
_COMMENT = re.compile(r"--[^\n]*")
_TABLE = re.compile(r"create table (?:if not exists )?(\w+) \((.*?)^\);", re.DOTALL | re.MULTILINE | re.IGNORECASE)
_VIEW = re.compile(r"create view (\w+) .*?\bfrom (\w+)", re.DOTALL | re.IGNORECASE)
_KEYWORDS = {"on", "set", "where", "left", "join", "order", "group", "values", "cross", "inner", "using", "limit"}


@dataclass(frozen=True)
class Statement:
    """One named statement; ``scope`` is "agent" unless its header says "tenant" or "admin".

    ``engine`` is empty for the shared text and names the engine of a twin.
    """

    file: str
    name: str
    scope: str
    engine: str
    text: str


def statements(path: Path) -> Iterator[Statement]:
    """The statements of one file, lower case, without comments, one space between words, with its parts filled in."""
    written = path.read_text(encoding="utf-8")
    filled = dict(_PART.findall(written))
    parts = _NAME.split(written)
    for name, text in zip(parts[1::2], parts[2::2], strict=True):
        scope = _SCOPE.search(text)
        engine = _ENGINE.search(text)
        whole = _FILLED.sub(lambda match: filled.get(match[1], match[0]), text)
        plain = " ".join(_COMMENT.sub(" ", whole).lower().split())
        yield Statement(path.name, name, scope.group(1) if scope else "agent", engine.group(1) if engine else "", plain)


def tables(migrations: list[Path]) -> dict[str, set[str]]:
    """Table → its columns, of every `create table` in the migrations."""
    found: dict[str, set[str]] = {}
    for path in migrations:
        for name, body in _TABLE.findall(_COMMENT.sub("", path.read_text(encoding="utf-8"))):
            found[name] = {line.split()[0] for line in body.splitlines() if line.strip()}
    for path in migrations:
        for name, table in _VIEW.findall(_COMMENT.sub("", path.read_text(encoding="utf-8"))):
            found[name] = found[table]  # a view shows its table's columns
    return found


def unscoped(statement: Statement, columns: dict[str, set[str]]) -> list[str]:
    """What a statement touches without being bound to the caller's tenant, and to its agent where it has one."""
    if statement.scope == "admin":
        return []
    complaints = _loopholes(statement.text)
    bound = _bound(statement.text, "tenant")
    for table, alias in _references(statement.text):
        if "tenant" in columns.get(table, ()) and alias not in bound:
            complaints.append(f"{table} {alias}: no `tenant = :tenant`")
    free = sum(table == alias and "tenant" in columns.get(table, ()) for table, alias in _references(statement.text))
    if free > len(re.findall(r"(?<![.\w])tenant = :tenant\b", statement.text)):
        complaints.append("fewer `tenant = :tenant` than tables")
    for table in _inserted(statement.text):
        if "tenant" in columns.get(table, ()) and not _inserts_tenant(statement.text):
            complaints.append(f"insert into {table}: without :tenant")
    if statement.scope == "agent" and not _names_a_reader(statement.text, columns):
        complaints.append("bound to no agent: name one or say `-- scope: tenant`")
    return complaints


def _loopholes(text: str) -> list[str]:
    """Spellings that would slip past the checks below: a list of tables, and a predicate that `or` makes optional."""
    found = [f"`from {rest}`: spell it as a join" for rest in re.findall(r"\bfrom (\w+(?: \w+)?,\s*\w+)", text)]
    level = text
    while groups := re.findall(r"\(([^()]*)\)", level):
        found += [f"`{group}`: `or` beside the tenant" for group in groups if _optional(group)]
        level = re.sub(r"\([^()]*\)", " ", level)
    return found + (["`or` beside the tenant"] if _optional(level) else [])


def _optional(text: str) -> bool:
    return "tenant = :tenant" in text and re.search(r"\bor\b", text) is not None


def _references(text: str) -> list[tuple[str, str]]:
    """(table, alias) of every table that is read, updated or deleted from; without an alias the table's name."""
    found = re.findall(r"\b(?:from|join|using|update(?! set))\s+(\w+)(?:\s+(?:as\s+)?(\w+))?", text)
    return [(table, alias if alias and alias not in _KEYWORDS else table) for table, alias in found]


def _inserted(text: str) -> list[str]:
    return re.findall(r"\binsert into (\w+)", text)


def _bound(text: str, column: str) -> set[str]:
    """Aliases whose column equals the caller's, directly or through a join."""
    bound = set(re.findall(rf"(\w+)\.{column} = :{column}\b", text))
    if re.search(rf"(?<![.\w]){column} = :{column}\b", text):
        bound |= {table for table, alias in _references(text) if table == alias}
    pairs = re.findall(rf"(\w+)\.{column} = (\w+)\.{column}\b", text)
    for _ in pairs:
        for left, right in pairs:
            if left in bound or right in bound:
                bound |= {left, right}
    return bound


def _inserts_tenant(text: str) -> bool:
    target = re.search(r"insert into \w+ \(([^)]*)\)", text)
    return target is not None and "tenant" in re.split(r"[,\s]+", target.group(1)) and ":tenant" in text


def _names_a_reader(text: str, columns: dict[str, set[str]]) -> bool:
    """True when no table has an agent, or the statement names the agent, what it shares, or the scope's name."""
    touched = {table for table, _ in _references(text)} | set(_inserted(text))
    private = any("agent" in columns.get(table, ()) for table in touched)
    return not private or re.search(r":agent\b|shared_seq|visibility", text) is not None
