"""Context: hits as a block of text that fits a prompt's budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engrain.model.item import Hit
from engrain.recall.analyze import analyze
from engrain.recall.embed import packaged
from engrain.recall.excerpt import excerpt

ALIKE = 0.8  # share of terms in common (Jaccard) from which the second of two items says nothing new
HEADER = "What is remembered, most relevant first:"
FEWEST = 15  # characters of an item that are worth its label
TOKEN = 3  # characters, about
LEAST = 0.004  # score under which an item is no knowledge worth a prompt's room


def count_tokens(text: str) -> int:
    """Tokens of a text by the packaged tokenizer (BERT word pieces, usually more than a large model's tokens)."""
    return packaged().count(text)


def block(
    hits: Sequence[Hit], max_tokens: int, count: Callable[[str], int] = count_tokens, question: str = ""
) -> tuple[str, tuple[str, ...]]:
    """(text, ids in it). Never above ``max_tokens``; whole items are preferred, the last one may be cut to what the
    ``question`` asks about, else to its beginning; ("", ()) when there is nothing or not even a part of one item fits.
    One bullet an item: date, kind, speaker, id. Near-duplicates are left out. ``count`` must add up over lines."""
    lines: list[str] = [HEADER]
    ids: list[str] = []
    seen: list[frozenset[int]] = []
    used = count(HEADER)
    for hit in hits:
        terms = frozenset(analyze(hit.item.content))
        if hit.score < LEAST or any(_alike(terms, other) for other in seen):
            continue
        label = _label(hit)
        told = " ".join(hit.item.content.split())
        line = f"{label} {told}"
        cost = count(line)
        if used + cost > max_tokens:
            line = _cut(label, told, question, max_tokens - used, count)
        if line:
            lines.append(line)
            ids.append(hit.item.id)
        if used + cost > max_tokens:
            break
        used += cost
        seen.append(terms)
    return ("\n".join(lines), tuple(ids)) if ids else ("", ())


def _label(hit: Hit) -> str:
    item = hit.item
    day = (item.occurred_at or item.told_at).date().isoformat()
    role = f", {item.role}" if item.role else ""
    return f"- [{day} {item.kind}{role} {item.id}]"


def _cut(label: str, told: str, question: str, room: int, count: Callable[[str], int]) -> str:
    """The line with the longest excerpt that fits; "" when hardly more than its label does."""
    part = excerpt(told, question, room * TOKEN, lambda part: count(f"{label} {part}") <= room)
    return f"{label} {part}" if len(part) >= FEWEST else ""


def _alike(one: frozenset[int], other: frozenset[int]) -> bool:
    return one == other or (bool(one) and len(one & other) / len(one | other) >= ALIKE)
