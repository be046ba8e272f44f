"""Nothing that an agent may not see touches what it recalls: not the hits, not the scores, not the last digit."""

from __future__ import annotations

import pytest

import engrain
from engrain.errors import EngrainError
from engrain.testing import SimulatedWorld
from tests.postgres import Place

ASKED = "how do we retry the upload after a timeout?"
OWN = [
    {"content": "Retry the upload once after a timeout", "session": "s", "role": "Ann"},
    {"content": "Then wait for a minute", "session": "s", "role": "Ann"},
    {"content": "The upload page is blue", "kind": "fact"},
]


def answers(agent: engrain.Agent) -> list[tuple[str, float, tuple[tuple[str, float], ...]]]:
    return [(hit.item.content, hit.score, hit.why) for hit in agent.recall(ASKED, limit=50)]


@pytest.mark.parametrize("visibility", ["private", "team", "public"])
def test_foreign_rows_change_no_digit(place: Place, visibility: str) -> None:
    memory = place.open(world=SimulatedWorld())
    reader = memory.agent("reader", team="red")
    reader.remember_many(OWN)
    memory.agent("mate", team="red").remember("Retry twice, says the mate", visibility="team")
    memory.agent("crier").remember("Uploads time out on Mondays", visibility="public")
    before = answers(reader)
    assert len(before) == 5
    tenant = "elsewhere" if visibility == "public" else "default"
    other = memory.agent("reader" if tenant == "elsewhere" else "stranger", tenant=tenant, team="blue")
    rows = [
        {"content": f"retry upload timeout page minute {n} Ann", "session": "s", "role": ("retry", "user")[n % 2]}
        for n in range(1000)
    ]
    other.remember_many([{**row, "visibility": visibility} for row in rows])
    assert answers(reader) == before
    with place.open(world=SimulatedWorld()) as again:  # also when loaded afresh
        assert answers(again.agent("reader", team="red")) == before


def test_each_sees_its_own_its_teams_and_the_tenants(place: Place) -> None:
    memory = place.open()
    for name, team in (("a", "red"), ("b", "red"), ("c", "blue")):
        agent = memory.agent(name, team=team)
        for visibility in ("private", "team", "public"):
            agent.remember(f"{visibility} note of {name} about caching", visibility=visibility)
    seen = {hit.item.content for hit in memory.agent("a").recall("caching note", limit=50)}
    assert seen == {
        *(f"{visibility} note of a about caching" for visibility in ("private", "team", "public")),
        "team note of b about caching",
        "public note of b about caching",
        "public note of c about caching",
    }
    assert memory.agent("a", tenant="other").recall("caching note") == []


@pytest.mark.parametrize("visibility", ["team", "public"])
def test_a_note_made_private_again_disappears_for_others(place: Place, visibility: str) -> None:
    memory = place.open()
    writer, reader = memory.agent("writer", team="red"), memory.agent("reader", team="red")
    item = writer.remember("caching is on", visibility=visibility)
    assert len(reader.recall("caching")) == 1
    writer.update(item.id, visibility="private")
    assert reader.recall("caching", min_score=0.0) == []
    with place.open() as again:  # also when loaded afresh
        assert again.agent("reader", team="red").recall("caching", min_score=0.0) == []
    writer.update(item.id, visibility=visibility)
    assert len(reader.recall("caching")) == 1
    writer.forget(item.id)
    assert reader.recall("caching", min_score=0.0) == []


def test_who_changes_teams_sees_the_new_teams_notes_only(place: Place) -> None:
    memory = place.open()
    memory.agent("red one", team="red").remember("caching in red", visibility="team")
    memory.agent("blue one", team="blue").remember("caching in blue", visibility="team")
    assert [h.item.content for h in memory.agent("mover", team="red").recall("caching")] == ["caching in red"]
    assert [h.item.content for h in memory.agent("mover", team="blue").recall("caching")] == ["caching in blue"]


@pytest.mark.parametrize("text", ["%", "_", "' or 1=1 --", '"a" OR *', '{"a": 1}', "ｓｅｃｒｅｔ", "а", "NEAR(a b)"])
def test_no_wildcard_reaches_across(place: Place, text: str) -> None:
    memory = place.open()
    memory.agent("owner").remember("secret a % _ of the owner", session="%", tags=["%"])
    thief = memory.agent("thief")
    thief.remember("mine")
    for filters in ({}, {"session": text}, {"tags": [text]}):
        try:
            hits = thief.recall(text, min_score=0.0, **filters)
        except EngrainError:
            continue
        assert all(hit.item.agent == "thief" for hit in hits)
