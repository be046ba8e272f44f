"""The facade: the only place that wires the parts together."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from engrain import upkeep
from engrain.administration import Administration
from engrain.agent import Agent
from engrain.arrivals import take_in
from engrain.config import load
from engrain.errors import ConfigError, InvalidField
from engrain.intake.redact import refuse_secret
from engrain.intake.validate import NAME_CHARACTERS, text
from engrain.model.run import Run
from engrain.model.scope import Scope
from engrain.store import is_server, restore_store
from engrain.world import RealWorld, World, from_micros

if TYPE_CHECKING:
    from collections.abc import Callable

    from engrain.recall.embed import Embedder

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
    """Open the memory at a folder or a ``postgresql://`` URL, creating and migrating it as needed; or that of a service
    at an ``http://`` URL, whose settings are those of ``engrain.Client``.

    ``location`` None means ``$ENGRAIN_HOME``, else ``./.engrain``. With a server's URL, configuration and caches live
    in ``home``. ``embedder`` is a name (static, hash, onnx:PATH, openai:MODEL) or an object with ``name``, ``dim`` and
    ``embed(list[str]) -> float32[n, dim]``. Other settings are those of ``engrain.toml``. Raises ConfigError or a
    StoreError that says what to do.
    """
    usual = os.environ.get("ENGRAIN_HOME") or HOME
    given = os.fspath(location) if location is not None else usual
    if not given.strip():
        raise ConfigError("The location is empty: name a folder or a URL, or pass None for the usual one.")
    if given.startswith(("http://", "https://")):
        if home is not None or embedder is not None:
            raise ConfigError("A service has its own home and embedder; leave home= and embedder= out.")
        from engrain.shells.client import Client

        return Client(given, world=world, **settings)
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
    memory = Memory(given, folder, config, world or RealWorld(), None if isinstance(embedder, str) else embedder)
    memory.take_in()
    return memory


def restore_backup(
    copy: str | os.PathLike[str],
    location: str | os.PathLike[str] | None = None,
    *,
    force: bool = False,
    world: World | None = None,
) -> dict[str, Any]:
    """Put a backup in the place of a folder's store, which nobody may have open and which may be damaged.

    The copy is verified first; what it replaces, with ``force`` only, is kept beside it. Returns ``path``, ``kept``
    (where the old store is, or None) and the counts of what was restored. Raises InvalidField when there is a store and
    no ``force``, StoreBusy when it is in use, StoreCorrupt or SchemaTooNew for a bad copy: then nothing was changed.
    """
    given = os.fspath(location) if location is not None else os.environ.get("ENGRAIN_HOME") or HOME
    stamp = from_micros((world or RealWorld()).now()).strftime("%Y%m%dT%H%M%SZ")
    return restore_store(Path(copy), given, force=force, stamp=stamp)


class Memory(Administration):
    """The engine of one home: administration, and the door to agents. A context manager; threads may share it."""

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

    def tick(self, roles: Iterable[str] | None = None, dry_run: bool = False) -> list[Run]:
        self._check_open()
        if not dry_run:
            self.take_in()
        return super().tick(roles, dry_run)

    tick.__doc__ = Administration.tick.__doc__

    def take_in(self) -> int:
        """Make the calls that hooks have left in the home because they must not wait (``engrain hook``); how many.
        Opening a memory and ``tick`` do it, too. What cannot be done now waits on, and is told by ``doctor``."""
        return take_in(self, self.spool)

    def __enter__(self) -> Memory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
