"""The typed client against real services: the same names, values and errors as an embedded memory."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import NoneType
from typing import Any, assert_type, get_args, get_type_hints, is_typeddict

import pytest

import engrain
from engrain import Advice, EngrainError, Experience, Hit, MemoryItem, Outcome
from engrain.agent import Agent, KeyValue
from engrain.cold import ColdArchive
from engrain.errors import AccessDenied, ConfigError, ServiceError, StoreClosed, StoreUnavailable, UnknownPolicy
from engrain.memory import Memory
from engrain.model.fix import Problem
from engrain.shells.calls import Rows
from engrain.shells.cli import main
from engrain.shells.client import Client, RemoteAgent, RemoteArchive, RemoteKeyValue
from engrain.shells.verb import Verb
from engrain.shells.verbs import VERBS, verbs_of
from tests.policies import TASK, add, table
from tests.serving import Serving, home_of

OWNERS: dict[str, tuple[type, type]] = {
    "Agent": (Agent, RemoteAgent),
    "KeyValue": (KeyValue, RemoteKeyValue),
    "Memory": (Memory, Client),
    "ColdArchive": (ColdArchive, RemoteArchive),
}
OWN = {"Client.events"}  # what only a service has


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = home_of(tmp_path_factory.mktemp("service"))
    yield serving
    assert serving.stop() == ""


@pytest.fixture
def client(service: Serving, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client with a tenant of its own, so that tests do not meet."""
    with Client(service.url, tenant=request.node.name[:100]) as client:
        yield client


@pytest.fixture
def embedded(service: Serving) -> Iterator[Memory]:
    """The same home, opened in this process."""
    with engrain.open(service.location, embedder="hash") as memory:
        yield memory


# -- nothing drifts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", OWNERS)
def test_every_public_method_is_there_with_its_signature(owner: str) -> None:
    facade, remote = OWNERS[owner]
    theirs = {n: part for n, part in inspect.getmembers(facade, inspect.isfunction) if not n.startswith("_")}
    ours = {n: part for n, part in inspect.getmembers(remote, inspect.isfunction) if not n.startswith("_")}
    assert {f"{remote.__name__}.{name}" for name in set(theirs) ^ set(ours)} <= OWN
    for name, method in theirs.items():
        assert inspect.signature(ours[name]) == inspect.signature(method), name
        assert ours[name].__doc__, name


# The tool is put together of others; rows of SQL have types that JSON does not tell.
CARRIED = [one for one in verbs_of("rest") if one.method != "Agent.stats" and one.returns is not Rows]


def test_what_the_service_carries_is_carried() -> None:
    for verb in CARRIED:
        owner, _, name = verb.method.partition(".")
        facade, remote = OWNERS[owner]
        if hasattr(facade, name):
            assert getattr(remote, name).__name__ == name
            assert getattr(remote, name).__wrapped__ is getattr(facade, name)
            assert getattr(remote, name).__qualname__ != "refuse"


@pytest.mark.parametrize("verb", CARRIED, ids=lambda verb: verb.name)
def test_the_table_says_where_the_value_is_in_the_answer(verb: Verb) -> None:
    """A verb without its ``part`` would answer the client with what is around the value."""
    owner, _, name = verb.method.partition(".")
    value = get_type_hints(getattr(OWNERS[owner][0], name))["return"]
    answer = get_type_hints(verb.returns) if is_typeddict(verb.returns) else verb.returns
    if verb.part:
        answer = answer[verb.part] if isinstance(answer, dict) else get_args(answer)[1]
    if value is bool:
        assert verb.part
    elif value is not NoneType and "typing.Any" not in f"{value} {answer}":
        assert spelled(value) == spelled(answer)


def spelled(kind: Any) -> str:
    text = str(kind).replace("collections.abc.Sequence", "list").removesuffix(" | None")
    return text.removeprefix("<class '").removesuffix("'>")


def test_types_are_those_of_the_facade(client: Client) -> None:
    agent = client.agent("typed")
    item = assert_type(agent.remember("typed"), MemoryItem)
    assert isinstance(item, MemoryItem)
    assert all(isinstance(hit, Hit) for hit in assert_type(agent.recall("typed"), list[Hit]))
    assert assert_type(agent.get("none"), MemoryItem | None) is None
    advice = assert_type(agent.advise("t", options=["a"]), Advice)
    assert isinstance(assert_type(agent.observe(advice, Outcome(success=True)), Experience), Experience)
    assert assert_type(agent.count(), int) == 1
    assert assert_type(agent.forget(item.id), bool) is True
    assert assert_type(agent.forget(item.id), bool) is False


# -- the same answers -------------------------------------------------------------------------------------------------

WHEN = datetime(2026, 1, 1, 12, 30, 0, 123456, tzinfo=UTC)


