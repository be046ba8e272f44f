"""``engrain hook``: what is known comes in, what happens is kept; and nothing that comes in ever fails a session."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import string
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engrain
from engrain.shells.cli import main
from engrain.shells.hooks import session
from engrain.spool import Spool
from tests.hooks import TRANSCRIPT, event, hook, recorded

KEY = "sk-ant-api03-" + "aB3dE5gH7jK9mN1pQ" * 5 + "-xyzAA"
NAMES = ("SessionStart", "UserPromptSubmit", "PostToolUse", "PostToolUseFailure", "PreCompact", "SessionEnd")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which something is remembered."""
    with engrain.open(tmp_path / "a home") as memory:
        memory.agent("ann").remember(
            "The gateway answers 503 for a second after each deployment: retry the upload once."
        )
        memory.agent("bob").remember("The upload of invoices fails with 503 when bob is watching.")
    return tmp_path / "a home"


def process(home: Path, raw: bytes, *words: str, **how: Any) -> subprocess.CompletedProcess[bytes]:
    line = [sys.executable, "-m", "engrain", "hook", *words, "--home", str(home), "--agent", "ann"]
    return subprocess.run(line, check=False, **{"input": raw, "capture_output": True, **how})


def test_a_session(home: Path) -> None:
    """Recorded events from its start to its end; what came of it is read by another process."""
    answers = [hook(home, one) for one in recorded()]
    start, prompt, failure, *nothing, compacted, end = answers
    assert "retry the upload once" in start
    assert "retry the upload once" in prompt
    assert "bob" not in start + prompt
    assert failure + "".join(nothing) + end == ""
    assert "Session in shop." in compacted  # what PreCompact kept waits, and is known already
    code = (
        "import engrain, sys\nwith engrain.open(sys.argv[1]) as memory:\n    ann = memory.agent('ann')\n"
        "    seen = [(one.task_type, one.action, one.outcome.success) for one in ann.experiences()]\n"
        "    fixes = [(one.message, one.success, one.verified, one.fixer) for one in ann.fixes()]\n"
        "    print([seen, fixes, [one.content for one in ann.list(kind='context') if one.key], "
        "[(one.ok, one.detail) for one in memory.doctor().checks if one.name == 'hooks']])"
    )
    done = subprocess.run([sys.executable, "-c", code, home], capture_output=True, text=True, check=True)
    seen, fixes, sessions, health = eval(done.stdout)
    test = "claude-code:test"
    assert seen == [(test, "pytest", True), ("claude-code:edit", "Edit", True), (test, "pytest", False)]
    message = "shop.errors.UploadError: gave up after 1 attempt: 503"
    assert fixes == [(message, True, True, "claude-code"), (message, None, False, None)]
    (session,) = sessions
    assert "Changed: src/shop/upload.py\nChecked: python -m pytest tests/test_upload.py -q passed" in session
    assert health == [(True, "all that hooks have left came in")]

    again = event("PostToolUseFailure", session_id="another")
    assert "verified to help 1 of 1 time: Changed: src/shop/upload.py - RETRIES = 0 + RETRIES = 1" in hook(home, again)
    assert "The root cause is that RETRIES is 0" in hook(home, event("SessionStart", session_id="another"))
    with engrain.open(home) as memory:
        memory.signals.flush()
        assert sorted(one.shown for one in memory.agent("ann").list()) == [1, 4]


def test_a_prompt_is_told_once_and_within_its_budget(home: Path) -> None:
    asked = event("UserPromptSubmit")
    first = hook(home, asked)
    assert hook(home, asked) == ""  # it stands in the session's context already
    hook(home, event("PreCompact"))
    assert hook(home, asked) == first
    with engrain.open(home) as memory:
        memory.agent("ann").remember_many([{"content": f"upload {n} of invoices fails " * 40} for n in range(20)])
    assert len(hook(home, {**asked, "session_id": "x"}, "--max-tokens=200")) <= 300
    assert hook(home, {**asked, "prompt": "zebra crossing"}) == ""
    assert hook(home, {**asked, "prompt": " "}) == ""


