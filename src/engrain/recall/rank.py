"""Rank: the signals of a question over one view, fused into one score per item.

score = confidence × (Σ weight × signal) × (1 + Σ lift) / (1 + greatest possible lift)

- *Signals* are relative to the best visible item, 0..1, and their weights sum to 1 (a convex combination): words of
  the item, of windows of 3 and 5 turns around it and of its session (BM25), meaning of the item and of the 5 turns
  (cosine).
- *Lifts* are small and multiply, so that they order what is relevant and make nothing relevant: the question names the
  speaker; it is asked in the first person and the item was said by the user; importance; recency; helpfulness.
- *Confidence*, 0..1, is the same for all hits of a question: the probability that the visible items hold an answer at
  all, from two measures that need no comparison: the greatest share of the question's information that a window of 3
  turns holds, and the greatest cosine. Logistic regression on 1,084 questions asked of memories that hold their answer
  and 441 asked of others' (LoCoMo, BEAM and FactConsolidation development sets, 5 to 2,300 items). Confidence under
  0.006 (the gate): no answerable question, 24 % of the others. Under 0.1: 2.5 % and 72 %. Under 0.3: 6 % and 88 %.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engrain.recall.analyze import analyze
from engrain.recall.columns import Floats, Mask
from engrain.recall.vectors import cosines
from engrain.recall.view import View
from engrain.recall.words import Bm25, Words, score_words

DAY = 86_400_000_000  # µs
_FIRST_PERSON = re.compile(r"\b(?:i|i'm|i've|i'd|me|my|mine|myself|we|our|ours|us)\b", re.IGNORECASE)


USUAL = Bm25(1.2, 0.75)
BY_LENGTH = Bm25(1.2, 1.0)  # full normalisation: long answers of assistants hold every word


@dataclass(frozen=True, slots=True)
class Weights:
    """Every number of the ranking. One configuration for all uses; ``bench/recall.py --ablate`` shows what each is
    worth. Found by coordinate search on the development sets of LoCoMo and BEAM, then rounded."""

    words: float = 0.15
    near: float = 0.10
    wide: float = 0.10
    session: float = 0.15
    meaning: float = 0.20
    around: float = 0.30
    speaker: float = 0.15
    user: float = 0.50
    importance: float = 0.05  # at 10; as much less at 1
    recency: float = 0.02  # now; half of it after ``half_life`` days
    half_life: float = 30.0
    helpful: float = 0.10
    item: Bm25 = BY_LENGTH
    episode: Bm25 = USUAL
    whole: Bm25 = USUAL
    bias: float = -9.7  # confidence: 1 / (1 + exp(-(bias + covered × share + cosine × cosine)))
    covered: float = 11.9
    cosine: float = 8.7
    bias_words: float = -4.8  # the same when no vector can be compared, or the embedder's cosines are not calibrated
    covered_words: float = 12.9
    gate: float = 0.006  # least confidence at which anything is returned when no min_score is given
    apart: float = 0.25  # an item without a word in common needs this cosine


@dataclass(frozen=True, slots=True)
class Question:
    """``terms``: distinct hashes. ``vector``: unit length or zeros. ``calibrated``: its cosines are the packaged
    model's."""

    text: str
    terms: list[int]
    vector: Floats
    now: int
    calibrated: bool = True


@dataclass(frozen=True, slots=True)
class Ranking:
    """Per item: the score, the parts that sum to it, what a lift of 1 would add, and whether it has anything in common
    with the question."""

    score: Floats
    names: tuple[str, ...]
    parts: Floats  # [names, items]
    per_lift: Floats
    common: Mask
    confidence: float


