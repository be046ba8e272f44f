"""What a hook makes of a tool's outcome: which command it was, whether it succeeded, and when a fix is a fix."""

from __future__ import annotations

from typing import Any

import pytest

from engrain.shells.hooks import lines
from engrain.shells.hooks.digest import digest, turns
from engrain.shells.hooks.learned import Call, learned
from engrain.shells.hooks.outcome import problem, told
from engrain.shells.hooks.session import State
from tests.hooks import DATA


@pytest.mark.parametrize(
    ("command", "kind", "head", "masked"),
    [
        ("pytest -q tests/test_a.py", "test", "pytest", False),
        ("cd /x && PYTHONPATH=src timeout 60 python -m pytest -q 2>&1 | tail -5", "test", "pytest", True),
        ("npm run test:unit -- --watch=false", "test", "npm run test:unit", False),
        ("uv run ruff check . && uv run mypy src", "lint", "ruff check", False),
        ("make test-all", "test", "make test-all", False),
        ("git status", "look", "git status", False),
        ("git commit -m 'make test | less'", "git", "git commit", False),
        ("ls -la; cat a.txt", "look", "ls", True),
        ("pip install -e .[dev]", "install", "pip install", False),
        ("./scripts/deploy.sh --now || true", "run", "deploy.sh", True),
        ("set -o pipefail; cargo test | tee log", "test", "cargo test", False),
        ("", "look", "sh", False),
        ("'", "run", "'", False),
    ],
)
def test_commands(command: str, kind: str, head: str, masked: bool) -> None:
    assert (lines.kind_of(command), lines.head(command), lines.masked(command)) == (kind, head, masked)


def test_what_shows_less_of_the_output_is_the_same_command() -> None:
    assert lines.same("pytest  -q 2>&1 | grep -v warn | tail -5") == lines.same("pytest -q") == "pytest -q"
    assert lines.same("pytest -q | python judge.py") != "pytest -q"


def bash(command: str, response: Any = None, error: str | None = None, **more: Any) -> dict[str, Any]:
    found = {"tool_name": "Bash", "tool_input": {"command": command}, "tool_use_id": command, "cwd": "/p/shop", **more}
    return found | ({"error": error} if error is not None else {"tool_response": response})


@pytest.mark.parametrize(
    ("event", "failed", "success", "quality"),
    [
        (bash("pytest", {"stdout": "3 passed in 1s"}), False, True, 1.0),
        (bash("pytest | tail -1", {"stdout": "1 failed, 3 passed, 1 error in 1s"}), False, False, 0.6),
        (bash("pytest | tail -1", {"stdout": "no summary"}), False, None, None),
        (bash("npx jest", {"stdout": "Tests:       1 failed, 3 passed, 4 total"}), False, False, 0.75),
        (bash("python -m unittest", {"stdout": "", "stderr": "Ran 4 tests in 0.1s\n\nOK"}), False, True, 1.0),
        (bash("python -m unittest", error="Exit code 1\nRan 4 tests in 0.1s\n\nFAILED (failures=1)"), True, False, 0.0),
        (bash("go test ./...", {"stdout": "ok  \tshop/a\t0.1s\nok  \tshop/b\t0.1s"}), False, True, 1.0),
        (bash("cargo build", "done"), False, True, None),
        (bash("cargo build", {"stdout": "x", "exit_code": 101}), False, False, None),
        (bash("sleep 5 && make", {"stdout": "", "interrupted": True}), False, None, None),
        (bash("make", {"stdout": "", "backgroundTaskId": "b1"}), False, None, None),
        (bash("make", error="Exit code 2\nno rule", is_interrupt=True), True, None, None),
        (bash("make", error="The user doesn't want to proceed with this tool use."), True, None, None),
        (bash("make", error="Exit code 2\nmake: *** no rule"), True, False, None),
        (bash("cat a", {"stdout": "b"}), False, None, None),
        ({"tool_name": "mcp__plugin_engrain_engrain__remember", "tool_response": {}}, False, None, None),
        ({"tool_name": "Write", "tool_input": {}, "tool_response": {"success": False}}, False, False, None),
    ],
)
def test_outcomes(event: dict[str, Any], failed: bool, success: bool | None, quality: float | None) -> None:
    found = told(event, failed)
    assert (found and (found.success, found.quality)) == (None if success is None else (success, quality))


