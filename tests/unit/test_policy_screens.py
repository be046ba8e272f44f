"""What the screens of policies and dreams say, and that nothing but it is said."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain.shells import screen
from engrain.shells.cli import main
from engrain.testing import SimulatedWorld

TASK = "walk"


def steps(episodes: int) -> list[dict[str, Any]]:
    """Two rooms; who goes on twice is rewarded. Chosen by lot."""
    dice = random.Random(7)
    found = []
    for number in range(episodes):
        room = 0
        for _ in range(4):
            action = dice.choice(["on", "back"])
            following = room + 1 if action == "on" else 0
            found.append({
                "task_type": TASK, "state": {"room": room}, "action": action, "propensity": 0.5,
                "outcome": engrain.Outcome(reward=2.0 if following == 2 else -0.5, evidence="executed"),
                "episode": f"e{number}", "next_state": None if following == 2 else {"room": following},
            })  # fmt: skip
            if following == 2:
                break
            room = following
    return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which a policy of episodes is live and a task type was refused."""
    place = tmp_path / "home"
    with engrain.open(place, embedder="hash", world=SimulatedWorld(seed=4)) as memory:
        agent = memory.agent("walker")
        agent.observe_many(steps(300))
        good = engrain.Outcome(success=True, evidence="executed")
        for number in range(60):
            agent.observe_step("even", state={}, action="ab"[number % 2], outcome=good, propensity=0.5)
        memory.dream()
        assert [(one.task_type, one.version) for one in memory.policies(state="live")] == [(TASK, 1)]
    for name, value in (("ENGRAIN_HOME", str(place)), ("ENGRAIN_EMBEDDER", "hash")):
        monkeypatch.setenv(name, value)
    for name in ("ENGRAIN_AGENT", "ENGRAIN_TENANT"):
        monkeypatch.delenv(name, raising=False)
    return place


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """What a command says, on one line."""
    assert main(list(words)) == code
    out, error = capsys.readouterr()
    return " ".join((error if code else out).split())


@pytest.mark.parametrize("columns", [80, 120])
def test_a_policy_of_episodes_is_told_in_episodes(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setattr(screen.console, "width", columns)
    shown = told(capsys, "policy", "show", TASK)
    assert "at 99.5 %; doubly robust, marginalised on 177 episodes, in effect" in shown
    assert "also by fitted Q: +" in shown
    assert "177 outcomes" not in shown
    assert "on 177 episodes" in told(capsys, "policy", "diff", TASK)
    assert main(["policy", "explain", "--task-type", TASK, "--state", '{"room": 1}']) == 0
    out = capsys.readouterr().out
    assert "e+0" not in out
    assert "\n\n\n" not in out
    assert max(map(len, out.splitlines())) <= columns


def test_a_history_of_dreams_says_what_came_of_them(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = told(capsys, "dream", "history")
    assert "1 promoted, 1 refused" in history
    assert "tasks" not in history
    report = told(capsys, "dream", "report")
    assert "Judged by 177 episodes, worth" in report
    assert "(99.5 % sure)." in report
    assert "may decide" not in report


def test_who_asks_for_what_is_not_live_is_told_what_to_do(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Name a version" in told(capsys, "policy", "show", "even", code=1)
    assert "Name a version" in told(capsys, "policy", "export", str(home / "x.json"), "even", code=1)
    assert "the online learner advises already" in told(capsys, "policy", "rollback", "even", code=1)
    assert told(capsys, "policy", "show", "even", "1").startswith("even version 1 candidate")
    refused = told(capsys, "policy", "promote", "even", "1", code=1)
    assert refused.startswith("error: The policy may not advise. Judged by 0 outcomes since it was made: ")


def test_a_command_that_uses_the_archive_says_nothing_else(home: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "engrain", "export-experiences", str(tmp_path / "all.parquet")]
    done = subprocess.run(words, capture_output=True, text=True, env=dict(os.environ), timeout=60, check=True)
    assert done.stdout.startswith("written: ")
    assert done.stderr == ""
