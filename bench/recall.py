"""How well recall finds evidence: LoCoMo (turns and sessions), BEAM 100K (messages), FactConsolidation (facts).

Public contract only: engrain.open in a temporary folder, remember_many, recall. One configuration for all sets.

    python -m bench.recall                     the table
    python -m bench.recall --by-category       and per category
    python -m bench.recall --ablate            what each part of the score is worth: the table without it

Data: the folder in ENGRAIN_DATA (default ../shared/data beside the project) with locomo/dev.json,
beam/dev_100K.jsonl.gz, factconsolidation/dev.json. Their licences forbid shipping them here; what is absent is named
and left out.

Measures: recall@10 is the share of a question's evidence among the first ten hits, averaged over questions that have
evidence; for sessions, among the first ten sessions of fifty hits; top 1 and top 10 of FactConsolidation are the share
of questions whose first, or one of whose first ten, hits holds the current answer.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import re
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import engrain
from engrain.recall.rank import Weights

DATA = Path(os.environ.get("ENGRAIN_DATA", Path(__file__).parents[2] / "shared" / "data"))
FILES = {"locomo": "locomo/dev.json", "beam": "beam/dev_100K.jsonl.gz", "facts": "factconsolidation/dev.json"}
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
ABLATED = ("words", "near", "wide", "session", "meaning", "around", "speaker", "user")
Scores = dict[str, dict[str, list[float]]]  # measure -> category -> one value a question


def locomo(memory: engrain.Memory, scores: Scores) -> None:
    """Turns as items, their session and speaker given; images by their captions."""
    for number, sample in enumerate(json.loads((DATA / FILES["locomo"]).read_text(encoding="utf-8"))):
        talk = sample["conversation"]
        rows, turns = [], []
        sessions = sorted((k for k in talk if re.fullmatch(r"session_\d+", k)), key=lambda k: int(k[8:]))
        for session in sessions:
            when = datetime.strptime(talk[f"{session}_date_time"], "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
            for turn in talk[session]:
                image = f" [image: {turn['blip_caption']}]" if turn.get("blip_caption") else ""
                rows.append(
                    {"content": turn["text"] + image, "session": session, "role": turn["speaker"], "occurred_at": when}
                )
                turns.append(turn["dia_id"])
        agent = memory.agent("reader", tenant=f"locomo-{number}")
        place = {item.id: turn for item, turn in zip(agent.remember_many(rows), turns, strict=True)}
        for question in sample["qa"]:
            told = " ".join(question.get("evidence") or [])
            gold = {f"D{a}:{b}" for a, b in re.findall(r"D:?(\d+):0*(\d+)", told)} & set(turns)
            if gold:
                hits = [place[hit.item.id] for hit in agent.recall(question["question"], limit=50)]
                category = CATEGORIES[question["category"]]
                scores["LoCoMo turn recall@10"][category].append(_share(hits[:10], gold))
                chapters = list(dict.fromkeys(turn.split(":")[0] for turn in hits))[:10]
                scores["LoCoMo session recall@10"][category].append(_share(chapters, {g.split(":")[0] for g in gold}))


def beam(memory: engrain.Memory, scores: Scores) -> None:
    """Messages of long chats with an assistant; a batch is a session."""
    with gzip.open(DATA / FILES["beam"], "rt", encoding="utf-8") as lines:
        for number, record in enumerate(map(json.loads, lines)):
            rows, ids, when = [], [], None
            for batch, part in enumerate(record["chat"]):
                for message in (message for turn in part["turns"] for message in turn):
                    when = _anchor(message.get("time_anchor")) or when
                    rows.append(
                        {
                            "content": message["content"].split("->->")[0],
                            "session": f"batch-{batch}",
                            "role": message["role"],
                            "occurred_at": when,
                        }
                    )
                    ids.append(message["id"])
            agent = memory.agent("reader", tenant=f"beam-{number}")
            place: dict[str, int] = {}
            for item, id_ in zip(agent.remember_many(rows), ids, strict=True):
                place.setdefault(item.id, id_)
            for category, questions in record["probing_questions"].items():
                for question in questions:
                    gold = set(_numbers(question.get("source_chat_ids"))) & set(ids)
                    if gold:
                        hits = [place[hit.item.id] for hit in agent.recall(question["question"], limit=10)]
                        scores["BEAM 100K message recall@10"][category].append(_share(hits, gold))


def facts(memory: engrain.Memory, scores: Scores) -> None:
    """Numbered facts, later ones replacing earlier ones of which they differ in the value only."""
    for record in json.loads((DATA / FILES["facts"]).read_text(encoding="utf-8")):
        source = record["metadata"]["source"]
        told = re.findall(r"^\d+\.\s+(.*)$", record["context"], re.MULTILINE)
        agent = memory.agent("reader", tenant=source)
        agent.remember_many([{"content": fact.strip(), "kind": "fact"} for fact in told])
        single = "_sh_" in source
        for question, answers in zip(record["questions"], record["answers"], strict=True):
            hits = agent.recall(question.split("\n")[0], limit=10)
            right = [any(answer.lower() in hit.item.content.lower() for answer in answers) for hit in hits]
            name = "FactConsolidation single hop, top 1" if single else "FactConsolidation multi hop, top 10"
            scores[name][source.rsplit("_", 1)[1]].append(float(any(right[: 1 if single else 10])))


def _share(found: list[Any], gold: set[Any]) -> float:
    return len(gold.intersection(found)) / len(gold)


def _anchor(text: str | None) -> datetime | None:
    return datetime.strptime(text, "%B-%d-%Y").replace(tzinfo=UTC) if text else None


def _numbers(value: Any) -> Iterator[int]:
    """Message ids, however deep the data set nests them."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, str):
        yield from map(int, re.findall(r"\d+", value))
    elif value:
        for part in value.values() if isinstance(value, dict) else value:
            yield from _numbers(part)


