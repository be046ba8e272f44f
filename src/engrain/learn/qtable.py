"""Q-values of one agent and task type, kept per process and caught up when another process learned something.

The store holds additive sums per state and action (see ``credit``). A table caches them as arrays. Before each use it
compares the change numbers of its two scopes (the agent's and the tenant's) and reads only the rows that changed since:
the outcomes of another process are seen by the next advice at the cost of one small read.

Bounded: the sums of the whole task type are exact for ever; of single states, the ``MAX_ROWS`` most recently changed
(state, action) rows advise, and ``MAX_TABLES`` tables are kept, those used last. (Up to twice as many rows linger, and
beyond the bound their states still serve to standardise the others.)
"""

from __future__ import annotations

import json
import math
import threading
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from engrain.learn.credit import TASK, TENANT, Sums, Tally, scope_name
from engrain.learn.features import Space
from engrain.learn.nearness import Nearness
from engrain.learn.policies import Live, Policies
from engrain.learn.rule import Rule
from engrain.learn.standing import WHOLE, Fallen, Share, fallen, shares, standing, standing_rows
from engrain.model.decision import QValue
from engrain.model.scope import Scope
from engrain.store.port import Row, Store

MAX_ROWS = 32_768
MAX_TABLES = 32


def q_value(row: Row, share: Share, drifted: Fallen | None = None) -> QValue:
    """What a row of ``q_values`` with at least one visit says, of which so much counts; ``drifted`` is the last drift
    of its task type."""
    sums = standing(tally_of(row), share)
    if drifted is not None and (row["state_key"], row["action"]) == (TASK, drifted.action):
        sums = sums.plus(fallen(tally_of(row), drifted.after))
    mean = sums.total / sums.weight
    state = None if row["state_key"] == TASK else json.loads(row["state"])
    spread = math.sqrt(max(0.0, sums.squares / sums.weight - mean * mean))
    return QValue(row["task_type"], state, row["action"], sums.visits, sums.weight, mean, spread)


def tally_of(row: Row) -> Tally:
    """The sums in a row of ``q_values``."""
    return Tally._make(row[name] for name in Tally._fields)


class QTable:
    """The sums of one agent and task type. Not thread-safe: ``Tables`` holds the lock."""

    def __init__(self) -> None:
        self.actions: dict[str, int] = {}
        self.own: dict[str, Sums] = {}  # the whole task type, by action: what counts of it
        self.tenant: dict[str, Sums] = {}  # the same of all agents of the tenant, this one included
        self.shares: dict[str, Share] = {}  # what counts of this agent's rows, by action
        self._own: dict[str, Tally] = {}
        self._tenant: dict[str, Tally] = {}
        self._drifted: Fallen | None = None
        self.states: dict[str, int] = {}
        self.space = Space()
        self._rows: dict[tuple[int, int], int] = {}
        self._cells = np.zeros((2 + len(Tally._fields) - 1, 64))  # state, action, and the tally without its visits
        self._seqs = np.zeros(64, dtype=np.int64)
        self.changes = 0  # of single states, since this process knows them
        self.nearness: tuple[tuple[int, int, int], Nearness] | None = None  # and of what it was made
        self.policy = Live()
        self.ahead: tuple[int, Rule | None] = (0, None)  # outcomes, and the rule made of them: see learn.ahead
        self.marks: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))  # (seq, purges) of agent and tenant

    def put(self, row: Row) -> None:
        """Take over the sums of a state."""
        self.changes += 1
        if row["state_key"] not in self.states:
            self.states[row["state_key"]] = len(self.states)
            self.space.add(json.loads(row["state"]))
        pair = (self.states[row["state_key"]], self.actions.setdefault(row["action"], len(self.actions)))
        index = self._rows.setdefault(pair, len(self._rows))
        if index == len(self._seqs):
            self._cells = np.hstack([self._cells, np.zeros_like(self._cells)])
            self._seqs = np.concatenate([self._seqs, np.zeros_like(self._seqs)])
        self._cells[:, index] = (*pair, *tally_of(row)[1:])
        self._seqs[index] = row["seq"]

    def settle(
        self, own: dict[str, Tally] | None, tenant: dict[str, Tally] | None, drifted: Fallen | None = None
    ) -> None:
        """Take over the rows of the whole task type, the agent's and the tenant's, where they have changed.
        ``drifted``: by the agent's last drift, when there are rows of its own."""
        if own is not None:
            self._own, self._drifted = own, drifted
        self._tenant = self._tenant if tenant is None else tenant
        self.shares = shares(self._own)
        self.own = {action: standing(tally, self.shares[action]) for action, tally in self._own.items()}
        if self._drifted is not None and self._drifted.action in self.own:
            action, after = self._drifted
            self.own[action] = self.own[action].plus(fallen(self._own[action], after))
        others = {action: tally.plus(self._own.get(action, Tally()), -1) for action, tally in self._tenant.items()}
        theirs = shares(others, hearsay=True)
        self.tenant = {
            action: standing(tally, theirs[action]).plus(self.own.get(action, Sums()))
            for action, tally in others.items()
        }

    def outlived(self, marks: tuple[tuple[int, int], tuple[int, int]]) -> bool:
        """Whether rows were removed since, or the whole sequence: then it began anew, with smaller numbers."""
        return any(now[1] != then[1] or now[0] < then[0] for now, then in zip(marks, self.marks, strict=True))

    @property
    def full(self) -> bool:
        """Whether so many rows have gathered that the old ones should be dropped by reading the table anew."""
        return len(self._rows) >= 2 * MAX_ROWS

    def rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """State index [n], action index [n], and weight, total, squares [3, n] of the most recent rows."""
        n = len(self._rows)
        cells = self._cells[:, :n]
        if n > MAX_ROWS:
            oldest = np.partition(self._seqs[:n], n - MAX_ROWS)[n - MAX_ROWS]
            cells = cells[:, self._seqs[:n] >= oldest]
        actions = cells[1].astype(np.int64)
        return cells[0].astype(np.int64), actions, self._standing(actions, cells[2:])

    def _standing(self, actions: NDArray[np.int64], cells: NDArray[np.float64]) -> NDArray[np.float64]:
        if all(share is WHOLE for share in self.shares.values()):
            return cells[:3]
        by_action = np.array([self.shares.get(action, WHOLE) for action in self.actions])  # in the order of numbers
        return standing_rows(cells, by_action[actions].T)


