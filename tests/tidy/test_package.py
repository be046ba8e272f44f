"""The wheel and the source archive hold everything, and the wheel works alone."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import engrain
from tests.tidy.tree import PACKAGE, ROOT


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a fresh wheel and source archive."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def wheel_of(folder: Path) -> Path:
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_the_whole_package_and_nothing_else(built: Path) -> None:
    names = set(zipfile.ZipFile(wheel_of(built)).namelist())
    hidden = {"__pycache__", ".hypothesis"}
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and not hidden & set(path.parts)]
    wanted = {path.relative_to(PACKAGE.parent).as_posix() for path in files}
    about = f"engrain-{engrain.__version__}.dist-info/"
    assert {name for name in names if not name.startswith(about)} == wanted
    assert {about + "licenses/LICENSE", about + "licenses/NOTICE"} <= names


@pytest.mark.parametrize("suffix", [".sql", ".safetensors", ".json", "py.typed"])
def test_the_wheel_holds_data_of_each_kind(built: Path, suffix: str) -> None:
    assert any(name.endswith(suffix) for name in zipfile.ZipFile(wheel_of(built)).namelist())


def test_the_source_archive_can_be_built_and_tested(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    assert {"Makefile", "pyproject.toml", "README.md", ".ci/run", "mkdocs.yml", "LICENSE", "NOTICE"} <= names
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")} <= names


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_wheel_works_alone(built: Path, tmp_path: Path) -> None:
    """Base dependencies only: no extra, no test tool, another folder."""
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / "bin"
    subprocess.run([programs / "pip", "install", "--quiet", wheel_of(built)], check=True)

    def run(*words: str) -> str:
        command = [str(programs / "engrain"), *words, "--home", "home", "--agent", "a"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    run("remember", "The build needs Python 3.12")
    assert "The build needs Python 3.12" in run("recall", "which python?")
