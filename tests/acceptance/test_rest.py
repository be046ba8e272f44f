"""The REST service as callers meet it: a real process, every verb, every refusal."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema  # type: ignore[import-untyped]
import pytest

import engrain
from engrain.shells.rest.openapi import path_of
from engrain.shells.verbs import verbs_of
from tests import policies
from tests.postgres import Place
from tests.service import Service, command, folder, serving


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(folder(tmp_path_factory.mktemp("rest") / "home")) as running:
        yield running


@pytest.fixture(scope="module")
def document(service: Service) -> Any:
    return service.get("/openapi.json").json


def test_the_routes_are_the_table(document: Any) -> None:
    own = {"/v1/events": {"get"}, "/healthz": {"get"}, "/metrics": {"get"}}
    table = {path_of(verb): {"get", "post"} if verb.reads else {"post"} for verb in verbs_of("rest")}
    routes = {path: set(methods) for path, methods in document["paths"].items() if not path.startswith("/api/")}
    assert routes == table | own
    for verb in verbs_of("rest"):
        body = document["paths"][path_of(verb)]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert set(body["properties"]) == {field.name for field in verb.fields}
        jsonschema.Draft202012Validator.check_schema(body)
    again = {path: set(methods) for path, methods in document["paths"].items() if path.startswith("/api/")}
    assert again == {
        "/api/memory/metrics": {"get"}, "/api/memory/prune": {"post"}, "/api/memory/{agent}/archived": {"get"},
        "/api/memory/{agent}/restore/{id}": {"post"}, "/api/memory/export/{agent}": {"post"},
        "/api/memory/import/{agent}": {"post"},
    }  # fmt: skip


def test_no_verb_names_a_file_of_the_server() -> None:
    named = {field.name for verb in verbs_of("rest") for field in verb.fields}
    assert not named & {"path", "file", "folder", "home", "copy", "to"}


def test_what_is_remembered_is_found_and_a_restart_keeps_it(tmp_path: Path) -> None:
    place = folder(tmp_path / "home")
    with serving(place) as service:
        item = service.verb("remember", {"content": "The build is green", "key": "k", "kind": "fact", "tags": ["ci"]})
        assert service.verb("recall", {"query": "is the build green?"})["hits"][0]["item"]["id"] == item["id"]
        assert service.stop()[0] == 0
    with serving(place) as service:
        path = "/v1/agents/worker"
        assert service.get(f"{path}/lookup?kind=fact&key=k").json["tags"] == ["ci"]
        assert service.get(f"{path}/recall?query=green&kinds=fact&kinds=learning&tags=ci&limit=3").json["hits"]
        assert service.verb("helpful", {"id": item["id"]}) == {"id": item["id"]}
        assert service.stop()[0] == 0
    with place.open() as memory:
        found = memory.agent("worker").get(item["id"])
        assert found is not None
        assert (found.content, found.helpful) == ("The build is green", 1)


def test_answers_fit_their_schemas(service: Service, document: Any) -> None:
    one = service.verb("remember", {"content": "schemas are kept"})
    advice = service.verb("advise", {"task_type": "t", "options": ["a", "b"]})
    bodies: dict[str, Any] = {
        "recall": {"query": "schemas"}, "context": {"query": "schemas"}, "get": {"id": one["id"]}, "list": {},
        "update": {"id": one["id"], "importance": 7}, "count": {}, "stats": {}, "experiences": {}, "q-values": {},
        "observe": {"decision_id": advice["decision_id"], "success": True}, "adaptation": {},
        "kv/set": {"key": "k", "value": [1, None]}, "kv/get": {"key": "k"}, "kv/has": {"key": "k"}, "kv/search": {},
        "remember-many": {"rows": [{"content": "a"}, {"content": "b"}]}, "forget": {"id": one["id"]},
        "observe-many": {"rows": [{"task_type": "t", "action": "a", "success": False}]},
    }  # fmt: skip
    for name, body in bodies.items():
        answer = service.verb(name, body)
        assert isinstance(answer, dict), name
        told = document["paths"]["/v1/agents/{agent}/" + name]["post"]["responses"]["200"]
        schema = {**told["content"]["application/json"]["schema"], "components": document["components"]}
        jsonschema.validate(answer, schema)


def test_what_was_learned_is_told_and_nothing_passes_the_gate(tmp_path: Path) -> None:
    place = folder(tmp_path / "home")
    with serving(place) as service:
        for _ in range(3):
            advice = service.verb("advise", {"task_type": "build", "state": {"size": 1}, "options": ["left", "right"]})
            service.verb("observe", {"decision_id": advice["decision_id"], "success": True, "evidence": "executed"})
        with place.open() as memory:
            policies.add(memory, policies.table({1: {"left": 0.5, "right": 0.1}}))
            policies.add(memory, policies.table({1: {"left": 0.1, "right": 0.5}}), policies.REFUSED)
        assert service.get("/v1/policy/list?state=live").json["policies"][0]["version"] == 1
        assert service.get("/v1/policy/show?task_type=build&version=2").json["state"] == "candidate"
        assert service.get("/v1/policy/diff?task_type=build&version=2").json["changed"] == 1
        told = service.get(f"/v1/policy/explain?decision_id={advice['decision_id']}").json
        assert (told["version"], told["decision"]["mode"], told["outcome"]["reward"]) == (0, "advised", 2.0)
        now = service.post("/v1/policy/explain", {"task_type": "build", "state": {"size": 1}}).json
        assert now["options"][0]["action"] == "left"
        health = service.get("/v1/learning?days=7").json
        assert (health["alive"], health["stages"][0]["n"]) == (True, 3)
        refused = service.post("/v1/policy/promote", {"task_type": "build", "version": 2})
        assert (refused.status, refused.problem) == (422, "PolicyRefused")
        assert service.post("/v1/policy/rollback", {"task_type": "build"}).json["live"] is None
        assert service.get("/v1/policy/show?task_type=build").status == 404
        assert service.post("/v1/dream/request", {"reason": "gate"}).json["state"] == "pending"
        assert service.get("/v1/dream/history").json["dreams"][0]["reason"] == "gate"
        assert service.get("/v1/learning?canary=true").status == 422


@pytest.mark.parametrize("name", ["a/b", "metrics", "x y", "ü", "%2F", "a?b#c", "export"])
def test_an_agent_may_be_called_anything(service: Service, name: str) -> None:
    item = service.verb("remember", {"content": f"I am {name}"}, agent=name)
    assert item["agent"] == name
    assert service.verb("count", agent=name) == {"count": 1}


def test_pages_lead_to_the_next(service: Service) -> None:
    service.verb("remember-many", {"rows": [{"content": f"row {n}"} for n in range(5)]}, agent="pages")
    path: str | None = "/v1/agents/pages/list?limit=2"
    seen: list[str] = []
    while path:
        told = service.get(path)
        seen += [item["content"] for item in told.json["items"]]
        link = re.fullmatch(r'<(.*)>; rel="next"', told.headers.get("link", ""))
        assert (link is None) == (told.json["next"] is None)
        path = link[1] if link else None
    assert seen == [f"row {n}" for n in range(5)]


REFUSED: list[tuple[str, str, Any, dict[str, str], int, str]] = [
    ("GET", "/v1/nothing", None, {}, 404, "NoSuchPath"),
    ("GET", "/v1/agents/a/remember", None, {}, 405, "MethodNotAllowed"),
    ("DELETE", "/v1/agents/a/recall", None, {}, 405, "MethodNotAllowed"),
    ("POST", "/v1/agents/a/remember", b"{", {"Content_Type": "application/json"}, 400, "Malformed"),
    ("POST", "/v1/agents/a/remember", b"\xff", {"Content_Type": "application/json"}, 400, "Malformed"),
    ("POST", "/v1/agents/a/kv/set", b'{"key":"k","value":NaN}', {"Content_Type": "application/json"}, 400, "Malformed"),
    ("POST", "/v1/agents/a/remember", b"[" * 100_000, {"Content_Type": "application/json"}, 400, "Malformed"),
    ("POST", "/v1/agents/a/remember", b"content=x", {"Content_Type": "text/plain"}, 415, "UnsupportedMediaType"),
    ("POST", "/v1/agents/a/remember", {"content": " "}, {}, 422, "InvalidContent"),
    ("POST", "/v1/agents/a/remember", {"content": "x", "kind": "gossip"}, {}, 422, "UnknownKind"),
    ("POST", "/v1/agents/a/remember", {"content": "x", "agent": "root"}, {}, 422, "InvalidField"),
    ("POST", "/v1/agents/a/remember", [], {}, 422, "InvalidField"),
    ("POST", "/v1/agents/a/remember?content=x", {}, {}, 422, "InvalidField"),
    ("GET", "/v1/agents/a/recall?query=x&limit=many", None, {}, 422, "InvalidField"),
    ("GET", "/v1/agents/a/recall?query=x&query=y", None, {}, 422, "InvalidField"),
    ("GET", "/v1/agents/a/recall?query=%ff", None, {}, 400, "Malformed"),
    ("GET", "/v1/agents/%ff/count", None, {}, 400, "Malformed"),
    ("GET", "/v1/agents/a/get?id=nope", None, {}, 404, "UnknownItem"),
    ("GET", "/v1/agents/a/kv/get?key=nope", None, {}, 404, "NotFound"),
    ("POST", "/v1/agents/a/remember", {"content": "x"}, {"X_Engrain_Tenant": "%2A"}, 422, "InvalidField"),
    ("GET", "/v1/events?after=now", None, {}, 422, "InvalidField"),
    ("GET", "/v1/stats", None, {"Host": "evil.example"}, 403, "Forbidden"),
    ("GET", "/v1/stats", None, {"Origin": "https://evil.example"}, 403, "Forbidden"),
    ("GET", "/v1/stats", None, {"Authorization": "Bearer eg_x_y"}, 401, "Unauthorized"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "headers", "status", "name"), REFUSED)
def test_a_refusal_is_a_problem(
    service: Service, method: str, path: str, body: Any, headers: dict[str, str], status: int, name: str
) -> None:
    told = service.ask(method, path, body, **headers)
    assert (told.status, told.problem) == (status, name)


def test_a_request_may_not_be_too_large(tmp_path: Path) -> None:
    with serving(folder(tmp_path / "home"), request_bytes=2000) as service:
        assert service.post("/v1/agents/a/remember", {"content": "x" * 3000}).problem == "RequestTooLarge"
        with socket.create_connection(
            ("127.0.0.1", int(service.host.split(":")[1]))
        ) as raw:  # no length is told, so it is counted
            raw.sendall(b"POST /v1/agents/a/remember HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
            raw.sendall(b"Transfer-Encoding: chunked\r\n\r\n" + b"3e8\r\n" + b"y" * 1000 + b"\r\n")
            raw.sendall(b"7d0\r\n" + b"y" * 2000 + b"\r\n0\r\n\r\n")
            assert raw.recv(100).startswith(b"HTTP/1.1 413")
        assert service.verb("count", agent="a") == {"count": 0}


def test_too_many_requests_are_told_when_to_come_again(tmp_path: Path) -> None:
    with serving(folder(tmp_path / "home"), requests_per_minute=5) as service:
        told = [service.get("/v1/agents/a/count") for _ in range(7)]
        assert [one.status for one in told[:5]] == [200] * 5
        assert told[6].problem == "TooManyRequests"
        assert 1 <= int(told[6].headers["retry-after"]) <= 12
        assert service.get("/v1/agents/b/count").status == 200, "another agent is not held up"


def test_strangers_are_not_let_in_without_a_key(tmp_path: Path) -> None:
    place = folder(tmp_path / "home")
    line, environ = command(place, "--host", "0.0.0.0")
    done = subprocess.run(line, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 3
    assert "engrain keys create" in done.stderr
    with place.open() as memory:
        key = memory.keys_create("me").key
    with serving(place, "--host", "0.0.0.0") as service:
        assert service.get("/v1/agents/a/count", key=key).status == 200
        assert service.get("/v1/agents/a/count").problem == "Unauthorized"


def test_health_and_figures(service: Service) -> None:
    assert service.get("/healthz").json == {"status": "ok"}
    service.verb("remember", {"content": "counted"})
    told = service.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = told.body.decode()
    for line in text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)*\})? -?[0-9.e+-]+', line), line
    assert re.search(r'requests_total\{method="POST",route="/v1/agents/\{agent\}/remember",status="200"\} \d+', text)
    assert re.search(r'engrain_memories\{state="active"\} [1-9]', text)
    assert "engrain_background_score 100" in text


def test_a_store_that_cannot_be_read_is_told_without_its_place(place: Place) -> None:
    with serving(place) as service:
        service.verb("remember", {"content": "before"})
        if place.url is None:
            for name in (
                "engrain.db",
                "engrain.db-wal",
            ):  # the third is mapped: whoever reads it while it is cut is killed
                (place.home / name).write_bytes(b"\0" * 8192)
        else:
            with place.open() as memory:
                memory.store.migrate(1)
        told = [service.get("/healthz"), service.get("/v1/agents/worker/list")]
        assert {one.status for one in told} <= {500, 503}
        for one in told:
            assert one.problem
            assert str(place.home) not in one.body.decode()
        service.process.kill()  # it cannot end well
        service.process.wait()


def test_the_home_is_read_by_others_meanwhile(place: Place) -> None:
    with serving(place) as service, place.open() as memory:
        mine = memory.agent("worker").remember("written beside the service")
        assert service.verb("get", {"id": mine.id})["content"] == mine.content
        theirs = service.verb("remember", {"content": "written through the service"})
        assert [hit.item.id for hit in memory.agent("worker").recall("written through the service", limit=1)] == [
            theirs["id"]
        ]


def test_the_document_is_small_enough_to_be_read_and_says_its_version(document: Any) -> None:
    assert document["info"]["version"] == engrain.__version__
    assert len(json.dumps(document)) < 1_000_000


def test_the_paths_of_memory_are_no_trap_for_any_agent(tmp_path: Path) -> None:
    place, names = folder(tmp_path / "home"), ["worker", "metrics", "prune", "export", "import", "archived", "a/b"]
    with place.open() as memory:
        items = {name: memory.agent(name).remember("gone and back", expires_in="1s") for name in names}
        for name in names:
            memory.agent(name).remember("there all the time")
        time.sleep(1.01)
        memory.tick(roles=["expire"])
    with serving(place) as service:
        for name, item in items.items():
            walk(service, name, item.id)


def walk(service: Service, name: str, id_: str) -> None:
    """Archived, restored, exported and imported: by the paths of one agent."""
    part, to = quote(name, safe=""), quote(f"another {name}", safe="")
    found = service.get(f"/api/memory/{part}/archived").json
    assert [one["id"] for one in found["items"]] == [id_]
    assert service.post(f"/api/memory/{part}/restore/{id_}", {"id": "x"}).problem == "InvalidField"
    assert service.ask("POST", f"/api/memory/{part}/restore/{id_}").json["state"] == "active"
    assert service.post(f"/api/memory/{part}/restore/{id_}", {"expires_in": "2d"}).status in (404, 422)
    assert service.get("/api/memory/metrics").status == 200
    assert service.post("/api/memory/prune", {"dry_run": True}).status == 200
    told = service.ask("POST", f"/api/memory/export/{part}?format=jsonl")
    assert (told.status, told.headers["content-type"]) == (200, "application/x-ndjson")
    taken = service.ask("POST", f"/api/memory/import/{to}", told.body)
    assert taken.json["imported"] == 2, taken.body
    contents = {one["content"] for one in service.verb("list", agent=f"another {name}")["items"]}
    assert contents == {"gone and back", "there all the time"}
    refused = service.ask("POST", "/api/memory/import/x?format=jsonl", b"{]")
    assert (refused.status, service.verb("count", agent="x")) == (422, {"count": 0})
    assert service.ask("POST", f"/api/memory/export/{part}?format=pdf").problem == "InvalidField"


def test_an_import_may_be_larger_than_other_requests(tmp_path: Path) -> None:
    with serving(folder(tmp_path / "home"), request_bytes=5000) as service:
        rows = [{"content": f"{n} " + "x" * 1000} for n in range(4)]
        for row in rows:
            service.verb("remember", row)
        file = service.ask("POST", "/api/memory/export/worker").body
        assert len(file) > 5000
        assert service.ask("POST", "/api/memory/import/b", file).json["imported"] == 4
        assert service.ask("POST", "/api/memory/import/b", b"x" * 400_000).problem == "RequestTooLarge"
