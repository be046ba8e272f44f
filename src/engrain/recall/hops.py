"""Hops: from what answers a part of a question to what goes on from there, through words that both hold.

"Where was the author of Emma born?" needs two statements: who wrote Emma, and where that one was born; the second does
not speak of Emma. A walk over the short statements of a view finds such chains:

- It starts at the best of the ranking, the newer of two conflicting ones.
- What a statement says beyond the question and the path so far is a *bridge*. The next statement holds at least half
  of it, by squared idf; is the newest that says this of it; and says something else than the one before.
- A path is as good as it covers the question: by words (idf of the question's terms that any of its statements holds)
  and by meaning (how much of the question's vector lies in the space that the vectors of its statements span:
  orthogonal matching pursuit, Pati et al. 1993). Where all words of the question are held the path ends; where one
  statement holds them all, none begins.
- The ends of the best paths rank after the statement they started from: the more a path adds, the closer.

The numbers below were chosen on FactConsolidation's development questions: its multi-hop top 10 is 24 without chains,
61 with one step, 75 with two and 81 with three. A fifth more or less of one number costs up to 4 points, of BRIDGE 7.

Only short statements take part, without a session or of the kind "fact": what stands by itself. In a conversation the
turns around a turn say more than a word in common, and the ranking counts those.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engrain.recall.columns import Mask, Wide
from engrain.recall.question import Question
from engrain.recall.rank import Ranking
from engrain.recall.vectors import middle
from engrain.recall.view import Pool, View
from engrain.recall.web import Web, weave

LARGE = 20_000  # items of a view in which no chains are looked for: its web would take too long
LONGEST = 24  # terms of a statement
STARTS = 3
WIDTH = 3  # paths that are followed
STEPS = 3
LOOKED = 32  # statements that are compared in one step
BRIDGE = 0.5  # least share of a bridge, by squared idf, that the next statement holds
ALIKE = 0.5  # share of the terms of the shorter of two statements from which they may conflict ...
SAME = 0.3  # ... and of what a statement says beside the bridge from which it says the same as the one before
EXACT = 0.6  # weight of the words in how well a path covers the question; the rest is the meaning's
MOST = 5  # ends that enter the ranking
LEAST, NEXT, FULL = 0.6, 0.9, 0.05  # of the score of its start an end gets LEAST, and NEXT if its path adds FULL

# Sums of float64, so that what stands where makes no difference in the digits of a score.
Exact = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Paths:
    """A beam, best first. ``items`` [paths, length]; ``said`` [paths, terms]: what the question and the path hold;
    ``covers`` [paths, terms of the question]; ``base`` [paths, length, dim]: orthonormal, spans the path's vectors;
    ``energy`` and ``score`` [paths]: of the question in that space, and of the path, 0..1."""

    items: Wide
    said: Mask
    covers: Mask
    base: Exact
    energy: Exact
    score: Exact


def follow(view: View, question: Question, ranking: Ranking, admitted: Mask) -> dict[int, float]:
    """The score that each end of a chain deserves, by its row in the view; empty when there is none. Costs next to
    nothing in a view without statements."""
    web = _web(view)
    if web is None or not question.vector.any():
        return {}
    walk = _Walk(view, web, question, admitted)
    beam = walk.begin(ranking)
    if walk.whole(beam.covers).any():
        return {}
    alone = dict(zip(beam.items[:, 0].tolist(), beam.score.tolist(), strict=True))
    found: list[tuple[float, list[int]]] = []
    for _ in range(STEPS):
        if not len(beam.items):
            break
        beam = walk.step(beam)
        found += zip(beam.score.tolist(), beam.items.tolist(), strict=True)
    found.sort(key=lambda one: -one[0])
    ends: dict[int, float] = {}
    for score, (first, *_, last) in found:
        if last not in ends and len(ends) < MOST:
            near = LEAST + (NEXT - LEAST) * min(1.0, (score - alone[first]) / FULL)
            ends[last] = float(ranking.score[first]) * near * score / found[0][0]
    return ends


def _web(view: View) -> Web | None:
    """Kept with the view; None without statements."""
    if isinstance(view, Pool) or view.n > LARGE:
        return None
    if view.web is None:
        statements = view.items["unit"] < 0
        for part, start, end in view.shares():
            statements[start:end] |= view.items["kind"][start:end] == part.segment.kinds.find("fact")
        length = view.length if view.single else np.add.reduceat(view.length, view.first)
        statements &= length <= LONGEST
        postings = (
            [(terms, items.astype(np.int64)) for terms, items in view.postings_of_items()] if statements.any() else []
        )
        order = np.arange(view.n)
        if postings and not (len(view.parts) == 1 and (view.items["unit"] < 0).all()):  # else the view has this order
            order = np.lexsort([view.items[name] for name in ("id", "created", "time")])
        view.web = weave(postings, statements, order)
        view.items.pop("unit", None)  # asked for once; another thread may have done it
    return view.web if len(view.web.names) else None


class _Walk:
    """The steps of one question over the statements of one view."""

    def __init__(self, view: View, web: Web, question: Question, admitted: Mask) -> None:
        self.view, self.web = view, web
        self.barred = None if admitted.all() else np.flatnonzero(~admitted)
        self.admitted = admitted
        self.asked = web.numbers(question.terms)
        nowhere = (len(question.terms) - len(self.asked)) * web.rarest
        info = web.idf[self.asked].astype(np.float64)
        self.info = info / (info.sum() + nowhere)
        self.has = np.zeros((view.n, len(self.asked)), np.bool_)
        which, items = web.holders(self.asked)
        self.has[items, which] = True
        self.centre, _ = middle(view)
        away = np.subtract(question.vector, self.centre, dtype=np.float64)
        self.question = away / (np.sqrt(away @ away) or 1.0)

    def begin(self, ranking: Ranking) -> _Paths:
        """Paths of one statement."""
        score = np.where(self.admitted & self.web.statement, ranking.score, np.float32(-1))
        most = min(3 * STARTS, len(score))
        items = np.argpartition(score, len(score) - most)[len(score) - most :]
        items = items[score[items] > 0]
        items = items[np.argsort(-score[items], kind="stable")]
        said = np.zeros((1, len(self.web.names)), np.bool_)
        said[0, self.asked] = True
        which, terms = self.web.held(items)
        good = self._newest(len(items), items, np.zeros(len(items), np.int64), which, terms, said[0, terms])
        items = items[np.flatnonzero(good)[:STARTS]]
        covers, base = self.has[items], self._vectors(items)
        energy = np.square(base @ self.question)
        score = self._score(covers, energy)
        best = np.argsort(-score, kind="stable")
        return _Paths(
            items[best, None], said.repeat(len(items), 0), covers[best], base[best, None], energy[best], score[best]
        )

    def step(self, beam: _Paths) -> _Paths:
        """The best paths that are one statement longer."""
        last, spoken = self.web.held(beam.items[:, -1])
        said = beam.said.copy()
        said[last, spoken] = True
        new = ~beam.said[last, spoken] & ~self.whole(beam.covers)[last]
        path, items, covers = self._next(beam, last[new], spoken[new])
        which, terms = self.web.held(items)
        beside = beam.said[path[which], terms] | ~said[path[which], terms]  # what is not the bridge
        before = np.zeros_like(said)
        before[last, spoken] = True
        again = np.bincount(which, beside & before[path[which], terms], len(items))
        other = np.flatnonzero(again < SAME * np.maximum(np.bincount(which, beside, len(items)), 1))[:LOOKED]
        path, items, covers = path[other], items[other], covers[other]
        vectors = self._vectors(items)
        count, length, dim = beam.base.shape
        along = (vectors @ beam.base.reshape(-1, dim).T).reshape(len(items), count, length)[np.arange(len(items)), path]
        toward = (beam.base @ self.question)[path]
        rest = np.maximum(1 - np.square(along).sum(1), 1e-4)
        energy = beam.energy[path] + np.square(vectors @ self.question - (along * toward).sum(1)) / rest
        score = self._score(covers, energy)
        order = np.argsort(-score, kind="stable")
        path, items = path[order], items[order]
        which, terms = self.web.held(items)
        good = self._newest(4 * WIDTH, items, path, which, terms, said[path[which], terms])
        first: dict[int, int] = {}  # where each statement is reached best
        for place in np.flatnonzero(good).tolist():
            first.setdefault(int(items[place]), place)
        kept = np.array(list(first.values())[:WIDTH], np.int64)
        order, path, items = order[kept], path[kept], items[kept]
        fresh = vectors[order] - (along[order, :, None] * beam.base[path]).sum(1)
        fresh /= np.sqrt(rest[order])[:, None]
        return _Paths(
            np.concatenate([beam.items[path], items[:, None]], axis=1),
            said[path],
            covers[order],
            np.concatenate([beam.base[path], fresh[:, None]], axis=1),
            energy[order],
            score[order],
        )

    def whole(self, covers: Mask) -> Mask:
        """Which of these cover every word of the question."""
        found: Mask = covers @ self.info > 1 - 1e-9
        return found

    def _next(self, beam: _Paths, path: Wide, terms: Wide) -> tuple[Wide, Wide, Mask]:
        """(path, statement, terms of the question that both hold) of steps over the bridge of each path, given as its
        ``terms``: those that hold most of the question first."""
        count, n = len(beam.items), self.view.n
        weight = np.square(self.web.idf[terms])
        which, items = self.web.holders(terms)
        held = np.bincount(path[which] * n + items, weight[which], count * n).reshape(count, n)
        held[np.arange(count)[:, None], beam.items] = 0
        if self.barred is not None:
            held[:, self.barred] = 0
        least = np.maximum(BRIDGE * np.bincount(path, weight, count), 1e-9)
        path, items = np.divmod(np.flatnonzero(held >= least[:, None]), n)
        covers = beam.covers[path] | self.has[items]
        if len(items) > LOOKED:
            few = np.argsort(-(covers @ self.info), kind="stable")[: 2 * LOOKED]
            path, items, covers = path[few], items[few], covers[few]
        return path, items, covers

    def _newest(self, most: int, items: Wide, paths: Wide, which: Wide, terms: Wide, said: Mask) -> Mask:
        """Which of the first ``most`` statements no newer one of the same path conflicts with: one that shares ALIKE of
        the terms, all that were ``said`` before among them. ``which`` holds ``terms``, and ``said`` is theirs."""
        number = np.empty(len(self.web.names), np.int64)
        number[terms] = np.arange(len(terms))  # of equal terms the last one stands for all
        has = np.zeros((len(items), len(terms)), np.float32)
        has[which, number[terms]] = 1
        size = np.bincount(which, minlength=len(items)).astype(np.float32)
        same = np.bincount(which, self.web.names[terms] * said, len(items)) + np.float64(2.0**40) * paths
        chosen = has[:most]
        shared = chosen @ has.T
        smaller = np.minimum(size[:most, None], size)
        age = self.web.age[items]
        rival = (shared >= np.maximum(ALIKE * smaller, 2)) & (shared < smaller)
        rival &= (same[:most, None] == same) & (age > age[:most, None])
        return np.logical_not(rival.any(1))

    def _vectors(self, items: Wide) -> Exact:
        """As the ranking sees them: without what the whole view has in common."""
        away = np.subtract(self.view.vectors(items), self.centre, dtype=np.float64)
        away /= np.sqrt(np.maximum(np.einsum("ij,ij->i", away, away), 1e-9))[:, None]
        return away

    def _score(self, covers: Mask, energy: Exact) -> Exact:
        scores: Exact = EXACT * (covers @ self.info) + (1 - EXACT) * energy
        return scores
