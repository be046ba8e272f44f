"""Recall at a glance: BM25 over the words of items (Robertson and Zaragoza, 2009), in plain Python. It is for processes
that end before numpy would be loaded, and knows less than ``recaller``: no vectors, no turns around, no chains."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from heapq import nlargest
from itertools import chain
from typing import NamedTuple

from engrain.store.port import Row

K1, B = 1.2, 0.75
MOST = 64  # terms of a question that count: the rarest
OTHERS = 500  # units more that lack a word, where its information is weighed: as recall/words.py
EXACT = 100  # rows whose repetitions and length count: the best by the rarity of what they have


class Glanced(NamedTuple):
    """An item, its score, the share (0..1) of the question's information that its own words hold, and how many of its
    terms."""

    id: str
    score: float
    share: float
    terms: int


def glance(question: bytes, rows: Iterable[Row]) -> list[Glanced]:
    """The best of the items that have a word of the question, best first. ``question``: its terms as
    ``analyze.packed`` gives them; ``rows``: (id, length, blob as ``index.pack`` makes it), of a long item several."""
    asked = frozenset(memoryview(question).cast("I"))
    held: list[tuple[str, int, bytes, frozenset[int]]] = []
    units, words = 0, 0
    for id_, length, blob in rows:
        if blob is None:
            continue
        units, words = units + 1, words + length
        if found := asked.intersection(memoryview(blob)[: len(blob) // 6 * 4].cast("I")):
            held.append((id_, length, blob, found))
    having = dict.fromkeys(asked, 0)
    for term in chain.from_iterable(found for _, _, _, found in held):
        having[term] += 1
    rare = sorted(asked, key=lambda term: (having[term], term))[:MOST]
    idf = dict.fromkeys(asked, 0.0) | {
        term: math.log1p((units - having[term] + 0.5) / (having[term] + 0.5)) for term in rare
    }
    told = {term: math.log1p((units - having[term] + OTHERS) / (having[term] + 0.5)) for term in rare}
    total, mean = sum(told.values()) or 1.0, words / units if units else 1.0
    near = nlargest(EXACT, held, key=lambda one: sum(map(idf.__getitem__, one[3])))
    best: dict[str, Glanced] = {}
    for id_, length, blob, found in near:
        norm = K1 * (1 - B + B * length / (mean or 1.0))
        mine = sorted(found & told.keys())
        counts = _counts(blob, mine)
        score = math.fsum(idf[term] * n * (K1 + 1) / (n + norm) for term, n in zip(mine, counts, strict=True))
        seen = Glanced(id_, score, math.fsum(told[term] for term in mine) / total, len(mine))
        if id_ not in best or best[id_].score < score:
            best[id_] = seen
    return sorted(best.values(), key=lambda one: (-one.score, one.id))


def _counts(blob: bytes, terms: Sequence[int]) -> list[int]:
    size = len(blob) // 6
    there, counts = memoryview(blob)[: 4 * size].cast("I"), memoryview(blob)[4 * size :].cast("H")
    return [counts[bisect_left(there, term)] for term in terms]
