"""Adapt: what a tenant's feedback changes in its ranking.

Feedback says of a candidate of a question that it helped or did not. From such examples three small things are learned,
all applied to the best candidates of a question only, after the ranking that everyone has:

- *multipliers* of the parts of the score (words, meaning, speaker, ...): exp(θ), by listwise logistic regression
  (ListNet's top-one loss, Cao et al. 2007) with a Gaussian prior at θ = 0, in closed Newton steps;
- *learned*: a low-rank correction of the question's vector, q + U Vᵀ q, by ridge regression from the vectors of the
  questions to the difference between what helped and what was ranked beside it, cut to its greatest singular values.
  What it adds to a candidate's cosine is shown as a part of its own;
- *asked*: a candidate that helped with a similar question rises by the likeness of the questions, one that did not
  sinks.

Nothing is forgotten by the order of learning: each training starts from "no change" and sees all examples that are
kept, old and new. Nothing is believed untested: the adapter is in force only from LEAST questions on, and only when
cross-validation over them, folded by question, shows a gain whose lower bound is above zero (``judge``). Everything
is deterministic: the same examples give the same adapter in every process.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

# Found on the development set of LoCoMo (bench/adapt.py), where a question's best candidate has a score of 1 here.
DEPTH = 100  # candidates that are looked at again
LEAST = 20  # different questions below which nothing changes
FOLDS = 10
BOUND = 1.28  # standard errors below the mean gain: the lower end of an 80 % interval
SHARPNESS = 0.05  # difference of scores that makes a candidate e times as likely
PRIOR = 20.0  # examples' worth of belief that a multiplier is 1
RIDGE, RANK, LEARNED = 1.0, 32, 0.6
ASKED, NARROW = 0.25, 3  # weight; power of the likeness of two questions
CHECKSUM = 16  # bytes
DAMAGE = (ValueError, KeyError, TypeError, np.linalg.LinAlgError)  # what unreadable feedback raises
FLOOR = 0.05  # no candidate falls below this share of the score that everyone gives it


@dataclass(frozen=True, slots=True)
class Example:
    """A question with some of its best candidates, the best first. ``vector``: the question's, unit length; ``parts``
    float32[k, len(names)]: the parts of each score, the sum of the best being 1; ``vectors`` float32[k, dim];
    ``verdicts`` int8[k]: 1 helped, -1 did not, 0 unknown; ``current``: the parts are those of the ranking in use."""

    names: tuple[str, ...]
    vector: Floats
    parts: Floats
    vectors: Floats
    ids: tuple[str, ...]
    verdicts: npt.NDArray[np.int8]
    current: bool = True

    @property
    def question(self) -> bytes:
        """The same for the same question asked again."""
        return np.rint(self.vector * 127).astype(np.int8).tobytes()

    @property
    def fold(self) -> int:
        """The same question asked twice is in one fold."""
        return zlib.crc32(self.question) % FOLDS

    def likely(self, without: npt.NDArray[np.bool_]) -> Matrix:
        """How the ranking spreads its belief over the candidates, some left out. Shape [k], sum 1, or zeros."""
        scores = self.parts.sum(axis=1, dtype=np.float64)
        weights = np.where(without, 0.0, np.exp((scores - scores.max()) / SHARPNESS))
        total = weights.sum()
        return weights / total if total > 0 else weights

    def target(self) -> Matrix:
        """Where belief belongs: on what helped, else on all but what did not. Shape [k]."""
        helped = self.verdicts > 0
        return helped / helped.sum() if helped.any() else self.likely(self.verdicts < 0)


@dataclass(frozen=True)
class Adapter:
    """What was learned. ``multipliers`` by part; ``left`` float32[dim, r] and ``right`` float32[r, dim] of the
    correction; per verdict the ``questions`` float32[m, dim], ``ids`` and ``signs``; ``base``: likeness of two
    questions that have nothing in common."""

    multipliers: Mapping[str, float]
    left: Floats
    right: Floats
    questions: Floats
    ids: tuple[str, ...]
    signs: Floats
    base: float

    @cached_property
    def _verdicts(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for place, id_ in enumerate(self.ids):
            found.setdefault(id_, []).append(place)
        return found

    def asked(self, question: Floats, ids: Sequence[str]) -> Floats:
        """-1..1 by candidate: how much it helped with questions like this one."""
        known = self._verdicts
        pairs = [(row, place) for row, id_ in enumerate(ids) for place in known.get(id_, ())]
        best, worst = np.zeros((2, len(ids)), np.float32)
        if pairs:
            rows, places = np.array(pairs).T
            likeness = (self.questions[places] @ question - self.base) / (1 - self.base)
            signed = np.maximum(likeness, 0) ** NARROW * self.signs[places]
            np.maximum.at(best, rows, signed)
            np.minimum.at(worst, rows, signed)
        both: Floats = best + worst
        return both

    def apply(
        self, names: Sequence[str], parts: Floats, question: Floats, ids: Sequence[str], vectors: Floats
    ) -> tuple[tuple[str, ...], Floats]:
        """The parts of the candidates' scores as this tenant's feedback has them; the best score stays as high as the
        best was, so that scores mean what they meant. ``parts`` float32[len(names), k], ``vectors`` float32[k, dim];
        answers with two parts more."""
        usual = parts.sum(axis=0)
        top = float(usual.max(initial=0.0))
        if top <= 0:
            return tuple(names), parts
        known = parts * np.array([[self.multipliers.get(name, 1.0)] for name in names], np.float32)
        asked = np.float32(ASKED * top) * self.asked(question, ids)
        learned = np.float32(LEARNED * top) * (vectors @ (self.left @ (self.right @ question)))
        rest = known.sum(axis=0) + asked
        learned = np.maximum(rest + learned, np.float32(FLOOR) * usual) - rest
        found = np.concatenate([known, asked[None], learned[None]])
        return (*names, "asked", "learned"), found * np.float32(top / float(found.sum(axis=0).max()))

    def packed(self) -> bytes:
        """All of it, behind its checksum. Raises ValueError when a number is not finite."""
        numbers = {
            "multipliers": np.array(list(self.multipliers.values())),
            "left": self.left,
            "right": self.right,
            "questions": self.questions.astype(np.float16),
            "signs": self.signs,
            "base": np.array(self.base),
        }
        if not all(np.isfinite(one).all() for one in numbers.values()):
            raise ValueError("what was learned is not finite")
        out = io.BytesIO()
        names, ids = np.array(list(self.multipliers), np.str_), np.array(self.ids, np.str_)
        np.savez(out, allow_pickle=False, names=names, ids=ids, **numbers)
        return _checksum(out.getvalue()) + out.getvalue()

    @classmethod
    def unpacked(cls, state: bytes) -> Adapter:
        """What was ``packed``. Raises one of DAMAGE."""
        told, body = bytes(state[:CHECKSUM]), bytes(state[CHECKSUM:])
        if told != _checksum(body):
            raise ValueError("its checksum is wrong")
        with np.load(io.BytesIO(body), allow_pickle=False) as kept:
            return cls(
                dict(zip(kept["names"].tolist(), kept["multipliers"].tolist(), strict=True)),
                kept["left"],
                kept["right"],
                kept["questions"].astype(np.float32),
                tuple(kept["ids"].tolist()),
                kept["signs"],
                float(kept["base"]),
            )


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=CHECKSUM).digest()


@dataclass(frozen=True, slots=True)
class Trial:
    """Cross-validation: the mean gain in nDCG over questions that were left out, and its lower bound; None where there
    are too few to tell. ``examples``: different questions with a verdict."""

    examples: int
    gain: float | None = None
    low: float | None = None

    @property
    def passed(self) -> bool:
        return self.low is not None and self.low > 0


def train(examples: Sequence[Example]) -> Adapter:
    """Learn from all examples together; at least one has a verdict."""
    judged = [one for one in examples if one.verdicts.any()]
    left, right = _correction(judged)
    verdicts = [
        (one.vector, id_, float(sign))
        for one in judged
        for id_, sign in zip(one.ids, one.verdicts.tolist(), strict=True)
        if sign
    ]
    questions = np.stack([one.vector for one in judged])
    cosines = (questions @ questions.T)[np.triu_indices(len(questions), 1)]
    base = float(np.clip(np.median(cosines), 0.0, 0.9)) if len(cosines) else 0.0
    return Adapter(
        _multipliers([one for one in judged if one.current]),
        left,
        right,
        np.stack([vector for vector, _, _ in verdicts]),
        tuple(id_ for _, id_, _ in verdicts),
        np.array([sign for _, _, sign in verdicts], np.float32),
        base,
    )


def judge(examples: Sequence[Example]) -> Trial:
    """What training on some of the examples does to the others. A question asked again and again counts once."""
    judged = [one for one in examples if one.verdicts.any()]
    different = len({one.question for one in judged})
    if different < LEAST:
        return Trial(different)
    found: dict[bytes, list[float]] = {}
    for fold in range(FOLDS):
        rest, out = [one for one in judged if one.fold != fold], [one for one in judged if one.fold == fold]
        if rest and out:
            adapter = train(rest)
            for one in out:
                found.setdefault(one.question, []).append(_gain(adapter, one))
    if len(found) < 2:  # so unlikely that all fell into one fold: nothing is left out of what is learned
        return Trial(different)
    gains = [float(np.mean(of_one)) for of_one in found.values()]
    mean = float(np.mean(gains))
    return Trial(different, mean, mean - BOUND * float(np.std(gains, ddof=1)) / len(gains) ** 0.5)


def _gain(adapter: Adapter, one: Example) -> float:
    """How much better the order of the candidates becomes, -1..1."""
    _, parts = adapter.apply(one.names, one.parts.T, one.vector, one.ids, one.vectors)
    helped = one.verdicts > 0
    relevant, sign = (helped, 1.0) if helped.any() else (one.verdicts < 0, -1.0)
    return sign * (_ndcg(parts.sum(axis=0), relevant) - _ndcg(one.parts.sum(axis=1), relevant))


def _ndcg(scores: Floats, relevant: npt.NDArray[np.bool_]) -> float:
    worth = 1.0 / np.log2(np.arange(len(scores)) + 2.0)
    return float(worth[relevant[np.argsort(-scores, kind="stable")]].sum() / worth[: relevant.sum()].sum())


def _correction(judged: Sequence[Example]) -> tuple[Floats, Floats]:
    """(U, V) of the correction: the ridge regression of the differences on the questions, cut to RANK."""
    questions, wanted = [], []
    for one in judged:
        helped, failed = one.verdicts > 0, one.verdicts < 0
        if helped.any():
            aims, beside = one.vectors[helped], one.likely(helped) @ one.vectors
            differences = aims - beside
        else:
            differences = (one.likely(failed) @ one.vectors - one.vectors[failed].mean(axis=0))[None]
        questions += [one.vector] * len(differences)
        wanted += list(differences)
    asked, aimed = np.stack(questions).astype(np.float64), np.stack(wanted).astype(np.float64)
    solved = np.linalg.solve(asked @ asked.T + RIDGE * np.eye(len(asked)), aimed)  # the map is solvedᵀ · asked
    outer, inner = np.linalg.qr(solved.T)
    outer_, inner_ = np.linalg.qr(asked.T)
    u, sizes, v = np.linalg.svd(inner @ inner_.T)
    kept = slice(0, min(RANK, len(sizes)))
    left, right = outer @ (u[:, kept] * sizes[kept]), v[kept] @ outer_.T
    return left.astype(np.float32), right.astype(np.float32)


def _multipliers(judged: Sequence[Example]) -> dict[str, float]:
    """exp(θ) by part: Newton's method with step halving on a convex-near loss; a few steps suffice from θ = 0."""
    names = sorted({name for one in judged for name in one.names})
    if not names:
        return {}
    most = max(len(one.ids) for one in judged)
    parts, target = np.zeros((len(judged), most, len(names))), np.zeros((len(judged), most))
    absent = np.ones((len(judged), most), np.bool_)
    for row, one in enumerate(judged):
        size = len(one.ids)
        parts[row, :size, [names.index(name) for name in one.names]] = one.parts.T
        target[row, :size], absent[row, :size] = one.target(), False

    def at(theta: Matrix) -> tuple[Matrix, Matrix, float]:
        slopes = parts * np.exp(theta) / SHARPNESS
        scores = np.where(absent, -np.inf, slopes.sum(axis=2))
        scores -= scores.max(axis=1, keepdims=True)
        belief = np.exp(scores)
        total = belief.sum(axis=1, keepdims=True)
        loss = -(target * np.where(absent, 0.0, scores - np.log(total))).sum() + PRIOR * theta @ theta / 2
        return slopes, belief / total, float(loss)

    theta = np.zeros(len(names))
    slopes, belief, loss = at(theta)
    for _ in range(12):
        gradient = np.einsum("nkp,nk->p", slopes, belief - target) + PRIOR * theta
        mean = np.einsum("nkp,nk->np", slopes, belief)
        curve = np.einsum("nkp,nkr->pr", slopes * belief[:, :, None], slopes, optimize=True) - mean.T @ mean
        step, share = np.linalg.solve(curve + PRIOR * np.eye(len(names)), gradient), 1.0
        while share > 0.01 and (tried := at(theta - share * step))[2] >= loss:
            share /= 2
        if share <= 0.01 or loss - tried[2] < 1e-6 * abs(loss):
            break
        theta, (slopes, belief, loss) = theta - share * step, tried
    return {name: float(value) for name, value in zip(names, np.exp(theta), strict=True)}
