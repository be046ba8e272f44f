"""Recaller: from a question to hits."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from engrain.config import Config
from engrain.errors import InvalidField, InvalidInput
from engrain.model.item import LIVE, Hit
from engrain.model.scope import Scope
from engrain.recall.adapt import DEPTH
from engrain.recall.archived import Shelf
from engrain.recall.cache import Segments
from engrain.recall.columns import Floats, Mask, Wide
from engrain.recall.context import block
from engrain.recall.embed import Embedder, StaticEmbedder
from engrain.recall.feedback import Feedback
from engrain.recall.hops import follow
from engrain.recall.pool import LARGE, pool
from engrain.recall.question import Question, read
from engrain.recall.rank import Ranking, Weights, rank
from engrain.recall.refine import DIGITS, Candidate, alike_first, refine
from engrain.recall.select import Filter, best
from engrain.recall.traces import Trace
from engrain.recall.view import View
from engrain.store.port import Row, Store
from engrain.store.rows import micros
from engrain.world import World

AT_ONCE = 500  # ids in one statement
Archival = Literal["no", "also", "only"]
SPARE = 10  # candidates beyond the limit, for what supersession and near-duplicates move


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Candidates in their order. Shapes: rows [k], parts [len(names), k], vectors [k, dim]; alone [k]: which of them
    are of no session; importance [k], as it was told."""

    rows: Wide
    ids: list[str]
    names: tuple[str, ...]
    parts: Floats
    vectors: Floats
    alone: Mask
    importance: Floats


class _Asked(NamedTuple):
    """A question and what a hit must be."""

    query: str
    limit: int
    min_score: float | None
    archived: Archival
    admits: Filter