class Tables:
    """The tables of this process; ``lock`` is held while one of them is brought up to date or read."""

    def __init__(self, store: Store, policies: Policies) -> None:
        self._store, self._policies = store, policies
        self._tables: OrderedDict[tuple[str, str, str], QTable] = OrderedDict()
        self.lock = threading.RLock()

    def current(self, scope: Scope, task_type: str) -> QTable:
        """The table with everything that is committed now. Call and use it with ``lock`` held."""
        key = (scope.tenant, scope.agent, task_type)
        names = [scope_name(scope.agent, task_type), scope_name(TENANT, task_type)]
        found = self._store.read("scope_states", {"tenant": scope.tenant, "names": names})
        marks = {row["name"]: (int(row["seq"]), int(row["purges"])) for row in found}
        own, tenant = (marks.get(name, (0, 0)) for name in names)
        table = self._tables.pop(key, None)
        if table is None or table.full or table.outlived((own, tenant)):
            table = QTable()
        self._tables[key] = table
        while len(self._tables) > MAX_TABLES:
            self._tables.popitem(last=False)
        asked = {"tenant": scope.tenant, "agent": scope.agent, "task_type": task_type}
        if table.marks[0] != own:
            changes = self._store.read("q_changes", {**asked, "seq": table.marks[0][0], "limit": MAX_ROWS})
            for row in reversed(changes):  # the oldest first: states are numbered as they came
                table.put(row)
        if table.marks != (own, tenant):
            mine = self._task(asked) if table.marks[0] != own else None
            both = self._task({**asked, "agent": TENANT}) if table.marks[1] != tenant else None
            table.settle(mine, both, self._drifted(asked, mine or {}))
            if self._policies.version(scope.tenant, task_type, scope.agent) != table.policy.version:
                table.policy = self._policies.live(scope.tenant, task_type, scope.agent)
        table.marks = (own, tenant)
        return table

    def _drifted(self, asked: dict[str, str], own: dict[str, Tally]) -> Fallen | None:
        """By the last drift, when there was one."""
        if not any(tally.old_weight for tally in own.values()):
            return None
        found = self._store.read("drift_find", asked)
        return Fallen(found[0]["action"], found[0]["after"]) if found else None

    def _task(self, asked: dict[str, str]) -> dict[str, Tally]:
        return {row["action"]: tally_of(row) for row in self._store.read("q_task", asked)}
