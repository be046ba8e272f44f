"""Experiences for training: counts and logs over the store and the archive together, each experience exactly once.

What comes next after a step is the next state that was told with it; else, within an episode, the state of what was
decided next, whether its outcome is known yet or not; else the episode ended there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from engrain.learn.log import END, EXECUTED, Counts, Ints, Log, Reading
from engrain.learn.policies import version_of
from engrain.learn.state import checked_state, stored_state
from engrain.model.decision import EVIDENCE
from engrain.model.steps import NONE, SHARED, STEPS, ByAgent, Columns, Texts, in_episodes, marks, numbered, paired
from engrain.store.port import Row, Store

_GROUP = ("state_key", "state", "action", "next_key", "next_state")
_TEXTS = (
    "agent",
    "state",
    "state_key",
    "open_state",
    "action",
    "evidence",
    "next_state",
    "episode",
    "task_id",
    "advised_action",
    "policy",
)
_REALS = ("reward", "weight", "propensity")
_WHOLE = ("decided_at", "updated_at", "revision")


class Cold(Protocol):
    """The port of steps while some of them are archived: those of the archive and of the store together. Everything but
    ``closed`` raises ArchiveError when the archive cannot be reached."""

    def closed(self) -> int:
        """The last batch of experiences that left the store; 0 when none did."""
        ...

    def agents(self, tenant: str, task_type: str) -> Iterable[str]: ...

    def steps(self, tenant: str, task_type: str, agent: str | None, since: int) -> Columns:
        """Those of ``step_list`` but for ids, and those of ``ByAgent``."""
        ...

    def grouped(self, steps: Columns) -> Columns:
        """The columns of the statement ``step_counts``; ``next_key`` and ``state_key`` have the same values."""
        ...


class LoggedExperiences:
    """See ``learn.log.Experiences``."""

    def __init__(self, store: Store, cold: Cold) -> None:
        self._store, self._cold = store, cold

    def agents(self, tenant: str, task_type: str) -> Sequence[str]:
        rows = self._hot("step_agents", {"tenant": tenant, "task_type": task_type})
        found = self._cold.agents(tenant, task_type) if rows is None else (row["agent"] for row in rows)
        return sorted(found)

    def counts(self, tenant: str, task_type: str, agent: str | None = None) -> Counts:
        rows = self._hot("step_counts", {"tenant": tenant, "task_type": task_type, "agent": agent})
        if rows is not None:
            return counted(grouped(rows))
        return counted(self._cold.grouped(self._cold.steps(tenant, task_type, agent, 0)))

    def log(self, tenant: str, task_type: str, agent: str | None = None, since: int = 0) -> Log:
        asked = {"tenant": tenant, "task_type": task_type, "agent": agent, "since": since}
        rows = self._hot("step_list", asked)
        return logged(self._cold.steps(tenant, task_type, agent, since) if rows is None else _plain(rows))

    def both(self, tenant: str, task_type: str, agent: str | None = None) -> tuple[Counts, Log]:
        if not self._cold.closed():
            asked: dict[str, Any] = {"tenant": tenant, "task_type": task_type, "agent": agent}
            with self._store.transaction(tenant, reading=True) as tx:
                groups, steps = tx.read("step_counts", asked), tx.read("step_list", {**asked, "since": 0})
            if not self._cold.closed():
                return counted(grouped(groups)), logged(_plain(steps))
        return _both(self._cold, self._cold.steps(tenant, task_type, agent, 0))

    def reading(self, tenant: str, task_type: str) -> Reading:
        if not self._cold.closed():
            return _Anew(self, tenant, task_type)
        return _Held(self._cold, ByAgent(self._cold.steps(tenant, task_type, None, 0)))

    def _hot(self, statement: str, asked: Mapping[str, Any]) -> list[Row] | None:
        """Rows of the store when all there is is there; None when some are archived."""
        if self._cold.closed():
            return None
        rows = self._store.read(statement, asked)
        return None if self._cold.closed() else rows


class _Anew:
    """A reading while everything is in the store, which finds an agent's rows by an index."""

    def __init__(self, whence: LoggedExperiences, tenant: str, task_type: str) -> None:
        self._whence, self._of = whence, (tenant, task_type)

    def both(self, agent: str | None) -> tuple[Counts, Log]:
        return self._whence.both(*self._of, agent)

    def log(self, agent: str | None, since: int) -> Log:
        return self._whence.log(*self._of, agent, since=since)


