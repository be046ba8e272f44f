"""Rank: the signals of a question over one view, fused into one score per item.

score = confidence × (Σ weight × signal) × (1 + Σ weight × lift) / (1 + greatest possible lift)

- *Signals* are relative to the best visible item, 0..1, and their weights sum to 1 (a convex combination): words of
  the item, of the 5 turns around it and of its session (BM25), meaning of the item (cosine, without what the whole
  scope has in common) and of the 5 turns (cosine).
- *Lifts* are small and multiply, so that they order what is relevant and make nothing relevant: the question names the
  speaker; the user said it; it tells something for the first time; it happened when the question says; it is no
  question itself; importance; recency; helpfulness.
- *Confidence*, 0..1, is the same for all hits of a question: the probability that the visible items hold an answer at
  all, from two measures that need no comparison: the greatest share of the question's information that 5 turns hold,
  the speaker it names and the time it asks for among it, and the greatest cosine (as it is: in a scope of one subject
  nothing would stand out of what all have in common, though every item may answer). Logistic regression on 1,376
  questions asked of the memory that holds their answer and of another one's. Under 0.004 (the gate): none of the
  answerable, 11 % of the others; under 0.1: 1 % and 77 %; under 0.3: 4 % and 89 %.

``bench/fit.py`` made the numbers and says how sure they are; docs/benchmarks.md has the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from engrain.recall.analyze import analyze
from engrain.recall.columns import Floats, Mask
from engrain.recall.dates import fit
from engrain.recall.news import news
from engrain.recall.question import Question
from engrain.recall.vectors import meanings
from engrain.recall.view import View
from engrain.recall.words import REACH, Bm25, Words, information, score_words

DAY = 86_400_000_000  # µs
ITEM, EPISODE, SESSION = Bm25(1.2, 0.6), Bm25(1.2, 0.5), Bm25(4.0, 1.0)


@dataclass(frozen=True, slots=True)
class Weights:
    """Every number of the ranking: one configuration for all uses. Signals and lifts were fitted to LoCoMo and BEAM
    together by softmax regression and rounded; ``importance``, ``recency`` and ``helpful`` have no signal in those sets
    and are chosen. ``bench/recall.py --ablate`` shows what each is worth."""

    words: float = 0.18
    wide: float = 0.18
    session: float = 0.17
    meaning: float = 0.15
    around: float = 0.32
    speaker: float = 0.15
    user: float = 0.31
    assistant: float = 0.31  # when the question asks what it said
    news: float = 0.19
    asks: float = 0.12  # taken away from what asks instead of telling
    when: float = 0.60
    importance: float = 0.05  # at 10; as much less at 1
    recency: float = 0.02  # now; half of it after ``half_life`` days
    silence: float = 9.0  # what ``speaker`` and ``when`` weigh more where no item has a word of the question
    half_life: float = 30.0
    helpful: float = 0.10
    spread: float = 0.97  # what each better item of the same session leaves of a score
    item: Bm25 = ITEM
    episode: Bm25 = EPISODE
    whole: Bm25 = SESSION
    bias: float = -7.8  # confidence: 1 / (1 + exp(-(bias + covered × share + cosine × cosine)))
    covered: float = 11.6
    cosine: float = 2.4
    bias_words: float = -6.6  # the same when no vector can be compared, or the embedder's cosines are not calibrated
    covered_words: float = 12.1
    gate: float = 0.004  # least confidence at which anything is returned when no min_score is given
    apart: float = 0.25  # an item without a word in common needs this cosine


@dataclass(frozen=True, slots=True)
class Measures:
    """What is known of each item. ``signals`` [names, items]: relative to the best item, 0..1; ``lifts``: -1..1, those
    that can apply to this question; ``share``: of the weights of all signals, those of the signals that the item has;
    ``covered``, ``said`` (the share of the question's words that any item covers) and ``cosine`` as they are."""

    names: tuple[str, ...]
    signals: Floats
    lifts: dict[str, Floats]
    share: Floats
    covered: Floats
    said: float
    cosine: Floats


@dataclass(frozen=True, slots=True)
class Ranking:
    """Per item: the score, the parts that sum to it, what a lift of 1 would add, and whether it has anything in common
    with the question. ``covered``: the greatest share of the question's information that 5 turns hold."""

    score: Floats
    names: tuple[str, ...]
    parts: Floats  # [names, items]
    per_lift: Floats
    common: Mask
    confidence: float
    covered: float


def measure(view: View, question: Question, weights: Weights) -> Measures:
    """The signals and lifts of every visible item. Arithmetic per item never depends on where its row lies."""
    words = score_words(view, question.terms, weights.item, weights.episode, weights.whole, question.mute)
    lifts = _lifts(view, question, weights)
    cosine, alike = map(view.per_item, meanings(view, question.vector, question.bare))
    kin, share = _with_vectors(view, weights)
    signals = {
        "words": words.item,
        "wide": words.wide,
        "session": words.session,
        "meaning": alike,
        "around": view.window(np.maximum(cosine, 0), REACH) / kin,
    }
    lines = relative(np.stack(list(signals.values())))
    return Measures(tuple(signals), lines, lifts, share, *_covered(view, words, lifts), cosine)


def _covered(view: View, words: Words, lifts: Mapping[str, Floats]) -> tuple[Floats, float]:
    """(the share of the question's information that each item and the turns around it hold, 0..1; the greatest share
    of its words alone). The speaker it names and the time it asks for count as much as a word that nobody used yet."""
    covered, total = words.covered, words.total
    for name in ("speaker", "when"):
        if name in lifts:
            weight = information(view.passages, 0)
            covered, total = covered + np.float32(weight) * lifts[name], total + weight
    said = float(words.covered.max(initial=0.0)) / words.total if words.total else 0.0
    return covered / np.float32(total or 1.0), said


def rank(view: View, question: Question, weights: Weights) -> Ranking:
    """Score every visible item."""
    found = measure(view, question, weights)
    most = {name: float(getattr(weights, name)) for name in found.lifts}
    for name in most.keys() & {"speaker", "when"}:  # the less the words say, the more it matters who, and when
        most[name] += weights.silence * (1 - found.said) ** 12
    possible = sum(most.values()) - most["asks"] + weights.helpful
    confidence = _confidence(found, question, weights)
    weighted = np.array([getattr(weights, name) for name in found.names], np.float32)
    parts = weighted[:, None] * found.signals * (np.float32(confidence / (1.0 + possible)) / found.share)
    base = np.add.reduce(parts, axis=0)
    lifted = base * np.stack([np.float32(most[name]) * lift for name, lift in found.lifts.items()])
    parts = np.concatenate([parts, lifted])
    covered = float(found.covered.max(initial=0.0))
    common = (found.covered > 0) | (found.cosine >= weights.apart)
    return Ranking(np.add.reduce(parts, axis=0), (*found.names, *found.lifts), parts, base, common, confidence, covered)


def _with_vectors(view: View, weights: Weights) -> tuple[Floats, Floats]:
    """(how many items of each window have a vector, what share of the weights the signals of an item have).

    An item without a vector, such as one that a change of embedder has not reached, is judged by the signals that it
    has and not as if it meant nothing: on LoCoMo half of the vectors missing cost 2 points of turn recall@10, not 30.
    """
    at = view.vector_at if view.single else view.vector_at[view.first]
    if at.min(initial=0) >= 0:
        return view.kin(REACH), np.ones(1, np.float32)
    known = (at >= 0).astype(np.float32)
    kin = view.window(known, REACH)
    total = weights.words + weights.wide + weights.session + weights.meaning + weights.around
    share = 1 - np.float32(weights.meaning / total) * (1 - known) - np.float32(weights.around / total) * (kin == 0)
    return np.maximum(kin, np.float32(1)), np.maximum(share, np.float32(0.1))


def _confidence(found: Measures, question: Question, weights: Weights) -> float:
    covered, nearest = float(found.covered.max(initial=0.0)), float(found.cosine.max(initial=0.0))
    if question.calibrated and nearest > 0:
        return _logistic(weights.bias + weights.covered * covered + weights.cosine * nearest)
    words = _logistic(weights.bias_words + weights.covered_words * covered) if covered > 0 else 0.0
    return max(words, 0.1 * nearest)  # likeness alone counts little while nobody knows what it means


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def relative(values: Floats) -> Floats:
    """Each line divided by its greatest value, 0..1; what is below 0 becomes 0. Shape [..., items]."""
    top = values.max(axis=-1, initial=0.0, keepdims=True).astype(np.float64)
    scale = np.divide(1.0, top, out=np.zeros_like(top), where=top > 0).astype(np.float32)
    lines: Floats = np.maximum(values, np.float32(0))
    lines *= scale
    return lines


def _lifts(view: View, question: Question, weights: Weights) -> dict[str, Floats]:
    """Those that can apply, with the value of each item."""
    items = view.items
    ages = np.maximum(question.now - items["time"], 0).astype(np.float64)
    user = _said_by(view, lambda role: role.lower() == "user")
    found = {
        "importance": (items["importance"] - np.float32(5)) / np.float32(5),
        "recency": np.exp2(ages * (-1 / (DAY * weights.half_life))).astype(np.float32),
        "news": news(view),
        # Who asks a friend tells little; what a user asks for is what the user wanted.
        "asks": -items["asks"].astype(np.float32) * (np.float32(1) if user is None or question.answered else 1 - user),
    }
    found |= asked_for(view, question)
    if question.answered:
        assistant = _said_by(view, lambda role: role.lower() == "assistant")
        if assistant is not None:
            found["assistant"] = assistant
    elif user is not None:
        found["user"] = user
    return found


def asked_for(view: View, question: Question) -> dict[str, Floats]:
    """How well each item fits whom the question names, and when it asks for, where it does."""
    found = {}
    if question.named:
        named = _said_by(view, lambda role: not question.named.isdisjoint(analyze(role)))
        found["speaker"] = np.zeros(view.n, np.float32) if named is None else named
    if question.asked:
        found["when"] = fit(view.items["time"], question.asked)
    return found


def _said_by(view: View, right: Callable[[str], bool]) -> Floats | None:
    """1 for items whose role is right, else 0; None when no visible item has such a role."""
    out = None
    for (_, start, end), known in zip(view.shares(), view.roles, strict=True):
        roles = [n for n, role in known if right(role)]
        if roles:
            out = np.zeros(view.n, np.float32) if out is None else out
            out[start:end] = np.isin(view.items["role"][start:end], roles)
    return out if out is not None and out.any() else None
