"""Leases: a right held by one process at a time, with expiry and a fencing token, on either engine."""

from __future__ import annotations

from dataclasses import dataclass

from engrain.store.port import Store


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
