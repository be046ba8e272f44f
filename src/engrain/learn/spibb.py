"""Safe policy improvement with baseline bootstrapping (Laroche, Trichelair and Tachet des Combes 2019).

The best policy on the empirical model among those that do as the baseline does wherever the log is too thin to tell:
where an action has evidence of at least ``threshold`` it may be given any probability, elsewhere it keeps the
baseline's (``bound``: "equal", Π_b) or at most that ("below", Π_≤b, which may also give up what looks bad). The
baseline is the behaviour that wrote the log: its true probabilities when they are given, else its shares in the log
(Simão, Laroche and Tachet des Combes 2020). On the model the result is never worse than the baseline, in any state.

Right when those who wrote the log knew what they did. After a poor behaviour (exploration) it stays near to it for
long; then ``pessimism`` is the better choice.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engrain.learn.empirical import Model
from engrain.learn.log import Floats
from engrain.learn.value_iteration import Solution, evaluate, nothing, solve

THRESHOLD = 5.0  # outcomes of an action in a state


def spibb(model: Model, discount: float, *, baseline: Floats | None = None, threshold: float = THRESHOLD,
          bound: str = "below", stop: Callable[[], object] = nothing) -> Solution:  # fmt: skip
    """The safe policy. ``baseline`` [p] are probabilities of the pairs, summing to at most 1 in a state; what is left
    belongs to actions that the log does not have there, and the policy leaves it out."""
    base = model.behaviour if baseline is None else baseline / model.sums(baseline)[model.state]
    trusted = model.weight >= threshold
    least = np.where(trusted, 0.0, base) if bound == "equal" else np.zeros(len(base))
    most = np.where(trusted, 1.0, base)
    # Where nothing is trusted the baseline is the only policy; rounding must not make it less than whole.
    fixed = model.best(trusted.astype(np.float64))[model.state] == 0.0

    def improve(q: Floats) -> tuple[Floats, Floats]:
        return np.where(fixed, base, filled(model, q, least, most)), q

    first = evaluate(model, discount, base, stop=stop)
    return solve(model, discount, improve, start=first.values, stop=stop)


def filled(model: Model, q: Floats, least: Floats, most: Floats) -> Floats:
    """The policy [p] of the highest expected ``q`` with probabilities between ``least`` and ``most``: the actions of a
    state are given what they may have, the best first, until all is given."""
    order = np.lexsort((np.arange(len(q)), -q, model.state))
    room = (most - least)[order]
    given = np.cumsum(room)
    before = given - room
    before = before - before[model.first][model.state]  # pairs are by state in either order
    left = (1.0 - model.sums(least))[model.state]
    policy = np.empty(len(q))
    policy[order] = least[order] + np.clip(left - before, 0.0, room)
    return np.asarray(policy / model.sums(policy)[model.state], dtype=np.float64)
