"""The background roles: what each does, how often, and whether it is part of the lifecycle that a home may have off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from engrain.archive.hot import cold, urgent, waiting
from engrain.daemon.backups import copying
from engrain.daemon.health import keep_report
from engrain.daemon.silence import Silence, watch
from engrain.errors import DreamBusy, DreamFailed
from engrain.lifecycle.metrics import measure
from engrain.lifecycle.sweep import SWEEPS
from engrain.model.fading import DAY
from engrain.model.run import RoleState
from engrain.store.port import Store, Transaction
from engrain.world import World, span_of

if TYPE_CHECKING:
    from pathlib import Path

    from engrain.archive.archiver import Archiver
    from engrain.archive.compactor import Compactor
    from engrain.config import Config
    from engrain.dream.cycle import Dreamer
    from engrain.dream.journal import Journal
    from engrain.fixes.retention import Retention
    from engrain.lifecycle.sweep import Sweeps
    from engrain.patterns.consolidate import Consolidator
    from engrain.patterns.finder import Finder

FAILED = "role-failed"  # the alert of a role that fails again and again
GONE = 2 * DAY  # µs after it was due, by which a role that nobody runs is one that there is no more
MANY = 20_000  # rows that wait for their role
_FIXES = "fixes"  # where the prune role goes on when the sweep is done
_MOVE = "move"  # where the archive role goes on when the sweep is done
_MOVED = {"memories": "moved", "experiences": "moved_experiences", "adopted": "adopted"}
_ANY = 2**31


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
    backlog: Callable[[Store, int], bool] | None = None  # whether so much waits that it is run early


def metrics(most: int, silence: Silence) -> Callable[[Work], Done]:
    """Measures the last day that is over; an agent with more than ``most`` memories raises an alert, and a stage of
    learning that is silent. Alerts are settled of roles that nobody has run for days."""

    def run(work: Work) -> Done:
        found = measure(work.store, work.world, most=most, dry=work.dry, stop=work.stop)
        found |= {} if found.get("unfinished") else watch(work, silence)
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


def archiving(
    sweeps: Sweeps, archiver: Callable[[], Archiver | None], compactor: Callable[[], Compactor | None], days: float
) -> Callable[[Work], Done]:
    """The sweep, then what was archived leaves the store: ``moved`` memories, ``moved_experiences``. What was forgotten
    on its way is erased at once."""
    sweep = sweeping(sweeps, "archive")

    def run(work: Work) -> Done:
        found, checkpoint = ({}, None) if work.checkpoint == _MOVE else sweep(work)
        before = work.world.now() - int(days * DAY)
        waits = waiting(work.store, before, _ANY)  # a home where nothing waits needs no libraries
        if checkpoint is not None or not any(waits.values()) or (mover := archiver()) is None:
            return found, checkpoint
        if work.dry:
            return {**found, "moved": waits["memories"], "moved_experiences": waits["experiences"]}, None
        moved = mover.run(work.stop)
        if urgent(work.store) and (keeper := compactor()) is not None:
            keeper.erase(wait=False)
        longest = max(found.get("held_ms", 0.0), round(moved.longest * 1000, 1))
        counts = {_MOVED[name]: n for name, n in moved.counts.items()}
        return {**found, **counts, "held_ms": longest}, None if moved.whole else _MOVE

    return run


def pruning(sweeps: Sweeps, fixes: Callable[[], Retention]) -> Callable[[Work], Done]:
    """The sweep, then the texts of old attempts to fix something are let go: ``fixes``, where there are any."""
    sweep = sweeping(sweeps, "prune")

    def run(work: Work) -> Done:
        found, checkpoint = ({}, None) if work.checkpoint == _FIXES else sweep(work)
        if checkpoint is not None or not work.store.read("fix_any"):
            return found, checkpoint
        cleared, whole = fixes().sweep(work.store, work.dry, work.stop)
        return {**found, **({"fixes": cleared} if cleared else {})}, None if whole else _FIXES

    return run


def compacting(compactor: Callable[[], Compactor | None]) -> Callable[[Work], Done]:
    """Puts the archive's files in order; a home that has none needs no libraries."""

    def run(work: Work) -> Done:
        if not cold(work.store) or (keeper := compactor()) is None:
            return {}, None
        found = keeper.compact(dry=work.dry, stop=work.stop)
        return found, "again" if found.get("left") else None

    return run


