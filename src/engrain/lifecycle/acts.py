"""What is decided is done: to some items of one tenant, in one transaction, with every transition logged.

Locks are taken in the order that all writers keep: the agents' scopes, rows by id, the shared scope, transitions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from engrain.lifecycle.rules import Act, Decision
from engrain.model.life import Life, Rules
from engrain.store.changes import SHARED, agent_scope, bump
from engrain.store.port import Row, Store, Transaction
from engrain.store.transitions import Transition, log
from engrain.world import World

if TYPE_CHECKING:
    from engrain.archive.port import Archive

Rule = Callable[[Life, int, Rules], Decision]
Found = list[tuple[Life, Decision]]


class Change(NamedTuple):
    """One item, why it changes, and the change numbers of the transaction."""

    life: Life
    reason: str
    seq: int
    shared_seq: int | None


class Acts:
    """Carries decisions out. ``actor`` is written with each transition."""

    def __init__(self, store: Store, world: World, archive: Archive, rules: Rules, actor: str) -> None:
        self._store, self._world, self._archive, self._rules, self._actor = store, world, archive, rules, actor

    def decided(self, tenant: str, ids: Sequence[str], rule: Rule) -> Found:
        """What a rule would do with items now; nothing is changed."""
        now = self._world.now()
        rows = self._store.read("life_read", {"tenant": tenant, "ids": sorted(ids), "now": now})
        return [(life, decision) for life, _, decision in self._ruled(rows, rule, now)]

    def carry_out(self, tenant: str, ids: Sequence[str], agents: Iterable[str], rule: Rule) -> Found:
        """Do with items, which are of ``agents``, what a rule says now that nobody else can change them."""
        with self._store.transaction(tenant) as tx:
            seqs = {agent: bump(tx, tenant, agent_scope(agent)) for agent in sorted(set(agents))}
            now = self._world.now()
            rows = tx.read("life_lock", {"tenant": tenant, "ids": sorted(ids), "now": now})
            found = list(self._ruled(rows, rule, now))
            seen = any(shared is not None and decision.act not in _UNSEEN for _, shared, decision in found)
            shared_seq = bump(tx, tenant, SHARED) if seen else None
            steps: list[Transition] = []
            for act, run in _RUNS.items():
                mine = [(life, one.reason) for life, _, one in found if one.act == act]
                some = [Change(life, reason, seqs[life.agent], shared_seq) for life, reason in mine]
                steps += run(self, tx, tenant, now, some) if some else ()
            log(tx, tenant, now, steps)
        return [(life, decision) for life, _, decision in found]

    def _ruled(self, rows: Sequence[Row], rule: Rule, now: int) -> Iterable[tuple[Life, int | None, Decision]]:
        for row in rows:
            life = Life(*row[:-1])
            yield life, row[-1], rule(life, now, self._rules)

    def _moved(
        self, one: Change, event: str, new: str, before: Mapping[str, Any] | None = None, **after: Any
    ) -> Transition:
        life = one.life
        return Transition(life.id, life.agent, event, life.state, new, one.reason, self._actor, before or {}, after)

    def _pend(self, tx: Transaction, tenant: str, now: int, some: Sequence[Change]) -> list[Transition]:
        tx.run_many("signal_pending", [(tenant, one.life.id, now) for one in some])
        steps = []
        for one in some:
            before, after = (round(value, 4) for value in (one.life.importance, one.life.importance_at(now)))
            steps.append(self._moved(one, "memory:decayed", "pending_decay", {"importance": before}, importance=after))
        return steps

    def _spare(self, tx: Transaction, tenant: str, now: int, some: Sequence[Change]) -> list[Transition]:
        tx.run_many("signal_pending", [(tenant, one.life.id, None) for one in some])
        return [self._moved(one, "memory:revived", "active") for one in some]

    def _put(self, tx: Transaction, tenant: str, now: int, some: Sequence[Change]) -> list[Transition]:
        tx.run_many("signal_pending", [(tenant, one.life.id, None) for one in some if one.life.pending_at is not None])
        rows = [(one.life.id, one.life.agent, one.reason, one.seq, one.shared_seq) for one in some]
        self._archive.put(tx, tenant, rows, now)
        return [self._moved(one, "memory:archived", "archived") for one in some]

    def _expire(self, tx: Transaction, tenant: str, now: int, some: Sequence[Change]) -> list[Transition]:
        steps = [self._moved(one, "memory:expired", "expired") for one in some]
        gone = [one._replace(life=one.life._replace(state="expired")) for one in some]
        return [*steps, *self._put(tx, tenant, now, gone)]

    def _promote(self, tx: Transaction, tenant: str, now: int, some: Sequence[Change]) -> list[Transition]:
        steps = []
        for one in some:
            key = {"tenant": tenant, "agent": one.life.agent, "id": one.life.id}
            numbers = {"now": now, "seq": one.seq, "shared_seq": one.shared_seq}
            new = self._world.new_id()
            made = tx.run("knowledge_insert", {**key, **numbers, "new_id": new}) == 1
            if made:
                tx.run("passages_copy", {**key, "new_id": new})
            tx.run("memory_promoted", {**key, **numbers})
            steps.append(self._moved(one, "memory:promoted", one.life.state, knowledge=new if made else None))
        return steps

    def _prune(self, tx: Transaction, tenant: str, now: int, some: Sequence[Change]) -> list[Transition]:
        self._archive.drop(tx, tenant, [(one.life.id, one.life.agent) for one in some])
        for agent in sorted({one.life.agent for one in some}):
            bump(tx, tenant, agent_scope(agent), purges=1)
        bump(tx, tenant, SHARED, purges=1)
        return [self._moved(one, "memory:pruned", "purged") for one in some]


_UNSEEN = (Act.KEEP, Act.PEND, Act.SPARE)  # what other processes' recall need not hear of
_RUNS: dict[Act, Callable[..., list[Transition]]] = {
    Act.PEND: Acts._pend,
    Act.SPARE: Acts._spare,
    Act.EXPIRE: Acts._expire,
    Act.ARCHIVE: Acts._put,
    Act.PROMOTE: Acts._promote,
    Act.PRUNE: Acts._prune,
}
