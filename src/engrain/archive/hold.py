"""The right to change the tables of the archive: held by one process at a time, whatever it wants to change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from engrain.archive.tables import LEASE
from engrain.errors import ArchiveConflict, LeaseLost
from engrain.store.leases import Held, holding
from engrain.store.port import Store, Transaction
from engrain.world import World

TTL = 300_000_000  # µs without a word, after which another process may have it
_LOST = "Another process has taken over the work on the archive."


class Hold:
    """The lease while work goes on under it."""

    def __init__(self, held: Held) -> None:
        self._held = held

    def keep(self) -> None:
        """To be called often. Raises ArchiveConflict when another process has it."""
        if self._held.lost():
            raise ArchiveConflict(_LOST)

    def guard(self, tx: Transaction) -> None:
        """Raises ArchiveConflict, so that the transaction is undone, when another process has it."""
        try:
            self._held.guard(tx)
        except LeaseLost as error:
            raise ArchiveConflict(_LOST) from error


@contextmanager
def held(store: Store, world: World, seconds: float = 0.0) -> Iterator[Hold | None]:
    """Hold it, or None when another process does and has not let go after ``seconds``."""
    with holding(store, world, LEASE, TTL, wait=seconds) as found:
        yield None if found is None else Hold(found)
