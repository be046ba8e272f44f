"""The REST service on loopback: recall, get and remember by one client and by sixteen, beside the bare framework.

A server process serves the ten LoCoMo conversations as ten agents; this process is the clients, on connections that
stay open, in one loop of plain sockets, so that it takes as little of the machine as it can. The limit is the same
server program (uvicorn, FastAPI) answering a constant from an empty route: what no service built on it can beat.

    python bench/rest.py                 # ENGRAIN_DATA names the folder of the public data sets
    python bench/rest.py --seconds 10
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import sets  # type: ignore[import-not-found]  # beside this file

import engrain

BARE = """
import uvicorn
from fastapi import FastAPI, Request, Response
app = FastAPI()
@app.post("/constant")
async def constant(request: Request) -> Response:
    await request.body()
    return Response(b'{"hits":[]}', media_type="application/json")
config = uvicorn.Config(app, port=0, log_config=None, access_log=False)
server = uvicorn.Server(config)
socket = config.bind_socket()
socket.listen(64)
print('{"url": "http://127.0.0.1:%d"}' % socket.getsockname()[1], flush=True)
server.run(sockets=[socket])
"""


@contextmanager
def running(command: list[str], home: Path) -> Iterator[tuple[int, psutil.Process]]:
    """A server process; its port."""
    environ = {**os.environ, "ENGRAIN_HOME": str(home)}
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True, env=environ)
    try:
        assert process.stdout is not None
        port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


class Connection:
    """One client's connection."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def open(self) -> Connection:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def post(self, path: str, body: bytes) -> bytes:
        """The body of the answer, which must be a good one."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        self._writer.write(head.encode() + b"\r\n\r\n" + body)
        told = await self._reader.readuntil(b"\r\n\r\n")
        size = next(line for line in told.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        answer = await self._reader.readexactly(int(size[15:]))
        assert told.startswith(b"HTTP/1.1 200"), answer
        return answer


async def measure(
    port: int, clients: int, seconds: float, ask: Callable[[int], tuple[str, bytes]]
) -> tuple[float, float, float]:
    """Milliseconds of the median and the 99th percentile, and requests per second."""
    connections = [await Connection(port).open() for _ in range(clients)]
    times: list[float] = []
    number = iter(range(10**9))
    end = time.perf_counter() + seconds

    async def one(connection: Connection) -> None:
        while (start := time.perf_counter()) < end:
            await connection.post(*ask(next(number)))
            times.append(time.perf_counter() - start)

    begun = time.perf_counter()
    await asyncio.gather(*map(one, connections))
    rate = len(times) / (time.perf_counter() - begun)
    p50, p99 = np.percentile(times, [50, 99]) * 1000
    return float(p50), float(p99), rate


def fill(home: Path) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
    """Remember the conversations; the recalls and the gets that can be asked of them."""
    recalls, gets = [], []
    with engrain.open(home) as memory:
        for talk in sets.locomo():
            items = memory.agent(talk.name).remember_many(talk.rows)
            path = f"/v1/agents/{talk.name}"
            recalls += [(path + "/recall", _body(query=one.text)) for one in talk.questions]
            gets += [(path + "/get", _body(id=item.id)) for item in items]
    order = np.random.default_rng(1)
    return [recalls[i] for i in order.permutation(len(recalls))], [gets[i] for i in order.permutation(len(gets))]


def _body(**given: Any) -> bytes:
    return json.dumps(given).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="for each figure")
    parser.add_argument("--workers", type=int, default=2, help="processes of the service")
    chosen = parser.parse_args()
    seconds = chosen.seconds
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}\n")
    print("| asked | clients | p50 ms | p99 ms | requests/s | server's CPU ms |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        recalls, gets = fill(home)
        told = time.time_ns()
        asked: dict[str, Callable[[int], tuple[str, bytes]]] = {
            "recall": lambda n: recalls[n % len(recalls)],
            "get": lambda n: gets[n % len(gets)],
            "remember": lambda n: ("/v1/agents/writer/remember", _body(content=f"note {told + n} about the release")),
        }
        with running(["-m", "engrain", "serve", "--port", "0", "--workers", str(chosen.workers)], home) as (
            port,
            server,
        ):
            for ask in asked.values():  # what is loaded at first use
                asyncio.run(measure(port, 4, 2.0, ask))
            for name, ask in asked.items():
                show(name, port, server, seconds, ask)
        with running(["-c", BARE], home) as (port, server):
            show(
                "the bare framework, a constant",
                port,
                server,
                seconds,
                lambda n: ("/constant", recalls[n % len(recalls)][1]),
            )


def show(name: str, port: int, server: psutil.Process, seconds: float, ask: Callable[[int], tuple[str, bytes]]) -> None:
    for clients in (1, 16):
        before = spent(server)
        p50, p99, rate = asyncio.run(measure(port, clients, seconds, ask))
        each = (spent(server) - before) / (rate * seconds) * 1000
        print(f"| {name} | {clients} | {p50:.2f} | {p99:.2f} | {rate:,.0f} | {each:.2f} |", flush=True)


def spent(server: psutil.Process) -> float:
    """Seconds of processor time of a server and its workers."""
    return float(sum(sum(one.cpu_times()[:2]) for one in (server, *server.children())))


if __name__ == "__main__":
    main()
