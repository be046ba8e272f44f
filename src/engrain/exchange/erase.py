"""Forgetting everything of one agent: what it remembers in any state, keys and values, decisions and what came of them,
and every trace of it elsewhere. Only the agent's name stays in the list of agents.

Items go chunk by chunk, so that nobody waits long for the write lock, and then the rest at once. One that was killed is
run again.
"""

from __future__ import annotations

from engrain.archive.port import Archive
from engrain.fixes.book import SHARED as FIXES_SHARED
from engrain.fixes.book import own_scope
from engrain.intake.revise import ADAPT, FEEDBACK, Reviser
from engrain.learn.credit import TENANT, scope_name
from engrain.learn.learner import Learner
from engrain.model.scope import Scope
from engrain.patterns.bank import Bank
from engrain.store.changes import agent_scope, bump
from engrain.store.port import Store, Transaction
from engrain.world import World

CHUNK = 500
_TABLES = ("questions", "echoes", "kv", "decisions", "experiences", "transitions", "metrics")
_FIXES = ("fixes", "signatures", "fix_plans", "fix_tallies", "issue_edits")


def forget_everything(
    store: Store, world: World, reviser: Reviser, learner: Learner, archive: Archive, bank: Bank, scope: Scope
) -> int:
    """How many rows went. What the tenant has learned is made anew from what its other agents have observed. Raises an
    ArchiveError, when all that is done, if files cannot be reached."""
    base = {"tenant": scope.tenant, "agent": scope.agent}
    gone = 0
    while ids := [row["id"] for row in store.read("erase_ids", {**base, "limit": CHUNK})]:
        gone += reviser.forget(scope, ids, erase=False)
    gone += bank.forget(scope)
    scopes = store.read("q_scopes", {"tenant": scope.tenant})
    learned = {row["task_type"] for row in scopes if row["agent"] == scope.agent}
    with store.transaction(scope.tenant) as tx:
        bump(tx, scope.tenant, agent_scope(scope.agent))
        bump(tx, scope.tenant, FEEDBACK)
        if tx.run("erase_adapter", {**base, "nothing": b""}):
            bump(tx, scope.tenant, ADAPT)
        gone += sum(tx.run(f"erase_{table}", base) for table in _TABLES)
        if fixes := sum(tx.run(f"erase_{table}", base) for table in _FIXES):
            bump(tx, scope.tenant, own_scope(scope.agent), purges=1)
            bump(tx, scope.tenant, FIXES_SHARED, purges=1)
            gone += fixes
        tx.run("erase_replies", {"tenant": scope.tenant})
    cold, left = archive.forget_all(scope, world.now())  # the store has nothing any more that could go there
    learner.rebuild(scope.tenant)
    with store.transaction(scope.tenant) as tx:
        _unname(tx, scope, learned)
    store.scrub()
    archive.erase(left)
    return gone + cold


def _unname(tx: Transaction, scope: Scope, task_types: set[str]) -> None:
    """The names of task types are words too: they stand in change sequences that nobody needs any more."""
    used = {(row["agent"], row["task_type"]) for row in tx.read("q_scopes", {"tenant": scope.tenant})}
    kept = {task_type for _, task_type in used}
    for task_type in sorted(task_types):
        names = [scope_name(scope.agent, task_type)] if (scope.agent, task_type) not in used else []
        names += [scope_name(TENANT, task_type)] if task_type not in kept else []
        for name in names:
            tx.run("erase_scope", {"tenant": scope.tenant, "name": name})
