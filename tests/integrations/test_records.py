"""Documents kept as memories: what many processes write stays, in order, each once."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import engrain
from engrain.errors import Changed, ConfigError, InvalidField
from engrain.integrations import records
from tests.postgres import Place

WRITER = """
import sys, engrain
from engrain.integrations import records
who = sys.argv[1]
with engrain.open(**{place!r}) as memory:
    agent = memory.agent("ann")
    for n in range({n}):
        batch = []
        for part in "xyz":
            batch += records.rows([who, n, part], "same text", key="s:" + agent.world.new_id(), session="s")
        records.keep(agent, batch)
        if n % 4 == 3:
            for one in records.newest(agent, "s:"):
                if agent.forget(one.item.id):
                    print(*one.document)
                    break
"""


def test_processes_that_add_and_take_lose_nothing(place: Place) -> None:
    n = 12
    with engrain.open(**place.arguments, embedder="hash"):
        pass
    program = WRITER.format(place={**place.arguments, "embedder": "hash"}, n=n)
    running = [
        subprocess.Popen([sys.executable, "-c", program, name], stdout=subprocess.PIPE, text=True) for name in "ab"
    ]
    taken = "".join(one.communicate(timeout=50)[0] for one in running).split("\n")[:-1]
    assert [one.returncode for one in running] == [0, 0]
    agent = place.open().agent("ann")
    left = [" ".join(map(str, one.document)) for one in records.newest(agent, "s:")][::-1]
    assert Counter(taken) + Counter(left) == Counter(
        f"{who} {k} {part}" for who in "ab" for k in range(n) for part in "xyz"
    )
    for who in "ab":
        mine = [one for one in left if one.startswith(who)]
        assert mine == [one for k in range(n) for part in "xyz" if (one := f"{who} {k} {part}") in mine]
    assert [(one.session, one.items) for one in agent.sessions("s")] == [("s", len(left))]
    assert agent.sessions("t") == []
    page = agent.list(limit=3, prefix="s:", newest=True)
    assert agent.list(limit=2, prefix="s:", newest=True, after=page[0]) == page[1:]
    assert agent.list(limit=3, newest=True) == page
    assert agent.list(prefix="\U0010ffff") == []


def test_what_is_under_a_key_is_replaced_only_if_it_was_seen(tmp_path: Path) -> None:
    with engrain.open(tmp_path / "home", embedder="hash") as memory:
        agent = memory.agent("ann")
        first = agent.remember("one", kind="fact", key="k", expects="")
        with pytest.raises(Changed, match=first.id):
            agent.remember("two", kind="fact", key="k", expects="")
        second = agent.remember("two", kind="fact", key="k", expects=first.id)
        with pytest.raises(Changed):
            agent.remember("three", kind="fact", key="k", expects=first.id)
        with pytest.raises(Changed, match="is nothing"):
            agent.remember("three", kind="fact", key="other", expects=first.id)
        with pytest.raises(InvalidField, match="goes with a key"):
            agent.remember("three", expects=first.id)
        assert [one.id for one in agent.history("fact", "k")] == [second.id, first.id]


def test_a_missing_framework_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, framework in (
        ("langgraph", "langgraph.store.base"), ("openai_agents", "agents.memory.session"),
        ("claude_agent_sdk", "claude_agent_sdk"), ("anthropic_memory", "anthropic.lib.tools"),
    ):  # fmt: skip
        monkeypatch.setitem(sys.modules, framework, None)
        monkeypatch.delitem(sys.modules, f"engrain.integrations.{module}", raising=False)
        with pytest.raises(ConfigError, match=r"pip install 'engrain\[[a-z-]+\]'"):
            importlib.import_module(f"engrain.integrations.{module}")
        monkeypatch.delitem(sys.modules, f"engrain.integrations.{module}", raising=False)
