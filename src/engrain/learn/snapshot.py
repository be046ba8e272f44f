"""The online learner as it would be by some experiences: what a first policy has to beat.

What the logged behaviour earned includes what it paid for exploring at the beginning. A policy that is better than that
may still be worse than the learner is by now. So the gate asks what the learner would earn that has seen what the
policy was trained on, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engrain.config import Config
from engrain.learn import backoff, exploration
from engrain.learn.credit import Tally
from engrain.learn.log import Counts, Floats
from engrain.learn.qtable import MAX_ROWS, QTable
from engrain.learn.state import State

MOST = 2_000  # states, beyond which asking for each of them takes too long


class OnlineRule:
    """Decides as the online learner does. It is asked, not kept."""

    def __init__(self, counts: Counts, config: Config, task_type: str) -> None:
        self._config, self._task_type = config, task_type
        self._table = _table(counts)

    def chances(self, state: State, actions: Sequence[str]) -> Floats | None:
        known = set(self._table.own)
        if known.isdisjoint(actions):
            return None
        belief = backoff.posterior(self._table, state, actions)
        return exploration.chances(self._config, self._task_type, belief, None)


def snapshot(counts: Counts, config: Config, task_type: str) -> OnlineRule | None:
    """The learner's rule by these experiences; None when there are more states than can be asked about."""
    return OnlineRule(counts, config, task_type) if len(counts.keys) <= MOST else None


def _table(counts: Counts) -> QTable:
    """The Q-values that these experiences add up to. Their weights are capped by lineage already."""
    k, table = max(1, len(counts.actions)), QTable()
    pair, place = np.unique(counts.state * k + counts.action, return_inverse=True)
    parts = (counts.n, counts.weight, counts.total, counts.squares)
    visits, *sums = (np.bincount(place, one, minlength=len(pair)) for one in parts)
    own: dict[str, Tally] = {}
    for at in np.argsort(-visits, kind="stable")[:MAX_ROWS][::-1].tolist():
        state, action = divmod(int(pair[at]), k)
        tally = Tally(int(visits[at]), *(float(one[at]) for one in sums))
        name = counts.actions[action]
        row = {"state_key": counts.keys[state], "state": counts.texts[state], "action": name, "seq": len(own)}
        table.put({**row, **tally._asdict()})
        own[name] = own.get(name, Tally()).plus(tally)
    table.settle(own, own)
    return table
