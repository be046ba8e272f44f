"""A running service for tests: a real process on a free port, and what asks it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from tests.children import ROOT
from tests.postgres import Place


@dataclass(frozen=True)
class Told:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The name of the problem that it is."""
        assert self.headers["content-type"] == "application/problem+json", (self.status, self.body)
        told = self.json
        assert set(told) == {"type", "title", "status", "detail"}
        assert told["status"] == self.status
        assert "Traceback" not in told["detail"]
        return str(told["type"].removeprefix("https://engrain.dev/errors/"))


class Service:
    """A server process, asked over HTTP."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        self.host = urlsplit(url).netloc

    def ask(self, method: str, path: str, body: Any = None, key: str | None = None, **headers: str) -> Told:
        """One request on a connection of its own. ``body``: bytes as they are, anything else as JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request(method, path, body, sent)
            found = connection.getresponse()
            return Told(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())
        finally:
            connection.close()

    def post(self, path: str, body: Any = None, **given: Any) -> Told:
        return self.ask("POST", path, {} if body is None else body, **given)

    def get(self, path: str, **given: Any) -> Told:
        return self.ask("GET", path, **given)

    def verb(self, name: str, body: Any = None, agent: str = "worker", **given: Any) -> Any:
        """What a verb of an agent answers; it must be good."""
        told = self.post(f"/v1/agents/{quote(agent, safe='')}/{name}", body, **given)
        assert told.status == 200, told.body
        return told.json

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End it by a signal; its exit code and what it said on stderr."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=30)
        return self.process.returncode, err


def command(place: Place, *words: str) -> tuple[list[str], dict[str, str]]:
    """The words and the environment that serve a place."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ENGRAIN_")}
    environ |= {"ENGRAIN_HOME": str(place.home), "ENGRAIN_EMBEDDER": "hash", "PYTHONPATH": os.pathsep.join(sys.path)}
    return [sys.executable, "-m", "engrain", "serve", "--home", place.location, "--port", "0", *words], environ


@contextmanager
def serving(place: Place, *words: str, **settings: object) -> Iterator[Service]:
    """A server of a place, ended afterwards if it was not before; it must have had no fault of its own."""
    line, environ = command(place, *words)
    environ |= {f"ENGRAIN_{name.upper()}": str(value) for name, value in settings.items()}
    process = subprocess.Popen(line, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said, process.communicate()[1]
        yield Service(process, json.loads(said)["url"])
        if process.poll() is None:
            process.terminate()
            assert process.wait(20) == 0
            assert process.stderr is not None
            err = process.stderr.read()
            assert "Traceback" not in err, err
    finally:
        process.kill()
        process.communicate()


def folder(path: Path) -> Place:
    """A place in a folder, for tests that need no other engine."""
    return Place(path)
