"""The store for LangGraph does what LangGraph's own store does, and keeps what an agent's memory promises."""

from __future__ import annotations

import asyncio
import copy
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.store.base import InvalidNamespaceError, PutOp
from langgraph.store.memory import InMemoryStore

import engrain
from engrain.errors import InvalidInput
from engrain.integrations.langgraph import EngrainStore
from engrain.testing import SimulatedWorld
from tests.integrations import published
from tests.life import sweep
from tests.postgres import Place

LABEL = st.sampled_from(["a", "b", "ab", "*", "A", "ü%_", "x\n"])
SPACE = st.lists(LABEL, max_size=3).map(tuple)
VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.text(max_size=4)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
FILTER = st.dictionaries(
    st.just("n"),
    st.integers(-3, 3)
    | st.dictionaries(st.sampled_from(["$gt", "$lte", "$ne", "$eq"]), st.integers(-3, 3), min_size=1),
)
CALL = st.one_of(
    st.tuples(st.just("put"), SPACE.filter(bool), st.sampled_from(["k", "k.", "..", "é"]),
              st.fixed_dictionaries({"n": st.integers(-3, 3)}, optional={"v": VALUE, "w": VALUE})),
    st.tuples(st.just("put"), SPACE.filter(bool), st.sampled_from(["k", "k."]),
              st.fixed_dictionaries({"n": st.integers(-3, 3)})),
    st.tuples(st.just("delete"), SPACE.filter(bool), st.sampled_from(["k", ".."])),
    st.tuples(st.just("get"), SPACE.filter(bool), st.sampled_from(["k", "k.", ".."])),
    st.tuples(st.just("search"), SPACE, FILTER, st.integers(0, 3)),
    st.tuples(st.just("list"), SPACE, SPACE, st.none() | st.integers(1, 2)),
)  # fmt: skip


def asked(store: Any, call: Any) -> Any:
    """What a call of either store gives, without times."""
    match copy.deepcopy(call):
        case "put", space, key, value:
            return store.put(space, key, value)
        case "delete", space, key:
            return store.delete(space, key)
        case "get", space, key:
            found = store.get(space, key)
            return found and (found.namespace, found.key, found.value)
        case "search", space, wanted, offset:
            hits = [(hit.namespace, hit.key) for hit in store.search(space, filter=wanted, limit=100)]
            paged = [(hit.namespace, hit.key) for hit in store.search(space, filter=wanted, limit=2, offset=offset)]
            assert paged == hits[offset : offset + 2]
            return sorted(hits)
        case _, prefix, suffix, depth:
            return store.list_namespaces(prefix=prefix or None, suffix=suffix or None, max_depth=depth)


@settings(max_examples=30, deadline=None)
@given(st.lists(CALL, max_size=20))
def test_it_answers_what_the_store_in_memory_answers(calls: list[Any]) -> None:
    theirs = InMemoryStore()
    with tempfile.TemporaryDirectory() as folder, engrain.open(folder, embedder="hash") as memory:
        ours = EngrainStore(memory.agent("graph"))
        for call in calls:
            found, expected = asked(ours, call), asked(theirs, call)
            if call[0] == "list":  # theirs remembers where something once was
                assert set(found) <= set(expected)
                there = {hit.namespace[: call[3]] for hit in ours.search((), limit=1000)}
                assert found == sorted(set(expected) & there) if not call[1] and not call[2] else set(found) <= there
            else:
                assert found == expected, call


