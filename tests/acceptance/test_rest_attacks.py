"""What a caller of the service may try, on both engines: to reach past its key, to break it, to hold it up."""

from __future__ import annotations

import http.client
import json
import socket
import time
from contextlib import ExitStack, closing, suppress
from typing import Any
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]
import pytest

from engrain.access import Caller, Replies, Reply
from engrain.errors import StoreBusy
from engrain.shells.rest.openapi import EXAMPLES, path_of
from engrain.shells.rest.server import AT_ONCE, HEAD_SECONDS
from engrain.shells.verbs import verbs_of
from engrain.testing import SimulatedWorld
from tests.acceptance.test_rest_process import happen, listening
from tests.postgres import Place, Server
from tests.service import Service, folder, serving

PATH = "/v1/agents/worker"


def raw(service: Service, head: str, body: bytes = b"") -> str:
    """The first line of the answer to what is sent as it stands, while the client goes on waiting."""
    host, _, port = service.host.partition(":")
    with socket.create_connection((host, int(port))) as sent:
        sent.settimeout(5)
        sent.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        return sent.recv(1000).decode().partition("\r\n")[0]


def test_no_key_reaches_past_its_agents_and_its_tenant(place: Place) -> None:
    with place.open() as memory:
        some = memory.keys_create("some", "mine", ["worker"], "admin").key
        home = memory.keys_create("home", "*", rights="admin").key
        memory.keys_create("other", "other")
    with serving(place) as service:
        assert service.post("/v1/keys/create", {"name": "x", "rights": "admin"}, key=some).problem == "Forbidden"
        assert service.get("/v1/keys/list", key=some).problem == "Forbidden"
        assert service.get("/v1/metrics", key=some).problem == "Forbidden"
        named = service.get("/v1/keys/list", key=home, X_Engrain_Tenant="other").json["keys"]
        assert [one["tenant"] for one in named] == ["other"], "who names a tenant means only that"
        assert service.post("/v1/prune", key=home, X_Engrain_Tenant="other").problem == "Forbidden"
        assert service.post("/v1/prune", key=home).status == 200
        for tenant in ("%00", "", "%2A", "x" * 129):
            asked: dict[str, Any] = {"key": home, "X_Engrain_Tenant": tenant}
            assert service.get("/v1/events", **asked).problem == "InvalidField"
            told = service.post(f"{PATH}/remember", {"content": "x"}, Idempotency_Key="k", **asked)
            assert told.problem == "InvalidField"


def test_a_key_is_shown_once_and_kept_nowhere(place: Place) -> None:
    with serving(place) as service, place.open() as memory:
        asked: dict[str, Any] = {"path": "/v1/keys/create", "body": {"name": "x"}, "Idempotency_Key": "once"}
        owner = memory.keys_create("home", "*", rights="admin").key
        first, repeat = (service.post(**asked, key=owner) for _ in range(2))
        assert repeat.headers["idempotent-replayed"] == "true"
        assert repeat.json == {**first.json, "key": None}
        secret = first.json["key"].split("_")[2]
        rows = memory.store.read("reply_find", {"tenant": "default", "owner": str(owner).split("_")[1], "key": "once"})
        assert rows[0]["status"] == 200
        assert secret not in rows[0]["body"]
        for path in memory.home.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes()


def test_no_text_is_a_fault_of_ours(place: Place) -> None:
    """PostgreSQL cannot hold a NUL, and no UTF-8 a lone surrogate: every text of every verb is asked about both."""
    with serving(place) as service:
        for verb in verbs_of("rest"):
            given = {one.name: EXAMPLES.get(one.name, "x") for one in verb.fields if one.required}
            for one in verb.fields:
                for odd in ("a\0b", "\ud800"):
                    value = {"words": [odd], "kinds": [odd], "object": {odd: odd}, "rows": [{odd: odd}]}.get(
                        one.type, odd
                    )
                    told = service.post(path_of(verb).format(agent="worker"), {**given, one.name: value})
                    assert told.status < 500, (verb.name, one.name, odd, told.body)
        for agent in ("a%00b", "%00"):
            assert service.get(f"/v1/agents/{agent}/count").problem == "InvalidField"


def test_an_answer_that_cannot_be_kept_is_kept_later(place: Place) -> None:
    """A repeat must not hear for ever that the first request is running."""
    world, me = SimulatedWorld(), Caller("k", "t", None, "write")
    with place.open(world=world) as memory, place.open(world=world, busy_seconds=0.2) as other:
        replies = Replies(other.store, world)
        for key in ("done", "fault"):
            assert replies.claim(me, key, "d", again=False).state == "mine"
        with suppress(KeyboardInterrupt), memory.store.transaction("t") as tx:  # of another process, which dies
            for key in ("done", "fault"):
                tx.run("reply_drop", {"tenant": "t", "owner": "k", "key": key, "holder": replies._holder})
            replies.settle(me, "done", 200, "its answer")
            replies.settle(me, "fault", 503, "")
            with pytest.raises(StoreBusy):
                replies.beat()
            raise KeyboardInterrupt
        assert replies.claim(me, "done", "d", again=False).state == "running"
        replies.beat()
        assert replies.claim(me, "done", "d", again=False) == Reply("done", 200, "its answer")
        assert replies.claim(me, "fault", "d", again=False).state == "mine"


