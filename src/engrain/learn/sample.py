"""The part of a log that may judge a policy: outcomes that were executed or verified, with the propensity logged.

What is only claimed judges nothing. Where decisions belong to episodes an episode is judged as a whole or not at all:
one with a row that may not judge is left out. Rows of one source (lineage) are one cluster: they are held out together,
trained on together, and resampled together.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engrain.learn.log import END, EXECUTED, Floats, Ints, Log
from engrain.learn.rule import Decider, TableRule
from engrain.learn.state import State

MOST_ROWS = 250_000  # judged at most: the latest; what they leave unsure is a few thousandths of a reward
MOST_CELLS = 1 << 26  # states × actions
LEAST = 1e-12  # propensity: the square of what is divided by it is a number


@dataclass(frozen=True, slots=True)
class Sample:
    """``rows`` [n] into the log, in its order, and for each its propensity, cluster (0..c-1), and whether it begins an
    episode. ``left_out`` rows of the log may not judge."""

    log: Log
    rows: Ints
    propensity: Floats
    cluster: Ints
    begins: NDArray[np.bool_]
    estimated: bool
    left_out: int

    def __len__(self) -> int:
        return len(self.rows)


def has_episodes(log: Log, discount: float) -> bool:
    """Whether what comes later counts."""
    return discount > 0.0 and bool((log.next != END).any())


def clusters_of(log: Log) -> Ints:
    """The source of each row: that of its episode's first row."""
    if not len(log):
        return np.zeros(0, dtype=np.int64)
    first = np.flatnonzero(np.diff(log.episode, prepend=-1))
    return np.repeat(log.lineage[first], np.diff(np.append(first, len(log))))


def sample_of(log: Log, episodes: bool, estimated: bool = False) -> Sample:
    """What may judge; ``estimated``: also decisions whose propensity was not logged, by one estimated from how often
    the action was taken in the state (for reports only)."""
    propensity = log.propensity
    lacking = ~np.isfinite(propensity)
    if estimated and lacking.any():
        propensity = np.where(lacking, _frequencies(log), propensity)
    good = (log.evidence >= EXECUTED) & np.isfinite(log.reward)
    good &= np.isfinite(propensity) & (propensity > 0.0) & (propensity <= 1.0)
    if episodes and len(log):
        bad = np.bincount(log.episode, ~good)
        good = (bad == 0)[log.episode]
    rows = np.flatnonzero(good)
    most = max(1, min(MOST_ROWS, MOST_CELLS // max(1, len(log.actions))))
    if len(rows) > most:  # whole episodes, the latest
        since = np.partition(log.at[rows], len(rows) - most)[len(rows) - most]
        last = np.zeros(int(log.episode.max()) + 1, dtype=np.int64)
        np.maximum.at(last, log.episode[rows], log.at[rows])
        rows = rows[last[log.episode[rows]] >= since]
    source = clusters_of(log)[rows]
    there = np.bincount(source) > 0
    dense = (np.cumsum(there) - 1)[source] if len(rows) else source
    begins = np.diff(log.episode[rows], prepend=-1) != 0
    logged = np.maximum(propensity[rows], LEAST)  # so small a one is wrong, and the weights say so
    return Sample(log, rows, logged, dense, begins, estimated, len(log) - len(rows))


def _frequencies(log: Log) -> Floats:
    """How often the action of each row was taken in its state, drawn to how often it was taken at all by one row."""
    k = max(1, len(log.actions))
    overall = np.bincount(log.action, minlength=k) / max(1, len(log))
    code = log.state * k + log.action
    pairs, place = np.unique(code, return_inverse=True)
    here = np.bincount(place, minlength=len(pairs))[place]
    return (here + overall[log.action]) / (np.bincount(log.state)[log.state] + 1.0)


def fold_of(sample: Sample, count: int, seed: int) -> Ints:
    """The fold that holds out each row: clusters shuffled into folds of equal size."""
    clusters = int(sample.cluster.max(initial=-1)) + 1
    turn = np.arange(clusters) % max(1, min(count, clusters))
    return np.random.default_rng(seed).permutation(turn)[sample.cluster]


def blocks_of(sample: Sample, count: int, first: float, seed: int) -> tuple[Ints, Ints]:
    """Blocks of time, whole sources each: of every row of the sample [n] and of the log [N]. -1 are the ``first`` part
    of the sample's rows and all that came before their end; then 0..``count``-1. A source comes when its first row
    does, those of one moment in an order by ``seed``."""
    log = sample.log
    source = clusters_of(log)
    since = np.full(int(source.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(since, source, log.at)
    shuffled = np.random.default_rng(seed).permutation(len(since))
    order = shuffled[np.argsort(since[shuffled], kind="stable")]
    judging = np.bincount(source[sample.rows], minlength=len(since))[order]
    before = (np.cumsum(judging) - judging) / max(1, len(sample))
    block = np.floor((before - first) / (1.0 - first) * count + 1e-9)
    of = np.empty(len(since), dtype=np.int64)
    of[order] = np.clip(block, -1, count - 1)
    return of[source[sample.rows]], of[source]


def chances(rule: Decider, log: Log, states: Ints, floor: float = 0.0) -> tuple[Floats, NDArray[np.bool_]]:
    """What a rule would do in ``states`` [m] (numbers into the log's): probabilities [m, k] of the log's actions, and
    whether it knows [m]. ``floor`` is what exploration mixes in."""
    actions = log.actions
    found = np.zeros((len(states), len(actions)))
    place = {action: index for index, action in enumerate(actions)}
    for row, state in enumerate(states.tolist()):
        if isinstance(rule, TableRule):
            entry = rule.entries.get(log.keys[state])
            for action, cell in entry.items() if entry else ():
                if action in place:
                    found[row, place[action]] = cell[0]
        else:
            text = log.texts[state]
            told = rule.chances(State(json.loads(text), text, log.keys[state]), actions)
            if told is not None:
                found[row] = told
    total = found.sum(axis=1)
    known = total > 0.0
    found[known] /= total[known, None]
    if floor > 0.0:
        found[known] = (1.0 - floor) * found[known] + floor / len(actions)
    return found, known
