"""The Learner: advise, observe, and what has been learned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import nlargest
from typing import Any

import numpy as np

from engrain.config import Config
from engrain.learn import backoff, exploration
from engrain.learn.credit import TASK, Tally
from engrain.learn.experience import decision_params, experience_from_row
from engrain.learn.fields import checked_options, checked_text, optional_text
from engrain.learn.past import Past, Record
from engrain.learn.policies import Policies
from engrain.learn.qtable import QTable, Tables, q_value, tally_of
from engrain.learn.recorder import Recorder
from engrain.learn.standing import shares
from engrain.learn.state import State, checked_state
from engrain.learn.watch import Alarm
from engrain.model.decision import Advice, Evidence, Experience, Outcome, QValue
from engrain.model.scope import Scope
from engrain.store.port import Store
from engrain.world import World

POLICY = "online-1"  # what is logged of a decision that no policy made; that of version 3 says "v3"
RECENT = 3  # decisions named as evidence


class Learner:
    """Decisions of every scope of one store. Safe to use from several threads and many processes."""

    def __init__(
        self, store: Store, world: World, config: Config, past: Past | None = None, alarm: Alarm | None = None
    ) -> None:
        self._store = store
        self._world = world
        self._config = config
        self._tables = Tables(store, Policies(store, world))
        self._past = past
        self._recorder = Recorder(store, world, past, config.experience_days, alarm)

    # -- deciding ------------------------------------------------------------------------------------------------------

    def advise(
        self,
        scope: Scope,
        task_type: str,
        *,
        state: Mapping[str, Any] | None = None,
        options: Sequence[str] | None = None,
        episode: str | None = None,
    ) -> Advice:
        """What to do next. The decision is in the store, with its propensity, before it is returned.

        Without ``options`` it chooses among the actions seen before. Raises InvalidField for bad input.
        """
        task_type = checked_text("task_type", task_type)
        situation = checked_state(state)
        offered = checked_options(options)
        episode = optional_text("episode", episode)
        with self._tables.lock:
            table = self._tables.current(scope, task_type)
            seen = _seen(table)
            actions = offered if offered is not None else seen
            known = actions if offered is None else [action for action in offered if action in set(seen)]
            belief = backoff.posterior(table, situation, actions) if known else None
            visits = {action: sums.visits for action, sums in table.own.items()}
            version, rule = table.policy
            ruled = rule.chances(situation, actions) if rule is not None and belief is not None else None
        label = POLICY if ruled is None else f"v{version}"
        identity = self._world.new_id()
        if not actions:
            advice = Advice(identity, task_type, None, None, None, None, None, 0, (), "abstained", {}, POLICY, episode)
        elif belief is None:
            chances = np.full(len(actions), 1.0 / len(actions))
            index = exploration.draw(chances, self._world.rng)
            named = dict(zip(actions, chances.tolist(), strict=True))
            action = actions[index]
            propensity = named[action]
            advice = Advice(
                identity, task_type, action, None, None, None, propensity, 0, (), "explored", named, POLICY, episode
            )
        else:
            advice = self._chosen(scope, task_type, situation, identity, actions, belief, visits, episode, ruled, label)
        listed = decision_params(scope, advice, situation.text, offered, self._world.now())
        self._store.write([("decision_insert", listed)])
        return advice

    def _chosen(
        self,
        scope: Scope,
        task_type: str,
        state: State,
        identity: str,
        actions: Sequence[str],
        belief: backoff.Posterior,
        visits: Mapping[str, int],
        episode: str | None,
        ruled: exploration.Floats | None,
        label: str,
    ) -> Advice:
        kind, floor = self._config.exploration, self._config.explore_floor
        if ruled is None:
            chances = exploration.distribution(kind, belief.mean, belief.explore, belief.weight, floor)
        else:
            chances = exploration.mixed(ruled, floor)
        index = exploration.draw(chances, self._world.rng)
        action = actions[index]
        value, low, high = belief.interval(index)
        named = dict(zip(actions, chances.tolist(), strict=True))
        evidence = self._named(scope, task_type, state, action, belief.evidence[index])
        return Advice(
            identity, task_type, action, value, low, high, named[action], visits.get(action, 0), evidence, "advised",
            named, label, episode,
        )  # fmt: skip

    def _named(
        self, scope: Scope, task_type: str, state: State, action: str, evidence: tuple[Evidence, ...]
    ) -> tuple[Evidence, ...]:
        """The evidence, with the most recent decisions behind the agent's own part of it."""
        whole = []
        for one in evidence:
            found: list[Any] = []
            if one.level in ("state", "task"):
                key = state.key if one.level == "state" else None
                params = {"tenant": scope.tenant, "agent": scope.agent, "task_type": task_type, "action": action}
                found = self._store.read("experience_recent_decisions", {**params, "state_key": key, "limit": RECENT})
            whole.append(Evidence(one.level, one.visits, one.mean, tuple(row["decision"] for row in found)))
        return tuple(whole)

    # -- learning ------------------------------------------------------------------------------------------------------

    def observe(self, scope: Scope, advice: Advice | str, outcome: Outcome, *, action: str | None = None) -> Experience:
        """What came of a decision; ``action`` when another was taken, which then gets the credit.

        Observing a decision again revises its experience: a new verdict replaces the old, later feedback adds to it,
        the same outcome changes nothing. Raises UnknownDecision, ActionNotOffered, InvalidField.
        """
        row = {"advice": advice, "outcome": outcome, "action": action}
        return self._recorder.record(scope, [row])[0]

    def observe_step(
        self,
        scope: Scope,
        task_type: str,
        *,
        state: Mapping[str, Any] | None,
        action: str,
        outcome: Outcome,
        next_state: Mapping[str, Any] | None = None,
        propensity: float | None = None,
        episode: str | None = None,
        task_id: str | None = None,
    ) -> Experience:
        """An experience that no advice stood behind. Every call is one more; raises InvalidField for bad input."""
        row = {"task_type": task_type, "state": state, "action": action, "outcome": outcome, "next_state": next_state}
        further = {"propensity": propensity, "episode": episode, "task_id": task_id}
        return self._recorder.record(scope, [{**row, **further}])[0]

    def observe_many(self, scope: Scope, rows: Iterable[Mapping[str, Any]]) -> list[Experience]:
        """Many rows in one transaction, all or none; an error names its row, counted from 0.

        A row has the fields of ``observe_step``, or ``decision_id`` (or ``advice``), ``outcome`` and ``action``.
        """
        return self._recorder.record(scope, rows)

    # -- looking -------------------------------------------------------------------------------------------------------

    def experiences(
        self, scope: Scope, task_type: str | None = None, limit: int = 100, archived: bool = False
    ) -> list[Experience]:
        """This agent's experiences, newest first; ``archived`` ones, too. Raises ArchiveError when those cannot be
        read."""
        task_type = optional_text("task_type", task_type)
        params = {"tenant": scope.tenant, "agent": scope.agent, "task_type": task_type, "limit": limit}
        rows: dict[str, Record] = {}
        known: tuple[int, ...] | None = None
        past = self._past if archived else None
        while past is None or known != (known := past.standing(self._store, scope.tenant)):  # nothing has moved
            rows = {row["id"]: row for row in self._store.read("experience_list", params)}
            if past is None:
                break
            rows |= {row["id"]: row for row in past.latest(scope, task_type, limit)}
        found = nlargest(limit, rows.values(), key=lambda row: (row["created_at"], row["id"]))
        return [experience_from_row(row) for row in found]

    def q_values(self, scope: Scope, task_type: str | None = None) -> list[QValue]:
        """What this agent has learned, by task type, state (first the whole task type) and action."""
        params = {"tenant": scope.tenant, "agent": scope.agent, "task_type": optional_text("task_type", task_type)}
        rows = sorted(self._store.read("q_list", params), key=lambda row: tuple(row)[1:4])
        tasks: dict[str, dict[str, Tally]] = {}
        for row in rows:
            if row["state_key"] == TASK:
                tasks.setdefault(row["task_type"], {})[row["action"]] = tally_of(row)
        counted = {task_type: shares(task) for task_type, task in tasks.items()}
        return [q_value(row, counted[row["task_type"]][row["action"]]) for row in rows]

    def rebuild(self, tenant: str) -> int:
        """Make the Q-values of a tenant anew from its experiences; the number of experiences used."""
        return self._recorder.rebuild(tenant)


def _seen(table: QTable) -> list[str]:
    """Actions with evidence: this agent's, or when it has none the tenant's."""
    own = sorted(action for action, sums in table.own.items() if sums.visits > 0)
    return own or sorted(action for action, sums in table.tenant.items() if sums.visits > 0)
