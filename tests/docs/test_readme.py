"""The README tells the truth: its program prints what it shows, its commands exist, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, links, run

README = ROOT / "README.md"


def only(language: str) -> str:
    (text,) = [block.text for block in blocks(README) if block.language == language]
    return text


def test_the_quickstart_prints_what_it_shows(tmp_path: Path) -> None:
    assert run(only("python"), tmp_path) == only("text")


def test_the_quickstart_is_ten_lines() -> None:
    lines = [line for line in only("python").splitlines() if line.strip() and not line.startswith(("import", "from"))]
    assert len(lines) <= 10


def test_its_commands_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = set(re.findall(r"\bmake ([\w-]+)", README.read_text(encoding="utf-8")))
    assert {"demo", "test"} <= commands <= targets


def test_continuous_integration_runs_its_test_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"])
def test_its_links_lead_somewhere(name: str) -> None:
    dead = [link for link in links(ROOT / name) if not (ROOT / link).exists()]
    assert dead == []


def test_every_folder_and_file_that_the_architecture_names_exists() -> None:
    """Backticked paths are below the package or below the project."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    now, _, later = text.partition("To come, in the rooms")
    later, _, rest = later.partition("\n")
    paths = re.findall(r"`([\w./-]+(?:/|\.py|\.md))`", now + rest)
    missing = [path for path in paths if not any((base / path).exists() for base in (ROOT, ROOT / "src" / "engrain"))]
    assert paths
    assert missing == []
