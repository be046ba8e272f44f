"""The verbs of the service: its keys."""

from __future__ import annotations

from engrain.shells.verb import Verb

SERVICE: tuple[Verb, ...] = ()
