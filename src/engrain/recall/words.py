"""Words: BM25 (Robertson and Zaragoza, 2009) counted over one view: items, windows of turns, sessions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from engrain.recall.columns import Ints
from engrain.recall.view import Floats, View

OTHERS = 500
MOST = 64  # terms of a question that are looked up: the rarest ones


@dataclass(frozen=True, slots=True)
class Words:
    """Scores per item, unscaled; ``covered`` is the share of the question's information, 0..1, that the window of 3
    turns around an item holds."""

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
    """BM25 of every visible item and of its surroundings. Terms are distinct hashes."""
    n = view.n
    passages, near, wide, covered = (np.zeros(size, np.float32) for size in (len(view.owner), n, n, n))
    sessions = np.zeros(len(view.starts), np.float32)
    norms = _norms(view, item, episode, session)
    total = 0.0
    for rarity, information, rows, counts in _rarest(view, terms):
        total += information
        if not len(rows):
            continue
        weight = np.float32(rarity)
        passages[rows] += weight * _full(counts, norms[0][rows], item)
        held = np.zeros(n, np.float32)
        if view.single:
            held[rows] = counts
        else:
            np.add.at(held, view.owner[rows], counts)
        three = window(view, held, 1)
        near += weight * _full(three, norms[1], episode)
        wide += weight * _full(window(view, held, 2), norms[2], episode)
        covered += np.float32(information) * (three > 0)
        sessions += weight * _full(np.add.reduceat(held, view.starts), norms[3], session)
    return Words(view.per_item(passages), near, wide, sessions[view.group], covered / np.float32(total or 1.0))


def _rarest(view: View, terms: list[int]) -> list[tuple[float, float, Ints, Floats]]:
    """(idf, information, passages, counts) of each term, rarest first. idf over passages: log(1 + (N-n+½)/(n+½)).
    Information, for what a question's words weigh among each other, counts OTHERS more passages without the term: in a
    memory of three items rarity says little."""
    total = len(view.owner)
    found = []
    for term in terms:
        rows, counts = view.of_term(term)
        rarity = math.log1p((total - len(rows) + 0.5) / (len(rows) + 0.5))
        information = math.log1p((total - len(rows) + OTHERS) / (len(rows) + 0.5))
        found.append((rarity, information, term, rows, counts))
    found.sort(key=lambda one: (-one[0], one[2]))
    return [(rarity, information, rows, counts) for rarity, information, _, rows, counts in found[:MOST]]


def _norms(view: View, item: Bm25, episode: Bm25, session: Bm25) -> list[Floats]:
    """The length terms of BM25 of passages, windows of 3 and of 5 turns, and sessions; kept with the view."""
    key = (item, episode, session)
    if key not in view.norms:
        length = view.total_length
        units = [
            (view.length, item),
            (window(view, length, 1), episode),
            (window(view, length, 2), episode),
            (np.add.reduceat(length, view.starts) if view.n else length, session),
        ]
        view.norms[key] = [_norm(lengths, bm) for lengths, bm in units]
    return view.norms[key]


def _norm(lengths: Floats, bm: Bm25) -> Floats:
    mean = float(lengths.sum(dtype=np.float64)) / len(lengths) if len(lengths) else 1.0
    return np.float32(bm.k1) * (np.float32(1 - bm.b) + np.float32(bm.b / (mean or 1.0)) * lengths)


def _full(counts: Floats, norm: Floats, bm: Bm25) -> Floats:
    full: Floats = counts * np.float32(bm.k1 + 1) / np.maximum(counts + norm, np.float32(1e-9))
    return full


def window(view: View, values: Floats, reach: int) -> Floats:
    """Each item's value plus those of up to ``reach`` neighbours on both sides in its session."""
    out = values.copy()
    for step in range(1, reach + 1):
        same = view.near(step)
        out[step:] += values[:-step] * same
        out[:-step] += values[step:] * same
    return out
