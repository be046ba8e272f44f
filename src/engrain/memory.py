"""The facade: the only place that wires the parts together."""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from engrain import upkeep
from engrain.agent import Agent
from engrain.config import Config, load
from engrain.errors import ConfigError, EngrainError, InvalidField, StoreClosed
from engrain.intake.redact import refuse_secret
from engrain.intake.signals import Signals
from engrain.intake.validate import NAME_CHARACTERS, text
from engrain.model.item import KINDS
from engrain.model.report import AgentInfo, Report
from engrain.model.scope import Scope
from engrain.recall.items import Items
from engrain.store import is_server, open_store
from engrain.world import RealWorld, World, from_micros

if TYPE_CHECKING:
    from collections.abc import Callable

    from engrain.intake.revise import Reviser
    from engrain.intake.writer import Indexer, Writer
    from engrain.learn.learner import Learner
    from engrain.recall.embed import Embedder
    from engrain.recall.feedback import Feedback
    from engrain.recall.recaller import Recaller

    Excerpt = Callable[[str, str, int, Callable[[str], bool]], str]

HOME = ".engrain"


def open(  # noqa: A001 (the contract's name: engrain.open)
    location: str | os.PathLike[str] | None = None,
    *,
    home: str | os.PathLike[str] | None = None,
    embedder: str | Embedder | None = None,
    world: World | None = None,
    **settings: Any,
) -> Memory:
    """Open the memory at a folder or a ``postgresql://`` URL, creating and migrating it as needed.

    ``location`` None means ``$ENGRAIN_HOME``, else ``./.engrain``. With a server's URL, configuration and caches live
    in ``home``. ``embedder`` is a name (static, hash, onnx:PATH, openai:MODEL) or an object with ``name``, ``dim`` and
    ``embed(list[str]) -> float32[n, dim]``. Other settings are those of ``engrain.toml``. Raises ConfigError or a
    StoreError that says what to do.
    """
    usual = os.environ.get("ENGRAIN_HOME") or HOME
    given = os.fspath(location) if location is not None else usual
    if not given.strip():
        raise ConfigError("The location is empty: name a folder or a URL, or pass None for the usual one.")
    if is_server(given):
        folder = Path(home if home is not None else HOME if is_server(usual) else usual)
    elif home is not None and Path(home) != Path(given):
        raise ConfigError("home= goes with a server's URL; a folder is its own home.")
    else:
        folder = Path(given)
    named = embedder if isinstance(embedder, str) else None
    if embedder is not None and named is None and not all(hasattr(embedder, part) for part in ("name", "dim", "embed")):
        raise ConfigError(f"embedder must be a name or an object with name, dim and embed(), not {embedder!r}.")
    config = load(folder, {**settings, "embedder": named})
    return Memory(given, folder, config, world or RealWorld(), None if isinstance(embedder, str) else embedder)


