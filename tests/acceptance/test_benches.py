"""The benchmarks run as a reader runs them: small, on data made here, with nothing to install."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import rivals
from bench.peers import data, report
from tests.docs.pages import ROOT


def run(*arguments: str, **environment: str) -> str:
    """What ``python -m`` printed."""
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def locomo() -> list[dict[str, Any]]:
    """Two conversations in the shape of the public set; each question repeats the words of its evidence."""
    said = ["I adopted a beagle called Rufus", "My sister teaches chemistry in Porto", "We painted the kitchen green"]
    samples = []
    for name, mine in (("one", said), ("two", said[::-1])):
        turns = [[{"speaker": "Ann", "dia_id": f"D{n}:1", "text": text}] for n, text in enumerate(mine, 1)]
        times = {f"session_{n}_date_time": f"1:0{n} pm on {n} May, 2023" for n in range(1, 4)}
        talk = times | {f"session_{n}": turn for n, turn in enumerate(turns, 1)}
        asked = [
            {"question": text, "evidence": [f"D{n}:01"], "category": 4 if n < 3 else 1}
            for n, text in enumerate(mine, 1)
        ]
        unanswered = {"question": "Who?", "evidence": [], "category": 5}
        samples.append({"sample_id": name, "conversation": talk, "qa": [*asked, unanswered]})
    return samples


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """A folder of data with two of the three sets."""
    facts = {
        "metadata": {"source": "factconsolidation_sh_6k"},
        "context": "1. The capital of Aland is Oak.\n2. The capital of Beland is Elm.\n3. The capital of Aland is Ash.",
        "questions": ["What is the capital of Aland?", "What is the capital of Beland?"],
        "answers": [["Ash"], ["Birch"]],
    }
    for path, content in (("locomo/dev.json", locomo()), ("factconsolidation/dev.json", [facts])):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def test_recall_is_measured_by_question_conversation_and_fold(sets: Path) -> None:
    rows = sets / "rows.jsonl"
    said = run("bench.recall", "--folds", "2", "--by-category", "--questions", str(rows), ENGRAIN_DATA=str(sets))
    assert "LoCoMo turn recall@10\n  all                100.0\n    n=6; worst conversation one 100.0" in said
    assert "folds 100.0 100.0, deviation 0.0" in said
    assert re.search(r"multi-hop +100\.0  n=2", said)
    assert "FactConsolidation single hop, top 1\n  all                 50.0" in said
    assert "BEAM" not in said
    found = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
    assert len(found) == 6 * 2 + 2  # turns and sessions, then facts; a question without evidence is left out
    turn = found[0]
    assert (turn["measure"], turn["conversation"], turn["number"]) == ("LoCoMo turn recall@10", "one", 0)
    assert (turn["value"], turn["first"], turn["gold"], turn["found"][0]) == (1.0, 1, ["D1:1"], "D1:1")
    right, wrong = found[-2:]
    assert (right["value"], right["first"], right["found"]) == (1.0, 1, ["The capital of Aland is Ash."])
    assert (wrong["value"], wrong["first"], wrong["gold"]) == (0.0, None, ["birch"])


@pytest.mark.parametrize("script", ["adapt", "forgetting", "growth", "recall"])
def test_a_benchmark_started_by_its_path_helps_without_any_data(tmp_path: Path, script: str) -> None:
    environ = os.environ | {"ENGRAIN_DATA": str(tmp_path), "ENGRAIN_SHARED": str(tmp_path), "PYTHONSAFEPATH": "1"}
    path = str(ROOT / "bench" / f"{script}.py")
    asked = subprocess.run(
        [sys.executable, path, "--help"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, asked.stderr
    assert "usage" in asked.stdout
    done = subprocess.run(
        [sys.executable, path], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert str(tmp_path) in done.stderr, "what is missing is named"
    assert "Traceback" not in done.stderr


def test_forgetting_is_compared_on_a_year_and_on_conversations(sets: Path) -> None:
    said = run("bench.forgetting", "--seeds", "1", "--agents", "1", ENGRAIN_DATA=str(sets))
    rows = {
        (part, cells[0]): [float(cell) for cell in cells[1:]]
        for part, text in enumerate(said.split("### ")[1:])
        for line in text.splitlines()
        if (cells := [cell.strip() for cell in line.strip("|").split("|")]) and re.fullmatch(r"[\d.]+", cells[-1])
    }
    for name in ("random", "last used", "importance", "utility", "stability"):
        quarter, half, most = rows[0, name]
        assert 0 < quarter < half < most < 100
        assert len(rows[1, name]) == 4
        assert rows[3, name][-1] == 100.0, "before anything is forgotten every question is answered"
        assert rows[3, name][0] <= rows[3, name][2] < 100.0
    assert rows[0, "utility"][1] > rows[0, "random"][1] + 10
    assert all(0 < rows[2, name][0] < 100 for name in ("importance", "utility", "stability"))


def test_what_every_system_is_given_is_what_it_says(tmp_path: Path) -> None:
    small = data.make(300)
    small.save(tmp_path)
    again = data.load(tmp_path)
    assert again.texts == small.texts == data.make(300).texts
    assert np.array_equal(again.vectors, small.vectors)
    assert len(small.texts) == 300 + data.SPARE
    assert {40 <= len(text.split()) <= 120 for text in small.texts} == {True}
    assert np.allclose(np.linalg.norm(small.vectors, axis=1), 1, atol=1e-5)
    for question in range(data.QUESTIONS):
        source = int(small.sources[question])
        assert set(small.asked[question].split()) <= set(small.texts[source].split())
        assert small.record(source)["agent"] == small.agent_of(question)
        assert small.record(source)["id"] in small.nearest(question, 300, 10)
        assert small.nearest(question, 0, 10) == set()


def test_a_system_that_cannot_be_installed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    absent = rivals.System("absent", "absent_peer:Absent", "never there", ("no-such-distribution==1.0",))
    with pytest.raises(rivals.Unavailable, match="cannot be installed: ERROR: No matching distribution"):
        rivals.install(absent, tmp_path)
    assert "not measured: absent: no wheel" in report.notes([], {}, {"absent": "no wheel"})


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_comparison_runs_with_engrain_alone(tmp_path: Path) -> None:
    file = tmp_path / "runs.json"
    said = run(
        "bench.rivals", "--sizes", "300", "--only", "engrain", "--cache", str(tmp_path / "c"), "--json", str(file)
    )
    (found,) = json.loads(file.read_text(encoding="utf-8"))["runs"]
    assert found["stored"] == found["n"] == 300
    assert found["both"]["found"] >= 0.99  # the memory that a question is about is among the ten
    assert 0 < found["get"]["p50"] < found["write"]["p50"]
    assert found["vector"] is None
    assert "### 300 memories, 100 agents" in said
    assert re.search(r"\| words and vectors, one agent, p50 / p99 \| [\d,]+ [µm]s / [\d,]+ [µm]s \|", said)


def test_the_ratios_are_those_of_the_figures() -> None:
    def figures(title: str, write: float, both: float | None, *, durable: bool) -> dict[str, Any]:
        spread = None if both is None else {"p50": both, "p99": both, "n": 200, "found": 1.0}
        return {
            "system": title,
            "write": {"p50": write, "p99": write},
            "fdatasync": 100.0,
            "both": spread,
            "durable": durable,
        }

    by = {
        "engrain": figures("engrain", 250.0, 1000.0, durable=True),
        "quick": figures("quick", 10.0, 5000.0, durable=False),
        "slow": figures("slow", 4000.0, None, durable=True),
        "near": figures("near", 1000.0, None, durable=True),
    }
    told = report.ratios(by)
    assert told == [
        "- engrain: one recall() takes 1,000 µs; words with vectors take 5.0 times as long in quick.",
        "- engrain: one durable write costs 2.5 fdatasyncs; the nearest durable rival, near, 10.0: 4.0 times as much "
        "(4.0 times as long).",
    ]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_archive_is_measured() -> None:
    said = run("bench.archive", "--rows", "2000", "--cold", "4000", "--rounds", "1")
    assert "### 2,000 memories moved" in said
    assert re.search(r"\| end to end \| [\d,]+ \| [\d.]+ s \| \d+ % \|", said)
    assert "### 4,000 archived memories asked" in said
    assert re.search(r"\| one agent's rows \| \d+ ms \| \d+ ms \| 1,000 \|", said)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_daemons_are_measured() -> None:
    said = run("bench.daemon", "--seconds", "2", "--days", "0.25", "--daemons", "2", "--folder")
    assert re.search(r"\| a folder \| [\d.]+ % \| \d+ MiB \| [\d.]+ s \| [\d.]+ s \|", said)
    assert "24 intervals of roles, 0 of them" in said
