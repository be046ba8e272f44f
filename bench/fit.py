"""Where the numbers of recall/rank.py come from: signals, lifts and confidence fitted to the development sets.

    python -m bench.fit                  fit on all, and cross-validated over five folds of conversations
    python -m bench.fit --confidence     the confidence of a question instead: does the memory hold an answer?

Weights: softmax regression over the items of a conversation (the evidence of a question against everything else;
listwise loss of Cao et al., 2007), weights not negative, LoCoMo and BEAM together with BEAM's questions weighing BEAM
times as much (there are fewer). What is printed under "fitted" was rounded into Weights by hand. BM25's numbers, the
reach of the windows and ``spread`` were chosen by trial on the same sets. "left out" is measured on conversations
whose questions the weights have not seen, in the order of the score with ``spread`` and before ``refine``.

Confidence: logistic regression on questions asked of the memory that holds their answer and of another one's.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

if not __package__:  # started by its path: the project's root is not yet on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engrain
from bench.sets import Told, deal, digest, present, tell
from engrain.recall.question import read
from engrain.recall.rank import Weights, measure
from engrain.recall.select import best

BEAM = 5.0
STEPS, RATE, PULL = 400, 0.05, 1e-4  # of Adam (Kingma and Ba, 2015), and of the weights towards 0
SIGNALS = ("words", "wide", "session", "meaning", "around")
LIFTS = ("speaker", "user", "news", "asks", "when")  # of which the sets say something


@dataclass
class Asked:
    """One question and what is measured of every item of its conversation."""

    fold: int
    beam: bool
    hops: bool
    view: Any
    signals: Any  # [items, signals]
    lifts: Any  # [items, LIFTS]
    gold: Any  # rows


def asked(memory: engrain.Memory, told: Told, fold: int) -> list[Asked]:
    """The measures of a conversation's questions."""
    view = memory.recaller._segments.view(told.agent.scope, memory.embedder)
    ids = view.ids(np.arange(view.n))
    rows = {told.place[id_]: row for row, id_ in enumerate(ids)}
    found = []
    for question in told.conversation.questions:
        text = read(question.text, view.names, lambda: 0, memory.embedder.embed, memory.world.now())
        known = measure(view, text, Weights())
        nothing = np.zeros(view.n, np.float32)
        found.append(
            Asked(
                fold,
                told.conversation.set == "beam",
                question.category == "multi-hop",
                view,
                known.signals.T.astype(np.float64),
                np.stack([known.lifts.get(name, nothing) for name in LIFTS], axis=1).astype(np.float64),
                np.array(sorted(rows[unit] for unit in question.gold if unit in rows)),
            )
        )
    return found


class Listwise:
    """The loss of many questions at once: items of all in one array, by question."""

    def __init__(self, questions: Sequence[Asked]) -> None:
        sizes = [len(one.signals) for one in questions]
        self.starts = np.cumsum([0, *sizes[:-1]])
        self.owner = np.repeat(np.arange(len(sizes)), sizes)
        self.signals = np.concatenate([one.signals for one in questions])
        self.lifts = np.concatenate([one.lifts for one in questions])
        weights = np.array([BEAM if one.beam else 1.0 for one in questions])
        self.weights = weights / weights.sum()
        self.gold = np.zeros(len(self.signals))
        for start, one in zip(self.starts, questions, strict=True):
            self.gold[start + one.gold] = 1 / len(one.gold)

    def gradient(self, weights: Any, lifts: Any) -> tuple[Any, Any]:
        base, lift = self.signals @ weights, 1 + self.lifts @ lifts
        scores = base * lift
        scores = np.exp(scores - np.maximum.reduceat(scores, self.starts)[self.owner])
        share = scores / np.add.reduceat(scores, self.starts)[self.owner]
        error = (share - self.gold) * self.weights[self.owner]
        return self.signals.T @ (error * lift) + 2 * PULL * weights, self.lifts.T @ (error * base)


def fit(questions: Sequence[Asked]) -> tuple[Any, Any]:
    """(weights of the signals, of the lifts), none negative: steps are taken on their logarithms."""
    loss = Listwise(questions)
    names = loss.signals.shape[1]
    logs = np.log(np.concatenate([np.full(names, 10 / names), np.full(loss.lifts.shape[1], 0.2)]))
    first, second = np.zeros_like(logs), np.zeros_like(logs)
    for step in range(1, STEPS + 1):
        values = np.exp(logs)
        slope = np.concatenate(loss.gradient(values[:names], values[names:])) * values
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        logs -= RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-9)
    return np.exp(logs[:names]), np.exp(logs[names:])


def recall(one: Asked, weights: Any, lifts: Any) -> float:
    """recall@10 of one question under these weights."""
    scores = ((one.signals @ weights) * (1 + one.lifts @ lifts)).astype(np.float32)
    rows, _ = best(one.view, scores, np.ones(len(scores), np.bool_), 10, Weights().spread)
    return len(np.intersect1d(rows, one.gold)) / len(one.gold)


