"""The three public sets that recall is measured on, read into one shape: conversations with rows and questions.

LoCoMo (turns of chats, CC BY-NC 4.0), BEAM 100K (messages of long chats with an assistant, CC BY-SA 4.0) and
FactConsolidation (numbered facts of which later ones replace earlier ones, MIT). They lie in the folder ENGRAIN_DATA
(default ../shared/data beside the project) as locomo/dev.json, beam/dev_100K.jsonl.gz and factconsolidation/dev.json;
none is stored in the project.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import engrain

DATA = Path(os.environ.get("ENGRAIN_DATA", Path(__file__).parents[2] / "shared" / "data"))
FILES = {"locomo": "locomo/dev.json", "beam": "beam/dev_100K.jsonl.gz", "facts": "factconsolidation/dev.json"}
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}


@dataclass(frozen=True)
class Question:
    """One question and what answers it: units of its conversation, or (facts) texts that an answer must hold."""

    number: int  # its place in the data set's own order, from 0, within the conversation
    category: str
    text: str
    gold: frozenset[Any]


@dataclass(frozen=True)
class Conversation:
    """What one agent is told, and what it is asked. ``units[i]`` names row i as the evidence names it."""

    set: str
    name: str
    rows: list[dict[str, Any]]
    units: list[Any]
    questions: list[Question]


def locomo() -> Iterator[Conversation]:
    """Turns as items, their session and speaker given; images by their captions."""
    for sample in json.loads((DATA / FILES["locomo"]).read_text(encoding="utf-8")):
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
        questions = []
        for number, question in enumerate(sample["qa"]):
            told = " ".join(question.get("evidence") or [])
            gold = {f"D{a}:{b}" for a, b in re.findall(r"D:?(\d+):0*(\d+)", told)} & set(turns)
            if gold:
                category = CATEGORIES[question["category"]]
                questions.append(Question(number, category, question["question"], frozenset(gold)))
        yield Conversation("locomo", sample["sample_id"], rows, turns, questions)


def beam() -> Iterator[Conversation]:
    """Messages of long chats with an assistant; a batch is a session."""
    with gzip.open(DATA / FILES["beam"], "rt", encoding="utf-8") as lines:
        for record in map(json.loads, lines):
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
            asked = [(kind, one) for kind, many in record["probing_questions"].items() for one in many]
            questions = []
            for number, (category, question) in enumerate(asked):
                gold = set(_numbers(question.get("source_chat_ids"))) & set(ids)
                if gold:
                    questions.append(Question(number, category, question["question"], frozenset(gold)))
            yield Conversation("beam", str(record["id"]), rows, ids, questions)


def facts() -> Iterator[Conversation]:
    """Numbered facts, later ones replacing earlier ones of which they differ in the value only. Single-hop and
    multi-hop questions come in sets of their own, ``sh`` and ``mh``, with the size of the context as category."""
    for record in json.loads((DATA / FILES["facts"]).read_text(encoding="utf-8")):
        source = record["metadata"]["source"]
        told = [fact.strip() for fact in re.findall(r"^\d+\.\s+(.*)$", record["context"], re.MULTILINE)]
        asked = zip(record["questions"], record["answers"], strict=True)
        size = source.rsplit("_", 1)[1]
        yield Conversation(
            "facts single" if "_sh_" in source else "facts multi",
            source.removeprefix("factconsolidation_"),
            [{"content": fact, "kind": "fact"} for fact in told],
            told,
            [
                Question(number, size, question.split("\n")[0], frozenset(map(str.lower, answers)))
                for number, (question, answers) in enumerate(asked)
            ],
        )


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


READERS: dict[str, Callable[[], Iterator[Conversation]]] = {"locomo": locomo, "beam": beam, "facts": facts}


def present() -> list[str]:
    """The sets whose file is there."""
    return [name for name, file in FILES.items() if (DATA / file).is_file()]


def digest(name: str) -> str:
    """Which data it is: the first 16 hexadecimal digits of the file's SHA-256."""
    return hashlib.sha256((DATA / FILES[name]).read_bytes()).hexdigest()[:16]


@dataclass(frozen=True)
class Told:
    """A conversation that an agent has been told: ask it with ``hits``."""

    conversation: Conversation
    agent: engrain.Agent
    place: dict[str, Any]  # id of an item -> its unit

    def hits(self, question: Question, limit: int) -> list[Any]:
        """The units of the first ``limit`` hits, best first."""
        return [self.place[hit.item.id] for hit in self.agent.recall(question.text, limit=limit)]


def tell(memory: engrain.Memory, names: Sequence[str]) -> list[Told]:
    """Tell every conversation of these sets to an agent of its own tenant, through the public contract."""
    told = []
    for name in names:
        for number, conversation in enumerate(READERS[name]()):
            agent = memory.agent("reader", tenant=f"{name}-{number}")
            place: dict[str, Any] = {}
            for item, unit in zip(agent.remember_many(conversation.rows), conversation.units, strict=True):
                place.setdefault(item.id, unit)  # a message told twice is one item: the first
            told.append(Told(conversation, agent, place))
    return told


def deal(names: Sequence[str], folds: int) -> list[list[str]]:
    """Conversations dealt to folds in turn, sorted by name: whoever fits on some and measures on the others uses it."""
    return [sorted(set(names))[fold::folds] for fold in range(folds)]
