"""Copies of an embedded home's store: made while others work, the newest kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engrain.world import from_micros

if TYPE_CHECKING:
    from engrain.daemon.roles import Work

_OURS = re.compile(r"engrain-\d{8}T\d{6}Z\.db")
_DRAFTS = "engrain-*Z.db.part*"  # of a run that was killed; one runs at a time


def copying(folder: Path | None, keep: int) -> Callable[[Work], tuple[dict[str, Any], None]]:
    """The role ``backup``: a verified copy in ``folder``, named by the second (UTC) in which it began; then those
    beyond the newest ``keep`` are deleted. What else is in the folder stays. None: a server's store."""

    def run(work: Work) -> tuple[dict[str, Any], None]:
        if folder is None:
            return {"backups": 0, "note": "a server's store is backed up with the server's own tools"}, None
        if not keep:
            return {"backups": 0, "note": "keep_backups is 0: no copy is made, and none is deleted"}, None
        now = f"engrain-{from_micros(work.world.now()):%Y%m%dT%H%M%SZ}.db"
        path = folder / now
        made = not path.exists()  # else it was made in this second, and has its name because it is whole
        # One from the future is of a clock that was wrong, and not the newest.
        others = sorted(_ours(folder) - {now}, key=lambda name: (name < now, name), reverse=True)
        old = others[keep - 1 :]
        found: dict[str, Any] = {"made": int(made), "deleted": len(old), "backups": 1 + len(others) - len(old)}
        if work.dry:
            return found, None
        for draft in folder.glob(_DRAFTS):
            draft.unlink(missing_ok=True)
        if made:
            work.store.backup(path)
        for name in old:
            (folder / name).unlink(missing_ok=True)
        return {**found, "bytes": path.stat().st_size, "path": str(path)}, None

    return run


def _ours(folder: Path) -> set[str]:
    return {one.name for one in folder.glob("*.db") if _OURS.fullmatch(one.name)}
