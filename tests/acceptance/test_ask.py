"""The commands whose answers are tables: SQL and reports, on the screen, in files, and as charts; and over HTTP."""

from __future__ import annotations

import csv
import io
import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import engrain
from engrain import Memory, Outcome
from engrain.archive.reports import reports
from engrain.errors import ConfigError, InvalidField
from engrain.shells.ask import bars
from engrain.shells.cli import main
from engrain.shells.pictures import draw
from engrain.testing import SimulatedWorld
from tests.cold import freeze

NAMES = sorted(reports())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten days of two agents, in the archive and live."""
    folder = tmp_path_factory.mktemp("home")
    start = datetime.now(UTC) - timedelta(days=10)
    world = SimulatedWorld(start=start)
    with engrain.open(folder, embedder="hash", world=world) as memory:
        agents = [memory.agent(name) for name in ("builder", "tester $x_{1}$")]
        for day in range(10):
            for agent in agents:
                agent.remember(f"note of day {day}", kind="fact", expires_in="2d")
                advice = agent.advise("build", options=["x", "y"])
                agent.observe(advice, Outcome(success=day % 3 > 0, evidence="executed", error="lint: E501"))
            world.advance(days=1)
            memory.tick(["expire", "metrics"])
        agents[0].remember("flaky", kind="error_pattern", metadata={"event_type": "timeout"})
        old = [{"told_at": start, "archived_at": start, "id": f"old{n}", "content": "ä" * 100} for n in range(5)]
        freeze(memory, [*old, {"id": "=1+1", "tenant": "rival", "content": 'a,b\n"c"'}])
        freeze(memory, [{"created_at": start + timedelta(days=1), "success": True, "reward": 1.0}] * 3, "experiences")
    return folder


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setenv("ENGRAIN_EMBEDDER", "hash")
    monkeypatch.setenv("COLUMNS", "100")

    def command(*words: str, code: int = 0) -> str:
        assert main([*words, "--home", str(home)]) == code
        said = capfd.readouterr()
        return said.err if code else said.out

    return command


@pytest.fixture
def memory(home: Path) -> Iterator[Memory]:
    with engrain.open(home, embedder="hash") as memory:
        yield memory


def test_rows_on_the_screen_in_json_csv_and_parquet(run: Any, tmp_path: Path) -> None:
    text = "select id, content, archived_at, echoes from history order by id"
    assert "old4" in run("archive", "sql", text)
    rows = json.loads(run("archive", "sql", text, "--json"))
    assert [row["id"] for row in rows] == ["=1+1", "old0", "old1", "old2", "old3", "old4"]
    assert rows == json.loads(run("archive", "sql", text, "--format", "json"))
    found = list(csv.DictReader(io.StringIO(run("archive", "sql", text, "--format", "csv"))))
    assert found[0]["content"] == 'a,b\n"c"'
    assert datetime.fromisoformat(found[1]["archived_at"]).tzinfo is not None
    for name in ("rows.json", "rows.csv", "rows.parquet"):
        run("archive", "sql", text, "--output", str(tmp_path / name))
    assert pq.read_table(tmp_path / "rows.parquet").column("id").to_pylist() == [row["id"] for row in rows]
    assert json.loads((tmp_path / "rows.json").read_text()) == rows
    assert list(csv.DictReader(io.StringIO((tmp_path / "rows.csv").read_text()))) == found
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv", "rows.json", "rows.parquet"]


def test_a_row_too_wide_for_the_screen_is_a_list_of_all_its_columns(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = run("archive", "sql", "select * from history order by id").splitlines()
    assert max(map(len, shown)) <= 80
    asked = json.loads(run("archive", "sql", "select * from history order by id limit 1", "--json"))[0]
    assert [line.split()[0] for line in shown[: shown.index("")] if not line.startswith(" ")] == [*asked]
    narrow = run("archive", "sql", "select id, repeat('lorem ipsum ', 9) as said, archived_at from history")
    assert narrow.splitlines()[0].split() == ["id", "said", "archived_at"]
    many = run("archive", "sql", "select *, 1 as one from history, range(90)")
    assert many.endswith("… and 520 more rows; --format csv or --output FILE has them all\n")


def test_an_agent_asks_of_its_own(run: Any) -> None:
    assert json.loads(run("sql", "select count(*) as n from history", "--agent", "a", "--json")) == [{"n": 5}]
    assert json.loads(run("sql", "select count(*) as n from history", "--agent", "b", "--json")) == [{"n": 0}]
    text = "select count(*) as n from experiences where reward > $least"
    assert json.loads(run("sql", text, "--parameters", '{"least": 0.5}', "--agent", "a", "--json")) == [{"n": 3}]


@pytest.mark.slow
def test_what_is_refused_says_so_with_its_code(home: Path, run: Any, tmp_path: Path) -> None:
    assert "Only SELECT may be run here" in run("archive", "sql", "drop view history", code=2)
    assert "There is no report 'nope'; the reports are" in run("report", "nope", code=2)
    assert "needs a file" in run("report", "kind-distribution", "--chart", "svg", code=2)
    assert "--format says which" in run("archive", "sql", "select 1", "--format", "table", "--output", "x", code=2)
    assert "--format says which" in run("archive", "sql", "select 1", "--output", str(tmp_path / "x.xls"), code=2)
    assert "cannot be written" in run("sql", "select 1", "--output", str(tmp_path / "no" / "x.csv"), code=2)
    for part in ("engrain.db", "engrain.db-wal", "archive/memories/_delta_log/00000000000000000000.json"):
        assert "choose another name" in run("archive", "sql", "select 1", "--output", str(home / part), code=2)
    assert "choose another name" in run("report", NAMES[0], "--chart", "svg", "--output", str(home / part), code=2)
    assert "\x1b" not in run("archive", "sql", "select e'\\x1b[31m' as \"a\x1b[31m\"")
    run("archive", "sql", "select 1 as x", "--output", str(tmp_path / "kept.csv"))
    run("archive", "sql", "select nope", "--output", str(tmp_path / "kept.csv"), code=2)
    assert (tmp_path / "kept.csv").read_text() == "x\n1\n"


def test_reports_are_listed_with_the_weekly_one(run: Any) -> None:
    shown = run("report")
    assert all(name in shown for name in (*NAMES, "health"))
    assert [one["name"] for one in json.loads(run("report", "--json"))["reports"]] == list(reports())
    assert run("report", "health").startswith("# How the memory fared")
    assert run("report", "--html").startswith("<!doctype html>")


@pytest.mark.slow
def test_a_report_as_a_table_a_chart_a_file_and_a_picture(run: Any, tmp_path: Path) -> None:
    made = json.loads(run("report", "reward-trend", "--days", "14", "--json"))
    assert made["columns"][0] in run("report", "reward-trend")
    assert "█" in run("report", "reward-trend", "--days", "14", "--chart", "terminal")
    assert len(run("report", "reward-trend", "--days", "14", "--format", "csv").splitlines()) == len(made["rows"]) + 1
    for line in run("report", "outcome-trend", "--chart", "terminal").splitlines()[3:]:
        assert line[:4].isdigit()  # no bar goes on in a line of its own
    run("report", "reward-trend", "--agent", "builder", "--chart", "png", "--output", str(tmp_path / "x.png"))
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", NAMES)
def test_every_report_can_be_drawn(name: str, memory: Memory, capsys: pytest.CaptureFixture[str]) -> None:
    made = memory.run_report(name, days=14)
    info = made.report
    assert {info.label, *info.values} <= set(made.columns)
    assert any(row[value] for row in made.rows for value in info.values)
    for drawn in (made, memory.run_report(name, days=3, agent="nobody")):
        assert ET.fromstring(draw(drawn, "svg")).tag.endswith("svg")
        bars(drawn)
    assert "█" in capsys.readouterr().out


def test_what_reports_count(memory: Memory) -> None:
    def made(name: str, **chosen: Any) -> list[dict[str, Any]]:
        return memory.run_report(name, days=14, **chosen).rows

    agents = {row["agent"]: row for row in made("outcome-by-agent")}
    assert agents["builder"]["outcomes"] == 10
    assert (agents["builder"]["successes"], agents["builder"]["failures"]) == (6, 4)
    assert agents["a"] == {**agents["a"], "outcomes": 3, "success_percent": 100.0, "mean_reward": 1.0}
    trend = made("outcome-trend")
    assert len(trend) == 14
    assert sum(row["successes"] for row in trend) == 6 + 6 + 3
    assert sum(row["failures"] for row in made("outcome-trend", agent="builder")) == 4
    days = made("daily-statistics")
    assert sum(row["remembered"] for row in days) == 2 * 10 + 1 + 5
    assert sum(row["observed"] for row in days) == 2 * 10 + 3
    assert sum(row["archived"] for row in days) == sum(row["archived"] for row in made("decay-and-promotion")) > 0
    kinds = {row["kind"]: row for row in made("kind-distribution", tenant="default")}
    assert kinds["fact"]["live"] + kinds["fact"]["archived"] == 2 * 10 + 5
    assert kinds["error_pattern"]["live"] == 1
    issues = {row["issue"]: row for row in made("issue-distribution")}
    assert (issues["lint"]["outcomes"], issues["lint"]["agents"], issues["timeout"]["memories"]) == (8, 2, 1)
    rewards = [row for row in made("reward-trend") if row["outcomes"]]
    assert rewards[1]["seven_days"] == pytest.approx(
        (rewards[0]["mean_reward"] * rewards[0]["outcomes"] + rewards[1]["mean_reward"] * rewards[1]["outcomes"])
        / (rewards[0]["outcomes"] + rewards[1]["outcomes"]), abs=0.002,
    )  # fmt: skip
    grown = made("storage-growth")
    assert grown[-1]["archive_memories"] == 6
    assert grown[0]["archive_memories"] == 1, "that of March"
    assert [row["archive_memories"] for row in grown] == sorted(row["archive_memories"] for row in grown)
    assert made("outcome-by-agent", tenant="rival") == []


def test_reports_have_arguments(memory: Memory) -> None:
    for wrong in ({"days": 0}, {"days": "x"}, {"tenant": 7}):
        with pytest.raises(InvalidField):
            memory.run_report("outcome-trend", **wrong)
    with pytest.raises(InvalidField, match="There is no report 7"):
        memory.run_report(7)  # type: ignore[arg-type]


def test_a_picture_needs_its_library(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    made = memory.run_report("kind-distribution")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"pip install 'engrain\[charts\]'"):
        draw(made, "svg")


def test_stats_count_rows_files_and_months(memory: Memory) -> None:
    found = memory.archive.stats()
    assert found["memories"]["rows"] == sum(one["rows"] for one in found["memories"]["months"]) == 6
    assert found["memories"]["bytes"] == sum(one["bytes"] for one in found["memories"]["months"]) > 0
    assert found["memories"]["agents"] == [
        {"tenant": "default", "agent": "a", "rows": 5}, {"tenant": "rival", "agent": "a", "rows": 1},
    ]  # fmt: skip
    assert found["experiences"]["rows"] == 3
    assert found["store"]["memories"] == 21
