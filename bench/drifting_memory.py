"""The online learner of one task type without a store: the same tables, beliefs, exploration and watch for drifts, in
one process and many times as fast. The same seed takes the same decisions as with a store (bench/learning_drift.py
compares them)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engrain.config import Config
from engrain.learn import backoff, exploration
from engrain.learn.credit import Tally, contribution
from engrain.learn.drift import Track
from engrain.learn.qtable import QTable
from engrain.learn.standing import Fallen
from engrain.learn.state import State, checked_state
from engrain.testing import SimulatedWorld


class Memory:
    """Decides among ``k`` actions and learns from what came of it, verified. ``watched``: drifts are watched for."""

    def __init__(self, world: SimulatedWorld, k: int, watched: bool) -> None:
        self._world, self._config, self._watched = world, Config(), watched
        self._options = [f"action {number}" for number in range(k)]
        self._table, self._seq = QTable(), 0
        self._rows: dict[tuple[str, str], tuple[State, Tally]] = {}
        self._task: dict[str, Tally] = {}
        self._tracks: dict[str, Track] = {}
        self._drifted: Fallen | None = None
        self._state = checked_state(None)

    def decide(self, features: Mapping[str, Any] | None) -> tuple[int, float | None]:
        """The number of an action, and the reward that is expected of it when the state has features."""
        self._state = checked_state(features)
        belief = backoff.posterior(self._table, self._state, self._options) if self._task else None
        self._world.new_id()  # that of the decision: ids are drawn from the same source
        if belief is None:
            k = len(self._options)
            return exploration.draw(np.full(k, 1.0 / k), self._world.rng), None
        chances = exploration.chances(self._config, "task", belief, None)
        action = exploration.draw(chances, self._world.rng)
        return action, belief.interval(action)[0] if self._state.values else None

    def learn(self, number: int, reward: float, expected: float | None) -> bool:
        """Whether a drift was seen by it."""
        self._world.new_id()  # that of the experience
        action, told = self._options[number], contribution(reward, 1.0)
        self._task[action] = self._task.get(action, Tally()).plus(told)
        place = (self._state.key, action)
        _, known = self._rows.get(place, (self._state, Tally()))
        self._put(place, self._state, known.plus(told))
        fallen = None
        if self._watched and (expected is not None or not self._state.values):
            track = self._tracks.setdefault(action, Track())
            fallen = track.fall() if track.tell(reward, expected) else None
        if fallen is not None:
            self._outdate(Fallen(action, fallen[1]))
        self._table.settle(self._task, self._task, self._drifted)
        return fallen is not None

    def _outdate(self, drifted: Fallen) -> None:
        self._drifted = drifted
        self._tracks.clear()
        self._task = {action: tally.plus(tally.outdated()) for action, tally in self._task.items()}
        rows, self._rows, self._table = self._rows, {}, QTable()
        for place, (state, tally) in rows.items():
            self._put(place, state, tally.plus(tally.outdated()))

    def _put(self, place: tuple[str, str], state: State, tally: Tally) -> None:
        self._seq += 1
        self._rows[place] = (state, tally)
        row = {"state_key": place[0], "action": place[1], "state": state.text, "seq": self._seq}
        self._table.put({**row, **tally._asdict()})
