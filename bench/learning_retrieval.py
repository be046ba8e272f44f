"""Retrieval of experience: tasks come one after the other; for each the most similar earlier one is asked for.

A task is remembered as its instruction, once more with what was done (SQL), once more as turns of one session; engrain
is asked by ``recall(instruction)`` alone. Worth of what is found, 0..1: the overlap (Jaccard) of the skills that both
tasks require, which nobody is told; of WebArena's intents, whether both come of one template. Anchors: BM25 (k1 1.2, b
0.75) and TF-IDF (words and pairs, sublinear, cosine), both with the statistics of the whole set, later tasks included,
as their published figures have them.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

import engrain
from bench.learning_table import DATA, Table

Floats = npt.NDArray[np.float64]
BEST = 5  # hits of which the best is looked at, too
REACH = 0.5  # top 1 of each LifelongAgentBench set


@dataclass(frozen=True)
class Stream:
    """``asked``: the instructions, in order. ``done``: what was done, where it is known. ``worth`` [tasks, tasks]."""

    name: str
    asked: Sequence[str]
    done: Sequence[str]
    worth: Floats


def lifelong(name: str) -> Stream:
    """LifelongAgentBench (Zheng et al., 2025): tasks with the skills that they require."""
    tasks = _lines(name)
    skills = [set(task["skills"]) for task in tasks]
    worth = np.array([[len(one & other) / max(1, len(one | other)) for other in skills] for one in skills])
    return Stream(name, [task["instruction"] for task in tasks], [task.get("sql", "") for task in tasks], worth)


def webarena() -> Stream:
    """WebArena's intents (Zhou et al., 2023) in random order: nearly every retriever finds the template again."""
    tasks = _lines("webarena_intents")
    tasks = [tasks[place] for place in np.random.default_rng(0).permutation(len(tasks))]
    of = np.array([task["template_id"] for task in tasks])
    intents = [f"{task['intent']} {' '.join(task['sites'])}" for task in tasks]
    return Stream("webarena_intents", intents, [""] * len(tasks), (of[:, None] == of).astype(float))


def _lines(name: str) -> list[dict[str, Any]]:
    text = (DATA / "experience-retrieval" / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def engrain_finds(stream: Stream, row: Callable[[int], dict[str, Any]]) -> list[list[int]]:
    """The earlier tasks that recall gives, best first; ``row``: how task i is remembered."""
    found = []
    with tempfile.TemporaryDirectory() as home, engrain.open(home) as memory:
        agent, place = memory.agent("solver"), {}
        for number, asked in enumerate(stream.asked):
            found.append([place[hit.item.id] for hit in agent.recall(asked, limit=BEST)])
            place.setdefault(agent.remember(**row(number)).id, number)
    return found


def anchor_finds(scores: Floats) -> list[list[int]]:
    """The same for a matrix of scores [task, earlier task]."""
    return [np.argsort(-scores[number, :number], kind="stable")[:BEST].tolist() for number in range(len(scores))]


def bm25(texts: Sequence[str], k1: float = 1.2, b: float = 0.75) -> Floats:
    """Robertson and Zaragoza, 2009; each word of a question once. Shape [question, item]."""
    counts = _counts([re.findall(r"[a-z0-9]+", text.lower()) for text in texts])
    held = (counts > 0).sum(axis=0)
    idf = np.log1p((len(texts) - held + 0.5) / (held + 0.5))
    norm = k1 * (1 - b + b * counts.sum(axis=1, keepdims=True) / counts.sum(axis=1).mean())
    scores: Floats = (counts > 0) @ (idf * counts * (k1 + 1) / (counts + norm)).T
    return scores


def tf_idf(texts: Sequence[str]) -> Floats:
    """Words of two letters and more, and their pairs; 1 + ln tf; smoothed idf; cosine. Shape [question, item]."""
    words = [re.findall(r"\b\w\w+\b", text.lower()) for text in texts]
    counts = _counts([[*one, *pairwise(one)] for one in words])
    held = (counts > 0).sum(axis=0)
    with np.errstate(divide="ignore"):
        weights = np.where(counts > 0, 1 + np.log(counts), 0) * (np.log((1 + len(texts)) / (1 + held)) + 1)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    scores: Floats = weights @ weights.T
    return scores


def _counts(texts: Sequence[Sequence[Any]]) -> Floats:
    known: dict[Any, int] = {}
    rows = [{known.setdefault(word, len(known)): n for word, n in Counter(text).items()} for text in texts]
    out = np.zeros((len(texts), len(known)))
    for line, row in zip(out, rows, strict=True):
        line[list(row)] = list(row.values())
    return out


def judged(stream: Stream, found: Sequence[Sequence[int]]) -> tuple[Floats, Floats]:
    """(worth of the first, of the best of five) for each task that an earlier one could help; nothing found is 0."""
    kept = [n for n in range(1, len(found)) if stream.worth[n, :n].max() > 0]
    worth = [stream.worth[n, list(found[n])] if found[n] else np.zeros(1) for n in kept]
    return np.array([one[0] for one in worth]), np.array([one.max() for one in worth])


def table(stream: Stream, quick: bool) -> Table:
    """All ways of one stream."""
    if quick:
        stream = Stream(stream.name, stream.asked[:150], stream.done[:150], stream.worth[:150, :150])
    ways = {
        "BM25": anchor_finds(bm25(stream.asked)),
        "TF-IDF": anchor_finds(tf_idf(stream.asked)),
        "engrain": engrain_finds(stream, lambda n: {"content": stream.asked[n]}),
        "engrain, turns of one session": engrain_finds(stream, lambda n: {"content": stream.asked[n], "session": "s"}),
    }
    if any(stream.done):
        ways["engrain, with what was done"] = engrain_finds(
            stream, lambda n: {"content": f"{stream.asked[n]}\n{stream.done[n]}"}
        )
    values = {way: judged(stream, found) for way, found in ways.items()}
    anchor, half = values["BM25"][0], len(values["BM25"][0]) // 2
    rows = [["any earlier task", f"{_any(stream):.3f}", "", "", "", ""]]
    for way, (first, best) in values.items():
        halves = f"{first[:half].mean():.3f} / {first[half:].mean():.3f}"
        worse, better = (first < anchor).mean(), (first > anchor).mean()
        rows.append([way, f"{first.mean():.3f}", halves, f"{best.mean():.3f}", f"{worse:.1%}", f"{better:.1%}"])
    return Table(
        f"{stream.name}: the earlier task that recall puts first, {len(anchor)} tasks",
        ["", "top 1", "first / second half", "best of 5", "worse than BM25", "better"],
        rows,
        checks=[(f"{stream.name}: top 1", float(values["engrain"][0].mean()), REACH, True)]
        if stream.name.startswith("llb")
        else (),
    )


def _any(stream: Stream) -> float:
    """What an earlier task taken at random is worth."""
    earlier = [stream.worth[n, :n] for n in range(1, len(stream.asked))]
    return math.fsum(one.mean() for one in earlier if one.max() > 0) / sum(one.max() > 0 for one in earlier)


def run(quick: bool) -> list[Table]:
    """llb_os is measured where it is there, too."""
    there = [name for name in ("llb_db", "llb_os") if (DATA / "experience-retrieval" / f"{name}.jsonl").exists()]
    return [table(stream, quick) for stream in [*map(lifelong, there), webarena()]]
