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
_TAKEN = "Another process has taken over the work on the archive."


class Hold:
    """The lease while work goes on under it."""

    def __init__(self, lease: Held) -> None:
        self._lease = lease

    def keep(self) -> None:
        """Renew it in time: to be called often. Raises ArchiveConflict when another process has it."""
        if self._lease.lost():
            raise ArchiveConflict(_TAKEN)

    def guard(self, tx: Transaction) -> None:
        """Raises ArchiveConflict, so that the transaction is undone, when another process has it."""
        try:
            self._lease.guard(tx)
        except LeaseLost as lost:
            raise ArchiveConflict(_TAKEN) from lost


@contextmanager
def held(store: Store, world: World, seconds: float = 0.0) -> Iterator[Hold | None]:
    """Hold it, or None when another process does and has not let go after ``seconds``."""
    with holding(store, world, LEASE, TTL, wait=seconds) as lease:
        yield None if lease is None else Hold(lease)
