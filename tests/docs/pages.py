"""Reads the documents and runs what they show, as a reader would: in an empty folder, in a process of its own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)#]+)[^)]*\)")
_COMMAND = """
import subprocess as _subprocess
_done = _subprocess.run({words!r}, capture_output=True, text=True, check=False)
assert _done.returncode == 0, {words!r} + [_done.stdout, _done.stderr]
"""


class Block(NamedTuple):
    """A fenced block: its language and its text."""

    language: str
    text: str


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(*found) for found in _BLOCK.findall(path.read_text(encoding="utf-8"))]


def links(path: Path) -> list[str]:
    """The relative links of a page, without anchors."""
    found = _LINK.findall(path.read_text(encoding="utf-8"))
    return [link for link in found if "://" not in link]


def script(page: list[Block]) -> str:
    """One program of a page: its Python blocks share their names; each `$ engrain …` must end with exit code 0."""
    parts = []
    for block in page:
        if block.language == "python":
            parts.append(block.text)
        if block.language == "console":
            commands = [line.removeprefix("$ ") for line in block.text.splitlines() if line.startswith("$ ")]
            parts += [_COMMAND.format(words=[_program(words[0]), *words[1:]]) for words in map(shlex.split, commands)]
    return "\n".join(parts)


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def run(text: str, folder: Path) -> str:
    """Run a program in an empty folder with a clean environment; what it printed. Fails with its error."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ENGRAIN_")}
    path = folder / "page.py"
    path.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
