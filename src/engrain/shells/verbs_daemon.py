"""The verbs of whoever looks after daemons; some are those of the roles under another name."""

from __future__ import annotations

from dataclasses import replace

from engrain.shells import calls
from engrain.shells.fields import Field
from engrain.shells.verb import LOCAL, Verb
from engrain.shells.verbs_admin import ADMIN

_ALSO = {"pause": "daemon pause", "resume": "daemon resume", "runs": "daemon history"}

DAEMON: tuple[Verb, ...] = (
    Verb(
        "daemon status",
        "Is a daemon alive, how does every role fare, and what is wrong? Exit code 1 when none is alive.",
        (),
        calls.Status,
        part="status",
        call=calls.daemon_status,
        admin=True,
        reads=True,
        no="alive",
    ),
    Verb(
        "daemon stop",
        "Stop the daemons of this machine; what they do goes on from there later. Exit code 1 when there was none.",
        (Field("everywhere", "flag", "Those of every machine.", False, option="--all"),),
        calls.Daemons,
        part="daemons",
        admin=True,
        repeats=True,
        no="daemons",
    ),
    *(replace(verb, name=_ALSO[verb.name], does=verb.name, shells=LOCAL) for verb in ADMIN if verb.name in _ALSO),
)
