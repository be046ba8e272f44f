"""What an issue is called: the signature of a problem, and which signatures belong together by now."""

from __future__ import annotations

from typing import Any, NamedTuple

from engrain.fixes.signer import Signer
from engrain.model.fix import Problem

TITLE = 200
ROOM = 200_000  # signatures of one viewer that are told apart
FRAMES = ("exception", "frames", "frames_app", "stack", "project", "causes")
"""What of a problem's metadata tells of a stack trace."""


class Named(NamedTuple):
    """A problem's raw id, and the issue that it belongs to as far as is known; what to call this. ``kind``, ``scope``
    and ``text`` are what the raw id was made of."""

    raw: str
    issue: str
    title: str
    kind: str
    scope: str
    text: str


def signed_of(problem: Problem) -> dict[str, Any]:
    """The part of a problem that its signature is made of, as JSON values."""
    found: dict[str, Any] = {name: problem.metadata[name] for name in FRAMES if name in problem.metadata}
    found |= {"type": problem.type} if _named_by(problem) else {"message": problem.message, "type": problem.type}
    for name in ("trace", "test", "log", "prompt", "response", "fingerprint"):
        value = getattr(problem, name)
        if value is not None:
            found[name] = value
    return found


def _named_by(problem: Problem) -> bool:
    """Whether the message was made of the prompt, for want of one: then the response tells more."""
    rest = problem.message.removeprefix(f"{problem.type}: ")
    return problem.prompt is not None and rest != problem.message and problem.prompt.strip().startswith(rest)


class Names:
    """The signatures that one viewer knows."""

    def __init__(self) -> None:
        self._signer = Signer(room=ROOM)
        self._others: dict[str, str] = {}  # what stands for signatures for which there was no room

    def name(self, problem: Problem) -> Named:
        """The signature of a problem; nothing is remembered of it."""
        found = self._signer.peek(signed_of(problem))
        told = problem.message if found.kind == "fingerprint" else found.template
        lines = told.strip().splitlines() or [problem.message]
        return Named(found.raw, found.id, lines[0][:TITLE], found.kind, found.scope, found.text)

    def alike(self, problem: Problem, limit: int) -> list[tuple[str, float]]:
        """(raw id, likeness) of the known problems whose stack traces are most like one's; empty without a trace."""
        return self._signer.alike(signed_of(problem), limit)

    def know(self, raw: str, kind: str, scope: str, text: str) -> None:
        """Take a signature in, by what it was made of."""
        known = self._signer.know(kind, scope, text)
        if known != raw:
            self._others[raw] = known

    def resolve(self, raw: str) -> str:
        """The id of the issue to which a signature that was taken in belongs by now."""
        return self._signer.resolve(self._others.get(raw, raw))

    def merge(self, one: str, other: str) -> None:
        """Two issues are one."""
        self._signer.merge(self._others.get(one, one), self._others.get(other, other))

    def split(self, raw: str) -> None:
        """A signature is an issue of its own."""
        self._signer.split(self._others.get(raw, raw))