def told(agent: Agent) -> list[MemoryItem]:
    agent.remember("the upload is retried once", kind="fact", key="upload", tags=("a", "b"), session="s", role="user")
    agent.remember("the upload is retried twice", kind="fact", key="upload", metadata={"x": [1, None, {"y": "ü"}]})
    rows = [
        {"content": "naïve café 🙂 \u2028 \x00".replace("\x00", ""), "occurred_at": WHEN, "pinned": True},
        {"content": "gone in a while", "expires_in": timedelta(days=3, microseconds=1), "importance": 9},
    ]
    return agent.remember_many(rows)


READS: dict[str, Callable[[Agent, list[MemoryItem]], Any]] = {
    "get": lambda agent, items: [agent.get(item.id) for item in items],
    "lookup": lambda agent, items: agent.lookup("fact", "upload"),
    "lookup of nothing": lambda agent, items: agent.lookup("fact", "nothing"),
    "history": lambda agent, items: agent.history("fact", "upload"),
    "list": lambda agent, items: agent.list(),
    "list after an item": lambda agent, items: agent.list(limit=1, after=agent.list()[0]),
    "list after an id": lambda agent, items: agent.list("context", 5, items[0].id),
    "count": lambda agent, items: (agent.count(), agent.count("fact")),
    "recall": lambda agent, items: [(hit.item.id, hit.score, hit.why) for hit in agent.recall("upload", limit=2)],
    "recall since": lambda agent, items: [hit.item.id for hit in agent.recall("café", since=WHEN, kinds=["context"])],
    "context": lambda agent, items: agent.context("the upload", max_tokens=100),
    "experiences": lambda agent, items: agent.experiences("t"),
    "q_values": lambda agent, items: agent.q_values(),
    "transitions": lambda agent, items: agent.transitions(limit=3),
    "archived": lambda agent, items: agent.archived(),
    "adaptation": lambda agent, items: agent.adaptation(),
    "diagnose": lambda agent, items: agent.diagnose({"message": "no answer after 9 s", "model": "qwen"}),
    "context_for": lambda agent, items: agent.context_for(KeyError("port")),
    "fixes": lambda agent, items: (agent.fixes(), agent.fixes("timeout", "qwen", successful=True, since=WHEN)),
    "issues": lambda agent, items: (agent.issues(), agent.targets(), agent.target("qwen"), agent.target("none")),
    "fix_report": lambda agent, items: (agent.fix_stats(), agent.fix_report(9).targets, agent.issue_edits()),
    "kv": lambda agent, items: (agent.kv("n").search(), agent.kv("n").get("k", 7), agent.kv().get("k", 7)),
}  # fmt: skip


def test_both_see_the_same(client: Client, embedded: Memory) -> None:
    remote = client.agent("a b/c?d#%..")
    local = embedded.agent("a b/c?d#%..", tenant=remote.scope.tenant)
    items = told(remote)
    assert [item.content for item in local.list()][-2:] == [item.content for item in items]
    advice = remote.advise("t", {"size": 1, "new": True}, ["x", "y"], "e1")
    remote.observe(advice, Outcome(success=True, evidence="verified", seconds=1.5), action="y")
    remote.observe(advice.decision_id, Outcome(success=False, error="no"), "x")
    remote.observe_step("t", {"size": 2}, "x", Outcome(success=True), propensity=0.5, next_state={"size": 3})
    remote.observe_many([{"task_type": "t", "action": "y", "outcome": Outcome(quality=0.5, success=True)}])
    fix = remote.record_fix("no answer after 3 s", "restart", type="timeout", target="qwen", success=True)
    seen = remote.record_fixes([{"problem": KeyError("port")}, {"problem": Problem("disk full", metadata={"n": 1})}])
    assert remote.verify_fix(fix.id).verified
    assert (remote.merge_issues(seen[1].issue, seen[0].issue, "one").seen, seen[0].type) == (2, "exception")
    assert remote.undo_issues() == local.issue_edits()[0]
    remote.kv("n").set("k", {"a": None}, ttl="1d")
    remote.kv("n").set("none", None)
    assert remote.pin(items[1].id).pinned
    for name, read in READS.items():
        assert read(remote, items) == read(local, items), name
    assert remote.kv("n").has("none")
    assert remote.kv("n").get("none", 7) is None
    assert [remote.kv("n").delete("k") for _ in range(2)] == [True, False]
    changed = remote.update(items[0].id, tags=["new"], occurred_at=None, expires_in="2h", importance=3)
    assert changed == local.list()[-2]
    assert changed.occurred_at is None
    assert remote.forget_where(tags=["new"]) == 1
    assert local.count() == remote.count() == 2
    mates = {one.name for one in client.agents() if one.tenant == remote.scope.tenant}
    assert mates == {"a b/c?d#%.."}
    assert client.lifecycle() is True
    assert [run.role for run in client.tick(["expire"])] == ["expire"]
    assert client.runs() == embedded.runs()
    assert client.roles() == embedded.roles()
    assert client.stats()["memories"] == embedded.stats()["memories"]


