"""Roles that other packages bring (see ``engrain.workers``). A plug-in that is wrong is a role that is broken: it says
why wherever roles are shown, its runs fail and so raise an alert, and the others know nothing of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from engrain.daemon.roles import Done, Role
from engrain.daemon.roles import Work as RoleWork
from engrain.daemon.supervisor import named
from engrain.errors import ConfigError
from engrain.model.fading import DAY
from engrain.store.rows import to_json
from engrain.workers import GROUP, Work, Worker
from engrain.world import span_of

if TYPE_CHECKING:
    from engrain.memory import Memory

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}:[a-z0-9][a-z0-9_.-]{0,39}")
_MINUTE = 60_000_000  # µs
_TOLD = ("name", "every", "ages", "midnight", "broken")
_MOST = 100_000  # bytes of findings, or of a checkpoint


def plugins(memory: Memory, only: Collection[str] | None = None) -> list[Role]:
    """The roles of every plug-in; with ``only``, of those that have roles of these names. Only those are loaded."""
    wanted = None if only is None else {name.partition(":")[0] for name in only if ":" in name}
    if wanted is not None and not wanted:
        return []
    found: dict[str, Role] = {}
    for entry in _installed():
        if wanted is None or entry.name in wanted:
            for role in _loaded(entry, memory, found):
                found[role.name] = role
    return list(found.values())


def described(memory: Memory, plugin: str) -> list[dict[str, Any]]:
    """What one plug-in brings, as JSON values."""
    return [{name: getattr(role, name) for name in _TOLD} for role in plugins(memory, [f"{plugin}:"])]


def apart(ask: Callable[[str], str]) -> Callable[[Collection[str] | None], list[Role]]:
    """The roles of plug-ins for a process that loads none of them, since that may end it. ``ask(plugin)`` gives the
    JSON of what is ``described`` elsewhere."""

    def elsewhere(work: RoleWork) -> Done:
        raise AssertionError("what is run elsewhere cannot be run here")

    def more(only: Collection[str] | None) -> list[Role]:
        found: dict[str, Role] = {}
        for entry in {entry.name: entry for entry in _installed()}.values():
            try:
                roles = [Role(run=elsewhere, **row) for row in json.loads(ask(entry.name))]
            except Exception as error:  # noqa: BLE001 (whatever a plug-in does, the others are to work)
                roles = [_broken(entry, str(error))]
            found |= {role.name: role for role in roles}
        return list(found.values())

    return more


def _installed() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda one: (one.name, one.value))


def _loaded(entry: EntryPoint, memory: Memory, taken: Collection[str]) -> list[Role]:
    """What one plug-in brings, or that it cannot be used."""
    try:
        given = entry.load()
        given = given(memory) if callable(given) else given
        if isinstance(given, Worker) or not isinstance(given, Iterable):
            given = [given]
        roles = [_role(one, entry.name, memory) for one in given]
        names = [role.name for role in roles]
        if twice := sorted({name for name in names if name in taken or names.count(name) > 1}):
            raise ConfigError(f"there is a second worker {twice[0]!r}")
        return roles
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 (whatever a plug-in does, the others are to work)
        told = error.detail if isinstance(error, ConfigError) else named(error)
        return [_broken(entry, told)]


def _role(given: Any, plugin: str, memory: Memory) -> Role:
    """The role that a worker is. Raises ConfigError when it is none."""
    if not isinstance(given, Worker):
        raise ConfigError(f"it gives {type(given).__name__}, not an engrain.workers.Worker")
    name, every = given.name, span_of(given.every) if isinstance(given.every, str) else None
    if not (isinstance(name, str) and _NAME.fullmatch(name) and name.partition(":")[0] == plugin):
        raise ConfigError(f"a worker is called {name!r}; it must be {plugin}:WHAT, in a-z, 0-9, _, . and -")
    if every is None or not _MINUTE <= every <= 3650 * DAY:
        raise ConfigError(f'{name}: every must be a span of 1m to 3650d, such as "15m", not {given.every!r}')
    if not callable(given.run):
        raise ConfigError(f"{name}: run is not callable")

    def run(work: RoleWork) -> Done:
        try:
            found = given.run(Work(memory, work.dry, work.checkpoint, work.stop))
        except (Exception, SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # such as asyncio's CancelledError: it is not to end the others
            raise RuntimeError(named(error)) from error
        findings, checkpoint = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
        if not isinstance(findings, Mapping | None) or not isinstance(checkpoint, str | None):
            raise TypeError("it must return its findings, a mapping, or those and a checkpoint, a text")
        for what, text in (("result", to_json(dict(findings or {}))), ("checkpoint", checkpoint or "")):
            if len(text.encode()) > _MOST or "\0" in text:
                raise ValueError(f"its {what} has a NUL, or more than {_MOST:,} bytes")
        return findings or {}, checkpoint

    return Role(name, every, run, ages=bool(given.ages), midnight=bool(given.midnight))


def _broken(entry: EntryPoint, why: str) -> Role:
    told = f"the plug-in {entry.name} ({entry.value}) cannot be used: {why}"

    def run(work: RoleWork) -> Done:
        raise ConfigError(told)

    return Role(f"{entry.name}:*", 15 * _MINUTE, run, ages=False, broken=told)
