"""The screen of every verb, by its name."""

from __future__ import annotations

from typing import Any

from engrain.shells import (
    render,
    render_archive,
    render_exits,
    render_fixes,
    render_health,
    render_learn,
    render_loop,
    render_patterns,
)
from engrain.shells.render import Asked
from engrain.shells.render_service import SERVICE
from engrain.world import from_micros

_SCREENS = {
    **render.SCREENS,
    **render_health.SCREENS,
    **render_exits.SCREENS,
    **render_archive.SCREENS,
    **render_fixes.SCREENS,
    **render_learn.SCREENS,
    **render_loop.SCREENS,
    **render_patterns.SCREENS,
    **SERVICE,
}


def show(screen: str, value: Any, now: int, asked: Asked | None = None) -> None:
    """Print the answer of a verb on its screen, which has the verb's name and that of a chosen view, as in
    ``recall --explain``; ``now`` in µs since 1970 dates what it tells."""
    _SCREENS[screen](value if asked is None else {**value, "asked": asked}, from_micros(now))
