"""Experiences that left the store, for the learner: replayed, looked up, and brought back with their decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import nlargest
from itertools import chain
from typing import TYPE_CHECKING, Any

from engrain.archive.reading import counted, pieces
from engrain.model.scope import Scope
from engrain.store.port import Store, Transaction

if TYPE_CHECKING:
    from engrain.archive.tables import Tables

_REPLAYED = ("agent", "task_type", "state_key", "state", "action", "reward", "weight", "id")
_EXPERIENCE = (
    "id", "tenant", "agent", "decision_id", "task_type", "state", "state_key", "action", "propensity", "success",
    "evidence", "outcome", "reward", "reward_version", "weight", "next_state", "episode", "task_id", "revision",
    "created_at", "updated_at",
)  # fmt: skip
# Of the decision: what the table calls it → what the store does. The rest has one name in both.
_DECISION = {
    "decision_id": "id", "decision_state": "state", "advised_action": "action", "advised_propensity": "propensity",
    "decision_episode": "episode", "decided_at": "now",
}  # fmt: skip
_BESIDE = ("options", "distribution", "value", "low", "high", "mode", "policy")


class ColdExperiences:
    """The archived experiences of one home. See ``learn.past.Past``."""

    def __init__(self, store: Store, tables: Callable[[], Tables | None]) -> None:
        self._store, self._tables = store, tables

    def standing(self, at: Store | Transaction, tenant: str) -> tuple[int, ...]:
        return tuple(at.read("experience_standing", {"tenant": tenant})[0])

    def hold(self, tx: Transaction) -> None:
        tx.run("archive_hold")

    def replay(self, tenant: str) -> Iterator[dict[str, Any]]:
        return self._rows(_REPLAYED, {"tenant": tenant})

    def latest(self, scope: Scope, task_type: str | None, limit: int) -> list[dict[str, Any]]:
        where = {"tenant": scope.tenant, "agent": scope.agent, "task_type": task_type}
        return nlargest(limit, self._rows(_EXPERIENCE, where), key=lambda row: (row["created_at"], row["id"]))

    def of_decision(self, scope: Scope, decision_id: str) -> dict[str, Any] | None:
        where = {"tenant": scope.tenant, "agent": scope.agent or None, "decision_id": decision_id}
        columns = dict.fromkeys(("place", *_EXPERIENCE, *_DECISION, *_BESIDE))
        found = (row for row in self._rows(tuple(columns), where) if row["decided_at"] is not None)
        return next(({**row, "decision": _decision(row)} for row in found), None)

    def take_back(self, tx: Transaction, row: Mapping[str, Any], now: int) -> None:
        mine = {"tenant": row["tenant"], "agent": row["agent"]}
        tx.run("gone_put", {**mine, "kind": "experiences", "place": row["place"], "id": row["id"],
                            "reason": "restored", "now": now})  # fmt: skip
        tx.run("decision_insert", row["decision"])
        tx.run("experience_insert", {**row, "success": None if row["success"] is None else int(row["success"])})

    def places(self, scope: Scope, task_type: str) -> list[tuple[int, str]]:
        where = {"tenant": scope.tenant, "agent": scope.agent, "task_type": task_type}
        return [(row["place"], row["id"]) for row in self._rows(("place", "id"), where)]

    def let_go(self, tx: Transaction, scope: Scope, places: Sequence[tuple[int, str]], now: int) -> None:
        mine = {"tenant": scope.tenant, "agent": scope.agent, "kind": "experiences", "reason": "forgotten", "now": now}
        tx.run_many("gone_put", [{**mine, "place": place, "id": id_} for place, id_ in places])

    def _rows(self, columns: tuple[str, ...], where: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        table = counted(self._store, self._tables, "experiences", columns, where)
        rows = chain.from_iterable(zip(*piece, strict=True) for piece in pieces(table))
        return (dict(zip(columns, row, strict=True)) for row in rows)


def _decision(row: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of ``decision_insert`` of the decision that stands beside an experience."""
    same = ("tenant", "agent", "task_type", *_BESIDE)
    return {name: row[name] for name in same} | {own: row[name] for name, own in _DECISION.items()}
