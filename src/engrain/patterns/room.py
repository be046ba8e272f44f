"""What every part of the pattern bank works with, and the few things that all of them do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from engrain.errors import UnknownPattern
from engrain.model.scope import Scope
from engrain.patterns.belief import VOICE
from engrain.patterns.rows import text_of
from engrain.store.changes import bump
from engrain.store.port import Row, Store, Transaction
from engrain.world import World

SHARED = "patterns"
"""The change sequence of what a tenant's agents share of their patterns."""
AT_ONCE = 500  # ids in one statement
Passages = Sequence[Sequence[tuple[Any, ...]]]


class State(Protocol):
    """A checked state of a task."""

    @property
    def values(self) -> Mapping[str, Any]: ...
    @property
    def text(self) -> str: ...
    @property
    def key(self) -> str: ...


def own_scope(agent: str) -> str:
    """The name of the change sequence of an agent's patterns."""
    return f"patterns:{agent}"


@dataclass(frozen=True, slots=True)
class Room:
    """``index``: texts to passages, as memories have them; ``weights``: of an outcome, by evidence tier; ``state``: a
    mapping to a checked state (raises InvalidField)."""

    store: Store
    world: World
    index: Callable[[Sequence[str]], Passages]
    weights: Mapping[str, float]
    state: Callable[[object], State]

    def reader(self, scope: Scope) -> dict[str, Any]:
        """Who reads, for statements: tenant, agent, and the names of its team."""
        mates = self.store.read("agent_team", {"tenant": scope.tenant, "agent": scope.agent})
        return {"tenant": scope.tenant, "agent": scope.agent, "mates": [row["name"] for row in mates]}

    def seen(self, scope: Scope, ids: Sequence[str]) -> dict[str, Row]:
        """Rows of those of these patterns that the scope sees, by id."""
        reader = self.reader(scope) if ids else {}
        some = [list(ids[start : start + AT_ONCE]) for start in range(0, len(ids), AT_ONCE)]
        return {row["id"]: row for part in some for row in self.store.read("pattern_get", {**reader, "ids": part})}

    def one(self, scope: Scope, id_: str) -> Row:
        """The row of a pattern that the scope sees; of what it was merged into, if it was. Raises UnknownPattern."""
        asked = id_
        while True:
            row = self.seen(scope, [id_]).get(id_)
            if row is None:
                raise UnknownPattern(f"{asked!r} is not a pattern that agent {scope.agent!r} can see.")
            if row["state"] != "merged":
                return row
            id_ = row["merged_into"]

    def own(self, tx: Transaction, scope: Scope, id_: str) -> Row:
        """One's own pattern, locked until the transaction ends. Raises UnknownPattern."""
        self.hold(tx, scope)
        return self.mine(tx, scope, id_)

    def mine(self, tx: Transaction, scope: Scope, id_: str) -> Row:
        """The same when the scope is held already."""
        found = tx.read("pattern_own", {"tenant": scope.tenant, "agent": scope.agent, "id": id_})
        if not found:
            raise UnknownPattern(f"{id_!r} is not a pattern of agent {scope.agent!r}; only its own can be changed.")
        return found[0]

    def hold(self, tx: Transaction, scope: Scope) -> None:
        """Let nobody else change or use this agent's patterns until the transaction ends."""
        tx.read("scope_hold", {"tenant": scope.tenant, "name": own_scope(scope.agent)})

    def group(self, tx: Transaction | Store, tenant: str, id_: str) -> list[str]:
        """A pattern and all that is merged into it."""
        found = new = [id_]
        while new:
            new = [row["id"] for row in tx.read("pattern_parts", {"tenant": tenant, "ids": new})]
            found = [*found, *new]
        return found

    def put(self, tx: Transaction, told: dict[str, Any]) -> None:
        """Write the canonical columns of a pattern under new change numbers."""
        tenant, agent = told["tenant"], told["agent"]
        told["seq"] = bump(tx, tenant, own_scope(agent))
        if told["visibility"] != "private" or told["shared_seq"] is not None:
            told["shared_seq"] = bump(tx, tenant, SHARED)
        tx.run("pattern_put", told)

    def passages(self, tx: Transaction, tenant: str, id_: str, made: Sequence[tuple[Any, ...]]) -> None:
        """Put words and vectors in place of those a pattern has."""
        tx.run("pattern_passage_delete", {"tenant": tenant, "id": id_})
        tx.run_many("pattern_passage_insert", [(id_, tenant, *one) for one in made])

    def texts(self, told: Sequence[Mapping[str, Any] | Row]) -> Passages:
        """Words and vectors of patterns; made before anything is locked."""
        return self.index([text_of(one) for one in told])

    def sums(self, tx: Transaction, tenant: str, ids: Sequence[str]) -> dict[str, Any]:
        """What the voices and uses of a group say, as the derived columns of its pattern."""
        voices = tx.read("pattern_voice_sum", {"tenant": tenant, "ids": list(ids), "most": VOICE})[0]
        counts = tx.read("pattern_use_counts", {"tenant": tenant, "ids": list(ids)})[0]
        used = counts["last_used_at"]
        return {
            "good": round(float(voices["good"]), 9),
            "bad": round(float(voices["bad"]), 9),
            **{name: int(voices[name]) for name in ("lineages", "sure")},
            **{name: int(counts[name]) for name in ("applied", "helpful", "unhelpful")},
            "last_used_at": None if used is None else int(used),
        }
