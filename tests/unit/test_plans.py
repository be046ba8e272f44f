"""Statements that name items or keys find them by an index, however many items the agent has."""

from __future__ import annotations

from pathlib import Path

import pytest

import engrain

BY_NAME = (
    "memory_twins", "memory_current", "memory_get_many", "memory_chain", "memory_lock",
    "memory_forget", "signal_lock", "memory_get", "memory_lookup", "segment_signals",
    "segment_changes", "segment_shared_changes", "life_read", "life_lock", "memory_archive", "memory_rival",
    "exchange_known", "exchange_chain", "exchange_echoes",
)  # fmt: skip


@pytest.mark.parametrize("name", BY_NAME)
def test_no_agent_is_read_whole_to_find_a_few(name: str, tmp_path: Path) -> None:
    with engrain.open(tmp_path, embedder="hash") as memory:
        plan = memory.store.explain(name)
        assert "memories_list" not in plan
        assert "SCAN signals" not in plan
        assert "SCAN echoes" not in plan
        assert "SEARCH" in plan


@pytest.mark.parametrize("name", ["exchange_all", "exchange_changes"])
def test_an_export_goes_on_where_its_last_page_ended(name: str, tmp_path: Path) -> None:
    with engrain.open(tmp_path, embedder="hash") as memory:
        plan = memory.store.explain(name)
        assert "TEMP B-TREE FOR ORDER BY" not in plan
        assert "(state,created_at,id)>" in plan or "seq>" in plan


@pytest.mark.parametrize("name", ["segment_changes", "segment_shared_changes"])
def test_a_passage_beside_its_item_is_looked_for_nowhere_else(name: str, tmp_path: Path) -> None:
    """The join asks by a key that is null for such an item, and a null is in no index: no page is read for it."""
    with engrain.open(tmp_path, embedder="hash") as memory:
        plan = memory.store.explain(name)
        assert "sqlite_autoindex_passages_1 (memory_id=?)" in plan
        assert "SCAN" not in plan


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("life_expired", "memories_expiry ((expires_at,id)>(?,?) AND expires_at<?)"),
        ("life_pending", "signals_pending ((pending_at,memory_id)>(?,?) AND pending_at<?)"),
        ("life_fading", "memories_list (tenant=? AND agent=? AND state=? AND created_at<?)"),
        ("life_replaced", "memories_list (tenant=? AND agent=? AND state=? AND created_at<?)"),
        ("archived_list", "memories_archived (tenant=? AND agent=? AND (archived_at,id)<(?,?))"),
        ("archived_old", "memories_archived (tenant=? AND agent=? AND archived_at<?)"),
        ("transition_old", "transitions_time (at<?)"),
        ("reply_old", "replies_old (at<?)"),
    ],
)
def test_sweeps_find_what_is_due_by_an_index(name: str, index: str, tmp_path: Path) -> None:
    with engrain.open(tmp_path, embedder="hash") as memory:
        plan = memory.store.explain(name)
        assert index in plan, plan
        assert "SCAN m" not in plan
        assert "TEMP B-TREE" not in plan
