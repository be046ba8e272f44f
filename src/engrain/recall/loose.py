"""Texts that are no memories, found as memories are: the words, vectors and fusion of recall, for another stage."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from engrain.recall.analyze import analyze
from engrain.recall.columns import Floats
from engrain.recall.embed import Embedder, StaticEmbedder
from engrain.recall.index import split
from engrain.recall.question import read
from engrain.recall.rank import Weights, rank
from engrain.recall.segment import Segment
from engrain.recall.select import best
from engrain.recall.vectors import cosines
from engrain.recall.view import Part, View
from engrain.recall.words import covered
from engrain.store.port import Row

NEAR = 0.8  # cosine from which the second of two says little that is new
ASKED = 2000  # characters of a text to which others are likened
LOOKED = 50  # candidates among which that is looked for


@dataclass(frozen=True, slots=True)
class Matches:
    """What answers a question, best first. ``scores`` 0..1 and ``parts`` of them as recall has them; ``confidence``:
    how probable it is that any of it is an answer; ``vectors`` [k, dim]."""

    ids: list[str]
    scores: list[float]
    parts: list[tuple[tuple[str, float], ...]]
    vectors: Floats
    confidence: float


class Loose:
    """Some texts in memory. Not safe by itself: its owner calls it under a lock."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._segment = Segment(embedder.name, embedder.dim)
        self._weights = Weights()
        self._view: View | None = None

    def take(self, rows: Sequence[tuple[Any, ...]], new: bool = False) -> None:
        """Take in rows as ``segment_changes`` has them; one that is not "active" drops its text. ``new``: nothing of
        them was here before."""
        if rows:
            self._segment.apply(cast("list[Row]", rows), 1 << 62 if new else 0)
            self._view = None

    def keep_only(self, ids: Iterable[str]) -> None:
        """Drop all others."""
        self._segment.keep_only(ids)
        self._view = None

    def ask(
        self, query: str, now: int, among: Collection[str] | None, limit: int, all_of_them: bool = False
    ) -> Matches:
        """Up to ``limit`` of those ``among`` (None: all), best first; rarity is counted over all that are here. Without
        ``all_of_them`` none when nothing is relevant, as recall judges that."""
        view = self._seen(now)
        nothing = Matches([], [], [], np.zeros((0, self._embedder.dim), np.float32), 0.0)
        if view is None or not view.n:
            return nothing
        calibrated = self._embedder.name == StaticEmbedder.name
        question = read(query, view.names, lambda: int(view.items["time"].min()), self._embedder.embed, now, calibrated)
        ranking = rank(view, question, self._weights)
        if not all_of_them and ranking.confidence < self._weights.gate:
            return nothing
        admitted = np.ones(view.n, np.bool_) if all_of_them else ranking.common
        if among is not None:
            wanted = np.array([id_.encode() for id_ in among] or [b""], np.bytes_)
            admitted = admitted & np.isin(view.items["id"], wanted)
        rows, _ = best(view, ranking.score, admitted, limit, 1.0)
        scores, parts = ranking.score[rows].astype(np.float64), ranking.parts[:, rows].astype(np.float64).T
        told = [
            tuple((name, round(part, 6)) for name, part in zip(ranking.names, line, strict=True) if round(part, 6))
            for line in parts.tolist()
        ]
        return Matches(view.ids(rows), scores.tolist(), told, view.vectors(rows), ranking.confidence)

    def nearest(self, text: str, now: int, limit: int) -> list[tuple[str, float]]:
        """(id, cosine) of the texts whose meaning is nearest, nearest first."""
        view = self._seen(now)
        if view is None or not view.n:
            return []
        vector = self._embedder.embed([split(text)[0]])[0]
        near = view.per_item(cosines(view, vector))
        rows = np.argsort(-near, kind="stable")[:limit]
        return list(zip(view.ids(rows), near[rows].astype(np.float64).tolist(), strict=True))

    def put(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take in (id, length, terms, vector, scale, embedder, analyzer) of texts that were not here before."""
        bare = [
            (id_, "", "active", "private", "", "[]", None, None, 1.0, 0, None, None, 0, 0, length, terms, *rest, 0)
            for id_, length, terms, *rest in rows
            if terms is not None
        ]
        self.take(bare, new=True)

    def alike(self, text: str, limit: int) -> list[tuple[str, float]]:
        """(id, likeness) of the texts most like one, best first: the mean of the cosine of their vectors and of the
        share of its information that their words hold, 0..1."""
        view = self._seen(0)
        if view is None or not view.n:
            return []
        asked = text[:ASKED]
        held = covered(view, list(dict.fromkeys(analyze(asked))))
        meant = np.maximum(view.per_item(cosines(view, self._embedder.embed([asked])[0])), 0)
        alike = (held + meant) / 2
        few = np.argpartition(-alike, limit - 1)[:limit] if limit < view.n else np.arange(view.n)
        chosen = few[np.lexsort((few, -alike[few]))]
        return list(zip(view.ids(chosen), alike[chosen].astype(np.float64).tolist(), strict=True))

    def _seen(self, now: int) -> View | None:
        if self._view is None:
            alive = self._segment.alive.rows
            self._view = View([Part(self._segment, alive.copy())], now) if alive.any() else None
        return self._view


def repeats_down(scores: Sequence[float], vectors: Floats) -> list[int]:
    """Places in the order in which each next one is the best of what is left, less what it repeats of those before:
    maximal marginal relevance (Carbonell and Goldstein, 1998) for near-duplicates only; distinct ones keep their
    place. ``vectors`` [k, dim] in the order of ``scores``."""
    top = min(len(scores), LOOKED)
    left = sorted(range(top), key=lambda place: -scores[place])
    said = np.zeros(top, np.float32)
    order: list[int] = []
    while left:
        worth = {
            place: scores[place] * (1.0 - 0.5 * max(0.0, float(said[place]) - NEAR) / (1.0 - NEAR)) for place in left
        }
        chosen = max(left, key=lambda place: (worth[place], -place))
        order.append(chosen)
        left.remove(chosen)
        said = np.maximum(said, vectors[:top] @ vectors[chosen])
    return [*order, *range(top, len(scores))]


def words_of(text: str) -> frozenset[int]:
    """The distinct terms of a text."""
    return frozenset(analyze(text))


def loose(embedder: Callable[[], Embedder]) -> Loose:
    """An empty one for the embedder in use."""
    return Loose(embedder())
