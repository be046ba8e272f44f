"""A home that is open: the only place that wires the parts together."""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from engrain import upkeep
from engrain.config import QUOTAS, Config
from engrain.errors import EngrainError, StoreClosed
from engrain.home_fixes import FixParts
from engrain.home_learning import LearningParts
from engrain.home_patterns import PatternParts
from engrain.intake.signals import Signals
from engrain.model.item import KINDS
from engrain.model.life import Rules
from engrain.model.scope import Scope
from engrain.recall.items import Items
from engrain.spool import Spool
from engrain.store import is_server, open_store
from engrain.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from engrain.access import Keys
    from engrain.archive.analyst import Analyst
    from engrain.archive.archiver import Archiver
    from engrain.archive.compactor import Compactor
    from engrain.archive.port import Archive
    from engrain.archive.shelf import Shelf
    from engrain.archive.tables import Tables
    from engrain.daemon.looper import Looper
    from engrain.daemon.roles import Role
    from engrain.daemon.supervisor import Supervisor
    from engrain.intake.quota import Quota
    from engrain.intake.revise import Reviser
    from engrain.intake.writer import Indexer, Writer
    from engrain.lifecycle.restore import Restorer
    from engrain.lifecycle.sweep import Sweeps
    from engrain.memory import Memory
    from engrain.recall.embed import Embedder
    from engrain.recall.feedback import Feedback
    from engrain.recall.recaller import Recaller

    Excerpt = Callable[[str, str, int, Callable[[str], bool]], str]

_PARTS = (
    "writer",
    "reviser",
    "recaller",
    "feedback",
    "pattern_room",
    "bank",
    "trajectory_book",
    "learner",
    "versions",
    "journal",
    "dreamer",
    "parts",
    "logged",
    "past",
    "records",
    "loop",
    "tables",
    "archiver",
    "analyst",
    "tiers",
    "shelf",
    "compactor",
    "sweeps",
    "restorer",
    "supervisor",
    "looper",
    "issue_books",
    "fix_writer",
    "fix_knowledge",
    "fix_lookup",
    "fix_listing",
    "fix_exchange",
    "fix_retention",
    "issue_edits",
)