def test_strategies_come_first(home: Path) -> None:
    """Those that helped, to begin with; those for a prompt, and one that nobody tried yet; warnings as such."""
    with engrain.open(home) as memory:
        ann = memory.agent("ann")
        good = ann.add_pattern("Retry uploads with a jitter", "Wait a random second before an upload is retried.").id
        for n in range(6):
            ann.use_pattern(good, True, evidence="verified", source=f"ci-{n}")
        bad = ann.add_pattern("Raise the timeout of uploads", polarity="do").id
        for n in range(6):
            ann.use_pattern(bad, False, evidence="verified", source=f"ci-{n}")
        ann.add_pattern("Upload twice at once", "It doubles invoices.", polarity="avoid")
        new = ann.add_pattern("Split invoices with jitter").id
    start = hook(home, event("SessionStart"))
    prompt = hook(home, event("UserPromptSubmit", prompt="Retry uploads of invoices with jitter, twice"))
    assert start.splitlines()[1].startswith("- DO [helps in ")
    assert good in start
    assert new not in start
    assert "Retry uploads with a jitter: Wait a random second" in prompt
    assert f"- DO [untried {new}] Split invoices with jitter" in prompt
    assert "] Upload twice at once: It doubles invoices." in prompt
    assert "- AVOID [" in prompt
    assert bad not in start + prompt
    with engrain.open(home) as memory:
        memory.signals.flush()
        assert memory.agent("ann").pattern(good).shown == 2


def test_no_secret_is_kept(home: Path, tmp_path: Path) -> None:
    talk = tmp_path / "talk.jsonl"
    talk.write_text(TRANSCRIPT.read_text(encoding="utf-8").replace("RETRIES is 0", f"the key is {KEY}"))
    hook(home, event("PostToolUseFailure", tool_input={"command": f"API_KEY={KEY} pytest"}, error=f"E   Error: {KEY}"))
    written = {"file_path": "/srv/shop/a.py", "old_string": "", "new_string": f"key = '{KEY}'"}
    hook(home, event("PostToolUse", tool_name="Edit", tool_input=written))
    hook(home, event("PostToolUseFailure", tool_input={"command": f"API_KEY={KEY} pytest"}, error=f"E   Error: {KEY}"))
    hook(home, event("SessionEnd", session_id="b", transcript_path=str(talk)))
    left = b"".join(path.read_bytes() for path in (home / "hooks").rglob("*") if path.is_file())
    assert b"[redacted:" in left
    assert KEY.encode() not in left
    with engrain.open(home) as memory:
        assert KEY not in str(
            [memory.agent("ann").list(), memory.agent("ann").fixes(), memory.agent("ann").experiences()]
        )


