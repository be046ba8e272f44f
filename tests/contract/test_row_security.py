"""Below engrain's own SQL the server itself keeps tenants apart, also from a connection that asks for others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from engrain.learn.credit import Tally
from engrain.testing.contract_rows import kv_row, memory_row, passage_row
from tests.postgres import Place

pytestmark = pytest.mark.postgres
TABLES = [
    "scopes", "agents", "memories", "passages", "echoes", "signals", "kv", "decisions", "experiences", "q_values",
    "recall_questions", "recall_answers", "adapters", "transitions", "daily_metrics", "api_keys", "replies",
    "archive_gone", "archive_links", "policies", "policy_events", "dream_marks", "dream_findings",
    "drifts", "drift_tracks", "fixes", "signatures", "fix_plans", "fix_tallies", "issue_edits",
    "patterns", "pattern_passages", "pattern_uses", "pattern_voices", "pattern_events", "pattern_links", "trajectories",
]  # fmt: skip
# Rows of tables whose statements belong to a stage: {0} is the tenant.
ROWS = {
    "transitions": "'{0}', 1, 0, 1, 'a', 'm', 'memory:archived', 'active', 'archived', 'r', 'x', '{{}}', '{{}}'",
    "daily_metrics": "'{0}', 'a', '2026-01-01', 'fact', 1, 1, 1, 1, 1, 1, 1, 1, 1",
    "api_keys": "'k-{0}', 'digest-{0}', 'n', '{0}', null, 'read', 1, null, null, null",
    "replies": "'{0}', 'o', 'k', 'd', 200, '', 1",
    "archive_gone": "'memories', length('{0}'), '{0}', 'a', 'm', 'restored', 1",
    "archive_links": "'{0}', 'a', 'm', 'n'",
    "policies": (
        "'{0}', 'a', 't', 1, 'candidate', 'table', 0, '{{}}', '{{}}', '', '1', 0, 0.9, null, 1, null, 0, 0, 0, '{{}}'"
    ),
    "policy_events": "'e-{0}', '{0}', 'a', 't', 1, 1, 'made', 'r', 'owner'",
    "dream_marks": "'{0}', 't', 1, 0, 1, 1, 'd'",
    "drifts": "'{0}', 'a', 't', '{{}}', 1, 1, 1, 'y', 1, 1",
    "drift_tracks": "'{0}', 'a', 't', 'y', 1, 1, 1, 1, ''",
    "fixes": (
        "'f', '{0}', 'a', 'private', 'kept', 's', 'error', null, 'm', '{{}}', '[]', null, null, null, null, 0, 0, "
        "null, '{{}}', null, null, null, 1, 1, 1"
    ),
    "signatures": "'{0}', 'a', 'private', 's', 'template', 't', '', 'x', null, null, null, null, null, null, 1, null",
    "fix_plans": "'{0}', 'a', 'private', 'p', '[]', null, 1",
    "fix_tallies": "'{0}', 'issue', 's', '', 'a', 'private', 1, 0, 0, 0, 0, 0, 0, 1, 1, 'f'",
    "issue_edits": "'e-{0}', '{0}', 'a', 'split', 's', null, 'r', 1, null",
    "patterns": (
        "'p-{0}', '{0}', 'a', 'f', 't', '', '', null, 'strategy', 'do', null, null, null, '[]', null, 'short', "
        "'active', 0, 'private', '{{}}', null, 0, 1, 1, 1"
    ),
    "pattern_passages": "'p-{0}', '{0}', 0, 1, '', null, null, null, 'x'",
    "pattern_uses": "'u-{0}', '{0}', 'a', 'p-{0}', 'applied', 1, 'executed', 1, 'l', null, null, null, null, null, 1",
    "pattern_voices": "'{0}', 'p-{0}', 'l', '', 0, 1, 0",
    "pattern_events": "'v-{0}', '{0}', 'a', 'p-{0}', null, 1, 'made', 'r', 'x', 0, '{{}}', '{{}}', null",
    "pattern_links": "'{0}', 'a', 'p-{0}', 'p-{0}', 'similar', 1, 1",
    "trajectories": "'j-{0}', '{0}', 'a', 'f', 't', null, null, '[]', 1, 'executed', 'w', 'private', '[]', 1, 0",
    "dream_findings": "'d', length('{0}'), '{0}', 'a', 't', '{{}}'",
}


@pytest.fixture
def engine() -> str:
    return "server"


@pytest.fixture
def raw(make_place: Callable[..., Place]) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection of the plain role that owns the tables, to a store with rows of the tenants `mine` and `other`."""
    place = make_place()
    store = place.store()
    for tenant in ("mine", "other"):
        id_ = f"m-{tenant}"
        counts = dict.fromkeys(("shown", "read", "applied", "helpful", "unhelpful", "last_shown_at", "last_used_at"), 1)
        with store.transaction(tenant) as tx:
            tx.run("scope_bump", {"tenant": tenant, "name": "s", "purges": 0})
            tx.run("agent_register", {"tenant": tenant, "agent": "a", "team": None, "now": 1})
            tx.run("memory_insert", memory_row(id_, tenant=tenant))
            tx.run("passage_insert", passage_row(id_, tenant=tenant))
            tx.run("echo_insert", {"tenant": tenant, "id": id_, "agent": "a", "session": None, "now": 1})
            tx.run("signal_add", {"tenant": tenant, "id": id_, **counts})
            tx.run("kv_set", kv_row("k", tenant=tenant))
            tx.run("decision_insert", decision_row(f"d-{tenant}", tenant))
            tx.run("experience_insert", experience_row(f"e-{tenant}", tenant))
            tx.run("q_add", q_row(tenant))
            tx.run("question_put", question_row(f"q-{tenant}", tenant))
            tx.run("answer_put", answer_row(f"q-{tenant}", id_, tenant))
            tx.run("adapter_note", {"tenant": tenant, "more": 1, "now": 1})
    assert place.url is not None
    with psycopg.connect(place.url, autocommit=True) as connection:
        for tenant in ("mine", "other"):
            connection.execute("select set_config('engrain.tenant', %s, false)", (tenant,))
            for table, row in ROWS.items():
                connection.execute(f"insert into {table} values ({row.format(tenant)})".encode())
        connection.execute("select set_config('engrain.tenant', '', false)")
        yield connection


