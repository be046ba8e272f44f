"""Attempts to cross the borders of tenant, agent and visibility, through every verb and filter. Nothing leaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from engrain import Agent, Outcome
from engrain.errors import InvalidInput, NotFound
from engrain.memory import Memory
from engrain.testing import SimulatedWorld
from tests.postgres import ENGINES, Place

SECRET = "the launch code of the rocket is seven blue owls"
# The owner is agent "ann" of tenant "acme"; these look like her, contain her, or try to mean her.
STRANGERS = [
    ("acme", "bob"), ("acme", "Ann"), ("acme", "ann "), ("acme", " ann"), ("acme", "аnn"), ("acme", "ann\u200b"),
    ("acme", "ａｎｎ"), ("acme", "ann\u0301"), ("acme", "an_"), ("acme", "a%"), ("acme", "%"), ("acme", "_nn"),
    ("acme", "ann' or '1'='1"), ("acme", "ann'--"), ("acme", 'ann" or 1=1'), ("acme", "shared"), ("acme", "agent:ann"),
    ("acme", "null"), ("acme", "(ann)"), ("acme", ":agent"), ("acme", "%(agent)s"), ("acme", "?"), ("acme", "\\"),
    ("Acme", "ann"), ("acme ", "ann"), ("аcme", "ann"), ("%", "ann"), ("a%", "ann"), ("____", "ann"),
    ("acme' or '1'='1", "ann"), ("acme'; select set_config('engrain.tenant', '*', false); --", "ann"), ("**", "ann"),
    ("* ", "ann"), ("default", "ann"), ("acme\u200d", "ann"), ("acme,*", "ann"), ("{acme}", "ann"), ("a" * 128, "ann"),
]  # fmt: skip
QUERIES = [
    SECRET, "launch code", "*", "%", "_", "launch*", "lau%", '"launch code"', "launch OR code", "launch AND NOT x",
    "NEAR(launch code)", "content:launch", "agent:ann launch", "tenant:acme", "' or 1=1 --", '{"$ne": null}',
    '{"tenant": "acme"}', "launch\u200bcode", "LAUNCH CODE", "seven blue owls '); drop table memories; --", "^launch",
    "-launch", "(launch", "launch)", "%(tenant)s", ":tenant", "?", "\\", "l\u0430unch code",
]  # fmt: skip


@pytest.fixture(params=ENGINES, scope="module")
def memory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    home = tmp_path_factory.mktemp("crossing")
    url = None
    if request.param == "server":
        server = request.getfixturevalue("server")
        url = server.url(server.fresh(server.migrated()))
    place = Place(home, url)
    yield place.open(synchronous="NORMAL", echo_minutes=0, world=SimulatedWorld())
    place.close()


@pytest.fixture(scope="module")
def owner(memory: Memory) -> Agent:
    agent = memory.agent("ann", tenant="acme")
    agent.remember(SECRET, kind="fact", key="code", tags=["rocket"], session="s1", metadata={"who": "ann"}, source="f")
    agent.remember(SECRET + " and one more", kind="fact", key="code", tags=["rocket"], session="s1")
    agent.kv("vault").set("code", SECRET)
    advice = agent.advise("launch", state={"x": 1}, options=["wait", "go"])
    agent.observe(advice, Outcome(success=True, evidence="verified", error=None, reward=2.0), action="go")
    return agent


def everything(agent: Agent, ids: list[str]) -> list[Any]:
    """Whatever an agent gets out of a home that it has not written to."""
    got: list[Any] = [agent.get(id_) for id_ in ids]
    got += [agent.lookup("fact", "code"), *agent.history("fact", "code"), *agent.list(), *agent.list(kind="fact")]
    got += [agent.count() or None, agent.count("fact") or None]
    for query in QUERIES:
        got += agent.recall(query, limit=1000)
        got.append(agent.context(query, max_tokens=10_000) or None)
    for filters in ({"tags": ["rocket"]}, {"kinds": ["fact"]}, {"session": "s1"}, {"min_score": 0.0}):
        got += agent.recall(SECRET, **filters)
    got += [agent.kv("vault").get("code"), agent.kv("vault").has("code") or None, *agent.kv("vault").search()]
    got += [*agent.experiences(), *agent.experiences("launch"), *agent.q_values(), *agent.q_values("launch")]
    return [one for one in got if one is not None]


@pytest.mark.parametrize("scope", STRANGERS, ids=[f"{n}" for n in range(len(STRANGERS))])
def test_a_stranger_gets_nothing_and_changes_nothing(memory: Memory, owner: Agent, scope: tuple[str, str]) -> None:
    ids = [item.id for item in owner.history("fact", "code")]
    decision = owner.experiences()[0].decision_id
    assert decision is not None
    before = (owner.history("fact", "code"), owner.kv("vault").search(), owner.experiences(), owner.q_values())
    stranger = memory.agent(scope[1], tenant=scope[0])
    assert everything(stranger, ids) == []
    for id_ in ids:
        assert stranger.forget(id_) is False
        for act in (lambda: stranger.update(id_, importance=1.0), lambda: stranger.helpful(id_)):  # noqa: B023
            with pytest.raises(NotFound):
                act()
        with pytest.raises(NotFound):
            stranger.list(after=id_)
    assert stranger.forget_where(kind="fact") == stranger.forget_where(tags=["rocket"]) == 0
    assert stranger.kv("vault").delete("code") is False
    with pytest.raises(NotFound):
        stranger.observe(decision, Outcome(success=False, evidence="verified"))
    advice = stranger.advise("launch", state={"x": 1})
    if scope[0] != "acme":  # within a tenant what its agents learned is each other's prior
        assert (advice.action, advice.mode) == (None, "abstained")
    mine = stranger.remember(SECRET, kind="fact", key="code")
    assert mine.id not in ids, "what another agent told was taken for the same thing"
    assert stranger.forget(mine.id)
    after = (owner.history("fact", "code"), owner.kv("vault").search(), owner.experiences(), owner.q_values())
    assert after == before


def test_no_query_finds_what_the_filters_exclude(owner: Agent) -> None:
    for query in QUERIES:
        for filters in ({"tags": ["rock%"]}, {"tags": ["rocket", "x"]}, {"session": "s_"}, {"kinds": ["event"]}):
            assert owner.recall(query, **filters) == []
    assert owner.recall("launch code", tags=["rocket"], session="s1", kinds=["fact"])


def test_visibility_decides_and_can_be_taken_back(memory: Memory) -> None:
    owner = memory.agent("olga", tenant="club", team="red")
    mate, other = memory.agent("max", tenant="club", team="red"), memory.agent("eve", tenant="club", team="blue")
    alone, outside = memory.agent("lone", tenant="club"), memory.agent("olga", tenant="other", team="red")
    see = {"private": [owner], "team": [owner, mate], "public": [owner, mate, other, alone]}
    everybody = [owner, mate, other, alone, outside]
    item = owner.remember("the meeting point is the old oak", visibility="private")
    for visibility in ("private", "team", "public", "team", "private", "public", "private"):
        owner.update(item.id, visibility=visibility)
        for agent in everybody:
            found = [hit.item.id for hit in agent.recall("meeting point old oak")]
            expected = agent in see[visibility]
            assert (agent.get(item.id) is not None) is expected, (visibility, agent)
            assert (item.id in found) is expected, (visibility, agent)
            assert ("oak" in agent.context("where is the meeting point?")) is expected
            if agent is not owner:
                assert agent.list() == [], "a list shows one's own"
                assert agent.forget(item.id) is False
                with pytest.raises(NotFound):
                    agent.update(item.id, importance=9.0)


def test_who_changes_teams_takes_what_is_shared_along(memory: Memory) -> None:
    owner, mate = memory.agent("o", tenant="teams", team="red"), memory.agent("m", tenant="teams", team="red")
    item = owner.remember("the password rotation happens on mondays", visibility="team")
    assert [hit.item.id for hit in mate.recall("password rotation")] == [item.id]
    memory.agent("o", tenant="teams", team="blue")
    assert mate.recall("password rotation") == []
    assert mate.get(item.id) is None
    later = memory.agent("n", tenant="teams", team="blue")
    assert [hit.item.id for hit in later.recall("password rotation")] == [item.id]


def test_who_is_moved_to_another_team_loses_sight_at_once(memory: Memory) -> None:
    """Also through a handle that was made before."""
    owner, reader = memory.agent("o", tenant="moved", team="red"), memory.agent("r", tenant="moved", team="red")
    item = owner.remember("the vault opens at nine", visibility="team")
    assert reader.recall("vault opens")
    memory.agent("r", tenant="moved", team="blue")
    assert (reader.recall("vault opens"), reader.get(item.id), reader.context("vault opens")) == ([], None, "")
    memory.agent("r", tenant="moved", team="red")
    assert reader.get(item.id) is not None


def test_forgotten_is_gone_for_everybody_at_once(memory: Memory) -> None:
    owner, other = memory.agent("o", tenant="gone"), memory.agent("x", tenant="gone")
    item = owner.remember("the cellar holds forty barrels", visibility="public")
    assert other.recall("cellar barrels")
    assert owner.forget(item.id)
    assert other.recall("cellar barrels") == []
    assert other.context("cellar barrels") == ""
    assert other.get(item.id) is None


def test_foreign_rows_do_not_touch_the_scores(memory: Memory) -> None:
    """The same items give the same scores to the last bit, whatever a thousand rows of others say."""
    contents = ["the upload is retried once", "the cache is cleared at noon", "uploads time out after a minute", "noon"]
    alone, crowded = memory.agent("a", tenant="alone"), memory.agent("a", tenant="crowded")
    for agent in (alone, crowded):
        agent.remember_many([{"content": content} for content in contents])
    before = [(hit.item.content, hit.score, hit.why) for hit in crowded.recall("upload retried at noon")]
    for tenant, name in (("crowded", "b"), ("crowded2", "a")):
        foreign = memory.agent(name, tenant=tenant)
        foreign.remember_many([{"content": f"upload upload retried number {i}"} for i in range(500)])
    after = [(hit.item.content, hit.score, hit.why) for hit in crowded.recall("upload retried at noon")]
    assert [entry[0] for entry in before] == [hit.item.content for hit in alone.recall("upload retried at noon")]
    assert after == before


def test_what_means_everything_elsewhere_means_nothing_here(memory: Memory, owner: Agent) -> None:
    with pytest.raises(InvalidInput, match="administration"):
        memory.agent("ann", tenant="*")
    for name in ("ann\0", "acme\0"):
        with pytest.raises(InvalidInput, match="NUL"):
            memory.agent(name, tenant="acme")
        with pytest.raises(InvalidInput, match="NUL"):
            memory.agent("ann", tenant=name)
        with pytest.raises(InvalidInput, match="NUL"):
            owner.recall(name)
        with pytest.raises(InvalidInput, match="NUL"):
            owner.kv().get(name)


def test_keys_and_values_are_found_by_their_very_name(owner: Agent) -> None:
    kv = owner.kv("letters")
    names = ["a", "A", "a%", "a_", "ab", "a'b", "ä", "a\u0308", "%", "_", "a\\", "*"]
    for name in names:
        kv.set(name, name)
    for name in names:
        assert kv.get(name) == name
        assert set(kv.search(name)) == {other for other in names if other.startswith(name)}
    assert owner.kv("Letters").search() == owner.kv("letter%").search() == {}
