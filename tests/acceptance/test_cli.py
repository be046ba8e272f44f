"""The command line as its users meet it: real processes, exit codes, streams, whose memory, help, speed."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engrain.shells.cli import main
from engrain.shells.inputs import COMMON
from engrain.shells.verbs import verbs_of

ENGRAIN = [sys.executable, "-m", "engrain"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of a user: an agent of a tenant, in a home of its own."""
    monkeypatch.setenv("ENGRAIN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENGRAIN_AGENT", "builder")
    monkeypatch.setenv("ENGRAIN_TENANT", "lab")
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "home"


def engrain(*words: str, stdin: str | bytes | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    """One command in a process of its own."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [*ENGRAIN, *words], input=given, capture_output=True, env={**os.environ, **environ}, check=False
    )
    return subprocess.CompletedProcess(words, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_what_one_process_writes_another_reads(home: Path) -> None:
    item = json.loads(engrain("remember", "-", "--kind", "fact", "--json", stdin="Wörter für später\n").stdout)
    assert json.loads(engrain("get", item["id"], "--json").stdout)["content"] == "Wörter für später\n"
    assert engrain("update", item["id"], "--importance", "9").returncode == 0
    assert engrain("helpful", item["id"]).returncode == 0
    read = json.loads(engrain("get", item["id"], "--json").stdout)
    assert (read["importance"], read["helpful"]) == (9.0, 1)
    hits = json.loads(engrain("recall", "Was für später?", "--json").stdout)["hits"]
    assert [hit["item"]["id"] for hit in hits] == [item["id"]]
    assert engrain("forget", item["id"]).returncode == 0
    assert engrain("get", item["id"]).returncode == 1


def test_an_outcome_told_to_one_process_changes_the_advice_of_another(home: Path) -> None:
    told = [{"task_type": "choose", "action": a, "success": a == "b", "evidence": "verified"} for a in "ab" * 5]
    assert engrain("observe-many", "-", stdin="\n".join(map(json.dumps, told))).returncode == 0
    advice = json.loads(engrain("advise", "choose", "--option", "a", "--option", "b", "--json").stdout)
    assert advice["distribution"]["b"] > 0.8
    assert advice["mode"] == "advised"


# -- whose memory -----------------------------------------------------------------------------------------------------


def test_common_options_stand_before_or_after_and_win_over_the_environment(home: Path, tmp_path: Path) -> None:
    other = str(tmp_path / "other")
    assert engrain("--home", other, "--agent=ann", "--tenant", "t", "remember", "only ann's").returncode == 0
    after = engrain("count", "--home", other, "--agent", "ann", "--tenant=t", "--json")
    assert json.loads(after.stdout) == {"count": 1}
    assert json.loads(engrain("--json", "count").stdout) == {"count": 0}
    assert json.loads(engrain("--json", "count", ENGRAIN_HOME=other).stdout) == {"count": 0}
    there = engrain("--json", "count", ENGRAIN_HOME=other, ENGRAIN_AGENT="ann", ENGRAIN_TENANT="t")
    assert json.loads(there.stdout) == {"count": 1}
    grouped = engrain("--home", other, "kv", "--agent", "ann", "set", "k", "1", "--json")
    assert (grouped.returncode, json.loads(grouped.stdout)) == (0, {"key": "k"})


def test_a_team_sees_what_is_shared_with_it(home: Path) -> None:
    assert engrain("remember", "standup at nine", "--visibility", "team", "--team", "docs").returncode == 0
    assert engrain("recall", "when is standup?", "--agent", "mate", "--team", "docs").returncode == 0
    assert engrain("recall", "when is standup?", "--agent", "stranger").returncode == 1


# -- exit codes and streams -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("count", 0),
        ("list", 0),
        ("version", 0),
        ("--version", 0),
        ("recall nothing", 1),
        ("context nothing", 1),
        ("get nope", 1),
        ("lookup fact nope", 1),
        ("history fact nope", 1),
        ("forget nope", 1),
        ("update nope --importance 1", 1),
        ("helpful nope", 1),
        ("observe nope --success", 1),
        ("kv get nope", 1),
        ("kv has nope", 1),
        ("kv delete nope", 1),
        ("nope", 2),
        ("recal x", 2),
        ("recall", 2),
        ("recall a b", 2),
        ("recall a --nope", 2),
        ("recall a --limit", 2),
        ("recall a --limit many", 2),
        ("recall a --limit 0", 2),
        ("remember ' '", 2),
        ("remember a --kind nope", 2),
        ("remember a --importance nan", 2),
        ("remember a --importance 11", 2),
        ("remember a --metadata [1]", 2),
        ("remember a --occurred-at 2026-01-01T00:00:00", 2),
        ("remember a --expires-in -5d", 2),
        ("remember a --visibility all", 2),
        ("update x --clear content", 2),
        ("forget-where", 2),
        ("kv", 2),
        ("kv set a b", 2),
        ("--tenant * count", 2),
        ("--agent '' count", 2),
        ("--home '' count", 2),
        ("count --home /dev/null/x", 3),
    ],
)
def test_exit_codes(line: str, code: int, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(line)) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    if code >= 2 and line != "kv":
        assert said.out == ""
        assert said.err.startswith("error: ")
        assert said.err.count("\n") == 1


def test_errors_in_json(home: Path) -> None:
    for words, kind in ((["remember", "x", "--kind", "nope"], "UnknownKind"), (["get", "nope"], "UnknownItem")):
        failed = engrain(*words, "--json")
        assert failed.stdout == ""
        error = json.loads(failed.stderr)["error"]
        assert error["type"] == kind
        assert "'nope'" in error["message"]
    assert json.loads(engrain("--json", "recall", "x", "--frob").stderr)["error"]["message"].startswith(
        "No such option"
    )


def test_nothing_is_stored_by_a_refused_command(home: Path) -> None:
    assert engrain("remember-many", "-", stdin='{"content": "a"}\n{"content": "b", "kind": "nope"}\n').returncode == 2
    assert engrain("remember", "-", stdin=b"\xff\xfe").returncode == 2
    assert json.loads(engrain("count", "--json").stdout) == {"count": 0}


def test_words_that_are_no_text_are_refused(home: Path) -> None:
    for words in ([b"remember", b"\xff"], [b"remember", b"x", b"--kind", b"\xff"], [b"kv", b"get", b"\xff"]):
        done = subprocess.run([*ENGRAIN, *words], capture_output=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith(b"error: ")


def test_an_unreadable_home_is_one_line_and_code_three(home: Path) -> None:
    home.mkdir()
    (home / "engrain.toml").write_text("frobnicate = 1\n")
    failed = engrain("count")
    assert failed.returncode == 3
    assert "frobnicate" in failed.stderr
    assert failed.stderr.count("\n") == 1


def test_a_reader_that_leaves_early_is_no_error(home: Path) -> None:
    assert engrain("remember", "-", stdin="word " * 60_000).returncode == 0
    listing = subprocess.Popen(
        [*ENGRAIN, "list", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)
    )
    assert listing.stdout is not None
    assert listing.stderr is not None
    with listing.stdout, listing.stderr:
        listing.stdout.read(10)
        listing.stdout.close()
        assert listing.stderr.read() == b""
    assert listing.wait() == 0


def test_an_interrupt_is_code_130_without_a_traceback(home: Path) -> None:
    waiting = subprocess.Popen(
        [*ENGRAIN, "remember", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_listens,  # noqa: PLW1509 (no thread runs here)
    )
    assert waiting.stdin is not None
    assert waiting.stderr is not None
    with waiting.stdin, waiting.stderr:
        waiting.stdin.write(b"half a")
        waiting.stdin.flush()
        while "stdin" not in _where(waiting.pid):
            assert waiting.poll() is None
        waiting.send_signal(signal.SIGINT)
        assert waiting.wait() == 130
        assert b"Traceback" not in waiting.stderr.read()


def _listens() -> None:
    """A job that a shell started in the background ignores interrupts, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _where(pid: int) -> str:
    """Whether a process waits for its stdin, as far as the system tells."""
    wait = Path(f"/proc/{pid}/wchan")
    return "stdin" if not wait.exists() or "pipe" in wait.read_text() else ""


def test_a_word_that_looks_like_an_option_can_be_remembered(home: Path) -> None:
    assert engrain("remember", "--json", "--", "--home is where the heart is").returncode == 0
    assert json.loads(engrain("list", "--json").stdout)["items"][0]["content"] == "--home is where the heart is"


def test_a_value_that_is_a_command_is_a_value(home: Path) -> None:
    assert engrain("--agent", "recall", "remember", "count").returncode == 0
    assert json.loads(engrain("count", "--agent", "recall", "--json").stdout) == {"count": 1}


# -- help, completion, speed ------------------------------------------------------------------------------------------


def test_help_names_every_command_and_exit_code(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f" {name} " in text for name in {verb.name.split()[0] for verb in verbs_of("cli")})
    assert "Exit codes" in text
    assert main(["recall", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"--{name}" in text for name in ("min-score", "kind", *(field.name for field in COMMON)))
    assert not home.exists(), "help opens no memory"


def test_a_shell_completes_commands_and_options() -> None:
    def completed(line: str) -> list[str]:
        count = str(len(line.split()) - 1)
        return engrain(_ENGRAIN_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=count).stdout.split()

    assert {"recall", "rebuild"} <= set(completed("engrain re"))
    assert completed("engrain recall --min") == ["--min-score"]
    assert completed("engrain kv d") == ["delete"]
    assert completed("engrain remember x --visibility pr") == ["private"]


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (["count", "--json"], {"numpy", "tokenizers", "rich", "typer", "mcp", "pydantic", "asyncio"}),
        (["recall", "x", "--json"], {"tokenizers", "rich", "typer", "mcp", "pydantic", "asyncio"}),
        (["context", "x", "--json"], {"tokenizers", "rich", "typer", "mcp", "pydantic", "asyncio"}),
        (["recall", "x"], {"tokenizers", "typer", "mcp", "pydantic", "asyncio"}),
        (["version"], {"engrain.store.sqlite", "numpy", "rich", "mcp", "pydantic"}),
    ],
    ids=lambda given: " ".join(sorted(given)),
)
def test_a_command_imports_nothing_heavy_that_it_does_not_need(words: list[str], heavy: set[str], home: Path) -> None:
    assert engrain("count").returncode == 0  # a home that is there already
    code = f"import sys; from engrain.shells.cli import main; main({words!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert heavy & set(done.stderr.split()) == set()


def test_what_the_library_warns_of_begins_with_the_word(home: Path) -> None:
    engrain("remember", "The lantern is lit", ENGRAIN_EMBEDDER="static")
    told = engrain("recall", "lantern", ENGRAIN_EMBEDDER="hash").stderr
    assert told.startswith("warning: hash:")
    assert len(told.splitlines()) == 1
