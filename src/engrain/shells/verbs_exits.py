"""The verbs by which memories leave and come back: export, import, backup, restore."""

from __future__ import annotations

from engrain.shells.verb import Verb

EXITS: tuple[Verb, ...] = ()
