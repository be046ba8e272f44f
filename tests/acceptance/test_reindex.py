"""Another embedder for a home that others are using: nothing is lost, nothing is mixed, and a killed run goes on."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engrain.errors import EmbedderError
from engrain.memory import Memory
from engrain.recall.embed import Floats, HashEmbedder, StaticEmbedder, packaged
from engrain.reindex import BATCH
from engrain.shells.cli import main
from tests.children import hear, kill, said, spawn
from tests.postgres import Place

NAMES = ("ann", "ben", "eve")
WORDS = ("heron", "river", "bridge", "lantern", "harvest", "violin", "copper", "glacier", "pepper", "anchor", "saddle")

# In a process of its own: an embedder under another name that is slow and counts, and the home opened with it.
SLOW = """
import engrain
from engrain.recall.embed import packaged
class Slow:
    name, dim, texts = "slow", 256, 0
    def embed(self, texts):
        Slow.texts += len(texts)
        time.sleep(0.0005 * len(texts))
        return packaged().embed(texts)
memory = engrain.open(**given["open"], embedder=Slow())
"""


class Counting:
    """An embedder of any name that counts the texts it was given; what is broken about it is said by ``fault``."""

    def __init__(self, name: str, dim: int = 256) -> None:
        self.name, self.dim, self.texts, self.fault = name, dim, 0, ""

    def embed(self, texts: list[str], /) -> Floats:
        self.texts += len(texts)
        out: Floats = packaged().embed(texts) if self.dim == 256 else HashEmbedder().embed(texts)
        if self.fault == "network" and self.texts > 300:
            raise ConnectionError("no route to host")
        if self.fault == "nan":
            out[0, 0] = np.nan
        return out[:, 1:] if self.fault == "dim" else out


def sentence(number: int) -> str:
    return f"note {number}: the {WORDS[number % 11]} stands by the {WORDS[number // 11 % 11]} of day {number}"


def filled(place: Place, count: int, **settings: Any) -> list[str]:
    """A home of three agents, one of whom shares with everyone; the ids."""
    with place.open(**settings) as memory:
        ids = []
        for which, name in enumerate(NAMES):
            rows = [{"content": sentence(n), "session": f"s{n % 9}"} for n in range(which, count, 3)]
            shared = [{**row, "visibility": "public"} for row in rows] if name == "eve" else rows
            ids += [item.id for item in memory.agent(name).remember_many(shared)]
    return ids


def stamps(memory: Memory) -> dict[str, int]:
    """How many passages there are of each embedder."""
    return {row["embedder"]: row["n"] for row in memory.store.read("stat_passages")}


def contents(memory: Memory) -> Counter[str]:
    return Counter(item.content for name in NAMES for item in memory.agent(name).list(limit=10_000))


def check_all_is_found(memory: Memory, embedder: str) -> None:
    """Every item has vectors of this embedder alone, and those of a sample are the first hits for their own words."""
    assert set(stamps(memory)) == {embedder}
    assert memory.doctor().ok
    for name in NAMES:
        agent = memory.agent(name)
        for item in agent.list(limit=10_000)[::40]:
            hits = agent.recall(item.content, limit=3)
            assert hits[0].item.content == item.content
            assert {"words", "meaning"} <= dict(hits[0].why).keys()


def test_a_killed_run_goes_on_where_it_stopped(place: Place) -> None:
    filled(place, 1500)
    with place.open() as memory:
        before = contents(memory)
    run = SLOW + "memory.rebuild(progress=say)"
    killed = spawn(run, {"open": place.arguments})
    assert hear(killed) == 0
    while hear(killed) < 2 * BATCH:
        pass
    kill(killed)
    with place.open() as memory:
        found = stamps(memory)
        done = found["slow"]
        assert 2 * BATCH <= done < 1500
        assert sum(found.values()) == 1500
        assert contents(memory) == before
        failed = {one.name for one in memory.doctor().checks if not one.ok}
        assert failed == {"embedder"}
    first, *_, last, counts, texts = said(
        spawn(run.replace("memory.rebuild", "counts = memory.rebuild") + "; say(counts); say(Slow.texts)",
              {"open": place.arguments})
    )  # fmt: skip
    assert (first, last) == (done, 1500), "progress goes on where it stopped"
    assert (counts["memories"], counts["left"], texts) == (1500 - done, 0, 1500 - done)
    with place.open(embedder=Counting("slow")) as memory:
        assert contents(memory) == before
        check_all_is_found(memory, "slow")


OTHER = """
import engrain
memory = engrain.open(**given["open"], embedder="hash", echo_minutes=0)
agent = memory.agent("ann")
told, missed, gone, n = {}, 0, [], 0
say("ready")
def words(number):
    numbers = [(number * 3 + k) * 2654435761 % 2**32 for k in range(3)]
    return " ".join("".join(chr(97 + (one >> shift) % 23) for shift in range(0, 30, 5)) for one in numbers)
mine = [item.id for item in agent.list(limit=10_000)]
while not os.path.exists(given["stop"]):
    text = f"told meanwhile: {words(2 * n)}"
    told[agent.remember(text).id] = text
    told[mine[n]] = agent.update(mine[n], content=f"changed meanwhile: {words(2 * n + 1)}").content
    gone.append(mine[-1 - n])
    agent.forget(mine[-1 - n])
    n += 1
    id_, text = list(told.items())[(n * 7) % len(told)]
    missed += id_ not in [hit.item.id for hit in agent.recall(text, limit=3)]
    time.sleep(0.01)
