"""What is decided is done: to some items of one tenant, in one transaction, with every transition logged.

Locks are taken in the order that all writers keep: the agents' scopes, rows by id, the shared scope, transitions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from engrain.lifecycle.rules import Act, Decision
from engrain.model.life import Life, Old, Rules
from engrain.store.changes import SHARED, agent_scope, bump
from engrain.store.port import Row, Store, Transaction
from engrain.store.transitions import Transition, log
from engrain.world import World

if TYPE_CHECKING:
    from engrain.archive.port import Archive

Rule = Callable[[Life, int, Rules], Decision]
_LIFE = len(Life._fields)
_STAMPED = _LIFE + 1 + 4  # what follows in {life}: whether it is shared, and its stamp


class Decided(NamedTuple):
    """One item, what is to become of it, whether others may see it, and what changes when it is changed or used;
    ``cold`` is that of ``archive.port.Old``."""

    life: Life
    decision: Decision
    shared: bool
    stamp: tuple[Any, ...] | None
    cold: tuple[int, str | None] | None = None


class Change(NamedTuple):
    """One item, why it changes, and the change numbers of the transaction."""

    life: Life
    reason: str
    seq: int | None
    shared_seq: int | None
    cold: tuple[int, str | None] | None = None


class Acts:
    """Carries decisions out. ``actor`` is written with each transition."""

    def __init__(self, store: Store, world: World, archive: Archive, rules: Rules, actor: str) -> None:
        self._store, self._world, self._archive, self._rules, self._actor = store, world, archive, rules, actor

    def decided(self, tenant: str, ids: Sequence[str], rule: Rule) -> list[Decided]:
        """What a rule would do with items now; those it keeps are left out."""
        now = self._world.now()
        return self.judged(self._store.read("life_read", {"tenant": tenant, "ids": ids, "now": now}), rule, now)

    def judged(self, rows: Sequence[Row], rule: Rule, now: int) -> list[Decided]:
        """The same of items that were read by now, as ``{life}`` and perhaps more."""
        found = []
        for row in rows:
            life = Life(*row[:_LIFE])
            decision = rule(life, now, self._rules)
            if decision.act != Act.KEEP:
                found.append(Decided(life, decision, row[_LIFE] is not None, tuple(row[_LIFE + 1 : _STAMPED])))
        return found

    def old(self, some: Sequence[Old], rule: Rule, now: int) -> list[Decided]:
        """The same of items in the cold tables, which nobody changes but by restoring or forgetting them."""
        judged = [(one, rule(one.life, now, self._rules)) for one in some]
        return [Decided(one.life, found, False, None, one.cold) for one, found in judged if found.act != Act.KEEP]

    def carry_out(self, tenant: str, decided: Sequence[Decided]) -> list[Act]:
        """Do what was decided, but leave alone what was changed or used since; what was done."""
        with self._store.transaction(tenant) as tx:
            return self.within(tx, tenant, decided)

    def within(self, tx: Transaction, tenant: str, decided: Sequence[Decided]) -> list[Act]:
        """The same inside a transaction."""
        seqs = {agent: bump(tx, tenant, agent_scope(agent)) for agent in sorted({one.life.agent for one in decided})}
        now = self._world.now()
        ids = sorted(one.life.id for one in decided)
        same = {row[0]: tuple(row[1:]) for row in tx.read("life_lock", {"tenant": tenant, "ids": ids})}
        gone = self._archive.gone(tx, tenant, [one.cold[0] for one in decided if one.cold])
        due = [one for one in decided if same.get(one.life.id) == one.stamp and not (one.cold and one.cold[0] in gone)]
        seen = any(one.shared and one.decision.act not in _UNSEEN for one in due)
        shared_seq = bump(tx, tenant, SHARED) if seen else None
        steps: list[Transition] = []
        for act in dict.fromkeys(one.decision.act for one in due):
            mine = [one for one in due if one.decision.act == act]
            told = {} if act in _UNSEEN else seqs
            some = [
                Change(one.life, one.decision.reason, told.get(one.life.agent), shared_seq, one.cold) for one in mine
            ]
            steps += _RUNS[act](self, tx, tenant, now, some)
        log(tx, tenant, now, steps)
        return [one.decision.act for one in due]

    def _moved(
        self,
        one: Change,
        event: str,
        new: str,
        old: str = "",
        before: Mapping[str, Any] = {},
        **after: Any,
    ) -> Transition:
        id_, agent, state = one.life.id, one.life.agent, old or one.life.state
        return Transition(id_, agent, event, state, new, one.reason, self._actor, before, after)

    def _pend(self, tx: Transaction, tenant: str, now: int, some: Sequence[Change]) -> list[Transition]:
        tx.run_many("signal_pending", [(tenant, one.life.id, now) for one in some])
        steps = []
        for one in some:
            before, after = (round(value, 4) for value in (one.life.importance, one.life.importance_at(now)))
            steps.append(
                self._moved(one, "memory:decayed", "pending_decay", before={"importance": before}, importance=after)
            )
        return steps

    def _spare(self, tx: Transaction, tenant: str, now: int, some: Sequence[Change]) -> list[Transition]:
        tx.run_many("signal_pending", [(tenant, one.life.id, None) for one in some])
        return [self._moved(one, "memory:revived", "active") for one in some]

    def _put(self, tx: Transaction, tenant: str, now: int, some: Sequence[Change], old: str = "") -> list[Transition]:
        tx.run_many("signal_pending", [(tenant, one.life.id, None) for one in some if one.life.pending_at is not None])
        rows = [(one.life.id, one.life.agent, one.reason, one.seq, one.shared_seq) for one in some]
        self._archive.put(tx, tenant, rows, now)
        return [self._moved(one, "memory:archived", "archived", old) for one in some]

    def _expire(self, tx: Transaction, tenant: str, now: int, some: Sequence[Change]) -> list[Transition]:
        steps = [self._moved(one, "memory:expired", "expired") for one in some]
        return [*steps, *self._put(tx, tenant, now, some, "expired")]

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
        self._archive.drop(tx, tenant, [Old(one.life, one.cold) for one in some], now)
        here = sorted({one.life.agent for one in some if one.cold is None})
        for agent in here:
            bump(tx, tenant, agent_scope(agent), purges=1)
        if here:
            bump(tx, tenant, SHARED, purges=1)
        return [self._moved(one, "memory:pruned", "purged") for one in some]


_UNSEEN = (Act.PEND, Act.SPARE, Act.EXPIRE)  # what other processes' recall need not hear of
_RUNS: dict[Act, Callable[..., list[Transition]]] = {
    Act.PEND: Acts._pend,
    Act.SPARE: Acts._spare,
    Act.EXPIRE: Acts._expire,
    Act.ARCHIVE: Acts._put,
    Act.PROMOTE: Acts._promote,
    Act.PRUNE: Acts._prune,
}