def test_a_secret_is_not_cut_in_two(tmp_path: Path) -> None:
    """Where a text is shortened, too, though nobody would know half of a secret for one."""
    dice = random.Random(3)
    letters = "".join(dice.choices(string.ascii_letters + string.digits, k=1600))
    body = "\n".join(letters[at : at + 64] for at in range(0, 1600, 64))
    secret = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\n{KEY}"
    talk = tmp_path / "talk.jsonl"
    line = {"type": "user", "message": {"role": "user", "content": f"{'x ' * 100}{secret}"}}
    talk.write_text(json.dumps(line) + "\n")
    for room in range(0, 3000, 300):
        output = f"Error: no\n{'x ' * 3000}{secret}{' y' * room}"
        hook(tmp_path, event("PostToolUseFailure", tool_input={"command": f"pytest {output}"}, error=output))
        hook(tmp_path, event("PostToolUseFailure", tool_input={"command": "pytest"}, error="Error: no"))
        written = {"file_path": "a.py", "old_string": "x " * (room // 40) + secret, "new_string": f"a\nb\n{secret}"}
        hook(tmp_path, event("PostToolUse", tool_name="Edit", tool_input=written))
    hook(tmp_path, event("SessionEnd", session_id="b", transcript_path=str(talk)))
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("hooks/**/*") if path.is_file()).decode()
    assert "[redacted:" in left
    parts = {letters[at : at + 16] for at in range(0, 1600, 64)} | {KEY[at : at + 16] for at in range(14, 90, 9)}
    assert not [one for one in parts if one in left]


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["Bash", "\ud800", "x\0y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = (
    "session_id", "transcript_path", "cwd", "tool_name", "tool_input", "tool_response", "tool_use_id", "error",
    "prompt", "source", "duration_ms", "is_interrupt", "reason", "trigger",
)  # fmt: skip
EVENTS = st.fixed_dictionaries(
    {"hook_event_name": st.sampled_from(NAMES)},
    optional={name: ANY | st.just("Bash") | st.just({"command": "pytest", "file_path": "a"}) for name in FIELDS},
)


@settings(max_examples=50, deadline=None)
@given(ANY.map(lambda one: json.dumps(one).encode()) | EVENTS.map(lambda one: json.dumps(one).encode()) | st.binary())
def test_anything_is_borne(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    home = tmp_path_factory.getbasetemp() / "borne"
    home.mkdir(exist_ok=True)
    hook(home, raw)
    hook(home, raw, "PostToolUse", "--nonsense", "--max-tokens=many")
    assert not Spool(home).errors()
    for line in Spool(home).waiting():
        assert line["do"] in ("observe_step", "record_fix", "remember", "shown")
    (home / "hooks" / "spool.jsonl").unlink(missing_ok=True)


def test_odd_events_lose_nothing(home: Path) -> None:
    """Fields that are new, missing or huge; letters of the world; a text that was cut off."""
    passed = event("PostToolUse", tool_name="Bash", tool_input={"command": "pytest"})
    huge = {"stdout": "ü" * 5_000_000 + "\n3 passed in 1s"}
    hook(home, {**passed, "tool_use_id": "huge", "tool_response": huge, "brand_new": {"a": [1]}})
    cut = json.dumps({**passed, "tool_use_id": "cut", "tool_response": None, "x": 1})
    cut = cut.replace('"tool_response": null', '"tool_use_id": "cut", "tool_response": {"stdout": "3 pas')
    hook(home, cut.encode())
    hook(
        home, {"hook_event_name": "PostToolUse", "tool_name": "日本語ツール", "tool_input": {}, "tool_response": "はい"}
    )
    hook(home, {"tool_name": "Bash", "tool_input": {"command": "make"}, "error": "💥"}, "post-tool-use-failure")
    with engrain.open(home) as memory:
        found = memory.agent("ann").experiences()
    seen = {(str(one.task_id).split("-")[0], one.action, one.outcome.success) for one in found}
    assert seen == {
        ("huge", "pytest", True), ("cut", "pytest", True), ("hook", "日本語ツール", True), ("hook", "make", False)
    }  # fmt: skip


def test_a_home_that_cannot_be_used(home: Path, tmp_path: Path) -> None:
    """Locked: what happens waits. None yet: made only where it was named. In the way of its folder: silence."""
    holder = sqlite3.connect(home / "engrain.db", isolation_level=None)
    holder.execute("pragma locking_mode = exclusive")
    holder.execute("begin exclusive")
    answers = [hook(home, one) for one in recorded()]
    assert ["Session in shop." in one for one in answers if one] == [True]  # from the spool
    assert "cannot be read now" in str(Spool(home).errors())
    holder.close()
    with engrain.open(home) as memory:
        assert len(memory.agent("ann").experiences()) == 3
        told = next(one for one in memory.doctor().checks if one.name == "hooks")
        assert told.ok
        assert "errors, the last: StoreUnavailable" in told.detail

    hook(tmp_path / "new", event("PostToolUse", tool_name="Write"))
    assert (tmp_path / "new" / "hooks" / "spool.jsonl").exists()
    (tmp_path / "file").write_text("")
    assert hook(tmp_path / "file", event("SessionStart")) == ""
    shutil.rmtree(home / "hooks")
    (home / "hooks").write_text("")
    assert hook(home, event("PostToolUse", tool_name="Write")) == ""
    for name in ("SessionStart", "UserPromptSubmit"):  # nothing can be noted; what is known is shown all the same
        assert "What engrain remembers" in hook(home, event(name))
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "engrain", "hook"],
        cwd=nowhere,
        input=json.dumps(event("PostToolUse", tool_name="Write")).encode(),
        capture_output=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "ENGRAIN_HOME"},
    )
    assert (done.returncode, done.stdout, done.stderr, [*nowhere.iterdir()]) == (0, b"", b"", [])