def decision_row(id_: str, tenant: str) -> dict[str, object]:
    return {
        "id": id_, "tenant": tenant, "agent": "a", "task_type": "x", "state": "{}", "options": None, "action": None,
        "propensity": None, "distribution": "{}", "value": None, "low": None, "high": None, "mode": "abstained",
        "policy": "p", "episode": None, "created_at": 1, "now": 1,
    }  # fmt: skip


def experience_row(id_: str, tenant: str) -> dict[str, object]:
    return {
        "id": id_, "tenant": tenant, "agent": "a", "decision_id": None, "task_type": "x", "state": "{}",
        "state_key": "k", "action": "y", "propensity": None, "success": 1, "evidence": "executed", "outcome": "{}",
        "reward": 1.0, "reward_version": "1", "weight": 1.0, "next_state": None, "episode": None, "task_id": None,
        "revision": 0, "created_at": 1, "updated_at": 1,
    }  # fmt: skip


def q_row(tenant: str) -> dict[str, object]:
    return {
        "tenant": tenant, "agent": "a", "task_type": "x", "state_key": "k", "action": "y", "state": "{}", "seq": 1,
        **Tally(1, 1.0, 1.0, 1.0)._asdict(),
    }  # fmt: skip


def question_row(id_: str, tenant: str) -> dict[str, object]:
    return {
        "id": id_, "tenant": tenant, "agent": "a", "at": 1, "embedder": "e", "ranking": "r", "names": "[]",
        "vector": b"", "judged": 1, "items": "[]", "parts": b"", "vectors": b"",
    }  # fmt: skip


def answer_row(question: str, id_: str, tenant: str) -> dict[str, object]:
    return {
        "tenant": tenant, "question_id": question, "memory_id": id_, "place": 0, "parts": b"", "vector": b"",
        "verdict": 1,
    }  # fmt: skip


def count(raw: psycopg.Connection[tuple[object, ...]], table: str) -> object:
    row = raw.execute(f"select count(*) from {table}".encode()).fetchone()
    assert row is not None
    return row[0]


def test_every_table_with_a_tenant_is_protected(raw: psycopg.Connection[tuple[object, ...]]) -> None:
    found = raw.execute(
        "select c.relname, c.relrowsecurity and c.relforcerowsecurity from pg_class c join pg_attribute a "
        "on a.attrelid = c.oid where a.attname = 'tenant' and c.relkind = 'r' and not a.attisdropped order by 1"
    ).fetchall()
    assert found == [(table, True) for table in sorted(TABLES)]


@pytest.mark.parametrize("table", TABLES)
def test_a_connection_sees_the_tenant_it_named_and_nothing_without_one(
    raw: psycopg.Connection[tuple[object, ...]], table: str
) -> None:
    assert count(raw, table) == 0, "a connection that named no tenant saw rows"
    raw.execute("select set_config('engrain.tenant', 'mine', false)")
    assert raw.execute(f"select distinct tenant from {table}".encode()).fetchall() == [("mine",)]
    assert raw.execute(f"select 1 from {table} where tenant = 'other' or true".encode()).rowcount == 1
    assert raw.execute(f"delete from {table} where tenant = 'other'".encode()).rowcount == 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        raw.execute(f"update {table} set tenant = 'other'".encode())
    raw.execute("select set_config('engrain.tenant', 'nobody', false)")
    assert count(raw, table) == 0
    raw.execute("select set_config('engrain.tenant', '*', false)")
    assert count(raw, table) == 2


def test_a_connection_cannot_write_for_another_tenant(raw: psycopg.Connection[tuple[object, ...]]) -> None:
    raw.execute("select set_config('engrain.tenant', 'mine', false)")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        raw.execute("insert into kv values ('other', 'a', 'n', 'k2', '1', null, 1)")


def test_the_tests_connect_as_a_role_that_is_bound_by_it(raw: psycopg.Connection[tuple[object, ...]]) -> None:
    row = raw.execute("select rolsuper, rolbypassrls from pg_roles where rolname = current_user").fetchone()
    assert row == (False, False)
