"""SQL over the archive is sealed: it reads no file, changes nothing, tells nothing of the machine, and ends."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engrain
from engrain import Memory
from engrain.archive.frames import Closed, Frames, Late
from engrain.archive.views import columns_of
from engrain.errors import QueryLimit, QueryRefused
from tests.cold import freeze


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    folder = tmp_path_factory.mktemp("home")
    os.environ["SECRET_OF_THE_MACHINE"] = "hunter2"
    with engrain.open(folder, embedder="hash", query_megabytes=256) as memory:
        freeze(memory, [{"content": "word " * 50} for _ in range(2000)])
        before = digest(folder / "archive")
        yield memory
        assert digest(folder / "archive") == before, "the archive was changed"


def digest(folder: Path) -> str:
    told = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        told.update(str(path).encode() + (path.read_bytes() if path.is_file() else b""))
    return told.hexdigest()


FILES = [
    "select * from read_text('/etc/passwd')", "select * from read_blob('/etc/passwd')",
    "select * from read_csv('/etc/passwd')", "select * from read_csv_auto('/etc/passwd')", "from '/etc/passwd'",
    'select * from "/etc/passwd"', "select * from 'archive/memories/*.parquet'", "from glob('/*')",
    "select * from parquet_metadata('x.parquet')", "select * from parquet_schema('x.parquet')",
    "select * from read_parquet('{archive}/memories/**/*.parquet')", "select * from parquet_scan('{archive}/x')",
    "select * from read_json('/etc/passwd')", "select * from sniff_csv('/etc/passwd')",
    "select * from read_duckdb('{archive}/x')", "select * from delta_scan('{archive}/memories')",
    "select * from sqlite_scan('{home}/engrain.db', 'memories')", "select * from iceberg_scan('{archive}')",
    "select content from read_text('/proc/self/environ')", "from read_ndjson_objects('/etc/passwd')",
]  # fmt: skip
NETWORK = [
    "from 'http://127.0.0.1:1/x.csv'", "select * from read_csv('https://127.0.0.1:1/x.csv')",
    "select * from read_parquet('s3://bucket/x')", "select * from read_text('hf://datasets/x')",
    "select * from postgres_scan('host=127.0.0.1', 'public', 'memories')", "load httpfs", "install httpfs",
    "select http_get('http://127.0.0.1:1')",
]  # fmt: skip
CHANGES = [
    "attach '{home}/engrain.db' as x", "attach ':memory:' as x", "detach memory", "use memory", "checkpoint",
    "copy history to '{archive}/memories/x.parquet'", "copy (select 1) to '/dev/null'", "copy history from 'x.csv'",
    "export database '{archive}'", "import database '{archive}'", "create table x as select 1",
    "create view x as select 1",
    "create temp table x(i int)", "create macro m() as 1", "create secret (type s3)", "create schema x",
    "create type t as enum ('a')", "create sequence s", "insert into history values (1)", "delete from history",
    "update history set content = ''", "drop view history", "alter view history rename to h", "truncate history",
    "merge into history using history h on true when matched then delete", "vacuum", "analyze", "begin", "commit",
    "rollback", "set memory_limit = '100GB'", "set enable_external_access = true", "reset memory_limit",
    "set variable x = 1", "pragma database_list", "pragma enable_profiling", "pragma memory_limit = '9GB'",
    "call pragma_version()", "explain select 1", "explain analyze select * from history", "prepare p as select 1",
    "execute p", "deallocate p", "comment on view history is 'x'", "load json", "install json", "force install json",
    "with x as (insert into history values (1) returning *) select * from x",
    "with x as (delete from history returning *) select * from x", "select * from checkpoint()",
    "select * from enable_logging()", "select * from enable_profiling()", "select write_log('x')",
    "select nextval('s')", "update extensions", "kill 1", "grant all on history to public",
]  # fmt: skip
MACHINE = [
    "select getenv('SECRET_OF_THE_MACHINE')", "select current_setting('secret_directory')",
    "select * from duckdb_settings()", "select * from duckdb_secrets()", "select * from duckdb_extensions()",
    "select * from duckdb_databases()", "select * from pg_settings", "select * from pg_catalog.pg_settings",
    "select * from duckdb_temporary_files()", "select * from pragma_database_size()", "select getvariable('x')",
    "select * from duckdb_logs", "select * from which_secret('s3://x', 's3')", "select * from pragma_platform()",
    "select * from duckdb_prepared_statements()", "select * from pandas_scan(1)", "select * from memory_secret",
    "select * from environ", "select * from os", "select * from frames", "select * from standings",
    "select * from self",
    "select system.main.current_setting('home_directory')", "select pg_sleep(10)", "select sleep_ms(1000)",
]  # fmt: skip
TRICKS = [
    "select 1; select 2", "select 1; drop view history", ";", ";;", "-- nothing", "/* nothing */", "select 1 /*", "",
    "select 1;\n--\n;select 2", "/*! drop view history */ attach ''", "select 1 union all attach 'x'", "\0",
    "select '\0'; x",
    "pivot history on kind using count(*)", "select * from (pivot history on kind using count(*))", "from",
    "𝒮elect 1",
    "select " + "(" * 50_000 + "1" + ")" * 50_000, "select " + "1+" * 40_000 + "1", "select '" + "x" * 200_000 + "'",
    "select " + "[" * 20_000 + "1" + "]" * 20_000, "values " + ",".join("(1)" for _ in range(60_000)),
]  # fmt: skip


@pytest.mark.parametrize("statement", [*FILES, *NETWORK, *CHANGES, *MACHINE])
def test_it_is_refused(memory: Memory, statement: str) -> None:
    text = statement.format(home=memory.home, archive=memory.home / "archive")
    with pytest.raises(QueryRefused) as caught:
        memory.archive.sql(text)
    told = str(caught.value)
    assert "root:" not in told
    assert "hunter2" not in told
    assert len(told) < 700


@pytest.mark.parametrize("statement", TRICKS, ids=range(len(TRICKS)))
def test_a_trick_is_refused_or_harmless(memory: Memory, statement: str) -> None:
    with pytest.raises((engrain.errors.InvalidInput, QueryLimit)):
        memory.archive.sql(statement)
    assert memory.archive.sql("select 1 as one").to_pylist() == [{"one": 1}]


def test_nothing_is_kept_from_one_query_to_the_next(memory: Memory) -> None:
    memory.agent("mine").sql("select count(*) from history")
    for name in ("live_memories", "transitions"):
        memory.archive.sql(f"select * from {name}")
        assert memory.archive.sql(f"select * from {name} limit 0").schema.names == list(columns_of()[name])
    with pytest.raises(QueryRefused):
        memory.archive.sql("select * from live_memorie")


HUNGRY = [
    "select * from history a, history b", "select string_agg(a.content, '') from history a, history b",
    "select repeat('x', 1000000000)", "select length(repeat('x', 4000000000))", "select range(1000000000)",
    "select * from range(1000000000000)", "select list(range) from range(1000000000)",
    "select printf('%2000000000d', 1)", "select format('{:2000000000}', 1)", "select list_resize([1], 1000000000)",
    "with recursive t as (select 'x' as i union all select i || i from t) select length(i) from t",
    "select array_agg(repeat(content, 2000)) from history", "select * from history order by repeat(content, 10000)",
    "select sum(length(repeat(content, 100000))) from history", "select repeat(repeat(repeat('x', 1000), 1000), 3000)",
    "select replace(repeat('a', 100000000), 'a', repeat('b', 1000))",
]  # fmt: skip
ENDLESS = [
    "select count(*) from range(1000000000000)", "select lpad('x', 2000000000, 'y')",
    "with recursive t as (select 1 as i union all select i + 1 from t) select max(i) from t",
    "select count(*) from history a, history b, history c where hash(a.id, b.id, c.id) = 7",
    "select regexp_replace(repeat('a', 90000000), '(a|aa)+b', 'x', 'g')",
]  # fmt: skip


def watched(memory: Memory, statement: str, **limits: Any) -> tuple[float, float]:
    """Seconds until it was ended, and the most MB that its process had."""
    memory.archive.sql("select 1")
    process = memory.analyst._process
    assert process is not None
    begun = time.monotonic()
    with pytest.raises(QueryLimit):
        memory.archive.sql(statement, **limits)
    seconds = time.monotonic() - begun
    found = memory.analyst._process
    status = Path(f"/proc/{process.pid}/status")
    if found is None or not status.exists():  # it was killed; then what it had cannot be told any more
        return seconds, 0.0
    return seconds, int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024


@pytest.mark.parametrize("statement", HUNGRY)
def test_memory_is_bounded(memory: Memory, statement: str) -> None:
    here = psutil.Process().memory_info().rss
    _, most = watched(memory, statement, seconds=5, megabytes=128)
    assert most < 128 + 256 + 250, "its process took more than it may"
    assert psutil.Process().memory_info().rss < here + (300 << 20)


@pytest.mark.slow
@pytest.mark.parametrize("statement", ENDLESS)
def test_time_is_bounded(memory: Memory, statement: str) -> None:
    seconds, _ = watched(memory, statement, seconds=1)
    assert seconds < 6
    assert memory.archive.sql("select 1 as one").num_rows == 1


WORDS = st.sampled_from(
    [
        "select",
        "from",
        "where",
        "history",
        "experiences",
        "live_memories",
        "group",
        "by",
        "order",
        "limit",
        "join",
        "on",
        "as",
        "with",
        "recursive",
        "union",
        "all",
        "not",
        "and",
        "or",
        "in",
        "exists",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ";",
        ".",
        "*",
        "+",
        "-",
        "=",
        "<",
        ">",
        "||",
        "::",
        "?",
        "$1",
        "$x",
        "'a'",
        '"b"',
        "1",
        "-1",
        "1e99",
        "null",
        "id",
        "agent",
        "content",
        "importance",
        "tags",
        "count(*)",
        "sum(",
        "max(",
        "unnest(",
        "range(",
        "read_csv(",
        "'/etc/passwd'",
        "query(",
        "struct_pack(",
        "list_transform(",
        "lambda",
        "x",
        ":",
        "case",
        "when",
        "then",
        "else",
        "end",
        "cast",
        "interval",
        "'1",
        "day'",
        "date",
        "timestamptz",
        "distinct",
        "having",
        "over",
        "partition",
        "window",
        "values",
        "table",
        "attach",
        "copy",
        "insert",
        "delete",
        "pragma",
        "set",
        "install",
        "describe",
        "summarize",
        "pivot",
        "lateral",
        "using",
        "sample",
        "tablesample",
        "--",
        "/*",
        "*/",
        "\\",
        "\n",
        "\x00",
        "é",
        "😀",
        "first(",
        "string_agg(",
        "approx_quantile(",
        "json_extract(",
        "regexp_matches(",
        "current_setting(",
        "->",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.lists(WORDS, max_size=14).map(" ".join), st.lists(WORDS, max_size=10).map(
    lambda words: "select " + " ".join(words)), st.text(max_size=60)))  # fmt: skip
def test_any_text_is_answered_or_refused(memory: Memory, statement: str) -> None:
    try:
        assert isinstance(memory.archive.sql(statement, seconds=3), pa.Table)
    except (engrain.errors.InvalidInput, QueryLimit):
        return


@given(st.binary(max_size=40))
def test_bytes_that_are_no_message_end_in_an_error(data: bytes) -> None:
    read, write = os.pipe()
    try:
        os.write(write, data)
        os.close(write)
        frames = Frames(read, read)
        try:
            letter, payload = frames.receive(1.0)
        except (Closed, Late, UnicodeDecodeError):
            return
        assert data.startswith(letter.encode())
        assert payload in data
    finally:
        os.close(read)
