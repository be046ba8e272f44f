"""Which pattern is chosen: synthetic worlds in which the best one is known.

    python bench/patterns.py                    # 200 seeds of each world, Markdown on stdout
    python bench/patterns.py --seeds 20 --blind # fewer, and without telling the task type
    python bench/patterns.py --seeds 3 --verbs  # every choice and outcome through an agent of a home

A world has three kinds of tasks and six patterns that are written for each; every task is solved with a probability
that depends on the pattern that was chosen. Relevance is that of ``agent.patterns``; beliefs and draws are computed by
the functions that it uses, in memory; ``--verbs`` plays some seeds through the verbs themselves. Regret: by how much
more often the best pattern would have solved the tasks, summed over them.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import engrain
from engrain.learn.reward import TIERS
from engrain.patterns.belief import VOICE, here, voice_of, worth
from engrain.patterns.search import CANDIDATES, Wanted

ROUNDS = 200  # tasks of a world
KNOWN = 0.7  # share of them whose outcome is told
TOPICS = {
    "test": ("test", "assert", "fixture", "mock", "coverage", "parametrize", "suite", "expectation", "stub", "verify"),
    "query": ("database", "query", "index", "join", "transaction", "table", "migration", "lock", "rows", "planner"),
    "deploy": (
        "deploy",
        "container",
        "rollout",
        "image",
        "cluster",
        "release",
        "canary",
        "health",
        "traffic",
        "registry",
    ),
}
COMMON = (
    *("slow", "flaky", "large", "legacy", "first", "again", "small", "step", "check", "retry", "split", "order"),
    *("measure", "isolate", "rewrite", "log", "cache"),
)
SIX = range(6)


@dataclass
class World:
    """``texts`` by pattern; ``tasks``: (topic, question) of each round; ``chance`` by (pattern, topic): that it solves
    such a task; ``told``: what was said of patterns before: (pattern, topic, success, evidence, teller, source)."""

    texts: list[tuple[str, str]]
    tasks: list[tuple[str, str]]
    chance: dict[tuple[int, str], float]
    told: list[tuple[int, str, bool, str, str, str | None]] = field(default_factory=list)
    relevance: dict[str, dict[int, float]] = field(default_factory=dict)


def base(rng: random.Random, lookalike: str = "any") -> World:
    """Patterns and tasks. ``lookalike``: which pattern is worded most like the questions: any, the worst, the best."""
    texts, chance, questions = [], {}, {}
    for number, (topic, words) in enumerate(TOPICS.items()):
        shares = [rng.uniform(0.1, 0.55) for _ in SIX]
        best = rng.randrange(6)
        shares[best] = rng.uniform(max(0.6, max(shares) + 0.1), 0.9)
        bad = min(SIX, key=lambda one: shares[one])
        asked = rng.sample(words, 5)
        questions[topic] = [f"{' '.join(rng.sample(asked, 4))} {' '.join(rng.sample(COMMON, 2))}" for _ in range(3)]
        for one in SIX:
            near = {"any": 3, "worst": 5 if one == bad else 2, "best": 5 if one == best else 2}[lookalike]
            held = rng.sample(asked, near) if near < 5 else asked
            rest = [word for word in words if word not in held]
            texts.append(
                (
                    " ".join(held[:3]),
                    " ".join([*held[3:], *rng.sample(rest, min(3, len(rest))), *rng.sample(COMMON, 4)]),
                )
            )
            for other in TOPICS:
                chance[number * 6 + one, other] = shares[one] if other == topic else rng.uniform(0.02, 0.15)
    names = list(TOPICS)
    tasks = [(topic := rng.choice(names), rng.choice(questions[topic])) for _ in range(ROUNDS)]
    return World(texts, tasks, chance)


def order(world: World, topic: str) -> list[int]:
    """The patterns of a topic, the worst first."""
    first = list(TOPICS).index(topic) * 6
    return sorted(range(first, first + 6), key=lambda one: world.chance[one, topic])


def plain(rng: random.Random) -> World:
    return base(rng)


def similar_is_bad(rng: random.Random) -> World:
    return base(rng, "worst")


def similar_is_best(rng: random.Random) -> World:
    return base(rng, "best")


def one_voice(rng: random.Random) -> World:
    """Somebody said of the two worst patterns of each topic thirty times that they worked, under made-up sources."""
    world = base(rng)
    for topic in TOPICS:
        for bad in order(world, topic)[:2]:
            world.told += [(bad, topic, True, "claimed", "praise", f"s{n}") for n in range(30)]
    return world


def early_luck(rng: random.Random) -> World:
    """A bad pattern of each topic worked three times by luck, the best one failed twice."""
    world = base(rng)
    for topic in TOPICS:
        ranked = order(world, topic)
        world.told += [(ranked[1], topic, True, "executed", "early", f"a{topic}{n}") for n in range(3)]
        world.told += [(ranked[-1], topic, False, "executed", "early", f"b{topic}{n}") for n in range(2)]
    return world


def popular(rng: random.Random) -> World:
    """A bad pattern of each topic was used forty times where everything works; the best one never."""
    world = base(rng)
    for topic in TOPICS:
        bad = order(world, topic)[1]
        world.told += [(bad, "easy", rng.random() < 0.95, "executed", "crowd", f"e{topic}{n}") for n in range(40)]
    return world


def one_source(rng: random.Random) -> World:
    """One run of a bad pattern of each topic is told twenty times over as executed, by five agents."""
    world = base(rng)
    for topic in TOPICS:
        bad = order(world, topic)[1]
        world.told += [(bad, topic, True, "executed", f"agent{n % 5}", f"run-{topic}") for n in range(20)]
    return world


WORLDS: dict[str, Callable[[random.Random], World]] = {
    "nothing misleads": plain,
    "the bad one looks right": similar_is_bad,
    "one teller praises bad ones": one_voice,
    "one run told many times": one_source,
    "early luck": early_luck,
    "popular for easy tasks": popular,
    "the best one looks right": similar_is_best,
}


class Chooser:
    """What chooses a pattern for a task, and hears what came of it."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world, self.rng = world, rng

    def choose(self, topic: str, relevance: dict[int, float]) -> int:
        raise NotImplementedError

    def hear(self, pattern: int, topic: str, success: bool, evidence: str, teller: str, source: str | None) -> None:
        """An outcome."""