say([told, gone, missed, n])
"""


@pytest.mark.slow
def test_others_write_and_recall_meanwhile_and_nothing_is_lost(place: Place, tmp_path: Path) -> None:
    filled(place, 1200)
    stop = tmp_path / "stop"
    with place.open() as memory:
        before = {item.id: item.content for name in NAMES for item in memory.agent(name).list(limit=10_000)}
    other = spawn(OTHER, {"open": place.arguments, "stop": str(stop)})
    assert hear(other) == "ready"
    (counts,) = said(spawn(SLOW + "say(memory.rebuild())", {"open": place.arguments}))
    assert counts["memories"] >= 1000
    stop.touch()
    ((told, gone, missed, rounds),) = said(other)
    assert missed == 0, "what an old process wrote it also found"
    assert rounds > 5
    expected = {id_: text for id_, text in (before | told).items() if id_ not in gone}
    embedder = Counting("slow")
    with place.open(embedder=embedder) as memory:
        late = stamps(memory).get(HashEmbedder.name, 0)
        assert late <= 2 * rounds
        assert memory.rebuild()["memories"] == (late or len(expected))
        assert embedder.texts == (late or len(expected)), "the rest is not made again"
        assert {i.id: i.content for name in NAMES for i in memory.agent(name).list(limit=10_000)} == expected
        check_all_is_found(memory, "slow")


def test_two_runs_at_once_do_no_harm(place: Place) -> None:
    filled(place, 900)
    with place.open() as memory:
        before = contents(memory)
    runs = [spawn(SLOW + "say(memory.rebuild())", {"open": place.arguments}) for _ in range(2)]
    counts = [said(one)[0] for one in runs]
    assert sum(one["memories"] for one in counts) >= 900
    assert [one["left"] for one in counts] == [0, 0]
    with place.open(embedder=Counting("slow")) as memory:
        assert contents(memory) == before
        check_all_is_found(memory, "slow")


@pytest.mark.parametrize(
    ("fault", "message", "done"),
    [("dim", r"\(256, 255\)", 0), ("nan", "NaN", 0), ("network", "ConnectionError: no route", BATCH)],
)
def test_an_embedder_that_fails_leaves_the_rest_as_it_was(place: Place, fault: str, message: str, done: int) -> None:
    filled(place, 600)
    embedder = Counting("new")
    with place.open(embedder=embedder) as memory:
        before = contents(memory)
        embedder.fault = fault
        with pytest.raises(EmbedderError, match=f"(?s){message}.*{done} were done before"):
            memory.rebuild()
        assert stamps(memory) == {HashEmbedder.name: 600 - done, **({"new": done} if done else {})}
        assert contents(memory) == before
        assert memory.store.read("home_get", {"name": "embedder"})[0]["value"] == HashEmbedder.name
        embedder.fault = ""
        learned = {"left": 0, "tenants": 0, "patterns": 0}
        assert memory.rebuild() == {"memories": 600 - done, **learned}, "nothing was ever learned here"
        check_all_is_found(memory, "new")


def test_there_and_back_again(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    filled(place, 300, embedder="static")
    for setting, name in (("hash", HashEmbedder.name), ("static", StaticEmbedder.name)):
        with place.open(embedder=setting) as memory, caplog.at_level(logging.WARNING):
            caplog.clear()
            hit = memory.agent("ann").recall(sentence(0))[0]
            assert hit.item.content == sentence(0)
            assert "meaning" not in dict(hit.why), "found by its words, until it has a vector that can be compared"
            assert f"{name} is in use" in caplog.text
            assert "engrain rebuild" in caplog.text
            assert memory.rebuild()["memories"] == 300
            check_all_is_found(memory, name)
        with place.open(embedder=setting) as memory, caplog.at_level(logging.WARNING):
            caplog.clear()
            memory.agent("ann").recall(sentence(0))
            assert caplog.text == ""


def test_another_dimension_under_the_same_name_is_noticed(place: Place) -> None:
    filled(place, 60, embedder=Counting("same", 512))
    with place.open(embedder=Counting("same", 256)) as memory:
        told = {one.name: one for one in memory.doctor().checks}["embedder"]
        assert not told.ok
        assert "256 of same" in told.detail
        assert memory.rebuild()["memories"] == 60
        check_all_is_found(memory, "same")


def test_where_nothing_is_stale_everything_is_made_anew(place: Place) -> None:
    filled(place, 30)
    embedder = Counting("new")
    with place.open(embedder=embedder) as memory:
        assert [memory.rebuild()["memories"] for _ in range(2)] == [30, 30]
        assert embedder.texts == 60


def test_the_command_line_changes_the_embedder_of_a_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(Place(tmp_path / "home"), 30)
    monkeypatch.setenv("ENGRAIN_HOME", str(tmp_path / "home"))
    assert main(["doctor"]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert f"30 passages have vectors of {HashEmbedder.name}, while {StaticEmbedder.name} is in use" in told
    assert main(["rebuild", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["memories"] == 30
    assert main(["doctor"]) == 0
