"""The project's own files, as the tidy rules see them. Works from a source archive: no version control is asked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "engrain"
CODE = ("src", "tests", "bench", "scripts")
PROSE_SUFFIXES = {".py", ".md", ".toml", ".sql", ".yml", ".yaml", ".json", ".cfg", ".ini", ""}


@dataclass(frozen=True)
class Source:
    """One file: its path below the project's root and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def docstrings(self) -> set[int]:
        """Identities of the constant nodes that are docstrings: prose, not code."""
        owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        bodies = (node.body for node in ast.walk(self.tree) if isinstance(node, owners))
        return {id(body[0].value) for body in bodies if body and isinstance(body[0], ast.Expr)}

    def is_in(self, *folders: str) -> bool:
        return any(self.path == folder or self.path.startswith(folder.rstrip("/") + "/") for folder in folders)


def read(path: Path) -> Source:
    return Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


def python_sources() -> Iterator[Source]:
    """Every Python file of the project."""
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield read(path)


def prose_sources() -> Iterator[Source]:
    """Every text file that people read: code, statements, documents, settings at the root."""
    roots = [path for path in ROOT.iterdir() if path.is_file() and path.suffix in PROSE_SUFFIXES]
    trees = [path for folder in (*CODE, "docs", ".ci") for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in sorted(roots + trees):
        hidden = any(part.startswith((".", "__pycache__")) for part in path.relative_to(ROOT).parts[1:])  # caches
        if path.suffix in PROSE_SUFFIXES and not hidden and path.stat().st_size < 300_000:
            yield read(path)