class Session:
    """Events of a session, and the fixes they lead to."""

    def __init__(self) -> None:
        self.state: State = {"open": {}, "files": [], "checks": {}, "shown": []}
        self.now = 0

    def did(self, event: dict[str, Any], failed: bool = False) -> list[dict[str, Any]]:
        self.now += 1_000_000
        found = told(event, failed)
        calls: list[Call] = learned(found, event, self.state, "s", "shop", self.now) if found else []
        return [given for verb, given in calls if verb == "record_fix"]


EDIT = {
    "tool_name": "Edit",
    "tool_input": {"file_path": "/p/shop/a.py", "old_string": "x = 1", "new_string": "x = 2"},
    "tool_response": {"filePath": "/p/shop/a.py"},
    "cwd": "/p/shop",
}
BAD = "Exit code 1\nE   ValueError: bad 3\nFAILED tests/test_a.py::test_x - ValueError: bad 3\n1 failed in 1s"
GOOD = {"stdout": "1 passed in 1s"}


def test_a_fix_is_what_was_done_between_a_failure_and_the_success_of_the_same_command() -> None:
    session = Session()
    (seen,) = session.did(bash("pytest -q | tail -3", error=BAD), failed=True)
    assert seen["problem"]["message"] == "ValueError: bad 3"
    assert seen["problem"]["test"] == "tests/test_a.py::test_x"
    assert not seen.keys() & {"success", "commands", "analysis"}  # a sighting
    assert session.did(bash("cat a.py", {"stdout": "x = 1"})) == session.did(EDIT) == []
    assert session.did(bash("pip install six", {"stdout": ""})) == []
    (fix,) = session.did(bash("pytest -q", GOOD))
    assert (fix["success"], fix["verified"], fix["seconds"]) == (True, True, 4.0)
    assert fix["commands"] == ["pip install six"]
    assert fix["analysis"] == "Changed:\na.py\n- x = 1\n+ x = 2"
    assert session.did(bash("pytest -q", GOOD)) == []
    assert session.state["open"] == {}


def test_what_does_not_prove_a_fix_is_none() -> None:
    flaky = Session()
    flaky.did(bash("pytest -q", error=BAD), failed=True)
    assert flaky.did(bash("pytest -q", GOOD)) == []  # nothing was done in between

    other = Session()
    other.did(bash("pytest -q tests/test_a.py", error=BAD), failed=True)
    other.did(EDIT)
    assert other.did(bash("pytest -q tests/test_b.py", GOOD)) == []  # another command

    again = Session()
    again.did(bash("pytest -q", error=BAD), failed=True)
    again.did(EDIT)
    attempt, sighting = again.did(bash("pytest -q", error=BAD.replace("3", "4")), failed=True)  # the same failure
    assert attempt["success"] is False
    assert "verified" not in attempt
    assert "success" not in sighting
    again.did(EDIT)
    (unknown,) = again.did(bash("pytest -q", error="Exit code 1\nNameError: name 'q'"), failed=True)  # another one
    assert "success" not in unknown


def test_a_problem_without_a_telling_line() -> None:
    found = told(bash("./run.sh", error="Exit code 3"), True)
    assert found is not None
    assert problem(found, "")["message"] == "run.sh failed"


def test_a_session_in_a_few_lines() -> None:
    text = digest(turns(DATA / "transcript.jsonl"), [], {"pytest -q": True}, "/srv/shop", "shop")
    assert text.splitlines()[:3] == [
        "Session in shop.",
        "Asked:",
        "- The upload of invoices fails with 503, please fix it. Never touch the billing tables.",
    ]
    assert "- Never touch the billing tables." in text
    assert "- The root cause is that RETRIES is 0, so a single 503 ends the upload." in text
    assert "Changed: src/shop/upload.py\nChecked: pytest -q passed\nEnded with: Both tests pass" in text
    for strange in ("subagent", "decided nothing", "What engrain remembers"):
        assert strange not in text
    assert digest([], [], {}, "", "") == ""
