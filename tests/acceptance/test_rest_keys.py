"""Who may do what over HTTP, on both engines: keys, tenants, and requests that are sent again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from engrain.access import LOST, Caller, Keys, Replies
from engrain.model.key import ApiKey
from engrain.shells.cli import main
from engrain.testing import SimulatedWorld
from tests.postgres import Place
from tests.service import Service, serving

PATH = "/v1/agents/worker"


class Home:
    """A service, and the memory under it."""

    def __init__(self, place: Place, service: Service) -> None:
        self.memory = place.open()
        self.service = service

    def key(self, tenant: str = "mine", **given: Any) -> str:
        made = self.memory.keys_create("test", tenant, **given)
        assert made.key is not None
        return made.key


@pytest.fixture
def home(place: Place) -> Iterator[Home]:
    with serving(place) as service:
        yield Home(place, service)


def test_rights_and_agents(home: Home) -> None:
    read, write = home.key(rights="read"), home.key(agents=["worker"])
    ask = home.service
    item = ask.verb("remember", {"content": "told with a key"}, key=write)
    assert item["tenant"] == "mine"
    assert ask.get(f"{PATH}/get?id={item['id']}", key=read).status == 200
    assert ask.post(f"{PATH}/remember", {"content": "x"}, key=read).problem == "Forbidden"
    assert ask.get("/v1/agents/another/count", key=write).problem == "Forbidden"
    assert ask.get("/v1/agents", key=write).problem == "Forbidden"
    assert ask.get("/metrics", key=write).problem == "Forbidden"
    assert ask.get(f"{PATH}/count", key=read, X_Engrain_Team="t").problem == "Forbidden"
    assert ask.get(f"{PATH}/count", key=read, X_Engrain_Tenant="other").problem == "Forbidden"
    owner = home.key("*", rights="admin")
    assert [one["name"] for one in ask.get("/v1/agents", key=owner).json["agents"]] == ["worker"]
    assert ask.get(f"{PATH}/count", key=owner, X_Engrain_Tenant="mine").json == {"count": 1}
    assert ask.get(f"{PATH}/count", key=owner).json == {"count": 0}


def test_a_key_that_is_not_good_is_answered_like_one_that_never_was(home: Home) -> None:
    service = home.service
    assert service.get(f"{PATH}/count").status == 200, "as long as there is no key, this machine needs none"
    good, revoked = home.key(), home.key()
    brief = home.key(expires_in="1s")
    assert service.get(f"{PATH}/count", key=revoked).status == 200
    home.memory.keys_revoke(revoked.split("_")[1])
    wrong = good[:-1] + ("0" if good[-1] != "0" else "1")
    bad = [revoked, wrong, "eg_nobody_" + "0" * 64, "", "eg__", "x" * 5000]
    told = [service.get(f"{PATH}/count", key=key) for key in bad]
    told += [service.get(f"{PATH}/count"), service.get(f"{PATH}/count", Authorization="Basic eDp5")]
    told += [service.get(f"{PATH}/count", Authorization="Bearer \xff")]
    assert {(one.status, one.problem, one.headers["www-authenticate"]) for one in told} == {
        (401, "Unauthorized", "Bearer")
    }
    assert len({one.body for one in told}) == 1
    for key in (good, brief):
        home.memory.keys_revoke(key.split("_")[1])
    assert service.get(f"{PATH}/count").status == 401, "without any key left nobody is let in"


def test_an_expired_key_is_no_key(place: Place) -> None:
    world = SimulatedWorld()
    with place.open(world=world) as memory:
        made = memory.keys_create("brief", expires_in="1h")
        keys = Keys(memory.store, world)
        assert made.key is not None
        assert keys.caller(made.key) == Caller(made.id, "default", None, "write")
        world.advance(hours=1)
        assert keys.caller(made.key) is None
        shown = memory.keys_list()
        assert [(one.id, one.key) for one in shown] == [(made.id, None)]
        assert shown[0].used_at is not None


def test_only_a_hash_of_a_key_is_kept(home: Home) -> None:
    key = home.key()
    secret = key.split("_")[2]
    assert len(secret) == 64
    kept = [tuple(row) for row in home.memory.store.read("key_find", {"id": key.split("_")[1], "now": 0})]
    assert kept
    assert secret not in json.dumps(kept)
    for path in home.memory.home.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()


def test_what_another_tenant_has_is_not_there(home: Home) -> None:
    mine, other = home.key("mine", rights="admin"), home.key("other", rights="admin")
    service = home.service
    item = service.verb("remember", {"content": "the secret plan", "visibility": "public"}, key=mine)
    decision = service.verb("advise", {"task_type": "t", "options": ["a"]}, key=mine)
    service.verb("kv/set", {"key": "k", "value": 1}, key=mine)

    def both(verb: str, body: Any, missing: Any) -> None:
        """What is another's is answered as what is nobody's."""
        told = [service.post(f"{PATH}/{verb}", one, key=other) for one in (body, missing)]
        for one, sent in zip(told, (body, missing), strict=True):
            assert one.status == 404
            text = one.body.decode()
            for value in sent.values():
                text = text.replace(str(value), "…")
            assert text == told[0].body.decode().replace(next(iter(body.values())), "…")

    for verb in ("get", "update", "helpful", "applied"):
        more = {"importance": 2} if verb == "update" else {}
        both(verb, {"id": item["id"], **more}, {"id": item["id"][:-1] + "0", **more})
    both("observe", {"decision_id": decision["decision_id"]}, {"decision_id": decision["decision_id"][:-1] + "0"})
    assert service.post(f"{PATH}/kv/get", {"key": "k"}, key=other).status == 404
    assert service.verb("forget", {"id": item["id"]}, key=other) == {"forgotten": 0}
    assert service.verb("recall", {"query": "the secret plan", "min_score": 0}, key=other) == {"hits": []}
    assert service.verb("list", key=other)["items"] == []
    assert service.verb("get", {"id": item["id"]}, key=mine)["content"] == "the secret plan"


def test_an_admin_of_a_tenant_manages_its_keys_and_no_others(home: Home) -> None:
    mine, other = home.key("mine", rights="admin"), home.key("other")
    service = home.service
    made = service.post("/v1/keys/create", {"name": "new"}, key=mine).json
    assert made["tenant"] == "mine"
    assert service.get(f"{PATH}/count", key=made["key"]).status == 200
    assert {one["tenant"] for one in service.get("/v1/keys/list", key=mine).json["keys"]} == {"mine"}
    assert service.post("/v1/keys/create", {"name": "x", "tenant": "other"}, key=mine).problem == "Forbidden"
    assert service.post("/v1/keys/create", {"name": "x", "tenant": "*"}, key=mine).problem == "Forbidden"
    ids = [other.split("_")[1], "nobody"]
    told = [service.post("/v1/keys/revoke", {"id": one}, key=mine) for one in ids]
    assert [one.problem for one in told] == ["NotFound", "NotFound"]
    assert service.get(f"{PATH}/count", key=other).status == 200
    assert service.post("/v1/keys/revoke", {"id": made["id"]}, key=mine).status == 200
    assert service.get(f"{PATH}/count", key=made["key"]).status == 401
    assert service.get("/v1/stats", key=mine).problem == "Forbidden"
    some = home.key("mine", rights="admin", agents=["worker"])
    assert service.post("/v1/keys/create", {"name": "wider"}, key=some).problem == "Forbidden"
    assert service.get(f"{PATH}/count", key=some).status == 200


@pytest.mark.postgres
@pytest.mark.parametrize("engine", ["server"], indirect=True)
def test_the_server_itself_keeps_tenants_apart_under_a_statement_without_its_predicate(
    home: Home,
) -> None:
    """As if a predicate were missing in our own text: row-level security, by the tenant of the key, still holds."""
    mine, other = home.key("mine"), home.key("other")
    home.service.verb("remember", {"content": "the secret plan"}, key=mine)
    home.service.verb("remember", {"content": "a plan of their own"}, key=other)
    store: Any = home.memory.store
    text = "select content, cast(:tenant as text) as tenant from memories"
    store._catalogue = {**store._catalogue, "all": replace(store._catalogue["scope_state"], name="all", text=text)}
    rows = store.read("all", {"tenant": "other", "name": ""})
    assert [row["content"] for row in rows] == ["a plan of their own"]
    assert home.service.verb("count", key=other) == {"count": 1}


# -- again ------------------------------------------------------------------------------------------------------------


def test_a_repeat_is_answered_the_same_and_done_once(home: Home, place: Place) -> None:
    service, body = home.service, {"task_type": "t", "action": "a", "success": True}
    told = [service.post(f"{PATH}/observe-step", body, Idempotency_Key="one") for _ in range(3)]
    assert {(one.status, one.body) for one in told} == {(200, told[0].body)}
    assert ["idempotent-replayed" in one.headers for one in told] == [False, True, True]
    assert len(service.verb("experiences")["experiences"]) == 1
    refused = [service.post(f"{PATH}/remember", {"content": ""}, Idempotency_Key="two") for _ in range(2)]
    assert [one.problem for one in refused] == ["InvalidContent"] * 2
    changed = service.post(f"{PATH}/observe-step", {**body, "success": False}, Idempotency_Key="one")
    assert (changed.status, changed.problem) == (422, "KeyReused")
    assert service.post(f"{PATH}/remember", {"content": "x"}, Idempotency_Key="k" * 300).status == 422
    service.stop()
    with serving(place) as again:
        replayed = again.post(f"{PATH}/observe-step", body, Idempotency_Key="one")
        assert (replayed.status, replayed.body) == (200, told[0].body)


def test_of_many_at_once_one_is_done(home: Home) -> None:
    body = {"task_type": "t", "action": "a", "success": True}
    with ThreadPoolExecutor(8) as threads:
        told = list(
            threads.map(lambda _: home.service.post(f"{PATH}/observe-step", body, Idempotency_Key="one"), range(16))
        )
    assert {one.status for one in told} <= {200, 409}
    assert len({one.body for one in told if one.status == 200}) == 1
    assert len(home.service.verb("experiences")["experiences"]) == 1


def test_keys_of_others_are_not_one_s_own(home: Home) -> None:
    mine, other = home.key("mine"), home.key("other")
    first = home.service.verb("remember", {"content": "x"}, key=mine, Idempotency_Key="one")
    second = home.service.verb("remember", {"content": "x"}, key=other, Idempotency_Key="one")
    assert (first["tenant"], second["tenant"]) == ("mine", "other")


def test_a_request_whose_server_died_is_done_over_only_where_that_is_safe(place: Place) -> None:
    world = SimulatedWorld()
    with place.open(world=world) as memory:
        dead, alive = Replies(memory.store, world), Replies(memory.store, world)
        me = Caller("k", "t", None, "write")
        assert dead.claim(me, "safe", "d", again=True).state == "mine"
        assert dead.claim(me, "unsafe", "d", again=False).state == "mine"
        assert alive.claim(me, "safe", "d", again=True).state == "running"
        world.advance(microseconds=LOST)
        assert alive.claim(me, "unsafe", "d", again=False).state == "lost"
        assert alive.claim(me, "safe", "d", again=True).state == "mine"
        dead.settle(me, "safe", 200, "too late")
        assert alive.claim(me, "safe", "d", again=True).state == "running"
        world.advance(microseconds=LOST - 1)
        alive.beat()
        world.advance(microseconds=LOST - 1)
        assert dead.claim(me, "safe", "d", again=True).state == "running", "who is at it says so"
        alive.settle(me, "safe", 200, "done")
        assert dead.claim(me, "safe", "d", again=True).body == "done"
        assert dead.claim(me, "fault", "d", again=False).state == "mine"
        dead.settle(me, "fault", 503, "")
        assert dead.claim(me, "fault", "d", again=False).state == "mine", "a fault is not kept"
        world.advance(hours=24)
        assert dead.claim(me, "safe", "another", again=True).state == "mine", "after a day it is forgotten"


def test_a_key_is_made_and_ended_on_the_command_line(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--home", place.location]
    with place.open():
        assert main(["keys", "create", "ci", "--tenant", "lab", "--rights", "read", "--json", *words]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["tenant"], made["rights"], made["agents"]) == ("lab", "read", None)
    assert set(made) == set(ApiKey.__dataclass_fields__)
    assert main(["keys", "create", "x", "--for", "a", "--for", "b", *words]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("eg_")
    assert main(["keys", "revoke", made["id"], *words]) == 0
    assert main(["keys", "list", *words]) == 0
    text = capsys.readouterr().out
    assert made["id"] in text
    assert "revoked" in text
    assert made["key"] not in text
    assert main(["keys", "create", "x", "--rights", "root", *words]) == 2