def test_whole_processes(home: Path) -> None:
    told = process(home, json.dumps(event("SessionStart")).encode())
    assert (told.returncode, told.stderr) == (0, b"")
    assert "retry the upload once" in json.loads(told.stdout)["hookSpecificOutput"]["additionalContext"]
    silent = process(home, b'{"hook_event_name": ', "SessionStart", "--no-such-option", "--max-tokens")
    assert (silent.returncode, silent.stdout, silent.stderr) == (0, b"", b"")
    reading, writing = os.pipe()
    os.close(reading)
    broken = process(home, json.dumps(event("SessionStart")).encode(), capture_output=False, stdout=writing)
    os.close(writing)
    assert broken.returncode == 0
    closed = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m engrain hook SessionStart <&- >&- 2>&-"], check=False, cwd=home.parent
    )
    assert closed.returncode == 0


def test_a_hook_loads_nothing_heavy(home: Path) -> None:
    """What a hook may not pay for."""
    code = (
        "import os, sys; os._exit = lambda code: print(*sys.modules, file=sys.stderr); "
        f"sys.argv[1:] = ['hook', '--home', {str(home)!r}]; from engrain.__main__ import main; main()"
    )
    for one in (event("PostToolUse"), event("UserPromptSubmit")):
        done = subprocess.run(
            [sys.executable, "-c", code], input=json.dumps(one).encode(), capture_output=True, check=True
        )
        loaded = set(done.stderr.decode().split())
        assert "engrain.shells.hooks.events" in loaded
        assert not loaded & {"numpy", "typer", "rich", "pydantic", "tokenizers", "asyncio", "engrain.memory", "mcp"}
        assert ("sqlite3" in loaded) is (one["hook_event_name"] == "UserPromptSubmit")


def test_a_process_that_is_killed_while_it_takes_in(home: Path) -> None:
    """It had made the calls and had not noted it: the next one makes none twice, and loses none."""
    for one in recorded():
        hook(home, one)
    code = (
        "import os, sys, engrain, engrain.arrivals as arrivals\nmake = arrivals._make\n"
        "def made(*given):\n    make(*given)\n    os._exit(9)\n"
        "arrivals._make = made\nengrain.open(sys.argv[1])"
    )
    assert subprocess.run([sys.executable, "-c", code, home], check=False).returncode == 9
    hook(home, event("PostToolUse", tool_name="Write", tool_use_id="later"))
    assert (home / "hooks" / "taken.jsonl").exists()
    with engrain.open(home) as memory:
        ann = memory.agent("ann")
        assert sorted(str(one.task_id) for one in ann.experiences()) == [
            "later", "toolu_01EDIT", "toolu_01FAIL", "toolu_01PASS"
        ]  # fmt: skip
        assert len(ann.fixes()) == 2
        assert sum(one.key is not None for one in ann.list()) == 1
        assert Spool(home).idle()


