"""Leases: a right held by one process at a time, with expiry, heartbeat and a fencing token, on either engine.

A holder names its machine, process and purpose, so that whoever finds a lease held can tell when its process is gone.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from engrain.errors import LeaseLost, StoreError
from engrain.store.base import BaseStore
from engrain.store.port import Params, Store, Transaction
from engrain.world import World

TTL = 120_000_000  # µs that a holder may be silent before another takes over
BEATS = 4  # in that time
AGAIN = 0.05  # seconds between two attempts to take one
ENDED, RESTARTED = "its process ended before it was through", "its machine was started anew before it was through"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lease:
    """A right held by ``holder`` until ``expires_at`` (µs UTC). ``token`` rises with every change of holder, so that
    work done under an old lease can be told from work done under the present one."""

    name: str
    holder: str
    token: int
    expires_at: int


def acquire(store: Store, name: str, holder: str, now: int, ttl: int) -> Lease | None:
    """Take a lease, or renew one's own, for ``ttl`` µs; None while another holder's has not expired."""
    with store.transaction("*") as tx:
        rows = tx.read("lease_take", {"name": name, "holder": holder, "now": now, "expires_at": now + ttl})
    return Lease(name, holder, int(rows[0]["token"]), now + ttl) if rows else None


def release(store: Store, lease: Lease) -> bool:
    """Give a lease back; False when it was not held any more."""
    done = store.write([("lease_release", {"name": lease.name, "holder": lease.holder, "token": lease.token})])
    return done == [1]


class Held:
    """A lease that a thread renews while it is wanted. ``until`` is when it is wanted no more (µs UTC): a holder that
    hangs for longer loses it."""

    def __init__(self, store: Store, world: World, lease: Lease, ttl: int = TTL, until: int | None = None) -> None:
        self.lease = lease
        self._store, self._world, self._ttl, self._until = store, world, ttl, until
        self._ended = threading.Event()
        self._expires_at = lease.expires_at

    @property
    def store(self) -> Store:
        """The store, with every write transaction guarded."""
        return cast("Store", Fenced(self._store, self.guard))

    def guard(self, tx: Transaction) -> None:
        """To be called first in every write transaction of work done under the lease. Nobody can take it until the
        transaction ends. Raises LeaseLost when another process has."""
        if not tx.run("lease_guard", {"name": self.lease.name, "holder": self.lease.holder, "token": self.lease.token}):
            raise LeaseLost(f"{self.lease.name} was taken over by another process.")

    def beat(self) -> bool:
        """Renew it; False when it is lost, or wanted no more."""
        now = self._world.now()
        if self._until is not None and now >= self._until:
            return False
        row = {"name": self.lease.name, "holder": self.lease.holder, "token": self.lease.token, "now": now}
        if not self._store.write([("lease_beat", {**row, "expires_at": now + self._ttl})])[0]:
            return False
        self._expires_at = now + self._ttl
        return True

    def lost(self) -> bool:
        """Whether it is lost; renews it when half of its time is over, whatever the thread does."""
        return self._world.now() >= self._expires_at - self._ttl // 2 and not self.beat()

    def _beating(self) -> None:
        while not self._ended.wait(self._ttl / BEATS / 1e6):
            try:
                if not self.beat():
                    return
            except StoreError as error:
                _log.warning("the lease %s could not be renewed and is tried again: %s", self.lease.name, error)

    def __enter__(self) -> Held:
        threading.Thread(target=self._beating, name=f"engrain-lease-{self.lease.name}", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()


class Fenced:
    """A store whose write transactions all begin with a guard."""

    def __init__(self, store: Store, guard: Callable[[Transaction], None]) -> None:
        self._store, self._guard = store, guard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def transaction(self, tenant: str, reading: bool = False) -> Iterator[Transaction]:
        with self._store.transaction(tenant, reading) as tx:
            if not reading:
                self._guard(tx)
            yield tx

    def write(self, statements: Sequence[tuple[str, Params]]) -> list[int]:
        return BaseStore.write(cast("BaseStore", self), statements)


@contextmanager
def holding(
    store: Store,
    world: World,
    name: str,
    ttl: int = TTL,
    *,
    id_: str = "",
    until: int | None = None,
    wait: float = 0.0,
) -> Iterator[Held | None]:
    """Hold a lease for as long as the block takes, for a purpose with an id; None when another holds it, and still does
    after so many seconds. ``until`` is as in Held. A lease whose holder's process is gone is free at once."""
    holder, deadline = f"{process()}|{id_ or world.new_id()}", time.monotonic() + wait
    while (lease := _taken(store, world, name, holder, ttl)) is None and time.monotonic() < deadline:
        time.sleep(AGAIN)
    if lease is None:
        yield None
        return
    try:
        with Held(store, world, lease, ttl, until) as held:
            yield held
    finally:
        release(store, lease)


def _taken(store: Store, world: World, name: str, holder: str, ttl: int) -> Lease | None:
    """The lease, also when a process has it that is gone."""
    rows = store.read("lease_find", {"name": name})
    if rows and rows[0]["expires_at"] and gone(rows[0]["holder"]):
        release(store, Lease(name, rows[0]["holder"], int(rows[0]["token"]), 0))
    return acquire(store, name, holder, world.now(), ttl)


# -- who holds it -------------------------------------------------------------------------------------------------


@cache
def machine() -> str:
    """This machine since it was last started, and the processes that see each other: ``name|boot|namespace``."""
    boot = space = ""
    with suppress(OSError):  # only Linux tells
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:13]
        space = str(Path("/proc/self/ns/pid").stat().st_ino)
    return f"{platform.node().replace('|', '-')}|{boot}|{space}"


def process(pid: int | None = None) -> str:
    """This process, or another one here: ``machine|pid``."""
    return f"{machine()}|{os.getpid() if pid is None else pid}"


def gone(holder: str) -> str | None:
    """Why what a process began is not going on: it has certainly ended. None when it lives, or nobody here can tell."""
    there, here = holder.split("|"), machine().split("|")
    if len(there) < 4 or there[0] != here[0] or not there[3].isdecimal():
        return None
    if there[1] != here[1]:
        return RESTARTED
    return ENDED if there[2] == here[2] and not _lives(int(there[3])) else None


def _lives(pid: int) -> bool:
    if sys.platform == "win32":  # there a signal 0 would end it
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # the latter: no process has such a number
        return False
    except PermissionError:
        return True
    return True
