"""The background roles: what each does, how often, and whether it is part of the lifecycle that a home may have off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from engrain.daemon.backups import copying
from engrain.daemon.health import keep_report
from engrain.lifecycle.metrics import measure
from engrain.lifecycle.sweep import SWEEPS
from engrain.model.fading import DAY
from engrain.model.run import RoleState
from engrain.store.port import Store, Transaction
from engrain.world import World, span_of

if TYPE_CHECKING:
    from pathlib import Path

    from engrain.config import Config
    from engrain.lifecycle.sweep import Sweeps

FAILED = "role-failed"  # the alert of a role that fails again and again
GONE = 2 * DAY  # µs after it was due, by which a role that nobody runs is one that there is no more
MANY = 20_000  # archived memories that wait for their role


class Work(NamedTuple):
    """What a run is given. ``checkpoint`` is where the last one stopped before its end; ``stop`` is to be asked often:
    it is true when the run is to end where it can go on. ``states`` tells how all roles fare. Writes through ``store``
    raise LeaseLost when another process has taken the role over; with another store ``guard`` is to be called first in
    each transaction."""

    store: Store
    world: World
    dry: bool
    checkpoint: str | None
    stop: Callable[[], bool]
    states: Callable[[], list[RoleState]]
    guard: Callable[[Transaction], None]


Done = tuple[Mapping[str, Any], str | None]
"""What a run came to, as JSON values, and where the next one goes on; None when it was through."""


@dataclass(frozen=True, slots=True)
class Role:
    """A duty that is done every so many µs, counted from when the home was made, or from midnight UTC."""

    name: str
    every: int
    run: Callable[[Work], Done]
    ages: bool = True  # belongs to the lifecycle
    midnight: bool = False
    broken: str = ""  # why it cannot be run
    backlog: Callable[[Store], bool] | None = None  # whether so much waits that it is run early


def waiting(store: Store) -> bool:
    """Whether so much is archived in the store that it should leave for the archive soon."""
    return int(store.read("role_waiting", {"limit": MANY})[0]["n"]) >= MANY


def metrics(most: int) -> Callable[[Work], Done]:
    """Measures the last day that is over; an agent with more than ``most`` memories raises an alert. Alerts are settled
    of roles that nobody has run for days."""

    def run(work: Work) -> Done:
        found = measure(work.store, work.world, most=most, dry=work.dry, stop=work.stop)
        if not work.dry:
            now, known = work.world.now(), [one.name for one in work.states()]
            row = {"name": FAILED, "known": known, "now": now, "since": now - GONE}
            work.store.write([("alert_orphan", row)])
        return found, "again" if found.get("unfinished") else None

    return run


def sweeping(sweeps: Sweeps, name: str) -> Callable[[Work], Done]:
    """Carries the rules of a memory's life out; ``held_ms`` is how long it held the write lock at most."""

    def run(work: Work) -> Done:
        found = sweeps.run(name, dry=work.dry, checkpoint=work.checkpoint, stop=work.stop, store=work.store)
        held = {} if work.dry else {"held_ms": round(found.longest * 1000, 1)}
        return {**found.counts, **held}, found.checkpoint

    return run


def roles(config: Config, sweeps: Sweeps, backups: Path | None) -> list[Role]:
    """The roles of a home, in the order in which those that are due are run. ``backups`` is the folder of its copies;
    None for a server's."""

    def every(name: str) -> int:
        return span_of(getattr(config, f"every_{name}")) or DAY

    many = {"archive": None if config.archive == "none" else waiting}
    return [
        *(Role(name, every(name), sweeping(sweeps, name), backlog=many.get(name)) for name in SWEEPS),
        Role("metrics", DAY, metrics(config.alert_items), ages=False, midnight=True),
        Role("report", every("report"), keep_report, ages=False),
        Role("backup", every("backup"), copying(backups, config.keep_backups), ages=False),
    ]
