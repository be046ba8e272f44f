"""An object store on loopback that speaks the S3 protocol, and what can go wrong between it and us."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

BUCKET = "cold"


@dataclass
class Objects:
    """A server that has one bucket."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> Any:
        secret = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client("s3", endpoint_url=self.url, region_name="us-east-1", **secret)

    def names(self) -> list[str]:
        found = self.client().list_objects_v2(Bucket=BUCKET)
        return [one["Key"] for one in found.get("Contents", ())]


def environment(url: str) -> dict[str, str]:
    """What tells the archive where the store is, and who it is."""
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    return {**keys, "AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true"}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def serving() -> Iterator[Objects]:
    port = free_port()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONWARNINGS": "ignore"}, **quiet)  # type: ignore[call-overload]
    try:
        until = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        found = Objects(process, port)
        found.client().create_bucket(Bucket=BUCKET)
        yield found
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def objects() -> Iterator[Objects]:
    with serving() as found:
        yield found


@pytest.fixture
def proxy(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Between the archive and the object store."""
    found = Proxy(objects.port)
    for name, value in environment(found.url).items():
        monkeypatch.setenv(name, value)
    yield found
    found.close()


_ANSWERS = {"refused": b"HTTP/1.1 500 Broken", "denied": b"HTTP/1.1 403 Forbidden"}


class Proxy:
    """Stands before the server. The ``fails``-th request and those after it, as many as ``times``, end ``how``:
    "refused" (an error of the server), "denied" (the key is wrong), "cut" (the connection breaks before the server
    hears of it), "lost" (it is done, but nobody is told) or "hangs"."""

    def __init__(self, port: int) -> None:
        self._target, self.port = port, free_port()
        self.seen, self.fails, self.times, self.how = 0, 0, 1, "refused"
        self._lock, self._door = threading.Lock(), socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fail(self, nth: int, how: str, times: int = 1) -> None:
        with self._lock:
            self.seen, self.fails, self.how, self.times = 0, nth, how, times

    def close(self) -> None:
        self._door.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._door.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as far:
            while request := _message(near):
                with self._lock:
                    self.seen += 1
                    bad = self.fails <= self.seen < self.fails + self.times
                if bad and self.how == "cut":
                    return
                if bad and self.how in _ANSWERS:
                    near.sendall(_ANSWERS[self.how] + b"\r\nContent-Length: 0\r\n\r\n")
                    continue
                if bad and self.how == "hangs":
                    time.sleep(100)
                far.sendall(request)
                answer = _message(far, head=request.startswith(b"HEAD"))
                if bad:
                    return
                near.sendall(answer)


def _message(one: socket.socket, head: bool = False) -> bytes:
    """A whole request or answer: its head, and as much as its Content-Length or its chunks say."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = one.recv(1 << 16)
        if not part:
            return data
        data += part
    top, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in top.split(b"\r\n")[1:] if b": " in line)
    if head or b" 304 " in top[:20] or b" 204 " in top[:20]:
        return data
    if fields.get(b"transfer-encoding") == b"chunked":
        while not body.endswith(b"0\r\n\r\n"):
            body += one.recv(1 << 16)
    length = int(fields.get(b"content-length", b"0"))
    while len(body) < length:
        part = one.recv(1 << 16)
        if not part:
            return b""
        body += part
    return top + b"\r\n\r\n" + body
