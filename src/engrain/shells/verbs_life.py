"""The verbs of the lifecycle: what was archived, what fades, what runs in the background."""

from __future__ import annotations

from engrain.shells.verb import Verb

LIFE: tuple[Verb, ...] = ()
