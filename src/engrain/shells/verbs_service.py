"""The verbs of the service: its keys."""

from __future__ import annotations

from engrain.model.key import RIGHTS, ApiKey
from engrain.shells import calls
from engrain.shells.fields import Field
from engrain.shells.verb import Verb

_TENANT = Field("tenant", "text", "Only those of this tenant.", None)
SERVICE: tuple[Verb, ...] = (
    Verb(
        "keys create",
        "Make a key of the REST service. It is shown once: only a hash of it is kept.",
        (
            Field("name", "text", "Whose it is, or what for.", positional=True),
            Field("tenant", "text", "The tenant that it is for; * for the whole home.", "default"),
            Field("agents", "words", "Only for these agents.", None, option="--for"),
            Field("rights", "choice", "What it may do; each may what the ones before it may.", "write", RIGHTS),
            Field("expires_in", "text", "How long it is good for, e.g. 90d.", None),
        ),
        ApiKey,
        admin=True,
    ),
    Verb(
        "keys list",
        "The keys of the REST service, without what they are a hash of.",
        (_TENANT,),
        calls.Keys,
        part="keys",
        admin=True,
        reads=True,
    ),
    Verb(
        "keys revoke",
        "End a key at once, in every process.",
        (Field("id", "text", "The id of the key.", positional=True), _TENANT),
        ApiKey,
        admin=True,
        destroys=True,
        repeats=True,
    ),
)
