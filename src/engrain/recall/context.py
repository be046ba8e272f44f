"""Context: hits as a block of text that fits a prompt's budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engrain.model.item import Hit
from engrain.recall.analyze import analyze
from engrain.recall.embed import packaged

ALIKE = 0.8  # share of terms in common (Jaccard) from which the second of two items says nothing new
HEADER = "What is remembered, most relevant first:"
FEWEST = 3  # words of an item that are worth its label
LEAST = 0.004  # score under which an item is no knowledge worth a prompt's room


def count_tokens(text: str) -> int:
    """Tokens of a text by the packaged tokenizer (BERT word pieces, usually more than a large model's tokens)."""
    return packaged().count(text)


def block(
    hits: Sequence[Hit], max_tokens: int, count: Callable[[str], int] = count_tokens
) -> tuple[str, tuple[str, ...]]:
    """(text, ids in it). Never above ``max_tokens``; whole items are preferred, the last one may be cut with an
    ellipsis; ("", ()) when there is nothing or not even the beginning of one item fits. One bullet an item: date,
    kind, speaker, id. Near-duplicates are left out. ``count`` must add up over lines."""
    lines: list[str] = [HEADER]
    ids: list[str] = []
    seen: list[frozenset[int]] = []
    used = count(HEADER)
    for hit in hits:
        terms = frozenset(analyze(hit.item.content))
        if hit.score < LEAST or any(_alike(terms, other) for other in seen):
            continue
        label = _label(hit)
        line = f"{label} {' '.join(hit.item.content.split())}"
        cost = count(line)
        if used + cost > max_tokens:
            line = _cut(label, line, max_tokens - used, count)
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


def _cut(label: str, line: str, room: int, count: Callable[[str], int]) -> str:
    """The longest beginning of the line that fits, to the word, with an ellipsis; "" when hardly more than its label
    does."""
    words = line[len(label) :].split()
    low, high = 0, len(words)
    while low < high:
        middle = (low + high + 1) // 2
        if count(f"{label} {' '.join(words[:middle])}…") <= room:
            low = middle
        else:
            high = middle - 1
    return f"{label} {' '.join(words[:low])}…" if low >= FEWEST else ""


def _alike(one: frozenset[int], other: frozenset[int]) -> bool:
    return one == other or (bool(one) and len(one & other) / len(one | other) >= ALIKE)