def measure(names: list[str], memory: engrain.Memory) -> Scores:
    """Run the sets. What the memory already holds is not stored again (same content, session and time)."""
    scores: Scores = defaultdict(lambda: defaultdict(list))
    for name in names:
        {"locomo": locomo, "beam": beam, "facts": facts}[name](memory, scores)
    return scores


def means(scores: Scores) -> dict[str, float]:
    """Mean over questions, in per cent."""
    every = {name: [value for values in by.values() for value in values] for name, by in scores.items()}
    found = {name: 100 * sum(values) / len(values) for name, values in every.items()}
    hops = scores.get("LoCoMo turn recall@10", {}).get("multi-hop")
    return found | ({"LoCoMo multi-hop turn recall@10": 100 * sum(hops) / len(hops)} if hops else {})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--by-category", action="store_true")
    parser.add_argument("--ablate", action="store_true")
    parser.add_argument("--embedder", default="static")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    names = [name for name, file in FILES.items() if (DATA / file).is_file()]
    for name in FILES.keys() - set(names):
        print(f"absent, left out: {DATA / FILES[name]}", file=sys.stderr)
    if not names:
        return 1
    hashes = {name: hashlib.sha256((DATA / FILES[name]).read_bytes()).hexdigest()[:16] for name in names}
    with tempfile.TemporaryDirectory() as home, engrain.open(home, embedder=chosen.embedder) as memory:
        started = time.perf_counter()
        scores = measure(names, memory)
        rows = {"all": means(scores)}
        seconds = time.perf_counter() - started
        if chosen.ablate:
            rows |= ablation(names, memory)
    report = {"data": hashes, "embedder": chosen.embedder, "seconds": round(seconds, 1), "means": rows}
    if chosen.json:
        print(json.dumps(report | {"questions": scores}, indent=1))
        return 0
    print(
        f"engrain {engrain.__version__}, embedder {chosen.embedder}, {seconds:.0f} s; data "
        + ", ".join(f"{name} {digest}" for name, digest in hashes.items())
    )
    for measured in rows["all"]:
        print(f"\n{measured}")
        for label, row in rows.items():
            print(
                f"  {label:18s} {row[measured]:5.1f}"
                + ("" if label == "all" else f"  {row[measured] - rows['all'][measured]:+5.1f}")
            )
        if chosen.by_category:
            for category, values in sorted(scores.get(measured, {}).items()):
                print(f"    {category:26s} {100 * sum(values) / len(values):5.1f}  n={len(values)}")
    return 0


def ablation(names: list[str], memory: engrain.Memory) -> dict[str, dict[str, float]]:
    """The means without each signal or lift. The one place of this file that reaches below the contract."""
    known = {field.name for field in fields(Weights)}
    rows = {}
    for part in ABLATED:
        assert part in known
        memory.recaller._weights = replace(Weights(), **{part: 0.0})
        rows[f"without {part}"] = means(measure(names, memory))
    memory.recaller._weights = Weights()
    return rows


if __name__ == "__main__":
    sys.exit(main())
