"""The Learner: advise, observe, and what has been learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from heapq import nlargest
from typing import Any

import numpy as np

from engrain.config import Config
from engrain.learn import backoff, exploration
from engrain.learn.ahead import Ahead
from engrain.learn.backoff import Posterior
from engrain.learn.credit import TASK, Sums, Tally
from engrain.learn.drift import drift_of
from engrain.learn.experience import Options, decision_params, experience_from_row
from engrain.learn.fields import checked_options, checked_text, optional_text
from engrain.learn.past import Past, Record
from engrain.learn.policies import LEARNER, ONLINE, Policies, label_of
from engrain.learn.qtable import QTable, Tables, q_value, tally_of
from engrain.learn.recorder import Recorder
from engrain.learn.reward import HIGH, LOW
from engrain.learn.standing import Fallen, shares
from engrain.learn.state import State, checked_state, merged
from engrain.learn.watch import Alarm
from engrain.model.decision import Advice, Drift, Evidence, Experience, Outcome, QValue, Ranked
from engrain.model.scope import Scope
from engrain.store.port import Store
from engrain.world import World

TRIED = 1.0  # verified outcome in its tenant, below which an action is explored although a policy is live
RECENT = 3  # decisions named as evidence
BESIDE = 64  # further actions whose outcomes tell how hard an option's state is


class Learner:
    """Decisions of every scope of one store. Safe to use from several threads and many processes."""

    def __init__(
        self, store: Store, world: World, config: Config, past: Past | None = None, alarm: Alarm | None = None
    ) -> None:
        self._store = store
        self._world = world
        self._config = config
        self._tables = Tables(store, Policies(store, world))
        self._ahead = Ahead(store, config)
        self._past = past
        self._recorder = Recorder(store, world, past, alarm)

    # -- deciding ------------------------------------------------------------------------------------------------------

    def advise(
        self,
        scope: Scope,
        task_type: str,
        *,
        state: Mapping[str, Any] | None = None,
        options: Sequence[str] | Mapping[str, Mapping[str, Any] | None] | None = None,
        episode: str | None = None,
    ) -> Advice:
        """What to do next. The decision is in the store, with its propensity, before it is returned.

        Without ``options`` it chooses among the actions seen before. A mapping gives each option features of its own:
        it is judged, and later remembered, in the state together with these. Raises InvalidField for bad input.
        """
        task_type = checked_text("task_type", task_type)
        asked = asked_of(state, options)
        offered, episode = asked.names, optional_text("episode", episode)
        with self._tables.lock:
            table = self._tables.current(scope, task_type)
            seen = _seen(table)
            actions = offered if offered is not None else seen
            known = bool(seen) and (offered is None or not set(seen).isdisjoint(offered))
            belief = belief_of(table, asked, actions) if known else None
            visits = {action: sums.visits for action, sums in table.own.items()}
            if table.policy.version == ONLINE:
                table.ahead = self._ahead.rule(scope, task_type, sum(visits.values()), table.ahead)
            version, ruled = ruled_of(table, asked, actions, belief)
        label = label_of(ONLINE if ruled is None else version)
        identity = self._world.new_id()
        if not actions:
            advice = Advice(identity, task_type, None, None, None, None, None, 0, (), "abstained", {}, LEARNER, episode)
        elif belief is None:
            chances = np.full(len(actions), 1.0 / len(actions))
            action = actions[exploration.draw(chances, self._world.rng)]
            named = dict(zip(actions, chances.tolist(), strict=True))
            ranking = tuple(Ranked(name, None, None, None, chance) for name, chance in named.items())
            advice = Advice(
                identity, task_type, action, None, None, None, named[action], 0, (), "explored", named, LEARNER,
                episode, ranking,
            )  # fmt: skip
        else:
            chances = exploration.chances(self._config, task_type, belief, ruled)
            index = exploration.draw(chances, self._world.rng)
            action, (value, low, high) = actions[index], belief.interval(index)
            evidence = self._named(scope, task_type, asked.of(action), action, belief.evidence[index])
            named = dict(zip(actions, chances.tolist(), strict=True))
            advice = Advice(
                identity, task_type, action, value, low, high, named[action], visits.get(action, 0), evidence,
                "advised", named, label, episode, _ranking(actions, belief, named),
            )  # fmt: skip
        listed = decision_params(scope, advice, asked.of(advice.action).text, asked.listed, self._world.now())
        self._store.write([("decision_insert", listed)])
        return advice

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
        drifted = {
            row["task_type"]: Fallen(row["action"], row["after"]) for row in self._store.read("drift_list", params)
        }
        return [q_value(row, counted[row["task_type"]][row["action"]], drifted.get(row["task_type"])) for row in rows]

    def drifts(self, scope: Scope, task_type: str | None = None) -> list[Drift]:
        """The task types of this agent in which a drift was seen."""
        params = {"tenant": scope.tenant, "agent": scope.agent, "task_type": optional_text("task_type", task_type)}
        return [drift_of(row) for row in self._store.read("drift_list", params)]

    def rebuild(self, tenant: str) -> int:
        """Make the Q-values of a tenant anew from its experiences; the number of experiences used."""
        return self._recorder.rebuild(tenant)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be decided: the state, the options, and the states of options that have features of their own."""

    state: State
    names: list[str] | None
    own: Mapping[str, State]
    listed: Options | None  # as it is kept

    def of(self, action: str | None) -> State:
        """The state that an option is judged in."""
        return self.state if action is None else self.own.get(action, self.state)


