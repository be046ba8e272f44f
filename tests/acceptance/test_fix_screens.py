"""A walk through all screens of fixes over one small data set, each number computed by hand."""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain.shells.cli import main
from engrain.shells.screen import console

NOON = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=12)  # yesterday's
WORKED: dict[str, Any] = {"success": True, "verified": True}
FAILED: dict[str, Any] = {"success": False}
QWEN: dict[str, Any] = {"type": "timeout", "target": "qwen"}
DB: dict[str, Any] = {"type": "error", "target": "db"}
ROWS: list[dict[str, Any]] = [
    {"problem": "no answer after 31 s", "commands": "raise limit", "fixer": "claude", "seconds": 10, **QWEN, **WORKED},
    {"problem": "no answer after 32 s", "commands": "raise limit", "fixer": "claude", "seconds": 20, **QWEN, **WORKED},
    {"problem": "no answer after 33 s", "commands": "restart", "fixer": "qwen", "seconds": 30, **QWEN, **FAILED},
    {"problem": "no answer after 34 s", "commands": "raise limit", "fixer": "qwen", **QWEN, "success": True},
    {"problem": "no answer after 35 s", **QWEN},
    {"problem": "disk /dev/sda1 is full", "commands": "rm cache", "fixer": "claude", "seconds": 5, **DB, **FAILED},
    {"problem": "disk /dev/sdb2 is full", "commands": "echo ok", "fixer": "me", **DB, **WORKED},
    {"problem": "test_x failed", "commands": "fix x", "fixer": "claude", "type": "test_failure", **WORKED},
]  # fmt: skip
AGES = (0, 0, 0, 0, 0, 0, 20, 40)  # days before yesterday noon
DAY, OLD = f"{NOON:%Y-%m-%d}", f"{NOON - timedelta(days=20):%Y-%m-%d}"
# Beta(1 + verified, 1 + attempts - verified): its mean and 90 % interval, of 3 in 5, 2 in 3, 2 in 2, 0 in 1.
ALL, THREE, BOTH, NONE = "57 % (27–85)", "60 % (25–90)", "75 % (37–98)", "33 % (3–78)"
# A command line and what its screen must say (see ``holds``).
SCREENS: list[tuple[str, list[str]]] = [
    ("fixes stats", [
        "noted  8, 6 of them in the last seven days", "tried  6: 3 verified, 1 only claimed, 2 failed, 0 open",
        f"solved  {ALL}", "issues  3, at 2 targets", "types  timeout 5, error 2, test_failure 1",
        "fixers  claude 4, qwen 2",
    ]),
    ("diagnose 'no answer after 90 s' --type timeout --target qwen", [
        "seen 5 times", f"what worked {BOTH}  2 of 2 verified, 1 only claimed  from the same issue  $ raise limit",
        "not to be tried again never worked  0 of 1 verified  from the same issue  $ restart",
        f"qwen  5 attempts and sightings, {THREE} of attempts solved them",
    ]),
    ("fixes target qwen", [
        "qwen  5 times", f"solved  {THREE}: 2 of 3 verified, 1 only claimed", "types  timeout 5",
        f"what works for it  {BOTH}",
    ]),
    ("fixes targets", [f"qwen  5  {THREE}", f"db  2  {NONE}"]),
    ("fixes recent 7", [
        "claimed  timeout  qwen  by qwen", "failed  timeout  qwen  by qwen", "$ restart",
        "qwen  .. ago no answer after 35 s", "failed  error  db  by claude",
    ]),
    ("fixes recent 60 --successful", ["verified  test_failure  –  by claude", "$ fix x"]),
    ("fixes recent 60 --target db", ["did nothing  error  db  by me", "$ echo ok"]),
    ("fixes successful", [
        f"timeout no answer after <*> {BOTH}  2 of 2 verified, 1 only claimed", "test_failure test_x failed",
        "67 % (22–97)  1 of 1 verified  from the same issue  $ fix x",
    ]),
    ("fixes patterns", [
        f"timeout  seen 5 times, last .. ago, solved: {THREE}", f"error  seen 2 times, last .. ago, solved: {NONE}",
    ]),
    ("fixes similar 'there was no answer after 9 s'", ["% alike", f"solved: {THREE}"]),
    ("fixes context 'no answer after 90 s'", ["raise limit [for this issue: verified 2 of 2", "restart [for this"]),
    ("fixes report", [
        "claude  3  3  2  " + THREE + "  11.7 s", "qwen  2  2  0  " + NONE + "  30.0 s",
        "timeout  5  4  2  " + THREE + "  20.0 s", "error  2  1  0  " + NONE + "  5.0 s",
        "qwen  5  4  2", "db  2  1  0", f"{OLD}  ██ 1, 0", f"{DAY}  ████████████ 6, 2",
    ]),
    ("fixes report fixers", ["claude  3  3  2  1  0  0  0.6667  11.667", "qwen  2  2  0  1  1  0  0  30"]),
    ("fixes report types --chart terminal", ["timeout  █▓▒  2  1  1  0"]),
    ("fixes report daily", [f"{OLD}  1  0  0  0  1", f"{DAY}  6  5  2  2  0.5  1"]),
    ("fixes report trend", [f"db  {OLD}  1  0  0  0", f"qwen  {DAY}  5  4  2  1  0.6667"]),
    ("fixes cleanup 10 --dry-run", ["whose texts would go: 1, of these verified solutions 0; nothing was changed"]),
    ("fixes cleanup 10", ["whose texts went: 1, of these verified solutions 0; no count is lost"]),
    ("fixes edits", ["There is none."]),
]  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ENGRAIN_HOME", str(tmp_path / "home"))
    with engrain.open(tmp_path / "home") as memory:
        rows = zip(ROWS, AGES, strict=True)
        memory.agent("default").record_fixes([{**r, "occurred_at": NOON - timedelta(days=age)} for r, age in rows])
    return tmp_path


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def say(line: str, code: int = 0) -> str:
        assert main(shlex.split(line)) == code, capsys.readouterr().err
        return capsys.readouterr().out

    return say


