"""SQL over the archive: what it answers, and to whom."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import engrain
from engrain import Memory
from engrain.archive.layout import SCHEMAS
from engrain.archive.views import ALIASES, COLD, columns_of
from engrain.errors import ArchiveCorrupt, ArchiveUnavailable, InvalidField, QueryLimit, QueryRefused
from tests import children
from tests.cold import freeze, gone


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    """A home with archived rows of two tenants and several agents, and rows that do not count."""
    with engrain.open(tmp_path_factory.mktemp("home"), embedder="hash") as memory:
        memory.agent("a", team="blue").remember("alive")
        memory.agent("mate", team="blue").remember("a mate's", visibility="team")
        memory.agent("other", team="red").remember("a stranger's", visibility="team")
        memory.agent("spy", tenant="rival").remember("a rival's", visibility="public")
        freeze(memory, [
            {"id": "own", "content": "the secret of a", "importance": 8.0, "event_type": "build"},
            {"id": "restored", "content": "back again"},
            {"id": "mates-private", "agent": "mate", "content": "private of mate"},
            {"id": "mates-team", "agent": "mate", "visibility": "team"},
            {"id": "others-team", "agent": "other", "visibility": "team"},
            {"id": "others-public", "agent": "other", "visibility": "public"},
            {"id": "rivals", "tenant": "rival", "agent": "a", "visibility": "public", "content": "of a rival"},
        ])  # fmt: skip
        gone(memory, 1, 1, "restored")
        freeze(memory, [{"id": "in-february", "archived_at": datetime(2026, 2, 1, tzinfo=UTC)}])
        freeze(memory, [{"id": "e1", "reward": 1.0, "success": True}, {"id": "e2", "agent": "mate"}], "experiences")
        freeze(memory, [{"id": "not-yet"}], closed=False)
        yield memory


def rows(memory: Memory, statement: str, *given: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in memory.archive.sql(statement, *given).to_pylist()]


def test_history_has_what_counts(memory: Memory) -> None:
    found = rows(memory, "select id from history order by id")
    assert [id_ for (id_,) in found] == [
        "in-february", "mates-private", "mates-team", "others-public", "others-team", "own", "rivals",
    ]  # fmt: skip
    assert rows(memory, "select id, reward from experiences order by id") == [("e1", 1.0), ("e2", None)]


def test_the_queries_of_the_earlier_system_run_as_they_are(memory: Memory) -> None:
    columns = (
        "id, verbatim, gist, salience, created_at, expires_at, access_count, outcome, file_path, decay_reason, "
        "event_type, tags, project_id, archived_at"
    )
    assert memory.archive.sql(f"SELECT {columns} FROM history").num_rows == 7
    text = "SELECT COUNT(*) AS n, AVG(salience) AS s FROM history WHERE LOWER(content) LIKE LOWER('%SECRET%')"
    assert rows(memory, text) == [(1, 8.0)]


def test_what_is_inside_is_not_shown(memory: Memory) -> None:
    shown = memory.archive.sql("select * from history limit 0").schema.names
    assert shown == list(columns_of()["history"])
    assert not {"place", "batch", "vector", "terms", "passages", "fingerprint"} & set(shown)


def test_every_column_is_explained_and_is_of_its_type(memory: Memory) -> None:
    types = {"text": "VARCHAR", "integer": ("BIGINT", "INTEGER"), "number": "DOUBLE", "flag": "BOOLEAN",
             "time": "TIMESTAMP WITH TIME ZONE", "list": "STRUCT"}  # fmt: skip
    for view in memory.archive.tables():
        described = {name: kind for name, kind, *_ in rows(memory, f"describe {view.name}")}
        assert list(described) == [column.name for column in view.columns]
        for column in view.columns:
            wanted = types[column.type]
            assert described[column.name].startswith(wanted), (view.name, column.name, described[column.name])
            assert column.about
    for name, kind in COLD.items():
        assert set(columns_of()[name]) - set(ALIASES.get(name, ())) <= set(SCHEMAS[kind].names)


def test_parameters(memory: Memory) -> None:
    assert rows(memory, "select id from history where agent = ? and importance > ?", ["a", 7]) == [("own",)]
    since = datetime(2026, 2, 15, tzinfo=UTC)
    named = {"since": since, "agent": "a", "tenant": "default"}
    text = "select id from history where archived_at < $since and agent = $agent and tenant = $tenant"
    assert rows(memory, text, named) == [("in-february",)]
    assert rows(memory, "select $x is null as n", {"x": None}) == [(True,)]
    for wrong in ([object()], [b"bytes"], {"x": [1]}, ["one", "two"]):
        with pytest.raises(QueryRefused):
            rows(memory, "select id from history where agent = ?", wrong)


def test_sums_are_whole_numbers_and_times_are_utc(memory: Memory) -> None:
    assert rows(memory, "select sum(year) as s, max(archived_at) as t from history where id = 'own'") == [
        (2026, datetime(2026, 3, 1, 12, tzinfo=UTC))
    ]
    assert rows(memory, "select 170141183460469231731687303715884105727 as big")[0][0] > 10**37


def test_an_empty_archive_has_no_rows_and_all_columns(tmp_path: Path) -> None:
    with engrain.open(tmp_path, embedder="hash") as memory:
        for name, columns in columns_of().items():
            found = memory.archive.sql(f"select * from {name}")
            assert found.num_rows == 0
            assert found.schema.names == list(columns)
        assert rows(memory, "select count(*) as n from history h join experiences e using (agent)") == [(0,)]
    with engrain.open(tmp_path, archive="none", embedder="hash") as memory:
        assert rows(memory, "select count(*) as n from history") == [(0,)]


def test_what_is_live_is_there_too(memory: Memory) -> None:
    assert rows(memory, "select tenant, agent, state, bytes, pinned from live_memories where agent = 'a'") == [
        ("default", "a", "active", 5, False)
    ]
    agent = memory.agent("learner")
    advice = agent.advise("build", options=["x", "y"])
    agent.observe(advice, engrain.Outcome(success=True, evidence="executed"))
    found = rows(memory, "select agent, success, evidence from live_experiences")
    assert found == [("learner", True, "executed")]
    item = agent.remember("to be forgotten")
    agent.forget(item.id)
    assert rows(memory, "select event from transitions where memory_id = ?", [item.id]) == [("memory:forgotten",)]
    assert rows(memory, "select count(*) as n from daily_metrics") == [(0,)]


def test_an_agent_sees_its_own_and_what_is_shared_with_it(memory: Memory) -> None:
    agent = memory.agent("a")

    def seen(statement: str) -> set[str]:
        return {row["id"] for row in agent.sql(statement).to_pylist()}

    assert seen("select id from history") == {"own", "in-february", "mates-team", "others-public"}
    assert seen("select id from experiences") == {"e1"}
    assert {row["agent"] for row in agent.sql("select agent from live_memories").to_pylist()} == {"a", "mate"}
    assert {row["agent"] for row in agent.sql("select agent from transitions").to_pylist()} <= {"a"}
    assert memory.agent("a", tenant="rival").sql("select id from history").to_pylist() == [{"id": "rivals"}]
    assert memory.agent("nobody", tenant="elsewhere").sql("select id from history").num_rows == 0


TRICKS = [
    "select * from _history", "select * from main._history", "select * from temp._history", "from memory.main.history",
    "select * from duckdb_views()", "select sql from duckdb_views", "select * from information_schema.tables",
    "select * from pg_catalog.pg_views", "select * from sqlite_master", "show tables", "show all tables",
    "select * from python_arrow_scan()", "select * from arrow_scan(1, 2, 3)", "select * from query('from history')",
    "select * from query_table('history')", "select * from seq_scan('history')", "select * from summary('history')",
    "with duckdb_views as (select 1) select * from duckdb_views",
    "select (with pg_settings as (select 1) select 1), * from pg_settings",
    "select * from json_execute_serialized_sql(json_serialize_sql('select * from _history'))",
    "select * from history union all select * from _history", "select (select id from _history limit 1)",
    "select * from (describe _history)", "summarize _history", 'select * from "_history"', "table _history",
    "select * from histogram('_history', 'id')", "select * from histogram_values(_history, id)",
]  # fmt: skip


@pytest.mark.parametrize("statement", TRICKS)
def test_there_is_no_way_around_what_an_agent_may_see(memory: Memory, statement: str) -> None:
    with pytest.raises(QueryRefused):
        memory.agent("a").sql(statement)


def test_filters_of_a_query_do_not_widen_what_is_seen(memory: Memory) -> None:
    agent = memory.agent("a")
    for condition in ("tenant = 'rival'", "agent = 'other'", "true or tenant = 'rival'", "visibility = 'private'",
                      "not (agent = 'a')", "id is not null", "tenant <> 'default'",
                      "agent in ('mate', 'spy')"):  # fmt: skip
        found = agent.sql(f"select tenant, agent, visibility from history where {condition}").to_pylist()
        assert all(row["tenant"] == "default" for row in found)
        assert all(row["agent"] == "a" or row["visibility"] != "private" for row in found)
        assert not any(row["agent"] == "other" and row["visibility"] == "team" for row in found)


def test_progress_is_told(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    slow = "select count(*) as n from history, range(30_000_000) r where hash(id) % 7 = r.range % 7"
    assert memory.archive.sql(slow, progress=lambda done, of: told.append((done, of))).num_rows == 1
    assert all(0 <= done <= of for done, of in told)


def test_wrong_arguments(memory: Memory) -> None:
    for given in (1, "x", b"x", {1: 2}, {"a"}, float("nan")):
        with pytest.raises(InvalidField, match="parameters must be"):
            memory.archive.sql("select 1", given)  # type: ignore[arg-type]
    for wrong in ("", "  ", None, 7):
        with pytest.raises(InvalidField):
            memory.archive.sql(wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidField, match="seconds must"):
        memory.archive.sql("select 1", seconds=0)
    with pytest.raises(InvalidField, match="megabytes must"):
        memory.archive.sql("select 1", megabytes=1)


def test_a_table_that_should_be_there_is_missed(tmp_path: Path) -> None:
    with engrain.open(tmp_path, embedder="hash") as memory:
        freeze(memory, [{}])
        assert rows(memory, "select count(*) as n from history") == [(1,)]
        (tmp_path / "archive").rename(tmp_path / "moved")
        with pytest.raises(ArchiveUnavailable, match="there is no table"):
            memory.archive.sql("select count(*) from history")
        assert rows(memory, "select count(*) as n from experiences") == [(0,)]
        (tmp_path / "moved").rename(tmp_path / "archive")
        assert rows(memory, "select count(*) as n from history") == [(1,)]


def test_what_others_change_is_seen_at_once(tmp_path: Path) -> None:
    """Rows that are added, files that are put together and vacuumed away between two questions of one process."""
    with engrain.open(tmp_path, embedder="hash") as memory:
        for number in range(1, 4):
            freeze(memory, [{"id": f"r{number}"}])
            assert rows(memory, "select count(*) as n from history") == [(number,)]
        assert memory.tables is not None
        table = memory.tables.table("memories")
        assert table is not None
        table.optimize.compact()
        table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
        assert rows(memory, "select id from history order by id") == [("r1",), ("r2",), ("r3",)]
        gone(memory, 2, 0, "r2", "forgotten")
        assert rows(memory, "select id from history order by id") == [("r1",), ("r3",)]


def test_a_file_that_is_missing_is_said(tmp_path: Path) -> None:
    with engrain.open(tmp_path, embedder="hash") as memory:
        freeze(memory, [{}])
        (file,) = (tmp_path / "archive" / "memories").rglob("*.parquet")
        file.unlink()
        with pytest.raises(ArchiveCorrupt, match="missing"):
            memory.archive.sql("select content from history")


@pytest.mark.parametrize(
    "damage",
    [lambda raw: raw[: len(raw) // 2], lambda raw: raw[:8] + b"?" * 200 + raw[208:]],
    ids=["torn", "overwritten"],
)
def test_a_damaged_file_is_no_store_out_of_reach(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    with engrain.open(tmp_path, embedder="hash") as memory:
        freeze(memory, [{"id": f"r{number}", "content": f"note {number} " * 50} for number in range(20)])
        (file,) = (tmp_path / "archive" / "memories").rglob("*.parquet")
        file.write_bytes(damage(file.read_bytes()))
        assert memory.tables is not None
        with pytest.raises(ArchiveCorrupt, match="damaged"):
            memory.tables.read("memories")


def test_another_process_asks_the_same(memory: Memory) -> None:
    code = """
    import engrain
    with engrain.open(given, embedder="hash") as memory:
        say(memory.archive.sql("select count(*) as n from history").to_pylist())
        say(sorted(one for one in sys.modules if one in ("duckdb",)))
    """
    said = children.run(code, str(memory.home))
    assert said == [[{"n": 7}], []]


def test_nothing_heavy_is_loaded_before_sql_is_asked(tmp_path: Path) -> None:
    code = """
    import engrain
    with engrain.open(given, embedder="hash") as memory:
        agent = memory.agent("a")
        agent.remember("x")
        agent.recall("x")
        memory.archive, memory.archive.tables()
        say([one for one in ("pyarrow", "deltalake", "duckdb", "matplotlib") if one in sys.modules])
    """
    assert children.run(code, str(tmp_path)) == [[]]


def test_the_process_is_started_anew_when_it_is_gone(memory: Memory) -> None:
    memory.archive.sql("select 1")
    process = memory.analyst._process
    assert process is not None
    process.kill()
    process.wait()
    assert rows(memory, "select 1 as one") == [(1,)]
    with pytest.raises(QueryLimit):
        memory.archive.sql("select count(*) from range(1000000000000)", seconds=0.3)
    assert rows(memory, "select 2 as two") == [(2,)]


def test_json_of_rows_is_text(memory: Memory) -> None:
    found = memory.archive.sql(
        "select metadata->>'x' as x, json_extract('{\"a\": 1}', '$.a') as a from history limit 1"
    )
    assert json.dumps(found.to_pylist())


def test_no_value_breaks_whoever_looks_at_it(memory: Memory) -> None:
    for statement in ("select timestamp 'infinity' as at", "select [timestamp '290000-01-01'] as at",
                      "select {'a': date '290000-01-01'} as at", "select union_value(a := 1) as at"):  # fmt: skip
        with pytest.raises(QueryRefused, match="cast"):
            memory.archive.sql(statement)
    rows = memory.archive.sql("select 1 as a, 2 as a, 3 as a_2, timestamp_ns '2020-01-01 00:00:00.123456789' as at")
    at = rows.to_pylist()[0].pop("at")
    assert (rows.column_names, at.microsecond) == (["a", "a_2", "a_2_2", "at"], 123456)
    assert (
        memory.archive.sql("select interval 1 month as m, map {'a': now()} as n, date '0001-01-01' as d").num_rows == 1
    )


def test_rows_are_missed_where_there_is_to_be_no_archive(tmp_path: Path) -> None:
    with engrain.open(tmp_path, embedder="hash") as memory:
        freeze(memory, [{"content": "left"}])
    with engrain.open(tmp_path, embedder="hash", archive="none") as memory:
        for asked in (lambda: memory.archive.sql("select count(*) from history"), memory.archive.stats,
                      lambda: memory.agent("a").sql("from experiences"), memory.archive.compact):  # fmt: skip
            with pytest.raises(ArchiveUnavailable, match='not to "none"'):
                asked()
        assert memory.archive.sql("select count(*) as n from live_memories").to_pylist() == [{"n": 0}]
