"""Recaller: from a question to hits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from engrain.config import Config
from engrain.errors import InvalidField, InvalidInput
from engrain.model.item import Hit, MemoryItem
from engrain.model.scope import Scope
from engrain.recall.analyze import analyze
from engrain.recall.cache import Segments
from engrain.recall.columns import Wide
from engrain.recall.context import block
from engrain.recall.embed import Embedder
from engrain.recall.rank import Question, Ranking, Weights, rank
from engrain.recall.refine import refine
from engrain.recall.select import Filter, best
from engrain.recall.view import View
from engrain.store.port import Store
from engrain.store.rows import item_from_row, micros
from engrain.world import World

CUT = 8000  # characters of a question that are read; the embedder reads no more either
AT_ONCE = 500  # ids in one statement
SPARE = 20  # candidates beyond the limit, for what supersession and near-duplicates move


class Recaller:
    """Finds what answers a question. One per opened memory; threads may share it.

    Scores lie in 0..1: see ``rank``. The embedder is asked for when it is first needed.
    """

    def __init__(self, store: Store, world: World, embedder: Callable[[], Embedder], config: Config,
                 weights: Weights | None = None) -> None:
        self._store, self._world, self._embedder = store, world, embedder
        self._segments = Segments(store, world, config.cache_rows)
        self._weights = weights or Weights()

    def recall(
        self,
        scope: Scope,
        query: str,
        *,
        limit: int = 10,
        kinds: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
        session: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        min_score: float | None = None,
    ) -> list[Hit]:
        """Up to ``limit`` hits, best first; none when nothing is relevant. ``min_score`` None means the calibrated
        least relevance of ``Weights.least``; 0.0 returns whatever comes nearest. Raises InvalidInput for a blank query
        and InvalidField for a limit outside 1..1000."""
        if not query.strip():
            raise InvalidInput("query must not be blank: say what to look for.")
        if not 1 <= limit <= 1000:
            raise InvalidField(f"limit must be 1..1000, not {limit}.")
        embedder = self._embedder()
        view = self._segments.view(scope, embedder)
        if not view.n:
            return []
        text = query[:CUT]
        vector = embedder.embed([text])[0]
        question = Question(text, list(dict.fromkeys(analyze(text))), vector, self._world.now())
        ranking = rank(view, question, self._weights)
        least = self._weights.least if min_score is None else min_score
        admitted = Filter(kinds, tags, session, micros(since), micros(until)).admits(view)
        rows = best(view, ranking.score, admitted & (ranking.score >= least), limit + SPARE)
        ranking, items = self._fetch(scope, view, ranking, rows)
        return refine(view, ranking, items, question, limit, least)

    def context(self, scope: Scope, query: str, *, max_tokens: int = 800) -> tuple[str, tuple[str, ...]]:
        """(block of text, ids of the items in it): what is known about the query in at most ``max_tokens`` tokens of the
        packaged tokenizer; ("", ()) when nothing is."""
        # An item takes ten tokens at the least.
        hits = self.recall(scope, query, limit=max(5, min(100, max_tokens // 10)))
        return block(hits, max_tokens)

    def forget(self) -> None:
        """Drop what is held in memory; the next recall loads afresh."""
        self._segments.clear()

    def _fetch(self, scope: Scope, view: View, ranking: Ranking, rows: Wide) -> tuple[Ranking, dict[int, MemoryItem]]:
        """The ranking with the helpfulness of the candidates in it, and the candidates' items by view row, best first.
        What was removed by others since the view was taken is left out."""
        ids = {view.id(int(row)): int(row) for row in rows}
        found: dict[int, MemoryItem] = {}
        helped = np.zeros(view.n, np.float32)
        names = list(ids)
        for start in range(0, len(names), AT_ONCE):
            asked = {"tenant": scope.tenant, "agent": scope.agent, "team": scope.team, "ids": names[start : start + AT_ONCE]}
            for record in self._store.read("memory_get_many", asked):
                if record["state"] != "active":
                    continue
                item = item_from_row(record)
                found[ids[item.id]] = item
                helped[ids[item.id]] = _usefulness(item)
        part = self._weights.helpful * helped
        parts = {**ranking.parts, "helpful": part}
        return replace(ranking, score=ranking.score + part, parts=parts), {
            int(row): found[int(row)] for row in rows if int(row) in found}


def _usefulness(item: MemoryItem) -> float:
    """-1..1: how much more often it helped than not, drawn to 0 while there is little evidence (two votes of doubt)."""
    return (item.helpful - item.unhelpful) / (item.helpful + item.unhelpful + 2)
