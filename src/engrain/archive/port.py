"""The port of the archive: where memories lie that are remembered no more but can be brought back."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from engrain.model.item import MemoryItem
from engrain.model.life import Life
from engrain.model.scope import Scope
from engrain.store.port import Row, Transaction

Put = tuple[str, str, str, int | None, int | None]
"""(id, agent, reason, seq, shared_seq) of an item on its way in: the numbers tell other processes; None where they need
not hear of it."""


class Archive(Protocol):
    """What every archive does. Writes belong to a transaction of the hot store, so that an item is in the one or in the
    other, whatever happens in between."""

    def put(self, tx: Transaction, tenant: str, items: Sequence[Put], now: int) -> None:
        """Archive items whose rows are locked."""
        ...

    def list(self, scope: Scope, limit: int, before: tuple[int, str] | None, reason: str | None) -> list[MemoryItem]:
        """An agent's archived items, the latest first; ``before``: (archived_at in µs, id) of the last that was
        seen."""
        ...

    def get(self, scope: Scope, id_: str) -> Row | None:
        """``{item}, echoes, fingerprint, seq, shared_seq`` of one archived item of an agent."""
        ...

    def take_back(self, tx: Transaction, scope: Scope, id_: str, row: Mapping[str, Any]) -> bool:
        """Make it what ``row`` says (the parameters of ``memory_take_back``); False when it is not here any more."""
        ...

    def old(self, scope: Scope, before: int, now: int) -> builtins.list[Life]:
        """What of an agent's was archived at ``before`` (µs) or earlier, the longest ago first."""
        ...

    def drop(self, tx: Transaction, tenant: str, items: Sequence[tuple[str, str]]) -> None:
        """Delete (id, agent) for good."""
        ...
