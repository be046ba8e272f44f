"""The record of a policy: how it differs from another, and why something is advised."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from engrain.config import Config
from engrain.errors import InvalidPolicy, UnknownDecision, UnknownPolicy
from engrain.learn import exploration
from engrain.learn.ahead import Ahead
from engrain.learn.credit import TENANT
from engrain.learn.experience import experience_from_row
from engrain.learn.learner import Asked, asked_of, belief_of, ruled_of
from engrain.learn.past import Past
from engrain.learn.policies import ONLINE, Policies, version_of
from engrain.learn.qtable import QTable, Tables
from engrain.learn.rule import Rule
from engrain.learn.state import State, stored_state, without
from engrain.model.decision import Experience
from engrain.model.fading import DAY
from engrain.model.learning import Belief, Choice, Decided, Explanation, PolicyDiff, Since, StateChange
from engrain.model.policy import PolicyEvent, PolicyInfo
from engrain.model.report import counted
from engrain.model.scope import Scope
from engrain.store.port import Store
from engrain.world import World, from_micros

STATES = 10_000  # with the most outcomes, that are compared
CHANGES = 200  # that are told
RECENT = 30 * DAY
NOBODY = " "  # no agent is called that: it has no outcomes, and is advised by what its tenant knows
EVENTS = 20


class Records:
    """Reads the policies of one home, and what its learner knows."""

    def __init__(self, store: Store, world: World, config: Config, policies: Policies, past: Past) -> None:
        self._store, self._world, self._config, self._policies, self._past = store, world, config, policies, past

    def info(self, tenant: str, task_type: str, version: int | None, agent: str | None) -> PolicyInfo:
        """A version, or with None the one that advises the agent, or the tenant. Raises UnknownPolicy."""
        found = version or self._policies.version(tenant, task_type, agent)
        if not found:
            told = f" of agent {agent!r}" if agent else ""
            raise UnknownPolicy(
                f"No policy is live for {task_type!r}{told} in tenant {tenant!r}: the online learner advises. "
                "Name a version to see one that is not."
            )
        return self._policies.info(tenant, task_type, found)

    # -- two policies -------------------------------------------------------------------------------------------------

    def diff(self, tenant: str, task_type: str, before: int, after: int) -> PolicyDiff:
        """How version ``after`` differs from ``before``, which may be ONLINE. Raises UnknownPolicy, InvalidPolicy."""
        new_info, new = self._policies.find(tenant, task_type, after)
        old_info, old = self._policies.find(tenant, task_type, before) if before else (None, None)
        known = self._states(tenant, task_type, [rule for rule in (old, new) if rule is not None])
        names = sorted({*new.actions, *(old.actions if old is not None else ())})
        outcomes = sum(one.outcomes for one in known)
        changes, compared, gained, lost = [], 0, 0, 0
        for one in known:
            first, then = _choice(old, one.state, names), _choice(new, one.state, names)
            if first.action is None and then.action is None:
                continue
            compared += 1
            gained, lost = gained + (first.action is None), lost + (then.action is None)
            if first.action != then.action:
                changes.append(StateChange(one.told, one.outcomes, first, then))
        share = sum(one.outcomes for one in changes) / outcomes if outcomes else None
        told = tuple(sorted(changes, key=lambda one: -one.outcomes)[:CHANGES])
        return PolicyDiff(
            tenant, task_type, old_info, new_info, compared, len(changes), gained, lost, share, told
        )  # fmt: skip

    def _states(self, tenant: str, task_type: str, rules: Sequence[Rule]) -> list[_Known]:
        """States with outcomes, those with the most first; then those that only a table knows."""
        rows = self._store.read("q_states", {"tenant": tenant, "task_type": task_type, "limit": STATES})
        found = {row["state_key"]: _Known(stored_state(row["state"]), True, int(row["visits"])) for row in rows}
        for rule in rules:
            for key in getattr(rule, "entries", ()):
                if key not in found:
                    found[key] = _Known(State({}, "{}", key), False, 0)
        return list(found.values())

    # -- one decision -------------------------------------------------------------------------------------------------

    def of_decision(self, tenant: str, decision_id: str) -> Explanation:
        """Why a decision came out as it did. Raises UnknownDecision, ArchiveError."""
        row, experience, archived = self._decision(tenant, decision_id)
        scope, state = Scope(tenant, row["agent"]), stored_state(row["state"])
        at = int(row["created_at"])
        decided = Decided(
            row["id"], from_micros(at), row["mode"], row["action"], row["propensity"], row["value"], row["low"],
            row["high"], row["policy"], row["episode"], archived,
        )  # fmt: skip
        version = version_of(row["policy"])
        chances = json.loads(row["distribution"])
        asked = _asked(row, state)
        rule, info, lost = self._version(tenant, row["task_type"], version)
        table = self._table(scope, row["task_type"])
        options = self._beliefs(table, row["task_type"], asked, list(chances), rule, chances)
        events = self._events(info)
        why = [*_decided(decided, version, row["task_type"], info), *lost, *_judged(info, events)]
        return Explanation(
            from_micros(self._world.now()), tenant, row["agent"], row["task_type"], state.values, version, tuple(why),
            _explored(options), options, decided, info, events, experience,
            self._since(scope, row["task_type"], state, at),
        )  # fmt: skip

    def _decision(self, tenant: str, decision_id: str) -> tuple[Mapping[str, Any], Experience | None, bool]:
        """A decision of any agent, with what came of it, and whether it is archived."""
        for last in (False, True):
            found = self._store.read("decision_of_any", {"id": decision_id, "tenant": tenant})
            if found:
                row = {name: found[0][name] for name in found[0].keys()}  # noqa: SIM118 (rows are not dicts)
                who = {"tenant": tenant, "agent": row["agent"], "decision_id": decision_id}
                told = self._store.read("experience_of_decision", who)
                return row, experience_from_row(told[0]) if told else None, False
            old = None if last else self._past.of_decision(Scope(tenant, TENANT), decision_id)  # it may come back
            if old is not None:
                decision = {**old["decision"], "created_at": old["decision"]["now"]}
                return decision, experience_from_row(old), True
        raise UnknownDecision(f"No agent of tenant {tenant!r} was given the decision {decision_id!r}.")

    # -- what would be decided ----------------------------------------------------------------------------------------

    def of_state(self, tenant: str, task_type: str, state: State, agent: str | None) -> Explanation:
        """What would be advised now, and why; ``agent`` None: to one who has no outcomes yet."""
        scope = Scope(tenant, agent or NOBODY)
        table = self._table(scope, task_type)
        version, rule, _ = table.policy
        seen = sorted({*table.own, *table.tenant} | set(rule.actions if rule else ()))
        _, info, lost = self._version(tenant, task_type, version)
        options = self._beliefs(table, task_type, asked_of(state.values, seen or None), seen, rule, None)
        ruled = any(one.ruled is not None for one in options)
        events = self._events(info)
        why = [_now(version, ruled, task_type, info, bool(options)), *lost, *_judged(info, events)]
        since = self._since(scope, task_type, state, self._world.now() - RECENT) if agent else ()
        return Explanation(
            from_micros(self._world.now()), tenant, agent, task_type, state.values, version if ruled else ONLINE,
            tuple(why), _explored(options), options, None, info, events, None, since,
        )  # fmt: skip

    # -- parts --------------------------------------------------------------------------------------------------------

    def _table(self, scope: Scope, task_type: str) -> QTable:
        tables = Tables(self._store, self._policies)
        with tables.lock:
            found = tables.current(scope, task_type)
        if found.policy.version == ONLINE:
            visits = sum(sums.visits for sums in found.own.values())
            found.ahead = Ahead(self._store, self._config).rule(scope, task_type, visits, found.ahead)
        return found

    def _version(
        self, tenant: str, task_type: str, version: int
    ) -> tuple[Rule | None, PolicyInfo | None, tuple[str, ...]]:
        """The rule and the record of a version, and what of it cannot be read."""
        if not version:
            return None, None, ()
        try:
            info, rule = self._policies.find(tenant, task_type, version)
        except UnknownPolicy:
            return None, None, (f"Version {version} is not kept any more.",)
        except InvalidPolicy as error:
            return None, self._policies.info(tenant, task_type, version), (str(error),)
        return rule, info, ()

    def _beliefs(
        self, table: QTable, task_type: str, asked: Asked, actions: Sequence[str], rule: Rule | None,
        chances: Mapping[str, float] | None,
    ) -> tuple[Belief, ...]:  # fmt: skip
        """What is known of each action, the most probable first; ``chances`` are those of a decision."""
        if not actions:
            return ()
        posterior = belief_of(table, asked, actions) if table.own or table.tenant else None
        ruled = rule.chances(asked.state, actions) if rule is not None else None
        if chances is None and posterior is not None:
            ruled = ruled_of(table, asked, actions, posterior)[1]
            drawn = exploration.chances(self._config, task_type, posterior, ruled)
            chances = dict(zip(actions, drawn.tolist(), strict=True))
        found = []
        for place, action in enumerate(actions):
            known = rule.known(asked.state, action) if rule is not None else None
            value, low, high = (None, None, None) if posterior is None else posterior.interval(place)
            found.append(Belief(
                action, (chances or {}).get(action), None if ruled is None else float(ruled[place]),
                known.value if known else None, known.visits if known else None, value, low, high,
                () if posterior is None else posterior.evidence[place],
            ))  # fmt: skip
        return tuple(sorted(found, key=lambda one: (-(one.chance or 0.0), one.action)))

    def _since(self, scope: Scope, task_type: str, state: State, at: int) -> tuple[Since, ...]:
        asked = {"tenant": scope.tenant, "agent": scope.agent, "task_type": task_type, "since": at}
        rows = self._store.read("experience_seen_since", {**asked, "state_key": state.key})
        return tuple(Since(row["action"], int(row["n"]), float(row["mean"])) for row in rows)

    def _events(self, info: PolicyInfo | None) -> tuple[PolicyEvent, ...]:
        """What became of a version, the latest first."""
        if info is None:
            return ()
        return tuple(self._policies.events(info.tenant, info.task_type, info.version, EVENTS))


class _Known(NamedTuple):
    """A state: whether its text is known, and how many outcomes are."""

    state: State
    there: bool
    outcomes: int

    @property
    def told(self) -> Mapping[str, Any] | None:
        return self.state.values if self.there else None


def _asked(row: Mapping[str, Any], state: State) -> Asked:
    """What was to be decided. Where options have features of their own, the state that was logged has those of the
    action: without them it is what all had in common."""
    options = None if row["options"] is None else json.loads(row["options"])
    if not isinstance(options, dict):
        return asked_of(state.values, options)
    return asked_of(without(state, options.get(row["action"]) or {}).values, options)


def _choice(rule: Rule | None, state: State, actions: Sequence[str]) -> Choice:
    chances = None if rule is None else rule.chances(state, actions)
    if rule is None or chances is None:
        return Choice()
    best = int(np.argmax(chances))
    known = rule.known(state, actions[best])
    return Choice(
        actions[best], float(chances[best]), known.value if known else None, known.visits if known else None
    )  # fmt: skip


def _explored(options: Sequence[Belief]) -> float | None:
    """The probability that goes elsewhere: by a policy, what it did not give; else all but the most probable."""
    if not options or any(one.chance is None for one in options):
        return None
    if all(one.ruled is not None for one in options):
        return max(0.0, 1.0 - sum(min(one.chance or 0.0, one.ruled or 0.0) for one in options))
    return max(0.0, 1.0 - max(one.chance or 0.0 for one in options))


# -- in words ---------------------------------------------------------------------------------------------------------


def _decided(one: Decided, version: int, task_type: str, info: PolicyInfo | None) -> list[str]:
    if one.mode == "abstained":
        return ["It abstained: nothing was known of this, and no options were given."]
    if one.mode == "explored":
        return ["No option had any outcome yet: one was drawn blindly, each with the same probability."]
    if version:
        return [f"Version {version} decided, {_whose(info)} for {task_type}."]
    return [f"The online learner decided: no policy was live for {task_type}, or the one that was did not know this."]


def _now(version: int, ruled: bool, task_type: str, info: PolicyInfo | None, known: bool) -> str:
    if ruled and version == ONLINE:
        return (
            f"The online learner decides: no policy is live for {task_type}. What this agent did there is kept to, and "
            "improved on where there is evidence: not yet judged."
        )
    if ruled:
        return f"Version {version} decides, {_whose(info)} for {task_type}."
    if version:
        return f"The online learner decides: version {version} is live, but does not know this state."
    if known:
        return f"The online learner decides: no policy is live for {task_type}."
    return f"Nothing is known of {task_type}: it would draw among the options blindly, or abstain without any."


def _whose(info: PolicyInfo | None) -> str:
    return f"the policy of agent {info.agent}" if info is not None and info.agent else "the tenant's policy"


def _judged(info: PolicyInfo | None, events: Sequence[PolicyEvent]) -> list[str]:
    """How a version came to be live, and how it has fared."""
    if info is None:
        return []
    told, promoted = [], next((one for one in events if one.event == "promoted"), None)
    if promoted is not None:
        reason = promoted.reason[:1].upper() + promoted.reason[1:]
        told.append(f"It was promoted on {promoted.at:%Y-%m-%d %H:%M} UTC by {promoted.actor}: {_ended(reason)}")
    reason = str(info.metrics.get("reason") or "")
    if reason and (promoted is None or reason != promoted.reason):
        told.append(f"The gate said: {_ended(reason)}")
    rows = info.data.get("rows")
    if rows is not None:
        span = " to ".join(str(info.data[one])[:10] for one in ("from", "to") if info.data.get(one))
        told.append(f"It was trained on {counted(int(rows), 'outcome')}{f' of {span}' if span else ''}.")
    after = f"version {info.parent}" if info.parent else "the online learner"
    told.append(f"Before it, {after} decided.")
    if info.told and info.told_mean is not None:
        told.append(f"Since it is live, {counted(info.told, 'outcome')} came, of mean reward {info.told_mean:+.2f}.")
    return told


def _ended(sentence: str) -> str:
    return sentence if sentence[-1:] in ".!?" else sentence + "."