def holds(text: str, part: str) -> bool:
    """Whether a screen says it: blanks are any blanks, ``..`` anything, a sign of bars any number of them."""
    told = r"\s+".join(re.escape(word) for word in part.split()).replace(r"\.\.", ".*?")
    return re.search(r"(?<![\w.])" + re.sub("([█▓▒])", r"\1+", told), text) is not None


@pytest.mark.parametrize("width", [80, 120])
def test_every_number_is_the_one_computed_by_hand(
    width: int, home: Path, said: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "width", width)
    for line, parts in SCREENS:
        text = said(line)
        for part in parts:
            assert holds(text, part), f"{line}: {part}\n{text}"
        assert line.startswith("fixes context") or max(map(len, text.splitlines())) <= width, text


def test_files_of_reports_and_of_fixes(home: Path, said: Callable[..., str]) -> None:
    rows = list(csv.DictReader(said("fixes report fixers --format csv").splitlines()))
    assert [(row["fixer"], row["verified"], row["failed"], row["mean_seconds"]) for row in rows] == [
        ("claude", "2", "1", "11.667"), ("qwen", "0", "1", "30.0")
    ]  # fmt: skip
    said(f"fixes report types --output {home}/t.json")
    told = {row["type"]: row for row in json.loads((home / "t.json").read_text())["rows"]}
    assert told["timeout"]["noted"] == 5
    assert told["timeout"]["verified_share"] == 0.6667
    for name, kind, begins in (("trend", "svg", b"<?xml"), ("targets", "png", b"\x89PNG")):
        assert "written to" in said(f"fixes report {name} --chart {kind} --output {home}/c.{kind}")
        assert (home / f"c.{kind}").read_bytes().startswith(begins)
    assert json.loads(said("fixes report --json"))["fixers"][0]["tried"] == 3
    said(f"fixes export {home}/all.csv --format csv")
    with (home / "all.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert sorted(row["message"] for row in table) == sorted(row["problem"] for row in ROWS)
    assert {row["commands"] for row in table} >= {'["raise limit"]', "[]"}
    for wrong in (
        "--format csv",
        "fixers --chart svg",
        "fixers --output x.txt",
        "fixers --chart terminal --output x",
        "nobody",
        "--days 0",
    ):
        said(f"fixes report {wrong}", 2)
    assert said(f"fixes export {home}/all.json")
    assert "0 new, 0 with a newer outcome, 8 known already" in said(f"fixes import {home}/all.json")
    (home / "bad.json").write_text("{}")
    said(f"fixes import {home}/bad.json", 2)
    said("fixes target nobody", 1)
    said("fixes issue nothing", 1)
    said("diagnose", 2)
    said("diagnose x --file y", 2)


def test_an_empty_home_says_what_to_do(tmp_path: Path, said: Callable[..., str], monkeypatch: Any) -> None:
    monkeypatch.setenv("ENGRAIN_HOME", str(tmp_path / "home"))
    said("remember 'a fact'")
    for line in ("stats", "targets", "patterns"):
        assert "engrain record-fix" in said("fixes " + line)
    for line in ("recent", "successful", "report", "edits"):
        assert said("fixes " + line).strip()
    assert "engrain record-fix" in said("diagnose x", 1), "as recall: nothing is known"
    for line in ("similar x", "context x", "undo"):
        assert said("fixes " + line, 1).strip()
