"""No secret reaches the disk through any verb: the files of the home are searched for it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest

import engrain
from engrain import Agent, Outcome
from engrain.errors import InvalidField, StoreClosed

SECRET = "ghp_" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"


def decided(agent: Agent) -> str:
    return agent.advise("t", options=["a", "b"]).decision_id


STORED: dict[str, Callable[[Agent], object]] = {
    "content": lambda a: a.remember(f"the token is {SECRET}"),
    "metadata": lambda a: a.remember("told", metadata={"deep": [{"token": SECRET}]}),
    "outcome": lambda a: a.observe(decided(a), Outcome(success=False, error=SECRET)),
    "outcome as a dict": lambda a: a.observe(decided(a), {"success": False, "error": SECRET}),  # type: ignore[arg-type]
    "state": lambda a: a.advise("t", state={"x": SECRET}, options=["a", "b"]),
    "state with a list": lambda a: a.advise("t", state={"x": [SECRET]}, options=["a", "b"]),
    "state that is no dict": lambda a: a.advise("t", state=MappingProxyType({"x": SECRET}), options=["a", "b"]),
    "many": lambda a: a.observe_many([{"task_type": "t", "action": "a", "state": {"x": SECRET},
                                       "outcome": {"success": True, "error": SECRET}}]),
    "kv": lambda a: a.kv().set("k", {"t": SECRET}),
}  # fmt: skip
REFUSED: dict[str, Callable[[Agent], object]] = {
    "key": lambda a: a.remember("told", key=SECRET),
    "tag": lambda a: a.remember("told", tags=[SECRET]),
    "session": lambda a: a.remember("told", session=SECRET),
    "task_type": lambda a: a.advise(SECRET, options=["a", "b"]),
    "options": lambda a: a.advise("t", options=["a", SECRET]),
    "episode": lambda a: a.advise("t", options=["a", "b"], episode=SECRET),
    "task_id": lambda a: a.observe_step("t", {}, "a", Outcome(success=True), task_id=SECRET),
    "kv key": lambda a: a.kv().set(SECRET, 1),
    "namespace": lambda a: a.kv(SECRET),
    "agent": lambda a: a._memory.agent(SECRET),
}


@pytest.mark.parametrize("name", [*STORED, *REFUSED])
def test_the_files_of_the_home_do_not_hold_it(name: str, tmp_path: Path) -> None:
    with engrain.open(tmp_path, embedder="hash") as memory:
        agent = memory.agent("keeper")
        if name in STORED:
            STORED[name](agent)
        else:
            with pytest.raises(InvalidField, match="looks like a secret"):
                REFUSED[name](agent)
        searched = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert any(path.name == "engrain.db" for path in searched)
        assert [path.name for path in searched if SECRET.encode() in path.read_bytes()] == []


def test_turned_off_it_is_off_everywhere(tmp_path: Path) -> None:
    with engrain.open(tmp_path, embedder="hash", redact=False) as memory:
        agent = memory.agent("keeper")
        agent.kv().set("k", SECRET)
        assert agent.kv().get("k") == SECRET
        assert agent.remember(SECRET, key=SECRET).content == SECRET
        told = agent.observe(decided(agent), Outcome(success=False, error=SECRET))
        assert told.outcome.error == SECRET


def test_an_echo_is_the_very_same_words_and_nothing_else_said(tmp_path: Path) -> None:
    with engrain.open(tmp_path) as memory:
        agent = memory.agent("keeper")
        first = agent.remember("config lives in /etc/App/Conf and only there", session="monday")
        assert agent.recall("config lives where")
        assert agent.remember("config lives in /etc/App/Conf and only there").id == first.id
        assert agent.remember("config lives in /etc/app/conf and only there").id != first.id
        assert agent.remember(first.content, session="tuesday").id == first.id
        assert agent.remember(first.content, session="tuesday", role="user").session == "tuesday"
        assert agent.remember(first.content, visibility="team").visibility == "team"


def test_a_replaced_public_value_is_its_owners_alone(tmp_path: Path) -> None:
    with engrain.open(tmp_path, embedder="hash") as memory:
        owner, other = memory.agent("owner"), memory.agent("other")
        old = owner.remember("public value", key="v", visibility="public")
        assert other.get(old.id) is not None
        owner.remember("private value", key="v")
        assert other.get(old.id) is None
        kept = owner.get(old.id)
        assert kept is not None
        assert kept.state == "superseded"


def test_an_error_comes_through_a_process_pool_as_it_was() -> None:
    for error in (StoreClosed(), InvalidField("limit must be 1.")):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
