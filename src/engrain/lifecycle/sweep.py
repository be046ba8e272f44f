"""Sweeps: what time has made due is found and done, in pieces that hold the write lock for a few milliseconds.

Whatever was done is no longer due, so a sweep that was stopped or killed goes on where it was; ``checkpoint`` only
spares the agents that were looked at before. A dry run decides the same of the same items and writes nothing.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from engrain.lifecycle.acts import Acts, Rule
from engrain.lifecycle.policies import least_idle
from engrain.lifecycle.rules import (
    KEEP,
    Act,
    Decision,
    beyond_cap,
    expires,
    forgets,
    lower_bound,
    promotes,
    prunes,
    retires,
)
from engrain.model.fading import CAP, DAY, FLOOR, FRESH
from engrain.model.life import Life, Old, Rules
from engrain.model.scope import Scope
from engrain.store.port import Row, Store, Transaction
from engrain.store.rows import to_json
from engrain.world import World

if TYPE_CHECKING:
    from engrain.archive.port import Archive

AIM = 0.012  # seconds that a piece should hold the write lock: below 0.05 even when the disk is slow at times
GAP = 0.003  # seconds that the lock is left to others: whoever waits for it asks every millisecond
LEAST, LARGEST = 50, 1000  # items in a piece
PAGE = 50_000  # items that are looked for at once
_FOUND = 4  # columns of a statement that only says which items to look at
AGENTS = 200  # agents that are looked for at once
BEGINNING = '["",""]'  # before the first agent: a checkpoint is its tenant and name
KEEP_EVENTS, KEEP_REPLIES = 400 * DAY, DAY  # µs that transitions, and replies to repeated requests, are kept


@dataclass(frozen=True, slots=True)
class Findings:
    """What a sweep did, or would do: counts by name; ``checkpoint``: where to go on, None when it looked at everything;
    ``longest``: the seconds for which it held the write lock at most."""

    counts: Mapping[str, int]
    checkpoint: str | None = None
    longest: float = 0.0


class Due(NamedTuple):
    """An item that a sweep looks at; ``row`` of {life} when the statement that found it told all; ``cold`` when it is
    in the cold tables."""

    tenant: str
    agent: str
    id: str
    row: Row | None = None
    cold: Old | None = None


@dataclass(slots=True)
class _Pace:
    """How much to do at once, and when to stop."""

    budget: float | None
    stop: Callable[[], bool]
    size: int = 50
    longest: float = 0.0
    began: float = field(default_factory=time.perf_counter)
    free_since: float = field(default_factory=time.perf_counter)

    def over(self) -> bool:
        return self.stop() or (self.budget is not None and time.perf_counter() - self.began >= self.budget)

    def hold(self, store: Store, tenant: str, act: Callable[[Transaction], Any]) -> Any:
        """Run a transaction after the others had their turn."""
        time.sleep(max(0.0, GAP - (time.perf_counter() - self.free_since)))
        with store.transaction(tenant) as tx:
            began = time.perf_counter()
            done = act(tx)
        self.free_since = time.perf_counter()
        held = self.free_since - began
        self.longest = max(self.longest, held)
        self.size = max(LEAST, min(LARGEST, self.size * 2, round(self.size * max(0.5, AIM / max(held, 1e-6)))))
        return done


class Sweeps:
    """The sweeps of one home, each a method ``(dry, budget in seconds, checkpoint, stop) -> Findings``."""

    def __init__(self, store: Store, world: World, rules: Rules, archive: Archive) -> None:
        self._store, self._world, self._rules, self._archive = store, world, rules, archive

    def run(
        self,
        name: str,
        *,
        dry: bool = False,
        budget: float | None = None,
        checkpoint: str | None = None,
        stop: Callable[[], bool] = lambda: False,
        store: Store | None = None,
    ) -> Findings:
        """One sweep by name: expire, decay, archive, promote or prune. ``store``: the same one, with writes that are
        guarded."""
        one = _Sweep(
            store or self._store, self._world, self._rules, self._archive, name, dry, _Pace(budget, stop), checkpoint
        )
        SWEEPS[name](one)
        return Findings(dict(one.counts), one.checkpoint if one.unfinished else None, one.pace.longest)


class _Sweep:
    """One run of one sweep."""

    def __init__(
        self,
        store: Store,
        world: World,
        rules: Rules,
        archive: Archive,
        name: str,
        dry: bool,
        pace: _Pace,
        checkpoint: str | None,
    ) -> None:
        self.store, self.world, self.rules, self.archive = store, world, rules, archive
        self.dry, self.pace, self.checkpoint = dry, pace, checkpoint or BEGINNING
        self.acts = Acts(store, world, archive, rules, f"role:{name}")
        self.counts: Counter[str] = Counter()
        self.unfinished = False

    def do(self, due: Iterable[Due], rule: Rule) -> None:
        """Carry out a rule, piece by piece."""
        for tenant, some in groupby(due, lambda one: one.tenant):
            while piece := list(islice(some, self.pace.size)):
                if self.unfinished or self.pace.over():
                    self.unfinished = True
                    return
                known = [one.row for one in piece if one.row is not None]
                ids = sorted(one.id for one in piece if one.row is None and one.cold is None)
                decided = self.acts.judged(known, rule, self.world.now())
                decided += self.acts.old([one.cold for one in piece if one.cold], rule, self.world.now())
                decided += self.acts.decided(tenant, ids, rule) if ids else []
                done = [one.decision.act for one in decided]
                if decided and not self.dry:
                    done = self.pace.hold(self.store, tenant, lambda tx: self.acts.within(tx, tenant, decided))  # noqa: B023
                self.counts.update(_NAMES[act] for act in done)

    def everywhere(self, statement: str, **asked: Any) -> Iterator[Due]:
        """What a statement finds in all tenants: in the order of its key, each page sorted by agent."""
        after: dict[str, Any] = {"after_at": -(2**62), "after_id": ""}
        while rows := self.store.read(statement, {**asked, **after, "limit": PAGE}):
            after = {"after_at": rows[-1]["at"], "after_id": rows[-1]["id"]}
            whole = len(rows[0]) > _FOUND
            yield from sorted(Due(row["tenant"], row["agent"], row["id"], row if whole else None) for row in rows)

    def agents(self) -> Iterator[list[Scope]]:
        """All agents from the checkpoint on, many at a time; the checkpoint follows when the next are asked for."""
        while not self.unfinished:
            tenant, name = json.loads(self.checkpoint)
            rows = self.store.read("life_agents", {"after_tenant": tenant, "after_name": name, "limit": AGENTS})
            if not rows:
                return
            yield [Scope(row["tenant"], row["name"], None) for row in rows]
            if not self.unfinished:
                self.checkpoint = to_json([rows[-1]["tenant"], rows[-1]["name"]])


def expire(sweep: _Sweep) -> None:
    """What is past its expiry is archived."""
    sweep.do(sweep.everywhere("life_expired", now=sweep.world.now()), expires)


def decay(sweep: _Sweep) -> None:
    """Importance fades up to now, and what a policy lets go of is announced."""
    on = sweep.store.read("home_get", {"name": "lifecycle"})
    if not on or on[0]["value"] != "on":
        return
    now, rules = sweep.world.now(), sweep.rules
    most = FLOOR if rules.policy == "importance" else CAP
    asked = {"now": now, "fresh": now - int(FRESH * DAY), "before": now - least_idle(rules), "most": most}

    def announced(life: Life, moment: int, given: Rules) -> Decision:
        found = forgets(life, moment, given)
        return found if found.act == Act.PEND else KEEP

    def candidates(scopes: list[Scope]) -> Iterator[Due]:
        for scope in scopes:
            rows = sweep.store.read("life_fading", {**asked, "tenant": scope.tenant, "agent": scope.agent})
            sweep.counts["fading"] += len(rows)
            yield from (Due(scope.tenant, scope.agent, row[0]) for row in rows if row[0] is not None)

    for scopes in sweep.agents():
        if not sweep.dry:
            rows = [(now, scope.tenant, scope.agent) for scope in scopes]
            sweep.pace.hold(sweep.store, "*", lambda tx: tx.run_many("agent_decay", rows))  # noqa: B023
        sweep.do(candidates(scopes), announced)


def archive(sweep: _Sweep) -> None:
    """What was announced for long enough is archived, or spared when its reason is gone; so are old versions."""
    if sweep.checkpoint == BEGINNING:
        before = sweep.world.now() - int(sweep.rules.pending_days * DAY)
        sweep.do(sweep.everywhere("life_pending", before=before), forgets)
    before = sweep.world.now() - int(sweep.rules.superseded_days * DAY)

    def replaced(scopes: list[Scope]) -> Iterator[Due]:
        for scope in scopes:
            asked = {"tenant": scope.tenant, "agent": scope.agent, "before": before}
            yield from (Due(scope.tenant, scope.agent, row["id"]) for row in sweep.store.read("life_replaced", asked))

    for scopes in sweep.agents():
        sweep.do(replaced(scopes), retires)


def promote(sweep: _Sweep) -> None:
    """What has lasted, or has proved helpful, becomes knowledge."""
    votes = next((n for n in range(1, 1000) if lower_bound(n, 0) > sweep.rules.promote_bound), 2**31)
    sweep.do(sweep.everywhere("life_useful", uses=sweep.rules.promote_uses, votes=votes), promotes)


def prune(sweep: _Sweep) -> None:
    """What was archived long ago is deleted, but for what was important; old events go with it."""
    now = sweep.world.now()
    before = now - int(sweep.rules.prune_days * DAY)
    for scopes in sweep.agents():
        too_many: set[str] = set()

        def pruned(life: Life, moment: int, rules: Rules) -> Decision:
            found = prunes(life, moment, rules)
            return Decision(Act.PRUNE, "beyond the cap") if life.id in too_many and life.state == "archived" else found  # noqa: B023

        def old(some: list[Scope]) -> Iterator[Due]:
            for scope, found in sweep.archive.old(some, before, now):
                spared = beyond_cap([one.life for one in found], now, sweep.rules)
                too_many.update(life.id for life in spared)  # noqa: B023
                sweep.counts["capped"] += bool(spared)
                for one in found:
                    if pruned(one.life, now, sweep.rules).act == Act.PRUNE:
                        cold = one if one.cold else None
                        sweep.counts["cold"] += cold is not None
                        yield Due(scope.tenant, scope.agent, one.life.id, cold=cold)
                    else:
                        sweep.counts["kept"] += 1

        sweep.do(old(scopes), pruned)
    for name, kept in (("transition", KEEP_EVENTS), ("reply", KEEP_REPLIES)):
        _trim(sweep, name, now - kept)
    if sweep.counts["pruned"] and not sweep.dry:
        sweep.store.scrub()
        if sweep.counts["cold"]:
            sweep.archive.erase("words")


def _trim(sweep: _Sweep, name: str, before: int) -> None:
    """Delete what is older, a little at a time; it is not counted, as nobody remembers it."""
    while not (sweep.dry or sweep.unfinished):
        if sweep.pace.over():
            sweep.unfinished = True
            return
        at = sweep.store.read(f"{name}_old", {"before": before, "limit": sweep.pace.size})[0]["at"]
        if at is None:
            return
        sweep.pace.hold(sweep.store, "*", lambda tx: tx.run(f"{name}_trim", {"at": at}))  # noqa: B023


SWEEPS: Mapping[str, Callable[[_Sweep], None]] = {
    "expire": expire,
    "decay": decay,
    "archive": archive,
    "promote": promote,
    "prune": prune,
}
_NAMES = {
    Act.EXPIRE: "expired",
    Act.PEND: "decayed",
    Act.SPARE: "spared",
    Act.ARCHIVE: "archived",
    Act.PROMOTE: "promoted",
    Act.PRUNE: "pruned",
}
