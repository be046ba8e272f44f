"""The hot store: one port, two engines, one shared text of SQL. Nobody outside this folder names an engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from engrain.errors import ConfigError

if TYPE_CHECKING:
    from engrain.config import Config
    from engrain.store.port import Store

SERVER_SCHEMES = ("postgresql://", "postgres://")


def is_server(location: str) -> bool:
    """Whether a location names a database server instead of a folder."""
    return location.startswith(SERVER_SCHEMES)


def open_store(location: str | Path, config: Config, home: Path | None = None) -> Store:
    """Open the store at a folder or a server's URL, without migrating it.

    Raises StoreUnavailable, StoreCorrupt or StoreReadOnly when it cannot be opened, ConfigError for another URL.
    """
    text = str(location)
    if is_server(text):
        from engrain.store.postgres import PostgresStore

        return PostgresStore(text, config)
    if "://" in text:
        scheme = text.split("://", 1)[0]
        raise ConfigError(f"engrain.open() knows folders, postgresql:// and http:// URLs, not {scheme}://.")
    from engrain.store.sqlite import SqliteStore

    return SqliteStore(Path(text) if home is None else home, config)


def restore_store(copy: Path, location: str, *, force: bool, stamp: str) -> dict[str, Any]:
    """Put a backup in the place of the store at a folder. Raises ConfigError for a server's URL."""
    if "://" in location:
        raise ConfigError(
            "A backup is restored to a folder. A server is restored with its own tools, such as pg_restore."
        )
    from engrain.store.restore import restore

    return restore(copy, Path(location), force=force, stamp=stamp)