class _Held:
    """A reading of the archive, of which each agent's part would cost as much as all of it."""

    def __init__(self, cold: Cold, steps: ByAgent) -> None:
        self._cold, self._steps = cold, steps

    def both(self, agent: str | None) -> tuple[Counts, Log]:
        return _both(self._cold, self._steps.of(agent))

    def log(self, agent: str | None, since: int) -> Log:
        return logged(self._steps.of(agent, since))


def _both(cold: Cold, steps: Columns) -> tuple[Counts, Log]:
    return counted(cold.grouped(steps)), logged(steps)


def grouped(rows: Sequence[Row]) -> Columns:
    """Rows of ``step_counts``."""
    reals = {name: np.array([row[name] for row in rows], np.float64) for name in ("weight", "total", "squares")}
    whole = {name: np.array([row[name] for row in rows], np.int64) for name in ("n", "steps", "told")}
    return Columns(_texts(rows, _GROUP), reals, whole)


def _plain(rows: Sequence[Row]) -> Columns:
    """Rows of ``step_list``."""
    reals = {name: np.array([row[name] for row in rows], np.float64) for name in _REALS}  # None becomes NaN
    whole = {name: np.array([row[name] for row in rows], np.int64) for name in _WHOLE}
    sorted_ = sorted(range(len(rows)), key=lambda at: (rows[at]["decided_at"], rows[at]["id"]))
    texts = _texts(rows, _TEXTS)
    order, run = in_episodes(np.array(sorted_, np.int64), texts["agent"].codes, texts["episode"].codes)
    return Columns(texts, reals, {**whole, "order": order, "run": run})


def _texts(rows: Sequence[Row], names: Sequence[str]) -> dict[str, Texts]:
    codes, known = {}, {SHARED.get(name, name): dict[str, int]() for name in names}
    for name in names:
        of = known[SHARED.get(name, name)]
        told = [NONE if row[name] is None else of.setdefault(row[name], len(of)) for row in rows]
        codes[name] = np.array(told, np.int32)
    values = {name: list(of) for name, of in known.items()}
    return {name: Texts(codes[name], values[SHARED.get(name, name)]) for name in names}


# -- what is made of them ----------------------------------------------------------------------------------------------


def counted(groups: Columns) -> Counts:
    """The empirical model, from the columns of ``step_counts``."""
    texts, reals, whole = groups.texts, groups.reals, groups.whole
    known = whole["n"] > 0
    next_key, told = (texts[name].codes[known] for name in ("next_key", "next_state"))
    keys, shown, state, following = _states(texts, known, next_key, told)
    actions, action = _sorted(texts["action"], known)
    size = len(keys) + 1
    cell, place = np.unique((state * len(actions) + action) * size + following + 1, return_inverse=True)
    summed = (whole["n"], reals["weight"], reals["total"], reals["squares"])  # whole numbers: in any order the same
    n, *sums = (np.bincount(place, one[known], len(cell)).astype(np.float64) for one in summed)
    weight, total, squares = (one / STEPS for one in sums)
    pair, following = np.divmod(cell, size)
    state, action = np.divmod(pair, max(1, len(actions)))
    version = _version(*(int(whole[name].sum()) for name in ("n", "steps", "told")))
    return Counts(keys, shown, actions, state, action, following - 1, n, weight, total, squares, version)


def logged(steps: Columns) -> Log:
    """Experiences one by one, from the columns of ``step_list``, which are let go as they are done: there are many."""
    texts, reals, whole = dict(steps.texts), dict(steps.reals), dict(steps.whole)
    del steps
    order, episode = whole.pop("order"), whole.pop("run")
    version = _version(int((~np.isnan(reals["reward"])).sum()), len(order), int(marks(whole).sum()))
    whole = {"decided_at": whole["decided_at"]}
    known = ~np.isnan(reals["reward"][order])
    goes_on = np.append(episode[1:] == episode[:-1], False)[: len(order)][known]
    chosen, later = order[known], np.roll(order, -1)[known][goes_on]
    episode = numbered(episode[known])
    next_key, told = np.full(len(chosen), NONE, np.int32), texts["next_state"].codes[chosen]
    next_key[goes_on] = texts["state_key"].codes[later]
    opened = np.full(len(chosen), NONE, np.int32)
    opened[goes_on] = texts.pop("open_state").codes[later]
    told = np.where(told == NONE, opened, told)
    del order, known, goes_on, later, opened
    keys, shown, state, following = _states(texts, chosen, next_key, told)
    del next_key, told, texts["state"], texts["state_key"], texts["next_state"]
    own = texts["action"].codes[chosen] == texts.pop("advised_action").codes[chosen]
    versions = np.array([version_of(one) for one in texts["policy"].values] + [-1], np.int64)
    policy = versions[np.where(own, texts.pop("policy").codes[chosen], NONE)]
    actions, action = _sorted(texts.pop("action"), chosen)
    tiers = np.array([EVIDENCE.index(one) for one in texts["evidence"].values] + [-1], np.int64)
    evidence = tiers[texts.pop("evidence").codes[chosen]]
    _, agent = _sorted(texts.pop("agent"), chosen)
    lineage = _lineages(texts, chosen, agent, evidence)
    reward, propensity = (reals.pop(name)[chosen] for name in ("reward", "propensity"))
    when = whole.pop("decided_at")[chosen]
    told_of = (reward, evidence, propensity, episode, lineage, agent, when, policy, version)
    return Log(keys, shown, actions, state, action, following, *told_of)


