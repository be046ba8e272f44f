"""The processes that run a home's roles: which are alive, and the wish that one should stop."""

from __future__ import annotations

from engrain.model.run import DaemonInfo
from engrain.store.leases import gone, machine
from engrain.store.port import Row, Store
from engrain.version import __version__
from engrain.world import World, from_micros

ALIVE = 90_000_000  # µs that one may be silent


class Registration:
    """This process among them."""

    def __init__(self, store: Store, world: World, pid: int) -> None:
        self._store, self._world = store, world
        self.id = world.new_id()
        self._row = {"id": self.id, "host": machine(), "pid": pid, "version": __version__, "started_at": world.now()}

    def say_alive(self) -> None:
        """To be done well within ALIVE; what is dead is struck out."""
        now = self._world.now()
        self._store.write([("daemon_seen", {**self._row, "now": now})])
        dead = [row["id"] for row in self._store.read("daemon_list") if not _lives(row, now)]
        if dead:
            self._store.write([("daemon_drop", {"ids": dead})])

    def asked_to_stop(self) -> bool:
        """Whether somebody wishes that it stops."""
        rows = self._store.read("daemon_asked", {"id": self.id})
        return bool(rows) and rows[0]["stop_at"] is not None

    def leave(self) -> None:
        """It has stopped."""
        self._store.write([("daemon_drop", {"ids": [self.id]})])


def daemons(store: Store, now: int) -> list[DaemonInfo]:
    """Those that are alive, the oldest first."""
    return [
        DaemonInfo(
            row["id"],
            row["host"].partition("|")[0],
            row["pid"],
            row["version"],
            from_micros(row["started_at"]),
            from_micros(row["seen_at"]),
            "alive" if row["stop_at"] is None else "stopping",
        )
        for row in store.read("daemon_list")
        if _lives(row, now)
    ]


def ask_to_stop(store: Store, now: int, everywhere: bool) -> list[DaemonInfo]:
    """Ask those of this machine to stop, or those of all; who was asked."""
    here = machine().partition("|")[0]
    asked = [one for one in daemons(store, now) if everywhere or one.host == here]
    if asked:
        store.write([("daemon_stop", {"ids": [one.id for one in asked], "now": now})])
    return asked


def _lives(row: Row, now: int) -> bool:
    """What was seen in the future was seen by a clock that has been put back since."""
    return abs(now - row["seen_at"]) < ALIVE and gone(f"{row['host']}|{row['pid']}|{row['id']}") is None
