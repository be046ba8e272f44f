"""What every engine of the hot store must do, as tests that an engine inherits.

    class TestMyEngine(StoreContract):
        @pytest.fixture
        def connect(self, tmp_path):
            return lambda: MyStore(tmp_path)

``connect`` gives a new Store each time, always on the same place, which is empty when the test begins; ``impatient``
likewise, but one that gives up on a lock after a tenth of a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from engrain.errors import StoreBusy, StoreClosed, StoreError
from engrain.store.leases import acquire, release
from engrain.store.port import Store
from engrain.store.rows import INDEX
from engrain.testing.contract_rows import INDEXED, kv_keys, kv_row, memory_row, passage_row, run_together
from engrain.testing.schema_contract import SchemaContract

SECOND = 1_000_000  # µs


class StoreContract(SchemaContract):
    """Inherit, give ``connect``, and pytest runs every promise of ``engrain.store.port`` against the engine."""

    @pytest.fixture
    def connect(self) -> Callable[[], Store]:
        """A new Store on the test's place; each engine gives its own."""
        raise NotImplementedError("an engine's tests define the fixture `connect`")

    @pytest.fixture
    def store(self, connect: Callable[[], Store]) -> Iterator[Store]:
        """A store with the present schema."""
        one = connect()
        one.migrate()
        yield one
        one.close()

    # -- statements -----------------------------------------------------------------------------------------------

    def test_every_statement_fits_the_schema(self, store: Store) -> None:
        store.migrate(0)
        with pytest.raises(StoreError):
            store.explain("kv_get")
        store.migrate()
        assert self.unfit(store) == {}

    def test_an_unknown_statement_and_a_missing_parameter_are_errors_of_the_tree(self, store: Store) -> None:
        with pytest.raises(StoreError, match="no statement called nonsense"):
            store.read("nonsense")
        with pytest.raises(StoreError, match="kv_get was given no 'agent'"):
            store.read("kv_get", {"tenant": "t"})

    def test_values_come_back_as_they_went_in(self, store: Store) -> None:
        text = "quote ' \" percent % %s %(x)s :name ?1 \\ newline\n tab\t emoji 🙂 accent e\u0301 ｆｕｌｌ \u202e rtl"
        row = memory_row(
            "m1", content=text, importance=1.1, created_at=2**62, occurred_at=-(2**62), key="", tags='["é"]'
        )
        inline = ("memory_insert", memory_row("m2", **INDEXED))
        store.write([("memory_insert", row), ("passage_insert", passage_row("m1")), inline])
        found = store.read("memory_own", {"tenant": "t", "agent": "a", "id": "m1"})[0]
        assert {name: found[name] for name in row if name not in INDEX} | dict.fromkeys(INDEX) == row
        asked = {"tenant": "t", "agent": "a", "seq": 0, "last": "", "settled": 0, "limit": 9}
        changes = store.read("segment_changes", asked)
        assert [row["id"] for row in changes] == ["m1", "m2"]
        assert [{name: row[name] for name in INDEX} for row in changes] == [INDEXED, INDEXED]

    def test_rows_answer_by_name_and_by_position(self, store: Store) -> None:
        store.write([("home_set", {"name": "x", "value": "y"})])
        row = store.read("home_get", {"name": "x"})[0]
        assert (row[0], row["value"], len(row), list(row), list(row.keys())) == ("y", "y", 1, ["y"], ["value"])

    def test_lists_are_unrolled_also_empty_and_long_ones(self, store: Store) -> None:
        store.write([("memory_insert", memory_row(f"m{i:04}")) for i in range(400)])
        query: dict[str, Any] = {"tenant": "t", "agent": "a", "team": None}
        assert store.read("memory_get_many", {**query, "ids": []}) == []
        every = [f"m{i:04}" for i in range(400)]
        assert len(store.read("memory_get_many", {**query, "ids": every})) == 400

    def test_text_sorts_by_code_point(self, store: Store) -> None:
        keys = ["Z", "a", "B", "ä", "~", "z", "\ud7ff", "\ue000", "🙂", "_", "%", "é"]
        store.write([("kv_set", kv_row(key)) for key in keys])
        assert kv_keys(store) == sorted(keys)

    # -- transactions ---------------------------------------------------------------------------------------------

    def test_a_write_is_whole_or_not_at_all(self, store: Store, connect: Callable[[], Store]) -> None:
        other = connect()
        with pytest.raises(StoreError):
            store.write([("kv_set", kv_row("kept?")), ("memory_insert", memory_row("m", visibility="secret"))])
        assert kv_keys(store) == kv_keys(other) == []
        with pytest.raises(ZeroDivisionError), store.transaction("t") as tx:  # noqa: PT012
            tx.run("kv_set", kv_row("kept?"))
            assert len(tx.read("kv_search", {**kv_row("x"), "low": "", "high": None, "limit": 10})) == 1
            assert kv_keys(other) == [], "seen by another before the commit"
            raise ZeroDivisionError
        assert kv_keys(store) == kv_keys(other) == []
        assert store.write([("kv_set", kv_row("kept")), ("kv_delete", kv_row("none"))]) == [1, 0]
        assert kv_keys(other) == ["kept"]
        other.close()

    def test_a_transaction_goes_on_after_a_refused_one(self, store: Store) -> None:
        for _ in range(20):  # more than a pool holds: a refused transaction gives its connection back
            with pytest.raises(StoreError), store.transaction("t") as tx:
                tx.run("memory_insert", memory_row("m", pinned=7))
        assert store.write([("kv_set", kv_row("k"))]) == [1]

    def test_change_numbers_of_a_scope_are_given_in_the_order_of_the_commits(
        self, store: Store, connect: Callable[[], Store]
    ) -> None:
        """Eight writers count one scope; every number is given once, and a reader never sees a later number's row
        without every earlier one's."""
        gaps: list[list[str]] = []
        done = threading.Event()

        def write(number: int) -> None:
            mine = connect()
            for _ in range(12):
                with mine.transaction("t") as tx:
                    seq = tx.read("scope_bump", {"tenant": "t", "name": "s", "purges": 0})[0]["seq"]
                    tx.run("kv_set", kv_row(f"{seq:06}", number))
            mine.close()

        def watch() -> None:
            mine = connect()
            while not done.is_set():
                keys = kv_keys(mine)
                if keys != [f"{i + 1:06}" for i in range(len(keys))]:
                    gaps.append(keys)
            mine.close()

        watcher = threading.Thread(target=watch)
        watcher.start()
        run_together([partial(write, i) for i in range(8)])
        done.set()
        watcher.join()
        assert gaps == []
        assert kv_keys(store) == [f"{i + 1:06}" for i in range(96)]
        assert tuple(store.read("scope_state", {"tenant": "t", "name": "s"})[0]) == (96, 0)

    def test_readers_do_not_wait_for_a_writer(self, store: Store) -> None:
        store.write([("kv_set", kv_row("old"))])
        with store.transaction("t") as tx:
            tx.run("kv_set", kv_row("new"))
            seen: list[list[str]] = []
            reader = threading.Thread(target=lambda: seen.append(kv_keys(store)))
            reader.start()
            reader.join(timeout=5)
            assert seen == [["old"]]

    def test_what_is_read_together_is_of_one_moment(self, store: Store, connect: Callable[[], Store]) -> None:
        other = connect()
        store.write([("kv_set", kv_row("old"))])
        asked = "kv_search", {**kv_row("x"), "low": "", "high": None, "limit": 10}

        with store.transaction("t", reading=True) as tx:
            for number in range(3):
                assert [row["key"] for row in tx.read(*asked)] == ["old"]
                other.write([("kv_set", kv_row(f"new {number}"))])
            assert [row["key"] for row in tx.read(*asked)] == ["old"]
        assert kv_keys(store) == ["new 0", "new 1", "new 2", "old"]
        with pytest.raises(StoreError), store.transaction("t", reading=True) as tx:
            tx.run("kv_set", kv_row("not written"))
        assert store.write([("kv_set", kv_row("after"))]) == [1]
        assert len(kv_keys(store)) == 5, "a later read sees what is there now"
        other.close()

    def test_a_writer_that_waited_too_long_is_told_so(self, store: Store, impatient: Callable[[], Store]) -> None:
        other = impatient()
        with store.transaction("t") as tx:
            tx.read("scope_bump", {"tenant": "t", "name": "s", "purges": 0})
            with pytest.raises(StoreBusy), other.transaction("t") as late:
                late.read("scope_bump", {"tenant": "t", "name": "s", "purges": 0})
        with other.transaction("t") as late:
            assert late.read("scope_bump", {"tenant": "t", "name": "s", "purges": 0})[0]["seq"] == 2
        other.close()

    @pytest.fixture
    def impatient(self) -> Callable[[], Store]:
        """Like ``connect``, but giving up on a lock after a tenth of a second."""
        raise NotImplementedError("an engine's tests define the fixture `impatient`")

    def test_after_close_everything_says_closed(self, store: Store) -> None:
        store.close()
        store.close()
        for act in (
            lambda: store.read("home_get", {"name": "x"}),
            lambda: store.write([("home_set", {"name": "x", "value": "y"})]),
            store.schema,
            store.check,
        ):
            with pytest.raises(StoreClosed):
                act()

    # -- tenants --------------------------------------------------------------------------------------------------

    def test_a_statement_sees_its_tenant_only(self, store: Store) -> None:
        strange = ["t", "T", "t ", "t%", "_", "%", "т", "t'; drop table kv; --", 't"', "ｔ", "t\u200b"]
        for number, tenant in enumerate(strange):
            store.write([("kv_set", kv_row(f"k{number}", tenant=tenant))])
        for number, tenant in enumerate(strange):
            assert kv_keys(store, tenant) == [f"k{number}"]

    # -- leases ---------------------------------------------------------------------------------------------------

    def test_a_lease_has_one_holder_until_it_expires_and_its_token_rises(self, store: Store) -> None:
        first = acquire(store, "role", "me", now=0, ttl=10 * SECOND)
        assert first is not None
        assert acquire(store, "role", "you", now=9 * SECOND, ttl=SECOND) is None
        renewed = acquire(store, "role", "me", now=9 * SECOND, ttl=10 * SECOND)
        assert renewed is not None
        assert (renewed.token, renewed.expires_at) == (first.token, 19 * SECOND)
        assert acquire(store, "role", "you", now=19 * SECOND - 1, ttl=SECOND) is None
        taken = acquire(store, "role", "you", now=19 * SECOND, ttl=10 * SECOND)
        assert taken is not None
        assert taken.token > renewed.token
        assert not release(store, renewed), "the late holder gave back what was not his any more"
        assert acquire(store, "role", "me", now=20 * SECOND, ttl=SECOND) is None
        assert release(store, taken)
        assert not release(store, taken)
        again = acquire(store, "role", "me", now=20 * SECOND, ttl=SECOND)
        assert again is not None
        assert again.token > taken.token

    def test_of_many_that_want_a_lease_one_gets_it(self, store: Store) -> None:
        won: list[str] = []

        def want(holder: str) -> None:
            if acquire(store, "r", holder, 0, SECOND):
                won.append(holder)

        run_together([partial(want, f"h{i}") for i in range(8)])
        assert len(won) == 1
        assert store.read("lease_find", {"name": "r"})[0]["holder"] == won[0]

    # -- administration -------------------------------------------------------------------------------------------

    def test_it_describes_itself_and_finds_no_damage(self, store: Store) -> None:
        facts = store.describe()
        assert facts["engine"]
        assert facts["location"]
        assert facts["bytes"] > 0
        assert store.check() == []
        store.scrub()
