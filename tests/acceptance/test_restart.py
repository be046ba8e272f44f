"""What one process writes, another reads, through the same public surface: every write path, read on its read path.

The systems before this one failed at exactly this, in seven ways (their names are those of the tests below): they wrote
to one place and read from another.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain import Outcome
from engrain.testing import SimulatedWorld
from tests import children
from tests.postgres import Place

WRITE = """
import engrain
from datetime import datetime, timedelta, UTC
from engrain import Outcome
memory = engrain.open(**given, embedder="hash", echo_minutes=0)
agent = memory.agent("writer", tenant="acme", team="red")
"""


def written(place: Place, code: str, *, killed: bool = False) -> Any:
    """What a process said that wrote something, and then ended or was killed."""
    code = textwrap.dedent(code)
    if not killed:
        return children.run(WRITE + code + "\nmemory.close()", place.arguments)[-1]
    process = children.spawn(WRITE + code + "\ntime.sleep(60)", place.arguments)
    heard = children.hear(process)
    children.kill(process)
    return heard


def test_everything_that_was_told_is_there_after_the_writer_was_killed(place: Place) -> None:
    """One process, one of each verb, SIGKILL: every acknowledged write is on its own read path."""
    code = """
    a = agent.remember("the upload is retried once on 503", kind="fact", key="retry", importance=7.5, tags=["net"],
                       metadata={"n": [1, None, "ü"]}, session="s1", role="user", expires_in="30d", decay_rate=0.5,
                       occurred_at=datetime(2025, 1, 2, tzinfo=UTC), visibility="team", pinned=True, source="a file")
    b = agent.remember("the upload is retried twice on 503", kind="fact", key="retry")
    many = agent.remember_many([{"content": f"row {i} of a batch"} for i in range(3)])
    updated = agent.update(many[0].id, content="row 0 was changed", importance=9.0, tags=["x"])
    agent.forget(many[2].id)
    agent.kv("space").set("key", {"deep": [1, 2]})
    agent.kv("space").set("gone", 1)
    agent.kv("space").delete("gone")
    agent.kv().set("short", 1, ttl="1h")
    advice = agent.advise("task", state={"size": 3}, options=["a", "b"], episode="e1")
    seen = agent.observe(advice, Outcome(success=True, evidence="executed", seconds=1.5, quality=0.5))
    step = agent.observe_step("task", {"size": 4}, "a", Outcome(success=False, evidence="verified", error="boom"))
    say({"a": a.id, "b": b.id, "many": [item.id for item in many], "decision": advice.decision_id,
         "action": advice.action, "propensity": advice.propensity, "seen": seen.id, "step": step.id})
    """
    told = written(place, code, killed=True)
    with place.open() as memory:
        agent = memory.agent("writer", tenant="acme")
        assert agent.scope.team == "red"
        current = agent.lookup("fact", "retry")
        assert current is not None
        assert current.id == told["b"]
        assert [item.id for item in agent.history("fact", "retry")] == [told["b"], told["a"]]
        old = agent.get(told["a"])
        assert old is not None
        assert (old.importance, old.tags, old.metadata) == (7.5, ("net",), {"n": [1, None, "ü"]})
        assert (old.session, old.role, old.source) == ("s1", "user", "a file")
        assert (old.visibility, old.pinned) == ("team", True)
        assert old.occurred_at is not None
        assert (old.occurred_at.isoformat(), old.decay_rate) == ("2025-01-02T00:00:00+00:00", 0.5)
        assert old.expires_at is not None
        assert old.expires_at - old.created_at == timedelta(days=30)
        changed = agent.get(told["many"][0])
        assert changed is not None
        assert (changed.content, changed.importance, changed.tags) == ("row 0 was changed", 9.0, ("x",))
        assert agent.get(told["many"][2]) is None
        assert {item.id for item in agent.list()} == {told["b"], *told["many"][:2]}
        assert agent.count() == 3
        assert agent.recall("retried twice", limit=1)[0].item.id == told["b"]
        assert agent.kv("space").search() == {"key": {"deep": [1, 2]}}
        assert agent.kv().get("short") == 1
        by_id = {one.id: one for one in agent.experiences("task")}
        assert set(by_id) == {told["seen"], told["step"]}
        seen = by_id[told["seen"]]
        assert (seen.action, seen.propensity, seen.decision_id, seen.episode) == (
            told["action"], told["propensity"], told["decision"], "e1")  # fmt: skip
        assert (seen.outcome.seconds, seen.outcome.quality, seen.state) == (1.5, 0.5, {"size": 3})
        assert by_id[told["step"]].outcome.error == "boom"
        revised = agent.observe(told["decision"], Outcome(success=True, evidence="verified", feedback=1.0))
        assert (revised.id, revised.revision) == (told["seen"], 1)
        assert memory.doctor().ok


def test_case_1_what_is_learned_under_a_key_is_read_under_the_same_key(place: Place) -> None:
    code = """
    for i in range(20):
        agent.observe_step("pick", {"size": 3, "lang": "py"}, "good" if i % 2 else "bad",
                           Outcome(success=bool(i % 2), evidence="verified"))
    q = {f"{v.state} {v.action}": [v.visits, v.mean, v.spread] for v in agent.q_values("pick")}
    say([q, agent.advise("pick", {"lang": "py", "size": 3.0}, ["good", "bad"]).distribution])
    """
    values, distribution = written(place, code)
    with place.open() as memory:
        agent = memory.agent("writer", tenant="acme")
        found = {f"{v.state} {v.action}": [v.visits, v.mean, v.spread] for v in agent.q_values("pick")}
        assert found == values
        advice = agent.advise("pick", {"size": 3, "lang": "py"}, ["good", "bad"])
        assert dict(advice.distribution) == pytest.approx(distribution)
        assert advice.distribution["good"] > 0.8


def test_case_2_the_shell_reads_the_very_store_that_python_wrote(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with engrain.open(home) as memory:
        item = memory.agent("writer").remember("the shell can read this", kind="fact", key="k")
    shell = [sys.executable, "-c", "from engrain.shells.cli import main; main()"]
    options = ["--home", str(home), "--agent", "writer", "--json"]
    got = subprocess.run([*shell, "get", item.id, *options], capture_output=True, text=True, check=True)
    assert "the shell can read this" in json.dumps(json.loads(got.stdout))
    subprocess.run([*shell, "remember", "python can read this", *options], capture_output=True, text=True, check=True)
    with engrain.open(home) as memory:
        assert memory.agent("writer").recall("python can read", limit=1)[0].item.content == "python can read this"
    assert [path.name for path in tmp_path.iterdir()] == ["home"], "one store, in one place"


def test_case_3_a_value_set_in_a_namespace_is_found_in_it_by_every_verb(place: Place) -> None:
    written(place, """
    for space in ("one", "two", "default"):
        agent.kv(space).set("key", space)
    agent.kv("one").delete("key")
    agent.kv("one").set("other", 1)
    say(1)
    """)  # fmt: skip
    with place.open() as memory:
        one, two = (memory.agent("writer", tenant="acme").kv(space) for space in ("one", "two"))
        assert (one.get("key"), one.has("key"), one.search(), one.delete("key")) == (None, False, {"other": 1}, False)
        assert (two.get("key"), two.has("key"), two.search("k"), two.delete("key")) == (
            "two",
            True,
            {"key": "two"},
            True,
        )
        assert memory.agent("writer", tenant="acme").kv().get("key") == "default"


def test_case_4_a_pattern_that_was_stored_is_found_by_every_way_of_looking(place: Place) -> None:
    id_ = written(place, """
    text = "boundary values expose off-by-one faults"
    say(agent.remember(text, kind="success_pattern", key="boundary", tags=["qe"]).id)
    """)  # fmt: skip
    with place.open() as memory:
        agent = memory.agent("writer", tenant="acme")
        found = [
            agent.get(id_), agent.lookup("success_pattern", "boundary"), *agent.history("success_pattern", "boundary"),
            *agent.list(kind="success_pattern"), *(hit.item for hit in agent.recall("off-by-one faults")),
            *(hit.item for hit in agent.recall("boundary", kinds=["success_pattern"], tags=["qe"])),
        ]  # fmt: skip
        assert [item.id if item else None for item in found] == [id_] * 6
        assert agent.count("success_pattern") == 1
        assert "boundary values" in agent.context("off-by-one")


def test_case_5_what_changes_later_is_read_as_changed(place: Place) -> None:
    id_, decision = written(place, """
    item = agent.remember("a weight that will be changed", importance=2.0)
    agent.update(item.id, importance=8.0)
    agent.helpful(item.id)
    advice = agent.advise("t", options=["a"])
    agent.observe(advice, Outcome(success=None))
    agent.observe(advice, Outcome(success=True, evidence="verified", reward=1.5))
    say([item.id, advice.decision_id])
    """)  # fmt: skip
    with place.open() as memory:
        agent = memory.agent("writer", tenant="acme")
        item = agent.get(id_)
        assert item is not None
        assert (item.importance, item.helpful) == (8.0, 1)
        (experience,) = agent.experiences("t")
        assert (experience.decision_id, experience.reward, experience.revision) == (decision, 1.5, 1)
        assert {value.mean for value in agent.q_values("t")} == {1.5}


def test_case_6_every_use_leaves_its_trace_whatever_way_it_came(place: Place) -> None:
    id_, decisions = written(place, """
    item = agent.remember("every use of this is counted")
    agent.recall("use counted"); agent.context("use counted"); agent.get(item.id); agent.applied(item.id)
    memory.agent("writer", tenant="acme").recall("use counted")
    decided = [agent.advise("t", options=["a", "b"]) for _ in range(3)] + [agent.advise("u")]
    say([item.id, [advice.decision_id for advice in decided]])
    """)  # fmt: skip
    with place.open() as memory:
        agent = memory.agent("writer", tenant="acme")
        item = agent.get(id_)
        assert item is not None
        assert (item.shown, item.read, item.applied) == (3, 1, 1)
        for decision in decisions:
            rows = memory.store.read("decision_find", {"tenant": "acme", "agent": "writer", "id": decision})
            assert len(rows) == 1
        totals = memory.stats()["decisions"]
        assert (totals["total"], totals["explored"], totals["abstained"]) == (4, 3, 1)


def test_case_7_what_is_stored_is_what_is_searched(place: Place) -> None:
    """Each way of writing a text, then the same search, in this process and in another."""
    ids = written(place, """
    texts = ["alpha heron", "beta heron", "gamma heron", "delta heron"]
    one = agent.remember(texts[0])
    two, = agent.remember_many([{"content": texts[1]}])
    agent.remember("something else", kind="fact", key="k")
    three = agent.remember(texts[2], kind="fact", key="k")
    four = agent.remember("not yet")
    agent.update(four.id, content=texts[3])
    ids = sorted(item.id for item in (one, two, three, four))
    assert sorted(hit.item.id for hit in agent.recall("heron")) == ids
    say(ids)
    """)  # fmt: skip
    with place.open() as memory:
        agent = memory.agent("writer", tenant="acme")
        assert sorted(hit.item.id for hit in agent.recall("heron")) == ids
        assert not any(hit.item.content == "something else" for hit in agent.recall("something else"))
        memory.rebuild()
        assert sorted(hit.item.id for hit in agent.recall("heron")) == ids


def test_a_running_process_sees_what_another_writes_and_forgets(place: Place) -> None:
    memory = place.open()
    agent = memory.agent("writer", tenant="acme")
    assert agent.recall("heron") == []
    id_ = written(place, """say(agent.remember("a grey heron").id)""")
    assert [hit.item.id for hit in agent.recall("heron")] == [id_]
    written(place, f"""agent.update({id_!r}, content="a grey goose"); say(1)""")
    assert [hit.item.content for hit in agent.recall("goose")] == ["a grey goose"]
    written(place, f"""agent.forget({id_!r}); say(1)""")
    assert agent.recall("goose") == []
    before = agent.advise("t", options=["a", "b"]).distribution["a"]
    written(place, """
    for i in range(10):
        agent.observe_step("t", {}, "a", Outcome(success=False, evidence="verified"))
        agent.observe_step("t", {}, "b", Outcome(success=True, evidence="verified"))
    say(1)
    """)  # fmt: skip
    assert agent.advise("t", options=["a", "b"]).distribution["a"] < before


def test_a_simulated_world_never_repeats_an_id_and_replays_by_seed(tmp_path: Path) -> None:
    def life(home: Path) -> list[str]:
        world, ids = SimulatedWorld("2026-01-01T00:00:00Z", seed=3), []
        for turn in range(3):
            with engrain.open(home, world=world, embedder="hash") as memory:
                agent = memory.agent("a")
                ids += [agent.remember(f"turn {turn} thing {i}").id for i in range(3)]
                advice = agent.advise("t", options=["a", "b", "c"])
                ids += [advice.decision_id, str(advice.action)]
                agent.observe(advice, Outcome(success=True, evidence="executed"))
            world.advance(hours=turn)
        with engrain.open(home, world=SimulatedWorld("2026-01-01T00:00:00Z", seed=3), embedder="hash") as memory:
            ids.append(memory.agent("a").remember("the same seed and time again").id)
        return ids

    first, second = life(tmp_path / "one"), life(tmp_path / "two")
    assert first == second
    given = [id_ for id_ in first if len(id_) == 26]
    assert len(set(given)) == len(given) == 13
