"""Policies in the store: versions, their states, and what became of them.

A version is a candidate until it is promoted; one is live at most for each (tenant, agent, task type). Every change of
what is live bumps the change number of the Q-values of its scope in the same transaction. Running agents look at that
number before each advice, so that all of them advise by the new version from their next advice on.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from engrain.errors import InvalidField, InvalidPolicy, PolicyRefused, StoreCorrupt, UnknownPolicy
from engrain.learn.credit import TENANT, scope_name
from engrain.learn.rule import Rule, pack, unpack
from engrain.model.fading import DAY
from engrain.model.policy import PolicyEvent, PolicyInfo, Verdict
from engrain.store.port import Row, Store, Transaction
from engrain.store.rows import to_json
from engrain.version import __version__
from engrain.world import World, from_micros

EPISODE, DECISION = "episode", "decision"  # what a policy was judged by
ONLINE = 0  # the version of the online learner: no policy
LEARNER = "online-1"  # what is logged of a decision of its
FALLEN = 10  # that were rolled back, of which the rules are compared with a new one
LATELY = 30 * DAY
CANDIDATES = 3  # of dreams, that did not pass, which are kept for each owner and task type

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Made:
    """A policy that was trained: whose, by what, from what. ``agent`` None: the whole tenant's."""

    tenant: str
    agent: str | None
    task_type: str
    rule: Rule
    data: Mapping[str, Any]
    seed: int
    discount: float
    dream: str | None = None


class Live(NamedTuple):
    """What advises: a version, ONLINE for none; its rule, None when it cannot be read; and whether it was judged by
    single decisions, which nothing follows from (``alone``)."""

    version: int = ONLINE
    rule: Rule | None = None
    alone: bool = False