class Home(LearningParts, FixParts, PatternParts):
    """The store of one home and the stages over it, each made when first needed."""

    def __init__(self, location: str, home: Path, config: Config, world: World, embedder: Embedder | None) -> None:
        self.home = home
        self.config = config
        self.world = world
        self.kinds = frozenset((*KINDS, *config.kinds))
        self._location = location
        self._given_embedder = embedder
        self.spool = Spool(home, location if is_server(location) else "")
        self.store = open_store(location, config, None if is_server(location) else home)
        self._open = True
        try:
            version, needed = self.store.schema()
            if version < needed or not self.store.read("home_get", {"name": "created_at"}):
                upkeep.prepare(self.store, world, self.embedder_name)
            world.enter(lambda: upkeep.count_opening(self.store))
        except BaseException:
            self.store.close()
            raise
        self._begin()
        reference = weakref.ref(self)
        self._at_exit = lambda: _close(reference)
        atexit.register(self._at_exit)

    def _begin(self) -> None:
        """What belongs to this process alone. After a fork it is made anew: the parent writes its own signals, and
        its threads and locks did not come along."""
        self._pid = os.getpid()
        self.signals = Signals(self.store, self.world)
        self.items = Items(self.store, self.world, self.signals.pending)
        for part in _PARTS:
            self.__dict__.pop(part, None)

    # -- parts, made when first needed: a hook that only looks a key up must not pay for numpy ------------------------

    @cached_property
    def embedder(self) -> Embedder:
        """The embedder in use, loaded on first use."""
        from engrain.recall.embed import Given, load_embedder

        return load_embedder(self.config.embedder) if self._given_embedder is None else Given(self._given_embedder)

    @property
    def embedder_name(self) -> str:
        """The identity that vectors are stamped with."""
        return self.embedder.name

    @cached_property
    def index(self) -> Indexer:
        """Texts to their passages: words and vectors."""
        from engrain.recall.index import index

        return lambda texts, cuts=(): index(texts, self.embedder, cuts)

    @cached_property
    def writer(self) -> Writer:
        from engrain.intake.writer import Writer

        echo = int(self.config.echo_minutes * 60e6)
        redacts = self.config.redact
        return Writer(self.store, self.world, self.signals, self.index, redacts=redacts, echo=echo, quota=self.quota)

    @cached_property
    def quota(self) -> Quota | None:
        """What the settings allow to be remembered; None for any."""
        limits = {name: getattr(self.config, name) for name in QUOTAS}
        if not any(limits.values()):
            return None
        from engrain.intake.quota import Quota

        return Quota(limits)

    @cached_property
    def excerpt(self) -> Excerpt:
        """(text, question, near, fits) → the part of the text that the question asks about; see ``recall.excerpt``."""
        from engrain.recall.excerpt import excerpt

        return excerpt

    @cached_property
    def reviser(self) -> Reviser:
        from engrain.intake.revise import Reviser

        return Reviser(self.store, self.world, self.writer, self.index, self.tiers)

    @cached_property
    def keys(self) -> Keys:
        """The keys of the service."""
        from engrain.access import Keys

        return Keys(self.store, self.world)

    @cached_property
    def tables(self) -> Tables | None:
        """The tables of the cold archive; None where there is to be none."""
        place = self.config.archive
        if place == "none":
            return None
        from engrain.archive.tables import Tables

        # When the home was made tells homes apart, and every backup of the store knows it.
        owner = str(self.store.read("home_get", {"name": "created_at"})[0]["value"])
        return Tables(self.store, place if "://" in place else str(self.home / place), owner)

    @cached_property
    def archiver(self) -> Archiver | None:
        """What moves archived rows into the cold archive; None where there is to be none."""
        if self.tables is None:
            return None
        from engrain.archive.archiver import Archiver

        return Archiver(self.store, self.world, self.tables, self.config.experience_days)

    @cached_property
    def analyst(self) -> Analyst:
        """What answers SQL over the archive."""
        from engrain.archive.analyst import Analyst

        return Analyst(self.store, lambda: self.tables)

    @cached_property
    def tiers(self) -> Archive:
        """Where archived memories are kept."""
        from engrain.archive.tiers import Tiers

        return Tiers(self.store, lambda: self.tables, lambda: self.compactor)

    @cached_property
    def compactor(self) -> Compactor | None:
        """What keeps the cold tables in order; None where there are to be none."""
        if self.tables is None or self.archiver is None:
            return None
        from engrain.archive.compactor import Compactor

        days, seconds = self.config.vacuum_days, self.config.busy_seconds
        return Compactor(self.store, self.world, self.tables, days, seconds, self.archiver.finish)

    @cached_property
    def shelf(self) -> Shelf:
        """What is archived, for recall to search."""
        from engrain.archive.shelf import Shelf

        return Shelf(self.store, lambda: self.tables, self.config.cache_rows // 4)

    @cached_property
    def rules(self) -> Rules:
        """The rules of the lifecycle, as the settings say."""
        names = {one.name for one in fields(Rules)} & {one.name for one in fields(Config)}
        return Rules(policy=self.config.lifecycle_policy, **{name: getattr(self.config, name) for name in names})

    @cached_property
    def sweeps(self) -> Sweeps:
        from engrain.lifecycle.sweep import Sweeps

        return Sweeps(self.store, self.world, self.rules, self.tiers)

    @cached_property
    def restorer(self) -> Restorer:
        from engrain.lifecycle.restore import Restorer

        return Restorer(self.store, self.world, self.rules, self.tiers, self.index, self.quota)

    @cached_property
    def recaller(self) -> Recaller:
        from engrain.recall.recaller import Recaller

        own = self.store.read("home_get", {"name": "embedder"})
        if own and own[0]["value"] != self.embedder_name:
            import logging

            told = (
                "%s is in use, but this home is indexed with %s: what has no vector of the one in use is found by its "
            )
            told += "words alone, until `engrain rebuild` has made them."
            logging.getLogger(__name__).warning(told, self.embedder_name, own[0]["value"])
        return Recaller(self.store, self.world, lambda: self.embedder, self.config, self.shelf, feedback=self.feedback)

    @cached_property
    def feedback(self) -> Feedback:
        from engrain.recall.feedback import Feedback

        feedback = Feedback(self.store, self.world)
        self.signals.also.append(feedback.flush)
        return feedback

    @cached_property
    def supervisor(self) -> Supervisor:
        from engrain.daemon.roles import roles
        from engrain.daemon.supervisor import Supervisor

        folder = None if is_server(self._location) else self.home / "backups"
        found = roles(
            self.config,
            self.sweeps,
            lambda: self.archiver,
            lambda: self.compactor,
            folder,
            lambda: self.journal,
            lambda: self.dreamer,
            lambda: self.fix_retention,
            lambda: self.finder,
            lambda: self.consolidator,
            self._silence,
        )
        return Supervisor(self.store, self.world, found, self.config.role_minutes, self._plugins)

    def _plugins(self, only: Collection[str] | None) -> list[Role]:
        from engrain.daemon.plugins import plugins

        return plugins(cast("Memory", self), only)

    @cached_property
    def looper(self) -> Looper:
        """The thread that runs what is due, once somebody has started it."""
        from engrain.daemon.looper import Looper

        def tick(stop: Callable[[], bool]) -> None:
            self.signals.flush()
            self.supervisor.tick(stop=stop)

        return Looper(tick, self.world.rng)

    def close(self) -> None:
        """Write buffered signals and let the store go. Closing twice is harmless."""
        if self._open:
            if self._pid != os.getpid():
                self._begin()
            if "looper" in self.__dict__:
                self.looper.stop()
            if "analyst" in self.__dict__:
                self.analyst.close()
            self._open = False
            atexit.unregister(self._at_exit)
            try:
                self.signals.close()
            finally:
                self.store.close()

    def note_agent(self, scope: Scope) -> None:
        """List an agent among ``agents()``; harmless when it is there."""
        row = {"tenant": scope.tenant, "agent": scope.agent, "team": None, "now": self.world.now()}
        self.store.write([("agent_register", row)])

    def _again(self) -> Self:
        """The same home, opened anew: nothing of this process's caches carries over."""
        return type(self)(self._location, self.home, self.config, self.world, self._given_embedder)

    def _check_open(self) -> None:
        if not self._open:
            raise StoreClosed
        if self._pid != os.getpid():
            self._begin()

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings in force."""
        return {name: getattr(self.config, name) for name in self.config.__dataclass_fields__}


def _close(reference: weakref.ref[Home]) -> None:
    memory = reference()
    if memory is not None:
        try:
            memory.close()
        except EngrainError as error:
            import logging

            logging.getLogger(__name__).warning("the memory could not be closed cleanly: %s", error)
