"""What feedback on some questions does to others: LoCoMo, half of a conversation's questions against the other half.

Public contract only. One half of a conversation's questions is asked (limit 20) and each evidence turn among the hits
is called helpful, at --negatives N also the first N other hits unhelpful, at --told N for the first N questions only;
then the other half is asked, and all that again the other way round. Turn recall@10 of the half without feedback:

    before     without any feedback
    votes      with the helpful votes of the items, the adaptation reset
    adapted    with votes and adaptation, after the home was closed and opened again

    python bench/adapt.py [--splits 2] [--negatives 0] [--told N] [--json]

``new`` are the questions of which no evidence turn got a vote: what is learned, not remembered. Data: see bench.sets.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

if not __package__:  # started by its path: the project's root is not yet on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engrain
from bench.sets import DATA, FILES, Conversation, Question, locomo

LIMIT = 20
RESAMPLES = 2000


def ask(agent: engrain.Agent, place: dict[str, str], questions: list[Question]) -> list[float]:
    """Turn recall@10 of each question."""
    shares = []
    for question in questions:
        hits = {place[hit.item.id] for hit in agent.recall(question.text, limit=10)}
        shares.append(len(question.gold & hits) / len(question.gold))
    return shares


def tell(agent: engrain.Agent, place: dict[str, str], questions: list[Question], negatives: int) -> set[str]:
    """Feedback on what is shown; the turns that were called helpful."""
    helped = set()
    for question in questions:
        others = 0
        for hit in agent.recall(question.text, limit=LIMIT):
            if (turn := place[hit.item.id]) in question.gold:
                agent.helpful(hit.item.id, True)
                helped.add(turn)
            elif others < negatives:
                agent.helpful(hit.item.id, False)
                others += 1
    return helped


def measure(splits: int, negatives: int, most: int | None) -> list[dict[str, Any]]:
    """One record a question that got no feedback itself, split and variant."""
    records = []
    for talk in locomo():
        for split in range(splits):
            rng = random.Random(f"{talk.name}:{split}")
            shuffled = rng.sample(talk.questions, len(talk.questions))
            half = len(shuffled) // 2
            for told, asked in ((shuffled[:half], shuffled[half:]), (shuffled[half:], shuffled[:half])):
                records += _one(talk, told[:most], asked, negatives)
    return records


def _one(talk: Conversation, told: list[Question], asked: list[Question], negatives: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as home:
        with engrain.open(home) as memory:
            agent = memory.agent("reader")
            place = {item.id: turn for item, turn in zip(agent.remember_many(talk.rows), talk.units, strict=True)}
            before = ask(agent, place, asked)
            helped = tell(agent, place, told, negatives)
        with engrain.open(home) as memory:
            agent = memory.agent("reader")
            adapted = ask(agent, place, asked)
            status = agent.adaptation()
            agent.reset_adaptation()
            votes = ask(agent, place, asked)
    return [
        {
            "conversation": talk.name,
            "question": question.number,
            "on": status["on"],
            "new": not question.gold & helped,
            "before": one,
            "votes": two,
            "adapted": three,
        }
        for question, one, two, three in zip(asked, before, votes, adapted, strict=True)
    ]


def row(name: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Means in per cent, the gain over before and its 95 % bootstrap interval over questions, however often each was
    asked."""
    count = max(1, len(records))
    mean = {key: 100 * sum(one[key] for one in records) / count for key in ("before", "votes", "adapted")}
    by_question: dict[tuple[str, int], list[float]] = {}
    for one in records:
        gain = 100 * (one["adapted"] - one["before"])
        by_question.setdefault((one["conversation"], one["question"]), []).append(gain)
    gains = [(sum(some), len(some)) for some in by_question.values()]
    rng = random.Random(0)
    drawn = []
    for _ in range(RESAMPLES):
        some = rng.choices(gains, k=len(gains)) if gains else [(0.0, 1)]
        drawn.append(sum(total for total, _ in some) / sum(times for _, times in some))
    drawn.sort()
    return {
        "name": name,
        "questions": len(records),
        "on": sum(one["on"] for one in records) / count,
        **mean,
        "gain": mean["adapted"] - mean["before"],
        "low": drawn[int(0.025 * len(drawn))],
        "high": drawn[int(0.975 * len(drawn))],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--splits", type=int, default=2, help="ways to halve each conversation's questions (2)")
    parser.add_argument("--negatives", type=int, default=0, help="other hits that are called unhelpful a question (0)")
    parser.add_argument("--told", type=int, help="questions of a half that get feedback; left out: all")
    parser.add_argument("--json", action="store_true", help="the rows of the table as JSON")
    chosen = parser.parse_args()
    if not (DATA / FILES["locomo"]).is_file():
        print(f"absent: {DATA / FILES['locomo']}; ENGRAIN_DATA names the folder of the data", file=sys.stderr)
        return 1
    records = measure(chosen.splits, chosen.negatives, chosen.told)
    names = sorted({one["conversation"] for one in records})
    rows = [row("all", records)]
    rows += [row("evidence new", [one for one in records if one["new"]])]
    rows += [row("evidence voted on", [one for one in records if not one["new"]])]
    rows += [row(n, [one for one in records if one["conversation"] == n]) for n in names]
    if chosen.json:
        print(json.dumps(rows, indent=1))
        return 0
    print(f"engrain {engrain.__version__}, {chosen.splits} splits, {chosen.negatives} negatives; turn recall@10")
    print(f"{'':20s} {'asked':>6s} {'on':>5s} {'before':>7s} {'votes':>6s} {'adapted':>8s} {'gain':>6s}  95 % interval")
    for one in rows:
        print(
            f"{one['name']:20s} {one['questions']:6d} {one['on']:5.0%} {one['before']:7.1f} {one['votes']:6.1f} "
            f"{one['adapted']:8.1f} {one['gain']:+6.2f}  {one['low']:+.2f} to {one['high']:+.2f}"
        )
    worst = min(rows[3:], key=lambda one: one["gain"])
    print(f"worst: {worst['name']}, {worst['gain']:+.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
