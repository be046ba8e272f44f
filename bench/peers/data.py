"""What every system is given in the comparison: made-up memories of many agents, and questions about them.

Each memory is 40 to 120 words drawn from 20,000 made-up ones by a Zipf law (exponent 1.07), with a ready-made unit
vector of 384 numbers around one of 1,000 centres; 100 agents have equal chances. Each of the 200 questions lies near
one stored memory: its vector disturbed, and eight of its words, common ones among them. The same number and seed give
the same data; it is made once and read from files, so that two versions of numpy cannot make it differ.

Clustered random vectors are kinder to approximate indexes than real ones: trust the times, not the recall of an index.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DIM, AGENTS, QUESTIONS, SPARE = 384, 100, 200, 400
WORDS, ZIPF, CENTRES = 20_000, 1.07, 1000
START, STEP = 1.76e9, 30.0  # seconds since 1970 of the first memory, and between two


def vocabulary(rng: np.random.Generator) -> list[str]:
    """Pronounceable words of one to four syllables, half of them closed, all different, the commonest first."""
    drawn = 3 * WORDS  # a third would be enough, were there no doubles among the short ones
    consonants = rng.choice(list("bcdfghjklmnprstvwz"), (drawn, 5)).tolist()
    vowels = rng.choice(list("aeiou"), (drawn, 4)).tolist()
    lengths, closed = rng.integers(1, 5, drawn).tolist(), (rng.random(drawn) < 0.5).tolist()
    words = dict.fromkeys(
        "".join(map(str.__add__, consonants[i][: lengths[i]], vowels[i])) + consonants[i][4] * closed[i]
        for i in range(drawn)
    )
    return list(words)[:WORDS]


def unit(vectors: Any) -> Any:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@dataclass
class Data:
    """``n`` memories, those of one agent together, then SPARE more to be written one by one."""

    n: int
    texts: list[str]
    vectors: Any  # float32[n + SPARE, DIM]
    agents: Any  # int[n + SPARE]
    asked: list[str]
    asked_vectors: Any  # float32[QUESTIONS, DIM]
    sources: Any  # int[QUESTIONS]: the memory that each question is about

    def record(self, row: int) -> dict[str, Any]:
        """One memory with what an application would keep beside it."""
        return {
            "id": f"m{row:08d}",
            "agent": f"a{self.agents[row]:03d}",
            "text": self.texts[row],
            "vector": self.vectors[row],
            "kind": ("context", "learning", "preference", "fact", "event")[row % 5],
            "importance": 1.0 + row * 7 % 90 / 10,
            "time": START + row * STEP,
        }

    def agent_of(self, question: int) -> str:
        return f"a{self.agents[self.sources[question]]:03d}"

    def nearest(self, question: int, stored: int, k: int) -> set[str]:
        """Ids of the exact ``k`` nearest of the asked agent's first ``stored`` memories."""
        mine = np.flatnonzero(self.agents[:stored] == self.agents[self.sources[question]])
        scores = self.vectors[mine] @ self.asked_vectors[question]
        return {f"m{row:08d}" for row in mine[np.argsort(-scores)[:k]]}

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "vectors.npy", self.vectors)
        np.savez(folder / "rest.npz", agents=self.agents, asked_vectors=self.asked_vectors, sources=self.sources)
        (folder / "texts.json").write_text(json.dumps([self.n, self.texts, self.asked]), encoding="utf-8")


def load(folder: Path) -> Data:
    """What ``save`` left there."""
    n, texts, asked = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    rest = np.load(folder / "rest.npz")
    vectors = np.load(folder / "vectors.npy")
    return Data(n, texts, vectors, rest["agents"], asked, rest["asked_vectors"], rest["sources"])


def make(n: int, seed: int = 7) -> Data:
    """Draw the data."""
    rng = np.random.default_rng(seed)
    total = n + SPARE
    vectors = rng.standard_normal((CENTRES, DIM), dtype=np.float32)[rng.integers(0, CENTRES, total)]
    for start in range(0, total, 65_536):
        part = vectors[start : start + 65_536]
        part += 0.8 * rng.standard_normal(part.shape, dtype=np.float32)
    vectors = unit(vectors)
    agents = np.concatenate([np.sort(rng.integers(0, AGENTS, n)), rng.integers(0, AGENTS, SPARE)])
    words = np.array(vocabulary(np.random.default_rng(1)), dtype=object)
    chances = 1.0 / np.arange(1, WORDS + 1) ** ZIPF
    lengths = rng.integers(40, 121, total)
    ends = np.cumsum(lengths)
    tokens = np.searchsorted(np.cumsum(chances / chances.sum()), rng.random(ends[-1])).clip(max=WORDS - 1)
    told = [tokens[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    sources = rng.choice(n, QUESTIONS, replace=n < QUESTIONS)
    disturbed = vectors[sources] + 0.5 / np.sqrt(DIM) * rng.standard_normal((QUESTIONS, DIM), dtype=np.float32)
    asked = [" ".join(words[rng.choice(told[source], 8, replace=False)]) for source in sources]
    return Data(n, [" ".join(words[each]) for each in told], vectors, agents, asked, unit(disturbed), sources)
