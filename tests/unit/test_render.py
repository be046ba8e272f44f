"""What screens say: who spoke, nothing close enough, counts of one, lines that are too long."""

from __future__ import annotations

from pathlib import Path

import pytest

import engrain
from engrain.shells import screen
from engrain.shells.cli import main
from engrain.shells.screens import show
from engrain.testing import SimulatedWorld


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in (("ENGRAIN_HOME", str(tmp_path / "home")), ("ENGRAIN_EMBEDDER", "static"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    for name in ("ENGRAIN_AGENT", "ENGRAIN_TENANT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def width(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(screen.console, "width", columns)


def test_a_hit_says_who_spoke_and_in_which_session(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remember", "The lantern is lit", "--role", "Hu\x1bgo", "--session", "s" * 60]) == 0
    assert main(["remember", "The lantern is out"]) == 0
    capsys.readouterr()
    for view in ([], ["--explain"]):
        assert main(["recall", "lantern lit", *view]) == 0
        heads = [row for row in capsys.readouterr().out.splitlines() if "context" in row]
        assert any(f"context  Hu\\x1bgo · {'s' * 23}…  just now" in row for row in heads)
        assert any(row.endswith("context  just now") for row in heads)


def test_a_long_memory_shows_what_was_asked(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filler = "The meeting went on about nothing in particular. " * 80
    assert main(["remember", f"{filler}The spare key hangs behind the lantern. {filler}"]) == 0
    capsys.readouterr()
    for view in ([], ["--explain"]):
        assert main(["recall", "Where is the spare key?", *view]) == 0
        told = capsys.readouterr().out
        assert "The spare key hangs behind the lantern." in " ".join(told.split())
        assert told.splitlines()[1].startswith("    …")
        assert max(map(len, told.splitlines())) <= 80


def test_nothing_close_enough_is_not_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["recall", "quantum chromodynamics bosons"]
    assert main(asked) == 1
    assert capsys.readouterr().out == "Nothing is remembered about that.\n"
    assert main(["remember", "The lantern is lit"]) == 0
    capsys.readouterr()
    for view in ([], ["--explain"]):
        assert main([*asked, *view]) == 1
        assert capsys.readouterr().out == "Nothing close enough was found; --min-score 0 shows the nearest.\n"
    assert main([*asked, "--min-score", "0"]) == 0
    assert "The lantern is lit" in capsys.readouterr().out
    assert main([*asked, "--agent", "nobody"]) == 1
    assert capsys.readouterr().out == "Nothing is remembered about that.\n"


@pytest.mark.parametrize(("columns", "bars"), [(55, False), (56, True), (120, True)])
def test_a_narrow_screen_has_no_bars(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int, bars: bool
) -> None:
    width(monkeypatch, columns)
    assert main(["remember", "The lantern is lit"]) == 0
    assert main(["recall", "lantern", "--explain"]) == 0
    told = capsys.readouterr().out
    assert ("█" in told) is bars
    assert "the sum of these" in told
    assert max(map(len, told.splitlines())) <= columns


def test_the_doctor_indents_what_it_goes_on_with(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["remember", "The lantern is lit"]) == 0
    monkeypatch.setenv("ENGRAIN_EMBEDDER", "hash")
    width(monkeypatch, 60)
    capsys.readouterr()
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    rows = told.splitlines()
    assert all(row.startswith(("✓ ", "✗ ", "    ")) for row in rows[:-1])
    assert max(map(len, rows)) <= 60
    said = " ".join(told.split())
    assert "1 passage has vectors of static" in said
    assert "until engrain rebuild is run, 1 memory is found by its words alone" in said


def test_a_rebuild_tells_only_of_what_there_was(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remember", "The lantern is lit"]) == 0
    capsys.readouterr()
    assert main(["rebuild"]) == 0
    assert capsys.readouterr().out == "made anew: 1 memory\n"
    assert main(["observe-step", "choose", "a", "--success"]) == 0
    capsys.readouterr()
    assert main(["rebuild"]) == 0
    assert capsys.readouterr().out == "made anew: 1 memory, what was learned in 1 tenant\n"
    show("rebuild", {"memories": 2000, "left": 1, "tenants": 2}, 0)
    told = " ".join(capsys.readouterr().out.split())
    assert told.startswith("made anew: 2,000 memories, what was learned in 2 tenants 1 memory was written with another")


def test_the_counts_tell_of_adapted_recall(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with engrain.open() as memory:
        agent = memory.agent("default")
        agent.remember("The lantern is lit")
        agent.helpful(agent.recall("lantern")[0].item.id, True)
    assert main(["stats"]) == 0
    assert "adapted      default: off, 1 example\n" in capsys.readouterr().out


def test_a_backup_that_exists_is_no_fault_of_the_store(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = home.parent / "there.db"
    there.touch()
    assert main(["backup", str(there)]) == 2
    assert capsys.readouterr().err == f"error: {there} exists; a backup never overwrites. Choose another name.\n"


def test_the_archive_is_counted_and_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = SimulatedWorld("2026-01-01T00:00:00Z")
    with engrain.open(home, world=world) as memory:
        item = memory.agent("default").remember("The lantern is lit", expires_in="1d")
        world.advance(days=2)
        memory.sweeps.run("expire")
    assert main(["stats"]) == 0
    assert "0 active, 0 superseded, 1 archived" in capsys.readouterr().out
    assert main(["get", item.id]) == 1
    assert "archived what is in the archive" in capsys.readouterr().err
    assert main(["transitions", item.id]) == 0
    assert capsys.readouterr().out.count(item.id) == 2
    for told in ("forgotten\n", "There was nothing to forget.\n"):
        main(["forget", item.id])
        assert capsys.readouterr().out == told


def test_a_key_is_shown_whole_with_its_agents_and_its_end(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with engrain.open(home, world=SimulatedWorld("2099-01-01T00:00:00Z")) as memory:
        key = memory.keys_create("a name that is rather long", agents=["builder"], expires_in="90d")
    assert main(["keys", "list"]) == 0
    told = capsys.readouterr().out
    assert key.id in told
    assert "builder" in told
    assert "2099-04-01" in told


def test_refused_rows_have_lines_of_their_own(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.mkdir()
    rows = home / "rows.jsonl"
    rows.write_text('{"content": ""}\n{"content": "x", "importance": 99}\n', encoding="utf-8")
    assert main(["import", str(rows), "--format", "jsonl"]) == 2
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.startswith("error: ")
    assert [row[:8] for row in rest[:2]] == ["  line 1", "  line 2"]
