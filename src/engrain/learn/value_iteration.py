"""Value iteration on the empirical model (Bellman 1957), by modified policy iteration (Puterman and Shin 1978).

In-sample: an action that was never taken in a state is not there, so it is neither chosen nor bootstrapped from
(Fujimoto et al. 2019, batch-constrained Q-learning for tables). Where data is thin the values are too high all the
same: the best of noisy estimates is chosen. ``pessimism`` and ``spibb`` are the safe uses of what is here.

Assumes that the reward and the next state depend on state and action alone, and that the discount is below 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engrain.learn.empirical import Model
from engrain.learn.log import Floats

TOLERANCE = 1e-8
"""How far a value may be from its limit, as a share of the largest reward's worth for ever. A state's best action is
the exact one unless two lie as close as that."""
SWEEPS = 100  # of evaluation at most between two improvements
SHARE = 0.1  # of the change of an improvement that evaluation may leave
DEPTH = 2  # earlier sweeps that are combined
MOST = 10_000  # improvements: with a discount of 0.9999 fewer do

Improve = Callable[[Floats], tuple[Floats, Floats]]
"""From Q [p] to the policy [p] (probability of each pair) and the Q [p] that it is to be valued with."""


@dataclass(frozen=True, slots=True)
class Solution:
    """``values`` [s], ``q`` [p] one step before them, the ``policy`` [p] and after how many ``sweeps``."""

    values: Floats
    q: Floats
    policy: Floats
    sweeps: int


def nothing() -> None:
    """What is called between sweeps when nobody wants to stop."""


def value_iteration(model: Model, discount: float, *, start: Floats | None = None, penalty: Floats | float = 0.0,
                    floor: float = -np.inf, stop: Callable[[], object] = nothing) -> Solution:  # fmt: skip
    """The best policy among the actions that were taken; equally good ones: the first by name.

    ``penalty`` [p] is taken from every Q, values are not let fall below ``floor``, ``start`` [s] are first values.
    ``stop`` is called between sweeps; what it raises ends the work.
    """

    def improve(q: Floats) -> tuple[Floats, Floats]:
        lowered = q - penalty
        return greedy(model, lowered), lowered

    return solve(model, discount, improve, start=start, penalty=penalty, floor=floor, stop=stop)


def greedy(model: Model, q: Floats) -> Floats:
    """The policy [p] that takes the action of the highest Q in every state, the first of equals."""
    policy = np.zeros(len(q))
    places = np.flatnonzero(q == model.best(q)[model.state])
    policy[places[np.diff(model.state[places], prepend=-1) > 0]] = 1.0
    return policy


def evaluate(model: Model, discount: float, policy: Floats, *, start: Floats | None = None,
             stop: Callable[[], object] = nothing) -> Solution:  # fmt: skip
    """The values of a stochastic ``policy`` [p], whose probabilities sum to 1 in every state."""
    return solve(model, discount, lambda q: (policy, q), start=start, stop=stop)


def solve(model: Model, discount: float, improve: Improve, *, start: Floats | None = None,
          penalty: Floats | float = 0.0, floor: float = -np.inf,
          stop: Callable[[], object] = nothing) -> Solution:  # fmt: skip
    """Improve and evaluate in turn until neither changes anything.

    ``improve`` must choose the best policy of a set that does not change: then each round is a step of a contraction.
    """
    values = np.zeros(model.states) if start is None else start.copy()
    scale = max(1e-300, float(np.abs(model.reward).max(initial=0.0)), float(np.max(penalty, initial=0.0)))
    close = TOLERANCE * scale  # of a step: what is left after it is at most its size · discount / (1 - discount)
    sweeps = 0
    for _ in range(MOST):
        stop()
        q = model.backup(values, discount)
        policy, valued = improve(q)
        new = np.maximum(model.sums(policy * valued), floor)
        change, values, sweeps = _size(new - values), new, sweeps + 1
        if change <= close:
            break
        part = _Part(model, policy, discount, penalty, floor)
        values, further = _settled(part.backup, values, max(close, SHARE * change))
        sweeps += further
    q = model.backup(values, discount)
    return Solution(values, q, improve(q)[0], sweeps)


class _Part:
    """The rows of a model that a policy uses: fewer than all, and swept many times."""

    def __init__(self, model: Model, policy: Floats, discount: float, penalty: Floats | float, floor: float) -> None:
        used = np.flatnonzero((policy > 0.0)[model.pair])
        pair = model.pair[used]
        self._model, self._next, self._floor = model, model.next[used], floor
        self._chance = discount * model.chance[used] * policy[pair]
        self._state = model.state[pair]
        self._reward = model.sums(policy * (model.reward - penalty))

    def backup(self, values: Floats) -> Floats:
        """The next values [s]."""
        after = np.bincount(self._state, self._chance * self._model.whole(values)[self._next], len(values))
        return np.maximum(self._reward + after, self._floor)


def _settled(backup: Callable[[Floats], Floats], values: Floats, close: float) -> tuple[Floats, int]:
    """Values near the fixed point of a backup, and after how many sweeps: each starts from the combination of the last
    ones that would have left the least to do (Anderson 1965; Walker and Ni 2011); from the last alone when that went
    wrong. Stops at a step of ``close`` or after SWEEPS."""
    before: tuple[Floats, Floats] | None = None
    changes: list[Floats] = []  # of the last steps, and of the values after them
    moves: list[Floats] = []
    square = np.zeros((0, 0))  # products of the changes
    least = np.inf
    for sweep in range(1, SWEEPS + 1):
        new = backup(values)
        step = new - values
        size = _size(step)
        if size <= close:
            return new, sweep
        if size > 2.0 * least:
            before, changes, moves, square = None, [], [], square[:0, :0]
        least = min(least, size)
        values = new
        if before is not None:
            changes, moves = [*changes, step - before[0]][-DEPTH:], [*moves, new - before[1]][-DEPTH:]
            square = _bordered(square[-(DEPTH - 1) :, -(DEPTH - 1) :], changes)
            side = np.array([float((one * step).sum()) for one in changes])
            share = np.linalg.lstsq(square, side, rcond=1e-12)[0].tolist()
            values = new - sum(
                (part * move for part, move in zip(share[1:], moves[1:], strict=True)), share[0] * moves[0]
            )
        before = step, new
    return backup(values), SWEEPS + 1


def _bordered(square: Floats, changes: Sequence[Floats]) -> Floats:
    """The products of changes, of all but the last of which they are known."""
    last = [float((one * changes[-1]).sum()) for one in changes]
    found = np.empty((len(changes), len(changes)))
    found[:-1, :-1], found[-1], found[:, -1] = square, last, last
    return found


def _size(difference: Floats) -> float:
    return float(np.abs(difference).max(initial=0.0))
