"""Every program and every command in the guides runs, and every link between the pages leads somewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, blocks, links, run, script
from tests.postgres import Server

RUNNABLE = [page for page in PAGES if script(blocks(page))]
URL = "postgresql://engrain@localhost/engrain"


@pytest.mark.parametrize("page", [page for page in RUNNABLE if page.stem != "postgresql"], ids=lambda page: page.stem)
def test_a_guide_runs(page: Path, tmp_path: Path) -> None:
    assert "done" in run(script(blocks(page)) + "\nprint('done')\n", tmp_path)


@pytest.mark.postgres
def test_the_guide_to_postgresql_runs(server: Server, tmp_path: Path) -> None:
    """On a database of our own, as the plain role that the guide asks for."""
    (page,) = [page for page in RUNNABLE if page.stem == "postgresql"]
    text = script(blocks(page))
    assert URL in text
    assert "done" in run(text.replace(URL, server.url(server.fresh())) + "\nprint('done')\n", tmp_path)


def test_there_is_something_to_run() -> None:
    assert len(RUNNABLE) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages(page: Path) -> None:
    dead = [link for link in links(page) if not (page.parent / link).exists()]
    assert dead == []


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "index.html").is_file()
