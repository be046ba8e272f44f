"""Homes of every released schema are opened, used and taken back, on both engines, without losing anything."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from engrain.testing import SimulatedWorld
from tests.postgres import Place
from tests.upgrade.make import FOLDER, answers

VERSIONS = sorted(FOLDER.glob("v*.sql"), key=lambda path: int(re.sub(r"\D", "", path.stem)))
LATER = "2026-02-01T00:00:00Z"


def restored(place: Place, dump: Path) -> int:
    """Put the dump of a released schema where a home is expected; its version."""
    version = int(dump.stem.removeprefix("v"))
    place.home.mkdir(parents=True)
    path = place.home / ("engrain.db" if place.url is None else "dump.db")
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(dump.read_text(encoding="utf-8"))
        database.commit()
        if place.url is not None:
            store = place.store()
            store.migrate(version)
            copy(database, place.url)
    return version


def copy(source: sqlite3.Connection, url: str) -> None:
    """Every row of every table, into the tables of a server that have the same columns."""
    tables = [
        row[0]
        for row in source.execute("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
    ]
    order = [
        "memories",
        *(table for table in ("recall_questions", "patterns") if table in tables),
        *(table for table in tables if table not in ("memories", "schema_migrations")),
    ]
    with psycopg.connect(url) as connection:
        connection.execute("select set_config('engrain.tenant', '*', false)")
        for table in dict.fromkeys(order):
            cursor = source.execute(f"select * from {table}")
            columns = [column[0] for column in cursor.description]
            text = sql.SQL("insert into {} ({}) values ({})").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, columns)),
                sql.SQL(", ").join([sql.Placeholder()] * len(columns)),
            )
            for row in cursor.fetchall():
                connection.execute(text, row)


def expected(dump: Path) -> Any:
    return json.loads(dump.with_suffix(".json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("dump", VERSIONS, ids=lambda path: path.stem)
def test_it_says_what_it_said_when_it_was_released(make_place: Callable[..., Place], dump: Path) -> None:
    place = make_place(empty=True)
    restored(place, dump)
    with place.open(world=SimulatedWorld(LATER)) as memory:
        have, need = memory.store.schema()
        assert have == need
        assert answers(memory) == expected(dump)
        assert memory.doctor().ok
        memory.rebuild()
        assert answers(memory) == expected(dump), "what is derived is not what was derived"


@pytest.mark.parametrize("dump", VERSIONS, ids=lambda path: path.stem)
def test_it_is_used_and_taken_back(make_place: Callable[..., Place], dump: Path) -> None:
    place = make_place(empty=True)
    version = restored(place, dump)
    world = SimulatedWorld(LATER, seed=9)
    with place.open(world=world, echo_minutes=0) as memory:
        assert memory.lifecycle() is (version >= 5), "off in a home that is upgraded from before there was one"
        agent = memory.agent("ann", tenant="acme")
        current = agent.lookup("fact", "retry")
        assert current is not None
        newer = agent.remember("the upload is not retried", kind="fact", key="retry")
        assert [item.id for item in agent.history("fact", "retry")][:2] == [newer.id, current.id]
        assert agent.forget(newer.id)
        assert agent.history("fact", "retry") == []
        experience = agent.experiences("task")[0]
        assert experience.decision_id is not None
        memory.store.migrate(version)
        assert memory.store.schema()[0] == version
        memory.store.migrate()
        assert agent.count() == len(expected(dump)["acme/ann"]["items"]) - 1
        assert memory.doctor().ok
        memory.store.migrate(0)
        assert memory.store.schema()[0] == 0
    with place.open(world=world) as memory:
        assert memory.agent("ann", tenant="acme").count() == 0


def test_the_present_schema_is_kept() -> None:
    """Who changes the schema adds its file; before a release also after an edit: python -m tests.upgrade.make."""
    from engrain.store import statements

    steps = statements.migrations("sqlite")
    assert VERSIONS[-1].stem == f"v{len(steps)}"
    kept = VERSIONS[-1].read_text(encoding="utf-8")
    assert [step.checksum for step in steps if step.checksum not in kept] == []