def test_what_was_learned_is_the_same_to_both(client: Client, embedded: Memory) -> None:
    agent = client.agent("a")
    tenant = agent.scope.tenant
    advice = [agent.advise(TASK, {"size": 1}, ["left", "right"]) for _ in range(3)][-1]
    agent.observe(advice, Outcome(success=True, evidence="verified"))
    for values in ({1: {"left": 0.5, "right": 0.1}}, {1: {"left": 0.1, "right": 0.5}, 2: {"left": 0.2, "right": 0.1}}):
        add(embedded, table(values), tenant=tenant)
    asked: list[Callable[[Memory], Any]] = [
        lambda memory: memory.policies(tenant=tenant),
        lambda memory: memory.policy_show(TASK, tenant=tenant),
        lambda memory: memory.policy_diff(TASK, 2, tenant=tenant),
        lambda memory: memory.policy_diff(TASK, 2, 0, tenant),
        lambda memory: memory.policy_history(TASK, tenant),
        lambda memory: memory.dreams(limit=5),
    ]
    for ask in asked:
        assert ask(client) == ask(embedded)
    for how in ({"decision_id": advice.decision_id}, {"task_type": TASK, "state": {"size": 1}, "agent": "a"}):
        far, near = client.policy_explain(tenant=tenant, **how), embedded.policy_explain(tenant=tenant, **how)
        assert replace(far, at=near.at) == near
    far_health, near_health = (memory.learning_health(7, tenant) for memory in (client, embedded))
    assert replace(far_health, at=near_health.at) == near_health
    asked_for = client.dream_request("asked", tenant=tenant)
    assert client.dream_report(asked_for.id).id == asked_for.id
    back = client.rollback(TASK, tenant=tenant)
    assert back is not None
    assert back.version == 1
    assert client.rollback(TASK, 0, tenant=tenant) is None
    for wrong in ({"task_type": TASK}, {"task_type": TASK, "version": 99}, {"task_type": "nothing"}):
        for memory in (client, embedded):
            with pytest.raises(UnknownPolicy):
                memory.rollback(**wrong, tenant=tenant)
    with pytest.raises(UnknownPolicy):
        client.policy_show(TASK, tenant=tenant)
    with pytest.raises(ServiceError, match="where the home is"):
        client.dream()


def test_a_team_is_joined_at_once_and_shared_with(client: Client) -> None:
    ann, bob, eve = client.agent("ann", team="red ü"), client.agent("bob", team="red ü"), client.agent("eve")
    item = ann.remember("the team retries uploads", visibility="team")
    assert bob.get(item.id) is not None
    assert eve.get(item.id) is None
    assert [hit.item.id for hit in bob.recall("uploads")] == [item.id]


