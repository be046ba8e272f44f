"""What discovery finds in synthetic worlds in which the truth is known.

    python bench/discover.py                # 200 seeds of each world, Markdown on stdout
    python bench/discover.py --seeds 20

A world's tasks have a framework (three), a size (a number), a flag and four actions; with the flag tasks are easy
(solved in 75 %, else in 25 %, whatever is done). Nothing: no action is better. Confounded: neither, but where tasks are
easy another action is chosen for the most part. Always: one action is better by so much. When: one is better only under
one framework. It is looked each time a task has come in that makes a look, so that "wrong" is the share of worlds in
which anything that is not so was ever said.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engrain.patterns.discover import Case, discover, look

ACTIONS = ("one", "two", "three", "four")
SIZES = (60, 120, 300, 1_000)
WORLDS = (("nothing", 0.0), ("confounded", 0.0), ("always", 0.25), ("always", 0.5), ("when", 0.4), ("when", 0.7))


def world(kind: str, gain: float, n: int, seed: int) -> list[Case]:
    """The tasks of a world, in order."""
    dice, found = random.Random(f"{kind} {gain} {seed}"), []
    for at in range(n):
        state = {"framework": dice.choice("abc"), "size": round(dice.random(), 2), "flag": dice.random() < 0.5}
        action = dice.choice(ACTIONS)
        if kind == "confounded" and dice.random() < 0.6:
            action = "one" if state["flag"] else "two"
        better = action == "one" and (kind == "always" or (kind == "when" and state["framework"] == "a"))
        chance = (0.75 if state["flag"] else 0.25) + (gain if better else 0.0)
        solved = dice.random() < chance
        found.append(Case(f"{at:06d}", f"task:{at}", str(at), action, state, "{}", "", solved, "executed", at))
    return found


def looks(n: int) -> Iterator[int]:
    """The numbers of tasks at which something new may be found."""
    yield from sorted({look(size)[0] for size in range(n + 1)} - {0})


def told(kind: str, gain: float, n: int, seed: int) -> tuple[set[tuple[str, str, str]], set[tuple[str, str, str]]]:
    """(all that was ever said of a world, what is said at its end): (condition, action, polarity)."""
    cases = world(kind, gain, n, seed)
    ever: set[tuple[str, str, str]] = set()
    last: set[tuple[str, str, str]] = set()
    for size in looks(n):
        drafts = discover("build", cases[:size])
        last = {(draft.title.partition(":")[0], str(draft.rule["action"]), draft.polarity) for draft in drafts}
        ever |= last
    return ever, last


def right(kind: str, one: tuple[str, str, str]) -> bool:
    """Whether a finding is true: the better action is better; under any condition that leaves it so."""
    where, action, polarity = one
    if kind in ("nothing", "confounded"):
        return False
    if kind == "when" and "framework is" in where and "framework is a" not in where:
        return False
    return (action == "one") == (polarity == "do")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    seeds = range(parser.parse_args().seeds)
    print("| world | gain | tasks | found | wrong, ever | seconds |\n|---|---|---|---|---|---|")
    for kind, gain in WORLDS:
        for n in SIZES:
            begun = time.process_time()
            found, wrong = [], []
            for seed in seeds:
                ever, last = told(kind, gain, n, seed)
                found.append(any(right(kind, one) and one[1] == "one" for one in last))
                wrong.append(any(not right(kind, one) for one in ever))
            seconds = (time.process_time() - begun) / len(seeds)
            hit = f"{statistics.mean(found):.0%}" if gain else ""
            print(
                f"| {kind} | {gain or ''} | {n:,} | {hit} | {statistics.mean(wrong):.1%} | {seconds:.2f} |", flush=True
            )


if __name__ == "__main__":
    main()