class Similarity(Chooser):
    """The most relevant one."""

    def choose(self, topic: str, relevance: dict[int, float]) -> int:
        return max(relevance, key=lambda one: (relevance[one], -one))


class SuccessRate(Chooser):
    """The highest rate of success among the relevant; one that was never used has none (seed 001)."""

    def __init__(self, world: World, rng: random.Random) -> None:
        super().__init__(world, rng)
        self.counts: dict[int, list[int]] = {}

    def choose(self, topic: str, relevance: dict[int, float]) -> int:
        def rate(one: int) -> float:
            n, good = self.counts.get(one, (0, 0))
            return good / n if n else 0.0

        return max(relevance, key=lambda one: (rate(one), relevance[one], -one))

    def hear(self, pattern: int, topic: str, success: bool, evidence: str, teller: str, source: str | None) -> None:
        n, good = self.counts.get(pattern, [0, 0])
        self.counts[pattern] = [n + 1, good + success]


class SimilarityAndQ(Chooser):
    """0.5 z(similarity) + 0.5 z(Q), Q moved by 0.3 of the error, rewards ±1 (as MemRL ranks)."""

    def __init__(self, world: World, rng: random.Random) -> None:
        super().__init__(world, rng)
        self.q: dict[int, float] = {}

    def choose(self, topic: str, relevance: dict[int, float]) -> int:
        ids = sorted(relevance)
        both = [_z([relevance[one] for one in ids]), _z([self.q.get(one, 0.0) for one in ids])]
        return ids[max(range(len(ids)), key=lambda place: both[0][place] + both[1][place])]

    def hear(self, pattern: int, topic: str, success: bool, evidence: str, teller: str, source: str | None) -> None:
        before = self.q.get(pattern, 0.0)
        self.q[pattern] = before + 0.3 * ((1.0 if success else -1.0) - before)