def rank(view: View, question: Question, weights: Weights) -> Ranking:
    """Score every visible item. Arithmetic per item never depends on where its row lies."""
    words = score_words(view, question.terms, weights.item, weights.episode, weights.whole)
    cosine = view.per_item(cosines(view, question.vector))
    kin, share = _with_vectors(view, weights)
    signals = {
        "words": (weights.words, words.item),
        "near": (weights.near, words.near),
        "wide": (weights.wide, words.wide),
        "session": (weights.session, words.session),
        "meaning": (weights.meaning, cosine),
        "around": (weights.around, view.window(np.maximum(cosine, 0), 2) / kin),
    }
    lifts = _lifts(view, question, weights)
    possible = sum(most for most, _ in lifts.values()) + weights.helpful
    confidence = _confidence(words, cosine, question, weights)
    unit = np.float32(confidence / (1.0 + possible))
    used = {name: signal for name, signal in signals.items() if signal[0]}
    weighted = unit * np.array([weight for weight, _ in used.values()], np.float32)
    parts = weighted[:, None] / share * relative(np.stack([values for _, values in used.values()]))
    base = np.add.reduce(parts, axis=0)
    parts = np.concatenate([parts, base * np.stack([lift for _, lift in lifts.values()])])
    common = (words.covered > 0) | (cosine >= weights.apart)
    return Ranking(np.add.reduce(parts, axis=0), (*used, *lifts), parts, base, common, confidence)


def _with_vectors(view: View, weights: Weights) -> tuple[Floats, Floats]:
    """(how many items of each window of 5 turns have a vector, what share of the weights the signals of an item have).

    An item without a vector, such as one that a change of embedder has not reached, is judged by the signals that it
    has and not as if it meant nothing: on LoCoMo with half of the vectors missing turn recall@10 is 76 and not 46.
    """
    at = view.vector_at if view.single else view.vector_at[view.first]
    if at.min(initial=0) >= 0:
        return view.kin(2), np.ones(1, np.float32)
    known = (at >= 0).astype(np.float32)
    kin = view.window(known, 2)
    total = weights.words + weights.near + weights.wide + weights.session + weights.meaning + weights.around
    share = 1 - np.float32(weights.meaning / total) * (1 - known) - np.float32(weights.around / total) * (kin == 0)
    return np.maximum(kin, np.float32(1)), np.maximum(share, np.float32(0.1))


def _confidence(words: Words, cosine: Floats, question: Question, weights: Weights) -> float:
    covered, nearest = float(words.covered.max(initial=0.0)), float(cosine.max(initial=0.0))
    if question.calibrated and nearest > 0:
        return _logistic(weights.bias + weights.covered * covered + weights.cosine * nearest)
    found = _logistic(weights.bias_words + weights.covered_words * covered) if covered > 0 else 0.0
    return max(found, 0.1 * nearest)  # likeness alone counts little while nobody knows what it means


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def relative(values: Floats) -> Floats:
    """Each line divided by its greatest value, 0..1; what is below 0 becomes 0. Shape [..., items]."""
    top = values.max(axis=-1, initial=0.0, keepdims=True).astype(np.float64)
    scale = np.divide(1.0, top, out=np.zeros_like(top), where=top > 0).astype(np.float32)
    lines: Floats = np.maximum(values, np.float32(0))
    lines *= scale
    return lines


def _lifts(view: View, question: Question, weights: Weights) -> dict[str, tuple[float, Floats]]:
    """By name: the greatest value and the value of each item."""
    items = view.items
    ages = np.maximum(question.now - items["time"], 0).astype(np.float64)
    found = {
        "importance": (weights.importance, np.float32(weights.importance / 5) * (items["importance"] - np.float32(5))),
        "recency": (
            weights.recency,
            (weights.recency * np.exp2(ages * (-1 / (DAY * weights.half_life)))).astype(np.float32),
        ),
    }
    wanted = set(question.terms)
    named = _said_by(view, lambda role: not wanted.isdisjoint(analyze(role)))
    if named is not None and named.any():
        found["speaker"] = (weights.speaker, np.float32(weights.speaker) * named)
    if _FIRST_PERSON.search(question.text):
        user = _said_by(view, lambda role: role.lower() == "user")
        found["user"] = (
            weights.user,
            np.zeros(view.n, np.float32) if user is None else np.float32(weights.user) * user,
        )
    return found


def _said_by(view: View, right: Callable[[str], bool]) -> Floats | None:
    """1 for items whose role is right, else 0; None when no role is. A view has few different roles."""
    out = None
    for part, start, end in view.shares():
        roles = [n for n, role in enumerate(part.roles) if right(role)]
        if roles:
            out = np.zeros(view.n, np.float32) if out is None else out
            out[start:end] = np.isin(view.items["role"][start:end], roles)
    return out
