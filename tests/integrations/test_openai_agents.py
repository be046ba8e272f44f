"""Sessions of the OpenAI Agents SDK: exact, in order, apart, and remembered."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections import Counter
from typing import Any

import pytest
from agents import Agent, RunConfig, Runner, SQLiteSession
from agents.memory import Session
from agents.testing import ScriptedModel, assistant_message
from hypothesis import given, settings
from hypothesis import strategies as st

import engrain
from engrain.errors import InvalidInput, QuotaExceeded
from engrain.integrations.openai_agents import EngrainSession
from engrain.testing import SimulatedWorld
from tests.life import sweep
from tests.postgres import Place

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
ITEM = st.one_of(
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": st.text(max_size=5)}),
    st.just({"role": "user", "content": "the same again"}),
    st.fixed_dictionaries(
        {
            "type": st.just("function_call"),
            "name": st.just("f"),
            "call_id": st.text(max_size=3),
            "arguments": st.just("{}"),
        }
    ),
    st.fixed_dictionaries({"type": st.just("function_call_output"), "call_id": st.just("c"), "output": JSON}),
)
STEP = st.one_of(
    st.tuples(st.just("add"), st.lists(ITEM, max_size=4)),
    st.tuples(st.just("pop"), st.none()),
    st.tuples(st.just("get"), st.none() | st.integers(-1, 4)),
    st.tuples(st.just("clear"), st.none()),
)


async def step(session: Session, what: str, value: Any) -> Any:
    if what == "add":
        return await session.add_items(value)
    if what == "pop":
        return await session.pop_item()
    return await (session.clear_session() if what == "clear" else session.get_items(value))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "a:b", "a+1"]), STEP), max_size=12))
def test_it_does_what_the_session_of_the_sdk_does(steps: list[Any]) -> None:
    async def run() -> None:
        theirs = {name: SQLiteSession(name) for name in ("a", "a:b", "a+1")}
        ours = {name: EngrainSession(name, agent) for name in theirs}
        for name, (what, value) in steps:
            assert await step(ours[name], what, value) == await step(theirs[name], what, value), what
        for name, one in theirs.items():
            assert await ours[name].get_items() == await one.get_items()
            one.close()

    with tempfile.TemporaryDirectory() as folder, engrain.open(folder, embedder="hash") as memory:
        agent = memory.agent("ann")
        asyncio.run(run())


def test_what_no_memory_can_hold_comes_back_as_it_was(place: Place, world: SimulatedWorld) -> None:
    deep: Any = "bottom"
    for _ in range(60):
        deep = [deep]
    odd: list[Any] = [
        {"role": "user", "content": "half a pair \ud83d and a NUL \0"},
        {"type": "function_call_output", "call_id": "c", "output": "long line\n" * 120_000},
        {"type": "image", "data": "ab" * 600_000, "also": ["é" * 100_000, "x\x1ey" * 20_000]},
        {"type": "deep", "in": deep, "big": 2**200, "far": float("inf")},
        {"type": "many", "numbers": list(range(30_000))},
    ]

    async def write() -> None:
        session = EngrainSession("odd", place.open(world=world).agent("ann"))
        await session.add_items(odd)
        await EngrainSession("odd", place.open().agent("bob")).add_items([{"role": "user", "content": "bob's"}])

    async def read(session: EngrainSession) -> None:
        assert await session.get_items() == odd
        assert await session.get_items(3) == odd[2:]
        for one in reversed(odd):
            assert await session.pop_item() == one
        assert await session.pop_item() is None

    asyncio.run(write())
    place.close()
    memory = place.open(world=world)
    for _ in range(3):
        world.advance(days=150)
        sweep(memory)
    asyncio.run(read(EngrainSession("odd", memory.agent("ann"))))
    assert (memory.agent("ann").count(), memory.agent("bob").count()) == (0, 1)


def test_what_is_no_item_is_refused_and_what_is_none_of_ours_is_left_alone() -> None:
    with tempfile.TemporaryDirectory() as folder, engrain.open(folder, embedder="hash") as memory:
        agent = memory.agent("ann")
        session = EngrainSession("trip", agent)
        asyncio.run(session.add_items([{"role": "user", "content": "hello"}]))
        key = str(agent.list()[0].key)
        agent.remember("whoever has the agent may use any key", kind="context", key=key + "x")
        around: dict[str, Any] = {"role": "user"}
        around["content"] = [around]
        for wrong in (around, {"content": b"bytes"}):
            with pytest.raises(InvalidInput, match="JSON cannot hold"):
                asyncio.run(session.add_items([wrong]))  # type: ignore[list-item]
        assert [one.get("content") for one in asyncio.run(session.get_items(1))] == ["hello"]
        assert asyncio.run(session.pop_item()) is not None
        for name in ("\ud800", 5):
            with pytest.raises(InvalidInput, match="session_id"):
                EngrainSession(name, agent)  # type: ignore[arg-type]


def test_a_runner_goes_on_where_the_conversation_was_and_all_is_remembered() -> None:
    with tempfile.TemporaryDirectory() as folder, engrain.open(folder) as memory:
        ann = memory.agent("ann")
        model = ScriptedModel([[assistant_message("Noted: Lisbon.")], [assistant_message("To Lisbon.")]])
        clerk = Agent(name="clerk", model=model)
        quiet = RunConfig(tracing_disabled=True)
        for question in ("I fly to Lisbon in May", "Where do I fly to?"):
            done = asyncio.run(Runner.run(clerk, question, session=EngrainSession("trip", ann), run_config=quiet))
        assert done.final_output == "To Lisbon."
        assert model.last_call is not None
        said: list[Any] = [*model.last_call.input]
        assert [one.get("role") for one in said] == ["user", "assistant", "user"]
        hit = ann.recall("when do I fly to Lisbon?")[0].item
        assert "Lisbon" in hit.content
        assert (hit.session, hit.pinned) == ("trip", True)
        assert [(one.session, one.items) for one in ann.sessions()] == [("trip", 4)]
        secret = EngrainSession("secret", ann, {"limit": 1})
        asyncio.run(secret.add_items([{"role": "user", "content": "token ghp_" + "aB3dE6gH9j" * 3 + "aB3dE6"}] * 2))
        assert "[redacted:" in str(asyncio.run(secret.get_items()))
        assert len(asyncio.run(secret.get_items())) == 1
        with pytest.raises(InvalidInput):
            asyncio.run(EngrainSession("x" * 600, ann).add_items([{"role": "user", "content": "x"}]))
    with tempfile.TemporaryDirectory() as folder, engrain.open(folder, quota_agent_items=3) as memory:
        session = EngrainSession("full", memory.agent("ann"))
        asyncio.run(session.add_items([{"role": "user", "content": "1"}] * 3))
        with pytest.raises(QuotaExceeded):
            asyncio.run(session.add_items([{"role": "user", "content": "4"}]))
        assert len(asyncio.run(session.get_items())) == 3


WRITER = """
import asyncio, sys, engrain
from engrain.integrations.openai_agents import EngrainSession
who = sys.argv[1]
with engrain.open(**{place!r}) as memory:
    session = EngrainSession("shared", memory.agent("ann"))
    async def main():
        for n in range({n}):
            await session.add_items([{{"role": who, "content": f"{{n}} {{part}}"}} for part in "xyz"])
            if n % 4 == 3:
                await session.add_items([{{"role": "popped", "content": who + str(n)}}])
                print((await session.pop_item())["content"])
    asyncio.run(main())
"""


@pytest.mark.slow
def test_processes_that_write_into_one_session_lose_nothing(place: Place) -> None:
    n = 8
    with engrain.open(**place.arguments, embedder="hash"):
        pass
    program = WRITER.format(place={**place.arguments, "embedder": "hash"}, n=n)
    running = [
        subprocess.Popen([sys.executable, "-c", program, name], stdout=subprocess.PIPE, text=True) for name in "ab"
    ]
    popped = "".join(one.communicate(timeout=50)[0] for one in running).split("\n")[:-1]
    assert [one.returncode for one in running] == [0, 0]
    with place.open() as memory:
        found: list[Any] = [*asyncio.run(EngrainSession("shared", memory.agent("ann")).get_items())]
    left = [(one["role"], one["content"]) for one in found]
    written = [f"{k} {part}" for k in range(n) for part in "xyz"] * 2 + [
        f"{who}{k}" for who in "ab" for k in range(3, n, 4)
    ]
    assert Counter(popped) + Counter(content for _, content in left) == Counter(written)
    for who in "ab":
        mine = [content for role, content in left if role == who]
        everything = [f"{k} {part}" for k in range(n) for part in "xyz"]
        assert [one for one in everything if one in mine] == mine  # in order, each once
