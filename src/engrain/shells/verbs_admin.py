"""The verbs of a home's owner."""

from __future__ import annotations

from typing import Any

from engrain.shells import calls
from engrain.shells.fields import Field
from engrain.shells.verb import LOCAL, Verb

ADMIN: tuple[Verb, ...] = (
    Verb("stats", "What is in the home, in numbers.", (), dict[str, Any], admin=True, reads=True),
    Verb("agents", "Every agent that has written.", (), calls.Agents, part="agents", admin=True, reads=True),
    Verb(
        "doctor",
        "Is the home all right? Exit code 1 when it is not.",
        (Field("canary", "flag", "Also prove, in a throw-away tenant, that outcomes change later decisions.", False),),
        calls.Examination,
        call=calls.doctor,
        shells=LOCAL,
        admin=True,
        repeats=True,
        no="ok",
    ),
    Verb(
        "rebuild",
        "Make words and vectors anew while others work: what is stale, as with another embedder, or else everything.",
        (),
        dict[str, int],
        shells=LOCAL,
        admin=True,
        repeats=True,
        progress=True,
    ),
    Verb(
        "backup",
        "A verified copy of the store, made while others work.",
        (Field("path", "text", "The file to make; it must not exist.", positional=True),),
        dict[str, str],
        call=calls.backup,
        shells=LOCAL,
        admin=True,
    ),
)
