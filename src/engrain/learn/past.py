"""The port of experiences that have left the store for the archive, with their decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from engrain.model.scope import Scope
from engrain.store.port import Row, Store, Transaction

Record = Row | Mapping[str, Any]
"""A row by column names, of the store or of the archive."""


class Past(Protocol):
    """An experience is in the store or here, never in both and never in none. Everything but ``standing`` raises
    ArchiveError when experiences are here and cannot be reached."""

    def standing(self, at: Store | Transaction, tenant: str) -> tuple[int, ...]:
        """What is another one when experiences came here or left."""
        ...

    def hold(self, tx: Transaction) -> None:
        """Nothing leaves the store until the transaction ends."""
        ...

    def replay(self, tenant: str) -> Iterable[Mapping[str, Any]]:
        """agent, task_type, state_key, state, action, reward, weight and id of every experience, in no
        order."""
        ...

    def latest(self, scope: Scope, task_type: str | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """Rows of ``experiences``, newest first."""
        ...

    def of_decision(self, scope: Scope, decision_id: str) -> Mapping[str, Any] | None:
        """What came of a decision, with the decision under ``decision``; agent "" is any of the tenant."""
        ...

    def take_back(self, tx: Transaction, row: Mapping[str, Any], now: int) -> None:
        """Bring what ``of_decision`` gave back into the store, with its decision, and let it count here no more."""
        ...