def asked_of(state: Mapping[str, Any] | None, options: object) -> Asked:
    """A question, checked. Raises InvalidField."""
    situation, names = checked_state(state), checked_options(options)
    if not isinstance(options, Mapping) or names is None:
        return Asked(situation, names, {}, names)
    features = {name: checked_state(options[name], f"options[{name!r}]").values for name in names}
    return Asked(situation, names, {name: merged(situation, own) for name, own in features.items()}, features)


def belief_of(table: QTable, asked: Asked, actions: Sequence[str]) -> Posterior:
    """What is believed of each action in its own state, of which the actions with most outcomes tell, too."""
    if not asked.own:
        return backoff.posterior(table, asked.state, actions)
    heard = sorted(table.own, key=lambda name: (-table.own[name].weight, name))[:BESIDE]
    states = [asked.of(action) for action in actions]
    sharing = Counter(state.key for state in states)
    places: dict[int, list[int]] = {}  # by how many share a state: questions of very different sizes are mostly padding
    for index, state in enumerate(states):
        places.setdefault(sharing[state.key], []).append(index)
    parts = [
        backoff.posteriors(table, [states[at] for at in mine], [actions[at] for at in mine], heard)
        for mine in places.values()
    ]
    order = np.argsort(np.concatenate(list(places.values())))
    told = [one for part in parts for one in part.evidence]
    names = [field.name for field in fields(Posterior) if field.name != "evidence"]
    joined = {name: np.concatenate([getattr(part, name) for part in parts])[order] for name in names}
    return Posterior(**joined, evidence=tuple(told[at] for at in order.tolist()))


def ruled_of(
    table: QTable, asked: Asked, actions: Sequence[str], belief: Posterior | None
) -> tuple[int, exploration.Floats | None]:
    """The version that is live, and the probabilities [k] that its rule gives, without one that of looking ahead; None
    where sums decide: the rule does not know this state, it is asked about options with features of their own, it
    is overruled, or an option was never given a chance."""
    version, rule, alone = table.policy
    rule = table.ahead[1] if version == ONLINE else rule
    if rule is None or belief is None or asked.own:
        return version, None
    if alone and any(table.tenant.get(action, Sums()).weight < TRIED for action in actions):
        return version, None  # what was never given a chance is explored first
    ruled = rule.chances(asked.state, actions)
    return version, exploration.upheld(ruled, belief) if ruled is not None and alone else ruled


def _ranking(actions: Sequence[str], belief: Posterior, chances: Mapping[str, float]) -> tuple[Ranked, ...]:
    """All options, the highest value first; equal ones in the order of their upper bounds, then as they were given."""
    half = belief.quantile * belief.error
    columns = [np.clip(one, LOW, HIGH) for one in (belief.mean, belief.mean - half, belief.mean + half)]
    order = np.lexsort((np.arange(len(actions)), -columns[2], -belief.mean)).tolist()
    values, lows, highs = (one.tolist() for one in columns)
    return tuple(Ranked(actions[i], values[i], lows[i], highs[i], chances[actions[i]]) for i in order)


def _seen(table: QTable) -> list[str]:
    """Actions with evidence: this agent's, or when it has none the tenant's."""
    own = sorted(action for action, sums in table.own.items() if sums.visits > 0)
    return own or sorted(action for action, sums in table.tenant.items() if sums.visits > 0)
