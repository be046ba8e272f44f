"""The command line where its streams fail it, and what it shows of text that a terminal would obey."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from engrain.shells.cli import main

HOSTILE = "red \x1b[31m bell \x07 csi \x9b2J back \r over \x7f\tend\nnext"


def shell(home: Path, line: str) -> subprocess.CompletedProcess[str]:
    """A line for the shell, "engrain" in it being ours."""
    program = f"{shlex.quote(sys.executable)} -m engrain --home {shlex.quote(str(home))}"
    return subprocess.run(
        ["/bin/sh", "-c", line.replace("engrain", program, 1)], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("option", ["", "--json"])
def test_an_answer_that_cannot_be_written_is_told_in_a_line(option: str, tmp_path: Path) -> None:
    done = shell(tmp_path, f"engrain remember 'the sea is cold' {option} >/dev/full")
    assert done.returncode == 3
    assert "No space left" in done.stderr
    assert "is stored" in done.stderr
    assert done.stderr.count("\n") == 1
    assert json.loads(shell(tmp_path, "engrain count --json").stdout) == {"count": 1}
    for line in ("stats", "recall sea", "version", "--help"):
        done = shell(tmp_path, f"engrain {line} {option} >/dev/full")
        assert (done.returncode, done.stderr.count("\n")) == (3, 1), done.stderr
        assert "stored" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_closed_streams_are_told_and_nothing_is_done(tmp_path: Path) -> None:
    for line in ("engrain recall x >&-", "engrain remember x >&-", "engrain remember - <&-"):
        done = shell(tmp_path, line)
        assert done.returncode == (2 if "<" in line else 3), done.stderr
        assert done.stderr.startswith("error: std")
        assert done.stderr.count("\n") == 1
    done = shell(tmp_path, "engrain get nothing 2>&-")
    assert (done.returncode, done.stdout) == (1, "")
    assert json.loads(shell(tmp_path, "engrain count --json").stdout) == {"count": 0}


def test_control_characters_are_shown_and_not_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENGRAIN_HOME", str(tmp_path))

    def said(*words: str) -> str:
        main(words)
        told = capsys.readouterr()
        text = told.out + told.err
        assert not [c for c in text if (ord(c) < 32 or 127 <= ord(c) < 160) and c not in "\t\n"], text
        return text

    item = json.loads(said("remember", HOSTILE, "--kind", "fact", "--key", "k\x1b[1m", "--tag", "t\x1b", "--json"))
    assert item["content"] == HOSTILE
    for words in (["get", item["id"]], ["recall", "red bell"], ["list"], ["context", "red bell"]):
        assert "red \\x1b[31m" in said(*words)
    said("kv", "set", "key\x9b", json.dumps(HOSTILE))
    assert "\\u009b2J" in said("kv", "get", "key\x9b")
    said("kv", "search", "key")
    said("get", "no\x1bsuch")


def test_what_a_key_replaced_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENGRAIN_HOME", str(tmp_path))
    replaced = []
    for value in ("port 1", "port 2", "port 2"):
        assert main(["remember", value, "--kind", "fact", "--key", "port"]) == 0
        replaced.append("replaced an earlier value" in capsys.readouterr().out)
    assert replaced == [False, True, False]