def _z(values: Sequence[float]) -> list[float]:
    spread = statistics.pstdev(values)
    middle = statistics.fmean(values)
    return [(value - middle) / spread if spread else 0.0 for value in values]


class Engrain(Chooser):
    """What ``agent.patterns(…, explore=True)`` does; ``blind``: without a task type."""

    blind = False

    def __init__(self, world: World, rng: random.Random) -> None:
        super().__init__(world, rng)
        self.voices: dict[int, dict[tuple[str, str], tuple[float, float]]] = {}
        self.n = 0

    def choose(self, topic: str, relevance: dict[int, float]) -> int:
        most = max(relevance.values())
        scores = {one: worth(*self._sums(one, topic), told / most, self.rng)[0] for one, told in relevance.items()}
        return max(scores, key=lambda one: (scores[one], -one))

    def _sums(self, one: int, topic: str) -> tuple[float, float]:
        voices = self.voices.get(one, {})
        every: dict[str, tuple[float, float]] = {}
        mine = []
        for (lineage, task_type), (good, bad) in voices.items():
            g, b = every.get(lineage, (0.0, 0.0))
            every[lineage] = g + good, b + bad
            if task_type == topic:
                mine.append((good, bad))
        total = _capped(list(every.values()))
        return total if self.blind else here(total, _capped(mine))

    def hear(self, pattern: int, topic: str, success: bool, evidence: str, teller: str, source: str | None) -> None:
        self.n += 1
        lineage, _ = voice_of(teller, evidence, source, None, str(self.n))
        voices = self.voices.setdefault(pattern, {})
        good, bad = voices.get((lineage, topic), (0.0, 0.0))
        weight = TIERS[evidence]
        voices[lineage, topic] = (good + weight, bad) if success else (good, bad + weight)


def _capped(voices: Sequence[tuple[float, float]]) -> tuple[float, float]:
    shares = [max(1.0, (good + bad) / VOICE) for good, bad in voices]
    return (
        sum(good / share for (good, _), share in zip(voices, shares, strict=True)),
        sum(bad / share for (_, bad), share in zip(voices, shares, strict=True)),
    )


class Verbs(Chooser):
    """The same through ``patterns`` and ``use_pattern`` of agents of a home, where the patterns are public."""

    def __init__(self, memory: Any, world: World, name: str) -> None:
        super().__init__(world, random.Random(0))
        self.memory, self.name = memory, name
        agent = self.agent("worker")
        told = [(f"{title} {n}", text) for n, (title, text) in enumerate(world.texts)]
        made = [agent.add_pattern(*one, visibility="public") for one in told]
        self.ids = [one.id for one in made]

    def agent(self, teller: str) -> Any:
        return self.memory.agent(teller, tenant=self.name)

    def ask(self, topic: str, question: str) -> int:
        (hit, *_) = self.agent("worker").patterns(question, task_type=topic, explore=True, limit=1)
        return self.ids.index(hit.pattern.id)

    def hear(self, pattern: int, topic: str, success: bool, evidence: str, teller: str, source: str | None) -> None:
        self.agent(teller).use_pattern(self.ids[pattern], success, evidence=evidence, task_type=topic, source=source)


CHOOSERS: dict[str, type[Chooser]] = {
    "engrain": Engrain,
    "similarity": Similarity,
    "success rate": SuccessRate,
    "similarity + Q": SimilarityAndQ,
}


def weigh(world: World, agent: Any) -> None:
    """The relevance of every pattern to every question, as the bank has it."""
    numbers = {}
    for number, (title, content) in enumerate(world.texts):
        numbers[agent.add_pattern(f"{title} {number}", content).id] = number
    for question in sorted({question for _, question in world.tasks}):
        found = agent._memory.bank.search._asked(agent.scope, question, Wanted(), CANDIDATES, False)
        world.relevance[question] = {numbers[id_]: score for id_, score in zip(found.ids, found.scores, strict=True)}


