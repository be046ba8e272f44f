"""Context: hits as a block of text that fits a prompt's budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engrain.model.item import Hit
from engrain.recall.analyze import analyze
from engrain.recall.embed import StaticEmbedder

ALIKE = 0.8  # share of terms in common (Jaccard) from which the second of two items says nothing new
HEADER = "What is remembered, most relevant first:"
_ID = 26  # an id in full, because recall and helpful() need it; shortened it would be of no use

_counter = StaticEmbedder()


def count_tokens(text: str) -> int:
    """Tokens of a text by the packaged tokenizer (BERT word pieces, usually more than a large model's tokens)."""
    return _counter.count(text)


def block(hits: Sequence[Hit], max_tokens: int, count: Callable[[str], int] = count_tokens) -> tuple[str, tuple[str, ...]]:
    """(text, ids in it). Never above ``max_tokens``; whole items are preferred, the last one may be cut with an ellipsis;
    ("", ()) when not even the beginning of one item fits. One bullet an item: date, kind, first part of the id."""
    lines: list[str] = []
    ids: list[str] = []
    seen: list[frozenset[int]] = []
    for hit in hits:
        terms = frozenset(analyze(hit.item.content))
        if any(_alike(terms, other) for other in seen):
            continue
        line = f"{_label(hit)} {' '.join(hit.item.content.split())}"
        whole = "\n".join([HEADER, *lines, line])
        if count(whole) > max_tokens:
            line = _cut([HEADER, *lines], _label(hit), line, max_tokens, count)
            if line:
                lines.append(line)
                ids.append(hit.item.id)
            break
        lines.append(line)
        ids.append(hit.item.id)
        seen.append(terms)
    return ("\n".join([HEADER, *lines]), tuple(ids)) if lines else ("", ())


def _label(hit: Hit) -> str:
    item = hit.item
    day = (item.occurred_at or item.created_at).date().isoformat()
    role = f", {item.role}" if item.role else ""
    return f"- [{day} {item.kind}{role} {item.id}]"


def _cut(above: list[str], label: str, line: str, max_tokens: int, count: Callable[[str], int]) -> str:
    """The longest beginning of the line that still fits, to the word; "" when that is hardly more than its label."""
    low, high = len(label), len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if count("\n".join([*above, line[:middle] + "…"])) <= max_tokens:
            low = middle
        else:
            high = middle - 1
    begin = line[:low].rsplit(" ", 1)[0] if low < len(line) else line[:low]
    short = begin.rstrip() + "…"
    fits = count("\n".join([*above, short])) <= max_tokens  # fewer letters may be more pieces
    return short if fits and len(begin) >= len(label) + 20 else ""


def _alike(one: frozenset[int], other: frozenset[int]) -> bool:
    return one == other or (bool(one) and len(one & other) / len(one | other) >= ALIKE)
