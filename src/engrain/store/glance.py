"""A look into an embedded store for a process that lives for a blink: one connection that only reads, a few statements,
hardly any wait. It opens no home, migrates nothing, writes nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import cast
from urllib.parse import quote

from engrain.errors import NotFound, StoreUnavailable
from engrain.store.port import Params, Row
from engrain.store.sqlite_errors import FAILURES
from engrain.store.statements import FOLDER, one_file

FILE = "engrain.db"
WAIT = 0.05  # seconds for which another process may keep the store


class Glance:
    """The statements of ``statements/glance.sql`` over the store in a folder. Raises NotFound when there is
    none, StoreUnavailable when it is busy or has another schema."""

    def __init__(self, home: Path) -> None:
        path = home / FILE
        if not path.is_file():
            raise NotFound(f"There is no store in {home}.")
        self._statements = one_file(FOLDER / "statements" / "glance.sql")
        try:
            self._connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=WAIT)
        except FAILURES as error:
            raise StoreUnavailable(f"{path}: {error}.") from error
        self._connection.row_factory = sqlite3.Row

    def read(self, name: str, params: Params) -> list[Row]:
        """The rows of a statement."""
        text, values = self._statements[name].placed(params)
        try:
            return cast("list[Row]", self._connection.execute(text, values).fetchall())
        except FAILURES as error:
            raise StoreUnavailable(f"The store cannot be read now: {error}.") from error

    def close(self) -> None:
        """Let the store go."""
        self._connection.close()
