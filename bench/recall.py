"""How well recall finds evidence: LoCoMo (turns and sessions), BEAM 100K (messages), FactConsolidation (facts).

Public contract only: engrain.open in a temporary folder, remember_many, recall. One configuration for all sets.

    python -m bench.recall                     the table, with the mean of each conversation
    python -m bench.recall --by-category       and per category
    python -m bench.recall --folds 5           and per fold of conversations, with the deviation between folds
    python -m bench.recall --questions FILE    and each question with what was found, as JSON lines
    python -m bench.recall --ablate            what each part of the score is worth: the table without it

Data: see bench/sets.py; what is absent is named and left out. A file of questions quotes the sets: their licences hold
for it too.

Measures: recall@10 is the share of a question's evidence among the first ten hits, averaged over questions that have
evidence; for sessions, among the first ten sessions of fifty hits; top 1 and top 10 of FactConsolidation are the share
of questions whose first, or one of whose first ten, hits holds the current answer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

if not __package__:  # started by its path: the project's root is not yet on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engrain
from bench.sets import DATA, FILES, Question, Told, deal, digest, present, tell
from engrain.recall.rank import Weights

ABLATED = ("words", "wide", "session", "meaning", "around", "speaker", "user", "news", "asks", "when", "spread")
LIMITS = {"locomo": 50}  # hits asked for; 10 for the others
MULTI_HOP = "LoCoMo multi-hop turn recall@10"  # one category of the turns, with a row of its own


@dataclass(frozen=True)
class Row:
    """One question under one measure. ``first`` is the place of the first right unit, from 1; None: not found."""

    measure: str
    conversation: str
    category: str
    number: int
    question: str
    value: float
    first: int | None
    gold: list[str]
    found: list[str]


def share(found: Sequence[Any], question: Question) -> tuple[float, list[bool]]:
    """The share of the evidence that was found, and which of the found is evidence."""
    return len(question.gold.intersection(found)) / len(question.gold), [unit in question.gold for unit in found]


def holds(found: Sequence[str], question: Question) -> tuple[float, list[bool]]:
    """Whether a found text holds an answer, and which do."""
    right = [any(answer in text.lower() for answer in question.gold) for text in found]
    return float(any(right)), right


def sessions(question: Question) -> Question:
    """The same question about sessions: a turn ``D3:7`` lies in session ``D3``."""
    return replace(question, gold=frozenset(turn.split(":")[0] for turn in question.gold))


Judge = Callable[[list[Any], Question], tuple[list[Any], tuple[float, list[bool]]]]


def _chapters(hits: list[Any], question: Question) -> tuple[list[Any], tuple[float, list[bool]]]:
    found = list(dict.fromkeys(turn.split(":")[0] for turn in hits))[:10]
    return found, share(found, sessions(question))


# set -> measure -> (hits, question) -> (what counts, (value, which are right))
MEASURES: dict[str, dict[str, Judge]] = {
    "locomo": {
        "LoCoMo turn recall@10": lambda hits, question: (hits[:10], share(hits[:10], question)),
        "LoCoMo session recall@10": _chapters,
    },
    "beam": {"BEAM 100K message recall@10": lambda hits, question: (hits[:10], share(hits[:10], question))},
    "facts single": {
        "FactConsolidation single hop, top 1": lambda hits, question: (hits[:1], holds(hits[:1], question))
    },
    "facts multi": {
        "FactConsolidation multi hop, top 10": lambda hits, question: (hits[:10], holds(hits[:10], question))
    },
}


def ask(told: Iterable[Told]) -> list[Row]:
    """Every question of these conversations, under every measure of its set."""
    rows = []
    for one in told:
        talk = one.conversation
        for question in talk.questions:
            hits = one.hits(question, LIMITS.get(talk.set, 10))
            for measure, judge in MEASURES[talk.set].items():
                found, (value, right) = judge(hits, question)
                first = right.index(True) + 1 if True in right else None
                gold = sorted(map(str, question.gold))
                rows.append(
                    Row(
                        measure,
                        talk.name,
                        question.category,
                        question.number,
                        question.text,
                        value,
                        first,
                        gold,
                        [str(unit) for unit in found],
                    )
                )
    return rows


def mean(rows: Sequence[Row]) -> float:
    """In per cent."""
    return 100 * statistics.fmean(row.value for row in rows)


def by(rows: Iterable[Row], name: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Rows in groups, in order of first appearance."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(name(row), []).append(row)
    return groups


def measured(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Measure -> its questions; multi-hop turns are a measure too."""
    groups = by(rows, lambda row: row.measure)
    hops = [row for row in groups.get("LoCoMo turn recall@10", []) if row.category == "multi-hop"]
    return groups | ({MULTI_HOP: hops} if hops else {})


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Measure -> mean over questions, in per cent."""
    return {name: mean(group) for name, group in measured(rows).items()}


def ablation(told: list[Told], memory: engrain.Memory) -> dict[str, dict[str, float]]:
    """The means without each signal or lift. The one place of this file that reaches below the contract."""
    known = {field.name for field in fields(Weights)}
    found = {}
    for part in ABLATED:
        assert part in known
        without: dict[str, Any] = {part: 1.0 if part == "spread" else 0.0}  # what multiplies is left out by 1
        memory.recaller._weights = replace(Weights(), **without)
        found[f"without {part}"] = means(ask(told))
    memory.recaller._weights = Weights()
    return found


def print_measure(rows: list[Row], table: dict[str, float], chosen: argparse.Namespace) -> None:
    """One measure: the mean, each ablation beside it, conversations, folds, categories."""
    for label, value in table.items():
        print(f"  {label:18s} {value:5.1f}" + ("" if label == "all" else f"  {value - table['all']:+5.1f}"))
    talks = {name: mean(group) for name, group in by(rows, lambda row: row.conversation).items()}
    worst = min(talks, key=lambda name: talks[name])
    print(f"    n={len(rows)}; worst conversation {worst} {talks[worst]:.1f}; "
          + ", ".join(f"{name} {value:.1f}" for name, value in talks.items()))  # fmt: skip
    if chosen.folds:
        folds = [[row for row in rows if row.conversation in names] for names in deal(list(talks), chosen.folds)]
        values = [mean(fold) for fold in folds if fold]
        deviation = f", deviation {statistics.stdev(values):.1f}" if len(values) > 1 else ""
        print("    folds " + " ".join(f"{value:.1f}" for value in values) + deviation)
    if chosen.by_category:
        for category, group in sorted(by(rows, lambda row: row.category).items()):
            print(f"    {category:26s} {mean(group):5.1f}  n={len(group)}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--by-category", action="store_true")
    parser.add_argument("--folds", type=int, default=0, help="number of folds of conversations")
    parser.add_argument("--questions", type=Path, metavar="FILE", help="each question as a JSON line")
    parser.add_argument("--ablate", action="store_true")
    parser.add_argument("--sets", nargs="+", choices=FILES, default=list(FILES))
    parser.add_argument("--embedder", default="static")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    names = [name for name in present() if name in chosen.sets]
    for name in (name for name in chosen.sets if name not in names):
        print(f"absent, left out: {DATA / FILES[name]}", file=sys.stderr)
    if not names:
        return 1
    with tempfile.TemporaryDirectory() as home, engrain.open(home, embedder=chosen.embedder) as memory:
        started = time.perf_counter()
        told = tell(memory, names)
        rows = ask(told)
        seconds = time.perf_counter() - started
        table = {"all": means(rows)} | (ablation(told, memory) if chosen.ablate else {})
    if chosen.questions:
        with chosen.questions.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(row)) + "\n" for row in rows)
    hashes = {name: digest(name) for name in names}
    if chosen.json:
        report = {"data": hashes, "embedder": chosen.embedder, "seconds": round(seconds, 1), "means": table}
        print(json.dumps(report | {"questions": [asdict(row) for row in rows]}, indent=1))
        return 0
    print(f"engrain {engrain.__version__}, embedder {chosen.embedder}, {seconds:.0f} s; data "
          + ", ".join(f"{name} {value}" for name, value in hashes.items()))  # fmt: skip
    for measure, group in measured(rows).items():
        print(f"\n{measure}")
        print_measure(group, {label: row[measure] for label, row in table.items()}, chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
