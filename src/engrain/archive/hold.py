"""The right to change the tables of the archive: held by one process at a time, whatever it wants to change."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engrain.archive.tables import LEASE
from engrain.errors import ArchiveConflict
from engrain.store.leases import Lease, acquire, release
from engrain.store.port import Store, Transaction
from engrain.world import World

TTL = 300_000_000  # µs without a word, after which another process may have it
_WAIT = 0.05  # seconds between two attempts


class Hold:
    """The lease while work goes on under it."""

    def __init__(self, store: Store, world: World, lease: Lease) -> None:
        self._store, self._world, self.lease = store, world, lease

    def keep(self) -> None:
        """Renew it in time: to be called often. Raises ArchiveConflict when another process has it."""
        now = self._world.now()
        if now > self.lease.expires_at - TTL * 3 // 4:
            renewed = acquire(self._store, LEASE, self.lease.holder, now, TTL)
            if renewed is None or renewed.token != self.lease.token:
                raise ArchiveConflict("Another process has taken over the work on the archive.")
            self.lease = renewed

    def guard(self, tx: Transaction) -> None:
        """Raises ArchiveConflict, so that the transaction is undone, when another process has it."""
        rows = tx.read("lease_find", {"name": LEASE})
        if not rows or (rows[0]["holder"], rows[0]["token"]) != (self.lease.holder, self.lease.token):
            raise ArchiveConflict("Another process has taken over the work on the archive.")


@contextmanager
def held(store: Store, world: World, seconds: float = 0.0) -> Iterator[Hold | None]:
    """Hold it, or None when another process does and has not let go after ``seconds``."""
    holder, until = f"{os.getpid()}:{world.new_id()}", time.monotonic() + seconds
    while (lease := acquire(store, LEASE, holder, world.now(), TTL)) is None and time.monotonic() < until:
        time.sleep(_WAIT)
    if lease is None:
        yield None
        return
    hold = Hold(store, world, lease)
    try:
        yield hold
    finally:
        release(store, hold.lease)
