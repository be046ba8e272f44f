"""Both engines keep the store's contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from engrain.store import statements
from engrain.store.port import Store
from engrain.testing import StoreContract
from tests.postgres import Place


class TestStore(StoreContract):
    @pytest.fixture
    def empty(self, make_place: Callable[..., Place]) -> Iterator[Place]:
        yield make_place(empty=True)
        statements.migrations.cache_clear()

    @pytest.fixture
    def connect(self, empty: Place) -> Callable[[], Store]:
        return empty.store

    @pytest.fixture
    def impatient(self, empty: Place) -> Callable[[], Store]:
        return lambda: empty.store(busy_seconds=0.1)
