"""Offline training: from what was logged to candidates for a policy.

What fits the data is tried, each algorithm once: with next states ``pessimistic`` (it may leave the behaviour behind as
far as the evidence carries) and ``spibb`` (it stays with the behaviour where evidence is thin), by value over the
discounted future; without, ``shrunk`` by state, ``features`` and ``linear`` over what states have in common. These two
are tried as well where states hardly ever come back, of which a table would know nothing. Which candidate advises, if
any, is not decided here: the gate judges them on logged outcomes.

Pure: the same counts, discount, seed and code give the same candidates, bit for bit. None of the algorithms draws
random numbers today, so that ``seed`` changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engrain.learn import contextual, linear
from engrain.learn.empirical import Model, model_of
from engrain.learn.log import Counts, Floats
from engrain.learn.pessimism import pessimistic
from engrain.learn.rule import Rule, TableRule
from engrain.learn.shrinkage import shrunk
from engrain.learn.spibb import spibb
from engrain.learn.value_iteration import evaluate, nothing

COMEBACK = 2.0  # outcomes of a state on average, below which a table alone would know too little


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule that an algorithm made, and figures of how."""

    name: str
    rule: Rule
    notes: Mapping[str, float]


def candidates(
    counts: Counts, discount: float, *, seed: int = 0, stop: Callable[[], object] = nothing
) -> list[Candidate]:
    """What the algorithms make of these counts, in a fixed order; nothing when there is no evidence in them.

    ``discount`` in [0, 1) is what a reward one decision later is worth. ``stop`` is called between sweeps; what it
    raises ends the training.
    """
    model = model_of(counts)
    if not model.states:
        return []
    size = {"states": float(model.states), "pairs": float(len(model.state)), "transitions": float(len(model.next))}
    found = [_shrunk(model, size)] if model.ends else _planned(model, discount, size, stop)
    if model.ends or float(model.visits.sum()) < COMEBACK * model.states:
        stop()
        told = contextual.tabulated(counts)
        over = (("features", contextual.fit(told)), ("linear", linear.fit(told)))
        found += [Candidate(name, rule, size) for name, rule in over if rule is not None]
    return found


def _planned(model: Model, discount: float, size: Mapping[str, float], stop: Callable[[], object]) -> list[Candidate]:
    low = pessimistic(model, discount, stop=stop)
    policy = low.solution.policy
    worth = evaluate(model, discount, policy, start=low.solution.values, stop=stop)
    safe = spibb(model, discount, stop=stop)
    notes = {**size, "spread": low.spread, "sweeps": float(low.solution.sweeps)}
    return [
        Candidate("pessimistic", table(model, policy, worth.q), notes),
        Candidate("spibb", table(model, safe.policy, safe.q), {**size, "sweeps": float(safe.sweeps)}),
    ]


def _shrunk(model: Model, size: Mapping[str, float]) -> Candidate:
    found = shrunk(model)
    return Candidate(
        "shrunk", table(model, found.policy, found.mean), {**size, "within": found.within, "between": found.between}
    )


def table(model: Model, policy: Floats, q: Floats) -> TableRule:
    """The rule of a policy [p] with its long-run values [p]. Actions never taken in a state are not in it."""
    entries: dict[str, dict[str, tuple[float, float | None, float]]] = {key: {} for key in model.keys[: model.states]}
    cells = zip(model.state.tolist(), model.action.tolist(), policy.tolist(), q.tolist(), model.visits.tolist(),
                strict=True)  # fmt: skip
    for state, action, chance, value, visits in cells:
        entries[model.keys[state]][model.actions[action]] = (chance, value, visits)
    return TableRule(entries)
