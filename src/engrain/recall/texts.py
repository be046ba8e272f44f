"""Texts of something else than memories (issues, patterns): found by words and vectors as memories are."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from engrain.recall.analyze import analyze
from engrain.recall.embed import Embedder
from engrain.recall.segment import Segment
from engrain.recall.vectors import cosines
from engrain.recall.view import Part, View, visible
from engrain.recall.words import Bm25, score_words

BM25 = Bm25()
ASKED = 2000  # characters of a question that are compared


class Texts:
    """Texts in memory, each with an id, its terms and its vector as ``index`` makes them. Threads may share it."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._segment = Segment(embedder.name, embedder.dim)
        self._view: View | None = None
        self._lock = threading.Lock()

    def put(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take in (id, length, terms, vector, scale, embedder, analyzer) of texts that are not there yet."""
        changes: list[Any] = [
            (id_, "", "active", "private", "", "[]", None, None, 1.0, 0, None, None, 0, 0, length, terms, vector, scale,
             embedder, analyzer, 0)
            for id_, length, terms, vector, scale, embedder, analyzer in rows
            if terms is not None
        ]  # fmt: skip
        with self._lock:
            self._segment.apply(changes, settled=1)
            self._view = None

    def nearest(self, text: str, limit: int) -> list[tuple[str, float]]:
        """(id, likeness) of the texts most like one, best first: the mean of the cosine of their vectors and of the
        share of its information that their words hold, 0..1."""
        with self._lock:
            if self._view is None:
                self._view = View([Part(self._segment, visible(self._segment, 0))], 0)
            view = self._view
        if not view.n:
            return []
        asked = text[:ASKED]
        terms = list(dict.fromkeys(analyze(asked)))
        words = score_words(view, terms, BM25, BM25, BM25)
        covered = words.covered / np.float32(words.total) if words.total > 0 else np.zeros(view.n, np.float32)
        meant = np.maximum(view.per_item(cosines(view, self._embedder.embed([asked])[0])), 0)
        alike = (covered + meant) / 2
        few = np.argpartition(-alike, limit - 1)[:limit] if limit < view.n else np.arange(view.n)
        best = few[np.lexsort((few, -alike[few]))]
        return list(zip(view.ids(best), alike[best].tolist(), strict=True))
