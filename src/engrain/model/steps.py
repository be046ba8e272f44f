"""Logged steps as columns, on their way from the store or the archive to those who learn from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
NONE = -1  # the code of no text
STEPS = 1 << 20  # sums over experiences are multiples of 1 / STEPS: the same in whatever order they are added up
SHARED = {"advised_action": "action", "open_state": "next_state", "next_key": "state_key"}
"""Columns of texts whose numbers are into the values of another column."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of texts: ``codes`` [n] are numbers into ``values``, NONE where there is none. ``values`` are distinct,
    in no order; empty when only which are equal is wanted."""

    codes: Codes
    values: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows as columns by name: texts, real numbers [n] (NaN: not known) and whole ones [n]."""

    texts: Mapping[str, Texts]
    reals: Mapping[str, NDArray[np.float64]]
    whole: Mapping[str, NDArray[np.int64]]


class ByAgent:
    """Steps as columns, and those of each agent alone. Whole columns ``sorted``: the rows by time, ``order`` and
    ``run``: see ``in_episodes``."""

    def __init__(self, steps: Columns) -> None:
        self._all, agent, rows = steps, steps.texts["agent"], steps.whole["sorted"]
        self._rows = rows[np.argsort(agent.codes[rows], kind="stable")]
        codes = agent.codes[self._rows]
        found = np.unique(codes)
        ends = zip(*(np.searchsorted(codes, found, side).tolist() for side in ("left", "right")), strict=True)
        self._ends = dict(zip([agent.values[code] for code in found.tolist()], ends, strict=True))

    def of(self, agent: str | None, since: int = 0) -> Columns:
        """Those of an agent, None: of all, that were decided at ``since`` (µs UTC) or later."""
        steps = self._all
        if agent is None and not since:
            return steps
        rows = steps.whole["sorted"] if agent is None else self._rows[slice(*self._ends.get(agent, (0, 0)))]
        rows = rows[steps.whole["decided_at"][rows] >= since]
        texts = {name: Texts(one.codes[rows], one.values) for name, one in steps.texts.items()}
        whole = {name: one[rows] for name, one in steps.whole.items() if name not in {"sorted", "order", "run"}}
        ordered = np.arange(len(rows))
        order, run = in_episodes(ordered, texts["agent"].codes, texts["episode"].codes)
        whole |= {"sorted": ordered, "order": order, "run": run}
        return Columns(texts, {name: one[rows] for name, one in steps.reals.items()}, whole)


def in_episodes(order: Ints, agent: Any, run: Any) -> tuple[Ints, Ints]:
    """``order``: rows by their numbers. The same by episode (of an ``agent``, by its name in ``run``; NONE is an
    episode of its own), and within it as they were; and the number of the episode of each, in that order."""
    run = run[order]
    alone = run == NONE
    pair = paired(agent[order], run)
    pair[alone] = 1 + pair.max(initial=0) + np.arange(int(alone.sum()))
    episode = numbered(pair)
    within = np.argsort(episode, kind="stable")
    return order[within], episode[within]


def paired(first: Any, second: Any) -> Ints:
    """One number for each pair of numbers."""
    found: Ints = first.astype(np.int64)
    found *= 1 + second.max(initial=0)
    found += second
    return found


def numbered(values: Ints) -> Ints:
    """The same as numbers from 0 on, in the order in which they first came. ``values`` are not negative."""
    if not len(values):
        return values
    if values.max() > 4 * len(values) + 1_000:  # too many to have a place each
        values = np.unique(values, return_inverse=True)[1]
    first = np.empty(1 + values.max(), np.int64)
    first[values[::-1]] = np.arange(len(values) - 1, -1, -1)  # the last to be written is the first that came
    came = first[values]
    new = np.zeros(len(values), np.int64)
    new[came] = 1
    found: Ints = (np.cumsum(new, out=new) - 1)[came]
    return found


def marks(whole: Mapping[str, Ints]) -> Ints:
    """A number for each row that changes when what is known of it does: their sum tells versions of the data apart."""
    return np.asarray(whole["decided_at"] % 1_000_000_007 + whole["updated_at"] % 998_244_353 + whole["revision"])