def line(label: str, values: Sequence[tuple[Asked, float]]) -> None:
    """One row of the table, in per cent."""
    means = [
        [value for one, value in values if not one.beam],
        [value for one, value in values if one.hops],
        [value for one, value in values if one.beam],
    ]
    print(f"{label:28s}" + "".join(f"{100 * float(np.mean(some)):10.1f}" for some in means))


def weights_of(questions: list[Asked], folds: int) -> None:
    names = (*SIGNALS, *LIFTS)
    every = fit(questions)
    share = every[0].sum()
    print("fitted: " + ", ".join(f"{n} {v:.2f}" for n, v in zip(names, [*every[0] / share, *every[1]], strict=True)))
    shipped = [np.array([getattr(Weights(), name) for name in part]) for part in (SIGNALS, LIFTS)]
    print(f"\n{'recall@10, before refine':28s}{'turn':>10s}{'multi-hop':>10s}{'BEAM':>10s}")
    line("shipped (rounded)", [(one, recall(one, *shipped)) for one in questions])
    line("fitted on all", [(one, recall(one, *every)) for one in questions])
    left = []
    for fold in range(folds):
        learnt = fit([one for one in questions if one.fold != fold])
        left += [(one, recall(one, *learnt)) for one in questions if one.fold == fold]
    line(f"left out, {folds} folds", left)


def logistic(inputs: Any, right: Any) -> Any:
    """Weights (the last is the bias) of a logistic regression, by Newton's method."""
    inputs = np.column_stack([inputs, np.ones(len(inputs))])
    weights = np.zeros(inputs.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (chance - right) + 1e-3 * weights
        curve = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + 1e-3 * np.eye(len(weights))
        weights -= np.linalg.solve(curve, slope)
    return weights


def confidence_of(memory: engrain.Memory, told: list[Told]) -> None:
    """Each question asked of its own memory, and of that of another conversation of its set: the regression, and the
    score of the first hit, which is what ``min_score`` cuts."""
    own: list[tuple[float, float]] = []
    foreign: list[tuple[float, float]] = []
    first: tuple[list[float], list[float]] = [], []
    for one in told:
        if one.conversation.set == "facts multi":
            continue  # no single item answers
        kind = one.conversation.set.replace("facts single", "locomo")  # two sets of facts share many
        others = [other for other in told if other.conversation.set == kind and other is not one]
        for number, question in enumerate(one.conversation.questions):
            asked = ((one.agent, own, first[0]), (others[number % len(others)].agent, foreign, first[1]))
            for agent, values, scores in asked:
                scores.append(max((hit.score for hit in agent.recall(question.text, min_score=0.0)), default=0.0))
                view = memory.recaller._segments.view(agent.scope, memory.embedder)
                text = read(question.text, view.names, lambda: 0, memory.embedder.embed, memory.world.now())
                known = measure(view, text, Weights())
                values.append((float(known.covered.max(initial=0)), float(known.cosine.max(initial=0))))
    inputs, right = np.array(own + foreign), np.repeat([1.0, 0.0], [len(own), len(foreign)])
    for label, columns in (("covered, cosine, bias", [0, 1]), ("covered, bias (words only)", [0])):
        weights = logistic(inputs[:, columns], right)
        chance = 1 / (1 + np.exp(-(np.column_stack([inputs[:, columns], np.ones(len(inputs))]) @ weights)))
        print(f"{label}: {', '.join(f'{value:.1f}' for value in weights)}")
        for gate in (0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5):
            lost, kept = 100 * np.mean(chance[: len(own)] < gate), 100 * np.mean(chance[len(own) :] < gate)
            print(f"  under {gate:5.3f}: {lost:5.1f} % of {len(own)} own, {kept:5.1f} % of {len(foreign)} others'")
    for gate in (0.02, 0.05, 0.1, 0.2, 0.3):
        lost, kept = (100 * np.mean(np.array(some) < gate) for some in first)
        print(f"first hit under {gate:4.2f}: {lost:5.1f} % of own, {kept:5.1f} % of others'")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--confidence", action="store_true")
    parser.add_argument("--folds", type=int, default=5)
    chosen = parser.parse_args()
    names = [name for name in present() if chosen.confidence or name != "facts"]
    if not names:
        print("absent: see bench/sets.py for where the sets are read", file=sys.stderr)
        return 1
    print("data: " + ", ".join(f"{name} {digest(name)}" for name in names))
    with tempfile.TemporaryDirectory() as home, engrain.open(home) as memory:
        told = tell(memory, names)
        if chosen.confidence:
            confidence_of(memory, told)
        else:
            dealt = deal([one.conversation.name for one in told], chosen.folds)
            fold = {name: number for number, some in enumerate(dealt) for name in some}
            weights_of([each for one in told for each in asked(memory, one, fold[one.conversation.name])], chosen.folds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
