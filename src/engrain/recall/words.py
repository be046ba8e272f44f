"""Words: BM25 (Robertson and Zaragoza, 2009) counted over one view: items, windows of turns, sessions."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from engrain.recall.columns import Floats, Wide
from engrain.recall.view import Found, Pool, View

OTHERS = 500
REACH = 2  # neighbours on both sides that the window of an item has
MOST = 64  # terms of a question that are looked up: the rarest ones


@dataclass(frozen=True, slots=True)
class Words:
    """Scores per item, unscaled; ``covered`` is the information of the question's terms that the window of 5 turns
    around an item holds, of the ``total`` that they have."""

    item: Floats
    wide: Floats  # window of 5 turns
    session: Floats  # rarity counted over sessions
    covered: Floats
    total: float


@dataclass(frozen=True, slots=True)
class Bm25:
    """k1 bounds what repetition adds, b how far length counts against an item."""

    k1: float = 1.2
    b: float = 0.75


@dataclass(frozen=True, slots=True)
class Rare:
    """The rarest terms of a question that stand anywhere: their numbers in it, rarest first, with their idf and
    information, as columns [terms, 1]. ``total``: the information of all, also of terms that stand nowhere."""

    number: Wide
    idf: Floats
    information: Floats
    total: float


def score_words(
    view: View, terms: Sequence[int], item: Bm25, episode: Bm25, session: Bm25, mute: Collection[int] = ()
) -> Words:
    """BM25 of every visible item and of its surroundings. Terms are distinct hashes; those to ``mute`` count nothing.
    All terms are scored at once, in arrays [terms, items], and summed rarest first, so that a sum does not depend on
    anything but its own numbers."""
    found = view.look_up(terms)
    rare = rarest(view, terms, found, mute)
    norms = norms_of(view, item, episode, session)
    held = _held(view, found, rare.number)
    passages = _sum(held, norms[0], rare.idf, item)
    if not view.single:
        held = np.add.reduceat(held, view.first, axis=1)
    wide = view.window(held, REACH)
    covered = np.add.reduce(rare.information * (wide > 0), axis=0, dtype=np.float32)
    if isinstance(view, Pool) and not view.plain:
        sessions = view.sessions
    else:
        counts = held if view.alone else np.add.reduceat(held, view.starts, axis=1)
        having = (found.passages[rare.number] if view.plain else np.count_nonzero(counts, axis=1)).tolist()
        units = view.passages if view.plain else counts.shape[1]
        idf = np.array([rarity(units, n) for n in having], np.float32)[:, None] * (rare.idf > 0)
        sessions = _sum(counts, norms[2], idf, session)
        sessions = sessions if view.alone else sessions[view.group]
    return Words(
        view.per_item(passages),
        _sum(wide, norms[1], rare.idf, episode),
        sessions,
        covered,
        rare.total,
    )


def covered(view: View, terms: Sequence[int]) -> Floats:
    """What ``score_words`` has as the covered share of the total, where every item is a session of its own: without
    arrays [terms, items], a tenth of the time. Sums come in the same order, so they are the same."""
    found = view.look_up(terms)
    rare, slices = rarest(view, terms, found), found.slices()
    out = np.zeros(view.n, np.float32)
    for number, weight in zip(rare.number.tolist(), rare.information[:, 0], strict=True):
        place = found.place[slices[number]]
        if view.single and len(place) == view.n:
            out += weight  # all of them hold it
        else:
            out[place if view.single else view.owner[place]] += weight  # an item once, in whatever many passages
    return out / np.float32(rare.total) if rare.total > 0 else out


def rarity(total: int, having: int) -> float:
    """idf: log(1 + (N-n+½)/(n+½)) of what ``having`` of ``total`` units have."""
    return math.log1p((total - having + 0.5) / (having + 0.5))


def information(total: int, having: int) -> float:
    """What a word of a question weighs among the others, with OTHERS more units that lack it: in a memory of three
    items rarity says little."""
    return math.log1p((total - having + OTHERS) / (having + 0.5))


def rarest(view: View, terms: Sequence[int], found: Found, mute: Collection[int] = ()) -> Rare:
    """idf and information over passages."""
    total = view.passages
    ranked = sorted(
        (-rarity(total, n), term, number, n)
        for number, (term, n) in enumerate(zip(terms, found.passages.tolist(), strict=True))
    )[:MOST]
    informed = [
        (number, 0.0, 0.0, n) if term in mute else (number, -idf, information(total, n), n)
        for idf, term, number, n in ranked
    ]
    there = [one for one in informed if one[3]]
    return Rare(
        np.array([one[0] for one in there], np.int64),
        np.array([one[1] for one in there], np.float32)[:, None],
        np.array([one[2] for one in there], np.float32)[:, None],
        sum(one[2] for one in informed),
    )


def _held(view: View, found: Found, numbers: Wide) -> Floats:
    """[terms, passages]: how often each passage holds each of these terms."""
    which, place, count = view.postings if isinstance(view, Pool) else (found.which, found.place, found.count)
    width = len(view.owner)
    out = np.zeros(len(numbers) * width, np.float32)
    line = np.full(len(found.passages), -1, np.int64)
    line[numbers] = np.arange(len(numbers)) * width
    lines = line[which]
    if len(numbers) < np.count_nonzero(found.passages):
        kept = lines >= 0
        lines, place, count = lines[kept], place[kept], count[kept]
    out[lines + place] = count
    return out.reshape(len(numbers), width)


def norms_of(view: View, item: Bm25, episode: Bm25, session: Bm25) -> list[Floats]:
    """The length terms of BM25 of passages, of the window of 5 turns around each item, and of sessions; kept with the
    view. Those of a pool are the whole's."""
    if isinstance(view, Pool):
        whole = norms_of(view.whole, item, episode, session)
        return [whole[0][view.held], whole[1][view.places], *([whole[2][view.places]] if view.plain else [])]
    key = (item, episode, session)
    if key not in view.norms:
        length = view.length if view.single else np.add.reduceat(view.length, view.first)
        units = [
            (view.length, item),
            (view.window(length, REACH), episode),
            (length if view.alone else np.add.reduceat(length, view.starts), session),
        ]
        view.norms[key] = [_norm(lengths, bm) for lengths, bm in units]
    return view.norms[key]