def _states(
    texts: Mapping[str, Texts], chosen: Any, next_key: Any, told: Any
) -> tuple[tuple[str, ...], tuple[str, ...], Ints, Ints]:
    """The keys and texts of all states, in order, and numbers into them: of the chosen rows' states, and of those that
    came next (by their key, or as ``told``)."""
    own, written, values = texts["state_key"], texts["state"], texts["next_state"].values
    at = own.codes != NONE
    text_of = np.full(len(own.values) + 1, NONE)
    text_of[own.codes[at]] = written.codes[at]
    next_key = np.where(told == NONE, next_key, NONE)
    used = _used(len(own.values), own.codes[chosen], next_key)
    found = {own.values[code]: _shown(written.values[text_of[code]]) for code in used.tolist()}
    given = _used(len(values), told).tolist()
    further = {code: stored_state(values[code]).key for code in given}
    for code, key in further.items():
        found.setdefault(key, _shown(values[code]))
    keys = tuple(sorted(found))
    number = {key: at for at, key in enumerate(keys)}
    by_key, by_text = np.full(len(text_of), END), np.full(1 + len(values), END)  # the last for NONE
    by_key[used] = [number[own.values[code]] for code in used.tolist()]
    by_text[given] = [number[further[code]] for code in given]
    following = np.where(told == NONE, by_key[next_key], by_text[told])
    return keys, tuple(found[key] for key in keys), by_key[own.codes[chosen]], following


def _used(size: int, *columns: Any) -> Ints:
    """Which of so many numbers are there."""
    there = np.zeros(size + 1, bool)  # the last for NONE
    for codes in columns:
        there[codes] = True
    return np.flatnonzero(there[:-1])


def _shown(text: str) -> str:
    """A state's text without features that are missing: those are no part of its key."""
    if "null" not in text:
        return text
    return checked_state({name: value for name, value in json.loads(text).items() if value is not None}).text


def _sorted(column: Texts, chosen: Any) -> tuple[tuple[str, ...], Ints]:
    """The values that the chosen rows have, in order, and their numbers."""
    taken, values = column.codes[chosen], column.values
    codes = _used(len(values), taken)
    names = sorted(values[code] for code in codes.tolist())
    number = {name: at for at, name in enumerate(names)}
    found = np.full(len(values) + 1, NONE)
    found[codes] = [number[values[code]] for code in codes.tolist()]
    return tuple(names), found[taken]


def _lineages(texts: Mapping[str, Texts], chosen: Any, agent: Ints, evidence: Ints) -> Ints:
    """Who told it, for each of the chosen rows: a task of an agent, or else its episode, or else the agent for what it
    only claims; what was executed or verified beside those stands for itself."""
    task, run = (texts[name].codes[chosen].astype(np.int64) for name in ("task_id", "episode"))
    tasks, runs = 1 + task.max(initial=NONE), 1 + run.max(initial=NONE)
    alone = (task == NONE) & (run == NONE) & (evidence >= EXECUTED)
    pair = paired(agent, np.where(task != NONE, task, np.where(run != NONE, tasks + run, tasks + runs)))
    pair[alone] = 1 + pair.max(initial=0) + np.arange(int(alone.sum()))
    return numbered(pair)


def _version(*marks: int) -> str:
    return hashlib.blake2b(json.dumps(marks).encode(), digest_size=16).hexdigest()