def test_many_hooks_at_once_and_one_that_takes(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    seen: list[int] = []

    def write(first: int) -> None:
        for n in range(first, first + 50):
            assert Spool(tmp_path).add([{"n": n}])

    threads = [threading.Thread(target=write, args=(first,)) for first in range(0, 400, 50)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        spool.take(lambda lines, again: seen.extend(line["n"] for line in lines))
    spool.take(lambda lines, again: seen.extend(line["n"] for line in lines))
    assert sorted(seen) == list(range(400))
    (tmp_path / "hooks" / "spool.jsonl").write_bytes(b'{"n": 1}\n{"n": \nnonsense\n[1]\n')
    assert [line["n"] for line in spool.waiting()] == [1]
    with pytest.raises(ZeroDivisionError):
        spool.take(lambda lines, again: lines[1 // 0])  # type: ignore[arg-type]
    assert spool.take(lambda lines, again: None) == 1


def test_what_is_refused_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = {"task_type": "t", "action": "a", "outcome": {"success": True, "evidence": "executed"}}
    bad = {**good, "outcome": {"success": True, "evidence": "sworn"}}
    Spool(home).add([{"do": "observe_step", "agent": "ann", "with": one} for one in (good, bad)] + [{"do": "drop"}])
    assert main(["doctor", "--home", str(home)]) == 1
    assert "2 were refused" in " ".join(capsys.readouterr().out.split())
    with engrain.open(home) as memory:
        assert len(memory.agent("ann").experiences()) == 1


def test_a_bad_line_takes_no_other_with_it(home: Path) -> None:
    """Whatever stands in the spool, the home opens, and what is good comes in."""
    good = {"do": "observe_step", "agent": "ann"}
    given = {"task_type": "t", "action": "a", "outcome": {"success": True, "evidence": "executed"}}
    bad: list[dict[str, Any]] = [
        {},
        {"with": None},
        {"with": [1]},
        {"with": {**given, "task_id": ["x"]}},
        {"with": given, "team": {}},
        {"with": given, "tenant": "*"},
        {"with": given, "agent": "a\0b"},
        {"do": "forget", "with": {"everything": True}},
        {"do": "remember", "with": {"content": "x", "occurred_at": 10**30}},
        {"do": "remember", "with": {"content": "x", "importance": float("nan")}},
        {"do": "record_fix", "with": {"problem": 5}},
        {"do": "shown", "with": {"ids": None}},
    ]
    for n, one in enumerate(bad):
        Spool(home).add([{**good, "with": {**given, "task_id": f"t{n}"}}, {**good, **one}])
    with engrain.open(home) as memory:
        assert len(memory.agent("ann").experiences()) == len(bad)
    assert Spool(home).idle()
    assert (Spool(home).refused(), Spool(home).errors()) == (len(bad), [])


def test_what_was_done_of_a_task_is_told_apart(home: Path) -> None:
    """A process was killed between an attempt and the sighting that the same task brought."""
    sighting: dict[str, Any] = {"problem": {"message": "no"}, "task_id": "t"}
    attempt = {**sighting, "commands": ["make"], "success": False}
    with engrain.open(home) as memory:
        memory.agent("ann").record_fixes([attempt])
    Spool(home).add([{"do": "record_fix", "agent": "ann", "with": one} for one in (attempt, sighting)])
    (home / "hooks" / "spool.jsonl").rename(home / "hooks" / "taken.jsonl")
    with engrain.open(home) as memory:
        assert sorted(str(one.success) for one in memory.agent("ann").fixes()) == ["False", "None"]

    with session.state(home, "s") as state:
        state["files"] = ["a file with a long name"]
    (kept,) = home.glob("s-*.json")
    whole = kept.read_bytes()
    with session.state(home, "s") as state:
        state["files"] = ["b"]
    kept.write_bytes((short := kept.read_bytes()) + whole[len(short) :])  # killed before the rest was cut off
    assert session.peek(home, "s")["files"] == ["b"]


def test_what_hooks_left_is_forgotten_too(home: Path) -> None:
    """What waits, what was put aside and what is known of sessions; another agent keeps what is its own."""
    with engrain.open(home) as memory:
        for agent in ("ann", "bob"):
            whose = {"tenant": "default", "agent": agent}
            Spool(home).add([{**whose, "do": "remember", "with": {"content": f"{agent} waits"}}, {**whose, "do": "no"}])
            with session.state(Spool(home).sessions("default", agent), "s") as state:
                state["files"] = [agent]
        memory.take_in()
        hook(home, event("PostToolUse", tool_name="Write"))
        assert memory.agent("ann").forget(everything=True)
        memory.take_in()
        assert memory.agent("ann").list() + memory.agent("ann").experiences() == []
        assert "bob waits" in [one.content for one in memory.agent("bob").list()]
    assert [session.peek(Spool(home).sessions("default", one), "s")["files"] for one in ("ann", "bob")] == [[], ["bob"]]
    assert "ann" not in "".join(path.read_text() for path in (home / "hooks").rglob("*") if path.is_file())
    assert Spool(home).refused() == 1