def _norm(lengths: Floats, bm: Bm25) -> Floats:
    mean = float(lengths.sum(dtype=np.float64)) / len(lengths) if len(lengths) else 1.0
    return np.float32(bm.k1) * (np.float32(1 - bm.b) + np.float32(bm.b / (mean or 1.0)) * lengths)


def full(counts: Floats, norm: Floats, bm: Bm25) -> Floats:
    """What a count weighs: up to k1 + 1, the less, the longer the unit."""
    weights: Floats = counts + norm
    np.maximum(weights, np.float32(1e-9), out=weights)
    np.divide(counts * np.float32(bm.k1 + 1), weights, out=weights)
    return weights


def _sum(counts: Floats, norm: Floats, idf: Floats, bm: Bm25) -> Floats:
    """Scores of units from the counts [terms, units] of the question's terms in them."""
    weights = full(counts, norm, bm)
    weights *= idf
    scores: Floats = np.add.reduce(weights, axis=0)
    return scores


def sparse(view: View, found: Found, rare: Rare, item: Bm25, episode: Bm25, session: Bm25) -> tuple[Floats, Floats]:
    """(score of each item, score of each session) of a view that is too large for arrays [terms, items]; in a plain
    view an item is its session, and its score as an item does for both."""
    norms = norms_of(view, item, episode, session)
    passages, sessions = np.zeros(len(view.owner), np.float32), np.zeros(len(view.starts), np.float32)
    slices = found.slices()
    group = view.group if view.single else view.group[view.owner]
    for number, idf in zip(rare.number.tolist(), rare.idf[:, 0], strict=True):
        if not idf:
            continue
        place, count = found.place[slices[number]], found.count[slices[number]]
        passages[place] += idf * full(count, norms[0][place], item)  # of one term each passage comes once
        if not view.plain:
            held = np.bincount(group[place], count, len(sessions)).astype(np.float32)
            sessions += np.float32(rarity(len(sessions), int(np.count_nonzero(held)))) * full(held, norms[2], session)
    items = view.per_item(passages)
    return items, items if view.plain else sessions
