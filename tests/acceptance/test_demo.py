"""The demo as a visitor runs it, small: real faults, a real kill, a store and a picture left behind."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import engrain
from engrain.errors import ConfigError
from engrain.qe import bughunt
from engrain.qe.bughunt import agent, corpus, mutate
from engrain.qe.bughunt.sandbox import Worker


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform == "win32", reason="the demo kills processes as POSIX can")
def test_a_small_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    assert bughunt.main(home, seed=3, tasks=60, json=True) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["tasks"] == 60
    assert facts["kill"] == {**facts["kill"], "acknowledged": 60, "missing": 0, "doubled": 0}
    assert 25 <= facts["kill"]["after"] < 60
    assert facts["differing"] <= 1  # a hang is told by processor time: one may lie on the border
    rates = facts["whole_run"]
    assert 0 < rates["random choice"] <= rates["oracle (all strategies)"] <= 1
    assert all(check["ok"] for check in facts["canary"])
    assert len(facts["recalls"]) == 3
    assert all(-2 <= row["low"] <= row["value"] <= row["high"] <= 2 for row in facts["advice"])
    drawing = ET.parse(home / "demo.svg").getroot()
    assert drawing.tag.endswith("svg")
    with engrain.open(home) as memory:
        hunter = memory.agent(agent.NAME)
        assert sum(hunter.count(kind=kind) for kind in agent.KINDS) == 60
        assert len(hunter.experiences(agent.TASK_TYPE, limit=1000)) == 60


@pytest.mark.skipif(sys.platform == "win32", reason="the sandbox limits processes as POSIX can")
def test_a_task_left_on_the_desk_is_finished_under_its_own_decision(tmp_path: Path) -> None:
    """Killed at the two worst moments: after the plan was made, and between observing and remembering."""
    node = corpus.definitions("calendar")["isleap"]
    fault = next(each for each in mutate.faults(node) if each.operator == "return_value")
    task = {
        "id": 7, "module": "calendar", "name": "isleap", "label": "calendar.isleap", "parameters": [["year", "int"]],
        "state": {"function": "calendar.isleap", "takes": "int"}, "words": "calendar.isleap(year: int) leap years",
        "fault": [fault.node, fault.operator, fault.edit, fault.line], "seed": "1", "budget": 20,
    }  # fmt: skip
    with Worker() as worker:
        with engrain.open(tmp_path) as memory:
            hunter = agent.Hunter(memory.agent(agent.NAME), worker)
            plan = hunter.plan(task)
            hunter.desk.set("plan", {name: getattr(plan, name) for name in agent.Plan.__slots__})
            hunter.agent.observe(plan.decision, engrain.Outcome(success=True, evidence="executed"))
        with engrain.open(tmp_path) as memory:
            hunter = agent.Hunter(memory.agent(agent.NAME), worker)
            assert hunter.done() == set()
            told = hunter.hunt(task)
            assert told["resumed"] is True
            assert (told["decision"], told["strategy"]) == (plan.decision, plan.strategy)
            assert hunter.done() == {7}
            assert [each.decision_id for each in hunter.agent.experiences(agent.TASK_TYPE)] == [plan.decision]
        with engrain.open(tmp_path) as memory:  # killed after the last write, before the line that acknowledges it
            again = agent.Hunter(memory.agent(agent.NAME), worker).settled({7})
            assert again == {**told, "resumed": True}


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me", encoding="utf-8")
    with pytest.raises(ConfigError, match="not empty"):
        bughunt.main(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]