def learning(journal: Callable[[], Journal], dreamer: Callable[[], Dreamer], config: Config) -> Callable[[Work], Done]:
    """Goes on with dreams that were asked for or interrupted, and dreams when something has come in since the last one:
    because of the time, or of many outcomes. Counts: ``dreams``, ``waiting`` task types, and what became of those that
    were worked on; ``elsewhere``: another process dreams. A failed dream is a failure. A home where nothing waits needs
    no libraries."""

    def run(work: Work) -> Done:
        book = journal()
        types, fresh = book.waits()
        if work.dry:
            return {"waiting": types, "outcomes": fresh}, None
        book.settle()
        asked = book.open()
        if not asked and types:
            asked = [book.ask("outcomes" if fresh >= config.dream_outcomes else "time", {}, 0, config.dream_steps)]
        counts: Counter[str] = Counter(dreams=0)
        for id_ in asked:
            try:
                dream = dreamer().run(id_, stop=work.stop)
            except DreamBusy:
                return {**counts, "elsewhere": 1}, None
            counts.update({"dreams": 1, **{name: n for name, n in dream.findings.items() if isinstance(n, int)}})
            if dream.state == "failed":
                raise DreamFailed(f"See engrain dream report {dream.id}: {dream.error}")
            if dream.state == "interrupted":
                return dict(counts), "again"
        return {**counts, "waiting": book.waits()[0]}, None

    return run


def seeking(finder: Callable[[], Finder], consolidator: Callable[[], Consolidator]) -> Callable[[Work], Done]:
    """Looks for patterns in what agents did and brings those that are there in order, agent by agent. Counts: what was
    looked at, and what became of patterns."""

    def run(work: Work) -> Done:
        from engrain.patterns.rounds import background

        return background(work.store, finder(), consolidator(), dry=work.dry, after=work.checkpoint, stop=work.stop)

    return run


def roles(
    config: Config,
    sweeps: Sweeps,
    archiver: Callable[[], Archiver | None],
    compactor: Callable[[], Compactor | None],
    backups: Path | None,
    journal: Callable[[], Journal],
    dreamer: Callable[[], Dreamer],
    fixes: Callable[[], Retention],
    finder: Callable[[], Finder],
    consolidator: Callable[[], Consolidator],
    silence: Silence = lambda: None,
) -> list[Role]:
    """The roles of a home, in the order in which those that are due are run. ``backups`` is the folder of its copies;
    None for a server's. ``silence`` tells which stages of learning are silent."""

    def every(name: str) -> int:
        return span_of(getattr(config, f"every_{name}")) or DAY

    ready, days = config.archive != "none", int(config.experience_days * DAY)

    def full(store: Store, now: int) -> bool:
        return max(waiting(store, now - days, MANY).values()) >= MANY

    def eager(_store: Store, _now: int) -> bool:
        return journal().urgent(config.dream_outcomes)

    runs = {
        "archive": archiving(sweeps, archiver, compactor, config.experience_days),
        "prune": pruning(sweeps, fixes),
    }
    early = {"archive": full} if ready else {}
    sweep = {
        name: Role(name, every(name), runs.get(name) or sweeping(sweeps, name), backlog=early.get(name))
        for name in SWEEPS
    }
    prune = sweep.pop("prune")
    return [
        *sweep.values(),
        Role("compact", every("compact"), compacting(compactor), ages=False),
        prune,
        Role("metrics", DAY, metrics(config.alert_items, silence), ages=False, midnight=True),
        Role("report", every("report"), keep_report, ages=False),
        Role("learn", every("learn"), learning(journal, dreamer, config), ages=False, backlog=eager),
        Role("patterns", every("patterns"), seeking(finder, consolidator), ages=False),
        Role("backup", every("backup"), copying(backups, config.keep_backups), ages=False),
    ]
