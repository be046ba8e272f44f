"""A plain stand-in until the real signer is merged: masked text, nothing mined."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MASK = re.compile(r"0x[0-9a-fA-F]+|\d+|'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True, slots=True)
class Signature:
    """A signed problem."""

    id: str
    raw: str
    template: str
    kind: str
    scope: str
    text: str


class Signer:
    """Signs."""

    version = "0"

    def __init__(self, room: int = 0) -> None:
        self._to: dict[str, str] = {}

    def peek(self, problem: Mapping[str, Any]) -> Signature:
        """What it would be."""
        told = problem.get("fingerprint")
        text = _MASK.sub("<*>", str(told or problem["message"])).strip()
        kind = "fingerprint" if told else "template"
        raw = _raw(kind, "", text)
        return Signature(self.resolve(raw), raw, text, kind, "", text)

    def know(self, kind: str, scope: str, text: str) -> str:
        """Take in."""
        raw = _raw(kind, scope, text)
        self._to.setdefault(raw, raw)
        return raw

    def resolve(self, raw: str) -> str:
        """The issue."""
        while self._to.get(raw, raw) != raw:
            raw = self._to[raw]
        return raw

    def merge(self, a: str, b: str) -> None:
        """One."""
        self._to[self.resolve(a)] = self.resolve(b)

    def split(self, a: str) -> None:
        """Apart."""
        self._to[a] = a


def _raw(kind: str, scope: str, text: str) -> str:
    return f"{kind}-0-{hashlib.blake2b(f'{kind}:{scope}:{text}'.encode(), digest_size=10).hexdigest()}"
