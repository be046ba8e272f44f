"""Whether dreaming helps: homes that dream every 300 decisions beside the same homes without dreams.

Each home takes 1,200 verified decisions in one of four worlds. The same seed gives both homes the same cases and the
same luck, so until a dream promotes something they are the same bit for bit, and where no dream does the second one
need not be run. What counts is the true chance of success of what was done, not what chance made of it.

- ``repeating``: 20 states of three features, one of which says which of five actions is best.
- ``linear``: two numbers; the chance of each of four actions rises along one direction of them.
- ``threshold``: a number and a feature that says nothing; which of four actions is best changes at three thresholds.
- ``episodes``: three decisions each, where what is best at once leads to where little succeeds. The online learner
  looks no further than one decision, so here only a dream can find what is best.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.learning_table import Table
from engrain import Outcome, open
from engrain.testing import SimulatedWorld

DECISIONS, EVERY = 1_200, 300
WORSE = 0.005  # of success, less than which is taken for the same
State = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """``begin`` draws a case; ``chance`` is that of an action's success in a state; ``then`` is the state it leads to,
    None where the episode ends."""

    name: str
    actions: Sequence[str]
    begin: Callable[[random.Random], State]
    chance: Callable[[State, str], float]
    then: Callable[[State, str], State | None] | None = None


@dataclass
class Home:
    """What came of one: the chance of success of each decision, and what each dream found."""

    chances: list[float] = field(default_factory=list)
    found: list[tuple[str, str]] = field(default_factory=list)
    rolled_back: int = 0

    @property
    def success(self) -> float:
        """The mean from the first dream on."""
        return statistics.mean(self.chances[EVERY:])

    @property
    def promoted(self) -> int:
        return sum(outcome == "promoted" for outcome, _ in self.found)


KINDS = ("flaky", "build", "deps", "perf", "config")
FIVE = ("rerun", "bisect", "pin", "revert", "ask")
FOUR = ("a", "b", "c", "d")
TO = {"a": (1, 0), "b": (-1, 0), "c": (0, 1), "d": (0, -1)}
LATER = {
    "plain": {"plain": 0.4, "careful": 0.3, "wait": 0.2},
    "careful": {"plain": 0.5, "careful": 0.8, "wait": 0.3},
    "wait": {"plain": 0.4, "careful": 0.4, "wait": 0.2},
    "": {"plain": 0.7, "careful": 0.4, "wait": 0.2},  # the first decision
}


def _repeating(state: State, action: str) -> float:
    return 0.75 if FIVE[KINDS.index(state["kind"])] == action else 0.35


def _linear(state: State, action: str) -> float:
    x, y = TO[action]
    return 0.5 + 0.8 * float(x * (state["x"] - 0.5) + y * (state["y"] - 0.5))


def _threshold(state: State, action: str) -> float:
    best = sum(state["size"] >= edge for edge in (20, 50, 80))
    return 0.8 if FOUR[best] == action else 0.4


def _on(state: State, action: str) -> State | None:
    return None if state["step"] == 2 else {"step": state["step"] + 1, "way": state["way"] or action}


PLACES = (
    Place(
        "repeating", FIVE,
        lambda r: {"kind": r.choice(KINDS), "size": r.choice(("s", "l")), "lang": r.choice(("py", "go"))}, _repeating,
    ),
    Place("linear", FOUR, lambda r: {"x": r.randrange(21) / 20, "y": r.randrange(21) / 20}, _linear),
    Place("threshold", FOUR, lambda r: {"size": r.randrange(100), "lang": r.choice(("py", "go", "js"))}, _threshold),
    Place("episodes", tuple(LATER["plain"]), lambda r: {"step": 0, "way": ""}, lambda s, a: LATER[s["way"]][a], _on),
)  # fmt: skip


def lived(place: Place, seed: int, dreams: bool) -> Home:
    """One home of a world, decision by decision."""
    found, state, begun = Home(), None, 0
    world = SimulatedWorld("2026-01-01T09:00:00Z", seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        memory = open(folder, world=world, embedder="hash")
        agent = memory.agent("worker")
        for number in range(DECISIONS):
            luck = random.Random(f"{place.name} {seed} {number}")
            case, coin = place.begin(luck), luck.random()
            if state is None:
                state, begun = case, number
            name = f"run-{begun}" if place.then else None
            advice = agent.advise("task", state=state, options=place.actions, episode=name)
            chance = place.chance(state, str(advice.action))
            agent.observe(advice, Outcome(success=coin < chance, evidence="verified"))
            found.chances.append(chance)
            state = place.then(state, str(advice.action)) if place.then else None
            world.advance(minutes=10)
            if dreams and (number + 1) % EVERY == 0 and number + 1 < DECISIONS:
                told = memory.dream().findings["findings"]
                found.found += [(one["outcome"], one["reason"] or "") for one in told]
        found.rolled_back = sum(one.event == "rolled-back" for one in memory.policy_history())
        memory.close()
    return found


def run(quick: bool) -> Sequence[Table]:
    """Success with and without dreams, and whom dreaming made worse."""
    seeds, rows, said = 10 if quick else 30, [], Counter[str]()
    checks: list[tuple[str, float, float, bool]] = []
    for place in PLACES:
        homes = [lived(place, seed, True) for seed in range(seeds)]
        plain = [lived(place, seed, False) if one.promoted else one for seed, one in enumerate(homes)]
        gains = [one.success - other.success for one, other in zip(homes, plain, strict=True)]
        changed = sum(one.promoted > 0 for one in homes)
        worse, better = sum(gain < -WORSE for gain in gains), sum(gain > WORSE for gain in gains)
        best = (
            f"{statistics.mean(one.success for one in plain):.3f}",
            f"{statistics.mean(o.success for o in homes):.3f}",
        )
        error = statistics.stdev(gains) / seeds**0.5
        rows.append([
            place.name, *best, f"{statistics.mean(gains):+.3f} ± {error:.3f}", f"{changed} of {seeds}",
            f"{sum(one.promoted for one in homes)}", f"{sum(one.rolled_back for one in homes)}", f"{better}",
            f"{worse} ({worse / seeds:.0%})",
        ])  # fmt: skip
        checks.append((f"{place.name}: gain", statistics.mean(gains) + 2.0 * error, 0.0, True))
        for home in homes:
            said.update(_in_short(*one) for one in _after(home.found))
    columns = ["world", "without dreams", "with", "gain", "homes with a promotion", "promotions", "rolled back",
               "homes better", "homes worse"]  # fmt: skip
    note = (
        f"Chance of success of decisions {EVERY + 1} to {DECISIONS:,}, {seeds} homes each, a dream every {EVERY}. "
        f"Better and worse: by more than {WORSE}. Mean gain ± standard error."
    )
    later = [[reason, f"{n}"] for reason, n in said.most_common()]
    return [
        Table("homes that dream and homes that do not", columns, rows, note, checks),
        Table("what dreams said after a first promotion", ["verdict", "times"], later),
    ]


def _after(found: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    first = next((at for at, one in enumerate(found) if one[0] == "promoted"), len(found))
    return found[first + 1 :]


def _in_short(outcome: str, reason: str) -> str:
    """A verdict without its numbers."""
    if outcome == "refused":
        return reason.partition(":")[0].partition(".")[0]
    return outcome


if __name__ == "__main__":
    for table in run(True):
        print(table.text())