def test_questions_are_ranked_within_a_namespace_and_a_filter() -> None:
    with tempfile.TemporaryDirectory() as folder, engrain.open(folder) as memory:
        agent, other = memory.agent("graph"), memory.agent("other")
        store = EngrainStore(agent)
        store.batch([
            PutOp(("users", "1"), "drink", {"text": "She drinks green tea in the morning", "kind": "taste"}),
            PutOp(("users", "1"), "pet", {"text": "Her dog is called Rex", "kind": "fact"}),
            PutOp(("users", "2"), "drink", {"text": "He drinks black coffee", "kind": "taste"}),
            PutOp(("users", "1"), "quiet", {"text": "green tea, not to be found"}, index=False),
            PutOp(("users", "1"), "named", {"title": "nothing", "deep": [{"x": "a walrus"}]}, index=["deep[*].x"]),
        ])  # fmt: skip
        other.remember("green tea for all", kind="fact", visibility="public", tags=["langgraph:users.1"])
        assert store.search(("users",), query="which tea in the morning?")[0].key == "drink"
        hits = store.search(("users", "1"), query="what does she drink?", limit=10)
        assert {hit.namespace for hit in hits} == {("users", "1")}
        assert hits[0].key == "drink"
        assert [hit.key for hit in hits if hit.score is None][-1] == "quiet"
        assert len(hits) == 4
        assert [hit.key for hit in store.search((), query="coffee", filter={"kind": "fact"})] == ["pet"]
        assert store.search(("users", "1"), query="walrus", limit=1)[0].key == "named"
        assert agent.recall("black coffee")[0].item.metadata["document"] == {
            "text": "He drinks black coffee",
            "kind": "taste",
        }
        assert asyncio.run(store.asearch(("users", "2"), query=" "))[0].key == "drink"
        with pytest.raises(InvalidInput, match="no operator"):
            store.search((), filter={"text": {"$like": 1}})
        with pytest.raises(InvalidNamespaceError):
            store.batch([PutOp(("good",), "k", {"a": 1}), PutOp(("bad.label",), "k", {"a": 1})])
        with pytest.raises(InvalidInput, match="split it"):
            store.put(("big",), "k", {"text": "x" * 2_000_000})
        round_: dict[str, Any] = {}
        round_["again"] = round_
        for wrong in (round_, {"again": {"a": b"x"}}):
            with pytest.raises(InvalidInput, match="JSON cannot hold"):
                store.put(("good",), "k", wrong)
        for ttl in (float("nan"), float("inf"), -1, "5"):
            with pytest.raises(InvalidInput):
                store.put(("good",), "k", {"a": 1}, ttl=ttl)  # type: ignore[arg-type]
        for how in ({"limit": -1}, {"offset": -2}, {"filter": 5}, {"query": 5}):
            with pytest.raises(InvalidInput):
                store.search((), **how)  # type: ignore[arg-type]
        agent.remember("whoever has the agent may use any key", kind="fact", key="langgraph:good..foreign")
        agent.remember("any key at all", kind="fact", key="langgraph:good", tags=["langgraph:good"], source="langgraph")
        assert store.get(("good",), "foreign") is None
        assert store.search(("good",), query="any key") == []
        assert ("good",) not in store.list_namespaces()
        assert store.search(("good",)) == []


def test_what_lives_for_a_time_and_what_stays(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world)
    store = EngrainStore(memory.agent("graph"), ttl={"default_ttl": 10})
    store.put(("t",), "short", {"a": "password = 'hunter2hunter2xyz9'"})
    store.put(("t",), "read", {"a": 1})
    store.put(("t",), "stays", {"a": 1, "long": "word " * 30_000}, ttl=None)
    store.put(("t",), "stays", {"a": 2, "long": "word " * 30_000}, ttl=None)
    assert "hunter2" not in str(store.get(("t",), "short", refresh_ttl=False))
    store.put(("users", "secret"), id_ := "6f1b0a52-9c1e-4f1a-8a55-0c1f5f0e7d11", {"key": "v"})
    assert [(hit.namespace, hit.key) for hit in store.search(("users",))] == [(("users", "secret"), id_)]
    store.delete(("users", "secret"), id_)
    world.advance(minutes=9)
    assert store.get(("t",), "read") is not None
    assert [hit.key for hit in store.search(("t",), filter={"a": 1})] == ["read"]
    world.advance(minutes=9)
    assert [hit.key for hit in store.search(("t",), refresh_ttl=False)] == ["read", "stays"]
    for _ in range(4):
        world.advance(days=100)
        sweep(memory)
    found = store.get(("t",), "stays")
    assert found is not None
    assert found.value == {"a": 2, "long": "word " * 30_000}
    assert found.updated_at >= found.created_at
    assert store.list_namespaces() == [("t",)]
    for other in (memory.agent("else"), memory.agent("graph", tenant="acme")):
        assert EngrainStore(other).search(()) == []


WRITER = """
import sys, engrain
from engrain.integrations.langgraph import EngrainStore
with engrain.open(**{place!r}) as memory:
    store = EngrainStore(memory.agent("graph"))
    for n in range({n}):
        store.put(("shared",), sys.argv[1] + str(n), {{"by": sys.argv[1], "n": n}})
        store.put(("shared",), "both", {{"by": sys.argv[1], "text": "the same"}}, index=["text"])
"""


def test_processes_that_put_into_one_store_lose_nothing(place: Place) -> None:
    n = 10
    with engrain.open(**place.arguments, embedder="hash"):
        pass
    program = WRITER.format(place={**place.arguments, "embedder": "hash"}, n=n)
    running = [subprocess.Popen([sys.executable, "-c", program, name]) for name in "ab"]
    assert [one.wait(50) for one in running] == [0, 0]
    with place.open() as memory:
        store = EngrainStore(memory.agent("graph"))
        assert {hit.key for hit in store.search(("shared",), limit=100)} == {
            f"{who}{k}" for who in "ab" for k in range(n)
        } | {"both"}
        assert store.search(("shared",), filter={"text": "the same"})[0].value["by"] in "ab"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_suites_that_langgraph_publishes(tmp_path: Path) -> None:
    try:
        suites = published.fetch(tmp_path)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no index is in reach: {error.stderr!r:.200}")
    for suite in suites:
        done = published.run(suite, *published.SUITES)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        assert " passed" in done.stdout