class Memory:
    """The engine of one home: administration, and the door to agents. A context manager; threads may share it."""

    def __init__(self, location: str, home: Path, config: Config, world: World, embedder: Embedder | None) -> None:
        self.home = home
        self.config = config
        self.world = world
        self.kinds = frozenset((*KINDS, *config.kinds))
        self._location = location
        self._given_embedder = embedder
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
        for part in ("writer", "reviser", "recaller", "feedback", "learner"):
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
        return Writer(self.store, self.world, self.signals, self.index, redacts=self.config.redact, echo=echo)

    @cached_property
    def excerpt(self) -> Excerpt:
        """(text, question, near, fits) → the part of the text that the question asks about; see ``recall.excerpt``."""
        from engrain.recall.excerpt import excerpt

        return excerpt

    @cached_property
    def reviser(self) -> Reviser:
        from engrain.intake.revise import Reviser

        return Reviser(self.store, self.world, self.writer, self.index)

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
        return Recaller(self.store, self.world, lambda: self.embedder, self.config, feedback=self.feedback)

    @cached_property
    def feedback(self) -> Feedback:
        from engrain.recall.feedback import Feedback

        feedback = Feedback(self.store, self.world)
        self.signals.also = feedback.flush
        return feedback

    @cached_property
    def learner(self) -> Learner:
        from engrain.learn.learner import Learner

        return Learner(self.store, self.world, self.config)

    # -- the surface --------------------------------------------------------------------------------------------------

    def agent(self, name: str, tenant: str = "default", team: str | None = None) -> Agent:
        """The scope of one agent. A team is remembered; without one the agent keeps the team it had."""
        self._check_open()
        for field, value in (("agent", name), ("tenant", tenant), ("team", team)):
            if field != "team" or value is not None:
                text(field, value, NAME_CHARACTERS)
                if self.config.redact:
                    refuse_secret(field, value)
        if tenant == "*":
            raise InvalidField("tenant must not be '*', which stands for administration.")
        known = self.store.read("agent_find", {"tenant": tenant, "agent": name})
        before = known[0]["team"] if known else None
        if team is not None and team != before:
            upkeep.join_team(self.store, tenant, name, team, self.world.now())
        return Agent(self, Scope(tenant, name, team or before), known=bool(known) or team is not None)

    def agents(self) -> list[AgentInfo]:
        """Every agent that has remembered or decided, of every tenant, with what it has."""
        self._check_open()
        return [
            AgentInfo(
                row["tenant"],
                row["name"],
                row["team"],
                from_micros(row["created_at"]),
                row["memories"],
                row["experiences"],
            )
            for row in self.store.read("agent_list", {"now": self.world.now()})
        ]

    def stats(self) -> dict[str, Any]:
        """Counts of what is in the home, as plain JSON values."""
        self._check_open()
        self.signals.flush()
        return upkeep.stats(self.store, self.home, self.config)

    def doctor(self, canary: bool = False) -> Report:
        """Examine the home: integrity, schema, embedder identity, orphans, stale derived state. With ``canary`` also
        prove, in a throw-away tenant, that a recorded outcome changes a later decision after a restart."""
        self._check_open()
        self.signals.flush()
        report = upkeep.examine(self.store, self.embedder)
        return Report((*report.checks, *upkeep.canary(self._again))) if canary else report

    def rebuild(self, progress: Any = None) -> dict[str, int]:
        """Make derived state anew from what is canonical, while others work: words and vectors of another embedder or
        analyser, or where none are those of everything; then Q-values. ``progress(done)`` is told how many of the
        home's items are done; a run that was killed goes on where it stopped. Returns the counts: memories done now,
        left (written meanwhile with another embedder), tenants that have experiences. Raises EmbedderError when the
        embedder fails: what was done until then stays, and the rest is as it was."""
        self._check_open()
        return upkeep.rebuild(self.store, self.index, self.learner, self.embedder, progress)

    def backup(self, path: str | os.PathLike[str]) -> Path:
        """A verified copy of an embedded home's store, made while others work. Never overwrites."""
        self._check_open()
        self.signals.flush()
        target = Path(path)
        self.store.backup(target)
        return target

    def close(self) -> None:
        """Write buffered signals and let the store go. Closing twice is harmless."""
        if self._open:
            if self._pid != os.getpid():
                self._begin()
            self._open = False
            atexit.unregister(self._at_exit)
            try:
                self.signals.close()
            finally:
                self.store.close()

    def __enter__(self) -> Memory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def note_agent(self, scope: Scope) -> None:
        """List an agent among ``agents()``; harmless when it is there."""
        row = {"tenant": scope.tenant, "agent": scope.agent, "team": None, "now": self.world.now()}
        self.store.write([("agent_register", row)])

    def _again(self) -> Memory:
        """The same home, opened anew: nothing of this process's caches carries over."""
        return Memory(self._location, self.home, self.config, self.world, self._given_embedder)

    def _check_open(self) -> None:
        if not self._open:
            raise StoreClosed
        if self._pid != os.getpid():
            self._begin()

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings in force."""
        return {name: getattr(self.config, name) for name in self.config.__dataclass_fields__}


def _close(reference: weakref.ref[Memory]) -> None:
    memory = reference()
    if memory is not None:
        try:
            memory.close()
        except EngrainError as error:
            import logging

            logging.getLogger(__name__).warning("the memory could not be closed cleanly: %s", error)