def play(world: World, chooser: Chooser, rng: random.Random) -> float:
    """The regret of a chooser in a world."""
    for said in world.told:
        chooser.hear(*said)
    regret = 0.0
    for n, (topic, question) in enumerate(world.tasks):
        verbs = isinstance(chooser, Verbs)
        pattern = chooser.ask(topic, question) if verbs else chooser.choose(topic, world.relevance[question])
        chance = world.chance[pattern, topic]
        regret += max(world.chance[one, topic] for one in range(len(world.texts))) - chance
        success, known = rng.random() < chance, rng.random() < KNOWN
        if known:
            chooser.hear(pattern, topic, success, "executed", "worker", f"task-{n}")
    return regret


def run(seeds: int, blind: bool) -> dict[str, dict[str, list[float]]]:
    """Regrets by world and chooser, one for each seed."""
    found: dict[str, dict[str, list[float]]] = {}
    Engrain.blind = blind
    for name, make in WORLDS.items():
        found[name] = {chooser: [] for chooser in CHOOSERS}
        with tempfile.TemporaryDirectory() as home, engrain.open(home) as memory:
            for seed in range(seeds):
                world = make(random.Random(f"{name}/{seed}"))
                weigh(world, memory.agent(f"seed {seed}"))
                for chooser, kind in CHOOSERS.items():
                    made = kind(world, random.Random(f"draws/{seed}"))
                    found[name][chooser].append(play(world, made, random.Random(f"luck/{seed}")))
    return found


def by_verbs(seeds: int) -> str:
    """Mean regret of some seeds, through the verbs and in memory."""
    told: dict[str, list[float]] = {"verbs": [], "in memory": []}
    for name, make in WORLDS.items():
        with tempfile.TemporaryDirectory() as home, engrain.open(home) as memory:
            for seed in range(seeds):
                world, luck = make(random.Random(f"{name}/{seed}")), f"luck/{seed}"
                weigh(world, memory.agent(f"seed {seed}"))
                told["verbs"].append(play(world, Verbs(memory, world, f"t{seed}"), random.Random(luck)))
                told["in memory"].append(play(world, Engrain(world, random.Random(seed)), random.Random(luck)))
    return ", ".join(f"{name} {statistics.fmean(values):.1f}" for name, values in told.items())


def table(found: dict[str, dict[str, list[float]]]) -> str:
    """Mean regret and worst seed, by world."""
    lines = [f"| world | {' | '.join(f'{name}: mean, worst' for name in CHOOSERS)} |", f"|---|{'---|' * len(CHOOSERS)}"]
    for name, told in found.items():
        cells = [f"{statistics.fmean(told[one]):.1f}, {max(told[one]):.1f}" for one in CHOOSERS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    every = {one: [value for told in found.values() for value in told[one]] for one in CHOOSERS}
    cells = [f"**{statistics.fmean(every[one]):.1f}**, {max(every[one]):.1f}" for one in CHOOSERS]
    pairs = list(zip(every["engrain"], every["similarity"], strict=True))
    worse = sum(ours > theirs for ours, theirs in pairs)
    told_of = f"engrain's regret is above that of similarity alone in {worse} of {len(pairs)} worlds, "
    told_of += f"by {max(ours - theirs for ours, theirs in pairs):.1f} at most."
    return "\n".join([*lines, f"| all | {' | '.join(cells)} |", "", told_of])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--blind", action="store_true", help="the task type is not told")
    parser.add_argument("--verbs", action="store_true", help="through the verbs of an agent; slow")
    given = parser.parse_args()
    if given.verbs:
        print(by_verbs(given.seeds))
        return 0
    found = run(given.seeds, given.blind)
    print(table(found))
    every = {one: [value for told in found.values() for value in told[one]] for one in CHOOSERS}
    means = {one: statistics.fmean(values) for one, values in every.items()}
    good = means["engrain"] < min(means["similarity"], means["success rate"])
    return 0 if good and max(every["engrain"]) <= max(every["similarity"]) else 1


if __name__ == "__main__":
    sys.exit(main())
