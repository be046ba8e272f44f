"""Every bad value is refused by its own clear error, and nothing is stored."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain import Agent, EngrainError, Outcome
from engrain.errors import (
    ActionNotOffered,
    InvalidContent,
    InvalidField,
    InvalidInput,
    UnknownDecision,
    UnknownItem,
    UnknownKind,
)
from engrain.memory import Memory

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 (that is what is refused)
LOOP: dict[str, Any] = {}
LOOP["itself"] = LOOP
DEEP: Any = []
for _ in range(50):
    DEEP = [DEEP]
HUGE = 10**5000
CONTENTS: dict[str, tuple[Any, str]] = {
    "none": (None, "must be text"),
    "empty": ("", "empty"),
    "blank": (" \n\t\u00a0", "empty"),
    "bytes": (b"bytes", "Decode bytes first"),
    "a number": (7, "must be text"),
    "too long": ("x" * (1 << 20) + "x", "limit is 1,048,576"),
    "too long in bytes": ("ü" * (1 << 19) + "x", "limit is 1,048,576"),
    "a lone surrogate": ("half a \ud83d smile", "surrogate at position 7"),
    "bytes decoded badly": (b"caf\xe9".decode("utf-8", "surrogateescape"), "surrogate"),
    "nul": ("before\0after", "NUL character at position 6"),
}
FIELDS: dict[str, tuple[str, Any, str]] = {
    "importance nan": ("importance", math.nan, "finite"),
    "importance infinite": ("importance", math.inf, "finite"),
    "importance minus infinite": ("importance", -math.inf, "finite"),
    "importance 0": ("importance", 0, r"1\.\.10"),
    "importance 10.1": ("importance", 10.1, r"1\.\.10"),
    "importance text": ("importance", "5", "finite number"),
    "importance true": ("importance", True, "finite number"),
    "importance none": ("importance", None, "finite number"),
    "importance huge": ("importance", HUGE, r"1\.\.10"),
    "importance huge negative": ("importance", -HUGE, r"1\.\.10"),
    "importance fraction": ("importance", Fraction(1, 2), "finite number"),
    "tags text": ("tags", "one two", "list"),
    "tags none": ("tags", None, "list"),
    "tags numbers": ("tags", [1], "must be text"),
    "tags empty": ("tags", ["ok", ""], "empty"),
    "tags too many": ("tags", [f"t{i}" for i in range(65)], "limit is 64"),
    "tags too long": ("tags", ["x" * 129], "limit is 128"),
    "tags nul": ("tags", ["a\0b"], "NUL"),
    "tags surrogate": ("tags", ["\udc80"], "surrogate"),
    "metadata list": ("metadata", [1], "must be a dict"),
    "metadata object": ("metadata", {"a": object()}, r"metadata\.a is a object"),
    "metadata set": ("metadata", {"a": {1}}, r"metadata\.a is a set"),
    "metadata datetime": ("metadata", {"a": [datetime(2026, 1, 1, tzinfo=UTC)]}, r"metadata\.a\[0\]"),
    "metadata bytes": ("metadata", {"a": b"x"}, "bytes"),
    "metadata nan": ("metadata", {"a": {"b": math.nan}}, r"metadata\.a\.b is nan"),
    "metadata infinite": ("metadata", {"a": math.inf}, "inf"),
    "metadata key": ("metadata", {1: "a"}, "keys must be text"),
    "metadata loop": ("metadata", LOOP, "deeper"),
    "metadata deep": ("metadata", {"a": DEEP}, "deeper than 32"),
    "metadata big": ("metadata", {"a": "x" * 70_000}, "limit is 65,536"),
    "metadata huge number": ("metadata", {"a": HUGE}, "bits"),
    "metadata surrogate": ("metadata", {"a": "\ud800"}, "surrogate"),
    "metadata surrogate key": ("metadata", {"\ud800": 1}, "surrogate"),
    "metadata nul": ("metadata", {"a": "\0"}, "NUL"),
    "session empty": ("session", "", "empty"),
    "session number": ("session", 7, "must be text"),
    "session long": ("session", "s" * 513, "limit is 512"),
    "session nul": ("session", "\0", "NUL"),
    "role blank": ("role", "  ", "empty"),
    "source bytes": ("source", b"x", "must be text"),
    "occurred_at naive": ("occurred_at", NAIVE, "no time zone"),
    "occurred_at text": ("occurred_at", "2026-01-01", "must be a datetime"),
    "occurred_at before year 1": ("occurred_at", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), "years 1 to"),
    "occurred_at after 9999": (
        "occurred_at",
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))),
        "years 1 to",
    ),
    "expires_in zero": ("expires_in", timedelta(0), "longer than nothing"),
    "expires_in negative": ("expires_in", timedelta(seconds=-1), "longer than nothing"),
    "expires_in zero text": ("expires_in", "0d", "longer than nothing"),
    "expires_in negative text": ("expires_in", "-3d", "30d"),
    "expires_in words": ("expires_in", "tomorrow", "30d"),
    "expires_in number": ("expires_in", 30, "30d"),
    "expires_in for ever": ("expires_in", "9" * 400 + "w", "5,000 years"),
    "expires_in the longest": ("expires_in", timedelta.max, "5,000 years"),
    "decay_rate negative": ("decay_rate", -0.1, r"0\.\.10"),
    "decay_rate nan": ("decay_rate", math.nan, "finite"),
    "visibility unknown": ("visibility", "secret", "private, team, public"),
    "visibility none": ("visibility", None, "private, team, public"),
    "visibility list": ("visibility", ["public"], "private, team, public"),
    "pinned number": ("pinned", 1, "True or False"),
    "pinned none": ("pinned", None, "True or False"),
    "no such field": ("importence", 5.0, "importence"),
}


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    with engrain.open(tmp_path_factory.mktemp("bad") / "home", embedder="hash", synchronous="NORMAL") as opened:
        yield opened


@pytest.fixture
def agent(memory: Memory, request: pytest.FixtureRequest) -> Agent:
    return memory.agent(request.node.name[:100])


def refused(memory: Memory, error: type[EngrainError], words: str, act: Callable[[], Any]) -> None:
    """It raises exactly that error, in words, and the home is as it was."""
    before = memory.stats()
    with pytest.raises(EngrainError, match=words) as caught:
        act()
    assert type(caught.value) is error
    assert len(str(caught.value)) < 800, "an error is to be read"
    after = memory.stats()
    for size in (before, after):
        size["store"].pop("bytes")
    assert after == before


@pytest.mark.parametrize("name", CONTENTS)
def test_bad_content(memory: Memory, agent: Agent, name: str) -> None:
    content, words = CONTENTS[name]
    good = agent.remember("a good one")
    refused(memory, InvalidContent, words, lambda: agent.remember(content))
    rows = [{"content": "good too"}, {"content": content}]
    refused(memory, InvalidContent, f"Row 1: .*{words}", lambda: agent.remember_many(rows))
    refused(memory, InvalidContent, words, lambda: agent.update(good.id, content=content))
    assert agent.get(good.id) is not None


@pytest.mark.parametrize("name", FIELDS)
def test_bad_fields(memory: Memory, agent: Agent, name: str) -> None:
    field, value, words = FIELDS[name]
    good = agent.remember("a good one")
    if field != "importence":
        refused(memory, InvalidField, words, lambda: agent.remember("fine words", **{field: value}))
    rows = [{"content": "fine"}, {"content": "also fine"}, {"content": "not this", field: value}]
    refused(memory, InvalidField, f"Row 2: .*{words}", lambda: agent.remember_many(rows))
    refused(memory, InvalidField, words, lambda: agent.update(good.id, **{field: value}))
    refused(memory, InvalidField, words, lambda: agent.update(good.id, content="new", **{field: value}))


@pytest.mark.parametrize("kind", ["nonsense", "", None, 7, "Context", "context ", ["context"], "x" * 100_000])
def test_unknown_kinds(memory: Memory, agent: Agent, kind: Any) -> None:
    acts: list[Callable[[], object]] = [
        lambda: agent.remember("words", kind=kind),
        lambda: agent.lookup(kind, "k"),
        lambda: agent.history(kind, "k"),
        lambda: agent.recall("words", kinds=[kind]),
        lambda: agent.remember_many([{"content": "words", "kind": kind}]),
    ]
    if kind is not None:
        acts += [lambda: agent.list(kind=kind), lambda: agent.count(kind), lambda: agent.forget_where(kind=kind)]
    for act in acts:
        refused(memory, UnknownKind, "success_pattern", act)


def test_rows_that_are_none(memory: Memory, agent: Agent) -> None:
    refused(memory, InvalidField, "Row 0: A row must be a dict", lambda: agent.remember_many(["text"]))  # type: ignore[list-item]
    refused(memory, InvalidContent, "Row 0: A row needs its content", lambda: agent.remember_many([{"kind": "fact"}]))
    assert agent.remember_many([]) == []


def test_what_is_not_there(memory: Memory, agent: Agent) -> None:
    for id_ in ("0" * 26, "nonsense", "'; drop table memories; --", "%", "x" * 512):
        refused(memory, UnknownItem, ".", lambda id_=id_: agent.update(id_, importance=2.0))  # type: ignore[misc]
        refused(memory, UnknownItem, ".", lambda id_=id_: agent.helpful(id_))  # type: ignore[misc]
        assert agent.get(id_) is None
        assert agent.forget(id_) is False
    refused(memory, InvalidField, "nothing to change", lambda: agent.update("0" * 26))
    refused(memory, InvalidField, "never forgets everything", agent.forget_where)
    refused(memory, InvalidField, "never forgets everything", lambda: agent.forget_where(tags=[]))
    refused(memory, UnknownItem, "after=", lambda: agent.list(after="0" * 26))
    for bad in (None, 7, "", "a\0b", "\ud800", "x" * 513, b"id"):
        for verb in (agent.get, agent.forget, agent.helpful):
            refused(memory, InvalidField, "id ", lambda verb=verb, bad=bad: verb(bad))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"query": ""}, InvalidInput), ({"query": None}, InvalidInput), ({"query": "x\0"}, InvalidInput),
        ({"limit": 0}, InvalidField), ({"limit": -1}, InvalidField), ({"limit": 1.5}, InvalidField),
        ({"limit": True}, InvalidField), ({"limit": HUGE}, InvalidField), ({"limit": None}, InvalidField),
        ({"kinds": "fact"}, InvalidField), ({"tags": "red"}, InvalidField), ({"session": ""}, InvalidField),
        ({"since": NAIVE}, InvalidField), ({"until": "now"}, InvalidField), ({"min_score": math.nan}, InvalidField),
        ({"min_score": 2.0}, InvalidField), ({"min_score": "0.5"}, InvalidField),
    ],
)  # fmt: skip
def test_bad_questions(agent: Agent, arguments: dict[str, Any], error: type[EngrainError]) -> None:
    agent.remember("words to be found")
    with pytest.raises(error):
        agent.recall(**{"query": "words", **arguments})
    assert agent.recall("words")


@pytest.mark.parametrize("name", ["", " ", "a\0b", "\ud800", "x" * 129, None, 7, b"a"])
def test_bad_names(memory: Memory, name: Any) -> None:
    refused(memory, InvalidField, "agent ", lambda: memory.agent(name))
    refused(memory, InvalidField, "tenant ", lambda: memory.agent("a", tenant=name))
    if name is not None:
        refused(memory, InvalidField, "team ", lambda: memory.agent("a", team=name))
    refused(memory, InvalidField, "administration", lambda: memory.agent("a", tenant="*"))


KV: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "empty key": ("", 1, {}), "nul key": ("a\0b", 1, {}), "long key": ("k" * 513, 1, {}),
    "negative ttl": ("k", 1, {"ttl": timedelta(seconds=-1)}), "zero ttl": ("k", 1, {"ttl": "0s"}),
    "ttl number": ("k", 1, {"ttl": 5}), "object": ("k", object(), {}), "nan": ("k", math.nan, {}),
    "big": ("k", "x" * ((1 << 20) + 1), {}), "loop": ("k", LOOP, {}), "huge number": ("k", HUGE, {}),
    "surrogate": ("k", "\ud800", {}), "bytes": ("k", b"x", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", KV)
def test_bad_values(memory: Memory, agent: Agent, name: str) -> None:
    key, value, other = KV[name]
    kv = agent.kv()
    kv.set("k", "before")
    refused(memory, InvalidField, ".", lambda: kv.set(key, value, **other))
    assert kv.search() == {"k": "before"}
    if name.endswith("key"):
        for verb in (kv.get, kv.has, kv.delete):
            refused(memory, InvalidField, "key ", lambda verb=verb: verb(key))  # type: ignore[misc]


OUTCOMES: list[dict[str, Any]] = [
    {"success": 1}, {"success": "yes"}, {"evidence": "seen"}, {"evidence": None}, {"seconds": -1.0},
    {"seconds": math.nan}, {"seconds": math.inf}, {"budget_seconds": 0.0}, {"quality": 1.1}, {"quality": math.nan},
    {"resources": -0.1}, {"feedback": 2.0}, {"feedback": math.nan}, {"reward": 2.1}, {"reward": math.nan},
    {"reward": "1"}, {"error": 7}, {"error": "a\0b"}, {"error": "\ud800"}, {"seconds": HUGE},
]  # fmt: skip


@pytest.mark.parametrize("fields", OUTCOMES, ids=[str(i) for i in range(len(OUTCOMES))])
def test_bad_outcomes(memory: Memory, agent: Agent, fields: dict[str, Any]) -> None:
    advice = agent.advise("task", options=["a", "b"])
    outcome = Outcome(**{"success": True, "evidence": "executed", **fields})
    refused(memory, InvalidField, ".", lambda: agent.observe(advice, outcome))
    refused(memory, InvalidField, ".", lambda: agent.observe_step("task", {}, "a", outcome))
    good = {"task_type": "task", "action": "a", "outcome": Outcome(success=True)}
    refused(memory, InvalidField, r"(?i)row 1", lambda: agent.observe_many([good, {**good, "outcome": outcome}]))


STATES: list[Any] = [
    [1], "state", {"x": math.nan}, {"x": math.inf}, {1: 2}, {"x": object()}, {"x": "\ud800"}, {"x": "\0"}, {"x": HUGE},
    LOOP,
]  # fmt: skip


@pytest.mark.parametrize("state", STATES, ids=[str(i) for i in range(len(STATES))])
def test_bad_states(memory: Memory, agent: Agent, state: Any) -> None:
    refused(memory, InvalidField, ".", lambda: agent.advise("task", state=state, options=["a"]))
    refused(memory, InvalidField, ".", lambda: agent.observe_step("task", state, "a", Outcome(success=True)))


@pytest.mark.parametrize(
    "options", [[], "ab", ["a", "a"], ["a", ""], [1, 2], ["a", "b\0"], 7, ["\ud800"]]
)  # fmt: skip
def test_bad_options(memory: Memory, agent: Agent, options: Any) -> None:
    refused(memory, InvalidField, ".", lambda: agent.advise("task", options=options))


def test_decisions_that_are_not_there(memory: Memory, agent: Agent) -> None:
    good = Outcome(success=True, evidence="executed")
    refused(memory, UnknownDecision, "advise", lambda: agent.observe("0" * 26, good))
    advice = agent.advise("task", options=["a", "b"])
    refused(
        memory,
        ActionNotOffered,
        "'c' was not offered; the options were a, b",
        lambda: agent.observe(advice, good, action="c"),
    )
    stranger = memory.agent("somebody else")
    refused(memory, UnknownDecision, "somebody else", lambda: stranger.observe(advice, good))
    abstained = agent.advise("another task")
    refused(memory, InvalidField, "action=", lambda: agent.observe(abstained, good))
    for bad in (None, 7, "", b"x"):
        refused(memory, InvalidField, ".", lambda bad=bad: agent.observe(bad, good))  # type: ignore[misc]
    refused(memory, InvalidField, ".", lambda: agent.observe(advice, "success"))  # type: ignore[arg-type]
    assert agent.experiences() == []


def test_content_at_the_limit_is_kept(memory: Memory, agent: Agent, tmp_path: Path) -> None:
    item = agent.remember("word " * (1 << 17) + "ü" * ((1 << 20) - 5 * (1 << 17) >> 1))
    assert len(item.content.encode()) == 1 << 20
    found = agent.get(item.id)
    assert found is not None
    assert found.content == item.content
