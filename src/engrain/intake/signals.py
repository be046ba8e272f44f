"""Signals of use, gathered and written together: shown, read, applied, helpful. They are not part of what is
acknowledged, so a recall never waits for the disk; at most a second of them can be lost by a crash."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from engrain.errors import StoreClosed, StoreError
from engrain.store.port import Row, Store, Transaction
from engrain.store.transitions import Transition, log
from engrain.world import World

SECONDS = 1.0
CHUNK = 400

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counts:
    shown: int = 0
    read: int = 0
    applied: int = 0
    helpful: int = 0
    unhelpful: int = 0
    last_shown_at: int | None = None
    last_used_at: int | None = None


def _is_revived(row: Row, counts: Counts) -> bool:
    return counts.last_used_at is not None and row["pending_at"] is not None and row["state"] == "active"


def _revived(row: Row) -> Transition:
    """What was about to be archived was used, and so stays."""
    return Transition(row["id"], row["agent"], "memory:revived", "pending_decay", "active", "used", "agent")


class Signals:
    """The buffer of one process, flushed within a second, at close, and inside any write of the same tenant."""

    def __init__(self, store: Store, world: World) -> None:
        self._store = store
        self._world = world
        self._lock = threading.Lock()
        self._pending: dict[str, dict[str, Counts]] = {}
        self._timer: threading.Timer | None = None
        self._closed = False
        self.also: list[Callable[[], None]] = []  # what else is written at the same times

    def shown(self, tenant: str, ids: list[str]) -> None:
        """These were among the hits of a recall. No evidence of use."""
        now = self._world.now()
        with self._lock:
            for id_ in ids:
                counts = self._slot(tenant, id_)
                counts.shown += 1
                counts.last_shown_at = now
            self._schedule()

    def used(self, tenant: str, id_: str, *, read: int = 0, applied: int = 0, helpful: bool | None = None) -> None:
        """This was read, applied, or judged."""
        with self._lock:
            counts = self._slot(tenant, id_)
            counts.read += read
            counts.applied += applied
            counts.helpful += helpful is True
            counts.unhelpful += helpful is False
            counts.last_used_at = self._world.now()
            self._schedule()

    def pending(self, tenant: str, id_: str) -> Counts | None:
        """What of one item is not written yet."""
        return self._pending.get(tenant, {}).get(id_)

    def drain(self, tenant: str, tx: Transaction) -> tuple[dict[str, Counts], list[Transition]]:
        """Write one tenant's signals inside a transaction; give the first result to ``restore`` if that fails later,
        and the second to ``log`` when everything else is written: its scope is locked last."""
        with self._lock:
            pending = self._pending.pop(tenant, {})
        ids = sorted(pending)
        try:
            some = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
            there = [row for part in some for row in tx.read("signal_lock", {"tenant": tenant, "ids": part})]
            revived = []
            for row in there:
                counts = pending[row["id"]]
                # another process may have used it since it was read: only one of them revives it
                if _is_revived(row, counts) and tx.run("signal_revive", {"tenant": tenant, "id": row["id"]}):
                    revived.append(_revived(row))
                values = {name: getattr(counts, name) for name in Counts.__dataclass_fields__}
                tx.run("signal_add", {"tenant": tenant, "id": row["id"], **values})
        except BaseException:
            self.restore(tenant, pending)
            raise
        return pending, revived

    def restore(self, tenant: str, drained: dict[str, Counts]) -> None:
        """Put back what a failed transaction did not keep."""
        with self._lock:
            for id_, counts in drained.items():
                mine = self._slot(tenant, id_)
                for name in ("shown", "read", "applied", "helpful", "unhelpful"):
                    setattr(mine, name, getattr(mine, name) + getattr(counts, name))
                mine.last_shown_at = mine.last_shown_at or counts.last_shown_at
                mine.last_used_at = mine.last_used_at or counts.last_used_at

    def flush(self) -> None:
        """Write everything that is pending now. Raises StoreError; nothing is lost then."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            tenants = [tenant for tenant, pending in self._pending.items() if pending]
        for tenant in tenants:
            drained: dict[str, Counts] = {}
            try:
                with self._store.transaction(tenant) as tx:
                    drained, revived = self.drain(tenant, tx)
                    log(tx, tenant, self._world.now(), revived)
            except BaseException:
                self.restore(tenant, drained)
                raise
        for write in self.also:
            write()

    def later(self) -> None:
        """Something is to be written: flush within a second."""
        with self._lock:
            self._schedule()

    def close(self) -> None:
        """Flush and stop."""
        self._closed = True
        self.flush()

    def _slot(self, tenant: str, id_: str) -> Counts:
        return self._pending.setdefault(tenant, {}).setdefault(id_, Counts())

    def _schedule(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = threading.Timer(SECONDS, self._tick)
            self._timer.daemon = True
            self._timer.start()

    def _tick(self) -> None:
        try:
            self.flush()
        except StoreClosed:
            return  # close() has flushed, or says why it could not
        except StoreError as error:
            _log.warning("signals of use could not be written and are kept for later: %s", error)
            with self._lock:
                self._schedule()