def test_nobody_is_waited_for_who_has_no_good_key(place: Place) -> None:
    with place.open() as memory:
        memory.keys_create("x")
    with serving(place) as service:
        start = time.monotonic()
        for path in (f"{PATH}/remember", "/api/memory/import/worker", "/api/memory/import/restore/x", "/mcp/worker"):
            for size in ("Content-Length: 1000", "Transfer-Encoding: chunked"):
                told = raw(service, f"POST {path} HTTP/1.1\nHost: x\nAuthorization: Bearer eg_a_b\n{size}")
                assert told == "HTTP/1.1 401 Unauthorized", (path, size)
        assert time.monotonic() - start < 10


def test_only_an_import_may_be_large(place: Place) -> None:
    large = b"{" + b" " * 5000 + b"}"
    with serving(place, request_bytes=4096) as service:
        for path, status in (("import/worker", 422), ("import/restore/x", 413), ("import/", 413), ("worker", 413)):
            told = service.post(f"/api/memory/{path}", large, Content_Type="application/json")
            assert told.status == status, (path, told.body)


def test_an_event_id_from_the_future_loses_no_event(tmp_path: Any) -> None:
    """As after a backup was restored: the client knows of more than there is."""
    place = folder(tmp_path / "home")
    with serving(place) as service, place.open() as memory:
        happen(memory, "default", "before")
        with listening(service, Last_Event_ID="999999-0") as events:
            happen(memory, "default", "after")
            assert next(events)["memory_id"] == "after"
        assert service.get("/v1/agents/worker/count/").problem == "NoSuchPath"
        assert raw(service, "GET /mcp/worker HTTP/1.1\nHost: localhost\nAccept: text/event-stream") == (
            "HTTP/1.1 405 Method Not Allowed"
        )
        assert json.loads(service.get("/healthz").body) == {"status": "ok"}


@pytest.mark.slow
def test_a_connection_without_a_request_is_ended(tmp_path: Any) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    with serving(folder(tmp_path / "home")) as service, ExitStack() as stack:
        host, _, port = service.host.partition(":")
        slow = [stack.enter_context(socket.create_connection((host, int(port)), timeout=30)) for _ in range(3)]
        used = stack.enter_context(closing(http.client.HTTPConnection(service.host)))
        used.connect()
        same = used.sock
        for one, sent in zip(slow, (b"", head, head + b"\r\n" + head), strict=True):
            one.sendall(sent)
        start = time.monotonic()
        while time.monotonic() - start < 2.5 * HEAD_SECONDS:  # one that is used stays
            used.request("GET", "/healthz")
            assert used.getresponse().read() == b'{"status":"ok"}'
            time.sleep(0.5)
        assert used.sock is same
        for one in slow:
            one.settimeout(1)
            while one.recv(4096):
                pass


@pytest.mark.postgres
@pytest.mark.parametrize("engine", ["server"], indirect=True)
@pytest.mark.slow
def test_health_is_told_soon_when_the_store_is_not_reached(place: Place, server: Server) -> None:
    with serving(place) as service:
        assert service.get("/healthz").status == 200
        name = urlsplit(str(place.url)).path[1:]
        server.run(f"alter database {name} allow_connections false")
        server.run(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
        start = time.monotonic()
        told = service.get("/healthz")
        assert (told.status, told.problem) == (503, "StoreUnavailable")
        assert time.monotonic() - start < 8
        server.run(f"alter database {name} allow_connections true")
        for _ in range(100):
            if service.get("/healthz").status == 200:
                break
            time.sleep(0.2)
        assert service.verb("count") == {"count": 0}


@pytest.mark.slow
@pytest.mark.parametrize("late", [0.0, 0.05, 0.3, 0.7])
def test_workers_end_when_asked_while_one_of_them_is_followed(tmp_path: Any, late: float) -> None:
    """The end may be asked for while a worker that died is being waited for, or the next is beginning."""
    with serving(folder(tmp_path / "home"), "--workers", "2") as service:
        time.sleep(AT_ONCE + 0.1)
        psutil.Process(service.process.pid).children()[0].kill()
        time.sleep(late)
        code, err = service.stop()
        assert "Traceback" not in err
        assert code == 0 or late == 0.0, "when the end comes first, the worker has died at it"
