"""An agent begins anew in a task type: its decisions, what came of them, what was learned and its own policies go.

What the whole tenant has learned keeps what its other agents observed: its sums are exact, so that those of the agent are
taken away from them, in the same transaction. Policies of the whole tenant stay: others are advised by them, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from engrain.errors import ArchiveConflict
from engrain.learn.credit import TASK, TENANT, Ledger
from engrain.learn.past import Past
from engrain.learn.policies import Policies
from engrain.learn.qtable import tally_of
from engrain.learn.recorder import TRIES, bump
from engrain.model.scope import Scope
from engrain.store.port import Store, Transaction

_ADVISING = ("candidate", "shadow", "live")
REASON = "the agent begins anew"


class Cold(Past, Protocol):
    """Experiences that left the store, which can be let go of."""

    def places(self, scope: Scope, task_type: str) -> Sequence[tuple[int, str]]:
        """(place, id) of an agent's in a task type. Raises ArchiveError."""
        ...

    def let_go(self, tx: Transaction, scope: Scope, places: Sequence[tuple[int, str]], now: int) -> None:
        """They count no more."""
        ...


def begin_anew(
    store: Store, past: Cold, versions: Policies, scope: Scope, task_type: str, now: int, actor: str
) -> dict[str, int]:
    """How many rows went, by what they were, in one transaction. Raises ArchiveError when archived experiences cannot be
    reached: then nothing was changed."""
    mine = {"tenant": scope.tenant, "agent": scope.agent, "task_type": task_type}
    for _ in range(TRIES):
        standing = past.standing(store, scope.tenant)
        cold = past.places(scope, task_type)
        with store.transaction(scope.tenant) as tx:
            seqs = bump(tx, scope.tenant, ((TENANT, task_type), (scope.agent, task_type)), purges=1)
            past.hold(tx)
            if past.standing(tx, scope.tenant) != standing:
                continue  # experiences left the store meanwhile
            past.let_go(tx, scope, cold, now)
            gone = {name: tx.run(f"begin_anew_{name}", mine) for name in ("experiences", "decisions")}
            _take_away(tx, mine, seqs)
            gone["q_values"] = tx.run("q_forget", mine)
            tx.run("begin_anew_drifts", mine)
            tx.run("track_clear", mine)
            policies = 0
            for one in versions.known(scope.tenant, task_type, scope.agent, limit=10_000):
                if one.state in _ADVISING:
                    versions.retire(tx, scope.tenant, task_type, one.version, REASON, actor)
                    policies += 1
            return {**gone, "archived": len(cold), "policies": policies}
    raise ArchiveConflict("Experiences are being archived.")


def _take_away(tx: Transaction, mine: Mapping[str, str], seqs: dict[str, int]) -> None:
    """What the agent told goes out of the tenant's sums."""
    tenant, task_type, ledger = mine["tenant"], mine["task_type"], Ledger()
    for row in tx.read("q_task", mine):
        ledger.put((TENANT, task_type, TASK, row["action"]), "{}", tally_of(row), sign=-1)
    tx.run_many("q_add", list(ledger.params(tenant, seqs)))
    tx.run("q_drop_empty", {**mine, "agent": TENANT})
