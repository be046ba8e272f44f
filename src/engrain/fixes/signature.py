"""What a problem's signature is made of, and how its raw id is made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from engrain.errors import InvalidField

VERSION = "1"
"""Of masks and raw ids. A change of either is a new version: ids of two versions are never compared."""

KINDS = ("fingerprint", "crash", "template")
"""What decides which issue a problem is."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Which issue a problem is. ``id`` is the issue as it is known now (ask `Signer.resolve` later), ``raw`` the id of
    this very shape of the problem. ``kind`` is what decided: fingerprint, crash or template. ``template`` is what is
    common to the issue; ``scope`` and ``text`` are what was hashed. ``is_new``: the issue was not known before."""

    id: str
    raw: str
    template: str
    kind: str
    version: str
    is_new: bool
    scope: str
    text: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What is compared of a problem, and hashed."""

    kind: str
    scope: str
    text: str


DETAILS = "\x1e"
"""Before it stands what a crash is hashed by, behind it what it is compared with others by."""


def raw_id(shape: Shape) -> str:
    """The raw id: of the version, the kind and what was compared, and of nothing else."""
    if shape.kind == "crash":
        shape = Shape(shape.kind, shape.scope, shape.text.partition(DETAILS)[0])
    told = "\x00".join((VERSION, shape.kind, shape.scope, shape.text)).encode("utf-8", "surrogatepass")
    return f"{shape.kind}-{VERSION}-{hashlib.blake2b(told, digest_size=10).hexdigest()}"


def coarse(shape: Shape) -> Shape:
    """What stands for a shape when there is no room: a bounded number of such. Not mined: it holds no template."""
    digest = hashlib.blake2b(
        f"{shape.scope}\x00{shape.text}".encode("utf-8", "surrogatepass"), digest_size=1
    ).hexdigest()
    return Shape(shape.kind, "overflow", f"one of many more [{digest}]")


def fingerprint_text(given: object) -> str:
    """An explicit fingerprint as one text. Raises InvalidField where it says nothing."""
    given = given if isinstance(given, list | tuple) else [given]
    parts = [part.strip() for part in given if isinstance(part, str)]
    if not all(parts) or not parts or len(parts) < len(given):
        raise InvalidField("a fingerprint is a text or a list of texts, none of them empty.")
    return "\x1f".join(parts)