WRONG: dict[str, Callable[[Agent], Any]] = {
    "blank content": lambda agent: agent.remember("  "),
    "an unknown kind": lambda agent: agent.remember("x", kind="nothing"),
    "importance": lambda agent: agent.remember("x", importance=11),
    "expires_in": lambda agent: agent.remember("x", expires_in=timedelta(seconds=-1)),
    "a naive time": lambda agent: agent.remember("x", occurred_at=datetime(2026, 1, 1, 12)),  # noqa: DTZ001
    "a number of rows": lambda agent: agent.remember_many([{"content": "x"}, {"content": ""}]),
    "an unknown item": lambda agent: agent.helpful("nothing"),
    "an item to change": lambda agent: agent.update("nothing", importance=3.0),
    "nothing to change": lambda agent: agent.update("nothing"),
    "nothing to forget by": lambda agent: agent.forget_where(),
    "the limit": lambda agent: agent.recall("x", limit=0),
    "a decision": lambda agent: agent.observe("nothing", Outcome(success=True)),
    "an action": lambda agent: agent.observe(agent.advise("t", options=["a", "b"]), Outcome(success=True), action="z"),
    "options": lambda agent: agent.advise("t", options=[]),
    "a key": lambda agent: agent.kv().set("", 1),
    "a namespace": lambda agent: agent.kv("").get("k"),
    "no json": lambda agent: agent.remember("x", metadata={"x": object()}),
    "no number": lambda agent: agent.kv().set("k", float("nan")),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_the_same_error(client: Client, embedded: Memory, name: str) -> None:
    caught = []
    for memory in (client, embedded):
        with pytest.raises(EngrainError) as one:
            WRONG[name](memory.agent("a", tenant=client.agent("a").scope.tenant))
        caught.append(one.value)
    remote, local = caught
    assert type(remote) is type(local)
    assert client.agent("a").count() == 0
    assert len(str(remote)) > 15


def test_what_needs_the_machine_is_refused_in_words(client: Client, tmp_path: Path) -> None:
    carried = {verb.method for verb in VERBS if "rest" in verb.shells}
    assert "Memory.backup" not in carried
    with pytest.raises(ServiceError, match=r"backup\(\) is not offered over HTTP"):
        client.backup(tmp_path / "copy.db")
    with pytest.raises(ServiceError, match="where the home is"):
        client.doctor()


# -- where, and as whom -----------------------------------------------------------------------------------------------


def test_open_with_a_url_is_the_client(service: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    with engrain.open(service.url, tenant="opened") as memory:
        assert isinstance(memory, engrain.Client)
        assert memory.agent("a").scope.tenant == "opened"
        assert memory.agent("a", tenant="other").scope.tenant == "other"
        memory.agent("a").remember("by url")
    with pytest.raises(StoreClosed):
        memory.agent("a").count()
    memory.close()
    monkeypatch.setenv("ENGRAIN_HOME", service.url)
    with engrain.open(tenant="opened") as memory:
        assert memory.agent("a").count() == 1
    wrongs: list[dict[str, Any]] = [{"home": "x"}, {"embedder": "hash"}]
    for wrong in wrongs:
        with pytest.raises(ConfigError, match="own home and embedder"):
            engrain.open(service.url, **wrong)
    with pytest.raises(ConfigError, match="http://"):
        engrain.open("ftp://host/x")


def test_the_command_line_works_on_a_service(service: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--home", service.url, "--tenant", "line", "--agent", "a"]
    assert main(["remember", "retry the upload", *place]) == 0
    assert main(["recall", "upload", *place]) == 0
    assert "retry the upload" in capsys.readouterr().out
    assert main(["get", "nothing", *place]) == 1
    assert main(["doctor", *place]) == 3
    assert "not offered over HTTP" in capsys.readouterr().err


def test_nobody_there_is_a_store_that_cannot_be_reached() -> None:
    with engrain.open("http://127.0.0.1:9", patience=0.3) as memory:
        with pytest.raises(StoreUnavailable, match="engrain serve"):
            memory.agent("a").count()
        assert isinstance(memory, Client)
        with pytest.raises(StoreUnavailable):
            next(memory.events())
    for url in ("http://", "http://a:b:c"):
        with pytest.raises((ConfigError, StoreUnavailable)), Client(url, patience=0.1) as client:
            client.agent("a").count()


def test_a_child_after_a_fork_has_its_own_connection(client: Client) -> None:
    agent = client.agent("a")
    agent.remember("by the parent")
    child = os.fork()
    if child == 0:
        try:
            agent.remember("by the child")
        finally:
            os._exit(0 if agent.count() == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert agent.count() == 2


def test_keys_say_who_may_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serving = home_of(tmp_path)
    with engrain.open(tmp_path / "home", embedder="hash") as memory:
        names = {"one": ("one", "write"), "two": ("two", "write"), "reader": ("one", "read"), "owner": ("*", "admin")}
        keys = {
            name: str(memory.keys_create(name, tenant, rights=rights).key) for name, (tenant, rights) in names.items()
        }
    with ExitStack() as opened:
        clients = {name: opened.enter_context(Client(serving.url, key=key)) for name, key in keys.items()}
        clients["nobody"] = opened.enter_context(Client(serving.url))
        clients["liar"] = opened.enter_context(Client(serving.url, key="eg_no_good"))
        keys_are_obeyed(clients, keys["one"])
        monkeypatch.setenv("ENGRAIN_KEY", keys["one"])
        with Client(serving.url) as client:
            assert client.agent("a").count() == 1
            assert keys["one"] not in repr(client)
            revoked = next(one for one in clients["owner"].keys_list() if one.name == "one")
            assert revoked.key is None
            assert clients["owner"].keys_revoke(revoked.id).revoked_at is not None
            with pytest.raises(AccessDenied):
                client.agent("a").count()
    assert serving.stop() == ""


def keys_are_obeyed(clients: dict[str, Client], secret: str) -> None:
    item = clients["one"].agent("a").remember("only for tenant one")
    assert clients["two"].agent("a").get(item.id) is None
    assert clients["two"].agent("a").recall("tenant") == []
    assert clients["reader"].agent("a").get(item.id) is not None
    assert clients["owner"].agent("a", tenant="one").count() == 1
    for act in (
        lambda: clients["reader"].agent("a").remember("no"),
        lambda: clients["two"].agent("a", tenant="one").count(),
        clients["one"].agents,
        lambda: clients["nobody"].agent("a").count(),
        lambda: clients["liar"].agent("a").count(),
    ):
        with pytest.raises(AccessDenied) as caught:
            act()
        assert secret not in str(caught.value)