class Recaller:
    """Finds what answers a question. One per opened memory; threads may share it.

    Scores lie in 0..1: see ``rank``. The embedder is asked for when it is first needed.
    """

    def __init__(
        self,
        store: Store,
        world: World,
        embedder: Callable[[], Embedder],
        config: Config,
        shelf: Shelf,
        weights: Weights | None = None,
        feedback: Feedback | None = None,
    ) -> None:
        self._store, self._world, self._embedder = store, world, embedder
        self._segments = Segments(store, world, config.cache_rows)
        self._weights = weights or Weights()
        self._ranking = f"{zlib.crc32(repr(self._weights).encode()):08x}"  # feedback on another teaches other weights
        self._feedback, self._shelf = feedback, shelf

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
        archived: Archival = "no",
    ) -> list[Hit]:
        """Up to ``limit`` hits, best first; none when nothing is relevant (see ``rank`` for what a score means and how
        it was calibrated). ``min_score`` replaces the calibrated gate: 0.0 gives whatever comes nearest. ``since``
        and ``until`` are timezone-aware. ``archived``: whether the agent's own archived items are among
        what is looked at. Raises InvalidInput for a blank query, InvalidField for a limit outside 1..1000, ArchiveError
        when the archive cannot be read."""
        if not query.strip():
            raise InvalidInput("query must not be blank: say what to look for.")
        if not 1 <= limit <= 1000:
            raise InvalidField(f"limit must be 1..1000, not {limit}.")
        admits = Filter(kinds, tags, session, micros(since), micros(until))
        asked = _Asked(query, limit, min_score, archived, admits)
        hits, whole = self._recall(scope, asked)
        if not whole:  # what was archived may have left the store before this process heard that it was
            self._segments.doubt(scope, self._embedder())
            hits, _ = self._recall(scope, asked)
        return hits

    def _recall(self, scope: Scope, asked: _Asked) -> tuple[list[Hit], bool]:
        """The hits, and whether all that was chosen is still there."""
        query, limit, min_score, archived, admits = asked
        embedder = self._embedder()
        if archived == "no":
            view = self._segments.view(scope, embedder)
        else:
            view = self._segments.archived(scope, embedder, self._shelf, alone=archived == "only")
        if not view.n:
            return [], True
        calibrated = embedder.name == StaticEmbedder.name
        now = self._world.now()
        question = read(query, view.names, lambda: int(view.items["time"].min()), embedder.embed, now, calibrated)
        admitted = admits.admits(view)
        if view.n > LARGE:
            view = pool(view, question, self._weights, admitted, limit + SPARE)
            admitted = admitted[view.places]
        ranking = rank(view, question, self._weights)
        near = admitted
        if min_score is None:
            if ranking.confidence < self._weights.gate:
                return [], True
            near = admitted & ranking.common
        ends = follow(view, question, ranking, admitted)  # links of a chain may have nothing in common with a question
        found = self._chosen(scope, view, question, ranking, near, limit + SPARE, notes=archived == "no")
        chosen = _with(ends, found, view, ranking)
        deserved = {place: ends[row] for place, row in enumerate(chosen.rows.tolist()) if row in ends}
        candidates = self._candidates(self._records(scope, chosen.ids, archived), ranking, chosen)
        held = max((end for _, end in question.asked), default=None)
        alike_first(candidates, query, ranking.covered)
        refined = refine(candidates, set(question.terms), chosen.vectors, view.marks(chosen.rows), deserved, held)
        good = (one for one in refined if (one.score > 0 if min_score is None else one.score >= min_score))
        return [one.hit() for one in islice(good, limit)], len(candidates) == len(set(chosen.ids))

    def context(self, scope: Scope, query: str, *, max_tokens: int = 800) -> tuple[str, tuple[str, ...]]:
        """(block of text, ids of the items in it): what is known about the query in at most ``max_tokens`` tokens of
        the packaged tokenizer; ("", ()) when nothing is."""
        # An item takes ten tokens at the least.
        hits = self.recall(scope, query, limit=max(5, min(100, max_tokens // 10)))
        return block(hits, max_tokens, question=query)

    def forget(self) -> None:
        """Drop what is held in memory; the next recall loads afresh."""
        self._segments.clear()

    def _chosen(
        self, scope: Scope, view: View, question: Question, ranking: Ranking, admitted: Mask, most: int, notes: bool
    ) -> _Chosen:
        """The best ``most`` of what is admitted, in the order that the tenant's adapter gives when it has one; it
        ``notes`` them, so that a verdict on one of them can teach."""
        adapter, made_by = None, (f"{self._embedder().name}/{len(question.vector)}", self._ranking)
        if self._feedback is not None:
            adapter = self._feedback.adapter(scope.tenant, self._segments.adapted[scope.tenant], made_by)
        depth = most if adapter is None else max(most, DEPTH)
        rows, spread = best(view, ranking.score, admitted, depth, self._weights.spread)
        ids, vectors = view.ids(rows), view.vectors(rows)
        known = names = (*ranking.names, "spread")
        parts = usual = np.concatenate([ranking.parts[:, rows], spread[None]])
        if adapter is not None:
            names, parts = adapter.apply(names, usual, question.vector, ids, vectors)
            order = np.argsort(-parts.sum(axis=0), kind="stable")[:most]
            rows, ids, vectors = rows[order], [ids[place] for place in order.tolist()], vectors[order]
            usual, parts = usual[:, order], parts[:, order]
        if self._feedback is not None and notes:
            trace = Trace(scope, question.now, made_by, question.vector, known, usual, ids, vectors)
            self._feedback.note(trace)
        return _Chosen(rows, ids, names, parts, vectors, view.some("unit", rows) < 0, view.some("importance", rows))

    def _records(self, scope: Scope, ids: Sequence[str], archived: Archival) -> list[Row]:
        """``{item}, echoes`` of these. What others removed since the view was taken is left out."""
        found: list[Row] = []
        ids = list(dict.fromkeys(ids))
        for start in range(0, len(ids) if archived != "only" else 0, AT_ONCE):
            asked = {"tenant": scope.tenant, "agent": scope.agent, "ids": ids[start : start + AT_ONCE]}
            found += [row for row in self._store.read("memory_get_many", asked) if row["state"] in LIVE]
        if archived != "no":
            seen = {row["id"] for row in found}
            found += self._shelf.many(scope, [id_ for id_ in ids if id_ not in seen])
        return found

    def _candidates(self, records: Sequence[Row], ranking: Ranking, chosen: _Chosen) -> list[Candidate]:
        """The chosen items that are still there, with the parts of their scores, helpfulness among them."""
        places = {id_: place for place, id_ in enumerate(chosen.ids)}
        found = []
        values = np.rint(chosen.parts.T.astype(np.float64) * 10**DIGITS)  # whole numbers: they sum exactly
        _fold(values, chosen.names, chosen.alone)
        parts, scores = (values / 10**DIGITS).tolist(), values.sum(axis=1).tolist()
        told = chosen.importance.tolist()
        for record in records:
            place = places[record["id"]]
            why, score = list(zip(chosen.names, parts[place], strict=True)), scores[place]
            lift_of_one = float(ranking.per_lift[chosen.rows[place]])
            if record["importance"] != told[place]:  # it has faded, or was used, since it was told
                change = (record["importance"] - told[place]) / 5 * self._weights.importance * lift_of_one
                change = round(change, DIGITS)
                why = [(name, part + change if name == "importance" else part) for name, part in why]
                score += change * 10**DIGITS
            helpful, unhelpful = record["helpful"] or 0, record["unhelpful"] or 0
            votes = helpful + unhelpful
            if votes:  # -1..1, drawn to 0 by two votes of doubt
                helped = (helpful - unhelpful) / (votes + 2)
                lift = round(self._weights.helpful * helped * lift_of_one, DIGITS)
                why, score = [*why, ("helpful", lift)], score + lift * 10**DIGITS
            found.append(Candidate(record, round(score) / 10**DIGITS, why, place))
        return found


def _with(ends: Mapping[int, float], chosen: _Chosen, view: View, ranking: Ranking) -> _Chosen:
    """The ends of chains among the chosen, too."""
    more = np.array(sorted(ends.keys() - set(chosen.rows.tolist())), np.int64)
    if not len(more):
        return chosen
    parts = np.zeros((len(chosen.names), len(more)), np.float32)
    parts[: len(ranking.names)] = ranking.parts[:, more]
    return _Chosen(
        np.concatenate([chosen.rows, more]),
        [*chosen.ids, *view.ids(more)],
        chosen.names,
        np.concatenate([chosen.parts, parts], axis=1),
        np.concatenate([chosen.vectors, view.vectors(more)]),
        np.concatenate([chosen.alone, view.some("unit", more) < 0]),
        np.concatenate([chosen.importance, view.some("importance", more)]),
    )


def _fold(values: npt.NDArray[np.float64], names: Sequence[str], alone: Mask) -> None:
    """What stands alone has no turns around it and no session: those parts are its own words and meaning."""
    place = {name: number for number, name in enumerate(names)}
    for own, borrowed in (("words", ("wide", "session")), ("meaning", ("around",))):
        for name in borrowed:
            values[alone, place[own]] += values[alone, place[name]]
            values[alone, place[name]] = 0
