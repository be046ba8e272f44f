"""The service as a process: events of others, MCP, a signal in the middle of its work, a flood."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp
import psutil  # type: ignore[import-untyped]
import pytest
from mcp.client.streamable_http import streamable_http_client

from engrain.memory import Memory
from engrain.store.transitions import Transition, log
from tests.postgres import Place
from tests.service import Service, command, folder, serving


def happen(memory: Memory, tenant: str, *ids: str, agent: str = "worker") -> None:
    """A transition of each memory, as another process would write it."""
    with memory.store.transaction(tenant) as tx:
        rows = [Transition(id_, agent, "memory:pinned", "active", "active", "old", "role:test") for id_ in ids]
        log(tx, tenant, memory.world.now(), rows)


@contextmanager
def listening(service: Service, path: str = "/v1/events", **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of a stream as they come; its first line has been read."""
    connection = http.client.HTTPConnection(service.host, timeout=20)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    stream = connection.getresponse()
    assert stream.status == 200, stream.read()
    assert stream.getheader("content-type", "").startswith("text/event-stream")

    def read() -> Iterator[dict[str, Any]]:
        found: dict[str, str] = {}
        while line := stream.readline().decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                found[name] = value
            else:
                if "data" in found:
                    yield {"name": found["event"], **json.loads(found["data"])}
                    assert json.loads(found["data"])["id"] == found["id"]
                found = {}

    try:
        assert stream.readline() == b"retry: 1000\n"
        yield read()
    finally:
        connection.close()


def test_events_of_other_processes_come_and_are_taken_up_again(place: Place) -> None:
    with serving(place) as service, place.open() as memory:
        happen(memory, "default", "before")
        with listening(service) as events:
            happen(memory, "default", "a", "b")
            happen(memory, "other", "hidden")
            happen(memory, "default", "c", agent="mate")
            start = time.monotonic()
            seen = [next(events) for _ in range(3)]
            assert time.monotonic() - start < 5
        assert [one["memory_id"] for one in seen] == ["a", "b", "c"]
        assert {name: seen[0][name] for name in ("name", "event", "agent", "new", "reason", "actor")} == {
            "name": "memory:pinned", "event": "memory:pinned", "agent": "worker", "new": "active",
            "reason": "old", "actor": "role:test",
        }  # fmt: skip
        happen(memory, "default", "d")
        with listening(service, Last_Event_ID=seen[0]["id"]) as events:
            assert [next(events)["memory_id"] for _ in range(3)] == ["b", "c", "d"]
        with listening(service, "/v1/events?agent=mate&after=0-0") as events:
            assert next(events)["memory_id"] == "c"


def test_events_are_those_of_the_key_and_end_with_it(place: Place) -> None:
    with serving(place) as service, place.open() as memory:
        made = memory.keys_create("listener", "mine", ["worker"], "read")
        with listening(service, "/v1/events", Authorization=f"Bearer {made.key}") as events:
            happen(memory, "default", "theirs")
            happen(memory, "mine", "hidden", agent="mate")
            happen(memory, "mine", "mine")
            assert next(events)["memory_id"] == "mine"
            memory.keys_revoke(made.id)
            assert list(events) == []
        assert service.get("/v1/events?agent=mate", key=memory.keys_create("x", "mine", ["worker"]).key).status == 403


def test_a_signal_ends_the_streams_of_events(tmp_path: Path) -> None:
    with serving(folder(tmp_path / "home")) as service, listening(service) as events:
        assert service.stop() == (0, "")
        assert list(events) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_under_load_loses_nothing_that_was_acknowledged(place: Place, number: int) -> None:
    told: list[str] = []
    read: list[str] = []

    def tell(service: Service, worker: int) -> None:
        with closing(http.client.HTTPConnection(service.host, timeout=20)) as connection:
            for n in range(10_000):
                body = json.dumps({"content": f"note {n} of {worker}"})
                try:
                    connection.request("POST", "/v1/agents/worker/remember", body, {"Content-Type": "application/json"})
                    answer = connection.getresponse()
                    item = json.loads(answer.read())
                except (OSError, http.client.HTTPException):
                    return
                assert answer.status in (200, 503), item
                if answer.status == 200:
                    told.append(item["id"])

    with serving(place) as service:
        first = service.verb("remember", {"content": "what is read"})["id"]
        workers = [threading.Thread(target=tell, args=(service, n)) for n in range(4)]
        for worker in workers:
            worker.start()
        while len(told) < 40:
            time.sleep(0.01)
            service.verb("get", {"id": first})
            read.append(first)
        code, err = service.stop(number)
        for worker in workers:
            worker.join()
    assert (code, "Traceback" in err) == (0, False), err
    with place.open() as memory:
        agent = memory.agent("worker")
        kept = {item.id for item in agent.list(limit=10_000)}
        assert set(told) <= kept
        assert len(kept) == len(told) + 1 or len(kept) <= len(told) + 1 + len(workers), "at most the unacknowledged"
        item = next(one for one in agent.list(limit=1))
        assert item.read == len(read), "signals of use were buffered, and written at the end"