class Policies:
    """The policies of one home. ``actor`` says who does it: ``dream:ID``, ``watch`` or ``owner``."""

    def __init__(self, store: Store, world: World) -> None:
        self._store, self._world = store, world

    # -- looking -------------------------------------------------------------------------------------------------------

    def known(
        self,
        tenant: str | None = None,
        task_type: str | None = None,
        agent: str | None = None,
        state: str | None = None,
        limit: int = 100,
    ) -> list[PolicyInfo]:
        """The latest first; ``agent`` "" for those of whole tenants."""
        asked = {"tenant": tenant, "task_type": task_type, "agent": agent, "state": state, "limit": limit}
        return [_info(row) for row in self._store.read("policy_list", asked)]

    def info(self, tenant: str, task_type: str, version: int) -> PolicyInfo:
        """A version, also one whose rule cannot be read. Raises UnknownPolicy."""
        return _info(self._row(self._store, tenant, task_type, version))

    def find(self, tenant: str, task_type: str, version: int) -> tuple[PolicyInfo, Rule]:
        """A version with its rule. Raises UnknownPolicy; InvalidPolicy for a rule that cannot be read."""
        row = self._row(self._store, tenant, task_type, version)
        return _info(row), unpack(row["rule"])

    def version(self, tenant: str, task_type: str, agent: str | None, at: Transaction | None = None) -> int:
        """The version that advises this agent, as a transaction (``at``) sees it: its own, else that of its tenant,
        else ONLINE. ``agent`` None: the tenant's."""
        agents = [TENANT] if agent is None else [agent, TENANT]
        asked = {"tenant": tenant, "task_type": task_type, "agents": agents}
        rows = (at or self._store).read("policy_live", asked)
        found = {row["agent"]: int(row["version"]) for row in rows}
        return next((found[name] for name in agents if name in found), ONLINE)

    def live(self, tenant: str, task_type: str, agent: str | None) -> Live:
        """What advises this agent (or the tenant). Where a rule cannot be read here, the online learner advises
        (``unreadable`` says why)."""
        version = self.version(tenant, task_type, agent)
        if version == ONLINE:
            return Live()
        row = self._row(self._store, tenant, task_type, version)
        alone = _info(row).data.get("unit") == DECISION
        try:
            return Live(version, unpack(row["rule"]), alone)
        except InvalidPolicy as error:
            _log.warning("version %d of %r cannot advise, the online learner does: %s", version, task_type, error)
            return Live(version, None, alone)

    def unreadable(self, tenant: str | None = None, limit: int = 10_000) -> list[str]:
        """Live policies that cannot advise here, with why."""
        found = []
        for one in self.known(tenant, state="live", limit=limit):
            try:
                self.find(one.tenant, one.task_type, one.version)
            except InvalidPolicy as error:
                found.append(f"version {one.version} of {one.task_type!r} in tenant {one.tenant!r}: {error}")
        return found

    def events(
        self, tenant: str | None = None, task_type: str | None = None, version: int | None = None, limit: int = 100
    ) -> list[PolicyEvent]:
        """What became of policies, the latest first."""
        asked = {"tenant": tenant, "task_type": task_type, "version": version, "limit": limit}
        return [
            PolicyEvent(from_micros(row["at"]), row["tenant"], row["agent"] or None, row["task_type"],
                        int(row["version"]), row["event"], row["reason"], row["actor"])
            for row in self._store.read("policy_events", asked)
        ]  # fmt: skip

    # -- changing ------------------------------------------------------------------------------------------------------

    def add(self, tx: Transaction, made: Made, verdict: Verdict | None, actor: str) -> int:
        """Keep a candidate; its version."""
        task = {"tenant": made.tenant, "task_type": made.task_type}
        version = int(tx.read("policy_next", task)[0]["version"])
        live = tx.read("policy_live", {**task, "agents": [made.agent or TENANT]})
        row = {
            **task,
            "agent": made.agent or TENANT,
            "version": version,
            "kind": made.rule.kind,
            "parent": int(live[0]["version"]) if live else ONLINE,
            "data": to_json(dict(made.data)),
            "metrics": to_json(asdict(verdict) if verdict else {}),
            "rule": pack(made.rule),
            "code": __version__,
            "seed": made.seed,
            "discount": made.discount,
            "dream": made.dream,
            "made_at": self._world.now(),
        }
        tx.run("policy_insert", row)
        self._tell(tx, row, "made", "trained" if made.dream else "imported", actor)
        return version

    def judge(self, tx: Transaction, tenant: str, task_type: str, version: int, verdict: Verdict, actor: str) -> None:
        """Note how a candidate was judged; one that did not pass is told of as refused."""
        row = self._row(tx, tenant, task_type, version)
        key = {"tenant": tenant, "task_type": task_type, "version": version}
        tx.run("policy_judged", {**key, "metrics": to_json(asdict(verdict))})
        if not verdict.passed:
            self._tell(tx, row, "refused", verdict.reason, actor)

    def shadow(self, tx: Transaction, tenant: str, task_type: str, version: int, reason: str, actor: str) -> None:
        """Watch a candidate on new outcomes before it advises."""
        row = self._row(tx, tenant, task_type, version)
        self._move(tx, row, "shadow", "shadowed", reason, actor)

    def promote(self, tx: Transaction, tenant: str, task_type: str, version: int, reason: str, actor: str) -> None:
        """Let a version advise from now on; the one that did is retired."""
        row = self._row(tx, tenant, task_type, version)
        if row["state"] == "live":
            return
        self._retire(tx, row, f"version {version} took its place", "retired", actor)
        self._move(tx, row, "live", "promoted", reason, actor)

    def retire(self, tx: Transaction, tenant: str, task_type: str, version: int, reason: str, actor: str) -> None:
        """Let a version advise no more, or give a candidate up."""
        self._move(tx, self._row(tx, tenant, task_type, version), "retired", "retired", reason, actor)

    def roll_back(
        self, tx: Transaction, tenant: str, task_type: str, agent: str | None, version: int | None, reason: str,
        actor: str,
    ) -> int:  # fmt: skip
        """Let an earlier version advise again: ``version``, or None for the parent of the live one; ONLINE: none. The
        version that advises now. Raises UnknownPolicy when there is nothing to roll back, PolicyRefused for a version
        that never advised: that is for the gate to say."""
        asked = {"tenant": tenant, "task_type": task_type}
        target = self._row(tx, tenant, task_type, version) if version else None
        whose = agent or TENANT if target is None or agent is not None else target["agent"]
        if target is not None and target["agent"] != whose:
            raise UnknownPolicy(f"Version {version} of {task_type!r} is not one of agent {agent!r}.")
        if target is not None and target["live_at"] is None:
            raise PolicyRefused(f"Version {version} of {task_type!r} never advised: promote it, if the gate lets it.")
        live = tx.read("policy_live", {**asked, "agents": [whose]})
        if not live and version is None:
            told = f" of agent {agent!r}" if agent else ""
            raise UnknownPolicy(f"No policy is live for {task_type!r}{told}: the online learner advises already.")
        before = int(live[0]["version"]) if live else ONLINE
        if target is None and version is None:
            parent = int(self._row(tx, tenant, task_type, before)["parent"])
            target = self._row(tx, tenant, task_type, parent) if parent else None
        after = ONLINE if target is None else int(target["version"])
        if after == before:
            raise InvalidField(f"Version {after} of {task_type!r} advises already.")
        if before:
            row = self._row(tx, tenant, task_type, before)
            self._move(tx, row, "retired", "rolled-back", reason, actor, follows=target is not None)
        if target is not None:
            self._move(tx, target, "live", "promoted", f"rolled back to: {reason}", actor)
        return after

    def fall_back(
        self, tx: Transaction, tenant: str, task_type: str, agent: str | None, reason: str, actor: str
    ) -> int:
        """Roll the live version back to the last one before it that was not itself rolled back and can be read, else to
        the online learner; the version that advises now."""
        asked = {"tenant": tenant, "task_type": task_type}
        live = tx.read("policy_live", {**asked, "agents": [agent or TENANT]})
        version = int(live[0]["version"]) if live else ONLINE
        while version != ONLINE:
            version = int(self._row(tx, tenant, task_type, version)["parent"])
            fate = tx.read("policy_fate", {**asked, "version": version}) if version else []
            if fate and fate[0]["event"] == "promoted" and _readable(self._row(tx, tenant, task_type, version)["rule"]):
                break
        return self.roll_back(tx, tenant, task_type, agent, version, reason, actor)

    def fallen(self, tenant: str, task_type: str, agent: str | None) -> Iterator[tuple[int, Rule]]:
        """Versions that were rolled back lately and can be read, the latest first, with their rules."""
        asked = {"tenant": tenant, "task_type": task_type, "agent": agent or TENANT, "limit": FALLEN}
        asked |= {"since": self._world.now() - LATELY}
        for row in self._store.read("policy_fallen", asked):
            if _readable(row["rule"]):
                yield int(row["version"]), unpack(row["rule"])

    def trim(self, tx: Transaction, tenant: str, task_type: str, agent: str | None) -> None:
        """Let go of all but the latest candidates of dreams; what became of them stays in the history."""
        key = {"tenant": tenant, "task_type": task_type, "agent": agent or TENANT}
        tx.run("policy_trim", {**key, "keep": CANDIDATES})

    def _retire(self, tx: Transaction, row: Row, reason: str, event: str, actor: str) -> None:
        """Retire what is live in the place of a version that follows."""
        key = {"tenant": row["tenant"], "task_type": row["task_type"]}
        for one in tx.read("policy_live", {**key, "agents": [row["agent"]]}):
            known = self._row(tx, row["tenant"], row["task_type"], one["version"])
            self._move(tx, known, "retired", event, reason, actor, follows=True)

    def _move(
        self, tx: Transaction, row: Row, state: str, event: str, reason: str, actor: str, follows: bool = False
    ) -> None:
        """Change a version's state, tell it, and let running agents know: once for each change of what is live, which a
        dream counts on. ``follows``: the version that takes its place is moved next."""
        if (state == "live" or row["state"] == "live") and not follows:
            scope = scope_name(row["agent"], row["task_type"])
            tx.read("scope_bump", {"tenant": row["tenant"], "name": scope, "purges": 0})
            if row["agent"] == TENANT:
                tx.run("dream_mark_shift", {"tenant": row["tenant"], "task_type": row["task_type"]})
        key = {"tenant": row["tenant"], "task_type": row["task_type"], "version": row["version"]}
        if state == "live":
            unpack(row["rule"])  # what cannot be read must not advise
        tx.run("policy_state", {**key, "state": state, "live_at": self._world.now() if state == "live" else None})
        self._tell(tx, row, event, reason, actor)

    def _tell(self, tx: Transaction, row: Any, event: str, reason: str, actor: str) -> None:
        told = {name: row[name] for name in ("tenant", "agent", "task_type", "version")}
        told |= {"id": self._world.new_id(), "at": self._world.now(), "event": event, "reason": reason, "actor": actor}
        tx.run("policy_event", told)

    def _row(self, at: Store | Transaction, tenant: str, task_type: str, version: int) -> Row:
        found = at.read("policy_find", {"tenant": tenant, "task_type": task_type, "version": version})
        if not found:
            asked = {"tenant": tenant, "task_type": task_type, "version": version, "limit": 1}
            if at.read("policy_events", asked):
                raise UnknownPolicy(
                    f"Version {version} of {task_type!r} did not pass and was let go of; the policy history has why."
                )
            raise UnknownPolicy(f"{task_type!r} has no version {version} in tenant {tenant!r}.")
        return found[0]


def label_of(version: int) -> str:
    """What is logged of a decision of a version."""
    return LEARNER if version == ONLINE else f"v{version}"


def version_of(label: str) -> int:
    """The version of what a decision was logged with; ONLINE for the online learner."""
    return int(label[1:]) if label[:1] == "v" and label[1:].isdecimal() else ONLINE


def _info(row: Row) -> PolicyInfo:
    try:
        data, metrics = json.loads(row["data"]), json.loads(row["metrics"])
    except ValueError as error:
        raise StoreCorrupt(f"Policy {row['version']} of {row['task_type']!r} is damaged. Restore a backup.") from error
    told = int(row["told"])
    return PolicyInfo(
        row["tenant"], row["agent"] or None, row["task_type"], int(row["version"]), row["state"], row["kind"],
        int(row["parent"]), row["discount"], int(row["seed"]), row["code"], from_micros(row["made_at"]),
        None if row["live_at"] is None else from_micros(row["live_at"]), data, metrics, told,
        row["told_total"] / told if told else None, row["dream"],
    )  # fmt: skip


def _readable(rule: bytes) -> bool:
    try:
        unpack(rule)
    except InvalidPolicy:
        return False
    return True
