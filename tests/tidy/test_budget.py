"""The budget of processor time and the settings of pytest bite: shown on samples that break them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import long_cases
from tests.tidy.tree import ROOT

SAMPLES = """
import subprocess, sys, time, warnings
import pytest

BUSY = "import time; end = time.process_time() + 0.3\\nwhile time.process_time() < end: pass"

def test_quick(): assert 1 + 1 == 2
def test_waits(): time.sleep(0.4)
@pytest.mark.slow
def test_busy_and_marked(): exec(BUSY)

def test_busy(): exec(BUSY)
def test_busy_in_a_child(): subprocess.run([sys.executable, "-c", BUSY], check=True)
def test_warns(): warnings.warn("careful", UserWarning)
@pytest.mark.xfail(reason="sample")
def test_passes_unexpectedly(): assert 1 + 1 == 2
"""


def run(folder: Path, text: str) -> tuple[int, str]:
    """Exit code and output of pytest with our settings, and a budget of 0.2 s, on a file of samples."""
    (folder / "test_sample.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml"), "-rA", "-n0"]
    command += [
        "-o",
        "cpu_budget_seconds=0.2",
        "-m",
        "",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        str(folder),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Sample → PASSED or FAILED."""
    _, text = run(tmp_path_factory.mktemp("samples"), SAMPLES)
    return {name: verdict for verdict, name in re.findall(r"^(PASSED|FAILED) \S*::(\w+)", text, re.MULTILINE)}


@pytest.mark.parametrize("sample", ["test_busy", "test_busy_in_a_child", "test_warns", "test_passes_unexpectedly"])
def test_a_sample_that_breaks_a_rule_fails(verdicts: dict[str, str], sample: str) -> None:
    assert verdicts[sample] == "FAILED"


@pytest.mark.parametrize("sample", ["test_quick", "test_waits", "test_busy_and_marked"])
def test_a_sample_that_keeps_the_rules_passes(verdicts: dict[str, str], sample: str) -> None:
    assert verdicts[sample] == "PASSED"


def test_the_list_of_long_cases_has_no_dead_lines() -> None:
    for line in long_cases():
        path, _, name = line.partition("::")
        function = name.rpartition("::")[2].partition("[")[0]
        assert f"def {function}(" in (ROOT / path).read_text(encoding="utf-8"), line


def test_an_unknown_mark_is_an_error(tmp_path: Path) -> None:
    code, text = run(tmp_path, "import pytest\n@pytest.mark.sloow\ndef test_sample(): assert 1 + 1 == 2\n")
    assert code != 0
    assert "sloow" in text