@pytest.mark.slow
def test_a_killed_server_has_kept_what_it_acknowledged(place: Place) -> None:
    with serving(place) as service:
        ids = [service.verb("remember", {"content": f"note {n}"}, Idempotency_Key=f"k{n}")["id"] for n in range(5)]
        service.process.kill()
        service.process.wait()
    with serving(place) as service:
        again = [service.verb("remember", {"content": f"note {n}"}, Idempotency_Key=f"k{n}")["id"] for n in range(5)]
        assert again == ids
        assert service.verb("count") == {"count": 5}


@pytest.mark.slow
def test_reads_are_answered_while_a_write_waits(tmp_path: Path) -> None:
    place = folder(tmp_path / "home")
    with serving(place, busy_seconds=0.3) as service, place.open() as memory:
        service.verb("remember", {"content": "there"})
        with memory.store.transaction("default") as tx:
            tx.read("scope_bump", {"tenant": "default", "name": "x", "purges": 0})
            found: list[Any] = []
            waiting = [
                threading.Thread(
                    target=lambda: found.append(service.post("/v1/agents/worker/remember", {"content": "x"}))
                )
                for _ in range(10)
            ]
            for one in waiting:
                one.start()
            for _ in range(20):
                assert service.verb("count") == {"count": 1}
            for one in waiting[:8]:
                one.join()
        for one in waiting:
            one.join()
        assert {one.status for one in found} <= {200, 503}
        busy = [one for one in found if one.status == 503]
        assert {one.problem for one in busy} == {"StoreBusy"}
        assert all(one.headers["retry-after"] for one in busy)


def test_garbage_and_slow_clients_hold_nobody_up(tmp_path: Path) -> None:
    with serving(folder(tmp_path / "home")) as service:
        address = service.host.split(":")[0], int(service.host.split(":")[1])
        slow = [socket.create_connection(address) for _ in range(100)]
        for one in slow:
            one.sendall(b"POST /v1/agents/a/remember HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        for junk in (b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"\0" * 5000, b"A" * 100_000):
            with socket.create_connection(address) as raw:
                raw.sendall(junk)
                raw.settimeout(2)
                assert raw.recv(1000).startswith(b"HTTP/1.1 400")
        start = time.monotonic()
        assert service.verb("count", agent="a") == {"count": 0}
        assert time.monotonic() - start < 2
        for one in slow:
            one.close()


# -- MCP --------------------------------------------------------------------------------------------------------------


def with_client(service: Service, agent: str, key: str | None, use: Any, old: bool = False) -> None:
    """Use the tools of an agent over HTTP."""
    import httpx2

    async def run() -> None:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(headers=headers, timeout=20) as http_client:
            transport = streamable_http_client(f"{service.url}/mcp/{agent}", http_client=http_client)
            with anyio.fail_after(30):
                async with mcp.Client(transport, mode="legacy" if old else "auto") as client:
                    await use(client)

    anyio.run(run)


@pytest.mark.parametrize("old", [False, True])
def test_mcp_over_http(tmp_path: Path, old: bool) -> None:
    place = folder(tmp_path / "home")
    with serving(place) as service, place.open() as memory:
        write, read = (memory.keys_create("m", "lab", ["worker"], rights).key for rights in ("write", "read"))

        async def tell(client: mcp.Client) -> None:
            assert len((await client.list_tools()).tools) <= 12
            told = await client.call_tool("remember", {"content": "told over MCP"})
            assert not told.is_error
            assert told.structured_content["agent"] == "worker"

        async def look(client: mcp.Client) -> None:
            hits = (await client.call_tool("recall", {"query": "told over MCP"})).structured_content["hits"]
            assert [hit["item"]["content"] for hit in hits] == ["told over MCP"]
            refused = await client.call_tool("remember", {"content": "x"})
            assert refused.is_error
            assert "may only read" in str(refused.content[0])

        with_client(service, "worker", write, tell, old)
        with_client(service, "worker", read, look, old)
        assert service.verb("count", key=read) == {"count": 1}
        for agent, key, status in (("worker", None, 401), ("mate", write, 403), ("worker", "eg_a_b", 401)):
            assert service.post(f"/mcp/{agent}", {"jsonrpc": "2.0"}, key=key).status == status


# -- several workers --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_workers_share_the_port_the_figures_and_what_is_remembered(place: Place) -> None:
    with serving(place, "--workers", "2") as service:
        workers = psutil.Process(service.process.pid).children()
        assert len(workers) == 2
        for n in range(30):
            service.verb("remember", {"content": f"note {n}"})
        assert service.verb("count") == {"count": 30}
        told = service.get("/metrics").body.decode()
        assert 'requests_total{method="POST",route="/v1/agents/{agent}/remember",status="200"} 30' in told
        time.sleep(5.1)  # a worker that dies sooner is not followed by another
        workers[0].kill()
        end = time.monotonic() + 20
        while set(psutil.Process(service.process.pid).children()) <= set(workers):
            assert time.monotonic() < end, "no worker has followed"
            time.sleep(0.05)
        assert service.verb("count") == {"count": 30}
        code, err = service.stop()
        assert code == 0
        assert "another follows" in err


def test_workers_that_cannot_begin_end_it(tmp_path: Path) -> None:
    place = folder(tmp_path / "home")
    with place.open():
        pass
    line, environ = command(place, "--workers", "2")
    environ["ENGRAIN_EMBEDDER"] = "hash"
    (tmp_path / "home" / "engrain.db").write_bytes(b"\0" * 4096)
    done = subprocess.run(line, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 3
    assert "error:" in done.stderr
