"""Sums of single states, for one question or for many at once: what came of actions in a state and in those near it.

Each question is a state and the actions that are asked about there. What does not depend on the state is added up once
for all of them; what does, is linear in the outcomes, and so in how far they are graded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engrain.learn.apart import apart
from engrain.learn.features import step
from engrain.learn.nearness import FOREST, Nearness, graded
from engrain.learn.qtable import QTable
from engrain.learn.state import State

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PRIOR_VARIANCE = 2.0  # between all rewards alike (0) and a coin of -2 and 2 (4)
FLOOR_VARIANCE = 1e-4  # outcomes that never differed may yet
PRIOR_COUNT = 2.0  # outcomes that the prior variance is worth
STATE_CAP = 2.0  # outcomes that everything above is worth to a state that has outcomes of its own
GRADED = 0.7  # share of graded rewards in what is chosen by, before any outcome
GRADED_FOR = 60.0  # outcomes an action after which that has halved
FEW = 32  # rows
BETWEEN = 0.5  # share of the variance that lies between states, when states do not tell
PRIOR_APART = BETWEEN * PRIOR_VARIANCE  # variance of mean rewards before two of them are known


@dataclass(frozen=True, slots=True)
class Asked:
    """g questions: a state each, and the actions [g, k] that are asked about in it, as columns of ``names``; where
    there are fewer than k, the rest are ``len(names)``."""

    names: list[str]  # first those that answers are wanted for
    states: list[State]
    column: Ints  # [g, k]
    place: tuple[Ints, Ints]  # question and its column of each answer that is wanted

    @property
    def real(self) -> Floats:
        """[g, k] 1 where there is an action, else 0."""
        return (self.column < len(self.names)).astype(np.float64)

    @classmethod
    def of(cls, states: Sequence[State], actions: Sequence[str], beside: Sequence[str]) -> Asked:
        """One question for each different state of ``states`` [k]: about those of the different ``actions`` [k] that
        are asked about there, and all ``beside``."""
        number = {name: index for index, name in enumerate(dict.fromkeys([*actions, *beside]))}
        heard = [number[name] for name in beside]
        groups: dict[str, list[int]] = {}
        for index, state in enumerate(states):
            groups.setdefault(state.key, []).append(index)
        rows = [[*mine, *(one for one in heard if one not in set(mine))] for mine in groups.values()]
        column = np.full((len(rows), max(map(len, rows))), len(number), dtype=np.int64)
        place = np.zeros((2, len(actions)), dtype=np.int64)
        for row, (listed, mine) in enumerate(zip(rows, groups.values(), strict=True)):
            column[row, : len(listed)] = listed
            place[0, mine], place[1, mine] = row, np.arange(len(mine))
        first = [states[mine[0]] for mine in groups.values()]
        return cls(list(number), first, column, (place[0], place[1]))


@dataclass(frozen=True, slots=True)
class Local:
    """Sums of single states by question and action: [g, k] arrays, totals [2, g, k]: of rewards, and of half graded
    ones.

    ``near`` is weighted by nearness, [kinds, …]; ``here`` is the state itself; ``left_out`` what the mean over other
    states leaves out of the task type; ``extra`` what grading adds to the totals of the task type. ``voices`` are
    those of the nearness.
    """

    here_weight: Floats
    here_total: Floats
    near_weight: Floats
    near_total: Floats
    left_weight: Floats
    left_total: Floats
    extra: Floats
    within: float | None  # variance inside of states that came back
    states_apart: float  # variance of the means of an action in states that came back
    voices: Sequence[tuple[int, float, float]]
    error: float | None  # mean squared error of telling outcomes from other states


def local_sums(table: QTable, asked: Asked) -> Local:
    """The sums of ``table`` for these questions."""
    states, acts, cells = table.rows()
    if not len(states):
        none = np.zeros(asked.column.shape)
        two, kinds = np.array([none, none]), np.array([none] * (FOREST + 1))
        return Local(none, two, kinds, np.stack([kinds, kinds], 1), none, two, none, None, 0.0, [(0, 1.0, 1.0)], None)
    weights, totals, squares = cells
    nearness = _nearness(table, states, acts, cells)
    means = totals / np.maximum(weights, 1e-9)
    parts = np.array([weights, totals, weights * (graded(means) - means)])
    within = _within(weights, totals, squares)
    lie = 0.0 if within is None or len(table.states) < 2 else apart(acts, weights, means, within, PRIOR_APART)
    # rows of actions that nobody asks about are left out
    spare = len(asked.names)
    number = np.full(len(table.actions), spare, dtype=np.min_scalar_type(spare))  # small numbers are sorted faster
    for index, action in enumerate(asked.names):
        if action in table.actions:
            number[table.actions[action]] = index
    slot = number[acts]
    rows = np.argsort(slot, kind="stable")[: np.count_nonzero(slot < spare)]
    one = (1.0 + STATE_CAP) / (weights[rows] + STATE_CAP)  # a state that came back often is still one state
    whole, near, left, here = _sums(
        table, nearness, asked, (states[rows], slot[rows].astype(np.int64), parts[:, rows], one)
    )
    each = whole[0].sum(axis=-1, keepdims=True) / asked.real.sum(axis=-1, keepdims=True)
    share = GRADED * GRADED_FOR / (GRADED_FOR + each)  # the same for all actions: half graded, a good one looks worse

    def both(sums: Floats) -> Floats:
        """Totals as they are and half graded, of sums [3, …]."""
        return np.array([sums[1], sums[1] + share * sums[2]])

    return Local(
        here_weight=here[0],
        here_total=both(here),
        near_weight=near[0],
        near_total=both(near).swapaxes(0, 1),
        left_weight=left[0],
        left_total=both(left),
        extra=share * whole[2],
        within=within,
        states_apart=lie,
        voices=nearness.voices,
        error=nearness.error,
    )


def _sums(
    table: QTable, nearness: Nearness, asked: Asked, rows: tuple[Ints, Ints, Floats, Floats]
) -> tuple[Floats, Floats, Floats, Floats]:
    """Sums of weight, total and what grading adds, [3, g, k]: of the task type, [3, kinds, g, k] of states nearby, of
    what their mean leaves out, and of the state itself. ``rows``: state, action, parts [3, n], and what share of them
    the mean over other states takes; in the order of the actions."""
    states, slot, parts, one = rows
    width = len(asked.names) + 1  # the last one is of no action
    both, starts = np.array([parts, one * parts]), np.flatnonzero(np.diff(slot, prepend=-1))
    known = slot[starts]
    sums = np.zeros((2, 3, width))
    sums[..., known] = np.add.reduceat(both, starts, axis=-1)
    whole, taken = sums[..., asked.column]
    near, own = np.zeros((3, FOREST + 1, *asked.column.shape)), np.zeros((2, 3, *asked.column.shape))
    heres = np.array([table.states.get(state.key, -1) for state in asked.states], dtype=np.int64)
    vectors = np.array([table.space.vector(state.values) for state in asked.states])
    for at, kernels in enumerate(nearness.of(table.space, vectors, heres)):
        line = np.zeros((3, FOREST + 1, width))
        line[..., known] = np.add.reduceat(both[1][:, None] * kernels.take(states, axis=1), starts, axis=-1)
        near[:, :, at] = line[..., asked.column[at]]
        if heres[at] >= 0:
            mine, alone = np.flatnonzero(states == heres[at]), np.zeros((2, 3, width))
            alone[..., slot[mine]] = both[..., mine]  # an action has one row in a state
            own[:, :, at] = alone[..., asked.column[at]]
    return whole, near, whole - taken + own[1], own[0]


def _nearness(table: QTable, states: Ints, acts: Ints, cells: Floats) -> Nearness:
    """That of the table, made anew when enough has been learned since; of few rows, whenever one of them changed."""
    _ = table.space.matrix
    few = len(states) <= FEW
    asked = (table.space.version, step(len(states)), table.changes if few else 0)
    if table.nearness is None or table.nearness[0] != asked:
        first = np.array(_named(table, states, acts)) if few else np.arange(asked[1])
        table.nearness = (
            asked,
            Nearness(table.space, (states[first], acts[first], cells[:2, first]), len(table.actions)),
        )
    return table.nearness[1]


def _named(table: QTable, states: Ints, acts: Ints) -> list[int]:
    """The rows by the names of their states and actions, not as this process came to know them."""
    keys, names = list(table.states), list(table.actions)
    return sorted(range(len(states)), key=lambda at: (keys[states[at]], names[acts[at]]))


def _within(weights: Floats, totals: Floats, squares: Floats) -> float | None:
    """Variance of the outcomes of one action in one state, from rows with more than one verified outcome's weight."""
    again = weights > 1.0
    if not again.any():
        return None
    weights, totals, squares = weights[again], totals[again], squares[again]
    residual = np.maximum(squares - totals * totals / weights, 0.0).sum()
    found = (residual + PRIOR_COUNT * PRIOR_VARIANCE) / ((weights - 1.0).sum() + PRIOR_COUNT)
    return max(float(found), FLOOR_VARIANCE)
