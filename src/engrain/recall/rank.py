"""Rank: the signals of a question over one view, fused into one score per item, with its parts."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from engrain.recall.analyze import analyze
from engrain.recall.vectors import cosines
from engrain.recall.view import Floats, View
from engrain.recall.words import Bm25, score_words, window

DAY = 86_400_000_000
_FIRST_PERSON = re.compile(r"\b(?:i|i'm|i've|me|my|mine|myself|we|our|us)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Weights:
    """What each signal is worth. Signals are 0..1 relative to the best visible item, so weights compare directly."""

    words: float = 0.30
    near: float = 0.15
    wide: float = 0.10
    session: float = 0.10
    vector: float = 0.25
    vector_near: float = 0.10
    speaker: float = 0.05
    user: float = 0.03
    importance: float = 0.02
    recency: float = 0.02
    helpful: float = 0.05
    least: float = 0.05
    item: Bm25 = Bm25(1.2, 0.75)
    episode: Bm25 = Bm25(1.2, 0.75)
    whole: Bm25 = Bm25(1.2, 0.75)


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    terms: list[int]
    vector: Floats
    now: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """[items] scores and, by name, the part that each signal has in them."""

    score: Floats
    parts: dict[str, Floats]
    covered: Floats
    cosine: Floats


def rank(view: View, question: Question, weights: Weights) -> Ranking:
    words = score_words(view, question.terms, weights.item, weights.episode, weights.whole)
    cosine = view.per_item(cosines(view, question.vector))
    smooth = window(view, cosine, 1) / window(view, np.ones(view.n, np.float32), 1)
    parts = {
        "words": weights.words * _relative(words.item),
        "near": weights.near * _relative(words.near),
        "wide": weights.wide * _relative(words.wide),
        "session": weights.session * _relative(words.session),
        "vector": weights.vector * _relative(cosine),
        "vector_near": weights.vector_near * _relative(smooth),
        "speaker": weights.speaker * _speaks(view, set(question.terms)),
    }
    if _FIRST_PERSON.search(question.text):
        parts["user"] = weights.user * _roles(view, {"user"})
    score = np.zeros(view.n, np.float32)
    for part in parts.values():
        score += part
    return Ranking(score, parts, words.covered, cosine)


def _relative(values: Floats) -> Floats:
    top = float(values.max(initial=0.0))
    return np.maximum(values, 0.0) / np.float32(top) if top > 0 else np.zeros_like(values)


def _roles(view: View, names: set[str]) -> Floats:
    out = np.zeros(view.n, np.float32)
    for number, part in enumerate(view.parts):
        wanted = [part.segment.roles.find(name) for name in names]
        out[(view.part == number) & np.isin(view.items["role"], wanted)] = 1.0
    return out


def _speaks(view: View, terms: set[int]) -> Floats:
    """1 where the question names the speaker."""
    out = np.zeros(view.n, np.float32)
    for number, part in enumerate(view.parts):
        named = [n for n, role in enumerate(part.segment.roles.all) if not terms.isdisjoint(analyze(role))]
        if named:
            out[(view.part == number) & np.isin(view.items["role"], named)] = 1.0
    return out
