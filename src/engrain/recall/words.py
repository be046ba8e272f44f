"""Words: BM25 (Robertson and Zaragoza, 2009) with counts of one view only, over items, windows of turns and sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engrain.recall.view import Floats, View

Doubles = npt.NDArray[np.float64]
MOST = 64  # terms of a question that are looked up: the rarest ones


@dataclass(frozen=True, slots=True)
class Words:
    """Scores per item, unscaled. ``ideal`` is the score of an item that holds every term of the question many times;
    ``covered`` the share of the question's information that an item holds, 0..1."""

    item: Floats
    near: Floats  # window of 3 turns
    wide: Floats  # window of 5 turns
    session: Floats
    covered: Floats


@dataclass(frozen=True, slots=True)
class Bm25:
    """k1 bounds what repetition adds, b how far length counts against an item."""

    k1: float = 1.2
    b: float = 0.75


def score_words(view: View, terms: list[int], item: Bm25, episode: Bm25, session: Bm25) -> Words:
    """BM25 of every visible item and of its surroundings. Terms are distinct hashes; absent ones count as the rarest."""
    n = view.n
    out = [np.zeros(n, np.float32) for _ in range(3)]
    by_session = np.zeros(len(view.starts), np.float32)
    passages = np.zeros(len(view.owner), np.float32)
    covered, total = np.zeros(n, np.float32), 0.0
    length = np.add.reduceat(view.length, view.first) if n else view.length
    lengths = [length, window(view, length, 1), window(view, length, 2)]
    norms = [_norm(view.length, item), _norm(lengths[1], episode), _norm(lengths[2], episode)]
    session_norm = _norm(np.add.reduceat(length, view.starts) if n else length, session)
    for rarity, rows, counts in _rarest(view, terms):
        total += rarity
        if not len(rows):
            continue
        passages[rows] += np.float32(rarity) * _full(counts, norms[0][rows], item)
        held = np.zeros(n, np.float32)
        np.add.at(held, view.owner[rows], counts) if not view.single else held.__setitem__(rows, counts)
        covered += np.float32(rarity) * (held > 0)
        for step, bm in ((1, episode), (2, episode)):
            out[step] += np.float32(rarity) * _full(window(view, held, step), norms[step], bm)
        by_session += np.float32(rarity) * _full(np.add.reduceat(held, view.starts), session_norm, session)
    return Words(view.per_item(passages), out[1], out[2], by_session[view.group], covered / np.float32(total or 1.0))


def _rarest(view: View, terms: list[int]) -> list[tuple[float, Any, Floats]]:
    """(idf, passages, counts) of each term, rarest first. idf over passages: log(1 + (N - n + ½) / (n + ½))."""
    total = len(view.owner)
    found = []
    for term in dict.fromkeys(terms):
        rows, counts = view.of_term(term)
        found.append((float(np.log1p((total - len(rows) + 0.5) / (len(rows) + 0.5))), term, rows, counts))
    found.sort(key=lambda one: (-one[0], one[1]))
    return [(rarity, rows, counts) for rarity, _, rows, counts in found[:MOST]]


def _norm(lengths: Floats, bm: Bm25) -> Floats:
    mean = float(lengths.sum(dtype=np.float64)) / len(lengths) if len(lengths) else 1.0
    return np.float32(bm.k1) * (np.float32(1 - bm.b) + np.float32(bm.b / (mean or 1.0)) * lengths)


def _full(counts: Floats, norm: Floats, bm: Bm25) -> Floats:
    return counts * np.float32(bm.k1 + 1) / np.maximum(counts + norm, np.float32(1e-9))


def window(view: View, values: Floats, reach: int) -> Floats:
    """Each item's value plus those of up to ``reach`` neighbours on both sides in its session."""
    out = values.copy()
    for step in range(1, reach + 1):
        same = view.near(step)
        out[step:] += values[:-step] * same
        out[:-step] += values[step:] * same
    return out
