"""No statement on a scoped table reaches beyond the caller's tenant, and every check here is able to complain."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tidy import sql
from tests.tidy.tree import PACKAGE

STATEMENTS = sorted((PACKAGE / "store" / "statements").glob("*.sql"))
COLUMNS = sql.tables(sorted((PACKAGE / "store" / "migrations").glob("*.up*.sql")))

BAD = {
    "no predicate": "select * from memories where id = :id and agent = :agent",
    "another parameter": "select * from memories where tenant = :other and agent = :agent",
    "another tenant": "select * from memories where tenant <> :tenant and agent = :agent",
    "second table free": "select * from memories m join signals s on s.memory_id = m.id where m.tenant = :tenant and m.agent = :agent",
    "subquery free": "select * from memories where tenant = :tenant and agent = :agent and id in (select memory_id from signals)",
    "update": "update memories set pinned = 1 where id = :id and agent = :agent",
    "delete": "delete from memories where agent = :agent",
    "delete using": "delete from memories m using signals s where m.tenant = :tenant and m.agent = :agent and s.memory_id = m.id",
    "insert": "insert into kv (agent, namespace, key, value) values (:agent, :namespace, :key, :value)",
    "insert a constant tenant": "insert into kv (tenant, agent, key) values ('default', :agent, :key)",
    "or": "select * from memories where tenant = :tenant and agent = :agent or pinned = 1",
    "or in a subquery": "select * from memories where tenant = :tenant and agent = :agent and id in (select memory_id from signals where tenant = :tenant or shown > 0)",
    "list of tables": "select * from memories m, signals s where m.tenant = :tenant and m.agent = :agent",
    "no agent": "select * from memories where tenant = :tenant",
}
GOOD = {
    "predicate": "select * from memories where tenant = :tenant and agent = :agent",
    "join": "select * from memories m join signals s on s.tenant = m.tenant and s.memory_id = m.id where m.tenant = :tenant and m.agent = :agent",
    "insert": "insert into kv (tenant, agent, key) values (:tenant, :agent, :key) on conflict (tenant, agent, key) do update set key = excluded.key",
    "or inside": "select * from memories where tenant = :tenant and (agent = :agent or visibility = 'public')",
    "shared": "select * from memories where tenant = :tenant and shared_seq > :seq",
    "tenant-wide": "-- scope: tenant\ndelete from memories where tenant = :tenant",
    "administration": "-- scope: admin\nselect * from memories",
}


def parse(tmp_path: Path, text: str) -> sql.Statement:
    path = tmp_path / "sample.sql"
    path.write_text(f"-- name: sample\n{text};\n")
    (statement,) = sql.statements(path)
    return statement


@pytest.mark.parametrize("path", STATEMENTS, ids=lambda path: path.stem)
def test_every_statement_is_bound_to_the_caller(path: Path) -> None:
    found = list(sql.statements(path))
    assert found, "a statement file without statements"
    complaints = [f"{one.file}: {one.name}: {text}" for one in found for text in sql.unscoped(one, COLUMNS)]
    assert complaints == [], "\n" + "\n".join(complaints)


def test_there_are_scoped_tables_and_statements() -> None:
    assert {name for name, columns in COLUMNS.items() if "tenant" in columns} >= {"memories", "experiences", "kv"}
    assert STATEMENTS


def test_names_are_unique_and_scopes_are_known() -> None:
    found = [one for path in STATEMENTS for one in sql.statements(path)]
    names = [(one.name, one.engine) for one in found]
    assert sorted(names) == sorted(set(names))
    assert {name for name, engine in names if engine} <= {name for name, engine in names if not engine}
    assert {one.scope for one in found} <= {"agent", "tenant", "admin"}


# Statements that read memories, and need not ask whether an item is archived or has expired.
NOT_AS_REMEMBERED = {
    "the archive, and what sweeps look for": (
        "life_read life_lock life_expired life_pending life_useful life_fading life_replaced archived_many archived_list "
        "archived_ids archived_passages archived_standing archived_old memory_rival memory_current"
    ),
    "active items by their state, whose end the reader knows": "segment_changes segment_shared_changes segment_ids "
    "segment_shared_ids memory_get_many",
    "one's own item, to change or forget it, whatever its state": (
        "memory_own memory_chain memory_lock memory_sweepable memory_seqs memory_weigh memory_relink memory_copies memory_made knowledge_insert"
    ),
    "signals of use go to whatever is there": "signal_lock signal_add",
    "older versions, which do not expire": "memory_history",
    "everything of an agent leaves, comes back or goes, whatever its state": (
        "exchange_known exchange_all exchange_changes exchange_count erase_ids"
    ),
    "what SQL sees of what is not in the cold archive, with its state": "live_memories",
    "daily figures: the kind of what was archived, and the bytes and uses of all that is kept": (
        "metric_measure transition_kinds"
    ),
    "what leaves the store for the cold archive, and comes back": (
        "cold_waiting cold_memories cold_lock_memories cold_there_memories signals_thaw gone_forget_newer"
    ),
    "counts, examinations and rebuilding of a home": (
        "stale_count active_count owner_list stale_batch stat_memories stat_passages orphan_passages unindexed_memories "
        "rebuild_batch service_states"
    ),
}


def test_whatever_reads_memories_leaves_out_what_is_archived_or_expired() -> None:
    """Reading goes through the view, which has no archived items, and asks ``until > :now``; the others are listed
    above with their reason, and whoever is not needed there any more goes."""
    listed = {name for names in NOT_AS_REMEMBERED.values() for name in names.split()}
    found = {}
    for one in (one for path in STATEMENTS for one in sql.statements(path)):
        read = re.search(r"\b(from|join|using) memories\b", one.text) and not one.text.startswith("delete")
        seen = re.search(r"\b(from|join) remembered\b", one.text)
        if read or (seen and not re.search(r"\b(\w+\.)?until > :now\b", one.text)):
            found[one.name] = one.text
    assert set(found) == listed


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_statement_that_reaches_too_far_is_refused(tmp_path: Path, text: str) -> None:
    assert sql.unscoped(parse(tmp_path, text), COLUMNS)


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_a_bound_statement_is_accepted(tmp_path: Path, text: str) -> None:
    assert sql.unscoped(parse(tmp_path, text), COLUMNS) == []
